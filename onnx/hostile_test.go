package onnx

import (
	"archive/zip"
	"fmt"
	"io/fs"
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

// Files made of valid ones by changing fields, dimensions and lengths, by leaving out,
// repeating and exchanging parts and by nesting, are read or refused: without a panic, soon,
// within the memory that they may take, and what is read can be planned as inspect does.
func TestMutated(t *testing.T) {
	files := append(seeds(t), keptSeeds(t, 3000)...)
	p, err := mutate.NewProto((*onnxpb.ModelProto)(nil).ProtoReflect().Descriptor(), files)
	if err != nil {
		t.Fatal(err)
	}
	read, planned := 0, 0
	mutate.Run(t, p.Mutate, func(b []byte) error {
		g, err := look(b)
		if g == nil {
			return err
		}
		read++
		if mutate.Plannable(g) {
			if _, err := nn.Compile(g, nn.Options{}); err == nil {
				planned++
			}
		}
		return err
	})
	t.Logf("%d seeds; %d files were read, %d planned", len(files), read, planned)
	if read == 0 || planned == 0 {
		t.Errorf("%d read, %d planned: the files are too broken to show anything", read, planned)
	}
}

// look reads a file and what inspect says of it; a graph and no error, or neither where the
// file is refused as it should be.
func look(b []byte) (*graph.Graph, error) {
	if _, err := survey(b); err != nil {
		if strings.Contains(err.Error(), "\n") {
			return nil, fmt.Errorf("survey: %q", err)
		}
		return nil, nil
	}
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
