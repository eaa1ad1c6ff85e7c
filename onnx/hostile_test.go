package onnx

import (
	"archive/zip"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"testing"

	"macroscope/graph"
	"macroscope/graph/graphtest"
	"macroscope/internal/mutate"
	"macroscope/onnx/internal/onnxpb"
)

// keptSeeds are the kept models of at most limit bytes: some of each operator, and small
// networks as exporters write them.
func keptSeeds(tb testing.TB, limit uint64) (files [][]byte) {
	tb.Helper()
	for _, archive := range []string{"operators.zip", "zoo/pytorch.zip", "zoo/brevitas.zip"} {
		z, err := zip.OpenReader("testdata/" + archive)
		if err != nil {
			tb.Fatal(err)
		}
		defer z.Close()
		for _, f := range z.File {
			if !strings.HasSuffix(f.Name, ".onnx") || f.UncompressedSize64 > limit {
				continue
			}
			b, err := fs.ReadFile(z, f.Name)
			if err != nil {
				tb.Fatal(err)
			}
			files = append(files, b)
		}
	}
	return files
}

func mutator(t *testing.T) *mutate.Proto {
	t.Helper()
	p, err := mutate.NewProto((*onnxpb.ModelProto)(nil).ProtoReflect().Descriptor(), append(seeds(t), keptSeeds(t, 3000)...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var underTest = graphtest.Reader{
	Read:   func(b []byte) (*graph.Graph, error) { return Read(b, "m") },
	Survey: func(b []byte) error { _, err := survey(b); return err },
}

// Files made of valid ones by changing fields, dimensions and lengths, by leaving out,
// repeating and exchanging parts and by nesting.
func TestMutated(t *testing.T) { underTest.Hostile(t, mutator(t).Mutate) }

func TestMutatedShort(t *testing.T) { underTest.Starved(t, &spare, mutator(t).Mutate) }

// Very many nodes are read within the memory that their file may take, or refused.
func TestManyNodes(t *testing.T) {
	read := 0
	for n := 8000; n <= 32000; n += 8000 {
		for _, kind := range []string{"Relu", "Sigmoid", "Add", "Conv"} {
			parts := []part{floats("w", dims(1, 1, 1, 1), 1)}
			last := "x"
			for i := range n {
				next := fmt.Sprintf("%x", i)
				if i == n-1 {
					next = "y"
				}
				from := in(last)
				switch kind {
				case "Add":
					from = in(last, "x")
				case "Conv":
					from = in(last, "w")
				}
				parts, last = append(parts, op(kind, next, from)), next
			}
			data := marshal(t, model(dims(1, 2, 2), parts...))
			parts = nil
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			g, err := Read(data, "m")
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > mutate.Allowed(len(data)) {
				t.Errorf("%d × %s, %d bytes: took %d: want at most %d", n, kind, len(data), took, mutate.Allowed(len(data)))
			}
			if err == nil {
				read++
				if len(g.Nodes) < 1 {
					t.Errorf("%d × %s: no nodes", n, kind)
				}
			} else if !strings.Contains(err.Error(), "more memory than 4 times the file's size") {
				t.Errorf("%d × %s: %v", n, kind, err)
			}
		}
	}
	if read < 4 {
		t.Errorf("%d files were read: want those of 8,000 nodes at least", read)
	}
	t.Logf("%d files were read", read)
}
