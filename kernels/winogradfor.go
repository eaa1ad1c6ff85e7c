package kernels

import (
	"github.com/klauspost/cpuid/v2"

	"macroscope/kernels/tile"
)

// WinogradFor says which F(m×m, 3×3) of the row's computes float32 sums of h×w fastest, 0 if
// the direct convolution does, in a network of which an inference reads bytes of weights. A
// smaller m has more products and fewer weights: (m+2)² to every filter's 9, each of which is
// read once an image and multiplied once a tile. Weights that the second-level cache does not
// keep take as long to read as tile.Kernel.FarRows products, so that images of few
// tiles do better with fewer weights. So the answer, and with it the last bits of what a
// network computes, is the CPU's and its cache's; where that is of no known size, products
// alone count.
func (im *Impl) WinogradFor(h, w, bytes int) (m int) {
	return im.winogradFor(h, w, bytes, thisCPU, cpuid.CPU.Cache.L2)
}

func (im *Impl) winogradFor(h, w, bytes int, on tile.CPU, cache int) (m int) {
	rows := 0
	if cache > 0 && bytes > cache { // cpuid has −1 for what it does not find
		rows = im.k.FarRows.On(on)
	}
	least := 9 * max(h*w, rows)
	for i := range im.k.Winograd { // m ascending
		size := im.k.Winograd[i].M
		if h%size != 0 || w%size != 0 {
			continue
		}
		if cost := (size + 2) * (size + 2) * max(h/size*(w/size), rows); cost <= least {
			m, least = size, cost
		}
	}
	return m
}
