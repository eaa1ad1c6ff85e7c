// Package tile says what a micro-kernel is told. It is the one thing that the
// drivers (package kernels), the plain Go kernels (kernels/generic) and the
// assembly (kernels/amd64, kernels/arm64) agree on.
//
// Memory is seen as 32-bit words, whatever the dtype: one float32, four int8
// or 32 binary values. A product of words is then
//
//	float32  a·b
//	int8     Σ over the four bytes aᵢ·bᵢ, summed in int32
//	binary   popcount(a xor b), summed in int32
//
// and a matrix product, a convolution and their packing are the same loops for
// all three. Nothing here is checked at run time: package kernels checks
// lengths and shapes once, the kernels trust.
package tile

import "unsafe"

// Mode is what becomes of the sums.
type Mode int

const (
	// Store writes the sums: float32 clamped to Lo…Hi, int8 and binary as int32.
	Store Mode = iota
	// Accumulate adds the sums to what stands in C (float32 or int32): for the
	// second and later blocks of a long K. Pool must be 1.
	Accumulate
	// Requant writes int8: clamp(roundHalfEven(float32(sum)·Scale+Bias), Lo, Hi)
	// xor OutXor. int8 and binary only.
	Requant
	// Bits writes one bit a column, (sum > Threshold) xor Flip, column 0 in the
	// lowest bit of the first byte. int8 and binary only.
	Bits
)

// Args is the work of one call: Tiles tiles of MR rows and NR columns of
//
//	for r := range MR {
//		for c := range NR {
//			sum := Init[c] // binary: subtracted from below
//			for s := range NSeg {
//				for k := range SegLen {
//					sum += A[Rows[r]+Segs[s]+4*k] * B[s*SegLen+k][c]
//				}
//			}
//			S[r][c] = sum // binary: Init[c] − 2·sum of popcounts
//		}
//	}
//	for r := range MR / Pool {
//		for c := range NR {
//			C[COff[r]+c·size] = mode(max(S[r*Pool:(r+1)*Pool][c]))
//		}
//	}
//
// where Rows, Segs and COff are byte offsets, and size is 4 bytes (Store,
// Accumulate), 1 byte (Requant) or 1 bit (Bits). After each tile Rows advances
// by MR and COff by MR/Pool entries. A matrix has one segment; a convolution
// has one for each kernel row, whose KW·InC values lie together in an NHWC
// image, so that it needs no copy of its input: that is what Rows and Segs are
// for. Rows may repeat, and so may COff where the rows that it stands for are
// the same: a ragged last tile repeats its last row.
//
// B is packed: B[i][c] is a word, columns lie together, NR of them (package
// kernels packs). Nothing outside the rows' segments, B and the written part
// of C is touched. C must not overlap A or B.
//
// Assembly knows the fields by their offsets: the order is fixed by a test.
type Args struct {
	A    unsafe.Pointer
	Rows *int // [Tiles·MR]
	Segs *int // [NSeg]
	B    unsafe.Pointer
	C    unsafe.Pointer
	COff *int // [Tiles·MR/Pool]

	NSeg   int // ≥ 1; of a PieceTile: of Pieces
	SegLen int // words, ≥ 1
	Tiles  int // ≥ 1
	Mode   Mode
	Pool   int // 1, or 4: the maximum of four consecutive rows (but see Kernel.PoolHalves)

	Init      unsafe.Pointer // [NR] float32 or int32
	Scale     unsafe.Pointer // [NR] float32, > 0; Requant
	Bias      unsafe.Pointer // [NR] float32; Requant
	Threshold unsafe.Pointer // [NR] int32; Bits
	Flip      uint64         // bit c: column c; Bits
	Lo, Hi    float32        // Store of float32; Requant (integers in −128…127)
	OutXor    uint64         // 0, or 0x80 for a reader that takes bytes as x+128; Requant

	Pieces *Piece // [NSeg], instead of Segs and SegLen; PieceTile only

	// Next is where the B of a later call lies, or anywhere: no operand. A kernel that fetches
	// ahead asks for bytes from there on, which may lie beyond the end of what Next points
	// into: Winograd's Tiles for 64·SegLen for the first tile, as many behind them for the
	// second, and so on; a BlockTile for 16·SegLen for each tile, which start as many times
	// NextStep behind Next as there are rows before the tile.
	Next     unsafe.Pointer
	NextStep int // ≥ 0
}

// Piece is a segment that only some rows of a tile have, since for the others
// it lies in the image's padding:
//
//	for r := range MR { // of the half that Rows names
//		for k := range Words {
//			sum[r][c] += A[Rows[r]+Off+4*k] * B[BOff/4/NR+k][c]
//		}
//	}
type Piece struct {
	Off   int // bytes, as an element of Segs
	Words int // ≥ 1
	BOff  int // bytes from B
	Rows  int // 0: all rows, 1: the first half of the tile, 2: the second; 3: see Kernel.Doubles
}

// Func is a micro-kernel. One that takes Pieces differs in three points: Init is
// [2][NR], for the rows of the first and the second half; Pieces take the place
// of Segs; and with Pool 4 the windows lie as in a tile with Kernel.PoolHalves.
type Func func(*Args)
