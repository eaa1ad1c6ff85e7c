package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"macroscope/dtype"
	"macroscope/graph"
)

// Topology is what CIFAR10CNN may vary.
type Topology struct {
	DType dtype.DType // Float32 or Binary
	Width int         // 1 to 16: all channels but the image's and the classes' times it
	// Shortcuts leads a real value around each binary convolution (Liu et al., Bi-Real
	// Net, 2018), followed by a PReLU.
	Shortcuts bool
	Dropout   float32 // before the dense layer; 0: none
}

// CIFAR10CNN is the network that the project measures, with random weights:
//
//	3×3 convolutions of 32, 32, max-pool, 64, 64, max-pool, 128, 128, max-pool,
//	dense 10, on 32×32×3 pixels 0 to 255
//
// In float32 a convolution is followed by batch norm and ReLU, then by the pool; in
// binary the second to sixth convolution multiply signs, padded with −1, and are
// followed by pool and batch norm. With shortcuts
//
//	x = prelu(norm(pool(conv(sign(norm(x))))) + pool(x))
//
// where there is a pool, the inner norm giving each channel a threshold of its own, and x twice, its channels behind one another, where a
// convolution doubles them, and the dense layer reads real values where it else reads
// signs. Weights are drawn from the seed (He et al., Delving Deep
// into Rectifiers, 2015).
func CIFAR10CNN(o Topology, seed uint64) (*graph.Graph, error) {
	switch {
	case o.Width < 1 || o.Width > 16:
		return nil, fmt.Errorf("width %d: want 1 to 16", o.Width)
	case o.DType != dtype.Float32 && o.DType != dtype.Binary:
		return nil, fmt.Errorf("dtype %v: want float32 or binary", o.DType)
	case o.Shortcuts && o.DType != dtype.Binary:
		return nil, fmt.Errorf("shortcuts in %v: want binary", o.DType)
	case !(o.Dropout >= 0 && o.Dropout < 1):
		return nil, fmt.Errorf("dropout %v: want 0 to less than 1", o.Dropout)
	}
	t := topology{Builder: graph.New("cifar10cnn", "image", graph.Shape{3, 32, 32}), r: rand.New(rand.NewPCG(seed, 0))}
	// The mean and the deviation of CIFAR-10's training images, by channel.
	x := t.Add("normalize", &graph.Affine{
		Scale: []float32{1 / (255 * 0.2470), 1 / (255 * 0.2435), 1 / (255 * 0.2616)},
		Shift: []float32{-0.4914 / 0.2470, -0.4822 / 0.2435, -0.4465 / 0.2616},
	}, t.Input())
	in := 3
	for i, channels := range []int{32, 32, 64, 64, 128, 128} {
		out := channels * o.Width
		b := block{&t, i + 1, in, out, i%2 == 1}
		switch {
		case o.DType == dtype.Float32:
			x = b.float(x)
		case o.Shortcuts:
			x = b.shortcut(x)
		default:
			x = b.binary(x)
		}
		in = out
	}
	if o.DType == dtype.Binary && !o.Shortcuts {
		x = t.Add("sign7", &graph.Sign{}, x)
	}
	if o.Dropout > 0 {
		x = t.Add("dropout", &graph.Dropout{Rate: o.Dropout}, x)
	}
	x = t.Add("flatten", &graph.Flatten{}, x)
	x = t.Add("dense", t.dense(in*16, 10), x)
	if o.DType == dtype.Binary {
		x = t.Add("norm7", norm(10), x)
	}
	return t.Graph(x)
}

// block is a convolution with what belongs to it.
type block struct {
	*topology
	number, in, out int
	pools           bool
}

func (b block) add(what string, op graph.Op, in ...*graph.Value) *graph.Value {
	return b.Add(fmt.Sprintf("%s%d", what, b.number), op, in...)
}

func (b block) pool(what string, x *graph.Value) *graph.Value {
	if !b.pools {
		return x
	}
	return b.Add(fmt.Sprint(what, b.number/2), &graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}, x)
}

func (b block) float(x *graph.Value) *graph.Value {
	conv := b.conv(b.in, b.out, false)
	conv.Bias = make([]float32, b.out) // 0, also after training: a batch norm follows
	x = b.add("norm", norm(b.out), b.add("conv", conv, x))
	return b.pool("pool", b.add("relu", &graph.ReLU{}, x))
}

// sums is the convolution's sums, pooled, of signs from the second on: a maximum of
// integers, which the kernel takes in registers.
func (b block) sums(x *graph.Value) *graph.Value {
	binary := b.number > 1
	if binary {
		x = b.add("sign", &graph.Sign{}, x)
	}
	return b.pool("pool", b.add("conv", b.conv(b.in, b.out, binary), x))
}

func (b block) binary(x *graph.Value) *graph.Value { return b.add("norm", norm(b.out), b.sums(x)) }

func (b block) shortcut(x *graph.Value) *graph.Value {
	in := x
	if b.number > 1 {
		in = b.add("center", norm(b.in), x)
	}
	y := b.binary(in)
	if b.number > 1 {
		around := b.pool("around_pool", x)
		if b.out != b.in {
			around = b.add("twice", &graph.Concat{}, slices.Repeat([]*graph.Value{around}, b.out/b.in)...)
		}
		y = b.add("add", &graph.Add{}, y, around)
	}
	slope := make([]float32, b.out)
	for i := range slope {
		slope[i] = 0.25
	}
	return b.add("prelu", &graph.PReLU{Slope: slope}, y)
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
