package tile

import "unsafe"

// Depthwise is the work of one call of a depthwise float32 convolution on a run of
// pixels, whose channels lie together:
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
}

// DepthwiseFunc is an implementation's loop and the channels of its vector.
type DepthwiseFunc struct {
	VL   int
	Run  func(*Depthwise)
	Rest *DepthwiseFunc // for channels that fill no vector; nil: none
}
