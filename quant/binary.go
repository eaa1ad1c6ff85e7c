package quant

import (
	"fmt"
	"math"
)

// WordBits is the number of ±1 values in one packed word: value i is bit
// i%32 of word i/32, set for +1. Unused high bits are 0.
const WordBits = 32

// Words is the number of packed words that hold n bits.
func Words(n int) int { return (n + WordBits - 1) / WordBits }

// PackSigns packs src by sign: bit 1 where src[i] ≥ 0 (also −0), else 0; NaN
// gives 0. dst has Words(len(src)) words and is overwritten whole.
func PackSigns(dst []uint32, src []float32) {
	clear(dst)
	for i, x := range src {
		if x >= 0 {
			dst[i/WordBits] |= 1 << (i % WordBits)
		}
	}
}

// UnpackSigns is the inverse: dst[i] is +1 or −1.
func UnpackSigns(dst []int8, src []uint32) {
	for i := range dst {
		dst[i] = int8(src[i/WordBits]>>(i%WordBits)&1)<<1 - 1
	}
}

// Threshold is a batch normalization and a sign folded into one comparison of
// an integer sum: the bit is (sum > T) xor Flip.
type Threshold struct {
	T    int32
	Flip bool
}

// Bit applies the threshold.
func (t Threshold) Bit(sum int32) bool { return (sum > t.T) != t.Flip }

// FoldSign folds f(sum) ≥ 0 into a Threshold that agrees with f on every
// int32, without a trace of rounding error: it searches the place where f, as
// computed, changes its sign. f must be monotone (rising or falling, also
// constant) over int32 and must not return NaN.
func FoldSign(f func(sum int32) float64) (Threshold, error) {
	lo, hi := f(math.MinInt32), f(math.MaxInt32)
	if math.IsNaN(lo) || math.IsNaN(hi) {
		return Threshold{}, fmt.Errorf("threshold: the function gives NaN at the ends of int32")
	}
	first, last := lo >= 0, hi >= 0
	if first == last { // constant: never greater than MaxInt32
		return Threshold{T: math.MaxInt32, Flip: first}, nil
	}
	// Largest sum whose sign is still that of MinInt32.
	a, b := int64(math.MinInt32), int64(math.MaxInt32)
	for b-a > 1 {
		mid := a + (b-a)/2
		if (f(int32(mid)) >= 0) == first {
			a = mid
		} else {
			b = mid
		}
	}
	return Threshold{T: int32(a), Flip: first}, nil
}
