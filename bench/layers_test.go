package bench

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"macroscope/dtype"
	"macroscope/kernels"
)

// The parts of a case give results of their own, before the case's: with their
// own peaks, and the case's time over that of all MACs at those peaks.
func TestRunMeasuresParts(t *testing.T) {
	f := &fake{}
	peak := f.constant("BenchmarkPeak/impl=x", 100*time.Nanosecond)
	peak.MACs = 1000 // 10 GMAC/s
	work := f.constant("BenchmarkLayers/layer=all", 10*time.Microsecond)
	work.MACs = 50000
	work.Parts = []Case{
		{Name: "BenchmarkLayers/layer=a", MACs: 40000, Peak: peak.Name, Bytes: 400, Extra: []Metric{{400, BytesMoved}}},
		{Name: "BenchmarkLayers/layer=b", MACs: 10000, Peak: peak.Name},
		{Name: "BenchmarkLayers/layer=c"},
	}
	work.Measure = func(time func(func(int)) float64) Measured {
		ns := time(work.Run)
		return Measured{NS: ns, Parts: []Measured{{NS: 0.5 * ns, Extra: []Metric{{0.4 * ns, KernelTime}}}, {NS: 0.4 * ns}, {NS: 0}}}
	}
	rep, err := Run(t.Context(), []Case{work, peak}, RunOptions{Rounds: 3, BenchTime: time.Millisecond, now: f.now})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, r := range rep.Results[:5] {
		order = append(order, r.Name)
	}
	if got, want := strings.Join(order, " "), "BenchmarkLayers/layer=a BenchmarkLayers/layer=b BenchmarkLayers/layer=c BenchmarkLayers/layer=all BenchmarkPeak/impl=x"; got != want {
		t.Fatalf("results of %s, want %s", got, want)
	}
	for _, c := range []struct {
		name, unit string
		want       float64
	}{
		{"BenchmarkLayers/layer=a", "ns/op", 5000},
		{"BenchmarkLayers/layer=a", "MB/s", 80},
		{"BenchmarkLayers/layer=a", GMACPerSecond, 8},
		{"BenchmarkLayers/layer=a", PercentOfPeak, 80},
		{"BenchmarkLayers/layer=a", KernelTime, 4000},
		{"BenchmarkLayers/layer=b", PercentOfPeak, 25},
		{"BenchmarkLayers/layer=c", "ns/op", 0},
		{"BenchmarkLayers/layer=all", GMACPerSecond, 5},
		{"BenchmarkLayers/layer=all", TimesPeakTime, 2}, // 50,000 MACs at 10 GMAC/s take 5 µs
	} {
		got := values(rep.Results, c.name, c.unit)
		if len(got) != 3 || math.Abs(got[0]-c.want) > 1e-6*c.want {
			t.Errorf("%s, %s: %v, want three times %v", c.name, c.unit, got, c.want)
		}
	}
	work.Parts[2].Name = "BenchmarkPeak/impl=x"
	if _, err := Run(t.Context(), []Case{work, peak}, RunOptions{}); err == nil || !strings.Contains(err.Error(), "two cases") {
		t.Errorf("a part with a case's name: %v", err)
	}
}

// Numbers that divide well: 30 of 40 µs are products, so 4 times is the limit.
func TestWriteLayers(t *testing.T) {
	result := func(layer string, metrics ...Metric) Result {
		return Result{Name: "BenchmarkLayers/dtype=int8/impl=x/layer=" + layer, Iters: 1, Metrics: metrics}
	}
	results := []Result{
		{Name: "BenchmarkPeak/dtype=int8/impl=x", Iters: 1, Metrics: []Metric{{100, "ns/op"}}},
		result("input", Metric{5000, "ns/op"}, Metric{2000, "MB/s"}, Metric{5000, PackingTime}, Metric{10000, BytesMoved}),
		result("conv1", Metric{35000, "ns/op"}, Metric{100, "MB/s"}, Metric{10, GMACPerSecond}, Metric{50, PercentOfPeak},
			Metric{30000, KernelTime}, Metric{4000, EpilogueTime}, Metric{1000, PoolTime}, Metric{3500, BytesMoved}),
		result("all", Metric{39000, "ns/op"}, Metric{9, GMACPerSecond}, Metric{13500, BytesMoved}, Metric{346.154, "MB/s"},
			Metric{75, KernelPercent}, Metric{4, MaxSpeedup}, Metric{1.25, TimesPeakTime}),
	}
	var b bytes.Buffer
	if err := WriteLayers(&b, results); err != nil {
		t.Fatal(err)
	}
	want := `int8 by x, µs of one inference, medians of 1 rounds

layer      time   share  kernel  epilogue  pool  packing  GMAC/s  %peak  B moved  GB/s
input      5.00   12.5%                             5.00                   10000  2.00
conv1      35.0   87.5%    30.0      4.00  1.00            10.00  50.00     3500  0.10
all steps  40.0  100.0%    30.0      4.00  1.00     5.00   9.000           13500  0.35

without clocks between the steps: 39.0 µs, 1.25 times what its MACs take at their kernels' peaks
kernel is 75.0% of the time: an infinitely fast kernel would make the network 4.00 times as fast at most
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// Every format's case covers the whole network: its layers' MACs and bytes are
// the inference's, and the shares of a measurement add up.
func TestLayerCases(t *testing.T) {
	cases, err := LayerCases(builtin(t), "")
	if err != nil {
		t.Fatal(err)
	}
	choice, err := kernels.Default()
	if err != nil {
		t.Fatal(err)
	}
	want := len(dtype.All) + 1
	if len(choice.For(dtype.Int8).Winograds()) > 0 {
		want++ // whether the library takes it or not
	}
	if len(cases) != want || !strings.HasSuffix(cases[1].Name, "/layer=all/algo=winograd") {
		t.Fatalf("%d cases, want %d: one a format, and Winograd's of float32 and where int8 has transforms", len(cases), want)
	}
	for _, c := range cases {
		var macs float64
		var moved int64
		for _, p := range c.Parts {
			macs, moved = macs+p.MACs, moved+p.Bytes
		}
		if macs != c.MACs || macs != 38653952 || moved != c.Bytes || moved < 59272 {
			t.Errorf("%s: parts have %v MACs, %d bytes; the case %v, %d", c.Name, macs, moved, c.MACs, c.Bytes)
		}
		m := c.Measure(func(run func(int)) float64 { run(1); return 1000 })
		if len(m.Parts) != len(c.Parts) || m.NS != 1000 {
			t.Errorf("%s: %d parts measured, %v ns: want %d, 1000", c.Name, len(m.Parts), m.NS, len(c.Parts))
		}
		for i, p := range m.Parts {
			sum := 0.0
			for _, x := range p.Extra {
				sum += x.Value
			}
			if !(math.Abs(sum-p.NS) <= 1e-4*p.NS) {
				t.Errorf("%s: parts %v of %v ns", c.Parts[i].Name, p.Extra, p.NS)
			}
		}
	}
	if _, err := LayerCases(builtin(t), "nonsense"); err == nil || !strings.Contains(err.Error(), "want one of") {
		t.Errorf("an unknown implementation: %v", err)
	}
	if cases, err := LayerCases(builtin(t), "generic"); err != nil || len(cases) != 5 || cases[0].Parts[1].Peak != "" {
		t.Errorf("generic: %v, %v", cases, err)
	}
}

// Names of nodes as exporters write them become names that benchmarks may have.
func TestLayerName(t *testing.T) {
	for _, node := range []string{"/features/conv-1", "model/activation/Relu", "a b=c", "x-12", "-"} {
		if err := CheckName("BenchmarkLayers/layer=" + LayerName(node)); err != nil {
			t.Errorf("%q: %v", node, err)
		}
	}
	if got := LayerName("conv1"); got != "conv1" {
		t.Errorf("conv1 became %q", got)
	}
}
