package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// fake is a machine whose clock advances only by the work done on it.
type fake struct {
	clock time.Duration
	log   []string // names of the cases in the order of their measurements
}

func (f *fake) now() time.Duration { return f.clock }

// work makes a case that takes cost(k) for the k-th iteration ever.
func (f *fake) work(name string, cost func(k int) time.Duration) Case {
	k := 0
	return Case{Name: name, Run: func(n int) {
		f.log = append(f.log, name)
		for range n {
			f.clock += cost(k)
			k++
		}
	}}
}

func (f *fake) constant(name string, cost time.Duration) Case {
	return f.work(name, func(int) time.Duration { return cost })
}

func values(results []Result, name, unit string) []float64 {
	var v []float64
	for _, r := range results {
		if r.Name == name {
			if x, ok := r.Get(unit); ok {
				v = append(v, x)
			}
		}
	}
	return v
}

func TestRunMeasures(t *testing.T) {
	f := &fake{}
	peak := f.constant("BenchmarkPeak/impl=x", 100*time.Nanosecond)
	peak.MACs = 1000 // 10 GMAC/s
	a := f.constant("BenchmarkA/impl=x", 2*time.Microsecond)
	a.MACs, a.Peak, a.Bytes, a.Images = 10000, peak.Name, 4000, 2 // 5 GMAC/s, half of the peak
	a.Extra = []Metric{{309290, WeightBytes}}
	slow := f.constant("BenchmarkSlow/impl=x", 3*time.Second)

	rep, err := Run(t.Context(), []Case{peak, a, slow}, RunOptions{Rounds: 4, BenchTime: 10 * time.Millisecond, now: f.now})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Rounds != 4 || len(rep.Results) != 12 || len(rep.Warnings) != 0 {
		t.Fatalf("%d rounds, %d results, warnings %q; want 4, 12, none", rep.Rounds, len(rep.Results), rep.Warnings)
	}
	for i, want := range []string{peak.Name, a.Name, slow.Name} {
		if rep.Results[3+i].Name != want {
			t.Errorf("result %d is of %s, want the order of cases: %s", 3+i, rep.Results[3+i].Name, want)
		}
	}
	for unit, want := range map[string]float64{
		"ns/op": 2000, "MB/s": 2000, GMACPerSecond: 5, PercentOfPeak: 50, ImagesPerSecond: 1e6, WeightBytes: 309290,
	} {
		got := values(rep.Results, a.Name, unit)
		if len(got) != 4 || slices.ContainsFunc(got, func(v float64) bool { return math.Abs(v-want) > 1e-6*want }) {
			t.Errorf("%s: got %v, want four times %v", unit, got, want)
		}
	}
	if got := values(rep.Results, peak.Name, PercentOfPeak); len(got) != 0 {
		t.Errorf("the peak itself has %%peak %v", got)
	}
	for name, want := range map[string]int{a.Name: 5000, slow.Name: 1} {
		for _, r := range rep.Results {
			if r.Name == name && r.Iters != want {
				t.Errorf("%s: %d iterations, want %d: 10 ms, at least one", name, r.Iters, want)
			}
		}
	}
}

// %peak is taken within the round: a machine that slows down as a whole does
// not change it.
func TestPeakIsOfTheSameRound(t *testing.T) {
	f := &fake{}
	slowdown := time.Duration(1)
	cost := func(int) time.Duration { return slowdown * time.Microsecond }
	peak, a := f.work("BenchmarkPeak", cost), f.work("BenchmarkA", cost)
	peak.MACs, a.MACs, a.Peak = 100, 80, "BenchmarkPeak"
	rep, err := Run(t.Context(), []Case{peak, a}, RunOptions{
		Rounds: 5, now: f.now,
		Round: func([]Result) error { slowdown++; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range values(rep.Results, "BenchmarkA", PercentOfPeak) {
		if math.Abs(v-80) > 1e-3 {
			t.Errorf("round %d: %v %%peak, want 80", i+1, v)
		}
	}
	if ns := values(rep.Results, "BenchmarkA", "ns/op"); ns[4] != 5*ns[0] {
		t.Errorf("ns/op %v: the last round should be 5 times slower", ns)
	}
}

func TestRoundsAreShuffledAndRepeatable(t *testing.T) {
	order := func(seed uint64) []string {
		f := &fake{}
		var cases []Case
		for i := range 6 {
			// One iteration lasts longer than a measurement, so that each round
			// runs each case exactly once.
			cases = append(cases, f.constant(fmt.Sprintf("BenchmarkC%d", i), time.Second))
		}
		if _, err := Run(t.Context(), cases, RunOptions{Rounds: 5, Seed: seed, now: f.now}); err != nil {
			t.Fatal(err)
		}
		return f.log[len(f.log)-30:]
	}
	log := order(1)
	if !slices.Equal(log, order(1)) {
		t.Error("the same seed gave another order")
	}
	if slices.Equal(log, order(2)) {
		t.Error("another seed gave the same order")
	}
	distinct := map[string]bool{}
	for r := range 5 {
		round := log[6*r : 6*r+6]
		distinct[strings.Join(round, " ")] = true
		if sorted := slices.Sorted(slices.Values(round)); len(slices.Compact(sorted)) != 6 {
			t.Errorf("round %d measured %v, want every case once", r+1, round)
		}
	}
	if len(distinct) < 3 {
		t.Errorf("only %d different orders in 5 rounds", len(distinct))
	}
}

func TestWarmUp(t *testing.T) {
	t.Run("slow start is not measured", func(t *testing.T) {
		f := &fake{}
		c := f.work("BenchmarkC", func(k int) time.Duration {
			if k < 150 {
				return 100 * time.Microsecond // cold
			}
			return 10 * time.Microsecond
		})
		rep, err := Run(t.Context(), []Case{c}, RunOptions{Rounds: 3, now: f.now})
		if err != nil {
			t.Fatal(err)
		}
		if got := values(rep.Results, "BenchmarkC", "ns/op"); !slices.Equal(got, []float64{10000, 10000, 10000}) {
			t.Errorf("ns/op %v, want 10000 in every round", got)
		}
		if rep.Results[0].Iters != 2000 || len(rep.Warnings) != 0 {
			t.Errorf("%d iterations, warnings %q; want 2000, none", rep.Results[0].Iters, rep.Warnings)
		}
	})
	t.Run("never steady", func(t *testing.T) {
		f := &fake{}
		batch := 0
		c := Case{Name: "BenchmarkC", Run: func(n int) {
			batch++
			f.clock += time.Duration(n) * time.Microsecond * time.Duration(1+batch%3)
		}}
		rep, err := Run(t.Context(), []Case{c}, RunOptions{Rounds: 1, now: f.now})
		if err != nil {
			t.Fatal(err)
		}
		if len(rep.Warnings) != 1 || !strings.Contains(rep.Warnings[0], "BenchmarkC did not become steady") {
			t.Errorf("warnings %q, want one that it did not become steady", rep.Warnings)
		}
	})
	t.Run("takes no time", func(t *testing.T) {
		_, err := Run(t.Context(), []Case{{Name: "BenchmarkC", Run: func(int) {}}}, RunOptions{now: func() time.Duration { return 0 }})
		if err == nil || !strings.Contains(err.Error(), "take no time") {
			t.Errorf("error %v, want one that it takes no time", err)
		}
	})
}

func TestBeatenPeakWarns(t *testing.T) {
	f := &fake{}
	peak, a := f.constant("BenchmarkPeak", time.Microsecond), f.constant("BenchmarkA", time.Microsecond)
	peak.MACs, a.MACs, a.Peak = 100, 120, "BenchmarkPeak"
	rep, err := Run(t.Context(), []Case{peak, a}, RunOptions{Rounds: 2, now: f.now})
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Warnings) != 1 || !strings.Contains(rep.Warnings[0], "BenchmarkA reaches 120% of its peak") {
		t.Errorf("warnings %q, want one that A reaches 120%%", rep.Warnings)
	}
}

func TestCancelKeepsCompleteRounds(t *testing.T) {
	stop := errors.New("stopped")
	for _, after := range []int{0, 1, 2} { // complete rounds
		f := &fake{}
		ctx, cancel := context.WithCancelCause(t.Context())
		cases := []Case{f.constant("BenchmarkA", time.Second), f.constant("BenchmarkB", time.Second), f.constant("BenchmarkC", time.Second)}
		steps := 0
		rep, err := Run(ctx, cases, RunOptions{Rounds: 9, now: f.now, Progress: func(p Progress) {
			// In the middle of the next round.
			if steps++; steps == 3+3*after+2 {
				cancel(stop)
			}
		}})
		if !errors.Is(err, stop) {
			t.Errorf("error %v, want %v", err, stop)
		}
		if rep.Rounds != after || len(rep.Results) != 3*after {
			t.Errorf("%d rounds and %d results, want %d and %d", rep.Rounds, len(rep.Results), after, 3*after)
		}
	}
}

func TestRoundErrorStops(t *testing.T) {
	full := errors.New("disk full")
	f := &fake{}
	rep, err := Run(t.Context(), []Case{f.constant("BenchmarkA", time.Second)}, RunOptions{
		now: f.now, Round: func([]Result) error { return full },
	})
	if !errors.Is(err, full) || rep.Rounds != 1 {
		t.Errorf("error %v after %d rounds, want %v after 1", err, rep.Rounds, full)
	}
}

func TestProgressCountsToTheEnd(t *testing.T) {
	f := &fake{}
	var seen []Progress
	_, err := Run(t.Context(), []Case{f.constant("BenchmarkA", time.Second), f.constant("BenchmarkB", time.Second)}, RunOptions{
		Rounds: 3, now: f.now, Progress: func(p Progress) { seen = append(seen, p) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 8 {
		t.Fatalf("%d steps, want 2 warm-ups and 2 × 3 measurements", len(seen))
	}
	for i, p := range seen {
		if p.Done != i || p.Total != 8 || p.Round != i/2 {
			t.Errorf("step %d: %+v, want done %d of 8 in round %d", i, p, i, i/2)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	run := func(int) {}
	tests := []struct {
		name  string
		cases []Case
		want  string
	}{
		{"nothing", nil, "no case"},
		{"bad name", []Case{{Name: "dot", Run: run}}, "want Benchmark"},
		{"two of a name", []Case{{Name: "BenchmarkA", Run: run}, {Name: "BenchmarkA", Run: run}}, "two cases"},
		{"unknown peak", []Case{{Name: "BenchmarkA", Run: run, MACs: 1, Peak: "BenchmarkP"}}, `peak "BenchmarkP"`},
		{"peak without MACs", []Case{{Name: "BenchmarkA", Run: run, MACs: 1, Peak: "BenchmarkP"}, {Name: "BenchmarkP", Run: run}}, `peak "BenchmarkP"`},
	}
	for _, tt := range tests {
		if _, err := Run(t.Context(), tt.cases, RunOptions{}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.want)
		}
	}
}

// With the real clock: the numbers are of the right size and the file that they
// give can be compared.
func TestRunOnTheRealClock(t *testing.T) {
	sink := 0.0
	dot := func(name string, n int) Case {
		x := make([]float64, n)
		return Case{Name: name, MACs: float64(n), Run: func(k int) {
			for range k {
				s := 0.0
				for _, v := range x {
					s += v * v
				}
				sink += s
			}
		}}
	}
	rep, err := Run(t.Context(), []Case{dot("BenchmarkDot/impl=generic/n=512", 512), dot("BenchmarkDot/impl=long/n=512", 5120)},
		RunOptions{Rounds: 6, BenchTime: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	rows := Summarize(rep.Results)
	a, _ := rows[0].Get("sec/op")
	b, _ := rows[1].Get("sec/op")
	if !(a.Best > 0) || !(b.Best > 3*a.Best) {
		t.Errorf("best %v s for 512 products, %v s for 5120: want about ten times as much", a.Best, b.Best)
	}
	_ = sink
}
