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
	*buf = [5]run{{0, 1}, {1, 1}, {2, n - 4}, {n - 2, 1}, {n - 1, 1}}
	return buf[:]
}

// sum collects a layer's time. Floating point holds every count exactly up to 2⁵³.
type sum struct {
	pl     *plan
	stalls [Causes]float64
	time   float64 // of the folds
}

// nothing stands before the first fold and after the last.
var nothing tile

// add accounts for times folds of so many cycles, each followed by next and preceded
// by prev.
func (s *sum) add(next, prev *tile, compute, times int64) {
	n := float64(times)
	wait := s.pl.cycles(next.reads+prev.writes) - float64(compute)
	s.time += n * float64(compute)
	if wait > 0 {
		s.time += n * wait
		s.stalls[s.cause(next, prev)] += n * wait
	}
}

// cause names the operand that moved most during a fold.
func (s *sum) cause(next, prev *tile) Cause {
	pl := s.pl
	bytes := [Causes]float64{IfmapRead: next.ifmap * pl.operandBytes, FilterRead: next.filter * pl.operandBytes,
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
// layer's time and traffic in bytes.
func (pl *plan) run() (r Result, time, bytes float64) {
	m := &pl.p.Map
	s := sum{pl: pl}
	first, firstLater := pl.at(0, 0, 0, false), pl.at(0, 0, 0, true)
	last := pl.at(pl.outer-1, pl.mid-1, pl.lastInner-1, false) // what it writes is the same later
	// Products that find nothing, and those that a chunk went before.
	groups, later := m.Groups, int64(0)
	if pl.again {
		groups = pl.all.Map.Groups
		later = m.Groups - groups
	}
	s.part(false, groups, &first, &firstLater, &last, later > 0)
	if later > 0 {
		s.part(true, later, &first, &firstLater, &last, true)
	}
	prologue, epilogue := pl.cycles(first.reads), pl.cycles(last.writes)
	s.stalls[WriteBack] = epilogue
	time = prologue + s.time + epilogue + float64(m.LeadCycles())
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
	return r, time, words.reads + words.writes
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

// part adds up the folds of n products, of which each finds the same.
func (s *sum) part(later bool, n int64, first, firstLater, last *tile, more bool) {
	pl := s.pl
	var ob, mb, ib [5]run
	for _, o := range runs(pl.outer, &ob) {
		size := pl.size(o.index)
		inner := runs(size, &ib)
		for _, i := range runs(pl.mid, &mb) {
			// What the innermost loop's folds move: the first, those between, the last.
			begin := pl.at(o.index, i.index, 0, later)
			between, end := begin, begin
			if size > 1 {
				end = pl.at(o.index, i.index, size-1, later)
			}
			if size > 2 {
				between = pl.at(o.index, i.index, 1, later)
			}
			at := func(j int64) *tile {
				switch j {
				case 0:
					return &begin
				case size - 1:
					return &end
				}
				return &between
			}
			before, after := *last, tile{} // of the product before and after
			isFirst, isLast := false, false
			switch {
			case i.index > 0:
				before = pl.at(o.index, i.index-1, size-1, later)
			case o.index > 0:
				before = pl.at(o.index-1, pl.mid-1, pl.inner-1, later)
			default:
				isFirst = true
			}
			switch {
			case i.index < pl.mid-1:
				after = pl.at(o.index, i.index+1, 0, later)
			case o.index < pl.outer-1:
				after = pl.at(o.index+1, 0, 0, later)
			default:
				isLast = true
			}
			for _, j := range inner {
				t, prev, next := at(j.index), &before, &after
				if j.index > 0 {
					prev = at(j.index - 1)
				}
				if j.index < size-1 {
					next = at(j.index + 1)
				}
				list := [3]follower{{next, t.compute, o.times * i.times * j.times * n}}
				if isLast && j.index == size-1 {
					list = s.after(later, n, first, firstLater, more, t.compute)
				}
				start := isFirst && j.index == 0 && !later // nothing goes before one of these
				for _, f := range list {
					if f.times > 0 && start {
						s.add(f.next, &nothing, f.compute, 1)
						f.times, start = f.times-1, false
					}
					if f.times > 0 {
						s.add(f.next, prev, f.compute, f.times)
					}
				}
			}
		}
	}
}

// count makes a sum of shares the whole number that it stands for.
func count(v float64) int64 { return int64(math.Round(min(v, MaxCycles))) }
