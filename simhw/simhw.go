// Package simhw says what a workload costs on an accelerator: cycles, stalls,
// utilization, traffic, energy and area, by layer and in total.
//
//	d, err := design.Load("array32")
//	e, err := simhw.Evaluate(&d, &w)
//
// The model is analytical: closed forms per layer, microseconds a network. The
// array's cycles are those of the stepped machine in package systolic and of
// recorded Verilog runs (Estimate.Validated lists which comparisons apply to a
// design); memory time follows the formula of package memory; energy is action
// counts times the prices of package energy. Nothing here is fitted to
// published hardware, and no error against such hardware is known yet.
//
// What is not modelled is named in the estimate, and the total is marked
// partial; it is never counted as zero cost.
package simhw

import (
	"fmt"
	"math"
	"strings"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/simhw/energy"
	"macroscope/simhw/memory"
	"macroscope/simhw/systolic"
	"macroscope/workload"
)

// Model is a design made ready for evaluation. It is safe for concurrent use
// as long as Set is not called.
type Model struct {
	spec   design.Spec
	array  systolic.Array
	prices energy.Prices
	area   energy.Area

	validated  []systolic.Check
	unmodelled []string // of every layer of this design
	warnings   []string
	assumed    []string
}

// New makes a design ready.
func New(d *design.Design) (*Model, error) {
	m := &Model{warnings: d.Warnings(), assumed: d.Assumed()}
	s := d.Spec()
	if err := m.Set(&s); err != nil {
		return nil, err
	}
	m.validated = systolic.Validation(&s)
	return m, nil
}

// The reasons why a number is missing, shared by all estimates.
var (
	scaleSimUnmodelled = []string{"time", "energy"}
	dramUnmodelled     = []string{"dram energy"}
	scaleSimNoTraffic  = []string{"dram traffic (too long to replay)", "time", "energy"}

	// What no estimate includes.
	limits = []string{"leakage", "clock distribution and control", "latency of a DRAM access", "conflicts in the buffers"}
)

// Set changes the design's numbers, keeping its warnings and what it was
// validated against only while its kind of array stays the same. It is for
// evaluating many variants: it allocates nothing unless the numbers break a
// rule.
func (m *Model) Set(s *design.Spec) error {
	if err := s.Check(); err != nil {
		return err
	}
	if s.Dataflow != m.spec.Dataflow || s.ScaleSim != m.spec.ScaleSim || s.Array.Drain != m.spec.Array.Drain ||
		s.Array.WeightLoad != m.spec.Array.WeightLoad || s.Array.Gated != m.spec.Array.Gated {
		m.validated = nil
	}
	m.spec, m.array = *s, systolic.ArrayOf(s)
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
	m.unmodelled = nil
	if !prices.HasDRAM() {
		m.unmodelled = dramUnmodelled
	}
	return nil
}

// Spec returns the numbers that the model evaluates.
func (m *Model) Spec() design.Spec { return m.spec }

// Evaluate works out a workload on a design.
func Evaluate(d *design.Design, w *workload.Workload) (Estimate, error) {
	m, err := New(d)
	if err != nil {
		return Estimate{}, err
	}
	return m.Evaluate(w)
}

// Evaluate works out a workload.
func (m *Model) Evaluate(w *workload.Workload) (Estimate, error) {
	var e Estimate
	err := m.EvaluateInto(&e, w)
	return e, err
}

// EvaluateInto is Evaluate into an estimate whose memory is used again: once
// that has grown to the workload's number of layers, nothing is allocated
// (designs in SCALE-Sim mode excepted). e shares the workload's strings. On an
// error e is not meaningful.
func (m *Model) EvaluateInto(e *Estimate, w *workload.Workload) error {
	if err := w.Validate(); err != nil {
		return err
	}
	e.reset(m, w)
	last := -1
	macs := [3]int64{}
	for i := range w.Layers {
		l := &w.Layers[i]
		if l.Kind == workload.Other {
			continue
		}
		if m.spec.Lanes(l.DType) == 0 {
			return fmt.Errorf("design %s cannot compute %s (layer %q): it has %s", m.spec.Name, l.DType, l.Name, m.formats())
		}
		last = i
		macs[l.DType] += l.MACs()
	}
	for _, d := range dtype.All {
		if macs[d] > macs[e.DType] {
			e.DType = d
		}
	}
	kept := int64(0) // words that the layer before left on chip
	for i := range w.Layers {
		l := &w.Layers[i]
		if l.Kind == workload.Other {
			e.UnmodelledLayers = append(e.UnmodelledLayers, Unmodelled{l.Name, l.Op, l.Elements})
			continue
		}
		e.Layers = append(e.Layers, Layer{Name: l.Name, Kind: l.Kind.String(), DType: l.DType, MACs: l.MACs()})
		out := &e.Layers[len(e.Layers)-1]
		if m.spec.ScaleSim {
			if err := m.scaleSim(out, l); err != nil {
				return err
			}
		} else {
			onChip := kept > 0 && l.InputWords() <= kept
			stays := m.spec.Buffers.KeepActivations && i != last && m.holds(l)
			if err := m.layer(out, l, onChip, stays); err != nil {
				return err
			}
			if kept = 0; stays {
				kept = l.OutputWords()
			}
		}
		if e.Total.add(out); e.Total.Cycles >= memory.MaxCycles {
			return fmt.Errorf("design %s: workload %q takes 2^60 cycles or more", m.spec.Name, w.Name)
		}
	}
	e.finish(m)
	return nil
}

func (m *Model) formats() string {
	var names []string
	for _, d := range dtype.All {
		if m.spec.Lanes(d) > 0 {
			names = append(names, d.String())
		}
	}
	return strings.Join(names, ", ")
}

// holds tells whether a layer's inputs and outputs fit the ifmap buffer
// together.
func (m *Model) holds(l *workload.Layer) bool {
	bits := float64(l.InputWords())*float64(l.DType.Bits()) + float64(l.OutputWords())*float64(l.OutputBits())
	return bits <= float64(m.spec.Buffers.IfmapKiB)*1024*8
}

// layer works out one layer by this project's own formulas.
func (m *Model) layer(out *Layer, l *workload.Layer, onChip, stays bool) error {
	rows, cols, depth := l.GEMM()
	groups := l.GroupCount()
	d := l.DType
	p := m.array.Map(rows, cols, depth, int64(m.spec.Lanes(d)), groups)
	if !p.Feasible(memory.MaxCycles) {
		return fmt.Errorf("design %s: layer %q takes 2^60 cycles or more", m.spec.Name, l.Name)
	}
	operand, acc, final := int64(d.Bits()), int64(m.spec.Array.AccumulatorBits[d]), int64(l.OutputBits())
	const bitsPerKiB = 1024 * 8
	problem := memory.Problem{Map: p, InputWords: l.InputWords() / groups, LineWords: l.LineWords(),
		OperandBits: operand, AccumulatorBits: acc, OutputBits: final,
		IfmapBits: int64(m.spec.Buffers.IfmapKiB) * bitsPerKiB, FilterBits: int64(m.spec.Buffers.FilterKiB) * bitsPerKiB,
		OfmapBits:     int64(m.spec.Buffers.OfmapKiB) * bitsPerKiB,
		BytesPerCycle: m.spec.BytesPerCycle(), InputOnChip: onChip, OutputOnChip: stays}
	mem, ok := memory.Run(&problem)
	if !ok {
		return fmt.Errorf("design %s: layer %q takes 2^60 cycles or more", m.spec.Name, l.Name)
	}
	cycles := p.Cycles()
	out.Cycles = cycles + mem.PrefetchCycles + mem.StallCycles
	out.ComputeCycles = p.ComputeCycles()
	out.FillDrainCycles = cycles - out.ComputeCycles
	out.StallCycles, out.PrefetchCycles = mem.StallCycles, mem.PrefetchCycles
	out.Stalls = mem.Stalls
	out.MappingEfficiency = p.MappingEfficiency()
	peak := float64(m.spec.PEs()) * float64(p.Lanes)
	out.Utilization = float64(out.MACs) / (float64(out.Cycles) * peak)
	out.ComputeUtilization = float64(out.MACs) / (float64(cycles) * peak)

	sram := p.BufferAccesses()
	out.SRAM = SRAM{sram.IfmapReads, sram.FilterReads, sram.PsumReads, sram.OfmapWrites}
	unique := (float64(l.InputWords())+float64(l.WeightWords()))*float64(operand) + float64(l.OutputWords())*float64(final)
	out.UniqueBytes = int64(math.Ceil(unique / 8))
	dramBits := (float64(mem.IfmapReads)+float64(mem.FilterReads))*float64(operand) +
		(float64(mem.PsumReads)+float64(mem.PsumWrites))*float64(acc) + float64(mem.OfmapWrites)*float64(final)
	out.DRAM = DRAM{Count(mem.IfmapReads), Count(mem.FilterReads), Count(mem.PsumReads), Count(mem.PsumWrites), Count(mem.OfmapWrites),
		Count(math.Ceil(dramBits / 8))}

	// A word from DRAM is written to its buffer once before it is read; a sum
	// is read from the ofmap buffer once more to leave it. Sums are held there
	// at the accumulator's width.
	work := p.PECycles()
	actions := energy.Actions{DType: d, Products: out.MACs, TreeAdds: out.MACs - work, Accumulates: work,
		RegisterBits: p.RegisterBits(operand, acc),
		IfmapBits:    float64(sram.IfmapReads+mem.IfmapReads) * float64(operand),
		FilterBits:   float64(sram.FilterReads+mem.FilterReads) * float64(operand),
		OfmapBits:    (float64(sram.OfmapWrites+sram.PsumReads) + float64(mem.PsumReads+mem.PsumWrites) + float64(l.OutputWords())) * float64(acc),
		DRAMBits:     dramBits}
	if stays {
		actions.IfmapBits += float64(l.OutputWords()) * float64(final)
	}
	out.Energy = m.prices.Energy(&actions)
	out.EnergyPJ = Quantity{out.Energy.TotalPJ(), true}
	out.TimeUS = Quantity{float64(out.Cycles) / m.spec.ClockMHz, true}
	out.NotModelled = m.unmodelled
	return nil
}

// scaleSim works out one layer by SCALE-Sim's formulas. Its groups are layers
// of their own there: cycles and counts here are their sum.
func (m *Model) scaleSim(out *Layer, l *workload.Layer) error {
	s := systolic.ScaleSimOf(&m.spec)
	r, err := s.Layer(l)
	if err != nil {
		return fmt.Errorf("design %s: %w", m.spec.Name, err)
	}
	g := l.GroupCount()
	if float64(r.TotalCycles)*float64(g) >= memory.MaxCycles {
		return fmt.Errorf("design %s: layer %q takes 2^60 cycles or more", m.spec.Name, l.Name)
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
