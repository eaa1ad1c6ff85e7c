package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"macroscope/dtype"
	"macroscope/quant"
)

// someAdder has scales of like and of very unlike sizes, down to where a multiplier is 0.
func someAdder(r *rand.Rand) (*quant.Adder, [3]quant.Format, quant.Bounds) {
	for {
		var f [3]quant.Format
		spread := []float64{0.2, 2, 12}[r.IntN(3)]
		for i := range f {
			f[i] = quant.Format{Scale: float32(math.Exp(r.NormFloat64() * spread)), Zero: int8(r.IntN(256) - 128)}
			if r.IntN(4) == 0 {
				f[i].Zero = []int8{-128, 0, 127}[r.IntN(3)]
			}
		}
		if r.IntN(4) == 0 {
			f[1].Scale = f[0].Scale
		}
		if r.IntN(6) == 0 {
			f[0].Scale = f[1].Scale * 0x1p-31
		}
		if r.IntN(6) == 0 { // the output's multiplier near 1
			f[2].Scale = max(f[0].Scale, f[1].Scale) * 0x1p-19 * float32(1+r.Float64())
		}
		b := quant.All
		if r.IntN(2) == 0 {
			b.Lo = int8(r.IntN(256) - 128)
			b.Hi = int8(int(b.Lo) + r.IntN(128-int(b.Lo)))
		}
		if a, err := quant.NewAdder(f[0], f[1], f[2], b); err == nil {
			return a, f, b
		}
	}
}

// Every pair of bytes gives what quant.Adder says, and no byte beside a row is touched.
func TestAddBytes(t *testing.T) {
	eachImpl(t, dtype.Int8, func(t *testing.T, im *Impl) {
		r := newRand(t)
		var ctx Context
		for range cases(im, 60, 15, 1) {
			a, f, b := someAdder(r)
			xors := []uint8{0, 0x80}
			ox, xx, yx := xors[r.IntN(2)], xors[r.IntN(2)], xors[r.IntN(2)]
			s := im.NewAddBytes(a, ox, xx, yx)
			n := 1 << 16
			if slow(im) {
				n = 1 << 10
			}
			x, y, out := make([]byte, n), make([]byte, n), make([]byte, n)
			for i := range x {
				x[i], y[i] = uint8(i), uint8(i>>8)
			}
			s.Row(&ctx, out, x, y)
			for i := range out {
				if got, want := int8(out[i]^ox), a.At(int8(x[i]^xx), int8(y[i]^yx)); got != want {
					t.Fatalf("%d and %d in %v: got %d, want %d", int8(x[i]^xx), int8(y[i]^yx), []any{f, b}, got, want)
				}
			}
			if s.Row(&ctx, x, x, y); !slices.Equal(x, out) {
				t.Fatalf("%v: in place it gives something else", f)
			}
		}
		for n := range 70 {
			a, _, _ := someAdder(r)
			s := im.NewAddBytes(a, 0, 0, 0)
			for side := range 2 {
				x, y, out := guarded[uint8](t, n)[side], guarded[uint8](t, n)[side], guarded[uint8](t, n)[side]
				for i := range n {
					x[i], y[i] = uint8(r.IntN(256)), uint8(r.IntN(256))
				}
				s.Row(&ctx, out, x, y)
				for i := range out {
					if want := a.At(int8(x[i]), int8(y[i])); int8(out[i]) != want {
						t.Fatalf("byte %d of %d: got %d, want %d", i, n, int8(out[i]), want)
					}
				}
			}
		}
	})
}
