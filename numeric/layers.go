package numeric

import (
	"fmt"
	"math"

	"macroscope/graph"
	"macroscope/quant"
	"macroscope/simhw/systolic"
)

// layer is a convolution or dense layer as a product of M lines by N, with its
// epilogue.
type layer struct {
	number  int
	adder   *systolic.Adder
	weights []int8 // [n][k] in the order of the sums
	n, k    int
	// The image and the kernel; a dense layer is an image of one pixel.
	h, w, c, oh, ow                           int
	kh, kw, strideH, strideW, padTop, padLeft int

	m, b   []float32 // by output channel: sum·m + b is the output's integer, or real, value
	lo, hi float32
	pool   bool
	int8   bool // the output is int8
}

func (b *builder) conv(n *graph.Node, op *graph.Conv2D) (*graph.Value, error) {
	in, out := n.In[0], n.Out
	if op.Groups != 1 || max(op.DilationH, op.DilationW) > 1 {
		return nil, fmt.Errorf("node %q: %d groups, dilation %d and %d: want 1", n.Name, op.Groups, op.DilationH, op.DilationW)
	}
	l := &layer{n: op.OutC, k: op.K(), h: in.Shape[1], w: in.Shape[2], c: op.InC, oh: out.Shape[1], ow: out.Shape[2],
		kh: op.KH, kw: op.KW, strideH: op.StrideH, strideW: op.StrideW, padTop: op.PadTop, padLeft: op.PadLeft}
	if op.PadValue != 0 {
		return nil, fmt.Errorf("node %q: padding of %g: want 0", n.Name, op.PadValue)
	}
	// From (channel, row, column) to (row, column, channel).
	taps := op.KH * op.KW
	w := make([]int8, len(op.Int8))
	for i, v := range op.Int8 {
		o, ch, tap := i/l.k, i%l.k/taps, i%taps
		w[o*l.k+tap*op.InC+ch] = v
	}
	return b.add(n, l, &op.Weights, w)
}

func (b *builder) dense(n *graph.Node, op *graph.Dense) (*graph.Value, error) {
	l := &layer{n: op.Out, k: op.In, h: 1, w: 1, c: op.In, oh: 1, ow: 1, kh: 1, kw: 1, strideH: 1, strideW: 1}
	w := op.Int8
	if s := b.before(n.In[0]); len(s) == 3 && w != nil {
		// The flattening is of [C H W]; the values lie as [H W C].
		plane := s.Plane()
		w = make([]int8, len(op.Int8))
		for i, v := range op.Int8 {
			o, ch, p := i/op.In, i%op.In/plane, i%plane
			w[o*op.In+p*s[0]+ch] = v
		}
	}
	return b.add(n, l, &op.Weights, w)
}

// before is the shape of a value before it was flattened.
func (b *builder) before(v *graph.Value) graph.Shape {
	for _, n := range b.g.Nodes {
		if n.Out == v {
			switch n.Op.(type) {
			case *graph.Flatten, *graph.Dropout:
				return b.before(n.In[0])
			}
		}
	}
	return v.Shape
}

func (b *builder) add(n *graph.Node, l *layer, weights *graph.Weights, w []int8) (*graph.Value, error) {
	in := n.In[0]
	if weights.Int8 == nil || in.Scale == 0 {
		return nil, fmt.Errorf("node %q: want an int8 layer", n.Name)
	}
	var err error
	if l.adder, err = systolic.NewAdder(b.m.Array, b.m.Accumulator, b.m.Lanes, w, l.n, l.k); err != nil {
		return nil, fmt.Errorf("node %q: %w", n.Name, err)
	}
	e := b.follow(n.Out)
	if e.out.Zero != 0 {
		return nil, fmt.Errorf("node %q: a zero point: want symmetric scales", n.Name)
	}
	l.weights = w
	l.number, l.pool, l.int8, l.lo, l.hi = b.layers, e.pool, e.scale != 0, e.lo, e.hi
	to := 1.0
	if l.int8 {
		to = float64(e.scale)
		l.lo, l.hi = float32(quant.QuantizeZero(e.lo, e.scale, 0, e.out.Lowest())), float32(quant.QuantizeZero(e.hi, e.scale, 0, e.out.Lowest()))
	}
	l.m, l.b = make([]float32, l.n), make([]float32, l.n)
	for o := range l.n {
		unit := float64(in.Scale)
		if len(weights.Scale) == 1 {
			unit *= float64(weights.Scale[0])
		} else {
			unit *= float64(weights.Scale[o])
		}
		l.m[o] = float32(unit / to)
		if weights.Bias != nil {
			l.b[o] = float32(float64(weights.Bias[o]) / to)
		}
		if math.IsInf(float64(l.m[o]), 0) {
			return nil, fmt.Errorf("node %q: channel %d: one step of its sum is beyond float32", n.Name, o)
		}
	}
	b.layers++
	b.steps = append(b.steps, l)
	return e.out, nil
}

func (l *layer) run(s *scratch) {
	s.sums = resize(s.sums, l.oh*l.ow*l.n)
	s.line = resize(s.line, l.k)
	s.lines = s.lines[:0]
	for y := range l.oh {
		for x := range l.ow {
			l.gather(s.line, s.ints, y, x)
			at := (y*l.ow + x) * l.n
			l.adder.Add(s.sums[at:at+l.n], s.line)
			if s.layer != nil {
				s.lines = append(s.lines, s.line...)
			}
		}
	}
	if s.layer != nil {
		s.layer(l.number, s.lines, s.sums)
	}
	oh, ow, sums := l.oh, l.ow, s.sums
	if l.pool {
		oh, ow = oh/2, ow/2
		sums = l.pooled(sums, oh, ow)
	}
	if !l.int8 {
		s.real = resize(s.real, len(sums))
		for i, sum := range sums {
			p, o := i/l.n, i%l.n
			v := float32(float32(sum)*l.m[o]) + l.b[o]
			s.real[o*oh*ow+p] = min(l.hi, max(l.lo, v))
		}
		return
	}
	s.next = resize(s.next, len(sums))
	for i, sum := range sums {
		o := i % l.n
		s.next[i] = quant.Requantize(sum, l.m[o], l.b[o], l.lo, l.hi)
	}
	s.ints, s.next = s.next, s.ints
}

// gather lowers one output: the taps under it, zeros past the image's edges.
func (l *layer) gather(line, image []int8, y, x int) {
	at := 0
	for ky := range l.kh {
		iy := y*l.strideH + ky - l.padTop
		for kx := range l.kw {
			ix := x*l.strideW + kx - l.padLeft
			if iy < 0 || iy >= l.h || ix < 0 || ix >= l.w {
				clear(line[at : at+l.c])
			} else {
				from := (iy*l.w + ix) * l.c
				copy(line[at:at+l.c], image[from:])
			}
			at += l.c
		}
	}
}

// pooled takes the maxima of 2×2 sums, in place: each lies before what it is made of.
func (l *layer) pooled(sums []int32, oh, ow int) []int32 {
	for y := range oh {
		for x := range ow {
			a := (2*y*l.ow + 2*x) * l.n
			b := a + l.ow*l.n
			to := (y*ow + x) * l.n
			for o := range l.n {
				sums[to+o] = max(sums[a+o], sums[a+l.n+o], sums[b+o], sums[b+l.n+o])
			}
		}
	}
	return sums[:oh*ow*l.n]
}
