package systolic

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"macroscope/simhw/design"
)

// product multiplies plainly.
func product(x, w []int8, m, n, k int64) []int32 {
	sums := make([]int32, m*n)
	for i := range m {
		for q := range k {
			for j := range n {
				sums[i*n+j] += int32(x[i*k+q]) * int32(w[q*n+j])
			}
		}
	}
	return sums
}

// The machine returns exact products and exactly the closed form's cycles, in
// all variants.
func TestMachineAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawArray(t, 6)
		m, n, k := rapid.Int64Range(1, 20).Draw(t, "m"), rapid.Int64Range(1, 20).Draw(t, "n"), rapid.Int64Range(1, 20).Draw(t, "k")
		lanes := rapid.Int64Range(1, 4).Draw(t, "lanes")
		values := func(n int64, label string) []int8 {
			return rapid.SliceOfN(rapid.Int8(), int(n), int(n)).Draw(t, label)
		}
		x, w := values(m*k, "x"), values(k*n, "w")
		mc := Machine{Array: a, Lanes: lanes}
		if rapid.Bool().Draw(t, "narrow") {
			width := rapid.Int64Range(0, 40)
			mc.Ports = Ports{width.Draw(t, "ifmap"), width.Draw(t, "filter"), width.Draw(t, "ofmap"), rapid.Bool().Draw(t, "shared")}
		}
		sums, cycles, err := mc.Run(x, w, m, n, k)
		if err != nil {
			t.Fatal(err)
		}
		p := a.Map(m, n, k, lanes, 1)
		p.Feed(mc.Ports, Bits{8, 8, 32})
		if cycles != p.Cycles() {
			t.Fatalf("%+v, %+v: the machine took %d cycles, the closed form says %d", a, mc.Ports, cycles, p.Cycles())
		}
		for i, want := range product(x, w, m, n, k) {
			if sums[i] != want {
				t.Fatalf("%+v: sum %d is %d, want %d", a, i, sums[i], want)
			}
		}
	})
}

// Overlapping folds with narrow buffers where it matters in which steps lines cross: few
// and many folds, streams about as long as a column is high, one port much slower than
// the others.
func TestMachineOverlaps(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 0))
	variants := []Array{{Dataflow: design.OS, Drain: design.DrainOverlapped}}
	for _, flow := range []design.Dataflow{design.WS, design.IS} {
		variants = append(variants, Array{Dataflow: flow, WeightLoad: design.LoadChain}, Array{Dataflow: flow, WeightLoad: design.LoadBus})
	}
	waiting := 0
	for i := range 6000 {
		a := variants[i%len(variants)]
		a.Rows, a.Cols = 1+rnd.Int64N(6), 1+rnd.Int64N(6)
		stream, depth, columns := 1+rnd.Int64N(2*a.Rows+3), 1+rnd.Int64N(1+a.Rows*rnd.Int64N(8)), 1+rnd.Int64N(2*a.Cols)
		m, n, k := stream, columns, depth
		switch a.Dataflow {
		case design.OS:
			m, n, k = depth, columns, stream
		case design.IS:
			m, n, k = columns, stream, depth
		}
		width := func(bytes int64) int64 { return []int64{0, 1, 1 + rnd.Int64N(bytes)}[rnd.IntN(3)] }
		mc := Machine{Array: a, Lanes: 1, Ports: Ports{width(6), width(6), width(24), rnd.IntN(2) == 0}}
		x, w := randomInt8(rnd, m*k), randomInt8(rnd, k*n)
		sums, cycles, err := mc.Run(x, w, m, n, k)
		if err != nil {
			t.Fatal(err)
		}
		p := a.Map(m, n, k, 1, 1)
		p.Feed(mc.Ports, Bits{8, 8, 32})
		if p.Waits != (Waits{}) {
			waiting++
		}
		if cycles != p.Cycles() {
			t.Fatalf("%+v, %+v, %d×%d×%d: the machine took %d cycles, the closed form says %d", a, mc.Ports, m, n, k, cycles, p.Cycles())
		}
		if want := product(x, w, m, n, k); !slices.Equal(sums, want) {
			t.Fatalf("%+v, %+v: sums %v, want %v", a, mc.Ports, sums, want)
		}
	}
	if waiting < 4000 {
		t.Errorf("%d arrays wait for buffers, want 4000", waiting)
	}
}

// A machine is used for one product after the other.
func TestMachineAgain(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 0))
	mc := Machine{Array: Array{Rows: 3, Cols: 2, Dataflow: design.WS, WeightLoad: design.LoadBus}, Lanes: 1}
	for range 3 {
		x, w := randomInt8(rnd, 5*7), randomInt8(rnd, 7*4)
		sums, cycles, err := mc.Run(x, w, 5, 4, 7)
		if err != nil {
			t.Fatal(err)
		}
		p := mc.Map(5, 4, 7, 1, 1)
		if want := product(x, w, 5, 4, 7); cycles != p.Cycles() || sums[0] != want[0] || sums[19] != want[19] {
			t.Errorf("%d cycles, sums %v, want %d and %v", cycles, sums, p.Cycles(), want)
		}
	}
}

func randomInt8(rnd *rand.Rand, n int64) []int8 {
	v := make([]int8, n)
	for i := range v {
		v[i] = int8(rnd.IntN(256) - 128)
	}
	return v
}

func TestMachineRefuses(t *testing.T) {
	for _, c := range []struct {
		mc     Machine
		inputs int
		want   string
	}{
		{Machine{Array: Array{Rows: 2, Cols: 2}, Lanes: 1}, 3, "3 inputs"},
		{Machine{Array: Array{Rows: 2, Cols: 2, Drain: design.DrainOverlapped, Gated: true}, Lanes: 1}, 4, "no gated"},
		{Machine{Array: Array{Rows: 2, Cols: 2}, Lanes: 1, Accumulator: Accumulator{Bits: 33}}, 4, "33 bits: want 2 to 32"},
		{Machine{Array: Array{Rows: 2, Cols: 2}}, 4, "all positive"},
	} {
		if _, _, err := c.mc.Run(make([]int8, c.inputs), make([]int8, 4), 2, 2, 2); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.mc, err, c.want)
		}
	}
}
