package kernels

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"macroscope/dtype"
	"macroscope/kernels/tile"
)

// groupedRunner is what Grouped and Depthwise have in common.
type groupedRunner interface {
	RunTiles(ctx *Context, out, in []byte, from, to int)
	Tiles() int
}

// Every output of a convolution in groups, and of a depthwise one, is the sum that the
// definition says; what lies around the outputs stays.
func TestGrouped(t *testing.T) {
	for _, d := range []dtype.DType{dtype.Float32, dtype.Int8} {
		t.Run(d.String(), func(t *testing.T) {
			eachImpl(t, d, func(t *testing.T, im *Impl) {
				r := newRand(t)
				var ctx Context
				for range cases(im, 60, 30, 6) {
					checkGrouped(t, im, &ctx, r)
				}
			})
		})
	}
}

func checkGrouped(t *testing.T, im *Impl, ctx *Context, r *rand.Rand) {
	t.Helper()
	d := im.DType()
	depthwise := r.IntN(2) == 0
	groups, perIn, perOut := 1+r.IntN(70), 1, 1
	if !depthwise {
		groups, perIn, perOut = 1+r.IntN(5), 1+r.IntN(9), 1+r.IntN(20)
	}
	s := ConvSpec{
		KH: 1 + r.IntN(3), KW: 1 + r.IntN(3), StrideH: 1 + r.IntN(2), StrideW: 1 + r.IntN(2), DilationH: 1 + r.IntN(2), DilationW: 1 + r.IntN(2),
		PadTop: r.IntN(3), PadLeft: r.IntN(3), Halo: HaloZero,
	}
	oh, ow := 1+r.IntN(6), 1+r.IntN(6)
	s.In = Image{DType: d, C: groups * perIn, Top: s.PadTop, Left: s.PadLeft, Bottom: r.IntN(3), Right: r.IntN(3)}
	s.In.H = max(1, (oh-1)*s.StrideH+(s.KH-1)*s.DilationH+1-s.PadTop-s.In.Bottom)
	s.In.W = max(1, (ow-1)*s.StrideW+(s.KW-1)*s.DilationW+1-s.PadLeft-s.In.Right)
	s.Out = Image{DType: dtype.Float32, H: oh, W: ow, C: groups * perOut, Top: r.IntN(2), Left: r.IntN(2), Right: r.IntN(2)}
	requant := d == dtype.Int8 && r.IntN(2) == 0
	if requant {
		s.Out.DType, s.Mode, s.Lo, s.Hi, s.OutXor = dtype.Int8, tile.Requant, -127, 127, uint8(r.IntN(2)*0x80)
		for range s.Out.C {
			s.Scale, s.Offset = append(s.Scale, 0.01*(1+r.Float32())), append(s.Offset, r.Float32())
		}
		if r.IntN(2) == 0 {
			s.Scale, s.Offset, s.Multipliers, s.Zero = nil, nil, someMultipliers(r, s.Out.C), int8(r.IntN(256)-128)
		}
	} else if d == dtype.Float32 {
		s.BiasF = someFloat32(r, s.Out.C)
		if r.IntN(2) == 0 {
			s.Lo, s.Hi = -0.5, 6
		}
	}
	k := s.KH * s.KW
	wf, wi := someFloat32(r, s.Out.C*perIn*k), someInt8(r, s.Out.C*perIn*k) // [OutC][KH][KW][perIn]

	var g groupedRunner
	var err error
	switch {
	case depthwise && d == dtype.Float32:
		g, err = NewDepthwiseFloat32(im, s, wf)
	case depthwise:
		g, err = NewDepthwiseInt8(im, s, wi)
	case d == dtype.Float32:
		g, err = NewGrouped(im, s, groups, PackFloat32(wf))
	default:
		g, err = NewGrouped(im, s, groups, PackInt8(wi, perIn))
	}
	if err != nil {
		t.Fatalf("%+v: %v", s, err)
	}

	// The input between guard pages: its pixels at random, its halo 0.
	x := make([]float64, s.In.H*s.In.W*s.In.C)
	xf, xi := someFloat32(r, len(x)), someInt8(r, len(x))
	for _, in := range guarded[uint8](t, s.In.Bytes()) {
		for i := range in {
			in[i] = im.AXor()
		}
		if d == dtype.Float32 {
			clear(in)
		}
		for i := range x {
			px := in[s.In.Offset(i/s.In.C/s.In.W, i/s.In.C%s.In.W):]
			if d == dtype.Float32 {
				view[float32](px[:4*s.In.C])[i%s.In.C], x[i] = xf[i], float64(xf[i])
			} else {
				px[i%s.In.C], x[i] = uint8(xi[i])^im.AXor(), float64(xi[i])
			}
		}
		out := slices.Repeat([]byte{0x5a}, s.Out.Bytes())
		for n := g.Tiles(); n > 0; n -= 3 {
			g.RunTiles(ctx, out, in, max(0, n-3), n)
		}
		for y := -s.Out.Top; y < s.Out.H+s.Out.Bottom; y++ {
			for xx := -s.Out.Left; xx < s.Out.W+s.Out.Right; xx++ {
				px := out[s.Out.Offset(y, xx):][:s.Out.PixelBytes()]
				if y < 0 || xx < 0 || y >= s.Out.H || xx >= s.Out.W {
					for _, b := range px {
						if b != 0x5a {
							t.Fatalf("%+v: the halo at %d,%d was written", s, y, xx)
						}
					}
					continue
				}
				for o := range s.Out.C {
					sum, abs := 0.0, 0.0
					if s.BiasF != nil {
						sum, abs = float64(s.BiasF[o]), max(float64(s.BiasF[o]), -float64(s.BiasF[o]))
					}
					for j := range k * perIn {
						iy, ix := y*s.StrideH+j/perIn/s.KW*s.DilationH-s.PadTop, xx*s.StrideW+j/perIn%s.KW*s.DilationW-s.PadLeft
						if iy < 0 || ix < 0 || iy >= s.In.H || ix >= s.In.W {
							continue
						}
						w := float64(wi[o*k*perIn+j])
						if d == dtype.Float32 {
							w = float64(wf[o*k*perIn+j])
						}
						p := w * x[(iy*s.In.W+ix)*s.In.C+o/perOut*perIn+j%perIn]
						sum, abs = sum+p, abs+max(p, -p)
					}
					switch {
					case requant:
						if want := s.requantized(int32(sum), o); px[o] != want {
							t.Fatalf("%+v depthwise %t: byte %d of %d,%d: got %d, want %d", s, depthwise, o, y, xx, px[o], want)
						}
					case d == dtype.Int8:
						if got := view[int32](px)[o]; got != int32(sum) {
							t.Fatalf("%+v depthwise %t: sum %d of %d,%d: got %d, want %v", s, depthwise, o, y, xx, got, sum)
						}
					default:
						if s.Hi != 0 {
							sum = min(float64(s.Hi), max(float64(s.Lo), sum))
						}
						if got := view[float32](px)[o]; !closeEnough(got, sum, abs, k*perIn+1) {
							t.Fatalf("%+v depthwise %t: value %d of %d,%d: got %v, want %v", s, depthwise, o, y, xx, got, sum)
						}
					}
				}
			}
		}
	}
}

func TestGroupedErrors(t *testing.T) {
	im, err := Lookup(dtype.Float32, "generic")
	if err != nil {
		t.Fatal(err)
	}
	s := ConvSpec{In: Image{H: 3, W: 3, C: 6}, Out: Image{H: 3, W: 3, C: 6}, KH: 1, KW: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1}
	if _, err := NewGrouped(im, s, 4, make([]uint32, 12)); err == nil {
		t.Error("4 groups of 6 channels accepted")
	}
	if _, err := NewDepthwiseFloat32(im, s, make([]float32, 7)); err == nil {
		t.Error("7 weights of 6 channels accepted")
	}
	s.Out.C = 12
	if _, err := NewDepthwiseFloat32(im, s, make([]float32, 12)); err == nil {
		t.Error("6 channels to 12 accepted")
	}
}

// Depthwise layers as MobileNets have them.
func BenchmarkDepthwise(b *testing.B) {
	for _, s := range []struct{ hw, c int }{{112, 32}, {56, 72}, {28, 96}, {14, 256}, {7, 512}} {
		for _, d := range []dtype.DType{dtype.Float32, dtype.Int8} {
			for _, im := range Table() {
				if im.DType() != d || !im.Available() {
					continue
				}
				b.Run(fmt.Sprintf("dtype=%v/impl=%s/hw=%d/c=%d", d, im.Name(), s.hw, s.c), func(b *testing.B) {
					spec := ConvSpec{
						In:  Image{DType: d, H: s.hw, W: s.hw, C: s.c, Top: 1, Left: 1, Bottom: 1, Right: 1},
						Out: Image{DType: dtype.Float32, H: s.hw, W: s.hw, C: s.c}, KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, PadTop: 1, PadLeft: 1,
					}
					var w *Depthwise
					var err error
					if d == dtype.Float32 {
						w, err = NewDepthwiseFloat32(im, spec, make([]float32, 9*s.c))
					} else {
						w, err = NewDepthwiseInt8(im, spec, make([]int8, 9*s.c))
					}
					if err != nil {
						b.Fatal(err)
					}
					var ctx Context
					in, out := Aligned(spec.In.Bytes()), Aligned(spec.Out.Bytes())
					for b.Loop() {
						w.Run(&ctx, out, in)
					}
					b.ReportMetric(float64(9*s.hw*s.hw*s.c)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
				})
			}
		}
	}
}
