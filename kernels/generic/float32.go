package generic

import (
	"unsafe"

	"macroscope/kernels/tile"
)

// DotFloat32 is
//
//	for i, x := range a { sum += x * b[i] }
//
// in four interleaved sums. len(b) must be at least len(a).
func DotFloat32(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + (s2 + s3)
}

// TileFloat32 is the loop of tile.Args for float32.
func TileFloat32(t *tile.Args) {
	v := viewOf[float32](t)
	for i := range t.Tiles {
		var s [MR][NR]float32
		for r := range s {
			s[r] = *(*[NR]float32)(t.Init)
		}
		for seg := range v.segs {
			a, b := v.segment(t, i, seg)
			for k, w := range b {
				for r := range s {
					x, row := a[r][k], &s[r]
					row[0] += x * w[0]
					row[1] += x * w[1]
					row[2] += x * w[2]
					row[3] += x * w[3]
					row[4] += x * w[4]
					row[5] += x * w[5]
					row[6] += x * w[6]
					row[7] += x * w[7]
				}
			}
		}
		storeFloat32(t, &s, v.out(t, i))
	}
}

// storeFloat32 is the second half of tile.Args: the maximum of Pool rows, the
// clamp, the store.
func storeFloat32(t *tile.Args, s *[MR][NR]float32, coff []int) {
	for r, off := range coff {
		row := s[r*t.Pool]
		for _, other := range s[r*t.Pool+1 : (r+1)*t.Pool] {
			for c, x := range other {
				row[c] = max(row[c], x)
			}
		}
		out := (*[NR]float32)(unsafe.Add(t.C, off))
		for c, x := range row {
			if t.Mode == tile.Accumulate {
				out[c] += x
			} else {
				out[c] = min(t.Hi, max(t.Lo, x))
			}
		}
	}
}
