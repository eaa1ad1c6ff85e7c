//go:build !purego

package amd64

import (
	"github.com/klauspost/cpuid/v2"

	"macroscope/dtype"
	"macroscope/kernels/tile"
)

// peakSums is the number of sums that a round of a peak loop adds to.
const peakSums = 12

// peakTiles is the same for sums of 16×16, each of 64 products.
const peakTiles = 6

var (
	avx2 = []cpuid.FeatureID{cpuid.AVX2, cpuid.FMA3}
	// What the 512-bit tiles use beside their own instruction: byte masks (BW)
	// and 128-bit forms (VL) in the epilogues.
	avx512 = []cpuid.FeatureID{cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512VL}
)

func with(base []cpuid.FeatureID, more ...cpuid.FeatureID) []cpuid.FeatureID {
	return append(append([]cpuid.FeatureID{}, base...), more...)
}

var (
	depthwise256      = tile.DepthwiseFunc{VL: 8, Run: depthwiseAVX2}
	depthwiseInt8256  = tile.DepthwiseFunc{VL: 8, Run: depthwiseInt8AVX2}
	depthwiseUint8256 = tile.DepthwiseFunc{VL: 8, Run: depthwiseUint8AVX2}
	depthwiseInt8512  = tile.DepthwiseFunc{VL: 16, Run: depthwiseInt8AVX512, Rest: &depthwiseInt8256}
	depthwiseUint8512 = tile.DepthwiseFunc{VL: 16, Run: depthwiseUint8AVX512, Rest: &depthwiseUint8256}
)

var (
	rescale256 = tile.RescaleFunc{VL: 8, Run: rescaleAVX2}
	rescale512 = tile.RescaleFunc{VL: 16, Run: rescaleAVX512, Rest: &rescale256}

	floatsAVX2   = tile.FloatFuncs{VL: 8, Add: floatsAddAVX2, Sub: floatsSubAVX2, Mul: floatsMulAVX2, Clamp: floatsClampAVX2, HardSwish: floatsHardSwishAVX2}
	floatsAVX512 = tile.FloatFuncs{VL: 16, Add: floatsAddAVX512, Sub: floatsSubAVX512, Mul: floatsMulAVX512, Clamp: floatsClampAVX512, HardSwish: floatsHardSwishAVX512}

	addBytes256 = tile.AddBytesFunc{VL: 8, Run: addBytesAVX2}
	addBytes512 = tile.AddBytesFunc{VL: 16, Run: addBytesAVX512}
)

var (
	mergeAVX2 = &tile.MergeFuncs{
		VL:       8,
		Alone:    [2]func(*tile.Merge){mergeAloneAVX2, mergeAlonePReLUAVX2},
		Join:     [2]func(*tile.Merge){mergeJoinAVX2, mergeJoinPReLUAVX2},
		JoinPool: [2]func(*tile.Merge){mergeJoinPoolAVX2, mergeJoinPoolPReLUAVX2},
	}
	mergeAVX512 = &tile.MergeFuncs{
		VL:       16,
		Alone:    [2]func(*tile.Merge){mergeAloneAVX512, mergeAlonePReLUAVX512},
		Join:     [2]func(*tile.Merge){mergeJoinAVX512, mergeJoinPReLUAVX512},
		JoinPool: [2]func(*tile.Merge){mergeJoinPoolAVX512, mergeJoinPoolPReLUAVX512},
	}
)

// What multiplies in minimal filtering.
var (
	filterAVX512 = []tile.PairMicro{{Micro: tile.Micro{MR: 4, NR: 64, Run: tileFloat32AVX512Flat}}, {Micro: tile.Micro{MR: 8, NR: 32, Run: tileFloat32AVX512Ahead}}}
	int16AVX2    = []tile.PairMicro{{Micro: tile.Micro{MR: 4, NR: 16, Run: tileInt16AVX2}}}
	int16AVXVNNI = []tile.PairMicro{{Micro: tile.Micro{MR: 4, NR: 16, Run: tileInt16AVXVNNI}}}
	int16AVX512  = []tile.PairMicro{{Micro: tile.Micro{MR: 4, NR: 64, Run: tileInt16AVX512VNNIFlat}}, {Micro: tile.Micro{MR: 8, NR: 32, Run: tileInt16AVX512VNNI}}}
)

// The kinds of CPU that Pays, SerialPays and FarRows were measured on, where they differ: by
// macroscope bench --filter Network/dtype=int8, --filter BitSerial and --layers --dtype float32
// (conv6 by F(4×4, 3×3) reads its weights as fast as they come). On others holds what
// gained wherever it was measured.
var (
	zen4           = tile.CPU{Vendor: cpuid.AMD, Family: 25} // and Zen 3, which has no AVX-512
	zen5           = tile.CPU{Vendor: cpuid.AMD, Family: 26}
	emeraldRapids  = tile.CPU{Vendor: cpuid.Intel, Family: 6, Model: 207}
	sapphireRapids = tile.CPU{Vendor: cpuid.Intel, Family: 6, Model: 143} // the same core and second-level cache
	others         = tile.CPU{}
)

// Kernels lists every implementation here, slowest first within a dtype as
// measured: the choice takes the last one that can run.
var Kernels = []tile.Kernel{
	{
		DType: dtype.Float32, Name: "avx2", Needs: avx2,
		MR: 4, NR: 16, Tile: tileFloat32AVX2, BlockTile: tileFloat32AVX2Block, ColumnTile: tileFloat32AVX2Columns,
		DotBlock: 8, DotFloat32: dotFloat32AVX2,
		Winograd: []tile.Winograd{
			{M: 2, VL: 8, In: winogradIn2AVX2, Out: winogradOut2AVX2, Grad: winogradGrad2AVX2},
			{M: 4, VL: 8, In: winogradIn4AVX2, Out: winogradOut4AVX2, Grad: winogradGrad4AVX2},
		},
		FarRows: tile.ByCPU{emeraldRapids: 7, sapphireRapids: 7}, // 46 GMAC/s, 25 GB/s
		Pixels: &tile.PixelFuncs{
			VL: 8, Moments: pixelMomentsAVX2, Products: pixelProductsAVX2, MaskedProducts: pixelMaskedProductsAVX2,
			Linear: pixelLinearAVX2, Linear2: pixelLinear2AVX2, Sign: pixelSignAVX2, SignGrad: pixelSignGradAVX2, PReLU: pixelPReLUAVX2, PReLUGrad: pixelPReLUGradAVX2,
			MaxPool: pixelMaxPoolAVX2, MaxPoolGrad: pixelMaxPoolGradAVX2,
		},
		Depthwise: &depthwise256, Floats: &floatsAVX2,
		Peak: peakFloat32AVX2, PeakMACs: peakSums * 8,
	},
	{
		DType: dtype.Float32, Name: "avx512", Needs: avx512,
		MR: 8, NR: 32, Tile: tileFloat32AVX512, PieceTile: tileFloat32AVX512Pieces, BlockTile: tileFloat32AVX512Block, ColumnTile: tileFloat32AVX512Columns,
		Narrow:   tile.Micro{MR: 8, NR: 16, Run: tileFloat32AVX512Narrow},
		DotBlock: 16, DotFloat32: dotFloat32AVX512,
		Winograd: []tile.Winograd{
			{M: 2, VL: 16, In: winogradIn2AVX512, Out: winogradOut2AVX512, Grad: winogradGrad2AVX512, Tiles: filterAVX512},
			{M: 4, VL: 16, In: winogradIn4AVX512, Out: winogradOut4AVX512, Grad: winogradGrad4AVX512, Tiles: filterAVX512},
		},
		FarRows: tile.ByCPU{emeraldRapids: 14, sapphireRapids: 14}, // 87 GMAC/s, 25 GB/s
		Pixels: &tile.PixelFuncs{
			VL: 16, Moments: pixelMomentsAVX512, Products: pixelProductsAVX512, MaskedProducts: pixelMaskedProductsAVX512,
			Linear: pixelLinearAVX512, Linear2: pixelLinear2AVX512, Sign: pixelSignAVX512, SignGrad: pixelSignGradAVX512, PReLU: pixelPReLUAVX512, PReLUGrad: pixelPReLUGradAVX512,
			MaxPool: pixelMaxPoolAVX512, MaxPoolGrad: pixelMaxPoolGradAVX512, Planes: pixelPlanesAVX512,
		},
		BFloat16: &tile.BFloat16{
			Needs: []cpuid.FeatureID{cpuid.AVX512BF16},
			Tile:  tileBFloat16AVX512, VL: 16, Pair: pairBFloat16AVX512, PairPlanes: pairPlanesBFloat16AVX512,
		},
		Depthwise: &tile.DepthwiseFunc{VL: 16, Run: depthwiseAVX512, Rest: &depthwise256}, Floats: &floatsAVX512,
		Peak: peakFloat32AVX512, PeakMACs: peakSums * 16,
	},
	{
		DType: dtype.Int8, Name: "avx2", Needs: avx2,
		MR: 4, NR: 8, Tile: tileInt8AVX2, NonNegativeTile: tileInt8AVX2NonNegative,
		Winograd: []tile.Winograd{
			{M: 2, VL: 16, OutVL: 8, In: winogradInt8In2AVX2, Out: winogradInt8Out2AVX2, Tiles: int16AVX2, Pays: tile.ByCPU{others: 16}},
			{M: 4, VL: 16, OutVL: 8, In: winogradInt8In4AVX2, Out: winogradInt8Out4AVX2, Tiles: int16AVX2, Pays: tile.ByCPU{others: 16}},
		},
		Merge: mergeAVX2, Depthwise: &depthwiseInt8256, Rescale: &rescale256, AddBytes: &addBytes256,
		DotBlock: 16, DotInt8: dotInt8AVX2, DotUint8: dotUint8AVX2,
		Peak: peakInt8AVX2, PeakMACs: peakSums * 32,
	},
	{
		DType: dtype.Int8, Name: "avxvnni", Needs: with(avx2, cpuid.AVXVNNI),
		MR: 4, NR: 16, Tile: tileInt8AVXVNNI, BlockTile: tileInt8AVXVNNIBlock, AXor: 0x80,
		Winograd: []tile.Winograd{{M: 4, VL: 16, OutVL: 8, In: winogradUint8In4AVX2, Out: winogradInt8Out4AVX2, Tiles: int16AVXVNNI, Pays: tile.ByCPU{emeraldRapids: 32, sapphireRapids: 32}}},
		Merge:    mergeAVX2, Depthwise: &depthwiseUint8256, Rescale: &rescale256, AddBytes: &addBytes256,
		DotBlock: 32, DotInt8: dotInt8AVXVNNI, DotUint8: dotUint8AVXVNNI,
		Peak: peakInt8AVXVNNI, PeakMACs: peakSums * 32,
	},
	{
		DType: dtype.Int8, Name: "avx512vnni", Needs: with(avx512, cpuid.AVX512VNNI),
		MR: 8, NR: 32, Tile: tileInt8AVX512VNNI, PieceTile: tileInt8AVX512VNNIPieces, BlockTile: tileInt8AVX512VNNIBlock, AXor: 0x80,
		Narrow: tile.Micro{MR: 8, NR: 16, Run: tileInt8AVX512VNNINarrow},
		// Zen 4 makes one VPDPBUSD of 512 bits a cycle and 0.78 of the direct kernels' time of it.
		// Emerald Rapids makes two, which the weights' 2.4 MB out of its last cache hold up: 1.25.
		Winograd: []tile.Winograd{{M: 4, VL: 32, OutVL: 16, In: winogradUint8In4AVX512, Out: winogradInt8Out4AVX512, Tiles: int16AVX512, Pays: tile.ByCPU{zen4: 32}}},
		Merge:    mergeAVX512, Depthwise: &depthwiseUint8512, Rescale: &rescale512, AddBytes: &addBytes512,
		DotBlock: 64, DotInt8: dotInt8AVX512VNNI, DotUint8: dotUint8AVX512VNNI,
		Peak: peakInt8AVX512VNNI, PeakMACs: peakSums * 64,
	},
	{
		DType: dtype.Int8, Name: "amxint8", Needs: with(avx512, cpuid.AVX512VNNI, cpuid.AMXTILE, cpuid.AMXINT8), Usable: amxUsable, Unmeasured: true,
		MR: 32, NR: 32, Tile: tileInt8AMX, Chunk: 16, PoolHalves: true,
		Merge:        mergeAVX512,
		Depthwise:    &depthwiseInt8512,
		Rescale:      &rescale512,
		AddBytes:     &addBytes512,
		WordsPerCall: 1 << 23, // 512 steps of 64 cycles are some 10 µs, of which setting tiles up takes 0.05
		DotBlock:     64, DotInt8: dotInt8AVX512VNNI, DotUint8: dotUint8AVX512VNNI,
		Peak: peakInt8AMX, PeakMACs: peakTiles * 16 * 16 * 64,
	},
	{
		DType: dtype.Binary, Name: "avx2", Needs: avx2,
		MR: 4, NR: 8, Tile: tileBinaryAVX2,
		Merge: mergeAVX2, BitPlanes: bitPlanesAVX2,
		// MACROSCOPE_KERNELS=avx2 and int8=avxvnni,binary=avx2.
		SerialPays: map[string]tile.ByCPU{"avx2": {others: 1}, "avxvnni": {others: 1}},
		DotBlock:   256, DotBinary: dotBinaryAVX2,
		Peak: peakBinaryAVX2, PeakMACs: peakSums * 256,
	},
	{ // faster than the next where VPTERNLOGD issues twice a cycle: for who measures (nn's tuning)
		DType: dtype.Binary, Name: "avx512carrysave", Needs: with(avx512, cpuid.AVX512VPOPCNTDQ),
		MR: 4, NR: 32, Tile: tileBinaryCarrySave, Chunk: 1,
		Merge: mergeAVX512, BitPlanes: bitPlanesAVX2,
		DotBlock: 512, DotBinary: dotBinaryAVX512,
		Peak: peakBinaryAVX512, PeakMACs: peakSums * 512,
	},
	{
		DType: dtype.Binary, Name: "avx512vpopcntdq", Needs: with(avx512, cpuid.AVX512VPOPCNTDQ),
		MR: 8, NR: 32, Tile: tileBinaryAVX512, PieceTile: tileBinaryAVX512Pieces, Doubles: true, TernaryTile: tileTernaryAVX512Pieces,
		SerialPays: map[string]tile.ByCPU{"avx512vnni": {zen4: 3, zen5: 3, others: 2}},
		Merge:      mergeAVX512, BitPlanes: bitPlanesAVX2,
		DotBlock: 512, DotBinary: dotBinaryAVX512,
		Peak: peakBinaryAVX512, PeakMACs: peakSums * 512,
	},
}
