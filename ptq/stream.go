package ptq

import (
	"fmt"

	"macroscope/graph"
	"macroscope/quant"
)

// markStreams gives the values that go round binary layers their stream's scale: one
// for all that additions join, also through max-pools, repeated channels and PReLUs,
// from the largest magnitude that calibration saw of any of them. A stream has an
// addition in it and a sign behind it; one that an int8 layer reads too, or that the
// network takes in or gives out, stays float32.
func markStreams(g *graph.Graph, cal *Calibration) error {
	s := streams{}
	for _, n := range g.Nodes {
		switch n.Op.(type) {
		case *graph.Add, *graph.Concat, *graph.MaxPool, *graph.PReLU, *graph.Clip, *graph.ReLU, *graph.Dropout:
			for _, v := range n.In {
				s.join(v, n.Out)
			}
		}
	}
	sums, signed, barred := map[*graph.Value]bool{}, map[*graph.Value]bool{}, map[*graph.Value]bool{s.of(g.Input): true, s.of(g.Output): true}
	values := []*graph.Value{g.Input}
	for _, n := range g.Nodes {
		values = append(values, n.Out)
		switch n.Op.(type) {
		case *graph.Add:
			sums[s.of(n.Out)] = true
		case *graph.Sign:
			signed[s.of(n.In[0])] = true
		}
		if signs(g, n) || n.Out.Scale != 0 {
			barred[s.of(n.Out)] = true
		}
	}
	limits := map[*graph.Value]float32{}
	for _, v := range values {
		limits[s.of(v)] = max(limits[s.of(v)], cal.Values[v.Name].Max)
	}
	for _, n := range g.Nodes {
		of := s.of(n.Out)
		if !sums[of] || !signed[of] || barred[of] {
			continue
		}
		if _, ok := n.Op.(*graph.Add); ok {
			if _, ok := cal.Values[n.Out.Name]; !ok {
				return fmt.Errorf("node %q: no calibration of its output %q: calibrate this network", n.Name, n.Out.Name)
			}
		}
		scale, err := quant.StreamScale(limits[of])
		if err != nil {
			return fmt.Errorf("node %q: output %q: %w", n.Name, n.Out.Name, err)
		}
		n.Out.Stream = scale
	}
	return nil
}

// streams says which values belong together: each points to another of its own, the
// last one to nothing.
type streams map[*graph.Value]*graph.Value

func (s streams) of(v *graph.Value) *graph.Value {
	for s[v] != nil {
		v = s[v]
	}
	return v
}

func (s streams) join(a, b *graph.Value) {
	if a, b = s.of(a), s.of(b); a != b {
		s[a] = b
	}
}
