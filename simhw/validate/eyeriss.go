package validate

import (
	"fmt"
	"strings"

	"macroscope/dtype"
	"macroscope/simhw"
	"macroscope/simhw/design"
	"macroscope/simhw/golden"
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
	{"conv1_1", 226, 3, 64, 3, 1, 1, 247, 76.2, 38.0, 156, 0.16, 112.5, 0},
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

// What tables of AlexNet hold to is tighter than for VGG-16, whose mappings are not
// printed.
type eyerissBounds struct{ processing, total, elements, traffic, power float64 }

var (
	eyerissAlexNetBounds = eyerissBounds{0.10, 0.10, 0.02, 0.15, 0.20}
	eyerissVGGBounds     = eyerissBounds{0.10, 0.20, 0.10, 0.15, 0.20}
)

func eyeriss() ([]Row, error) {
	d, err := design.Load("eyeriss")
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, n := range []struct {
		network *eyerissNetwork
		bounds  eyerissBounds
	}{{&eyerissAlexNet, eyerissAlexNetBounds}, {&eyerissVGG, eyerissVGGBounds}} {
		e, err := simhw.Evaluate(&d, n.network.workload())
		if err != nil {
			return nil, err
		}
		rows = append(rows, n.network.rows(d.Name(), &e, n.bounds)...)
		if n.network == &eyerissAlexNet {
			rows = append(rows, eyerissShares(d.Name(), &e)...)
			maestro, err := eyerissMAESTRO(&d, &e)
			if err != nil {
				return nil, err
			}
			rows = append(rows, maestro...)
			other, err := eyerissConv3(&d)
			if err != nil {
				return nil, err
			}
			rows = append(rows, other...)
		}
	}
	return rows, nil
}

const eyerissConv3Loops = "DRAM K6 C43; buffer K2 N4 P13; across S3 Q13 C2 K2; registers K16 C3 R3"

// Notes of rows.
const (
	eyerissCalibrated = "clock and control, %.0f mW of ours, are calibrated on this layer's own power"
	eyerissPredicted  = "over the time of ours; clock and control are calibrated on AlexNet's conv1, no number on this layer, but the model's form was chosen with the tables at hand; the error grows with the zeros, as an element that skips is charged its control in full"
	eyerissDerived    = "the mapping is not printed: channels of a pass are chosen by this row, from which the time follows where the sums' network is the limit"
)

// The parts of a row's estimate that the tables have.
func eyerissMS(l *simhw.Layer) (processing, total float64) {
	const us = 1e3
	total = l.TimeUS.Value / us
	busy := l.ComputeCycles + l.FillDrainCycles + l.Stalls[memory.OnChip] // without waiting for DRAM
	return total * float64(busy) / float64(l.Cycles), total
}

func eyerissMW(l *simhw.Layer, pj float64) float64 { return pj / 1e3 / l.TimeUS.Value }

func eyerissChipPJ(l *simhw.Layer) float64 { return l.Energy.TotalPJ() - l.Energy.DRAMPJ }

// Inputs and sums are in the buffer, in words of two bytes.
func eyerissBufferMB(l *simhw.Layer) float64 {
	return float64(l.SRAM.IfmapReads+l.SRAM.PsumReads+l.SRAM.OfmapWrites) * 2 / 1e6
}

// rows compares a network by layer with the chip.
func (n *eyerissNetwork) rows(name string, e *simhw.Estimate, b eyerissBounds) []Row {
	var rows []Row
	add := func(layer, what, unit string, theirs, ours, bound float64, note string) {
		metric := n.name + " by layer, " + what
		if layer == "all" || what == "buffer accesses" && bound == Open {
			metric = ""
		}
		rows = append(rows, Row{Design: name, What: n.name + " " + layer + ", " + what, Metric: metric, Unit: unit, Theirs: theirs, Ours: ours, Bound: bound, Source: n.source, Note: note})
	}
	var processing, total, joule [2]float64
	for i := range n.layers {
		theirs, ours := &n.layers[i], &e.Layers[i]
		busy, all := eyerissMS(ours)
		add(theirs.name, "processing time", "ms", theirs.processing, busy, b.processing, "theirs with DRAM's transfers fully overlapped, section VI-A")
		add(theirs.name, "total time", "ms", theirs.total, all, b.total, "ours moves inputs and outputs at DRAM's full rate")
		elements, traffic, power, bound := "", "", eyerissPredicted, b.traffic
		switch {
		case n == &eyerissVGG:
			elements, traffic = "the mapping is not printed: 14 columns of the array are taken, of which the chip used 13 in the first layers", eyerissDerived
		case i == 0:
			elements = "the last strip has a row less than the others, which theirs does not count"
			traffic = "ours reads no first sums; with them it were 18.8"
			power = fmt.Sprintf(eyerissCalibrated, eyerissMW(ours, ours.Energy.ClockPJ+ours.Energy.ControlPJ))
		case i == 2:
			traffic, bound = "the printed mapping's 64 passes over the channels move more sums than the measured traffic, which is that of 43: see conv3 by conv4's mapping", Open
		}
		add(theirs.name, "elements at work", "elements", theirs.active, float64(ours.MACs)/float64(ours.ComputeCycles), b.elements, elements)
		add(theirs.name, "buffer accesses", "MB", theirs.bufferMB, eyerissBufferMB(ours), bound, traffic)
		if theirs.dramMB > 0 {
			add(theirs.name, "DRAM traffic", "MB", theirs.dramMB, float64(ours.DRAM.Bytes)/1e6, b.traffic, "coded by the zeros of the table; outputs by the zeros of the next layer's inputs")
		}
		add(theirs.name, "power without DRAM", "mW", theirs.power, eyerissMW(ours, eyerissChipPJ(ours)), b.power, power)
		add(theirs.name, "energy without DRAM", "µJ", theirs.power*theirs.total, eyerissChipPJ(ours)/1e6, Open, "power times total time: it has the errors of both")
		for j, v := range [2]float64{theirs.processing, busy} {
			processing[j] += v
		}
		for j, v := range [2]float64{theirs.total, all} {
			total[j] += v
		}
		for j, v := range [2]float64{theirs.power * theirs.total, eyerissChipPJ(ours) / 1e6} {
			joule[j] += v
		}
	}
	add("all", "processing time", "ms", processing[0], processing[1], b.processing, "")
	add("all", "total time", "ms", total[0], total[1], b.total, "")
	add("all", "energy without DRAM", "µJ", joule[0], joule[1], b.power, "")
	return rows
}

// eyerissShares compares how the power divides.
func eyerissShares(name string, e *simhw.Estimate) []Row {
	const source = "JSSC 2017, figure 16, post-layout simulation, as quoted in public notes: clock network 32.9 to 45.0 %, multipliers and adders 3.0 to 8.9 %, scratchpads 33 to 42 %"
	const note = "which end is which layer's follows from section VI-A: scratchpads and multipliers take less in conv5"
	var rows []Row
	for _, l := range []struct {
		layer                     int
		clock, multipliers, spads float64
	}{{0, 32.9, 8.9, 42}, {4, 45.0, 3.0, 33}} {
		ours := &e.Layers[l.layer]
		b, chip := &ours.Energy, eyerissChipPJ(ours)/100
		add := func(what string, theirs, pj float64) {
			rows = append(rows, Row{Design: name, What: fmt.Sprintf("alexnet conv%d, share of %s", l.layer+1, what), Metric: "alexnet, shares of the power", Unit: "%", Theirs: theirs, Ours: pj / chip, Bound: Open, Source: source, Note: note})
		}
		add("the clock network", l.clock, b.ClockPJ)
		add("multipliers and adders", l.multipliers, b.MACPJ)
		add("scratchpads", l.spads, b.RegisterPJ+b.FilterSRAMPJ)
	}
	return rows
}

// eyerissMAESTRO compares with another model of the same chip.
func eyerissMAESTRO(d *design.Design, e *simhw.Estimate) ([]Row, error) {
	runs, err := golden.MAESTRO()
	if err != nil {
		return nil, err
	}
	if len(runs) != len(e.Layers) {
		return nil, fmt.Errorf("MAESTRO has %d layers, AlexNet %d", len(runs), len(e.Layers))
	}
	s := d.Spec()
	var rows []Row
	for i, r := range runs {
		busy, _ := eyerissMS(&e.Layers[i])
		rows = append(rows, Row{Design: d.Name(), What: "alexnet " + strings.ToLower(r.Layer) + ", processing time by MAESTRO", Metric: "alexnet by layer, processing time by MAESTRO", Unit: "ms",
			Theirs: float64(r.Cycles) / (s.ClockMHz * 1e3), Ours: busy, Bound: Open, Source: "a run of MAESTRO with Eyeriss' row-stationary mapping, four images",
			Note: "another model, no measurement; the chip's own times are above"})
	}
	return rows, nil
}

// eyerissConv3 is AlexNet's conv3 with the parameters printed for conv4 and conv5: q 3, r
// 2, t 2. Its channels, 256, are rounded up to 258.
func eyerissConv3(d *design.Design) ([]Row, error) {
	s := d.Spec()
	for i := range s.Spatial.Mappings[:s.Spatial.Mapped] {
		if m := &s.Spatial.Mappings[i]; m.Layer == "alexnet_conv3" {
			m.Loops = eyerissConv3Loops
		}
	}
	other, err := design.New(s)
	if err != nil {
		return nil, err
	}
	const conv3 = 2
	w := eyerissAlexNet.workload()
	w.Layers = w.Layers[conv3 : conv3+1]
	e, err := simhw.Evaluate(&other, w)
	if err != nil {
		return nil, err
	}
	theirs, ours := &eyerissAlexNet.layers[conv3], &e.Layers[0]
	busy, _ := eyerissMS(ours)
	row := func(what, unit string, theirs, ours, bound float64) Row {
		return Row{Design: d.Name(), What: "alexnet conv3 by conv4's mapping, " + what, Unit: unit, Theirs: theirs, Ours: ours, Bound: bound, Source: eyerissAlexNet.source,
			Note: "6 channels a pass, as conv4 and conv5 have them; table III prints 4 for conv3"}
	}
	return []Row{
		row("processing time", "ms", theirs.processing, busy, eyerissAlexNetBounds.processing),
		row("buffer accesses", "MB", theirs.bufferMB, eyerissBufferMB(ours), 0.05),
		row("power without DRAM", "mW", theirs.power, eyerissMW(ours, eyerissChipPJ(ours)), eyerissAlexNetBounds.power),
	}, nil
}
