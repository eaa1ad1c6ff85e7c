package onnx

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"macroscope/graph"
	"macroscope/internal/mutate"
	"macroscope/onnx/internal/onnxpb"
)

func edit(f func(m *onnxpb.ModelProto)) part { return f }

func relu(out, from string) part { return op("Relu", out, in(from)) }

// lastTensor edits the last initializer.
func lastTensor(f func(t *onnxpb.TensorProto)) part {
	return func(m *onnxpb.ModelProto) { f(m.Graph.Initializer[len(m.Graph.Initializer)-1]) }
}

func TestModels(t *testing.T) {
	half := floats("k", dims(1), 0.5)
	add := op("Add", "y", in("x", "k"))
	for _, c := range []struct {
		name  string
		parts []part
		want  string // a part of the error, or "" for none
	}{
		{"plain", []part{relu("y", "x")}, ""},
		{"opset 7", []part{opset(7), relu("y", "x")}, ""},
		{"opset 28", []part{opset(28), relu("y", "x")}, ""},
		{"opset 6", []part{opset(6), relu("y", "x")}, "opset 6: want 7 to 28"},
		{"opset 29", []part{opset(29), relu("y", "x")}, "opset 29: want 7 to 28"},
		{"long domain name", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) {
			m.OpsetImport[0].Domain, m.Graph.Node[0].Domain = proto.String("ai.onnx"), proto.String("ai.onnx")
		})}, ""},
		{"no opset", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.OpsetImport = nil })}, "no operator set imported"},
		{"opset twice", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) {
			m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String("ai.onnx"), Version: proto.Int64(9)})
		})}, "imported twice"},
		{"domain not imported", []part{floats("one", dims(1), 1), op("BipolarQuant", "y", in("x", "one")), edit(func(m *onnxpb.ModelProto) { m.OpsetImport = m.OpsetImport[:1] })},
			`operator set of domain "qonnx.custom_op.general": not imported`},
		{"IR 2", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.IrVersion = proto.Int64(2) })}, "IR version 2: want 3 to 14"},
		{"IR 15", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.IrVersion = proto.Int64(15) })}, "IR version 15: want 3 to 14"},
		{"no IR", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.IrVersion = nil })}, "no IR version"},
		{"no graph", []part{edit(func(m *onnxpb.ModelProto) { m.Graph = nil })}, "no graph"},

		{"fixed batch", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Input[0] = info("x", 4, 2) })}, ""},
		{"reshape to fixed batch", []part{ints("s", 4, 2), op("Reshape", "r", in("x", "s")), relu("y", "r"), edit(func(m *onnxpb.ModelProto) { m.Graph.Input[0] = info("x", 4, 2) })}, ""},
		{"reshape to another batch", []part{ints("s", 3, 2), op("Reshape", "r", in("x", "s")), relu("y", "r"), edit(func(m *onnxpb.ModelProto) { m.Graph.Input[0] = info("x", 4, 2) })}, "want the batch first"},
		{"open features", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Input[0] = info("x", -1, -1) })}, `dimension 1 is "n"`},
		{"features 0", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Input[0] = info("x", -1, 0) })}, "dimension 1 is 0"},
		{"features negative", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Input[0] = info("x", -1, -7) })}, "dimension 1 is -7"},
		{"features huge", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Input[0] = info("x", -1, 1<<40) })}, "dimension 1 is 1099511627776"},
		{"image huge", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Input[0] = info("x", -1, 1<<20, 1<<20, 1<<20) })}, "at most 268435456 elements"},
		{"three dimensions", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Input[0] = info("x", -1, 2, 2) })}, ""},
		{"nine dimensions", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Input[0] = info("x", -1, 1, 1, 1, 1, 1, 1, 1, 1) })}, "9 dimensions: want [batch, C, H, W]"},
		{"input uint8", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) {
			m.Graph.Input[0].Type.GetTensorType().ElemType = proto.Int32(int32(onnxpb.TensorProto_UINT8))
		})}, "data type UINT8: want FLOAT"},
		{"input uint8, cast", []part{op("Cast", "c", in("x"), attrInt("to", 1)), relu("y", "c"), edit(func(m *onnxpb.ModelProto) {
			m.Graph.Input[0].Type.GetTensorType().ElemType = proto.Int32(int32(onnxpb.TensorProto_UINT8))
		})}, ""},
		{"input uint8, cast to integers", []part{op("Cast", "c", in("x"), attrInt("to", 6)), relu("y", "c")}, "a value cast to INT32: want FLOAT"},
		{"half precision", []part{op("Cast", "c", in("x"), attrInt("to", 10)), relu("y", "c"), edit(func(m *onnxpb.ModelProto) {
			m.Graph.Input[0].Type.GetTensorType().ElemType = proto.Int32(int32(onnxpb.TensorProto_FLOAT16))
		})}, ""},
		{"input untyped", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Input[0].Type = nil })}, "want a tensor with a shape"},
		{"no input", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Input = nil })}, "0 inputs"},
		{"two inputs", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Input = append(m.Graph.Input, info("z", -1, 2)) })}, "2 inputs that are not initializers: want 1"},
		{"initializer among inputs", []part{half, add, edit(func(m *onnxpb.ModelProto) { m.Graph.Input = append(m.Graph.Input, info("k", 1)) })}, ""},
		{"input without a name", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Input[0].Name = nil; m.Graph.Node[0].Input[0] = "" })}, "no name"},

		{"output shape", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Output[0] = info("y", -1, 2) })}, ""},
		{"output shape wrong", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Output[0] = info("y", -1, 3) })}, "the file states shape"},
		{"output rank wrong", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Output[0] = info("y", 2) })}, "the file states shape"},
		{"output unknown", []part{relu("z", "x")}, `output "y": nothing gives it`},
		{"output is the input", []part{op("Identity", "y", in("x"))}, "the input unchanged"},
		{"output is constant", []part{half, op("Identity", "y", in("k"))}, "a constant"},
		{"two outputs", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Output = append(m.Graph.Output, m.Graph.Output[0]) })}, "2 outputs: want 1"},
		{"no outputs", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Output = nil })}, "0 outputs: want 1"},

		{"backwards", []part{relu("y", "b"), relu("b", "a"), relu("a", "x")}, ""},
		{"dead node", []part{relu("y", "x"), op("LSTM", "z", in("x"))}, ""},
		{"dangling input", []part{relu("y", "z")}, `input "z": nothing gives it`},
		{"dangling in a dead node", []part{relu("y", "x"), relu("a", "z")}, `node "a" (Relu, byte`},
		{"cycle", []part{relu("a", "b"), relu("b", "a"), op("Add", "y", in("x", "b"))}, "a cycle"},
		{"own output", []part{op("Add", "y", in("x", "y"))}, `node "y" (Add, byte`},
		{"output twice", []part{relu("y", "x"), relu("y", "x")}, `output "y": already given by node "y" (Relu, byte`},
		{"output like input", []part{relu("x", "x"), relu("y", "x")}, "also an input or initializer"},
		{"output like initializer", []part{half, relu("k", "x"), relu("y", "x")}, "also an input or initializer"},
		{"second output unused", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Node[0].Output = []string{"y", "mask"} })}, ""},
		{"second output", []part{relu("r", "x"), op("Add", "y", in("r", "mask")), edit(func(m *onnxpb.ModelProto) { m.Graph.Node[0].Output = []string{"r", "mask"} })},
			`output "mask": only the first output is supported`},
		{"second output left out", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Node[0].Output = []string{"y", ""} })}, ""},
		{"names twice or none", []part{relu("a", "x"), relu("b", "a"), relu("c", "b"), relu("y", "c"), edit(func(m *onnxpb.ModelProto) {
			for _, n := range m.Graph.Node[:3] {
				n.Name = proto.String("a")
			}
			m.Graph.Node[3].Name = nil
		})}, ""},
		{"many inputs", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Node[0].Input = slices.Repeat(in("x"), 4097) })}, "4097 inputs: want at most 4096"},
		{"attribute by reference", []part{op("Softmax", "y", in("x"), attrInt("axis", 1)), edit(func(m *onnxpb.ModelProto) { m.Graph.Node[0].Attribute[0].RefAttrName = proto.String("a") })}, "attribute axis"},

		{"sparse", []part{relu("y", "x"), edit(func(m *onnxpb.ModelProto) {
			m.Graph.SparseInitializer = []*onnxpb.SparseTensorProto{{Values: &onnxpb.TensorProto{Name: proto.String("s")}}}
		})}, `sparse initializer "s"`},
		{"tensor twice", []part{half, half, add}, `tensor "k" (byte`},
		{"tensor without a name", []part{floats("", dims(1), 1), relu("y", "x")}, "no name"},
		{"short data", []part{floats("k", dims(2), 1), add}, `tensor "k" (byte`},
		{"short data says", []part{floats("k", dims(2), 1), add}, "4 bytes of data for dimensions [2]: want 8"},
		{"long data", []part{floats("k", dims(1), 1, 2), add}, "8 bytes of data for dimensions [1]: want 4"},
		{"no data", []part{half, lastTensor(func(t *onnxpb.TensorProto) { t.RawData = nil }), add}, "0 elements of FLOAT data"},
		{"typed data", []part{half, lastTensor(func(t *onnxpb.TensorProto) { t.RawData, t.FloatData = nil, []float32{2} }), add}, ""},
		{"both data", []part{half, lastTensor(func(t *onnxpb.TensorProto) { t.FloatData = []float32{2} }), add}, "both raw and typed"},
		{"data of another type", []part{half, lastTensor(func(t *onnxpb.TensorProto) { t.RawData, t.Int64Data = nil, []int64{2} }), add}, "0 elements of FLOAT data"},
		{"double", []part{half, lastTensor(func(t *onnxpb.TensorProto) {
			t.DataType, t.RawData = proto.Int32(int32(onnxpb.TensorProto_DOUBLE)), make([]byte, 8)
		}), add}, ""},
		{"complex", []part{half, lastTensor(func(t *onnxpb.TensorProto) { t.DataType = proto.Int32(int32(onnxpb.TensorProto_COMPLEX64)) }), add}, "data type COMPLEX64: want FLOAT"},
		{"unknown type", []part{half, lastTensor(func(t *onnxpb.TensorProto) { t.DataType = proto.Int32(99) }), add}, "data type 99"},
		{"integers for floats", []part{ints("k", 1), add}, "integer data: want FLOAT"},
		{"int32 shape", []part{ints("s", 0, 2), lastTensor(func(t *onnxpb.TensorProto) {
			t.DataType, t.Int64Data, t.Int32Data = proto.Int32(int32(onnxpb.TensorProto_INT32)), nil, []int32{0, 2}
		}), op("Reshape", "r", in("x", "s")), relu("y", "r")}, ""},
		{"int32 raw shape", []part{ints("s", 0, 2), lastTensor(func(t *onnxpb.TensorProto) {
			t.DataType, t.Int64Data, t.RawData = proto.Int32(int32(onnxpb.TensorProto_INT32)), nil, []byte{0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0}
		}), op("Reshape", "r", in("x", "s")), relu("y", "r")}, ""},
		{"int64 raw shape", []part{ints("s", 0, 2), lastTensor(func(t *onnxpb.TensorProto) {
			t.Int64Data, t.RawData = nil, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 0, 0, 0}
		}), op("Reshape", "r", in("x", "s")), relu("y", "r")}, ""},
		{"negative dimension", []part{half, lastTensor(func(t *onnxpb.TensorProto) { t.Dims = dims(-1) }), add}, "dimensions [-1]"},
		{"dimension 0", []part{half, lastTensor(func(t *onnxpb.TensorProto) { t.Dims = dims(0); t.RawData = []byte{} }), add}, "dimensions [0]"},
		{"dimensions that overflow", []part{half, lastTensor(func(t *onnxpb.TensorProto) { t.Dims = dims(1<<62, 4) }), add}, "want positive ones, at most"},
		{"dimensions that wrap", []part{half, lastTensor(func(t *onnxpb.TensorProto) { t.Dims = dims(1<<16, 1<<16, 1<<16, 1<<16) }), add}, "want positive ones, at most"},
		{"many dimensions", []part{half, lastTensor(func(t *onnxpb.TensorProto) { t.Dims = slices.Repeat(dims(1), 9) }), add}, "9 dimensions: want at most 8"},
		{"external", []part{half, lastTensor(func(t *onnxpb.TensorProto) {
			t.RawData, t.DataLocation = nil, onnxpb.TensorProto_EXTERNAL.Enum()
			t.ExternalData = []*onnxpb.StringStringEntryProto{{Key: proto.String("location"), Value: proto.String("../weights.bin")}}
		}), add}, `data in an external file "../weights.bin": want a path within`},
		{"segment", []part{half, lastTensor(func(t *onnxpb.TensorProto) { t.Segment = &onnxpb.TensorProto_Segment{} }), add}, "segments"},
		{"long names", []part{half, lastTensor(func(t *onnxpb.TensorProto) { t.Name = proto.String(strings.Repeat("k", 1<<20)); t.Dims = dims(-1) }), add}, "..."},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := Read(marshal(t, model(dims(2), c.parts...)), "m.onnx")
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if err := g.Check(); err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
			if s := err.Error(); strings.Contains(s, "\n") || len(s) > 1000 {
				t.Errorf("the error is no one line of reasonable length: %.2000q", s)
			}
		})
	}
}

// The place in an error is where the node stands in the file.
func TestPlaces(t *testing.T) {
	b := marshal(t, model(dims(2), relu("a", "x"), op("Softmax", "y", in("a"), attrInt("axis", 0)), floats("k", dims(7), 1)))
	_, err := Read(b, "m")
	at := regexp.MustCompile(`tensor "k" \(byte (\d+)\)`).FindStringSubmatch(fmt.Sprint(err))
	if at == nil {
		t.Fatal(err)
	}
	var n int
	fmt.Sscan(at[1], &n)
	var got onnxpb.TensorProto
	if err := proto.Unmarshal(b[n:n+int(b[n-1])], &got); err != nil || got.GetName() != "k" {
		t.Errorf("at byte %d stands %v, %v: want tensor k", n, &got, err)
	}
}

// Cut off anywhere, the file is refused; what the bytes still hold tells where.
func TestTruncated(t *testing.T) {
	b := marshal(t, model(dims(1, 3, 3), floats("w", dims(1, 1, 2, 2), 1, 2, 3, 4),
		op("Conv", "c", in("x", "w"), attrInts("pads", 1, 1, 1, 1)), relu("y", "c"),
		// Only what the network needs: without QONNX's import at the end it is whole.
		edit(func(m *onnxpb.ModelProto) { m.OpsetImport = m.OpsetImport[:1] })))
	if _, err := Read(b, "m"); err != nil {
		t.Fatal(err)
	}
	for n := range b {
		if g, err := Read(b[:n:n], "m"); err == nil || g != nil {
			t.Fatalf("%d of %d bytes: accepted", n, len(b))
		}
	}
	i := bytes.LastIndex(b, []byte("\x00\x00\x80\x3f")) // 1, the first weight
	_, err := Read(b[:i+2], "m")
	if want := `m: not an ONNX model: graph: "net": initializer: "w": raw_data: byte `; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s...", err, want)
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.onnx")
	if err := os.WriteFile(path, marshal(t, model(dims(2), relu("y", "x"))), 0o644); err != nil {
		t.Fatal(err)
	}
	g, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if g.Name != "net" || len(g.Nodes) != 1 || g.Input.Name != "x" || g.Output.Name != "y" {
		t.Errorf("got %+v", g)
	}
	empty := filepath.Join(dir, "empty.onnx")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none.onnx"): "no such file",
		dir:                             "not a regular file",
		empty:                           "empty.onnx: an empty file",
	} {
		if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

// hostile are files that claim or cause much with few bytes.
func hostile(t testing.TB) map[string][]byte {
	tag := func(field, size int) []byte { // a length-delimited field
		b := []byte{byte(field<<3 | 2)}
		for size > 0x7f {
			b = append(b, byte(size)|0x80)
			size >>= 7
		}
		return append(b, byte(size))
	}
	wrap := func(field int, body []byte) []byte { return append(tag(field, len(body)), body...) }
	head := marshal(t, model(dims(2), relu("y", "x")))
	with := func(graph []byte) []byte { return append(slices.Clone(head), wrap(7, graph)...) }
	nested := wrap(1, nil) // node in graph in attribute in node ...
	for range 3000 {
		nested = wrap(1, wrap(5, wrap(6, nested)))
	}
	weights := floats("w", dims(256, 256), make([]float32, 1<<16)...)
	shared := []part{weights, op("MatMul", "v0", in("x", "w"))}
	for i := range 3000 { // each would transpose the same 256 KiB
		shared = append(shared, op("MatMul", fmt.Sprint("v", i+1), in(fmt.Sprint("v", i), "w")))
	}
	shared = append(shared, relu("y", "v3000"))
	turned := []part{weights} // each its own copy of the same 256 KiB
	for i := range 3000 {
		turned = append(turned, op("Transpose", fmt.Sprint("t", i), in("w")), op("MatMul", fmt.Sprint("v", i+1), in(fmt.Sprint("v", i), fmt.Sprint("t", i))))
	}
	turned = append(turned, relu("v0", "x"), relu("y", "v3000"))
	joined := []part{ints("s", 1<<27), op("ConstantOfShape", "k", in("s")), op("Add", "y", in("x", "k"))}
	doubled := []part{floats("k0", dims(2), 1, 2)} // twice as long each
	for i := range 60 {
		k := fmt.Sprint("k", i)
		doubled = append(doubled, op("Concat", fmt.Sprint("k", i+1), in(k, k), attrInt("axis", 0)))
	}
	doubled = append(doubled, op("Add", "y", in("x", "k60")))
	names := []part{relu("v0", "x")} // many inputs each
	for i := range 300 {
		names = append(names, op("Sum", fmt.Sprint("v", i+1), slices.Repeat(in(fmt.Sprint("v", i)), 4000)))
	}
	names = append(names, relu("y", "v300"))
	// What each node would look at again if nobody remembered: all others that round the same
	// value, and large constants that all share.
	rounded := []part{floats("s", nil, 0.5), int8s("z", nil, 0)}
	normed := []part{floats("n", dims(1<<15), slices.Repeat([]float32{1}, 1<<15)...)}
	cut := []part{floats("n", dims(1<<15), make([]float32, 1<<15)...), ints("i", 3)} // until there is no memory left
	for i := range 5000 {
		q, d := fmt.Sprint("q", i), fmt.Sprint("d", i)
		rounded = append(rounded, op("QuantizeLinear", q, in("x", "s", "z")), op("DequantizeLinear", d, in(q, "s", "z")), op("Add", fmt.Sprint("v", i+1), in(fmt.Sprint("v", i), d)))
		normed = append(normed, op("BatchNormalization", fmt.Sprint("v", i+1), in(fmt.Sprint("v", i), "n", "n", "n", "n")))
		cut = append(cut, op("Gather", q, in("n", "i")), op("Add", fmt.Sprint("v", i+1), in(fmt.Sprint("v", i), q)))
	}
	claims := func(n int) []byte { return append([]byte{7<<3 | 2}, tag(0, n)[1:]...) }
	return map[string][]byte{ // all refused but those under "legal"
		"2 GiB claimed":                append(slices.Clone(head), claims(1<<31-1)...),
		"2^62 claimed":                 append(slices.Clone(head), claims(1<<62)...),
		"empty nodes":                  with(bytes.Repeat([]byte{0x0a, 0}, 1<<20)),
		"empty tensors":                with(bytes.Repeat([]byte{0x2a, 0}, 1<<20)),
		"empty attributes":             with(wrap(1, bytes.Repeat([]byte{0x2a, 0}, 1<<20))),
		"empty names":                  with(wrap(1, bytes.Repeat([]byte{0x0a, 0}, 1<<21))),
		"zeros as varints":             with(wrap(5, wrap(7, make([]byte, 1<<23)))),
		"zeros one by one":             with(wrap(5, bytes.Repeat([]byte{7 << 3, 0}, 1<<22))),
		"dims one by one":              with(wrap(5, bytes.Repeat([]byte{1 << 3, 1}, 1<<22))),
		"names over":                   with(bytes.Repeat(wrap(5, wrap(8, []byte("k"))), 1<<18)),
		"raw data over":                with(wrap(5, bytes.Repeat(wrap(9, make([]byte, 100)), 1<<14))),
		"numbers in runs":              with(wrap(5, bytes.Repeat([]byte{1<<3 | 2, 1, 1}, 1<<20))), // moved for each
		"floats in runs":               with(wrap(5, bytes.Repeat([]byte{4<<3 | 2, 4, 0, 0, 0, 0}, 1<<19))),
		"deep":                         with(nested),
		"groups":                       append(slices.Clone(head), bytes.Repeat([]byte{15<<3 | 3}, 1<<20)...),
		"legal unknown fields":         append(slices.Clone(head), bytes.Repeat([]byte{0x7a, 1, 0}, 1<<20)...),
		"weights turned":               marshal(t, model(dims(256), turned...)),
		"huge constant":                marshal(t, model(dims(1<<27), joined...)),
		"doubled constants":            marshal(t, model(dims(2), doubled...)),
		"many inputs":                  marshal(t, model(dims(2), names...)),
		"shared weights":               marshal(t, model(dims(256), shared...)),
		"legal, rounded over and over": marshal(t, model(dims(2), append(rounded, op("DequantizeLinear", "v0", in("q0", "s", "z")), relu("y", "v5000"))...)),
		"legal, normed over and over":  marshal(t, model(dims(1<<15), append(normed, relu("v0", "x"), relu("y", "v5000"))...)),
		"cut over and over":            marshal(t, model(dims(2), append(cut, relu("v0", "x"), relu("y", "v5000"))...)),
		"legal chain":                  marshal(t, model(dims(2), chain(20000)...)),
		"legal fan":                    marshal(t, model(dims(2), fan(3000)...)),
		"all ones":                     bytes.Repeat([]byte{0xff}, 1<<20),
		"zeros":                        make([]byte, 1<<20),
		"field number 0":               append(slices.Clone(head), 0, 0),
		"reserved wire type":           append(slices.Clone(head), 7),
	}
}

func chain(n int) []part {
	parts := []part{relu("v0", "x")}
	for i := range n {
		parts = append(parts, relu(fmt.Sprint("v", i+1), fmt.Sprint("v", i)))
	}
	return append(parts, relu("y", fmt.Sprint("v", n)))
}

// fan doubles the number of paths with each node.
func fan(n int) []part {
	parts := []part{relu("v0", "x")}
	for i := range n {
		v := fmt.Sprint("v", i)
		parts = append(parts, op("Add", fmt.Sprint("v", i+1), in(v, v)))
	}
	return append(parts, relu("y", fmt.Sprint("v", n)))
}

// Whatever the file, reading takes at most 4 times its size and 64 MiB.
func TestMemory(t *testing.T) {
	files := hostile(t)
	large := model(dims(4096), floats("w", dims(4096, 1024), make([]float32, 1<<22)...), op("MatMul", "y", in("x", "w")))
	files["legal large"] = marshal(t, large)
	large.Graph.Initializer[0].RawData, large.Graph.Initializer[0].FloatData = nil, make([]float32, 1<<22)
	files["legal large, typed"] = marshal(t, large)
	weights := 1 << 25 // so many that as float32 they would be too much
	if testing.Short() {
		weights = 1 << 20
	}
	quantized := []part{int8s("w", dims(4096, int64(weights/4096)), make([]int8, weights)...), floats("s", nil, 0.5), op("DequantizeLinear", "d", in("w", "s")), op("MatMul", "y", in("x", "d"))}
	files["legal large, int8"] = marshal(t, model(dims(4096), quantized...))
	for i := range 1000 {
		quantized = append(quantized, op("DequantizeLinear", fmt.Sprint("d", i), in("w", "s")), op("MatMul", fmt.Sprint("y", i), in("x", fmt.Sprint("d", i))), op("Add", fmt.Sprint("z", i+1), in(fmt.Sprint("z", i), fmt.Sprint("y", i))))
	}
	quantized = append(quantized, relu("z0", "x"), edit(func(m *onnxpb.ModelProto) { m.Graph.Output[0].Name = proto.String("z1000") }))
	files["int8 weights dequantized over and over"] = marshal(t, model(dims(4096), quantized...))
	for name, b := range files {
		t.Run(name, func(t *testing.T) {
			b = slices.Clip(b)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			g, err := Read(b, "m")
			runtime.ReadMemStats(&after)
			// What was allocated in all bounds what was held at any time.
			limit := mutate.Allowed(len(b))
			took := after.TotalAlloc - before.TotalAlloc
			t.Logf("%d bytes: allocated %d of %d: %.300v", len(b), took, limit, err)
			if took > limit {
				t.Errorf("%d bytes: allocated %d: want at most %d", len(b), took, limit)
			}
			if legal := strings.HasPrefix(name, "legal"); legal != (err == nil) {
				t.Errorf("legal %t: got %v", legal, err)
			}
			if err == nil {
				if err := g.Check(); err != nil {
					t.Error(err)
				}
			} else if s := err.Error(); strings.Contains(s, "\n") || len(s) > 2000 {
				t.Errorf("the error is no one line of reasonable length: %.3000q", s)
			}
		})
	}
}

// seeds are small models with most of what a model can have.
func seeds(tb testing.TB) (files [][]byte) {
	half := floats("k", dims(1), 0.5)
	seed := func(input []int64, parts ...part) { files = append(files, marshal(tb, model(input, parts...))) }
	seed(dims(2), relu("y", "x"))
	seed(dims(2), half, op("Sub", "s", in("x", "k")), op("Div", "d", in("s", "k")), op("Softmax", "y", in("d")))
	seed(dims(1, 3, 3), floats("w", dims(1, 1, 2, 2), 1, 2, 3, 4), half, op("Conv", "c", in("x", "w", "k"), attrInts("pads", 1, 1, 1, 1), attrInts("strides", 2, 2)),
		op("BatchNormalization", "b", in("c", "k", "k", "k", "k"), attrFloat("epsilon", 1)), op("MaxPool", "m", in("b"), attrInts("kernel_shape", 2, 2), attrInt("ceil_mode", 1)),
		op("Flatten", "y", in("m")))
	seed(dims(1, 2, 2), floats("one", dims(1), 1), floats("w", dims(1, 1, 1, 1), -0.5), ints("p", 0, 0, 1, 1, 0, 0, 1, 1), floats("v", nil, -1),
		op("BipolarQuant", "s", in("x", "one")), op("BipolarQuant", "q", in("w", "one")), op("Pad", "p1", in("s", "p", "v")), op("Conv", "c", in("p1", "q")),
		op("GlobalAveragePool", "g", in("c")), ints("r", 0, -1), op("Reshape", "y", in("g", "r")))
	seed(dims(2), floats("w", dims(2, 2), 1, 2, 3, 4), op("Gemm", "g", in("x", "w", "k"), attrFloat("alpha", 2)), op("Constant", "k", nil, attrFloats("value_floats", 1, 2)),
		op("MatMul", "m", in("g", "w")), op("Add", "a", in("m", "x")), op("Identity", "y", in("a")))
	scale, zero := floats("s", nil, 0.5), int8s("z", nil, 0)
	seed(dims(3), scale, zero, int8s("w", dims(2, 3), 1, -2, 3, -4, 5, 127), floats("each", dims(2), 0.5, 10),
		op("QuantizeLinear", "q", in("x", "s", "z")), op("DequantizeLinear", "d", in("q", "s", "z")),
		op("DequantizeLinear", "v", in("w", "each"), attrInt("axis", 0)), op("Gemm", "y", in("d", "v"), attrInt("transB", 1)))
	seed(dims(2), floats("k", nil, 2), floats("zero", nil, 0), floats("one", nil, 1), floats("minus", nil, -1), op("Mul", "a/scaled", in("x", "k")), op("Add", "a", in("a/scaled", "k")),
		op("GreaterOrEqual", "up", in("a", "zero")), op("Where", "y", in("up", "one", "minus")))
	seed(dims(2, 3, 4), op("Shape", "s", in("x")), ints("i", 0), op("Gather", "g", in("s", "i"), attrInt("axis", 0)), ints("rest", -1), op("Concat", "c", in("g", "rest"), attrInt("axis", 0)),
		op("Reshape", "r", in("x", "c")), op("Softmax", "y", in("r")))
	seed(dims(4, 3, 4), ints("v", 0, 2, 2, 3, 4), op("Reshape", "r", in("x", "v")), op("Transpose", "t", in("r"), attrInts("perm", 0, 2, 1, 3, 4)), ints("w", 0, 4, 3, 4),
		op("Reshape", "q", in("t", "w")), op("AveragePool", "a", in("q"), attrInts("kernel_shape", 2, 2), attrInts("pads", 1, 0, 0, 1)), op("HardSwish", "y", in("a")))
	seed(dims(2, 5), ints("from", 1, -1), ints("to", 5, -9), ints("axes", 2, 1), ints("steps", 2, -1), op("Slice", "s", in("x", "from", "to", "axes", "steps")),
		ints("p", 0, 1, 0, 0, 0, 2), op("Pad", "p1", in("s", "p"), attrString("mode", "edge")), op("ReduceMean", "y", in("p1"), attrInts("axes", 2), attrInt("keepdims", 0)))
	seed(dims(3, 4), floats("w", dims(4, 2), 1, 2, 3, 4, 5, 6, 7, 8), op("MatMul", "m", in("x", "w")), op("Split", "a", in("m"), attrInt("axis", 1)), ints("u", 1), op("Unsqueeze", "u1", in("a", "u")),
		op("Squeeze", "u2", in("u1", "u")), floats("k", dims(3, 1), 1, 2, 3), op("Div", "d", in("k", "u2")), op("ArgMax", "i1", in("d"), attrInt("axis", 2)), op("Cast", "y", in("i1"), attrInt("to", 1)))
	return files
}

func FuzzRead(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := survey(b); err != nil && strings.Contains(err.Error(), "\n") {
			t.Fatalf("survey: %q", err)
		}
		var g *graph.Graph
		var err error
		mutate.Within(t, len(b), func() { g, err = Read(b, "m") })
		if err != nil {
			if g != nil || strings.Contains(err.Error(), "\n") {
				t.Fatalf("graph %v, error %q", g, err)
			}
			return
		}
		if err := g.Check(); err != nil {
			t.Fatal(err)
		}
		if err := graph.FoldBatchNorm(g).Check(); err != nil {
			t.Fatal(err)
		}
		// What can be read can be written, and read again as the same ops on the same shapes.
		again, err := Read(rewrite(t, g), "written")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := needed(again), needed(g); !slices.Equal(got, want) {
			t.Fatalf("written and read again: %v, want %v", got, want)
		}
	})
}

// needed lists the ops that the output needs, with their shapes, in alphabetical order,
// but for those that only reshape, of which two are one, and constants, which are reshaped
// when they are read.
func needed(g *graph.Graph) (list []string) {
	want := map[*graph.Value]bool{g.Output: true}
	for _, n := range slices.Backward(g.Nodes) {
		if !want[n.Out] {
			continue
		}
		for _, v := range n.In {
			want[v] = true
		}
		switch n.Op.(type) {
		case *graph.Reshape, *graph.Flatten, *graph.Constant:
		default:
			list = append(list, fmt.Sprint(n.Op.Kind(), n.Out.Shape))
		}
	}
	slices.Sort(list)
	return list
}

func rewrite(t *testing.T, g *graph.Graph) []byte {
	t.Helper()
	data, err := encode(g, WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return data
}
