package memory

import "math"

// The folds of a layer are two nested loops. Along a loop of n folds only the
// two at either end differ in what they or their neighbours are; a run
// stands for the rest.
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

// at returns the fold at place (o, i) of the outer and inner loop.
func (pl *plan) at(o, i int64) *tile {
	row, col := i, o
	if pl.order == RowsOutside {
		row, col = o, i
	}
	m, key := &pl.p.Map, 0
	if row == 0 {
		key |= rowFirst
	}
	if row == m.RowFolds-1 {
		key |= rowLast
	}
	if col == 0 {
		key |= colFirst
	}
	if col == m.ColFolds-1 {
		key |= colLast
	}
	return &pl.tiles[key]
}

// sum collects a layer's traffic and time. Floating point holds every count
// exactly up to 2⁵³.
type sum struct {
	pl     *plan
	words  tile
	stalls [Causes]float64
	time   float64 // of the folds
}

// add accounts for times folds like t, each followed by next and preceded by
// prev (nil at the layer's ends).
func (s *sum) add(t, next, prev *tile, compute int64, times int64) {
	n := float64(times)
	w := &s.words
	w.ifmap += n * t.ifmap
	w.filter += n * t.filter
	w.psumIn += n * t.psumIn
	w.psumOut += n * t.psumOut
	w.out += n * t.out
	bytes := 0.0
	if next != nil {
		bytes += next.readBytes
	}
	if prev != nil {
		bytes += prev.writeBytes
	}
	wait := s.pl.cycles(bytes) - float64(compute)
	s.time += n * float64(compute)
	if wait > 0 {
		s.time += n * wait
		s.stalls[s.cause(next, prev)] += n * wait
	}
}

// cause names the operand that moved most during a fold.
func (s *sum) cause(next, prev *tile) Cause {
	var bytes [Causes]float64
	p := &s.pl.p
	operand, acc := float64(p.OperandBits), float64(p.AccumulatorBits)
	if next != nil {
		bytes[IfmapRead], bytes[FilterRead], bytes[Psum] = next.ifmap*operand, next.filter*operand, next.psumIn*acc
	}
	if prev != nil {
		bytes[Psum] += prev.psumOut * acc
		bytes[OfmapWrite] = prev.out * float64(p.OutputBits)
	}
	most := IfmapRead
	for c := range Causes {
		if bytes[c] > bytes[most] {
			most = c
		}
	}
	return most
}

// run counts all folds and returns the result with the layer's time.
func (pl *plan) run() (Result, float64) {
	m := &pl.p.Map
	outer, inner := m.ColFolds, m.RowFolds
	if pl.order == RowsOutside {
		outer, inner = inner, outer
	}
	s := sum{pl: pl}
	first, last := pl.at(0, 0), pl.at(outer-1, inner-1)
	lastTime := m.LastFoldCycles(m.LastR, m.LastC)
	var ob, ib [5]run
	for _, o := range runs(outer, &ob) {
		for _, i := range runs(inner, &ib) {
			t := pl.at(o.index, i.index)
			prev, next := last, first // of the group before and after
			isFirst, isLast := o.index == 0 && i.index == 0, o.index == outer-1 && i.index == inner-1
			if i.index > 0 {
				prev = pl.at(o.index, i.index-1)
			} else if o.index > 0 {
				prev = pl.at(o.index-1, inner-1)
			}
			if i.index < inner-1 {
				next = pl.at(o.index, i.index+1)
			} else if o.index < outer-1 {
				next = pl.at(o.index+1, 0)
			}
			g := m.Groups
			switch {
			case isFirst && isLast && g == 1:
				s.add(t, nil, nil, lastTime, 1)
			case isFirst && isLast:
				s.add(t, next, nil, t.compute, 1)
				s.add(t, next, prev, t.compute, g-2)
				s.add(t, nil, prev, lastTime, 1)
			case isFirst:
				s.add(t, next, nil, t.compute, 1)
				s.add(t, next, prev, t.compute, g-1)
			case isLast:
				s.add(t, next, prev, t.compute, g-1)
				s.add(t, nil, prev, lastTime, 1)
			default:
				s.add(t, next, prev, t.compute, o.times*i.times*g)
			}
		}
	}
	prologue, epilogue := pl.cycles(first.readBytes), pl.cycles(last.writeBytes)
	s.stalls[WriteBack] = epilogue
	total := prologue + s.time + epilogue + float64(m.LeadCycles())
	r := Result{Order: pl.order, IfmapReads: count(s.words.ifmap), FilterReads: count(s.words.filter),
		PsumReads: count(s.words.psumIn), PsumWrites: count(s.words.psumOut), OfmapWrites: count(s.words.out)}
	if total < MaxCycles {
		r.PrefetchCycles = int64(prologue)
		for c, v := range s.stalls {
			r.Stalls[c] = int64(v)
			r.StallCycles += r.Stalls[c]
		}
	}
	return r, total
}

// count makes a sum of shares the whole number that it stands for.
func count(v float64) int64 { return int64(math.Round(min(v, MaxCycles))) }
