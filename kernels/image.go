package kernels

import (
	"fmt"
	"math"
	"unsafe"

	"macroscope/dtype"
)

// Words is the number of 32-bit words that n values of a dtype fill: one, four
// or 32 to a word.
func Words(d dtype.DType, n int) int {
	per := 32 / d.Bits()
	return (n + per - 1) / per
}

// Image is the place of one activation in memory: H×W pixels of C values in
// the dtype's words (NHWC), inside a halo of whole pixels that a convolution's
// taps may read. A pixel starts on a word; the unused part of its last word is
// 0 for binary and arbitrary for int8 (its weights are 0). int32 sums lie like
// float32.
//
// The bytes of an int8 Image read by an implementation are xored with its AXor.
type Image struct {
	DType                    dtype.DType
	H, W, C                  int
	Top, Left, Bottom, Right int // halo, pixels
}

// PixelBytes is the distance between neighbours in a row.
func (m Image) PixelBytes() int { return 4 * Words(m.DType, m.C) }

// RowBytes is the distance between rows.
func (m Image) RowBytes() int { return (m.Left + m.W + m.Right) * m.PixelBytes() }

// Bytes is the size with the halo.
func (m Image) Bytes() int { return (m.Top + m.H + m.Bottom) * m.RowBytes() }

// Offset is the place of pixel (y, x), in bytes from the start of the halo;
// y and x may lie in the halo.
func (m Image) Offset(y, x int) int { return (m.Top+y)*m.RowBytes() + (m.Left+x)*m.PixelBytes() }

// maxImageBytes keeps every offset far inside an int.
const maxImageBytes = 1 << 40

func (m Image) check(what string) error {
	if m.H < 1 || m.W < 1 || m.C < 1 || m.Top < 0 || m.Left < 0 || m.Bottom < 0 || m.Right < 0 {
		return fmt.Errorf("%s %dx%dx%d with halo %d,%d,%d,%d: want sizes ≥ 1 and a halo ≥ 0", what, m.H, m.W, m.C, m.Top, m.Left, m.Bottom, m.Right)
	}
	size := float64(m.Top+m.H+m.Bottom) * float64(m.Left+m.W+m.Right) * 4 * float64(m.C)
	if size > maxImageBytes || math.IsNaN(size) {
		return fmt.Errorf("%s %dx%dx%d: larger than %d bytes", what, m.H, m.W, m.C, maxImageBytes)
	}
	return nil
}

// Aligned returns n zero bytes that start on a cache line.
func Aligned(n int) []byte {
	const line = 64
	b := make([]byte, n+line)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (line - 1)
	return b[skip : skip+n : skip+n]
}

// view gives bytes as another element type; the length is rounded down.
func view[T any](b []byte) []T {
	var t T
	n := len(b) / int(unsafe.Sizeof(t))
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

// alignedSlice is Aligned for n elements of T.
func alignedSlice[T any](n int) []T {
	var t T
	return view[T](Aligned(n * int(unsafe.Sizeof(t))))
}

// wordBytes gives the memory of words.
func wordBytes(w []uint32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(w))), 4*len(w))
}

// floatBytes gives the memory of float32 values.
func floatBytes(v []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), 4*len(v))
}
