package spatial

import (
	"math"

	"macroscope/simhw/design"
)

// cost is a result as an objective sees it: the second breaks ties.
type cost [2]float64

func (c cost) less(o cost) bool { return c[0] < o[0] || c[0] == o[0] && c[1] < o[1] }

func costBy(o design.Objective, energy, cycles float64) cost {
	switch o {
	case design.LeastCycles:
		return cost{cycles, energy}
	case design.LeastEnergy:
		return cost{energy, cycles}
	}
	return cost{energy * cycles, cycles}
}

// cost is what the pass at work sees of a result. Objective LeastCycles takes two: the first
// finds the fewest cycles, the second the least energy within them.
func (s *Search) cost(energy, cycles float64) cost {
	switch {
	case s.timing:
		return cost{cycles, 0}
	case s.Objective == design.LeastCycles:
		if cycles > s.within {
			return cost{math.Inf(1), math.Inf(1)}
		}
		return cost{energy, cycles}
	}
	return costBy(s.Objective, energy, cycles)
}

// below makes a bound of a sum that rounding may have put above the true one.
const below = 1 - 1e-12

// atLeast is the least cost of what has an energy without its clock, keeps so many
// multipliers busy and needs so many cycles where nothing else does.
func (s *Search) atLeast(energy, multipliers, cycles float64) cost {
	cycles = math.Ceil(max(cycles, s.part.slowest)*below) + math.Ceil(s.part.apart*below)
	if s.Arch.ClocksIdle {
		multipliers = s.widest[s.Arch.Count]
	}
	idle := multipliers*cycles - float64(s.p.Bounds.Product()) // the products' own cycles are in the energy
	return s.cost((energy+s.Arch.CyclePJ*max(0, idle))*below, cycles)
}
