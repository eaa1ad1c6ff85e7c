// Package validate holds the simulator against what others published: chips,
// boards, vendors' own estimators, other simulators. Each file is one source
// or family of sources; `macroscope designs --validate` prints all of it.
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

	Source string `json:"source"` // of the published figure
	Note   string `json:"note"`   // what a reader must know to judge the row
}

// Open marks a row without a promise.
const Open = -1

// Error is the relative error of our figure, as a fraction.
func (r *Row) Error() float64 {
	if r.Ours == r.Theirs {
		return 0
	}
	return (r.Ours - r.Theirs) / math.Abs(r.Theirs)
}

// Holds tells whether the error is inside the bound; an Open row holds.
func (r *Row) Holds() bool { return r.Bound == Open || math.Abs(r.Error()) <= r.Bound }

// Table is the rows of one source.
type Table struct {
	Title string `json:"title"`
	Rows  []Row  `json:"rows"`
}

// tables make the tables, in the order of printing.
var tables = []struct {
	title string
	rows  func() ([]Row, error)
}{
	{"SCALE-Sim v3", scaleSim},
	{"Timeloop v2.0: mappings on a spatial array", timeloop},
	{"STONNE: an output-stationary mesh", stonneRows},
	{"TPU v1", tpu},
	{"Gemmini, 16×16", gemmini},
	{"FINN: streaming dataflow on FPGAs", finn},
	{"BinarEye: an XNOR engine in 28 nm", xnorChips},
	{"Eyeriss: row-stationary, AlexNet and VGG-16 by layer", eyeriss},
	{"NVDLA", nvdla},
	{"MLPerf Tiny: microcontrollers", tiny},
}

// All works out every comparison.
func All() ([]Table, error) {
	var list []Table
	for _, t := range tables {
		rows, err := t.rows()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.title, err)
		}
		list = append(list, Table{t.title, rows})
	}
	return list, nil
}
