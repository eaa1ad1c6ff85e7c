package nn_test

import (
	"slices"
	"testing"

	"macroscope/graph"
	"macroscope/nn"
)

// A Pad of what stands for 0 before convolutions is their padding: the network gives the
// same bits as one whose convolutions pad, and no step is left of the Pad.
func TestPadsBecomePadding(t *testing.T) {
	type settings struct {
		before, after     graph.Value // of the Pad: scales and zero points
		value             float32
		mode              graph.PadMode
		shared, shown     bool // something else reads the value before it; what it gives is read by a ReLU
		int8, int8Network bool
	}
	scaled := graph.Value{Scale: 0.05, Zero: -3}
	for _, c := range []struct {
		name  string
		s     settings
		stays bool
		same  bool // as a network whose convolutions pad
	}{
		{"float32", settings{}, false, true},
		{"int8", settings{before: scaled, after: scaled, int8: true}, false, true},
		{"rounded behind it", settings{after: scaled, int8: true}, false, true},
		{"integers", settings{before: scaled, after: scaled, int8: true, int8Network: true}, false, true},
		{"integers, by rounding to the zero point", settings{before: scaled, after: scaled, value: 0.02, int8: true, int8Network: true}, false, true},
		{"integers, another value", settings{before: scaled, after: scaled, value: 0.03, int8: true, int8Network: true}, true, false},
		{"another value", settings{value: 1}, true, false},
		{"reflected", settings{mode: graph.PadReflect}, true, false},
		{"shown to others", settings{shown: true}, true, false},
		{"shared", settings{shared: true}, false, true},
		{"rounded behind it and shared", settings{after: scaled, shared: true, int8: true}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			network := func(padded bool) *graph.Graph {
				m := newMaker(newRand(t), graph.Shape{5, 7, 6})
				x := m.add(&graph.ReLU{}, m.b.Input())
				if c.s.int8Network {
					m.b.Input().Scale, m.b.Input().Zero = scaled.Scale, scaled.Zero
				}
				x.Scale, x.Zero = c.s.before.Scale, c.s.before.Zero
				from := x
				if padded {
					x = m.b.AddNamed("pad", "padded", &graph.Pad{Before: [3]int{0, 2, 1}, After: [3]int{0, 1, 3}, Value: c.s.value, Mode: c.s.mode}, x)
				}
				if c.s.after.Scale != 0 {
					x.Scale, x.Zero = c.s.after.Scale, c.s.after.Zero
				}
				var sums []*graph.Value
				for i := range 2 {
					op := &graph.Conv2D{InC: 5, OutC: 5, KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1 + 4*i, PadTop: 1, PadRight: 2}
					m.fill(op)
					if c.s.int8 {
						roundWeights(&op.Weights, op.OutC, true)
						if op.Bias = nil; c.s.int8Network {
							op.IntBias = make([]int32, op.OutC)
						}
					}
					if !padded {
						op.PadTop, op.PadLeft, op.PadBottom, op.PadRight = op.PadTop+2, op.PadLeft+1, op.PadBottom+1, op.PadRight+3
					}
					y := m.add(op, x)
					if c.s.int8Network {
						y.Scale = 0.5
					}
					sums = append(sums, y)
				}
				y := m.add(&graph.Concat{}, sums...)
				if c.s.shown {
					z := m.add(&graph.ReLU{}, x)
					y = m.add(&graph.Concat{}, m.add(&graph.GlobalAveragePool{}, y), m.add(&graph.GlobalAveragePool{}, z))
				}
				if c.s.shared {
					y = m.add(&graph.Concat{}, m.add(&graph.GlobalAveragePool{}, y), m.add(&graph.GlobalAveragePool{}, from))
				}
				g := m.graph(t, y)
				if c.s.int8Network {
					y.Scale, g.Integer = 0.5, graph.TFLite
				}
				return g
			}
			g := network(true)
			plan, err := nn.Compile(g, nn.Options{})
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(plan.Nodes(), func(h nn.How) bool { return h.Node == "pad" })
			if i < 0 || (plan.Nodes()[i].Impl != "") != c.stays {
				t.Errorf("%+v: want it to stay: %t", plan.Nodes(), c.stays)
			}
			if c.same {
				_, in := pixels(newRand(t), g.Input.Shape.Size())
				for j := range in {
					in[j] = in[j]/64 - 2
				}
				sameBits(t, "folded", g, run(t, plan, in), run(t, compile(t, network(false), defaults(t)), in))
			}
		})
	}
}
