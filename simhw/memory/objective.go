package memory

import "macroscope/simhw/design"

// cost is an order as an objective sees it.
type cost struct {
	first float64 // what counts
	tie   float64 // of equal ones less is better
}

func (c cost) less(o cost) bool { return c.first < o.first || c.first == o.first && c.tie < o.tie }

// cost is that of an order which takes such a time, in cycles, moves so many bytes and
// spends so much energy beside what it spends by the cycle. Rounding keeps the order of
// numbers, so that what bounds the three from below gives a bound of the cost; no product is
// fused with a sum, which compilers may do in one place and not in another.
func (pl *plan) cost(time, bytes, energy float64) cost {
	if pl.p.Objective == design.LeastCycles {
		return cost{time, bytes}
	}
	if energy += float64(pl.p.Prices.Cycle * time); pl.p.Objective == design.LeastEnergy {
		return cost{energy, time}
	}
	return cost{energy * time, time}
}

// energy is what a layer spends beside what it spends by the cycle, with a stream in so
// many chunks and such traffic; 0 where it does not matter. Smaller groups of a kind spend
// no less: they move each operand no less often.
func (pl *plan) energy(chunks int64, t *words) float64 {
	if pl.p.Objective == design.LeastCycles {
		return 0
	}
	p := &pl.p.Prices
	held := float64(float64(chunks-1) * p.Chunk)
	return p.Fixed + held + (float64(t.ifmap*p.Ifmap) + float64(t.filter*p.Filter) + float64((t.psumIn+t.psumOut)*p.Psum) + float64(t.out*p.Ofmap))
}
