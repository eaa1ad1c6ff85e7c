package bench

import (
	"math"

	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchunit"
)

const (
	// confidence is the level of every interval that is shown.
	confidence = 0.95
	// NoisyAbove is the Spread above which the median cannot be trusted: on a
	// busy machine medians read a third low while the best runs stay put.
	NoisyAbove = 1.1
)

// Stats describes the repeated measurements of one case in one unit.
type Stats struct {
	Unit Unit
	N    int // how many measurements
	// Median is the middle value; for an exact unit, the value itself.
	Median float64
	// Lo and Hi bound the median with at least 95 % confidence, making no
	// assumption about the distribution. With fewer than 6 measurements there
	// is no such bound: −Inf and +Inf.
	Lo, Hi float64
	// Best is the best single measurement: the largest where more is better.
	Best float64
	// Spread says how far the median lies from the best, as a factor ≥ 1.
	Spread float64
	// Warnings say what is wrong with the sample, in words for the user.
	Warnings []string

	sample *benchmath.Sample
}

// Noisy reports that the median is more than NoisyAbove times worse than the
// best: something else ran on the machine.
func (s Stats) Noisy() bool { return s.Spread > NoisyAbove }

// Interval shows the confidence interval as a percentage: "± 2%".
func (s Stats) Interval() string {
	if s.Unit.Exact {
		return ""
	}
	return "± " + benchmath.Summary{Center: s.Median, Lo: s.Lo, Hi: s.Hi}.PctRangeString()
}

// Format shows a value in the unit for people: Format(s.Median).
func (s Stats) Format(v float64) string { return s.Unit.format(v) }

// newStats describes values, which must be finite and at least one.
func newStats(values []float64, u Unit) Stats {
	sample := benchmath.NewSample(append([]float64(nil), values...), &benchmath.DefaultThresholds)
	sum := u.assumption().Summary(sample, confidence)
	first, last := sample.Values[0], sample.Values[len(values)-1]
	s := Stats{
		Unit: u, N: len(values),
		Median: sum.Center, Lo: sum.Lo, Hi: sum.Hi,
		Best: sum.Center, Spread: 1,
		sample: sample,
	}
	for _, w := range sum.Warnings {
		s.Warnings = append(s.Warnings, w.Error())
	}
	if u.Exact {
		return s
	}
	switch {
	case u.Better > 0:
		s.Best = last
	case u.Better < 0:
		s.Best = first
	}
	if s.Best > 0 && s.Median > 0 {
		s.Spread = math.Max(s.Median/s.Best, s.Best/s.Median)
	}
	return s
}

// Row is everything known of one case.
type Row struct {
	Name  string // "BenchmarkDot/dtype=int8/impl=avx2/n=4096"
	Stats []Stats
}

// Get gives the statistics in a unit; "ns/op" and "sec/op" are both found as
// "sec/op", in seconds.
func (r Row) Get(unit string) (Stats, bool) {
	_, tidy := benchunit.Tidy(1, unit)
	for _, s := range r.Stats {
		if s.Unit.Name == tidy {
			return s, true
		}
	}
	return Stats{}, false
}

// Summarize gathers results by name, in order of first appearance, and
// describes each unit. Units become base units: ns/op gives sec/op, MB/s gives
// B/s. Values that are not finite are left out.
func Summarize(results []Result) []Row {
	type cell struct{ name, unit string }
	values := map[cell][]float64{}
	units := map[string][]string{} // by name, in order
	var names []string
	for _, r := range results {
		if _, seen := units[r.Name]; !seen {
			names = append(names, r.Name)
			units[r.Name] = nil
		}
		for _, m := range r.Metrics {
			v, unit := benchunit.Tidy(m.Value, m.Unit)
			if math.IsNaN(v) || math.IsInf(v, 0) {
				continue
			}
			c := cell{r.Name, unit}
			if values[c] == nil {
				units[r.Name] = append(units[r.Name], unit)
			}
			values[c] = append(values[c], v)
		}
	}
	rows := make([]Row, 0, len(names))
	for _, name := range names {
		row := Row{Name: name}
		for _, unit := range units[name] {
			row.Stats = append(row.Stats, newStats(values[cell{name, unit}], lookUnit(unit, nil)))
		}
		rows = append(rows, row)
	}
	return rows
}
