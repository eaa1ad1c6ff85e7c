package train

import (
	"flag"
	"math"
	"math/rand/v2"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
)

var seed = flag.Uint64("seed", 1, "seed of the random data")

// newRand prints how to run a failing test again.
func newRand(t testing.TB) *rand.Rand {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("again: go test ./train -run '^%s$' -seed %d", t.Name(), *seed)
		}
	})
	return rand.New(rand.NewPCG(*seed, 0))
}

func normals(r *rand.Rand, n int, scale float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64() * scale)
	}
	return v
}

func randomConv(r *rand.Rand, in, out, k, pad int) *graph.Conv2D {
	return &graph.Conv2D{
		Weights: graph.Weights{Float: normals(r, in*out*k*k, 1/math.Sqrt(float64(in*k*k)))},
		InC:     in, OutC: out, KH: k, KW: k, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1,
		PadTop: pad, PadLeft: pad, PadBottom: pad, PadRight: pad, Groups: 1,
	}
}

func binaryConv(r *rand.Rand, in, out, k, pad int, padValue float32) *graph.Conv2D {
	c := randomConv(r, in, out, k, pad)
	signs(c.Float, c.Float)
	c.Binary, c.PadValue = true, padValue
	return c
}

func randomNorm(r *rand.Rand, c int) *graph.BatchNorm {
	b := &graph.BatchNorm{Gamma: normals(r, c, 0.3), Beta: normals(r, c, 0.3), Mean: make([]float32, c), Var: make([]float32, c), Epsilon: 1e-5}
	for i := range b.Gamma {
		b.Gamma[i] += 1
		b.Var[i] = 1
	}
	return b
}

func randomDense(r *rand.Rand, in, out int) *graph.Dense {
	return &graph.Dense{Weights: graph.Weights{Float: normals(r, in*out, 1/math.Sqrt(float64(in))), Bias: normals(r, out, 0.2)}, In: in, Out: out}
}

// images are random inputs with their classes.
type images struct {
	values  [][]float32
	classes []int
}

func randomImages(r *rand.Rand, n int, shape graph.Shape, classes int) *images {
	im := &images{}
	for range n {
		im.values = append(im.values, normals(r, shape.Size(), 1))
		im.classes = append(im.classes, r.IntN(classes))
	}
	return im
}

func (im *images) load(i int, dst []float32) int {
	copy(dst, im.values[i])
	return im.classes[i]
}

func newNet(t testing.TB, g *graph.Graph, o Options) *Net {
	t.Helper()
	n, err := New(g, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

// needProducts skips where the float32 kernels cannot multiply so.
func needProducts(t testing.TB, p kernels.Products) {
	t.Helper()
	choice, err := kernels.Default()
	if err != nil {
		t.Fatal(err)
	}
	if err := choice.For(dtype.Float32).CheckProducts(p); err != nil {
		t.Skip(err)
	}
}
