package reference

import (
	"fmt"
	"math"

	"macroscope/graph"
	"macroscope/quant"
)

// RunInteger evaluates a graph that is Integer as TFLite's reference kernels do, bit for
// bit: what goes from int8 to int8 by integers, what does not in float32. Otherwise it is
// like Run. watch gets what the bytes stand for.
func RunInteger(g *graph.Graph, image []float32, watch func(v *graph.Value, data []float32)) ([]float32, error) {
	if g.Integer == graph.NotInteger {
		return nil, fmt.Errorf("graph %q: not one of integers", g.Name)
	}
	if len(image) != g.Input.Shape.Size() {
		return nil, fmt.Errorf("graph %q: image of %d elements: want %d for %v", g.Name, len(image), g.Input.Shape.Size(), g.Input.Shape)
	}
	e := integers{g: g, readers: map[*graph.Value][]*graph.Node{}, bytes: map[*graph.Value][]int8{}, floats: map[*graph.Value][]float32{}, watch: watch}
	for _, n := range g.Nodes {
		for _, v := range n.In {
			e.readers[v] = append(e.readers[v], n)
		}
	}
	e.put(g.Input, image)
	done := map[*graph.Node]bool{}
	for _, n := range g.Nodes {
		if done[n] {
			continue
		}
		out, clamps, lo, hi := e.operator(n)
		var err error
		if out == nil {
			err = e.float(n)
		} else {
			for _, c := range clamps {
				done[c] = true
			}
			err = e.integer(n, out, format(out).BoundsOf(lo, hi))
		}
		if err != nil {
			return nil, fmt.Errorf("graph %q: node %q (%s): %w", g.Name, n.Name, n.Op.Kind(), err)
		}
	}
	return e.get(g.Output), nil
}

type integers struct {
	g       *graph.Graph
	readers map[*graph.Value][]*graph.Node
	bytes   map[*graph.Value][]int8 // of values with a scale
	floats  map[*graph.Value][]float32
	watch   func(*graph.Value, []float32)
}

func format(v *graph.Value) quant.Format { return quant.Format{Scale: v.Scale, Zero: v.Zero} }

// put gives v its numbers, rounded if it has a scale.
func (e *integers) put(v *graph.Value, x []float32) {
	if v.Scale == 0 {
		e.floats[v] = x
	} else {
		q := make([]int8, len(x))
		for i := range q {
			q[i] = format(v).Round(x[i])
		}
		e.bytes[v] = q
	}
	e.seen(v)
}

// get is what v stands for.
func (e *integers) get(v *graph.Value) []float32 {
	if v.Scale == 0 {
		return e.floats[v]
	}
	x := make([]float32, len(e.bytes[v]))
	for i, q := range e.bytes[v] {
		x[i] = format(v).Float(q)
	}
	return x
}

func (e *integers) seen(v *graph.Value) {
	if e.watch != nil {
		e.watch(v, e.get(v))
	}
}

// operator is what of the graph is one operator on integers: n, the clamps that it is
// fused with, and the value that they give; nil if n computes with float numbers.
func (e *integers) operator(n *graph.Node) (out *graph.Value, clamps []*graph.Node, lo, hi float32) {
	lo, hi = float32(math.Inf(-1)), float32(math.Inf(1))
	for _, v := range n.In {
		if v.Scale == 0 {
			return nil, nil, lo, hi
		}
	}
	for out = n.Out; out.Scale == 0; {
		if out == e.g.Output || len(e.readers[out]) != 1 {
			return nil, nil, lo, hi
		}
		next := e.readers[out][0]
		switch op := next.Op.(type) {
		case *graph.ReLU:
			lo, hi = max(lo, 0), max(hi, 0)
		case *graph.Clip:
			lo, hi = min(op.Hi, max(op.Lo, lo)), min(op.Hi, max(op.Lo, hi))
		default:
			return nil, nil, lo, hi
		}
		clamps, out = append(clamps, next), next.Out
	}
	return out, clamps, lo, hi
}

// float evaluates a node in float64, from and to float32.
func (e *integers) float(n *graph.Node) error {
	in := map[*graph.Value][]float64{}
	for _, v := range n.In {
		x := e.get(v)
		wide := make([]float64, len(x))
		for i := range x {
			wide[i] = float64(x[i])
		}
		in[v] = wide
	}
	y, err := evaluate(n, in)
	if err != nil {
		return err
	}
	x := make([]float32, len(y))
	for i := range y {
		x[i] = float32(y[i])
	}
	e.put(n.Out, x)
	return nil
}

// integer evaluates an operator from int8 to int8.
func (e *integers) integer(n *graph.Node, out *graph.Value, b quant.Bounds) error {
	in := n.In[0]
	x, y := e.bytes[in], make([]int8, out.Shape.Size())
	e.bytes[out] = y
	var err error
	switch op := n.Op.(type) {
	case *graph.Conv2D:
		err = intConv(y, x, op, in, out, b)
	case *graph.Dense:
		err = intDense(y, x, op, in, out, b, e.g.Integer == graph.LiteRT)
	case *graph.ReLU, *graph.Clip:
		lo, hi := float32(0), float32(math.Inf(1))
		if c, ok := op.(*graph.Clip); ok {
			lo, hi = c.Lo, c.Hi
		}
		both := format(out).BoundsOf(lo, hi)
		b = quant.Bounds{Lo: max(b.Lo, both.Lo), Hi: min(b.Hi, both.Hi)}
		var r quant.Rescaler
		if r, err = quant.NewReLU(format(in), format(out), b); err == nil {
			each(y, x, r.At)
		}
	case *graph.Dropout:
		var r quant.Rescaler
		if r, err = quant.NewRescaler(format(in), format(out), b); err == nil {
			each(y, x, r.At)
		}
	case *graph.Add:
		var a *quant.Adder
		if a, err = quant.NewAdder(format(in), format(n.In[1]), format(out), b); err == nil {
			e.pairs(y, n, a.At)
		}
	case *graph.Mul:
		var m quant.Multiplication
		if m, err = quant.NewMultiplication(format(in), format(n.In[1]), format(out), b); err == nil {
			e.pairs(y, n, m.At)
		}
	case *graph.MaxPool:
		dh, dw := op.Dilations()
		taps(in.Shape, out.Shape, op.KH, op.KW, op.StrideH, op.StrideW, dh, dw, op.PadTop, op.PadLeft, func(i int, at []int, _ int) {
			best := b.Lo
			for _, j := range at {
				best = max(best, x[j])
			}
			y[i] = min(best, b.Hi)
		})
	case *graph.AveragePool:
		dh, dw := op.Dilations()
		taps(in.Shape, out.Shape, op.KH, op.KW, op.StrideH, op.StrideW, dh, dw, op.PadTop, op.PadLeft, func(i int, at []int, _ int) {
			sum := int32(0)
			for _, j := range at {
				sum += int32(x[j])
			}
			y[i] = quant.AverageOf(sum, int32(len(at)), b)
		})
	case *graph.GlobalAveragePool:
		plane := in.Shape.Plane()
		var m quant.Mean
		if m, err = quant.NewMean(format(in), format(out), plane); err == nil {
			for c := range y {
				sum := int32(0)
				for _, q := range x[c*plane : (c+1)*plane] {
					sum += int32(q)
				}
				y[c] = m.At(sum)
			}
		}
	case *graph.Concat:
		y = y[:0]
		for _, v := range n.In {
			for _, q := range e.bytes[v] {
				y = append(y, min(b.Hi, max(b.Lo, q)))
			}
		}
	case *graph.Constant:
		for i, v := range op.Values {
			y[i] = format(out).Round(v)
		}
	case graph.Mover:
		fill := int8(0)
		if p, ok := op.(*graph.Pad); ok {
			fill = format(out).Round(p.Value)
		}
		for i, from := range op.Source(in.Shape) {
			if y[i] = fill; from >= 0 {
				y[i] = x[from]
			}
		}
	case *graph.Softmax:
		err = intSoftmax(y, x, op, in)
	default:
		return fmt.Errorf("not known in integers")
	}
	if err == nil {
		e.seen(out)
	}
	return err
}

func each(y, x []int8, at func(int8) int8) {
	for i, q := range x {
		y[i] = at(q)
	}
}

// pairs is y = at(p, q), p and q stretched as by stretched.
func (e *integers) pairs(y []int8, n *graph.Node, at func(p, q int8) int8) {
	wide := func(v *graph.Value) []float64 {
		w := make([]float64, len(e.bytes[v]))
		for i, q := range e.bytes[v] {
			w[i] = float64(q)
		}
		return w
	}
	out := make([]float64, len(y))
	stretched(out, wide(n.In[0]), wide(n.In[1]), n.In[0].Shape, n.In[1].Shape, n.Out.Shape, func(p, q float64) float64 { return float64(at(int8(p), int8(q))) })
	for i, v := range out {
		y[i] = int8(v)
	}
}

// weights gives channel o's multiplier and integer bias.
func weights(w *graph.Weights, o int, in, out *graph.Value, multiplier func(in, w, out float32) (quant.Multiplier, error)) (m quant.Multiplier, bias int32, err error) {
	if w.Int8 == nil {
		return m, 0, fmt.Errorf("float32 weights of int8 values")
	}
	if w.IntBias != nil {
		bias = w.IntBias[o]
	}
	m, err = multiplier(in.Scale, w.Scale[o%len(w.Scale)], out.Scale)
	return m, bias, err
}

func intConv(y, x []int8, c *graph.Conv2D, inValue, outValue *graph.Value, b quant.Bounds) error {
	in, out := inValue.Shape, outValue.Shape
	h, w, k := in[1], in[2], c.K()
	perGroup, i := c.InC/c.Groups, 0
	for o := range c.OutC {
		m, bias, err := weights(&c.Weights, o, inValue, outValue, quant.ConvMultiplier)
		if err != nil {
			return err
		}
		first := o / (c.OutC / c.Groups) * perGroup
		for oy := range out[1] {
			for ox := range out[2] {
				sum := bias
				for ch := range perGroup {
					for ky := range c.KH {
						for kx := range c.KW {
							iy := oy*c.StrideH + ky*c.DilationH - c.PadTop
							ix := ox*c.StrideW + kx*c.DilationW - c.PadLeft
							if iy >= 0 && iy < h && ix >= 0 && ix < w { // padding is the zero point
								sum += (int32(x[((first+ch)*h+iy)*w+ix]) - int32(inValue.Zero)) * int32(c.Int8[o*k+(ch*c.KH+ky)*c.KW+kx])
							}
						}
					}
				}
				y[i] = quant.RequantizeInteger(sum, m, int32(outValue.Zero), int32(b.Lo), int32(b.Hi))
				i++
			}
		}
	}
	return nil
}

func intDense(y, x []int8, d *graph.Dense, in, out *graph.Value, b quant.Bounds, once bool) error {
	multiplier := quant.DenseMultiplier
	if len(d.Scale) > 1 {
		multiplier = quant.ConvMultiplier
	}
	for o := range y {
		m, sum, err := weights(&d.Weights, o, in, out, multiplier)
		if err != nil {
			return err
		}
		for i, q := range x {
			sum += (int32(q) - int32(in.Zero)) * int32(d.Int8[o*d.In+i])
		}
		r := quant.NewRequantizer(m, once, out.Zero, b)
		y[o] = r.At(sum)
	}
	return nil
}

func intSoftmax(y, x []int8, op *graph.Softmax, in *graph.Value) error {
	s, err := quant.NewSoftmax(in.Scale)
	if err != nil {
		return err
	}
	channels, plane := in.Shape[0], in.Shape.Plane()
	if op.Log || channels > quant.MaxSoftmax {
		return fmt.Errorf("of %d elements: want a softmax of at most %d", channels, quant.MaxSoftmax)
	}
	row := make([]int8, channels)
	for p := range plane {
		for c := range row {
			row[c] = x[c*plane+p]
		}
		s.Row(row, row)
		for c, q := range row {
			y[c*plane+p] = q
		}
	}
	return nil
}
