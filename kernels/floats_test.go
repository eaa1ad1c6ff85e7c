package kernels

import (
	"fmt"
	"math"
	"testing"

	"macroscope/dtype"
)

// Every loop gives the bits that its definition says, and touches nothing beside its rows.
func TestFloats(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	clamped := func(v, lo, hi float32) float32 {
		switch {
		case v < lo:
			return lo
		case v > hi:
			return hi
		}
		return v
	}
	eachImpl(t, dtype.Float32, func(t *testing.T, im *Impl) {
		r := newRand(t)
		f := im.NewFloats()
		var ctx Context
		for n := range 100 {
			lo, hi := -inf, inf
			if n%2 == 0 {
				lo, hi = []float32{0, -0.5}[r.IntN(2)], []float32{6, inf, 0.25}[r.IntN(3)]
			}
			for side := range 2 {
				x, y, to := guarded[float32](t, n)[side], guarded[float32](t, n)[side], guarded[float32](t, n)[side]
				copy(x, someFloat32(r, n))
				copy(y, someFloat32(r, n))
				for i := range x {
					switch r.IntN(12) {
					case 0:
						x[i] = []float32{inf, -inf, nan, 3, -3}[r.IntN(5)]
					case 1:
						y[i] = []float32{inf, -inf, nan, 0}[r.IntN(4)]
					}
				}
				for _, c := range []struct {
					name string
					run  func()
					want func(x, y float32) float32
				}{
					{"add", func() { f.Add(&ctx, to, x, y, lo, hi) }, func(x, y float32) float32 { return clamped(x+y, lo, hi) }},
					{"sub", func() { f.Sub(&ctx, to, x, y, lo, hi) }, func(x, y float32) float32 { return clamped(x-y, lo, hi) }},
					{"mul", func() { f.Mul(&ctx, to, x, y, lo, hi) }, func(x, y float32) float32 { return clamped(x*y, lo, hi) }},
					{"clamp", func() { f.Clamp(&ctx, to, x, lo, hi) }, func(x, _ float32) float32 { return clamped(x, lo, hi) }},
					{"hardswish", func() { f.HardSwish(&ctx, to, x) }, func(v, _ float32) float32 {
						x := float64(v)
						return float32(x * min(1, max(0, float64(x*(1./6))+0.5)))
					}},
				} {
					c.run()
					for i, got := range to {
						want := c.want(x[i], y[i])
						if got != got && want != want {
							continue
						}
						if math.Float32bits(got) != math.Float32bits(want) {
							t.Fatalf("%s of %v and %v in %v…%v: got %v, want %v", c.name, x[i], y[i], lo, hi, got, want)
						}
					}
				}
			}
		}
	})
}

func BenchmarkFloats(b *testing.B) {
	const n = 14 * 14 * 96
	x, y, to := make([]float32, n), make([]float32, n), make([]float32, n)
	for _, im := range Table() {
		if im.DType() != dtype.Float32 || !im.Available() {
			continue
		}
		f := im.NewFloats()
		var ctx Context
		for name, run := range map[string]func(){
			"add":       func() { f.Add(&ctx, to, x, y, 0, 6) },
			"clamp":     func() { f.Clamp(&ctx, to, x, 0, 6) },
			"hardswish": func() { f.HardSwish(&ctx, to, x) },
		} {
			b.Run(fmt.Sprintf("op=%s/impl=%s/n=%d", name, im.Name(), n), func(b *testing.B) {
				for b.Loop() {
					run()
				}
			})
		}
	}
}
