package generic

import (
	"math/bits"

	"macroscope/kernels/tile"
)

// DotBinary is n minus twice the number of places where the n bits of a and b
// differ: the dot product of the ±1 values that they stand for. Bit i is bit
// i%64 of word i/64; bits from n on never count. Both slices hold at least
// ⌈n/64⌉ words.
func DotBinary(a, b []uint64, n int) int {
	full, rest := n/64, n%64
	a, b = a[:(n+63)/64], b[:(n+63)/64]
	differ := 0
	for i := range full {
		differ += bits.OnesCount64(a[i] ^ b[i])
	}
	if rest > 0 {
		differ += bits.OnesCount64((a[full] ^ b[full]) << (64 - rest))
	}
	return n - 2*differ
}

// TileBinary is the loop of tile.Args for binary: padding bits are 0 on both
// sides, so that they agree and count nothing.
func TileBinary(t *tile.Args) {
	v, init := viewOf[uint32](t), (*[NR]int32)(t.Init)
	for i := range t.Tiles {
		var s [MR][NR]int32
		for seg := range v.segs {
			a, b := v.segment(t, i, seg)
			for k := range b {
				w := &b[k]
				for r := range s {
					x, row := a[r][k], &s[r]
					for c := range row {
						row[c] += int32(bits.OnesCount32(x ^ w[c]))
					}
				}
			}
		}
		for r := range s {
			for c := range s[r] {
				s[r][c] = init[c] - 2*s[r][c]
			}
		}
		storeInt32(t, &s, v.out(t, i))
	}
}
