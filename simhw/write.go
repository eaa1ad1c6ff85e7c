package simhw

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Formats are the names that Write takes.
var Formats = []string{"json", "csv", "md", "scalesim"}

// Write writes an estimate in one of Formats. The error lists them.
func Write(w io.Writer, format string, e *Estimate) error {
	switch format {
	case "json":
		return WriteJSON(w, e)
	case "csv":
		return WriteCSV(w, e)
	case "md":
		return WriteMarkdown(w, e)
	case "scalesim":
		return WriteComputeReport(w, e)
	}
	return fmt.Errorf("format %q: want %s", format, strings.Join(Formats, ", "))
}

// WriteJSON writes everything, indented. Numbers that are not modelled are
// null.
func WriteJSON(w io.Writer, e *Estimate) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(e)
}

func (q Quantity) text(format string) string {
	if !q.Known {
		return ""
	}
	return fmt.Sprintf(format, q.Value)
}

func (c Count) text() string {
	if c < 0 {
		return ""
	}
	return strconv.FormatInt(int64(c), 10)
}

// WriteCSV writes one line a layer and one named "total". Empty fields are not
// modelled. Layers that are not modelled at all come after the total with
// their name, operation and "not modelled".
func WriteCSV(w io.Writer, e *Estimate) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"design", "layer", "kind", "dtype", "macs", "cycles", "compute_cycles", "fill_drain_cycles", "stall_cycles", "prefetch_cycles",
		"main_stall", "utilization", "mapping_efficiency", "sram_ifmap_reads", "sram_filter_reads", "sram_psum_reads", "sram_ofmap_writes",
		"dram_ifmap_reads", "dram_filter_reads", "dram_psum_reads", "dram_psum_writes", "dram_ofmap_writes", "dram_bytes", "unique_bytes",
		"roofline_cycles", "roofline_bound", "time_us", "energy_pj", "not_modelled"}}
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	f := func(v float64) string { return strconv.FormatFloat(v, 'g', 8, 64) }
	counts := func(s *SRAM, d *DRAM) []string {
		return []string{n(s.IfmapReads), n(s.FilterReads), n(s.PsumReads), n(s.OfmapWrites), d.IfmapReads.text(), d.FilterReads.text(),
			d.PsumReads.text(), d.PsumWrites.text(), d.OfmapWrites.text(), d.Bytes.text()}
	}
	for i := range e.Layers {
		l := &e.Layers[i]
		row := []string{e.Design, l.Name, l.Kind, l.Operands(), n(l.MACs), n(l.Cycles), n(l.ComputeCycles), n(l.FillDrainCycles), n(l.StallCycles),
			n(l.PrefetchCycles), l.Stalls.Main(), f(l.Utilization), f(l.MappingEfficiency)}
		row = append(row, counts(&l.SRAM, &l.DRAM)...)
		roof, bound := "", l.Roofline.Bound()
		if l.Roofline.Known() {
			roof = n(l.Roofline.Cycles())
		}
		rows = append(rows, append(row, n(l.UniqueBytes), roof, bound, l.TimeUS.text("%.8g"), l.EnergyPJ.text("%.8g"), strings.Join(l.NotModelled, "; ")))
	}
	t := &e.Total
	row := []string{e.Design, "total", "", e.DType.String(), n(t.MACs), n(t.Cycles), n(t.ComputeCycles), n(t.FillDrainCycles), n(t.StallCycles),
		n(t.PrefetchCycles), t.Stalls.Main(), f(t.Utilization), ""}
	row = append(row, counts(&t.SRAM, &t.DRAM)...)
	rows = append(rows, append(row, n(t.UniqueBytes), "", "", t.TimeUS.text("%.8g"), t.EnergyPJ.text("%.8g"), strings.Join(e.missing(), "; ")))
	for _, u := range e.UnmodelledLayers {
		row := make([]string, len(rows[0]))
		row[0], row[1], row[2], row[len(row)-1] = e.Design, u.Name, u.Op, "not modelled"
		rows = append(rows, row)
	}
	return out.WriteAll(rows)
}

// missing names what the total leaves out, in words.
func (e *Estimate) missing() []string {
	out := append([]string(nil), e.Total.NotModelled...)
	for _, u := range e.UnmodelledLayers {
		out = append(out, fmt.Sprintf("%s (%s of %d elements)", u.Name, u.Op, u.Elements))
	}
	return out
}

// WriteMarkdown writes a table of the layers and what must be known to read
// it: the method, what it was validated against, and what is missing.
func WriteMarkdown(w io.Writer, e *Estimate) error {
	b := bufio.NewWriter(w)
	cell := func(s string) string { return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s) }
	fmt.Fprintf(b, "### %s on %s\n\n", cell(e.Workload), cell(e.Design))
	fmt.Fprint(b, "| layer | dtype | MACs | cycles | compute | fill, drain | stall | prefetch | utilization | DRAM bytes | time, µs | energy, µJ | stalls for |\n")
	fmt.Fprint(b, "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|\n")
	micro := func(q Quantity) string {
		if !q.Known {
			return "not modelled"
		}
		return fmt.Sprintf("%.4g", q.Value/1e6)
	}
	orMissing := func(s string) string {
		if s == "" {
			return "not modelled"
		}
		return s
	}
	line := func(name, dtype string, macs, cycles, compute, fill, stall, prefetch int64, util float64, dram Count, us, pj Quantity, cause string) {
		fmt.Fprintf(b, "| %s | %s | %d | %d | %d | %d | %d | %d | %.1f %% | %s | %s | %s | %s |\n", cell(name), dtype, macs, cycles, compute, fill, stall, prefetch,
			100*util, orMissing(dram.text()), orMissing(us.text("%.2f")), micro(pj), cause)
	}
	for i := range e.Layers {
		l := &e.Layers[i]
		line(l.Name, l.Operands(), l.MACs, l.Cycles, l.ComputeCycles, l.FillDrainCycles, l.StallCycles, l.PrefetchCycles, l.Utilization, l.DRAM.Bytes, l.TimeUS, l.EnergyPJ, l.Stalls.Main())
	}
	t := &e.Total
	line("**total**", "", t.MACs, t.Cycles, t.ComputeCycles, t.FillDrainCycles, t.StallCycles, t.PrefetchCycles, t.Utilization, t.DRAM.Bytes, t.TimeUS, t.EnergyPJ, t.Stalls.Main())
	fmt.Fprintln(b)
	for _, n := range e.Notes() {
		fmt.Fprintf(b, "- %s\n", cell(n))
	}
	return b.Flush()
}

// Notes says in sentences what must be known to read the numbers.
func (e *Estimate) Notes() []string {
	notes := []string{"Method: " + e.Method + "."}
	if t := &e.Total; t.LatencyCycles != t.IntervalCycles && e.ClockMHz.Known {
		notes = append(notes, fmt.Sprintf("Layers work at once: outputs are there after %d cycles, the next image's %d cycles later, %.5g images a second.",
			t.LatencyCycles, t.IntervalCycles, e.ClockMHz.Value*1e6/float64(t.IntervalCycles)))
	}
	if note := fifoNote(e.FIFOs); note != "" {
		notes = append(notes, note)
	}
	for _, v := range e.Validated {
		notes = append(notes, fmt.Sprintf("Validated: %s against %s: %s.", v.What, v.Against, v.Result))
	}
	if len(e.Validated) == 0 {
		notes = append(notes, "Validated: this kind of design was not compared with anything.")
	}
	for _, h := range e.Held {
		notes = append(notes, fmt.Sprintf("Whole words: memory holds %s, and the layer costs what that does.", h))
	}
	if e.Total.Partial {
		notes = append(notes, "Partial: the total leaves out "+strings.Join(e.missing(), ", ")+".")
	}
	notes = append(notes, "In no estimate: "+strings.Join(e.Limits, ", ")+".")
	if b := &e.Total.Energy; b.Priced {
		leak := "leakage is not in it"
		if b.LeakagePriced {
			leak = fmt.Sprintf("%.3g µJ of it leakage", b.LeakagePJ/1e6)
		}
		ranged := fmt.Sprintf(", %.3g to %.3g µJ by the ranges of its prices, all low or all high at once", b.LowPJ/1e6, b.HighPJ/1e6)
		if b.CorePriced {
			leak = "by the cycle, leakage included"
			if ranged = fmt.Sprintf(", %.3g to %.3g µJ by the range of its price", b.LowPJ/1e6, b.HighPJ/1e6); b.LowPJ == b.HighPJ {
				ranged = ", one price without a range"
			}
		}
		notes = append(notes, fmt.Sprintf("Energy: %.3g µJ%s; %s.", b.TotalPJ()/1e6, ranged, leak))
	}
	if a := e.Area; a.PEsKnown && a.SRAMKnown {
		notes = append(notes, fmt.Sprintf("Area: %.3g mm² of processing elements, %.3g mm² of SRAM, %.3g to %.3g mm² together by the ranges of the table; control and wiring not modelled.",
			a.PEsUM2/1e6, a.SRAMUM2/1e6, a.LowUM2/1e6, a.HighUM2/1e6))
	} else {
		notes = append(notes, "Area: not modelled.")
	}
	if len(e.Assumed) > 0 {
		notes = append(notes, "Assumed, without a source: "+strings.Join(e.Assumed, ", ")+".")
	}
	for _, w := range e.Warnings {
		notes = append(notes, "Warning: "+w+".")
	}
	return notes
}
