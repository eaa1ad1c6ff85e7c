package systolic

import (
	"fmt"

	"macroscope/simhw/design"
)

// Machine is the array itself, stepped cycle by cycle: int8 operands move from
// element to element, sums stay or move, and time is counted, not computed. It
// is the check on the closed forms, and fast enough for whole layers. All
// variants of the array are built; no duration is: a fold ends when its last
// operand has come to the last element, and folds that overlap are kept apart
// by what their registers still hold.
//
// An operand word holds Lanes values along K.
type Machine struct {
	Array
	Lanes       int64
	Accumulator Accumulator
	Ports       Ports

	lines  lines
	cells  []cell
	cycles int64
}

// cell is one processing element: its registers.
type cell struct {
	a, b []int8 // operand words passing through; b stays in WS and IS
	sum  int32  // the accumulator, or the partial sum on its way down
	live bool   // a (and for OS b) hold operands, not a bubble
	done int64  // products formed in this fold

	// Where folds overlap only.
	tag    tag    // of a
	kept   int32  // OS: the drain register
	shadow []int8 // WS and IS: the next b
}

// tag goes with an operand through an array whose folds overlap.
type tag struct {
	live, first, last bool  // holds an operand; the fold's first one, its last
	final             bool  // of the last fold
	item              int64 // place in the stream
	r0, c0            int64 // the fold's first row and column
}

// Run multiplies x, m rows of k values, by w, k rows of n values, and returns
// the m×n sums in row order and the number of cycles taken. All slices are
// row-major. The arguments must have the lengths that m, n and k say.
func (mc *Machine) Run(x, w []int8, m, n, k int64) (sums []int32, cycles int64, err error) {
	if int64(len(x)) != m*k || int64(len(w)) != k*n || m < 1 || n < 1 || k < 1 || mc.Lanes < 1 || mc.Rows < 1 || mc.Cols < 1 {
		return nil, 0, fmt.Errorf("%d inputs and %d weights on a %d×%d array: want %d×%d×%d of them, all positive", len(x), len(w), mc.Rows, mc.Cols, m, n, k)
	}
	if err := mc.Accumulator.Check(); err != nil {
		return nil, 0, err
	}
	if mc.Gated && mc.overlaps() {
		return nil, 0, fmt.Errorf("an array whose folds overlap has no gated partial folds")
	}
	mc.cells = make([]cell, mc.Rows*mc.Cols)
	mc.cycles = 0
	steps := ceil(k, mc.Lanes)
	inputs := mc.words(m, k, func(r, i int64) int8 { return x[r*k+i] })
	weights := mc.words(n, k, func(r, i int64) int8 { return w[i*n+r] })
	sums = make([]int32, m*n)
	// out is where the buffer has the sum of item t of the stream and held
	// column col.
	out := func(t, col int64) *int32 { return &sums[t*n+col] }
	mc.lines = lines{rows: min(mc.Rows, steps), cols: min(mc.Cols, n), sumsReturn: steps > mc.Rows}
	stream, held, length, columns := inputs, weights, m, n
	if mc.Dataflow == design.IS {
		out = func(t, col int64) *int32 { return &sums[col*n+t] }
		stream, held, length, columns = weights, inputs, n, m
		mc.lines.cols = min(mc.Cols, m)
	}
	if mc.Dataflow == design.OS {
		mc.lines.rows = min(mc.Rows, m)
	}
	switch {
	case mc.Dataflow == design.OS && mc.overlaps():
		mc.overlappedDrain(inputs, weights, m, n, steps, sums)
	case mc.Dataflow == design.OS:
		mc.outputStationary(inputs, weights, m, n, steps, sums)
	case mc.overlaps():
		mc.overlappedLoad(stream, held, length, columns, steps, out)
	default:
		mc.stationary(stream, held, length, columns, steps, out)
	}
	return sums, mc.cycles, nil
}

// lines is what crosses the array's edges at once: as many words as in the largest fold.
type lines struct {
	rows, cols int64
	sumsReturn bool // WS and IS: there are several row folds
}

// edge is a set of edges that a line crosses.
type edge uint8

const (
	edgeLeft edge = 1 << iota // operands of all rows
	edgeTop                   // of all columns
	edgeOut                   // sums of all columns
	edgeBack                  // and those that they are added to
)

// step lets a cycle pass, and as many more as a buffer takes beyond one to serve its
// edges: the array stands still for them. The buffers work side by side; each gives a line byte by byte, so many a cycle.
func (mc *Machine) step(edges edge) {
	word, sum := mc.Lanes, mc.Accumulator.width()
	serve := func(lines, bits, width int64) (cycles int64) {
		for range lines {
			for left := bits; width > 0 && left > 0; left -= 8 * width {
				cycles++
			}
			if width == 0 {
				cycles++
			}
		}
		return cycles
	}
	left, top := mc.Ports.Ifmap, mc.Ports.Filter
	if mc.Dataflow == design.IS {
		left, top = top, left
	}
	longest := int64(1)
	if edges&edgeLeft != 0 {
		longest = max(longest, serve(1, mc.lines.rows*word*8, left))
	}
	if edges&edgeTop != 0 {
		longest = max(longest, serve(1, mc.lines.cols*word*8, top))
	}
	if edges&edgeOut != 0 {
		times := int64(1)
		if edges&edgeBack != 0 && mc.Ports.OfmapShared {
			times = 2
		}
		longest = max(longest, serve(times, mc.lines.cols*sum, mc.Ports.Ofmap))
	}
	mc.cycles += longest
}

// words cuts every line of k values into ⌈k/Lanes⌉ words, the last one filled
// up with zeros.
func (mc *Machine) words(lines, k int64, at func(line, k int64) int8) [][]int8 {
	steps := ceil(k, mc.Lanes)
	values := make([]int8, lines*steps*mc.Lanes)
	out := make([][]int8, lines*steps)
	for l := range lines {
		line := values[l*steps*mc.Lanes : (l+1)*steps*mc.Lanes]
		for i := range k {
			line[i] = at(l, i)
		}
		for s := range steps {
			out[l*steps+s] = line[s*mc.Lanes : (s+1)*mc.Lanes]
		}
	}
	return out
}

func (mc *Machine) at(r, c int64) *cell { return &mc.cells[r*mc.Cols+c] }

func dot(a, b []int8) int32 {
	s := int32(0)
	for i, v := range a {
		s += int32(v) * int32(b[i])
	}
	return s
}

// fold gives the size of the part of the array that works on a fold and the
// size that it waits for.
func (mc *Machine) fold(r0, c0, sr, sc int64) (r, c, waitR, waitC int64) {
	r, c = min(mc.Rows, sr-r0), min(mc.Cols, sc-c0)
	if mc.Gated {
		return r, c, r, c
	}
	return r, c, mc.Rows, mc.Cols
}

// past is what happened in the last cycles, as a line of registers has it.
type past[T any] struct {
	ring []T
	now  int64
}

// newPast remembers n cycles, the present one included.
func newPast[T any](n int64) past[T] { return past[T]{ring: make([]T, n)} }

// push begins a cycle.
func (p *past[T]) push(v T) {
	p.now++
	p.ring[p.now%int64(len(p.ring))] = v
}

// ago is what was pushed so many cycles ago; the zero value before the first.
func (p *past[T]) ago(cycles int64) *T {
	n := int64(len(p.ring))
	return &p.ring[((p.now-cycles)%n+n)%n]
}

// folds walks over the folds of sr rows and sc columns, row folds innermost.
type folds struct {
	r0, c0 int64 // of the fold at hand
	sr, sc int64
	over   bool
}

func (f *folds) final(mc *Machine) bool { return f.r0+mc.Rows >= f.sr && f.c0+mc.Cols >= f.sc }

func (f *folds) next(mc *Machine) {
	switch {
	case f.r0+mc.Rows < f.sr:
		f.r0 += mc.Rows
	case f.c0+mc.Cols < f.sc:
		f.r0, f.c0 = 0, f.c0+mc.Cols
	default:
		f.over = true
	}
}
