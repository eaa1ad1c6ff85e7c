package tile

import "unsafe"

// Rescale is the work of one call that makes bytes of int32 sums by integers alone, with
// the roundings of quant.Multiplier.Apply. Channel c of pixel i is
//
//	sum  Sums + i·SumStep + 4·c   int32
//	out  Out + Places[i] + c      int8
//
// in bytes. Nothing else is read or written; Sums and Out do not overlap.
//
//	for i := range Count {
//		for c := range VL·Vectors {
//			v := (sum<<Left[c]·M[c] + 2³⁰) >> 31 // the product in 64 bits, the sum shifted in 32
//			if Half[c] != 0 {
//				v = ((v + v>>31) >> Right[c] + 1) >> 1 // v / 2^(Right+1), halves away from zero
//			}
//			out = clamp(v + Zero, Lo, Hi) xor OutXor
//		}
//	}
//
// Assembly knows the fields by their offsets.
type Rescale struct {
	Sums, Out            unsafe.Pointer
	Places               *int           // [Count]
	M, Left, Right, Half unsafe.Pointer // [VL·Vectors] int32; M ≥ 0; Half is 0 or 1, and Right is 0 where it is 0
	Count, Vectors       int            // ≥ 1
	SumStep              int
	Zero                 int16 // −128…127
	Lo, Hi               int8  // Lo ≤ Hi
	OutXor               uint8
}

// RescaleFunc is an implementation's loop and the channels of its vector.
type RescaleFunc struct {
	VL   int
	Run  func(*Rescale)
	Rest *RescaleFunc // for channels that fill no vector; nil: none
}
