package main

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"

	"macroscope/dtype"
	"macroscope/internal/table"
	"macroscope/kernels/arm64/bound"
)

// predictionsJSON is what --predicted -o json writes.
type predictionsJSON struct {
	Note        string             `json:"note"`
	Counts      []bound.Count      `json:"counts"`
	Predictions []bound.Prediction `json:"predictions"`
	Sources     []coreSources      `json:"sources"`
	Designs     []designPrediction `json:"designs"`
}

type coreSources struct {
	Core    string   `json:"core"`
	Sources []string `json:"sources"`
}

// predicted writes the bounds of the arm64 kernels, and what the designs of CPUs let expect
// of the kernels whose loops they have.
func (c *kernelsCmd) predicted(e *env) error {
	out := predictionsJSON{Note: bound.Heading, Counts: bound.Counts(), Predictions: bound.All()}
	for _, core := range bound.Cores {
		out.Sources = append(out.Sources, coreSources{core.Name, core.Sources})
	}
	var err error
	if out.Designs, err = designPredictions(); err != nil {
		return err
	}
	t := table.Table{
		Head:  []string{"core", "kernel", "MAC/cycle", "peak MAC/cycle", "of peak", "limit"},
		Right: []bool{false, false, true, true, true, false},
	}
	for _, p := range out.Predictions {
		bounds := []string{"–", "–", "–", "no " + p.Missing + " on this core"}
		if p.Missing == "" {
			bounds = []string{fmt.Sprintf("%.2f", p.MACPerCycle), fmt.Sprintf("%.2f", p.PeakPerCycle), fmt.Sprintf("%.1f %%", 100*p.OfPeak()), p.Limit}
		}
		t.Add(append([]string{p.Core, p.Kernel()}, bounds...)...)
	}
	switch c.Output {
	case "json":
		return e.writeJSON(out)
	case "csv":
		w := csv.NewWriter(e.stdout)
		_ = w.Write([]string{"core", "dtype", "impl", "non_negative", "tile_rows", "tile_columns", "instructions_per_mac", "predicted_mac_per_cycle", "predicted_peak_mac_per_cycle", "limit", "missing"}) // Error tells
		for _, p := range out.Predictions {
			_ = w.Write([]string{p.Core, p.DType.String(), p.Impl, yes(p.NonNegative), strconv.Itoa(p.TileRows), strconv.Itoa(p.TileCols), float(p.InstructionsPerMAC), float(p.MACPerCycle), float(p.PeakPerCycle), p.Limit, p.Missing})
		}
		for i := range out.Designs {
			_ = w.Write(out.Designs[i].record())
		}
		w.Flush()
		return w.Error()
	}
	fmt.Fprintln(e.stdout, "The arm64 kernels' innermost loops, a trip, SVE's with vectors of 128 bits:")
	fmt.Fprintln(e.stdout)
	counted := countTable(out.Counts)
	if err := e.writeTable(c.Output, &counted); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "\nThe same over published figures of CPUs, as upper bounds: %s.\n\n", bound.Heading)
	if err := e.writeTable(c.Output, &t); err != nil {
		return err
	}
	for _, s := range out.Sources {
		for i, text := range s.Sources {
			name := s.Core + ": "
			if i > 0 {
				name = ""
			}
			if _, err := fmt.Fprintf(e.stdout, "\n%s%s\n", name, text); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(e.stdout, "\nThe innermost loops of the kernels that designs of CPUs have, and the convolutions of %s with what these designs count around the loops: %s. A layer's MACs count padding, which most kernels leave out in part. macroscope designs NAME has the sources; where the CPU is one of these, macroscope report shows measured beside predicted.\n\n", designNetwork, bound.Heading)
	designed := designTable(out.Designs)
	return e.writeTable(c.Output, &designed)
}

// countTable is what the loops execute.
func countTable(counts []bound.Count) table.Table {
	t := table.Table{
		Head:  []string{"kernel", "tile", "MACs", "instructions", "instructions/MAC", "multiplications", "loads/multiplication", "sums", "registers"},
		Right: []bool{false, false, true, true, true, true, true, true, true},
	}
	for _, n := range counts {
		t.Add(n.Kernel(), fmt.Sprintf("%dx%d", n.TileRows, n.TileCols), strconv.Itoa(n.MACs), strconv.Itoa(n.Instructions),
			fmt.Sprintf("%.4f", float64(n.Instructions)/float64(n.MACs)), strconv.Itoa(n.Multiplications),
			fmt.Sprintf("%.2f", float64(n.Loads)/float64(n.Multiplications)), strconv.Itoa(n.Sums), strconv.Itoa(n.Registers))
	}
	return t
}

// shapeJSON is a row of what --shapes -o json writes.
type shapeJSON struct {
	DType     dtype.DType `json:"dtype"`
	Rows      int         `json:"tile_rows"`
	Cols      int         `json:"tile_columns"`
	Fits      bool        `json:"fits"`
	Sums      int         `json:"sums"`
	Registers int         `json:"registers"`
	WordsOfA  int         `json:"words_of_a_per_load"`
	Loads     float64     `json:"loads_per_instruction"`

	Predictions []bound.Prediction `json:"predictions"`
}

// shapes writes the bounds of tiles that could have been chosen, as parts of the
// peak.
func (c *kernelsCmd) shapes(e *env) error {
	var rows []shapeJSON
	t := table.Table{
		Head:  []string{"instruction", "tile", "registers", "words of A a load", "loads/instruction"},
		Right: []bool{false, false, true, true, true, true, true, true, true, true},
	}
	for _, core := range bound.Cores {
		t.Head = append(t.Head, core.Name)
	}
	for _, d := range []dtype.DType{dtype.Float32, dtype.Int8} {
		instruction := map[dtype.DType]string{dtype.Float32: "FMLA", dtype.Int8: "SDOT"}[d]
		for _, s := range bound.Shapes(d) {
			rows = append(rows, shapeJSON{d, s.Rows, s.Cols, s.WordsOfA > 0, s.Sums, s.Registers, s.WordsOfA, s.Loads, s.Bounds})
			cells := []string{instruction, fmt.Sprintf("%dx%d", s.Rows, s.Cols), strconv.Itoa(s.Registers)}
			if s.WordsOfA == 0 {
				t.Add(append(cells, "does not fit")...)
				continue
			}
			cells = append(cells, strconv.Itoa(s.WordsOfA), fmt.Sprintf("%.2f", s.Loads))
			for _, p := range s.Bounds {
				if p.Missing != "" {
					cells = append(cells, "no "+p.Missing)
					continue
				}
				cells = append(cells, fmt.Sprintf("%.0f %%", 100*p.OfPeak()))
			}
			t.Add(cells...)
		}
	}
	switch c.Output {
	case "json":
		return e.writeJSON(struct {
			Note   string      `json:"note"`
			Shapes []shapeJSON `json:"shapes"`
		}{bound.Heading, rows})
	case "csv":
		w := csv.NewWriter(e.stdout)
		head := slices.Clone(t.Head)
		for i := len(head) - len(bound.Cores); i < len(head); i++ {
			head[i] = "predicted of peak: " + head[i]
		}
		_ = w.Write(head) // Error tells
		for _, row := range t.Rows {
			_ = w.Write(append(row, make([]string, len(t.Head)-len(row))...))
		}
		w.Flush()
		return w.Error()
	}
	fmt.Fprintf(e.stdout, "Tiles by their bound in %% of the core's peak: %s.\n\n", bound.Heading)
	return e.writeTable(c.Output, &t)
}

func float(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }
