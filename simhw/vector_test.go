package simhw

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/workload"
)

// A dense layer of 64 inputs and 10 outputs on cortex_m4 by hand: 1·5 tiles of 16
// steps of 22 cycles and 14 instructions, 10 outputs of 14: 1,970 cycles, divided
// by the library's efficiency; 640 products by pairs; 640 weights in lines of 8, 4
// cycles each, once.
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
	if l.ComputeCycles != 320 || l.StallCycles != 320 || math.Abs(float64(l.Cycles)-(core+320)) > 2 {
		t.Errorf("%+v, want 320 multiplying, %g in all on the core and 320 waiting", l, core)
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
