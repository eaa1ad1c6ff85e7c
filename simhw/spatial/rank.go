package spatial

import (
	"math"
	"slices"
)

// Which choices of the stages can beat the best mapping found, and in which order they are
// tried.

// fit tells whether a pair can be within a tile of the stage outside.
func (x *pair) fit(tile *[Dims]uint32) bool {
	for d, t := range tile {
		if made := x.tile[d] * x.across[d]; made > 1 && t%made != 0 {
			return false
		}
	}
	return true
}

// narrower is what inner is of a choice of the next inner stage within a pair; time is the loops in time of
// that pair's level, nil where they are open.
func (s *Search) narrower(k int, x, q *pair, time *Factors) (energy, cycles float64) {
	var t, across Factors
	var shells [2]Factors
	for d := range Dims {
		t[d], across[d] = int64(q.tile[d]), int64(q.across[d])
		shells[0][d] = int64(x.tile[d] / (q.tile[d] * q.across[d]))
	}
	known := shells[:1]
	if time != nil {
		shells[1], known = *time, shells[:]
	}
	energy, cycles, _, _ = s.inner(k-1, &t, &across, &s.stages[k-1].buckets[x.inside].above, known, x.wait, x.waits)
	return energy, cycles
}

// underLeast is what is known of what the stages inside a pair add at least before any of
// their choices is looked at.
func (s *Search) underLeast(k int, x *pair) trade {
	return trade{energy: s.floor[s.stages[k].low+1] - s.floor[1] + x.sums}
}

// choose lists the choices of the next inner stage within a pair that can beat the best,
// and tells whether there are some.
func (s *Search) choose(k int, x *pair) bool {
	x.under, x.sure = s.underLeast(k, x), false
	if k == 0 || x.inside < 0 || !s.found {
		return true
	}
	g := &s.stages[k-1]
	from := len(g.choices)
	if from >= mostChoices {
		return true
	}
	b := &g.buckets[x.inside]
	x.under = trade{math.Inf(1), math.Inf(1), 0}
	floor := s.floor[g.low+1]
	for _, r := range g.ranks[b.from:b.to] {
		q := &g.pairs[r.at]
		if !q.fit(&x.tile) {
			continue
		}
		energy, cycles := s.narrower(k, x, q, nil)
		own := q.least(&q.under, floor-s.floor[1])
		more := max(0, energy-q.energy)
		c := choice{at: r.at, cycles: max(own.cycles, cycles), energy: own.energy + more, more: more}
		if c.cost = s.atLeast(s.part.energy+floor+c.energy, q.parallel, c.cycles); c.cost.less(s.bestCost) {
			g.choices = append(g.choices, c)
			x.under.cycles, x.under.energy = min(x.under.cycles, c.cycles), min(x.under.energy, floor-s.floor[1]+c.energy)
		}
	}
	x.sure, x.first, x.last = true, int32(from), int32(len(g.choices))
	slices.SortFunc(g.choices[from:], func(x, y choice) int {
		switch {
		case x.cost.less(y.cost):
			return -1
		case y.cost.less(x.cost):
			return 1
		}
		return x.at - y.at
	})
	return x.first < x.last
}

// rank sorts the pairs of the stages for the pass at work and finds the best trades
// among them.
func (s *Search) rank() {
	s.part.apart = s.apartLeast
	defer func() { s.part.apart = 0 }()
	for k := range s.stageCount {
		s.rankStage(k)
	}
}

func (s *Search) rankStage(k int) {
	g := &s.stages[k]
	g.ranks, g.trades, g.choices, g.filled = g.ranks[:0], g.trades[:0], g.choices[:0], nil
	if !g.known {
		return
	}
	for i := range g.pairs {
		x := &g.pairs[i]
		x.under = s.underLeast(k, x)
		if s.found && !s.pairCost(g, x).less(s.bestCost) {
			continue
		}
		if !s.choose(k, x) {
			continue
		}
		if c := s.pairCost(g, x); !s.found || c.less(s.bestCost) {
			g.ranks = append(g.ranks, rank{c, i})
		}
	}
	slices.SortFunc(g.ranks, func(x, y rank) int {
		switch {
		case x.cost.less(y.cost):
			return -1
		case y.cost.less(x.cost):
			return 1
		}
		return x.at - y.at
	})
	for i := range g.ranks {
		x := &g.pairs[g.ranks[i].at]
		t := x.least(&x.under, s.floor[g.low+1]-s.floor[1])
		beaten := false
		for j := range g.trades {
			o := &g.trades[j]
			if beaten = o.cycles <= t.cycles && (s.timing || o.energy <= t.energy && (o.parallel <= t.parallel || s.Arch.CyclePJ == 0)); beaten {
				break
			}
		}
		if !beaten {
			g.trades = append(g.trades, t)
		}
	}
	s.bucketRanks(g)
}

// bucketRanks puts the ranks of a bucket next to one another.
func (s *Search) bucketRanks(g *stage) {
	for i := range g.buckets {
		g.buckets[i].from, g.buckets[i].to = 0, 0
	}
	for i := range g.ranks {
		g.buckets[g.pairs[g.ranks[i].at].bucket].to++
	}
	at := 0
	for i := range g.buckets {
		b := &g.buckets[i]
		n := b.to
		b.from, b.to = at, at
		at += n
	}
	if len(g.buckets) == 1 {
		g.buckets[0].to = at
		return
	}
	s.unsorted = append(s.unsorted[:0], g.ranks...)
	for _, r := range s.unsorted {
		b := &g.buckets[g.pairs[r.at].bucket]
		g.ranks[b.to] = r
		b.to++
	}
}

// least is a pair's trade with what is under it, of whose energy inside is counted already.
func (x *pair) least(under *trade, inside float64) trade {
	return trade{max(x.cycles, under.cycles), x.energy + max(0, under.energy-inside), x.parallel}
}

// pairCost is the least cost of a mapping with a pair, after what is chosen already: of two
// pairs it is as their ranks are.
func (s *Search) pairCost(g *stage, x *pair) cost {
	inside := s.floor[g.low+1]
	t := x.least(&x.under, inside-s.floor[1])
	return s.atLeast(s.part.energy+inside+t.energy, t.parallel, t.cycles)
}

// pairCostOver is the same where more is known of what is inside, and with the waits of what
// is chosen already.
func (s *Search) pairCostOver(g *stage, x *pair, under *trade) cost {
	inside := s.floor[g.low+1]
	t := x.least(under, inside-s.floor[1])
	return s.atLeast(s.part.energy+inside+t.energy, t.parallel, s.afterWaits(x, t.cycles))
}

// afterWaits is the least cycles of a pair that has so many, with the waits of what is
// chosen already.
func (s *Search) afterWaits(x *pair, cycles float64) float64 {
	return max(cycles, s.part.waits+x.steps)
}

// traded is the least cost of a mapping of which energy outside the stage's transfers is
// known.
func (s *Search) traded(g *stage, energy float64) cost {
	best := cost{math.Inf(1), math.Inf(1)}
	for i := range g.trades {
		t := &g.trades[i]
		c := s.atLeast(energy+t.energy, t.parallel, t.cycles)
		best[0], best[1] = min(best[0], c[0]), min(best[1], c[1])
	}
	return best
}
