package simhw

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"macroscope/simhw/design"
	"macroscope/simhw/energy"
	"macroscope/simhw/memory"
	"macroscope/simhw/spatial"
	"macroscope/workload"
)

// spatialMachine estimates arrays below a tree of buffers by package spatial, layers one
// after another, each with the design's mapping or with the best that a search finds.
type spatialMachine struct {
	spec      design.Spec
	arch      spatial.Arch
	words     [3]spatial.Prices // of whole words, by energy.Bound
	prices    [3]spatial.Prices // of the layer's
	priceSets energy.Prices
	area      energy.Area

	unmodelled []string
	limits     []string
	gives      [5]bool           // what limits is made for
	given      []spatial.Mapping // the design's, read

	mu       sync.Mutex // over what follows: estimates share its memory
	problem  spatial.Problem
	search   spatial.Search
	known    map[searched]int // places in outcomes
	outcomes []outcome
	warned   map[unproven][]string
	whole    spatial.Arch // arch with whole words
	widths   widths       // that arch and prices are for
}

// widths are the bits of inputs and weights as they are kept.
type widths struct{ input, weight int }

// searched is what a search was for: a spatial.Problem of which all outputs are wanted,
// in the 128 bytes up to which a map keeps keys without allocating each.
type searched struct {
	bounds spatial.Factors
	steps  [4]int32
	outer  [spatial.Spaces]float64
	widths widths
}

func (m *spatialMachine) keyOf(p *spatial.Problem) searched {
	return searched{p.Bounds, [4]int32{int32(p.StrideP), int32(p.StrideQ), int32(p.DilationR), int32(p.DilationS)}, p.OuterBits, m.widths}
}

// widthsOf are those of a layer's operands as they are kept.
func (m *spatialMachine) widthsOf(l *workload.Layer) widths {
	if m.spec.Spatial.Packed {
		return widths{l.DType.Bits(), l.WeightBits()}
	}
	return widths{m.spec.Spatial.OperandBits, m.spec.Spatial.OperandBits}
}

// narrow sets arch and prices to the widths of operands.
func (m *spatialMachine) narrow(w widths) {
	if w == m.widths {
		return
	}
	m.widths = w
	for b := range m.prices {
		m.prices[b] = m.words[b].Narrow(w.input, w.weight, m.spec.Spatial.OperandBits)
	}
	m.arch.Narrow(w.input, w.weight, &m.prices[energy.Nominal])
}

// outcome is that of a search.
type outcome struct {
	mapping           spatial.Mapping
	fast              spatial.Mapping // see spatial.Search
	fastest, complete bool
	repriced          bool // mapping and complete are those of other energies
	err               error
}

// unproven counts an estimate's layers whose search came to no end: those that may have
// a faster mapping, and those that may have only one of less energy; and those that the
// design's mappings of their names do not fit.
type unproven struct{ slow, dear, misfits int }

// mostSearches bounds how many outcomes are kept.
const mostSearches = 4096

// searchLimit is what each pass of a layer's search may look at: a second or two where it
// comes to that. Those of the shipped design end before.
const searchLimit = 1 << 21

var spatialLimits = []string{outputsUnmodelled, "latency of a DRAM access", "padding is read like other inputs", "loops that do not divide a layer, unless the design's mapping has them"}

// costsGiven tells which of costNames a design gives.
func costsGiven(s *design.Spatial) [5]bool {
	networks := false
	for i := range s.Levels[:s.Count] {
		networks = networks || s.Levels[i].NetworkMACs > 0
	}
	return [...]bool{s.Clock.Value > 0, s.Control.Value > 0, networks, s.GatesZeros, s.DRAMNonzeroBits > 0}
}

var costNames = [...]string{"clock distribution", "control", "energy of the networks between buffers", "zeros that are skipped", "compression"}

// limitsOf is what no estimate has, with what the design does not give.
func limitsOf(gives [5]bool) []string {
	var limits []string
	for i, given := range gives {
		if !given {
			limits = append(limits, costNames[i])
		}
	}
	return append(limits, spatialLimits...)
}

const methodSpatial = "analytical model; reads, fills and updates equal those of a walk that keeps every word (Timeloop's where it does not approximate); see macroscope designs --validate for Eyeriss"

var spatialChecks = []design.Check{
	{What: "reads, fills and updates of every buffer", Against: "a walk of random loop nests that moves the words", Result: "equal"},
	{What: "reads, fills, updates, cycles, energy", Against: "120 mappings that Timeloop v2.0 evaluated", Result: "976 of 976 counts equal, the 318 of inputs with its approximations, which change 83 of them; cycles within 1, energy to the printed digits"},
	{What: "best mapping", Against: "brute force over all mappings of small layers", Result: "equal"},
}

func (m *spatialMachine) set(s *design.Spec) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	reread := m.given == nil || !sameMappings(&m.spec.Spatial, &s.Spatial)
	m.spec = *s
	fail := func(err error) error { return fmt.Errorf("design %s: %w", s.Name, err) }
	for b := range m.words {
		var err error
		if m.words[b], err = spatial.PricesOf(s, energy.Bound(b)); err != nil {
			return fail(err)
		}
	}
	m.prices, m.widths = m.words, widths{s.Spatial.OperandBits, s.Spatial.OperandBits}
	arch, err := spatial.ArchOf(s, &m.prices[energy.Nominal])
	if err != nil {
		return fail(err)
	}
	m.keep(&arch, s.Spatial.Objective)
	if reread {
		m.given = make([]spatial.Mapping, s.Spatial.Mapped)
		for i := range m.given {
			if m.given[i], err = m.arch.ParseMapping(s.Spatial.Mappings[i].Loops); err != nil {
				return fail(fmt.Errorf("mappings[%d].loops: %w", i, err))
			}
		}
	}
	config := s.Spatial.EnergyConfig(s, s.Spatial.Count)
	if m.priceSets, err = energy.NewPrices(config); err != nil {
		return fail(err)
	}
	m.area = spatialArea(s, config)
	m.unmodelled = unpriced(&m.priceSets, &m.area)
	if gives := costsGiven(&s.Spatial); m.limits == nil || gives != m.gives {
		m.gives, m.limits = gives, limitsOf(gives)
	}
	return nil
}

// keep takes an accelerator and an objective, and keeps of what was found before what
// holds of them too.
func (m *spatialMachine) keep(arch *spatial.Arch, o design.Objective) {
	if m.search.Limit == 0 {
		m.search.Limit = searchLimit
	}
	same := o == m.search.Objective
	switch {
	case same && *arch == m.whole:
	case same && o == design.LeastCycles && arch.Unpriced() == m.whole.Unpriced():
		for i := range m.outcomes {
			m.outcomes[i].repriced = true
		}
	default:
		clear(m.known)
		m.outcomes = m.outcomes[:0]
	}
	m.arch, m.whole = *arch, *arch
	m.search.Arch, m.search.Objective = &m.arch, o
}

// sameMappings tells whether two designs' mappings read the same.
func sameMappings(a, b *design.Spatial) bool {
	if a.Count != b.Count || a.Mapped != b.Mapped || a.Mappings != b.Mappings {
		return false
	}
	for i := range a.Levels {
		if a.Levels[i].Name != b.Levels[i].Name {
			return false
		}
	}
	return true
}

// spatialArea adds up multipliers, registers and SRAM of all instances. A multiplier of
// wide operands is as many 8-bit ones as make its product.
func spatialArea(s *design.Spec, config energy.Config) energy.Area {
	sp := &s.Spatial
	unit, parts := sp.Unit()
	config.Lanes[unit] = int(math.Ceil(parts))
	sram, registers, instances := 0.0, 0.0, 1.0
	for i := range sp.Levels[:sp.Count] {
		l := &sp.Levels[i]
		bytes := instances * float64(l.WeightBytes+l.InputBytes+l.OutputBytes+l.SharedBytes)
		if l.Storage == design.Registers {
			registers += bytes
		} else {
			sram += bytes
		}
		instances *= float64(l.Children)
	}
	config.IfmapKiB, config.FilterKiB, config.OfmapKiB = sram/1024, 0, 0
	return energy.AreaOf(config, sp.Multipliers(), int(registers*8/float64(sp.Multipliers())))
}

func (m *spatialMachine) checks() []design.Check { return spatialChecks }

func (m *spatialMachine) describe(e *Estimate) {
	e.Area, e.Limits, e.Method = m.area, m.limits, methodSpatial
}

func (m *spatialMachine) layers(e *Estimate, w *workload.Workload) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var u unproven
	err := e.each(w, func(out *Layer, l *workload.Layer) error { return m.layer(out, l, &u) })
	if err != nil {
		return err
	}
	if u != (unproven{}) {
		e.Warnings = m.warn(e.Warnings, u)
	}
	e.Total.NotModelled = m.unmodelled
	return nil
}

// warn appends to the design's warnings, which are the same for all estimates, what the
// searches left open.
func (m *spatialMachine) warn(warnings []string, u unproven) []string {
	all, known := m.warned[u]
	if known {
		return all
	}
	if all = slices.Clip(warnings); u.slow > 0 {
		all = append(all, fmt.Sprintf("the search for a mapping stopped after %d candidates in %d layers: there may be better ones, so that more bandwidth, larger buffers or a higher clock may seem to cost time there", m.search.Limit, u.slow))
	}
	if u.dear > 0 {
		all = append(all, fmt.Sprintf("the search for a mapping stopped after %d candidates in %d layers: none is faster, but some may take less energy", m.search.Limit, u.dear))
	}
	if u.misfits > 0 {
		all = append(all, fmt.Sprintf("the design's mappings of %d layers do not have the loops of the layers of that name here, which are searched", u.misfits))
	}
	if m.warned == nil {
		m.warned = map[unproven][]string{}
	}
	m.warned[u] = slices.Clip(all)
	return m.warned[u]
}

// mapping is the design's for a layer of that name and shape, or the best; u counts it
// where a better one is not ruled out, or the design's has other loops.
func (m *spatialMachine) mapping(l *workload.Layer, p *spatial.Problem, u *unproven) (*spatial.Mapping, error) {
	for i := range m.spec.Spatial.Mappings[:m.spec.Spatial.Mapped] {
		if m.spec.Spatial.Mappings[i].Layer != l.Name {
			continue
		}
		mapping := &m.given[i]
		padded, ok := mapping.Covers(m.arch.Count, p)
		if !ok { // for another layer of this name
			u.misfits++
			break
		}
		if err := m.arch.CheckMapping(&padded, mapping); err != nil {
			key := fmt.Sprintf("mappings[%d].loops", i)
			return nil, &design.KeyError{Key: key, Err: fmt.Errorf("layer %q: %s: %w", l.Name, key, err)}
		}
		*p = padded
		return mapping, nil
	}
	f := m.outcome(p)
	if f.err != nil {
		return nil, &design.KeyError{Key: "levels", Err: fmt.Errorf("layer %q: %w: want larger buffers, or more dimensions in their time and across", l.Name, f.err)}
	}
	switch {
	case f.complete:
	case f.fastest:
		u.dear++
	default:
		u.slow++
	}
	return &f.mapping, nil
}

// outcome is that of an earlier search of a problem where there was one.
func (m *spatialMachine) outcome(p *spatial.Problem) *outcome {
	key := m.keyOf(p)
	at, known := m.known[key]
	if !known {
		if m.known == nil {
			m.known = map[searched]int{}
		}
		if len(m.known) >= mostSearches {
			clear(m.known)
			m.outcomes = m.outcomes[:0]
		}
		at = len(m.outcomes)
		m.known[key] = at
		m.outcomes = append(m.outcomes, outcome{})
	}
	f, s := &m.outcomes[at], &m.search
	var r spatial.Result
	switch {
	case !known:
		f.err = s.Find(p, &f.mapping, &r)
	case f.repriced && f.err == nil:
		s.FindAgain(p, &f.fast, f.fastest, &f.mapping, &r)
	default:
		return f
	}
	f.fast, f.fastest, f.complete, f.repriced = s.Fast, s.Fastest, s.Complete, false
	return f
}

// read makes a problem of a layer and takes the widths of its operands.
func (m *spatialMachine) read(p *spatial.Problem, l *workload.Layer) error {
	if err := p.Read(l); err != nil {
		return err
	}
	m.narrow(m.widthsOf(l))
	for s, bits := range m.outerBits(l) {
		if bits != float64(m.arch.Bits[s]) { // else it is as wide as inside, which bounds the search closer
			p.OuterBits[s] = bits
		}
	}
	return nil
}

// outerBits is what a word of weights, of inputs and of finished outputs of a layer takes
// at DRAM.
func (m *spatialMachine) outerBits(l *workload.Layer) (bits [spatial.Spaces]float64) {
	output := float64(m.spec.Spatial.OperandBits)
	if m.spec.Spatial.Packed {
		output = float64(l.OutputBits())
	}
	bits = [spatial.Spaces]float64{spatial.Weights: float64(m.widths.weight), spatial.Inputs: float64(m.widths.input), spatial.Outputs: output}
	bits[spatial.Inputs] *= m.coded(l.ZeroInputs, bits[spatial.Inputs])
	bits[spatial.Outputs] *= m.coded(l.ZeroOutputs, output)
	return bits
}

func (m *spatialMachine) layer(out *Layer, l *workload.Layer, u *unproven) error {
	p := &m.problem
	if err := m.read(p, l); err != nil {
		return err
	}
	if sp := &m.spec.Spatial; l.DType.Integer() && !sp.Packed {
		out.hold(sp.OperandBits, sp.OperandBits)
	}
	mapping, err := m.mapping(l, p, u)
	if err != nil {
		return err
	}
	var r spatial.Result
	m.arch.Evaluate(p, mapping, &r)
	dram := &r.Levels[m.arch.Count-1]
	weights, inputs, sums := &dram.Spaces[spatial.Weights], &dram.Spaces[spatial.Inputs], &dram.Spaces[spatial.Outputs]
	finished := min(l.OutputWords(), sums.Updates)
	word := m.outerBits(l)
	bits := float64(weights.Reads)*word[spatial.Weights] + float64(inputs.Reads)*word[spatial.Inputs] +
		float64(finished)*word[spatial.Outputs] + float64(sums.Updates-finished+sums.Reads)*float64(m.spec.Spatial.SumBits)
	if r.Cycles >= memory.MaxCycles {
		return tooLong(l.Name)
	}
	out.Cycles, out.ComputeCycles, out.FillDrainCycles = r.Cycles, r.ComputeCycles, r.WaitCycles
	out.StallCycles = r.Cycles - r.ComputeCycles - r.WaitCycles
	all := float64(m.spec.Spatial.Multipliers())
	out.MappingEfficiency = float64(r.Multipliers) / all * float64(out.MACs) / float64(r.MACs)
	out.Utilization = float64(out.MACs) / (float64(out.Cycles) * all)
	out.ComputeUtilization = float64(out.MACs) / (float64(r.ComputeCycles+r.WaitCycles) * all)

	inner := r.InnerCycles - out.ComputeCycles - out.FillDrainCycles
	out.Stalls[memory.OnChip] = inner
	if out.StallCycles > inner {
		cause := memory.IfmapRead
		switch {
		case sums.Reads+sums.Updates-l.OutputWords() > max(weights.Reads, inputs.Reads):
			cause = memory.Psum
		case l.OutputWords() > max(weights.Reads, inputs.Reads):
			cause = memory.OfmapWrite
		case weights.Reads > inputs.Reads:
			cause = memory.FilterRead
		}
		out.Stalls[cause] = out.StallCycles - inner
	}
	// Below DRAM the outermost buffer of each dataspace is the one that feeds the array.
	top := func(s spatial.Space) spatial.Counts {
		for i := m.arch.Count - 2; i >= 0; i-- {
			if m.arch.Levels[i].Keep[s] {
				c, n := r.Levels[i].Spaces[s], r.Levels[i].Instances
				return spatial.Counts{Reads: n * c.Reads, Fills: n * c.Fills, Updates: n * c.Updates}
			}
		}
		return spatial.Counts{}
	}
	psums := top(spatial.Outputs)
	out.SRAM = SRAM{IfmapReads: top(spatial.Inputs).Reads, FilterReads: top(spatial.Weights).Reads, PsumReads: psums.Reads, OfmapWrites: psums.Updates}
	out.DRAM = DRAM{IfmapReads: Count(inputs.Reads), FilterReads: Count(weights.Reads), PsumReads: Count(sums.Reads), PsumWrites: Count(sums.Updates - finished),
		OfmapWrites: Count(finished), Bytes: Count(math.Ceil(bits / 8))}
	out.Roofline = rooflineOf(out.MACs, all, bits/8, m.spec.BytesPerCycle())
	out.UniqueBytes = int64(math.Ceil((float64(l.InputWords())*word[spatial.Inputs] + float64(l.WeightWords())*word[spatial.Weights] + float64(l.OutputWords())*word[spatial.Outputs]) / 8))
	out.TimeUS = Quantity{float64(out.Cycles) / m.spec.ClockMHz, true}
	live := 1.0
	if m.spec.Spatial.GatesZeros {
		live -= l.ZeroInputs
	}
	m.energy(out, &r, bits, live)
	out.NotModelled = m.unmodelled
	return nil
}

// coded is what a word of so many bits takes at DRAM of which a share is zero, as part
// of a whole one.
func (m *spatialMachine) coded(zeros, wordBits float64) float64 {
	bits := m.spec.Spatial.DRAMNonzeroBits
	if zeros == 0 || bits == 0 {
		return 1
	}
	return min(1, (1-zeros)*bits/wordBits)
}

// energy prices a layer at the table's values and at the ends of their ranges.
func (m *spatialMachine) energy(out *Layer, r *spatial.Result, dramBits, live float64) {
	at := func(b energy.Bound, dramBit float64) energy.Breakdown {
		spent := m.prices[b].EnergyPJ(&m.arch, r, live)
		e := energy.Breakdown{MACPJ: spent.MAC, DRAMPJ: dramBits * dramBit, NetworkPJ: spent.Network, ClockPJ: spent.Clock, ControlPJ: spent.Control}
		for i := range m.arch.Count - 1 {
			for s, pj := range spent.Access[i] {
				switch level := &m.spec.Spatial.Levels[m.spec.Spatial.Count-1-i]; {
				case level.Storage == design.Registers:
					e.RegisterPJ += pj
				case spatial.Space(s) == spatial.Weights:
					e.FilterSRAMPJ += pj
				case spatial.Space(s) == spatial.Inputs:
					e.IfmapSRAMPJ += pj
				default:
					e.OfmapSRAMPJ += pj
				}
			}
		}
		return e
	}
	low, high := at(energy.Low, m.priceSets.Low.DRAMBit), at(energy.High, m.priceSets.High.DRAMBit)
	e := at(energy.Nominal, m.priceSets.DRAMBit)
	e.LowPJ, e.HighPJ = low.TotalPJ(), high.TotalPJ()
	e.Priced, e.DRAMPriced = true, m.priceSets.HasDRAM()
	m.priceSets.Leak(&e, &m.area, out.TimeUS.Value)
	out.Energy = e
	out.EnergyPJ = Quantity{e.TotalPJ(), true}
}
