package spatial

import (
	"math"
	"slices"
)

// The least that passes into the innermost level. Every step of the loops around it
// changes the tiles of all dataspaces that the innermost of those loops moves, which
// are two or three; only the third can stay.

// trade is a choice of tile and spread at the innermost level: none of the others is
// both faster and cheaper.
type trade struct{ parallel, energy float64 }

// mostTrades bounds the choices that trades looks at; with more it knows no floor.
const mostTrades = 1 << 20

// inner is the least energy of what passes into the innermost level whose tile is t,
// spread over spread in space.
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
	for sp := range Space(Spaces) {
		often[sp] = 1
		if !a.Levels[0].Keep[sp] {
			continue
		}
		parent := 1
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
		up := a.Levels[parent].AccessPJ[sp]
		each[sp] = all*a.Levels[0].AccessPJ[sp] + shared*up
		if sp == Outputs {
			each[sp] += shared * up // first sums, which are not read, are subtracted below
		}
		slid[sp] = 1
	}
	if slid[Inputs] > 0 {
		w, h := p.axes(t)
		slid[Inputs] = math.Min(slides(rest[P], rest[R], t[P]*spread[P]*p.StrideP, t[R]*spread[R]*p.DilationR, w),
			slides(rest[Q], rest[S], t[Q]*spread[Q]*p.StrideQ, t[S]*spread[S]*p.DilationS, h))
	}
	first := 0.0
	if a.Levels[0].Keep[Outputs] {
		parent := 1
		for !a.Levels[parent].Keep[Outputs] {
			parent++
		}
		first = float64(p.Words(Outputs, &p.Bounds)) * s.widest[a.Count] / s.widest[parent+1] * a.Levels[parent].AccessPJ[Outputs]
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

// findTrades lists the best trades between parallelism and inner's energy among all
// that the innermost level can have.
func (s *Search) findTrades() {
	s.trades = s.trades[:0]
	s.tried = 0
	if s.Arch.Count < 2 {
		return
	}
	s.around = 0
	for _, l := range s.Arch.Levels[1:s.Arch.Count] {
		s.around |= l.AcrossX | l.AcrossY
	}
	s.t0, s.spread = Ones(), Ones()
	s.tryTrades(0, s.widest[s.Arch.Count]/s.widest[1])
	if s.tried >= mostTrades {
		s.trades = s.trades[:0]
	}
	slices.SortFunc(s.trades, func(a, b trade) int {
		switch {
		case a.parallel > b.parallel || a.parallel == b.parallel && a.energy < b.energy:
			return -1
		case a == b:
			return 0
		}
		return 1
	})
	n, best := 0, math.Inf(1)
	for _, t := range s.trades {
		if t.energy < best {
			s.trades[n], best = t, t.energy
			n++
		}
	}
	s.trades = s.trades[:n]
}

func (s *Search) tryTrades(d Dim, wide float64) {
	if s.tried >= mostTrades {
		return
	}
	if d == Dims {
		s.tried++
		s.trades = append(s.trades, trade{float64(s.spread.Product()), s.inner(&s.t0, &s.spread)})
		return
	}
	inside := s.inside[1]
	for _, x := range s.divisors[d] {
		if x > 1 && (!s.around.Has(d) || float64(x) > wide) {
			break
		}
		s.spread[d] = x
		for _, t := range s.divisors[d] {
			if t > 1 && !inside.Has(d) {
				break
			}
			if s.p.Bounds[d]%(x*t) != 0 {
				continue
			}
			if s.t0[d] = t; !s.roomy(0, &s.t0) {
				break
			}
			s.tryTrades(d+1, wide/float64(x))
		}
		s.t0[d] = 1
	}
	s.spread[d] = 1
}

// traded is the least cost of a mapping of which energy outside the innermost level's
// transfers and a time are known.
func (s *Search) traded(energy, slowest float64) cost {
	best := cost{math.Inf(1), math.Inf(1)}
	macs := float64(s.p.Bounds.Product())
	for _, t := range s.trades {
		// What is below the innermost level is not in parallel.
		c := s.Objective.cost(energy+t.energy, math.Max(macs/(t.parallel*s.widest[1]), slowest))
		if c[0] < best[0] {
			best[0] = c[0]
		}
		if c[1] < best[1] {
			best[1] = c[1]
		}
	}
	return best
}
