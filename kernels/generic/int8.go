package generic

import "macroscope/kernels/tile"

// DotInt8 is
//
//	for i, x := range a { sum += int32(x) * int32(b[i]) }
//
// modulo 2³²: exact for every content while len(a) ≤ 131071 (131072·128·128 is
// 2³¹). len(b) must be at least len(a).
func DotInt8(a, b []int8) int32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 int32
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += int32(a[i]) * int32(b[i])
		s1 += int32(a[i+1]) * int32(b[i+1])
		s2 += int32(a[i+2]) * int32(b[i+2])
		s3 += int32(a[i+3]) * int32(b[i+3])
	}
	for ; i < len(a); i++ {
		s0 += int32(a[i]) * int32(b[i])
	}
	return s0 + s1 + s2 + s3
}

// TileInt8 is the loop of tile.Args for int8, both sides signed.
func TileInt8(t *tile.Args) {
	v := viewOf[[4]int8](t)
	for i := range t.Tiles {
		var s [MR][NR]int32
		for r := range s {
			s[r] = *(*[NR]int32)(t.Init)
		}
		for seg := range v.segs {
			a, b := v.segment(t, i, seg)
			for k, w := range b {
				for r := range s {
					x, row := a[r][k], &s[r]
					x0, x1, x2, x3 := int32(x[0]), int32(x[1]), int32(x[2]), int32(x[3])
					for c := range row {
						row[c] += x0*int32(w[c][0]) + x1*int32(w[c][1]) + x2*int32(w[c][2]) + x3*int32(w[c][3])
					}
				}
			}
		}
		storeInt32(t, &s, v.out(t, i))
	}
}
