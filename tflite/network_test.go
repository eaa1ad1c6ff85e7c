package tflite

import (
	"testing"

	"macroscope/cifar10"
	"macroscope/graph"
	"macroscope/internal/shared"
	"macroscope/nn"
)

func resnet(t testing.TB, kind string) *graph.Graph {
	t.Helper()
	g, err := ReadFile(shared.File(t, "models/mlperf-tiny-resnet8-"+kind+".tflite"))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// MLPerf Tiny publishes 87.2 % for float32 and 87.0 % for int8
// (https://github.com/mlcommons/tiny/pull/116), here within 0.1 %.
func TestResNetAccuracy(t *testing.T) {
	images := 10000
	if testing.Short() {
		images = 500
	}
	set, err := cifar10.LoadTest(shared.CIFAR10(t))
	if err != nil {
		t.Fatal(err)
	}
	for kind, published := range map[string]float64{"float32": 0.872, "int8": 0.870} {
		t.Run(kind, func(t *testing.T) {
			plan, err := nn.Compile(resnet(t, kind), nn.Options{})
			if err != nil {
				t.Fatal(err)
			}
			r := plan.NewRunner(1)
			defer r.Close()
			correct := 0
			out := make([]float32, plan.OutputSize())
			for i := range images {
				if err := r.RunPixels(out, set.Image(i)); err != nil {
					t.Fatal(err)
				}
				best := 0
				for c, v := range out {
					if v > out[best] {
						best = c
					}
				}
				if best == int(set.Labels[i]) {
					correct++
				}
			}
			got := float64(correct) / float64(images)
			t.Logf("%d of %d, %.2f %%", correct, images, 100*got)
			if images == 10000 && !(got >= published-0.001 && got <= published+0.001) {
				t.Errorf("%.2f %% of 10,000 test images: published are %.1f %%", 100*got, 100*published)
			}
			if got < 0.8 {
				t.Errorf("%.2f %% of %d test images: want about %.1f %%", 100*got, images, 100*published)
			}
		})
	}
}
