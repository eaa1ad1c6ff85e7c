package onnx

import (
	"archive/zip"
	"io/fs"
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
