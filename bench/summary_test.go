package bench

import (
	"strings"
	"testing"
)

func TestWriteSummary(t *testing.T) {
	var results []Result
	for i := range 10 {
		ns := 1000.0
		if i > 2 {
			ns = 1500 // the median is 1.5 times the best
		}
		results = append(results,
			Result{Name: "BenchmarkDot/impl=steady", Iters: 5, Metrics: []Metric{{2000, "ns/op"}, {2, GMACPerSecond}, {50, PercentOfPeak}}},
			Result{Name: "BenchmarkDot/impl=disturbed", Iters: 5, Metrics: []Metric{{ns, "ns/op"}}},
		)
	}
	var b strings.Builder
	if err := WriteSummary(&b, results); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("want a heading and two rows:\n%s", b.String())
	}
	if f := strings.Fields(lines[1]); f[0] != "Dot/impl=steady" || f[2] != "2.000µs" || lines[1] != strings.TrimRight(lines[1], "!") {
		t.Errorf("steady row: %q", lines[1])
	}
	if strings.Contains(lines[0], TimesOneThread) {
		t.Errorf("a column without values: %q", lines[0])
	}
	if f := strings.Fields(lines[2]); f[2] != "1.500µs" || f[len(f)-1] != "!" {
		t.Errorf("disturbed row: %q", lines[2])
	}

	results[0].Metrics = append(results[0].Metrics, Metric{1.95, TimesOneThread})
	b.Reset()
	if err := WriteSummary(&b, results); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(b.String(), "\n"); !strings.Contains(lines[0], TimesOneThread) || !strings.HasSuffix(strings.TrimSpace(lines[1]), "1.950") {
		t.Errorf("no column of %s:\n%s", TimesOneThread, b.String())
	}
}
