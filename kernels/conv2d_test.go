package kernels

import (
	"math"
	"strings"
	"testing"

	"macroscope/dtype"
)

func TestConv2D(t *testing.T) {
	for _, d := range dtype.All {
		t.Run(d.String(), func(t *testing.T) {
			eachImpl(t, d, func(t *testing.T, im *Impl) {
				r := newRand(t)
				var ctx Context
				for range cases(im, 40, 40, 8) {
					s := Conv2DShape{
						H: 3 + r.IntN(6), W: 3 + r.IntN(6), C: 1 + r.IntN(40), OutC: 1 + r.IntN(40), KH: 1 + r.IntN(3), KW: 1 + r.IntN(3),
						StrideH: r.IntN(3), StrideW: r.IntN(3), DilationH: r.IntN(2), DilationW: r.IntN(2),
						PadTop: r.IntN(3), PadLeft: r.IntN(3), PadBottom: r.IntN(3), PadRight: r.IntN(3),
					}
					checkConv2D(t, im, &ctx, s)
				}
			})
		})
	}
}

func checkConv2D(t *testing.T, im *Impl, ctx *Context, s Conv2DShape) {
	t.Helper()
	r := newRand(t)
	h, w := s.OutHW()
	full := s.withDefaults()
	k := s.KH * s.KW * s.C
	x, wt := make([]float64, s.H*s.W*s.C), make([]float64, s.OutC*k)
	pad := 0.0
	for _, v := range [][]float64{x, wt} {
		f, i := someFloat32(r, len(v)), someInt8(r, len(v))
		for j := range v {
			switch im.DType() {
			case dtype.Float32:
				v[j] = float64(f[j])
			case dtype.Int8:
				v[j] = float64(i[j])
			default:
				v[j], pad = float64(2*r.IntN(2)-1), -1
			}
		}
	}
	f32 := func(v []float64) []float32 {
		o := make([]float32, len(v))
		for i, x := range v {
			o[i] = float32(x)
		}
		return o
	}
	i8 := func(v []float64) []int8 {
		o := make([]int8, len(v))
		for i, x := range v {
			o[i] = int8(x)
		}
		return o
	}
	got := make([]float64, h*w*s.OutC)
	var c *Conv2D
	var err error
	switch im.DType() {
	case dtype.Float32:
		out := make([]float32, len(got))
		if c, err = im.NewConv2DFloat32(s, f32(wt), nil); err == nil {
			c.Float32(ctx, out, f32(x))
		}
		for i, v := range out {
			got[i] = float64(v)
		}
	default:
		out := make([]int32, len(got))
		if im.DType() == dtype.Int8 {
			if c, err = im.NewConv2DInt8(s, i8(wt)); err == nil {
				c.Int8(ctx, out, i8(x))
			}
		} else if c, err = im.NewConv2DBinary(s, f32(wt)); err == nil {
			c.Binary(ctx, out, f32(x))
		}
		for i, v := range out {
			got[i] = float64(v)
		}
	}
	if err != nil {
		t.Fatalf("%+v: %v", s, err)
	}
	for i, g := range got {
		y, xx, o := i/s.OutC/w, i/s.OutC%w, i%s.OutC
		var want, abs float64
		for j := range k {
			ky, kx, ch := j/s.C/s.KW, j/s.C%s.KW, j%s.C
			iy, ix := y*full.StrideH+ky*full.DilationH-s.PadTop, xx*full.StrideW+kx*full.DilationW-s.PadLeft
			v := pad
			if iy >= 0 && ix >= 0 && iy < s.H && ix < s.W {
				v = x[(iy*s.W+ix)*s.C+ch]
			}
			want += v * wt[o*k+j]
			abs += math.Abs(v * wt[o*k+j])
		}
		ok := g == want
		if im.DType() == dtype.Float32 {
			ok = closeEnough(float32(g), want, abs, k)
		}
		if !ok {
			t.Fatalf("%+v: output [%d][%d][%d]: got %v, want %v", s, y, xx, o, g, want)
		}
	}
}

func TestNewConv2DRefuses(t *testing.T) {
	im, err := Lookup(dtype.Float32, "generic")
	if err != nil {
		t.Fatal(err)
	}
	for want, s := range map[string]Conv2DShape{
		"does not fit": {H: 2, W: 2, C: 1, OutC: 1, KH: 3, KW: 3},
		"weights":      {H: 3, W: 3, C: 1, OutC: 2, KH: 3, KW: 3},
		"want sizes":   {H: 3, W: 3, C: 1, OutC: 1, KH: 3, KW: 3, PadTop: -1, PadBottom: 1},
	} {
		if _, err := im.NewConv2DFloat32(s, make([]float32, 9), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", s, err, want)
		}
	}
}

// FuzzConv builds a case from a seed and compares every implementation with the
// definition.
func FuzzConv(f *testing.F) {
	f.Add(uint64(1), uint8(0))
	f.Add(uint64(2), uint8(1))
	f.Add(uint64(3), uint8(2))
	f.Fuzz(func(t *testing.T, seed uint64, which uint8) {
		d := dtype.All[which%3]
		c := randomConv(seeded(seed), d)
		for _, im := range Table() {
			if im.DType() != d || !im.Available() {
				continue
			}
			conv, err := NewConv(im, c.spec, c.weights())
			if err != nil {
				t.Fatal(err)
			}
			in, out := Aligned(c.spec.In.Bytes()), Aligned(c.spec.Out.Bytes())
			c.image(im, in)
			var ctx Context
			conv.Run(&ctx, out, in)
			if err := c.check(out); err != nil {
				t.Fatalf("%v: %v", im, err)
			}
		}
	})
}
