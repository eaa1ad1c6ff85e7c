package main

import (
	"fmt"
	"slices"
	"strconv"

	"macroscope/dtype"
	"macroscope/internal/table"
	"macroscope/models"
	"macroscope/simhw"
	"macroscope/simhw/design"
	"macroscope/workload"
)

// designNetwork is the network whose layers are predicted on the designs of CPUs.
const designNetwork = "cifar10cnn"

// designPrediction is a kernel on the CPU that a shipped design describes: its innermost
// loop, and with all that the design counts around it the convolutions of a network.
type designPrediction struct {
	Design   string      `json:"design"`
	CPU      string      `json:"cpu"`
	DType    dtype.DType `json:"dtype"`
	Impl     string      `json:"impl"`
	TileRows int         `json:"tile_rows"`
	TileCols int         `json:"tile_columns"`

	InstructionsPerMAC float64 `json:"instructions_per_mac"`
	MACPerCycle        float64 `json:"mac_per_cycle"`
	PeakPerCycle       float64 `json:"peak_mac_per_cycle"`
	Limit              string  `json:"limit"`

	Layers []designLayer `json:"layers"`
}

// designLayer is a layer, whose MACs count padding.
type designLayer struct {
	Name        string  `json:"name"`
	MACPerCycle float64 `json:"mac_per_cycle"`
}

// designPredictions works out every kernel of every shipped design of a CPU.
func designPredictions() ([]designPrediction, error) {
	networks := map[dtype.DType]*workload.Workload{}
	for _, d := range dtype.All {
		g, err := models.Load(designNetwork, d)
		if err != nil {
			return nil, err
		}
		w, err := g.Workload(d)
		if err != nil {
			return nil, err
		}
		networks[d] = &w
	}
	var list []designPrediction
	for _, name := range design.Shipped() {
		d, err := design.Load(name)
		if err != nil {
			return nil, err
		}
		s := d.Spec()
		if s.Vector.CPU == "" {
			continue
		}
		m, err := simhw.New(&d)
		if err != nil {
			return nil, err
		}
		for i := range s.Vector.LoopCount {
			l := s.Vector.Loops[i]
			preferred := s
			preferred.Vector.Prefer(i)
			if err := m.Set(&preferred); err != nil {
				return nil, err
			}
			b, _ := m.LoopBound(l.DType)
			p := designPrediction{Design: name, CPU: s.Vector.CPU, DType: l.DType, Impl: l.Kernel, TileRows: l.Rows, TileCols: l.Cols * l.Lanes,
				InstructionsPerMAC: b.InstructionsPerMAC, MACPerCycle: b.MACPerCycle, PeakPerCycle: b.PeakPerCycle, Limit: b.Limit}
			e, err := m.Evaluate(networks[l.DType])
			if err != nil {
				return nil, err
			}
			for _, layer := range e.Layers {
				if layer.DType == l.DType && layer.Kind == workload.Conv.String() {
					p.Layers = append(p.Layers, designLayer{layer.Name, float64(layer.MACs) / float64(layer.Cycles)})
				}
			}
			list = append(list, p)
		}
	}
	return list, nil
}

// designTable has a row for each design and kernel, a column for each layer.
func designTable(list []designPrediction) table.Table {
	t := table.Table{
		Head:  []string{"design", "kernel", "instructions/MAC", "MAC/cycle", "peak MAC/cycle", "of peak", "limit"},
		Right: []bool{false, false, true, true, true, true, false},
	}
	first := len(t.Head)
	for _, p := range list {
		for _, l := range p.Layers {
			if !slices.Contains(t.Head[first:], l.Name) {
				t.Head, t.Right = append(t.Head, l.Name), append(t.Right, true)
			}
		}
	}
	for _, p := range list {
		row := []string{p.Design, p.DType.String() + "/" + p.Impl, fmt.Sprintf("%.4f", p.InstructionsPerMAC), fmt.Sprintf("%.2f", p.MACPerCycle),
			fmt.Sprintf("%.2f", p.PeakPerCycle), fmt.Sprintf("%.1f %%", 100*p.MACPerCycle/p.PeakPerCycle), p.Limit}
		row = append(row, slices.Repeat([]string{"–"}, len(t.Head)-first)...)
		for _, l := range p.Layers {
			row[slices.Index(t.Head, l.Name)] = fmt.Sprintf("%.2f", l.MACPerCycle)
		}
		t.Add(row...)
	}
	return t
}

// record is a row of --predicted -o csv, the loop alone.
func (p *designPrediction) record() []string {
	return []string{p.Design, p.DType.String(), p.Impl, "no", strconv.Itoa(p.TileRows), strconv.Itoa(p.TileCols),
		float(p.InstructionsPerMAC), float(p.MACPerCycle), float(p.PeakPerCycle), p.Limit, ""}
}
