package quant

import (
	"fmt"
	"math"
)

// Multiplier is a positive real number as integers can apply it: the value is
// M·2^(Shift−31) with M in 2³⁰…2³¹−1. It is what TFLite and integer-only
// accelerators store instead of a float32 (Jacob et al., "Quantization and
// Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
// CVPR 2018, section 2.2).
type Multiplier struct {
	M     int32
	Shift int // left shift when positive, right when negative; −31…30
}

// NewMultiplier returns the multiplier nearest to x. x must be in (0, 2³⁰).
// Values below 2⁻³² become zero, as in TFLite; those just below 2³⁰ become the
// largest multiplier.
func NewMultiplier(x float64) (Multiplier, error) {
	if !(x > 0) || x >= 1<<30 {
		return Multiplier{}, fmt.Errorf("multiplier %v: want a number in (0, 2^30)", x)
	}
	m, e := significand(x)
	switch {
	case e < -31:
		return Multiplier{}, nil
	case e > 30: // rounded up to 2³⁰: the largest multiplier instead, as in TFLite
		return Multiplier{M: math.MaxInt32, Shift: 30}, nil
	}
	return Multiplier{M: m, Shift: e}, nil
}

// significand rounds x > 0 to m·2^(e−31), m in 2³⁰…2³¹−1.
func significand(x float64) (m int32, e int) {
	f, e := math.Frexp(x) // x = f·2^e, f in [0.5, 1)
	r := int64(math.Round(f * (1 << 31)))
	if r == 1<<31 {
		r /= 2
		e++
	}
	return int32(r), e
}

// Apply returns acc times the multiplier, rounded to nearest in two steps as
// TFLite's reference kernels do: the high half of the doubled product rounds
// halves up (towards +∞ after the sign-dependent nudge), the right shift
// rounds halves away from zero. The left shift wraps like int32.
func (m Multiplier) Apply(acc int32) int32 {
	left, right := m.Shift, 0
	if left < 0 {
		left, right = 0, -m.Shift
	}
	return roundingShiftRight(doublingHighMul(acc<<left, m.M), right)
}

// ApplyOnce is Apply with one rounding, halves up, as TFLite's kernels for CPUs do it.
func (m Multiplier) ApplyOnce(acc int32) int32 {
	shift := 31 - m.Shift
	return int32((int64(acc)*int64(m.M) + int64(1)<<(shift-1)) >> shift)
}

// doublingHighMul is (a·b·2) >> 32 with halves rounded up; −2³¹·−2³¹ saturates. gemmlowp
// nudges by the product's sign and divides towards zero, which comes to the same.
func doublingHighMul(a, b int32) int32 {
	return int32(min(math.MaxInt32, (int64(a)*int64(b)+1<<30)>>31))
}

// roundingShiftRight is x / 2^n, halves away from zero.
func roundingShiftRight(x int32, n int) int32 {
	if n == 0 {
		return x
	}
	mask := int32(int64(1)<<n - 1)
	rem := x & mask
	threshold := mask >> 1
	if x < 0 {
		threshold++
	}
	y := x >> n
	if rem > threshold {
		y++
	}
	return y
}

// RequantizeInteger is the integer-only form of Requantize:
// clamp(m·(acc) + zero, lo, hi).
func RequantizeInteger(acc int32, m Multiplier, zero, lo, hi int32) int8 {
	v := int64(m.Apply(acc)) + int64(zero)
	return int8(min(max(v, int64(lo)), int64(hi)))
}
