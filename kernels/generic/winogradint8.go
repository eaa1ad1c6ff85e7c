package generic

import (
	"unsafe"

	"macroscope/kernels/tile"
	"macroscope/quant"
)

// WinogradInt8 is F(2×2, 3×3) and F(4×4, 3×3) of int8: the definition of right of their
// transforms and products.
var WinogradInt8 = []tile.Winograd{
	{M: 2, VL: winogradVL, In: winogradInt8In(4, intIn2), Out: winogradInt8Out(4, 2, intOut2, func(y int32, _, _ int) int32 { return y >> 2 }), Tiles: tilesInt16},
	{M: 4, VL: winogradVL, In: winogradInt8In(6, intIn4), Out: winogradInt8Out(6, 4, intOut4, ninth), Tiles: tilesInt16},
}

var tilesInt16 = []tile.PairMicro{{Micro: tile.Micro{MR: MR, NR: NR, Run: TileInt16}}}

// sixInt is a row or column of a tile; F(2, 3) uses four.
type sixInt = [6]int32

func intIn2(d sixInt) sixInt { return sixInt{d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]} }

func intOut2(m sixInt) sixInt { return sixInt{m[0] + m[1] + m[2], m[1] - m[2] - m[3]} }

func intIn4(d sixInt) sixInt {
	a, b := d[4]-4*d[2], d[3]-4*d[1]
	c, e := d[4]-d[2], d[3]-d[1]
	return sixInt{4*(d[0]-d[2]) + c, a + b, a - b, c + 2*e, c - 2*e, d[5] - d[3] - 4*e}
}

// intOut4 is A'ᵀ, whose rows are 24, 12, 6 and 6 times those of sums.
func intOut4(m sixInt) sixInt {
	p, q := m[1]+m[2], m[1]-m[2]
	u, v := m[3]+m[4], m[3]-m[4]
	return sixInt{m[0] + 4*p + u, 2*q + v, p + u, q + 2*v + m[5]}
}

// ninth is the sum that y is sᵢ·sⱼ times, modulo 2³².
func ninth(y int32, i, j int) int32 {
	const inverse = 954437177 // 9·inverse is 1 modulo 2³²
	shift := [4]int{3, 2, 1, 1}
	return y * inverse >> (shift[i] + shift[j])
}

func winogradInt8In(n int, f func(sixInt) sixInt) func(*tile.Transform) {
	return func(t *tile.Transform) {
		for c := range t.Vectors * winogradVL {
			var d [6]sixInt
			for i := range n {
				for j := range n {
					d[i][j] = int32(*(*int8)(unsafe.Add(t.Src, i*t.Row+j*t.Col+c)))
				}
			}
			both(&d, n, n, f)
			for i := range n {
				for j := range n {
					*(*int16)(unsafe.Add(t.Dst, (i*n+j)*t.Step+2*c)) = int16(d[i][j])
				}
			}
		}
	}
}

func winogradInt8Out(n, m int, f func(sixInt) sixInt, sum func(y int32, i, j int) int32) func(*tile.Transform) {
	return func(t *tile.Transform) {
		for c := range t.Vectors * winogradVL {
			var d [6]sixInt
			for i := range n {
				for j := range n {
					d[i][j] = *(*int32)(unsafe.Add(t.Src, (i*n+j)*t.Step+4*c))
				}
			}
			both(&d, n, m, f)
			for i := range m {
				for j := range m {
					d[i][j] = sum(d[i][j], i, j)
				}
			}
			init := *(*int32)(unsafe.Add(t.Init, 4*c))
			size := 1 + t.Pool
			for i := 0; i < m; i += size {
				for j := 0; j < m; j += size {
					y := d[i][j]
					if t.Pool == 1 {
						y = max(y, d[i][j+1], d[i+1][j], d[i+1][j+1])
					}
					to := unsafe.Add(t.Dst, i/size*t.Row+j/size*t.Col)
					if t.Scale == nil {
						*(*int32)(unsafe.Add(to, 4*c)) = y + init
						continue
					}
					scale, bias := *(*float32)(unsafe.Add(t.Scale, 4*c)), *(*float32)(unsafe.Add(t.Bias, 4*c))
					*(*uint8)(unsafe.Add(to, c)) = uint8(quant.Requantize(y+init, scale, bias, t.Lo, t.Hi)) ^ uint8(t.OutXor)
				}
			}
		}
	}
}

// TileInt16 is the loop of tile.Args on words of two int16, for tile.Winograd.
func TileInt16(t *tile.Args) {
	v := viewOf[[2]int16](t)
	for i := range t.Tiles {
		var s [MR][NR]int32
		a, b := v.segment(t, i, 0)
		for k := range b {
			w := &b[k]
			for r := range s {
				x, row := &a[r][k], &s[r]
				x0, x1 := int32(x[0]), int32(x[1])
				for c := range row {
					row[c] += x0*int32(w[c][0]) + x1*int32(w[c][1])
				}
			}
		}
		storeInt32(t, &s, v.out(t, i))
	}
}
