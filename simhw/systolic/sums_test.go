package systolic

import (
	"testing"

	"pgregory.net/rapid"

	"macroscope/simhw/design"
)

// 100·100 three times and −100·100 twice, in 16 bits: 10000, 20000, 30000,
// then 20000, 10000. With the negative ones in the middle of four positive ones
// nothing overflows; with all six positive ones first, it does.
func TestAccumulatorByHand(t *testing.T) {
	x := []int8{100, 100, 100, 100, 100, 100}
	w := []int8{100, 100, 100, 100, -100, -100}
	for _, c := range []struct {
		a    Array
		acc  Accumulator
		want int32
	}{
		{Array{Rows: 2, Cols: 1, Dataflow: design.OS}, Accumulator{}, 20000},
		// 40000 does not fit: 40000 − 65536 = −25536, less 20000 more: −45536 + 65536.
		{Array{Rows: 2, Cols: 1, Dataflow: design.OS}, Accumulator{Bits: 16}, 20000},
		// 32767 − 20000.
		{Array{Rows: 2, Cols: 1, Dataflow: design.OS}, Accumulator{Bits: 16, Saturate: true}, 12767},
		// Row folds of two: 20000 + 20000 is 32767, + −20000.
		{Array{Rows: 2, Cols: 1, Dataflow: design.WS}, Accumulator{Bits: 16, Saturate: true}, 12767},
		// Row folds of three: 30000 + (10000 − 20000): nothing saturates.
		{Array{Rows: 3, Cols: 1, Dataflow: design.WS}, Accumulator{Bits: 16, Saturate: true}, 20000},
		// 15 bits: 16383 + (10000 − 20000).
		{Array{Rows: 3, Cols: 1, Dataflow: design.IS}, Accumulator{Bits: 15, Saturate: true}, 6383},
	} {
		mc := Machine{Array: c.a, Lanes: 1, Accumulator: c.acc}
		sums, _, err := mc.Run(x, w, 1, 1, 6)
		if err != nil {
			t.Fatal(err)
		}
		if sums[0] != c.want {
			t.Errorf("%v, %v, %d rows: %d, want %d", c.a.Dataflow, c.acc, c.a.Rows, sums[0], c.want)
		}
	}
}

// The fast sums are the stepped machine's, for accumulators of all widths.
func TestAdderIsTheMachine(t *testing.T) {
	differ := 0 // products whose sums are not the exact ones
	rapid.Check(t, func(t *rapid.T) {
		a := drawArray(t, 5)
		acc := Accumulator{Bits: rapid.Int64Range(2, 32).Draw(t, "bits"), Saturate: rapid.Bool().Draw(t, "saturate")}
		m, n, k := rapid.Int64Range(1, 8).Draw(t, "m"), rapid.Int64Range(1, 8).Draw(t, "n"), rapid.Int64Range(1, 40).Draw(t, "k")
		lanes := rapid.SampledFrom([]int64{1, 1, 2, 3}).Draw(t, "lanes")
		value := rapid.OneOf(rapid.Int8(), rapid.SampledFrom([]int8{-128, 127}))
		values := func(n int64, label string) []int8 { return rapid.SliceOfN(value, int(n), int(n)).Draw(t, label) }
		x, w := values(m*k, "x"), values(k*n, "w")
		mc := Machine{Array: a, Lanes: lanes, Accumulator: acc}
		want, _, err := mc.Run(x, w, m, n, k)
		if err != nil {
			t.Fatal(err)
		}
		lines := make([]int8, n*k)
		for j := range n {
			for i := range k {
				lines[j*k+i] = w[i*n+j]
			}
		}
		ad, err := NewAdder(a, acc, lanes, lines, int(n), int(k))
		if err != nil {
			t.Fatal(err)
		}
		got := make([]int32, n)
		for i := range m {
			ad.Add(got, x[i*k:(i+1)*k])
			for j := range n {
				if got[j] != want[i*n+j] {
					t.Fatalf("%+v, %v, %d lanes: sum (%d, %d) is %d, the machine's %d", a, acc, lanes, i, j, got[j], want[i*n+j])
				}
			}
		}
		for i, v := range product(x, w, m, n, k) {
			if v != want[i] {
				differ++
				break
			}
		}
	})
	least := 10
	if testing.Short() { // a fifth of the cases
		least = 1
	}
	if differ < least {
		t.Errorf("%d products with a sum that did not fit: want at least %d", differ, least)
	}
}

func TestAdderRefuses(t *testing.T) {
	if _, err := NewAdder(Array{Rows: 2}, Accumulator{Bits: 1}, 1, make([]int8, 4), 2, 2); err == nil {
		t.Error("took an accumulator of one bit")
	}
	if _, err := NewAdder(Array{Rows: 2}, Accumulator{}, 1, make([]int8, 3), 2, 2); err == nil {
		t.Error("took three weights for two sums of two products")
	}
}

func BenchmarkAdder(b *testing.B) {
	const n, k = 64, 576
	x, w := make([]int8, k), make([]int8, n*k)
	for i := range w {
		w[i] = int8(i*7%255 - 127)
	}
	for i := range x {
		x[i] = int8(i * 5 % 127)
	}
	sums := make([]int32, n)
	for _, c := range []struct {
		name string
		acc  Accumulator
	}{{"wrap", Accumulator{Bits: 16}}, {"saturate", Accumulator{Bits: 16, Saturate: true}}} {
		b.Run(c.name, func(b *testing.B) {
			ad, err := NewAdder(Array{Rows: 32, Dataflow: design.WS}, c.acc, 1, w, n, k)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				ad.Add(sums, x)
			}
			b.ReportMetric(float64(b.N)*n*k/b.Elapsed().Seconds()/1e9, "GMAC/s")
		})
	}
}
