// Package mactree models a machine after the convolution core of NVDLA: cells
// that multiply many channels at once and sum the products by a tree.
//
// Every cycle one position of the input, Channels values deep, goes to all
// Kernels cells; each multiplies it by the weights of one output channel and
// adds the sum to an accumulator. The weights stay for a stripe of outputs, while
// the next ones are loaded beside them; then come the next tap, the next
// channels, the next stripe, the next output channels, the next group.
//
// There are two sets of formulas: those of this machine, which a machine
// stepped cycle by cycle confirms (Array, Machine), and those of the vendor's
// own estimator, a spreadsheet (Sheet).
package mactree

import (
	"math"

	"macroscope/workload"
)

// Array is the core's geometry for one number format.
type Array struct {
	Channels int64 // input channels that a cell multiplies in a cycle
	Kernels  int64 // cells, output channels at once

	// StripeOutputs is the number of accumulators a cell has: the longest
	// stripe. Outputs are cut into as few stripes as that allows, of lengths
	// that differ by one at most.
	StripeOutputs int64

	// WeightLoadCycles is what it takes to bring all cells their next weights.
	WeightLoadCycles int64

	// PipelineCycles pass between an operand's entry and the accumulator.
	PipelineCycles int64

	// Winograd computes 3×3 layers of stride 1 by F(2×2, 3×3): a cell's
	// multipliers take the 16 products of Channels/16 channels, which make
	// four outputs. Channels must be a multiple of 16.
	Winograd bool
}

// Work is a layer on the core: its loops, counted.
type Work struct {
	Groups       int64
	KernelSteps  int64 // parts of a group's output channels
	ChannelSteps int64 // parts of its input channels
	Taps         int64 // positions of the kernel; 1 for Winograd
	Positions    int64 // outputs of a channel; tiles of four for Winograd
	Stripes      int64 // per KernelSteps

	Winograd bool
	Outputs  int64 // of a channel, whatever the positions
	K, C     int64 // output and input channels of a group

	array Array
}

func ceil(a, b int64) int64 { return (a + b - 1) / b }

// Map works out how a layer runs. Layers of kind Other have no work.
func (a *Array) Map(l *workload.Layer) Work {
	h, w := l.OutSize()
	wk := Work{Groups: l.GroupCount(), Taps: 1, array: *a}
	switch l.Kind {
	case workload.Conv:
		batch := max(int64(l.Batch), 1)
		wk.K, wk.C = int64(l.OutC)/wk.Groups, int64(l.C)/wk.Groups
		wk.Taps, wk.Outputs, wk.Positions = int64(l.KH)*int64(l.KW), batch*h*w, batch*h*w
		if a.Winograd && suits(l) {
			wk.Winograd, wk.Taps, wk.Positions = true, 1, batch*ceil(h, 2)*ceil(w, 2)
		}
	case workload.Gemm:
		wk.K, wk.C, wk.Outputs, wk.Positions = l.N, l.K, l.M, l.M
	default:
		return Work{array: *a}
	}
	channels := a.Channels
	if wk.Winograd {
		channels /= 16
	}
	wk.KernelSteps, wk.ChannelSteps = ceil(wk.K, a.Kernels), ceil(wk.C, channels)
	wk.Stripes = ceil(wk.Positions, a.StripeOutputs)
	return wk
}

// suits tells whether a layer can be computed by F(2×2, 3×3).
func suits(l *workload.Layer) bool {
	return l.KH == 3 && l.KW == 3 && max(l.StrideH, 1) == 1 && max(l.StrideW, 1) == 1 && max(l.DilationH, 1) == 1 && max(l.DilationW, 1) == 1
}

// steps is the number of times that the cells change their weights.
func (w *Work) steps() float64 {
	return float64(w.Groups) * float64(w.KernelSteps) * float64(w.Stripes) * float64(w.ChannelSteps) * float64(w.Taps)
}

// Feasible tells whether the cycles stay below a limit of at most 2^60, so
// that counting them does not overflow.
func (w *Work) Feasible(limit float64) bool {
	return w.steps()*float64(max(w.array.StripeOutputs, w.array.WeightLoadCycles))+float64(w.array.PipelineCycles+w.array.WeightLoadCycles) < limit
}

// ComputeCycles is the number of cycles in which operands enter the cells.
func (w *Work) ComputeCycles() int64 {
	return w.Groups * w.KernelSteps * w.ChannelSteps * w.Taps * w.Positions
}

// Cycles is the time on the core, memory not counted: the first weights are
// loaded; each stripe lasts as long as its outputs or the loading of the next
// weights, whichever is longer, the last one as long as its outputs; the
// pipeline empties.
func (w *Work) Cycles() int64 {
	if w.Positions == 0 {
		return 0
	}
	load := w.array.WeightLoadCycles
	short, longer := w.Positions/w.Stripes, w.Positions%w.Stripes // longer stripes come first
	round := longer*max(short+1, load) + (w.Stripes-longer)*max(short, load)
	all := w.Groups * w.KernelSteps * w.ChannelSteps * w.Taps * round
	return load + all - max(short, load) + short + w.array.PipelineCycles
}

// Counts are what moves in a layer, in words, for its energy.
type Counts struct {
	FeatureReads int64 // from the buffer: each is shared by all cells
	WeightReads  int64 // from the buffer into a cell
	Products     int64 // multiplications; those of Winograd are fewer than the layer's MACs
	Accumulates  int64 // additions of a tree's sum to an accumulator
}

// Counts counts. Idle channels and cells take part in nothing.
func (w *Work) Counts() Counts {
	reads := w.Groups * w.KernelSteps * w.C * w.Taps * w.Positions
	weights := w.Groups * w.Stripes * w.K * w.C * w.Taps
	sums := w.Groups * w.K * w.ChannelSteps * w.Taps * w.Positions
	c := Counts{reads, weights, w.Groups * w.K * w.C * w.Taps * w.Positions, sums}
	if w.Winograd { // 16 transformed values of each tile, 4 sums of each
		c.FeatureReads, c.WeightReads, c.Products, c.Accumulates = 16*reads, 16*weights, 16*c.Products, 4*sums
	}
	return c
}

// MappingEfficiency is the share of multipliers that have a product to form
// while operands stream.
func (w *Work) MappingEfficiency() float64 {
	channels := w.array.Channels
	if w.Winograd {
		channels /= 16
	}
	return float64(w.K) / float64(w.KernelSteps*w.array.Kernels) * float64(w.C) / float64(w.ChannelSteps*channels)
}

// Buffer is the convolution buffer, for inputs and weights together, and what
// is behind it.
type Buffer struct {
	Bytes         float64
	BytesPerCycle float64 // of memory, reads and writes together
}

// Traffic is what a layer moves between memory and the core, in bytes.
type Traffic struct {
	InputBytes, WeightBytes, OutputBytes float64
	InputPasses, WeightPasses            int64   // how often each is fetched; an input in parts counts its shared rows in InputBytes
	FirstBytes                           float64 // needed before the first product
}

// Bytes is the sum.
func (t *Traffic) Bytes() float64 { return t.InputBytes + t.WeightBytes + t.OutputBytes }

// Traffic works out what a layer fetches. What does not fit the buffer is cut:
// either the weights, by output channels, and the inputs are fetched once for
// each part; or the inputs, by rows, and the weights are. The way that moves
// less is taken. ok is false where the buffer does not hold the rows under a
// kernel beside the weights of one step.
func (b *Buffer) Traffic(a *Array, l *workload.Layer) (t Traffic, ok bool) {
	operand := float64(l.DType.Bits()) / 8
	weight := float64(l.WeightBits()) / 8
	input, weights := float64(l.InputWords())*operand, float64(l.WeightWords())*weight
	t.OutputBytes = float64(l.OutputWords()) * float64(l.OutputBits()) / 8
	m, n, k := l.GEMM()
	minWeights := float64(min(n, a.Kernels)*k) * weight
	minInput := float64(l.LineWords()) * operand
	if minInput+minWeights > b.Bytes {
		return t, false
	}
	t.FirstBytes = minInput + minWeights
	t.InputBytes, t.WeightBytes, t.InputPasses, t.WeightPasses = input, weights, 1, 1

	// Groups come one after another; each has its own part of both.
	g := float64(l.GroupCount())
	parts := func(all, room float64) int64 { return int64(math.Ceil(all / g / room)) }
	inputs := parts(weights, b.Bytes-minInput)
	if inputs == 1 {
		return t, true
	}
	rowParts, rowBytes := inputParts(l, m, b.Bytes-minWeights, operand)
	if rowParts*weights+rowBytes < float64(inputs)*input+weights {
		t.InputBytes, t.WeightBytes, t.WeightPasses = rowBytes, rowParts*weights, int64(rowParts)
	} else {
		t.InputBytes, t.InputPasses = float64(inputs)*input, inputs
	}
	return t, true
}

// inputParts cuts a group's inputs by output rows so that a part fits the
// room, and returns the number of parts and the bytes that all of them hold,
// rows that two parts need counted twice.
func inputParts(l *workload.Layer, m int64, room, operand float64) (parts, bytes float64) {
	if l.Kind == workload.Gemm {
		rows := math.Floor(room / (float64(l.K) * operand))
		return math.Ceil(float64(m) / rows), float64(l.M) * float64(l.K) * operand
	}
	h, _ := l.OutSize()
	stride, span := max(int64(l.StrideH), 1), max(int64(l.DilationH), 1)*(int64(l.KH)-1)+1
	row := float64(l.W) * float64(l.C) / float64(l.GroupCount()) * operand
	fit := int64(math.Min(room/row, float64(int64(l.H)+int64(l.PadTop)+int64(l.PadBottom))))
	outRows := int64(1)
	if fit > span {
		outRows = (fit-span)/stride + 1
	}
	n := ceil(h, outRows)
	batch := float64(max(l.Batch, 1))
	shared := float64(max(span-stride, 0))
	total := float64(l.InputWords())*operand + batch*float64(n-1)*shared*row*float64(l.GroupCount())
	return batch * float64(n), total
}

// Time is a layer's time with memory, in cycles.
type Time struct {
	Cycles, ComputeCycles, FillDrainCycles, StallCycles, PrefetchCycles int64
}

// Time puts the core's cycles beside memory's: after the first rows and weights have
// come, both work at once and the slower one decides. Memory has a clock of its own: what
// it could still move in the cycle in which the first operands are there counts for the
// rest. So the end is rounded up to a whole cycle once, and with a clock x times as fast n
// cycles become no more than ⌈x·n⌉.
func (b *Buffer) Time(w *Work, t *Traffic) (Time, bool) {
	first := math.Ceil(t.FirstBytes / b.BytesPerCycle)
	all := math.Ceil(math.Max(t.Bytes(), t.FirstBytes) / b.BytesPerCycle)
	if !w.Feasible(1<<59) || all >= 1<<59 {
		return Time{}, false
	}
	core := w.Cycles()
	r := Time{ComputeCycles: w.ComputeCycles(), PrefetchCycles: int64(first), StallCycles: max(int64(all-first)-core, 0)}
	r.FillDrainCycles = core - r.ComputeCycles
	r.Cycles = r.PrefetchCycles + core + r.StallCycles
	return r, true
}
