package simhw

import (
	"fmt"
	"math"

	"macroscope/simhw/design"
	"macroscope/simhw/energy"
	"macroscope/simhw/memory"
	"macroscope/simhw/xnor"
	"macroscope/workload"
)

// xnorMachine estimates XNOR-popcount engines with all memory on chip, by package xnor:
// layers one after another.
type xnorMachine struct {
	spec   design.Spec
	engine xnor.Engine
	prices energy.Prices
	area   energy.Area
}

var (
	xnorLimits = []string{"clock distribution and control", outputsUnmodelled, "pools", "the image's way into the chip"}
	xnorChecks = []design.Check{
		{What: "cycles, sums and bits", Against: "the stepped machine on random products and on the CIFAR-10 network's layers of signs", Result: "equal; the sums are the CPU kernels'"},
	}
	// An engine that reads its weights as it needs them is in Verilog as well.
	xnorStreamedChecks = append([]design.Check{
		{What: "cycles", Against: "7 recorded runs of a Verilog engine", Result: "equal"},
		{What: "cycles and every sum of ±1", Against: "Verilog of such an engine (make test-rtl): random products and a layer of the CIFAR-10 network", Result: "equal"},
	}, xnorChecks...)
)

const methodXNOR = "analytical model; energy is compared with a chip in macroscope designs --validate"

func (m *xnorMachine) set(s *design.Spec) error {
	m.spec = *s
	x := &m.spec.XNOR
	m.engine = xnor.Engine{PEs: int64(x.PEs), SIMD: int64(x.SIMD), Pipe: int64(x.Pipe), LoadBits: int64(x.LoadBits)}
	if err := m.engine.Check(); err != nil {
		return fmt.Errorf("design %s: %w", s.Name, err)
	}
	config := x.EnergyConfig(s)
	prices, err := energy.NewPrices(config)
	if err != nil {
		return fmt.Errorf("design %s: %w", s.Name, err)
	}
	m.prices = prices
	registers := x.AccumulatorBits
	if x.LoadBits > 0 {
		registers += x.SIMD // a word of held weights
	}
	config.OfmapKiB = 0 // one memory for all activations
	m.area = energy.AreaOf(config, m.engine.PEs, registers)
	return nil
}

func (m *xnorMachine) describe(e *Estimate) {
	e.Area, e.Method, e.Limits = m.area, methodXNOR, xnorLimits
}

func (m *xnorMachine) checks() []design.Check {
	if m.engine.LoadBits > 0 {
		return xnorChecks
	}
	return xnorStreamedChecks
}

// kib is the memory that a number of bits takes.
func kib(bits float64) float64 { return bits / 8 / 1024 }

func (m *xnorMachine) layers(e *Estimate, w *workload.Workload) error {
	weights := 0.0
	for i := range w.Layers {
		l := &w.Layers[i]
		if l.Kind == workload.Other {
			continue
		}
		weights += float64(l.WeightWords()) * float64(l.WeightBits())
		if need := kib(float64(l.InputWords())*float64(l.DType.Bits()) + float64(l.OutputWords())*float64(l.OutputBits())); need > float64(m.spec.XNOR.ActivationKiB) {
			return &design.KeyError{Key: "memory.activations_kib", Err: fmt.Errorf("layer %q has %.4g KiB of inputs and outputs: want memory.activations_kib of so many, not %d", l.Name, need, m.spec.XNOR.ActivationKiB)}
		}
	}
	if need := kib(weights); need > float64(m.spec.XNOR.WeightKiB) {
		return &design.KeyError{Key: "memory.weights_kib", Err: fmt.Errorf("workload %q has %.4g KiB of weights: want memory.weights_kib of so many, not %d", w.Name, need, m.spec.XNOR.WeightKiB)}
	}
	return e.each(w, m.layer)
}

func (m *xnorMachine) layer(out *Layer, l *workload.Layer) error {
	v, n, k := l.GEMM()
	groups := l.GroupCount()
	engine := m.engine
	bits, weightBits := int64(l.DType.Bits()), int64(l.WeightBits())
	if l.DType.Integer() {
		engine.InputPlanes, engine.WeightPlanes = bits, weightBits
	}
	if !engine.Feasible(v, n, k, memory.MaxCycles/float64(groups)) {
		return tooLong(l.Name)
	}
	out.Cycles = groups * engine.Cycles(v, n, k)
	out.ComputeCycles = groups * engine.ComputeCycles(v, n, k)
	out.FillDrainCycles = out.Cycles - out.ComputeCycles
	out.Utilization = engine.Utilization(v, n, k)
	out.ComputeUtilization = out.Utilization
	passes := float64(engine.Words(k)) / float64(m.engine.Words(k))
	out.MappingEfficiency = float64(n) * float64(k) * passes / (float64(engine.Groups(n)*engine.Words(k)) * float64(engine.PEs) * float64(engine.SIMD))
	t := engine.Traffic(v, n, k)
	out.SRAM = SRAM{IfmapReads: groups * t.InputBits / bits, FilterReads: groups * t.WeightBits / weightBits, OfmapWrites: groups * t.Outputs}
	out.UniqueBytes = int64(math.Ceil((float64(l.InputWords())*float64(bits)+float64(l.WeightWords())*float64(weightBits))/8 + float64(l.OutputWords())*float64(l.OutputBits())/8))
	a := engine.Actions(v, n, k, int64(m.spec.XNOR.AccumulatorBits), int64(l.OutputBits()))
	g := float64(groups)
	a.Products, a.TreeAdds, a.Accumulates = groups*a.Products, groups*a.TreeAdds, groups*a.Accumulates
	a.RegisterBits, a.IfmapBits, a.FilterBits, a.OfmapBits = g*a.RegisterBits, g*a.IfmapBits, g*a.FilterBits, g*a.OfmapBits
	out.TimeUS = Quantity{float64(out.Cycles) / m.spec.ClockMHz, true}
	out.Energy = m.prices.Energy(&a)
	m.prices.Leak(&out.Energy, &m.area, out.TimeUS.Value)
	out.EnergyPJ = Quantity{out.Energy.TotalPJ(), true}
	if !out.Energy.LeakagePriced {
		out.NotModelled = leakUnmodelled
	}
	return nil
}
