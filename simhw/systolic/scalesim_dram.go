package systolic

import (
	"macroscope/simhw/design"
	"macroscope/workload"
)

// Bandwidths, in words a cycle, that SCALE-Sim assumes in its ideal mode.
const prefetchWords = 10

// traffic fills in the DRAM counts and the spans of cycles, by replaying the
// array's demands through the buffers where they overflow and by counting
// distinct words where they do not.
func (s *ScaleSim) traffic(r *ScaleSimResult, sh *shape) {
	d := demand{s: s, r: r, sh: sh}
	r.IfmapSRAM, r.FilterSRAM, r.OfmapSRAM = d.ifmapSpan(), d.filterSpan(), d.ofmapSpan()

	ifmapWords := workload.Touched(sh.h, sh.kh, sh.sh, 1, 0, sh.oh) * workload.Touched(sh.w, sh.kw, sh.sw, 1, 0, sh.ow) * sh.c
	ifmap := readBuffer{itemsPerSet: s.IfmapBytes / 100}
	filter := readBuffer{itemsPerSet: s.FilterBytes / 100}
	ifmapOK := ifmap.run(ifmapWords, sh.h*sh.w*sh.c, r.IfmapSRAMReads, d.ifmap)
	filterOK := filter.run(r.K*r.N, r.K*r.N, r.FilterSRAMReads, d.filter)
	ofmapOK := s.drain(r, &d)
	if r.DRAMKnown = ifmapOK && filterOK && ofmapOK; !r.DRAMKnown {
		return
	}
	r.IfmapDRAMReads, r.FilterDRAMReads = ifmap.reads, filter.reads
	r.IfmapDRAM, r.FilterDRAM = ifmap.span(), filter.span()
	r.TotalCyclesInclPrefetch = r.OfmapDRAM.Stop - min(r.IfmapDRAM.Start, r.FilterDRAM.Start)
}

// demand generates what the array asks of the buffers, in SCALE-Sim's order:
// column folds outside, row folds inside, cycle by cycle, and in one cycle
// from the first row or column to the last.
type demand struct {
	s  *ScaleSim
	r  *ScaleSimResult
	sh *shape
}

// address is the ifmap word under tap k of output pixel m, or −1 outside the
// image.
func (d *demand) address(m, k int64) int64 {
	sh := d.sh
	y, x := m/sh.ow*sh.sh, m%sh.ow*sh.sw
	line := sh.kw * sh.c
	ky, rest := k/line, k%line
	kx, ch := rest/sh.c, rest%sh.c
	if y+ky >= sh.h || x+kx >= sh.w {
		return -1
	}
	return ((y+ky)*sh.w+x+kx)*sh.c + ch
}

// rows and cols are how many of the array's rows and columns a fold uses.
func (d *demand) rows(fr int64) int64 {
	if fr == d.r.rowFolds-1 {
		return d.r.lastR
	}
	return d.s.Rows
}

func (d *demand) cols(fc int64) int64 {
	if fc == d.r.colFolds-1 {
		return d.r.lastC
	}
	return d.s.Cols
}

// eachFold calls f with each fold and its first cycle.
func (d *demand) eachFold(f func(fr, fc, start int64)) {
	start := int64(0)
	for fc := range d.r.colFolds {
		for fr := range d.r.rowFolds {
			f(fr, fc, start)
			start += d.r.foldTime
		}
	}
}

// skewed visits the words of an operand that streams T long into n lanes,
// lane i delayed by i cycles, from cycle lead of the fold on.
func (d *demand) skewed(lead, n int64, visit func(cycle, t, lane int64)) {
	for cyc := int64(0); cyc < d.r.T+n-1; cyc++ {
		for lane := max(cyc-d.r.T+1, 0); lane < min(n, cyc+1); lane++ {
			visit(lead+cyc, cyc-lane, lane)
		}
	}
}

// loaded visits the words of a stationary operand: the last of the R rows in
// the first cycle, the first row in cycle R−1.
func (d *demand) loaded(rows, cols int64, visit func(cycle, row, col int64)) {
	for row := rows - 1; row >= 0; row-- {
		for col := range cols {
			visit(d.s.Rows-1-row, row, col)
		}
	}
}

// ifmap visits every ifmap demand as (cycle, address).
func (d *demand) ifmap(visit func(cycle, addr int64)) {
	d.eachFold(func(fr, fc, start int64) {
		r0, c0 := fr*d.s.Rows, fc*d.s.Cols
		put := func(cyc, m, k int64) {
			if a := d.address(m, k); a >= 0 {
				visit(start+cyc, a)
			}
		}
		switch d.s.Dataflow {
		case design.OS:
			d.skewed(0, d.rows(fr), func(cyc, t, lane int64) { put(cyc, r0+lane, t) })
		case design.WS:
			d.skewed(d.s.Rows, d.rows(fr), func(cyc, t, lane int64) { put(cyc, t, r0+lane) })
		default:
			d.loaded(d.rows(fr), d.cols(fc), func(cyc, row, col int64) { put(cyc, c0+col, r0+row) })
		}
	})
}

// filter visits every filter demand as (cycle, address).
func (d *demand) filter(visit func(cycle, addr int64)) {
	n := d.r.N
	d.eachFold(func(fr, fc, start int64) {
		r0, c0 := fr*d.s.Rows, fc*d.s.Cols
		switch d.s.Dataflow {
		case design.OS:
			d.skewed(0, d.cols(fc), func(cyc, t, lane int64) { visit(start+cyc, t*n+c0+lane) })
		case design.WS:
			d.loaded(d.rows(fr), d.cols(fc), func(cyc, row, col int64) { visit(start+cyc, (r0+row)*n+c0+col) })
		default:
			d.skewed(d.s.Rows, d.rows(fr), func(cyc, t, lane int64) { visit(start+cyc, (r0+lane)*n+t) })
		}
	})
}

// firstRequest is the cycle in which an operand is first asked for.
func (d *demand) firstRequest(stationary bool, lastRows int64) int64 {
	if d.s.Dataflow == design.OS {
		return 0
	}
	if stationary { // rows that the first fold does not use are empty cycles
		return d.s.Rows - lastRows
	}
	return d.s.Rows
}

// The spans of buffer traffic. Reads are served one cycle after they are
// asked for.
func (d *demand) ifmapSpan() Span {
	first := d.firstRequest(d.s.Dataflow == design.IS, d.rows(0))
	last := first
	d.lastFold(func(start int64) {
		fr, fc := d.r.rowFolds-1, d.r.colFolds-1
		r0, c0 := fr*d.s.Rows, fc*d.s.Cols
		switch d.s.Dataflow {
		case design.OS:
			last = start + d.lastSkewed(d.rows(fr), func(t, lane int64) bool { return d.address(r0+lane, t) >= 0 })
		case design.WS:
			last = start + d.s.Rows + d.lastSkewed(d.rows(fr), func(t, lane int64) bool { return d.address(t, r0+lane) >= 0 })
		default:
			for row := range d.rows(fr) {
				for col := range d.cols(fc) {
					if d.address(c0+col, r0+row) >= 0 {
						last = start + d.s.Rows - 1 - row
						return
					}
				}
			}
		}
	})
	return Span{first + 1, last + 1}
}

func (d *demand) filterSpan() Span {
	first := d.firstRequest(d.s.Dataflow == design.WS, d.rows(0))
	last := int64(0)
	d.lastFold(func(start int64) {
		switch d.s.Dataflow {
		case design.OS:
			last = start + d.r.T - 1 + d.r.lastC - 1
		case design.WS:
			last = start + d.s.Rows - 1
		default:
			last = start + d.s.Rows + d.r.T - 1 + d.r.lastR - 1
		}
	})
	return Span{first + 1, last + 1}
}

func (d *demand) ofmapSpan() Span {
	if d.s.Dataflow == design.OS {
		// Outputs leave by the bottom edge, the last row first.
		first := d.r.T - 1 + d.s.Rows - d.rows(0)
		return Span{first, (d.r.Folds-1)*d.r.foldTime + d.r.T - 1 + d.s.Rows - 1 + d.r.lastC - 1}
	}
	lead := 2*d.s.Rows - 1
	return Span{lead, (d.r.Folds-1)*d.r.foldTime + lead + d.r.T - 1 + d.r.lastC - 1}
}

func (d *demand) lastFold(f func(start int64)) { f((d.r.Folds - 1) * d.r.foldTime) }

// lastSkewed is the last cycle of a skewed stream of n lanes that asks for a
// word inside the image.
func (d *demand) lastSkewed(n int64, inside func(t, lane int64) bool) int64 {
	for cyc := d.r.T + n - 2; cyc > 0; cyc-- {
		for lane := max(cyc-d.r.T+1, 0); lane < min(n, cyc+1); lane++ {
			if inside(cyc-lane, lane) {
				return cyc
			}
		}
	}
	return 0
}

// readBuffer is SCALE-Sim's double-buffered read memory with bandwidth
// estimation: fifty sets of itemsPerSet words. The words of the first filling
// are fetched ahead of the first request at prefetchWords a cycle; whenever
// fifty sets are full, all of them are forgotten.
type readBuffer struct {
	itemsPerSet int64

	reads       int64
	start, stop int64
}

// run counts the misses of a demand with the given number of distinct words
// and accesses, on addresses below limit. It reports false where the replay
// would take too long.
func (b *readBuffer) run(distinct, limit, accesses int64, each func(func(cycle, addr int64))) bool {
	capacity := 50 * b.itemsPerSet
	if b.itemsPerSet == 0 || distinct < capacity {
		b.reads = distinct
		sets := int64(0)
		if b.itemsPerSet > 0 {
			sets = ceil(distinct, b.itemsPerSet)
		}
		b.start, b.stop = -ceil(sets*b.itemsPerSet, prefetchWords), -1
		return true
	}
	if accesses > maxReplay || limit > maxAddresses {
		return false
	}
	// mark holds, by address, the filling in which it was last fetched.
	mark := make([]uint32, limit)
	filling, held := uint32(1), int64(0)
	first, lastFlush := int64(-1), int64(0)
	each(func(cycle, addr int64) {
		if first < 0 {
			first = cycle
		}
		if mark[addr] == filling {
			return
		}
		mark[addr] = filling
		b.reads++
		if held++; held == capacity {
			filling++
			held, lastFlush = 0, cycle
		}
	})
	b.start, b.stop = first-ceil(capacity, prefetchWords), lastFlush+1
	return true
}

func (b *readBuffer) span() Span { return Span{b.start, b.stop} }

// drain replays the ofmap buffer: words are collected into lines as wide as
// the array; when more than half of the buffer is full, half of it is written
// to DRAM, one line a cycle, the line under way being closed half-filled. Of a
// half-filled line in the middle of what is written, the empty words count.
func (s *ScaleSim) drain(r *ScaleSimResult, d *demand) bool {
	line := s.Cols
	half := s.OfmapBytes - (s.OfmapBytes+1)/2
	words := r.M * r.N
	if s.Dataflow != design.OS {
		words *= r.rowFolds
	}
	if words <= half {
		lines := ceil(words, line)
		r.OfmapDRAMWrites = words
		r.OfmapDRAM = Span{r.TotalCycles, r.TotalCycles + lines - 1}
		return true
	}
	if words > maxReplay || r.Folds*r.foldTime > maxReplay {
		return false
	}
	w := writeBuffer{line: line, half: half, total: s.OfmapBytes, free: s.OfmapBytes, start: -1}
	stall, last := int64(0), int64(0)
	d.ofmap(func(cycle, count int64) {
		now := cycle + stall
		end := w.put(now, count)
		stall += end - now
		last = end
	})
	// The trace goes on to the fold's last cycle, when the array is idle.
	r.StallCycles = stall
	if stall > 0 {
		r.TotalCycles += stall
	}
	w.finish(max(last, r.TotalCycles))
	r.OfmapDRAMWrites = w.written
	r.OfmapDRAM = Span{w.start, w.stop}
	return true
}

// ofmap visits every cycle that writes outputs, with their number.
func (d *demand) ofmap(visit func(cycle, count int64)) {
	d.eachFold(func(fr, fc, start int64) {
		cols := d.cols(fc)
		lead, n, skip := 2*d.s.Rows-1, d.r.T, int64(0)
		if d.s.Dataflow == design.OS {
			// R rows, the last one first; those that are not used come first.
			lead, n = d.r.T-1, d.s.Rows
			skip = d.s.Rows - d.rows(fr)
		}
		for cyc := skip; cyc < n+cols-1; cyc++ {
			// Column c writes row cyc − c, from skip to n−1.
			low, high := max(cyc-n+1, 0), min(cols-1, cyc-skip)
			visit(start+lead+cyc, high-low+1)
		}
	})
}

// writeBuffer is the state of drain.
type writeBuffer struct {
	line, half, total int64

	free     int64   // words, as SCALE-Sim counts them
	fill     int64   // words in the line under way
	lines    int64   // closed lines, first to last
	partial  []int64 // indices of lines closed half-filled
	fills    []int64 // and their words
	drained  int64   // lines written
	busyTill int64   // last cycle of the writing under way

	written, start, stop int64
}

// put takes count words in one cycle and returns the cycle in which the last
// is in.
func (w *writeBuffer) put(cycle, count int64) int64 {
	for range count {
		w.free--
		if w.fill++; w.fill == w.line {
			w.lines++
			w.fill = 0
		}
		if cycle < w.busyTill {
			if w.free <= 0 {
				cycle = w.busyTill
			}
		} else if w.free < w.total-w.half {
			w.close()
			w.busyTill = w.empty(cycle)
		}
	}
	return cycle
}

// close ends the line under way, full or not.
func (w *writeBuffer) close() {
	if w.fill > 0 {
		w.partial = append(w.partial, w.lines)
		w.fills = append(w.fills, w.fill)
		w.lines++
		w.fill = 0
	}
}

// empty writes half a buffer of lines from the given cycle on and returns the
// last cycle of it.
func (w *writeBuffer) empty(cycle int64) int64 {
	end := min(w.drained+ceil(w.half, w.line), w.lines)
	n := end - w.drained
	words := n * w.line
	for len(w.partial) > 0 && w.partial[0] < end {
		if w.partial[0] == end-1 { // only a last line's empty words are noticed
			words -= w.line - w.fills[0]
		}
		w.partial, w.fills = w.partial[1:], w.fills[1:]
	}
	w.written += words
	w.free += words
	w.drained = end
	if w.start < 0 {
		w.start = cycle
	}
	w.stop = max(w.stop, cycle+n-1)
	return cycle + n - 1
}

func (w *writeBuffer) finish(cycle int64) {
	w.close()
	for w.drained < w.lines {
		cycle = w.empty(cycle) + 1
	}
}
