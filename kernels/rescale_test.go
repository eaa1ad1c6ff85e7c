package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"macroscope/dtype"
	"macroscope/quant"
)

// someMultipliers are multipliers of every shift, with the significands' ends weighted.
func someMultipliers(r *rand.Rand, n int) []quant.Multiplier {
	m := make([]quant.Multiplier, n)
	for i := range m {
		m[i] = quant.Multiplier{M: 1<<30 + r.Int32N(1<<30), Shift: r.IntN(62) - 31}
		switch r.IntN(6) {
		case 0:
			m[i].M = []int32{1 << 30, 1<<30 + 1, math.MaxInt32, math.MaxInt32 - 1}[r.IntN(4)]
		case 1:
			m[i] = quant.Multiplier{} // what is too small for one
		case 2:
			m[i].Shift = -1 + r.IntN(3)
		}
	}
	return m
}

// someSums are sums of all magnitudes, such that by 2^shift fall half-way between two
// integers, and the extremes.
func someSums(r *rand.Rand, n int) []int32 {
	v := make([]int32, n)
	for i := range v {
		switch r.IntN(5) {
		case 0:
			v[i] = []int32{math.MinInt32, math.MinInt32 + 1, math.MaxInt32, math.MaxInt32 - 1, 1 << 30, -1 << 30, 0, 1, -1}[r.IntN(9)]
		case 1:
			v[i] = (1 + 2*int32(r.IntN(300)-150)) << r.IntN(24)
		case 2:
			v[i] = int32(r.IntN(60001) - 30000)
		default:
			v[i] = int32(r.Uint32()) >> r.IntN(32)
		}
	}
	return v
}

// Every byte is that of quant.RequantizeInteger, whatever sum and multiplier, and nothing
// beside the bytes is read or written.
func TestRescale(t *testing.T) {
	eachImpl(t, dtype.Int8, func(t *testing.T, im *Impl) {
		r := newRand(t)
		var ctx Context
		for range cases(im, 1000, 300, 20) {
			n, pixels, first := 1+r.IntN(70), 1+r.IntN(9), r.IntN(3)
			lo, hi := -128, 127
			if r.IntN(2) == 0 {
				lo = r.IntN(256) - 128
				hi = lo + r.IntN(128-lo)
			}
			s := &ConvSpec{Multipliers: someMultipliers(r, first+n), Zero: int8(r.IntN(256) - 128), Lo: float32(lo), Hi: float32(hi), OutXor: uint8(r.IntN(2) * 0x80)}
			if r.IntN(4) == 0 {
				s.Zero = []int8{-128, 127, 0}[r.IntN(3)]
			}
			step, pitch := n+r.IntN(3), n+r.IntN(3)
			places := r.Perm(pixels)
			for i := range places {
				places[i] *= pitch
			}
			data := someSums(r, (pixels-1)*step+n)
			for side, sums := range guarded[uint8](t, 4*len(data)) {
				copy(view[int32](sums), data)
				out := guarded[uint8](t, (pixels-1)*pitch+n)[side]
				want := slices.Repeat([]uint8{0x5a}, len(out))
				copy(out, want)
				for i, p := range places {
					for c := range n {
						q := quant.RequantizeInteger(data[i*step+c], s.Multipliers[first+c], int32(s.Zero), int32(lo), int32(hi))
						want[p+c] = uint8(q) ^ s.OutXor
					}
				}
				newRescaler(im, s).run(&ctx, out, sums, places, first, n, 4*step)
				for i := range out {
					if out[i] != want[i] {
						t.Fatalf("byte %d of %d pixels %d apart at %v, %d channels: got %#x, want %#x\nsums %v\n%+v", i, pixels, pitch, places, n, out[i], want[i], data, *s)
					}
				}
			}
		}
	})
}
