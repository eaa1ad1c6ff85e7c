package simhw

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"macroscope/simhw/systolic"
)

// WriteComputeReport writes SCALE-Sim's COMPUTE_REPORT. For a design in
// SCALE-Sim mode the rows are that program's; for another one they are this
// project's numbers under its headings, the cycles including prefetch being
// all cycles.
func WriteComputeReport(w io.Writer, e *Estimate) error {
	r := newReport(w, "LayerID", "Total Cycles (incl. prefetch)", "Total Cycles", "Stall Cycles", "Overall Util %", "Mapping Efficiency %", "Compute Util %")
	for i := range e.Layers {
		l := &e.Layers[i]
		s := l.ScaleSim
		if s == nil {
			r.row(whole(l.Cycles), whole(l.Cycles-l.PrefetchCycles), whole(l.StallCycles),
				fraction(100*l.Utilization), fraction(100*l.MappingEfficiency), fraction(100*l.ComputeUtilization))
			continue
		}
		all := "not modelled"
		if s.DRAMKnown {
			all = whole(s.TotalCyclesInclPrefetch)
		}
		for range l.Groups {
			r.row(all, whole(s.TotalCycles), whole(s.StallCycles), fraction(s.OverallUtil), fraction(s.MappingEff), fraction(s.ComputeUtil))
		}
	}
	return r.b.Flush()
}

// errNotScaleSim says why there is no such report.
var errNotScaleSim = errors.New("the report needs a design in SCALE-Sim mode (a .cfg file)")

// WriteBandwidthReport writes SCALE-Sim's BANDWIDTH_REPORT: words a cycle. The
// estimate must come from a design in SCALE-Sim mode.
func WriteBandwidthReport(w io.Writer, e *Estimate) error {
	if !e.scaleSim {
		return errNotScaleSim
	}
	r := newReport(w, "LayerID", "Avg IFMAP SRAM BW", "Avg FILTER SRAM BW", "Avg OFMAP SRAM BW",
		"Avg IFMAP DRAM BW", "Avg FILTER DRAM BW", "Avg OFMAP DRAM BW")
	e.eachScaleSim(func(s *systolic.ScaleSimResult) {
		sram := func(words int64) string {
			if s.TotalCycles == 0 {
				return "not modelled"
			}
			return fraction(float64(words) / float64(s.TotalCycles))
		}
		dram := func(words int64, t systolic.Span) string {
			if !s.DRAMKnown {
				return "not modelled"
			}
			return fraction(float64(words) / float64(t.Stop-t.Start+1))
		}
		r.row(sram(s.IfmapSRAMReads), sram(s.FilterSRAMReads), sram(s.OfmapSRAMWrites),
			dram(s.IfmapDRAMReads, s.IfmapDRAM), dram(s.FilterDRAMReads, s.FilterDRAM), dram(s.OfmapDRAMWrites, s.OfmapDRAM))
	})
	return r.b.Flush()
}

// WriteAccessReport writes SCALE-Sim's DETAILED_ACCESS_REPORT: first and last
// cycle and number of words of each kind of traffic. The estimate must come
// from a design in SCALE-Sim mode. The cycles follow that program's code; its
// golden tables hold the counts only, so the cycles are not compared with a
// run.
func WriteAccessReport(w io.Writer, e *Estimate) error {
	if !e.scaleSim {
		return errNotScaleSim
	}
	columns := []string{"LayerID"}
	for _, c := range []string{"SRAM IFMAP|Reads", "SRAM Filter|Reads", "SRAM OFMAP|Writes", "DRAM IFMAP|Reads", "DRAM Filter|Reads", "DRAM OFMAP|Writes"} {
		name, what, _ := strings.Cut(c, "|")
		columns = append(columns, name+" Start Cycle", name+" Stop Cycle", name+" "+what)
	}
	r := newReport(w, columns...)
	e.eachScaleSim(func(s *systolic.ScaleSimResult) {
		var cells []string
		add := func(known bool, t systolic.Span, words int64) {
			if !known {
				cells = append(cells, "not modelled", "not modelled", "not modelled")
				return
			}
			cells = append(cells, whole(t.Start), whole(t.Stop), whole(words))
		}
		add(true, s.IfmapSRAM, s.IfmapSRAMReads)
		add(true, s.FilterSRAM, s.FilterSRAMReads)
		add(true, s.OfmapSRAM, s.OfmapSRAMWrites)
		add(s.DRAMKnown, s.IfmapDRAM, s.IfmapDRAMReads)
		add(s.DRAMKnown, s.FilterDRAM, s.FilterDRAMReads)
		add(s.DRAMKnown, s.OfmapDRAM, s.OfmapDRAMWrites)
		r.row(cells...)
	})
	return r.b.Flush()
}

// eachScaleSim visits the layers as SCALE-Sim numbers them: every group of a
// depthwise layer is one.
func (e *Estimate) eachScaleSim(f func(*systolic.ScaleSimResult)) {
	for i := range e.Layers {
		for range e.Layers[i].Groups {
			f(e.Layers[i].ScaleSim)
		}
	}
}

// report writes SCALE-Sim's kind of table: a comma and a space between cells,
// a comma at each line's end, rows numbered from 0.
type report struct {
	b *bufio.Writer
	n int
}

func newReport(w io.Writer, columns ...string) *report {
	r := &report{b: bufio.NewWriter(w)}
	fmt.Fprintf(r.b, "%s,\n", strings.Join(columns, ", "))
	return r
}

func (r *report) row(cells ...string) {
	fmt.Fprintf(r.b, "%d, %s,\n", r.n, strings.Join(cells, ", "))
	r.n++
}

func whole(v int64) string { return strconv.FormatInt(v, 10) }

// fraction writes a number as Python does: the shortest text that reads back
// as the same number, with a point or an exponent.
func fraction(v float64) string {
	if a := math.Abs(v); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
