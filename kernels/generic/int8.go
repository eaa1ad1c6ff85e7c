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
	for len(a) >= 8 {
		x, y := (*[8]int8)(a), (*[8]int8)(b)
		s0 += int32(x[0])*int32(y[0]) + int32(x[4])*int32(y[4])
		s1 += int32(x[1])*int32(y[1]) + int32(x[5])*int32(y[5])
		s2 += int32(x[2])*int32(y[2]) + int32(x[6])*int32(y[6])
		s3 += int32(x[3])*int32(y[3]) + int32(x[7])*int32(y[7])
		a, b = a[8:], b[8:]
	}
	for i, x := range a {
		s0 += int32(x) * int32(b[i])
	}
	return s0 + s1 + s2 + s3
}

// DotUint8 is DotInt8 with a of 0…255: exact while len(a) ≤ 65793 (65794·255·128
// is beyond 2³¹).
func DotUint8(a []uint8, b []int8) int32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 int32
	for len(a) >= 8 {
		x, y := (*[8]uint8)(a), (*[8]int8)(b)
		s0 += int32(x[0])*int32(y[0]) + int32(x[4])*int32(y[4])
		s1 += int32(x[1])*int32(y[1]) + int32(x[5])*int32(y[5])
		s2 += int32(x[2])*int32(y[2]) + int32(x[6])*int32(y[6])
		s3 += int32(x[3])*int32(y[3]) + int32(x[7])*int32(y[7])
		a, b = a[8:], b[8:]
	}
	for i, x := range a {
		s0 += int32(x) * int32(b[i])
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
			for k := range b {
				w := &b[k]
				for r := range s {
					x, row := &a[r][k], &s[r]
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
