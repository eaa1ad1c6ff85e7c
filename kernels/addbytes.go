package kernels

import (
	"fmt"
	"unsafe"

	"macroscope/kernels/generic"
	"macroscope/kernels/tile"
	"macroscope/quant"
)

// AddBytes adds rows of int8 values by integers: quant.Adder in vectors. It is immutable;
// Row may be called by many goroutines, each with its Context.
type AddBytes struct {
	fast     *tile.AddBytesFunc // nil: none
	k        tile.AddConstants
	template tile.AddBytes
}

// NewAddBytes prepares additions by an int8 row's vectors; the bytes are xored with these.
func (im *Impl) NewAddBytes(a *quant.Adder, outXor, xXor, yXor uint8) *AddBytes {
	s := &AddBytes{fast: im.k.AddBytes, template: tile.AddBytes{
		Zero: int16(a.Zero), Lo: a.Bounds.Lo, Hi: a.Bounds.Hi, OutXor: outXor, XXor: xXor, YXor: yXor,
	}}
	set := func(c tile.AddConstant, v int32) {
		for i := range s.k[c] {
			s.k[c][i] = v
		}
	}
	for i, in := range a.In {
		of := tile.AddConstant(i) * tile.AddOfY
		set(of+tile.AddZero, int32(in.Zero))
		set(of+tile.AddHigh, in.M>>11)
		set(of+tile.AddLow, in.M&(1<<11-1))
		if in.Shift < 0 {
			set(of+tile.AddHalf, 1<<(-in.Shift-1))
			set(of+tile.AddAway, -1)
			set(of+tile.AddShift, int32(-in.Shift))
		}
	}
	set(tile.AddLowHalf, 1<<10)
	set(tile.AddM, a.Out.M)
	for i := 0; i < len(s.k[0]); i += 2 {
		s.k[tile.AddRound][i] = 1 << 30
	}
	if a.Out.Shift < 0 {
		set(tile.AddOutRight, int32(-a.Out.Shift-1))
		set(tile.AddOutHalf, 1)
		set(tile.AddOutAway, -1)
	}
	return s
}

// Row sets dst[i] to the byte for x[i] and y[i], xored as they are said to be. The slices
// have one length, else it panics; dst may be x or y.
func (s *AddBytes) Row(ctx *Context, dst, x, y []byte) {
	if len(x) != len(dst) || len(y) != len(dst) {
		panic(fmt.Sprintf("kernels: addition of %d and %d bytes to %d: want one length", len(x), len(y), len(dst)))
	}
	w := &ctx.addBytes
	*w = s.template
	w.K = &s.k
	for f := s.fast; len(dst) > 0; f = nil {
		if f == nil {
			f = &generic.AddBytes
		}
		if w.Vectors = len(dst) / f.VL; w.Vectors == 0 {
			continue
		}
		w.X, w.Y, w.Out = unsafe.Pointer(&x[0]), unsafe.Pointer(&y[0]), unsafe.Pointer(&dst[0])
		f.Run(w)
		n := w.Vectors * f.VL
		x, y, dst = x[n:], y[n:], dst[n:]
	}
	*w = tile.AddBytes{} // keep no memory alive
}
