package simhw

import (
	"fmt"
	"math"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/simhw/energy"
	"macroscope/simhw/memory"
	"macroscope/simhw/systolic"
	"macroscope/workload"
)

// systolicMachine estimates systolic arrays: the array's cycles by package
// systolic, its memory by package memory, layers one after another.
type systolicMachine struct {
	spec   design.Spec
	array  systolic.Array
	ports  systolic.Ports
	prices energy.Prices
	area   energy.Area

	unmodelled []string // of every layer of this design
}

// The reasons why a number is missing, shared by all estimates.
var (
	scaleSimUnmodelled = []string{"time", "energy"}
	scaleSimNoTraffic  = []string{"dram traffic (too long to replay)", "time", "energy"}

	// What no estimate of an array includes.
	systolicLimits = []string{"clock distribution and control", "latency of a DRAM access", "conflicts in the buffers", outputsUnmodelled}
)

// The two methods that an array's estimate can come from.
const (
	methodOwn      = "analytical model; see macroscope designs --validate for TPU v1 and Gemmini"
	methodScaleSim = "analytical model; SCALE-Sim v3's exact formulas, ideal bandwidth"
)

func (m *systolicMachine) set(s *design.Spec) error {
	m.spec, m.array, m.ports = *s, systolic.ArrayOf(s), systolic.PortsOf(s)
	if s.ScaleSim {
		m.prices, m.area, m.unmodelled = energy.Prices{}, energy.Area{}, scaleSimUnmodelled
		return nil
	}
	config := s.EnergyConfig()
	prices, err := energy.NewPrices(config)
	if err != nil {
		return fmt.Errorf("design %s: %w", s.Name, err)
	}
	m.prices = prices
	m.area = energy.AreaOf(config, s.PEs(), s.PERegisterBits())
	m.unmodelled = unpriced(&m.prices, &m.area)
	return nil
}

func (m *systolicMachine) checks() []design.Check { return systolic.Validation(&m.spec) }

func (m *systolicMachine) describe(e *Estimate) {
	e.Area, e.Limits, e.Method, e.scaleSim = m.area, systolicLimits, methodOwn, m.spec.ScaleSim
	if m.spec.ScaleSim {
		e.Method = methodScaleSim
	}
}

// layers works out the layers one after another. Where buffers keep
// activations, a layer's outputs wait for the next one on chip.
func (m *systolicMachine) layers(e *Estimate, w *workload.Workload) error {
	last := -1
	for i := range w.Layers {
		if w.Layers[i].Kind != workload.Other {
			last = i
		}
	}
	kept := int64(0) // words that the layer before left on chip
	for i := range w.Layers {
		l := &w.Layers[i]
		if l.Kind == workload.Other {
			continue
		}
		out := e.open(l)
		if m.spec.ScaleSim {
			if err := m.scaleSim(out, l); err != nil {
				return err
			}
		} else {
			onChip := kept > 0 && l.InputWords() <= kept
			stays := m.spec.Buffers.KeepActivations && i != last && m.holds(l)
			out.onChip = [2]bool{onChip, stays}
			if twin := e.twin(out, l, w); twin != nil {
				name := out.Name
				*out = *twin
				out.Name = name
			} else if err := m.layer(out, l, onChip, stays); err != nil {
				return err
			}
			if kept = 0; stays {
				kept = l.OutputWords()
			}
		}
		if err := e.close(out); err != nil {
			return err
		}
	}
	t := &e.Total
	t.NotModelled = m.unmodelled
	if t.DRAM.Bytes < 0 {
		t.NotModelled = scaleSimNoTraffic
	}
	return nil
}

// twin is an earlier layer of the same shape, whose operands were where out's are: what
// networks repeat need not be searched again.
func (e *Estimate) twin(out *Layer, l *workload.Layer, w *workload.Workload) *Layer {
	at := 0
	for i := range w.Layers {
		o := &w.Layers[i]
		if o.Kind == workload.Other {
			continue
		}
		done := &e.Layers[at]
		if at++; done == out {
			break
		}
		if done.MACs == out.MACs && done.onChip == out.onChip && o.SameShape(l) {
			return done
		}
	}
	return nil
}

// holds tells whether a layer's inputs and outputs fit the ifmap buffer
// together.
func (m *systolicMachine) holds(l *workload.Layer) bool {
	bits := float64(l.InputWords())*float64(l.DType.Bits()) + float64(l.OutputWords())*float64(l.OutputBits())
	return bits <= float64(m.spec.Buffers.IfmapKiB)*1024*8
}

// layer works out one layer by this project's own formulas.
func (m *systolicMachine) layer(out *Layer, l *workload.Layer, onChip, stays bool) error {
	rows, cols, depth := l.GEMM()
	groups := l.GroupCount()
	unit, _ := m.spec.Unit(l.DType, l.WeightBits())
	p := m.array.Map(rows, cols, depth, int64(m.spec.Lanes(unit)), groups)
	operand, weight := int64(l.DType.Bits()), int64(l.WeightBits())
	acc, final := int64(m.spec.Array.AccumulatorBits[unit]), int64(l.OutputBits())
	bits := systolic.Bits{Input: operand, Weight: weight, Sum: acc}
	p.Feed(m.ports, bits)
	if !p.Feasible(memory.MaxCycles) {
		return tooLong(l.Name)
	}
	const bitsPerKiB = 1024 * 8
	problem := memory.Problem{Map: p, InputWords: l.InputWords() / groups, LineWords: l.LineWords(),
		OperandBits: operand, WeightBits: weight, AccumulatorBits: acc, OutputBits: final,
		IfmapBits: int64(m.spec.Buffers.IfmapKiB) * bitsPerKiB, FilterBits: int64(m.spec.Buffers.FilterKiB) * bitsPerKiB,
		OfmapBits:     int64(m.spec.Buffers.OfmapKiB) * bitsPerKiB,
		BytesPerCycle: m.spec.BytesPerCycle(), InputOnChip: onChip, OutputOnChip: stays, Objective: m.spec.Objective}
	if problem.Objective != design.LeastCycles {
		problem.Prices = m.orderPrices(l, &p, unit, bits, stays)
	}
	mem, ok := memory.Run(&problem)
	if !ok {
		return tooLong(l.Name)
	}
	p = mem.Map // the order may do a product in parts
	out.Stalls = mem.Stalls
	out.Cycles = p.Cycles() + mem.PrefetchCycles + mem.StallCycles
	cycles := m.fed(out, &p, bits)
	out.ComputeCycles = p.ComputeCycles()
	out.FillDrainCycles = cycles - out.ComputeCycles
	out.PrefetchCycles = mem.PrefetchCycles
	out.StallCycles = out.Cycles - cycles - out.PrefetchCycles
	out.MappingEfficiency = p.MappingEfficiency()
	peak := float64(m.spec.PEs()) * float64(p.Lanes)
	out.Utilization = float64(out.MACs) / (float64(out.Cycles) * peak)
	out.ComputeUtilization = float64(out.MACs) / (float64(cycles) * peak)

	sram := p.BufferAccesses()
	out.SRAM = SRAM{sram.IfmapReads, sram.FilterReads, sram.PsumReads, sram.OfmapWrites}
	unique := float64(l.InputWords())*float64(operand) + float64(l.WeightWords())*float64(weight) + float64(l.OutputWords())*float64(final)
	out.UniqueBytes = int64(math.Ceil(unique / 8))
	// Inside the array operands have the unit's width.
	actions := energy.Actions{DType: unit, RegisterBits: p.RegisterBits(int64(unit.Bits()), acc)}
	countActions(&actions, l, &p, &sram, bits, &mem, stays)
	dramBits := actions.DRAMBits
	out.DRAM = DRAM{Count(mem.IfmapReads), Count(mem.FilterReads), Count(mem.PsumReads), Count(mem.PsumWrites), Count(mem.OfmapWrites),
		Count(math.Ceil(dramBits / 8))}

	out.Roofline = rooflineOf(out.MACs, peak, dramBits/8, m.spec.BytesPerCycle())
	out.Roofline.BufferCycles = m.portCycles(&sram, bits)

	out.TimeUS = Quantity{float64(out.Cycles) / m.spec.ClockMHz, true}
	out.Energy = m.prices.Energy(&actions)
	m.prices.Leak(&out.Energy, &m.area, out.TimeUS.Value)
	out.EnergyPJ = Quantity{out.Energy.TotalPJ(), true}
	out.NotModelled = m.unmodelled
	return nil
}

// countActions sets what a layer does and moves, but for its number format and registers.
//
// A word from DRAM is written to its buffer once before it is read; a sum is read from the
// ofmap buffer once more to leave it. Sums are held there at the accumulator's width.
func countActions(a *energy.Actions, l *workload.Layer, p *systolic.Mapping, sram *systolic.Accesses, b systolic.Bits, mem *memory.Result, stays bool) {
	operand, weight, acc, final := float64(b.Input), float64(b.Weight), float64(b.Sum), float64(l.OutputBits())
	macs, work, outputs := p.MACs(), p.PECycles(), float64(l.OutputWords())
	a.Products, a.TreeAdds, a.Accumulates = macs, macs-work, work
	sums := float64(mem.PsumReads + mem.PsumWrites)
	a.IfmapBits = float64(sram.IfmapReads+mem.IfmapReads) * operand
	if stays {
		a.IfmapBits += outputs * final
	}
	a.FilterBits = float64(sram.FilterReads+mem.FilterReads) * weight
	a.OfmapBits = (float64(sram.OfmapWrites+sram.PsumReads) + sums + outputs) * acc
	a.DRAMBits = float64(mem.IfmapReads)*operand + float64(mem.FilterReads)*weight + sums*acc + float64(mem.OfmapWrites)*final
}

// orderPrices are the prices of a layer in any order of its folds, so that what an order
// costs there is the energy of its estimate.
func (m *systolicMachine) orderPrices(l *workload.Layer, p *systolic.Mapping, unit dtype.DType, b systolic.Bits, stays bool) memory.Prices {
	sram, width := p.BufferAccesses(), int64(unit.Bits())
	whole := energy.Actions{DType: unit, RegisterBits: p.RegisterBits(width, b.Sum)}
	countActions(&whole, l, p, &sram, b, &memory.Result{}, stays)
	again := energy.Actions{DType: unit, RegisterBits: p.HeldBits(width)}
	switch p.Dataflow {
	case design.WS:
		again.FilterBits = float64(sram.FilterReads) * float64(b.Weight)
	case design.IS:
		again.IfmapBits = float64(sram.IfmapReads) * float64(b.Input)
	}
	fixed, chunk := m.prices.Energy(&whole), m.prices.Energy(&again)
	var cycle energy.Breakdown
	m.prices.Leak(&cycle, &m.area, 1/m.spec.ClockMHz)
	bit := &m.prices.PriceSet
	return memory.Prices{Fixed: fixed.TotalPJ(), Chunk: chunk.TotalPJ(), Cycle: cycle.LeakagePJ,
		Ifmap:  float64(b.Input) * (bit.DRAMBit + bit.IfmapBit),
		Filter: float64(b.Weight) * (bit.DRAMBit + bit.FilterBit),
		Psum:   float64(b.Sum) * (bit.DRAMBit + bit.OfmapBit),
		Ofmap:  float64(l.OutputBits()) * bit.DRAMBit}
}

// fed puts what the array waits for narrow buffers down to the one that alone makes it
// wait most, and returns the cycles that the array takes without.
func (m *systolicMachine) fed(out *Layer, p *systolic.Mapping, bits systolic.Bits) int64 {
	if p.Waits == (systolic.Waits{}) {
		return p.Cycles()
	}
	free := *p
	free.Waits = systolic.Waits{}
	cycles := free.Cycles()
	waits := p.Cycles() - cycles
	cause, most := memory.IfmapPort, int64(0)
	for c, alone := range [...]systolic.Ports{{Ifmap: m.ports.Ifmap}, {Filter: m.ports.Filter}, {Ofmap: m.ports.Ofmap, OfmapShared: m.ports.OfmapShared}} {
		free.Feed(alone, bits)
		if n := free.Cycles(); n > most {
			cause, most = memory.IfmapPort+memory.Cause(c), n
		}
	}
	out.Stalls[cause] = waits
	return cycles
}

// portCycles is what the busiest port of a buffer takes at least for the words between
// array and buffers; 0 where all are as wide as the array's edges.
func (m *systolicMachine) portCycles(a *systolic.Accesses, b systolic.Bits) int64 {
	cycles := func(words, bits, width int64) int64 {
		if width == 0 {
			return 0
		}
		return int64(float64(words) * float64(bits) / 8 / float64(width)) // rounded down, so as to stay a bound
	}
	sums := a.OfmapWrites // of which all but the first are read back
	if m.ports.OfmapShared {
		sums += a.PsumReads
	}
	return max(cycles(a.IfmapReads, b.Input, m.ports.Ifmap), cycles(a.FilterReads, b.Weight, m.ports.Filter), cycles(sums, b.Sum, m.ports.Ofmap))
}

// scaleSim works out one layer by SCALE-Sim's formulas. Its groups are layers
// of their own there: cycles and counts here are their sum.
func (m *systolicMachine) scaleSim(out *Layer, l *workload.Layer) error {
	s := systolic.ScaleSimOf(&m.spec)
	r, err := s.Layer(l)
	if err != nil {
		return err
	}
	g := l.GroupCount()
	if float64(r.TotalCycles)*float64(g) >= memory.MaxCycles {
		return tooLong(l.Name)
	}
	out.MACs = g * r.MACs // SCALE-Sim's rounding of the output size included
	out.Cycles = g * r.TotalCycles
	out.StallCycles = g * r.StallCycles
	// The cycle count is an index from 0: one element working all the time
	// has one cycle less than it computes.
	out.ComputeCycles = min(g*r.Folds*r.T, out.Cycles-out.StallCycles)
	out.FillDrainCycles = out.Cycles - out.StallCycles - out.ComputeCycles
	out.Utilization, out.MappingEfficiency, out.ComputeUtilization = r.OverallUtil/100, r.MappingEff/100, r.ComputeUtil/100
	out.SRAM = SRAM{IfmapReads: g * r.IfmapSRAMReads, FilterReads: g * r.FilterSRAMReads, OfmapWrites: g * r.OfmapSRAMWrites}
	out.NotModelled = m.unmodelled
	if r.DRAMKnown {
		// A word is a byte there.
		in, weights, outputs := Count(g*r.IfmapDRAMReads), Count(g*r.FilterDRAMReads), Count(g*r.OfmapDRAMWrites)
		out.DRAM = DRAM{IfmapReads: in, FilterReads: weights, OfmapWrites: outputs, Bytes: in + weights + outputs}
	} else {
		out.DRAM = DRAM{Unknown, Unknown, Unknown, Unknown, Unknown, Unknown}
		out.NotModelled = scaleSimNoTraffic
	}
	out.UniqueBytes = l.InputWords() + l.WeightWords() + l.OutputWords()
	out.ScaleSim, out.Groups = &r, g
	return nil
}
