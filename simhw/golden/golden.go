// Package golden holds what other programs and Verilog gave when they were run,
// row by row: tables that come with the program, each with its source in its
// first lines. Package validate compares the models with them; nothing here
// computes.
package golden

import (
	"bytes"
	"embed"
	"encoding/csv"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"macroscope/workload"
)

//go:embed *.csv topologies/*.csv
var files embed.FS

// table is an embedded file, read by the names of its columns. The first fault
// is kept in err, with the file and the line.
type table struct {
	file    string
	columns map[string]int
	row     []string
	line    int
	err     error
}

// read calls f with each row of a file.
func read(file string, f func(t *table)) error {
	data, err := fs.ReadFile(files, file)
	if err != nil {
		return err
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.Comment = '#'
	head, err := r.Read()
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	t := table{file: file, columns: map[string]int{}}
	for i, name := range head {
		t.columns[name] = i
	}
	rows, err := r.ReadAll()
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for i, row := range rows {
		t.row, t.line = row, i+1
		if f(&t); t.err != nil {
			return t.err
		}
	}
	return nil
}

func (t *table) text(column string) string {
	i, ok := t.columns[column]
	if !ok {
		if t.err == nil {
			t.err = fmt.Errorf("%s: no column %s", t.file, column)
		}
		return ""
	}
	return t.row[i]
}

// whole is a whole number, 0 where the cell is empty.
func (t *table) whole(column string) int64 {
	s := t.text(column)
	if s == "" {
		return 0
	}
	v, err := strconv.ParseInt(s, 10, 64)
	t.fault(column, err)
	return v
}

// number is a number, 0 where the cell is empty.
func (t *table) number(column string) float64 {
	s := t.text(column)
	if s == "" {
		return 0
	}
	v, err := strconv.ParseFloat(s, 64)
	t.fault(column, err)
	return v
}

func (t *table) fault(column string, err error) {
	if err != nil && t.err == nil {
		t.err = fmt.Errorf("%s, row %d, %s: %w", t.file, t.line, column, err)
	}
}

// Topology is a network that runs of SCALE-Sim were made with: alexnet, cifar10_cnn,
// cifar10_gemm, edge_cases or Resnet18, images padded.
func Topology(name string) (workload.Workload, error) {
	data, err := files.ReadFile("topologies/" + name + ".csv")
	if err != nil {
		return workload.Workload{}, fmt.Errorf("no topology %q: want one of the golden runs'", name)
	}
	return workload.ReadSCALESim(name, strings.NewReader(string(data)))
}
