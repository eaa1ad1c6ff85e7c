package tile

import "unsafe"

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
	Row, OutRow  int            // pools: bytes between two rows of X, of Out
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
}
