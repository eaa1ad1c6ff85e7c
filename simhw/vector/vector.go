// Package vector models a processor core that computes layers by instructions:
// a microcontroller with a multiply-accumulate of packed values, or a server's
// core with wide vectors and an instruction for dot products.
//
// A layer is a matrix product M×K by K×N, done by tiles: Rows outputs by Cols
// registers of Lanes channels. The innermost loop takes Step products of each
// sum at a time; per step it loads and widens what a row needs, what a column
// needs, and multiplies each row by each column. Its time is the longest of three,
// the pipe that multiplies, the pipe that loads, and the instructions that a
// cycle can issue, and what the core adds: a cycle before a run of loads, a
// taken branch. A floating-point unit may take its loads one at a time and not
// beside its multiplications (LoadsAlone): the two pipes are then one, whose
// every cycle takes an instruction's place. Beside the loop stand what a tile, an
// output and the bringing together of a kernel's inputs (im2col) cost, a call, and
// waits for weights that come from slow memory, and for inputs where those do too.
//
// The loop and these counts describe software: another program for the same
// core has other ones. Efficiency is the one number for what a whole library
// makes of the loop that is described.
package vector

import (
	"math"

	"macroscope/workload"
)

// Core is what a cycle can do.
type Core struct {
	Issue      float64 // instructions
	Multiplies float64 // instructions on the pipe that multiplies and widens
	Loads      float64 // load instructions

	LoadRunCycles float64 // lost once a step: the first load of a run takes longer
	BranchCycles  float64 // lost at a taken branch
}

// Loop is the innermost loop of one number format, and what stands around it.
type Loop struct {
	Bits int64 // of a weight in memory; 0: the layer's

	Rows, Cols, Lanes, Step int64

	// Instructions a step: for each row, for each register of channels, and
	// for each pair of them.
	RowLoads, RowWidens, ColLoads, ColWidens, Multiplies float64
	MultiplyCycles                                       float64 // of its pipe
	LoadCycles                                           float64 // of its pipe
	LoadsAlone                                           bool    // one load at a time, none beside a multiplication

	Unroll           int64   // steps between two branches
	LoopInstructions float64 // each time

	TileInstructions   float64 // pointers, sums set to the bias
	OutputInstructions float64 // scale, clamp, store
	GatherInstructions float64 // for each input of an output, where they do not lie together or must be widened
	GatherAlways       bool    // for 1×1 layers too

	// RowSegments is for loops that read images where they stand: a kernel row's
	// values are a run of products of their own, begun by SegmentInstructions.
	// SkipsPadding leaves out products with padding, all of them, or where PaddingOutputs is
	// more than 1 those that so many outputs can do without together.
	RowSegments         bool
	SegmentInstructions float64
	SkipsPadding        bool
	PaddingOutputs      int64

	CallCycles float64 // of a layer

	// A maximum over windows goes over PoolValues channels at a time; 0: not known.
	PoolValues                  int64
	PoolLoads, PoolInstructions float64 // each time, for each place of the window; the loads are instructions too
}

// Memory is where weights come from: slow memory behind a cache, which may be
// as small as a buffer. Without LineBytes it keeps up, and weights are fetched
// once.
type Memory struct {
	CacheBytes, LineBytes float64
	MissCycles            float64 // lost for each line
	Activations           bool    // inputs and outputs are in it too, not in other memory that keeps up
}

// Stream tells whether a layer's inputs and outputs, of so many bytes beside its weights,
// pass through slow memory: those that fit the cache all together stay there between
// layers. Each passes once, since a tile of outputs has all its channels computed before
// the next. The core waits for inputs, waits cycles in all; outputs are written behind it.
func (m *Memory) Stream(inputs, weights, outputs float64) (passes bool, waits float64) {
	if !m.Activations || inputs+weights+outputs <= m.CacheBytes {
		return false, 0
	}
	if m.LineBytes > 0 {
		waits = inputs / m.LineBytes * m.MissCycles
	}
	return true, waits
}

// counts gives a step's instructions that multiply, that widen, and that load.
func (l *Loop) counts() (pairs, widens, loads float64) {
	return float64(l.Rows*l.Cols) * l.Multiplies,
		float64(l.Rows)*l.RowWidens + float64(l.Cols)*l.ColWidens,
		float64(l.Rows)*l.RowLoads + float64(l.Cols)*l.ColLoads
}

// Instructions are those of a step.
func (l *Loop) Instructions() float64 {
	pairs, widens, loads := l.counts()
	return pairs + widens + loads + l.LoopInstructions/float64(l.Unroll)
}

// StepCycles is the time of a step, what part of it the multiplier needs, and which of the
// core's resources is busy for the longest part of it.
func (c *Core) StepCycles(l *Loop) (cycles, multiplier float64, limit string) {
	pairs, widens, loads := l.counts()
	multiplier = pairs * l.MultiplyCycles / c.Multiplies
	around := l.LoopInstructions / float64(l.Unroll)
	pipe := (pairs*l.MultiplyCycles + widens) / c.Multiplies
	issue, loading := l.Instructions()/c.Issue, loads*l.LoadCycles/c.Loads
	if l.LoadsAlone { // each with its own time, a run's first one as the others
		pipe += loads * l.LoadCycles / math.Min(c.Loads, 1)
		issue, loading = (pipe+around)/c.Issue, 0
	}
	cycles, limit = pipe, "multiplying pipes"
	if loading > cycles {
		cycles, limit = loading, "load pipes"
	}
	if issue > cycles {
		cycles, limit = issue, "instructions a cycle"
	}
	if loads > 0 && !l.LoadsAlone {
		cycles += c.LoadRunCycles
	}
	return cycles + c.BranchCycles/float64(l.Unroll), multiplier, limit
}

// MACsPerCycle is what the multiplier does at most.
func (c *Core) MACsPerCycle(l *Loop) float64 {
	return float64(l.Lanes*l.Step) * c.Multiplies / (l.Multiplies * l.MultiplyCycles)
}

// Time is a layer's time in cycles, and how often its weights are fetched.
type Time struct {
	Multiplier float64 // the layer's products on the pipe, nothing wasted
	Core       float64 // all that the core does, the multiplier's time in it
	Waits      float64 // for weights
	InputWaits float64 // of Memory.Stream
	Passes     int64   // over the weights, through slow memory

	InputWords, WeightWords float64 // loaded by the loop
}

// Cycles is the sum. It rises with every count and falls with every rate: no part of
// it is a difference of others, which would round its own way.
func (t *Time) Cycles() float64 { return t.Core + t.Waits + t.InputWaits }

// ceil is ⌈a/b⌉ for b > 0.
func ceil(a, b int64) int64 {
	if a <= 0 {
		return a / b
	}
	return (a + b - 1) / b
}

// Layer works out a layer that is a product; efficiency is that of the library.
func (c *Core) Layer(l *workload.Layer, p *Loop, m *Memory, efficiency float64) Time {
	rows, cols, depth := l.GEMM()
	groups := float64(l.GroupCount())
	step, _, _ := c.StepCycles(p)
	tiles := float64(ceil(rows, p.Rows)) * float64(ceil(cols, p.Cols*p.Lanes))
	steps, segments := float64(ceil(depth, p.Step)), 1.0
	if p.RowSegments && l.Kind == workload.Conv {
		segments = float64(l.KH)
		steps = segments * float64(ceil(depth/int64(l.KH), p.Step))
	}
	computed := 1.0
	if p.SkipsPadding {
		computed = inside(l, p.PaddingOutputs)
		steps *= computed
	}
	core := tiles * (steps*step + (p.TileInstructions+segments*p.SegmentInstructions)/c.Issue)
	core += float64(rows) * float64(cols) * p.OutputInstructions / c.Issue
	if p.GatherAlways || l.Kind == workload.Conv && l.KH*l.KW > 1 {
		core += float64(rows) * float64(depth) * p.GatherInstructions / c.Issue
	}
	core = (core*groups + p.CallCycles) / efficiency

	t := Time{Multiplier: float64(l.MACs()) * computed / c.MACsPerCycle(p), Passes: 1}
	// A loop may leave out all of a layer, and have nothing to do around it.
	t.Core = math.Max(math.Max(core, t.Multiplier), 1)
	bits := p.Bits
	if bits == 0 {
		bits = int64(l.WeightBits())
	}
	weights := float64(cols) * float64(depth) * float64(bits) / 8
	if m.LineBytes > 0 {
		if weights > m.CacheBytes {
			t.Passes = ceil(rows, p.Rows)
		}
		t.Waits = groups * float64(t.Passes) * weights / m.LineBytes * m.MissCycles
	}
	loads := groups * tiles * steps * float64(p.Step)
	t.InputWords, t.WeightWords = loads*float64(p.Rows), loads*float64(p.Cols*p.Lanes)
	return t
}

// MaxPool is the time of a maximum over windows, whose places are taken one after
// another into the output; ok is false where the loop for it is not known. The
// multiplier has nothing to do, so all that the core does counts as its time.
func (c *Core) MaxPool(l *workload.Layer, p *Loop, efficiency float64) (t Time, ok bool) {
	if p.PoolValues == 0 {
		return t, false
	}
	step := math.Max(p.PoolInstructions/c.Issue, p.PoolLoads*p.LoadCycles/c.Loads) + c.LoadRunCycles + c.BranchCycles
	h, w := l.OutSize()
	windows := float64(max(1, l.Batch)) * float64(h) * float64(w)
	t.Core = (windows*float64(l.KH*l.KW)*float64(ceil(int64(l.C), p.PoolValues))*step + p.CallCycles) / efficiency
	t.Multiplier = t.Core
	return t, true
}

// inside is the share of a layer's products that a loop computes which leaves out those
// whose input is padding: all of them, or with group > 1 those that as many outputs can do
// without together, the kernel's rows above and below the image or, in the other rows of
// outputs, its columns beside it.
func inside(l *workload.Layer, group int64) float64 {
	if l.Kind != workload.Conv {
		return 1
	}
	h, w := l.OutSize()
	rows := axis{l.H, l.KH, max(l.StrideH, 1), max(l.DilationH, 1), l.PadTop, h}
	cols := axis{l.W, l.KW, max(l.StrideW, 1), max(l.DilationW, 1), l.PadLeft, w}
	if group <= 1 {
		return rows.inside() * cols.inside()
	}
	vertical, whole := rows.outside(w, group)
	horizontal, _ := cols.outside(whole, group)
	all := float64(h) * float64(w) * float64(l.KH) * float64(l.KW)
	return 1 - (float64(vertical)*float64(l.KW)+float64(horizontal)*float64(l.KH))/all
}

// axis is one of a convolution's two: out outputs, k taps each, over n inputs.
type axis struct {
	n, k, stride, dilation, pad int
	out                         int64
}

// inside is the share of taps that meet an input.
func (a *axis) inside() float64 {
	taps := int64(0)
	for i := range int64(a.k) {
		// Outputs o with 0 ≤ o·stride + i·dilation − pad < n.
		from, to := int64(a.pad)-i*int64(a.dilation), int64(a.n)+int64(a.pad)-i*int64(a.dilation)
		first, end := max(ceil(from, int64(a.stride)), 0), min(ceil(to, int64(a.stride)), a.out)
		taps += max(end-first, 0)
	}
	return float64(taps) / float64(int64(a.k)*a.out)
}

// taps gives the taps first…end−1 of an output that meet an input.
func (a *axis) taps(o int64) (first, end int64) {
	at := o*int64(a.stride) - int64(a.pad)
	first = min(max(ceil(-at, int64(a.dilation)), 0), int64(a.k))
	return first, max(min(ceil(int64(a.n)-at, int64(a.dilation)), int64(a.k)), first)
}

// outside counts the taps that meet no input and can be left out, where each output of the
// axis stands for across of them and group of those that meet the same inputs must come
// together; and the outputs all of whose taps meet one.
func (a *axis) outside(across, group int64) (taps, whole int64) {
	for o := int64(0); o < a.out; {
		first, end := a.taps(o)
		from := o
		for o++; o < a.out; o++ { // outputs with the same taps lie together
			if f, e := a.taps(o); f != first || e != end {
				break
			}
		}
		run := o - from
		missing := int64(a.k) - (end - first)
		if missing == 0 {
			whole += run
		}
		taps += run * across / group * group * missing
	}
	return taps, whole
}
