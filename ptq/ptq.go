// Package ptq quantizes a float network to int8 after training.
//
// Calibrate looks at the activations that training images cause; Quantize
// chooses the scales from that and rounds the weights. The rule is the
// symmetric one of package quant: x ≈ s·x̃, so that Σxw = s_x·s_w·Σx̃w̃. What
// was binarized during training stays binary; only float layers become int8.
package ptq

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"macroscope/graph"
	"macroscope/quant"
)

// Options choose among the ways to quantize.
type Options struct {
	// Method is how an activation's range is chosen from its calibration: one of
	// Methods. Empty is "max".
	Method string
	// PerTensor gives each layer's weights one scale, as the talk does; else each
	// output channel has its own.
	PerTensor bool
}

// Quantize returns g, batch norms folded, with every float convolution and
// dense layer as int8: their weights rounded, their inputs given a scale. The
// network's output stays float32. What goes round binary layers by shortcuts becomes
// a stream (graph.Value.Stream), whose scale comes from the largest magnitude whatever
// the method. cal must come from the same network.
func Quantize(g *graph.Graph, cal *Calibration, o Options) (*graph.Graph, error) {
	if o.Method == "" {
		o.Method = "max"
	}
	if !slices.Contains(Methods(), o.Method) {
		return nil, fmt.Errorf("method %q: want %s", o.Method, strings.Join(Methods(), ", "))
	}
	if cal.Network != g.Name {
		return nil, fmt.Errorf("calibration is of network %q: want %q", cal.Network, g.Name)
	}
	q := clone(graph.FoldBatchNorm(g))
	streams := graph.FindStreams(q)
	for _, n := range q.Nodes {
		w := floatWeights(n)
		if w == nil {
			continue
		}
		if err := scaleInput(q, n, streams, cal, o.Method); err != nil {
			return nil, fmt.Errorf("node %q: %w", n.Name, err)
		}
		if err := roundWeights(w, n, o.PerTensor); err != nil {
			return nil, fmt.Errorf("node %q: %w", n.Name, err)
		}
	}
	if err := markStreams(q, streams, cal); err != nil {
		return nil, err
	}
	return q, nil
}

// Done says whether g has no float layer left that Quantize would round.
func Done(g *graph.Graph) bool {
	return !slices.ContainsFunc(g.Nodes, func(n *graph.Node) bool { return floatWeights(n) != nil })
}

// clone copies what Quantize changes: nodes, values and layers.
func clone(g *graph.Graph) *graph.Graph {
	values := map[*graph.Value]*graph.Value{}
	value := func(v *graph.Value) *graph.Value {
		if values[v] == nil {
			c := *v
			values[v] = &c
		}
		return values[v]
	}
	q := &graph.Graph{Name: g.Name, Input: value(g.Input)}
	for _, n := range g.Nodes {
		c := &graph.Node{Name: n.Name, Op: n.Op, Out: value(n.Out)}
		for _, v := range n.In {
			c.In = append(c.In, value(v))
		}
		switch op := n.Op.(type) {
		case *graph.Conv2D:
			d := *op
			c.Op = &d
		case *graph.Dense:
			d := *op
			c.Op = &d
		}
		q.Nodes = append(q.Nodes, c)
	}
	q.Output = value(g.Output)
	return q
}

// floatWeights are the weights of a layer that is still float, or nil.
func floatWeights(n *graph.Node) *graph.Weights {
	var w *graph.Weights
	switch op := n.Op.(type) {
	case *graph.Conv2D:
		w = &op.Weights
	case *graph.Dense:
		w = &op.Weights
	default:
		return nil
	}
	if w.Binary || w.Int8 != nil {
		return nil
	}
	return w
}

// source follows a value back through flattening, which changes no number.
func source(g *graph.Graph, v *graph.Value) (*graph.Value, *graph.Node) {
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		if n := g.Nodes[i]; n.Out == v {
			if _, ok := n.Op.(*graph.Flatten); !ok {
				return v, n
			}
			v = n.In[0]
		}
	}
	return v, nil
}

// signs says whether a node gives ±1: a Sign, or the maximum of such.
func signs(g *graph.Graph, n *graph.Node) bool {
	if n == nil {
		return false
	}
	switch n.Op.(type) {
	case *graph.Sign:
		return true
	case *graph.MaxPool:
		_, giver := source(g, n.In[0])
		return signs(g, giver)
	}
	return false
}

// scaleInput gives a layer's input its scale; what is ±1 needs none, and what has one keeps
// it: some files round values alone, or have weights that int8 does not hold. Of a stream
// that is flattened, the flat copy alone becomes int8.
func scaleInput(g *graph.Graph, n *graph.Node, streams *graph.Streams, cal *Calibration, method string) error {
	v, giver := source(g, n.In[0])
	if signs(g, giver) {
		return nil
	}
	if in := n.In[0]; in.Scale != 0 || v.Scale != 0 {
		if in.Scale == 0 {
			in.Scale, in.Zero, in.Full = v.Scale, v.Zero, v.Full
		}
		return nil
	}
	r, ok := cal.Values[v.Name]
	if !ok {
		return fmt.Errorf("no calibration of its input %q: calibrate this network", v.Name)
	}
	limit, err := r.limit(method)
	if err != nil {
		return err
	}
	s, err := quant.Scale(limit)
	if err != nil {
		return fmt.Errorf("input %q: %w", v.Name, err)
	}
	n.In[0].Scale = s
	if !streams.Has(v) {
		v.Scale = s
	}
	return nil
}

// roundWeights sets Int8 and Scale from the float weights.
func roundWeights(w *graph.Weights, n *graph.Node, perTensor bool) error {
	rows := n.Out.Shape.Channels()
	k := len(w.Float) / rows
	groups := rows
	if perTensor {
		groups = 1
	}
	w.Scale, w.Int8 = make([]float32, groups), make([]int8, len(w.Float))
	size := k * rows / groups
	for i := range groups {
		part := w.Float[i*size : (i+1)*size]
		var most float32
		for _, x := range part {
			if x != x {
				return fmt.Errorf("a weight is NaN")
			}
			most = max(most, float32(math.Abs(float64(x))))
		}
		s, err := quant.Scale(most)
		if err != nil {
			return fmt.Errorf("weights: %w", err)
		}
		w.Scale[i] = s
		quant.QuantizeTo(w.Int8[i*size:(i+1)*size], part, s)
	}
	return nil
}
