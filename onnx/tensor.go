package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"macroscope/graph"
	"macroscope/onnx/internal/onnxpb"
)

// constant is a tensor that the file gives, decoded when first asked for, or one that
// was computed.
type constant struct {
	proto *onnxpb.TensorProto // nil for one that was computed
	ext   *external           // where the data are, if not in proto
	zero  bool                // there are no data, which is as good as 0
	dims  []int
	f     []float32
	i     []int64
	as    onnxpb.TensorProto_DataType // of computed integers; 0: INT64

	// signs: every element went through BipolarQuant and is ±signs; 0: they did not.
	signs float32
	// quantized is where the elements come from, if they were int8; f is made of them when
	// somebody asks.
	quantized *quantization
	// of is the constant whose elements these are, seen with other dimensions, if it has not
	// made them yet.
	of *constant
}

// widths has the bytes of an element in raw data, of the types understood.
var widths = map[onnxpb.TensorProto_DataType]int{
	onnxpb.TensorProto_FLOAT: 4, onnxpb.TensorProto_DOUBLE: 8, onnxpb.TensorProto_FLOAT16: 2, onnxpb.TensorProto_BFLOAT16: 2,
	onnxpb.TensorProto_INT8: 1, onnxpb.TensorProto_UINT8: 1, onnxpb.TensorProto_BOOL: 1, onnxpb.TensorProto_INT16: 2, onnxpb.TensorProto_UINT16: 2,
	onnxpb.TensorProto_INT32: 4, onnxpb.TensorProto_INT64: 8,
}

// newConstant checks everything about t but its data's values.
func (r *reader) newConstant(t *onnxpb.TensorProto) (*constant, error) {
	if t == nil { // an attribute of that type without one
		return nil, errors.New("no tensor")
	}
	if t.Segment != nil {
		return nil, errors.New("data in segments: not supported")
	}
	if len(t.Dims) > maxRank {
		return nil, fmt.Errorf("%d dimensions: want at most %d", len(t.Dims), maxRank)
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
	kind := c.kind()
	each, ok := widths[kind]
	if !ok {
		return nil, fmt.Errorf("data type %s: want FLOAT, DOUBLE, FLOAT16, BFLOAT16, BOOL or integers of 8 to 64 bits, of 64 signed ones", kind)
	}
	typed := 0 // elements in the field of the type
	switch kind {
	case onnxpb.TensorProto_FLOAT:
		typed = len(t.FloatData)
	case onnxpb.TensorProto_DOUBLE:
		typed = len(t.DoubleData)
	case onnxpb.TensorProto_INT64:
		typed = len(t.Int64Data)
	default:
		typed = len(t.Int32Data)
	}
	all := len(t.FloatData) + len(t.Int32Data) + len(t.Int64Data) + len(t.DoubleData) + len(t.Uint64Data) + len(t.StringData)
	switch {
	case t.GetDataLocation() == onnxpb.TensorProto_EXTERNAL || len(t.ExternalData) > 0:
		if t.RawData != nil || all > 0 {
			return nil, errors.New("data both in the model and in an external file: want one")
		}
		var err error
		c.ext, c.zero, err = r.external(t.ExternalData, n*each)
		return c, err
	case t.RawData != nil && all > 0:
		return nil, errors.New("both raw and typed data: want one")
	case t.RawData == nil && all == 0 && r.options.Weightless:
		c.zero = true
	case t.RawData != nil && len(t.RawData) != n*each:
		return nil, fmt.Errorf("%d bytes of data for dimensions %v: want %d", len(t.RawData), t.Dims, n*each)
	case t.RawData == nil && (typed != n || all != typed):
		return nil, fmt.Errorf("%d elements of %s data for dimensions %v: want %d", typed, kind, t.Dims, n)
	}
	return c, nil
}

// size is the number of elements.
func (c *constant) size() int { return graph.Shape(c.dims).Size() }

// kind is the data type of the elements in the file; of computed ones FLOAT or INT64.
func (c *constant) kind() onnxpb.TensorProto_DataType {
	switch {
	case c.proto != nil:
		return onnxpb.TensorProto_DataType(c.proto.GetDataType())
	case c.i != nil && c.as != 0:
		return c.as
	case c.i != nil:
		return onnxpb.TensorProto_INT64
	}
	return onnxpb.TensorProto_FLOAT
}

// raw gives the elements as bytes; nil where they are in a typed field.
func (c *constant) raw(bud *budget) ([]byte, error) {
	if c.ext != nil {
		return c.ext.read(bud)
	}
	return c.proto.RawData, nil
}

// floats gives the elements of a tensor of floating-point numbers, not to be written to.
func (c *constant) floats(bud *budget) ([]float32, error) {
	if c.f != nil {
		return c.f, nil
	}
	if c.of != nil {
		var err error
		c.f, err = c.of.floats(bud)
		return c.f, err
	}
	if c.integers() {
		return nil, errors.New("integer data: want FLOAT")
	}
	n := c.size()
	if q := c.quantized; q != nil {
		if err := bud.take(4 * int64(n)); err != nil {
			return nil, err
		}
		c.f = q.floats(c.dims)
		return c.f, nil
	}
	if c.zero {
		c.f = bud.zeros(n)
		return c.f, nil
	}
	raw, err := c.raw(bud)
	if err != nil {
		return nil, err
	}
	if raw == nil && c.kind() == onnxpb.TensorProto_FLOAT {
		c.f = c.proto.FloatData
		return c.f, nil
	}
	if err := bud.take(4 * int64(n)); err != nil {
		return nil, err
	}
	f := make([]float32, n)
	for i := range f {
		switch kind := c.kind(); {
		case kind == onnxpb.TensorProto_FLOAT:
			f[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		case kind == onnxpb.TensorProto_DOUBLE && raw == nil:
			f[i] = float32(c.proto.DoubleData[i])
		case kind == onnxpb.TensorProto_DOUBLE:
			f[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:])))
		default: // 16 bits
			var half uint16
			if raw == nil {
				half = uint16(c.proto.Int32Data[i])
			} else {
				half = binary.LittleEndian.Uint16(raw[2*i:])
			}
			if f[i] = math.Float32frombits(uint32(half) << 16); kind == onnxpb.TensorProto_FLOAT16 {
				f[i] = fromHalf(half)
			}
		}
	}
	c.f = f
	return f, nil
}

// fromHalf is an IEEE 754 binary16 number.
func fromHalf(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15), uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0: // subnormal: fraction·2⁻²⁴
		f := float32(fraction) * 0x1p-24
		if sign != 0 {
			f = -f
		}
		return f
	case 0x1f:
		exponent = 0xff
	default:
		exponent += 127 - 15
	}
	return math.Float32frombits(sign<<31 | exponent<<23 | fraction<<13)
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
	if c.zero {
		return v, nil
	}
	if c.proto == nil {
		for j, x := range c.i {
			v[j] = int8(x)
		}
		return v, nil
	}
	raw, err := c.raw(bud)
	if err != nil {
		return nil, err
	}
	for j := range v {
		if raw != nil {
			v[j] = int8(raw[j])
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
	if !c.integers() {
		return nil, errors.New("float data: want integers")
	}
	n := c.size()
	t, kind := c.proto, c.kind()
	raw, err := c.raw(bud)
	if err != nil {
		return nil, err
	}
	if kind == onnxpb.TensorProto_INT64 && raw == nil && !c.zero {
		c.i = t.Int64Data
		return c.i, nil
	}
	if err := bud.take(8 * int64(n)); err != nil {
		return nil, err
	}
	i := make([]int64, n)
	for j := range i {
		switch {
		case c.zero:
		case raw == nil:
			i[j] = int64(t.Int32Data[j])
		case kind == onnxpb.TensorProto_INT64:
			i[j] = int64(binary.LittleEndian.Uint64(raw[8*j:]))
		case kind == onnxpb.TensorProto_INT32:
			i[j] = int64(int32(binary.LittleEndian.Uint32(raw[4*j:])))
		case kind == onnxpb.TensorProto_INT16:
			i[j] = int64(int16(binary.LittleEndian.Uint16(raw[2*j:])))
		case kind == onnxpb.TensorProto_UINT16:
			i[j] = int64(binary.LittleEndian.Uint16(raw[2*j:]))
		case kind == onnxpb.TensorProto_INT8:
			i[j] = int64(int8(raw[j]))
		default: // UINT8, BOOL
			i[j] = int64(raw[j])
		}
	}
	c.i = i
	return i, nil
}
