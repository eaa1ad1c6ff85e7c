package quant

import "math"

// A stream is what shortcuts carry from layer to layer of a binary network: real
// numbers x ≈ s·q, q an int16, with one scale s for all values that an addition, a
// maximum, a doubling of channels or a PReLU joins, so that an addition is one of
// integers.

// StreamMax is the magnitude that StreamScale gives the largest calibrated value:
// three quarters of int16's, so that other images' sums seldom saturate.
const StreamMax = 3 << 13

// StreamScale returns s such that maxAbs is carried by ±StreamMax; 1 for a
// range of zero, as Scale does.
func StreamScale(maxAbs float32) (float32, error) {
	if _, err := Scale(maxAbs); err != nil {
		return 0, err
	}
	s := maxAbs / StreamMax
	if s == 0 || isSubnormal(s) {
		return 1, nil
	}
	return s, nil
}

// Quantize16 returns roundHalfEven(x/s), saturated to int16. NaN gives 0.
func Quantize16(x, s float32) int16 {
	q := x / s
	if q != q {
		return 0
	}
	return int16(RoundHalfEven(min(math.MaxInt16, max(math.MinInt16, q))))
}

// Requantize16 is Requantize to the whole range of int16:
//
//	clamp(roundHalfEven(float32(acc)·m + b), −32768, 32767)
//
// with product and sum each rounded to float32. NaN gives −32768.
func Requantize16(acc int32, m, b float32) int16 {
	p := float32(float32(acc) * m) // the conversion forbids a fused multiply-add
	v := p + b
	if !(v > math.MinInt16) {
		v = math.MinInt16
	}
	if !(v < math.MaxInt16) {
		v = math.MaxInt16
	}
	return int16(math.RoundToEven(float64(v)))
}

// PReLU16 is q where q ≥ 0, else roundHalfEven(float32(q)·slope), the product
// rounded to float32, saturated to int16. slope is finite.
func PReLU16(q int16, slope float32) int16 {
	if q >= 0 {
		return q
	}
	v := float32(q) * slope
	return int16(RoundHalfEven(min(math.MaxInt16, max(math.MinInt16, v))))
}

// Merge is one element of a layer whose input goes round it: a convolution's sum,
// normalized, joins the stream's h.
//
//	q  = Requantize16(sum, m, b)
//	q' = min(hi, max(lo, q+h))    // q+h exactly; lo…hi within int16
//	     PReLU16(q', slope)
//
// Its sign as the next convolution reads it is +1 where the result is ≥ 0. The
// bounds −32768…32767 are no more than a saturation; closer ones are a clip. A
// slope of 1 is no PReLU.
func Merge(sum int32, m, b float32, h int16, lo, hi int16, slope float32) int16 {
	q := int32(Requantize16(sum, m, b)) + int32(h)
	return PReLU16(int16(min(int32(hi), max(int32(lo), q))), slope)
}
