package generic

import (
	"math"
	"unsafe"

	"macroscope/kernels/tile"
)

// Pixels has the loops of tile.PixelFuncs as they are written there.
var Pixels = tile.PixelFuncs{
	VL:      1,
	Moments: func(p *tile.Pixels) { sums(p, p.X, p.X, nil) },
	Products: func(p *tile.Pixels) {
		sums(p, p.G, p.X, nil)
	},
	MaskedProducts: func(p *tile.Pixels) { sums(p, p.G, p.X, p.Y) },
	Linear: func(p *tile.Pixels) {
		a, b := constants(p, p.A), constants(p, p.B)
		for i := range p.Count {
			x, out := pixel(p, p.X, i), pixel(p, p.Out, i)
			for c, v := range x {
				out[c] = max(p.Lo, v*a[c]+b[c])
			}
		}
	},
	Linear2: func(p *tile.Pixels) {
		a, b, k := constants(p, p.A), constants(p, p.B), constants(p, p.K)
		for i := range p.Count {
			g, x, out := pixel(p, p.G, i), pixel(p, p.X, i), pixel(p, p.Out, i)
			for c, v := range x {
				out[c] = g[c]*a[c] + v*b[c] + k[c]
			}
		}
	},
	Sign: func(p *tile.Pixels) {
		for i := range p.Count {
			out := pixel(p, p.Out, i)
			for c, v := range pixel(p, p.X, i) {
				out[c] = -1
				if v >= 0 {
					out[c] = 1
				}
			}
		}
	},
	SignGrad: func(p *tile.Pixels) {
		a, b := constants(p, p.A), constants(p, p.B)
		for i := range p.Count {
			g, out := pixel(p, p.G, i), pixel(p, p.Out, i)
			for c, v := range pixel(p, p.X, i) {
				out[c] = 0
				if v = max(v, -v); v <= 1 {
					out[c] = g[c] * (a[c] + b[c]*v)
				}
			}
		}
	},
	PReLU: func(p *tile.Pixels) {
		k := constants(p, p.K)
		for i := range p.Count {
			out := pixel(p, p.Out, i)
			for c, v := range pixel(p, p.X, i) {
				out[c] = pick(v, k[c], 1) * v
			}
		}
	},
	PReLUGrad: func(p *tile.Pixels) {
		a, k := constants(p, p.A), constants(p, p.K)
		for i := range p.Count {
			g, out := pixel(p, p.G, i), pixel(p, p.Out, i)
			for c, v := range pixel(p, p.X, i) {
				a[c] += pick(v, v*g[c], 0)
				out[c] = pick(v, k[c], 1) * g[c]
			}
		}
	},
	MaxPool: func(p *tile.Pixels) {
		for i := range p.Count {
			x, out := window(p, p.X, p.Row, i), pixel(p, p.Out, i)
			for c := range out {
				out[c] = max(x[0][c], x[1][c], x[2][c], x[3][c])
			}
		}
	},
	MaxPoolGrad: func(p *tile.Pixels) {
		for i := range p.Count {
			x, out := window(p, p.X, p.Row, i), window(p, p.Out, p.OutRow, i)
			g, y := pixel(p, p.G, i), pixel(p, p.Y, i)
			for c, top := range y {
				given := false
				for j := range out {
					out[j][c] = 0
					if !given && x[j][c] == top {
						out[j][c], given = g[c], true
					}
				}
			}
		}
	},
	Planes: func(p *tile.Pixels) {
		for c := range p.Vectors {
			for i := range p.Count {
				*(*float32)(unsafe.Add(p.Out, c*p.OutRow+4*i)) = *(*float32)(unsafe.Add(p.X, i*p.Step+4*c))
			}
		}
	},
}

// pick is negative where x has the sign bit set, else positive: without a branch, for
// it would depend on data.
func pick(x, negative, positive float32) float32 {
	mask := uint32(int32(math.Float32bits(x)) >> 31)
	return math.Float32frombits(math.Float32bits(negative)&mask | math.Float32bits(positive)&^mask)
}

// sums adds v to A and v·w to B, pixel by pixel; where mask is 0, v becomes 0
// first.
func sums(p *tile.Pixels, v, w, mask unsafe.Pointer) {
	a, b := constants(p, p.A), constants(p, p.B)
	for i := range p.Count {
		v, w := pixel(p, v, i), pixel(p, w, i)
		if mask != nil {
			for c, y := range pixel(p, mask, i) {
				if y == 0 {
					v[c] = 0
				}
			}
		}
		for c, x := range v {
			a[c] += x
			b[c] += x * w[c]
		}
	}
}

func constants(p *tile.Pixels, at unsafe.Pointer) []float32 {
	return unsafe.Slice((*float32)(at), p.Vectors)
}

func pixel(p *tile.Pixels, at unsafe.Pointer, i int) []float32 {
	return constants(p, unsafe.Add(at, i*p.Step))
}

// window is the 2×2 pixels that become pixel i.
func window(p *tile.Pixels, at unsafe.Pointer, row, i int) (w [4][]float32) {
	for j := range w {
		w[j] = pixel(p, unsafe.Add(at, j/2*row), 2*i+j%2)
	}
	return w
}
