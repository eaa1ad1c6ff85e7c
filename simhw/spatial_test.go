package simhw

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/workload"
)

// smallSpatial is 16 multipliers with registers below a buffer.
func smallSpatial() design.Spec {
	s := design.Spec{Name: "s", Family: design.FamilySpatial, TechnologyNM: 45, VoltageV: 0.9, ClockMHz: 100,
		DRAM: design.DRAM{BandwidthGBs: 0.8, EnergyPJPerBit: 10}}
	s.Spatial = design.Spatial{OperandBits: 8, SumBits: 24, Count: 2}
	s.Spatial.Levels[0] = design.SpatialLevel{Name: "buffer", SharedBytes: 4096, Shares: "WIO", Children: 16, Time: "RSPQCKNG", Across: "QCK"}
	s.Spatial.Levels[1] = design.SpatialLevel{Name: "pe", Storage: design.Registers, WeightBytes: 16, InputBytes: 8, OutputBytes: 24, Shares: "-", Children: 1, Time: "RCK", Across: "-"}
	return s
}

func evaluateSpec(t *testing.T, s design.Spec, w *workload.Workload) Estimate {
	t.Helper()
	d, err := design.New(s)
	if err != nil {
		t.Fatal(err)
	}
	e, err := Evaluate(&d, w)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A matrix product of 4 rows, 8 outputs, 4 inputs with a mapping counted by hand. The
// loops, outermost first: K2 at the buffer, then P4; 2 of K and 4 of C across; 2 of K in
// the elements.
func TestSpatialByHand(t *testing.T) {
	s := smallSpatial()
	s.DRAM.BandwidthGBs = 0.4
	s.Spatial.Mapped = 1
	s.Spatial.Mappings[0] = design.LayerMapping{Layer: "g", Loops: "buffer K2 P4; across C4 K2; pe K2"}
	w := workload.Workload{Name: "w", Layers: []workload.Layer{{Name: "g", Kind: workload.Gemm, DType: dtype.Int8, M: 4, N: 8, K: 4}}}
	e := evaluateSpec(t, s, &w)
	l := &e.Layers[0]
	// 128 products on 8 elements: 16 cycles. DRAM brings 16 inputs and 32 weights and takes
	// 32 finished outputs of a byte: 80 bytes at 4 a cycle, 20 cycles, of which the array
	// computes 16.
	if l.ComputeCycles != 16 || l.Cycles != 20 || l.StallCycles != 4 || l.FillDrainCycles != 0 {
		t.Errorf("%+v: want 16 cycles and 4 of waiting", l)
	}
	// The buffer reads the 16 inputs for each K2, the 32 weights once, and takes each of
	// 32 sums of four elements once.
	if l.SRAM != (SRAM{IfmapReads: 32, FilterReads: 32, PsumReads: 0, OfmapWrites: 32}) {
		t.Errorf("buffer %+v", l.SRAM)
	}
	if l.DRAM != (DRAM{IfmapReads: 16, FilterReads: 32, OfmapWrites: 32, Bytes: 80}) || l.UniqueBytes != 80 {
		t.Errorf("DRAM %+v", l.DRAM)
	}
	if l.MappingEfficiency != 0.5 || math.Abs(l.Utilization-128.0/(20*16)) > 1e-12 {
		t.Errorf("mapping %v, utilization %v", l.MappingEfficiency, l.Utilization)
	}
	if want := 80 * 8 * 10.0; l.Energy.DRAMPJ != want {
		t.Errorf("DRAM %v pJ, want %v", l.Energy.DRAMPJ, want)
	}
	if b := &l.Energy; !(b.LowPJ < b.TotalPJ() && b.TotalPJ() < b.HighPJ) {
		t.Errorf("%v to %v around %v pJ", b.LowPJ, b.HighPJ, b.TotalPJ())
	}

	// Of another shape the layer's mapping is searched.
	w.Layers[0].M = 9
	if e := evaluateSpec(t, s, &w); e.Layers[0].MACs != 9*8*4 || e.Layers[0].Cycles < 9*8*4/16 {
		t.Errorf("%+v", e.Layers[0])
	}
	// One that does not fit is an error.
	w.Layers[0].M = 4
	s.Spatial.Mappings[0].Loops = "buffer K2 P4; across C4; pe K4"
	s.Spatial.Levels[1].OutputBytes = 9
	d, err := design.New(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Evaluate(&d, &w); err == nil || !strings.Contains(err.Error(), `layer "g": mappings[0].loops: level pe: tiles of 96 bits: it holds 72`) {
		t.Errorf("%v", err)
	}
}

// The costs that a design gives itself, of the same layer counted by hand.
func TestSpatialGivenCosts(t *testing.T) {
	s := smallSpatial()
	s.Spatial.Mapped = 1
	s.Spatial.Mappings[0] = design.LayerMapping{Layer: "g", Loops: "buffer K2 P4; across C4 K2; pe K2"}
	s.Spatial.Levels[1].AccessMACs = 3
	w := workload.Workload{Name: "w", Layers: []workload.Layer{{Name: "g", Kind: workload.Gemm, DType: dtype.Int8, M: 4, N: 8, K: 4}}}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9*math.Abs(want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	plain := evaluateSpec(t, s, &w).Layers[0]
	mac := plain.Energy.MACPJ / 128
	// Elements: 128 weights read and 32 (K2, the four rows keep them) filled, in 8
	// elements of 4 distinct words each; 16 inputs to two elements each for both K2, read
	// 128 times; 128 sums updated, none read (C is across), 128 passed on.
	words := 128.0 + 32 + 128 + 64 + 128 + 128
	near("access", plain.Energy.RegisterPJ, words*3*mac)

	s.Spatial.Levels[0].NetworkMACs = 2
	s.Spatial.Clock, s.Spatial.Control = design.Ranged{Value: 5, Low: 4}, design.Ranged{Value: 0.5, High: 0.75}
	e := evaluateSpec(t, s, &w).Layers[0].Energy
	near("network", e.NetworkPJ, (32+64+128)*2*mac) // weights, inputs, sums on their way back
	near("clock", e.ClockPJ, 5*8*16)                // 8 of 16 elements in 16 cycles
	near("control", e.ControlPJ, 0.5*8*16)
	near("all", e.TotalPJ(), plain.Energy.TotalPJ()+e.NetworkPJ+e.ClockPJ+e.ControlPJ)
	if low, high := plain.Energy.LowPJ+4*8*16, plain.Energy.HighPJ+5*8*16; !(e.LowPJ > low && e.LowPJ < e.TotalPJ() && e.HighPJ > high) {
		t.Errorf("%v to %v pJ: want more than %v to %v", e.LowPJ, e.HighPJ, low, high)
	}
	s.Spatial.ClocksIdle = true
	near("clock of all", evaluateSpec(t, s, &w).Layers[0].Energy.ClockPJ, 5*16*16)
	s.Spatial.ClocksIdle = false

	// Three quarters of the inputs are zero: of products, weights and sums in the elements
	// a quarter is left.
	w.Layers[0].ZeroInputs, w.Layers[0].ZeroOutputs = 0.75, 0.5
	near("no gating", evaluateSpec(t, s, &w).Layers[0].Energy.MACPJ, 128*mac)
	s.Spatial.GatesZeros = true
	e = evaluateSpec(t, s, &w).Layers[0].Energy
	near("gated products", e.MACPJ, 32*mac)
	near("gated accesses", e.RegisterPJ, (words-0.75*(128+128))*3*mac)

	// Of 8 bits a word that is not zero takes 10: 16 inputs are 5 bytes, 32 outputs 20.
	s.Spatial.DRAMNonzeroBits = 10
	l := evaluateSpec(t, s, &w).Layers[0]
	if l.DRAM.Bytes != 5+20+32 || l.UniqueBytes != 57 || l.Cycles != 16 || l.StallCycles != 0 {
		t.Errorf("%+v", l)
	}
	// Inputs and outputs alone take 4 cycles at 8 bytes each.
	s.Spatial.DRAMAlternates = true
	l = evaluateSpec(t, s, &w).Layers[0]
	if l.Cycles != 16+4 || l.StallCycles != 4 || l.Stalls.Main() == "" {
		t.Errorf("%+v", l)
	}
	near("clock while DRAM moves", l.Energy.ClockPJ, 5*8*20)
	// Not coded: 16 + 32 bytes.
	w.Layers[0].ZeroInputs, w.Layers[0].ZeroOutputs = 0, 0
	if l = evaluateSpec(t, s, &w).Layers[0]; l.Cycles != 16+6 {
		t.Errorf("%+v", l)
	}
}

// What must hold of any layer.
func TestSpatialProperties(t *testing.T) {
	layers := []workload.Layer{
		{Name: "c", H: 12, W: 10, C: 8, OutC: 12, KH: 3, KW: 3, PadTop: 1, PadBottom: 1, StrideH: 2},
		{Name: "d", H: 9, W: 9, C: 16, OutC: 16, KH: 3, KW: 3, Groups: 16},
		{Name: "p", H: 8, W: 8, C: 12, OutC: 10, KH: 1, KW: 1, StrideH: 3, StrideW: 3, Batch: 2},
		{Name: "g", Kind: workload.Gemm, M: 6, N: 20, K: 50},
	}
	for i := range layers {
		layers[i].DType = dtype.Int8
	}
	w := workload.Workload{Name: "w", Layers: layers}
	e := evaluateSpec(t, smallSpatial(), &w)
	if e.Total.MACs != w.MACs() {
		t.Errorf("%d products, want %d", e.Total.MACs, w.MACs())
	}
	for i := range e.Layers {
		l := &e.Layers[i]
		if l.Cycles != l.ComputeCycles+l.FillDrainCycles+l.StallCycles || l.Cycles*16 < l.MACs || l.Utilization > 1 || l.MappingEfficiency > 1 || int64(l.DRAM.Bytes) < l.UniqueBytes || !l.Roofline.Known() || l.Roofline.Cycles() > l.Cycles {
			t.Errorf("%+v", l)
		}
	}
}

// randomSpatial is a design of one to three levels whose mappings are searched for by the
// default objective.
func randomSpatial(rng *rand.Rand) design.Spec {
	maybe := func(one int, v float64) float64 {
		if rng.IntN(one) > 0 {
			return 0
		}
		return v * (0.5 + rng.Float64())
	}
	set := func() string {
		letters := ""
		for _, l := range "RSPQCKNG" {
			if rng.IntN(3) > 0 {
				letters += string(l)
			}
		}
		if letters == "" {
			return "-"
		}
		return letters
	}
	s := smallSpatial()
	s.ClockMHz = 50 + 1000*rng.Float64()
	s.DRAM.BandwidthGBs = s.ClockMHz / 1000 * (0.2 + 8*rng.Float64())
	sp := &s.Spatial
	sp.Count = 1 + rng.IntN(3)
	sp.DRAMAlternates, sp.ClocksIdle, sp.GatesZeros, sp.Packed = rng.IntN(2) == 0, rng.IntN(2) == 0, rng.IntN(2) == 0, rng.IntN(2) == 0
	sp.DRAMNonzeroBits = maybe(2, 10)
	sp.Clock.Value = maybe(2, 4)
	for i := range sp.Count {
		l := &sp.Levels[i]
		scale := 1 << (3 * (sp.Count - 1 - i))
		*l = design.SpatialLevel{Name: string(rune('a' + i)), Children: 1, Time: set(), Across: "-", Shares: "-", ReadWords: maybe(3, 6), WriteWords: maybe(3, 6),
			AccessMACs: maybe(2, float64(scale)), NetworkMACs: maybe(3, 1),
			WeightBus: maybe(2, 4), InputBus: maybe(2, 4), SumBus: maybe(2, 4), ChildrenWait: rng.IntN(3) == 0}
		if i == 0 {
			l.Time = "RSPQCKNG"
		}
		if i == 0 || rng.IntN(4) == 0 {
			l.Children, l.Across = 2+rng.IntN(20), set()
		}
		parts := [3]*int{&l.WeightBytes, &l.InputBytes, &l.OutputBytes}
		shares := ""
		for j, part := range parts {
			switch rng.IntN(3) {
			case 0:
				*part = (3 + rng.IntN(30)) * scale
			case 1:
				shares += "WIO"[j : j+1]
			}
		}
		if shares != "" {
			l.Shares, l.SharedBytes = shares, (8+rng.IntN(60))*scale
		}
	}
	return s
}

func randomSpatialLayer(rng *rand.Rand) workload.Layer {
	l := workload.Layer{Name: "l", DType: dtype.Int8, WeightWidth: 2 * rng.IntN(4)}
	if rng.IntN(4) == 0 {
		l.Kind, l.M, l.N, l.K = workload.Gemm, 1+rng.Int64N(16), 1+rng.Int64N(40), 1+rng.Int64N(60)
	} else {
		k := 1 + rng.IntN(3)
		g := 1 + rng.IntN(2)
		l.KH, l.KW, l.Groups, l.Batch = k, k, g, 1+rng.IntN(2)
		l.H, l.W, l.C, l.OutC = k+rng.IntN(12), k+rng.IntN(12), g*(1+rng.IntN(12)), g*(1+rng.IntN(12))
		l.StrideH, l.StrideW = 1+rng.IntN(2), 1+rng.IntN(2)
	}
	if rng.IntN(2) == 0 {
		l.ZeroInputs, l.ZeroOutputs = rng.Float64(), rng.Float64()
	}
	return l
}

// improvements are the ways in which a design can have more of one thing.
func improvements(s *design.Spec) []func(*design.Spec, float64) {
	list := []func(*design.Spec, float64){func(s *design.Spec, by float64) { s.DRAM.BandwidthGBs *= by }}
	for i := range s.Spatial.Count {
		for _, of := range []func(*design.SpatialLevel) *float64{
			func(l *design.SpatialLevel) *float64 { return &l.ReadWords }, func(l *design.SpatialLevel) *float64 { return &l.WriteWords },
			func(l *design.SpatialLevel) *float64 { return &l.WeightBus }, func(l *design.SpatialLevel) *float64 { return &l.InputBus }, func(l *design.SpatialLevel) *float64 { return &l.SumBus },
		} {
			if *of(&s.Spatial.Levels[i]) > 0 {
				list = append(list, func(s *design.Spec, by float64) { *of(&s.Spatial.Levels[i]) *= by })
			}
		}
		for _, of := range []func(*design.SpatialLevel) *int{
			func(l *design.SpatialLevel) *int { return &l.WeightBytes }, func(l *design.SpatialLevel) *int { return &l.InputBytes }, func(l *design.SpatialLevel) *int { return &l.OutputBytes },
			func(l *design.SpatialLevel) *int { return &l.SharedBytes }, func(l *design.SpatialLevel) *int { return &l.Children },
		} {
			if v := *of(&s.Spatial.Levels[i]); v > 1 {
				list = append(list, func(s *design.Spec, by float64) { *of(&s.Spatial.Levels[i]) = int(math.Ceil(float64(v) * by)) })
			}
		}
	}
	return list
}

// TestSpatialIsMonotone improves random designs, one thing at a time, then all at once,
// then the clock: no layer of which the fewest cycles are known takes more, by the default
// objective. A search that stops before it knows the least energy is no exception.
func TestSpatialIsMonotone(t *testing.T) {
	designs := 300
	if testing.Short() {
		designs = 40
	}
	rng := rand.New(rand.NewPCG(11, 12))
	compared, faster, unsure, dear, fit := 0, 0, 0, 0, 0
	for n := 0; fit < designs; n++ {
		s, l := randomSpatial(rng), randomSpatialLayer(rng)
		limit := int64(1 << 15)
		if n%2 == 1 {
			limit = 1 << (6 + rng.IntN(7))
		}
		limited := func(s design.Spec) (*Model, *spatialMachine) {
			d, err := design.New(s)
			if err != nil {
				t.Fatal(err)
			}
			m, err := New(&d)
			if err != nil {
				t.Fatal(err)
			}
			machine := m.machine.(*spatialMachine)
			machine.search.Limit = limit
			return m, machine
		}
		m, machine := limited(s)
		w := workload.Workload{Name: "w", Layers: []workload.Layer{l}}
		evaluate := func(s *design.Spec) (e Estimate, u unproven, ok bool) {
			if err := m.Set(s); err != nil {
				t.Fatal(err)
			}
			e, err := m.Evaluate(&w)
			if err != nil {
				return e, unproven{slow: 1}, strings.Contains(err.Error(), "no mapping among the first")
			}
			for all := range machine.warned {
				if len(e.Warnings) > 0 && &machine.warned[all][0] == &e.Warnings[0] {
					u = all
				}
			}
			if (u == unproven{}) != (len(e.Warnings) == 0) {
				t.Fatalf("design %d: warnings %q", n, e.Warnings)
			}
			dear += u.dear
			if l := &e.Layers[0]; l.Roofline.Cycles() > l.Cycles {
				t.Fatalf("design %d: %d cycles, DRAM's bytes alone take %d", n, l.Cycles, l.Roofline.Cycles())
			}
			return e, u, true
		}
		base, u, ok := evaluate(&s)
		if !ok || u.slow > 0 {
			continue
		}
		fit++
		check := func(s *design.Spec, base *Estimate, slack float64) (Estimate, bool) {
			e, u, ok := evaluate(s)
			if !ok {
				t.Fatalf("design %d: more of something fits less", n)
			}
			if u.slow > 0 {
				unsure++
				return e, false
			}
			if compared++; e.Total.TimeUS.Value < base.Total.TimeUS.Value {
				faster++
			}
			if slack == 0 && e.Total.Cycles > base.Total.Cycles || e.Total.TimeUS.Value > base.Total.TimeUS.Value*(1+1e-12)+slack/s.ClockMHz {
				t.Fatalf("design %d: %d cycles, %g µs with more, %d cycles, %g µs before\n%+v\n%+v\n%+v", n, e.Total.Cycles, e.Total.TimeUS.Value, base.Total.Cycles, base.Total.TimeUS.Value, l, m.spec.Spatial, s.Spatial)
			}
			return e, true
		}
		more := improvements(&s)
		all := s
		rng.Shuffle(len(more), func(i, j int) { more[i], more[j] = more[j], more[i] })
		for i, change := range more {
			better := s
			by := 1 + 2*rng.Float64()
			change(&better, by)
			change(&all, by)
			if i < 4 {
				check(&better, &base, 0)
			}
		}
		last, ok := check(&all, &base, 0)
		// A higher clock has less of DRAM in a cycle; each of its times there is in whole
		// cycles (TestFasterClock in simhw/spatial).
		ends := 1.0
		if all.Spatial.DRAMAlternates {
			ends = 2
		}
		for range 2 {
			if ok {
				all.ClockMHz *= 1 + rng.Float64()
				last, ok = check(&all, &last, ends)
			}
		}
		// What was evaluated before has no part in an estimate.
		if !ok {
			continue
		}
		alone, _ := limited(all)
		fresh, err := alone.Evaluate(&w)
		if err != nil {
			t.Fatal(err)
		}
		if again, _, _ := evaluate(&all); !reflect.DeepEqual(fresh.Layers, again.Layers) || !reflect.DeepEqual(fresh.Warnings, again.Warnings) {
			t.Fatalf("design %d: %+v after others, %+v alone", n, again.Layers, fresh.Layers)
		}
	}
	if compared < 5*designs || faster < designs || dear == 0 || unsure == 0 {
		t.Errorf("only %d compared, %d of them faster, %d with unknown least energy, %d with unknown cycles", compared, faster, dear, unsure)
	}
	t.Logf("%d compared, %d of them faster, %d with unknown least energy; %d with unknown cycles", compared, faster, dear, unsure)
}

// A product of energy and cycles gives up time: TestSpatialIsMonotone does not hold of it,
// which is why it is not the default.
func TestEnergyDelayGivesUpTime(t *testing.T) {
	d := load(t, "eyeriss")
	s := d.Spec()
	if s.Spatial.Objective != design.LeastCycles {
		t.Fatalf("eyeriss searches for objective %d", s.Spatial.Objective)
	}
	w := workload.Workload{Name: "w", Layers: []workload.Layer{
		{Name: "a", DType: dtype.Int8, H: 12, W: 10, C: 8, OutC: 12, KH: 3, KW: 3, PadTop: 1, PadBottom: 1, StrideH: 2},
		{Name: "b", Kind: workload.Gemm, DType: dtype.Int8, M: 6, N: 20, K: 50}}}
	time := func(o design.Objective, mhz float64) float64 {
		s.Spatial.Objective, s.ClockMHz = o, mhz
		e := evaluateSpec(t, s, &w)
		return e.Total.TimeUS.Value
	}
	gave := false
	for mhz := 400.0; mhz < 2000; mhz *= 1.5 {
		if slow, fast := time(design.LeastCycles, mhz), time(design.LeastCycles, mhz*1.5); fast > slow+4/mhz {
			t.Errorf("%g µs at %g MHz, %g µs above", slow, mhz, fast)
		}
		gave = gave || time(design.EnergyDelay, mhz*1.5) > time(design.EnergyDelay, mhz)+4/mhz
	}
	if !gave {
		t.Error("energy_delay never gives up time here: its documentation says that it may")
	}
}

// Variants of a design with mappings are evaluated without allocation.
func TestSpatialAllocatesNothing(t *testing.T) {
	d := load(t, "eyeriss")
	w := workload.Workload{Name: "w", Layers: []workload.Layer{{Name: "alexnet_conv3", DType: dtype.Int8, Batch: 4, H: 15, W: 15, C: 256, OutC: 384, KH: 3, KW: 3}}}
	m, err := New(&d)
	if err != nil {
		t.Fatal(err)
	}
	var e Estimate
	s := m.Spec()
	if n := testing.AllocsPerRun(5, func() {
		s.DRAM.BandwidthGBs += 0.1
		s.Spatial.Levels[0].InputBus += 0.5
		if err := m.Set(&s); err != nil {
			t.Fatal(err)
		}
		if err := m.EvaluateInto(&e, &w); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a variant", n)
	}
	// 13·3·16·4 cycles for each of 4 images in 6·64 passes.
	if got := e.Layers[0].ComputeCycles; got != 13*3*16*4*4*6*64 {
		t.Errorf("%d cycles", got)
	}
}

// Variants whose mappings are searched are evaluated without allocation too, once the
// search's memory has grown, and so are those whose searches stop at their limit.
func TestSpatialSearchesAllocateNothing(t *testing.T) {
	layers := []workload.Layer{
		{Name: "c", DType: dtype.Int8, H: 12, W: 10, C: 8, OutC: 12, KH: 3, KW: 3, PadTop: 1, PadBottom: 1, StrideH: 2},
		{Name: "p", DType: dtype.Int8, H: 8, W: 8, C: 12, OutC: 10, KH: 1, KW: 1, Batch: 2, ZeroInputs: 0.5},
		{Name: "g", Kind: workload.Gemm, DType: dtype.Int8, M: 6, N: 20, K: 50},
	}
	w := workload.Workload{Name: "w", Layers: layers}
	for _, limit := range []int64{searchLimit, 3000} {
		for name, change := range map[string]func(s *design.Spec, i int){
			"bandwidth": func(s *design.Spec, i int) { s.DRAM.BandwidthGBs = 0.5 + 0.1*float64(i%8) },
			"clock":     func(s *design.Spec, i int) { s.ClockMHz = 100 + 10*float64(i%8) },
			"buffer":    func(s *design.Spec, i int) { s.Spatial.Levels[0].SharedBytes = 4096 + 512*(i%8) },
			"prices":    func(s *design.Spec, i int) { s.DRAM.EnergyPJPerBit = 10 + float64(i%8) },
			"nothing":   func(s *design.Spec, i int) {},
		} {
			s := smallSpatial()
			s.Spatial.DRAMNonzeroBits = 10
			d, err := design.New(s)
			if err != nil {
				t.Fatal(err)
			}
			m, err := New(&d)
			if err != nil {
				t.Fatal(err)
			}
			machine := m.machine.(*spatialMachine)
			machine.search.Limit = limit
			var e Estimate
			i, warned := 0, 0
			variant := func() {
				i++
				change(&s, i)
				if err := m.Set(&s); err != nil {
					t.Fatal(err)
				}
				if err := m.EvaluateInto(&e, &w); err != nil {
					t.Fatal(err)
				}
				warned += len(e.Warnings)
			}
			for range 8 {
				variant()
			}
			if n := testing.AllocsPerRun(8, variant); n != 0 {
				t.Errorf("%s, limit %d: %v allocations for a variant", name, limit, n)
			}
			if (warned > 0) != (limit < searchLimit) {
				t.Errorf("%s, limit %d: %d warnings", name, limit, warned)
			}
		}
	}
}

// Finished outputs go to DRAM at their own width, wider or narrower than sums; a mapping
// for a layer of the same name and other loops is not taken without a word.
func TestSpatialOutputsAndMisfits(t *testing.T) {
	s := smallSpatial()
	s.DRAM.BandwidthGBs = 0.008 // 0.08 bytes a cycle: all waits for it
	w := workload.Workload{Name: "w", Layers: []workload.Layer{{Name: "g", Kind: workload.Gemm, DType: dtype.Int8, M: 4, N: 8, K: 4}}}
	for _, c := range []struct{ operand, sum int }{{8, 24}, {8, 8}, {32, 16}} {
		s.Spatial.OperandBits, s.Spatial.SumBits, s.Spatial.Levels[1].WeightBytes = c.operand, c.sum, 64
		s.Spatial.Levels[1].InputBytes, s.Spatial.Levels[1].OutputBytes = 64, 64
		e := evaluateSpec(t, s, &w)
		l := &e.Layers[0]
		if want := int64(math.Ceil(float64(l.DRAM.Bytes) / s.BytesPerCycle())); l.DRAM.Bytes != Count(80*c.operand/8) || l.Cycles < want || l.Cycles > want+1 {
			t.Errorf("%d bits, sums of %d: %d cycles, want %d for %d bytes", c.operand, c.sum, l.Cycles, want, l.DRAM.Bytes)
		}
	}
	s = smallSpatial()
	s.Spatial.Mapped = 1
	s.Spatial.Mappings[0] = design.LayerMapping{Layer: "g", Loops: "buffer K2 P2; across C4 K2; pe K2"} // P is 4
	if e := evaluateSpec(t, s, &w); len(e.Warnings) != 1 || !strings.Contains(e.Warnings[0], "mappings of 1 layers do not have the loops") {
		t.Errorf("warnings %q", e.Warnings)
	}
}
