package tile

import "unsafe"

// Merge is the work of one call on a run of pixels, where a convolution's int32 sums
// join a stream of int16 that goes round it (quant.Merge). Of channel c of pixel i,
//
//	sum   Sums + i·SumStep + 4·c  int32
//	h     H + i·HStep + 2·(c mod HChannels)  int16
//	out   Out + i·OutStep + 2·c   int16
//	bit   bit c of the bits at Bits + i·BitStep, bit 0 the lowest of the first byte
//
// in bytes, and m, b, slope and t are element c of M, B, Slope and T, flip bit c of Flip.
// Nothing else is read or written. Slices do not overlap, but that Out may be H in Join.
//
// Assembly knows the fields by their offsets.
type Merge struct {
	Sums, H, Out, Bits unsafe.Pointer
	M, B, Slope        unsafe.Pointer // [VL·Vectors] float32; |slope| ≤ 32768
	T                  unsafe.Pointer // [VL·Vectors] int32 from −32767 to 32767, or the least int32
	Flip               unsafe.Pointer // [VL·Vectors] bits, bit 0 the lowest of the first byte
	Count              int            // pixels, ≥ 1
	Vectors            int            // ≥ 1
	SumStep, HStep     int
	OutStep, BitStep   int
	HRow               int   // JoinPool: bytes between two rows of H
	HChannels          int   // after which the channels of H begin again; a multiple of VL where the pixel has more
	Lo, Hi             int32 // within int16, Lo ≤ Hi
}

// MergeFuncs is an implementation's loops over such pixels, by what h is:
//
//	Alone     0; H is not read
//	Join      h
//	JoinPool  the maximum of 2×2 pixels: h[2·i], h[2·i+1] and the two that are a HRow further
//
// Each is
//
//	for i := range Count {
//		out[i] = quant.Merge(sum[i], m, b, h[i], Lo, Hi, slope)
//		bit[i] = (int32(out[i]) >= t) != flip
//	}
//
// and comes twice: [0] takes every slope as 1, [1] reads Slope.
type MergeFuncs struct {
	VL                    int // channels of a vector: a multiple of 8
	Alone, Join, JoinPool [2]func(*Merge)
}
