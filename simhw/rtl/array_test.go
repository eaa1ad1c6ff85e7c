package rtl

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"macroscope/simhw/design"
	"macroscope/simhw/golden"
	"macroscope/simhw/systolic"
)

// all tells whether to run everything and to insist on Icarus Verilog, as make
// test-rtl does; otherwise a part of it runs, if it can.
var all = os.Getenv("MACROSCOPE_RTL") == "all"

func icarus(t *testing.T) *Icarus {
	t.Helper()
	ic, err := Find()
	switch {
	case err != nil && all:
		t.Fatal(err)
	case err != nil:
		t.Skip(err)
	}
	return ic
}

// variants are all arrays that package systolic knows, but for their size.
func variants() []systolic.Array {
	list := []systolic.Array{
		{Dataflow: design.OS, Drain: design.DrainInPlace}, {Dataflow: design.OS, Drain: design.DrainInPlace, Gated: true},
		{Dataflow: design.OS, Drain: design.DrainShift}, {Dataflow: design.OS, Drain: design.DrainShift, Gated: true},
		{Dataflow: design.OS, Drain: design.DrainOverlapped},
	}
	for _, flow := range []design.Dataflow{design.WS, design.IS} {
		list = append(list,
			systolic.Array{Dataflow: flow}, systolic.Array{Dataflow: flow, Gated: true},
			systolic.Array{Dataflow: flow, WeightLoad: design.LoadChain}, systolic.Array{Dataflow: flow, WeightLoad: design.LoadBus})
	}
	return list
}

func name(a systolic.Array) string {
	s := fmt.Sprint(a.Dataflow, "_", a.WeightLoad)
	if a.Dataflow == design.OS {
		s = fmt.Sprint(a.Dataflow, "_", a.Drain)
	}
	if a.Gated {
		s += "_gated"
	}
	return s
}

// values draws n values; one time in four only extremes, which overflow a
// register that is too narrow.
func values(rnd *rand.Rand, n int64) []int8 {
	v := make([]int8, n)
	extremes := rnd.IntN(4) == 0
	for i := range v {
		v[i] = int8(rnd.IntN(256) - 128)
		if extremes {
			v[i] = []int8{-128, 127}[rnd.IntN(2)]
		}
	}
	return v
}

func product(rnd *rand.Rand, m, n, k int64) Product {
	return Product{m, n, k, values(rnd, m*k), values(rnd, k*n)}
}

// multiply is the plain product.
func (p *Product) multiply() []int32 {
	sums := make([]int32, p.M*p.N)
	for i := range p.M {
		for k := range p.K {
			for j := range p.N {
				sums[i*p.N+j] += int32(p.X[i*p.K+k]) * int32(p.W[k*p.N+j])
			}
		}
	}
	return sums
}

// compared counts the products on which the three tiers were held against one
// another.
var compared atomic.Int64

// check runs products on the Verilog and on the stepped machine, and holds the
// sums of both against plain multiplication, their cycles against the closed
// form.
func check(t *testing.T, a systolic.Array, lanes int64, products []Product) {
	t.Helper()
	checkNarrow(t, a, lanes, systolic.Accumulator{}, systolic.Ports{}, products)
}

// checkNarrow is check with other accumulators and buffers; sums that are too narrow for
// plain multiplication are held against the stepped machine's.
func checkNarrow(t *testing.T, a systolic.Array, lanes int64, acc systolic.Accumulator, ports systolic.Ports, products []Product) {
	t.Helper()
	results, err := icarus(t).Multiply(t.Context(), a, lanes, acc, ports, products)
	if err != nil {
		t.Fatalf("%+v: %v", a, err)
	}
	for i, p := range products {
		who := fmt.Sprintf("%+v, %d lanes, %v, %+v, %d×%d×%d", a, lanes, acc, ports, p.M, p.N, p.K)
		m := a.Map(p.M, p.N, p.K, lanes, 1)
		sum := acc.Bits
		if sum == 0 {
			sum = 32
		}
		m.Feed(ports, systolic.Bits{Input: 8, Weight: 8, Sum: sum})
		if got, want := results[i].Cycles, m.Cycles(); got != want {
			t.Errorf("%s: %d cycles in Verilog, %d by the closed form", who, got, want)
		}
		mc := systolic.Machine{Array: a, Lanes: lanes, Accumulator: acc, Ports: ports}
		sums, cycles, err := mc.Run(p.X, p.W, p.M, p.N, p.K)
		if err != nil {
			t.Fatal(err)
		}
		if cycles != results[i].Cycles {
			t.Errorf("%s: %d cycles in Verilog, %d of the stepped machine", who, results[i].Cycles, cycles)
		}
		if acc == (systolic.Accumulator{}) {
			same(t, who+": stepped machine", sums, p.multiply())
		}
		same(t, who+": Verilog", results[i].Sums, sums)
		compared.Add(1)
	}
}

func same(t *testing.T, who string, got, want []int32) {
	t.Helper()
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s: sum %d is %d, want %d", who, i, got[i], want[i])
			return
		}
	}
}

// Random shapes on random arrays, all variants: 13 × 5 arrays × 8 products, a
// fifth of them unless all are asked for.
func TestRandomProducts(t *testing.T) {
	before := compared.Load()
	t.Cleanup(func() { // after the parallel parts
		n := compared.Load() - before
		t.Logf("%d random products on %d variants of the array: closed form, stepped machine and Verilog compared", n, len(variants()))
		if want := int64(500); all && !t.Failed() && n < want {
			t.Errorf("%d random products, want at least %d", n, want)
		}
	})
	for v, a := range variants() {
		t.Run(name(a), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(6, uint64(v)))
			arrays := 5
			if !all {
				arrays = 1
			}
			for range arrays {
				a.Rows, a.Cols = 1+rnd.Int64N(7), 1+rnd.Int64N(7)
				lanes := []int64{1, 1, 1, 2, 3, 4}[rnd.IntN(6)]
				var products []Product
				for range 8 {
					products = append(products, product(rnd, 1+rnd.Int64N(18), 1+rnd.Int64N(18), 1+rnd.Int64N(24)))
				}
				check(t, a, lanes, products)
			}
		})
	}
}

// Sums of 9 to 20 bits, which wrap around or saturate.
func TestNarrowSums(t *testing.T) {
	for v, a := range variants() {
		t.Run(name(a), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(9, uint64(v)))
			for i := range 2 {
				a.Rows, a.Cols = 1+rnd.Int64N(5), 1+rnd.Int64N(5)
				acc := systolic.Accumulator{Bits: 9 + rnd.Int64N(12), Saturate: (v+i)%2 == 0}
				var products []Product
				for range 4 {
					products = append(products, product(rnd, 1+rnd.Int64N(8), 1+rnd.Int64N(8), 1+rnd.Int64N(30)))
				}
				checkNarrow(t, a, 1+rnd.Int64N(3), acc, systolic.Ports{}, products)
			}
		})
	}
}

// Buffers that hold up the array, which is every variant with them: what enters, is loaded
// and leaves takes up to as many cycles as it has bytes.
func TestNarrowBuffers(t *testing.T) {
	rounds := 1
	if all {
		rounds = 10
	}
	for v, a := range variants() {
		t.Run(name(a), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(10, uint64(v)))
			for range rounds {
				a.Rows, a.Cols = 1+rnd.Int64N(6), 1+rnd.Int64N(6)
				lanes, acc := 1+rnd.Int64N(2), systolic.Accumulator{}
				if rnd.IntN(2) == 0 {
					acc.Bits = 20
				}
				width := func(bytes int64) int64 { return []int64{0, 1, 1 + rnd.Int64N(bytes)}[rnd.IntN(3)] }
				ports := systolic.Ports{Ifmap: width(6 * lanes), Filter: width(6 * lanes), Ofmap: width(24), OfmapShared: rnd.IntN(2) == 0}
				if a.Dataflow == design.OS && a.Drain == design.DrainInPlace {
					ports.Ofmap = 0
				}
				if ports.Ifmap+ports.Filter+ports.Ofmap == 0 {
					ports.Filter = 1
				}
				var products []Product
				for range 8 {
					products = append(products, product(rnd, 1+rnd.Int64N(14), 1+rnd.Int64N(14), 1+rnd.Int64N(24)))
				}
				checkNarrow(t, a, lanes, acc, ports, products)
			}
		})
	}
}

// Arrays of one row, of one column, of one element.
func TestThinArrays(t *testing.T) {
	for v, a := range variants() {
		t.Run(name(a), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(7, uint64(v)))
			for _, side := range [][2]int64{{1, 1}, {1, 5}, {5, 1}} {
				a.Rows, a.Cols = side[0], side[1]
				check(t, a, 1, []Product{product(rnd, 1, 1, 1), product(rnd, 5, 5, 5), product(rnd, 1, 7, 2), product(rnd, 6, 1, 9), product(rnd, 2, 3, 1)})
			}
		})
	}
}

// The recorded runs of another Verilog array: ours takes the same cycles for the
// same folds, those of the closed form. Large ones are run only if all are asked
// for.
func TestGoldenRuns(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(8, 0))
	runs, err := golden.RTL()
	if err != nil {
		t.Fatal(err)
	}
	products := map[systolic.Array][]Product{} // by array, each to be compiled once
	for _, r := range runs {
		run := func(a systolic.Array, want int64) {
			a.Rows, a.Cols = r.Rows, r.Cols
			p := product(rnd, a.Rows, a.Cols*r.Folds, r.Stream)
			if a.Dataflow == design.WS {
				p = product(rnd, r.Stream, a.Cols*r.Folds, a.Rows)
			}
			if m := a.Map(p.M, p.N, p.K, 1, 1); m.Cycles() != want {
				t.Errorf("%+v: %d cycles", r, m.Cycles())
			}
			if all || a.Rows*a.Cols < 100 {
				products[a] = append(products[a], p)
			}
		}
		switch r.Kind {
		case "OS":
			run(systolic.Array{Dataflow: design.OS, Drain: design.DrainInPlace}, r.Cycles)
			run(systolic.Array{Dataflow: design.OS, Drain: design.DrainShift}, r.Drained)
		case "WS":
			run(systolic.Array{Dataflow: design.WS}, r.Cycles)
		case "OSDB":
			run(systolic.Array{Dataflow: design.OS, Drain: design.DrainOverlapped}, r.Cycles)
		case "WSCHAIN":
			run(systolic.Array{Dataflow: design.WS, WeightLoad: design.LoadChain}, r.Cycles)
		case "WSDB":
			run(systolic.Array{Dataflow: design.WS, WeightLoad: design.LoadBus}, r.Cycles)
		default:
			t.Errorf("unknown kind in %+v", r)
		}
	}
	for a, p := range products {
		check(t, a, 1, p)
	}
}

func TestMultiplyRefuses(t *testing.T) {
	ic := &Icarus{}
	two := Product{2, 2, 2, make([]int8, 4), make([]int8, 4)}
	wide := systolic.Ports{}
	for _, c := range []struct {
		a     systolic.Array
		lanes int64
		ports systolic.Ports
		p     Product
		want  string
	}{
		{systolic.Array{Rows: 0, Cols: 2}, 1, wide, two, "want 1 to"},
		{systolic.Array{Rows: 2, Cols: 1000}, 1, wide, two, "want 1 to"},
		{systolic.Array{Rows: 2, Cols: 2}, 0, wide, two, "want 1 to"},
		{systolic.Array{Rows: 2, Cols: 2, Drain: design.DrainOverlapped, Gated: true}, 1, wide, two, "no gated"},
		{systolic.Array{Rows: 2, Cols: 2}, 1, wide, Product{2, 2, 2, make([]int8, 3), make([]int8, 4)}, "3 inputs"},
		{systolic.Array{Rows: 2, Cols: 2}, 1, wide, Product{1, 1 << 20, 1, make([]int8, 1), make([]int8, 1<<20)}, "want 1 to"},
		{systolic.Array{Rows: 2, Cols: 2}, 1, systolic.Ports{Filter: -1}, two, "buffers of -1 to 0 bytes"},
		{systolic.Array{Rows: 2, Cols: 2}, 1, systolic.Ports{Ofmap: 1}, two, "no edge"},
	} {
		if _, err := ic.Multiply(t.Context(), c.a, c.lanes, systolic.Accumulator{}, c.ports, []Product{c.p}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.a, err, c.want)
		}
	}
}
