package kernels

import (
	"fmt"
	"math"
	"testing"

	"macroscope/dtype"
	"macroscope/internal/guard"
	"macroscope/kernels/generic"
)

// gradCase is a convolution whose gradients are tried.
type gradCase struct {
	n, h, w, c, outC, k, stride, dilation, pad int
}

var gradCases = []gradCase{
	{1, 4, 4, 1, 1, 1, 1, 1, 0},
	{3, 8, 8, 32, 32, 3, 1, 1, 1},
	{2, 5, 7, 3, 10, 3, 1, 1, 1},
	{2, 9, 8, 5, 33, 3, 2, 1, 1},
	{2, 9, 9, 4, 6, 3, 1, 2, 2},
	{1, 11, 10, 2, 7, 5, 3, 2, 3},
	{70, 1, 1, 37, 10, 1, 1, 1, 0},
	{3, 3, 33, 35, 10, 3, 1, 1, 1},
	{20, 8, 8, 17, 64, 3, 1, 1, 1},
}

func (g gradCase) spec() ConvSpec {
	outH := (g.h+2*g.pad-g.dilation*(g.k-1)-1)/g.stride + 1
	outW := (g.w+2*g.pad-g.dilation*(g.k-1)-1)/g.stride + 1
	return ConvSpec{
		In:  Image{DType: dtype.Float32, H: g.h, W: g.w, C: g.c, Top: g.pad, Left: g.pad, Bottom: g.pad, Right: g.pad},
		Out: Image{DType: dtype.Float32, H: outH, W: outW, C: g.outC, Top: 1, Right: 2},
		KH:  g.k, KW: g.k, StrideH: g.stride, StrideW: g.stride, DilationH: g.dilation, DilationW: g.dilation,
		PadTop: g.pad, PadLeft: g.pad,
	}
}

// TestFilterGrad compares with the plainest sum in float64, from slices between
// forbidden pages; with bfloat16 products, with the sum of rounded values.
func TestFilterGrad(t *testing.T) {
	for _, products := range []Products{Float32Products, BFloat16Products} {
		for _, g := range gradCases {
			t.Run(fmt.Sprintf("%v/%+v", products, g), func(t *testing.T) {
				eachImpl(t, dtype.Float32, func(t *testing.T, im *Impl) {
					needProducts(t, im, products)
					testFilterGrad(t, im, g, products)
				})
			})
		}
	}
}

func testFilterGrad(t *testing.T, im *Impl, g gradCase, products Products) {
	r, s := newRand(t), g.spec()
	fg, err := NewFilterGrad(im, s, products)
	if err != nil {
		t.Fatal(err)
	}
	in := view[float32](guard.Tail(t, g.n*s.In.Bytes()))
	dout := view[float32](guard.Tail(t, g.n*s.Out.Bytes()))
	for i := range in {
		in[i] = float32(r.NormFloat64())
	}
	for i := range dout {
		dout[i] = float32(r.NormFloat64())
	}
	dw := view[float32](guard.Tail(t, 4*fg.Len()))
	for i := range dw {
		dw[i] = 1
	}
	var ctx Context
	fg.Add(&ctx, dw, floatBytes(in), floatBytes(dout), g.n)
	if products == BFloat16Products {
		for _, v := range [][]float32{in, dout} {
			for i, x := range v {
				v[i] = math.Float32frombits(generic.BFloat16Pair(x, 0) << 16)
			}
		}
	}
	checkFilterGrad(t, g, s, fg, dw, in, dout)
}

func checkFilterGrad(t *testing.T, g gradCase, s ConvSpec, fg *FilterGrad, dw, in, dout []float32) {
	for ky := range s.KH {
		for kx := range s.KW {
			for c := range s.In.C {
				for o := range s.Out.C {
					sum, abs := 1.0, 1.0
					for n := range g.n {
						for y := range s.Out.H {
							for x := range s.Out.W {
								a := in[(n*s.In.Bytes()+s.In.Offset(y*s.StrideH+ky*s.DilationH-s.PadTop, x*s.StrideW+kx*s.DilationW-s.PadLeft))/4+c]
								b := dout[(n*s.Out.Bytes()+s.Out.Offset(y, x))/4+o]
								sum += float64(a) * float64(b)
								abs += math.Abs(float64(a) * float64(b))
							}
						}
					}
					got := float64(dw[((ky*s.KW+kx)*s.In.C+c)*fg.columns+o])
					tol := float64(g.n*s.Out.H*s.Out.W+1) * 0x1p-24 * abs
					if !(math.Abs(got-sum) <= tol) {
						t.Fatalf("dw[%d][%d][%d][%d] = %v, want %v ± %v", ky, kx, c, o, got, sum, tol)
					}
				}
			}
		}
	}
}

// TestSetFloat32 compares a convolution given other weights with one made of them.
func TestSetFloat32(t *testing.T) {
	for _, g := range gradCases {
		for _, halo := range []Halo{HaloAny, HaloZero} {
			t.Run(fmt.Sprintf("%+v halo %v", g, halo), func(t *testing.T) {
				eachImpl(t, dtype.Float32, func(t *testing.T, im *Impl) {
					r, s := newRand(t), g.spec()
					s.Halo = halo
					n := s.Out.C * s.KH * s.KW * s.In.C
					in := make([]float32, s.In.Bytes()/4)
					for y := range s.In.H {
						for x := range s.In.W {
							copy(in[s.In.Offset(y, x)/4:], someFloat32(r, s.In.C))
						}
					}
					var ctx Context
					outs := map[bool][]byte{}
					w, b := someFloat32(r, n), someFloat32(r, s.Out.C)
					for _, fresh := range []bool{true, false} {
						first, bias := w, b
						if !fresh {
							first, bias = someFloat32(r, n), nil
						}
						s.BiasF = bias
						c, err := NewConv(im, s, PackFloat32(first))
						if err != nil {
							t.Fatal(err)
						}
						if !fresh {
							c.SetFloat32(w, b)
						}
						outs[fresh] = Aligned(s.Out.Bytes())
						c.Run(&ctx, outs[fresh], floatBytes(in))
					}
					if string(outs[true]) != string(outs[false]) {
						t.Error("other sums than those of a convolution made with the weights")
					}
				})
			})
		}
	}
}

// BenchmarkFilterGrad is a group of images of the CIFAR-10 network's layers.
func BenchmarkFilterGrad(b *testing.B) {
	choice, err := Default()
	if err != nil {
		b.Fatal(err)
	}
	im := choice.For(dtype.Float32)
	for _, layer := range []struct{ size, c, outC int }{{32, 3, 32}, {32, 32, 32}, {16, 32, 64}, {16, 64, 64}, {8, 64, 128}, {8, 128, 128}} {
		for _, products := range []Products{Float32Products, BFloat16Products} {
			g := gradCase{16, layer.size, layer.size, layer.c, layer.outC, 3, 1, 1, 1}
			b.Run(fmt.Sprintf("dtype=float32/impl=%s/layer=%dx%dx%d-%d/products=%v", im.Name(), g.h, g.w, g.c, g.outC, products), func(b *testing.B) {
				s := g.spec()
				fg, err := NewFilterGrad(im, s, products)
				if err != nil {
					b.Skip(err)
				}
				r := seeded(1)
				in, dout := make([]float32, g.n*s.In.Bytes()/4), make([]float32, g.n*s.Out.Bytes()/4)
				for _, v := range [][]float32{in, dout} {
					for i := range v {
						v[i] = float32(r.NormFloat64())
					}
				}
				dw := make([]float32, fg.Len())
				var ctx Context
				for b.Loop() {
					fg.Add(&ctx, dw, floatBytes(in), floatBytes(dout), g.n)
				}
				macs := float64(g.n * s.Out.H * s.Out.W * g.outC * g.c * 9)
				b.ReportMetric(macs*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
			})
		}
	}
}
