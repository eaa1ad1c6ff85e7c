package simhw

import (
	"fmt"
	"testing"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/workload"
)

func TestVariantsAllocateNothing(t *testing.T) {
	d, w := load(t, "array32"), cifar(t, dtype.Int8)
	w.Layers = append(w.Layers, workload.Layer{Name: "soft", Kind: workload.Other, Op: "softmax", Elements: 10})
	m, err := New(&d)
	if err != nil {
		t.Fatal(err)
	}
	first, rows := m.Spec(), 0
	var e Estimate
	n := testing.AllocsPerRun(50, func() {
		s := first // a copy for each variant costs no memory either
		rows = 8 + (rows+1)%32
		s.Array.Rows = rows
		if err := m.Set(&s); err != nil {
			t.Fatal(err)
		}
		if err := m.EvaluateInto(&e, &w); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%g allocations a variant", n)
	}
}

func BenchmarkEvaluate(b *testing.B) {
	resnet, err := workload.LoadSCALESim("golden/topologies/Resnet18.csv")
	if err != nil {
		b.Fatal(err)
	}
	for _, w := range []workload.Workload{cifar(b, dtype.Int8), resnet.WithDType(dtype.Int8)} {
		for _, name := range design.Shipped() {
			b.Run(fmt.Sprintf("design=%s/workload=%s", name, w.Name), func(b *testing.B) {
				d := load(b, name)
				m, err := New(&d)
				if err != nil {
					b.Fatal(err)
				}
				var e Estimate
				if err := m.EvaluateInto(&e, &w); err != nil {
					b.Skip(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					if err := m.EvaluateInto(&e, &w); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkSpatialSearch searches all mappings of a network, with nothing known.
func BenchmarkSpatialSearch(b *testing.B) {
	resnet, err := workload.LoadSCALESim("golden/topologies/Resnet18.csv")
	if err != nil {
		b.Fatal(err)
	}
	for _, w := range []workload.Workload{cifar(b, dtype.Int8), resnet.WithDType(dtype.Int8)} {
		b.Run("workload="+w.Name, func(b *testing.B) {
			d := load(b, "eyeriss")
			cycles := int64(0)
			for b.Loop() {
				e, err := Evaluate(&d, &w)
				if err != nil {
					b.Fatal(err)
				}
				cycles = e.Total.Cycles
			}
			b.ReportMetric(float64(cycles), "cycles/op")
		})
	}
}

// BenchmarkSpatialLevels searches all mappings of AlexNet on designs of three buffers.
func BenchmarkSpatialLevels(b *testing.B) {
	w, err := workload.LoadSCALESim("golden/topologies/alexnet.csv")
	if err != nil {
		b.Fatal(err)
	}
	w = w.WithDType(dtype.Int8)
	for _, s := range []design.Spec{clusters(), columns(b)} {
		b.Run("design="+s.Name, func(b *testing.B) {
			d, err := design.New(s)
			if err != nil {
				b.Fatal(err)
			}
			cycles := int64(0)
			for b.Loop() {
				e, err := Evaluate(&d, &w)
				if err != nil {
					b.Fatal(err)
				}
				cycles = e.Total.Cycles
			}
			b.ReportMetric(float64(cycles), "cycles/op")
		})
	}
}

// BenchmarkSpatialVariants searches the mappings of two small layers for each variant.
func BenchmarkSpatialVariants(b *testing.B) {
	w := workload.Workload{Name: "w", Layers: []workload.Layer{
		{Name: "a", DType: dtype.Int8, H: 12, W: 10, C: 8, OutC: 12, KH: 3, KW: 3, PadTop: 1, PadBottom: 1, StrideH: 2},
		{Name: "b", Kind: workload.Gemm, DType: dtype.Int8, M: 6, N: 20, K: 50}}}
	for name, change := range map[string]func(s *design.Spec, i int){
		"clock":  func(s *design.Spec, i int) { s.ClockMHz = 200 + float64(i%8) },
		"prices": func(s *design.Spec, i int) { s.DRAM.EnergyPJPerBit = 70 + float64(i%8) },
	} {
		b.Run("changes="+name, func(b *testing.B) {
			d := load(b, "eyeriss")
			m, err := New(&d)
			if err != nil {
				b.Fatal(err)
			}
			s, i := m.Spec(), 0
			var e Estimate
			variant := func() {
				i++
				change(&s, i)
				if err := m.Set(&s); err != nil {
					b.Fatal(err)
				}
				if err := m.EvaluateInto(&e, &w); err != nil {
					b.Fatal(err)
				}
			}
			for range 8 {
				variant()
			}
			b.ReportAllocs()
			for b.Loop() {
				variant()
			}
		})
	}
}

// BenchmarkEvaluateOnce includes making the design ready.
func BenchmarkEvaluateOnce(b *testing.B) {
	d, w := load(b, "array32"), cifar(b, dtype.Int8)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Evaluate(&d, &w); err != nil {
			b.Fatal(err)
		}
	}
}
