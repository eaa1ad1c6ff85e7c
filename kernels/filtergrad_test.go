package kernels

import (
	"fmt"
	"math"
	"testing"

	"macroscope/dtype"
	"macroscope/internal/guard"
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
// forbidden pages.
func TestFilterGrad(t *testing.T) {
	for _, g := range gradCases {
		t.Run(fmt.Sprintf("%+v", g), func(t *testing.T) {
			eachImpl(t, dtype.Float32, func(t *testing.T, im *Impl) {
				r, s := newRand(t), g.spec()
				fg, err := NewFilterGrad(im, s)
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
				checkFilterGrad(t, g, s, fg, dw, in, dout)
			})
		})
	}
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
					got := float64(dw[((ky*s.KW+kx)*s.In.C+c)*fg.Columns()+o])
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
