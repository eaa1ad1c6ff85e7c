package simhw

import (
	"math"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/simhw/energy"
	"macroscope/simhw/memory"
	"macroscope/simhw/vector"
	"macroscope/workload"
)

// vectorMachine estimates processor cores, layers one after another.
type vectorMachine struct {
	spec   design.Spec
	core   vector.Core
	memory vector.Memory
	loops  [design.MaxLoops]vector.Loop // as the design's

	unmodelled []string
}

var (
	vectorUnmodelled = []string{"energy"}
	vectorLimits     = []string{"latencies that the loop does not hide", "waits for outputs, and for inputs in the core's own memory", "instruction fetch", "loops for layers of one channel a group", "interrupts"}
)

const methodVector = "analytical model: instructions counted from the loop that the design describes, times what a library makes of them; dram is the memory that weights come from, and where the design says so inputs and outputs that exceed its cache; see macroscope designs --validate"

func (m *vectorMachine) set(s *design.Spec) error {
	m.spec = *s
	v := &m.spec.Vector
	m.core = vector.Core{Issue: v.Issue, Multiplies: v.Multiplies, Loads: v.Loads, LoadRunCycles: v.LoadRunCycles, BranchCycles: v.BranchCycles}
	m.memory = vector.Memory{CacheBytes: float64(v.Memory.CacheBytes), LineBytes: float64(v.Memory.LineBytes), MissCycles: v.Memory.MissCycles, Activations: v.Memory.Activations}
	m.loops = [design.MaxLoops]vector.Loop{}
	for i := range v.LoopCount {
		l := &v.Loops[i]
		m.loops[i] = vector.Loop{Bits: int64(l.WeightWidth()), Rows: int64(l.Rows), Cols: int64(l.Cols), Lanes: int64(l.Lanes), Step: int64(l.Step),
			RowLoads: l.RowLoads, RowWidens: l.RowWidens, ColLoads: l.ColLoads, ColWidens: l.ColWidens, Multiplies: l.Multiplies,
			MultiplyCycles: l.MultiplyCycles, LoadCycles: l.LoadCycles, LoadsAlone: l.LoadsAlone, Unroll: int64(l.Unroll), LoopInstructions: l.LoopInstructions,
			TileInstructions: l.TileInstructions, OutputInstructions: l.OutputInstructions, GatherInstructions: l.GatherInstructions,
			GatherAlways: l.GatherAlways, CallCycles: l.CallCycles,
			RowSegments: l.RowSegments, SegmentInstructions: l.SegmentInstructions, SkipsPadding: l.SkipsPadding, PaddingOutputs: int64(l.PaddingOutputs),
			PoolValues: int64(l.PoolValues), PoolLoads: l.PoolLoads, PoolInstructions: l.PoolInstructions}
	}
	m.unmodelled = nil
	if v.Energy.Value == 0 {
		m.unmodelled = vectorUnmodelled
	}
	return nil
}

// LoopBound is what a core reaches at most with the innermost loop of a number format.
type LoopBound struct {
	MACPerCycle  float64 // by the longest of the loop's times
	PeakPerCycle float64 // by its multiplications alone
	Limit        string  // the resource that is busy longest

	InstructionsPerMAC float64
}

// LoopBound counts the loop of a format; false for what is no core, or has no such loop.
func (m *Model) LoopBound(d dtype.DType) (LoopBound, bool) {
	v, ok := m.machine.(*vectorMachine)
	if !ok || !m.spec.Has(d) {
		return LoopBound{}, false
	}
	l := &v.loops[m.spec.Vector.LoopOf(d, 0)]
	cycles, _, limit := v.core.StepCycles(l)
	macs := float64(l.Rows * l.Cols * l.Lanes * l.Step)
	return LoopBound{macs / cycles, v.core.MACsPerCycle(l), limit, l.Instructions() / macs}, true
}

func (m *vectorMachine) describe(e *Estimate) {
	e.Method, e.Limits = methodVector, vectorLimits
}

func (m *vectorMachine) checks() []design.Check {
	if cpu := m.spec.Vector.CPU; cpu != "" {
		return []design.Check{{What: "time of each layer", Against: "this program's kernels, measured by macroscope report where the CPU is of " + cpu, Result: "in the report"}}
	}
	return []design.Check{{What: "time of ResNet-8 in int8 and float32", Against: "MLPerf Tiny's results on boards with Cortex-M and RISC-V cores", Result: "within 25 % where a library has several results; errors in macroscope designs --validate", Published: true}}
}

func (m *vectorMachine) layers(e *Estimate, w *workload.Workload) error {
	e.Total.NotModelled = m.unmodelled
	return e.eachOf(w, m.layer, m.pool)
}

// pool is a maximum over windows.
func (m *vectorMachine) pool(out *Layer, l *workload.Layer) (bool, error) {
	i := m.spec.Vector.LoopOf(l.DType, 0)
	if l.Op != "maxpool" || !l.Pools() || i < 0 {
		return false, nil
	}
	t, ok := m.core.MaxPool(l, &m.loops[i], m.spec.Vector.Efficiency)
	if !ok {
		return false, nil
	}
	bits := m.spec.Vector.Loops[i].DType.Bits()
	m.stream(out, l, &t, float64(bits), 0, float64(max(l.OutputBits(), bits)))
	if err := m.finish(out, &t); err != nil {
		return false, err
	}
	places := l.Elements * int64(l.KH*l.KW)
	out.SRAM = SRAM{IfmapReads: places, PsumReads: places, OfmapWrites: places}
	m.price(out)
	return true, nil
}

// stream works out what of a layer passes through slow memory, inputs, weights and
// outputs of so many bits, and adds the waits for inputs.
func (m *vectorMachine) stream(out *Layer, l *workload.Layer, t *vector.Time, operand, weight, final float64) {
	inputs, outputs, weights := float64(l.InputWords())*operand/8, float64(l.OutputWords())*final/8, 0.0
	if l.Kind != workload.Other {
		weights = float64(l.WeightWords()) * weight / 8
		out.DRAM.FilterReads = Count(math.Min(float64(t.Passes)*float64(l.WeightWords()), memory.MaxCycles))
	}
	out.UniqueBytes = int64(math.Ceil(inputs + weights + outputs))
	bytes := float64(out.DRAM.FilterReads) * weight / 8
	passes, waits := m.memory.Stream(inputs, weights, outputs)
	if passes {
		out.DRAM.IfmapReads, out.DRAM.OfmapWrites = Count(l.InputWords()), Count(l.OutputWords())
		bytes += inputs + outputs
		t.InputWaits = waits
	}
	out.DRAM.Bytes = Count(math.Ceil(bytes))
}

// finish rounds the time, once, over the whole: each part is what the whole grows by
// with it.
func (m *vectorMachine) finish(out *Layer, t *vector.Time) error {
	if !(t.Cycles() < memory.MaxCycles/4) {
		return tooLong(out.Name)
	}
	core, weights := int64(math.Ceil(t.Core)), int64(math.Ceil(t.Core+t.Waits))
	out.Cycles = int64(math.Ceil(t.Cycles()))
	out.ComputeCycles = int64(math.Ceil(t.Multiplier))
	out.FillDrainCycles = core - out.ComputeCycles
	out.StallCycles = out.Cycles - core
	out.Stalls[memory.FilterRead] = weights - core
	out.Stalls[memory.IfmapRead] = out.Cycles - weights
	return nil
}

// price adds time and energy, which go by the cycle.
func (m *vectorMachine) price(out *Layer) {
	out.TimeUS = Quantity{float64(out.Cycles) / m.spec.ClockMHz, true}
	out.NotModelled = m.unmodelled
	if pj := &m.spec.Vector.Energy; pj.Value > 0 {
		out.Energy = energy.PerCycle(pj.Value, pj.At(energy.Low), pj.At(energy.High), float64(out.Cycles))
		out.EnergyPJ = Quantity{out.Energy.TotalPJ(), true}
	}
}

func (m *vectorMachine) layer(out *Layer, l *workload.Layer) error {
	i := m.spec.Vector.LoopOf(l.DType, l.WeightBits())
	loop := &m.loops[i]
	t := m.core.Layer(l, loop, &m.memory, m.spec.Vector.Efficiency)
	operand, final := m.spec.Vector.Loops[i].DType.Bits(), float64(l.OutputBits())
	if l.DType.Integer() { // integers take the loop's widths in memory
		final = max(final, float64(operand))
		out.hold(operand, int(loop.Bits))
	}
	m.stream(out, l, &t, float64(operand), float64(loop.Bits), final)
	if err := m.finish(out, &t); err != nil {
		return err
	}
	peak := m.core.MACsPerCycle(loop)
	done := t.Multiplier * peak // products; padding may be left out
	out.Utilization = done / (float64(out.Cycles) * peak)
	out.ComputeUtilization = done / (float64(out.ComputeCycles+out.FillDrainCycles) * peak)
	out.MappingEfficiency = math.Min(float64(out.MACs)/(t.InputWords*float64(loop.Cols*loop.Lanes)), 1)
	count := func(words float64) int64 { return int64(math.Min(words, memory.MaxCycles)) }
	out.SRAM = SRAM{IfmapReads: count(t.InputWords), FilterReads: count(t.WeightWords), OfmapWrites: l.OutputWords()}
	m.price(out)
	return nil
}
