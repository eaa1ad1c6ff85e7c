package validate

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/simhw"
	"macroscope/simhw/design"
	"macroscope/simhw/memory"
	"macroscope/simhw/systolic"
)

const (
	stonneRuns   = "runs of STONNE's output-stationary mesh"
	tpuPaper     = "Jouppi et al., In-Datacenter Performance Analysis of a Tensor Processing Unit, ISCA 2017, tables 1 and 3"
	gemminiArea  = "Genc et al., Gemmini, DAC 2021, figure 6"
	gemminiPull  = "github.com/ucb-bar/gemmini pull request 69: ResNet-50, 153,709,356 cycles at 40 % utilization, which is 4 images by their MACs"
	gemminiLater = "github.com/ucb-bar/gemmini pull request 90: 51 % utilization"
)

// stonne is M, N, K, the array, and the cycles of STONNE. Its runs with more
// bandwidth than it supports gave no result.
var stonne = []struct {
	m, n, k, rows, cols int64
	cycles              float64
}{
	{5, 2, 2, 4, 4, 18}, {4, 4, 1, 4, 4, 12}, {4, 4, 2, 4, 4, 13}, {4, 4, 4, 4, 4, 15}, {4, 4, 9, 4, 4, 20}, {4, 4, 27, 4, 4, 38},
	{4, 4, 64, 4, 4, 75}, {8, 8, 27, 8, 8, 46}, {16, 16, 27, 8, 8, 184}, {16, 16, 72, 16, 16, 107}, {32, 32, 288, 16, 16, 1292},
	{32, 1024, 27, 32, 32, 3008}, {32, 64, 288, 8, 8, 9824}, {10, 1, 2048, 16, 16, 2061}, {32, 1024, 288, 32, 32, 11360},
}

// stonnePipeline is what a fold takes longer in STONNE than in an array whose
// operands and sums move one element a cycle: T + r + c + 3 against T + r + c − 2.
const stonnePipeline = 5

func stonneRows() ([]Row, error) {
	var rows []Row
	for _, c := range stonne {
		a := systolic.Array{Rows: c.rows, Cols: c.cols, Dataflow: design.OS, Gated: true}
		p := a.Map(c.m, c.n, c.k, 1, 1)
		rows = append(rows, Row{Design: fmt.Sprintf("%dx%d os, gated folds", c.rows, c.cols), What: fmt.Sprintf("product of %d×%d×%d", c.m, c.n, c.k), Unit: "cycles",
			Theirs: c.cycles, Ours: float64(p.Cycles() + stonnePipeline*p.Folds()), Bound: 1 / c.cycles, Source: stonneRuns,
			Note: "ours with the 5 cycles a fold that its networks add; the bound is one cycle"})
	}
	return rows, nil
}

// tpuApp is one of the paper's six applications. Shares are in percent of all
// cycles, by its counters.
type tpuApp struct {
	name           string
	weights        float64 // millions
	uses           int64   // operations a byte of weights: how often each is used
	tops           float64
	active, useful float64 // array at work; of which for useful weights
	stall, shift   float64
	nonMatrix      float64
	bound          float64
}

var tpuApps = []tpuApp{
	{"MLP0", 20, 200, 12.3, 12.7, 12.5, 53.9, 15.9, 17.5, 0.15},
	{"MLP1", 5, 168, 9.7, 10.6, 9.4, 44.2, 13.4, 31.9, 0.15},
	{"LSTM0", 52, 64, 3.7, 8.2, 8.2, 58.1, 15.8, 17.9, Open},
	{"LSTM1", 34, 96, 2.8, 10.5, 6.3, 62.1, 17.1, 10.3, Open},
	{"CNN0", 8, 2888, 86.0, 78.2, 78.2, 0, 0, 21.8, 0.15},
	{"CNN1", 100, 1750, 14.1, 46.2, 22.5, 28.1, 7.0, 18.7, Open},
}

// tpu compares the six applications. Their layers' shapes are not published. What is
// taken from the paper: the weights, how often each is used, and which share of the
// array's weights are useful, which says how well the matrices fill it. The model does
// the rest: tiles of 256×256 weights that come from DRAM, are shifted in and used.
// Activations stay in the unified buffer. Time without matrix operations is not
// modelled; the rows with the paper's share of it say what that would make.
func tpu() ([]Row, error) {
	d, err := design.Load("tpuv1")
	if err != nil {
		return nil, err
	}
	s := d.Spec()
	array, lanes := systolic.ArrayOf(&s), int64(s.Lanes(dtype.Int8))
	const bitsPerKiB = 1024 * 8
	var rows []Row
	for _, app := range tpuApps {
		// As many tiles as hold the weights at the share that is useful, one row
		// fold deep, so that no partial sums wait.
		fill := app.useful / app.active
		tiles := int64(app.weights * 1e6 / fill / float64(s.PEs()))
		depth, outputs := array.Rows*lanes, tiles*array.Cols
		p := memory.Problem{Map: array.Map(app.uses, outputs, depth, lanes, 1), InputWords: app.uses * depth, LineWords: app.uses * depth,
			OperandBits: 8, AccumulatorBits: int64(s.Array.AccumulatorBits[dtype.Int8]), OutputBits: 8,
			IfmapBits: int64(s.Buffers.IfmapKiB) * bitsPerKiB, FilterBits: int64(s.Buffers.FilterKiB) * bitsPerKiB, OfmapBits: int64(s.Buffers.OfmapKiB) * bitsPerKiB,
			BytesPerCycle: s.BytesPerCycle(), InputOnChip: true, OutputOnChip: true}
		r, ok := memory.Run(&p)
		if !ok {
			return nil, fmt.Errorf("%s takes too long", app.name)
		}
		cycles := float64(r.Map.Cycles() + r.PrefetchCycles + r.StallCycles)
		tops := 2 * float64(p.Map.MACs()) * fill / (cycles / (s.ClockMHz * 1e6)) / 1e12
		what := func(w string) string { return app.name + ", " + w }
		note := "model: weights from DRAM, shift, array; from the paper: weights, their uses and their useful share; nothing but matrix operations takes time"
		if app.bound == Open {
			note += fmt.Sprintf("; the paper's own counters (%g %% of the cycles useful) would make %.1f of its 92 TOPS", app.useful, app.useful*0.92)
		}
		rows = append(rows,
			Row{Design: d.Name(), What: what("TOPS"), Unit: "TOPS", Theirs: app.tops, Ours: tops, Bound: app.bound, Source: tpuPaper, Note: note},
			Row{Design: d.Name(), What: what("TOPS with the measured non-matrix cycles"), Unit: "TOPS", Theirs: app.tops, Ours: tops * (1 - app.nonMatrix/100), Bound: Open, Source: tpuPaper,
				Note: "the same, slowed down by the share of non-matrix cycles that the paper counted, as if none overlapped"})
		matrix := 100 - app.nonMatrix
		busy := float64(r.Map.ComputeCycles()) / cycles * 100
		rows = append(rows, Row{Design: d.Name(), What: what("array active, of matrix cycles"), Unit: "%", Theirs: 100 * app.active / matrix, Ours: busy, Bound: Open, Source: tpuPaper,
			Note: "array active, weight stall and weight shift of the paper's counters make its matrix cycles"})
		if app.stall > 0 {
			rows = append(rows, Row{Design: d.Name(), What: what("weight stall and shift, of matrix cycles"), Unit: "%", Theirs: 100 * (app.stall + app.shift) / matrix, Ours: 100 - busy, Bound: Open, Source: tpuPaper,
				Note: "array active, weight stall and weight shift of the paper's counters make its matrix cycles"})
		}
	}
	return rows, nil
}

// gemmini compares the area by block and whole images of ResNet-50.
func gemmini() ([]Row, error) {
	d, err := design.Load("gemmini16")
	if err != nil {
		return nil, err
	}
	net, _, _ := resNet50()
	const images = 4
	for i := range net.Layers {
		l := &net.Layers[i]
		if l.M > 0 {
			l.M = images
		} else {
			l.Batch = images
		}
	}
	e, err := simhw.Evaluate(&d, &net)
	if err != nil {
		return nil, err
	}
	const (
		areaNote  = "ours: the table's 45 nm adders, multipliers, registers and memory cells, scaled; the node of theirs is not in the extract"
		cycleNote = "ours waits for a bus that is always ready and for nothing else; theirs runs programs on a Rocket core, with a cache, address translation and a command queue"
	)
	s := d.Spec()
	ideal := float64(net.MACs()) / float64(s.PEs())
	return []Row{
		{Design: d.Name(), What: "area of the array", Unit: "µm²", Theirs: 116e3, Ours: e.Area.PEsUM2, Bound: Open, Source: gemminiArea, Note: areaNote},
		{Design: d.Name(), What: "area of scratchpad and accumulators", Unit: "µm²", Theirs: 544e3 + 146e3, Ours: e.Area.SRAMUM2, Bound: Open, Source: gemminiArea, Note: areaNote},
		{Design: d.Name(), What: "ResNet-50, 4 images", Unit: "cycles", Theirs: 153709356, Ours: float64(e.Total.Cycles), Bound: Open, Source: gemminiPull, Note: cycleNote},
		{Design: d.Name(), What: "ResNet-50, utilization, later", Unit: "%", Theirs: 51, Ours: 100 * ideal / float64(e.Total.Cycles), Bound: Open, Source: gemminiLater, Note: cycleNote},
	}, nil
}
