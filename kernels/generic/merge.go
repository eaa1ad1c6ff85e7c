package generic

import (
	"unsafe"

	"macroscope/kernels/tile"
	"macroscope/quant"
)

// Merge has the loops of tile.MergeFuncs. Its vectors are single channels: the last
// byte of bits that it writes has 0 behind them.
var Merge = tile.MergeFuncs{
	VL:    1,
	Alone: mergeLoops(func(*tile.Merge, int, int) int16 { return 0 }),
	Join: mergeLoops(func(w *tile.Merge, i, c int) int16 {
		return int16At(w.H, i*w.HStep+2*c)
	}),
	JoinPool: mergeLoops(func(w *tile.Merge, i, c int) int16 {
		at := 2*i*w.HStep + 2*c
		return max(int16At(w.H, at), int16At(w.H, at+w.HStep), int16At(w.H, at+w.HRow), int16At(w.H, at+w.HRow+w.HStep))
	}),
}

func mergeLoops(h func(w *tile.Merge, i, c int) int16) [2]func(*tile.Merge) {
	loop := func(slope func(w *tile.Merge, c int) float32) func(*tile.Merge) {
		return func(w *tile.Merge) {
			m, b := unsafe.Slice((*float32)(w.M), w.Vectors), unsafe.Slice((*float32)(w.B), w.Vectors)
			t, flip := unsafe.Slice((*int32)(w.T), w.Vectors), unsafe.Slice((*uint8)(w.Flip), (w.Vectors+7)/8)
			for i := range w.Count {
				sums := unsafe.Slice((*int32)(unsafe.Add(w.Sums, i*w.SumStep)), w.Vectors)
				out := unsafe.Slice((*int16)(unsafe.Add(w.Out, i*w.OutStep)), w.Vectors)
				bits := unsafe.Slice((*uint8)(unsafe.Add(w.Bits, i*w.BitStep)), (w.Vectors+7)/8)
				clear(bits)
				for c, sum := range sums {
					out[c] = quant.Merge(sum, m[c], b[c], h(w, i, c%w.HChannels), int16(w.Lo), int16(w.Hi), slope(w, c))
					if (int32(out[c]) >= t[c]) != (flip[c/8]>>(c%8)&1 == 1) {
						bits[c/8] |= 1 << (c % 8)
					}
				}
			}
		}
	}
	return [2]func(*tile.Merge){
		loop(func(*tile.Merge, int) float32 { return 1 }),
		loop(func(w *tile.Merge, c int) float32 { return unsafe.Slice((*float32)(w.Slope), w.Vectors)[c] }),
	}
}

func int16At(p unsafe.Pointer, at int) int16 { return *(*int16)(unsafe.Add(p, at)) }
