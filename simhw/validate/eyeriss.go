package validate

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/simhw"
	"macroscope/simhw/design"
	"macroscope/simhw/memory"
	"macroscope/workload"
)

// eyerissLayer is a row of the paper's tables: milliseconds, milliwatts of the chip
// without DRAM, elements at work, the inputs' share of zeros, millions of bytes at the
// buffer and at DRAM.
type eyerissLayer struct {
	name                                    string
	side, in, out, kernel, stride, groups   int // padded, as the format of a mapping counts padding
	power, total, processing, active, zeros float64
	bufferMB, dramMB                        float64
}

// eyerissNetwork is a network that the chip was measured with.
type eyerissNetwork struct {
	name   string
	images int // together
	source string
	layers []eyerissLayer
}

var eyerissAlexNet = eyerissNetwork{"alexnet", 4, "Chen et al., Eyeriss, JSSC 52(1), 2017, table V, as transcribed in cucapra/fodlam data/eyeriss-alexnet.csv", []eyerissLayer{
	{"conv1", 227, 3, 96, 11, 4, 1, 332, 20.9, 16.5, 154, 0.0001, 18.5, 5.0},
	{"conv2", 31, 96, 256, 5, 1, 2, 288, 41.9, 39.2, 135, 0.387, 77.6, 4.0},
	{"conv3", 15, 256, 384, 3, 1, 1, 266, 23.6, 21.8, 156, 0.725, 50.2, 3.0},
	{"conv4", 15, 384, 384, 3, 1, 2, 235, 18.4, 16.0, 156, 0.793, 37.4, 2.1},
	{"conv5", 15, 384, 256, 3, 1, 2, 236, 10.5, 10.0, 156, 0.776, 24.9, 1.3},
}}

// eyerissVGG's columns have the printed totals, except that the transcription's 1110.3 ms
// of processing in conv2-2 is more than that layer's total; the column's sum leaves 810.7.
// DRAM traffic is left out: its column does not have the printed sum.
var eyerissVGG = eyerissNetwork{"vgg16", 3, "Chen et al., Eyeriss, JSSC 52(1), 2017, table VI, as transcribed in cucapra/fodlam data/eyeriss-vgg16.csv", []eyerissLayer{
	{"conv1_1", 226, 3, 64, 3, 1, 1, 247, 76.2, 38.0, 156, 0.016, 112.5, 0},
	{"conv1_2", 226, 64, 64, 3, 1, 1, 218, 910.3, 810.6, 156, 0.477, 2402.8, 0},
	{"conv2_1", 114, 64, 128, 3, 1, 1, 242, 470.3, 405.3, 156, 0.248, 1201.4, 0},
	{"conv2_2", 114, 128, 128, 3, 1, 1, 231, 894.3, 810.7, 156, 0.387, 2402.3, 0},
	{"conv3_1", 58, 128, 256, 3, 1, 1, 254, 241.1, 204.0, 156, 0.397, 607.4, 0},
	{"conv3_2", 58, 256, 256, 3, 1, 1, 235, 460.9, 408.1, 156, 0.581, 1214.8, 0},
	{"conv3_3", 58, 256, 256, 3, 1, 1, 233, 457.7, 408.1, 156, 0.587, 1214.8, 0},
	{"conv4_1", 30, 256, 512, 3, 1, 1, 278, 135.3, 105.1, 168, 0.643, 321.3, 0},
	{"conv4_2", 30, 512, 512, 3, 1, 1, 261, 254.8, 210.0, 168, 0.747, 643.7, 0},
	{"conv4_3", 30, 512, 512, 3, 1, 1, 240, 246.3, 210.0, 168, 0.854, 643.7, 0},
	{"conv5_1", 16, 512, 512, 3, 1, 1, 258, 54.3, 48.3, 168, 0.794, 90.0, 0},
	{"conv5_2", 16, 512, 512, 3, 1, 1, 236, 53.7, 48.5, 168, 0.874, 90.0, 0},
	{"conv5_3", 16, 512, 512, 3, 1, 1, 230, 53.7, 48.5, 168, 0.885, 90.0, 0},
}}

// workload is the network with the table's zeros. A layer's outputs have at least the
// zeros of the next one's inputs, which a pool between them can only lessen; the last's
// are taken as those of its inputs.
func (n *eyerissNetwork) workload() *workload.Workload {
	w := &workload.Workload{Name: n.name}
	for i, l := range n.layers {
		next := n.layers[min(i+1, len(n.layers)-1)]
		w.Layers = append(w.Layers, workload.Layer{Name: n.name + "_" + l.name, DType: dtype.Int8, Batch: n.images, H: l.side, W: l.side, C: l.in, OutC: l.out,
			KH: l.kernel, KW: l.kernel, StrideH: l.stride, StrideW: l.stride, Groups: l.groups, ZeroInputs: l.zeros, ZeroOutputs: next.zeros})
	}
	return w
}

func eyeriss() ([]Row, error) {
	alexnet, err := eyerissRows(&eyerissAlexNet)
	if err != nil {
		return nil, err
	}
	vgg, err := eyerissRows(&eyerissVGG)
	return append(alexnet, vgg...), err
}

// eyerissRows compares a network by layer with the chip. The chip skips multiplications
// by zero, which saves energy and no time, and compresses what goes to DRAM.
func eyerissRows(n *eyerissNetwork) ([]Row, error) {
	d, err := design.Load("eyeriss")
	if err != nil {
		return nil, err
	}
	s := d.Spec()
	full, err := simhw.Evaluate(&d, n.workload())
	if err != nil {
		return nil, err
	}
	var rows []Row
	add := func(layer, what, unit string, theirs, ours, bound float64, note string) {
		rows = append(rows, Row{Design: s.Name, What: n.name + " " + layer + ", " + what, Unit: unit, Theirs: theirs, Ours: ours, Bound: bound, Source: n.source, Note: note})
	}
	ms := func(cycles int64) float64 { return float64(cycles) / s.ClockMHz / 1e3 }
	var processing, total, joule [2]float64
	for i := range n.layers {
		theirs, ours := &n.layers[i], &full.Layers[i]
		name := theirs.name
		// Processing time is the time without waiting for DRAM.
		busy := ms(ours.ComputeCycles + ours.FillDrainCycles + ours.Stalls[memory.OnChip])
		add(name, "processing time", "ms", theirs.processing, busy, 0.10, "theirs with DRAM's transfers fully overlapped, section VI-A")
		add(name, "total time", "ms", theirs.total, ms(ours.Cycles), Open, "")
		add(name, "elements at work", "elements", theirs.active, float64(ours.MACs)/float64(ours.ComputeCycles), Open, "")
		words := ours.SRAM.IfmapReads + ours.SRAM.PsumReads + ours.SRAM.OfmapWrites
		add(name, "buffer accesses", "MB", theirs.bufferMB, float64(words)*2/1e6, Open, "")
		if theirs.dramMB > 0 {
			add(name, "DRAM traffic", "MB", theirs.dramMB, float64(ours.DRAM.Bytes)/1e6, Open, "")
		}
		chip := ours.Energy.TotalPJ() - ours.Energy.DRAMPJ
		power := chip / 1e9 / ms(ours.Cycles) * 1e3
		mw := func(pj float64) float64 { return pj / 1e9 / ms(ours.Cycles) * 1e3 }
		e := &ours.Energy
		add(name, "power without DRAM", "mW", theirs.power, power, Open,
			fmt.Sprintf("clock %.0f control %.0f spads %.0f MAC %.0f buffer %.0f net %.0f leak %.0f", mw(e.ClockPJ), mw(e.ControlPJ), mw(e.RegisterPJ+e.FilterSRAMPJ), mw(e.MACPJ), mw(e.IfmapSRAMPJ+e.OfmapSRAMPJ), mw(e.NetworkPJ), mw(e.LeakagePJ)))
		processing[0] += theirs.processing
		processing[1] += busy
		total[0] += theirs.total
		total[1] += ms(ours.Cycles)
		joule[0] += theirs.power * theirs.total
		joule[1] += chip / 1e6
	}
	add("all", "processing time", "ms", processing[0], processing[1], 0.10, "")
	add("all", "total time", "ms", total[0], total[1], Open, "")
	add("all", "energy without DRAM", "µJ", joule[0], joule[1], Open, "")
	return rows, nil
}
