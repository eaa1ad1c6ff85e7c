package simhw

import (
	"math"
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
	s.Spatial.Mapped = 1
	s.Spatial.Mappings[0] = design.LayerMapping{Layer: "g", Loops: "buffer K2 P4; across C4 K2; pe K2"}
	w := workload.Workload{Name: "w", Layers: []workload.Layer{{Name: "g", Kind: workload.Gemm, DType: dtype.Int8, M: 4, N: 8, K: 4}}}
	e := evaluateSpec(t, s, &w)
	l := &e.Layers[0]
	// 128 products on 8 elements: 16 cycles. DRAM brings 16 inputs and 32 weights and takes
	// 32 sums: 80 bytes at 8 a cycle, 10 cycles, while the array computes; sums count 3
	// bytes each for the time, 48 + 96 bytes in 18 cycles.
	if l.ComputeCycles != 16 || l.Cycles != 18 || l.StallCycles != 2 || l.FillDrainCycles != 0 {
		t.Errorf("%+v: want 16 cycles and 2 of waiting", l)
	}
	// The buffer reads the 16 inputs for each K2, the 32 weights once, and takes each of
	// 32 sums of four elements once.
	if l.SRAM != (SRAM{IfmapReads: 32, FilterReads: 32, PsumReads: 0, OfmapWrites: 32}) {
		t.Errorf("buffer %+v", l.SRAM)
	}
	if l.DRAM != (DRAM{IfmapReads: 16, FilterReads: 32, OfmapWrites: 32, Bytes: 80}) || l.UniqueBytes != 80 {
		t.Errorf("DRAM %+v", l.DRAM)
	}
	if l.MappingEfficiency != 0.5 || math.Abs(l.Utilization-128.0/(18*16)) > 1e-12 {
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
	near("clock", e.ClockPJ, 5*8*18)                // 8 of 16 elements in 18 cycles
	near("control", e.ControlPJ, 0.5*8*18)
	near("all", e.TotalPJ(), plain.Energy.TotalPJ()+e.NetworkPJ+e.ClockPJ+e.ControlPJ)
	if low, high := plain.Energy.LowPJ+4*8*18, plain.Energy.HighPJ+5*8*18; !(e.LowPJ > low && e.LowPJ < e.TotalPJ() && e.HighPJ > high) {
		t.Errorf("%v to %v pJ: want more than %v to %v", e.LowPJ, e.HighPJ, low, high)
	}
	s.Spatial.ClocksIdle = true
	near("clock of all", evaluateSpec(t, s, &w).Layers[0].Energy.ClockPJ, 5*16*18)
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
	// Not coded, inputs and outputs as sums: 16 + 96 bytes.
	w.Layers[0].ZeroInputs, w.Layers[0].ZeroOutputs = 0, 0
	if l = evaluateSpec(t, s, &w).Layers[0]; l.Cycles != 16+14 {
		t.Errorf("%+v", l)
	}
}

// What must hold of any layer; and more bandwidth or bigger buffers never cost time.
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
	s := smallSpatial()
	s.Spatial.Objective = design.LeastCycles
	e := evaluateSpec(t, s, &w)
	if e.Total.MACs != w.MACs() {
		t.Errorf("%d products, want %d", e.Total.MACs, w.MACs())
	}
	for i := range e.Layers {
		l := &e.Layers[i]
		if l.Cycles != l.ComputeCycles+l.FillDrainCycles+l.StallCycles || l.Cycles*16 < l.MACs || l.Utilization > 1 || l.MappingEfficiency > 1 || int64(l.DRAM.Bytes) < l.UniqueBytes || !l.Roofline.Known() || l.Roofline.Cycles() > l.Cycles {
			t.Errorf("%+v", l)
		}
	}
	for _, change := range []func(*design.Spec){
		func(s *design.Spec) { s.DRAM.BandwidthGBs *= 3 },
		func(s *design.Spec) { s.Spatial.Levels[0].SharedBytes *= 4 },
		func(s *design.Spec) { s.Spatial.Levels[1].OutputBytes *= 2 },
		func(s *design.Spec) { s.Spatial.Levels[0].Children *= 2 },
	} {
		better := s
		change(&better)
		b := evaluateSpec(t, better, &w)
		for i := range b.Layers {
			if b.Layers[i].Cycles > e.Layers[i].Cycles {
				t.Errorf("layer %s: %d cycles with more, %d before", b.Layers[i].Name, b.Layers[i].Cycles, e.Layers[i].Cycles)
			}
		}
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
