package nn

import (
	"fmt"
	"math"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/quant"
)

// Networks of integers (graph.Integers) are computed byte for byte as package
// graph/reference's RunInteger has it. The zero points of a convolution's int32 sums are in
// its bias, and its kernel makes bytes of them by integers (kernels.ConvSpec.Multipliers).

// fuseExact is the group of a node from int8 to int8 with the clamps that follow before
// its result is rounded; nil for any other node, and where the graph is none of integers.
func (c *compiler) fuseExact(n *graph.Node) *group {
	if c.g.Integer == graph.NotInteger {
		return nil
	}
	for _, v := range n.In {
		if c.scaleOf(v) == 0 {
			return nil
		}
	}
	if conv, ok := n.Op.(*graph.Conv2D); ok && conv.Int8 == nil {
		return nil
	}
	if dense, ok := n.Op.(*graph.Dense); ok && dense.Int8 == nil {
		return nil
	}
	g := newGroup(n)
	g.exact = true
	for c.scaleOf(g.out) == 0 {
		next := c.only(g.out)
		if next == nil || !g.clamp(next.Op) {
			return nil
		}
		g.take(next)
	}
	return g
}

// bounds are what a group's clamps leave of its output's bytes.
func (g *group) bounds(out *buffer) quant.Bounds { return out.format().BoundsOf(g.lo, g.hi) }

// plus is a + b, either of which may be nil for zero. Like the kernels' sums it wraps.
func plus(a, b []int32) []int32 {
	if a == nil {
		return b
	}
	for i := range b {
		a[i] += b[i]
	}
	return a
}

// multipliers are what turns a layer's sums into its output's bytes.
func multipliers(w *graph.Weights, in, out *buffer, n int, multiplier func(in, w, out float32) (quant.Multiplier, error)) ([]quant.Multiplier, error) {
	m := make([]quant.Multiplier, n)
	for o := range m {
		var err error
		if m[o], err = multiplier(in.scale, w.Scale[o%len(w.Scale)], out.scale); err != nil {
			return nil, fmt.Errorf("channel %d: %w", o, err)
		}
	}
	return m, nil
}

// denseExact is a dense layer from int8 to int8 by integers.
type denseExact struct {
	*denseInt8
	each []quant.Requantizer
}

func (c *compiler) emitDenseExact(g *group, op *graph.Dense, out *buffer) (*buffer, error) {
	im, in := c.pick(g.node).Impl, g.inputs[0]
	st := &denseExact{denseInt8: &denseInt8{im: im, rows: memoryOrder(func() []int8 { return op.Int8 }, in), in: in, out: out}}
	var err error
	if st.zero, err = zeroBias(op.Int8, op.Out, in.zero); err != nil {
		return nil, err
	}
	st.zero = plus(st.zero, op.IntBias)
	multiplier := quant.DenseMultiplier
	if len(op.Scale) > 1 {
		multiplier = quant.ConvMultiplier
	}
	each, err := multipliers(&op.Weights, in, out, op.Out, multiplier)
	if err != nil {
		return nil, err
	}
	for _, m := range each {
		st.each = append(st.each, quant.NewRequantizer(m, c.g.Integer == graph.LiteRT, out.zero, g.bounds(out)))
	}
	st.denseAbout = denseAbout{g.node.Name, c.layer(g, dtype.Int8, im, "dot", denseProblem(op, dtype.Int8, out), op.In*op.Out+9*op.Out)}
	c.plan.steps = append(c.plan.steps, st)
	return out, nil
}

func (st *denseExact) run(s *state) {
	rows := st.rows()
	x, to := signedBytes(st.in.bytes(s))[:len(rows[0])], st.out.bytes(s)
	for o, w := range rows {
		sum := int32(st.im.DotInt8(x, w)) // within int32: Compile refuses longer rows
		if st.zero != nil {
			sum += st.zero[o]
		}
		to[o] = uint8(st.each[o].At(sum)) ^ st.out.form.xor
	}
}

// emitExact adds a single op from int8 to int8.
func (c *compiler) emitExact(g *group) (*buffer, error) {
	out := c.native(g.out, dtype.Int8)
	if _, moves := g.node.Op.(graph.Mover); moves {
		c.tables += (8 + 8) * float64(g.out.Shape.Size()) // as emitMove's
	}
	f, err := exactFunc(c.choice.For(dtype.Int8), g, out)
	if err != nil {
		return nil, err
	}
	c.plan.steps = append(c.plan.steps, &opStep{g.node, g.inputs, out, f})
	return out, nil
}

func exactFunc(im *kernels.Impl, g *group, out *buffer) (func(*state, []*buffer, *buffer), error) {
	in, b := g.inputs[0], g.bounds(out)
	x, y := in.format(), out.format()
	shape := g.node.In[0].Shape
	switch op := g.node.Op.(type) {
	case *graph.ReLU, *graph.Clip:
		lo, hi := float32(0), float32(math.Inf(1))
		if c, ok := op.(*graph.Clip); ok {
			lo, hi = c.Lo, c.Hi
		}
		own := y.BoundsOf(lo, hi)
		r, err := quant.NewReLU(x, y, quant.Bounds{Lo: max(b.Lo, own.Lo), Hi: min(b.Hi, own.Hi)})
		return byteByByte(in, out, r.At), err
	case *graph.Dropout:
		r, err := quant.NewRescaler(x, y, b)
		return byteByByte(in, out, r.At), err
	case *graph.Add:
		a, err := quant.NewAdder(x, g.inputs[1].format(), y, b)
		if err != nil {
			return nil, err
		}
		if n := g.node; n.In[0].Shape.Equal(n.In[1].Shape) {
			return addBytes(im, a, in, g.inputs[1], out), nil
		}
		return pairs(a.At), nil
	case *graph.Mul:
		m, err := quant.NewMultiplication(x, g.inputs[1].format(), y, b)
		return pairs(m.At), err
	case *graph.MaxPool:
		return maxPoolBytes(op, b), nil
	case *graph.AveragePool:
		if op.CountPad {
			return nil, fmt.Errorf("an average that counts padding, in integers: want one that does not")
		}
		return averagePoolBytes(op, b), nil
	case *graph.GlobalAveragePool:
		m, err := quant.NewMean(x, y, shape.Plane())
		return meanBytes(m), err
	case *graph.Concat:
		return concatBytes(b), nil
	case *graph.Constant:
		return constantBytes(op, y), nil
	case *graph.Softmax:
		if op.Log || shape[0] > quant.MaxSoftmax {
			return nil, fmt.Errorf("%s of %d elements, in integers: want a softmax of at most %d", op.Kind(), shape[0], quant.MaxSoftmax)
		}
		t, err := quant.NewSoftmax(x.Scale)
		return softmaxBytes(t), err
	case graph.Mover:
		return moveBytes(g.node, op, in, out), nil
	}
	return nil, fmt.Errorf("op %s is not supported in integers", g.node.Op.Kind())
}
