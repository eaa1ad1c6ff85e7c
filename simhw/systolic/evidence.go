package systolic

import (
	"fmt"

	"macroscope/simhw/design"
)

// evidence lists the comparisons by variant of the array.
var evidence = []struct {
	flow    design.Dataflow
	drain   design.Drain
	load    design.WeightLoad
	rtlRuns int
	scale   bool // SCALE-Sim's own formula, but for the −1
}{
	{flow: design.OS, drain: design.DrainInPlace, rtlRuns: 50, scale: true},
	{flow: design.OS, drain: design.DrainShift, rtlRuns: 50},
	{flow: design.OS, drain: design.DrainOverlapped, rtlRuns: 14},
	{flow: design.WS, load: design.LoadSerial, rtlRuns: 50, scale: true},
	{flow: design.WS, load: design.LoadChain, rtlRuns: 14},
	{flow: design.WS, load: design.LoadBus, rtlRuns: 14},
	{flow: design.IS, load: design.LoadSerial, scale: true},
	{flow: design.IS, load: design.LoadChain},
	{flow: design.IS, load: design.LoadBus},
}

// The SCALE-Sim runs that package simhw/validate compares with, whose tests hold these
// numbers and those above.
const (
	goldenRuns     = 1340 // layer runs with a result
	goldenDRAMRuns = 237  // those with DRAM traffic
	goldenOwnRuns  = 1181 // those whose output size a convolution's rounding gives too
)

// Validation lists what a design's cycles were compared with.
func Validation(s *design.Spec) []design.Check {
	if s.ScaleSim {
		return []design.Check{{
			What:    "cycles, utilizations, buffer and DRAM traffic",
			Against: fmt.Sprintf("SCALE-Sim v3 (commit 1d62b68), ideal bandwidth: %d layer runs, %d of them with DRAM traffic", goldenRuns, goldenDRAMRuns),
			Result:  "equal",
		}}
	}
	var checks []design.Check
	if PortsOf(s) != (Ports{}) {
		const what = "array cycles and every sum, with narrow buffers"
		checks = append(checks, design.Check{What: what, Against: "the stepped machine on random int8 products", Result: "equal"})
		if s.Dataflow != design.OS || s.Array.Drain != design.DrainInPlace || s.Buffers.OfmapBytesPerCycle == 0 {
			checks = append(checks, design.Check{What: what, Against: "Verilog of such arrays of up to 6×6 elements (make test-rtl): random int8 products", Result: "equal"})
		}
		return checks
	}
	for _, e := range evidence {
		if e.flow != s.Dataflow || e.drain != s.Array.Drain || e.load != s.Array.WeightLoad {
			continue
		}
		if e.rtlRuns > 0 {
			checks = append(checks, design.Check{What: "array cycles, without memory", Against: fmt.Sprintf("%d recorded runs of a Verilog array, int8", e.rtlRuns), Result: "equal"})
		}
		checks = append(checks, design.Check{What: "array cycles and every sum", Against: "Verilog of such arrays of up to 8×8 elements (make test-rtl): random int8 products and a layer of the CIFAR-10 network", Result: "equal"})
		checks = append(checks, design.Check{What: "array cycles and every sum", Against: "the stepped machine on random int8 products", Result: "equal"})
		if e.scale && !s.Array.Gated {
			checks = append(checks, design.Check{What: "array cycles, without memory", Against: fmt.Sprintf("SCALE-Sim v3, ideal bandwidth: the %d layer runs of all dataflows whose output size is that of a convolution", goldenOwnRuns), Result: "equal, its count starting at 0"})
		}
	}
	return checks
}
