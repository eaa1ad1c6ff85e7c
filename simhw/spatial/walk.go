package spatial

import (
	"math"

	"macroscope/simhw/design"
)

// explorePairs chooses the loops of a stage's level.
func (s *Search) explorePairs(k int, rest *Factors) {
	g := &s.stages[k]
	if o := s.outer[k]; o != nil && o.sure {
		floor := s.floor[g.low+1]
		for j := o.first; j < o.last; j++ {
			if !s.more(g.up, 0) {
				return
			}
			c := &g.choices[j]
			x := &g.pairs[c.at]
			if s.atLeast(s.part.energy+floor+c.energy, x.parallel, s.afterWaits(x, c.cycles)).less(s.bestCost) {
				s.explorePair(k, x, rest)
			}
		}
		return
	}
	b := s.bucketOf(k)
	if b == nil {
		return
	}
	s.shorten(g, b)
	if g.filled != b || g.tile != *rest {
		g.filled, g.tile, g.fitting = b, *rest, g.fitting[:0]
		for j := b.from; j < b.to; j++ {
			if g.pairs[g.ranks[j].at].fits(rest) {
				g.fitting = append(g.fitting, fitting{rank: j})
			}
		}
		s.Looked += int64(b.to-b.from) / scanned
	}
	for n := range g.fitting {
		f := &g.fitting[n]
		j := f.rank
		x := &g.pairs[g.ranks[j].at]
		if !s.more(g.up, 0) {
			return
		}
		if s.found {
			if s.worseFrom(g, j) {
				return
			}
			if !s.pairCostOver(g, x, &x.under).less(s.bestCost) {
				continue
			}
			if f.under.parallel == 0 {
				if f.under = x.under; k > 0 && x.sure {
					f.under = s.underIn(k, x, rest)
				}
				f.under.parallel = 1
			}
			if !s.pairCostOver(g, x, &f.under).less(s.bestCost) {
				continue
			}
		}
		s.explorePair(k, x, rest)
	}
}

// shorten drops what cannot beat the best any more from the end of a bucket.
func (s *Search) shorten(g *stage, b *bucket) {
	for s.found && b.to > b.from && !g.ranks[b.to-1].cost.less(s.bestCost) {
		b.to--
	}
}

// scanned is how many pairs are tried to fit in the time of a half-built mapping.
const scanned = 16

// explorePair goes on with a choice of a stage.
func (s *Search) explorePair(k int, x *pair, rest *Factors) {
	i := s.stages[k].up
	l, c := &s.Arch.Levels[i], &s.choice[i]
	*c = noLoops
	for d := range Dim(Dims) {
		c.time[d], c.x[d] = rest[d]/(int64(x.tile[d])*int64(x.across[d])), int64(x.across[d])
		if c.time[d] > 1 && !l.Time.Has(d) {
			return
		}
	}
	if s.found && !s.inAnyOrder(i, c).less(s.bestCost) {
		return
	}
	if k > 0 {
		s.outer[k-1] = x
	}
	s.inOrders(i, c)
}

// underIn is what the next inner stage adds at least to a pair with its loops in time, in
// whatever order those are.
func (s *Search) underIn(k int, x *pair, rest *Factors) trade {
	g := &s.stages[k-1]
	var time Factors
	for d := range time {
		time[d] = rest[d] / (int64(x.tile[d]) * int64(x.across[d]))
	}
	under := trade{cycles: math.Inf(1), energy: math.Inf(1)}
	for i := x.first; i < x.last; i++ {
		c := &g.choices[i]
		q := &g.pairs[c.at]
		energy, cycles := s.narrower(k, x, q, &time)
		under.cycles = min(under.cycles, max(c.cycles, cycles))
		under.energy = min(under.energy, s.floor[g.low+1]-s.floor[1]+c.energy+max(0, energy-q.energy-c.more))
	}
	s.Looked += int64(x.last-x.first+3) / 4
	return under
}

// fits tells whether a pair can be within rest.
func (x *pair) fits(rest *Factors) bool {
	for d := range Dims {
		if rest[d]%(int64(x.tile[d])*int64(x.across[d])) != 0 {
			return false
		}
	}
	return true
}

// worseFrom tells whether neither a pair nor any that is ranked after it can beat the
// best, after what is chosen already.
func (s *Search) worseFrom(g *stage, rank int) bool {
	least := g.ranks[rank].cost[0] // with nothing chosen
	spent := (s.part.energy - s.unspent) * below
	switch {
	case s.timing:
		return !s.pairCost(g, &g.pairs[g.ranks[rank].at]).less(s.bestCost)
	case s.Objective == design.EnergyDelay: // what is spent counts in each cycle
		least += spent * max(s.part.slowest, s.part.apart) * below
	default:
		least += spent
	}
	return least > s.bestCost[0]
}

// pairWithin is a bound of what has one of a stage's pairs that fit rest, after what is
// chosen already: not below the best where there is none.
func (s *Search) pairWithin(k int, rest *Factors) cost {
	b := s.bucketOf(k)
	if b == nil {
		return cost{math.Inf(1), math.Inf(1)}
	}
	g := &s.stages[k]
	s.shorten(g, b)
	for j := b.from; j < b.to; j++ {
		if s.worseFrom(g, j) {
			break
		}
		x := &g.pairs[g.ranks[j].at]
		c := s.pairCost(g, x)
		if s.timing && j-b.from >= mostScanned { // the others take as many cycles or more
			return c
		}
		if j-b.from >= mostScanned {
			return cost{}
		}
		if c.less(s.bestCost) && x.fits(rest) {
			if s.timing {
				return c
			}
			return cost{}
		}
	}
	return cost{math.Inf(1), math.Inf(1)}
}
