package streaming

import "math"

// Resources is what a pipeline takes of an FPGA by FINN's own estimates. FIFOs,
// converters, pools, padding and the interface to memory are not in it: FINN has no
// estimate that goes by shape for some of them, and we none.
type Resources struct {
	LUT    int64 // of engines and windows
	BRAM18 int64 // blocks of 18 Kib: weights and windows
}

// Estimate adds up engines and windows. Weights are streamed out of block RAM
// ("internal_decoupled", ram_style "block"), products are made of LUTs, thresholds are
// left to the synthesis. The formulas, with their constants from experiments, are those
// of Xilinx/finn, src/finn/custom_op/fpgadataflow: matrixvectoractivation.py and
// hls/convolutioninputgenerator_hls.py (bram_estimation, lut_estimation), after Blott
// et al., "FINN-R", TRETS 2018.
func (p *Pipeline) Estimate() Resources {
	var r Resources
	for i := range p.Layers {
		l, f := &p.Layers[i], p.Folds[i]
		if l.Pool {
			continue
		}
		r.LUT += l.engineLUT(f)
		r.BRAM18 += l.weightBRAM18(f)
		if l.windowed() {
			r.LUT += windowLUT
			r.BRAM18 += l.windowBRAM18(f)
		}
	}
	return r
}

const windowLUT = 300 // convolutioninputgenerator_hls.py lut_estimation

// engineLUT is 300 + 1.1·PE·(SIMD products, an adder tree and an accumulator).
func (l *Layer) engineLUT(f Fold) int64 {
	w, a := float64(l.WeightBits), float64(l.InBits)
	simd := float64(f.SIMD)
	products := simd * (2*math.Ceil((w+a)/6) - 1) * (w + a)
	tree := (w + a) * (2*simd - 1)
	return int64(300 + 1.1*float64(f.PE)*(products+tree+l.sumBits()))
}

// weightBRAM18 is the blocks that give PE·SIMD weights in every cycle.
func (l *Layer) weightBRAM18(f Fold) int64 {
	mh, mw, _ := l.Matrix()
	words := mw * mh / (f.PE * f.SIMD)
	width := f.SIMD * f.PE * l.WeightBits
	switch {
	case width == 1:
		return ceil(words, 16384)
	case width == 2:
		return ceil(words, 8192)
	case width <= 4:
		return ceil(words, 4096)
	case width <= 9:
		return ceil(words, 2048)
	case width <= 18 || words > 512:
		return ceil(words, 1024) * ceil(width, 18)
	}
	return ceil(words, 512) * ceil(width, 36)
}

// windowBRAM18 is the blocks of KH + StrideH lines.
func (l *Layer) windowBRAM18(f Fold) int64 {
	_, w := l.padded()
	depth := w * l.C / f.SIMD
	width := int64(1)
	for _, shape := range [...][2]int64{{512, 36}, {1024, 18}, {2048, 9}, {4096, 4}, {8192, 2}} {
		if depth <= shape[0] {
			width = shape[1]
			break
		}
	}
	return (l.KH + l.StrideH) * ceil(f.SIMD*l.InBits, width)
}
