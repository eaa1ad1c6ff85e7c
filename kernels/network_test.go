package kernels_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"macroscope/cifar10"
	"macroscope/dtype"
	"macroscope/kernels"
	"macroscope/models"
	"macroscope/nn"
	"macroscope/ptq"
)

// TestNetwork runs the int8 network on every int8 row, the emulated ones
// included (nn's own tests know only rows that the CPU has): the same bits, from
// one thread or two.
func TestNetwork(t *testing.T) {
	g, err := models.Load("cifar10cnn", dtype.Float32)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join("..", "nn", "testdata", "calibration-float32.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cal, err := ptq.ReadCalibration(f)
	if err != nil {
		t.Fatal(err)
	}
	if g, err = ptq.Quantize(g, cal, ptq.Options{}); err != nil {
		t.Fatal(err)
	}
	images, err := cifar10.Read(bytes.NewReader(models.Sample()), "sample")
	if err != nil {
		t.Fatal(err)
	}
	pixels := images.Head(2).Pixels

	choice, err := kernels.Choose("generic")
	if err != nil {
		t.Fatal(err)
	}
	logits := func(t *testing.T, im *kernels.Impl, threads int) []float32 {
		p, err := nn.Compile(g, nn.Options{Kernels: choice.With(im)})
		if err != nil {
			t.Fatal(err)
		}
		r := p.NewRunner(threads)
		defer r.Close()
		out := make([]float32, len(pixels)/p.InputSize()*p.OutputSize())
		if err := r.RunPixels(out, pixels); err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := logits(t, choice.For(dtype.Int8), 1)
	for _, im := range kernels.Table() {
		if im.DType() != dtype.Int8 || im.Name() == "generic" {
			continue
		}
		t.Run(im.Name(), func(t *testing.T) {
			if !im.Available() {
				t.Skipf("%v: %s", im, im.Reason())
			}
			if kernels.Slow(im) {
				t.Skipf("%v: emulated, it takes a million instructions an image", im)
			}
			for threads := range 2 {
				if got := logits(t, im, 1+threads); !slices.Equal(got, want) {
					t.Errorf("%d threads: got %v, want %v", 1+threads, got, want)
				}
			}
		})
	}
}
