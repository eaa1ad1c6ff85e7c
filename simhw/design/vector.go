package design

import (
	"fmt"
	"slices"

	"macroscope/dtype"
)

// MaxLoops limits the formats that a core has a loop for.
const MaxLoops = 6

// Vector is a processor core, the innermost loops that it runs, and the memory
// that its weights come from.
type Vector struct {
	// CPU says which processors of the machine that measures are this one, as
	// reports describe them: "AMD family 26", "AMD family 23 model 1", "AMD family 25 model
	// 16-31, 97"; "" for any other design.
	CPU string

	// In a cycle: instructions, those on the pipe that multiplies, loads.
	Issue, Multiplies, Loads float64

	LoadRunCycles float64 // lost once a step: the first load of a run takes longer
	BranchCycles  float64 // lost at a taken branch

	Memory SlowMemory

	// Efficiency is what a library makes of the loops: 1 is as they say.
	Efficiency float64

	Energy Ranged // of the whole processor, pJ per cycle; 0: not modelled

	Loops     [MaxLoops]VectorLoop // the first LoopCount
	LoopCount int
}

// SlowMemory holds the weights, behind a cache, and the activations or not. Without a
// line there are no waits.
type SlowMemory struct {
	CacheBytes, LineBytes int
	MissCycles            float64
	Activations           bool
}

// VectorLoop is the innermost loop of one number format: Rows outputs by Cols
// registers of Lanes channels, Step products of each at a time.
type VectorLoop struct {
	DType                   dtype.DType
	WeightBits              int    // of weights that memory holds in less than DType; else 0
	Kernel                  string // of KernelNames, which the loop is; or ""
	Rows, Cols, Lanes, Step int

	RowLoads, RowWidens, ColLoads, ColWidens, Multiplies float64 // instructions a step
	MultiplyCycles, LoadCycles                           float64
	LoadsAlone                                           bool // one load at a time, none beside a multiplication

	Unroll           int
	LoopInstructions float64

	TileInstructions, OutputInstructions, GatherInstructions, CallCycles float64
	GatherAlways                                                         bool

	// Loops that read images where they stand.
	RowSegments         bool
	SegmentInstructions float64
	SkipsPadding        bool
	PaddingOutputs      int // that leave out products with padding together; 0: each on its own

	PoolValues                  int // 0: pools are not modelled
	PoolLoads, PoolInstructions float64
}

// Loop returns the loop of a number format, weights of the same, the first where there are
// several, which estimates are by; nil where there is none.
func (v *Vector) Loop(d dtype.DType) *VectorLoop {
	for i := range min(v.LoopCount, len(v.Loops)) {
		if v.Loops[i].DType == d && v.Loops[i].WeightBits == 0 {
			return &v.Loops[i]
		}
	}
	return nil
}

// Prefer makes a loop the first of its format.
func (v *Vector) Prefer(i int) {
	first := v.Loop(v.Loops[i].DType)
	*first, v.Loops[i] = v.Loops[i], *first
}

// LoopOf is the index of the first loop that computes inputs of format d with weights of
// weightBits: d's own, or of integers the one with the narrowest inputs that they fit, and
// of those the one with the narrowest weights. Without weights, 0, it is one whose weights
// are as wide as its inputs. -1: there is none.
func (v *Vector) LoopOf(d dtype.DType, weightBits int) int {
	best := -1
	for i := range min(v.LoopCount, len(v.Loops)) {
		l := &v.Loops[i]
		fits := l.DType == d && l.WeightBits == 0
		if d.Integer() {
			fits = l.DType.Integer() && d.Bits() <= l.DType.Bits() && weightBits <= l.WeightWidth() && (weightBits > 0 || l.WeightBits == 0)
		}
		if !fits {
			continue
		}
		if best >= 0 {
			b := &v.Loops[best]
			if n, m := l.DType.Bits(), b.DType.Bits(); n > m || n == m && l.WeightWidth() >= b.WeightWidth() {
				continue
			}
		}
		best = i
	}
	return best
}

// WeightWidth is the width of a weight in memory.
func (l *VectorLoop) WeightWidth() int {
	if l.WeightBits > 0 {
		return l.WeightBits
	}
	return l.DType.Bits()
}

// count is an optional number of instructions or cycles; 0 where absent.
func count(key, doc string, at func(*Spec) *float64) field {
	return optional(number(key, doc+"; absent: 0", 1e-3, 1e5, at))
}

var vectorKind = kind{
	fields: slices.Concat([]field{
		text("cpu", "processors of machines that measure that are this one, as reports name them: AMD family 26, or some of its models, AMD family 25 model 16-31, 97; absent: none", 64, false, func(s *Spec) *string { return &s.Vector.CPU }),
		number("core.instructions_per_cycle", "instructions that start in a cycle", 0.1, 16, func(s *Spec) *float64 { return &s.Vector.Issue }),
		number("core.multiplies_per_cycle", "instructions on the pipe that multiplies and widens", 0.01, 16, func(s *Spec) *float64 { return &s.Vector.Multiplies }),
		number("core.loads_per_cycle", "load instructions", 0.01, 16, func(s *Spec) *float64 { return &s.Vector.Loads }),
		count("core.load_run_cycles", "lost once a step, where the first of several loads takes longer", func(s *Spec) *float64 { return &s.Vector.LoadRunCycles }),
		count("core.branch_cycles", "lost at a taken branch, beyond its own cycle", func(s *Spec) *float64 { return &s.Vector.BranchCycles }),
		optional(integer("memory.cache_bytes", "cache in front of the memory that weights come from; a layer's weights that fit are fetched once; absent: none", 1, 1<<30, func(s *Spec) *int { return &s.Vector.Memory.CacheBytes })),
		optional(integer("memory.line_bytes", "what one access brings; absent: no waits, and weights are fetched once", 1, 1<<12, func(s *Spec) *int { return &s.Vector.Memory.LineBytes })),
		count("memory.miss_cycles", "lost for each line", func(s *Spec) *float64 { return &s.Vector.Memory.MissCycles }),
		flag("memory.activations", "inputs and outputs are in that memory too, as in DRAM: those of a layer that do not fit the cache with its weights pass through it; else they stay in memory of the core's own", func(s *Spec) *bool { return &s.Vector.Memory.Activations }),
		number("software_efficiency", "what the library makes of the loops below, waits apart; 1 is as they say", 0.01, 10, func(s *Spec) *float64 { return &s.Vector.Efficiency }),
	}, rangedKeys("energy", "energy of the whole processor; absent: not modelled", func(s *Spec) *Ranged { return &s.Vector.Energy })),
	lists: []*list{{
		key: "loops", doc: "innermost loop of each number format; one without cannot be computed; of several for one format, each with a kernel of its own, estimates take the first", min: 1, max: MaxLoops,
		count: func(s *Spec) *int { return &s.Vector.LoopCount },
		entry: func(i int) []field {
			at := func(s *Spec) *VectorLoop { return &s.Vector.Loops[i] }
			return []field{
				format("dtype", "number format; integers are computed by the loop of the narrowest that they fit, and take its width in memory", func(s *Spec) *dtype.DType { return &at(s).DType }),
				optional(integer("weight_bits", "width of integer weights in memory, packed, where that is less than the format's; absent: the format's", 1, dtype.MaxIntBits-1, func(s *Spec) *int { return &at(s).WeightBits })),
				text("kernel", "this program's kernel of the format that the loop is, by its name in macroscope kernels of any architecture, such as avx2; with cpu", 32, false, func(s *Spec) *string { return &at(s).Kernel }),
				integer("rows", "outputs of a tile", 1, maxMACs, func(s *Spec) *int { return &at(s).Rows }),
				integer("cols", "registers of channels of a tile", 1, maxMACs, func(s *Spec) *int { return &at(s).Cols }),
				integer("lanes", "channels of such a register; 1 where a register holds products of one sum", 1, maxMACs, func(s *Spec) *int { return &at(s).Lanes }),
				integer("step", "products of each sum in a step", 1, maxMACs, func(s *Spec) *int { return &at(s).Step }),
				count("row_loads", "load instructions a step, for each row", func(s *Spec) *float64 { return &at(s).RowLoads }),
				count("row_widens", "widening instructions a step, for each row", func(s *Spec) *float64 { return &at(s).RowWidens }),
				count("col_loads", "load instructions a step, for each register of channels", func(s *Spec) *float64 { return &at(s).ColLoads }),
				count("col_widens", "widening instructions a step, for each register of channels", func(s *Spec) *float64 { return &at(s).ColWidens }),
				number("multiplies", "instructions a step that multiply (and add), for each row and register", 1e-3, 1e3, func(s *Spec) *float64 { return &at(s).Multiplies }),
				number("multiply_cycles", "time of one on its pipe", 1e-3, 1e3, func(s *Spec) *float64 { return &at(s).MultiplyCycles }),
				number("load_cycles", "time of a load on its pipe", 1e-3, 1e3, func(s *Spec) *float64 { return &at(s).LoadCycles }),
				flag("loads_alone", "loads go one at a time, none beside a multiplication, as where both are a floating-point unit's", func(s *Spec) *bool { return &at(s).LoadsAlone }),
				integer("unroll", "steps between two branches", 1, maxMACs, func(s *Spec) *int { return &at(s).Unroll }),
				count("loop_instructions", "counting and branching, each time", func(s *Spec) *float64 { return &at(s).LoopInstructions }),
				count("tile_instructions", "instructions around a tile: pointers, sums", func(s *Spec) *float64 { return &at(s).TileInstructions }),
				count("output_instructions", "instructions for an output: scale, clamp, store", func(s *Spec) *float64 { return &at(s).OutputInstructions }),
				count("gather_instructions", "instructions for each input of an output, to bring them together or widen them beforehand", func(s *Spec) *float64 { return &at(s).GatherInstructions }),
				flag("gather_always", "gather in 1×1 and dense layers too", func(s *Spec) *bool { return &at(s).GatherAlways }),
				flag("row_segments", "read images where they stand: a kernel row's values are a run of steps", func(s *Spec) *bool { return &at(s).RowSegments }),
				count("segment_instructions", "instructions around a run of steps", func(s *Spec) *float64 { return &at(s).SegmentInstructions }),
				flag("skips_padding", "leave out products with padding", func(s *Spec) *bool { return &at(s).SkipsPadding }),
				optional(integer("padding_outputs", "outputs that leave out products with padding together, those that all of them can do without; absent: each leaves out its own", 2, maxMACs, func(s *Spec) *int { return &at(s).PaddingOutputs })),
				optional(integer("pool_values", "channels that a maximum over windows takes at a time; absent: such pools are not modelled", 1, maxMACs, func(s *Spec) *int { return &at(s).PoolValues })),
				count("pool_loads", "load instructions, each time", func(s *Spec) *float64 { return &at(s).PoolLoads }),
				count("pool_instructions", "instructions in all, each time", func(s *Spec) *float64 { return &at(s).PoolInstructions }),
				count("call_cycles", "time of a call, once a layer", func(s *Spec) *float64 { return &at(s).CallCycles }),
			}
		},
	}},
	check: func(s *Spec) *checkError {
		for i := range s.Vector.LoopCount {
			l := &s.Vector.Loops[i]
			if w := l.WeightBits; w > 0 && (!l.DType.Integer() || w >= l.DType.Bits()) {
				return &checkError{fmt.Sprintf("loops[%d].weight_bits", i), fmt.Sprintf("%d: want less than the bits of an integer dtype, or the key left out", w)}
			}
			if err := s.Vector.checkAgain(i); err != nil {
				return err
			}
			if l.PaddingOutputs > 0 && !l.SkipsPadding {
				return &checkError{fmt.Sprintf("loops[%d].padding_outputs", i), fmt.Sprintf("%d: applies with skips_padding only", l.PaddingOutputs)}
			}
			if (l.PoolValues > 0) != (l.PoolInstructions > 0) || l.PoolLoads > l.PoolInstructions {
				return &checkError{fmt.Sprintf("loops[%d].pool_instructions", i), "and pool_values: want both or neither, and no more pool_loads than instructions"}
			}
		}
		if err := s.Vector.checkKernels(); err != nil {
			return err
		}
		if err := s.Vector.Energy.check("energy"); err != nil {
			return err
		}
		if m := &s.Vector.Memory; (m.LineBytes > 0) != (m.MissCycles > 0) {
			return &checkError{"memory.miss_cycles", "and memory.line_bytes: want both or neither"}
		}
		if m := &s.Vector.Memory; m.Activations && m.CacheBytes == 0 {
			return &checkError{"memory.activations", "true: want memory.cache_bytes too, what they may fit"}
		}
		return nil
	},
	has: func(s *Spec, d dtype.DType) bool { return s.Vector.Loop(d) != nil },
	unit: func(s *Spec, d dtype.DType, weightBits int) (dtype.DType, bool) {
		if i := s.Vector.LoopOf(d, weightBits); i >= 0 {
			return s.Vector.Loops[i].DType, true
		}
		return d, false
	},
	same: func(a, b *Spec) bool { return a.Vector.Loops == b.Vector.Loops },
	structure: func(s *Spec) string {
		return fmt.Sprintf("core of %g instructions a cycle", s.Vector.Issue)
	},
}

// checkAgain says what is wrong with a loop for a format that one before it is for too.
func (v *Vector) checkAgain(i int) *checkError {
	l := &v.Loops[i]
	for j := range i {
		switch before := &v.Loops[j]; {
		case before.DType != l.DType || before.WeightBits != l.WeightBits:
		case l.WeightBits > 0:
			return &checkError{fmt.Sprintf("loops[%d].weight_bits", i), fmt.Sprintf("%d: there is a loop of %v with such weights already", l.WeightBits, l.DType)}
		case KernelNames(l.DType) == nil:
			return &checkError{fmt.Sprintf("loops[%d].dtype", i), fmt.Sprintf("%q: there is a loop for it already", l.DType)}
		case l.Kernel == "" || before.Kernel == "":
			return &checkError{fmt.Sprintf("loops[%d].dtype", i), fmt.Sprintf("%q: there is a loop for it already: of several each wants its kernel", l.DType)}
		case before.Kernel == l.Kernel:
			return &checkError{fmt.Sprintf("loops[%d].kernel", i), fmt.Sprintf("%q: there is a loop for it already", l.Kernel)}
		}
	}
	return nil
}
