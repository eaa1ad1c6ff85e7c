package validate

import (
	"fmt"
	"strings"

	"macroscope/simhw"
	"macroscope/simhw/design"
	"macroscope/workload"
)

// cifar10 is the CIFAR-10 network as SCALE-Sim takes it: images padded.
const cifar10 = `Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
conv1, 34, 34, 3, 3, 3, 32, 1,
conv2, 34, 34, 3, 3, 32, 32, 1,
conv3, 18, 18, 3, 3, 32, 64, 1,
conv4, 18, 18, 3, 3, 64, 64, 1,
conv5, 10, 10, 3, 3, 64, 128, 1,
conv6, 10, 10, 3, 3, 128, 128, 1,
dense, 1, 1, 1, 1, 2048, 10, 1,
`

// scaleSimTotals are SCALE-Sim v3's total cycles of the CIFAR-10 network's
// layers, added up, by array side and dataflow.
var scaleSimTotals = []struct {
	side       int
	ws, os, is float64
}{
	{8, 716537, 632853, 841081},
	{16, 209081, 166423, 277209},
	{32, 70281, 46775, 105073},
	{128, 23093, 13859, 33789},
}

// scaleSim compares whole networks in the compatibility mode; the tests of
// package systolic compare each of SCALE-Sim's layer runs.
func scaleSim() ([]Row, error) {
	w, err := workload.ReadSCALESim("cifar10", strings.NewReader(cifar10))
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, t := range scaleSimTotals {
		for _, flow := range []struct {
			name   string
			cycles float64
		}{{"ws", t.ws}, {"os", t.os}, {"is", t.is}} {
			name := fmt.Sprintf("%dx%d %s.cfg", t.side, t.side, flow.name)
			cfg := fmt.Sprintf("[general]\nrun_name = r\n[architecture_presets]\nArrayHeight: %d\nArrayWidth: %d\nIfmapSramSzkB: 64\nFilterSramSzkB: 64\nOfmapSramSzkB: 64\nDataflow: %s\n[run_presets]\nInterfaceBandwidth: CALC\n", t.side, t.side, flow.name)
			d, err := design.ParseSCALESim(name, strings.NewReader(cfg))
			if err != nil {
				return nil, err
			}
			e, err := simhw.Evaluate(&d, &w)
			if err != nil {
				return nil, err
			}
			rows = append(rows, Row{Design: name, What: "CIFAR-10 network, total cycles of its layers", Unit: "cycles",
				Theirs: flow.cycles, Ours: float64(e.Total.Cycles), Source: "runs of SCALE-Sim v3, commit 1d62b68, ideal bandwidth",
				Note: "in its exact compatibility mode"})
		}
	}
	return rows, nil
}
