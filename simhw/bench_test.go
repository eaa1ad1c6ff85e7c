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
	s := m.Spec()
	var e Estimate
	n := testing.AllocsPerRun(50, func() {
		s.Array.Rows = 8 + (s.Array.Rows+1)%32
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
