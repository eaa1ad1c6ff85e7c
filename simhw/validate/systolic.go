package validate

import (
	"fmt"

	"macroscope/simhw/design"
	"macroscope/simhw/systolic"
)

const stonneRuns = "runs of STONNE's output-stationary mesh"

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
