package generic

import (
	"unsafe"

	"macroscope/kernels/tile"
)

// winogradVL is the number of channels that the plain transforms take at a
// time.
const winogradVL = 8

// Winograd lists the plain transforms of F(2×2, 3×3) and F(4×4, 3×3).
var Winograd = []tile.Winograd{
	{M: 2, VL: winogradVL, In: winogradFrom(4, 4, in2), Out: winogradOut(4, 2, out2), Grad: winogradFrom(4, 2, grad2)},
	{M: 4, VL: winogradVL, In: winogradFrom(6, 6, in4), Out: winogradOut(6, 4, out4), Grad: winogradFrom(6, 4, grad4)},
}

// six is a row or column of a tile; F(2, 3) uses four.
type six = [6]float32

// in2 is Bᵀ of F(2, 3) on a row or column.
func in2(d six) six { return six{d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]} }

// out2 is Aᵀ of F(2, 3).
func out2(m six) six { return six{m[0] + m[1] + m[2], m[1] - m[2] - m[3]} }

// in4 is Bᵀ of F(4, 3).
func in4(d six) six {
	a, b := d[4]-4*d[2], d[3]-4*d[1]
	c, e := d[4]-d[2], d[3]-d[1]
	return six{4*d[0] + (d[4] - 5*d[2]), a + b, a - b, c + 2*e, c - 2*e, 4*d[1] + (d[5] - 5*d[3])}
}

// out4 is Aᵀ of F(4, 3).
func out4(m six) six {
	p, q := m[1]+m[2], m[1]-m[2]
	u, v := m[3]+m[4], m[3]-m[4]
	return six{m[0] + p + u, q + 2*v, p + 4*u, q + 8*v + m[5]}
}

// grad2 is A of F(2, 3).
func grad2(g six) six { return six{g[0], g[0] + g[1], g[0] - g[1], -g[1]} }

// grad4 is A of F(4, 3).
func grad4(g six) six {
	p, q := g[0]+g[2], g[1]+g[3]
	u, v := g[0]+4*g[2], g[1]+4*g[3]
	return six{g[0], p + q, p - q, u + 2*v, u - 2*v, g[3]}
}

// winogradFrom is the transform of m×m pixels into n×n values.
func winogradFrom(n, m int, f func(six) six) func(*tile.Transform) {
	return func(t *tile.Transform) {
		for v := range t.Vectors {
			for c := range winogradVL {
				at := 4 * (v*winogradVL + c)
				var d [6]six
				for i := range m {
					for j := range m {
						d[i][j] = *(*float32)(unsafe.Add(t.Src, i*t.Row+j*t.Col+at))
					}
				}
				both(&d, n, n, f)
				for i := range n {
					for j := range n {
						*(*float32)(unsafe.Add(t.Dst, (i*n+j)*t.Step+at)) = d[i][j]
					}
				}
			}
		}
	}
}

// both applies f to the n columns and then to the first rows rows.
func both[T any](d *[6][6]T, n, rows int, f func([6]T) [6]T) {
	for j := range n {
		var col [6]T
		for i := range n {
			col[i] = d[i][j]
		}
		col = f(col)
		for i := range n {
			d[i][j] = col[i]
		}
	}
	for i := range rows {
		d[i] = f(d[i])
	}
}

func winogradOut(n, m int, f func(six) six) func(*tile.Transform) {
	return func(t *tile.Transform) {
		for v := range t.Vectors {
			for c := range winogradVL {
				at := 4 * (v*winogradVL + c)
				var d [6]six
				for i := range n {
					for j := range n {
						d[i][j] = *(*float32)(unsafe.Add(t.Src, (i*n+j)*t.Step+at))
					}
				}
				both(&d, n, m, f)
				bias := *(*float32)(unsafe.Add(t.Bias, at))
				size := 1 + t.Pool
				for i := 0; i < m; i += size {
					for j := 0; j < m; j += size {
						y := d[i][j]
						if t.Pool == 1 {
							y = max(y, d[i][j+1], d[i+1][j], d[i+1][j+1])
						}
						*(*float32)(unsafe.Add(t.Dst, i/size*t.Row+j/size*t.Col+at)) = min(t.Hi, max(t.Lo, y+bias))
					}
				}
			}
		}
	}
}
