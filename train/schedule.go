package train

import (
	"fmt"
	"math"
)

// Schedule gives the learning rate of each step as a share of the peak.
type Schedule struct {
	Kind   string  // "linear" or "cosine": how it falls
	Warmup float64 // share of all steps over which it rises in a line, 0 to below 1
}

func (s Schedule) check() error {
	if s.Kind != "linear" && s.Kind != "cosine" {
		return fmt.Errorf("schedule %q: want linear or cosine", s.Kind)
	}
	if !(s.Warmup >= 0 && s.Warmup < 1) {
		return fmt.Errorf("warm-up %v: want 0 to below 1", s.Warmup)
	}
	return nil
}

// At is the share for step, 0 to steps−1: it rises to 1 and falls to 0, which it
// would reach at steps.
func (s Schedule) At(step, steps int) float64 {
	x := float64(step) / float64(steps)
	if x < s.Warmup {
		return (float64(step) + 1) / (s.Warmup*float64(steps) + 1)
	}
	x = (x - s.Warmup) / (1 - s.Warmup)
	if s.Kind == "cosine" {
		return (1 + math.Cos(math.Pi*x)) / 2
	}
	return 1 - x
}
