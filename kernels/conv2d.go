package kernels

import (
	"fmt"
	"unsafe"

	"macroscope/dtype"
	"macroscope/kernels/tile"
)

// Conv2DShape is a convolution of a plain image, without a halo: padding reads
// as 0 (float32, int8) or −1 (binary). The output has
// ⌊(H+PadTop+PadBottom−DilationH·(KH−1)−1)/StrideH⌋+1 rows, columns likewise.
// A stride or dilation of 0 means 1.
type Conv2DShape struct {
	H, W, C, OutC                        int
	KH, KW                               int
	StrideH, StrideW                     int
	DilationH, DilationW                 int
	PadTop, PadLeft, PadBottom, PadRight int
}

// withDefaults fills in strides and dilations of 1.
func (s Conv2DShape) withDefaults() Conv2DShape {
	for _, v := range []*int{&s.StrideH, &s.StrideW, &s.DilationH, &s.DilationW} {
		if *v == 0 {
			*v = 1
		}
	}
	return s
}

// OutHW is the output's extent; not positive if the kernel does not fit.
func (s Conv2DShape) OutHW() (h, w int) {
	s = s.withDefaults()
	out := func(n, pads, k, dilation, stride int) int {
		if room := n + pads - dilation*(k-1) - 1; room >= 0 && stride > 0 {
			return room/stride + 1
		}
		return 0
	}
	return out(s.H, s.PadTop+s.PadBottom, s.KH, s.DilationH, s.StrideH), out(s.W, s.PadLeft+s.PadRight, s.KW, s.DilationW, s.StrideW)
}

// Conv2D is a convolution of plain slices, for callers that do not lay out
// their images as Image says; it copies each input into such a layout. It is
// immutable; its methods may be called by many goroutines, each with its
// Context.
type Conv2D struct {
	conv    *Conv
	in, out Image
}

// NewConv2DFloat32 prepares weights [OutC][KH][KW][C] and bias [OutC] (nil is
// 0).
func (im *Impl) NewConv2DFloat32(s Conv2DShape, weights, bias []float32) (*Conv2D, error) {
	return im.newConv2D(dtype.Float32, s, len(weights), func() []uint32 { return PackFloat32(weights) }, bias)
}

// NewConv2DInt8 prepares weights [OutC][KH][KW][C] of −128…127; KH·KW·C ≤
// 131071, so that int32 sums are exact.
func (im *Impl) NewConv2DInt8(s Conv2DShape, weights []int8) (*Conv2D, error) {
	return im.newConv2D(dtype.Int8, s, len(weights), func() []uint32 { return PackInt8(weights, s.C) }, nil)
}

// NewConv2DBinary prepares weights [OutC][KH][KW][C]: +1 where ≥ 0, else −1.
func (im *Impl) NewConv2DBinary(s Conv2DShape, weights []float32) (*Conv2D, error) {
	return im.newConv2D(dtype.Binary, s, len(weights), func() []uint32 { return PackBinary(weights, s.C) }, nil)
}

func (im *Impl) newConv2D(d dtype.DType, s Conv2DShape, have int, pack func() []uint32, bias []float32) (*Conv2D, error) {
	s = s.withDefaults()
	h, w := s.OutHW()
	c := &Conv2D{
		in:  Image{DType: d, H: s.H, W: s.W, C: s.C, Top: s.PadTop, Left: s.PadLeft, Bottom: s.PadBottom, Right: s.PadRight},
		out: Image{DType: dtype.Float32, H: h, W: w, C: s.OutC},
	}
	if im.k.DType != d {
		return nil, fmt.Errorf("%s: asked for a %v convolution", im.FullName("conv2d"), d)
	}
	if h < 1 || w < 1 {
		return nil, fmt.Errorf("%s: a kernel of %dx%d, dilation %d,%d, does not fit into %dx%d with padding %d,%d,%d,%d",
			im.FullName("conv2d"), s.KH, s.KW, s.DilationH, s.DilationW, s.H, s.W, s.PadTop, s.PadLeft, s.PadBottom, s.PadRight)
	}
	for _, m := range []Image{c.in, c.out} {
		if err := m.check("image"); err != nil {
			return nil, fmt.Errorf("%s: %w", im.FullName("conv2d"), err)
		}
	}
	if k := float64(s.KH) * float64(s.KW) * float64(s.C); k < 1 || float64(have) != float64(s.OutC)*k {
		return nil, fmt.Errorf("%s: %d weights: want OutC %d · KH %d · KW %d · C %d", im.FullName("conv2d"), have, s.OutC, s.KH, s.KW, s.C)
	}
	halo := HaloZero
	if d == dtype.Binary {
		halo = HaloMinusOne
	}
	var err error
	c.conv, err = NewConv(im, ConvSpec{
		In: c.in, Out: c.out, KH: s.KH, KW: s.KW, StrideH: s.StrideH, StrideW: s.StrideW, DilationH: s.DilationH, DilationW: s.DilationW,
		PadTop: s.PadTop, PadLeft: s.PadLeft, Halo: halo, Mode: tile.Store, BiasF: bias,
	}, pack())
	return c, err
}

// Float32 computes one image: in is [H][W][C], out [OutH][OutW][OutC]. It
// panics if a length or the dtype does not fit; so do Int8 and Binary.
func (c *Conv2D) Float32(ctx *Context, out, in []float32) {
	c.check(dtype.Float32, len(out), len(in))
	c.run(ctx, bytesOf(out), bytesOf(in), 4*c.in.C, 0)
}

// Int8 computes one image: in is [H][W][C] of −128…127, out the exact sums
// [OutH][OutW][OutC].
func (c *Conv2D) Int8(ctx *Context, out []int32, in []int8) {
	c.check(dtype.Int8, len(out), len(in))
	c.run(ctx, bytesOf(out), bytesOf(in), c.in.C, c.conv.k.AXor)
}

// Binary computes one image: in is [H][W][C] of ±1 by sign (≥ 0 is +1), out
// the exact sums [OutH][OutW][OutC].
func (c *Conv2D) Binary(ctx *Context, out []int32, in []float32) {
	c.check(dtype.Binary, len(out), len(in))
	img := ctx.padded(c.in.Bytes(), 0)
	words := Words(dtype.Binary, c.in.C)
	for y := range c.in.H {
		for x := range c.in.W {
			px := view[uint32](img[c.in.Offset(y, x):][:4*words])
			from := in[(y*c.in.W+x)*c.in.C:][:c.in.C]
			clear(px)
			for i, v := range from {
				if v >= 0 {
					px[i/32] |= 1 << (i % 32)
				}
			}
		}
	}
	c.conv.Run(ctx, bytesOf(out), img)
}

func (c *Conv2D) check(d dtype.DType, out, in int) {
	if c.in.DType != d {
		panic(fmt.Sprintf("kernels: %s asked for a %v convolution", c.conv.im.FullName("conv2d"), d))
	}
	if in != c.in.H*c.in.W*c.in.C || out != c.out.H*c.out.W*c.out.C {
		panic(fmt.Sprintf("kernels: %s: %d values in, %d out: want %dx%dx%d and %dx%dx%d", c.conv.im.FullName("conv2d"),
			in, out, c.in.H, c.in.W, c.in.C, c.out.H, c.out.W, c.out.C))
	}
}

// run copies the image into its halo, xored, and convolves.
func (c *Conv2D) run(ctx *Context, out, in []byte, pixel int, xor uint8) {
	img := ctx.padded(c.in.Bytes(), xor)
	for y := range c.in.H {
		for x := range c.in.W {
			to := img[c.in.Offset(y, x):][:pixel]
			copy(to, in[(y*c.in.W+x)*pixel:])
			if xor != 0 {
				for i := range to {
					to[i] ^= xor
				}
			}
		}
	}
	c.conv.Run(ctx, out, img)
}

func bytesOf[T float32 | int32 | int8](v []T) []byte {
	var t T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(t)))
}
