package tune

import (
	"context"
	"math"
	"slices"
	"time"

	"macroscope/nn"
)

const (
	// rounds is how often every plan is timed; the best of each layer counts.
	rounds = 10
	// turn is how long a plan is timed in a round.
	turn = 2 * time.Millisecond
	// maxImages bounds a turn where layers take next to no time.
	maxImages = 100
	// hopeless is how many times slower than the best a plan must be in every layer
	// to be timed no more.
	hopeless = 3
)

// passes times plans with real passes of a black image: what values a layer
// multiplies makes no difference to its time.
func passes(ctx context.Context, plans []*nn.Plan) ([][]float64, error) {
	type contender struct {
		profiler *nn.Profiler
		steps    []nn.Step
		ns       []float64
		images   int
	}
	best, list := make([][]float64, len(plans)), make([]*contender, len(plans))
	for round := range rounds + 1 { // the first says how long a pass takes
		for k, p := range plans {
			if err := context.Cause(ctx); err != nil {
				return nil, err
			}
			c := list[k]
			if round == 0 {
				profiler, err := p.NewProfiler()
				if err != nil {
					return nil, err
				}
				c = &contender{profiler: profiler, steps: profiler.Steps(), images: 1}
				c.ns = make([]float64, len(c.steps))
				list[k], best[k] = c, slices.Repeat([]float64{math.Inf(1)}, len(p.Layers()))
			}
			if c == nil {
				continue
			}
			c.profiler.Totals(c.ns, make([]uint8, p.InputSize()), c.images)
			whole := 0.0
			layers := make([]float64, len(best[k]))
			for i, st := range c.steps {
				whole += c.ns[i]
				if of := max(st.Layer, st.Reader); of >= 0 {
					layers[of] += c.ns[i]
				}
			}
			for layer, ns := range layers {
				best[k][layer] = min(best[k][layer], ns)
			}
			if round == 0 {
				c.images = int(max(1, min(maxImages, float64(turn)/max(1, whole))))
			}
		}
		for k := range plans {
			if round > 0 && slow(best, k) { // seen twice: the first may have been disturbed
				list[k], best[k] = nil, nil
			}
		}
	}
	return best, nil
}

// slow says whether plan k is hopeless in every layer.
func slow(best [][]float64, k int) bool {
	for layer, ns := range best[k] {
		least := ns
		for _, other := range best {
			if other != nil {
				least = min(least, other[layer])
			}
		}
		if ns <= hopeless*least {
			return false
		}
	}
	return best[k] != nil
}
