package onnx

import (
	"archive/zip"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/internal/mutate"
	"macroscope/nn"
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

// Files made of valid ones by changing fields, dimensions and lengths, by leaving out,
// repeating and exchanging parts and by nesting, are read or refused: without a panic, soon,
// within the memory that they may take, and what is read can be planned as inspect does.
func TestMutated(t *testing.T) {
	p := mutator(t)
	read, planned := 0, 0
	var g *graph.Graph
	mutate.Run(t, p.Mutate, surveyed, func(b []byte) (err error) {
		if g, err = readWhole(b); g != nil {
			read++
		}
		return err
	}, func([]byte) error {
		if g == nil || !plannable(g) {
			return nil
		}
		if _, err := nn.Compile(g, nn.Options{}); err == nil {
			planned++
		}
		return nil
	})
	t.Logf("%d files were read, %d planned", read, planned)
	if read == 0 || planned == 0 {
		t.Errorf("%d read, %d planned: the files are too broken to show anything", read, planned)
	}
}

// The same where memory runs out soon, and sometimes at once: somewhere in the middle of
// whatever the reader does.
func TestMutatedShort(t *testing.T) {
	defer func(was int64) { spare = was }(spare)
	m := mutator(t)
	mutate.Run(t, func(r *rand.Rand) []byte {
		spare = r.Int64N(1 << (4 + r.IntN(16)))
		return m.Mutate(r)
	}, surveyed, func(b []byte) error {
		_, err := readWhole(b)
		return err
	})
}

// surveyed looks at what some files say of themselves.
func surveyed(b []byte) error {
	if len(b)/8%4 > 0 { // it decodes them, as reading does
		return nil
	}
	if _, err := survey(b); err != nil && strings.Contains(err.Error(), "\n") {
		return fmt.Errorf("survey: %q", err)
	}
	return nil
}

// readWhole reads a file and what inspect says of its graph, but for the plan: a graph and no
// error, or neither where the file is refused as it should be.
func readWhole(b []byte) (*graph.Graph, error) {
	g, err := Read(b, "m")
	if err != nil {
		if g != nil || strings.Contains(err.Error(), "\n") || len(err.Error()) > 2000 {
			return nil, fmt.Errorf("graph %v, error %q", g, err)
		}
		return nil, nil
	}
	if err := g.Check(); err != nil {
		return nil, err
	}
	if err := graph.FoldBatchNorm(g).Check(); err != nil {
		return nil, err
	}
	if g.Params() < 0 || g.Bytes() < 0 || g.MACs() < 0 {
		return nil, fmt.Errorf("%d parameters, %d bytes, %d MACs", g.Params(), g.Bytes(), g.MACs())
	}
	if w, err := g.Workload(dtype.Int8); err == nil && len(w.Layers) > 0 {
		if err := w.Validate(); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// plannable says whether a plan of g takes little memory: package nn has tables of a few
// numbers for each pixel that a convolution gives, whatever the file's size.
func plannable(g *graph.Graph) bool {
	n := g.Input.Shape.Size()
	for _, node := range g.Nodes {
		if n += node.Out.Shape.Size(); n > 1<<18 {
			return false
		}
	}
	return true
}
