package spatial

import "math"

// fewestCycles looks for them. Where several stages are inside one another it does so below
// one ceiling after another, as a search that follows whatever comes first may be lost far
// from the best: below a low ceiling little is left, and one below which there is no
// mapping is a bound. After a ceiling that the limit does not suffice for, any mapping will
// do: the best of fewer loops and what is left to be found below that, or one below a
// ceiling farther up.
func (s *Search) fewestCycles() bool {
	if !s.layered() {
		return s.run()
	}
	end := s.Looked + s.limit()
	tries := 0
	for ceiling, over := s.leastCycles(), 1.0/32; ceiling < maxCycles; over *= 2 {
		ceiling = math.Floor(ceiling*(1+over)) + 1
		s.found, s.bestCost = true, cost{ceiling, 0}
		complete := s.runTo(end)
		if s.bestCost[0] < ceiling {
			return complete && tries == 0
		}
		if s.found = false; complete {
			continue
		}
		tries++
		if tries == 1 && s.closer() || tries == mostTries {
			s.runTo(s.Looked + s.limit()/shareOfTry)
			return false
		}
		end = s.Looked + s.limit()/shareOfTry
	}
	return tries == 0
}

// mostTries bounds the ceilings after the limit, each of which may take a share of it.
const mostTries, shareOfTry = 4, 8

// maxCycles is more than any mapping takes that is worth a search.
const maxCycles = 1 << 62

// layered tells whether there are several stages, all with lists of their choices.
func (s *Search) layered() bool {
	for k := range s.stageCount {
		if !s.stages[k].listed {
			return false
		}
	}
	return s.stageCount > 1
}

// leastCycles is what any mapping takes at least.
func (s *Search) leastCycles() float64 {
	least := max(s.part.slowest, float64(s.p.Bounds.Product())/s.widest[s.Arch.Count])
	for k := range s.stageCount {
		g := &s.stages[k]
		low := math.Inf(1)
		for i := range g.pairs {
			low = min(low, g.pairs[i].cycles)
		}
		least = max(least, low)
	}
	return least + s.apartLeast
}
