package graph

import "math"

// FoldBatchNorm returns g with every BatchNorm and Affine that directly follows
// a float Conv2D or Dense folded into that layer's weights and bias, and with
// every Affine that directly follows another joined with it. The arithmetic is
// float64 without fused multiply-adds, rounded to float32 once, so that every
// machine folds to the same bytes. g must be one that Check accepts; it is not
// changed, and what is not folded is shared with it.
//
// A Dropout, which does nothing outside training, is left out.
//
// These stay as they are:
//   - a batch norm after a binary or an int8 layer (folding would spoil the ±1;
//     together with the Sign that follows it becomes a threshold in package nn),
//     after a MaxPool, or anywhere else than directly after a layer;
//   - one whose layer's output something else reads too;
//   - one whose folded constants would leave float32's range;
//   - the ninth and later ones of a row: each makes the layer's weights anew, and a small
//     file can have very many;
//   - those whose constants would take, all together, more memory than g's own weights and
//     16 MiB: a small file can have very many layers that share their weights.
//
// A folded layer keeps its node's name and gives the value that the batch norm
// gave.
func FoldBatchNorm(g *Graph) *Graph {
	const maxJoined = 8

	left := g.weightBytes() + 16<<20 // memory that constants may still take
	uses := map[*Value]int{g.Output: 1}
	for _, n := range g.Nodes {
		for _, v := range n.In {
			uses[v]++
		}
	}
	if g.Weightless {
		left = 16 << 20
	}
	out := &Graph{Name: g.Name, Integer: g.Integer, Weightless: g.Weightless}
	joined := map[*Node]int{}
	now := map[*Value]*Value{}  // value of g → value of out
	giver := map[*Value]*Node{} // value of out → the node of out that gives it
	value := func(v *Value) *Value {
		c := *v
		c.Shape = v.Shape.Clone()
		now[v] = &c
		return &c
	}
	out.Input = value(g.Input)
	for _, n := range g.Nodes {
		if _, ok := n.Op.(*Dropout); ok && n.Out.Scale == 0 && n.Out.Stream == 0 && n.Out != g.Output {
			now[n.Out] = now[n.In[0]]
			uses[n.Out] += uses[n.In[0]] - 1
			continue
		}
		if prev := giver[now[n.In[0]]]; prev != nil && len(n.In) == 1 && uses[n.In[0]] == 1 {
			takes := joinBytes(prev.Op, n.Op, n.Out.Shape.Channels())
			if _, layer := prev.Op.(*Affine); !layer && joined[prev] > 0 {
				takes = 0 // it replaces what the join before has made
			}
			if joined[prev]++; joined[prev] > maxJoined || takes > left {
				// prev stays as it is
			} else if op := join(prev.Op, n.Op, n.Out.Shape.Channels()); op != nil {
				prev.Op, prev.Out = op, value(n.Out)
				giver[prev.Out] = prev
				left -= takes
				continue
			}
		}
		c := &Node{Name: n.Name, Op: n.Op, Out: value(n.Out)}
		for _, v := range n.In {
			c.In = append(c.In, now[v])
		}
		giver[c.Out] = c
		out.Nodes = append(out.Nodes, c)
	}
	out.Output = now[g.Output]
	return out
}

// join is one op that does what first and then second do over the given number
// of channels, or nil. Where it is nil it has taken no memory, however large the value:
// channels of a vector are its elements, and nobody may ever compute them.
func join(first, second Op, channels int) Op {
	switch second.(type) {
	case *BatchNorm, *Affine:
	default:
		return nil
	}
	switch op := first.(type) {
	case *Conv2D:
		if w, ok := op.Weights.times(second, channels); ok {
			c := *op
			c.Weights = w
			return &c
		}
	case *Dense:
		if w, ok := op.Weights.times(second, channels); ok {
			d := *op
			d.Weights = w
			return &d
		}
	case *Affine:
		second, ok := second.(*Affine)
		if !ok {
			return nil
		}
		n := max(len(op.Scale), len(op.Shift), len(second.Scale), len(second.Shift))
		a := &Affine{Scale: make([]float32, n), Shift: make([]float32, n)}
		for c := range n {
			scale, shift := float64(perChannel(second.Scale, c)), float64(perChannel(second.Shift, c))
			a.Scale[c] = float32(float64(perChannel(op.Scale, c)) * scale)
			a.Shift[c] = float32(float64(float64(perChannel(op.Shift, c))*scale) + shift)
		}
		if a.checkConstants(nil) == nil {
			return a
		}
	}
	return nil
}

// joinBytes is the memory that join takes, where it is not nil.
func joinBytes(first, second Op, channels int) int64 {
	switch op := first.(type) {
	case *Conv2D:
		return 4 * int64(len(op.Float)+channels)
	case *Dense:
		return 4 * int64(len(op.Float)+channels)
	case *Affine:
		if second, ok := second.(*Affine); ok {
			return 8 * int64(max(len(op.Scale), len(op.Shift), len(second.Scale), len(second.Shift)))
		}
	}
	return 0
}

// weightBytes is the memory of the layers' float weights, those that several share once.
func (g *Graph) weightBytes() (n int64) {
	seen := map[*float32]bool{}
	for _, node := range g.Nodes {
		var w *Weights
		switch op := node.Op.(type) {
		case *Conv2D:
			w = &op.Weights
		case *Dense:
			w = &op.Weights
		default:
			continue
		}
		if len(w.Float) > 0 && !seen[&w.Float[0]] {
			seen[&w.Float[0]] = true
			n += 4 * int64(len(w.Float))
		}
	}
	return n
}

// line is op, a BatchNorm or Affine, as x·scale + shift for channel c.
func line(op Op, c int) (scale, shift float64) {
	if a, ok := op.(*Affine); ok {
		return float64(perChannel(a.Scale, c)), float64(perChannel(a.Shift, c))
	}
	n := op.(*BatchNorm)
	scale = float64(n.Gamma[c]) / math.Sqrt(float64(n.Var[c])+float64(n.Epsilon))
	return scale, float64(n.Beta[c]) - float64(float64(n.Mean[c])*scale)
}

// times is w with the layer's rows of outputs put through op, a BatchNorm or Affine; false
// where w is not float or a result is not finite.
func (w *Weights) times(op Op, rows int) (Weights, bool) {
	if w.Binary || w.Int8 != nil {
		return Weights{}, false
	}
	out := Weights{Float: make([]float32, len(w.Float)), Bias: make([]float32, rows)}
	k := len(w.Float) / rows
	for o := range rows {
		s, shift := line(op, o)
		for i, v := range w.Float[o*k : (o+1)*k] {
			out.Float[o*k+i] = float32(float64(v) * s)
		}
		b := 0.0
		if w.Bias != nil {
			b = float64(w.Bias[o])
		}
		out.Bias[o] = float32(float64(b*s) + shift)
	}
	return out, finite("weight", out.Float) == nil && finite("bias", out.Bias) == nil
}
