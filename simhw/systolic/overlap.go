package systolic

import "macroscope/simhw/design"

// beat is the steps of an array whose folds overlap. From its first fold on (OS: its
// second) the same lines cross its edges in the same steps of every period, as long as
// there are any: operands of one fold, words of the next one to be held, sums of one
// before. Steps count from the start of that fold.
//
// With F folds of T operands, L = R+C−2 steps from an operand's line to that of its
// sums, and periods of P steps, lines cross
//
//	chain  P = max(T, 2R−1)  operands of fold k in T steps from kP on, those held by fold
//	                         k+1 in R from kP+R−1 on, sums in T from kP+L on; before,
//	                         those held by the first fold in R steps
//	bus    P = max(T, R)     likewise, but held words one step before a fold's operands,
//	                         as far ahead as the fold before lets them: in R steps from
//	                         max((k+1)R−1, kP) on for fold k+1
//	OS     P = max(T, 2R−2)  operands of fold k+1 in T−1 steps from kP on and in the last
//	                         one of the period, finished sums of fold k in R from kP+L on;
//	                         before, the operands of the first fold in T steps
type beat struct {
	period, lead, end int64 // steps: of a period, before the first, from there to the layer's last
	leadTime          int64 // cycles that those before take
	spans             [6]span
	n                 int // spans in use

	// The steps in which there are operands and words to be held, up to here; words to
	// be held in each step of these first; sums from here on.
	inEnd, loadEnd, loadAlways, outBegin int64
	load                                 int64 // cycles of a line
}

// span is steps of a period in each of which a line crosses an edge.
type span struct {
	edge     edge
	from, to int64
	cycles   int64
}

// add puts n steps from one on into the period, if need be in two spans.
func (b *beat) add(e edge, from, n, cycles int64) {
	from %= b.period
	end := min(from+n, b.period)
	b.spans[b.n] = span{e, from, end, cycles}
	b.n++
	if n -= end - from; n > 0 {
		b.spans[b.n] = span{e, 0, n, cycles}
		b.n++
	}
}

// beat of a layer, in which folds overlap.
func (p *Mapping) beat() (b beat) {
	in, out, load := 1+p.Waits.In, 1+p.Waits.Out, 1+p.Waits.Load
	rows, folds := p.Rows, p.Folds()
	b.load, b.outBegin = load, rows+p.Cols-2
	switch {
	case p.Dataflow == design.OS:
		b.period, b.lead, b.leadTime = max(p.T, 2*rows-2), p.T, p.T*in
		b.inEnd = (folds - 1) * b.period
		b.end = b.inEnd + b.outBegin + rows
		b.add(edgeLeft, b.period-1, p.T, in) // the last one of the period before
		b.add(edgeOut, b.outBegin, rows, 1+p.Waits.Drain)
		return b
	case p.WeightLoad == design.LoadChain:
		b.period, b.lead = max(p.T, 2*rows-1), rows
		b.add(edgeTop, rows-1, rows, load)
	default:
		b.period, b.lead = max(p.T, rows), 1
		b.add(edgeTop, 0, rows, load)
		// How many folds' words follow one another without a break.
		close := folds
		if p.T > rows {
			close = min(1+ceil(rows-1, p.T-rows), folds)
		}
		b.loadAlways = close*rows - 1
	}
	b.leadTime = b.lead * load
	b.inEnd, b.loadEnd = folds*b.period, (folds-1)*b.period
	b.end = b.loadEnd + p.T + b.outBegin
	b.add(edgeLeft, 0, p.T, in)
	b.add(edgeOut, b.outBegin, p.T, out)
	return b
}

// cyclesInBeat is the layer's time.
func (p *Mapping) cyclesInBeat() int64 {
	b := p.beat()
	total := b.leadTime
	for step := int64(0); step < b.end; {
		next, edges, least := b.end, edge(0), int64(1)
		until := func(limit int64) bool {
			if step < limit {
				next = min(next, limit)
			}
			return step < limit
		}
		if until(b.inEnd) {
			edges |= edgeLeft
		}
		if until(b.loadEnd) {
			edges |= edgeTop
		}
		if until(b.loadAlways) {
			least = b.load
		}
		if !until(b.outBegin) {
			edges |= edgeOut
		}
		total += b.time(step, next, edges, least)
		step = next
	}
	return total
}

// foldInBeat is the time of a period that has everything.
func (p *Mapping) foldInBeat() int64 {
	b := p.beat()
	return b.time(0, b.period, edgeLeft|edgeTop|edgeOut, 1)
}

// time is how long steps take in which lines cross only some of the edges, each at least
// so many cycles.
func (b *beat) time(from, to int64, edges edge, least int64) (cycles int64) {
	if periods := (to - from) / b.period; periods > 1 {
		cycles = (periods - 1) * b.time(0, b.period, edges, least)
		from += (periods - 1) * b.period
	}
	for from < to {
		at, longest := from%b.period, least
		next := min(to-from+at, b.period)
		for i := range b.spans[:b.n] {
			switch s := &b.spans[i]; {
			case edges&s.edge == 0:
			case at < s.from:
				next = min(next, s.from)
			case at < s.to:
				next, longest = min(next, s.to), max(longest, s.cycles)
			}
		}
		cycles += (next - at) * longest
		from += next - at
	}
	return cycles
}
