// Package numeric computes a quantized network with an accelerator's own
// arithmetic: int8 layers whose sums have the width of the array's accumulators
// and are added up in its order. It tells what narrow sums cost in accuracy. With
// 32 bits its results are package nn's, bit for bit.
//
// A convolution's products are added up in the order row of the kernel, column,
// channel, which is how images lie in memory; the array cuts that line into steps
// of its lanes and folds of its rows (see package systolic).
package numeric

import (
	"fmt"
	"math"

	"macroscope/graph"
	"macroscope/quant"
	"macroscope/simhw/systolic"
)

// Machine is what of an accelerator decides on the values of its sums.
type Machine struct {
	Array       systolic.Array
	Lanes       int64 // int8 products along K that an element forms in a cycle
	Accumulator systolic.Accumulator
}

// Network is a network made ready for a machine.
type Network struct {
	input  int
	output int
	steps  []step
}

// step turns a value into the next one.
type step interface {
	run(s *scratch)
}

// scratch is what one inference works on: the value at hand as int8 in [H W C] or
// [F] order, or as float32 in the graph's order.
type scratch struct {
	ints, next []int8
	real       []float32
	line       []int8  // the taps of one output
	lines      []int8  // those of all, only where somebody watches
	sums       []int32 // [H W C] of a layer

	layer func(layer int, x []int8, sums []int32)
}

// New makes a network ready: a chain of layers of which all convolutions and dense
// layers are int8, without zero points, groups or dilation. The error names what
// is not so.
func New(g *graph.Graph, m Machine) (*Network, error) {
	g = graph.FoldBatchNorm(g)
	b := builder{g: g, m: m, readers: map[*graph.Value][]*graph.Node{}}
	for _, n := range g.Nodes {
		for _, v := range n.In {
			b.readers[v] = append(b.readers[v], n)
		}
	}
	v := g.Input
	if v.Scale != 0 {
		b.float(v, func(_ int, x float64) float64 { return x })
	}
	for v != g.Output {
		next, err := b.step(v)
		if err != nil {
			return nil, fmt.Errorf("graph %q: %w", g.Name, err)
		}
		v = next
	}
	if b.layers == 0 {
		return nil, fmt.Errorf("graph %q: no int8 layer: want a quantized network", g.Name)
	}
	return &Network{input: g.Input.Shape.Size(), output: g.Classes(), steps: b.steps}, nil
}

// builder walks along the chain.
type builder struct {
	g       *graph.Graph
	m       Machine
	readers map[*graph.Value][]*graph.Node
	steps   []step
	layers  int
}

// reader is the one node that reads a value.
func (b *builder) reader(v *graph.Value) (*graph.Node, error) {
	r := b.readers[v]
	if len(r) != 1 || len(r[0].In) != 1 {
		return nil, fmt.Errorf("value %q: want one reader, with no other input: only chains are computed here", v.Name)
	}
	return r[0], nil
}

// step appends what comes after v and returns the value that it gives.
func (b *builder) step(v *graph.Value) (*graph.Value, error) {
	n, err := b.reader(v)
	if err != nil {
		return nil, err
	}
	if v.Zero != 0 || n.Out.Zero != 0 {
		return nil, fmt.Errorf("node %q: a zero point: want symmetric scales", n.Name)
	}
	switch op := n.Op.(type) {
	case *graph.Conv2D:
		return b.conv(n, op)
	case *graph.Dense:
		return b.dense(n, op)
	case *graph.Affine:
		b.float(n.Out, op.At)
	case *graph.Flatten, *graph.Dropout:
		// The same numbers in the same order: what comes after a flattening
		// reads its own (see dense).
		if v.Scale != n.Out.Scale || v.Lowest() != n.Out.Lowest() {
			return nil, fmt.Errorf("node %q: another scale behind it: want the same", n.Name)
		}
	case *graph.Softmax:
		if n.Out != b.g.Output {
			return nil, fmt.Errorf("node %q: a softmax that is not the last: not computed here", n.Name)
		} // it keeps the order of the classes
	case *graph.ArgMax:
		if n.Out != b.g.Output || op.Last || n.In[0].Shape.Plane() != 1 {
			return nil, fmt.Errorf("node %q: an argmax that is not the last, of one pixel, the first of equal values: not computed here", n.Name)
		} // who asks for classes takes it
	default:
		return nil, fmt.Errorf("node %q (%s): not computed here", n.Name, n.Op.Kind())
	}
	return n.Out, nil
}

// float appends an op on single float32 values, rounded to int8 where its output
// has a scale.
func (b *builder) float(out *graph.Value, at func(c int, x float64) float64) {
	b.steps = append(b.steps, &pointwise{plane: out.Shape.Plane(), channels: out.Shape.Channels(), at: at, scale: out.Scale, lo: out.Lowest()})
}

type pointwise struct {
	plane, channels int
	at              func(c int, x float64) float64
	scale           float32
	lo              int8
}

func (p *pointwise) run(s *scratch) {
	for i, x := range s.real {
		s.real[i] = float32(p.at(i/p.plane, float64(x)))
	}
	if p.scale == 0 {
		return
	}
	s.ints = resize(s.ints, len(s.real))
	for c := range p.channels {
		for i := range p.plane {
			s.ints[i*p.channels+c] = quant.QuantizeZero(s.real[c*p.plane+i], p.scale, 0, p.lo)
		}
	}
}

// epilogue is what follows a layer's sums: ReLUs, clips and a 2×2 pool, then int8 of a
// scale, or float32.
type epilogue struct {
	out    *graph.Value
	lo, hi float32
	pool   bool
	scale  float32
}

// follow collects the epilogue behind a layer. A value's flattening carries its
// scale as well.
func (b *builder) follow(v *graph.Value) epilogue {
	e := epilogue{out: v, lo: float32(math.Inf(-1)), hi: float32(math.Inf(1))}
	for e.out != b.g.Output && e.out.Scale == 0 {
		n, err := b.reader(e.out)
		if err != nil {
			break
		}
		switch op := n.Op.(type) {
		case *graph.ReLU:
			e.lo, e.hi = max(0, e.lo), max(0, e.hi)
		case *graph.Clip:
			e.lo, e.hi = min(op.Hi, max(op.Lo, e.lo)), min(op.Hi, max(op.Lo, e.hi))
		case *graph.MaxPool:
			s := v.Shape
			plain := *op
			plain.DilationH, plain.DilationW = 0, 0
			if e.pool || plain != (graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}) || max(op.DilationH, op.DilationW) > 1 || len(s) != 3 {
				return e
			}
			e.pool = true
		default:
			return e
		}
		e.out = n.Out
	}
	e.scale = e.out.Scale
	return e
}

// Output is the number of values that an inference gives: those that a last ArgMax takes.
func (n *Network) Output() int { return n.output }

// Runner computes inferences, one at a time.
type Runner struct {
	net *Network
	s   scratch
}

// NewRunner makes a Runner; each goroutine needs its own.
func (n *Network) NewRunner() *Runner { return &Runner{net: n} }

// Run computes the network's output for one image in the input's order. The result
// is overwritten by the next call.
func (r *Runner) Run(image []float32) ([]float32, error) {
	if len(image) != r.net.input {
		return nil, fmt.Errorf("image of %d elements: want %d", len(image), r.net.input)
	}
	r.s.real = append(r.s.real[:0], image...)
	for _, st := range r.net.steps {
		st.run(&r.s)
	}
	return r.s.real, nil
}

// Watch calls f with each layer's number, from 0, its lowered inputs (M lines of K
// values) and its M×N sums, on every following Run. f must not keep them.
func (r *Runner) Watch(f func(layer int, x []int8, sums []int32)) { r.s.layer = f }

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
