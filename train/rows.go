package train

import "math"

// Loops over a row of pixels: each x is [pixels][C], each per-channel slice [C].

// addMoments is
//
//	for i, v := range x { sum[i%C] += v; squares[i%C] += v*v }
func addMoments(sum, squares, x []float32) {
	n := len(sum)
	squares = squares[:n]
	for ; len(x) >= n; x = x[n:] {
		for c, v := range x[:n] {
			sum[c] += v
			squares[c] += v * v
		}
	}
}

// addProducts is
//
//	for i, v := range g { sum[i%C] += v; products[i%C] += v*x[i] }
func addProducts(sum, products, g, x []float32) {
	n := len(sum)
	products = products[:n]
	for ; len(g) >= n; g, x = g[n:], x[n:] {
		row := x[:n]
		for c, v := range g[:n] {
			sum[c] += v
			products[c] += v * row[c]
		}
	}
}

// linear is
//
//	for i, v := range x { y[i] = max(lo, v*scale[i%C]+shift[i%C]) }
func linear(y, x, scale, shift []float32, lo float32) {
	n := len(scale)
	shift = shift[:n]
	for ; len(x) >= n; x, y = x[n:], y[n:] {
		to := y[:n]
		for c, v := range x[:n] {
			to[c] = max(lo, v*scale[c]+shift[c])
		}
	}
}

// linear2 is
//
//	for i, v := range g { dx[i] = v*fromG[i%C] + x[i]*fromX[i%C] + offset[i%C] }
func linear2(dx, g, x, fromG, fromX, offset []float32) {
	n := len(fromG)
	fromX, offset = fromX[:n], offset[:n]
	for ; len(x) >= n; g, x, dx = g[n:], x[n:], dx[n:] {
		from, to := g[:n], dx[:n]
		for c, v := range x[:n] {
			to[c] = from[c]*fromG[c] + v*fromX[c] + offset[c]
		}
	}
}

// maskPositive is
//
//	for i, v := range y { if v == 0 { g[i] = 0 } }
//
// for y ≥ 0, the output of a ReLU (NaN counts as positive), without a branch that
// depends on data.
func maskPositive(g, y []float32) {
	g = g[:len(y)]
	for i, v := range y {
		bits := math.Float32bits(v) << 1 // 0 for +0 and −0
		mask := uint32(int32(bits|-bits) >> 31)
		g[i] = math.Float32frombits(math.Float32bits(g[i]) & mask)
	}
}

// signs is
//
//	for i, v := range x { if v >= 0 { y[i] = 1 } else { y[i] = -1 } }
func signs(y, x []float32) {
	y = y[:len(x)]
	for i, v := range x {
		if v >= 0 {
			y[i] = 1
		} else {
			y[i] = -1
		}
	}
}
