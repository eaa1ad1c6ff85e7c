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

// run counts all folds in the order at hand and returns the result with the
// layer's time and traffic in bytes.
func (pl *plan) run() (r Result, time, bytes float64) {
	m := &pl.p.Map
	s := sum{pl: pl}
	first, last := pl.at(0, 0, 0), pl.at(pl.outer-1, pl.mid-1, pl.lastInner-1)
	lastTime := m.LastFoldCycles(m.LastR, m.LastC)
	var ob, mb, ib [5]run
	for _, o := range runs(pl.outer, &ob) {
		size := pl.size(o.index)
		inner := runs(size, &ib)
		for _, i := range runs(pl.mid, &mb) {
			// What the innermost loop's folds move: the first, those between, the last.
			begin := pl.at(o.index, i.index, 0)
			between, end := begin, begin
			if size > 1 {
				end = pl.at(o.index, i.index, size-1)
			}
			if size > 2 {
				between = pl.at(o.index, i.index, 1)
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
			before, after := last, first // of the convolution's group before and after
			isFirst, isLast := false, false
			switch {
			case i.index > 0:
				before = pl.at(o.index, i.index-1, size-1)
			case o.index > 0:
				before = pl.at(o.index-1, pl.mid-1, pl.inner-1)
			default:
				isFirst = true
			}
			switch {
			case i.index < pl.mid-1:
				after = pl.at(o.index, i.index+1, 0)
			case o.index < pl.outer-1:
				after = pl.at(o.index+1, 0, 0)
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
				g := m.Groups
				switch isFirst, isLast := isFirst && j.index == 0, isLast && j.index == size-1; {
				case isFirst && isLast && g == 1:
					s.add(&nothing, &nothing, lastTime, 1)
				case isFirst && isLast:
					s.add(next, &nothing, t.compute, 1)
					s.add(next, prev, t.compute, g-2)
					s.add(&nothing, prev, lastTime, 1)
				case isFirst:
					s.add(next, &nothing, t.compute, 1)
					s.add(next, prev, t.compute, g-1)
				case isLast:
					s.add(next, prev, t.compute, g-1)
					s.add(&nothing, prev, lastTime, 1)
				default:
					s.add(next, prev, t.compute, o.times*i.times*j.times*g)
				}
			}
		}
	}
	prologue, epilogue := pl.cycles(first.reads), pl.cycles(last.writes)
	s.stalls[WriteBack] = epilogue
	time = prologue + s.time + epilogue + float64(m.LeadCycles())
	words, g := pl.traffic(), float64(m.Groups)
	r = Result{Order: pl.order, IfmapReads: count(g * words.ifmap), FilterReads: count(g * words.filter),
		PsumReads: count(g * words.psumIn), PsumWrites: count(g * words.psumOut), OfmapWrites: count(g * words.out)}
	if time < MaxCycles {
		r.PrefetchCycles = int64(prologue)
		for c, v := range s.stalls {
			r.Stalls[c] = int64(v)
			r.StallCycles += r.Stalls[c]
		}
	}
	return r, time, g * (words.reads + words.writes)
}

// count makes a sum of shares the whole number that it stands for.
func count(v float64) int64 { return int64(math.Round(min(v, MaxCycles))) }
