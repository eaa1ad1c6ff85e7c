package memory

import "macroscope/simhw/design"

// cost is an order as an objective sees it.
type cost struct {
	first float64 // what counts
	tie   float64 // of equal ones less is better
}

func (c cost) less(o cost) bool { return c.first < o.first || c.first == o.first && c.tie < o.tie }

// cost is that of an order which takes such a time, in cycles, moves so many bytes and
// spends so much energy beside what it spends by the cycle. All operations round the same
// way whatever the numbers, so that bounds of these make a bound of the cost.
func (pl *plan) cost(time, bytes, energy float64) cost {
	if pl.p.Objective == design.LeastCycles {
		return cost{time, bytes}
	}
	if energy += pl.p.Prices.Cycle * time; pl.p.Objective == design.LeastEnergy {
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
	return p.Fixed + float64(chunks-1)*p.Chunk + (t.ifmap*p.Ifmap + t.filter*p.Filter + (t.psumIn+t.psumOut)*p.Psum + t.out*p.Ofmap)
}
