package spatial

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"macroscope/simhw/design"
)

// DimSet is a set of dimensions, a bit each.
type DimSet uint8

// AllDims has every dimension.
const AllDims DimSet = 1<<Dims - 1

// Has tells whether d is in the set.
func (s DimSet) Has(d Dim) bool { return s>>d&1 != 0 }

// ParseDims reads a set such as "RSC"; "-" is the empty one.
func ParseDims(text string) (DimSet, error) {
	if text == "-" {
		return 0, nil
	}
	s := DimSet(0)
	for _, r := range text {
		i := slices.Index([]rune(dimNames), r)
		if i < 0 || s.Has(Dim(i)) {
			return 0, fmt.Errorf("want letters of %s, each once, or - for none", dimNames)
		}
		s |= 1 << i
	}
	if s == 0 {
		return 0, fmt.Errorf("want letters of %s, each once, or - for none", dimNames)
	}
	return s, nil
}

// Search looks for the best mapping of a layer. Its memory is used again: once that has
// grown, a search allocates nothing.
//
// The space is every way to split each dimension into factors without remainder among
// the loops that Level.Time, AcrossX and AcrossY allow, in every order. It goes from
// the outermost level inwards. What passes between two levels depends only on the loops
// above the lower one, so a half-built mapping's cost so far is exact, and with the
// least that the levels below can add it bounds all its completions: those that cannot
// beat the best found are left out, choices of loops before they are ordered. Orders are
// left out that differ only in loops outside the ones after which no dataspace stays.
//
// What a level's loops cost at least, whatever is around them, is listed beforehand for each
// of the levels below the outermost, the best first (see stage); these lists are the
// choices, and choices of an outer level that no inner one goes with are left out.
//
// The space grows with the buffers and with the children below them, and no mapping gets
// slower with them or with bandwidth. So by Objective Cycles none of these ever costs
// time, if the first pass, which looks for the fewest cycles alone, comes to its end.
type Search struct {
	Arch      *Arch
	Objective design.Objective

	// Limit is the number of half-built and whole mappings to look at, 0 for
	// DefaultLimit; by Objective Cycles twice as many, half of them for the energy, and up to
	// as many again where none is found in the first half. A search that reaches it has
	// the best of those (Complete is false), or a mapping with all loops as far out as they
	// may be.
	Limit int64

	Looked   int64   // half-built and whole mappings
	Complete bool    // every mapping was looked at or ruled out
	Fastest  bool    // by Objective Cycles: none takes fewer, even where the search is not Complete
	Fast     Mapping // by Objective Cycles: the first of the fastest, whatever its energy

	p        *Problem
	fewer    Arch    // Arch without some of its loops, see closer
	timing   bool    // only cycles count
	within   float64 // the most cycles that a mapping may take
	n        nest
	m        Mapping
	best     Mapping
	bestCost cost
	found    bool
	until    int64
	half     int64 // Looked when half of what is left until then is used up
	stopped  bool  // the limit was reached
	cut      bool  // a list of choices was cut short
	better   bool  // the best is another than when the stages were listed
	again    int64 // Looked from where that is a reason to start anew
	anew     bool  // and to do so now
	result   Result
	divisors [Dims][]int64
	floor    [MaxLevels + 1]float64 // least energy of what passes below level i's children
	widest   [MaxLevels + 1]float64 // most children of levels below i
	adders   [MaxLevels + 1]float64 // most children of levels below i that sum up the same outputs
	sumPJ    float64                // of reading a sum at the innermost level, 0 where that is not known
	sumLeast float64                // what floor has for that
	part     partial
	unspent  float64 // part's energy before any choice
	lists    [MaxLevels][]candidate
	turns    [MaxLevels][]candidate // one of them in its orders
	choice   [MaxLevels]candidate
	rest     [MaxLevels]Factors    // what a level and those inside it must make
	left     [MaxLevels]Factors    // what a choice leaves to those inside
	loops    [MaxLevels + 1]DimSet // loops that levels below i may have

	stages     [MaxLevels]stage // the innermost first
	stageCount int
	stageOf    [MaxLevels]int   // of which a level's loops are, or -1
	group      int              // the last level of the innermost tile
	step       float64          // see Search.stepLeast
	apartLeast float64          // cycles for the words that must pass while nothing is computed
	outer      [MaxLevels]*pair // the next outer stage's choice at work, if it is listed
	spreadings map[spreading]int32
	unsorted   []rank
	tile       Factors // a choice of a stage that is being listed: tile,
	across     Factors // loops in space of its level
	around     Factors // and above that
}

// DefaultLimit is a few seconds of search.
const DefaultLimit = 1 << 23

// candidate is a choice of loops at one level.
type candidate struct {
	time, x, y Factors
	order      [Dims]Dim
	bound      cost
}

var noLoops = candidate{time: Ones(), x: Ones(), y: Ones(), order: DefaultOrder()}

var errNone = errors.New("no split of the layer's loops fits the buffers")

// Find searches the best mapping of a problem; both have passed their checks. The
// result is Arch.Evaluate's.
func (s *Search) Find(p *Problem, m *Mapping, r *Result) error {
	if s.Arch.Timeloop { // its counts can be less than the words that a floor is made of
		return errors.New("the search counts words exactly, not in Timeloop's way")
	}
	s.start(p)
	if top := s.Arch.Count - 1; !s.roomy(top, &p.Bounds) {
		return fmt.Errorf("level %s does not hold the layer", s.Arch.Levels[top].Name)
	}
	s.timing = s.Objective == design.LeastCycles
	if s.timing {
		s.Complete = s.fewestCycles()
	} else {
		s.Complete = s.run()
	}
	s.Fastest = s.timing && s.Complete
	if !s.found && !s.Complete {
		s.outermost()
	}
	if !s.found {
		if !s.Complete {
			return fmt.Errorf("no mapping among the first %d that fits the buffers", s.Looked)
		}
		return errNone
	}
	if s.timing {
		s.Fast = s.best
		s.leastEnergy()
	}
	s.end(m, r)
	return nil
}

// FindAgain is Find by Objective Cycles after a Find of the same problem on an
// accelerator that differed in energies alone: fast and fastest are the Fast and Fastest
// that it left, and the outcome is what Find would leave.
func (s *Search) FindAgain(p *Problem, fast *Mapping, fastest bool, m *Mapping, r *Result) {
	s.start(p)
	s.found, s.best, s.Fast, s.Fastest = true, *fast, *fast, fastest
	s.leastEnergy()
	s.end(m, r)
}

func (s *Search) start(p *Problem) {
	s.p, s.found, s.Looked = p, false, 0
	s.m, s.within = Empty(), math.Inf(1)
	s.prepare()
}

// leastEnergy looks for it among the mappings as fast as the best.
func (s *Search) leastEnergy() {
	s.Arch.Evaluate(s.p, &s.best, &s.result)
	s.timing, s.within = false, float64(s.result.Cycles)
	s.bestCost = s.cost(s.result.EnergyPJ, s.within)
	s.Complete = s.run() && s.Fastest
}

func (s *Search) end(m *Mapping, r *Result) {
	*m = s.best
	s.Arch.Evaluate(s.p, m, r)
}

// run goes over the space and tells whether it came to the end.
func (s *Search) run() bool { return s.runTo(s.Looked + s.limit()) }

func (s *Search) runTo(until int64) bool {
	s.until, s.half, s.again = until, s.Looked+(until-s.Looked)/2, math.MaxInt64
	if !s.timing && s.layered() {
		s.again = s.Looked + max(s.limit()/firstAgain, leastAgain)
	}
	for {
		s.stopped, s.cut, s.better, s.anew = false, false, false, false
		s.outer = [MaxLevels]*pair{}
		s.rank()
		s.explore(s.Arch.Count-1, &s.p.Bounds)
		if !s.anew {
			return !s.stopped && !s.cut
		}
		s.again = s.Looked + max(s.limit()/nextAgain, leastAgain)
	}
}

// With several stages, a search whose best has become better goes on from the start after
// these shares of its limit: what is listed then for the stages is less and bounds closer.
// Listing them takes long, and what was looked at is looked at again, so that a search
// which may look at few goes on instead.
const firstAgain, nextAgain, leastAgain = 32, 4, 1 << 16

func (s *Search) limit() int64 {
	if s.Limit > 0 {
		return s.Limit
	}
	return DefaultLimit
}

func (s *Search) prepare() {
	p, a := s.p, s.Arch
	for d, b := range p.Bounds {
		list := s.divisors[d][:0]
		for f := int64(1); f <= b/f; f++ {
			if b%f == 0 {
				list = append(list, f)
				if f != b/f {
					list = append(list, b/f)
				}
			}
		}
		slices.Sort(list)
		s.divisors[d] = list
	}
	s.widest[0], s.adders[0] = 1, 1
	for i := range a.Count {
		l := &a.Levels[i]
		s.widest[i+1] = s.widest[i] * float64(l.FanoutX) * float64(l.FanoutY)
		s.adders[i+1] = s.adders[i]
		if l.AcrossX&(1<<R|1<<S|1<<C) != 0 {
			s.adders[i+1] *= float64(l.FanoutX)
		}
		if l.AcrossY&(1<<R|1<<S|1<<C) != 0 {
			s.adders[i+1] *= float64(l.FanoutY)
		}
	}
	s.layStages()
	s.floor, s.sumPJ, s.sumLeast = [MaxLevels + 1]float64{}, 0, 0
	for sp := range Space(Spaces) {
		s.floors(sp)
	}
	for i := range a.Count {
		l := &a.Levels[i]
		s.loops[i+1] = s.loops[i] | l.Time | l.AcrossX | l.AcrossY
	}
	s.part = partial{parallel: 1}
	s.step = s.stepLeast()
	s.outerLeast()
	s.innerLeast()
	s.part.energy = float64(p.Bounds.Product()) * (a.MACPJ + a.CyclePJ) // each needs a multiplier for a cycle
	s.unspent = s.part.energy
	s.n.n = len(s.n.loops)
	s.n.start[a.Count] = s.n.n
	s.n.tile[a.Count] = p.Bounds
	s.n.tile[0] = Ones()
	s.n.above[a.Count-1] = Ones()
	s.findPairs()
}

// explore chooses the loops of level i; rest is what they and those inside must make.
func (s *Search) explore(i int, rest *Factors) {
	s.choice[i] = noLoops
	if k := s.stageOf[i]; k >= 0 && s.stages[k].listed {
		s.explorePairs(k, rest)
		return
	}
	s.left[i] = Ones()
	s.lists[i] = s.split(i, 0, rest, &s.choice[i], s.lists[i][:0])
	list := s.lists[i]
	if i > 0 {
		slices.SortFunc(list, byBound)
	}
	for j := range list {
		c := &list[j]
		if s.stopped || i > 0 && s.found && !c.bound.less(s.bestCost) {
			break
		}
		if i > 0 {
			s.inOrders(i, c)
			continue
		}
		before, start := s.part, s.n.start[i]
		s.take(i, c)
		s.whole()
		s.part, s.n.start[i] = before, start
	}
}

func byBound(a, b candidate) int {
	switch {
	case a.bound.less(b.bound):
		return -1
	case b.bound.less(a.bound):
		return 1
	}
	return 0
}

// inOrders goes on with a choice of level i in each order that makes a difference.
func (s *Search) inOrders(i int, c *candidate) {
	s.turns[i] = s.expand(i, c, s.turns[i][:0])
	turns := s.turns[i]
	slices.SortFunc(turns, byBound)
	before, start := s.part, s.n.start[i]
	for j := range turns {
		t := &turns[j]
		if s.stopped || s.found && !t.bound.less(s.bestCost) {
			return
		}
		s.take(i, t)
		s.advance(i)
		s.rest[i-1] = s.n.tile[i]
		s.explore(i-1, &s.rest[i-1])
		s.part, s.n.start[i] = before, start
	}
}

// whole evaluates a mapping that is built.
func (s *Search) whole() {
	s.Arch.Evaluate(s.p, &s.m, &s.result)
	c := s.cost(s.result.EnergyPJ, float64(s.result.Cycles))
	if !s.found && !math.IsInf(c[0], 1) || c.less(s.bestCost) {
		s.found, s.better, s.best, s.bestCost = true, true, s.m, c
	}
}

// split goes over the factors of dimension d and on.
func (s *Search) split(i int, d Dim, rest *Factors, c *candidate, list []candidate) []candidate {
	if !s.more(i, len(list)) {
		return list
	}
	l := &s.Arch.Levels[i]
	if d == Dims {
		return s.offer(i, c, list)
	}
	usedX, usedY := c.x.Product(), c.y.Product()
	for _, x := range s.divisors[d] {
		if x > 1 && (!l.AcrossX.Has(d) || x > l.FanoutX/usedX) {
			break
		}
		if rest[d]%x != 0 {
			continue
		}
		c.x[d] = x
		for _, y := range s.divisors[d] {
			if y > 1 && (!l.AcrossY.Has(d) || y > l.FanoutY/usedY) {
				break
			}
			if rest[d]%(x*y) != 0 {
				continue
			}
			c.y[d] = y
			for _, t := range s.divisors[d] {
				if t > 1 && !l.Time.Has(d) {
					break
				}
				left := rest[d] / (x * y)
				if left%t != 0 || left != t && !s.loops[i].Has(d) {
					continue
				}
				// Tiles only grow with the dimensions that are still open.
				if s.left[i][d] = left / t; i > 0 && !s.roomy(i-1, &s.left[i]) {
					continue
				}
				c.time[d] = t
				list = s.split(i, d+1, rest, c, list)
			}
			c.time[d], s.left[i][d] = 1, 1
		}
		c.y[d] = 1
	}
	c.x[d] = 1
	return list
}

// mostListed bounds the choices of a level that are kept at a time.
const mostListed = 1 << 18

// more counts a step of the search and tells whether choices of level i may still be
// listed. Those of the outermost level leave half of the limit for what is inside.
func (s *Search) more(i, listed int) bool {
	if s.Looked++; s.Looked >= s.until {
		s.stopped = true
	} else if s.Looked >= s.again && s.better {
		s.stopped, s.anew = true, true
	}
	if listed >= mostListed || i == s.Arch.Count-1 && i > 0 && !s.found && s.Looked > s.half {
		s.cut = true
		return false
	}
	return !s.stopped
}

// offer appends a choice of loops, whatever their order, if its bound is below the best.
func (s *Search) offer(i int, c *candidate, list []candidate) []candidate {
	if i == 0 { // what is inside are the multipliers
		c.bound = cost{}
		return append(list, *c)
	}
	if s.stageOf[i] >= 0 && s.found && !s.promising(i, c) {
		return list
	}
	if c.bound = s.inAnyOrder(i, c); !s.found || c.bound.less(s.bestCost) {
		list = append(list, *c)
	}
	return list
}

// inAnyOrder is the bound of a choice of loops in whatever order.
func (s *Search) inAnyOrder(i int, c *candidate) cost {
	before, start := s.part, s.n.start[i]
	s.order(c)
	s.take(i, c)
	b := s.bound(s.advanceAtLeast(i, 0))
	if k := s.stageInside(i); k >= 0 && s.stages[k].listed && s.found && b.less(s.bestCost) {
		c := s.pairWithin(k, &s.n.tile[i])
		b = cost{max(b[0], c[0]), max(b[1], c[1])}
	}
	s.part, s.n.start[i] = before, start
	return b
}

// promising tells whether a choice that leaves a stage's tile can beat the best, whatever
// the order.
func (s *Search) promising(i int, c *candidate) bool {
	g := &s.stages[s.stageOf[i]]
	var across Factors
	here := 1.0
	for d := range Dims {
		across[d] = c.x[d] * c.y[d]
		here *= float64(across[d])
	}
	energy, cycles, _, _ := s.inner(s.stageOf[i], &s.left[i], &across, &s.n.above[i], nil, 0, s.part.waits)
	energy += s.sumReads(addersIn(&across) * addersIn(&s.n.above[i]) * s.adders[i])
	return s.atLeast(s.part.energy+s.floor[g.low+1]+energy, s.part.parallel*here, cycles).less(s.bestCost)
}

// stageInside is the outermost stage inside level i, or -1.
func (s *Search) stageInside(i int) int {
	k := s.stageCount - 1
	for k >= 0 && s.stages[k].up >= i {
		k--
	}
	return k
}

// roomy tells whether the tiles of a level fit.
func (s *Search) roomy(level int, f *Factors) bool {
	bits, room := s.Arch.held(s.p, level, f)
	return bits <= room
}
