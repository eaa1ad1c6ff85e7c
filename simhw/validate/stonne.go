package validate

import (
	"fmt"

	"macroscope/simhw/design"
	"macroscope/simhw/golden"
	"macroscope/simhw/systolic"
)

const stonneRuns = "runs of STONNE's output-stationary mesh"

// stonnePipeline is what a fold takes longer in STONNE than in an array whose
// operands and sums move one element a cycle: T + r + c + 3 against T + r + c − 2.
const stonnePipeline = 5

func stonne() ([]Row, error) {
	runs, err := golden.STONNE()
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, r := range runs {
		a := systolic.Array{Rows: r.Rows, Cols: r.Cols, Dataflow: design.OS, Gated: true}
		p := a.Map(r.M, r.N, r.K, 1, 1)
		rows = append(rows, Row{Design: fmt.Sprintf("%dx%d os, gated folds", r.Rows, r.Cols), What: fmt.Sprintf("product of %d×%d×%d", r.M, r.N, r.K), Metric: "cycles of a product", Unit: "cycles",
			Theirs: float64(r.Cycles), Ours: float64(p.Cycles() + stonnePipeline*p.Folds()), Allowed: 1, Source: stonneRuns,
			Note: "ours with the 5 cycles a fold that its networks add"})
	}
	return rows, nil
}
