package tile

import "unsafe"

// Depthwise is the work of one call of a depthwise convolution on a run of pixels, whose
// channels lie together. In float32 it is
//
//	for i := range Count {
//		for c := range VL·Vectors {
//			sum := Init[c]
//			for t := range NTaps {
//				sum += In[i·InStep + Taps[t] + 4·c] * W[t·WStep + 4·c]
//			}
//			Out[i·OutStep + 4·c] = min(Hi, max(Lo, sum))
//		}
//	}
//
// and of int8 the same with int32 weights and sums, and bytes in In, a channel each: signed,
// or unsigned for a row with an AXor, whose Init has the difference. Their result is
//
//	Out[i·OutStep + 4·c] = sum                                                       without Scale
//	Out[i·OutStep + c] = clamp(roundHalfEven(sum·Scale[c] + Offset[c]), Lo, Hi) xor OutXor   with
//
// Taps and steps are bytes. Nothing else is read or written.
//
// Assembly knows the fields by their offsets.
type Depthwise struct {
	In, Out         unsafe.Pointer
	W, Init         unsafe.Pointer
	Taps            *int // [NTaps]
	NTaps           int  // ≥ 1
	Count, Vectors  int  // ≥ 1
	InStep, OutStep int
	WStep           int
	Lo, Hi          float32
	Scale, Offset   unsafe.Pointer // float32, or nil; of float32 convolutions always nil
	OutXor          uint64
}

// DepthwiseFunc is an implementation's loop and the channels of its vector.
type DepthwiseFunc struct {
	VL   int
	Run  func(*Depthwise)
	Rest *DepthwiseFunc // for channels that fill no vector; nil: none
}
