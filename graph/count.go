package graph

// Params counts trained numbers: weights, biases, and for batch norm gamma,
// beta and the running mean and variance. Constants of an Affine are given,
// not trained, and do not count.
func (g *Graph) Params() int {
	n := 0
	for _, node := range g.Nodes {
		n += node.Params()
	}
	return n
}

// Params is the node's part of Graph.Params.
func (n *Node) Params() int {
	if op, ok := n.Op.(interface{ Params() int }); ok {
		return op.Params()
	}
	return 0
}

// Params is the number of weights and biases.
func (w *Weights) Params() int { return max(len(w.Float), len(w.Int8)) + len(w.Bias) }

// Params is four for each channel.
func (b *BatchNorm) Params() int { return len(b.Gamma) + len(b.Beta) + len(b.Mean) + len(b.Var) }

// Bytes is the size of all constants in the format that the graph carries them
// in: 4 bytes a float32, 1 an int8 weight (4 for each of its scales and each
// int8 or int16 value's), 1 bit a binary weight, rounded up to bytes for each layer. What
// a runtime reads after fusing layers can be less; package nn counts that.
func (g *Graph) Bytes() int {
	n := 0
	if g.Input != nil && (g.Input.Scale != 0 || g.Input.Stream != 0) {
		n += 4
	}
	for _, node := range g.Nodes {
		n += node.Bytes()
	}
	return n
}

// Bytes is the node's part of Graph.Bytes.
func (n *Node) Bytes() int {
	b := 0
	if op, ok := n.Op.(interface{ Bytes() int }); ok {
		b = op.Bytes()
	}
	if n.Out.Scale != 0 || n.Out.Stream != 0 {
		b += 4
	}
	return b
}

// Params is the number of slopes.
func (p *PReLU) Params() int { return len(p.Slope) }

// Bytes is four for each slope.
func (p *PReLU) Bytes() int { return 4 * len(p.Slope) }

// Bytes is the size of weights, scales and biases.
func (w *Weights) Bytes() int {
	switch {
	case w.Binary:
		return (len(w.Float)+7)/8 + 4*len(w.Bias)
	case w.Int8 != nil:
		return len(w.Int8) + 4*len(w.Scale) + 4*len(w.Bias)
	}
	return 4 * (len(w.Float) + len(w.Bias))
}

// Bytes is four for each constant.
func (b *BatchNorm) Bytes() int { return 4 * b.Params() }

// Bytes is four for each constant.
func (a *Affine) Bytes() int { return 4 * (len(a.Scale) + len(a.Shift)) }

// MACs is the number of multiply-accumulates of convolutions and dense layers
// for one image, padding taps included.
func (g *Graph) MACs() int64 {
	var n int64
	for _, node := range g.Nodes {
		n += node.MACs()
	}
	return n
}

// MACs is the node's part of Graph.MACs.
func (n *Node) MACs() int64 {
	switch op := n.Op.(type) {
	case *Conv2D:
		return int64(n.Out.Shape.Size()) * int64(op.K())
	case *Dense:
		return int64(op.In) * int64(op.Out)
	}
	return 0
}
