// Package validate holds the simulator against what others published: chips,
// boards, vendors' own estimators, other simulators. Each file is one source
// or family of sources; `macroscope designs --validate` prints all of it. Runs of
// other simulators and of Verilog are package golden's.
// No parameter of a model is fitted to these figures, but where a row's note
// says that it is calibrated: what a model takes from its design comes with
// that design's sources.
package validate

import (
	"fmt"
	"math"
)

// Row is one published figure beside ours.
type Row struct {
	Design string  `json:"design"` // as macroscope designs lists it, or what it was made from
	What   string  `json:"what"`   // the compared quantity: "conv1, processing time"
	Unit   string  `json:"unit"`   // of both figures
	Theirs float64 `json:"published"`
	Ours   float64 `json:"ours"`

	// Bound is the largest relative error that this project stands for, 0
	// where the figures must be equal, and Open where the row shows an error
	// that is what it is.
	Bound float64 `json:"bound"`

	// Allowed is a difference, in Unit, that a row may have whatever its error is.
	Allowed float64 `json:"allowed_difference,omitempty"`

	Source string `json:"source"` // of the published figure
	Note   string `json:"note"`   // what a reader must know to judge the row

	// Metric is what rows have in common that one line may sum up; "" where that is What.
	Metric string `json:"metric,omitempty"`
}

// Open marks a row without a promise.
const Open = -1

// Error is the relative error of our figure, as a fraction; where the published one
// is 0 and ours is not, it is infinite.
func (r *Row) Error() float64 {
	if r.Ours == r.Theirs {
		return 0
	}
	return (r.Ours - r.Theirs) / math.Abs(r.Theirs)
}

// Holds tells whether the error is inside the bound; an Open row holds.
func (r *Row) Holds() bool {
	return r.Bound == Open || math.Abs(r.Ours-r.Theirs) <= r.Allowed || math.Abs(r.Error()) <= r.Bound
}

// Table is the rows of one source.
type Table struct {
	Title string `json:"title"`
	Rows  []Row  `json:"rows,omitempty"`

	// Runs tells that the rows are so many that a line for each metric says more.
	Runs bool `json:"-"`
}

// tables make the tables, in the order of printing.
var tables = []struct {
	title string
	rows  func() ([]Row, error)
	runs  bool // as Table.Runs
	apart bool // of no shipped design
}{
	{"SCALE-Sim v3: layer runs", scaleSimRuns, true, true},
	{"SCALE-Sim v3: a network", scaleSimNetwork, false, true},
	{"Timeloop v2.0: mappings on a spatial array", timeloop, true, true},
	{"Verilog: arrays and an XNOR engine, without memory", verilog, true, true},
	{"STONNE: an output-stationary mesh", stonne, false, true},
	{"TPU v1", tpu, false, false},
	{"Gemmini, 16×16", gemmini, false, false},
	{"FINN: streaming dataflow on FPGAs", finn, false, false},
	{"BinarEye: an XNOR engine in 28 nm", xnorChips, false, false},
	{"Eyeriss: row-stationary, AlexNet and VGG-16 by layer", eyeriss, false, false},
	{"NVDLA", nvdla, false, false},
	{"NVDLA: the vendor's estimator, ResNet-50 by layer", nvdlaSheetRows, true, false},
	{"MLPerf Tiny: microcontrollers", tiny, false, false},
}

// All works out every comparison. Most of its time SCALE-Sim's DRAM traffic is
// replayed.
func All() ([]Table, error) { return work(true) }

// Designs is All without the tables that are of no shipped design.
func Designs() ([]Table, error) { return work(false) }

func work(apart bool) ([]Table, error) {
	var list []Table
	for _, t := range tables {
		if t.apart && !apart {
			continue
		}
		rows, err := t.rows()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.title, err)
		}
		list = append(list, Table{t.title, rows, t.runs})
	}
	return list, nil
}
