package onnx

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"macroscope/graph"
	"macroscope/onnx/internal/onnxpb"
)

// outside makes the last initializer's data lie in a file beside the model.
func outside(entries ...string) part {
	return lastTensor(func(t *onnxpb.TensorProto) {
		t.RawData, t.DataLocation = nil, onnxpb.TensorProto_EXTERNAL.Enum()
		for i := 0; i < len(entries); i += 2 {
			t.ExternalData = append(t.ExternalData, &onnxpb.StringStringEntryProto{Key: proto.String(entries[i]), Value: proto.String(entries[i+1])})
		}
	})
}

func TestExternalData(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "model")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	var weights []byte
	for _, v := range []float32{7, 1, 2, 3, 4} { // the first is not the tensor's
		weights = binary.LittleEndian.AppendUint32(weights, math.Float32bits(v))
	}
	for _, path := range []string{filepath.Join(dir, "w.bin"), filepath.Join(dir, "sub", "w.bin"), filepath.Join(outer, "secret")} {
		if err := os.WriteFile(path, weights, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(outer, "secret"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		entries []string
		err     string // or the weights are 1 2 3 4
	}{
		{"beside", []string{"location", "w.bin", "offset", "4", "length", "16"}, ""},
		{"in a folder", []string{"location", "sub/w.bin", "offset", "4", "checksum", "00"}, ""},
		{"outside", []string{"location", "../secret", "offset", "4"}, "want a path within the model's folder"},
		{"absolute", []string{"location", filepath.Join(outer, "secret"), "offset", "4"}, "want a path within the model's folder"},
		{"through a link", []string{"location", "link", "offset", "4"}, "escapes"},
		{"a folder", []string{"location", "sub"}, "not a regular file"},
		{"missing", []string{"location", "none.bin"}, "no such file"},
		{"no location", []string{"offset", "4"}, "want a path"},
		{"past the end", []string{"location", "w.bin", "offset", "8"}, "the file has 20"},
		{"offset beyond all", []string{"location", "w.bin", "offset", "9223372036854775807"}, "the file has 20"},
		{"negative offset", []string{"location", "w.bin", "offset", "-4"}, "want a number of bytes"},
		{"another length", []string{"location", "w.bin", "length", "12"}, "length 12: want 16"},
		{"unknown key", []string{"location", "w.bin", "password", "x"}, `key "password"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, "m.onnx")
			data := marshal(t, model(dims(2), floats("w", dims(2, 2), 0, 0, 0, 0), outside(c.entries...), op("Gemm", "y", in("x", "w"), attrInt("transB", 1))))
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			g, err := ReadFile(path)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got %v, want an error with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := g.Nodes[0].Op.(*graph.Dense).Float; !slices.Equal(got, []float32{1, 2, 3, 4}) {
				t.Errorf("weights %v", got)
			}
		})
	}
}

// Who wants shapes alone can do without weights, and close what a file leaves open.
func TestReadOptions(t *testing.T) {
	parts := []part{floats("w", dims(2, 3, 3, 3), make([]float32, 54)...), outside("location", "gone.bin"), op("Conv", "y", in("x", "w"))}
	data := marshal(t, model(dims(3, -1, 8), parts...))
	if _, err := Read(data, "m"); err == nil {
		t.Error("external data without a folder: no error")
	}
	if _, err := ReadWith(data, "m", ReadOptions{Weightless: true}); err == nil || !strings.Contains(err.Error(), `dimension 2 is "n"`) {
		t.Errorf("an open height: got %v", err)
	}
	g, err := ReadWith(data, "m", ReadOptions{Weightless: true, Inputs: map[string][]int{"x": {1, 3, 10, 8}}})
	if err != nil || !g.Output.Shape.Equal(graph.Shape{2, 8, 6}) {
		t.Fatalf("got %v, %v", g, err)
	}
	if _, err := ReadWith(data, "m", ReadOptions{Weightless: true, Inputs: map[string][]int{"z": {1, 3, 10, 8}}}); err == nil || !strings.Contains(err.Error(), `input "z": want "x"`) {
		t.Errorf("another name: got %v", err)
	}
	if !g.Weightless || !graph.FoldBatchNorm(g).Weightless {
		t.Error("nothing says that weights are missing")
	}
	// Large weights that are not at hand cost nothing, however they are turned.
	large := marshal(t, model(dims(4000), floats("w", dims(6000, 4000)), outside("location", "gone.bin"), op("Transpose", "t", in("w"), attrInts("perm", 1, 0)), op("MatMul", "h", in("x", "t")),
		floats("v", dims(6000, 5000)), outside("location", "gone.bin"), op("Gemm", "y", in("h", "v"))))
	if g, err := ReadWith(large, "m", ReadOptions{Weightless: true}); err != nil || g.Params() != 6000*(4000+5000) || !g.Weightless {
		t.Errorf("54 million weights: %v", err)
	}
	// Arithmetic with the batch needs to know it: 2 images of 4 are as good as 8 numbers.
	batch := marshal(t, model(dims(4), op("Shape", "s", in("x")), ints("i", 0), op("Gather", "b", in("s", "i")), ints("two", 2), op("Mul", "n", in("b", "two")),
		ints("rest", 2), op("Div", "back", in("n", "two")), op("Concat", "c", in("back", "rest", "rest"), attrInt("axis", 0)), op("Reshape", "r", in("x", "c")), relu("y", "r")))
	if _, err := Read(batch, "m"); err == nil || !strings.Contains(err.Error(), "arithmetic on the batch, which is open") {
		t.Errorf("an open batch: got %v", err)
	}
	if g, err = ReadWith(batch, "m", ReadOptions{Batch: 3}); err != nil || !g.Output.Shape.Equal(graph.Shape{2, 1, 2}) {
		t.Errorf("batch 3: got %v, %v", g, err)
	}
}

func TestSurvey(t *testing.T) {
	m := model(dims(3, -1), op("LSTM", "a", in("x")), op("Relu", "b", in("a")), op("LSTM", "y", in("b")), floats("w", dims(5, 7), make([]float32, 35)...))
	m.ProducerName, m.ProducerVersion = proto.String("somebody"), proto.String("1.2")
	m.MetadataProps = []*onnxpb.StringStringEntryProto{{Key: proto.String("k"), Value: proto.String("v")}}
	s, err := survey(marshal(t, m))
	if err != nil {
		t.Fatal(err)
	}
	if s.IR != 8 || s.Opsets[""] != 13 || s.Producer != "somebody 1.2" || s.Metadata["k"] != "v" || s.Weights != 35 || !slices.Equal(s.Inputs, []string{"x [n 3 n] FLOAT"}) {
		t.Errorf("got %+v", s)
	}
	if len(s.Operators) != 2 || s.Operators[0].Operator != "LSTM" || s.Operators[0].Count != 2 || s.Operators[0].Supported || !s.Operators[1].Supported ||
		!strings.HasPrefix(s.Operators[0].Where[1], `node "y" (LSTM, byte `) {
		t.Errorf("operators %+v", s.Operators)
	}
	if _, err := survey([]byte{1, 2, 3}); err == nil || !strings.Contains(err.Error(), "not an ONNX model") {
		t.Errorf("no model: got %v", err)
	}
}
