package kernels

import (
	"fmt"
	"math"

	"macroscope/dtype"
	"macroscope/kernels/tile"
)

// winogradTimes is what the output's transform of int8 makes of a sum by m, that of 9 apart:
// this many times the largest sum must fit int32.
var winogradTimes = map[int]int64{2: 4, 4: 64}

// NewWinogradInt8 is NewWinograd of int8; the mode must be Requant or Store.
func NewWinogradInt8(im *Impl, spec ConvSpec, weights []int8, m int) (*Winograd, error) {
	w, err := newWinogradInt8(im, spec, weights, m)
	if err != nil {
		return nil, err
	}
	w.prepare()
	w.init = alignedSlice[int32](w.cols)
	copy(w.init, spec.BiasI)
	copy(w.bias, spec.Offset)
	switch {
	case spec.Multipliers != nil:
		w.rescale = newRescaler(im, &w.spec)
		size := w.size()
		for y := range size {
			for x := range size {
				w.places = append(w.places, spec.Out.Offset(y, x)-spec.Out.Offset(0, 0))
			}
		}
	case spec.Mode == tile.Requant:
		w.scale = alignedSlice[float32](w.cols)
		copy(w.scale, spec.Scale)
	}
	w.transformInt8(weights)
	return w, nil
}

// newWinogradInt8 is NewWinogradInt8 up to where it takes memory; the order of a filter's
// weights is nothing to it.
func newWinogradInt8(im *Impl, spec ConvSpec, weights []int8, m int) (*Winograd, error) {
	w, err := newWinograd(im, spec, len(weights), m)
	if err != nil {
		return nil, err
	}
	if im.k.DType != dtype.Int8 || spec.Mode == tile.Bits {
		return nil, fmt.Errorf("%s: want int8, Requant or Store", im.FullName("winograd"))
	}
	w.k = spec.In.C / 2
	k := 9 * spec.In.C
	for o := range spec.Out.C {
		sum := int64(0) // of what inputs of 128 give at most
		for _, v := range weights[o*k : (o+1)*k] {
			sum += 128 * max(int64(v), -int64(v))
		}
		if sum*winogradTimes[m] > math.MaxInt32 {
			return nil, fmt.Errorf("%s: sums of filter %d may be %d: F(%d, 3) is exact up to %d", im.FullName("winograd"), o, sum, m, math.MaxInt32/winogradTimes[m])
		}
		// A bias is added after the pool, which is the same only where no sum wraps.
		if spec.Pool && spec.BiasI != nil && max(int64(spec.BiasI[o]), -int64(spec.BiasI[o]))+sum > math.MaxInt32 {
			return nil, fmt.Errorf("%s: sums of filter %d may be %d with a bias of %d before the pool: want int32", im.FullName("winograd"), o, sum, spec.BiasI[o])
		}
	}
	return w, nil
}

// WinogradPays says for which m an int8 convolution with so many input channels was found to be
// faster by F(m×m, 3×3) than directly on such a CPU as this (tile.Winograd.Pays), where its
// shape suits; 0: none.
func (im *Impl) WinogradPays(inC int) (m int) { return im.winogradPays(inC, thisCPU) }

func (im *Impl) winogradPays(inC int, on tile.CPU) (m int) {
	for i := range im.k.Winograd {
		w := &im.k.Winograd[i]
		if least := w.Pays.On(on); least > 0 && inC >= least {
			m = w.M
		}
	}
	return m
}

// winogradIntG is 2·G or G' of tile.Transform, by m.
var winogradIntG = map[int][][3]int32{
	2: {{2, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 2}},
	4: {{6, 0, 0}, {-1, -1, -1}, {-1, 1, -1}, {1, 2, 4}, {1, -2, 4}, {0, 0, 6}},
}

// transformInt8 sets u to G·g·Gᵀ of every filter g with the G of integers: int16, the even
// channel of a pair in the low half of a word, or as tile.PairMicro.Apart has it.
func (w *Winograd) transformInt8(weights []int8) {
	g, inC := winogradIntG[w.t.M], w.spec.In.C
	for o := range w.spec.Out.C {
		panel, col := w.u[o/w.nr*w.nr*w.k:], o%w.nr
		for c := range inC {
			taps := weights[o*9*inC+c:]
			var gg [6][3]int32 // G·g
			for i, row := range g {
				for x := range 3 {
					for y, f := range row {
						gg[i][x] += f * int32(taps[(3*y+x)*inC])
					}
				}
			}
			for i := range g {
				for j, row := range g {
					x := gg[i][0]*row[0] + gg[i][1]*row[1] + gg[i][2]*row[2]
					at := 2*col + c%2 // in a row's values
					if w.apart {
						at = col + c%2*w.nr
					}
					panel[(w.n*i+j)*w.per+c/2*w.nr+at/2] |= uint32(uint16(x)) << (at % 2 * 16)
				}
			}
		}
	}
}
