package bench

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchunit"
)

// Units of our metrics, beside those of package testing (ns/op, MB/s).
const (
	GMACPerSecond   = "GMAC/s"         // 10⁹ multiply-accumulates a second
	PercentOfPeak   = "%peak"          // GMAC/s as a percentage of the impl's measured peak
	OpPerSecond     = "op/s"           // additions and multiplications a second: 2 for a MAC
	ImagesPerSecond = "images/s"       // inferences a second
	PicojoulePerOp  = "pJ/op"          // simulated energy of one run of the case
	CyclesPerOp     = "cycles/op"      // simulated clock cycles of one run of the case
	WeightBytes     = "weight-bytes"   // all constants of a network: weights, biases, scales
	Top1Percent     = "top1-%"         // share of images whose most likely class is the right one
	BytesMoved      = "B-moved/op"     // bytes read and written: activations in, weights and constants, activations out
	KernelPercent   = "kernel-%"       // share of a network's time in which products are computed
	MaxSpeedup      = "max-speedup"    // Amdahl's limit: time over the time that is left if products cost nothing
	TimesPeakTime   = "x-peak-time"    // time over that of the network's MACs at their implementations' measured peaks
	KernelTime      = "kernel-ns/op"   // of a layer: products and their sums
	PackingTime     = "packing-ns/op"  // bringing values into the form that their reader takes
	EpilogueTime    = "epilogue-ns/op" // what becomes of the sums
	PoolTime        = "pool-ns/op"     // pools
	TimesOneThread  = "x-1-thread"     // time of one thread over that of several, measured in turn
)

// Unit says how to read the values of a unit.
type Unit struct {
	Name   string
	Better int  // +1: more is better, −1: less is better, 0: neither is known
	Exact  bool // counted or simulated: repeating gives the same value again
}

// Units lists the metrics of this program that package testing does not know.
var Units = []Unit{
	{GMACPerSecond, +1, false},
	{PercentOfPeak, +1, false},
	{OpPerSecond, +1, false},
	{ImagesPerSecond, +1, false},
	{PicojoulePerOp, -1, true},
	{CyclesPerOp, -1, true},
	{WeightBytes, -1, true},
	{Top1Percent, +1, true},
	{BytesMoved, -1, true},
	{KernelPercent, +1, false},
	{MaxSpeedup, 0, false},
	{TimesPeakTime, -1, false},
	{TimesOneThread, +1, false},
	{KernelTime, -1, false},
	{PackingTime, -1, false},
	{EpilogueTime, -1, false},
	{PoolTime, -1, false},
}

// lookUnit finds what is known of a unit: first what the files' Unit lines say
// (meta may be nil), then our own list, then what package testing emits.
func lookUnit(name string, meta benchfmt.UnitMetadataMap) Unit {
	u := Unit{Name: name}
	for _, known := range Units {
		if _, tidy := benchunit.Tidy(1, known.Name); known.Name == name || tidy == name {
			u = known
			u.Name = name
		}
	}
	if b := meta.GetBetter(name); b != 0 {
		u.Better = b
	}
	if m := meta.Get(name, "assume"); m != nil {
		u.Exact = m.Value == "exact"
	}
	return u
}

// assumption is what the statistics may take for granted of the unit's values.
func (u Unit) assumption() benchmath.Assumption {
	if u.Exact {
		return benchmath.AssumeExact
	}
	return benchmath.AssumeNothing
}

// isTime reports whether the unit measures speed, so that "faster" and
// "slower" are the right words.
func (u Unit) isTime() bool {
	return u.Better < 0 && (strings.HasPrefix(u.Name, "sec/") || strings.HasPrefix(u.Name, "ns/")) ||
		u.Better > 0 && strings.HasSuffix(u.Name, "/s")
}

// direction tells in words what is better.
func (u Unit) direction() string {
	s := "better direction unknown"
	switch {
	case u.Better > 0:
		s = "higher is better"
	case u.Better < 0:
		s = "lower is better"
	}
	if u.Exact {
		s += ", exact"
	}
	return s
}

// format writes v for people with four significant digits. Units that carry a
// prefix or a percent sign already get no second prefix, factors none at all.
func (u Unit) format(v float64) string {
	switch {
	case u.Name == MaxSpeedup, strings.HasPrefix(u.Name, "x-"), strings.HasPrefix(u.Name, "G"), strings.HasPrefix(u.Name, "pJ"), strings.Contains(u.Name, "%"):
		if a := max(v, -v); a == 0 || 1e-3 <= a && a < 1e7 {
			return strconv.FormatFloat(v, 'f', decimals(a), 64)
		}
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	return benchunit.Scale(v, benchunit.ClassOf(u.Name))
}

// decimals is how many digits after the point give a ≥ 0 four significant ones.
func decimals(a float64) int {
	switch {
	case a == 0 || a >= 1000:
		return 0
	case a >= 100:
		return 1
	case a >= 10:
		return 2
	case a >= 1:
		return 3
	}
	return 4
}

// writeUnits writes the Unit lines of our metrics, which must stand before the
// results that they explain.
func writeUnits(w io.Writer) error {
	for _, u := range Units {
		line := "Unit " + u.Name
		if u.Better > 0 {
			line += " better=higher"
		} else if u.Better < 0 {
			line += " better=lower"
		}
		if u.Exact {
			line += " assume=exact"
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
