package train

import (
	"fmt"
	"math"
	"math/rand/v2"

	"macroscope/dtype"
	"macroscope/graph"
)

// CIFAR10CNN is the network that the project measures, with random weights:
//
//	3×3 convolutions of 32, 32, max-pool, 64, 64, max-pool, 128, 128, max-pool,
//	dense 10, on 32×32×3 pixels 0 to 255
//
// with all channels but the image's and the classes' times width. In float32 a
// convolution is followed by batch norm and ReLU, then by the pool; in binary the
// second to sixth convolution multiply signs, padded with −1, and are followed by
// pool and batch norm. Weights are drawn from the seed (He et al., Delving Deep into
// Rectifiers, 2015).
func CIFAR10CNN(d dtype.DType, width int, seed uint64) (*graph.Graph, error) {
	if width < 1 || width > 16 {
		return nil, fmt.Errorf("width %d: want 1 to 16", width)
	}
	if d != dtype.Float32 && d != dtype.Binary {
		return nil, fmt.Errorf("dtype %v: want float32 or binary", d)
	}
	t := topology{Builder: graph.New("cifar10cnn", "image", graph.Shape{3, 32, 32}), r: rand.New(rand.NewPCG(seed, 0))}
	// The mean and the deviation of CIFAR-10's training images, by channel.
	x := t.Add("normalize", &graph.Affine{
		Scale: []float32{1 / (255 * 0.2470), 1 / (255 * 0.2435), 1 / (255 * 0.2616)},
		Shift: []float32{-0.4914 / 0.2470, -0.4822 / 0.2435, -0.4465 / 0.2616},
	}, t.Input())
	in := 3
	for i, channels := range []int{32, 32, 64, 64, 128, 128} {
		out := channels * width
		name := func(what string) string { return fmt.Sprintf("%s%d", what, i+1) }
		binary := d == dtype.Binary && i > 0
		if binary {
			x = t.Add(name("sign"), &graph.Sign{}, x)
		}
		x = t.Add(name("conv"), t.conv(in, out, binary), x)
		pool := func() {
			if i%2 == 1 {
				x = t.Add(name("pool"), &graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}, x)
			}
		}
		if d == dtype.Binary {
			pool() // a maximum of integer sums, which the kernel takes in registers
		}
		x = t.Add(name("norm"), norm(out), x)
		if d == dtype.Float32 {
			x = t.Add(name("relu"), &graph.ReLU{}, x)
			pool()
		}
		in = out
	}
	if d == dtype.Binary {
		x = t.Add("sign7", &graph.Sign{}, x)
	}
	x = t.Add("flatten", &graph.Flatten{}, x)
	x = t.Add("dense", t.dense(in*16, 10), x)
	if d == dtype.Binary {
		x = t.Add("norm7", norm(10), x)
	}
	return t.Graph(x)
}

type topology struct {
	*graph.Builder
	r *rand.Rand
}

func (t *topology) conv(in, out int, binary bool) *graph.Conv2D {
	c := &graph.Conv2D{
		Weights: graph.Weights{Float: t.normal(in*out*9, math.Sqrt(2/float64(in*9))), Binary: binary},
		InC:     in, OutC: out, KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1,
		PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 1,
	}
	if binary {
		signs(c.Float, c.Float)
		c.PadValue = -1
	}
	return c
}

func (t *topology) dense(in, out int) *graph.Dense {
	return &graph.Dense{Weights: graph.Weights{Float: t.normal(in*out, math.Sqrt(1/float64(in))), Bias: make([]float32, out)}, In: in, Out: out}
}

func (t *topology) normal(n int, deviation float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(t.r.NormFloat64() * deviation)
	}
	return v
}

func norm(c int) *graph.BatchNorm {
	b := &graph.BatchNorm{Gamma: make([]float32, c), Beta: make([]float32, c), Mean: make([]float32, c), Var: make([]float32, c), Epsilon: 1e-5}
	for i := range c {
		b.Gamma[i], b.Var[i] = 1, 1
	}
	return b
}
