package simhw

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/simhw/energy"
	"macroscope/simhw/streaming"
	"macroscope/workload"
)

// streamingMachine estimates pipelines with an engine a layer, by package streaming.
type streamingMachine struct {
	spec   design.Spec
	prices energy.Prices // where the design has a fabric

	mu       sync.Mutex // over what follows: estimates share its memory
	net      streaming.Network
	folds    []streaming.Fold
	folder   streaming.Folder
	pipe     streaming.Pipeline
	schedule streaming.Schedule
	warned   map[misfit][]string
}

var (
	streamingUnmodelled = []string{"energy"}
	fabricUnmodelled    = []string{"dram energy"}
	streamingLimits     = []string{"energy of clocks, of converters and padding, and of everything on a board but the fabric (the processor, DRAM, regulators)", "waiting for DRAM, which brings an image's pixels a word a cycle", "whether a chip has room for the engines", "area (macroscope designs --validate has LUTs and block RAMs)"}
	streamingChecks     = []design.Check{
		{What: "every value; latency and interval, to the cycle", Against: "a stepped machine that moves the operands of random networks and of the CIFAR-10 network in int8 and binary", Result: "equal, with FIFOs as deep as the model asks for"},
		{What: "layers' cycles", Against: "the folding of FINN's cnvW1A1 and lfcW1A1", Result: "equal"},
		{What: "latency of one image", Against: "FINN's CNV on a PYNQ-Z2 and an Arty A7-100T, MLPerf Tiny v0.7", Result: "1.5 and 1.8 % less", Published: true},
	}
)

// Words that the schedule walks over at most: of a stream, three of whose lengths it
// keeps in memory, and in all, which takes a second.
const (
	mostWords  = 1 << 23
	mostWalked = 1 << 27
)

const methodStreaming = "analytical model: steps of each layer's units, and a walk of one image's words through them; FIFOs deep enough that none waits for room"

func (m *streamingMachine) set(s *design.Spec) error {
	m.spec = *s
	if s.Streaming.Fabric.StaticMW > 0 {
		var err error
		if m.prices, err = energy.NewPrices(s.FabricEnergyConfig()); err != nil {
			return fmt.Errorf("design %s: %w", s.Name, err)
		}
	}
	return nil
}

// unmodelled names what the estimates leave out.
func (m *streamingMachine) unmodelled() []string {
	if m.spec.Streaming.Fabric.StaticMW > 0 {
		return fabricUnmodelled
	}
	return streamingUnmodelled
}

// energy prices a layer's work for one image. FIFOs are taken to be made of registers.
func (m *streamingMachine) energy(out *Layer, a *streaming.Actions) {
	f := &m.spec.Streaming.Fabric
	if f.StaticMW == 0 {
		return
	}
	at := func(p *energy.PriceSet, logic, memory float64) energy.Breakdown {
		return energy.Breakdown{
			MACPJ:        logic * (a.Selects*p.Product[dtype.Binary] + a.MultiplyMAC*p.Product[dtype.Int8] + a.AddBits*p.TreeAdd[dtype.Binary]),
			RegisterPJ:   logic * (a.RegisterBits + a.FIFOBits) * p.RegisterBit,
			IfmapSRAMPJ:  memory * a.WindowBits * p.IfmapBit,
			FilterSRAMPJ: memory * a.WeightBits * p.FilterBit,
		}
	}
	e := at(&m.prices.PriceSet, f.LogicOverASIC, f.MemoryOverASIC)
	low, high := at(&m.prices.Low, f.LogicOverASICLow, f.MemoryOverASICLow), at(&m.prices.High, f.LogicOverASICHigh, f.MemoryOverASICHigh)
	e.LowPJ, e.HighPJ, e.Priced = low.TotalPJ(), high.TotalPJ(), true
	out.Energy = e
	out.EnergyPJ = Quantity{e.TotalPJ(), true}
}

// static adds what the device takes while one image passes, to the total alone: the
// layers are at work at once.
func (m *streamingMachine) static(t *Total) {
	f := &m.spec.Streaming.Fabric
	if f.StaticMW == 0 {
		return
	}
	const pjPerMWUS = 1e3 // 1 mW for 1 µs is 1 nJ
	us := t.TimeUS.Value * pjPerMWUS
	t.Energy.LeakagePJ, t.Energy.LeakagePriced = f.StaticMW*us, true
	t.Energy.LowPJ += f.StaticLowMW * us
	t.Energy.HighPJ += f.StaticHighMW * us
}

func (m *streamingMachine) describe(e *Estimate) {
	e.Method, e.Limits = methodStreaming, streamingLimits
}

func (m *streamingMachine) checks() []design.Check { return streamingChecks }

// misfit is why a design's engines are for another network than an estimate's: so many
// layers have weights, or a layer that a folding does not fit. engines and lanes are the
// design's. The zero value says that they are for this one.
type misfit struct {
	layers  int
	layer   streaming.Layer
	fold    streaming.Fold
	engines int
	lanes   int64
}

func (f *misfit) String() string {
	why := fmt.Sprintf("%d layers with weights", f.layers)
	if f.layers == 0 {
		why = f.fold.Check(&f.layer).Error()
	}
	return fmt.Sprintf("the design's %d engines are for another network than this (%s): here those of the shortest interval with %d lanes", f.engines, why, f.lanes)
}

// mostMisfits bounds how many are kept in words.
const mostMisfits = 1 << 10

// warn appends a misfit to the design's warnings, which are the same for all estimates.
func (m *streamingMachine) warn(warnings []string, f *misfit) []string {
	all, known := m.warned[*f]
	if !known {
		if m.warned == nil || len(m.warned) >= mostMisfits {
			m.warned = map[misfit][]string{}
		}
		all = append(slices.Clip(warnings), f.String())
		m.warned[*f] = all
	}
	return all
}

// fold takes the design's own folding where it fits the network, else the one of the
// shortest interval that has no more lanes; of a design with engines other says why.
func (m *streamingMachine) fold() (other misfit, err error) {
	s := &m.spec.Streaming
	m.folds = m.folds[:0]
	at := 0
	for i := range m.net.Layers {
		l := &m.net.Layers[i]
		var f streaming.Fold
		if !l.Pool {
			if at < s.Count {
				f = streaming.Fold{PE: int64(s.Engines[at].PE), SIMD: int64(s.Engines[at].SIMD)}
				if other.engines == 0 && !f.Fits(l) {
					other = misfit{layer: *l, fold: f, engines: s.Count, lanes: s.AllLanes()}
				}
			}
			at++
		}
		m.folds = append(m.folds, f)
	}
	if s.Count > 0 && at != s.Count {
		other = misfit{layers: at, engines: s.Count, lanes: s.AllLanes()}
	}
	if s.Count > 0 && other.engines == 0 {
		return other, nil
	}
	folds, err := m.folder.Within(m.net.Layers, s.AllLanes())
	m.folds = append(m.folds[:0], folds...)
	return other, err
}

// build makes the pipeline of a network, and says why its folding is not the design's.
func (m *streamingMachine) build(w *workload.Workload) (other misfit, err error) {
	if err := m.net.Read(w); err != nil {
		return other, err
	}
	if other, err = m.fold(); err != nil {
		return other, err
	}
	return other, m.pipe.Build(m.net.Layers, m.folds, int64(m.spec.Streaming.EnginePipelineCycles))
}

// short wants streams of few enough words, each and all together.
func (m *streamingMachine) short(each, all int64) error {
	words := int64(0)
	for i := range m.pipe.Units {
		u := &m.pipe.Units[i]
		if words += u.OutWords; u.OutWords > each || words > all {
			return fmt.Errorf("layer %q passes on %d words for an image, those before it %d: want %d and %d at most", m.net.Layers[u.Layer].Name, u.OutWords, words-u.OutWords, each, all)
		}
	}
	return nil
}

// layers puts all layers to work at once. What a layer takes is its own time for an
// image; the total is what passes from an image's first pixel to its last output.
func (m *streamingMachine) layers(e *Estimate, w *workload.Workload) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	other, err := m.build(w)
	if err != nil {
		return err
	}
	if err := m.short(mostWords, mostWalked); err != nil {
		return err
	}
	m.schedule.First(&m.pipe)
	if other.engines > 0 {
		e.Warnings = m.warn(e.Warnings, &other)
	}
	e.UnmodelledLayers = e.UnmodelledLayers[:0]
	for _, i := range m.net.Beside {
		l := &w.Layers[i]
		e.UnmodelledLayers = append(e.UnmodelledLayers, Unmodelled{l.Name, l.Op, l.Elements})
	}
	lanes := 0.0
	for i := range m.net.Layers {
		lanes += float64(m.folds[i].PE * m.folds[i].SIMD)
		if err := m.layer(e, w, i); err != nil {
			return err
		}
	}
	t := &e.Total
	t.LatencyCycles, t.IntervalCycles = m.schedule.Latency, m.schedule.Interval
	t.Cycles = t.LatencyCycles
	t.ComputeCycles = min(t.IntervalCycles, t.LatencyCycles)
	t.FillDrainCycles = t.Cycles - t.ComputeCycles
	t.TimeUS.Value = float64(t.LatencyCycles) / m.spec.ClockMHz
	t.NotModelled = m.unmodelled()
	m.static(t)
	t.busy = float64(t.MACs) / lanes * float64(t.Cycles) / float64(t.IntervalCycles) // at a steady rate
	return nil
}

func (m *streamingMachine) layer(e *Estimate, w *workload.Workload, i int) error {
	l, f := &m.net.Layers[i], m.folds[i]
	from := workload.Layer{Name: l.Name, Kind: workload.Other, DType: e.DType}
	if at := m.net.Index[i]; at >= 0 {
		from = w.Layers[at]
	}
	out := e.open(&from)
	out.Cycles = l.Cycles(f)
	out.ComputeCycles = out.Cycles
	oh, ow, oc := l.Out()
	inputs, outputs := l.H*l.W*l.C, oh*ow*oc
	if l.Pool {
		out.Kind = "maxpool"
		out.SRAM = SRAM{IfmapReads: inputs, OfmapWrites: outputs}
	} else {
		mh, mw, vectors := l.Matrix()
		out.ComputeCycles = l.EngineCycles(f)
		out.PE, out.SIMD = f.PE, f.SIMD
		out.ComputeUtilization, out.MappingEfficiency = 1, 1 // a folding divides its layer
		out.Utilization = float64(out.ComputeCycles) / float64(out.Cycles)
		out.SRAM = SRAM{IfmapReads: vectors * mw, FilterReads: vectors * mw * mh, OfmapWrites: outputs}
	}
	out.FillDrainCycles = out.Cycles - out.ComputeCycles
	first, last := i == 0, i == len(m.net.Layers)-1
	bits := 0.0
	if first {
		out.DRAM.IfmapReads = Count(inputs)
		bits += float64(inputs) * float64(l.InBits)
	}
	if last {
		out.DRAM.OfmapWrites = Count(outputs)
		bits += float64(outputs) * float64(l.OutBits)
	}
	out.DRAM.Bytes = Count(math.Ceil(bits / 8))
	weights := l.KH * l.KW * l.C * l.OutC
	out.UniqueBytes = int64(math.Ceil((float64(inputs)*float64(l.InBits) + float64(weights)*float64(l.WeightBits) + float64(outputs)*float64(l.OutBits)) / 8))
	out.TimeUS = Quantity{float64(out.Cycles) / m.spec.ClockMHz, true}
	out.NotModelled = m.unmodelled()
	actions := l.Actions(f)
	m.energy(out, &actions)
	return e.close(out)
}
