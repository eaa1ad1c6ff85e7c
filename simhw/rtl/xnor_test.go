package rtl

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"macroscope/quant"
	"macroscope/simhw/golden"
	"macroscope/simhw/xnor"
)

func signs(rnd *rand.Rand, n int64) []int8 {
	v := make([]int8, n)
	for i := range v {
		v[i] = int8(2*rnd.IntN(2) - 1)
	}
	return v
}

func signProduct(rnd *rand.Rand, m, n, k int64) Product {
	return Product{m, n, k, signs(rnd, m*k), signs(rnd, k*n)}
}

// packed has a product's rows of signs as bits, and its columns of weights.
func packed(p *Product) (x, w []uint32) {
	row := quant.Words(int(p.K))
	pack := func(lines int64, at func(line, k int64) int8) []uint32 {
		out := make([]uint32, lines*int64(row))
		for i := range lines {
			for k := range p.K {
				if at(i, k) > 0 {
					out[i*int64(row)+k/quant.WordBits] |= 1 << (k % quant.WordBits)
				}
			}
		}
		return out
	}
	return pack(p.M, func(i, k int64) int8 { return p.X[i*p.K+k] }), pack(p.N, func(j, k int64) int8 { return p.W[k*p.N+j] })
}

// checkSigns holds the engine's sums against plain multiplication and the stepped
// machine, and its cycles against the closed form and the machine's.
func checkSigns(t *testing.T, x xnor.Engine, products []Product) {
	t.Helper()
	results, err := icarus(t).MultiplySigns(t.Context(), x, products)
	if err != nil {
		t.Fatalf("%+v: %v", x, err)
	}
	for i, p := range products {
		who := fmt.Sprintf("%+v, %d×%d×%d", x, p.M, p.N, p.K)
		if got, want := results[i].Cycles, x.Cycles(p.M, p.N, p.K); got != want {
			t.Errorf("%s: %d cycles in Verilog, %d by the closed form", who, got, want)
		}
		same(t, who, results[i].Sums, p.multiply())
		bits, weights := packed(&p)
		stepped, err := (&xnor.Machine{Engine: x}).Run(bits, weights, p.M, p.N, p.K)
		if err != nil {
			t.Fatalf("%s: %v", who, err)
		}
		if results[i].Cycles != stepped.Cycles {
			t.Errorf("%s: %d cycles in Verilog, %d stepped", who, results[i].Cycles, stepped.Cycles)
		}
		same(t, who, results[i].Sums, stepped.Sums)
	}
}

// 8 engines, a fourth of them unless all are asked for, 8 products each.
func TestRandomSigns(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(9, 0))
	engines := 8
	if !all {
		engines = 2
	}
	for range engines {
		x := xnor.Engine{PEs: 1 + rnd.Int64N(9), SIMD: 1 + rnd.Int64N(70), Pipe: rnd.Int64N(4)}
		var products []Product
		for range 8 {
			products = append(products, signProduct(rnd, 1+rnd.Int64N(6), 1+rnd.Int64N(20), 1+rnd.Int64N(200)))
		}
		checkSigns(t, x, products)
	}
}

// The recorded runs of another Verilog engine: ours takes the same cycles, those
// of the closed form. The long ones are run only if all are asked for.
func TestGoldenSigns(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(10, 0))
	runs, err := golden.XNOR()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		x := xnor.Engine{PEs: r.PEs, SIMD: r.SIMD}
		if got := x.Cycles(r.Vectors, r.Outputs, r.Inputs); got != r.Cycles {
			t.Errorf("%+v: %d cycles", r, got)
		}
		if all || r.Cycles*x.PEs*x.SIMD < 1<<16 {
			checkSigns(t, x, []Product{signProduct(rnd, r.Vectors, r.Outputs, r.Inputs)})
		}
	}
}

func TestMultiplySignsRefuses(t *testing.T) {
	ic := &Icarus{}
	one := Product{1, 1, 1, []int8{1}, []int8{-1}}
	for _, c := range []struct {
		x    xnor.Engine
		p    Product
		want string
	}{
		{xnor.Engine{PEs: 0, SIMD: 1}, one, "want 1 to"},
		{xnor.Engine{PEs: 1, SIMD: 1, Pipe: -1}, one, "0 to"},
		{xnor.Engine{PEs: 1, SIMD: 1, LoadBits: 8}, one, "not built in Verilog"},
		{xnor.Engine{PEs: 1, SIMD: 1}, Product{1, 1, 1, []int8{0}, []int8{1}}, "want -1 or 1"},
		{xnor.Engine{PEs: 1, SIMD: 1}, Product{1, 1, 2, []int8{1}, []int8{1}}, "1 inputs"},
	} {
		if _, err := ic.MultiplySigns(t.Context(), c.x, []Product{c.p}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.x, err, c.want)
		}
	}
}
