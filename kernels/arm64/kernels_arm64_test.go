//go:build !purego

package arm64

import (
	"testing"

	"macroscope/kernels/tile"
)

// Every tile has the mix of its loop, of SVE with 128-bit vectors, and no mix is of
// another tile.
func TestMixesAreOfTheKernels(t *testing.T) {
	areOf(t, Mixes, fixedKernels)
	areOf(t, SVEMixes, sveKernels(4))
}

func areOf(t *testing.T, mixes []Mix, kernels []tile.Kernel) {
	t.Helper()
	i := 0
	for _, k := range kernels {
		tiles := []bool{false}
		if k.NonNegativeTile != nil {
			tiles = append(tiles, true)
		}
		for _, nonNegative := range tiles {
			if i == len(mixes) {
				t.Fatalf("no mix of %v/%s", k.DType, k.Name)
			}
			if m := mixes[i]; m.DType != k.DType || m.Impl != k.Name || m.NonNegative != nonNegative || m.MR != k.MR || m.NR != k.NR {
				t.Errorf("mix %d is of %v/%s, %dx%d: want %v/%s, %dx%d", i, m.DType, m.Impl, m.MR, m.NR, k.DType, k.Name, k.MR, k.NR)
			}
			i++
		}
	}
	if i != len(mixes) {
		t.Errorf("%d mixes: want %d", len(mixes), i)
	}
}
