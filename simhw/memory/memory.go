// Package memory works out what a layer moves between DRAM and an
// accelerator's double-buffered memories, and what time that costs.
//
// A systolic array does a layer in folds (see package systolic). While one
// fold computes, DRAM delivers the words of the next one and takes the outputs
// of the one before, so fold i lasts
//
//	t(i) = max(compute(i), ⌈(reads(i+1) + writes(i−1)) / bandwidth⌉)
//
// cycles, and the layer lasts ⌈reads(0)/bandwidth⌉ + Σ t(i) +
// ⌈writes(last)/bandwidth⌉. What goes beyond the folds' own time is a stall,
// put down to the operand that moved most in it.
//
// Which words a fold reads depends on what the buffers still hold; the order
// of folds that takes fewer cycles is chosen. A tensor that fits its buffer is
// fetched once; a part that is used by consecutive folds is fetched once for
// them if it fits half of the buffer, the other half taking the next part. So
// more bandwidth or a larger buffer never costs cycles.
package memory

import (
	"math"

	"macroscope/simhw/design"
	"macroscope/simhw/systolic"
)

// Cause is a reason for waiting.
type Cause int

// The causes of stalls, but for the last all for DRAM's bandwidth.
const (
	IfmapRead  Cause = iota // reading inputs
	FilterRead              // reading weights
	Psum                    // partial sums that do not fit the ofmap buffer
	OfmapWrite              // writing outputs
	WriteBack               // writing the last fold's outputs, with nothing left to compute
	OnChip                  // buffers and buses on chip, of machines where those can be too narrow
	Causes                  // the number of causes
)

var causeNames = [Causes]string{"dram read of inputs", "dram read of weights", "dram traffic of partial sums", "dram write of outputs", "write-back of the last outputs", "buffers and buses on chip"}

// String describes the cause.
func (c Cause) String() string { return causeNames[c] }

// Order says which folds follow one another.
type Order uint8

const (
	ColumnsOutside Order = iota // row folds inside: for each column fold all row folds
	RowsOutside                 // column folds inside
)

// Problem is one layer on one array with its memories. Words and bits are per
// group of a grouped convolution; the groups run one after the other.
type Problem struct {
	Map systolic.Mapping

	InputWords int64 // distinct input words
	LineWords  int64 // input words that let a sliding kernel fetch every row once

	OperandBits, AccumulatorBits, OutputBits int64

	IfmapBits, FilterBits, OfmapBits int64 // capacity of each buffer, both halves
	BytesPerCycle                    float64

	InputOnChip  bool // the inputs are in the ifmap buffer already
	OutputOnChip bool // the outputs stay in the ifmap buffer
}

// Result is a layer's DRAM traffic, in words of all groups, and its time.
type Result struct {
	IfmapReads, FilterReads int64
	PsumReads, PsumWrites   int64
	OfmapWrites             int64

	PrefetchCycles int64         // before the first fold
	StallCycles    int64         // the sum of Stalls
	Stalls         [Causes]int64 // by cause
	Order          Order
}

// MaxCycles bounds the time that Run can return; beyond it, ok is false.
const MaxCycles = 1 << 60

// tile is what one fold moves, in words, and its time.
type tile struct {
	ifmap, filter, psumIn, psumOut, out float64
	readBytes, writeBytes               float64
	compute                             int64
}

// plan is a problem with one order of folds, prepared for counting.
type plan struct {
	p     Problem
	order Order

	ifmapWhole, filterWhole bool // fits its buffer
	ifmapPart, filterPart   bool // what consecutive folds share fits half of it
	lines                   bool // consecutive row folds of OS share input lines
	spill                   bool // partial sums go to DRAM and back

	tiles [16]tile // by key
}

// Run works a problem out. ok is false where the time exceeds MaxCycles.
func Run(p *Problem) (r Result, ok bool) {
	var pl plan
	pl.init(p, ColumnsOutside)
	best, bestTime := pl.run()
	if p.Map.RowFolds > 1 && p.Map.ColFolds > 1 {
		pl.init(p, RowsOutside)
		if other, time := pl.run(); time < bestTime || time == bestTime && other.bytes(p) < best.bytes(p) {
			best, bestTime = other, time
		}
	}
	return best, bestTime < MaxCycles
}

// bytes is the DRAM traffic; less is better among equals in time.
func (r *Result) bytes(p *Problem) float64 {
	return float64(r.IfmapReads+r.FilterReads)*float64(p.OperandBits) +
		float64(r.PsumReads+r.PsumWrites)*float64(p.AccumulatorBits) + float64(r.OfmapWrites)*float64(p.OutputBits)
}

func (pl *plan) init(p *Problem, order Order) {
	*pl = plan{p: *p, order: order}
	m := &pl.p.Map
	input, weights := p.InputWords, m.K*m.N
	pl.ifmapWhole = p.InputOnChip || input*p.OperandBits <= p.IfmapBits
	pl.filterWhole = weights*p.OperandBits <= p.FilterBits
	pl.lines = p.LineWords*p.OperandBits <= p.IfmapBits/2

	half := func(words, bits, capacity int64) bool { return words <= capacity/2/bits }
	slice := min(m.Rows*m.Lanes, m.K) // products along K in one row fold of WS or IS
	switch m.Dataflow {
	case design.OS:
		pl.ifmapPart = half(min(input, m.Rows*m.K), p.OperandBits, p.IfmapBits)
		pl.filterPart = half(m.Cols*m.K, p.OperandBits, p.FilterBits)
	case design.WS:
		pl.ifmapPart = half(min(input, m.M*slice), p.OperandBits, p.IfmapBits)
		pl.spill = m.RowFolds > 1 && !pl.psumsFit(m.M*min(m.Cols, m.N), m.M*m.N)
	default:
		pl.filterPart = half(m.N*slice, p.OperandBits, p.FilterBits)
		pl.spill = m.RowFolds > 1 && !pl.psumsFit(m.N*min(m.Cols, m.M), m.M*m.N)
	}
	for key := range pl.tiles {
		if !possible(key&rowFirst != 0, key&rowLast != 0, m.RowFolds) || !possible(key&colFirst != 0, key&colLast != 0, m.ColFolds) {
			continue
		}
		pl.tiles[key] = pl.tile(key&rowFirst != 0, key&rowLast != 0, key&colFirst != 0, key&colLast != 0)
	}
}

// psumsFit tells whether partial sums stay on chip: those of one column fold
// where its row folds follow one another, else all of them.
func (pl *plan) psumsFit(columnFold, all int64) bool {
	if pl.order == ColumnsOutside {
		return columnFold <= pl.p.OfmapBits/2/pl.p.AccumulatorBits
	}
	return all <= pl.p.OfmapBits/pl.p.AccumulatorBits
}

// A fold's key tells whether it is the first or the last in either direction;
// folds of one key move equally much.
const (
	rowFirst = 1 << iota
	rowLast
	colFirst
	colLast
)

// possible tells whether some of n folds is the first and the last, or neither.
func possible(first, last bool, n int64) bool {
	if first && last {
		return n == 1
	}
	return n > 2 || n == 2 && (first || last)
}

// shared tells whether an operand is fetched by the first of the folds that
// use it only: it is whole, or those folds follow one another and the part
// that they share fits.
func (pl *plan) shared(whole, part bool, inside Order) bool {
	return whole || part && pl.order == inside
}

func (pl *plan) tile(firstRow, lastRow, firstCol, lastCol bool) tile {
	p, m := &pl.p, &pl.p.Map
	rows, cols := m.Rows, m.Cols
	if lastRow {
		rows = m.LastR
	}
	if lastCol {
		cols = m.LastC
	}
	depth := rows * m.Lanes // products along K of a WS or IS row fold
	if lastRow {
		depth = m.K - (m.RowFolds-1)*m.Rows*m.Lanes
	}
	input := float64(p.InputWords)
	part := func(share, lowered float64) float64 { // inputs of a fold
		if pl.ifmapWhole {
			return input * share
		}
		return min(input, lowered)
	}
	var t tile
	r, c, d := float64(rows), float64(cols), float64(depth)
	fm, fn, fk := float64(m.M), float64(m.N), float64(m.K)
	switch m.Dataflow {
	case design.OS:
		// A row fold's inputs serve all column folds, a column fold's weights
		// all row folds.
		if firstCol || !pl.shared(pl.ifmapWhole, pl.ifmapPart, RowsOutside) {
			if t.ifmap = part(r/fm, r*fk); pl.lines {
				t.ifmap = input * r / fm
			}
		}
		if firstRow || !pl.shared(pl.filterWhole, pl.filterPart, ColumnsOutside) {
			t.filter = fk * c
		}
		t.out = r * c
	case design.WS:
		// A row fold's slice of inputs serves all column folds; every fold has
		// its own weights.
		if firstCol || !pl.shared(pl.ifmapWhole, pl.ifmapPart, RowsOutside) {
			t.ifmap = part(d/fk, fm*d)
		}
		t.filter = d * c
		pl.sums(&t, fm*c, firstRow, lastRow)
	default:
		t.ifmap = part(d*c/(fk*fm), d*c)
		if firstCol || !pl.shared(pl.filterWhole, pl.filterPart, RowsOutside) {
			t.filter = d * fn
		}
		pl.sums(&t, fn*c, firstRow, lastRow)
	}
	if p.InputOnChip {
		t.ifmap = 0
	}
	if p.OutputOnChip {
		t.out = 0
	}
	operand, acc := float64(p.OperandBits)/8, float64(p.AccumulatorBits)/8
	t.readBytes = (t.ifmap+t.filter)*operand + t.psumIn*acc
	t.writeBytes = t.psumOut*acc + t.out*float64(p.OutputBits)/8
	t.compute = m.FoldCycles(rows, cols)
	return t
}

// sums sets the output traffic of a WS or IS fold that forms n sums.
func (pl *plan) sums(t *tile, n float64, firstRow, lastRow bool) {
	if lastRow {
		t.out = n
	}
	if pl.spill {
		if !firstRow {
			t.psumIn = n
		}
		if !lastRow {
			t.psumOut = n
		}
	}
}

func (pl *plan) cycles(bytes float64) float64 { return math.Ceil(bytes / pl.p.BytesPerCycle) }
