package kernels

import (
	"fmt"
	"unsafe"

	"macroscope/dtype"
	"macroscope/kernels/generic"
	"macroscope/kernels/tile"
)

// Floats are loops over rows of float32 by a row's vectors, bit-equal on every row of the
// table. Slices have one length, else they panic; to may be x or y. lo…hi clamps results,
// without a bound where it is infinite; NaN stays. The methods may be called by many
// goroutines, each with its Context.
type Floats struct{ fast *tile.FloatFuncs }

// NewFloats gives the loops of a float32 row; it panics for another dtype.
func (im *Impl) NewFloats() *Floats {
	if im.k.DType != dtype.Float32 {
		panic(fmt.Sprintf("kernels: %s asked for loops over float32", im))
	}
	return &Floats{im.k.Floats}
}

// Add sets to[i] = x[i] + y[i], clamped.
func (f *Floats) Add(ctx *Context, to, x, y []float32, lo, hi float32) {
	f.run(ctx, to, x, y, lo, hi, func(f *tile.FloatFuncs) func(*tile.Floats) { return f.Add })
}

// Sub sets to[i] = x[i] − y[i], clamped.
func (f *Floats) Sub(ctx *Context, to, x, y []float32, lo, hi float32) {
	f.run(ctx, to, x, y, lo, hi, func(f *tile.FloatFuncs) func(*tile.Floats) { return f.Sub })
}

// Mul sets to[i] = x[i] · y[i], clamped.
func (f *Floats) Mul(ctx *Context, to, x, y []float32, lo, hi float32) {
	f.run(ctx, to, x, y, lo, hi, func(f *tile.FloatFuncs) func(*tile.Floats) { return f.Mul })
}

// Clamp sets to[i] = x[i], clamped.
func (f *Floats) Clamp(ctx *Context, to, x []float32, lo, hi float32) {
	f.run(ctx, to, x, x, lo, hi, func(f *tile.FloatFuncs) func(*tile.Floats) { return f.Clamp })
}

// HardSwish sets to[i] = x[i]·min(1, max(0, x[i]/6 + ½)), computed in float64.
func (f *Floats) HardSwish(ctx *Context, to, x []float32) {
	f.run(ctx, to, x, x, 0, 0, func(f *tile.FloatFuncs) func(*tile.Floats) { return f.HardSwish })
}

func (f *Floats) run(ctx *Context, to, x, y []float32, lo, hi float32, loop func(*tile.FloatFuncs) func(*tile.Floats)) {
	if len(x) != len(to) || len(y) != len(to) {
		panic(fmt.Sprintf("kernels: rows of %d and %d float32 to %d: want one length", len(x), len(y), len(to)))
	}
	w, done := &ctx.floats, 0
	w.Lo, w.Hi = lo, hi
	for funcs := f.fast; done < len(to); funcs = nil {
		if funcs == nil {
			funcs = &generic.Floats
		}
		if w.Vectors = (len(to) - done) / funcs.VL; w.Vectors == 0 {
			continue
		}
		w.X, w.Y, w.Out = unsafe.Pointer(&x[done]), unsafe.Pointer(&y[done]), unsafe.Pointer(&to[done])
		loop(funcs)(w)
		done += w.Vectors * funcs.VL
	}
	*w = tile.Floats{} // keep no memory alive
}
