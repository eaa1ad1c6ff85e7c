package generic

import (
	"unsafe"

	"macroscope/kernels/tile"
)

// Depthwise is the loop of tile.Depthwise, one channel a vector.
var Depthwise = tile.DepthwiseFunc{VL: 1, Run: func(w *tile.Depthwise) {
	n := w.Vectors
	taps := unsafe.Slice(w.Taps, w.NTaps)
	for i := range w.Count {
		sum := unsafe.Slice((*float32)(unsafe.Add(w.Out, i*w.OutStep)), n)
		copy(sum, unsafe.Slice((*float32)(w.Init), n))
		for t, off := range taps {
			x := unsafe.Slice((*float32)(unsafe.Add(w.In, i*w.InStep+off)), n)
			k := unsafe.Slice((*float32)(unsafe.Add(w.W, t*w.WStep)), n)
			for c := range sum {
				sum[c] += x[c] * k[c]
			}
		}
		for c, v := range sum {
			sum[c] = min(w.Hi, max(w.Lo, v))
		}
	}
}}

// DepthwiseInt8 adds up one pixel of a depthwise int8 convolution: for each tap the
// product of C bytes of in, from its offset on and each xored with xor, and the tap's C
// weights.
func DepthwiseInt8(sum []int32, in []byte, taps []int, w []int8, xor uint8) {
	for t, off := range taps {
		x, k := in[off:][:len(sum)], w[t*len(sum):][:len(sum)]
		for c := range sum {
			sum[c] += int32(int8(x[c]^xor)) * int32(k[c])
		}
	}
}
