package onnx

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"macroscope/graph"
	"macroscope/onnx/internal/onnxpb"
)

// annotated is a ReLU and a Sign with an annotation of the value between them.
func annotated(t *testing.T, tensor string, params map[string]string, extra ...*onnxpb.TensorProto) []byte {
	t.Helper()
	b := graph.New("g", "x", graph.Shape{2})
	g, err := b.Graph(b.Add("s", &graph.Sign{}, b.Add("y", &graph.ReLU{}, b.Input())))
	if err != nil {
		t.Fatal(err)
	}
	m, err := build(g, WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a := &onnxpb.TensorAnnotation{TensorName: proto.String(tensor)}
	for k, v := range params {
		a.QuantParameterTensorNames = append(a.QuantParameterTensorNames, &onnxpb.StringStringEntryProto{Key: proto.String(k), Value: proto.String(v)})
	}
	m.Graph.QuantizationAnnotation = append(m.Graph.QuantizationAnnotation, a)
	m.Graph.Initializer = append(m.Graph.Initializer, extra...)
	return marshal(t, m)
}

func named(name string, t *onnxpb.TensorProto) *onnxpb.TensorProto {
	t.Name = proto.String(name)
	return t
}

func TestStreamAnnotations(t *testing.T) {
	zero := named("z", rawTensor(onnxpb.TensorProto_INT16, nil, []byte{0, 0}))
	scale := func(v ...float32) *onnxpb.TensorProto {
		dims := []int64{int64(len(v))}
		if len(v) == 1 {
			dims = nil
		}
		return named("scale", rawFloats(dims, v))
	}
	both := map[string]string{scaleKey: "scale", zeroKey: "z"}
	for _, c := range []struct {
		rule   string
		tensor string
		params map[string]string
		extra  []*onnxpb.TensorProto
		want   float32
		err    string
	}{
		{"a stream", "y", both, []*onnxpb.TensorProto{zero, scale(0.25)}, 0.25, ""},
		{"typed data", "y", both, []*onnxpb.TensorProto{named("z", &onnxpb.TensorProto{DataType: proto.Int32(int32(onnxpb.TensorProto_INT16)), Int32Data: []int32{0}}), scale(0.25)}, 0.25, ""},
		{"int8 is no stream", "y", both, []*onnxpb.TensorProto{named("z", int8Tensor(nil, 0)), scale(0.25)}, 0, ""},
		{"another tool's keys", "y", map[string]string{"finn_datatype": "INT2"}, nil, 0, ""},
		{"a value that is not there", "other", both, []*onnxpb.TensorProto{zero, scale(0.25)}, 0, ""},
		{"a zero point of 256", "y", both, []*onnxpb.TensorProto{named("z", rawTensor(onnxpb.TensorProto_INT16, nil, []byte{0, 1})), scale(0.25)}, 0, "zero point: want a single 0"},
		{"no scale", "y", both, []*onnxpb.TensorProto{zero}, 0, "without a SCALE_TENSOR"},
		{"a negative scale", "y", both, []*onnxpb.TensorProto{zero, scale(-1)}, 0, "want a single positive number"},
		{"an infinite scale", "y", both, []*onnxpb.TensorProto{zero, scale(float32(math.Inf(1)))}, 0, "want a single positive number"},
		{"two scales", "y", both, []*onnxpb.TensorProto{zero, scale(1, 2)}, 0, "want a single positive number"},
	} {
		g, err := Read(annotated(t, c.tensor, c.params, c.extra...), "file")
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: got %v, want %q", c.rule, err, c.err)
			}
		case err != nil:
			t.Errorf("%s: %v", c.rule, err)
		case g.Nodes[0].Out.Stream != c.want:
			t.Errorf("%s: stream %v: want %v", c.rule, g.Nodes[0].Out.Stream, c.want)
		}
	}
}
