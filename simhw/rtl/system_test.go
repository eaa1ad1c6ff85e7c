package rtl

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"macroscope/simhw/design"
	"macroscope/simhw/memory"
	"macroscope/simhw/systolic"
)

// system runs jobs and holds the sums that come to DRAM against plain products.
func system(t *testing.T, a systolic.Array, lanes, width int64, jobs []Job) int64 {
	t.Helper()
	cycles, sums, err := icarus(t).System(t.Context(), a, lanes, width, jobs)
	if err != nil {
		t.Fatalf("%+v: %v", a, err)
	}
	for i := range jobs {
		same(t, fmt.Sprintf("%+v, %d lanes, %d words a cycle: job %d of %d", a, lanes, width, i, len(jobs)), sums[i], jobs[i].multiply())
	}
	return cycles
}

// formula is the time of a double-buffered memory whose work is jobs on an array.
func formula(a systolic.Array, lanes, width int64, jobs []Job) (total, waits int64) {
	var work, reads, writes []int64
	for i := range jobs {
		p := a.Map(jobs[i].M, jobs[i].N, jobs[i].K, lanes, 1)
		r, w := jobs[i].Words(lanes)
		work, reads, writes = append(work, p.Cycles()), append(reads, r), append(writes, w)
	}
	return cycles(width, work, reads, writes)
}

// Random products, one after the other, some with weights of their own, on every
// array that gives its sums at its edge.
func TestSystem(t *testing.T) {
	rounds := 1
	if all {
		rounds = 4
	}
	for v, a := range variants() {
		if a.Dataflow == design.OS && a.Drain == design.DrainInPlace {
			continue
		}
		t.Run(name(a), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(21, uint64(v)))
			for round := range rounds {
				a.Rows, a.Cols = 1+rnd.Int64N(6), 1+rnd.Int64N(6)
				lanes := 1 + rnd.Int64N(3)
				width := []int64{2, 20, 5, 60}[(v+round)%4]
				var jobs []Job
				for i := range 2 + rnd.IntN(6) {
					j := Job{Product: product(rnd, 1+rnd.Int64N(12), 1+rnd.Int64N(12), 1+rnd.Int64N(20)), Loads: true}
					if i > 0 && rnd.IntN(2) == 0 { // the same weights
						before := jobs[i-1]
						j = Job{Product: Product{M: j.M, N: before.N, K: before.K, X: values(rnd, j.M*before.K), W: before.W}}
					}
					jobs = append(jobs, j)
				}
				want, _ := formula(a, lanes, width, jobs)
				if got := system(t, a, lanes, width, jobs); got != want {
					t.Errorf("%+v, %d lanes, %d words a cycle, %d jobs: %d cycles in Verilog, %d by the formula", a, lanes, width, len(jobs), got, want)
				}
			}
		})
	}
}

// Layers in folds, the array and the memory both in Verilog, against package
// memory: output stationary, all channels in one column fold, inputs too large to
// keep. Fast and slow memories.
func TestSystemLayer(t *testing.T) {
	rnd := rand.New(rand.NewPCG(22, 0))
	stalled, rounds := 0, 4
	if all {
		rounds = 16
	}
	for round := range rounds {
		a := systolic.Array{Rows: 1 + rnd.Int64N(6), Cols: 6, Dataflow: design.OS, Drain: design.DrainShift, Gated: rnd.IntN(2) == 0}
		p := product(rnd, 8+rnd.Int64N(40), 1+rnd.Int64N(6), 1+rnd.Int64N(30))
		width := []int64{1, 24}[round%2]
		problem := memory.Problem{
			Map: a.Map(p.M, p.N, p.K, 1, 1), InputWords: p.M * p.K, LineWords: p.M * p.K,
			OperandBits: 8, AccumulatorBits: 32, OutputBits: 8,
			IfmapBits: 1, FilterBits: 8 * p.N * p.K, OfmapBits: 1 << 20, BytesPerCycle: float64(width),
		}
		r, ok := memory.Run(&problem)
		if !ok {
			t.Fatal("too many cycles")
		}
		var jobs []Job
		for r0 := int64(0); r0 < p.M; r0 += a.Rows {
			rows := min(a.Rows, p.M-r0)
			jobs = append(jobs, Job{Product: Product{M: rows, N: p.N, K: p.K, X: p.X[r0*p.K : (r0+rows)*p.K], W: p.W}, Loads: r0 == 0})
		}
		if _, waits := formula(a, 1, width, jobs); waits > 0 {
			stalled++
		}
		want := r.PrefetchCycles + r.Map.Cycles() + r.StallCycles
		if got := system(t, a, 1, width, jobs); got != want {
			t.Errorf("%+v, %d×%d×%d, %d bytes a cycle: %d cycles in Verilog, %d by package memory", a, p.M, p.N, p.K, width, got, want)
		}
	}
	if stalled == 0 || stalled == rounds {
		t.Errorf("%d of %d layers wait for DRAM: want some that do and some that do not", stalled, rounds)
	}
}

func TestSystemRefuses(t *testing.T) {
	ic := &Icarus{}
	two := Job{Product{2, 2, 2, make([]int8, 4), make([]int8, 4)}, true}
	other := Job{Product{2, 1, 2, make([]int8, 4), make([]int8, 2)}, false}
	ws := systolic.Array{Rows: 2, Cols: 2, Dataflow: design.WS}
	for _, c := range []struct {
		a     systolic.Array
		width int64
		jobs  []Job
		want  string
	}{
		{ws, 0, []Job{two}, "0 words a cycle"},
		{ws, 1, nil, "0 jobs"},
		{ws, 1, []Job{other}, "the first with weights"},
		{ws, 1, []Job{two, other}, "uses those of"},
		{systolic.Array{Rows: 2, Cols: 2}, 1, []Job{two}, "no edge"},
		{systolic.Array{Rows: 2, Cols: 1000}, 1, []Job{two}, "1000 elements"},
	} {
		if _, _, err := ic.System(t.Context(), c.a, 1, c.width, c.jobs); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v, %d words a cycle: error %v, want %q", c.a, c.width, err, c.want)
		}
	}
}
