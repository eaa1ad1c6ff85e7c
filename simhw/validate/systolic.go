package validate

import (
	"fmt"

	"macroscope/simhw"
	"macroscope/simhw/design"
	"macroscope/simhw/systolic"
)

const (
	stonneRuns   = "runs of STONNE's output-stationary mesh"
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
