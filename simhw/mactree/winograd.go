package mactree

// F(2×2, 3×3): a 4×4 tile d of the input and a 3×3 kernel g give 2×2 outputs
// Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A. G has halves; 2G is taken, so that the weights are
// whole and the outputs four times their value.

// winogradInput is Bᵀ d B.
func winogradInput(d [16]int32) [16]int32 {
	line := func(a, b, c, d int32) [4]int32 { return [4]int32{a - c, b + c, c - b, b - d} }
	var t [16]int32
	for j := range 4 {
		col := line(d[j], d[4+j], d[8+j], d[12+j])
		for i := range 4 {
			t[4*i+j] = col[i]
		}
	}
	for i := range 4 {
		row := line(t[4*i], t[4*i+1], t[4*i+2], t[4*i+3])
		copy(t[4*i:], row[:])
	}
	return t
}

// winogradWeights is 2G g (2G)ᵀ.
func winogradWeights(g [9]int32) [16]int32 {
	line := func(a, b, c int32) [4]int32 { return [4]int32{2 * a, a + b + c, a - b + c, 2 * c} }
	var half [12]int32 // 4 rows of 3
	for j := range 3 {
		col := line(g[j], g[3+j], g[6+j])
		for i := range 4 {
			half[3*i+j] = col[i]
		}
	}
	var u [16]int32
	for i := range 4 {
		row := line(half[3*i], half[3*i+1], half[3*i+2])
		copy(u[4*i:], row[:])
	}
	return u
}

// winogradSums multiplies transformed inputs by transformed weights, 16 a
// channel, sums over the channels and transforms the sums back: four times the
// outputs of a tile, row by row.
func winogradSums(values, weights []int32) [4]int32 {
	var m [16]int32
	for i, v := range values {
		m[i%16] += v * weights[i]
	}
	line := func(a, b, c, d int32) (int32, int32) { return a + b + c, b - c - d }
	var t [8]int32
	for j := range 4 {
		t[j], t[4+j] = line(m[j], m[4+j], m[8+j], m[12+j])
	}
	var out [4]int32
	for i := range 2 {
		out[2*i], out[2*i+1] = line(t[4*i], t[4*i+1], t[4*i+2], t[4*i+3])
	}
	return out
}
