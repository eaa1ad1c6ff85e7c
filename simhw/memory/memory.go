// Package memory works out what a layer moves between DRAM and an
// accelerator's double-buffered memories, and what time that costs.
//
// A systolic array does a layer in folds (see package systolic). While one
// fold computes, DRAM delivers the words of the next one and takes the outputs
// of the one before, so fold i lasts
//
//	t(i) = max(compute(i), (reads(i+1) + writes(i−1)) / bandwidth)
//
// cycles, and the layer lasts ⌈reads(0)/bandwidth + Σ t(i)⌉ + ⌈writes(last)/bandwidth⌉:
// DRAM has a clock of its own, and what it could still move in the cycle in which a
// fold's words are there counts for the next one. What goes beyond the folds' own time is
// a stall, put down to the operand that moved most in it; each cause has the cycles that
// end in its share.
//
// Which words a fold reads depends on what the buffers still hold. A tensor that
// fits its buffer is fetched once; what a number of folds in turn come back to is
// fetched once for them if it fits half of the buffer, the other half taking what
// comes next. So the order of folds decides on the traffic; Run looks at all of
// Order's and takes the fastest, among those the one of the least traffic; or the one that
// has least of another objective.
// In each of them more bandwidth or a larger buffer costs no cycles, and a faster clock no
// time but what those two ends are rounded up, less than two of its cycles; and so in the
// fastest.
package memory

import (
	"macroscope/simhw/design"
	"macroscope/simhw/systolic"
)

// Cause is a reason for waiting.
type Cause int

// The causes of stalls; those before OnChip are all for DRAM's bandwidth.
const (
	IfmapRead  Cause = iota // reading inputs
	FilterRead              // reading weights
	Psum                    // partial sums that do not fit the ofmap buffer
	OfmapWrite              // writing outputs
	WriteBack               // writing the last fold's outputs, with nothing left to compute
	OnChip                  // buffers and buses on chip, of machines where those can be too narrow
	IfmapPort               // a systolic array's input buffer gives too few words a cycle,
	FilterPort              // its weight buffer,
	OfmapPort               // its output buffer takes and gives too few
	Causes                  // the number of causes
)

var causeNames = [Causes]string{"dram read of inputs", "dram read of weights", "dram traffic of partial sums", "dram write of outputs", "write-back of the last outputs", "buffers and buses on chip",
	"width of the ifmap buffer", "width of the filter buffer", "width of the ofmap buffer"}

// String describes the cause.
func (c Cause) String() string { return causeNames[c] }

// Axis is a direction in which a layer's folds are numbered.
type Axis uint8

const (
	Columns Axis = iota // column folds: other columns of the array's product
	Rows                // row folds
)

// Order says which folds follow one another. The folds along By are cut into
// groups of Group, the last one with what is left:
//
//	for each group along By
//	  for each fold along the other axis
//	    for each fold of the group
//
// With groups of 1 the other axis is inside, as with one group along that. Groups have all
// folds of the axis, half of them, a quarter, … down to 2, each rounded up; 1 where
// there is one.
//
// Where an operand is held in the array, all of that may be done for one of Chunks
// equal parts of what streams, then for the next: partial sums of a part are fewer,
// but weights (inputs in IS) enter the array again for each. A part's length is that
// of the stream, divided by its smallest prime factor up to 19 again and again.
type Order struct {
	By     Axis
	Group  int64
	Chunks int64 // at least 1
}

// Problem is one layer on one array with its memories. Words and bits are per
// group of a grouped convolution; the groups run one after the other.
type Problem struct {
	Map systolic.Mapping // of whole streams

	InputWords int64 // distinct input words
	LineWords  int64 // input words that let a sliding kernel fetch every row once

	OperandBits, AccumulatorBits, OutputBits int64
	WeightBits                               int64 // 0: OperandBits, which are the inputs' then

	IfmapBits, FilterBits, OfmapBits int64 // capacity of each buffer, both halves
	BytesPerCycle                    float64

	InputOnChip  bool // the inputs are in the ifmap buffer already
	OutputOnChip bool // the outputs stay in the ifmap buffer

	Objective design.Objective // what the best order has least of
	Prices    Prices           // for objectives with energy
}

// Prices is what a layer spends, in pJ. None is negative.
type Prices struct {
	Fixed float64 // with a stream in one chunk, but for what follows
	Chunk float64 // more for each further chunk, whose held operands enter the array again

	// Moving a word between DRAM and its buffer, the access to that included. Partial
	// sums cost the same each way.
	Ifmap, Filter, Psum, Ofmap float64

	Cycle float64 // for as long as the layer takes, such as leakage, by the cycle
}

// Result is a layer's DRAM traffic, in words of all groups, and its time.
type Result struct {
	IfmapReads, FilterReads int64
	PsumReads, PsumWrites   int64
	OfmapWrites             int64

	PrefetchCycles int64         // before the first fold
	StallCycles    int64         // the sum of Stalls
	Stalls         [Causes]int64 // by cause
	Order          Order         // that was chosen

	// Map is the array's work in that order: Problem.Map, where a stream is one
	// chunk, else as many products more as there are chunks.
	Map systolic.Mapping
}

// MaxCycles bounds the time that Run can return; beyond it, ok is false.
const MaxCycles = 1 << 60

// Run works a problem out in its best order. The layer takes Map.Cycles() with the
// result's Map, and what the result waits. ok is false where the time exceeds
// MaxCycles.
func Run(p *Problem) (r Result, ok bool) {
	var s search
	return s.run(p)
}
