package simhw

import (
	"fmt"
	"math"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/simhw/energy"
	"macroscope/simhw/mactree"
	"macroscope/simhw/memory"
	"macroscope/workload"
)

// macTreeMachine estimates cores of MAC trees, layers one after another.
type macTreeMachine struct {
	spec   design.Spec
	buffer mactree.Buffer
	prices energy.Prices
	area   energy.Area

	unmodelled []string
}

var macTreeLimits = []string{"clock distribution and control", "latency of a DRAM access", "configuring a layer",
	"padding of channels in memory", "a convolution buffer that is shared out in whole banks", "additions and multiplications of Winograd's transforms",
	"area, registers and, but for pools and additions, energy of the units behind the core (biases, requantization, activations), and layers that they take without going through memory"}

const methodMACTree = "analytical model; core cycles equal those of a stepped machine; see macroscope designs --validate for NVDLA"

func (m *macTreeMachine) set(s *design.Spec) error {
	m.spec = *s
	config := s.TreeEnergyConfig()
	prices, err := energy.NewPrices(config)
	if err != nil {
		return fmt.Errorf("design %s: %w", s.Name, err)
	}
	m.prices = prices
	config.FilterKiB = 0 // one memory holds both
	registers := 0
	for d, c := range s.Tree.Channels {
		registers = max(registers, 3*c*dtype.DType(d).Bits()) // an input, weights in use and the next ones
	}
	m.area = energy.AreaOf(config, int64(s.Tree.Kernels), registers)
	m.buffer = mactree.Buffer{Bytes: float64(s.ConvBuffer.KiB) * 1024, BytesPerCycle: s.BytesPerCycle()}
	m.unmodelled = unpriced(&m.prices, &m.area)
	return nil
}

func (m *macTreeMachine) checks() []design.Check {
	return []design.Check{{What: "core cycles and every sum", Against: "the stepped machine on random int8 layers and on those of the CIFAR-10 network", Result: "equal"}}
}

func (m *macTreeMachine) describe(e *Estimate) {
	e.Area, e.Limits, e.Method = m.area, macTreeLimits, methodMACTree
}

func (m *macTreeMachine) layers(e *Estimate, w *workload.Workload) error {
	e.Total.NotModelled = m.unmodelled
	return e.eachOf(w, m.layer, m.behind)
}

func (m *macTreeMachine) layer(out *Layer, l *workload.Layer) error {
	t := &m.spec.Tree
	unit, _ := m.spec.Unit(l.DType, l.WeightBits())
	array := mactree.Array{Channels: int64(t.Channels[unit]), Kernels: int64(t.Kernels), StripeOutputs: int64(t.StripeOutputs),
		WeightLoadCycles: int64(t.WeightLoadCycles), PipelineCycles: int64(t.PipelineCycles), Winograd: t.Winograd}
	work := array.Map(l)
	traffic, ok := m.buffer.Traffic(&array, l)
	if !ok {
		return &design.KeyError{Key: "conv_buffer.kib", Err: fmt.Errorf("layer %q: conv_buffer.kib %d does not hold the input rows under a kernel (%d words) and the weights of %d output channels",
			l.Name, m.spec.ConvBuffer.KiB, l.LineWords(), t.Kernels)}
	}
	time, ok := m.buffer.Time(&work, &traffic)
	if !ok {
		return tooLong(l.Name)
	}
	out.Cycles, out.ComputeCycles, out.FillDrainCycles = time.Cycles, time.ComputeCycles, time.FillDrainCycles
	out.StallCycles, out.PrefetchCycles = time.StallCycles, time.PrefetchCycles
	out.Stalls[m.cause(&traffic)] = time.StallCycles
	if n := int64(m.spec.Behind.FinishOutputs); n > 0 {
		// The core waits for the units that finish its sums.
		if more := (l.OutputWords()+n-1)/n - (out.Cycles - out.PrefetchCycles); more > 0 {
			out.Stalls[memory.OnChip] += more
			out.StallCycles += more
			out.Cycles += more
		}
	}

	// With Winograd a MAC takes less than a product: the multipliers' use is
	// that of products.
	counts := work.Counts()
	peak := float64(array.Channels) * float64(array.Kernels)
	out.Utilization = float64(counts.Products) / (float64(out.Cycles) * peak)
	out.ComputeUtilization = float64(counts.Products) / (float64(time.ComputeCycles+time.FillDrainCycles) * peak)
	out.MappingEfficiency = work.MappingEfficiency()

	operand, weight, final := float64(l.DType.Bits()), float64(l.WeightBits()), float64(l.OutputBits())
	out.SRAM = SRAM{IfmapReads: counts.FeatureReads, FilterReads: counts.WeightReads, OfmapWrites: l.OutputWords()}
	words := func(bytes, bits float64) Count { return Count(math.Ceil(bytes * 8 / bits)) }
	out.DRAM = DRAM{IfmapReads: words(traffic.InputBytes, operand), FilterReads: words(traffic.WeightBytes, weight),
		OfmapWrites: words(traffic.OutputBytes, final), Bytes: Count(math.Ceil(traffic.Bytes()))}
	out.UniqueBytes = int64(math.Ceil((float64(l.InputWords())*operand + float64(l.WeightWords())*weight + float64(l.OutputWords())*final) / 8))

	// A word from memory is written to the buffer once before it is read; an
	// accumulator is read and written for each sum; an input is latched once
	// for all cells, weights twice: in waiting and in use, at the unit's width.
	acc := float64(t.AccumulatorBits)
	actions := energy.Actions{DType: unit, Products: counts.Products, TreeAdds: max(counts.Products-counts.Accumulates, 0), Accumulates: counts.Accumulates,
		RegisterBits: (float64(counts.FeatureReads) + 2*float64(counts.WeightReads)) * float64(unit.Bits()),
		IfmapBits:    float64(counts.FeatureReads)*operand + traffic.InputBytes*8,
		FilterBits:   float64(counts.WeightReads)*weight + traffic.WeightBytes*8,
		OfmapBits:    (2*float64(counts.Accumulates) + float64(l.OutputWords())) * acc,
		DRAMBits:     traffic.Bytes() * 8}
	out.TimeUS = Quantity{float64(out.Cycles) / m.spec.ClockMHz, true}
	out.Energy = m.prices.Energy(&actions)
	m.prices.Leak(&out.Energy, &m.area, out.TimeUS.Value)
	out.EnergyPJ = Quantity{out.Energy.TotalPJ(), true}
	out.NotModelled = m.unmodelled
	return nil
}

// behind is a layer of the units behind the core, which work from memory to memory:
// the slower of the unit and DRAM sets the pace. A comparison is priced as an addition
// of the tree.
func (m *macTreeMachine) behind(out *Layer, l *workload.Layer) (bool, error) {
	b := &m.spec.Behind
	var outputs int
	var inputs, operations int64
	switch {
	case l.Pools() && (l.Op == "maxpool" || l.Op == "averagepool" || l.Op == "globalaveragepool") && max(l.KH, l.KW) <= b.PoolSide:
		outputs, inputs, operations = b.PoolOutputs, l.InputWords(), l.Elements*int64(l.KH*l.KW-1)
	case l.Op == "add":
		outputs, inputs, operations = b.AddOutputs, 2*l.Elements, l.Elements
	}
	if outputs == 0 {
		return false, nil
	}
	operand, final := float64(l.DType.Bits()), float64(l.OutputBits())
	bytes := math.Ceil((float64(inputs)*operand + float64(l.Elements)*final) / 8)
	unit := (l.Elements + int64(outputs) - 1) / int64(outputs)
	dram := math.Ceil(bytes / m.buffer.BytesPerCycle)
	if !(dram < memory.MaxCycles/4) || unit >= memory.MaxCycles/4 {
		return false, tooLong(l.Name)
	}
	out.ComputeCycles = unit
	out.StallCycles = max(int64(dram)-unit, 0)
	cause := memory.IfmapRead
	if float64(l.Elements)*final > float64(inputs)*operand {
		cause = memory.OfmapWrite
	}
	out.Stalls[cause] = out.StallCycles
	out.Cycles = unit + out.StallCycles
	out.DRAM = DRAM{IfmapReads: Count(inputs), OfmapWrites: Count(l.Elements), Bytes: Count(bytes)}
	out.UniqueBytes = int64(bytes)
	actions := energy.Actions{DType: l.DType, TreeAdds: operations, DRAMBits: bytes * 8}
	out.TimeUS = Quantity{float64(out.Cycles) / m.spec.ClockMHz, true}
	out.Energy = m.prices.Energy(&actions)
	m.prices.Leak(&out.Energy, &m.area, out.TimeUS.Value)
	out.EnergyPJ = Quantity{out.Energy.TotalPJ(), true}
	out.NotModelled = m.unmodelled
	return true, nil
}

// cause puts a stall down to what moves most.
func (m *macTreeMachine) cause(t *mactree.Traffic) memory.Cause {
	switch most := max(t.InputBytes, t.WeightBytes, t.OutputBytes); most {
	case t.WeightBytes:
		return memory.FilterRead
	case t.InputBytes:
		return memory.IfmapRead
	}
	return memory.OfmapWrite
}
