package validate

import (
	"encoding/csv"
	"fmt"
	"os"
	"testing"

	"macroscope/internal/shared"
	"macroscope/simhw"
	"macroscope/simhw/design"
)

// Variants of an array on all layers of ResNet-50, once the memory for the result has
// grown: nothing is allocated.
func TestResNet50AllocatesNothing(t *testing.T) {
	w, _, _ := resNet50()
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
	w, _, _ := resNet50()
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

// The table of STONNE's runs is what was recorded.
func TestSTONNERuns(t *testing.T) {
	f, err := os.Open(shared.File(t, "simgold/stonne/os_mesh.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, l := range lines[1:] { // M, N, K, rows, cols, two bandwidths, cycles, passed
		if l[8] != "1" {
			continue
		}
		c := stonne[at]
		if got := fmt.Sprint(c.m, c.n, c.k, c.rows, c.cols, c.cycles); got != fmt.Sprint(l[0], " ", l[1], " ", l[2], " ", l[3], " ", l[4], " ", l[7]) {
			t.Errorf("run %d is %s here, recorded %v", at, got, l)
		}
		at++
	}
	if at != len(stonne) {
		t.Errorf("%d runs, here %d", at, len(stonne))
	}
}
