package bench

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchunit"
)

// Metric is one value of a result in the unit that the file shows: "ns/op",
// "GMAC/s".
type Metric struct {
	Value float64
	Unit  string
}

// Result is one measurement of one case: one line of a benchmark file.
type Result struct {
	Name    string // with the prefix: "BenchmarkDot/dtype=int8/impl=avx2/n=4096"
	Iters   int    // how often the case ran for this measurement
	Metrics []Metric
}

// Get gives the value in the unit.
func (r Result) Get(unit string) (value float64, ok bool) {
	for _, m := range r.Metrics {
		if m.Unit == unit {
			return m.Value, true
		}
	}
	return 0, false
}

// NameKey gives the value of /key= in a benchmark's name, "" if it has none:
// NameKey("BenchmarkDot/impl=avx2/n=64", "impl") is "avx2".
func NameKey(name, key string) string {
	for part := range strings.SplitSeq(name, "/") {
		if k, v, ok := strings.Cut(part, "="); ok && k == key {
			return v
		}
	}
	return ""
}

// CheckName tells why name is no benchmark name that our files may have.
//
// A value that ends in -digits is refused, since every reader of the format
// takes that for the number of threads.
func CheckName(name string) error {
	rest, ok := strings.CutPrefix(name, "Benchmark")
	switch {
	case !ok || rest == "" || rest[0] < 'A' || rest[0] > 'Z':
		return fmt.Errorf("benchmark name %q: want Benchmark and a capital letter first", name)
	case strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return fmt.Errorf("benchmark name %q: want no blank or control character", name)
	}
	for i, part := range strings.Split(name, "/") {
		if at := strings.LastIndexByte(part, '-'); at >= 0 {
			if _, err := strconv.ParseUint(part[at+1:], 10, 64); err == nil {
				return fmt.Errorf("benchmark name %q: %q ends in -digits, which readers take for the number of threads", name, part)
			}
		}
		if i > 0 && strings.IndexByte(part, '=') <= 0 {
			return fmt.Errorf("benchmark name %q: %q is not key=value", name, part)
		}
	}
	return nil
}

// Setting is a line "key: value" that describes the results after it.
type Setting struct{ Key, Value string }

// Writer writes results in the Go benchmark format: first the meaning of our
// units, then the settings, then a line a result.
type Writer struct {
	w        io.Writer
	bw       *benchfmt.Writer
	settings []benchfmt.Config
	started  bool
}

// NewWriter returns a Writer whose results all carry the settings. Settings
// with an empty value are left out.
func NewWriter(w io.Writer, settings []Setting) *Writer {
	bw := &Writer{w: w, bw: benchfmt.NewWriter(w)}
	for _, s := range settings {
		value := strings.Join(strings.Fields(s.Value), " ")
		if value != "" {
			bw.settings = append(bw.settings, benchfmt.Config{Key: s.Key, Value: []byte(value), File: true})
		}
	}
	return bw
}

// Write writes results, and before the first of them the heading.
func (w *Writer) Write(results ...Result) error {
	if !w.started {
		w.started = true
		if err := writeUnits(w.w); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(w.w); err != nil {
			return err
		}
	}
	for _, r := range results {
		rec := &benchfmt.Result{
			Config: w.settings,
			Name:   benchfmt.Name(strings.TrimPrefix(r.Name, "Benchmark")),
			Iters:  r.Iters,
		}
		for _, m := range r.Metrics {
			v := benchfmt.Value{Value: m.Value, Unit: m.Unit}
			if tidy, unit := benchunit.Tidy(m.Value, m.Unit); unit != m.Unit {
				v = benchfmt.Value{Value: tidy, Unit: unit, OrigValue: m.Value, OrigUnit: m.Unit}
			}
			rec.Values = append(rec.Values, v)
		}
		if err := w.bw.Write(rec); err != nil {
			return err
		}
	}
	return nil
}

// measured rounds a measured value to six significant digits: more would be
// noise, and the file stays readable.
func measured(v float64) float64 {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return v
	}
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 5, 64), 64)
	if err != nil {
		return v
	}
	return r
}
