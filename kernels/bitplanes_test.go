package kernels

import (
	"testing"

	"macroscope/dtype"
	"macroscope/internal/guard"
)

// Bits come apart where they belong, from images and into images with halos, of any
// number of channels, and nothing else is touched.
func TestPackPlanes(t *testing.T) {
	eachImpl(t, dtype.Binary, func(t *testing.T, im *Impl) {
		r := newRand(t)
		var ctx Context
		for i := range cases(im, 300, 100, 30) {
			bits, base := 1+r.IntN(8), 0
			if bits < 8 {
				base = r.IntN(128-1<<bits/2) - 64
			} else {
				base = -128
			}
			xor := uint8(0x80 * r.IntN(2))
			c := 1 + r.IntN(70)
			if i%2 == 0 {
				c = 32 * (1 + r.IntN(4))
			}
			from := Image{DType: dtype.Int8, H: 1 + r.IntN(3), W: 1 + r.IntN(5), C: c, Top: r.IntN(2), Left: r.IntN(2), Bottom: r.IntN(2), Right: r.IntN(2)}
			to := Image{DType: dtype.Binary, H: from.H, W: from.W, C: c, Top: r.IntN(2), Left: r.IntN(2), Bottom: r.IntN(2), Right: r.IntN(2)}
			place := guard.Tail
			if r.IntN(2) == 0 {
				place = guard.Head
			}
			in, out := place(t, from.Bytes()), place(t, bits*to.Bytes())
			want := make([]byte, len(out))
			for j := range in {
				in[j] = uint8(r.Uint32())
			}
			for y := range from.H {
				for x := range from.W {
					for ch := range c {
						v := r.IntN(1 << bits)
						in[from.Offset(y, x)+ch] = uint8(int8(base+v)) ^ xor
						for p := range bits {
							want[p*to.Bytes()+to.Offset(y, x)+ch/8] |= uint8(v >> p & 1 << (ch % 8))
						}
					}
				}
			}
			im.PackPlanes(&ctx, out, to, in, from, bits, base, xor)
			if string(out) != string(want) {
				t.Fatalf("case %d: %d bits from %d, xor %#x, %+v to %+v:\ngot  %x\nwant %x", i, bits, base, xor, from, to, out, want)
			}
		}
	})
}
