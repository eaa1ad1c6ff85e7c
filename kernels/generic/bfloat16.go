package generic

import (
	"math"
	"unsafe"

	"macroscope/kernels/tile"
)

// BFloat16 has the loops of tile.BFloat16 as they are written there.
var BFloat16 = tile.BFloat16{
	Tile: TileBFloat16,
	VL:   1,
	Pair: func(p *tile.Pixels) {
		for i := range p.Count {
			y := pixel(p, p.Y, i)
			for c, x := range pixel(p, p.X, i) {
				*(*uint32)(unsafe.Add(p.Out, p.OutRow*i+4*c)) = BFloat16Pair(x, y[c])
			}
		}
	},
	PairPlanes: func(p *tile.Pixels) {
		for i := range p.Count {
			y := pixel(p, p.Y, i)
			for c, x := range pixel(p, p.X, i) {
				*(*uint32)(unsafe.Add(p.Out, p.OutRow*c+4*i)) = BFloat16Pair(x, y[c])
			}
		}
	},
}

// BFloat16Pair is a word of two bfloat16, lo in its lower half.
func BFloat16Pair(lo, hi float32) uint32 { return roundBFloat16(hi)&^0xffff | roundBFloat16(lo)>>16 }

// roundBFloat16 rounds x to a bfloat16 in the upper half of what it returns; the
// lower half means nothing. Half of the last place less one and, where the last
// place is odd, one more carry into it: halves go to even.
func roundBFloat16(x float32) uint32 {
	b := math.Float32bits(x)
	switch {
	case x != x:
		return b | 0x400000 // quiet
	case b&0x7f800000 == 0:
		return b & 0x80000000
	}
	return b + 0x7fff + b>>16&1
}

// TileBFloat16 is the loop of tile.Args for words of two bfloat16.
func TileBFloat16(t *tile.Args) {
	v := viewOf[uint32](t)
	for i := range t.Tiles {
		var s [MR][NR]float32
		for r := range s {
			s[r] = *(*[NR]float32)(t.Init)
		}
		for seg := range v.segs {
			a, b := v.segment(t, i, seg)
			for k := range b {
				for r := range s {
					for c, w := range b[k] {
						s[r][c] = addProducts(s[r][c], a[r][k], w)
					}
				}
			}
		}
		storeFloat32(t, &s, v.out(t, i))
	}
}

// addProducts adds the products of two words' halves to sum. A product is exact in
// float64, and so is what rounding to it and then to float32 makes of a sum: 53 bits
// are more than twice 24 and two.
func addProducts(sum float32, a, b uint32) float32 {
	sum = flush(sum)
	sum = flush(float32(float64(sum) + upper(a)*upper(b)))
	return flush(float32(float64(sum) + upper(a<<16)*upper(b<<16)))
}

// upper is the bfloat16 in the upper half of a word.
func upper(w uint32) float64 { return float64(flush(math.Float32frombits(w &^ 0xffff))) }

// flush makes a zero of a subnormal x.
func flush(x float32) float32 {
	if b := math.Float32bits(x); b&0x7f800000 == 0 {
		return math.Float32frombits(b & 0x80000000)
	}
	return x
}
