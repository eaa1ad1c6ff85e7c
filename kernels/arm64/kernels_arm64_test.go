//go:build !purego

package arm64

import "testing"

// Every tile has the mix of its loop, but those of SVE, whose columns depend on the
// machine, and no mix is of another tile.
func TestMixesAreOfTheKernels(t *testing.T) {
	i := 0
	for _, k := range fixedKernels {
		tiles := []bool{false}
		if k.NonNegativeTile != nil {
			tiles = append(tiles, true)
		}
		for _, nonNegative := range tiles {
			if i == len(Mixes) {
				t.Fatalf("no mix of %v/%s", k.DType, k.Name)
			}
			if m := Mixes[i]; m.DType != k.DType || m.Impl != k.Name || m.NonNegative != nonNegative || m.MR != k.MR || m.NR != k.NR {
				t.Errorf("mix %d is of %v/%s, %dx%d: want %v/%s, %dx%d", i, m.DType, m.Impl, m.MR, m.NR, k.DType, k.Name, k.MR, k.NR)
			}
			i++
		}
	}
	if i != len(Mixes) {
		t.Errorf("%d mixes: want %d", len(Mixes), i)
	}
}
