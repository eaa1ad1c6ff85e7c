package train

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"macroscope/dtype"
	"macroscope/kernels"
)

// BenchmarkStep is a step of training the CIFAR-10 network: forward, backward and the
// optimizer, on a batch of 128 augmented images. Where other work shares the machine,
// cpu-ns/op tells more than ns/op.
func BenchmarkStep(b *testing.B) {
	for name, o := range map[string]Topology{
		"float32": {DType: dtype.Float32, Width: 1}, "binary": {DType: dtype.Binary, Width: 1},
		"binary-shortcuts":        {DType: dtype.Binary, Width: 1, Shortcuts: true},
		"binary-shortcuts-width2": {DType: dtype.Binary, Width: 2, Shortcuts: true},
	} {
		for _, c := range []struct {
			threads  int
			products kernels.Products
		}{{1, kernels.Float32Products}, {1, kernels.BFloat16Products}, {runtime.GOMAXPROCS(0), kernels.Float32Products}, {runtime.GOMAXPROCS(0), kernels.BFloat16Products}} {
			b.Run(fmt.Sprintf("dtype=%s/batch=128/threads=%d/products=%v", name, c.threads, c.products), func(b *testing.B) {
				needProducts(b, c.products)
				g, err := CIFAR10CNN(o, 1)
				if err != nil {
					b.Fatal(err)
				}
				const batch = 128
				n := newNet(b, g, Options{Batch: batch, Threads: c.threads, Products: c.products})
				r := rand.New(rand.NewPCG(1, 1))
				data := &Data{Shape: [3]int{3, 32, 32}, Labels: make([]uint8, batch), Pixels: make([]uint8, batch*3072)}
				for i := range data.Pixels {
					data.Pixels[i] = uint8(r.IntN(256))
				}
				augment, opt, epoch := Augment{Crop: 2, Flip: true}, &SGD{Momentum: 0.9}, 0
				step := func() {
					_, _, err := n.Step(batch, func(i int, dst []float32) int {
						augment.Image(dst, data, i, 1, epoch)
						return i % 10
					})
					if err != nil {
						b.Fatal(err)
					}
					opt.Update(n.Params(), 1e-3)
					epoch++
				}
				step() // which touches all memory first
				before, err := cpuTime()
				for b.Loop() {
					step()
				}
				if after, err2 := cpuTime(); err == nil && err2 == nil {
					b.ReportMetric(float64(after-before)/float64(b.N), "cpu-ns/op")
				}
				b.ReportMetric(batch*float64(b.N)/b.Elapsed().Seconds(), "images/s")
			})
		}
	}
}
