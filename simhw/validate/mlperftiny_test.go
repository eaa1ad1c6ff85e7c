package validate

import (
	"math"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/simhw/design"
)

// The networks are those of the published runs.
func TestTinyNetworks(t *testing.T) {
	for _, d := range dtype.All {
		w := resNet8(d)
		if err := w.Validate(); err != nil || w.MACs() != 12501632 {
			t.Errorf("ResNet-8 in %v has %d MACs (%v), want 12,501,632", d, w.MACs(), err)
		}
	}
	w := cmsisNet() // 24.7 million operations are published
	if got := float64(2*w.MACs()) / 1e6; math.Abs(got-24.7) > 0.15 {
		t.Errorf("CMSIS-NN's network has %.1f million operations, want 24.7", got)
	}
}

// A shipped design's efficiency is that of the library that its description names,
// fitted to all its runs or given with its own loop, so that no design is tuned by itself.
func TestShippedEfficiencies(t *testing.T) {
	for name, library := range map[string]string{"cortex_m4": "X-CUBE-AI 9.0", "cortex_m33": "X-CUBE-AI 9.0", "cortex_m7": "X-CUBE-AI 9.0",
		"cortex_m0plus": "Bosch HALE", "cortex_m85": "CMSIS-NN", "cortex_m4_cmsisnn": "CMSIS-NN", "cortex_m33_cmsisnn": "CMSIS-NN", "riscv_d25f": "Andes NN of v0.7", "riscv_d45": "Andes NN of v0.7", "riscv_ax45mp": "Andes NN's q7 functions"} {
		found := false
		for i := range libraries {
			if libraries[i].name != library {
				continue
			}
			found = true
			var runs []*run
			for j := range libraries[i].runs {
				r, err := libraries[i].runs[j].ready()
				if err != nil {
					t.Fatal(err)
				}
				runs = append(runs, r)
			}
			want, err := libraries[i].given, error(nil)
			if want == 0 {
				if want, _, err = fit(runs); err != nil {
					t.Fatal(err)
				}
			}
			d, err := design.Load(name)
			if err != nil {
				t.Fatal(err)
			}
			s := d.Spec()
			if got := s.Vector.Efficiency; math.Abs(got/want-1) > 0.01 {
				t.Errorf("%s has efficiency %g, %s is fitted %.4g", name, got, library, want)
			}
			for _, v := range d.Values() {
				if v.Key == "software_efficiency" && strings.HasPrefix(v.Source, "fitted") != (libraries[i].given == 0) {
					t.Errorf("%s: the efficiency's source %q does not say whether it is fitted", name, v.Source)
				}
			}
		}
		if !found {
			t.Errorf("library %s has no runs", library)
		}
	}
}
