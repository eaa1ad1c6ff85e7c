//go:build !purego

package arm64

import (
	"fmt"
	"slices"

	"github.com/klauspost/cpuid/v2"

	"macroscope/dtype"
	"macroscope/kernels/tile"
)

var sve = []cpuid.FeatureID{cpuid.ASIMD, cpuid.SVE}

// maxLanes keeps the columns of a tile, two vectors, within tile.Args.Flip.
const maxLanes = 32

// lanes is how many words a vector of SVE has here; what the architecture has at
// least, where there is no SVE. The length stays: only prctl changes it, thread by
// thread, and nobody here calls that.
func lanes() int {
	if !cpuid.CPU.Supports(cpuid.SVE) {
		return 4
	}
	return vectorLength() / 4
}

// withSVE adds the rows of SVE with vectors of so many words where they belong by
// the multiply-accumulates of an instruction: NEON's FMLA, SDOT, and EOR, CNT and
// ADD take as many as SVE's with 4 words, SMMLA as many as SVE's SDOT with 8. Where
// it is the same, SVE stands first: it does no more, and cores have fewer pipes for
// it than for NEON, or as many.
func withSVE(rows []tile.Kernel, lanes int) []tile.Kernel {
	as := map[string]int{"float32/neon": 4, "int8/dotprod": 4, "int8/i8mm": 8, "binary/neon": 4}
	for _, k := range sveKernels(lanes) {
		at := slices.IndexFunc(rows, func(r tile.Kernel) bool {
			return r.DType == k.DType && lanes <= as[r.DType.String()+"/"+r.Name]
		})
		if at < 0 {
			at = len(rows)
		}
		rows = slices.Insert(rows, at, k)
	}
	return rows
}

func sveKernels(lanes int) []tile.Kernel {
	usable := func() error {
		if lanes > maxLanes {
			return fmt.Errorf("vectors have %d bits: the tile takes up to %d", 32*lanes, 32*maxLanes)
		}
		return nil
	}
	return []tile.Kernel{
		{
			DType: dtype.Float32, Name: "sve", Needs: sve, Usable: usable, Unmeasured: true,
			MR: 8, NR: 2 * lanes, Tile: tileFloat32SVE, PieceTile: tileFloat32SVEPieces,
			DotBlock: 1, DotFloat32: dotFloat32SVE,
			Winograd: winogradNEON, Pixels: &pixelsNEON,
			Depthwise: &depthwiseFloat32,
			Peak:      peakFloat32SVE, PeakMACs: peakSums * lanes,
		},
		{
			DType: dtype.Int8, Name: "sve", Needs: sve, Usable: usable, Unmeasured: true,
			MR: 8, NR: 2 * lanes, Tile: tileInt8SVE, PieceTile: tileInt8SVEPieces,
			Merge: mergeNEON, Depthwise: &depthwiseInt8, Rescale: &rescale,
			DotBlock: 1, DotInt8: dotInt8SVE, DotUint8: dotUint8SVE,
			Peak: peakInt8SVE, PeakMACs: peakSums * 4 * lanes,
		},
		{
			DType: dtype.Binary, Name: "sve", Needs: sve, Usable: usable, Unmeasured: true,
			MR: 8, NR: 2 * lanes, Tile: tileBinarySVE, PieceTile: tileBinarySVEPieces,
			Merge:    mergeNEON,
			DotBlock: 64, DotBinary: dotBinarySVE,
			Peak: peakBinarySVE, PeakMACs: peakSums * 32 * lanes,
		},
	}
}
