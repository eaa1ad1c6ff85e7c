package tile

import "unsafe"

// Floats is the work of one call on rows of float32, each of VL·Vectors numbers. Nothing
// else is read or written; Out may be X or Y.
//
// Assembly knows the fields by their offsets.
type Floats struct {
	X, Y, Out unsafe.Pointer
	Vectors   int // ≥ 1
	Lo, Hi    float32
}

// FloatFuncs is an implementation's loops over such rows:
//
//	Add        out[i] = clamp(x[i] + y[i])
//	Sub        out[i] = clamp(x[i] − y[i])
//	Mul        out[i] = clamp(x[i] · y[i])
//	Clamp      out[i] = clamp(x[i]); Y is not read
//	HardSwish  out[i] = x·min(1, max(0, x·(1/6) + ½)), in float64; Y, Lo and Hi are not read
//
// where clamp is
//
//	if v < Lo { v = Lo }
//	if v > Hi { v = Hi } // NaN stays
type FloatFuncs struct {
	VL                              int
	Add, Sub, Mul, Clamp, HardSwish func(*Floats)
}
