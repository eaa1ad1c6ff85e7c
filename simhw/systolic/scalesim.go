package systolic

import (
	"fmt"

	"macroscope/simhw/design"
	"macroscope/workload"
)

// ScaleSim is an array with SCALE-Sim v3's memories (commit 1d62b68), in its
// ideal-bandwidth mode (InterfaceBandwidth: CALC). Its results follow that
// program to the last digit, its peculiarities included:
//
//   - the output size is rounded up, ⌈(H−KH+s)/s⌉, where a convolution rounds
//     down; taps outside the image are counted as buffer reads;
//   - the cycle count is the last cycle's index, counted from 0;
//   - a fold at the edge takes as long as a full one;
//   - compute utilization counts the skew of WS and IS twice;
//   - OS adds R + C to the output writes of every fold;
//   - DRAM reads are those of a buffer of 50·⌊bytes/100⌋ words that is emptied
//     as a whole when full; DRAM writes count half-filled lines as full where
//     the buffer drains in the middle.
//
// A word is one byte there, whatever the number format.
type ScaleSim struct {
	Rows, Cols  int64
	Dataflow    design.Dataflow
	IfmapBytes  int64
	FilterBytes int64
	OfmapBytes  int64
}

// ScaleSimOf takes the array and memories out of a design.
func ScaleSimOf(s *design.Spec) ScaleSim {
	return ScaleSim{int64(s.Array.Rows), int64(s.Array.Cols), s.Dataflow,
		int64(s.Buffers.IfmapKiB) << 10, int64(s.Buffers.FilterKiB) << 10, int64(s.Buffers.OfmapKiB) << 10}
}

// ScaleSimResult is what SCALE-Sim reports of one layer. Utilizations are in
// percent. Cycles are indices on the layer's own clock; reads ahead of cycle 0
// have negative ones.
type ScaleSimResult struct {
	M, N, K, Sr, Sc, T, Folds int64
	MACs                      int64

	TotalCycles, StallCycles                   int64
	OverallUtil, MappingEff, ComputeUtil       float64
	IfmapSRAMReads, FilterSRAMReads            int64
	OfmapSRAMWrites                            int64
	IfmapSRAM, FilterSRAM, OfmapSRAM           Span
	DRAMKnown                                  bool // false: too much traffic to replay
	IfmapDRAMReads, FilterDRAMReads            int64
	OfmapDRAMWrites                            int64
	IfmapDRAM, FilterDRAM, OfmapDRAM           Span
	TotalCyclesInclPrefetch                    int64
	rowFolds, colFolds, lastR, lastC, foldTime int64
}

// Span is the first and last cycle of some traffic.
type Span struct{ Start, Stop int64 }

// maxReplay bounds the buffer accesses that a layer's DRAM traffic is
// replayed from, for each operand: a few seconds.
const maxReplay = 1 << 29

// maxAddresses bounds the memory of a replay: one mark of four bytes a word.
const maxAddresses = 1 << 26

// shape is a layer as SCALE-Sim sees it: padded, dense, one image.
type shape struct {
	h, w, kh, kw, c, n, sh, sw int64
	oh, ow                     int64
}

func scaleSimShape(l *workload.Layer) (shape, error) {
	atLeast1 := func(v int) int64 { return max(int64(v), 1) }
	switch l.Kind {
	case workload.Gemm:
		return shape{h: l.M, w: 1, kh: 1, kw: 1, c: l.K, n: l.N, sh: 1, sw: 1, oh: l.M, ow: 1}, nil
	case workload.Conv:
		if atLeast1(l.DilationH) != 1 || atLeast1(l.DilationW) != 1 {
			return shape{}, fmt.Errorf("layer %q: dilation: SCALE-Sim has none", l.Name)
		}
		if atLeast1(l.Batch) != 1 {
			return shape{}, fmt.Errorf("layer %q: batch %d: SCALE-Sim takes one image", l.Name, l.Batch)
		}
		g := atLeast1(l.Groups)
		s := shape{h: int64(l.H + l.PadTop + l.PadBottom), w: int64(l.W + l.PadLeft + l.PadRight),
			kh: int64(l.KH), kw: int64(l.KW), c: int64(l.C) / g, n: int64(l.OutC) / g,
			sh: atLeast1(l.StrideH), sw: atLeast1(l.StrideW)}
		s.oh, s.ow = ceil(s.h-s.kh+s.sh, s.sh), ceil(s.w-s.kw+s.sw, s.sw)
		return s, nil
	}
	return shape{}, fmt.Errorf("layer %q: SCALE-Sim knows convolutions and matrix products only", l.Name)
}

// Layer evaluates one group of a valid layer; SCALE-Sim runs the groups of a
// depthwise layer one after the other, as layers of their own.
func (s *ScaleSim) Layer(l *workload.Layer) (ScaleSimResult, error) {
	sh, err := scaleSimShape(l)
	if err != nil {
		return ScaleSimResult{}, err
	}
	r := s.compute(&sh)
	if err := s.feasible(&r, l); err != nil {
		return ScaleSimResult{}, err
	}
	s.traffic(&r, &sh)
	r.utilize(s)
	return r, nil
}

// feasible refuses layers whose cycles do not fit an int64.
func (s *ScaleSim) feasible(r *ScaleSimResult, l *workload.Layer) error {
	longest := float64(r.T) + 2*float64(s.Rows) + float64(s.Cols)
	if float64(r.rowFolds)*float64(r.colFolds)*longest >= 1<<60 {
		return fmt.Errorf("layer %q: takes 2^60 cycles or more", l.Name)
	}
	return nil
}

// Compute is Layer without the DRAM traffic and the spans of cycles: closed
// forms only.
func (s *ScaleSim) Compute(l *workload.Layer) (ScaleSimResult, error) {
	sh, err := scaleSimShape(l)
	if err != nil {
		return ScaleSimResult{}, err
	}
	r := s.compute(&sh)
	if err := s.feasible(&r, l); err != nil {
		return ScaleSimResult{}, err
	}
	r.utilize(s)
	return r, nil
}

// maxSummed is the number of folds up to which averages over them are summed
// one by one.
const maxSummed = 1 << 20

// averages works out mapping efficiency and compute utilization as SCALE-Sim
// does: a sum over the folds in their order, rounded at each step, so that
// they agree in the last digit. Above maxSummed folds they are closed forms.
func (r *ScaleSimResult) averages(s *ScaleSim, utilTime int64) {
	pes := float64(s.Rows) * float64(s.Cols)
	share := func(rows, cols int64) (mapped, computing float64) {
		used := float64(rows) * float64(cols)
		return used / pes, used * float64(r.T) / (pes * float64(utilTime))
	}
	if r.Folds > maxSummed {
		mapped, computing := share(r.Sr, r.Sc)
		r.MappingEff, r.ComputeUtil = 100*mapped/float64(r.Folds), 100*computing/float64(r.Folds)
		return
	}
	sumMapped, sumComputing := 0.0, 0.0
	for fc := range r.colFolds {
		cols := s.Cols
		if fc == r.colFolds-1 {
			cols = r.lastC
		}
		mapped, computing := share(s.Rows, cols)
		for range r.rowFolds - 1 {
			sumMapped += mapped
			sumComputing += computing
		}
		mapped, computing = share(r.lastR, cols)
		sumMapped += mapped
		sumComputing += computing
	}
	n := float64(r.Folds)
	r.MappingEff, r.ComputeUtil = sumMapped/n*100, sumComputing/n*100
}

// utilize works out the overall utilization. SCALE-Sim divides by zero where
// one element makes one product, since the last cycle has index 0; here there
// is no utilization then.
func (r *ScaleSimResult) utilize(s *ScaleSim) {
	if r.TotalCycles > 0 {
		r.OverallUtil = 100 * float64(r.MACs) / (float64(r.TotalCycles) * float64(s.Rows) * float64(s.Cols))
	}
}

func (s *ScaleSim) compute(sh *shape) ScaleSimResult {
	var r ScaleSimResult
	r.M, r.N, r.K = sh.oh*sh.ow, sh.n, sh.kh*sh.kw*sh.c
	r.MACs = r.M * r.N * r.K
	switch s.Dataflow {
	case design.OS:
		r.Sr, r.Sc, r.T = r.M, r.N, r.K
	case design.WS:
		r.Sr, r.Sc, r.T = r.K, r.N, r.M
	default:
		r.Sr, r.Sc, r.T = r.K, r.M, r.N
	}
	r.rowFolds, r.colFolds = ceil(r.Sr, s.Rows), ceil(r.Sc, s.Cols)
	r.lastR, r.lastC = r.Sr-(r.rowFolds-1)*s.Rows, r.Sc-(r.colFolds-1)*s.Cols
	r.Folds = r.rowFolds * r.colFolds
	r.foldTime = r.T + s.Rows + s.Cols - 2
	utilTime := r.foldTime
	if s.Dataflow != design.OS {
		r.foldTime += s.Rows
		utilTime = r.foldTime + s.Cols - 1
	}
	r.TotalCycles = r.Folds*r.foldTime - 1

	r.averages(s, utilTime)

	switch s.Dataflow {
	case design.OS:
		r.IfmapSRAMReads, r.FilterSRAMReads = r.M*r.K*r.colFolds, r.K*r.N*r.rowFolds
		r.OfmapSRAMWrites = r.M*r.N + r.Folds*(s.Rows+s.Cols)
	case design.WS:
		r.IfmapSRAMReads, r.FilterSRAMReads = r.M*r.K*r.colFolds, r.K*r.N
		r.OfmapSRAMWrites = r.M * r.N * r.rowFolds
	default:
		r.IfmapSRAMReads, r.FilterSRAMReads = r.M*r.K, r.K*r.N*r.colFolds
		r.OfmapSRAMWrites = r.M * r.N * r.rowFolds
	}
	return r
}
