package spatial

import (
	"math"
	"slices"
)

// The least that passes into the innermost level. Every step of the loops around it
// changes the tiles of all dataspaces that the innermost of those loops moves, which
// are two or three; only the third can stay.

// Levels above it that can have no loops have the same tile; with them it makes the
// inner group.

// trade is how many cycles a choice of tile and spread at the inner group takes at least,
// what passes into the group at least, and how many multipliers are at work: no other is
// better in all three.
type trade struct{ cycles, energy, parallel float64 }

// pair is such a choice.
type pair struct {
	tile, spread [Dims]uint32
	trade
}

// rank is where a pair stands among them.
type rank struct {
	cost cost
	at   int
}

// mostPairs bounds the choices that are looked at beforehand; with more there is no
// floor.
const mostPairs = 1 << 17

// group is the last level of the inner group.
func (a *Arch) group() int {
	g := 0
	for g+2 < a.Count && a.Levels[g+1].Time|a.Levels[g+1].AcrossX|a.Levels[g+1].AcrossY == 0 {
		g++
	}
	return g
}

// inner is the least energy of what passes into the inner group whose tile is t, spread
// over spread in space, and the fewest cycles of all that is computed from there.
func (s *Search) inner(t, spread *Factors) (energy, cycles float64) {
	p, a := s.p, s.Arch
	top, up := a.Count-1, &a.Levels[s.group+1]
	steps, all := 1.0, 1.0
	var rest [Dims]float64 // loops in time around the tile
	for d := range Dims {
		rest[d] = float64(p.Bounds[d] / (t[d] * spread[d]))
		steps *= rest[d]
		all *= float64(spread[d])
	}
	var tile, each, often, slid, here [Spaces]float64 // here: children's tiles below one instance
	var child, parent [Spaces]int
	first := 0.0
	for sp := range Space(Spaces) {
		often[sp] = 1
		if child[sp] = a.keeper(sp, s.group+1); child[sp] < 0 {
			continue
		}
		for parent[sp] = s.group + 1; !a.Levels[parent[sp]].Keep[sp]; {
			parent[sp]++
		}
		tile[sp] = float64(p.Words(sp, t))
		shared := 1.0
		for d := range Dims {
			if relevant[sp][d] {
				often[sp] *= rest[d]
				shared *= float64(spread[d])
			}
		}
		if sp == Inputs {
			shared = s.sharedInputs(t, spread)
		}
		if here[sp] = 1; s.together {
			here[sp] = shared
		}
		access := a.Levels[parent[sp]].AccessPJ[sp]
		each[sp] = all*(a.Levels[child[sp]].AccessPJ[sp]+up.NetworkPJ) + shared*access
		if sp == Outputs { // first sums are not read
			each[sp] += shared * access
			first = float64(p.Words(Outputs, &p.Bounds)) * s.widest[a.Count] / s.widest[parent[sp]+1] * access
		}
		slid[sp] = 1
	}
	if slid[Inputs] > 0 {
		w, h := p.axes(t)
		slid[Inputs] = math.Min(slides(rest[P], rest[R], t[P]*spread[P]*p.StrideP, t[R]*spread[R]*p.DilationR, w),
			slides(rest[Q], rest[S], t[Q]*spread[Q]*p.StrideQ, t[S]*spread[S]*p.DilationS, h))
	}
	wait := 0.0
	if up.Waits && slid[Weights] > 0 {
		for _, sp := range [...]Space{Weights, Inputs} {
			if up.Bus[sp] > 0 {
				wait = max(wait, tile[sp]*here[sp]/up.Bus[sp])
			}
		}
	}
	compute := float64(p.Bounds.Product()) / (all * s.widest[1])
	energy, cycles = math.Inf(1), math.Inf(1)
	for d := range Dims { // the innermost loop
		if rest[d] == 1 && steps > 1 {
			continue
		}
		e, c := -first, compute
		reads, writes, outer := 0.0, 0.0, 0.0
		for sp := range Space(Spaces) {
			n, part := often[sp], 1.0
			if relevant[sp][d] {
				n = steps
			}
			if sp == Weights {
				c += wait * n
			}
			if sp == Inputs && (!relevant[sp][d] || d < int(C)) {
				part = slid[sp]
				if n == 1 {
					part = 1
				}
			}
			e += tile[sp] * n * part * each[sp]
			words := tile[sp] * n * part * here[sp]
			if up.Bus[sp] > 0 {
				c = max(c, words/up.Bus[sp])
			}
			switch {
			case slid[sp] == 0:
			case parent[sp] == top:
				if l := &a.Levels[top]; sp == Weights || !l.Alternates && p.OuterBits[sp] == 0 {
					outer += words * p.outerBits(a, sp, 1)
				}
			case parent[sp] > s.group+1:
			case sp == Outputs:
				writes += words
			default:
				reads += words
			}
		}
		for _, v := range [...][2]float64{{reads, up.ReadBandwidth}, {writes, up.WriteBandwidth}, {outer, a.Levels[top].BitsPerCycle}} {
			if v[1] > 0 {
				c = max(c, v[0]/v[1])
			}
		}
		energy, cycles = math.Min(energy, e), math.Min(cycles, c)
	}
	return math.Max(0, energy), cycles
}

// sharedInputs is by how much the inputs of all children are more at least than those of
// one. Along columns and rows their tiles overlap; how much is known only where they lie
// next to one another.
func (s *Search) sharedInputs(t, spread *Factors) float64 {
	shared := float64(spread[C] * spread[N] * spread[G])
	if !s.together {
		return shared
	}
	p := s.p
	w, h := p.axes(t)
	for _, side := range [2]struct {
		length, first, second int64
		a, b                  Dim
	}{{w, t[P] * p.StrideP, t[R] * p.DilationR, P, R}, {h, t[Q] * p.StrideQ, t[S] * p.DilationS, Q, S}} {
		var x axis
		x.add(side.first, spread[side.a])
		x.add(side.second, spread[side.b])
		shared *= float64(x.union(side.length)) / float64(side.length)
	}
	return shared
}

// slides is the least part of a tile's length that is new when it moves along an axis.
// Where loops over both dimensions of the axis are left, they can cancel.
func slides(restOut, restKernel float64, stepOut, stepKernel, length int64) float64 {
	switch {
	case restOut > 1 && restKernel > 1:
		return 0
	case restOut > 1:
		return math.Min(1, float64(stepOut)/float64(length))
	case restKernel > 1:
		return math.Min(1, float64(stepKernel)/float64(length))
	}
	return 1
}

// findPairs lists the choices for the inner group, the best first, and the best trades
// among them.
func (s *Search) findPairs() {
	a := s.Arch
	s.pairs, s.trades, s.usePairs = s.pairs[:0], s.trades[:0], false
	if a.Count < 2 {
		return
	}
	s.around = 0
	for _, l := range a.Levels[s.group+1 : a.Count] {
		s.around |= l.AcrossX | l.AcrossY
	}
	// One level spreads the loops, next to the group.
	s.together = a.Levels[s.group+1].AcrossX|a.Levels[s.group+1].AcrossY == s.around
	for i := s.group + 2; i < a.Count; i++ {
		s.together = s.together && a.Levels[i].AcrossX|a.Levels[i].AcrossY == 0
	}
	s.t0, s.spread = Ones(), Ones()
	s.tryPairs(0, s.widest[a.Count]/s.widest[s.group+1])
	if len(s.pairs) >= mostPairs {
		s.pairs = s.pairs[:0]
		return
	}
	s.usePairs = s.together && a.Levels[s.group+1].FanoutY == 1 && a.Levels[s.group+1].AcrossX == s.around
}

// rank sorts the pairs for the pass at work and finds the best trades among them.
func (s *Search) rank() {
	s.ranks, s.trades = s.ranks[:0], s.trades[:0]
	for i := range s.pairs {
		x := &s.pairs[i]
		if c := s.pairCost(&x.trade); !s.found || c.less(s.bestCost) {
			s.ranks = append(s.ranks, rank{c, i})
		}
	}
	slices.SortFunc(s.ranks, func(x, y rank) int {
		switch {
		case x.cost.less(y.cost):
			return -1
		case y.cost.less(x.cost):
			return 1
		}
		return x.at - y.at
	})
	for i := range s.ranks {
		t := s.pairs[s.ranks[i].at].trade
		beaten := false
		for j := range s.trades {
			o := &s.trades[j]
			if beaten = o.cycles <= t.cycles && (s.timing || o.energy <= t.energy && (o.parallel <= t.parallel || s.Arch.CyclePJ == 0)); beaten {
				break
			}
		}
		if !beaten {
			s.trades = append(s.trades, t)
		}
	}
}

// pairCost is the least cost of a mapping with a pair, after what is chosen already.
func (s *Search) pairCost(t *trade) cost {
	return s.atLeast(s.part.energy+s.floor[1]+t.energy, t.parallel, t.cycles)
}

func (s *Search) tryPairs(d Dim, wide float64) {
	if len(s.pairs) >= mostPairs {
		return
	}
	if d == Dims {
		x := pair{trade: trade{parallel: float64(s.spread.Product())}}
		x.energy, x.cycles = s.inner(&s.t0, &s.spread)
		for d := range Dims {
			x.tile[d], x.spread[d] = uint32(s.t0[d]), uint32(s.spread[d])
		}
		s.pairs = append(s.pairs, x)
		return
	}
	inside := s.inside[s.group+1]
	for _, x := range s.divisors[d] {
		if x > 1 && (!s.around.Has(d) || float64(x) > wide) || x > math.MaxUint32 {
			break
		}
		s.spread[d] = x
		for _, t := range s.divisors[d] {
			if t > 1 && !inside.Has(d) || t > math.MaxUint32 {
				break
			}
			if s.p.Bounds[d]%(x*t) != 0 {
				continue
			}
			if s.t0[d] = t; !s.roomyGroup(&s.t0) {
				break
			}
			s.tryPairs(d+1, wide/float64(x))
		}
		s.t0[d] = 1
	}
	s.spread[d] = 1
}

// roomyGroup tells whether the tiles of the inner group fit.
func (s *Search) roomyGroup(f *Factors) bool {
	for i := range s.group + 1 {
		if !s.roomy(i, f) {
			return false
		}
	}
	return true
}

// explorePairs chooses the loops of the level above the inner group.
func (s *Search) explorePairs(i int, rest *Factors) {
	l, c := &s.Arch.Levels[i], &s.choice[i]
next:
	for j := range s.ranks {
		x := &s.pairs[s.ranks[j].at]
		if !s.more(i, 0) {
			return
		}
		if s.found {
			if s.worseFrom(j) {
				return
			}
			if !s.pairCost(&x.trade).less(s.bestCost) {
				continue
			}
		}
		for d := range Dim(Dims) {
			made := int64(x.tile[d]) * int64(x.spread[d])
			if rest[d]%made != 0 {
				continue next
			}
			if c.time[d], c.x[d] = rest[d]/made, int64(x.spread[d]); c.time[d] > 1 && !l.Time.Has(d) {
				continue next
			}
		}
		if !s.found || s.inAnyOrder(i, c).less(s.bestCost) {
			s.inOrders(i, c)
		}
	}
}

// fits tells whether a pair can be within rest.
func (x *pair) fits(rest *Factors) bool {
	for d := range Dims {
		if rest[d]%(int64(x.tile[d])*int64(x.spread[d])) != 0 {
			return false
		}
	}
	return true
}

// worseFrom tells whether neither a pair nor any that is ranked after it can beat the
// best, after what is chosen already.
func (s *Search) worseFrom(rank int) bool {
	least := s.ranks[rank].cost[0] // with nothing chosen
	spent := (s.part.energy - s.unspent) * below
	switch {
	case s.timing:
		return !s.pairCost(&s.pairs[s.ranks[rank].at].trade).less(s.bestCost)
	case s.Objective == EnergyDelay: // what is spent counts in each cycle
		least += spent * max(s.part.slowest, s.part.apart) * below
	default:
		least += spent
	}
	return least > s.bestCost[0]
}

// pairWithin is a bound of what has one of the pairs that fit rest, after what is chosen
// already: not below the best where there is none.
func (s *Search) pairWithin(rest *Factors) cost {
	for j := range s.ranks {
		if s.worseFrom(j) {
			break
		}
		x := &s.pairs[s.ranks[j].at]
		if c := s.pairCost(&x.trade); c.less(s.bestCost) && x.fits(rest) {
			if s.timing { // the others take as many cycles or more
				return c
			}
			return cost{}
		}
	}
	return cost{math.Inf(1), math.Inf(1)}
}

// traded is the least cost of a mapping of which energy outside the innermost level's
// transfers is known.
func (s *Search) traded(energy float64) cost {
	best := cost{math.Inf(1), math.Inf(1)}
	for i := range s.trades {
		t := &s.trades[i]
		c := s.atLeast(energy+t.energy, t.parallel, t.cycles)
		best[0], best[1] = min(best[0], c[0]), min(best[1], c[1])
	}
	return best
}
