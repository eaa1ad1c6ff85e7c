package simhw

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/simhw/memory"
	"macroscope/workload"
)

// A dense layer of 64 inputs and 10 outputs on cortex_m4 by hand: 1·5 tiles of 16
// steps of 22 cycles and 14 instructions, 10 outputs of 14: 1,970 cycles, divided
// by the library's efficiency; 640 products by pairs; 640 weights in lines of 16,
// 4 cycles each, once.
func TestVectorByHand(t *testing.T) {
	d := load(t, "cortex_m4")
	w := workload.Workload{Name: "w", Layers: []workload.Layer{{Name: "l", Kind: workload.Gemm, DType: dtype.Int8, M: 1, N: 10, K: 64}}}
	e, err := Evaluate(&d, &w)
	if err != nil {
		t.Fatal(err)
	}
	s := d.Spec()
	l := e.Layers[0]
	core := (5*(16*22+14) + 10*14) / s.Vector.Efficiency
	if l.ComputeCycles != 320 || l.StallCycles != 160 || math.Abs(float64(l.Cycles)-(core+160)) > 2 {
		t.Errorf("%+v, want 320 multiplying, %g in all on the core and 160 waiting", l, core)
	}
	if l.MappingEfficiency != 0.5 { // of two rows one is empty
		t.Errorf("mapping efficiency %g, want 0.5", l.MappingEfficiency)
	}
	if want := float64(l.Cycles) * s.Vector.Energy.Value; !l.EnergyPJ.Known || l.EnergyPJ.Value != want || e.Total.EnergyPJ.Value != want {
		t.Errorf("energy %+v, want %g", l.EnergyPJ, want)
	}
	if p, b := &s.Vector.Energy, &e.Total.Energy; b.LowPJ != float64(l.Cycles)*p.Low || b.HighPJ != float64(l.Cycles)*p.High || !(p.Low < p.Value && p.Value < p.High) {
		t.Errorf("energy range %g to %g pJ", b.LowPJ, b.HighPJ)
	}
	// As JSON the whole is there, and no part of it.
	data, err := json.Marshal(l.Energy)
	if err != nil || !strings.HasPrefix(string(data), `{"core_pj":`) || strings.Contains(string(data), "mac_pj") {
		t.Errorf("%s, %v", data, err)
	}
	back := l.Energy
	if err := json.Unmarshal(data, &back); err != nil || back != l.Energy {
		t.Errorf("%+v read back as %+v, %v", l.Energy, back, err)
	}
}

// A 3×3 layer of 16 channels on 32×32 images in int8, by hand: 16,384 bytes in, 2,304 of
// weights, 16,384 out. In memory of its own cortex_m4 reads weights alone from the slow
// one, for each two outputs anew. Where the slow one has all, they all pass through it but
// where the cache holds the 35,072 bytes; then inputs wait too, 1,024 lines of 16 bytes for 4 cycles.
func TestVectorActivations(t *testing.T) {
	d := load(t, "cortex_m4")
	w := workload.Workload{Name: "w", Layers: []workload.Layer{{Name: "l", Kind: workload.Conv, DType: dtype.Int8, H: 32, W: 32, C: 16, OutC: 16, KH: 3, KW: 3, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1},
		{Name: "p", Kind: workload.Other, Op: "maxpool", DType: dtype.Int8, H: 32, W: 32, C: 16, OutC: 16, Groups: 16, KH: 2, KW: 2, StrideH: 2, StrideW: 2, Elements: 16 * 16 * 16}}}
	evaluate := func(cache int, activations bool) Estimate {
		t.Helper()
		s := d.Spec()
		s.Vector.Memory.CacheBytes, s.Vector.Memory.Activations = cache, activations
		changed, err := design.New(s)
		if err != nil {
			t.Fatal(err)
		}
		e, err := Evaluate(&changed, &w)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	const weights = 512 * 2304
	own, all, held := evaluate(256, false), evaluate(256, true), evaluate(35072, true)
	if got := own.Layers[0].DRAM; got != (DRAM{FilterReads: weights, Bytes: weights}) || own.Layers[1].DRAM != (DRAM{}) {
		t.Errorf("with memory of its own %+v and %+v", got, own.Layers[1].DRAM)
	}
	if got := all.Layers[0].DRAM; got != (DRAM{IfmapReads: 16384, FilterReads: weights, OfmapWrites: 16384, Bytes: weights + 2*16384}) {
		t.Errorf("all from slow memory: %+v", got)
	}
	if got := all.Layers[1].DRAM; got != (DRAM{IfmapReads: 16384, OfmapWrites: 4096, Bytes: 16384 + 4096}) {
		t.Errorf("of the pool: %+v", got)
	}
	for i := range w.Layers {
		a, b := &all.Layers[i], &own.Layers[i]
		if a.Cycles-b.Cycles != 1024*4 || a.Stalls[memory.IfmapRead] != 1024*4 || a.Stalls[memory.FilterRead] != b.Stalls[memory.FilterRead] {
			t.Errorf("inputs wait %d cycles of %+v, want 4096 beside %+v", a.Cycles-b.Cycles, a, b)
		}
	}
	if got := held.Layers[0]; got.DRAM != (DRAM{FilterReads: 2304, Bytes: 2304}) || got.StallCycles != 2304/16*4 {
		t.Errorf("in a cache that holds all of it: %+v", got)
	}
	if short := evaluate(35071, true).Layers[0].DRAM; short.IfmapReads != 16384 || short.FilterReads != 2304 {
		t.Errorf("a byte short of it: %+v", short)
	}
	s := d.Spec()
	s.Vector.Memory = design.SlowMemory{Activations: true}
	if _, err := design.New(s); err == nil || !strings.Contains(err.Error(), "memory.activations true: want memory.cache_bytes too") {
		t.Error(err)
	}
}

// 64×64×128 in int8 on sapphire_rapids by hand. By VPDPBUSD 8·2 tiles of 32 steps of 8 cycles
// and 30 + 25 instructions, six a cycle, and 0.6 for each output; by TDPBSSD, once that loop is
// preferred, 2·2 tiles of 2 steps of 4·16 cycles and 55 instructions; 300 cycles a call.
func TestVectorPrefers(t *testing.T) {
	d := load(t, "sapphire_rapids")
	w := workload.Workload{Name: "w", Layers: []workload.Layer{{Name: "l", Kind: workload.Gemm, DType: dtype.Int8, M: 64, N: 64, K: 128}}}
	m, err := New(&d)
	if err != nil {
		t.Fatal(err)
	}
	s := m.Spec()
	for _, c := range []struct {
		loop   int
		cycles float64
		peak   float64
		each   float64 // instructions a MAC
	}{{1, 16*(32*8+55/6.) + 4096*0.6/6 + 300, 128, 27.5 / 1024}, {3, 4*(2*64+55/6.) + 300, 1024, 25. / 65536}} {
		s.Vector.Prefer(c.loop)
		if err := m.Set(&s); err != nil {
			t.Fatal(err)
		}
		e, err := m.Evaluate(&w)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Layers[0].Cycles; got != int64(math.Ceil(c.cycles)) {
			t.Errorf("loop %d: %d cycles, want %g", c.loop, got, c.cycles)
		}
		if got, ok := m.LoopBound(dtype.Int8); !ok || got != (LoopBound{c.peak, c.peak, "multiplying pipes", c.each}) {
			t.Errorf("loop %d: bound %+v, want %g MACs a cycle", c.loop, got, c.peak)
		}
	}
	if got, ok := m.LoopBound(dtype.Int(4)); ok {
		t.Errorf("bound %+v of a format without a loop", got)
	}
	other := load(t, "array32")
	if m, err = New(&other); err != nil {
		t.Fatal(err)
	}
	if got, ok := m.LoopBound(dtype.Int8); ok {
		t.Errorf("bound %+v of an array", got)
	}
}

// The dense layer of TestVectorByHand by CMSIS-NN's loops, on cortex_m4_cmsisnn: per step 48
// instructions with weights of 4 bits, 29 with inputs of 16, and three cycles for a run of
// loads and a branch; 38 a tile, 34 an output, and in 16 bits 1.5 an input. Weights are 320 bytes or 640, in lines of 8, 4 cycles each.
func TestVectorPackedWeights(t *testing.T) {
	d := load(t, "cortex_m4_cmsisnn")
	s := d.Spec()
	for _, c := range []struct {
		inputs, weights int
		step, gather    float64
		bytes, unique   int64
		held            string
	}{
		{4, 4, 48 + 3, 0, 320, 64 + 320 + 10, "int4 as int8×int4"},
		{8, 4, 48 + 3, 0, 320, 64 + 320 + 10, ""},
		{8, 3, 48 + 3, 0, 320, 64 + 320 + 10, "int8×int3 as int8×int4"},
		{4, 8, 29 + 3, 0, 640, 64 + 640 + 10, "int4×int8 as int8"},
		{8, 8, 29 + 3, 0, 640, 64 + 640 + 10, ""},
		{12, 8, 29 + 3, 64 * 1.5, 640, 2*64 + 640 + 2*10, "int12×int8 as int16×int8"},
	} {
		l := workload.Layer{Name: "l", Kind: workload.Gemm, DType: dtype.Int(c.inputs), WeightWidth: c.weights, M: 1, N: 10, K: 64}
		e, err := Evaluate(&d, &workload.Workload{Name: "w", Layers: []workload.Layer{l}})
		if err != nil {
			t.Fatal(err)
		}
		got, core := e.Layers[0], (5*(16*c.step+38)+10*34+c.gather)/s.Vector.Efficiency
		if got.StallCycles != c.bytes/8*4 || math.Abs(float64(got.Cycles-got.StallCycles)-core) > 2 {
			t.Errorf("%d×%d bits: %d cycles, %d of them waiting, want %g and %d", c.inputs, c.weights, got.Cycles, got.StallCycles, core, c.bytes/8*4)
		}
		if int64(got.DRAM.Bytes) != c.bytes || got.UniqueBytes != c.unique {
			t.Errorf("%d×%d bits: %d bytes of weights, %d in all, want %d and %d", c.inputs, c.weights, got.DRAM.Bytes, got.UniqueBytes, c.bytes, c.unique)
		}
		held := ""
		for _, h := range e.Held {
			held += h.String()
		}
		note := strings.Contains(strings.Join(e.Notes(), "\n"), "memory holds "+held)
		if held != c.held || note != (held != "") {
			t.Errorf("%d×%d bits are held as %q, want %q", c.inputs, c.weights, held, c.held)
		}
	}
	w := workload.Workload{Name: "w", Layers: []workload.Layer{{Name: "l", Kind: workload.Gemm, DType: dtype.Int(12), M: 1, N: 10, K: 64}}}
	if _, err := Evaluate(&d, &w); err == nil || !strings.Contains(err.Error(), `cannot compute int12 (layer "l"): it has int8, int8×int4, int16×int8`) {
		t.Error(err)
	}
	s.Vector.Loops[2] = s.Vector.Loops[1] // what is packed has no kernel to be told apart by
	if _, err := design.New(s); err == nil || !strings.Contains(err.Error(), "loops[2].weight_bits 4: there is a loop of int8 with such weights already") {
		t.Error(err)
	}
	s.Vector.Loops[2].DType, s.Vector.Loops[2].WeightBits = dtype.Int(16), 0
	s.Vector.Loops[1] = s.Vector.Loops[2]
	if _, err := design.New(s); err == nil || !strings.HasSuffix(err.Error(), `loops[2].dtype "int16": there is a loop for it already`) {
		t.Error(err)
	}
	s = d.Spec()
	s.Vector.Loops[1].WeightBits = 8
	if _, err := design.New(s); err == nil || !strings.Contains(err.Error(), "loops[1].weight_bits 8: want less than") {
		t.Error(err)
	}
	s.Vector.Loops[1].WeightBits, s.Vector.Loops[1].Kernel = 4, "avx2"
	if _, err := design.New(s); err == nil || !strings.Contains(err.Error(), "no kernel of weights of fewer bits") {
		t.Error(err)
	}
}

func TestVectorRefuses(t *testing.T) {
	d := load(t, "cortex_m4")
	s := d.Spec()
	s.Vector.Loops[1].DType = s.Vector.Loops[0].DType
	if _, err := design.New(s); err == nil || !strings.Contains(err.Error(), "there is a loop for it already") {
		t.Error(err)
	}
	s = d.Spec()
	s.Vector.Memory.LineBytes = 0
	if _, err := design.New(s); err == nil || !strings.Contains(err.Error(), "want both or neither") {
		t.Error(err)
	}
	s = d.Spec()
	s.Vector.Loops[0].Rows = 0
	if _, err := design.New(s); err == nil || !strings.Contains(err.Error(), "loops[0].rows is missing") {
		t.Error(err)
	}
	w := cifar(t, dtype.Binary)
	if _, err := Evaluate(&d, &w); err == nil || !strings.Contains(err.Error(), "cannot compute binary") {
		t.Error(err)
	}
	// What no processor finishes.
	s = d.Spec()
	s.Vector.Efficiency, s.Vector.Loops[0].MultiplyCycles, s.Vector.Multiplies = 0.01, 1e3, 0.01
	slow, err := design.New(s)
	if err != nil {
		t.Fatal(err)
	}
	huge := workload.Workload{Name: "w", Layers: []workload.Layer{{Name: "l", Kind: workload.Gemm, DType: dtype.Int8, M: 1 << 20, N: 1 << 15, K: 1 << 14}}}
	if _, err := Evaluate(&slow, &huge); err == nil || !strings.Contains(err.Error(), "2^60 cycles or more") {
		t.Error(err)
	}
}

func TestVectorAllocatesNothing(t *testing.T) {
	d := load(t, "cortex_m7")
	m, err := New(&d)
	if err != nil {
		t.Fatal(err)
	}
	w := cifar(t, dtype.Int8)
	var e Estimate
	s := m.Spec()
	if n := testing.AllocsPerRun(20, func() {
		s.ClockMHz = 500 - s.ClockMHz
		if err := m.Set(&s); err != nil {
			t.Fatal(err)
		}
		if err := m.EvaluateInto(&e, &w); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
