package kernels

import (
	"fmt"
	"unsafe"

	"macroscope/dtype"
	"macroscope/kernels/generic"
	"macroscope/kernels/tile"
)

// PackPlanes takes the pixels of an int8 image apart into bits planes, as BitSerial reads
// them: plane i has bit i of x − base, and is an image like to (binary, of the same
// extent), to.Bytes() behind the one before it. The bytes of from are xored with xor; x is
// base…base+2^bits−1, and higher bits of x − base are lost. Halos are neither read nor
// written, nor is what a pixel's last word has past its last byte, which must be 0. It panics if sizes do not fit. im is a binary row.
func (im *Impl) PackPlanes(ctx *Context, out []byte, to Image, in []byte, from Image, bits, base int, xor uint8) {
	if im.k.DType != dtype.Binary || to.DType != dtype.Binary || from.DType != dtype.Int8 || to.H != from.H || to.W != from.W || to.C != from.C ||
		bits < 1 || bits > 8 || len(out) < bits*to.Bytes() || len(in) < from.Bytes() {
		panic(fmt.Sprintf("kernels: %v: %d planes %+v in %d bytes from %+v in %d bytes: sizes do not fit", im, bits, to, len(out), from, len(in)))
	}
	w := &ctx.planes
	*w = tile.BitPlanes{Planes: bits, Distance: to.Bytes(), Base: uint64(uint8(base) + xor)} // xor 0x80 adds 128 too
	run, pixels, perRow := generic.BitPlanes, 1, to.W
	if to.C%32 == 0 { // pixels lie together in both
		pixels, perRow = to.W, 1
		if im.k.BitPlanes != nil {
			run = im.k.BitPlanes
		}
	}
	whole := to.C &^ 7
	for y := range to.H {
		for x := range perRow {
			at, src := to.Offset(y, x), in[from.Offset(y, x):]
			if whole > 0 {
				w.In, w.Out, w.Count = unsafe.Pointer(&src[0]), unsafe.Pointer(&out[at]), pixels*whole
				run(w)
			}
			if whole < to.C {
				rest := ctx.few[:]
				copy(rest, src[whole:to.C])
				for i := to.C - whole; i < len(rest); i++ { // bits past the last channel are 0
					rest[i] = uint8(w.Base)
				}
				w.In, w.Out, w.Count = unsafe.Pointer(&rest[0]), unsafe.Pointer(&out[at+whole/8]), len(rest)
				generic.BitPlanes(w)
			}
		}
	}
	*w = tile.BitPlanes{} // keep no memory alive
}
