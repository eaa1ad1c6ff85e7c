package tile

import "unsafe"

// AddBytes is the work of one call that adds two rows of int8 values by integers alone, as
// quant.Adder does: byte i of X and of Y, each xored and less its zero point, become
//
//	v := d·High + (d·Low + 2¹⁰) >> 11      // (d·2²⁰·M + 2³⁰) >> 31, M = High·2¹¹ + Low
//	v = (v + Half + v>>31 & Away) >> Shift // v / 2^Shift, halves away from zero
//
// with the constants of X and of Y, and their sum becomes byte i of Out as a sum does by
// Rescale, without its Left. Nothing else is read or written; Out may be X or Y.
//
// Assembly knows the fields by their offsets.
type AddBytes struct {
	X, Y, Out          unsafe.Pointer
	K                  *AddConstants
	Vectors            int // ≥ 1, of VL bytes each
	Zero               int16
	Lo, Hi             int8
	OutXor, XXor, YXor uint8
}

// AddConstants are numbers of AddBytes, each as often as a vector may need it. Round is
// 2³⁰ and 0 in turns, which is 2³⁰ in 64 bits.
type AddConstants [AddOutAway + 1][16]int32

// AddConstant is the place of a number in AddConstants.
type AddConstant int

// The places of X's constants; those of Y are AddOfY further.
const (
	AddZero AddConstant = iota
	AddHigh
	AddLow
	AddHalf
	AddAway
	AddShift
	AddOfY
)

// The other places.
const (
	AddLowHalf AddConstant = 12 + iota // 2¹⁰
	AddM
	AddRound
	AddOutRight
	AddOutHalf
	AddOutAway
)

// AddBytesFunc is an implementation's loop and the bytes of its vector.
type AddBytesFunc struct {
	VL  int
	Run func(*AddBytes)
}
