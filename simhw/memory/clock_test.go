package memory

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A machine waits for DRAM until an edge of its own clock, and a faster clock has its
// edges elsewhere: DRAM that takes as long as one cycle at 100 MHz takes two at 101, which
// is nearly twice as long. So no clocked machine's time falls with its clock alone. The
// bound follows from the formula: in parts of a cycle a layer's time, work/f and waits
// that only shrink, does not grow with f, and a layer is above that by what its ends are
// rounded up, that of its last fold and, where outputs leave, that of their write-back:
// by less than a cycle each. The slower clock's layer is not below it. So with a clock x
// times as fast n cycles become fewer than x·n + 2, or x·n + 1 where outputs stay on chip. Among the
// problems are some that come close to either, so that there is no lower bound.
func TestFasterClock(t *testing.T) {
	rnd := rand.New(rand.NewPCG(31, 0))
	worst, longer := [3]float64{}, 0
	for range 100_000 {
		p := randomProblem(rnd)
		if rnd.IntN(2) == 0 { // a small layer, of which the ends are much
			p.Map = p.Map.Array.Map(1+rnd.Int64N(4), 1+rnd.Int64N(4), 1+rnd.Int64N(4), 1, 1)
			p.InputWords = 1 + rnd.Int64N(p.Map.M*p.Map.K)
		}
		x := 1 + rnd.ExpFloat64()*math.Exp2(-float64(rnd.IntN(10)))
		q := p
		q.BytesPerCycle /= x
		slow, ok := Run(&p)
		fast, ok2 := Run(&q)
		if !ok || !ok2 {
			t.Fatalf("%+v takes too long", q)
		}
		total := func(r *Result) float64 { return float64(r.Map.Cycles() + r.PrefetchCycles + r.StallCycles) }
		ends := 2
		if p.OutputOnChip {
			ends = 1
		}
		scaled := x * total(&slow)
		over := total(&fast) - scaled
		if !(over < float64(ends)+1e-11*scaled) {
			t.Fatalf("%g cycles, with a clock %g times as fast %g: %g too many, want fewer than %d\n%+v", total(&slow), x, total(&fast), over, ends, p)
		}
		if worst[ends] = max(worst[ends], over); over > 1e-11*scaled {
			longer++
		}
	}
	t.Logf("the faster clock takes longer %d times, by %.3f of its cycles at most, %.3f where outputs stay on chip", longer, worst[2], worst[1])
	if worst[2] < 1.9 || worst[1] < 0.95 {
		t.Errorf("longer by %g cycles at most, by %g where outputs stay on chip: the bound could be lower", worst[2], worst[1])
	}
}
