package ptq

import (
	"fmt"

	"macroscope/graph"
	"macroscope/quant"
)

// markStreams gives the values that go round binary layers their stream's scale: one
// for all that belong together, from the largest magnitude that calibration saw of any of
// them. A stream that an int8 layer reads as it is, not flattened, or that the network
// takes in or gives out, stays float32.
func markStreams(g *graph.Graph, s *graph.Streams, cal *Calibration) error {
	barred := map[*graph.Value]bool{s.Of(g.Input): true, s.Of(g.Output): true}
	values := []*graph.Value{g.Input}
	for _, n := range g.Nodes {
		values = append(values, n.Out)
		if signs(g, n) || n.Out.Scale != 0 {
			barred[s.Of(n.Out)] = true
		}
	}
	limits := map[*graph.Value]float32{}
	for _, v := range values {
		limits[s.Of(v)] = max(limits[s.Of(v)], cal.Values[v.Name].Max)
	}
	for _, n := range g.Nodes {
		of := s.Of(n.Out)
		if !s.Has(of) || barred[of] {
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
