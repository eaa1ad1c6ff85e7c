package tile

import "unsafe"

// Transform is the work of one call of a Winograd transform: one tile, all its
// channels. The minimal filtering algorithms F(m×m, 3×3) and their matrices are
// those of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
// CVPR 2016, section 4, with the points 0, ±1 (m = 2) and 0, ±1, ±2 (m = 4);
// n = m+2.
//
// A channel is a float32; VL of them (the implementation's vector) are taken at
// a time, Vectors times. In the input's transform V = Bᵀ·d·B
//
//	d[i][j] = Src + i·Row + j·Col    of n×n pixels
//	V[i][j] → Dst + (i·n+j)·Step
//
// and in the output's Y = Aᵀ·M·A
//
//	M[i][j] = Src + (i·n+j)·Step
//	Y[i][j] → Dst + i·Row + j·Col    of m×m pixels, as min(Hi, max(Lo, Y+Bias))
//
// and in the gradient's W = A·g·Aᵀ, of float32 alone,
//
//	g[i][j] = Src + i·Row + j·Col    of m×m pixels
//	W[i][j] → Dst + (i·n+j)·Step
//
// all in bytes, each followed by the next vectors. With Pool the maximum of
// each 2×2 of Y is written instead, so that Dst has m/2×m/2 pixels.
//
// Of int8 a channel of d is a byte, xor the implementation's AXor, one of V an int16 (at most 4·128 or 100·128), and one
// of M an int32. G and A are of integers then, that of m = 4 without what its rows have in
// common:
//
//	2·G = 2  0  0      G' = 6  0  0      A'ᵀ = 1  4  4  1  1  0
//	      1  1  1          -1 -1 -1            0  2 -2  1 -1  0
//	      1 -1  1          -1  1 -1            0  1  1  1  1  0
//	      0  0  2           1  2  4            0  1 -1  2 -2  1
//	                        1 -2  4
//	                        0  0  6
//
// so that Aᵀ·M·A is 4 times the sums of the convolution, and row i and column j of
// A'ᵀ·M·A' is sᵢ·sⱼ times one, s = 24, 12, 6, 6. That is known modulo 2³²: times the
// inverse of 9 and shifted right by 6 bits or less it is the sum, if this is within ±2²⁵. A
// channel of the output is the byte
//
//	clamp(roundHalfEven(float32(sum+Init)·Scale+Bias), Lo, Hi) xor OutXor
//
// or that of the maximum of 2×2 sums. Without Scale it is the int32 sum+Init itself.
type Transform struct {
	Src, Dst unsafe.Pointer
	Row, Col int
	Step     int
	Vectors  int
	Tmp      unsafe.Pointer // n·n vectors
	Bias     unsafe.Pointer // [channels] float32; output only
	Lo, Hi   float32
	Pool     int // 0 or 1

	Init, Scale unsafe.Pointer // [channels] int32, and float32 or nil; the output of int8 only
	OutXor      uint64
}

// PairMicro is a Micro for words of two values.
type PairMicro struct {
	Micro
	Apart bool // of a row of B the first values of all NR words come before the second ones
}

// Winograd is an implementation's transforms for one m.
type Winograd struct {
	M       int // 2 or 4
	VL      int // channels of a vector of In
	OutVL   int // of Out; 0: VL
	In, Out func(*Transform)
	Grad    func(*Transform) // nil: none

	// Tiles are what multiplies the transformed values, MR ascending; the last takes any
	// shape. nil: the row's Tile (float32). Of int8 the values are int16: a word is a pair of
	// them, a product of words the sum of both products in int32. One segment, whose offset is
	// 0, one Init of zeros, Store alone, no clamp, no pool.
	Tiles []PairMicro
	// Pays is the fewest input channels from which on the convolution was found faster than
	// by the row's Tile, by measuring or, as the row says, by counting; 0: it was not.
	Pays ByCPU
}
