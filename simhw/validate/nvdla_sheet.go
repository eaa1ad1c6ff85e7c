package validate

import (
	"fmt"

	"macroscope/simhw/golden"
	"macroscope/simhw/mactree"
	"macroscope/workload"
)

// nvdlaSheet is the vendor's estimator on its page for ResNet-50: two groups of columns,
// with a second memory on the chip and without.
var (
	nvdlaWith    = mactree.Sheet{MACs: 2048, BufferKiB: 512, DRAMGBs: 10, SRAMGBs: 25, KernelPad: 16, Winograd: true, FCBatch: 16}
	nvdlaWithout = mactree.Sheet{MACs: 2048, BufferKiB: 512, DRAMGBs: 10, KernelPad: 128, Winograd: true, FCBatch: 1}
)

// nvdlaLayer is the shape of a line of the sheet, which gives the output's size and not
// the padding.
func nvdlaLayer(g *golden.NVDLALayer) (workload.Layer, error) {
	if g.Dense {
		return workload.Layer{Name: g.Name, Kind: workload.Gemm, M: 1, K: int64(g.C), N: int64(g.K)}, nil
	}
	l := workload.Layer{Name: g.Name, Kind: workload.Conv, C: g.C, H: g.H, W: g.W, OutC: g.K, KH: g.R, KW: g.S, StrideH: g.StrideH, StrideW: g.StrideW}
	l.PadTop, l.PadLeft = max((g.P-1)*l.StrideH+l.KH-l.H, 0), max((g.P-1)*l.StrideW+l.KW-l.W, 0)
	if h, w := l.OutSize(); h != int64(g.P) || w != int64(g.Q) {
		return l, fmt.Errorf("%s: output of %d×%d, the sheet has %d×%d", g.Name, h, w, g.P, g.Q)
	}
	return l, nil
}

// nvdlaSheetRows compares every figure of the sheet.
func nvdlaSheetRows() ([]Row, error) {
	layers, err := golden.NVDLAResNet50()
	if err != nil {
		return nil, err
	}
	var rows []Row
	var theirs, ours [2]int64 // totals
	for i := range layers {
		g := &layers[i]
		l, err := nvdlaLayer(g)
		if err != nil {
			return nil, err
		}
		x := mactree.SheetLayer{Addition: g.Addition, OutputKiB: g.OutputKiB}
		without := nvdlaWithout.Layer(&l, x)
		// Where tensors live in the columns with a second memory is not a formula there: a
		// layer's inputs come from DRAM, or its outputs go there too, where its DRAM traffic
		// exceeds its weights.
		x.FromDRAM = g.With.SRAMRead == 0 || g.Dense
		x.ToDRAM = !x.FromDRAM && g.With.DRAMKiB > nvdlaWith.Layer(&l, x).DRAMKiB
		with := nvdlaWith.Layer(&l, x)
		for j, c := range []struct {
			columns string
			theirs  golden.NVDLATime
			ours    mactree.SheetTime
		}{{"with a second memory", g.With, with}, {"without a second memory", g.Without, without}} {
			add := func(what, unit string, theirs, ours float64) {
				rows = append(rows, Row{Design: "nvdla_large (the sheet's formulas)", What: g.Name + ", " + what + " " + c.columns, Metric: "the sheet's formulas, ResNet-50 by layer, " + c.columns,
					Unit: unit, Theirs: theirs, Ours: ours, Source: nvdlaSource, Note: "where tensors live is no formula of the sheet: it is taken from its DRAM traffic where there is a second memory"})
			}
			add("DRAM traffic", "KiB", c.theirs.DRAMKiB, c.ours.DRAMKiB)
			add("DRAM cycles", "cycles", float64(c.theirs.DRAM), float64(c.ours.DRAM))
			if j == 0 {
				add("cycles of the memory's reads", "cycles", float64(c.theirs.SRAMRead), float64(c.ours.SRAMRead))
				add("cycles of the memory's writes", "cycles", float64(c.theirs.SRAMWrite), float64(c.ours.SRAMWrite))
			}
			add("cycles of MACs", "cycles", float64(c.theirs.MACs), float64(c.ours.MACs))
			add("cycles", "cycles", float64(c.theirs.Max), float64(c.ours.Max))
			theirs[j], ours[j] = theirs[j]+c.theirs.Max, ours[j]+c.ours.Max
		}
	}
	for j, columns := range []string{"with", "without"} {
		rows = append(rows, Row{Design: "nvdla_large (the sheet's formulas)", What: "ResNet-50, cycles an image, " + columns + " a second memory", Metric: "the sheet's formulas, ResNet-50, cycles an image, " + columns + " a second memory", Unit: "cycles", Theirs: float64(theirs[j]), Ours: float64(ours[j]), Source: nvdlaSource})
	}
	return rows, nil
}
