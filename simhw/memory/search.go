package memory

import (
	"math"

	"macroscope/simhw/design"
)

// search goes through the orders of a problem's folds. For most it is enough to
// bound their time from below: it is no less than the array's own with the first
// read and the last write, nor than what all words take at DRAM's bandwidth. An
// order whose bound is no better than the best time found so far, or as good but of
// no less traffic, is passed over; and so are smaller groups of its kind, which move
// no less as long as the same things fit.
type search struct {
	plan  plan
	best  Result
	time  float64
	bytes float64 // of the best

	walked int // orders that were worked out fold by fold
}

// rounding is what the bounds give way, so that sums in another order of
// additions are not passed over for it.
const rounding = 1e-9

func (s *search) run(p *Problem) (Result, bool) {
	s.walked = 0
	s.plan.init(p, 1)
	bound, bytes, order := s.promising()
	s.walk(order)
	// The most promising chunks next. More of them never make less work.
	var list [maxCuts]chunked
	cuts, first := append(list[:0], chunked{1, bound, bytes}), 0
	for n := finer(p, 1); n > 0 && len(cuts) < maxCuts; n = finer(p, n) {
		s.plan.init(p, n)
		if s.plan.work > s.time {
			break
		}
		c := chunked{chunks: n}
		c.bound, c.bytes, _ = s.promising()
		if cuts = append(cuts, c); c.before(&cuts[first]) {
			first = len(cuts) - 1
		}
	}
	for i := range cuts {
		c := &cuts[(first+i)%len(cuts)]
		if s.worth(c.bound, c.bytes) {
			s.plan.init(p, c.chunks)
			s.orders()
		}
	}
	return s.best, s.time < MaxCycles
}

// maxCuts bounds the number of ways to cut a stream.
const maxCuts = 24

// chunked is the best bound of all orders with a number of chunks.
type chunked struct {
	chunks       int64
	bound, bytes float64
}

func (c *chunked) before(o *chunked) bool {
	return c.bound < o.bound || c.bound == o.bound && c.bytes < o.bytes
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

// promising is the order with the best bound.
func (s *search) promising() (bound, bytes float64, best Order) {
	var kinds [4]kind
	n := s.kinds(&kinds)
	for i := range kinds[:n] {
		k := &kinds[i]
		if b, moved := s.bound(k.largest); best.Group == 0 || b < bound || b == bound && moved < bytes {
			bound, bytes, best = b, moved, k.largest
		}
	}
	return bound, bytes, best
}

// orders goes through the orders for the plan's chunks.
func (s *search) orders() {
	bound, bytes, first := s.promising()
	if s.worth(bound, bytes) {
		s.walk(first)
	}
	var kinds [4]kind
	n := s.kinds(&kinds)
	for i := range kinds[:n] {
		k := &kinds[i]
		for o := k.largest; o.Group > k.above; o.Group = smaller(o.Group) {
			if o == first {
				continue
			}
			if bound, bytes := s.bound(o); !s.worth(bound, bytes) {
				break
			}
			s.walk(o)
		}
	}
}

// worth tells whether an order of such bounds may be better than the best.
func (s *search) worth(bound, bytes float64) bool {
	return s.walked == 0 || bound < s.time || bound == s.time && bytes < s.bytes*(1-rounding)
}

// kind is the orders along one axis whose groups are above one size and up to
// another, among which the same things fit.
type kind struct {
	largest Order
	above   int64
}

// kinds are those that together have all orders.
func (s *search) kinds(list *[4]kind) (n int) {
	m := &s.plan.p.Map
	for _, by := range [2]Axis{Columns, Rows} {
		size := m.ColFolds
		if by == Rows {
			size = m.RowFolds
		}
		if fit := s.plan.fit(by); fit < size {
			list[n] = kind{Order{By: by, Group: size}, fit}
			n++
			for size > fit {
				size = smaller(size)
			}
		}
		if size > 0 {
			list[n] = kind{Order{By: by, Group: size}, 0}
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

// bound gives the least time that an order can take, and its traffic in bytes.
func (s *search) bound(o Order) (time, bytes float64) {
	pl := &s.plan
	pl.arrange(o)
	t := pl.traffic()
	bytes = t.reads + t.writes
	return max(pl.work+pl.ends, bytes/pl.p.BytesPerCycle*(1-rounding)), bytes
}

// walk works an order out.
func (s *search) walk(o Order) {
	s.walked++
	s.plan.arrange(o)
	limit := math.Inf(1)
	if s.walked > 1 {
		limit = s.time
	}
	r, time, bytes, ok := s.plan.run(limit)
	if ok && (s.walked == 1 || time < s.time || time == s.time && bytes < s.bytes) {
		s.best, s.time, s.bytes = r, time, bytes
	}
}
