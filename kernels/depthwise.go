package kernels

import (
	"fmt"
	"unsafe"

	"macroscope/dtype"
	"macroscope/kernels/generic"
	"macroscope/kernels/tile"
)

// Depthwise is a convolution whose every output channel reads the one input channel
// of its own number: a ConvSpec with Out.C = In.C and filters of one channel. It is
// immutable; its methods may be called by many goroutines, each with its Context.
//
// A tile would find nothing to share: each input word meets one weight. So it goes over
// the pixels of a row, a vector of channels at a time.
type Depthwise struct {
	im    *Impl
	spec  ConvSpec
	taps  []int // byte offsets from a pixel's first tap
	float []float32
	init  []float32
	ints  []int32 // [tap][C] of int8
	sums  []int32 // what an int8 sum starts at

	rescale *rescaler // nil but where Multipliers make bytes of a row's sums
	places  []int     // of a row's pixels, in bytes from the first
}

// NewDepthwiseFloat32 prepares weights [C][KH][KW]. Mode is Store; the spec has no Pool.
func NewDepthwiseFloat32(im *Impl, spec ConvSpec, weights []float32) (*Depthwise, error) {
	d, err := newDepthwise(im, spec, len(weights))
	if err != nil {
		return nil, err
	}
	d.addTaps()
	if d.spec.Lo == 0 && d.spec.Hi == 0 {
		d.spec.Lo, d.spec.Hi = unclampedLo, unclampedHi
	}
	d.float, d.init = alignedSlice[float32](len(weights)), alignedSlice[float32](spec.In.C)
	byTap(d.float, weights, spec.In.C)
	copy(d.init, spec.BiasF)
	return d, nil
}

// NewDepthwiseInt8 prepares weights [C][KH][KW] of −128…127. Mode is Store, which
// writes the exact int32 sums, or Requant.
func NewDepthwiseInt8(im *Impl, spec ConvSpec, weights []int8) (*Depthwise, error) {
	d, err := newDepthwise(im, spec, len(weights))
	if err != nil {
		return nil, err
	}
	d.addTaps()
	c := spec.In.C
	d.ints, d.sums = alignedSlice[int32](len(weights)), alignedSlice[int32](c)
	byTap(d.ints, widened(weights), c)
	copy(d.sums, spec.BiasI)
	for i, w := range d.ints { // unsigned bytes are 128 too much
		d.sums[i%c] -= int32(im.k.AXor) * w
	}
	d.spec.Scale, d.spec.Offset = alignedCopy(spec.Scale), alignedCopy(spec.Offset)
	if spec.Multipliers != nil {
		d.rescale = newRescaler(im, &d.spec)
		for x := range spec.Out.W {
			d.places = append(d.places, x*spec.Out.PixelBytes())
		}
	}
	return d, nil
}

func widened(v []int8) []int32 {
	w := make([]int32, len(v))
	for i, x := range v {
		w[i] = int32(x)
	}
	return w
}

func newDepthwise(im *Impl, spec ConvSpec, weights int) (*Depthwise, error) {
	d := &Depthwise{im: im, spec: spec}
	err := func() error {
		// What a Conv checks of geometry and epilogue holds here as well: its weights are
		// those of as many channels as the filter has.
		c := Conv{im: im, k: &im.k, spec: spec}
		if err := c.check(spec.Out.C * spec.KH * spec.KW * Words(spec.In.DType, spec.In.C)); err != nil {
			return err
		}
		switch {
		case spec.In.DType == dtype.Binary || spec.Mode == tile.Bits || spec.Pool:
			return fmt.Errorf("%v, mode %d, pool %t: want float32 or int8 sums without a pool", spec.In.DType, spec.Mode, spec.Pool)
		case spec.In.C != spec.Out.C:
			return fmt.Errorf("%d channels in, %d out: want one for each", spec.In.C, spec.Out.C)
		case weights != spec.In.C*spec.KH*spec.KW:
			return fmt.Errorf("%d weights: want %d·%d·%d", weights, spec.In.C, spec.KH, spec.KW)
		}
		return nil
	}()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", im.FullName("depthwise"), err)
	}
	return d, nil
}

// addTaps notes where the taps are.
func (d *Depthwise) addTaps() {
	spec := &d.spec
	for ky := range spec.KH {
		for kx := range spec.KW {
			d.taps = append(d.taps, ky*spec.DilationH*spec.In.RowBytes()+kx*spec.DilationW*spec.In.PixelBytes())
		}
	}
}

// byTap turns [C][taps] into [taps][C].
func byTap[T any](to, from []T, c int) {
	taps := len(from) / c
	for ch := range c {
		for t := range taps {
			to[t*c+ch] = from[ch*taps+t]
		}
	}
}

// Impl is the implementation whose loop runs: generic where that of the one asked for
// has none.
func (d *Depthwise) Impl() *Impl {
	if d.im.k.Depthwise != nil {
		return d.im
	}
	im, _ := Lookup(d.im.k.DType, "generic")
	return im
}

// WeightBytes is what Run must read of weights.
func (d *Depthwise) WeightBytes() int { return 4*len(d.float) + len(d.ints) }

// InputBytes is what Run reads of its input, each byte once, with the halo.
func (d *Depthwise) InputBytes() int { return d.spec.inputBytes() }

// Tiles is the number of rows of Out.
func (d *Depthwise) Tiles() int { return d.spec.Out.H }

// Run computes one image, as Conv.Run does.
func (d *Depthwise) Run(ctx *Context, out, in []byte) { d.RunTiles(ctx, out, in, 0, d.Tiles()) }

// RunTiles is Run for the rows from…to−1 alone.
func (d *Depthwise) RunTiles(ctx *Context, out, in []byte, from, to int) {
	s := &d.spec
	if len(in) < s.In.Bytes() || len(out) < s.Out.Bytes() {
		panic(fmt.Sprintf("kernels: %s: %d bytes in, %d out: want %d and %d", d.im.FullName("depthwise"), len(in), len(out), s.In.Bytes(), s.Out.Bytes()))
	}
	for y := from; y < to; y++ {
		to, from := out[s.Out.Offset(y, 0):], in[s.In.Offset(y*s.StrideH-s.PadTop, -s.PadLeft):]
		if d.rescale == nil {
			d.row(ctx, to, from, s.Out)
			continue
		}
		sums := Image{DType: dtype.Float32, H: 1, W: s.Out.W, C: s.Out.C}
		scratch := ctx.bytes(sums.Bytes())
		d.row(ctx, scratch, from, sums)
		d.rescale.run(ctx, to, scratch, d.places, 0, s.Out.C, sums.PixelBytes())
	}
}

// row computes a row of outputs, that of an image like m: by the implementation's vectors,
// narrower ones, and for what is left channel by channel.
func (d *Depthwise) row(ctx *Context, out, in []byte, m Image) {
	s, c := &d.spec, d.spec.In.C
	w := &ctx.depthwise
	*w = tile.Depthwise{
		Taps: &d.taps[0], NTaps: len(d.taps), Count: s.Out.W, InStep: s.StrideW * s.In.PixelBytes(), OutStep: m.PixelBytes(),
		WStep: 4 * c, Lo: s.Lo, Hi: s.Hi, OutXor: uint64(s.OutXor),
	}
	last, size := &generic.Depthwise, s.In.DType.Bits()/8
	switch {
	case d.float == nil && d.im.k.AXor != 0:
		last = &generic.DepthwiseUint8
	case d.float == nil:
		last = &generic.DepthwiseInt8
	}
	done, f := 0, d.im.k.Depthwise
	for ; done < c; f = f.Rest {
		if f == nil {
			f = last
		}
		if (c-done)/f.VL == 0 {
			continue
		}
		w.In, w.Out = unsafe.Pointer(&in[size*done]), unsafe.Pointer(&out[m.DType.Bits()/8*done])
		if d.float != nil {
			w.W, w.Init = unsafe.Pointer(&d.float[done]), unsafe.Pointer(&d.init[done])
		} else {
			w.W, w.Init = unsafe.Pointer(&d.ints[done]), unsafe.Pointer(&d.sums[done])
			if s.Mode == tile.Requant && d.rescale == nil {
				w.Scale, w.Offset = unsafe.Pointer(&s.Scale[done]), unsafe.Pointer(&s.Offset[done])
			}
		}
		w.Vectors = (c - done) / f.VL
		f.Run(w)
		done += w.Vectors * f.VL
	}
	*w = tile.Depthwise{} // keep no memory alive
}
