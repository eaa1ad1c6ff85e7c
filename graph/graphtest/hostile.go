// Package graphtest holds readers of model files to what hostile files may do: what the
// tests of all importers share.
package graphtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/internal/mutate"
	"macroscope/nn"
)

// Reader is an importer.
type Reader struct {
	Read   func(b []byte) (*graph.Graph, error)
	Survey func(b []byte) error // what a file says of itself
}

// Hostile tries files as mutate.Run does. They are read or refused: without a panic,
// soon, within the memory that they may take; what is read is a graph whose parameters, MACs
// and workload can be told, and is planned as inspect does; small ones are run. It fails where no file is read.
func (r *Reader) Hostile(t *testing.T, file func(r *rand.Rand) []byte) {
	t.Helper()
	read, planned := 0, 0
	var g *graph.Graph
	mutate.Run(t, file, r.surveyed, func(b []byte) (err error) {
		if g, err = r.whole(b); g != nil {
			read++
		}
		return err
	}, func([]byte) error {
		if g == nil {
			return nil
		}
		p, err := nn.Compile(g, nn.Options{})
		if err != nil {
			return nil
		}
		planned++
		return runSmall(p)
	})
	t.Logf("%d files were read, %d planned", read, planned)
	if read == 0 || planned == 0 {
		t.Errorf("%d read, %d planned: the files are too broken to show anything", read, planned)
	}
}

// runSmall passes an image through a plan, where that does not take long.
func runSmall(p *nn.Plan) error {
	if p.ArenaBytes() > 1<<20 || p.MACs() > 1<<22 || p.InputSize() > 1<<16 {
		return nil
	}
	r := p.NewRunner(1)
	defer r.Close()
	in := make([]float32, p.InputSize())
	for i := range in {
		in[i] = float32(i%7) - 3
	}
	return r.Run(make([]float32, p.OutputSize()), in)
}

// Starved tries files of make with little memory to spare, which it sets anew before each,
// so that it runs out somewhere in the middle of whatever the reader does.
func (r *Reader) Starved(t *testing.T, spare *int64, make func(r *rand.Rand) []byte) {
	t.Helper()
	defer func(was int64) { *spare = was }(*spare)
	mutate.Run(t, func(rnd *rand.Rand) []byte {
		*spare = rnd.Int64N(1 << (4 + rnd.IntN(16)))
		return make(rnd)
	}, r.surveyed, func(b []byte) error {
		_, err := r.whole(b)
		return err
	})
}

// surveyed looks at what some files say of themselves.
func (r *Reader) surveyed(b []byte) error {
	if len(b)/8%4 > 0 { // it decodes them, as reading does
		return nil
	}
	if err := r.Survey(b); err != nil && strings.Contains(err.Error(), "\n") {
		return fmt.Errorf("survey: %q", err)
	}
	return nil
}

// whole reads a file and what inspect says of its graph, but for the plan: a graph and no
// error, or neither where the file is refused as it should be.
func (r *Reader) whole(b []byte) (*graph.Graph, error) {
	g, err := r.Read(b)
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
