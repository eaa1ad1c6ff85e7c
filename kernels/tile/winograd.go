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
// all in bytes, each followed by the next vectors. With Pool the maximum of
// each 2×2 of Y is written instead, so that Dst has m/2×m/2 pixels.
type Transform struct {
	Src, Dst unsafe.Pointer
	Row, Col int
	Step     int
	Vectors  int
	Tmp      unsafe.Pointer // n·n vectors
	Bias     unsafe.Pointer // [channels] float32; output only
	Lo, Hi   float32
	Pool     int // 0 or 1
}

// Winograd is an implementation's transforms for one m.
type Winograd struct {
	M       int // 2 or 4
	VL      int // channels of a vector
	In, Out func(*Transform)
}
