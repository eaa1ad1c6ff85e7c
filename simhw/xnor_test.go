package simhw

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/workload"
)

// By hand, on xnor64, 64 rows of 64 bits: a dense layer of 100 signs and 70 outputs is
// ⌈70/64⌉·⌈100/64⌉ = 4 words and one cycle of the pipe; in int8 64 times the words.
func TestXNOR(t *testing.T) {
	d := load(t, "xnor64")
	m, err := New(&d)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		d       dtype.DType
		cycles  int64
		filters int64 // weights read
	}{{dtype.Binary, 5, 7000}, {dtype.Int8, 257, 64 * 7000 / 8}} {
		w := workload.Workload{Name: "w", Layers: []workload.Layer{{Name: "dense", Kind: workload.Gemm, DType: c.d, M: 1, N: 70, K: 100}}}
		e, err := m.Evaluate(&w)
		if err != nil {
			t.Fatal(err)
		}
		l := &e.Layers[0]
		if l.Cycles != c.cycles || l.ComputeCycles != c.cycles-1 || l.FillDrainCycles != 1 || l.SRAM.FilterReads != c.filters || !l.EnergyPJ.Known || !(l.EnergyPJ.Value > 0) {
			t.Errorf("%v: %+v, want %d cycles, %d weights read", c.d, l, c.cycles, c.filters)
		}
		if want := 70.0 * 100 / (4 * 64 * 64); l.MappingEfficiency != want || l.Utilization >= want {
			t.Errorf("%v: mapping efficiency %v, want %v; utilization %v", c.d, l.MappingEfficiency, want, l.Utilization)
		}
		if n := testing.AllocsPerRun(5, func() {
			if err := m.EvaluateInto(&e, &w); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
	// The whole network, whose first and last layer are int8.
	for _, dt := range []dtype.DType{dtype.Int8, dtype.Binary} {
		w := cifar(t, dt)
		e, err := m.Evaluate(&w)
		if err != nil {
			t.Fatal(err)
		}
		if e.Total.Partial || !e.Total.EnergyPJ.Known || len(e.Validated) != 3 {
			t.Errorf("%v: %+v", dt, e.Total)
		}
	}
}

// What does not fit the memories is refused, and so is what an engine cannot compute.
func TestXNORRefuses(t *testing.T) {
	w := cifar(t, dtype.Int8)
	spec := func(change func(*design.XNOR)) (design.Design, error) {
		d := load(t, "xnor64")
		s := d.Spec()
		change(&s.XNOR)
		return design.New(s)
	}
	for _, c := range []struct {
		change func(*design.XNOR)
		want   string
	}{
		{func(x *design.XNOR) { x.WeightKiB = 100 }, "KiB of weights: want memory.weights_kib of so many, not 100"},
		{func(x *design.XNOR) { x.ActivationKiB = 10 }, "of inputs and outputs: want memory.activations_kib"},
		{func(x *design.XNOR) { x.Integers = false }, "cannot compute int8"},
		{func(x *design.XNOR) { x.LoadBits = 8 }, "want false in an engine that holds its weights"},
		{func(x *design.XNOR) { x.PEs = 0 }, "engine.pes is missing"},
	} {
		d, err := spec(c.change)
		if err == nil {
			_, err = Evaluate(&d, &w)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// Random engines: parts add up to layers, more rows or bits take no more cycles, and a
// clock changes none of them, as all memory is on chip.
func TestXNORProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := design.Spec{Name: "r", Family: design.FamilyXNOR, TechnologyNM: rapid.Float64Range(7, 65).Draw(t, "nm"), VoltageV: rapid.Float64Range(0.7, 1.1).Draw(t, "v"),
			ClockMHz: rapid.Float64Range(1, 3000).Draw(t, "mhz")}
		side := rapid.IntRange(1, 200)
		s.XNOR = design.XNOR{PEs: side.Draw(t, "pes"), SIMD: side.Draw(t, "simd"), Pipe: rapid.IntRange(0, 4).Draw(t, "pipe"), AccumulatorBits: 24,
			Integers: true, WeightKiB: 1 << 14, ActivationKiB: 1 << 14}
		w := drawWorkload(t)
		for i := range w.Layers {
			if w.Layers[i].DType == dtype.Float32 {
				w.Layers[i].DType = dtype.Binary
			}
		}
		if rapid.Bool().Draw(t, "holds weights") {
			s.XNOR.Integers, s.XNOR.LoadBits = false, side.Draw(t, "load")
			for i := range w.Layers {
				w.Layers[i].DType, w.Layers[i].WeightWidth = dtype.Binary, 0
			}
		}
		e := evaluateDrawn(t, s, &w)
		more := s
		more.XNOR.PEs *= rapid.IntRange(1, 3).Draw(t, "more pes")
		more.XNOR.SIMD *= rapid.IntRange(1, 3).Draw(t, "more simd")
		if b := evaluateDrawn(t, more, &w); b.Total.Cycles > e.Total.Cycles {
			t.Fatalf("more rows and bits take %d cycles, fewer %d", b.Total.Cycles, e.Total.Cycles)
		}
		fast := s
		fast.ClockMHz *= 1 + rapid.Float64Range(0, 3).Draw(t, "faster")
		f := evaluateDrawn(t, fast, &w)
		for i := range f.Layers {
			notLater(t, &e, &f, i, 0)
		}
	})
}
