package nn

import (
	"strings"

	"macroscope/dtype"
	"macroscope/graph"
)

// How says how a node of the network is carried out.
type How struct {
	Node string
	// Impl is the implementation that computes it, "conv2d/int8/avx512vnni"; "step" for a
	// loop over its values; empty where no time goes into it, or it goes with another.
	Impl string
	// With is the layer whose weights or kernel took the node in; empty: none.
	With string
	Note string // in words
}

// Nodes says of each node of the network, in its order, how it is carried out.
func (p *Plan) Nodes() []How { return append([]How(nil), p.nodes...) }

// describe notes how the nodes of g, which is compiled as c.g, are carried out. input are
// those that became part of the input's conversion.
func (c *compiler) describe(g *graph.Graph, input []*graph.Node) {
	how := map[string]How{}
	for _, n := range c.g.Nodes {
		if c.alias(n) {
			how[n.Name] = How{Note: "nothing to do: only dense layers read it"}
		}
	}
	for _, n := range input {
		how[n.Name] = How{Note: "while the input is converted"}
	}
	impl := map[string]string{}
	for _, l := range c.plan.layers {
		impl[l.Name] = l.Impl
	}
	for _, grp := range c.groups {
		h := How{Impl: impl[grp.node.Name], Note: "chosen for its number format"}
		if strings.HasPrefix(h.Impl, "winograd") {
			h.Note += ", faster by minimal filtering on this CPU"
		}
		if p, ok := c.picks[grp.node.Name]; ok {
			h.Note = "picked: " + p.Impl.String()
		}
		if why := c.whyBits(grp.node); why != "" {
			h.Note = why
		}
		if h.Impl == "" {
			h.Impl, h.Note = "step", "plain Go on float32"
			switch _, adds := grp.node.Op.(*graph.Add); {
			case grp.exact && adds && grp.node.In[0].Shape.Equal(grp.node.In[1].Shape):
				h.Note = "vectors of " + c.choice.For(dtype.Int8).String()
			case grp.bytes || grp.exact:
				h.Note = "plain Go on int8"
			case inVectors(grp.node.Op):
				h.Note = "vectors of " + c.choice.For(dtype.Float32).String()
			}
			if c.poolsBits(grp.node) || c.signed(grp.out) {
				h.Note = "plain Go on bits"
			}
		}
		how[grp.node.Name] = h
		for _, f := range grp.fused {
			how[f.Name] = How{With: grp.node.Name, Note: "in the layer's epilogue"}
		}
	}
	giver := map[string]*graph.Node{} // of values of c.g, by name: folding keeps the last one's
	for _, n := range c.g.Nodes {
		giver[n.Out.Name] = n
	}
	reader := map[*graph.Value]*graph.Node{}
	for _, n := range g.Nodes {
		for _, v := range n.In {
			reader[v] = n
		}
	}
	for _, n := range g.Nodes {
		h, ok := how[n.Name]
		if !ok {
			h = How{Note: "nothing to do outside training"}
			if _, drop := n.Op.(*graph.Dropout); !drop {
				h.Note = "folded into it"
				for at := n; at != nil; at = reader[at.Out] {
					if m := giver[at.Out.Name]; m != nil {
						h.With = m.Name
						break
					}
				}
			}
		}
		h.Node = n.Name
		c.plan.nodes = append(c.plan.nodes, h)
	}
}

// inVectors says whether opFunc carries out an op by kernels.Floats.
func inVectors(op graph.Op) bool {
	switch op := op.(type) {
	case *graph.Add, *graph.Sub, *graph.Mul, *graph.ReLU, *graph.Clip:
		return true
	case *graph.Func:
		return op.Name == "hardswish"
	}
	return false
}
