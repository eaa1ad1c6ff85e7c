package train

import "math"

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
