package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"macroscope/graph"
	"macroscope/onnx/internal/onnxpb"
)

// constant is a tensor that the file gives, decoded when first asked for.
type constant struct {
	proto *onnxpb.TensorProto // nil for one that was computed
	dims  []int
	f     []float32
	i     []int64
	// bipolar: every element went through BipolarQuant and is ±1.
	bipolar bool
	// quantized is where the elements come from, if they were int8.
	quantized *quantization
	// allowed: the budget knows that these int8 numbers become float32.
	allowed bool
}

// newConstant checks everything about t but its data's values.
func newConstant(t *onnxpb.TensorProto) (*constant, error) {
	if t.GetDataLocation() == onnxpb.TensorProto_EXTERNAL || len(t.ExternalData) > 0 {
		for _, e := range t.ExternalData {
			if e.GetKey() == "location" {
				return nil, fmt.Errorf("data in an external file %s: not supported, want it in the model file", quote(e.GetValue()))
			}
		}
		return nil, errors.New("data in an external file: not supported, want it in the model file")
	}
	if t.Segment != nil {
		return nil, errors.New("data in segments: not supported")
	}
	if len(t.Dims) > 8 {
		return nil, fmt.Errorf("%d dimensions: want at most 8", len(t.Dims))
	}
	c := &constant{proto: t, dims: make([]int, len(t.Dims))}
	n := 1
	for i, d := range t.Dims {
		if d < 1 || d > int64(graph.MaxElements/n) {
			return nil, fmt.Errorf("dimensions %v: want positive ones, at most %d elements", t.Dims, graph.MaxElements)
		}
		c.dims[i] = int(d)
		n *= int(d)
	}
	kind := onnxpb.TensorProto_DataType(t.GetDataType())
	var each, typed int // bytes an element in raw_data; elements in the typed field
	switch kind {
	case onnxpb.TensorProto_FLOAT:
		each, typed = 4, len(t.FloatData)
	case onnxpb.TensorProto_INT8:
		each, typed = 1, len(t.Int32Data)
	case onnxpb.TensorProto_INT16:
		each, typed = 2, len(t.Int32Data)
	case onnxpb.TensorProto_INT32:
		each, typed = 4, len(t.Int32Data)
	case onnxpb.TensorProto_INT64:
		each, typed = 8, len(t.Int64Data)
	default:
		return nil, fmt.Errorf("data type %s: want FLOAT, INT8, INT16, INT32 or INT64", kind)
	}
	all := len(t.FloatData) + len(t.Int32Data) + len(t.Int64Data) + len(t.DoubleData) + len(t.Uint64Data) + len(t.StringData)
	switch {
	case t.RawData != nil && all > 0:
		return nil, errors.New("both raw and typed data: want one")
	case t.RawData != nil && len(t.RawData) != n*each:
		return nil, fmt.Errorf("%d bytes of data for dimensions %v: want %d", len(t.RawData), t.Dims, n*each)
	case t.RawData == nil && (typed != n || all != typed):
		return nil, fmt.Errorf("%d elements of %s data for dimensions %v: want %d", typed, kind, t.Dims, n)
	}
	return c, nil
}

// size is the number of elements.
func (c *constant) size() int { return graph.Shape(c.dims).Size() }

// floats gives the elements of a FLOAT tensor, not to be written to.
func (c *constant) floats(bud *budget) ([]float32, error) {
	if c.f != nil {
		return c.f, nil
	}
	if c.proto == nil || onnxpb.TensorProto_DataType(c.proto.GetDataType()) != onnxpb.TensorProto_FLOAT {
		return nil, errors.New("integer data: want FLOAT")
	}
	if c.proto.RawData == nil {
		c.f = c.proto.FloatData
		return c.f, nil
	}
	n := c.size()
	if err := bud.take(4 * int64(n)); err != nil {
		return nil, err
	}
	f := make([]float32, n)
	for i := range f {
		f[i] = math.Float32frombits(binary.LittleEndian.Uint32(c.proto.RawData[4*i:]))
	}
	c.f = f
	return f, nil
}

// kind is the data type of the elements in the file.
func (c *constant) kind() onnxpb.TensorProto_DataType {
	if c.proto == nil {
		return onnxpb.TensorProto_FLOAT
	}
	return onnxpb.TensorProto_DataType(c.proto.GetDataType())
}

// int8s gives the elements of an INT8 tensor, a copy.
func (c *constant) int8s(bud *budget) ([]int8, error) {
	if c.kind() != onnxpb.TensorProto_INT8 {
		return nil, fmt.Errorf("data type %s: want INT8", c.kind())
	}
	n := c.size()
	if err := bud.take(int64(n)); err != nil {
		return nil, err
	}
	v := make([]int8, n)
	for j := range v {
		if c.proto.RawData != nil {
			v[j] = int8(c.proto.RawData[j])
			continue
		}
		x := c.proto.Int32Data[j]
		if x != int32(int8(x)) {
			return nil, fmt.Errorf("element %d is %d: want an int8", j, x)
		}
		v[j] = int8(x)
	}
	return v, nil
}

// ints gives the elements of an integer tensor, not to be written to.
func (c *constant) ints(bud *budget) ([]int64, error) {
	if c.i != nil {
		return c.i, nil
	}
	if c.f != nil || c.proto == nil {
		return nil, errors.New("float data: want INT64, INT32, INT16 or INT8")
	}
	t := c.proto
	kind := c.kind()
	if kind == onnxpb.TensorProto_INT64 && t.RawData == nil {
		c.i = t.Int64Data
		return c.i, nil
	}
	n := c.size()
	if err := bud.take(8 * int64(n)); err != nil {
		return nil, err
	}
	i := make([]int64, n)
	switch {
	case kind == onnxpb.TensorProto_INT64:
		for j := range i {
			i[j] = int64(binary.LittleEndian.Uint64(t.RawData[8*j:]))
		}
	case (kind == onnxpb.TensorProto_INT32 || kind == onnxpb.TensorProto_INT16 || kind == onnxpb.TensorProto_INT8) && t.RawData == nil:
		for j, v := range t.Int32Data {
			i[j] = int64(v)
		}
	case kind == onnxpb.TensorProto_INT32:
		for j := range i {
			i[j] = int64(int32(binary.LittleEndian.Uint32(t.RawData[4*j:])))
		}
	case kind == onnxpb.TensorProto_INT16:
		for j := range i {
			i[j] = int64(int16(binary.LittleEndian.Uint16(t.RawData[2*j:])))
		}
	case kind == onnxpb.TensorProto_INT8:
		for j, v := range t.RawData {
			i[j] = int64(int8(v))
		}
	default:
		return nil, fmt.Errorf("data type %s: want INT64, INT32, INT16 or INT8", kind)
	}
	c.i = i
	return i, nil
}
