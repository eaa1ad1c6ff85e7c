package train

import (
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/kernels"
)

// A row that cannot multiply bfloat16 says so before anything is planned, and none
// takes their place.
func TestProductsThatThereAreNot(t *testing.T) {
	choice, err := kernels.Default()
	if err != nil {
		t.Fatal(err)
	}
	g, err := CIFAR10CNN(Topology{DType: dtype.Float32, Width: 1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, im := range kernels.Table() {
		if im.DType() != dtype.Float32 || !im.Available() {
			continue
		}
		for _, p := range []kernels.Products{kernels.Float32Products, kernels.BFloat16Products, 7, -1} {
			want := im.CheckProducts(p)
			n, err := New(g, Options{Batch: 1, Threads: 1, Kernels: choice.With(im), Products: p})
			if err == nil {
				n.Close()
			}
			if (err == nil) != (want == nil) || want != nil && (!strings.HasPrefix(err.Error(), "train: ") || !strings.HasSuffix(err.Error(), want.Error())) {
				t.Errorf("%v, %v: %v, want %v", im, p, err, want)
			}
			if (p == kernels.Float32Products) != (want == nil) && p != kernels.BFloat16Products {
				t.Errorf("%v, %v: %v", im, p, want)
			}
		}
	}
}
