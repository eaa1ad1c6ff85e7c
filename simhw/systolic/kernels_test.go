package systolic

import (
	"math/rand/v2"
	"testing"

	"macroscope/dtype"
	"macroscope/kernels"
	"macroscope/simhw/design"
)

// The simulated array and the CPU's kernels give the same sums, for every
// dataflow and every int8 implementation that runs here.
func TestMachineEqualsKernels(t *testing.T) {
	const m, n, k = 9, 7, 45
	rnd := rand.New(rand.NewPCG(1, 2))
	x, w := make([]int8, m*k), make([]int8, k*n)
	for _, v := range [][]int8{x, w} {
		for i := range v {
			v[i] = int8(rnd.IntN(255) - 127)
		}
	}
	column := func(j int) []int8 {
		c := make([]int8, k)
		for i := range c {
			c[i] = w[i*n+j]
		}
		return c
	}
	for _, flow := range []design.Dataflow{design.OS, design.WS, design.IS} {
		mc := Machine{Array: Array{Rows: 4, Cols: 5, Dataflow: flow}, Lanes: 2}
		sums, _, err := mc.Run(x, w, m, n, k)
		if err != nil {
			t.Fatal(err)
		}
		for _, im := range kernels.Table() {
			if im.DType() != dtype.Int8 || !im.Available() {
				continue
			}
			for i := range m {
				for j := range n {
					if want := im.DotInt8(x[i*k:(i+1)*k], column(j)); int64(sums[i*n+j]) != want {
						t.Fatalf("%v: sum (%d, %d) is %d, %v gives %d", flow, i, j, sums[i*n+j], im, want)
					}
				}
			}
		}
	}
}
