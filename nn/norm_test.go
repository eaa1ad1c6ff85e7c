package nn_test

import (
	"math"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/graph/reference"
)

// A batch norm between integer sums and a rounding is part of the rounding: the same
// integers as in float64, but for values that lie half-way between two.
func TestNormsFoldIntoRequantization(t *testing.T) {
	r := newRand(t)
	values, near := 0, 0
	for i := range rounds(60) {
		m := newMaker(r, graph.Shape{1 + r.IntN(20), 4 + r.IntN(5), 4 + r.IntN(5)})
		f := bitFormats[i%len(bitFormats)]
		f.zero = 0
		v := m.rounded(m.b.Input(), f, 0.5)
		var layer *graph.Value
		pooled := false
		if m.one(4) {
			op := &graph.Dense{In: v.Shape.Size(), Out: 1 + r.IntN(20)}
			op.Weights = m.narrow(graph.Weights{Float: m.normal(op.In*op.Out, 1)}, f, op.Out)
			layer = m.add(op, m.add(&graph.Flatten{}, v))
		} else {
			op := m.geometry(v.Shape, 1+r.IntN(40))
			op.Weights = m.narrow(graph.Weights{Float: m.normal(op.OutC*op.InC*op.KH*op.KW, 1)}, f, op.OutC)
			layer = m.add(op, v)
			pooled = layer.Shape[1] > 1 && layer.Shape[2] > 1 && m.one(2)
		}
		x := layer
		switch r.IntN(3) {
		case 0:
			x = m.add(&graph.Affine{Scale: []float32{-0.7}, Shift: m.normal(x.Shape[0], 1)}, x)
		case 1:
			x = m.add(&graph.Affine{Scale: []float32{1.25}, Shift: []float32{0.5}}, m.add(m.norm(x.Shape[0]), x))
		default:
			x = m.add(m.norm(x.Shape[0]), x)
		}
		if m.one(2) {
			x = m.add(&graph.ReLU{}, x)
		}
		if pooled {
			x = m.add(&graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}, x)
		}
		x = m.rounded(x, bitFormat{bits: 4, signed: true}, 0.2)
		g := m.graph(t, x)
		p := compile(t, g, nil)
		for _, h := range p.Nodes() {
			if h.Impl == "step" && h.Node != "clip1" {
				t.Fatalf("case %d: %s is a step\n%s", i, h.Node, describe(g))
			}
		}
		in := make([]float32, p.InputSize())
		for j := range in {
			in[j] = float32(r.IntN(1<<f.bits)) * 0.5
			if f.signed {
				in[j] -= float32(int(1)<<(f.bits-1)) * 0.5
			}
		}
		want, err := reference.Run(g, in, nil)
		if err != nil {
			t.Fatal(err)
		}
		for j, got := range run(t, p, in) {
			values++
			exact := want[j] / float64(float32(0.2))
			if q := math.Round(float64(got / 0.2)); q != math.RoundToEven(exact) {
				near++
				if !(math.Abs(q-exact) < 0.5+1e-4) {
					t.Fatalf("case %d: value %d is %v steps: want %v\n%s", i, j, q, exact, describe(g))
				}
			}
		}
	}
	if near > values/500 {
		t.Errorf("%d of %d values lie half-way: not to be believed", near, values)
	}
}

// A pool of what is rounded is in the layer's epilogue, and gives what rounding the
// pool gives; who reads it computes with integers.
func TestPoolsOfRoundedValues(t *testing.T) {
	r := newRand(t)
	for i := range rounds(20) {
		f := bitFormats[i%len(bitFormats)]
		pool := &graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}
		conv, next := same(graph.Shape{5, 8, 6}, 1+r.IntN(40)), (*graph.Conv2D)(nil)
		var graphs []*graph.Graph
		for _, before := range []bool{false, true} {
			m := newMaker(r, graph.Shape{5, 8, 6})
			v := m.rounded(m.b.Input(), f, 0.5)
			if next == nil {
				conv.Weights = m.narrow(graph.Weights{Float: m.normal(conv.OutC*5*9, 1)}, f, conv.OutC)
				next = same(graph.Shape{conv.OutC, 4, 3}, 7)
				next.Weights = m.narrow(graph.Weights{Float: m.normal(7*conv.OutC*9, 1)}, f, 7)
			}
			x := m.b.Add("conv", conv, v)
			if before {
				x = m.rounded(m.b.Add("pool", pool, x), f, 0.3)
			} else {
				x = m.b.Add("pool", pool, m.rounded(x, f, 0.3))
			}
			graphs = append(graphs, m.graph(t, m.b.Add("next", next, x)))
		}
		after, before := compile(t, graphs[0], nil), compile(t, graphs[1], nil)
		for _, h := range after.Nodes() {
			if h.Node == "pool" && h.With != "conv" {
				t.Fatalf("%s: the pool is %q with %q: want it with conv", f.name, h.Impl, h.With)
			}
		}
		for _, l := range after.Layers() {
			if l.DType != dtype.Int8 {
				t.Errorf("%s: %s in %v: want int8", f.name, l.Name, l.DType)
			}
		}
		in := make([]float32, after.InputSize())
		for j := range in {
			in[j] = float32(r.NormFloat64())
		}
		sameBits(t, f.name, graphs[0], run(t, after, in), run(t, before, in))
	}
}
