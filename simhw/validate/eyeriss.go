package validate

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/simhw"
	"macroscope/simhw/design"
	"macroscope/workload"
)

const (
	eyerissTable = "Chen et al., Eyeriss, JSSC 52(1), 2017, table V, as transcribed in cucapra/fodlam data/eyeriss-alexnet.csv"
	eyerissImage = 4 // images together
)

// eyerissLayer is a row of the table: milliseconds, milliwatts of the chip without
// DRAM, elements at work, millions of bytes at the buffer and at DRAM.
type eyerissLayer struct {
	layer             workload.Layer
	total, processing float64
	power             float64
	active            float64
	bufferMB, dramMB  float64
}

func eyerissConv(name string, side, in, out, kernel, stride, groups int) workload.Layer {
	return workload.Layer{Name: "alexnet_" + name, DType: dtype.Int8, Batch: eyerissImage, H: side, W: side, C: in, OutC: out,
		KH: kernel, KW: kernel, StrideH: stride, StrideW: stride, Groups: groups}
}

// eyerissAlexNet has padded sizes, as the format of a mapping counts padding.
var eyerissAlexNet = []eyerissLayer{
	{eyerissConv("conv1", 227, 3, 96, 11, 4, 1), 20.9, 16.5, 332, 154, 18.5, 5.0},
	{eyerissConv("conv2", 31, 96, 256, 5, 1, 2), 41.9, 39.2, 288, 135, 77.6, 4.0},
	{eyerissConv("conv3", 15, 256, 384, 3, 1, 1), 23.6, 21.8, 266, 156, 50.2, 3.0},
	{eyerissConv("conv4", 15, 384, 384, 3, 1, 2), 18.4, 16.0, 235, 156, 37.4, 2.1},
	{eyerissConv("conv5", 15, 384, 256, 3, 1, 2), 10.5, 10.0, 236, 156, 24.9, 1.3},
}

// eyeriss compares AlexNet by layer with the chip. The chip skips multiplications by
// zero, which saves energy and no time, and compresses what goes to DRAM.
func eyeriss() ([]Row, error) {
	d, err := design.Load("eyeriss")
	if err != nil {
		return nil, err
	}
	s := d.Spec()
	w := workload.Workload{Name: "alexnet"}
	for _, l := range eyerissAlexNet {
		w.Layers = append(w.Layers, l.layer)
	}
	full, err := simhw.Evaluate(&d, &w)
	if err != nil {
		return nil, err
	}
	var rows []Row
	add := func(layer, what, unit string, theirs, ours, bound float64, note string) {
		rows = append(rows, Row{Design: s.Name, What: layer + ", " + what, Unit: unit, Theirs: theirs, Ours: ours, Bound: bound, Source: eyerissTable, Note: note})
	}
	// Processing time is the time without waiting for DRAM.
	ms := func(cycles int64) float64 { return float64(cycles) / s.ClockMHz / 1e3 }
	var processing, total [2]float64
	var joule [2]float64
	for i := range eyerissAlexNet {
		theirs, ours := &eyerissAlexNet[i], &full.Layers[i]
		name := theirs.layer.Name[len("alexnet_"):]
		busy := ms(ours.ComputeCycles + ours.FillDrainCycles)
		add(name, "processing time", "ms", theirs.processing, busy, 0.10, "theirs with DRAM's transfers fully overlapped, section VI-A")
		add(name, "total time", "ms", theirs.total, ms(ours.Cycles), Open, "theirs has a part of DRAM's transfers that is not hidden; ours waits for the slower of the two")
		note := ""
		if i == 0 {
			note = "the last strip has a row less than the others, which theirs does not count"
		}
		add(name, "elements at work", "elements", theirs.active, float64(ours.MACs)/float64(ours.ComputeCycles), 0.02, note)
		// The buffer holds inputs and sums; theirs is in words of two bytes.
		words := ours.SRAM.IfmapReads + ours.SRAM.PsumReads + ours.SRAM.OfmapWrites
		add(name, "buffer accesses", "MB", theirs.bufferMB, float64(words)*2/1e6, Open, "ours reads no first sums")
		add(name, "DRAM traffic", "MB", theirs.dramMB, float64(ours.DRAM.Bytes)/1e6, Open, "theirs is compressed from conv2 on")
		chip := ours.Energy.TotalPJ() - ours.Energy.DRAMPJ
		power := chip / 1e9 / theirs.total * 1e3
		add(name, "power without DRAM, over their time", "mW", theirs.power, power, Open,
			fmt.Sprintf("%.0f mW of it leakage; ours has no clock network, control or wires, theirs skips zeros", ours.Energy.LeakagePJ/1e9/theirs.total*1e3))
		processing[0] += theirs.processing
		processing[1] += busy
		total[0] += theirs.total
		total[1] += ms(ours.Cycles)
		joule[0] += theirs.power * theirs.total
		joule[1] += chip / 1e6
	}
	add("all", "processing time", "ms", processing[0], processing[1], 0.10, "")
	add("all", "total time", "ms", total[0], total[1], Open, "")
	add("all", "energy without DRAM", "µJ", joule[0], joule[1], Open, "ours has no clock network, control or wires: by section VI-A multipliers and adders take less than 10 % of the chip's power, and scratchpads, buffer and networks up to 45 %")
	return rows, nil
}
