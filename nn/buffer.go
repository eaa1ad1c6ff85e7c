package nn

import (
	"fmt"
	"math"
	"unsafe"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/quant"
)

// form is how a value lies in memory.
type form struct {
	dtype dtype.DType
	xor   uint8 // int8: what its bytes are xored with
	flat  bool  // without a halo, as a dense layer reads it
	wide  bool  // int8: two bytes a channel, an int16 (kernels.Int16Image)
	// levels make a binary form bit planes of an int8 value, one image behind the
	// other (kernels.BitSerial); the zero value: it is ±1.
	levels kernels.Levels
}

// buffer is the place of one value in one form.
type buffer struct {
	value *graph.Value
	form  form
	img   kernels.Image
	scale float32 // int8: of the value, or of its stream
	zero  int8    // int8: what stands for 0
	lo    int8    // int8: the least byte
	away  bool    // int8: halves round away from zero, as in networks of integers
	pad   float32 // what the halo stands for
	off   int     // in the arena
}

// bytes is the buffer's part of an arena.
func (b *buffer) bytes(s *state) []byte { return s.mem[b.off : b.off+b.size()] }

// size is how many bytes those are.
func (b *buffer) size() int { return b.images() * b.img.Bytes() }

// images is how many images of the form img lie behind each other.
func (b *buffer) images() int { return max(1, b.form.levels.Bits) }

// format is what a byte of an int8 value stands for.
func (b *buffer) format() quant.Format { return quant.Format{Scale: b.scale, Zero: b.zero} }

func floats(b []byte) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

func ints(b []byte) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

func shorts(b []byte) []int16 {
	return unsafe.Slice((*int16)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/2)
}

func words(b []byte) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

// imageOf lays out a value without a halo: [C H W] as H×W pixels, [F] as one.
func imageOf(v *graph.Value, d dtype.DType) kernels.Image {
	if len(v.Shape) == 3 {
		return kernels.Image{DType: d, H: v.Shape[1], W: v.Shape[2], C: v.Shape[0]}
	}
	return kernels.Image{DType: d, H: 1, W: 1, C: v.Shape[0]}
}

// grow widens the halo to hold a reader's padding, which must agree with the
// other readers' on what it stands for.
func (b *buffer) grow(top, left, bottom, right int, pad float32) error {
	if top == 0 && left == 0 && bottom == 0 && right == 0 {
		return nil
	}
	had := b.img.Top+b.img.Left+b.img.Bottom+b.img.Right > 0
	if had && pad != b.pad {
		return fmt.Errorf("value %q: one reader pads with %v, another with %v: want one padding value", b.value.Name, b.pad, pad)
	}
	b.pad = pad
	b.img.Top, b.img.Left = max(b.img.Top, top), max(b.img.Left, left)
	b.img.Bottom, b.img.Right = max(b.img.Bottom, bottom), max(b.img.Right, right)
	return nil
}

// checkPad says whether the form can carry the padding value.
func (b *buffer) checkPad() error {
	ok := true
	switch b.form.dtype {
	case dtype.Int8:
		ok = b.pad == 0
	case dtype.Binary:
		if b.form.levels.Bits > 0 {
			ok = b.pad == 0
			break
		}
		ok = b.pad == -1 || b.pad == 1 || b.pad == 0 && b.img.Top+b.img.Left+b.img.Bottom+b.img.Right == 0
	default:
		ok = b.pad == b.pad && !math.IsInf(float64(b.pad), 0)
	}
	if !ok {
		return fmt.Errorf("value %q: padding with %v cannot be carried as %v", b.value.Name, b.pad, b.form.dtype)
	}
	return nil
}

// halo is what a convolution may know of the halo.
func (b *buffer) halo() kernels.Halo {
	switch {
	case b.form.levels.Bits > 0:
		if b.zero == 0 && b.form.levels.Has(0) {
			return kernels.HaloZero
		}
		return kernels.HaloAny
	case b.form.dtype == dtype.Binary && b.pad == -1:
		return kernels.HaloMinusOne
	case b.form.dtype == dtype.Binary && b.pad == 1:
		return kernels.HaloPlusOne
	case b.form.dtype != dtype.Binary && b.pad == 0 && b.zero == 0:
		return kernels.HaloZero
	}
	return kernels.HaloAny
}

// fill sets the whole buffer to its padding: the halo stays so for ever, since
// steps write pixels only.
func (b *buffer) fill(s *state) {
	mem := b.bytes(s)
	switch b.form.dtype {
	case dtype.Float32:
		f := floats(mem)
		for i := range f {
			f[i] = b.pad
		}
	case dtype.Int8:
		for i := range mem {
			mem[i] = uint8(b.zero) ^ b.form.xor
		}
	case dtype.Binary:
		if b.form.levels.Bits > 0 {
			b.fillPlanes(mem)
			return
		}
		clear(mem)
		if b.pad > 0 { // +1 is a set bit
			b.setBits(mem)
		}
	}
}

// element reads channel c of a pixel as a float32, whatever the form.
func (b *buffer) element(px []byte, c int) float32 {
	switch b.form.dtype {
	case dtype.Float32:
		return floats(px[4*c:][:4])[0]
	case dtype.Int8:
		if b.form.wide {
			return float32(shorts(px[2*c:][:2])[0]) * b.scale
		}
		return float32(int(int8(px[c]^b.form.xor))-int(b.zero)) * b.scale
	default:
		return float32(int(px[c/8]>>(c%8)&1)*2 - 1)
	}
}

// eachPixel calls f with the byte offset of every pixel's place in a and in b,
// which have one extent.
func eachPixel(a, b *buffer, f func(a, b int)) {
	for y := range a.img.H {
		p, q := a.img.Offset(y, 0), b.img.Offset(y, 0)
		for range a.img.W {
			f(p, q)
			p += a.img.PixelBytes()
			q += b.img.PixelBytes()
		}
	}
}
