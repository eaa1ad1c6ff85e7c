package arm64

import "macroscope/dtype"

// Mix is what one trip of a micro-kernel's innermost loop executes: MR rows by
// NR columns of sums, KWords words of K. The generator counts it in what it
// wrote, so a prediction for a core that is not at hand starts from it. A tile
// of pieces has the same loop for all its rows and two that take half of them
// with all loads of B, for the image's edges: those are not listed.
//
// A vector has 128 bits. One of SVE has n times as many: its mix is of n = 1, and
// the same instructions do n times the MACs on n times the columns.
type Mix struct {
	DType       dtype.DType
	Impl        string
	NonNegative bool // the tile for bytes of A within 0…127
	MR, NR      int
	KWords      int // words of K a trip
	MACs        int // multiply-accumulates a trip

	LoadQ    int // LDR of 16 bytes, of SVE of a vector
	LoadPair int // LDP of twice 16 bytes
	LoadLane int // LDR of 4 or 8 bytes, LD1R; LD1RW and LD1RQW, of 4 and 16 bytes, of SVE

	FMLA    int
	SDOT    int
	UDOT    int
	SMMLA   int
	SMULL   int // with SMLAL and the forms of the upper half
	SADALP  int
	EOR     int
	CNT     int
	UADALP  int
	Add     int // of vectors
	Permute int // DUP, ZIP

	Scalar int // integer additions and subtractions
	Branch int

	Registers int // vector registers that the loop uses
	Sums      int // independent accumulators
}
