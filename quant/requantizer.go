package quant

// A Requantizer is RequantizeInteger prepared for many sums of one multiplier, without
// branches: two products' shifts, of which either may be by nothing.
type Requantizer struct {
	m, half1, half2, away int64 // away: −1 where the second shift rounds halves away from zero
	zero, lo, hi          int64
	left, right1, right2  uint8
}

// NewRequantizer prepares clamp(m·acc + zero, b), rounding twice (Multiplier.Apply) or
// once (ApplyOnce).
func NewRequantizer(m Multiplier, once bool, zero int8, b Bounds) Requantizer {
	r := Requantizer{m: int64(m.M), zero: int64(zero), lo: int64(b.Lo), hi: int64(b.Hi)}
	r.right1 = 31
	switch {
	case once:
		r.right1 = uint8(31 - m.Shift)
	case m.Shift < 0:
		r.right2 = uint8(-m.Shift)
		r.half2, r.away = 1<<(r.right2-1), -1
	default:
		r.left = uint8(m.Shift)
	}
	r.half1 = 1 << (r.right1 - 1)
	return r
}

// At is the byte for a sum.
func (r *Requantizer) At(acc int32) int8 {
	v := (int64(acc<<(r.left&31))*r.m + r.half1) >> (r.right1 & 63)
	v = (v + r.half2 + v>>63&r.away) >> (r.right2 & 63)
	return int8(min(r.hi, max(r.lo, v+r.zero)))
}
