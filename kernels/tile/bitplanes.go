package tile

import "unsafe"

// BitPlanes is the work of one call that takes the bits of bytes apart:
//
//	for i := range Count {
//		for p := range Planes {
//			bit i of the bits at Out + p·Distance = bit p of (In[i] − Base)
//		}
//	}
//
// bit 0 the lowest of the first byte, the difference modulo 256. Nothing else is read or
// written; In and Out do not overlap.
//
// Assembly knows the fields by their offsets.
type BitPlanes struct {
	In, Out  unsafe.Pointer
	Count    int    // bytes, ≥ 1: a multiple of 32; for plain Go of 8
	Planes   int    // 1…8
	Distance int    // bytes
	Base     uint64 // 0…255
}
