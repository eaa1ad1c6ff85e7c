package validate

import (
	"testing"

	"macroscope/simhw"
	"macroscope/simhw/design"
)

// Variants of an array on all layers of ResNet-50, once the memory for the result has
// grown: nothing is allocated.
func TestResNet50AllocatesNothing(t *testing.T) {
	w, _ := resNet50()
	for _, name := range []string{"array32", "gemmini16", "tpuv1", "edge8x8"} {
		d, err := design.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := simhw.New(&d)
		if err != nil {
			t.Fatal(err)
		}
		s := m.Spec()
		var e simhw.Estimate
		n := testing.AllocsPerRun(3, func() {
			s.Array.Cols = 8 + (s.Array.Cols+1)%24
			if err := m.Set(&s); err != nil {
				t.Fatal(err)
			}
			if err := m.EvaluateInto(&e, &w); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 || len(e.Layers) != 54 {
			t.Errorf("%s: %g allocations a variant, %d layers", name, n, len(e.Layers))
		}
	}
}

// BenchmarkResNet50 works out its 54 layers.
func BenchmarkResNet50(b *testing.B) {
	w, _ := resNet50()
	for _, name := range []string{"array32", "gemmini16", "tpuv1", "edge8x8"} {
		b.Run("design="+name, func(b *testing.B) {
			d, err := design.Load(name)
			if err != nil {
				b.Fatal(err)
			}
			m, err := simhw.New(&d)
			if err != nil {
				b.Fatal(err)
			}
			var e simhw.Estimate
			b.ReportAllocs()
			for b.Loop() {
				if err := m.EvaluateInto(&e, &w); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
