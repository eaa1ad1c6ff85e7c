package quant

import "math"

// StreamSign says of a channel of a stream when the sign behind a norm of it is +1:
// where (q ≥ T) differs from Flip. A sign of the stream itself is the zero value.
type StreamSign struct {
	T    int16
	Flip bool
}

// Positive says whether the sign of q is +1.
func (s StreamSign) Positive(q int16) bool { return (q >= s.T) != s.Flip }

// FoldStreamSign returns the StreamSign that equals norm(s·q) ≥ 0 for every int16 q,
// where s·q is rounded to float32 and norm is a chain of multiplications by constants
// and additions of constants, each rounded. Rounding is monotone, so that the chain
// rises with q or falls with it, never both, with all that it rounds; the change of
// sign is found by bisection over norm as it is computed, and equals it to the bit.
// Where all have the same sign T is −32768: +1 without Flip, −1 with it.
//
// norm must not give NaN: it then is not monotone; ok is false if one of the two ends
// does.
func FoldStreamSign(s float32, norm func(float32) float32) (sign StreamSign, ok bool) {
	at := func(q int) float32 { return norm(s * float32(q)) }
	first, last := at(math.MinInt16), at(math.MaxInt16)
	if first != first || last != last {
		return StreamSign{}, false
	}
	if (first >= 0) == (last >= 0) {
		return StreamSign{math.MinInt16, first < 0}, true
	}
	lo, hi := math.MinInt16, math.MaxInt16 // of different signs
	for hi-lo > 1 {
		mid := (lo + hi) >> 1
		if (at(mid) >= 0) == (first >= 0) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return StreamSign{int16(hi), first >= 0}, true
}
