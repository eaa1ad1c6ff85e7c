package kernels

import (
	"unsafe"

	"macroscope/quant"
)

// thresholds writes the signs of a row of a stream where they are not the stream's own.
// It reads again what a Merge's loop has just written, a row that is still in the
// nearest cache.
type thresholds struct {
	t    []int32 // the channels' T
	flip []uint8 // a bit a channel
}

func newThresholds(signs []quant.StreamSign) *thresholds {
	th := &thresholds{make([]int32, len(signs)), make([]uint8, (len(signs)+7)/8)}
	for c, s := range signs {
		if th.t[c] = int32(s.T); s.Flip {
			th.flip[c/8] |= 1 << (c % 8)
		}
	}
	return th
}

// row writes the bits of count pixels of int16.
func (th *thresholds) row(out, bits unsafe.Pointer, count, outStep, bitStep int) {
	for i := range count {
		q := unsafe.Slice((*int16)(unsafe.Add(out, i*outStep)), len(th.t))
		to := unsafe.Slice((*uint8)(unsafe.Add(bits, i*bitStep)), len(th.flip))
		full := len(q) / 8
		for k := range full {
			v, t := (*[8]int16)(q[8*k:]), (*[8]int32)(th.t[8*k:])
			to[k] = ^(below(v[0], t[0]) | below(v[1], t[1])<<1 | below(v[2], t[2])<<2 | below(v[3], t[3])<<3 |
				below(v[4], t[4])<<4 | below(v[5], t[5])<<5 | below(v[6], t[6])<<6 | below(v[7], t[7])<<7) ^ th.flip[k]
		}
		if full < len(to) { // 0 behind the last channel
			bits := th.flip[full]
			for c, v := range q[8*full:] {
				bits ^= (1 - below(v, th.t[8*full+c])) << c
			}
			to[full] = bits
		}
	}
}

// below is 1 where q < t, without a branch.
func below(q int16, t int32) uint8 { return uint8(uint32(int32(q)-t) >> 31) }
