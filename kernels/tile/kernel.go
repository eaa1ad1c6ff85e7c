package tile

import (
	"github.com/klauspost/cpuid/v2"

	"macroscope/dtype"
)

// Micro is a micro-kernel of tiles of MR×NR.
type Micro struct {
	MR, NR int
	Run    Func
}

// Kernel is an implementation of one dtype's operations on one instruction
// set: what an architecture's package lists and package kernels offers.
type Kernel struct {
	DType dtype.DType
	Name  string            // "avx512vnni"
	Needs []cpuid.FeatureID // every one of them
	// Usable, if not nil, is asked after Needs: nil, or why the operating
	// system or the machine forbids what the CPU announces.
	Usable func() error
	// Unmeasured says that the row's place among its dtype's was found without a
	// machine that has it: by counting instructions, or from published figures.
	Unmeasured bool

	MR, NR int
	Tile   Func
	// Chunk, if not 0, is the most words that a segment may have: the driver cuts
	// longer ones into equal pieces, which may overlap where the weights of one are
	// 0. With 1 every word has its own offset in Args.Segs; binary, where no weight
	// makes a word count nothing, knows no other.
	Chunk int
	// PoolHalves says that with Pool 4 the windows of Tile lie in both halves of
	// its rows: 0, 1, h, h+1, then 2, 3, h+2, h+3 and so on, where h is half of MR.
	PoolHalves bool
	// WordsPerCall, if not 0, is how many products of words one call may be given
	// (not counting a single tile that is larger), where the driver's own bound
	// would be too small: a call must stay below about 100 µs.
	WordsPerCall int
	// PairWords says that B is packed with two words of a segment beside each
	// other, for instructions that take 8 bytes of a column: B[i][c], B[i+1][c],
	// B[i][c+1], B[i+1][c+1], ... for even i; a segment's odd last word lies alone.
	// Chunk is then 0, and Pieces have an even number of words.
	PairWords bool
	// NonNegativeTile, if not nil, is a faster Tile for bytes of A within 0…127.
	NonNegativeTile Func
	// PieceTile, if not nil, is Tile with Args.Pieces; MR is then 8.
	PieceTile Func
	// Doubles says that PieceTile knows Rows 3, a piece without words that doubles what
	// the pieces before it have added up: the popcounts of a binary row, not Init.
	Doubles bool
	// TernaryTile, if not nil, is a PieceTile that Doubles whose B has two rows of words
	// for each word x of A, p and n of weights 1 and −1: it counts x&n | ^x&p (binary).
	TernaryTile Func
	// ColumnTile, if not nil, is a faster Tile where SegLen is 1 and all rows of the call
	// lie side by side, Rows[i] = Rows[0]+4·i (float32, Accumulate only): A is then a
	// matrix whose columns, not rows, are what is multiplied.
	ColumnTile Func
	// BlockTile, if not nil, is a faster Tile for blocks of large matrices: one segment,
	// whose offset is 0, Pool 1, Store without clamping or Accumulate. It fetches memory
	// before it is needed: a tile's place in C to the first-level cache, and to the
	// second 16·SegLen bytes from Args.Next on for each tile, see there.
	BlockTile Func
	// Narrow is a tile of fewer columns, for convolutions of so few output channels that
	// columns of Tile would be idle; its Run does what Tile does. Run nil: none.
	Narrow Micro
	// AXor is what the bytes of A are stored xored with: 0x80 where the
	// instruction takes them unsigned as x+128 (int8; else 0). The driver takes
	// 128·Σw off again through Args.Init.
	AXor uint8

	// A dot product over whole blocks: lengths are multiples of DotBlock, a power
	// of two, elements (bits for binary), at least one block.
	DotBlock   int
	DotFloat32 func(a, b []float32) float32
	DotInt8    func(a, b []int8) int32 // modulo 2³²
	DotUint8   func(a []uint8, b []int8) int32
	DotBinary  func(a, b []uint64) (sum int) // number of differing bits

	// Winograd lists the transforms of 3×3 convolutions that the implementation
	// has, M ascending (float32 and int8).
	Winograd []Winograd
	// FarRows is how many rows of A a core multiplies with a word of B in the time that it
	// takes to read the word from behind its second-level cache, on CPUs where that makes
	// minimal filtering with fewer weights faster; 0: not measured, or it does not (float32).
	FarRows ByCPU

	// Depthwise, if not nil, is the loop of depthwise convolutions (float32
	// and int8; signed bytes, or unsigned with an AXor).
	Depthwise *DepthwiseFunc

	// Rescale, if not nil, is the loop that makes bytes of sums by integers (int8).
	Rescale *RescaleFunc
	// AddBytes, if not nil, is the loop that adds bytes by integers (int8).
	AddBytes *AddBytesFunc

	// Floats, if not nil, has the loops over rows of numbers (float32).
	Floats *FloatFuncs

	// Pixels, if not nil, has the loops between the convolutions of training
	// (float32).
	Pixels *PixelFuncs

	// Merge, if not nil, has the loops that join sums with a stream of int16 (int8
	// and binary).
	Merge *MergeFuncs
	// BitPlanes, if not nil, takes bytes apart (binary).
	BitPlanes func(*BitPlanes)
	// SerialPays says, by the names of int8 rows, up to how many binary products for
	// one of theirs a convolution of few bits was measured to be faster bit-serially
	// (binary); a row that is not among them was not measured, or always wins.
	SerialPays map[string]ByCPU
	// BFloat16, if not nil, multiplies bfloat16 where a caller is content with them
	// (float32).
	BFloat16 *BFloat16

	// Peak issues n·PeakMACs multiply-accumulates with the implementation's
	// innermost instruction, on registers alone and with enough independent
	// sums to hide its latency: what "% of peak" is a percent of. Nil for
	// implementations without such an instruction.
	Peak     func(n int)
	PeakMACs int
}
