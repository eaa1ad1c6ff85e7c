package validate

import (
	"fmt"
	"runtime"
	"strings"
	"sync"

	"macroscope/simhw"
	"macroscope/simhw/design"
	"macroscope/simhw/golden"
	"macroscope/simhw/systolic"
	"macroscope/workload"
)

const scaleSimSource = "runs of SCALE-Sim v3, commit 1d62b68, ideal bandwidth"

// scaleSimLayers finds the layers of the topologies that the runs name.
type scaleSimLayers map[string]map[string]workload.Layer

func (s scaleSimLayers) layer(r *golden.ScaleSimRun) (workload.Layer, error) {
	if s[r.Topology] == nil {
		w, err := golden.Topology(r.Topology)
		if err != nil {
			return workload.Layer{}, err
		}
		s[r.Topology] = map[string]workload.Layer{}
		for _, l := range w.Layers {
			s[r.Topology][l.Name] = l
		}
	}
	name, _, _ := strings.Cut(r.Layer, "Channel_")
	l, ok := s[r.Topology][name]
	if !ok {
		return l, fmt.Errorf("no layer %s in %s", name, r.Topology)
	}
	return l, nil
}

var scaleSimFlows = map[string]design.Dataflow{"os": design.OS, "ws": design.WS, "is": design.IS}

// scaleSimRuns compares each layer run in the compatibility mode, and by our own
// formula where it computes the same product.
func scaleSimRuns() ([]Row, error) {
	runs, err := golden.ScaleSim()
	if err != nil {
		return nil, err
	}
	layers := scaleSimLayers{}
	rows, errs := make([][]Row, len(runs)), make([]error, len(runs))
	// Replaying DRAM traffic takes most of the time: a run at a time on each processor.
	var group sync.WaitGroup
	next := make(chan func())
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for f := range next {
				f()
			}
		})
	}
	for i := range runs {
		l, err := layers.layer(&runs[i])
		if err != nil {
			errs[i] = err
			break
		}
		next <- func() { rows[i], errs[i] = scaleSimRun(&runs[i], &l) }
	}
	close(next)
	group.Wait()
	var all []Row
	for i := range runs {
		if errs[i] != nil {
			return nil, errs[i]
		}
		all = append(all, rows[i]...)
	}
	return all, nil
}

func scaleSimRun(r *golden.ScaleSimRun, l *workload.Layer) ([]Row, error) {
	const bytes = 64 << 10
	flow, ok := scaleSimFlows[r.Dataflow]
	if !ok {
		return nil, fmt.Errorf("dataflow %q of SCALE-Sim: want os, ws or is", r.Dataflow)
	}
	s := systolic.ScaleSim{Rows: r.Rows, Cols: r.Cols, Dataflow: flow, IfmapBytes: bytes, FilterBytes: bytes, OfmapBytes: bytes}
	evaluate := s.Compute
	if r.Replayed {
		evaluate = s.Layer
	}
	got, err := evaluate(l)
	if err != nil || r.Failed { // it gave no figures
		return nil, err
	}
	var rows []Row
	add := func(metric, unit string, theirs, ours float64) {
		rows = append(rows, Row{Design: fmt.Sprintf("%dx%d %s", r.Rows, r.Cols, r.Dataflow), What: r.Topology + " " + r.Layer + ", " + metric, Metric: metric, Unit: unit,
			Theirs: theirs, Ours: ours, Source: scaleSimSource, Note: "in its exact compatibility mode; one more run divides by its own 0 cycles"})
	}
	whole := func(metric, unit string, theirs, ours int64) { add(metric, unit, float64(theirs), float64(ours)) }
	whole("product's M", "rows", r.M, got.M)
	whole("product's N", "columns", r.N, got.N)
	whole("product's K", "products", r.K, got.K)
	whole("total cycles", "cycles", r.TotalCycles, got.TotalCycles)
	add("mapping efficiency", "%", r.MappingEff, got.MappingEff)
	add("compute utilization", "%", r.ComputeUtil, got.ComputeUtil)
	add("overall utilization", "%", r.OverallUtil, got.OverallUtil)
	whole("SRAM reads of inputs", "words", r.IfmapSRAMReads, got.IfmapSRAMReads)
	whole("SRAM reads of filters", "words", r.FilterSRAMReads, got.FilterSRAMReads)
	whole("SRAM writes of outputs", "words", r.OfmapSRAMWrites, got.OfmapSRAMWrites)
	if r.Replayed {
		if !got.DRAMKnown {
			return nil, fmt.Errorf("%s %s: DRAM traffic not replayed", r.Topology, r.Layer)
		}
		whole("DRAM reads of inputs", "words", r.IfmapDRAMReads, got.IfmapDRAMReads)
		whole("DRAM reads of filters", "words", r.FilterDRAMReads, got.FilterDRAMReads)
		whole("DRAM writes of outputs", "words", r.OfmapDRAMWrites, got.OfmapDRAMWrites)
		whole("total cycles with prefetch", "cycles", r.TotalCyclesInclPrefetch, got.TotalCyclesInclPrefetch)
	}
	// The same array by our own formula, where the output size, which SCALE-Sim rounds
	// up, is the same.
	if m, n, k := l.GEMM(); m == got.M {
		a := systolic.Array{Rows: s.Rows, Cols: s.Cols, Dataflow: s.Dataflow}
		p := a.Map(m, n, k, 1, 1)
		whole("total cycles, by our own formula", "cycles", r.TotalCycles+1, p.Cycles())
		rows[len(rows)-1].Note = "theirs and 1, as it counts from 0; the runs whose output size is that of a convolution, which SCALE-Sim rounds up"
	}
	return rows, nil
}

// scaleSimNetwork compares a whole network, read from a configuration and a topology.
func scaleSimNetwork() ([]Row, error) {
	runs, err := golden.ScaleSim()
	if err != nil {
		return nil, err
	}
	const network = "cifar10_cnn"
	w, err := golden.Topology(network)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, side := range []int64{8, 16, 32, 128} {
		for _, flow := range []string{"ws", "os", "is"} {
			theirs, layers := 0.0, map[string]bool{} // some layers were run in both ways
			for i := range runs {
				r := &runs[i]
				if r.Topology == network && r.Rows == side && r.Cols == side && r.Dataflow == flow && !layers[r.Layer] {
					layers[r.Layer] = true
					theirs += float64(r.TotalCycles)
				}
			}
			if len(layers) != len(w.Layers) {
				return nil, fmt.Errorf("%d layers of %s on %d×%d %s, want %d", len(layers), network, side, side, flow, len(w.Layers))
			}
			name := fmt.Sprintf("%dx%d %s.cfg", side, side, flow)
			cfg := fmt.Sprintf("[general]\nrun_name = r\n[architecture_presets]\nArrayHeight: %d\nArrayWidth: %d\nIfmapSramSzkB: 64\nFilterSramSzkB: 64\nOfmapSramSzkB: 64\nDataflow: %s\n[run_presets]\nInterfaceBandwidth: CALC\n", side, side, flow)
			d, err := design.ParseSCALESim(name, strings.NewReader(cfg))
			if err != nil {
				return nil, err
			}
			e, err := simhw.Evaluate(&d, &w)
			if err != nil {
				return nil, err
			}
			rows = append(rows, Row{Design: name, What: "CIFAR-10 network, total cycles of its layers", Unit: "cycles",
				Theirs: theirs, Ours: float64(e.Total.Cycles), Source: scaleSimSource, Note: "in its exact compatibility mode"})
		}
	}
	return rows, nil
}
