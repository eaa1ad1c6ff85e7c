package kernels

import (
	"fmt"
	"unsafe"

	"macroscope/kernels/generic"
	"macroscope/kernels/tile"
	"macroscope/quant"
)

// rescaler makes bytes of the int32 sums that a tile has left in scratch memory: what
// Requant is in networks of integers. It is no mode of the tiles, because one loop over
// scratch that the first cache holds serves all of them.
type rescaler struct {
	first                *tile.RescaleFunc // with what is narrower behind it
	m, left, right, half []int32           // [OutC]
	template             tile.Rescale
}

// rescaleBytes is how much scratch memory holds sums until they are rescaled: half of the
// smallest first cache that there is (32 KiB), since weights and input go through it too.
const rescaleBytes = 16 << 10

// newRescaler prepares a checked spec's Multipliers.
func newRescaler(im *Impl, s *ConvSpec) *rescaler {
	n := len(s.Multipliers)
	r := &rescaler{
		first: im.k.Rescale,
		m:     alignedSlice[int32](n), left: alignedSlice[int32](n), right: alignedSlice[int32](n), half: alignedSlice[int32](n),
		template: tile.Rescale{Zero: int16(s.Zero), Lo: int8(s.Lo), Hi: int8(s.Hi), OutXor: s.OutXor},
	}
	for c, m := range s.Multipliers {
		r.m[c] = m.M
		if m.Shift >= 0 {
			r.left[c] = int32(m.Shift)
		} else {
			r.right[c], r.half[c] = int32(-m.Shift-1), 1
		}
	}
	return r
}

// run rescales n channels from the given one on, of pixels whose sums lie step bytes
// apart: pixel i's go to out[places[i]:].
func (r *rescaler) run(ctx *Context, out, sums []byte, places []int, channel, n, step int) {
	if len(places) == 0 {
		return
	}
	w := &ctx.rescale
	*w = r.template
	w.Places, w.Count, w.SumStep = &places[0], len(places), step
	for f, done := r.first, 0; done < n; f = f.Rest {
		if f == nil {
			f = &generic.Rescale
		}
		if w.Vectors = (n - done) / f.VL; w.Vectors == 0 {
			continue
		}
		c := channel + done
		w.Sums, w.Out = unsafe.Pointer(&sums[4*done]), unsafe.Pointer(&out[done])
		w.M, w.Left, w.Right, w.Half = unsafe.Pointer(&r.m[c]), unsafe.Pointer(&r.left[c]), unsafe.Pointer(&r.right[c]), unsafe.Pointer(&r.half[c])
		f.Run(w)
		done += w.Vectors * f.VL
	}
	*w = tile.Rescale{} // keep no memory alive
}

// checkMultipliers holds Multipliers to what quant.NewMultiplier gives.
func checkMultipliers(m []quant.Multiplier) error {
	for c, m := range m {
		if m.M < 0 || m.Shift < -31 || m.Shift > 30 {
			return fmt.Errorf("multiplier %d is %d·2^(%d−31): want a factor ≥ 0 and a shift of −31…30", c, m.M, m.Shift)
		}
	}
	return nil
}
