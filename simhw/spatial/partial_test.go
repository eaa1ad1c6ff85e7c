package spatial

import (
	"math/rand/v2"
	"testing"

	"macroscope/simhw/design"
)

// What a half-built mapping costs at least is no more than what the mapping costs that it
// becomes, whether the order of the last level's loops is known, in part or not at all.
func TestPartialCostsHold(t *testing.T) {
	nests := 1500
	if testing.Short() {
		nests = 150
	}
	rng := rand.New(rand.NewPCG(23, 24))
	s := Search{Objective: design.LeastEnergy}
	bounds, close, inPart := 0, 0, 0
	for n := range nests {
		a, p, m := randomNest(rng, 1000)
		randomCosts(rng, &a, &m)
		if a.CheckMapping(&p, &m) != nil {
			continue
		}
		var r Result
		a.Evaluate(&p, &m, &r)
		s.Arch = &a
		s.start(&p)
		for i := a.Count - 1; i > 0; i-- {
			c := candidate{time: m[i].Temporal, x: m[i].X, y: m[i].Y, order: m[i].Order}
			for d := range Dims { // each direction is as good as the other
				c.x[d], c.y[d] = c.x[d]*c.y[d], 1
			}
			loops := 0
			for _, b := range c.time {
				if b > 1 {
					loops++
				}
			}
			for known := 0; i > s.group && known <= loops; known++ {
				before, start := s.part, s.n.start[i]
				s.take(i, &c)
				least := s.bound(s.advanceAtLeast(i, known))
				s.part, s.n.start[i] = before, start
				bounds++
				if known > 0 && known < loops {
					inPart++
				}
				if least[0] > 0.9*r.EnergyPJ || least[1] > 0.9*float64(r.Cycles) {
					close++
				}
				if least[0] > r.EnergyPJ*(1+1e-9)+1e-9 || least[1] > float64(r.Cycles) {
					t.Fatalf("nest %d: with %d loops of level %d in their places %g pJ, %g cycles at least; the mapping takes %g and %d\n%+v\n%+v\n%s", n, known, i, least[0], least[1], r.EnergyPJ, r.Cycles, p, a, a.Text(&m))
				}
			}
			s.take(i, &c)
			s.advance(i)
		}
	}
	if bounds < nests || close < bounds/10 || inPart < bounds/10 {
		t.Errorf("%d bounds, %d of them close, %d with some loops in their places", bounds, close, inPart)
	}
	t.Logf("%d bounds, %d of them close, %d with some loops in their places", bounds, close, inPart)
}
