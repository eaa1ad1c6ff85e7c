package graph_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"macroscope/graph"
	"macroscope/graph/reference"
)

func random(r *rand.Rand, n int, least, most float64) []float32 {
	f := make([]float32, n)
	for i := range f {
		f[i] = float32(least + (most-least)*r.Float64())
	}
	return f
}

func randomConv(r *rand.Rand, in, out int) *graph.Conv2D {
	return &graph.Conv2D{
		Weights: graph.Weights{Float: random(r, in*out*9, -1, 1), Bias: random(r, out, -1, 1)},
		InC:     in, OutC: out, KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1,
		PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 1,
	}
}

func randomNorm(r *rand.Rand, n int) *graph.BatchNorm {
	return &graph.BatchNorm{
		Gamma: random(r, n, -2, 2), Beta: random(r, n, -1, 1), Mean: random(r, n, -1, 1), Var: random(r, n, 0.1, 4), Epsilon: 1e-5,
	}
}

func signs(f []float32) []float32 {
	for i, v := range f {
		f[i] = float32(math.Copysign(1, float64(v)))
	}
	return f
}

// kinds lists the ops of g.
func kinds(g *graph.Graph) []string {
	var k []string
	for _, n := range g.Nodes {
		k = append(k, n.Op.Kind())
	}
	return k
}

func TestFoldBatchNorm(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	img := graph.Shape{3, 6, 6}
	for _, c := range []struct {
		name  string
		build func(b *graph.Builder) *graph.Value
		want  []string
	}{
		{"conv", func(b *graph.Builder) *graph.Value {
			return b.Add("relu", &graph.ReLU{}, b.Add("norm", randomNorm(r, 4), b.Add("conv", randomConv(r, 3, 4), b.Input())))
		}, []string{"conv2d", "relu"}},
		{"no bias", func(b *graph.Builder) *graph.Value {
			c := randomConv(r, 3, 4)
			c.Bias = nil
			return b.Add("norm", randomNorm(r, 4), b.Add("conv", c, b.Input()))
		}, []string{"conv2d"}},
		{"grouped", func(b *graph.Builder) *graph.Value {
			c := randomConv(r, 3, 6)
			c.Groups, c.Float = 3, c.Float[:6*9]
			return b.Add("norm", randomNorm(r, 6), b.Add("conv", c, b.Input()))
		}, []string{"conv2d"}},
		{"dense", func(b *graph.Builder) *graph.Value {
			d := &graph.Dense{In: 108, Out: 5, Weights: graph.Weights{Float: random(r, 540, -1, 1)}}
			return b.Add("norm", randomNorm(r, 5), b.Add("dense", d, b.Add("flatten", &graph.Flatten{}, b.Input())))
		}, []string{"flatten", "dense"}},
		{"chain", func(b *graph.Builder) *graph.Value { // batch norm as exporters split it
			x := b.Add("norm", randomNorm(r, 4), b.Add("conv", randomConv(r, 3, 4), b.Input()))
			return b.Add("affine", &graph.Affine{Scale: random(r, 1, 1, 2), Shift: random(r, 4, -1, 1)}, x)
		}, []string{"conv2d"}},
		{"affines", func(b *graph.Builder) *graph.Value {
			x := b.Add("mean", &graph.Affine{Scale: []float32{1}, Shift: random(r, 3, -100, 0)}, b.Input())
			x = b.Add("deviation", &graph.Affine{Scale: random(r, 3, 0, 0.1), Shift: []float32{0}}, x)
			return b.Add("half", &graph.Affine{Scale: []float32{0.5}, Shift: []float32{0.25}}, x)
		}, []string{"affine"}},
		{"after pool", func(b *graph.Builder) *graph.Value {
			x := b.Add("pool", &graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}, b.Add("conv", randomConv(r, 3, 4), b.Input()))
			return b.Add("norm", randomNorm(r, 4), x)
		}, []string{"conv2d", "maxpool", "batchnorm"}},
		{"two readers", func(b *graph.Builder) *graph.Value {
			x := b.Add("conv", randomConv(r, 3, 4), b.Input())
			return b.Add("sum", &graph.Add{}, x, b.Add("norm", randomNorm(r, 4), x))
		}, []string{"conv2d", "batchnorm", "add"}},
		{"read twice after", func(b *graph.Builder) *graph.Value {
			x := b.Add("norm", randomNorm(r, 4), b.Add("conv", randomConv(r, 3, 4), b.Input()))
			return b.Add("sum", &graph.Add{}, x, b.Add("relu", &graph.ReLU{}, x))
		}, []string{"conv2d", "relu", "add"}},
		{"dropout", func(b *graph.Builder) *graph.Value {
			x := b.Add("drop", &graph.Dropout{Rate: 0.5}, b.Add("conv", randomConv(r, 3, 4), b.Input()))
			return b.Add("norm", randomNorm(r, 4), x)
		}, []string{"conv2d"}},
		{"dropout of what else is read", func(b *graph.Builder) *graph.Value {
			x := b.Add("conv", randomConv(r, 3, 4), b.Input())
			return b.Add("sum", &graph.Add{}, x, b.Add("norm", randomNorm(r, 4), b.Add("drop", &graph.Dropout{Rate: 0.5}, x)))
		}, []string{"conv2d", "batchnorm", "add"}},
		{"dropout last", func(b *graph.Builder) *graph.Value {
			return b.Add("drop", &graph.Dropout{Rate: 0.5}, b.Add("conv", randomConv(r, 3, 4), b.Input()))
		}, []string{"conv2d", "dropout"}},
		{"binary", func(b *graph.Builder) *graph.Value {
			c := randomConv(r, 3, 4)
			c.Bias, c.Binary, c.PadValue = nil, true, -1
			signs(c.Float)
			x := b.Add("norm", randomNorm(r, 4), b.Add("conv", c, b.Add("sign", &graph.Sign{}, b.Input())))
			return b.Add("sign2", &graph.Sign{}, x)
		}, []string{"sign", "conv2d", "batchnorm", "sign"}},
		{"on the input", func(b *graph.Builder) *graph.Value {
			return b.Add("norm", randomNorm(r, 3), b.Input())
		}, []string{"batchnorm"}},
		{"out of range", func(b *graph.Builder) *graph.Value {
			n := randomNorm(r, 4)
			n.Gamma[2], n.Var[2] = math.MaxFloat32, 0
			return b.Add("norm", n, b.Add("conv", randomConv(r, 3, 4), b.Input()))
		}, []string{"conv2d", "batchnorm"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := graph.New("net", "image", img)
			g, err := b.Graph(c.build(b))
			if err != nil {
				t.Fatal(err)
			}
			before := kinds(g)
			folded := graph.FoldBatchNorm(g)
			if err := folded.Check(); err != nil {
				t.Fatal(err)
			}
			if got := kinds(folded); !slices.Equal(got, c.want) {
				t.Errorf("folded into %v: want %v", got, c.want)
			}
			if folded.Output.Name != g.Output.Name {
				t.Errorf("output %q: want %q", folded.Output.Name, g.Output.Name)
			}
			if !slices.Equal(kinds(g), before) || g.Check() != nil {
				t.Error("the graph itself was changed")
			}
			image := random(r, img.Size(), -2, 2)
			want, err := reference.Run(g, image, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := reference.Run(folded, image, nil)
			if err != nil {
				t.Fatal(err)
			}
			// Weights and bias are rounded to 24 bits: at most 28 products of at most
			// 2·14 each (|gamma|/√var ≤ 6.4, |x| ≤ 2), half an ulp of 2⁻²⁴ relative.
			scale := 0.0
			for _, v := range want {
				scale = max(scale, math.Abs(v))
			}
			for i := range want {
				if diff := math.Abs(got[i] - want[i]); !(diff <= 1e-5*max(1, scale)) {
					t.Fatalf("element %d: %g folded, %g before", i, got[i], want[i])
				}
			}
		})
	}
}
