//go:build !purego

package arm64

import (
	"github.com/klauspost/cpuid/v2"

	"macroscope/dtype"
	"macroscope/kernels/tile"
)

// peakSums is the number of sums that a round of a peak loop adds to.
const peakSums = 16

var (
	neon    = []cpuid.FeatureID{cpuid.ASIMD}
	dotprod = []cpuid.FeatureID{cpuid.ASIMD, cpuid.ASIMDDP}
	i8mm    = []cpuid.FeatureID{cpuid.ASIMD, cpuid.ASIMDDP, cpuid.I8MM} // SDOT serves its dot product
)

// Every arm64 that Go runs on has ASIMD, which its compiler uses without
// asking. cpuid knows so where the system tells it (Linux, macOS, FreeBSD), but
// not on the others.
func init() { cpuid.CPU.Enable(cpuid.ASIMD) }

// Kernels lists every implementation here, slowest first within a dtype by the
// instructions that their loops execute (no arm64 machine was at hand to
// measure): the choice takes the last one that can run. The tiles of SVE are as wide
// as this machine's vectors, and stand where these belong.
var Kernels = withSVE(fixedKernels, lanes())

var winogradNEON = []tile.Winograd{
	{M: 2, VL: 4, In: winogradIn2NEON, Out: winogradOut2NEON},
	{M: 4, VL: 4, In: winogradIn4NEON, Out: winogradOut4NEON},
}

var int16NEON = []tile.PairMicro{{Micro: tile.Micro{MR: 8, NR: 8, Run: tileInt16NEON}, Apart: true}}

var pixelsNEON = tile.PixelFuncs{
	VL: 4, Moments: pixelMomentsNEON, Products: pixelProductsNEON, MaskedProducts: pixelMaskedProductsNEON,
	Linear: pixelLinearNEON, Linear2: pixelLinear2NEON, Sign: pixelSignNEON, SignGrad: pixelSignGradNEON, PReLU: pixelPReLUNEON, PReLUGrad: pixelPReLUGradNEON,
	MaxPool: pixelMaxPoolNEON, MaxPoolGrad: pixelMaxPoolGradNEON,
}

var mergeNEON = &tile.MergeFuncs{
	VL:       8,
	Alone:    [2]func(*tile.Merge){mergeAloneNEON, mergeAlonePReLUNEON},
	Join:     [2]func(*tile.Merge){mergeJoinNEON, mergeJoinPReLUNEON},
	JoinPool: [2]func(*tile.Merge){mergeJoinPoolNEON, mergeJoinPoolPReLUNEON},
}

var (
	depthwiseFloat32 = tile.DepthwiseFunc{VL: 8, Run: depthwiseNEON}
	depthwiseInt8    = tile.DepthwiseFunc{VL: 8, Run: depthwiseInt8NEON}
	rescale          = tile.RescaleFunc{VL: 8, Run: rescaleNEON}
)

var fixedKernels = []tile.Kernel{
	{
		DType: dtype.Float32, Name: "neon", Needs: neon, Unmeasured: true,
		MR: 8, NR: 8, Tile: tileFloat32NEON, PieceTile: tileFloat32NEONPieces,
		DotBlock: 4, DotFloat32: dotFloat32NEON,
		Winograd: winogradNEON, Pixels: &pixelsNEON,
		Depthwise: &depthwiseFloat32,
		Peak:      peakFloat32NEON, PeakMACs: peakSums * 4,
	},
	{
		DType: dtype.Int8, Name: "neon", Needs: neon, Unmeasured: true,
		MR: 4, NR: 8, Tile: tileInt8NEON, NonNegativeTile: tileInt8NEONNonNegative,
		// A quarter of the products, at as many an instruction (144 for 512 in place of 156 or
		// 124): more than the transforms take. By counting, as the order of the rows.
		Winograd: []tile.Winograd{
			{M: 2, VL: 8, OutVL: 4, In: winogradInt8In2NEON, Out: winogradInt8Out2NEON, Tiles: int16NEON, Pays: tile.ByCPU{{}: 16}},
			{M: 4, VL: 8, OutVL: 4, In: winogradInt8In4NEON, Out: winogradInt8Out4NEON, Tiles: int16NEON, Pays: tile.ByCPU{{}: 16}},
		},
		Merge: mergeNEON, Depthwise: &depthwiseInt8, Rescale: &rescale,
		DotBlock: 16, DotInt8: dotInt8NEON, DotUint8: dotUint8NEON,
		Peak: peakInt8NEON, PeakMACs: peakSums * 16,
	},
	{
		DType: dtype.Int8, Name: "dotprod", Needs: dotprod, Unmeasured: true,
		MR: 8, NR: 8, Tile: tileInt8DotProd, PieceTile: tileInt8DotProdPieces,
		Merge: mergeNEON, Depthwise: &depthwiseInt8, Rescale: &rescale,
		DotBlock: 16, DotInt8: dotInt8DotProd, DotUint8: dotUint8DotProd,
		Peak: peakInt8DotProd, PeakMACs: peakSums * 16,
	},
	{
		DType: dtype.Int8, Name: "i8mm", Needs: i8mm, Unmeasured: true,
		MR: 8, NR: 8, Tile: tileInt8I8MM, PieceTile: tileInt8I8MMPieces, PairWords: true,
		Merge: mergeNEON, Depthwise: &depthwiseInt8, Rescale: &rescale,
		DotBlock: 16, DotInt8: dotInt8DotProd, DotUint8: dotUint8I8MM,
		Peak: peakInt8I8MM, PeakMACs: peakSums * 32,
	},
	{
		DType: dtype.Binary, Name: "neon", Needs: neon, Unmeasured: true,
		MR: 4, NR: 16, Tile: tileBinaryNEON,
		Merge:    mergeNEON,
		DotBlock: 128, DotBinary: dotBinaryNEON,
		Peak: peakBinaryNEON, PeakMACs: peakSums * 128,
	},
}
