package nn

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/graph"
)

// fuse gathers what follows a layer and can be done while its sums are in
// registers.
func (c *compiler) fuse(n *graph.Node) (*group, error) {
	g := &group{node: n, out: n.Out}
	switch op := n.Op.(type) {
	case *graph.Conv2D:
		if op.Groups > 1 {
			return nil, fmt.Errorf("conv2d with %d groups is not supported: want 1", op.Groups)
		}
		c.fuseConv(g, c.layerType(n))
	case *graph.Dense:
		if next := c.only(g.out); next != nil {
			if _, ok := next.Op.(*graph.ReLU); ok {
				g.take(next)
				g.relu = true
			}
		}
	}
	return g, nil
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
	switch op := n.Op.(type) {
	case *graph.Conv2D:
		w = &op.Weights
	case *graph.Dense:
		w = &op.Weights
	}
	in := c.root(n.In[0])
	_, conv := n.Op.(*graph.Conv2D)
	switch {
	case w.Int8 != nil && (c.scaleOf(in) != 0 || c.signed(in)):
		return dtype.Int8
	case conv && w.Binary && c.signed(in):
		return dtype.Binary
	default:
		return dtype.Float32
	}
}

// fuseConv takes ReLU and max-pool in any order (they commute, and requantizing
// keeps the order of sums), and after integer sums everything up to a sign.
func (c *compiler) fuseConv(g *group, d dtype.DType) {
	for next := c.only(g.out); next != nil; next = c.only(g.out) {
		switch op := next.Op.(type) {
		case *graph.ReLU:
			if g.relu {
				return
			}
			g.relu = true
		case *graph.MaxPool:
			if g.pool || !plainPool(op) {
				return
			}
			g.pool = true
		case *graph.BatchNorm, *graph.Affine, *graph.Sign:
			if d != dtype.Float32 {
				c.fuseSign(g)
			}
			return
		default:
			return
		}
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
	return p.KH == 2 && p.KW == 2 && p.StrideH == 2 && p.StrideW == 2 && p.PadTop == 0 && p.PadLeft == 0 && p.PadBottom == 0 && p.PadRight == 0
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
		if c.poolsBits(g.node) {
			f.dtype = dtype.Binary
		}
		for _, v := range g.node.In {
			g.inputs = append(g.inputs, c.want(v, f))
		}
	}
	return nil
}
