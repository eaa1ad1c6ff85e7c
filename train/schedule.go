package train

import (
	"fmt"
	"math"
)

// Schedule gives the learning rate of each step as a share of the peak.
type Schedule struct {
	Kind   string  // how it falls: "linear", "cosine" or "constant", not at all
	Warmup float64 // share of all steps over which it rises in a line, 0 to below 1
}

func (s Schedule) check() error {
	if s.Kind != "linear" && s.Kind != "cosine" && s.Kind != "constant" {
		return fmt.Errorf("schedule %q: want linear, cosine or constant", s.Kind)
	}
	if !(s.Warmup >= 0 && s.Warmup < 1) {
		return fmt.Errorf("warm-up %v: want 0 to below 1", s.Warmup)
	}
	return nil
}

// At is the share for step, 0 to steps−1: it rises to 1 and, unless constant, falls to
// 0, which it would reach at steps.
func (s Schedule) At(step, steps int) float64 {
	x := float64(step) / float64(steps)
	if x < s.Warmup {
		return (float64(step) + 1) / (s.Warmup*float64(steps) + 1)
	}
	x = (x - s.Warmup) / (1 - s.Warmup)
	switch s.Kind {
	case "cosine":
		return (1 + math.Cos(math.Pi*x)) / 2
	case "constant":
		return 1
	}
	return 1 - x
}
