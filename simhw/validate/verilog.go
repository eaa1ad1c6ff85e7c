package validate

import (
	"fmt"

	"macroscope/simhw/design"
	"macroscope/simhw/golden"
	"macroscope/simhw/systolic"
	"macroscope/simhw/xnor"
)

const (
	verilogSource = "recorded simulations of a Verilog array, int8, every sum right"
	xnorSource    = "recorded simulations of an XNOR-popcount engine in Verilog, every sum right"
)

// verilogKinds are the arrays that runs were recorded of.
var verilogKinds = map[string]struct {
	name  string
	array systolic.Array
}{
	"OS":      {"os, in place", systolic.Array{Dataflow: design.OS, Drain: design.DrainInPlace}},
	"WS":      {"ws, weights before each fold", systolic.Array{Dataflow: design.WS, WeightLoad: design.LoadSerial}},
	"OSDB":    {"os, draining beside the next fold", systolic.Array{Dataflow: design.OS, Drain: design.DrainOverlapped}},
	"WSCHAIN": {"ws, shadow weights on a chain", systolic.Array{Dataflow: design.WS, WeightLoad: design.LoadChain}},
	"WSDB":    {"ws, shadow weights on a bus", systolic.Array{Dataflow: design.WS, WeightLoad: design.LoadBus}},
}

// verilog compares every recorded run of the arrays and of the XNOR engine.
func verilog() ([]Row, error) {
	runs, err := golden.RTL()
	if err != nil {
		return nil, err
	}
	var rows []Row
	add := func(r *golden.RTLRun, kind string, a systolic.Array, theirs int64) error {
		a.Rows, a.Cols = r.Rows, r.Cols
		// A product that needs just these folds: full rows, columns in folds.
		p := a.Map(r.Stream, a.Cols*r.Folds, a.Rows, 1, 1)
		if a.Dataflow == design.OS {
			p = a.Map(a.Rows, a.Cols*r.Folds, r.Stream, 1, 1)
		}
		if p.Folds() != r.Folds {
			return fmt.Errorf("%d folds, recorded are %d", p.Folds(), r.Folds)
		}
		rows = append(rows, Row{Design: fmt.Sprintf("%dx%d %s", r.Rows, r.Cols, kind), What: fmt.Sprintf("%d folds of %d, cycles", r.Folds, r.Stream), Metric: "array cycles, " + kind,
			Unit: "cycles", Theirs: float64(theirs), Ours: float64(p.Cycles()), Source: verilogSource})
		return nil
	}
	for i := range runs {
		r := &runs[i]
		k, ok := verilogKinds[r.Kind]
		if !ok {
			return nil, fmt.Errorf("array of kind %q: not known", r.Kind)
		}
		if err := add(r, k.name, k.array, r.Cycles); err != nil {
			return nil, err
		}
		if r.Drained > 0 {
			k.array.Drain = design.DrainShift
			if err := add(r, "os, draining after each fold", k.array, r.Drained); err != nil {
				return nil, err
			}
		}
	}
	engines, err := golden.XNOR()
	if err != nil {
		return nil, err
	}
	for _, r := range engines {
		e := xnor.Engine{PEs: r.PEs, SIMD: r.SIMD}
		rows = append(rows, Row{Design: fmt.Sprintf("%d rows of %d bits", r.PEs, r.SIMD), What: fmt.Sprintf("%d vectors, %d outputs of %d inputs, cycles", r.Vectors, r.Outputs, r.Inputs), Metric: "engine cycles, XNOR and popcount",
			Unit: "cycles", Theirs: float64(r.Cycles), Ours: float64(e.Cycles(r.Vectors, r.Outputs, r.Inputs)), Source: xnorSource})
	}
	return rows, nil
}
