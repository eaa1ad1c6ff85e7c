package generic

import (
	"unsafe"

	"macroscope/kernels/tile"
	"macroscope/quant"
)

// Rescale is the loop of tile.Rescale, one channel a vector.
var Rescale = tile.RescaleFunc{VL: 1, Run: func(w *tile.Rescale) {
	n := w.Vectors
	places := unsafe.Slice(w.Places, w.Count)
	for c := range n {
		at := func(p unsafe.Pointer) int32 { return *(*int32)(unsafe.Add(p, 4*c)) }
		m := quant.Multiplier{M: at(w.M), Shift: int(at(w.Left) - at(w.Right) - at(w.Half))}
		r := quant.NewRequantizer(m, false, int8(w.Zero), quant.Bounds{Lo: w.Lo, Hi: w.Hi})
		sums, out := unsafe.Add(w.Sums, 4*c), unsafe.Add(w.Out, c)
		for i, place := range places {
			*(*uint8)(unsafe.Add(out, place)) = uint8(r.At(*(*int32)(unsafe.Add(sums, i*w.SumStep)))) ^ w.OutXor
		}
	}
}}
