package bench

import (
	"math"
	"strings"
	"testing"
)

func TestStats(t *testing.T) {
	time, rate, exact := lookUnit("sec/op", nil), lookUnit(GMACPerSecond, nil), lookUnit(WeightBytes, nil)
	inf := math.Inf(1)
	tests := []struct {
		name             string
		unit             Unit
		values           []float64
		median, lo, hi   float64
		best, spread     float64
		noisy            bool
		interval, warned string
	}{
		// With 10 values the 95 % interval of the median is from the 2nd to the
		// 9th: P(1 < Binomial(10, ½) < 9) = 1 − 2·11/1024 = 0.979.
		{"ten times", time, []float64{10, 1, 9, 2, 8, 3, 7, 4, 6, 5}, 5.5, 2, 9, 1, 5.5, true, "± 64%", ""},
		{"steady", time, []float64{100, 101, 100, 102, 100, 101}, 100.5, 100, 102, 100, 1.005, false, "± 1%", ""},
		{"rates are best when high", rate, []float64{100, 110, 90, 100, 100, 100}, 100, 90, 110, 110, 1.1, false, "± 10%", ""},
		{"too few for an interval", time, []float64{1, 2, 3}, 2, -inf, inf, 1, 2, true, "± ∞", "need >= 6"},
		{"one", time, []float64{3}, 3, -inf, inf, 3, 1, false, "± ∞", "need >= 6"},
		{"exact", exact, []float64{42}, 42, 42, 42, 42, 1, false, "", ""},
		{"exact but not equal", exact, []float64{42, 42, 43}, 42, 42, 43, 42, 1, false, "", "exact distribution expected"},
		{"zero", time, []float64{0, 0, 0, 0, 0, 0}, 0, 0, 0, 0, 1, false, "± 0%", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := append([]float64(nil), tt.values...)
			s := newStats(in, tt.unit)
			if s.N != len(tt.values) || s.Median != tt.median || s.Lo != tt.lo || s.Hi != tt.hi || s.Best != tt.best {
				t.Errorf("n %d median %v interval %v to %v best %v; want %d, %v, %v to %v, %v",
					s.N, s.Median, s.Lo, s.Hi, s.Best, len(tt.values), tt.median, tt.lo, tt.hi, tt.best)
			}
			if math.Abs(s.Spread-tt.spread) > 1e-12 || s.Noisy() != tt.noisy {
				t.Errorf("spread %v noisy %v, want %v %v", s.Spread, s.Noisy(), tt.spread, tt.noisy)
			}
			if got := s.Interval(); got != tt.interval {
				t.Errorf("interval %q, want %q", got, tt.interval)
			}
			if got := strings.Join(s.Warnings, "; "); (got == "") != (tt.warned == "") || !strings.Contains(got, tt.warned) {
				t.Errorf("warnings %q, want %q", got, tt.warned)
			}
			for i := range in {
				if in[i] != tt.values[i] {
					t.Fatalf("the caller's values were reordered: %v, want %v", in, tt.values)
				}
			}
		})
	}
}

func TestSummarize(t *testing.T) {
	var results []Result
	for _, ns := range []float64{100, 120, 110, 100, 130, 105} {
		results = append(results,
			Result{"BenchmarkB/impl=x", 10, []Metric{{ns, "ns/op"}, {5, WeightBytes}}},
			Result{"BenchmarkA/impl=x", 10, []Metric{{ns * 2, "ns/op"}, {math.NaN(), GMACPerSecond}}})
	}
	rows := Summarize(results)
	if len(rows) != 2 || rows[0].Name != "BenchmarkB/impl=x" || rows[1].Name != "BenchmarkA/impl=x" {
		t.Fatalf("got %v, want B then A, as they first appeared", rows)
	}
	for _, unit := range []string{"ns/op", "sec/op"} {
		s, ok := rows[0].Get(unit)
		if !ok || math.Abs(s.Median-107.5e-9) > 1e-18 || math.Abs(s.Best-100e-9) > 1e-18 {
			t.Errorf("%s: median %v, best %v, found %v; want 107.5 ns and 100 ns", unit, s.Median, s.Best, ok)
		}
	}
	if s, ok := rows[0].Get(WeightBytes); !ok || s.Median != 5 || !s.Unit.Exact {
		t.Errorf("weight-bytes: %+v, %v", s, ok)
	}
	if _, ok := rows[1].Get(GMACPerSecond); ok {
		t.Error("a unit that has only NaN was kept")
	}
}

func TestUnitFormat(t *testing.T) {
	tests := []struct {
		unit string
		v    float64
		want string
	}{
		{"sec/op", 1.2344e-6, "1.234µ"},
		{"sec/op", 0, "0.000"},
		{GMACPerSecond, 457.123, "457.1"},
		{GMACPerSecond, 3.4567, "3.457"},
		{GMACPerSecond, 12345.6, "12346"},
		{GMACPerSecond, 1e-9, "1e-09"},
		{PercentOfPeak, 93.456, "93.46"},
		{Top1Percent, 87.65, "87.65"},
		{PicojoulePerOp, 1.5e9, "1.5e+09"},
		{WeightBytes, 309290, "302.0Ki"},
		{TimesOneThread, 0.9975, "0.9975"},
		{MaxSpeedup, 3.8, "3.800"},
		{CyclesPerOp, 112283, "112.3k"},
	}
	for _, tt := range tests {
		if got := lookUnit(tt.unit, nil).format(tt.v); got != tt.want {
			t.Errorf("%v %s: got %q, want %q", tt.v, tt.unit, got, tt.want)
		}
	}
}
