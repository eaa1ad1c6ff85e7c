package spatial

import (
	"math"
	"slices"
)

// stage is a level that has loops, above the innermost, with the levels below it down to
// the next that has some: all of those hold the same tile. What passes into them, and in
// how many cycles, is bounded by that tile and by the loops in space around it, whatever
// the loops in time are. So the choices of a stage are listed before the search, the best
// first, and what is listed for the stages inside it bounds them closer. DRAM is a stage
// only where nothing else is.
type stage struct {
	up, low int // the level; the innermost of those that hold the tile
	pairs   []pair
	known   bool // pairs has all of them
	listed  bool // they are the choices of level up
	buckets []bucket

	ranks   []rank    // the pairs that can beat the best, a bucket after the other, the best first
	trades  []trade   // of those no other is better than in all three
	choices []choice  // within pairs of the next outer stage
	fitting []fitting // what of a bucket is within a tile:
	filled  *bucket
	tile    Factors

	floor    float64 // what Search.floor has for what passes into the stage's tiles
	aroundBy DimSet  // loops in space above level up
	spreader int     // the last level that has some, or up
}

// pair is a choice of a stage: the tile, and the loops in space of level up.
type pair struct {
	tile, across [Dims]uint32
	bucket       int32 // by the loops in space above level up
	inside       int32 // the next inner stage's bucket, or -1
	trade
	sums  float64 // see Search.sumReads
	waits float64 // cycles that changes of the weights take at least
	steps float64 // and what is computed
	wait  float64 // for inputs at each change of the weights in the next inner stage
	under trade   // what the stages inside add at least
	sure  bool    // the inner stage's choices from first to last are all

	first, last int32
}

// trade is how many cycles a choice takes at least, what passes into the stage's tiles at
// least, and how many multipliers are at work.
type trade struct{ cycles, energy, parallel float64 }

// rank is where a pair stands among those of its bucket that can beat the best.
type rank struct {
	cost cost
	at   int
}

// bucket is the pairs of a stage below the same loops in space.
type bucket struct {
	above    Factors
	from, to int // in ranks
}

// fitting is a pair that fits what is outside.
type fitting struct {
	rank  int
	under trade // see Search.underIn; parallel is 0 where it is not known yet
}

// choice is a pair within one of the next outer stage, which bounds it closer.
type choice struct {
	cost   cost
	at     int
	cycles float64
	energy float64
	more   float64 // of that, what is not the pair's own or of stages inside it
}

// spreading names a bucket.
type spreading struct {
	stage int
	above [Dims]uint32
}

// mostPairs bounds the choices of a stage that are looked at beforehand; with more there
// is no floor.
const mostPairs = 1 << 18

// mostChoices bounds what stages have of them.
const mostChoices = 1 << 20

// mostScanned bounds the pairs that are tried for one that fits.
const mostScanned = 1 << 10

// layStages finds the stages of an accelerator.
func (s *Search) layStages() {
	a := s.Arch
	s.stageOf[0] = -1
	s.stageCount = 0
	low := 0
	for i := 1; i < a.Count; i++ {
		l := &a.Levels[i]
		s.stageOf[i] = -1
		if top := i == a.Count-1; top && s.stageCount > 0 || !top && l.Time|l.AcrossX|l.AcrossY == 0 {
			continue
		}
		g := &s.stages[s.stageCount]
		g.up, g.low, g.floor, g.aroundBy, g.spreader = i, low, 0, 0, i
		for j := i + 1; j < a.Count; j++ {
			if across := a.Levels[j].across(); across != 0 {
				g.aroundBy |= across
				g.spreader = j
			}
		}
		s.stageOf[i] = s.stageCount
		s.stageCount++
		low = i
	}
	s.group = 0
	if a.Count > 1 {
		s.group = s.stages[0].up - 1
	}
}

// across is the loops that a level may have in space.
func (l *Level) across() DimSet {
	var d DimSet
	if l.FanoutX > 1 {
		d |= l.AcrossX
	}
	if l.FanoutY > 1 {
		d |= l.AcrossY
	}
	return d
}

// findPairs lists the choices of the stages.
func (s *Search) findPairs() {
	clear(s.spreadings)
	if s.spreadings == nil {
		s.spreadings = map[spreading]int32{}
	}
	fits := slices.Max(s.p.Bounds[:]) <= math.MaxUint32
	for k := range s.stageCount {
		g := &s.stages[k]
		g.pairs, g.buckets, g.trades, g.ranks = g.pairs[:0], g.buckets[:0], g.trades[:0], g.ranks[:0]
		s.tile, s.across, s.around = Ones(), Ones(), Ones()
		up := &s.Arch.Levels[g.up]
		if fits {
			s.tryPairs(k, 0, float64(up.FanoutX)*float64(up.FanoutY), s.widest[s.Arch.Count]/s.widest[g.up+1])
		}
		g.known = fits && len(g.pairs) < mostPairs
		g.listed = g.known && up.FanoutY == 1
		if !g.known {
			g.pairs, g.buckets = g.pairs[:0], g.buckets[:0]
			continue
		}
		least := math.Inf(1)
		for i := range g.pairs {
			least = min(least, g.pairs[i].energy)
		}
		if extra := least*below - g.floor; k > 0 && extra > 0 && !math.IsInf(extra, 1) {
			for i := g.up + 1; i <= s.Arch.Count; i++ {
				s.floor[i] += extra
			}
			g.floor += extra
		}
	}
}

func (s *Search) tryPairs(k int, d Dim, wide, around float64) {
	g := &s.stages[k]
	if len(g.pairs) >= mostPairs {
		return
	}
	if d == Dims {
		s.addPair(k)
		return
	}
	inside := s.loops[g.up]
	across := s.Arch.Levels[g.up].across()
	for _, x := range s.divisors[d] {
		if x > 1 && (!across.Has(d) || float64(x) > wide) {
			break
		}
		s.across[d] = x
		for _, o := range s.divisors[d] {
			if o > 1 && (!g.aroundBy.Has(d) || float64(o) > around) {
				break
			}
			if s.p.Bounds[d]%(x*o) != 0 {
				continue
			}
			s.around[d] = o
			for _, t := range s.divisors[d] {
				if t > 1 && !inside.Has(d) {
					break
				}
				if s.p.Bounds[d]%(x*o*t) != 0 {
					continue
				}
				if s.tile[d] = t; !s.roomyStage(g, &s.tile) {
					break
				}
				s.tryPairs(k, d+1, wide/float64(x), around/float64(o))
			}
			s.tile[d] = 1
		}
		s.around[d] = 1
	}
	s.across[d] = 1
}

// addPair adds t0 and spread below apart.
func (s *Search) addPair(k int) {
	g := &s.stages[k]
	x := pair{inside: -1}
	x.energy, x.cycles, x.wait, x.waits = s.inner(k, &s.tile, &s.across, &s.around, nil, 0, 0)
	x.parallel = float64(s.across.Product()) * float64(s.around.Product())
	x.steps = x.waits + float64(s.p.Bounds.Product())/(x.parallel*s.widest[g.low+1])
	x.sums = s.sumReads(addersIn(&s.across) * addersIn(&s.around) * s.adders[g.up])
	above, inner := spreading{stage: k}, spreading{stage: k - 1}
	for d := range Dims {
		x.tile[d], x.across[d], above.above[d] = uint32(s.tile[d]), uint32(s.across[d]), uint32(s.around[d])
		inner.above[d] = uint32(s.around[d] * s.across[d])
	}
	if k > 0 && s.stages[k-1].known {
		b, ok := s.spreadings[inner]
		if !ok { // no choice of the inner stage goes with it
			return
		}
		x.inside = b
	}
	b, ok := s.spreadings[above]
	if !ok {
		b = int32(len(g.buckets))
		g.buckets = append(g.buckets, bucket{above: s.around})
		s.spreadings[above] = b
	}
	x.bucket = b
	g.pairs = append(g.pairs, x)
}

// roomyStage tells whether the tiles of a stage fit.
func (s *Search) roomyStage(g *stage, f *Factors) bool {
	for i := g.low; i < g.up; i++ {
		if !s.roomy(i, f) {
			return false
		}
	}
	return true
}

// bucketOf is the stage's bucket below the loops in space that are chosen, nil where there
// is none.
func (s *Search) bucketOf(k int) *bucket {
	g := &s.stages[k]
	name := spreading{stage: k}
	for d := range Dims {
		name.above[d] = uint32(s.n.above[g.up][d])
	}
	if b, ok := s.spreadings[name]; ok {
		return &g.buckets[b]
	}
	return nil
}
