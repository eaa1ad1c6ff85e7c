package spatial

import (
	"math"
	"math/rand/v2"
	"testing"
)

// With a clock x times as fast, and so 1/x of DRAM's bits a cycle, a mapping's n cycles
// become fewer than x·n + 1, or x·n + 2 where inputs and outputs have a time of their own: each
// of DRAM's times is rounded up to a whole cycle, and in parts of one does not grow. What
// holds of every mapping holds of the one of the fewest cycles.
func TestFasterClock(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 1))
	worst := [3]float64{}
	for range 100_000 {
		a, p, m := randomNest(rng, 40)
		dram, ends := &a.Levels[a.Count-1], 1
		dram.BitsPerCycle = math.Exp2(1 + 8*rng.Float64())
		if dram.Alternates = rng.IntN(2) == 0; dram.Alternates {
			ends = 2
		}
		x := 1 + rng.ExpFloat64()*math.Exp2(-float64(rng.IntN(10)))
		var slow, fast Result
		a.Evaluate(&p, &m, &slow)
		dram.BitsPerCycle /= x
		a.Evaluate(&p, &m, &fast)
		over := float64(fast.Cycles) - x*float64(slow.Cycles)
		if worst[ends] = max(worst[ends], over); !(over < float64(ends)+1e-11*x*float64(slow.Cycles)) {
			t.Fatalf("%d cycles, with a clock %g times as fast %d, want fewer than %d too many\n%+v\n%+v\n%+v", slow.Cycles, x, fast.Cycles, ends, a, p, m)
		}
	}
	if worst[1] < 0.95 || worst[2] < 1.9 {
		t.Errorf("longer by %g cycles at most, by %g where transfers alternate: the bounds could be lower", worst[1], worst[2])
	}
}
