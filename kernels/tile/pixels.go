package tile

import (
	"unsafe"

	"github.com/klauspost/cpuid/v2"
)

// Pixels is the work of one call on a run of float32 pixels, one channel of
// VL·Vectors after the other: what training does between convolutions. x is the
// value of the channel c at hand in pixel i,
//
//	x[i] = X + i·Step + 4·c
//
// in bytes, and so are y, g and out; a, b and k are A, B and K + 4·c.
type Pixels struct {
	X, Y, G, Out unsafe.Pointer
	A, B, K      unsafe.Pointer // [VL·Vectors] float32
	Count        int            // pixels, ≥ 1
	Step         int            // bytes between pixels
	Vectors      int            // ≥ 1
	Row, OutRow  int            // pools: bytes between two rows of X, of Out; Planes: see there
	Lo           float32
}

// PixelFuncs is an implementation's loops over pixels. Each is called with what it
// names; nothing else is read or written. Slices do not overlap, but that Out may
// be X or G.
type PixelFuncs struct {
	VL int // channels of a vector

	// Moments is
	//
	//	for i := range Count { a += x[i]; b += x[i]*x[i] }
	Moments func(*Pixels)
	// Products is
	//
	//	for i := range Count { a += g[i]; b += g[i]*x[i] }
	Products func(*Pixels)
	// MaskedProducts is, for y ≥ 0,
	//
	//	for i := range Count {
	//		if y[i] == 0 { g[i] = 0 }
	//		a += g[i]; b += g[i]*x[i]
	//	}
	MaskedProducts func(*Pixels)
	// Linear is
	//
	//	for i := range Count { out[i] = max(Lo, x[i]*a+b) } // NaN stays
	Linear func(*Pixels)
	// Linear2 is
	//
	//	for i := range Count { out[i] = g[i]*a + x[i]*b + k }
	Linear2 func(*Pixels)
	// Sign is
	//
	//	for i := range Count { out[i] = −1; if x[i] >= 0 { out[i] = 1 } }
	Sign func(*Pixels)
	// SignGrad is
	//
	//	for i := range Count {
	//		out[i] = 0
	//		if |x[i]| <= 1 { out[i] = g[i] * (a + b*|x[i]|) }
	//	}
	SignGrad func(*Pixels)
	// PReLU is
	//
	//	for i := range Count { out[i] = x[i]; if signbit(x[i]) { out[i] *= k } }
	PReLU func(*Pixels)
	// PReLUGrad is
	//
	//	for i := range Count {
	//		out[i] = g[i]
	//		if signbit(x[i]) { out[i] *= k; a += x[i]*g[i] } // rounded twice
	//	}
	PReLUGrad func(*Pixels)
	// MaxPool takes the maximum of 2×2 pixels; x2 is x a Row further:
	//
	//	for i := range Count { out[i] = max(x[2*i], x[2*i+1], x2[2*i], x2[2*i+1]) }
	MaxPool func(*Pixels)
	// MaxPoolGrad gives g to the first of the four that is the maximum y, 0 to the
	// others; out2 is out an OutRow further:
	//
	//	for i := range Count {
	//		out[2*i], out[2*i+1], out2[2*i], out2[2*i+1] = 0, 0, 0, 0
	//		switch y[i] {
	//		case x[2*i]:    out[2*i] = g[i]
	//		case x[2*i+1]:  out[2*i+1] = g[i]
	//		case x2[2*i]:   out2[2*i] = g[i]
	//		case x2[2*i+1]: out2[2*i+1] = g[i]
	//		}
	//	}
	MaxPoolGrad func(*Pixels)
	// Planes, if not nil, is a transposition: channels become planes, OutRow bytes
	// from one to the next,
	//
	//	for i := range Count { Out[OutRow·c + 4·i] = x[i] }
	Planes func(*Pixels)
}

// BFloat16 is what a float32 implementation has to multiply bfloat16 instead: the
// upper half of a float32, so that a word holds two and a sum takes in two products
// at a time. Rounding to it is to the nearest, halves to even; subnormal values
// become zeros of their sign.
type BFloat16 struct {
	Needs []cpuid.FeatureID // beside the row's
	// Tile is the row's Tile on words of two bfloat16, lo in the lower half:
	//
	//	sum = sum + a.hi*b.hi // rounded once
	//	sum = sum + a.lo*b.lo // rounded once
	//
	// in float32, where subnormal values and results count as zeros.
	Tile Func
	VL   int // channels of a vector of Pair and PairPlanes
	// Pair rounds x to the lower half of a word and y to its upper one:
	//
	//	for i := range Count { Out[OutRow·i + 4·c] = word(x[i], y[i]) }
	Pair func(*Pixels)
	// PairPlanes is Planes with words in place of x:
	//
	//	for i := range Count { Out[OutRow·c + 4·i] = word(x[i], y[i]) }
	PairPlanes func(*Pixels)
}
