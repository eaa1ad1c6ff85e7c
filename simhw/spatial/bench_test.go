package spatial

import (
	"testing"

	"macroscope/simhw/design"
)

// rowArray is 12×14 multipliers with register files and a buffer of 108 KiB, loops as
// row stationarity has them.
func rowArray() Arch {
	a := Arch{Count: 3, Bits: [Spaces]int64{16, 16, 16}, MACPJ: 1}
	a.Levels[0] = Level{Name: "registers", FanoutX: 1, FanoutY: 1, Keep: [Spaces]bool{true, true, true}, Part: [Spaces]int64{224 * 16, 12 * 16, 24 * 16},
		Time: 1<<R | 1<<C | 1<<K | 1<<N, AccessPJ: [Spaces]float64{1, 1, 1}}
	a.Levels[1] = Level{Name: "buffer", FanoutX: 14, FanoutY: 12, Keep: [Spaces]bool{true, true, true}, Capacity: 108 << 13,
		Time: AllDims, AcrossX: 1<<Q | 1<<K, AcrossY: 1<<S | 1<<C | 1<<K, AccessPJ: [Spaces]float64{6, 6, 6}}
	a.Levels[2] = Level{Name: "DRAM", FanoutX: 1, FanoutY: 1, Keep: [Spaces]bool{true, true, true}, Time: AllDims, AccessPJ: [Spaces]float64{200, 200, 200}}
	return a
}

// conv6 is the CIFAR-10 network's sixth layer.
func conv6() Problem {
	return Problem{Bounds: Factors{R: 3, S: 3, P: 8, Q: 8, C: 128, K: 128, N: 1, G: 1}, StrideP: 1, StrideQ: 1, DilationR: 1, DilationS: 1}
}

// A mapping costs no allocation.
func TestEvaluateAllocatesNothing(t *testing.T) {
	a, p := rowArray(), conv6()
	var m Mapping
	var r Result
	if err := (&Search{Arch: &a}).Find(&p, &m, &r); err != nil {
		t.Fatal(err)
	}
	for _, a.Timeloop = range []bool{false, true} {
		if n := testing.AllocsPerRun(10, func() { a.Evaluate(&p, &m, &r) }); n > 0 {
			t.Errorf("Timeloop's counts %v: %g allocations", a.Timeloop, n)
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	a, p := rowArray(), conv6()
	s := Search{Arch: &a}
	var m Mapping
	var r Result
	if err := s.Find(&p, &m, &r); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		a.Evaluate(&p, &m, &r)
	}
}

func BenchmarkSearch(b *testing.B) {
	for _, o := range []struct {
		name string
		design.Objective
	}{{"cycles", design.LeastCycles}, {"energy_delay", design.EnergyDelay}, {"energy", design.LeastEnergy}} {
		b.Run("for="+o.name, func(b *testing.B) {
			a, p := rowArray(), conv6()
			s := Search{Arch: &a, Objective: o.Objective}
			var m Mapping
			var r Result
			if err := s.Find(&p, &m, &r); err != nil { // the lists grow
				b.Fatal(err)
			}
			b.ReportAllocs()
			looked := int64(0)
			for b.Loop() {
				if err := s.Find(&p, &m, &r); err != nil {
					b.Fatal(err)
				}
				looked += s.Looked
			}
			b.ReportMetric(float64(looked)/b.Elapsed().Seconds(), "mappings/s")
			b.ReportMetric(float64(looked)/float64(b.N), "mappings/op")
			if !s.Complete {
				b.Log("the limit was reached")
			}
		})
	}
}

// TestSearchAllocatesNothing: not once its memory has grown.
func TestSearchAllocatesNothing(t *testing.T) {
	a, p := rowArray(), conv6()
	p.Bounds[C], p.Bounds[K] = 8, 8
	s := Search{Arch: &a}
	var m Mapping
	var r Result
	if n := testing.AllocsPerRun(2, func() {
		if err := s.Find(&p, &m, &r); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a search allocates %v times", n)
	}
	if n := testing.AllocsPerRun(10, func() { a.Evaluate(&p, &m, &r) }); n != 0 {
		t.Errorf("an evaluation allocates %v times", n)
	}
}
