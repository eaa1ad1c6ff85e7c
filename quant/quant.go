// Package quant is the arithmetic of quantization and nothing else: scales,
// rounding, requantization, bit packing, thresholds. It knows no layer and no
// CPU; kernels, the network runtime and the simulator all compute by it, so
// that a number means the same everywhere.
//
// The rule is symmetric: x ≈ s·x̃ with a float32 scale s > 0 and x̃ an integer
// in −127…127.
package quant

import (
	"fmt"
	"math"
)

// Max is the largest magnitude of a quantized value. −128 is left out so that
// the range is symmetric.
const Max = 127

// Scale returns s such that maxAbs is carried by ±127. A range of zero (a
// constant zero tensor) gets scale 1, so that nothing divides by zero.
func Scale(maxAbs float32) (float32, error) {
	if math.IsNaN(float64(maxAbs)) || math.IsInf(float64(maxAbs), 0) || maxAbs < 0 {
		return 0, fmt.Errorf("range %v: want a finite number ≥ 0", maxAbs)
	}
	s := maxAbs / Max
	if s == 0 || isSubnormal(s) { // also when maxAbs is so small that its reciprocal overflows
		return 1, nil
	}
	return s, nil
}

func isSubnormal(x float32) bool { return x != 0 && math.Abs(float64(x)) < 0x1p-126 }

// RoundHalfEven rounds to the nearest integer, halves to even, as
// VCVTPS2DQ and FCVTNS do.
func RoundHalfEven(x float32) float32 { return float32(math.RoundToEven(float64(x))) }

// Quantize returns clamp(roundHalfEven(x/s)) in −127…127. NaN gives 0.
func Quantize(x, s float32) int8 {
	q := x / s
	if q != q {
		q = 0
	}
	return int8(nearest(min(Max, max(-Max, q)))) // without a branch to mispredict
}

// QuantizeZero returns clamp(roundHalfEven(x/s) + zero) in lo…127, what stands for x
// where zero stands for 0; with zero 0 and lo −127 it is Quantize. NaN gives zero.
func QuantizeZero(x, s float32, zero, lo int8) int8 {
	q, z := x/s, float32(zero)
	if q != q {
		q = 0
	}
	return int8(nearest(min(127-z, max(float32(lo)-z, q)))) + zero // without a branch to mispredict
}

// nearest is RoundHalfEven for |x| < 2²², by float32's own rounding: adding 1.5·2²³ leaves
// no bits for a fraction.
func nearest(x float32) int32 {
	const big = 3 << 22
	return int32(math.Float32bits(x+big)) - int32(math.Float32bits(big))
}

// QuantizeTo sets dst[i] = Quantize(src[i], s). The slices have one length.
func QuantizeTo(dst []int8, src []float32, s float32) {
	for i, x := range src {
		dst[i] = Quantize(x, s)
	}
}

// Requantize turns an int32 sum into an int8 value of the next layer:
//
//	clamp(roundHalfEven(float32(acc)·m + b), lo, hi)
//
// with product and sum each rounded to float32. lo and hi are integers; lo = 0
// is a fused ReLU. The clamp stands before the rounding: for integer bounds
// the result is the same, and the sum may be far outside int32.
func Requantize(acc int32, m, b, lo, hi float32) int8 {
	p := float32(float32(acc) * m) // the conversion forbids a fused multiply-add
	v := p + b
	// Written as the vector units compute it: min(hi, max(lo, v)).
	if !(v > lo) {
		v = lo
	}
	if !(v < hi) {
		v = hi
	}
	return int8(math.RoundToEven(float64(v)))
}
