package generic

import (
	"unsafe"

	"macroscope/kernels/tile"
)

// Floats has the loops of tile.FloatFuncs. Its vectors are single numbers.
var Floats = tile.FloatFuncs{
	VL: 1,
	Add: func(w *tile.Floats) {
		x, y, out := rows(w)
		for i := range out {
			out[i] = clamp(x[i]+y[i], w.Lo, w.Hi)
		}
	},
	Sub: func(w *tile.Floats) {
		x, y, out := rows(w)
		for i := range out {
			out[i] = clamp(x[i]-y[i], w.Lo, w.Hi)
		}
	},
	Mul: func(w *tile.Floats) {
		x, y, out := rows(w)
		for i := range out {
			out[i] = clamp(x[i]*y[i], w.Lo, w.Hi)
		}
	},
	Clamp: func(w *tile.Floats) {
		out := unsafe.Slice((*float32)(w.Out), w.Vectors)
		for i, v := range unsafe.Slice((*float32)(w.X), w.Vectors) {
			out[i] = clamp(v, w.Lo, w.Hi)
		}
	},
	HardSwish: func(w *tile.Floats) {
		out := unsafe.Slice((*float32)(w.Out), w.Vectors)
		for i, v := range unsafe.Slice((*float32)(w.X), w.Vectors) {
			x := float64(v)
			out[i] = float32(x * min(1, max(0, float64(x*(1./6))+0.5)))
		}
	},
}

func rows(w *tile.Floats) (x, y, out []float32) {
	n := w.Vectors
	return unsafe.Slice((*float32)(w.X), n), unsafe.Slice((*float32)(w.Y), n), unsafe.Slice((*float32)(w.Out), n)
}

func clamp(v, lo, hi float32) float32 {
	if v < lo {
		v = lo
	}
	if v > hi {
		v = hi
	}
	return v
}
