package memory

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
	s.plan.init(p)
	s.walked = 0
	// The most promising order first: of each kind, the one with the largest groups.
	var kinds [4]kind
	first, bestBound, bestBytes := -1, 0.0, 0.0
	n := s.kinds(&kinds)
	for i := range kinds[:n] {
		k := &kinds[i]
		if bound, bytes := s.bound(k.largest); first < 0 || bound < bestBound || bound == bestBound && bytes < bestBytes {
			first, bestBound, bestBytes = i, bound, bytes
		}
	}
	s.walk(kinds[first].largest)
	for i := range kinds[:n] {
		k := &kinds[i]
		for o := k.largest; o.Group > k.above; o.Group = smaller(k.folds, o.Group) {
			if i == first && o == k.largest {
				continue
			}
			if bound, bytes := s.bound(o); bound > s.time || bound == s.time && bytes >= s.bytes*(1-rounding) {
				break
			}
			s.walk(o)
		}
	}
	return s.best, s.time < MaxCycles
}

// kind is the orders along one axis whose groups are above one size and up to
// another, among which the same things fit.
type kind struct {
	largest Order
	above   int64
	folds   int64 // along the axis
}

// kinds are those that together have all orders.
func (s *search) kinds(list *[4]kind) (n int) {
	m := &s.plan.p.Map
	for _, by := range [2]Axis{Columns, Rows} {
		folds := m.ColFolds
		if by == Rows {
			folds = m.RowFolds
		}
		size := folds
		// One by one is all at once along the other axis.
		if fit := s.plan.fit(by); fit < folds {
			list[n] = kind{Order{by, folds}, fit, folds}
			n++
			for size > max(fit, 0) {
				size = smaller(folds, size)
			}
		}
		if size > 0 {
			list[n] = kind{Order{by, size}, 0, folds}
			n++
		}
	}
	return n
}

// manyFolds is how many folds along an axis have all sizes of groups tried.
const manyFolds = 1 << 13

// smaller is the size of groups ⌈n/i⌉ next below size, itself such a size; 0 below 1.
// Of more than manyFolds it is half of it, so that a huge layer takes no huge time.
func smaller(n, size int64) int64 {
	if size == 1 {
		return 0
	}
	if n > manyFolds {
		return (size + 1) / 2
	}
	// The fewest groups with which one of less than size suffices.
	groups := (n + size - 2) / (size - 1)
	return (n + groups - 1) / groups
}

// bound gives the least time that an order can take, and its traffic in bytes.
func (s *search) bound(o Order) (time, bytes float64) {
	pl := &s.plan
	pl.arrange(o)
	t := pl.traffic()
	bytes = float64(pl.p.Map.Groups) * (t.reads + t.writes)
	return max(pl.work+pl.ends, bytes/pl.p.BytesPerCycle*(1-rounding)), bytes
}

// walk works an order out.
func (s *search) walk(o Order) {
	s.walked++
	s.plan.arrange(o)
	r, time, bytes := s.plan.run()
	if s.walked == 1 || time < s.time || time == s.time && bytes < s.bytes {
		s.best, s.time, s.bytes = r, time, bytes
	}
}
