package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	"macroscope/graph"
	"macroscope/onnx/internal/onnxpb"
)

// node writes what n computes; its output has its own name, unrounded.
func (w *writer) node(n *graph.Node) error {
	in := make([]string, len(n.In))
	for i, v := range n.In {
		in[i] = w.read(v)
	}
	op := func(kind string, attrs ...*onnxpb.AttributeProto) { w.op(kind, n.Name, n.Out.Name, in, attrs...) }
	switch o := n.Op.(type) {
	case *graph.Conv2D:
		return w.conv(n, o, in)
	case *graph.Dense:
		weights, err := w.weights(n.Name, &o.Weights, []int64{int64(o.Out), int64(o.In)})
		in = append(in, weights...)
		op("Gemm", attrInt("transB", 1))
		return err
	case *graph.BatchNorm:
		for _, c := range []struct {
			name string
			v    []float32
		}{{".scale", o.Gamma}, {".bias", o.Beta}, {".mean", o.Mean}, {".var", o.Var}} {
			in = append(in, w.floats(n.Name+c.name, []int64{int64(len(c.v))}, c.v...))
		}
		op("BatchNormalization", attrFloat("epsilon", o.Epsilon))
	case *graph.Affine:
		w.affine(n, o, in[0])
	case *graph.ReLU:
		op("Relu")
	case *graph.PReLU:
		dims := []int64{int64(len(o.Slope))}
		if len(n.Out.Shape) == 3 { // aligned at the end: [C 1 1]
			dims = append(dims, 1, 1)
		}
		in = append(in, w.floats(n.Name+".slope", dims, o.Slope...))
		op("PRelu")
	case *graph.Clip:
		in = append(in, w.floats(n.Name+".min", nil, o.Lo), w.floats(n.Name+".max", nil, o.Hi))
		op("Clip")
	case *graph.Concat:
		op("Concat", attrInt("axis", 1))
	case *graph.Dropout:
		in = append(in, w.floats(n.Name+".ratio", nil, o.Rate))
		op("Dropout")
	case *graph.Sign:
		w.sign(n, in[0])
	case *graph.MaxPool:
		w.maxPool(n, o, in)
	case *graph.AveragePool:
		w.averagePool(n, o, in)
	case *graph.GlobalAveragePool:
		op("GlobalAveragePool")
	case *graph.Add:
		op("Add")
	case *graph.Sub:
		op("Sub")
	case *graph.Mul:
		op("Mul")
	case *graph.Div:
		op("Div")
	case *graph.Func:
		w.function(n, o, in)
	case *graph.Constant:
		w.constant(n, o)
	case *graph.Reshape:
		in = append(in, w.behind(o.To))
		op("Reshape")
	case *graph.Transpose:
		w.transpose(n, o, in[0])
	case *graph.Slice:
		w.slice(n, o, in[0])
	case *graph.Pad:
		w.pad(n, o, in[0])
	case *graph.ArgMax:
		w.argMax(n, o, in[0])
	case *graph.Flatten:
		op("Flatten", attrInt("axis", 1))
	case *graph.LRN:
		op("LRN", attrFloat("alpha", o.Alpha), attrFloat("beta", o.Beta), attrFloat("bias", o.Bias), attrInt("size", int64(o.Size)))
	case *graph.Softmax:
		kind := "Softmax"
		if o.Log {
			kind = "LogSoftmax"
		}
		op(kind, attrInt("axis", 1))
	default:
		return errors.New("no ONNX form known")
	}
	return nil
}

func (w *writer) conv(n *graph.Node, c *graph.Conv2D, in []string) error {
	pads := []int{c.PadTop, c.PadLeft, c.PadBottom, c.PadRight}
	if c.PadValue != 0 && (c.PadTop > 0 || c.PadLeft > 0 || c.PadBottom > 0 || c.PadRight > 0) {
		// Conv pads with 0 only.
		sides := rawInts(0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3])
		in[0] = w.extra("Pad", n.Name, "/padded", []string{
			in[0],
			w.number(fmt.Sprintf("pads_%d_%d_%d_%d", pads[0], pads[1], pads[2], pads[3]), sides),
			w.number(fmt.Sprintf("pad_value_%g", c.PadValue), rawFloats(nil, []float32{c.PadValue})),
		}, attrString("mode", "constant"))
		pads = make([]int, 4)
	}
	weights, err := w.weights(n.Name, &c.Weights, []int64{int64(c.OutC), int64(c.InC / c.Groups), int64(c.KH), int64(c.KW)})
	w.op("Conv", n.Name, n.Out.Name, append(in, weights...),
		attrInts("dilations", c.DilationH, c.DilationW), attrInt("group", int64(c.Groups)), attrInts("kernel_shape", c.KH, c.KW),
		attrInts("pads", pads...), attrInts("strides", c.StrideH, c.StrideW))
	return err
}

// weights writes a layer's constants and names its inputs for them: the weights of
// the given dimensions, output channels first, and the bias if there is one.
func (w *writer) weights(layer string, v *graph.Weights, dims []int64) (names []string, err error) {
	name := layer + ".weight"
	switch {
	case v.Int8 != nil && v.Binary:
		return nil, errors.New("weights both int8 and binary: want one")
	case v.Int8 != nil:
		var scaleDims []int64
		if len(v.Scale) > 1 {
			scaleDims = []int64{int64(len(v.Scale))}
		}
		q := w.tensor(name, int8Tensor(dims, v.Int8...))
		scale := w.floats(name+".scale", scaleDims, v.Scale...)
		zero := w.number("zero_point", int8Tensor(nil, 0))
		if scaleDims != nil {
			zero = w.number(fmt.Sprintf("zero_points_%d", len(v.Scale)), int8Tensor(scaleDims, make([]int8, len(v.Scale))...))
		}
		names = append(names, w.extra("DequantizeLinear", name, "/dequantized", []string{q, scale, zero}, attrInt("axis", 0)))
	case v.Binary && w.dialect == QONNX:
		w.qonnx = true
		names = append(names, w.extra("BipolarQuant", name, "/sign", []string{w.floats(name, dims, v.Float...), w.one()}))
		w.g.Node[len(w.g.Node)-1].Domain = proto.String(qonnxDomain)
	default:
		names = append(names, w.floats(name, dims, v.Float...))
	}
	if v.Bias != nil {
		names = append(names, w.floats(layer+".bias", []int64{int64(len(v.Bias))}, v.Bias...))
	}
	return names, nil
}

func (w *writer) one() string { return w.number("one", rawFloats(nil, []float32{1})) }

// affine writes Mul, Add, or both, the first named so that Read joins them again.
func (w *writer) affine(n *graph.Node, a *graph.Affine, in string) {
	constant := func(what string, v []float32) string {
		dims := []int64{int64(len(v))}
		if len(n.Out.Shape) == 3 { // aligned at the end: [C 1 1]
			dims = append(dims, 1, 1)
		}
		return w.floats(n.Name+what, dims, v...)
	}
	one := len(a.Scale) == len(a.Shift) // what Read gives for a single operator
	switch {
	case one && all(a.Shift, 0):
		w.op("Mul", n.Name, n.Out.Name, []string{in, constant(".scale", a.Scale)})
		return
	case one && all(a.Scale, 1):
	default:
		in = w.extra("Mul", n.Out.Name, scaledName, []string{in, constant(".scale", a.Scale)})
	}
	w.op("Add", n.Name, n.Out.Name, []string{in, constant(".shift", a.Shift)})
}

// all says whether every element has the bits of x.
func all(v []float32, x float32) bool {
	for _, y := range v {
		if math.Float32bits(y) != math.Float32bits(x) {
			return false
		}
	}
	return true
}

func (w *writer) sign(n *graph.Node, in string) {
	if w.dialect == QONNX {
		w.qonnx = true
		w.op("BipolarQuant", n.Name, n.Out.Name, []string{in, w.one()}).Domain = proto.String(qonnxDomain)
		return
	}
	zero := w.number("zero", rawFloats(nil, []float32{0}))
	minus := w.number("minus_one", rawFloats(nil, []float32{-1}))
	up := w.extra("GreaterOrEqual", n.Name, "/up", []string{in, zero})
	w.op("Where", n.Name, n.Out.Name, []string{up, w.one(), minus})
}

// rawTensor has its elements as little-endian bytes.
func rawTensor(kind onnxpb.TensorProto_DataType, dims []int64, raw []byte) *onnxpb.TensorProto {
	return &onnxpb.TensorProto{Dims: dims, DataType: proto.Int32(int32(kind)), RawData: raw}
}

func rawFloats(dims []int64, f []float32) *onnxpb.TensorProto {
	raw := make([]byte, 0, 4*len(f))
	for _, x := range f {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return rawTensor(onnxpb.TensorProto_FLOAT, dims, raw)
}

// rawInts is a list of int64.
func rawInts(v ...int) *onnxpb.TensorProto {
	var raw []byte
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(x))
	}
	return rawTensor(onnxpb.TensorProto_INT64, []int64{int64(len(v))}, raw)
}

func int8Tensor(dims []int64, v ...int8) *onnxpb.TensorProto {
	raw := make([]byte, len(v))
	for i, x := range v {
		raw[i] = byte(x)
	}
	return rawTensor(onnxpb.TensorProto_INT8, dims, raw)
}

func attrInt(name string, v int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_INT.Enum(), I: proto.Int64(v)}
}

func attrInts(name string, v ...int) *onnxpb.AttributeProto {
	a := &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_INTS.Enum()}
	for _, x := range v {
		a.Ints = append(a.Ints, int64(x))
	}
	return a
}

func attrFloat(name string, v float32) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_FLOAT.Enum(), F: proto.Float32(v)}
}

func attrString(name, v string) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_STRING.Enum(), S: []byte(v)}
}
