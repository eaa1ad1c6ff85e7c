package onnx

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/nn"
	"macroscope/onnx/internal/onnxpb"
)

// tensor is an initializer of a given tensor.
func tensor(name string, t *onnxpb.TensorProto) part {
	return func(m *onnxpb.ModelProto) {
		t := proto.Clone(t).(*onnxpb.TensorProto)
		t.Name = proto.String(name)
		m.Graph.Initializer = append(m.Graph.Initializer, t)
	}
}

func int8s(name string, dims []int64, v ...int8) part { return tensor(name, int8Tensor(dims, v...)) }

// typed is an initializer in int32_data.
func typed(name string, kind onnxpb.TensorProto_DataType, dims []int64, v ...int32) part {
	return tensor(name, &onnxpb.TensorProto{Dims: dims, DataType: proto.Int32(int32(kind)), Int32Data: v})
}

// QDQ as others write it: what a graph then has, or what is refused.
func TestQDQ(t *testing.T) {
	half, zero := floats("s", nil, 0.5), int8s("z", nil, 0)
	q := func(out, from string) part { return op("QuantizeLinear", out, in(from, "s", "z")) }
	dq := func(out, from string) part { return op("DequantizeLinear", out, in(from, "s", "z")) }
	weights := int8s("w", dims(2, 3), 1, -2, 3, -4, 5, 127)
	each := floats("each", dims(2), 0.5, 10)
	gemm := op("Gemm", "y", in("x", "d"), attrInt("transB", 1))
	byRow := op("DequantizeLinear", "d", in("w", "each"), attrInt("axis", 0))
	rows := &graph.Weights{Float: []float32{0.5, -1, 1.5, -40, 50, 1270}, Int8: []int8{1, -2, 3, -4, 5, 127}, Scale: []float32{0.5, 10}}
	for _, c := range []struct {
		name  string
		input []int64
		parts []part
		// either the error, or the input's and output's scales and the layer's weights
		err         string
		in, out     float32
		wantWeights *graph.Weights
	}{
		{"values", dims(2), []part{half, zero, q("q", "x"), dq("d", "q"), relu("r", "d"), q("q2", "r"), dq("y", "q2")}, "", 0.5, 0.5, nil},
		{"two readers, each its own DequantizeLinear", dims(2), []part{half, zero, q("q", "x"), dq("d", "q"), dq("d2", "q"), op("Add", "y", in("d", "d2"))}, "", 0.5, 0, nil},
		{"twice in a row", dims(2), []part{half, zero, q("q", "x"), dq("d", "q"), q("q2", "d"), dq("d2", "q2"), relu("y", "d2")}, "", 0.5, 0, nil},
		{"through reshapes that change nothing", dims(2), []part{half, zero, q("q", "x"), dq("d", "q"), op("Flatten", "f", in("d")), op("Identity", "i", in("f")), relu("y", "i")}, "", 0.5, 0, nil},
		{"typed zero", dims(2), []part{half, typed("z", onnxpb.TensorProto_INT8, nil, 0), q("q", "x"), dq("d", "q"), relu("y", "d")}, "", 0.5, 0, nil},
		{"weights by row", dims(3), []part{weights, each, byRow, gemm}, "", 0, 0, rows},
		{"weights by negative axis", dims(3), []part{weights, each, op("DequantizeLinear", "d", in("w", "each"), attrInt("axis", -2)), gemm}, "", 0, 0, rows},
		{"typed weights", dims(3), []part{typed("w", onnxpb.TensorProto_INT8, dims(2, 3), 1, -2, 3, -4, 5, 127), each, byRow, gemm}, "", 0, 0, rows},
		{"weights of columns", dims(3), []part{int8s("w", dims(3, 2), 1, -4, -2, 5, 3, 127), each, op("DequantizeLinear", "d", in("w", "each")), op("MatMul", "y", in("x", "d"))}, "", 0, 0, rows},
		{"one scale and an int32 bias", dims(3), []part{half, zero, weights, dq("d", "w"), typed("b", onnxpb.TensorProto_INT32, dims(2), 7, -3), each, op("DequantizeLinear", "bias", in("b", "each"), attrInt("axis", 0)),
			op("Gemm", "y", in("x", "d", "bias"), attrInt("transB", 1))}, "", 0, 0,
			&graph.Weights{Float: []float32{0.5, -1, 1.5, -2, 2.5, 63.5}, Int8: rows.Int8, Scale: []float32{0.5}, Bias: []float32{3.5, -30}}},

		{"zero point of values", dims(2), []part{half, int8s("z", nil, 3), q("q", "x"), dq("d", "q"), relu("y", "d")}, "", 0.5, 0, nil},
		{"zero point of weights", dims(3), []part{weights, each, int8s("z", dims(2), 0, -1), op("DequantizeLinear", "d", in("w", "each", "z"), attrInt("axis", 0)), gemm}, "", 0, 0, &graph.Weights{Float: []float32{0.5, -1, 1.5, -30, 60, 1280}}},
		{"uint8", dims(2), []part{half, typed("z", onnxpb.TensorProto_UINT8, nil, 0), q("q", "x"), dq("d", "q"), relu("y", "d")}, "", 0.5, 0, nil},
		{"int32 values", dims(2), []part{half, typed("z", onnxpb.TensorProto_INT32, nil, 0), q("q", "x"), dq("d", "q"), relu("y", "d")}, "zero point of type INT32: want INT8", 0, 0, nil},
		{"no zero point, which means uint8", dims(2), []part{half, op("QuantizeLinear", "q", in("x", "s")), op("DequantizeLinear", "d", in("q", "s")), relu("y", "d")}, "", 0.5, 0, nil},
		{"another zero point back", dims(2), []part{half, zero, q("q", "x"), int8s("z2", nil, 1), op("DequantizeLinear", "d", in("q", "s", "z2")), relu("y", "d")}, "zero point 1 (INT8): want that of QuantizeLinear \"q\", 0 (INT8)", 0, 0, nil},
		{"scale 0", dims(2), []part{floats("s", nil, 0), zero, q("q", "x"), dq("d", "q"), relu("y", "d")}, "scale 0: want a positive number", 0, 0, nil},
		{"scale nan", dims(2), []part{floats("s", nil, float32(math.NaN())), zero, q("q", "x"), dq("d", "q"), relu("y", "d")}, "scale NaN", 0, 0, nil},
		{"scale infinite", dims(2), []part{floats("s", nil, float32(math.Inf(1))), zero, q("q", "x"), dq("d", "q"), relu("y", "d")}, "scale +Inf", 0, 0, nil},
		{"scales of values", dims(2), []part{floats("s", dims(2), 1, 2), zero, q("q", "x"), dq("d", "q"), relu("y", "d")}, "input 1 has 2 scales: want 1", 0, 0, nil},
		{"another scale back", dims(2), []part{half, zero, floats("t", nil, 2), q("q", "x"), op("DequantizeLinear", "d", in("q", "t")), relu("y", "d")}, `scale 2: want that of QuantizeLinear "q", 0.5`, 0, 0, nil},
		{"two scales", dims(2), []part{half, zero, floats("t", nil, 2), q("q", "x"), dq("d", "q"), op("QuantizeLinear", "q2", in("x", "t", "z")), op("DequantizeLinear", "d2", in("q2", "t")), op("Add", "y", in("d", "d2"))},
			"", 0, 0, nil},
		{"also read as it is", dims(2), []part{half, zero, q("q", "x"), dq("d", "q"), op("Add", "y", in("d", "x"))}, "", 0, 0, nil},
		{"dead rounding", dims(2), []part{half, zero, relu("y", "x"), q("q", "y"), dq("d", "q"), relu("r", "d"), op("Add", "z2", in("r", "d"))}, "", 0, 0, nil},
		{"int8 read directly", dims(2), []part{half, zero, q("q", "x"), relu("y", "q")}, `comes from QuantizeLinear "q": only DequantizeLinear`, 0, 0, nil},
		{"int8 output", dims(2), []part{half, zero, q("y", "x")}, `output "y": given by QuantizeLinear "y"`, 0, 0, nil},
		{"DequantizeLinear of a value", dims(2), []part{half, zero, dq("y", "x")}, "want the output of QuantizeLinear", 0, 0, nil},
		{"DequantizeLinear of floats", dims(3), []part{half, floats("w", dims(2, 3), make([]float32, 6)...), op("DequantizeLinear", "d", in("w", "s")), gemm}, "data type FLOAT: want INT8, UINT8 or INT32", 0, 0, nil},
		{"QuantizeLinear of weights", dims(3), []part{half, zero, floats("w", dims(2, 3), 0.5, -1, 1.5, -2, 2.6, 900), q("qw", "w"), dq("d", "qw"), gemm}, "", 0, 0, &graph.Weights{Float: []float32{0.5, -1, 1.5, -2, 2.5, 63.5}, Int8: rows.Int8, Scale: []float32{0.5}}},
		{"QuantizeLinear by blocks", dims(2), []part{half, zero, op("QuantizeLinear", "q", in("x", "s", "z"), attrInt("block_size", 2)), dq("y", "q")}, "attribute block_size: 2", 0, 0, nil},
		{"weight -128", dims(3), []part{half, int8s("w", dims(2, 3), 1, 2, -128, 4, 5, 6), op("DequantizeLinear", "d", in("w", "s")), gemm}, "", 0, 0, &graph.Weights{Float: []float32{0.5, 1, -64, 2, 2.5, 3}, Int8: []int8{1, 2, -128, 4, 5, 6}, Scale: []float32{0.5}}},
		{"typed weight beyond int8", dims(3), []part{half, typed("w", onnxpb.TensorProto_INT8, dims(2, 3), 1, 2, 200, 4, 5, 6), op("DequantizeLinear", "d", in("w", "s")), gemm}, "element 2 is 200: want an int8", 0, 0, nil},
		{"scales of another axis", dims(3), []part{weights, floats("each", dims(3), 1, 2, 3), op("DequantizeLinear", "d", in("w", "each"), attrInt("axis", 1)), gemm}, "want axis 0, the output channels", 0, 0, nil},
		{"scales of no axis", dims(3), []part{weights, each, op("DequantizeLinear", "d", in("w", "each"), attrInt("axis", 2)), gemm}, "2 scales for axis 2 of [2 3]", 0, 0, nil},
		{"scales too many", dims(3), []part{weights, each, op("DequantizeLinear", "d", in("w", "each"), attrInt("axis", 1)), gemm}, "2 scales for axis 1 of [2 3]", 0, 0, nil},
		{"int8 without DequantizeLinear", dims(3), []part{weights, op("Gemm", "y", in("x", "w"), attrInt("transB", 1))}, "integer data: want FLOAT", 0, 0, nil},
		{"alpha", dims(3), []part{weights, each, byRow, op("Gemm", "y", in("x", "d"), attrInt("transB", 1), attrFloat("alpha", 2))}, "", 0, 0,
			&graph.Weights{Float: []float32{1, -2, 3, -80, 100, 2540}, Int8: []int8{1, -2, 3, -4, 5, 127}, Scale: []float32{1, 20}}},
		{"negative alpha", dims(3), []part{weights, each, byRow, op("Gemm", "y", in("x", "d"), attrInt("transB", 1), attrFloat("alpha", -2))},
			"attribute alpha: -2: want a positive number with int8 weights", 0, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := Read(marshal(t, model(c.input, c.parts...)), "m.onnx")
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got %v, want an error with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if g.Input.Scale != c.in || g.Output.Scale != c.out {
				t.Errorf("scales of input and output %v, %v: want %v, %v", g.Input.Scale, g.Output.Scale, c.in, c.out)
			}
			if d, ok := g.Nodes[0].Op.(*graph.Dense); ok {
				if (d.Int8 == nil) != (d.Float != nil) {
					t.Errorf("weights %+v: want those of int8 alone", d.Weights)
				}
				if d.Float = d.Floats(); !reflect.DeepEqual(&d.Weights, c.wantWeights) {
					t.Errorf("weights %+v, want %+v", d.Weights, c.wantWeights)
				}
			}
		})
	}
}

// With zero point 0 a byte reaches down to −128, at a network's input and behind a layer,
// as the standard says (saturation to −128…127, of uint8 to 0…255), but in files that say
// that their ranges are symmetric.
func TestQDQSaturates(t *testing.T) {
	int8Zero, uint8Zero := int8s("z", nil, 0), typed("z", onnxpb.TensorProto_UINT8, nil, 128)
	for _, c := range []struct {
		name     string
		zero     part
		metadata string
		want     []float32
	}{
		{"int8", int8Zero, "", []float32{-64, -64, -63.5, 63.5}},
		{"uint8", uint8Zero, "", []float32{-64, -64, -63.5, 63.5}},
		{"symmetric", int8Zero, lowestSymmetric, []float32{-63.5, -63.5, -63, 63.5}}, // −63.5 + 0.5
		{"another number", int8Zero, "-126", []float32{-64, -64, -63.5, 63.5}},
	} {
		half, one := floats("s", nil, 0.5), floats("one", nil, 1)
		identity := int8s("w", dims(4, 4), 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1)
		q := func(out, from string) part { return op("QuantizeLinear", out, in(from, "s", "z")) }
		dq := func(out, from string) part { return op("DequantizeLinear", out, in(from, "s", "z")) }
		m := model(dims(4), half, one, c.zero, identity, q("q", "x"), dq("d", "q"), op("DequantizeLinear", "dw", in("w", "one")),
			op("Gemm", "f", in("d", "dw", "b"), attrInt("transB", 1)), floats("b", dims(4), -5, 0, 0.5, 0), q("q2", "f"), dq("y", "q2"))
		if c.metadata != "" {
			m.MetadataProps = append(m.MetadataProps, &onnxpb.StringStringEntryProto{Key: proto.String(lowestKey), Value: proto.String(c.metadata)})
		}
		g, err := Read(marshal(t, m), "m.onnx")
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		plan, err := nn.Compile(g, nn.Options{})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if l := plan.Layers(); len(l) != 1 || l[0].DType != dtype.Int8 {
			t.Errorf("%s: layers %v: want one of int8", c.name, l)
		}
		r := plan.NewRunner(1)
		got := make([]float32, 4)
		if err := r.Run(got, []float32{-62, -1000, -64, 1000}); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		r.Close()
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// An int8 constant of another operator is the float numbers that it stands for.
func TestInt8Constant(t *testing.T) {
	g, err := Read(marshal(t, model(dims(2), floats("s", nil, 0.5), int8s("k", dims(2), 1, -128), op("DequantizeLinear", "d", in("k", "s")), op("Add", "y", in("x", "d")))), "m.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if a, want := g.Nodes[0].Op, (&graph.Affine{Scale: []float32{1, 1}, Shift: []float32{0.5, -64}}); !reflect.DeepEqual(a, want) {
		t.Errorf("%+v, want %+v", a, want)
	}
}

// A sign in plain ONNX, and other uses of its two operators.
func TestPlainSign(t *testing.T) {
	zero, one, minus := floats("zero", nil, 0), floats("one", nil, 1), floats("minus", dims(1), -1)
	up := op("GreaterOrEqual", "up", in("x", "zero"))
	sign := []part{zero, one, minus, up, op("Where", "y", in("up", "one", "minus"))}
	for _, c := range []struct {
		name  string
		parts []part
		err   string
	}{
		{"sign", sign, ""},
		{"other threshold", []part{one, minus, op("GreaterOrEqual", "up", in("x", "one")), op("Where", "y", in("up", "one", "minus"))}, "want the number 0"},
		{"other values", []part{zero, one, minus, up, op("Where", "y", in("up", "one", "zero"))}, "input 2: want the number -1"},
		{"values exchanged", []part{zero, one, minus, up, op("Where", "y", in("up", "minus", "one"))}, "input 1: want the number 1"},
		{"several thresholds", []part{floats("zero", dims(2), 0, 0), up, relu("y", "up")}, "input 1: want the number 0"},
		{"Where of something else", []part{one, minus, op("Where", "y", in("x", "one", "minus"))}, "want the output of GreaterOrEqual"},
		{"comparison alone", []part{zero, up, relu("y", "up")}, `comes from GreaterOrEqual "up": only Where`},
		{"comparison of two values", []part{op("GreaterOrEqual", "up", in("x", "x")), relu("y", "up")}, "input 1 is computed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := Read(marshal(t, model(dims(2), c.parts...)), "m.onnx")
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got %v, want an error with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(g.Nodes) != 1 || g.Nodes[0].Op.Kind() != "sign" {
				t.Errorf("%d nodes, the first %s: want one sign", len(g.Nodes), g.Nodes[0].Op.Kind())
			}
		})
	}
	// ±1 weights on ±1 values are binary.
	for _, c := range []struct {
		w    []float32
		want bool
	}{{[]float32{1, -1}, true}, {[]float32{1, 0.5}, false}} {
		parts := append(slices.Clone(sign[:4]), op("Where", "s", in("up", "one", "minus")), op("Flatten", "f", in("s")), floats("w", dims(2, 1), c.w...), op("MatMul", "y", in("f", "w")))
		g, err := Read(marshal(t, model(dims(2, 1, 1), parts...)), "m.onnx")
		if err != nil {
			t.Fatal(err)
		}
		if got := g.Nodes[2].Op.(*graph.Dense).Binary; got != c.want {
			t.Errorf("weights %v on ±1: binary %v, want %v", c.w, got, c.want)
		}
	}
}

// Mul and Add become one Affine only under the names that Write gives.
func TestMulAndAdd(t *testing.T) {
	two, three := floats("two", nil, 2), floats("three", dims(2), 3, 4)
	for _, c := range []struct {
		name  string
		parts []part
		nodes int
	}{
		{"named as one", []part{op("Mul", "y/scaled", in("x", "two")), op("Add", "y", in("y/scaled", "three"))}, 1},
		{"named as one, constants first", []part{op("Mul", "y/scaled2", in("two", "x")), op("Add", "y", in("three", "y/scaled2"))}, 1},
		{"other name", []part{op("Mul", "m", in("x", "two")), op("Add", "y", in("m", "three"))}, 2},
		{"another's name", []part{op("Mul", "z/scaled", in("x", "two")), op("Add", "y", in("z/scaled", "three"))}, 2},
		{"read by a third", []part{op("Mul", "a/scaled", in("x", "two")), op("Add", "a", in("a/scaled", "three")), op("Add", "y", in("a", "a/scaled"))}, 3},
		{"read twice", []part{op("Mul", "y/scaled", in("x", "two")), op("Add", "y", in("y/scaled", "y/scaled"))}, 2},
		{"added to a value", []part{op("Mul", "y/scaled", in("x", "two")), op("Add", "y", in("y/scaled", "x"))}, 2},
		{"subtracted from", []part{op("Mul", "y/scaled", in("x", "two")), op("Sub", "y", in("y/scaled", "three"))}, 2},
	} {
		g, err := Read(marshal(t, model(dims(2), append([]part{two, three}, c.parts...)...)), "m.onnx")
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if len(g.Nodes) != c.nodes {
			t.Errorf("%s: %d nodes, want %d", c.name, len(g.Nodes), c.nodes)
		}
		if c.nodes == 1 {
			if a, want := g.Nodes[0].Op, (&graph.Affine{Scale: []float32{2}, Shift: []float32{3, 4}}); !reflect.DeepEqual(a, want) {
				t.Errorf("%s: %+v, want %+v", c.name, a, want)
			}
		}
	}
}
