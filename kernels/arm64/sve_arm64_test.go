//go:build !purego

package arm64

import (
	"slices"
	"testing"

	"macroscope/kernels/tile"
)

// SVE's rows move down the list as its vectors grow.
func TestOrder(t *testing.T) {
	for _, tt := range []struct {
		lanes int
		want  []string
	}{
		{4, []string{"float32/sve", "float32/neon", "int8/neon", "int8/sve", "int8/dotprod", "int8/i8mm", "binary/sve", "binary/neon"}},
		{8, []string{"float32/neon", "float32/sve", "int8/neon", "int8/dotprod", "int8/sve", "int8/i8mm", "binary/neon", "binary/sve"}},
		{16, []string{"float32/neon", "float32/sve", "int8/neon", "int8/dotprod", "int8/i8mm", "int8/sve", "binary/neon", "binary/sve"}},
	} {
		rows := withSVE(slices.Clone(fixedKernels), tt.lanes)
		slices.SortStableFunc(rows, func(a, b tile.Kernel) int { return int(a.DType) - int(b.DType) })
		var got []string
		for _, k := range rows {
			got = append(got, k.DType.String()+"/"+k.Name)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%d words: %v, want %v", tt.lanes, got, tt.want)
		}
	}
}

// A tile of more columns than tile.Args.Flip has bits must not run.
func TestLongestVectors(t *testing.T) {
	for _, lanes := range []int{4, 32, 36, 64} {
		for _, k := range sveKernels(lanes) {
			if got := k.Usable() == nil; got != (k.NR <= 64) {
				t.Errorf("%v/%s with %d columns: usable %t", k.DType, k.Name, k.NR, got)
			}
		}
	}
}
