package rtl

import (
	"bytes"
	"testing"

	"macroscope/bench"
	"macroscope/cifar10"
	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/graph/reference"
	"macroscope/kernels"
	"macroscope/models"
	"macroscope/ptq"
	"macroscope/quant"
	"macroscope/simhw/design"
	"macroscope/simhw/systolic"
	"macroscope/simhw/xnor"
)

// lower makes a convolution of the embedded network a product: the first test
// image's values as they come to the layer, and the layer's weights, both int8
// or both ±1. number counts the convolutions from 1.
func lower(t *testing.T, d dtype.DType, number int) Product {
	t.Helper()
	q, err := bench.LoadNetwork("cifar10cnn", d, ptq.Options{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := cifar10.Read(bytes.NewReader(models.Sample()), "sample")
	if err != nil {
		t.Fatal(err)
	}
	image := make([]float32, cifar10.PixelBytes)
	set.Floats(image, 0)
	values, err := reference.Values(q, image)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range q.Nodes {
		op, ok := n.Op.(*graph.Conv2D)
		if !ok {
			continue
		}
		if number--; number == 0 {
			return im2col(t, n, op, values[n.In[0]])
		}
	}
	t.Fatal("the network has fewer convolutions")
	return Product{}
}

// im2col writes out the taps of every output of a dense convolution without
// dilation, K in (channel, row, column) order.
func im2col(t *testing.T, n *graph.Node, op *graph.Conv2D, x []float64) Product {
	t.Helper()
	round := func(v float64) int8 { return int8(v) } // ±1
	w := op.Int8
	if op.Binary {
		w = make([]int8, len(op.Float))
		for i, v := range op.Float {
			w[i] = int8(v)
		}
	} else {
		scale := n.In[0].Scale
		if w == nil || scale == 0 {
			t.Fatalf("layer %q is not int8", n.Name)
		}
		round = func(v float64) int8 { return quant.Quantize(float32(v), scale) }
	}
	in, out := n.In[0].Shape, n.Out.Shape
	p := Product{M: int64(out[1] * out[2]), N: int64(op.OutC), K: int64(op.K())}
	for oy := range out[1] {
		for ox := range out[2] {
			for c := range op.InC {
				for ky := range op.KH {
					for kx := range op.KW {
						y, x0 := oy*op.StrideH+ky-op.PadTop, ox*op.StrideW+kx-op.PadLeft
						if y < 0 || y >= in[1] || x0 < 0 || x0 >= in[2] {
							p.X = append(p.X, int8(op.PadValue))
						} else {
							p.X = append(p.X, round(x[(c*in[1]+y)*in[2]+x0]))
						}
					}
				}
			}
		}
	}
	for k := range op.K() {
		for o := range op.OutC {
			p.W = append(p.W, w[o*op.K()+k])
		}
	}
	return p
}

// line gives row i of the inputs and column j of the weights.
func (p *Product) line(i, j int64) (x, w []int8) {
	w = make([]int8, p.K)
	for k := range w {
		w[k] = p.W[int64(k)*p.N+j]
	}
	return p.X[i*p.K : (i+1)*p.K], w
}

// A whole layer of the network, with its own weights and a test image, on
// every variant of the array: cycles of the closed form, and the sums of every
// int8 kernel that this CPU has.
func TestLayer(t *testing.T) {
	if !all {
		t.Skip("only by make test-rtl: 10⁶ products on each of 13 arrays")
	}
	p := lower(t, dtype.Int8, 1)
	if p.M != 1024 || p.N != 32 || p.K != 27 {
		t.Fatalf("the layer is %d×%d×%d, want 1024×32×27", p.M, p.N, p.K)
	}
	want := p.multiply()
	for _, im := range kernels.Table() {
		if im.DType() != dtype.Int8 || !im.Available() {
			continue
		}
		for j := range p.N {
			for i := range p.M {
				x, w := p.line(i, j)
				if got := im.DotInt8(x, w); got != int64(want[i*p.N+j]) {
					t.Fatalf("%v: sum (%d, %d) is %d, want %d", im, i, j, got, want[i*p.N+j])
				}
			}
		}
	}
	for _, a := range variants() {
		t.Run(name(a), func(t *testing.T) {
			t.Parallel()
			a.Rows, a.Cols = 8, 8
			check(t, a, 4, []Product{p})
		})
	}
	t.Run("32x32", func(t *testing.T) {
		t.Parallel()
		a := systolic.Array{Rows: 32, Cols: 32, Dataflow: design.WS}
		check(t, a, 1, []Product{p})
	})
}

// The same for a binary layer on the engine of ±1.
func TestBinaryLayer(t *testing.T) {
	if !all {
		t.Skip("only by make test-rtl: 10⁶ products")
	}
	p := lower(t, dtype.Binary, 5)
	if p.M != 64 || p.N != 128 || p.K != 576 {
		t.Fatalf("the layer is %d×%d×%d, want 64×128×576", p.M, p.N, p.K)
	}
	want := p.multiply()
	pack := func(v []int8) []uint64 {
		words := make([]uint64, (len(v)+63)/64)
		for k, s := range v {
			if s > 0 {
				words[k/64] |= 1 << (k % 64)
			}
		}
		return words
	}
	for _, im := range kernels.Table() {
		if im.DType() != dtype.Binary || !im.Available() {
			continue
		}
		for j := range p.N {
			for i := range p.M {
				x, w := p.line(i, j)
				if got := im.DotBinary(pack(x), pack(w), int(p.K)); got != int(want[i*p.N+j]) {
					t.Fatalf("%v: sum (%d, %d) is %d, want %d", im, i, j, got, want[i*p.N+j])
				}
			}
		}
	}
	checkSigns(t, xnor.Engine{PEs: 32, SIMD: 64, Pipe: 1}, []Product{p})
}
