package kernels

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/kernels/generic"
)

// DotFloat32 is
//
//	for i, x := range a { sum += x * b[i] }
//
// in the implementation's own order: within len(a)·ε·Σ|aᵢbᵢ| of the exact sum.
// It panics if the lengths differ or the row is of another dtype.
func (im *Impl) DotFloat32(a, b []float32) float32 {
	im.checkDot(dtype.Float32, len(a), len(b))
	n := len(a) / im.k.DotBlock * im.k.DotBlock
	var sum float32
	if n > 0 {
		sum = im.k.DotFloat32(a[:n], b[:n])
	}
	if n < len(a) {
		sum += generic.DotFloat32(a[n:], b[n:])
	}
	return sum
}

// dotInt8Chunk is how many products are summed in int32 before the sum moves
// to int64: a multiple of every DotBlock, and 65536·128·128 is 2³⁰.
const dotInt8Chunk = 1 << 16

// DotInt8 is
//
//	for i, x := range a { sum += int64(x) * int64(b[i]) }
//
// exactly, for values −128…127 and any length. It panics if the lengths differ
// or the row is of another dtype.
func (im *Impl) DotInt8(a, b []int8) int64 {
	im.checkDot(dtype.Int8, len(a), len(b))
	var sum int64
	for len(a) > dotInt8Chunk {
		sum += int64(im.k.DotInt8(a[:dotInt8Chunk], b[:dotInt8Chunk]))
		a, b = a[dotInt8Chunk:], b[dotInt8Chunk:]
	}
	n := len(a) / im.k.DotBlock * im.k.DotBlock
	if n > 0 {
		sum += int64(im.k.DotInt8(a[:n], b[:n]))
	}
	if n < len(a) {
		sum += int64(generic.DotInt8(a[n:], b[n:]))
	}
	return sum
}

// DotBinary is the dot product of n values ±1, bit i%64 of word i/64 set for
// +1:
//
//	n − 2·popcount(a xor b)
//
// Bits from n on never count, whatever they are. It panics if a or b is
// shorter than ⌈n/64⌉ words, or the row is of another dtype.
func (im *Impl) DotBinary(a, b []uint64, n int) int {
	words := (n + 63) / 64
	im.checkDot(dtype.Binary, words, words)
	if n < 0 || len(a) < words || len(b) < words {
		panic(fmt.Sprintf("kernels: %s: %d values need %d words, have %d and %d", im.FullName("dot"), n, words, len(a), len(b)))
	}
	block := im.k.DotBlock / 64
	full := n / 64 / block * block
	sum := 0
	if n > 64*full {
		sum = generic.DotBinary(a[full:], b[full:], n-64*full)
	}
	if full > 0 {
		sum += 64*full - 2*im.k.DotBinary(a[:full], b[:full])
	}
	return sum
}

func (im *Impl) checkDot(d dtype.DType, n, m int) {
	if im.k.DType != d {
		panic(fmt.Sprintf("kernels: %s asked for a %v dot product", im, d))
	}
	if n != m {
		panic(fmt.Sprintf("kernels: %s: lengths %d and %d differ", im.FullName("dot"), n, m))
	}
}
