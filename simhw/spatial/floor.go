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

// trade is how fast a choice of tile and spread at the inner group can be and what
// passes into the group at least: none of the others is both faster and cheaper.
type trade struct{ parallel, energy float64 }

// pair is such a choice.
type pair struct {
	tile, spread [Dims]uint32
	trade
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
// over spread in space.
func (s *Search) inner(t, spread *Factors) float64 {
	p, a := s.p, s.Arch
	steps, all := 1.0, 1.0
	var rest [Dims]float64 // loops in time around the tile
	for d := range Dims {
		rest[d] = float64(p.Bounds[d] / (t[d] * spread[d]))
		steps *= rest[d]
		all *= float64(spread[d])
	}
	var tile, each, often, slid [Spaces]float64
	first := 0.0
	for sp := range Space(Spaces) {
		often[sp] = 1
		child := a.keeper(sp, s.group+1)
		if child < 0 {
			continue
		}
		parent := s.group + 1
		for !a.Levels[parent].Keep[sp] {
			parent++
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
		up := a.Levels[parent].AccessPJ[sp]
		each[sp] = all*(a.Levels[child].AccessPJ[sp]+a.Levels[s.group+1].NetworkPJ) + shared*up
		if sp == Outputs { // first sums are not read
			each[sp] += shared * up
			first = float64(p.Words(Outputs, &p.Bounds)) * s.widest[a.Count] / s.widest[parent+1] * up
		}
		slid[sp] = 1
	}
	if slid[Inputs] > 0 {
		w, h := p.axes(t)
		slid[Inputs] = math.Min(slides(rest[P], rest[R], t[P]*spread[P]*p.StrideP, t[R]*spread[R]*p.DilationR, w),
			slides(rest[Q], rest[S], t[Q]*spread[Q]*p.StrideQ, t[S]*spread[S]*p.DilationS, h))
	}
	least := math.Inf(1)
	for d := range Dims {
		if rest[d] == 1 && steps > 1 {
			continue
		}
		e := -first
		for sp := range Space(Spaces) {
			n, part := often[sp], 1.0
			if relevant[sp][d] {
				n = steps
			}
			if sp == Inputs && (!relevant[sp][d] || d < int(C)) {
				part = slid[sp]
				if n == 1 {
					part = 1
				}
			}
			e += tile[sp] * n * part * each[sp]
		}
		least = math.Min(least, e)
	}
	return math.Max(0, least)
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
	slices.SortFunc(s.pairs, func(x, y pair) int {
		switch {
		case x.parallel > y.parallel || x.parallel == y.parallel && x.energy < y.energy:
			return -1
		case x.trade == y.trade:
			return 0
		}
		return 1
	})
	best := math.Inf(1)
	for i := range s.pairs {
		if t := s.pairs[i].trade; t.energy < best {
			best = t.energy
			s.trades = append(s.trades, t)
		}
	}
	s.usePairs = s.together && a.Levels[s.group+1].FanoutY == 1 && a.Levels[s.group+1].AcrossX == s.around
	slices.SortFunc(s.pairs, func(x, y pair) int {
		switch cx, cy := s.pairCost(&x), s.pairCost(&y); {
		case cx.less(cy):
			return -1
		case cy.less(cx):
			return 1
		}
		return 0
	})
}

// pairCost is the least cost of a mapping with a pair.
func (s *Search) pairCost(x *pair) cost {
	cycles := float64(s.p.Bounds.Product()) / (x.parallel * s.widest[1])
	return s.atLeast(s.part.energy+s.floor[1]+x.energy, x.parallel, cycles)
}

func (s *Search) tryPairs(d Dim, wide float64) {
	if len(s.pairs) >= mostPairs {
		return
	}
	if d == Dims {
		x := pair{trade: trade{float64(s.spread.Product()), s.inner(&s.t0, &s.spread)}}
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

// fromPairs appends the choices of the level above the inner group.
func (s *Search) fromPairs(i int, rest *Factors, list []candidate) []candidate {
	l, c := &s.Arch.Levels[i], &s.choice[i]
	*c = candidate{time: Ones(), x: Ones(), y: Ones(), order: DefaultOrder()}
next:
	for j := range s.pairs {
		x := &s.pairs[j]
		if !s.more(i, len(list)) {
			return list
		}
		if s.found && !s.pairCost(x).less(s.bestCost) {
			continue
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
		if list = s.expand(i, c, list); s.seeding && len(list) > 0 {
			return list
		}
	}
	return list
}

// traded is the least cost of a mapping of which energy outside the innermost level's
// transfers is known.
func (s *Search) traded(energy float64) cost {
	best := cost{math.Inf(1), math.Inf(1)}
	macs := float64(s.p.Bounds.Product())
	for _, t := range s.trades {
		c := s.atLeast(energy+t.energy, t.parallel, macs/(t.parallel*s.widest[1]))
		if c[0] < best[0] {
			best[0] = c[0]
		}
		if c[1] < best[1] {
			best[1] = c[1]
		}
	}
	return best
}
