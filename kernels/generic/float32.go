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
	for len(a) >= 8 {
		x, y := (*[8]float32)(a), (*[8]float32)(b)
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
		s0 += x[4] * y[4]
		s1 += x[5] * y[5]
		s2 += x[6] * y[6]
		s3 += x[7] * y[7]
		a, b = a[8:], b[8:]
	}
	for i, x := range a {
		s0 += x * b[i]
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
			for k := range b {
				w := &b[k]
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
