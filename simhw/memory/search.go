package memory

import (
	"math"

	"macroscope/simhw/design"
)

// search goes through the orders of a problem's folds. For most it is enough to
// bound their time from below (plan.bound), which bounds their cost. An order whose bound
// is no better than the best found so far, or as good but for a tie, is passed over; and so
// are smaller groups of its kind, which move no less as long as the same things fit. The
// number of chunks that promises most is looked at first, so that little is left to do
// for others.
type search struct {
	plan plan
	best Result
	time float64
	cost cost // of the best
	rank int  // of the best, as chunked has it

	walked int // orders that were worked out fold by fold
}

func (s *search) run(p *Problem) (Result, bool) {
	s.walked = 0
	s.plan.init(p, 1)
	var list [maxCuts]chunked
	cuts := list[:1]
	cuts[0].chunks = 1
	s.promising(&cuts[0])
	// More chunks never make less of the work counted here, nor of the energy. So much is
	// enough for one; how much that takes is worth to know when others come near, and one
	// still promises most.
	enough := s.plan.cost(s.plan.most(cuts[0].bytes), 0, cuts[0].energy).first
	rough, closest := 0, 0 // the cuts of the least bounds
	for n := finer(p, 1); n > 0 && len(cuts) < maxCuts; n = finer(p, n) {
		m := chunk(&p.Map, n)
		work := s.plan.cost(float64(m.LeastCycles()), 0, s.plan.energy(n, &words{})).first
		if closest == 0 && s.walked == 0 && work > s.plan.cost(cuts[0].close, 0, cuts[0].energy).first {
			s.set(p, 1)
			s.walk(cuts[0].begin, beforeAll)
			enough = s.cost.first
		}
		if work > enough {
			break
		}
		s.set(p, n)
		cuts = list[:len(cuts)+1]
		c := &cuts[len(cuts)-1]
		c.chunks = n
		s.promising(c)
		if s.roughly(c).less(s.roughly(&cuts[rough])) {
			rough = len(cuts) - 1
		}
		if c.least.first < cuts[closest].least.first {
			closest = len(cuts) - 1
		}
	}
	// Of orders as good, one in the cut of the least rough bound is taken, or in the next
	// one after it.
	for i := range cuts {
		cuts[(rough+i)%len(cuts)].rank = i
	}
	s.cut(p, &cuts[closest])
	for i := range cuts {
		if at := (rough + i) % len(cuts); at != closest {
			s.cut(p, &cuts[at])
		}
	}
	return s.best, s.time < MaxCycles
}

// cut goes through the orders with a number of chunks, if they are worth it.
func (s *search) cut(p *Problem, c *chunked) {
	begin := c.rank
	if c.chunks == 1 {
		begin = beforeAll
	}
	if !s.worth(c.least, begin) {
		return
	}
	s.set(p, c.chunks)
	if s.worth(s.plan.cost(c.close, c.bytes, c.energy), begin) {
		s.walk(c.begin, begin)
	}
	var kinds [4]kind
	n := s.kinds(&kinds)
	for i := range kinds[:n] {
		k := &kinds[i]
		for o := k.largest; o.Group > k.above; o.Group = smaller(o.Group) {
			if o == c.begin {
				continue
			}
			b, energy := s.plan.bound(o)
			if !s.worth(s.plan.cost(b.kind, b.bytes, energy), c.rank) {
				break
			}
			if s.worth(s.plan.cost(b.close, b.bytes, energy), c.rank) {
				s.walk(o, c.rank)
			}
		}
	}
}

// beforeAll is the rank of the order that one chunk begins with.
const beforeAll = -1

// set makes the plan that of so many chunks.
func (s *search) set(p *Problem, chunks int64) {
	if s.plan.chunks != chunks {
		s.plan.init(p, chunks)
	}
}

// maxCuts bounds the number of ways to cut a stream.
const maxCuts = 24

// chunked is the order to begin with where there are so many chunks, its bounds, and the
// least that any order of them costs.
type chunked struct {
	chunks int64
	rank   int // among others that are as good, the lowest is taken
	begin  Order
	bounds
	energy float64
	least  cost
}

// finer is the next larger number of chunks: the chunks' length divided by its
// smallest prime factor, as long as that is small; 0 where it is not, and where the
// outputs stay in the array.
func finer(p *Problem, chunks int64) int64 {
	length := p.Map.T / chunks
	if p.Map.Dataflow == design.OS || length == 1 {
		return 0
	}
	for _, prime := range [...]int64{2, 3, 5, 7, 11, 13, 17, 19} {
		if length%prime == 0 {
			return chunks * prime
		}
	}
	return 0
}

// promising looks at the largest groups of every kind in the plan's chunks.
func (s *search) promising(c *chunked) {
	time, spent := math.Inf(1), math.Inf(1) // at least
	var roughly cost
	var kinds [4]kind
	n := s.kinds(&kinds)
	for i := range kinds[:n] {
		b, energy := s.plan.bound(kinds[i].largest)
		time, spent = min(time, b.kind), min(spent, energy)
		if rough := s.plan.cost(b.rough, b.bytes, energy); i == 0 || rough.less(roughly) {
			c.begin, c.bounds, c.energy, roughly = kinds[i].largest, b, energy, rough
		}
	}
	c.least = s.plan.cost(time, c.bytes, spent) // where bytes count, no order moves fewer
}

// roughly is the rough bound of what to begin with.
func (s *search) roughly(c *chunked) cost { return s.plan.cost(c.rough, c.bytes, c.energy) }

// worth tells whether an order of such a bound may be better than the best.
func (s *search) worth(b cost, rank int) bool {
	return s.walked == 0 || b.first < s.cost.first || b.first == s.cost.first && (b.tie < s.cost.tie*(1-rounding) || rank < s.rank && b.tie <= s.cost.tie*(1+rounding))
}

// kind is the orders along one axis whose groups are above one size and up to
// another, among which the same things fit.
type kind struct {
	largest Order
	above   int64
}

// kinds are those that together have all orders that can be the best. Groups of 1 are
// left out: they do what one group along the other axis does, and keep no more. So are
// groups of the only axis that has several folds: all of them do the same, and one
// group keeps most.
func (s *search) kinds(list *[4]kind) (n int) {
	m := &s.plan.p.Map
	if m.RowFolds == 1 || m.ColFolds == 1 {
		list[0] = kind{Order{By: Columns, Group: m.ColFolds}, m.ColFolds - 1}
		return 1
	}
	for _, by := range [2]Axis{Columns, Rows} {
		size := m.ColFolds
		if by == Rows {
			size = m.RowFolds
		}
		if fit := s.plan.fit(by); fit < size {
			list[n] = kind{Order{By: by, Group: size}, max(fit, 1)}
			n++
			for size > fit {
				size = smaller(size)
			}
		}
		if size > 1 {
			list[n] = kind{Order{By: by, Group: size}, 1}
			n++
		}
	}
	return n
}

// smaller is the size of groups next below: half; 0 below 1.
func smaller(size int64) int64 {
	if size == 1 {
		return 0
	}
	return (size + 1) / 2
}

// walk works an order out.
func (s *search) walk(o Order, rank int) {
	s.walked++
	s.plan.arrange(o)
	limit := math.Inf(1)
	if s.walked > 1 && s.plan.p.Objective == design.LeastCycles {
		limit = s.time
	}
	r, time, bytes, energy, ok := s.plan.run(limit)
	if !ok {
		return
	}
	c, b := s.plan.cost(time, bytes, energy), s.cost
	if s.walked == 1 || c.less(b) || c.first == b.first && rank < s.rank && c.tie <= b.tie*(1+rounding) {
		s.best, s.time, s.cost, s.rank = r, time, c, rank
	}
}
