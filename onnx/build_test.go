package onnx

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"macroscope/onnx/internal/onnxpb"
)

// Small models for tests: a model is a list of parts, each of which edits it.
type part func(m *onnxpb.ModelProto)

// model has input x of the given shape behind an open batch, output y, opset 13
// with QONNX's operators, and what the parts put in.
func model(input []int64, parts ...part) *onnxpb.ModelProto {
	m := &onnxpb.ModelProto{
		IrVersion: proto.Int64(8),
		OpsetImport: []*onnxpb.OperatorSetIdProto{
			{Domain: proto.String(""), Version: proto.Int64(13)},
			{Domain: proto.String("qonnx.custom_op.general"), Version: proto.Int64(1)},
		},
		Graph: &onnxpb.GraphProto{
			Name:   proto.String("net"),
			Input:  []*onnxpb.ValueInfoProto{info("x", append([]int64{-1}, input...)...)},
			Output: []*onnxpb.ValueInfoProto{{Name: proto.String("y")}},
		},
	}
	for _, p := range parts {
		p(m)
	}
	return m
}

// info is a float tensor's name and shape; -1 is an open dimension called "n".
func info(name string, dims ...int64) *onnxpb.ValueInfoProto {
	s := &onnxpb.TensorShapeProto{}
	for _, d := range dims {
		dim := &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d}}
		if d == -1 {
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "n"}
		}
		s.Dim = append(s.Dim, dim)
	}
	return &onnxpb.ValueInfoProto{Name: proto.String(name), Type: &onnxpb.TypeProto{
		Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{
			ElemType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)), Shape: s,
		}},
	}}
}

// op is a node, named after its output. In op, "" is an input left out.
func op(kind, out string, in []string, attrs ...*onnxpb.AttributeProto) part {
	return func(m *onnxpb.ModelProto) {
		n := &onnxpb.NodeProto{
			OpType: proto.String(kind), Name: proto.String(out), Input: in, Output: []string{out}, Attribute: attrs,
		}
		if kind == "BipolarQuant" {
			n.Domain = proto.String("qonnx.custom_op.general")
		}
		m.Graph.Node = append(m.Graph.Node, n)
	}
}

func in(names ...string) []string { return names }

func attrFloats(name string, v ...float32) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_FLOATS.Enum(), Floats: v}
}

func attrTensor(name string, t *onnxpb.TensorProto) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Type: onnxpb.AttributeProto_TENSOR.Enum(), T: t}
}

// floats is a float initializer in raw form.
func floats(name string, dims []int64, v ...float32) part {
	return func(m *onnxpb.ModelProto) {
		t := rawFloats(dims, v)
		t.Name = proto.String(name)
		m.Graph.Initializer = append(m.Graph.Initializer, t)
	}
}

// ints is an int64 initializer of one dimension in typed form.
func ints(name string, v ...int64) part {
	return func(m *onnxpb.ModelProto) {
		t := intTensor([]int64{int64(len(v))}, v...)
		t.Name = proto.String(name)
		m.Graph.Initializer = append(m.Graph.Initializer, t)
	}
}

func dims(d ...int64) []int64 { return d }

func opset(v int64) part {
	return func(m *onnxpb.ModelProto) { m.OpsetImport[0].Version = proto.Int64(v) }
}

func marshal(t testing.TB, m *onnxpb.ModelProto) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
