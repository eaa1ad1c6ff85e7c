package graph_test

import (
	"math/rand/v2"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
)

// A network whose values and weights were quantized to few bits has layers of those
// widths: inputs by the levels that a clip leaves, weights by their values.
func TestWidths(t *testing.T) {
	weights := func(n int, values ...int8) graph.Weights {
		w := graph.Weights{Scale: []float32{0.5}, Int8: make([]int8, n), Float: make([]float32, n)}
		for i := range w.Int8 {
			w.Int8[i] = values[i%len(values)]
			w.Float[i] = 0.5 * float32(w.Int8[i])
		}
		return w
	}
	conv := func(w graph.Weights) *graph.Conv2D {
		return &graph.Conv2D{InC: 4, OutC: 4, KH: 1, KW: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1, Weights: w}
	}
	for _, c := range []struct {
		name           string
		lo, hi, scale  float32
		weights        graph.Weights
		inputs, weight int
	}{
		{"unsigned 2 bits, ternary", 0, 1.5, 0.5, weights(16, -1, 0, 1), 2, 2},
		{"signed 4 bits", -4, 3.5, 0.5, weights(16, 7, -8), 4, 4},
		{"16 levels and one", -4, 4, 0.5, weights(16, 8, -8), 8, 8},
		{"one level", 0, 0, 0.5, weights(16, -2, 1), 1, 2},
		{"±1 as integers", 0, 0.5, 0.5, weights(16, -1, 1), 1, 1},
		{"not carried as int8", 0, 1.5, 0, weights(16, 3), 8, 3},
		{"all of a byte", 0, 6, 6. / 255, weights(16, 127), 8, 8},
		{"weights of a float network", 0, 1.5, 0.5, graph.Weights{Float: random(rand.New(rand.NewPCG(1, 2)), 16, -1, 1)}, 2, 8},
	} {
		b := graph.New("net", "image", graph.Shape{4, 6, 6})
		clip := b.Add("clip", &graph.Clip{Lo: c.lo, Hi: c.hi}, b.Add("first", conv(weights(16, 100)), b.Input()))
		clip.Scale = c.scale
		x := b.Add("pool", &graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}, clip)
		g, err := b.Graph(b.Add("second", conv(c.weights), x))
		if err != nil {
			t.Fatal(c.name, err)
		}
		w, err := g.Workload(dtype.Int8)
		if err != nil {
			t.Fatal(c.name, err)
		}
		first, pool, second := w.Layers[0], w.Layers[1], w.Layers[2]
		if first.DType != dtype.Int8 || first.WeightBits() != 8 || first.OutputBits() != c.inputs {
			t.Errorf("%s: the first layer is %+v", c.name, first)
		}
		if pool.DType != dtype.Int(c.inputs) || pool.OutputBits() != c.inputs {
			t.Errorf("%s: the pool is %+v", c.name, pool)
		}
		if second.DType != dtype.Int(c.inputs) || second.WeightBits() != c.weight || second.OutputBits() != 32 {
			t.Errorf("%s: %s with weights of %d bits, want %d and %d", c.name, second.DType, second.WeightBits(), c.inputs, c.weight)
		}
		if f, err := g.Workload(dtype.Float32); err != nil || f.Layers[2].DType != dtype.Float32 || f.Layers[2].WeightBits() != 32 {
			t.Errorf("%s: in float32 %+v, %v", c.name, f, err)
		}
	}
}
