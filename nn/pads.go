package nn

import (
	"macroscope/graph"
	"macroscope/quant"
)

// foldPads gives convolutions the padding of Pad nodes before them, which then vanish with
// the copies that they make. Only what stands for 0 can: the halo of an int8 value holds
// its zero point, and all readers of a value share a halo.
func (c *compiler) foldPads() {
	var kept []*graph.Node
	gone := map[*graph.Value]*graph.Node{} // what pads that vanish gave
	for _, n := range c.g.Nodes {
		if c.foldable(n) {
			if in := n.In[0]; in.Scale == 0 { // rounding before padding is rounding after it
				in.Scale, in.Zero, in.Full = n.Out.Scale, n.Out.Zero, n.Out.Full
			}
			gone[n.Out] = n
			continue
		}
		if p := gone[first(n.In)]; p != nil {
			op, pad := *n.Op.(*graph.Conv2D), p.Op.(*graph.Pad)
			op.PadTop, op.PadLeft = op.PadTop+pad.Before[1], op.PadLeft+pad.Before[2]
			op.PadBottom, op.PadRight = op.PadBottom+pad.After[1], op.PadRight+pad.After[2]
			n = &graph.Node{Name: n.Name, Op: &op, In: []*graph.Value{p.In[0]}, Out: n.Out}
		}
		kept = append(kept, n)
	}
	if len(gone) > 0 {
		g := *c.g
		g.Nodes = kept
		c.g = &g
		c.index()
	}
}

func first(v []*graph.Value) *graph.Value {
	if len(v) == 0 {
		return nil
	}
	return v[0]
}

// foldable says whether a node is a Pad that all of its readers can do themselves.
func (c *compiler) foldable(n *graph.Node) bool {
	op, ok := n.Op.(*graph.Pad)
	if !ok || op.Mode != graph.PadConstant || op.Before[0] != 0 || op.After[0] != 0 || n.Out == c.g.Output {
		return false
	}
	from, to := n.In[0], n.Out
	if len(to.Shape) != 3 || from.Stream != 0 || to.Stream != 0 || c.signed(from) {
		return false
	}
	switch {
	case from.Scale == to.Scale && from.Zero == to.Zero && from.Lowest() == to.Lowest():
	case from.Scale == 0 && len(c.readers[from]) == 1 && from != c.g.Output && c.g.Integer == graph.NotInteger:
	default:
		return false
	}
	if zero := to.Scale != 0 && c.g.Integer != graph.NotInteger && (quant.Format{Scale: to.Scale, Zero: to.Zero}).Round(op.Value) == to.Zero; op.Value != 0 && !zero {
		return false
	}
	for _, r := range c.readers[to] {
		conv, ok := r.Op.(*graph.Conv2D)
		if !ok || conv.PadValue != 0 {
			return false
		}
	}
	return len(c.readers[to]) > 0
}
