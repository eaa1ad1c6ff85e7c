package validate

import (
	"math"
	"testing"

	"macroscope/simhw/design"
)

// Nine tiles that wait for their weights: all have come after ⌈9·65,536/(34,000/700)⌉ =
// 12,144 cycles, the first is shifted in for 256 before it starts, and the last streams
// 96 + 256 + 256 − 2.
func TestTPUTiles(t *testing.T) {
	d, err := design.Load("tpuv1")
	if err != nil {
		t.Fatal(err)
	}
	s := d.Spec()
	r, err := runTPU(&s, 1, []tpuPart{{9 * 65536 / 1e6, 96}})
	if err != nil {
		t.Fatal(err)
	}
	if want := int64(12144 + 256 + 606); r.tiles != 9 || r.cycles != want || r.active != 9*96 || r.macs != 9*65536*96 {
		t.Errorf("%+v, want %d cycles", r, want)
	}
}

// Splitting an application keeps its weights and its products, and rows 1, 4, 5 and 6
// of the paper's table are all of the cycles.
func TestTPUApps(t *testing.T) {
	for i := range tpuApps {
		a := &tpuApps[i]
		weights, products := 0.0, 0.0
		for _, p := range a.parts() {
			weights, products = weights+p.weights, products+p.weights*p.uses
			if p.uses < 1 {
				t.Errorf("%s: %g uses", a.name, p.uses)
			}
		}
		if math.Abs(weights-a.weights) > 1e-9 || math.Abs(products-a.weights*a.uses) > 1e-6 {
			t.Errorf("%s: %g million weights and %g products of %g and %g", a.name, weights, products, a.weights, a.weights*a.uses)
		}
		if sum := a.active + a.stall + a.shift + a.nonMatrix; math.Abs(sum-100) > 0.11 {
			t.Errorf("%s: counters of %g %%", a.name, sum)
		}
	}
}

// Only the first layer of ResNet-50 has channels that leave rows of a 16×16 array idle,
// and its sixteen additions move 3 bytes for each of 5,519,360 words of an image.
func TestGemminiProgram(t *testing.T) {
	d, err := design.Load("gemmini16")
	if err != nil {
		t.Fatal(err)
	}
	s := d.Spec()
	net, addition := resNet50()
	w, cycles := gemminiProgram(&net, addition, &s)
	for i := range w.Layers {
		want := net.Layers[i].C
		if i == 0 {
			want = 16
		}
		if w.Layers[i].C != want {
			t.Errorf("%s has %d channels, want %d", w.Layers[i].Name, w.Layers[i].C, want)
		}
	}
	words := 3*56*56*256 + 4*28*28*512 + 6*14*14*1024 + 3*7*7*2048
	if want := math.Ceil(3 * float64(words) / 16); words != 5519360 || cycles != want {
		t.Errorf("additions of %d words take %g cycles, want %g", words, cycles, want)
	}
}
