package kernels

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/kernels/generic"
)

// A dot product's call takes at most 256 KiB of each side, which even from main
// memory is some 50 µs: the garbage collector's stop does not wait longer.
const (
	dotFloat32Chunk = 1 << 16
	// dotInt8Chunk is how many products are summed in int32 before the sum moves to
	// int64: 65536·255·128 is below 2³¹.
	dotInt8Chunk   = 1 << 16
	dotBinaryChunk = 1 << 15 // words of 64
	// All are multiples of every DotBlock.
)

// DotFloat32 is
//
//	for i, x := range a { sum += x * b[i] }
//
// in the implementation's own order: within len(a)·ε·Σ|aᵢbᵢ| of the exact sum.
// It panics if the lengths differ or the row is of another dtype.
func (im *Impl) DotFloat32(a, b []float32) float32 {
	if im.k.DType != dtype.Float32 || len(a) != len(b) || !im.whole(len(a)) || len(a) > dotFloat32Chunk {
		return im.dotFloat32(a, b)
	}
	return im.k.DotFloat32(a, b)
}

// dotFloat32 is DotFloat32 of any length, after a check. What is common has a
// function of its own, small enough to cost little beside a short product.
func (im *Impl) dotFloat32(a, b []float32) float32 {
	im.checkDot(dtype.Float32, len(a), len(b))
	var sum float32
	for len(a) > dotFloat32Chunk {
		sum += im.k.DotFloat32(a[:dotFloat32Chunk], b[:dotFloat32Chunk])
		a, b = a[dotFloat32Chunk:], b[dotFloat32Chunk:]
	}
	n := len(a) &^ (im.k.DotBlock - 1)
	if n > 0 {
		sum += im.k.DotFloat32(a[:n], b[:n])
	}
	if n < len(a) {
		sum += generic.DotFloat32(a[n:], b[n:])
	}
	return sum
}

// DotInt8 is
//
//	for i, x := range a { sum += int64(x) * int64(b[i]) }
//
// exactly, for values −128…127 and any length. It panics if the lengths differ
// or the row is of another dtype.
func (im *Impl) DotInt8(a, b []int8) int64 {
	if im.k.DType != dtype.Int8 || len(a) != len(b) || !im.whole(len(a)) || len(a) > dotInt8Chunk {
		return dotBytes(im, im.k.DotInt8, generic.DotInt8, a, b)
	}
	return int64(im.k.DotInt8(a, b))
}

// DotUint8 is DotInt8 with values 0…255 on the left side, as activations after
// a ReLU may be stored: the form that VPDPBUSD multiplies without a correction.
func (im *Impl) DotUint8(a []uint8, b []int8) int64 {
	if im.k.DType != dtype.Int8 || len(a) != len(b) || !im.whole(len(a)) || len(a) > dotInt8Chunk {
		return dotBytes(im, im.k.DotUint8, generic.DotUint8, a, b)
	}
	return int64(im.k.DotUint8(a, b))
}

func dotBytes[A int8 | uint8](im *Impl, kernel, rest func(a []A, b []int8) int32, a []A, b []int8) int64 {
	im.checkDot(dtype.Int8, len(a), len(b))
	var sum int64
	for len(a) > dotInt8Chunk {
		sum += int64(kernel(a[:dotInt8Chunk], b[:dotInt8Chunk]))
		a, b = a[dotInt8Chunk:], b[dotInt8Chunk:]
	}
	n := len(a) &^ (im.k.DotBlock - 1)
	if n > 0 {
		sum += int64(kernel(a[:n], b[:n]))
	}
	if n < len(a) {
		sum += int64(rest(a[n:], b[n:]))
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
	words := n >> 6
	if im.k.DType != dtype.Binary || !im.whole(n) || words > dotBinaryChunk || words > len(a) || words > len(b) {
		return im.dotBinary(a, b, n)
	}
	return n - 2*im.k.DotBinary(a[:words], b[:words])
}

// dotBinary is to DotBinary as dotFloat32 to DotFloat32.
func (im *Impl) dotBinary(a, b []uint64, n int) int {
	words := (n + 63) / 64
	im.checkDot(dtype.Binary, words, words)
	if n < 0 || len(a) < words || len(b) < words {
		panic(fmt.Sprintf("kernels: %s: %d values need %d words, have %d and %d", im.FullName("dot"), n, words, len(a), len(b)))
	}
	sum := 0
	for n > 64*dotBinaryChunk {
		sum += 64*dotBinaryChunk - 2*im.k.DotBinary(a[:dotBinaryChunk], b[:dotBinaryChunk])
		a, b, n = a[dotBinaryChunk:], b[dotBinaryChunk:], n-64*dotBinaryChunk
	}
	full := (n &^ (im.k.DotBlock - 1)) / 64
	if n > 64*full {
		sum += generic.DotBinary(a[full:], b[full:], n-64*full)
	}
	if full > 0 {
		sum += 64*full - 2*im.k.DotBinary(a[:full], b[:full])
	}
	return sum
}

// whole says whether n elements are whole blocks, as most callers' are: the
// kernel then does it all.
func (im *Impl) whole(n int) bool { return n&(im.k.DotBlock-1) == 0 && n > 0 }

func (im *Impl) checkDot(d dtype.DType, n, m int) {
	if im.k.DType != d {
		panic(fmt.Sprintf("kernels: %s asked for a %v dot product", im, d))
	}
	if n != m {
		panic(fmt.Sprintf("kernels: %s: lengths %d and %d differ", im.FullName("dot"), n, m))
	}
}
