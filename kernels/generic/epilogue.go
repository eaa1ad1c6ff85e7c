package generic

import (
	"unsafe"

	"macroscope/kernels/tile"
	"macroscope/quant"
)

// storeInt32 is the second half of tile.Args, for the integer sums of int8 and
// binary: the maximum of Pool rows, then the mode.
func storeInt32(t *tile.Args, s *[MR][NR]int32, coff []int) {
	for r, off := range coff {
		row := s[r*t.Pool]
		for _, other := range s[r*t.Pool+1 : (r+1)*t.Pool] {
			for c, x := range other {
				row[c] = max(row[c], x)
			}
		}
		out := unsafe.Add(t.C, off)
		switch t.Mode {
		case tile.Store:
			*(*[NR]int32)(out) = row
		case tile.Accumulate:
			for c, x := range row {
				(*[NR]int32)(out)[c] += x
			}
		case tile.Requant:
			m, b := (*[NR]float32)(t.Scale), (*[NR]float32)(t.Bias)
			for c, x := range row {
				(*[NR]uint8)(out)[c] = uint8(quant.Requantize(x, m[c], b[c], t.Lo, t.Hi)) ^ uint8(t.OutXor)
			}
		case tile.Bits:
			limit, byt := (*[NR]int32)(t.Threshold), uint8(t.Flip)
			for c, x := range row {
				if x > limit[c] {
					byt ^= 1 << c
				}
			}
			*(*uint8)(out) = byt
		}
	}
}
