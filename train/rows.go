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
//	for i, v := range x { y[i] = −1; if v >= 0 { y[i] = 1 } }
//
// without a branch that depends on data; NaN has a sign here.
func signs(y, x []float32) {
	y = y[:len(x)]
	for i, v := range x {
		const one = 0x3f800000
		y[i] = math.Float32frombits(math.Float32bits(v+0)&(1<<31) | one) // −0+0 is +0
	}
}
