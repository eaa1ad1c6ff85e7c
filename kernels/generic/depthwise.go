package generic

import (
	"unsafe"

	"macroscope/kernels/tile"
	"macroscope/quant"
)

// Depthwise is the loop of tile.Depthwise for float32, one channel a vector.
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

// DepthwiseInt8 is the loop of tile.Depthwise for signed bytes, DepthwiseUint8 for
// unsigned ones.
var (
	DepthwiseInt8  = tile.DepthwiseFunc{VL: 1, Run: depthwiseBytes[int8]}
	DepthwiseUint8 = tile.DepthwiseFunc{VL: 1, Run: depthwiseBytes[uint8]}
)

func depthwiseBytes[B int8 | uint8](w *tile.Depthwise) {
	n := w.Vectors
	taps := unsafe.Slice(w.Taps, w.NTaps)
	init := unsafe.Slice((*int32)(w.Init), n)
	for i := range w.Count {
		at, out := unsafe.Add(w.In, i*w.InStep), unsafe.Add(w.Out, i*w.OutStep)
		for c, sum := range init {
			for t, off := range taps {
				x := *(*B)(unsafe.Add(at, off+c))
				sum += int32(x) * *(*int32)(unsafe.Add(w.W, t*w.WStep+4*c))
			}
			if w.Scale == nil {
				*(*int32)(unsafe.Add(out, 4*c)) = sum
				continue
			}
			m, b := *(*float32)(unsafe.Add(w.Scale, 4*c)), *(*float32)(unsafe.Add(w.Offset, 4*c))
			*(*uint8)(unsafe.Add(out, c)) = uint8(quant.Requantize(sum, m, b, w.Lo, w.Hi)) ^ uint8(w.OutXor)
		}
	}
}
