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

// sum collects what a layer waits, in bytes that DRAM moves meanwhile. Floating point
// holds every count exactly up to 2⁵³.
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
func (s *sum) add(next, prev *tile, compute, times float64) {
	if over := next.reads + prev.writes - compute*s.pl.p.BytesPerCycle; over > 0 {
		over *= times
		s.waits += over
		s.stalls[s.cause(next, prev)] += over
	}
}

// cause names the operand that moved most during a fold.
func (s *sum) cause(next, prev *tile) Cause {
	pl, in, out := s.pl, &s.pl.fold[next.size], &s.pl.fold[prev.size]
	cause, most, sums := IfmapRead, 0.0, 0.0
	if next.moves&readsIfmap != 0 {
		most = in.ifmap * pl.inputBytes
	}
	if b := in.filter * pl.weightBytes; next.moves&readsFilter != 0 && b > most {
		cause, most = FilterRead, b
	}
	if next.moves&readsPsum != 0 {
		sums = in.sums
	}
	if prev.moves&writesPsum != 0 {
		sums += out.sums
	}
	if b := sums * pl.accBytes; b > most {
		cause, most = Psum, b
	}
	if prev.moves&writesOut != 0 && out.sums*pl.outBytes > most {
		cause = OfmapWrite
	}
	return cause
}

// size is the number of folds in group o.
func (pl *plan) size(o int64) int64 {
	if o == pl.outer-1 {
		return pl.lastInner
	}
	return pl.inner
}

// joints are the folds where products meet: their first fold, where nothing or a chunk
// went before, and their last. What that writes is the same for all.
type joints struct{ first, firstLater, last tile }

// run counts all folds in the order at hand and returns the result with the
// layer's time, traffic in bytes and energy but for what it spends by the cycle; ok is false
// where the time is above the limit.
func (pl *plan) run(limit float64) (r Result, time, bytes, energy float64, ok bool) {
	m := &pl.p.Map
	s := sum{pl: pl, limit: (limit-pl.work-pl.end)*pl.p.BytesPerCycle*(1+rounding) - pl.firstRead}
	var at joints
	pl.put(&at.first, 0, 0, 0, false)
	pl.put(&at.firstLater, 0, 0, 0, true)
	pl.put(&at.last, pl.outer-1, pl.mid-1, pl.lastInner-1, false)
	// Products that find nothing, and those that a chunk went before.
	groups, later := m.Groups, int64(0)
	if pl.again {
		groups = pl.groups
		later = m.Groups - groups
	}
	if !s.part(&at, false, groups) || later > 0 && !s.part(&at, true, later) {
		return r, 0, 0, 0, false
	}
	w := pl.traffic()
	reads, writes := pl.bytes(&w)
	r = Result{Order: pl.order, Map: *m, IfmapReads: count(w.ifmap), FilterReads: count(w.filter),
		PsumReads: count(w.psumIn), PsumWrites: count(w.psumOut), OfmapWrites: count(w.out)}
	r.Order.Chunks = pl.chunks
	// Each cause has the whole cycles that end in its share, so that the parts add up.
	waited := at.first.reads
	cycles := pl.cycles(waited)
	prefetch := cycles
	var stalls [Causes]float64
	for c, bytes := range s.stalls {
		waited += bytes
		end := pl.cycles(waited)
		stalls[c], cycles = end-cycles, end
	}
	stalls[WriteBack] = pl.end
	if time = pl.work + cycles + pl.end; time < MaxCycles {
		r.PrefetchCycles = int64(prefetch)
		for c, v := range stalls {
			r.Stalls[c] = int64(v)
			r.StallCycles += r.Stalls[c]
		}
	}
	return r, time, reads + writes, pl.energy(pl.chunks, &w), true
}

// row is what the folds of an innermost loop move: the first, those between, the last.
// One of two folds has nothing between; a single one is the first.
type row struct{ begin, between, end tile }

func (r *row) last(size int64) *tile {
	if size == 1 {
		return &r.begin
	}
	return &r.end
}

func (pl *plan) putRow(r *row, o, i, size int64, later bool) {
	pl.put(&r.begin, o, i, 0, later)
	if size > 1 {
		pl.put(&r.end, o, i, size-1, later)
	}
	if size > 2 {
		pl.put(&r.between, o, i, 1, later)
	}
}

// place tells a loop's first step, those between, and its last.
func place(i, n int64) int {
	switch i {
	case 0:
		return 0
	case n - 1:
		return 2
	}
	return 1
}

// part adds up the folds of n products, of which each finds the same; false: there is
// too much waiting.
func (s *sum) part(at *joints, later bool, n int64) bool {
	pl := s.pl
	var ob, mb [5]run
	middle := runs(pl.mid, &mb)
	var rows [3]row // by place in the middle loop
	known := -1     // the place in the outer loop that they are of
	var above, below tile
	for _, o := range runs(pl.outer, &ob) {
		size := pl.size(o.index)
		if p := place(o.index, pl.outer); p != known {
			known = p
			pl.putRow(&rows[0], o.index, 0, size, later)
			if pl.mid > 1 {
				pl.putRow(&rows[2], o.index, pl.mid-1, size, later)
			}
			if pl.mid > 2 {
				pl.putRow(&rows[1], o.index, 1, size, later)
			}
		}
		if o.index > 0 {
			pl.put(&above, o.index-1, pl.mid-1, pl.inner-1, later)
		}
		if o.index < pl.outer-1 {
			pl.put(&below, o.index+1, 0, 0, later)
		}
		for _, i := range middle {
			r := &rows[place(i.index, pl.mid)]
			end := r.last(size)
			before, after := &at.last, &below // of the product before
			isFirst, isLast := false, false
			switch {
			case i.index > 0:
				before = rows[place(i.index-1, pl.mid)].last(size)
			case o.index > 0:
				before = &above
			default:
				isFirst = true
			}
			switch {
			case i.index < pl.mid-1:
				after = &rows[place(i.index+1, pl.mid)].begin
			case o.index == pl.outer-1:
				isLast = true
			}
			times := float64(o.times * i.times * n)
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
			if isLast {
				s.ends(at, later, n, end.compute, beforeLast, start)
			} else {
				s.final(after, beforeLast, end.compute, times, &start)
			}
			if s.waits > s.limit {
				return false
			}
		}
	}
	return true
}

// inside adds the folds of an innermost loop of more than two but for its ends.
func (s *sum) inside(r *row, size int64, times float64) {
	if size == 3 {
		s.add(&r.end, &r.begin, r.between.compute, times)
		return
	}
	s.add(&r.between, &r.begin, r.between.compute, times)
	s.add(&r.end, &r.between, r.between.compute, times)
	s.add(&r.between, &r.between, r.between.compute, times*float64(size-4))
}

// ends adds the last folds of a part's n products: with chunks that find something, a
// first product is followed by a later one, and a later one by another, or by the first
// of the next group. The last of all is followed by nothing.
func (s *sum) ends(at *joints, later bool, n int64, compute float64, prev *tile, start bool) {
	m := &s.pl.p.Map
	switch {
	case later:
		groups := s.pl.groups
		s.final(&at.firstLater, prev, compute, float64(n-groups), &start)
		s.final(&at.first, prev, compute, float64(groups-1), &start)
	case n < m.Groups:
		s.final(&at.firstLater, prev, compute, float64(n), &start)
		return
	default:
		s.final(&at.first, prev, compute, float64(n-1), &start)
	}
	s.final(&nothing, prev, s.pl.last, 1, &start)
}

// final adds the last folds of innermost loops; where start is set, one of them is the
// very first fold.
func (s *sum) final(next, prev *tile, compute, times float64, start *bool) {
	if times == 0 {
		return
	}
	if *start {
		s.add(next, &nothing, compute, 1)
		times, *start = times-1, false
	}
	s.add(next, prev, compute, times)
}

// count makes a sum of shares the whole number that it stands for.
func count(v float64) int64 { return int64(math.Round(min(v, MaxCycles))) }
