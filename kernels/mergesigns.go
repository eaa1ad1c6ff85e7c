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
		for k := range to {
			t := th.t[8*k : min(8*k+8, len(th.t))]
			var below uint32 // a bit where q < t
			for c, v := range q[8*k:][:len(t)] {
				below |= uint32(int32(v)-t[c]) >> 31 << c
			}
			to[k] = uint8(^below)&uint8(1<<len(t)-1) ^ th.flip[k]
		}
	}
}
