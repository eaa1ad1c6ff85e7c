package nn

import (
	"math"

	"macroscope/dtype"
	"macroscope/graph"
)

// fuse gathers what follows a layer and can be done while its sums are in
// registers.
func (c *compiler) fuse(n *graph.Node) (*group, error) {
	if g := c.fuseExact(n); g != nil {
		return g, nil
	}
	g := newGroup(n)
	switch op := n.Op.(type) {
	case *graph.Conv2D:
		c.fuseConv(g, c.layerType(n), op.Groups == 1)
	case *graph.Add:
		if sum := c.fuseAdd(n); sum.bytes {
			return sum, nil
		}
		c.fuseFloat(g)
	case *graph.Sub, *graph.Mul, *graph.Div:
		c.fuseFloat(g)
	case *graph.Dense:
		for next := c.only(g.out); next != nil && (g.clamp(next.Op) || c.foldNorm(g, next)); next = c.only(g.out) {
			g.take(next)
		}
	}
	return g, nil
}

// fuseFloat takes what clamps a sum or product of float32 values.
func (c *compiler) fuseFloat(g *group) {
	if !c.observed {
		c.fuseClamps(g)
	}
}

// fuseClamps takes the ReLUs and clips that follow.
func (c *compiler) fuseClamps(g *group) {
	for next := c.only(g.out); next != nil && g.clamp(next.Op); next = c.only(g.out) {
		g.take(next)
	}
}

func newGroup(n *graph.Node) *group {
	return &group{node: n, out: n.Out, lo: float32(math.Inf(-1)), hi: float32(math.Inf(1))}
}

// clamp narrows the group's bounds by a ReLU or a clip; false for any other op, and for a
// clip to a single number, which kernels take for none.
func (g *group) clamp(op graph.Op) bool {
	lo, hi := float32(0), float32(math.Inf(1))
	switch op := op.(type) {
	case *graph.ReLU:
	case *graph.Clip:
		lo, hi = op.Lo, op.Hi
	default:
		return false
	}
	lo, hi = min(hi, max(lo, g.lo)), min(hi, max(lo, g.hi))
	if lo == hi {
		return false
	}
	g.lo, g.hi = lo, hi
	return true
}

// clamped says whether anything bounds the group's results.
func (g *group) clamped() bool {
	return !math.IsInf(float64(g.lo), -1) || !math.IsInf(float64(g.hi), 1)
}

func (g *group) take(n *graph.Node) {
	g.fused, g.out = append(g.fused, n), n.Out
}

// only is the one reader of a value that nobody else sees and that is not
// itself rounded to int8; nil otherwise.
func (c *compiler) only(v *graph.Value) *graph.Node {
	if v == c.g.Output || len(c.readers[v]) != 1 || c.scaleOf(v) != 0 {
		return nil
	}
	return c.readers[v][0]
}

// layerType is the dtype that a layer computes in.
func (c *compiler) layerType(n *graph.Node) dtype.DType {
	var w *graph.Weights
	conv, groups := false, 1
	switch op := n.Op.(type) {
	case *graph.Conv2D:
		w, conv, groups = &op.Weights, true, op.Groups
	case *graph.Dense:
		w = &op.Weights
	}
	in := c.root(n.In[0])
	switch {
	case w.Int8 != nil && (c.scaleOf(in) != 0 || c.signed(in)):
		return dtype.Int8
	case conv && w.Binary && c.signed(in) && groups == 1:
		return dtype.Binary
	default:
		return dtype.Float32
	}
}

// fuseConv takes ReLU, clips and max-pool in any order (they commute, and requantizing
// keeps the order of sums), and after integer sums everything up to a sign. Of a
// convolution in groups only the bounds can be taken in.
func (c *compiler) fuseConv(g *group, d dtype.DType, whole bool) {
	for next := c.only(g.out); next != nil; next = c.only(g.out) {
		switch op := next.Op.(type) {
		case *graph.ReLU, *graph.Clip:
			if !g.clamp(op) {
				return
			}
		case *graph.MaxPool:
			if g.pool || !plainPool(op) || !whole {
				return
			}
			g.pool = true
		case *graph.BatchNorm, *graph.Affine, *graph.Sign:
			if d != dtype.Float32 && whole {
				c.fuseSign(g)
			}
			if g.sign || !c.foldNorm(g, next) {
				return
			}
		default:
			return
		}
		g.take(next)
	}
	c.poolRounded(g, whole)
}

// poolRounded takes a max-pool of what the group has rounded to bytes: rounding keeps the
// order of sums, so that the maximum may as well come before it.
func (c *compiler) poolRounded(g *group, whole bool) {
	v := g.out
	if g.pool || !whole || v.Scale == 0 || v == c.g.Output || len(c.readers[v]) != 1 {
		return
	}
	next := c.readers[v][0]
	if op, ok := next.Op.(*graph.MaxPool); ok && plainPool(op) && next.Out.Scale == v.Scale && next.Out.Zero == v.Zero && next.Out.Lowest() == v.Lowest() {
		g.pool = true
		g.take(next)
	}
}

// fuseSign takes batch norms and affines if they end in a sign, else nothing.
func (c *compiler) fuseSign(g *group) {
	var nodes []*graph.Node
	v := g.out
	for next := c.only(v); next != nil; next = c.only(v) {
		nodes, v = append(nodes, next), next.Out
		switch next.Op.(type) {
		case *graph.BatchNorm, *graph.Affine:
			continue
		case *graph.Sign:
			for _, n := range nodes[:len(nodes)-1] {
				g.norms = append(g.norms, n.Op)
			}
			for _, n := range nodes {
				g.take(n)
			}
			g.sign = true
		}
		return
	}
}

// plainPool is the max-pool that kernels do in registers.
func plainPool(p *graph.MaxPool) bool {
	return p.KH == 2 && p.KW == 2 && p.StrideH == 2 && p.StrideW == 2 && max(p.DilationH, p.DilationW) <= 1 && p.PadTop == 0 && p.PadLeft == 0 && p.PadBottom == 0 && p.PadRight == 0
}

// poolsBits says whether a node is a max-pool of ±1, which is an or of bits.
func (c *compiler) poolsBits(n *graph.Node) bool {
	_, ok := n.Op.(*graph.MaxPool)
	return ok && c.carried(n.Out) == dtype.Binary
}

// ask registers the forms that a group reads.
func (c *compiler) ask(g *group) error {
	switch op := g.node.Op.(type) {
	case *graph.Conv2D:
		d := c.layerType(g.node)
		f := form{dtype: d}
		if d == dtype.Int8 {
			f.xor = c.pick(g.node).Impl.AXor()
			if im, l := c.serial(g.node); im != nil {
				if f = (form{dtype: dtype.Binary}); l != plusMinusOne {
					f.levels = l
				}
			}
		}
		b := c.want(c.root(g.node.In[0]), f)
		g.inputs = []*buffer{b}
		if g.join != nil && g.join.stream != nil {
			g.inputs = append(g.inputs, c.want(g.join.stream, form{dtype: dtype.Int8, wide: true}))
		}
		return b.grow(op.PadTop, op.PadLeft, op.PadBottom, op.PadRight, op.PadValue)
	case *graph.Dense:
		g.inputs = []*buffer{c.want(c.root(g.node.In[0]), form{dtype: c.layerType(g.node), flat: true})}
	default:
		f := form{dtype: dtype.Float32}
		switch {
		case c.poolsBits(g.node):
			f.dtype = dtype.Binary
		case g.bytes || g.exact: // as convolutions read it, so that it need not lie there twice
			f = form{dtype: dtype.Int8, xor: c.choice.For(dtype.Int8).AXor()}
		}
		for _, v := range g.node.In {
			g.inputs = append(g.inputs, c.want(v, f))
		}
	}
	return nil
}
