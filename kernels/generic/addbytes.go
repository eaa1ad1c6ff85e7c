package generic

import (
	"unsafe"

	"macroscope/kernels/tile"
)

// AddBytes is the loop of tile.AddBytes, one byte a vector.
var AddBytes = tile.AddBytesFunc{VL: 1, Run: func(w *tile.AddBytes) {
	k := func(c tile.AddConstant) int32 { return w.K[c][0] }
	rescaled := func(q int8, of tile.AddConstant) int32 {
		d := int32(q) - k(of+tile.AddZero)
		v := d*k(of+tile.AddHigh) + (d*k(of+tile.AddLow)+k(tile.AddLowHalf))>>11
		return (v + k(of+tile.AddHalf) + v>>31&k(of+tile.AddAway)) >> k(of+tile.AddShift)
	}
	x, y, out := unsafe.Slice((*uint8)(w.X), w.Vectors), unsafe.Slice((*uint8)(w.Y), w.Vectors), unsafe.Slice((*uint8)(w.Out), w.Vectors)
	for i := range out {
		sum := rescaled(int8(x[i]^w.XXor), 0) + rescaled(int8(y[i]^w.YXor), tile.AddOfY)
		v := int32((int64(sum)*int64(k(tile.AddM)) + 1<<30) >> 31)
		v = ((v+v>>31&k(tile.AddOutAway))>>k(tile.AddOutRight) + k(tile.AddOutHalf)) >> k(tile.AddOutHalf)
		out[i] = uint8(min(int64(w.Hi), max(int64(w.Lo), int64(v)+int64(w.Zero)))) ^ w.OutXor
	}
}}
