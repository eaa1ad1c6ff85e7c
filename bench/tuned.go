package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/nn"
	"macroscope/tune"
)

// TunedImpl stands for an implementation's name where each layer has the one that
// is fastest here.
const TunedImpl = "tuned"

// Tune plans a network with each layer's fastest implementation, by what was
// measured before on this CPU by this build, or else by measuring now. Where
// MACROSCOPE_KERNELS says something, that is done instead. The notices are for
// the user: what was picked for what, and what is wrong with the kept measurements.
func Tune(ctx context.Context, what string, g *graph.Graph, o nn.Options) (p *nn.Plan, notices []string, err error) {
	if spec := os.Getenv(kernels.EnvVar); spec != "" {
		p, err = nn.Compile(g, o)
		return p, []string{fmt.Sprintf("%s is not tuned: %s=%s forces", what, kernels.EnvVar, spec)}, err
	}
	cache, notice := openTuning()
	if notice != "" {
		notices = append(notices, notice)
	}
	r, err := tune.Pick(ctx, g, o, tune.Options{Cache: cache})
	if err != nil {
		return nil, nil, err
	}
	o.Picks = r.Picks
	p, err = nn.Compile(g, o)
	return p, append(append(notices, r.Notices...), what+" tuned: "+r.Text()), err
}

// openTuning opens the user's cache of picks; there may be none.
func openTuning() (*tune.Cache, string) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Sprintf("what tuning finds is not kept: %v", err)
	}
	m := DescribeMachine()
	return tune.OpenCache(filepath.Join(dir, "macroscope"), tune.Identity{Program: m.build(), CPU: m.CPU, Feature: strings.Join(m.Features, " ")})
}

// build tells builds of the program apart: by the commit, or, where that does not
// say all, by the program's file.
func (m Machine) build() string {
	if m.Commit != "" && !strings.HasSuffix(m.Commit, "+dirty") {
		return m.Commit + " " + m.GoVersion
	}
	path, err := os.Executable()
	if err != nil {
		return "unknown"
	}
	info, err := os.Stat(path)
	if err != nil {
		return "unknown"
	}
	return fmt.Sprintf("%d bytes of %d", info.Size(), info.ModTime().UnixNano())
}

// tuning is a network's plan by Tune, made once for all of its cases: what is measured anew
// may come out otherwise.
type tuning struct {
	n       *Network
	plan    *nn.Plan
	notices []string
}

func (t *tuning) tune(ctx context.Context) (err error) {
	if t.plan == nil {
		t.plan, t.notices, err = Tune(ctx, t.n.DType.String(), t.n.Graph, nn.Options{})
	}
	return err
}

// tunedCase is a case of networkCase with each layer's fastest implementation,
// which is found when the first such case of the network is prepared.
func tunedCase(t *tuning, usual Case, batch int, pixels []uint8) Case {
	c := usual
	c.Name = fmt.Sprintf("BenchmarkNetwork/dtype=%v/impl=%s/batch=%d", t.n.DType, TunedImpl, batch)
	var run func(int)
	c.Run = func(n int) { run(n) }
	c.Prepare = func(ctx context.Context) ([]string, error) {
		if err := t.tune(ctx); err != nil {
			return nil, err
		}
		run = inferences(t.plan.NewRunner(1), make([]float32, batch*t.plan.OutputSize()), pixels[:batch*t.plan.InputSize()])
		return t.notices, nil
	}
	return c
}
