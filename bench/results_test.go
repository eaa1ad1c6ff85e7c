package bench

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"
)

func TestCheckName(t *testing.T) {
	tests := []struct{ name, want string }{
		{"BenchmarkDot/dtype=int8/impl=avx512vnni/n=4096", ""},
		{"BenchmarkPeak", ""},
		{"BenchmarkX/layer=conv-a", ""},
		{"Dot/n=1", "want Benchmark"},
		{"Benchmark", "want Benchmark"},
		{"Benchmarkdot", "want Benchmark"},
		{"BenchmarkDot/n=1 /m=2", "blank"},
		{"BenchmarkDot/n=1\n", "blank"},
		{"BenchmarkDot-8", "-digits"},
		{"BenchmarkDot/layer=conv-2/n=1", "-digits"},
		{"BenchmarkDot/fast", "key=value"},
		{"BenchmarkDot/=3", "key=value"},
	}
	for _, tt := range tests {
		err := CheckName(tt.name)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%q: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestNameKey(t *testing.T) {
	const name = "BenchmarkDot/dtype=int8/impl=avx2/note=a=b"
	for key, want := range map[string]string{"dtype": "int8", "impl": "avx2", "note": "a=b", "n": "", "Dot": ""} {
		if got := NameKey(name, key); got != want {
			t.Errorf("key %q: got %q, want %q", key, got, want)
		}
	}
}

func TestWriter(t *testing.T) {
	const want = `Unit GMAC/s better=higher
Unit %peak better=higher
Unit op/s better=higher
Unit images/s better=higher
Unit pJ/op better=lower assume=exact
Unit cycles/op better=lower assume=exact
Unit weight-bytes better=lower assume=exact
Unit top1-% better=higher assume=exact
Unit B-moved/op better=lower assume=exact
Unit kernel-% better=higher
Unit max-speedup
Unit x-peak-time better=lower
Unit x-1-thread better=higher
Unit kernel-ns/op better=lower
Unit packing-ns/op better=lower
Unit epilogue-ns/op better=lower
Unit pool-ns/op better=lower

goos: linux
cpu: A CPU

BenchmarkDot/impl=avx2/n=64 100 12.5 ns/op 5.12 GMAC/s
BenchmarkDot/impl=avx2/n=64 100 12.25 ns/op 5.22 GMAC/s
`
	var b strings.Builder
	w := NewWriter(&b, []Setting{{"goos", "linux"}, {"cpu", " A\nCPU "}, {"commit", ""}})
	for _, r := range []Result{
		{"BenchmarkDot/impl=avx2/n=64", 100, []Metric{{12.5, "ns/op"}, {5.12, GMACPerSecond}}},
		{"BenchmarkDot/impl=avx2/n=64", 100, []Metric{{12.25, "ns/op"}, {5.22, GMACPerSecond}}},
	} {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}

	// What we write, the format's own reader must understand in full.
	r := benchfmt.NewReader(strings.NewReader(b.String()), "test")
	results := 0
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Error(rec)
		case *benchfmt.Result:
			results++
			if rec.GetConfig("cpu") != "A CPU" {
				t.Errorf("cpu %q, want %q", rec.GetConfig("cpu"), "A CPU")
			}
		}
	}
	if results != 2 || r.Units().GetBetter(WeightBytes) != -1 || r.Units().GetBetter(PercentOfPeak) != 1 {
		t.Errorf("read back %d results, units %v", results, r.Units())
	}
}

func TestWriterTellsOfErrors(t *testing.T) {
	full := errors.New("disk full")
	w := NewWriter(writerFunc(func([]byte) (int, error) { return 0, full }), nil)
	if err := w.Write(Result{Name: "BenchmarkX", Iters: 1}); !errors.Is(err, full) {
		t.Errorf("error %v, want %v", err, full)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
