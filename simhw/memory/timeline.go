package memory

import "math"

// The folds of a layer are three nested loops. Along a loop of n folds only the two
// at either end move something else, and so only they and their neighbours differ in
// what goes on beside them; a run stands for the rest.
type run struct{ index, times int64 }

func runs(n int64, buf *[5]run) []run {
	if n <= 5 {
		for i := range n {
			buf[i] = run{i, 1}
		}
		return buf[:n]
	}
	// The most first, so that a walk that takes too long is found out early.
	*buf = [5]run{{2, n - 4}, {0, 1}, {1, 1}, {n - 2, 1}, {n - 1, 1}}
	return buf[:]
}

// sum collects what a layer waits. Floating point holds every count exactly up to 2⁵³.
type sum struct {
	pl     *plan
	stalls [Causes]float64
	waits  float64 // the sum of stalls
	limit  float64 // more waits are too many
}

// nothing stands before the first fold and after the last.
var nothing tile

// add accounts for times folds of so many cycles, each followed by next and preceded
// by prev.
func (s *sum) add(next, prev *tile, compute, times int64) {
	move, work := (next.reads+prev.writes)/s.pl.p.BytesPerCycle, float64(compute)
	if move > work {
		wait := (math.Ceil(move) - work) * float64(times)
		s.waits += wait
		s.stalls[s.cause(next, prev)] += wait
	}
}

// cause names the operand that moved most during a fold.
func (s *sum) cause(next, prev *tile) Cause {
	pl := s.pl
	bytes := [Causes]float64{IfmapRead: next.ifmap * pl.inputBytes, FilterRead: next.filter * pl.weightBytes,
		Psum: (next.psumIn + prev.psumOut) * pl.accBytes, OfmapWrite: prev.out * pl.outBytes}
	most := IfmapRead
	for c := range Causes {
		if bytes[c] > bytes[most] {
			most = c
		}
	}
	return most
}

// size is the number of folds in group o.
func (pl *plan) size(o int64) int64 {
	if o == pl.outer-1 {
		return pl.lastInner
	}
	return pl.inner
}

// follower is what comes after a fold, how long the fold computes then, and how often
// that is so.
type follower struct {
	next           *tile
	compute, times int64
}

// run counts all folds in the order at hand and returns the result with the
// layer's time and traffic in bytes; ok is false where the time is above the limit.
func (pl *plan) run(limit float64) (r Result, time, bytes float64, ok bool) {
	m := &pl.p.Map
	s := sum{pl: pl, limit: limit - pl.work - pl.ends}
	first, firstLater := pl.at(0, 0, 0, false), pl.at(0, 0, 0, true)
	last := pl.at(pl.outer-1, pl.mid-1, pl.lastInner-1, false) // what it writes is the same later
	// Products that find nothing, and those that a chunk went before.
	groups, later := m.Groups, int64(0)
	if pl.again {
		groups = pl.all.Map.Groups
		later = m.Groups - groups
	}
	if !s.part(false, groups, &first, &firstLater, &last, later > 0) || later > 0 && !s.part(true, later, &first, &firstLater, &last, true) {
		return r, 0, 0, false
	}
	prologue, epilogue := pl.cycles(first.reads), pl.cycles(last.writes)
	s.stalls[WriteBack] = epilogue
	time = prologue + pl.work + s.waits + epilogue
	words := pl.traffic()
	r = Result{Order: pl.order, Map: *m, IfmapReads: count(words.ifmap), FilterReads: count(words.filter),
		PsumReads: count(words.psumIn), PsumWrites: count(words.psumOut), OfmapWrites: count(words.out)}
	r.Order.Chunks = pl.chunks
	if time < MaxCycles {
		r.PrefetchCycles = int64(prologue)
		for c, v := range s.stalls {
			r.Stalls[c] = int64(v)
			r.StallCycles += r.Stalls[c]
		}
	}
	return r, time, words.reads + words.writes, true
}

// after lists what follows the last fold of each of a part's n products: with chunks
// that find something (more), a first product is followed by a later one, and a later
// one by another, or by the first of the next group. The last of all is followed by
// nothing.
func (s *sum) after(later bool, n int64, first, firstLater *tile, more bool, compute int64) (list [3]follower) {
	m := &s.pl.p.Map
	end := follower{&nothing, m.LastFoldCycles(m.LastR, m.LastC), 1}
	switch {
	case later:
		groups := s.pl.all.Map.Groups
		return [3]follower{{firstLater, compute, n - groups}, {first, compute, groups - 1}, end}
	case more:
		return [3]follower{{firstLater, compute, n}}
	}
	return [3]follower{{first, compute, n - 1}, end}
}

// row is what the folds of an innermost loop move: the first, those between, the last.
type row struct{ begin, between, end tile }

func (pl *plan) row(o, i, size int64, later bool, r *row) {
	r.begin = pl.at(o, i, 0, later)
	r.between, r.end = r.begin, r.begin
	if size > 1 {
		r.end = pl.at(o, i, size-1, later)
	}
	if size > 2 {
		r.between = pl.at(o, i, 1, later)
	}
}

// part adds up the folds of n products, of which each finds the same; false: there is
// too much waiting.
func (s *sum) part(later bool, n int64, first, firstLater, last *tile, more bool) bool {
	pl := s.pl
	var ob, mb [5]run
	middle := runs(pl.mid, &mb)
	var rows [3]row // of the middle loop's first, of those between, of its last
	for _, o := range runs(pl.outer, &ob) {
		size := pl.size(o.index)
		pl.row(o.index, 0, size, later, &rows[0])
		if pl.mid > 1 {
			pl.row(o.index, pl.mid-1, size, later, &rows[2])
		}
		if pl.mid > 2 {
			pl.row(o.index, 1, size, later, &rows[1])
		}
		at := func(i int64) *row {
			switch i {
			case 0:
				return &rows[0]
			case pl.mid - 1:
				return &rows[2]
			}
			return &rows[1]
		}
		var above, below tile // of the outer loop's neighbours
		if o.index > 0 {
			above = pl.at(o.index-1, pl.mid-1, pl.inner-1, later)
		}
		if o.index < pl.outer-1 {
			below = pl.at(o.index+1, 0, 0, later)
		}
		for _, i := range middle {
			r := at(i.index)
			before, after := last, &below // of the product before
			isFirst, isLast := false, false
			switch {
			case i.index > 0:
				before = &at(i.index - 1).end
			case o.index > 0:
				before = &above
			default:
				isFirst = true
			}
			switch {
			case i.index < pl.mid-1:
				after = &at(i.index + 1).begin
			case o.index == pl.outer-1:
				isLast = true
			}
			times := o.times * i.times * n
			second, beforeLast := &r.end, &r.begin
			if size > 2 {
				second, beforeLast = &r.between, &r.between
				s.inside(r, size, times)
			}
			start := isFirst && !later // nothing goes before one of these products
			switch {
			case size == 1:
				beforeLast = before
			case start:
				s.add(second, &nothing, r.begin.compute, 1)
				s.add(second, before, r.begin.compute, times-1)
				start = false
			default:
				s.add(second, before, r.begin.compute, times)
			}
			if !isLast {
				s.final(follower{after, r.end.compute, times}, beforeLast, &start)
			} else {
				for _, f := range s.after(later, n, first, firstLater, more, r.end.compute) {
					s.final(f, beforeLast, &start)
				}
			}
			if s.waits > s.limit {
				return false
			}
		}
	}
	return true
}

// inside adds the folds of an innermost loop of more than two but for its ends.
func (s *sum) inside(r *row, size, times int64) {
	if size == 3 {
		s.add(&r.end, &r.begin, r.between.compute, times)
		return
	}
	s.add(&r.between, &r.begin, r.between.compute, times)
	s.add(&r.end, &r.between, r.between.compute, times)
	s.add(&r.between, &r.between, r.between.compute, times*(size-4))
}

// final adds the last folds of innermost loops; where start is set, one of them is the
// very first fold.
func (s *sum) final(f follower, prev *tile, start *bool) {
	if f.times == 0 {
		return
	}
	if *start {
		s.add(f.next, &nothing, f.compute, 1)
		f.times, *start = f.times-1, false
	}
	s.add(f.next, prev, f.compute, f.times)
}

// count makes a sum of shares the whole number that it stands for.
func count(v float64) int64 { return int64(math.Round(min(v, MaxCycles))) }
