package reports

import (
	"fmt"
	"slices"

	"macroscope/kernels/arm64/bound"
)

// onArm64 says whether the report was measured on the architecture that the
// predictions are for.
func (r *Report) onArm64() bool { return r.setting("goarch") == "arm64" }

// predictedSection is what the arm64 kernels reach at most on cores that are not
// at hand. A reader on arm64 sees it whole; others see one table of it.
func (r *Report) predictedSection() section {
	if r.onArm64() {
		s := section{id: "predicted", title: "arm64: " + bound.Heading}
		s.text("%s", predictedNote)
		s.grid(r.predictedTable())
		return s
	}
	s := section{id: "predicted", title: "Other CPUs: " + bound.Heading}
	s.text("%s", predictedNote)
	s.grid(r.predictedOverview())
	return s
}

const predictedNote = "Nothing here was measured: these are upper bounds for the arm64 kernels, found by laying the instructions of each innermost loop over published figures of the cores. What they leave out (caches, epilogues, the way from tile to tile) makes a core slower, never faster; but a layer's MACs count its padding, some of which is never multiplied, so a layer may show some percent more. The peak is the loop's multiplications and additions alone. “macroscope kernels --predicted” prints the sources of all figures."

// predictedTable has a row for each core and kernel.
func (r *Report) predictedTable() *grid {
	g := newGrid("arm64 kernels: "+bound.Heading, 2, "core", "kernel", "instructions/MAC", "MAC/cycle", "peak MAC/cycle", "of peak", "limit")
	g.Right[6] = false
	for _, p := range r.Predictions {
		row := []string{p.Core, p.Kernel(), fmt.Sprintf("%.4f", p.InstructionsPerMAC)}
		if p.Missing != "" {
			g.Add(append(row, absent, absent, absent, "no "+p.Missing+" on this core")...)
			continue
		}
		g.Add(append(row, fmt.Sprintf("%.2f", p.MACPerCycle), fmt.Sprintf("%.2f", p.PeakPerCycle), tenths(100*p.OfPeak())+" %", p.Limit)...)
	}
	return g
}

// predictedOverview has a row for each kernel and a column for each core.
func (r *Report) predictedOverview() *grid {
	g := newGrid("arm64 kernels, MAC/cycle (of peak): "+bound.Heading, 1, "kernel")
	column, row := map[string]int{}, map[string]int{}
	for _, p := range r.Predictions {
		if _, ok := column[p.Core]; !ok {
			column[p.Core] = len(g.Head)
			g.Head, g.Right = append(g.Head, p.Core), append(g.Right, true)
		}
	}
	for _, p := range r.Predictions {
		at, ok := row[p.Kernel()]
		if !ok {
			at = len(g.Rows)
			row[p.Kernel()] = at
			g.Add(append([]string{p.Kernel()}, slices.Repeat([]string{absent}, len(column))...)...)
		}
		cell := "no " + p.Missing
		if p.Missing == "" {
			cell = fmt.Sprintf("%.2f (%.0f %%)", p.MACPerCycle, 100*p.OfPeak())
		}
		g.Rows[at][column[p.Core]] = cell
	}
	return g
}
