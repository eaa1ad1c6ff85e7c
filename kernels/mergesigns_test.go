package kernels

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"macroscope/quant"
)

// Signs of a row are those of quant.StreamSign, at every extreme, whatever the
// channels; nothing is written behind a pixel's bits.
func TestThresholds(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	edges := []int16{math.MinInt16, math.MinInt16 + 1, -1, 0, 1, math.MaxInt16 - 1, math.MaxInt16}
	value := func() int16 {
		if r.IntN(4) > 0 {
			return edges[r.IntN(len(edges))]
		}
		return int16(r.Uint32())
	}
	for c := 1; c <= 70; c++ {
		signs := make([]quant.StreamSign, c)
		for i := range signs {
			signs[i] = quant.StreamSign{T: value(), Flip: r.IntN(2) == 0}
		}
		const count = 9
		n := (c + 7) / 8
		q, bits := make([]int16, count*c), make([]uint8, count*(n+1))
		for i := range q {
			if q[i] = value(); r.IntN(3) == 0 {
				q[i] = signs[i%c].T
			}
		}
		for i := range bits {
			bits[i] = 0xa5
		}
		newThresholds(signs).row(unsafe.Pointer(&q[0]), unsafe.Pointer(&bits[0]), count, 2*c, n+1)
		for i := range count {
			b := bits[i*(n+1):][:n+1]
			for ch := range 8 * n {
				want := ch < c && signs[ch].Positive(q[i*c+ch])
				if got := b[ch/8]>>(ch%8)&1 == 1; got != want {
					t.Fatalf("%d channels: channel %d of %d, %+v: %v, want %v", c, ch, q[i*c+ch], signs[ch], got, want)
				}
			}
			if b[n] != 0xa5 {
				t.Fatalf("%d channels: wrote behind the bits of pixel %d", c, i)
			}
		}
	}
}
