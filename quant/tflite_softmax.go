package quant

import (
	"fmt"
	"math"
	"math/bits"
)

// TFLite's SOFTMAX of int8 is fixed-point arithmetic on int32, after gemmlowp
// (https://github.com/google/gemmlowp/blob/master/fixedpoint/fixedpoint.h). Qi.f are
// numbers of i integer and f fractional bits beside the sign.

// MaxSoftmax is the most elements of a row: their exponentials' sum is a Q12.19.
const MaxSoftmax = 1<<12 - 1

// Softmax is SOFTMAX from int8 to int8 of scale 1/256 and zero point −128.
type Softmax struct {
	exps [256]int32 // Q0.31: of what is by so much less than the largest element
}

// NewSoftmax prepares a softmax of values of a scale.
func NewSoftmax(scale float32) (*Softmax, error) {
	// Differences become Q5.26.
	x := min(float64(scale)*(1<<26), 1<<31-1)
	if !(x > 1) {
		return nil, fmt.Errorf("softmax of scale %g: want more than 2^-26", scale)
	}
	m, shift := significand(x)
	farthest := int(math.Floor(31 * (1 << 26) / float64(int64(1)<<shift))) // what is farther off counts nothing
	s := new(Softmax)
	for d := range s.exps {
		if d <= farthest {
			s.exps[d] = expNegative(doublingHighMul(int32(-d)<<shift, m))
		}
	}
	return s, nil
}

// Row sets dst to the softmax of src, both of 1 to MaxSoftmax elements; they may be the
// same slice.
func (s *Softmax) Row(dst, src []int8) {
	top := int8(-128)
	for _, q := range src {
		top = max(top, q)
	}
	sum := int32(0) // Q12.19
	for _, q := range src {
		sum += roundingShiftRight(s.exps[int(top)-int(q)], 12)
	}
	scale, over := reciprocal(sum)
	for i, q := range src {
		e := s.exps[int(top)-int(q)]
		dst[i] = All.clamp(int64(roundingShiftRight(doublingHighMul(scale, e), over+31-8)) - 128)
	}
}

// expBy are e^−(2^i/4) in Q0.31, for the bits of a Q5.26 from 1/4 on.
var expBy = [...]int32{1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242}

// expNegative is e^a, a Q0.31, for a Q5.26 of at most 0.
func expNegative(a int32) int32 {
	if a == 0 {
		return math.MaxInt32
	}
	const quarter = 1 << 24
	part := a&(quarter-1) - quarter // −1/4 ≤ part < 0
	e := expQuarter(part << 5)
	rest := part - a
	for i, by := range expBy {
		if rest&(quarter<<i) != 0 {
			e = doublingHighMul(e, by)
		}
	}
	return e
}

// expQuarter is e^a for −1/4 ≤ a < 0, both Q0.31, by four terms of the series around −1/8.
func expQuarter(a int32) int32 {
	const (
		at    = 1895147668 // e^(−1/8)
		third = 715827883  // 1/3
	)
	x := a + 1<<28
	x2 := doublingHighMul(x, x)
	x3 := doublingHighMul(x2, x)
	x4 := doublingHighMul(x2, x2)
	terms := roundingShiftRight(doublingHighMul(roundingShiftRight(x4, 2)+x3, third)+x2, 1) // x²/2 + x³/6 + x⁴/24
	return at + doublingHighMul(at, x+terms)
}

// reciprocal is 1/sum of a Q12.19 of at least 1, as a Q0.31 and the number of bits by
// which it must yet be shifted right.
func reciprocal(sum int32) (q int32, over int) {
	head := bits.LeadingZeros32(uint32(sum))
	x := int32(uint32(sum)<<head - 1<<31) // sum = (1 + x)·2^over, 0 ≤ x < 1
	// Newton's division: three steps for y = 1/h with h = (1 + x)/2, from 48/17 − 32/17·h, Q2.29.
	h := halfSum(x, math.MaxInt32)
	const from, slope = 1515870810, -1010580540
	y := from + doublingHighMul(h, slope)
	for range 3 {
		off := 1<<29 - doublingHighMul(h, y)
		y += saturatingShiftLeft(doublingHighMul(y, off), 2)
	}
	return saturatingShiftLeft(y, 1), 12 - head
}

// halfSum is (a+b)/2, halves away from zero.
func halfSum(a, b int32) int32 {
	sum := int64(a) + int64(b)
	if sum >= 0 {
		return int32((sum + 1) / 2)
	}
	return int32((sum - 1) / 2)
}

// saturatingShiftLeft is x·2^n within int32.
func saturatingShiftLeft(x int32, n int) int32 {
	return int32(min(math.MaxInt32, max(math.MinInt32, int64(x)<<n)))
}
