package kernels

import (
	"slices"
	"testing"

	"macroscope/kernels/tile"
)

// Three columns in panels of two, each of two segments of three words, one of
// which is left out; word w of column c is 10·c+w+1.
func TestPackPanels(t *testing.T) {
	words := []uint32{1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16, 21, 22, 23, 24, 25, 26}
	take := []int{0, 1, 2, 3, -1, 5}
	for _, c := range []struct {
		pairs bool
		want  []uint32
	}{
		{false, []uint32{
			1, 11, 2, 12, 3, 13, 4, 14, 0, 0, 6, 16,
			21, 0, 22, 0, 23, 0, 24, 0, 0, 0, 26, 0,
		}},
		{true, []uint32{
			1, 2, 11, 12, 3, 13, 4, 0, 14, 0, 6, 16,
			21, 22, 0, 0, 23, 0, 24, 0, 0, 0, 26, 0,
		}},
	} {
		if got := packPanels(&tile.Kernel{PairWords: c.pairs}, words, 3, 2, take, 3); !slices.Equal(got, c.want) {
			t.Errorf("pairs %v: got %v, want %v", c.pairs, got, c.want)
		}
	}
}
