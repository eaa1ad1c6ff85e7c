package main

import (
	"encoding/csv"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"macroscope/internal/table"
	"macroscope/simhw/design"
	"macroscope/simhw/validate"
)

// validated is a table in JSON: rows, or lines that sum them up.
type validated struct {
	Title   string             `json:"title"`
	Rows    []validate.Row     `json:"rows,omitempty"`
	Summary []validate.Summary `json:"summary,omitempty"`
	Missing []uncompared       `json:"not_compared,omitempty"`
}

// uncompared is what a design's estimates give and no published figure stands beside.
type uncompared struct {
	Design     string   `json:"design"`
	Quantities []string `json:"quantities"`
}

const uncomparedTitle = "Shipped designs: what was compared with no published figure"

// validate prints every published figure beside ours, and what there is none for. It
// fails where one is outside the error that we stand for.
func (c *designsCmd) validate(e *env) error {
	list, err := validate.All()
	if err != nil {
		return err
	}
	outside, rows := 0, 0
	for _, t := range list {
		for i := range t.Rows {
			if rows++; !t.Rows[i].Holds() {
				outside++
			}
		}
	}
	var missing []uncompared
	for _, name := range design.Shipped() {
		quantities, err := validate.Missing(list, name)
		if err != nil {
			return err
		}
		if len(quantities) > 0 {
			missing = append(missing, uncompared{name, quantities})
		}
	}
	switch c.Output {
	case "json":
		var out []validated
		for _, t := range list {
			if t.Runs && !c.All {
				out = append(out, validated{Title: t.Title, Summary: validate.Summarize(t.Rows)})
			} else {
				out = append(out, validated{Title: t.Title, Rows: t.Rows})
			}
		}
		err = e.writeJSON(append(out, validated{Title: uncomparedTitle, Missing: missing}))
	case "csv":
		err = c.validateCSV(e, list)
	default:
		err = c.validateTables(e, list, missing)
	}
	if err == nil && outside > 0 {
		err = fmt.Errorf("%d of %d figures outside their bound", outside, rows)
	}
	return err
}

func (c *designsCmd) validateTables(e *env, list []validate.Table, missing []uncompared) error {
	for _, v := range list {
		fmt.Fprintf(e.stdout, "%s\n\n", v.Title)
		t := publishedTable()
		if v.Runs && !c.All {
			t = table.Table{Head: []string{"what", "figures", "equal", "errors", "bound", "unit"}, Right: []bool{1: true, 2: true, 3: true, 4: true}}
			for _, s := range validate.Summarize(v.Rows) {
				bound := validate.BoundText(s.Bound, s.Allowed, s.Unit)
				if s.Outside > 0 {
					bound += fmt.Sprintf(", %d exceed it", s.Outside)
				}
				t.Add(s.What, strconv.Itoa(s.Figures), strconv.Itoa(s.Equal), s.Errors(), bound, s.Unit)
			}
		}
		var notes []string
		for i := range v.Rows {
			r := &v.Rows[i]
			if !v.Runs || c.All {
				addPublished(&t, r)
			}
			note := "published: " + r.Source
			if r.Note != "" {
				note += "; " + r.Note
			}
			if !slices.Contains(notes, note) {
				notes = append(notes, note)
			}
		}
		if err := e.writeTable(c.Output, &t); err != nil {
			return err
		}
		fmt.Fprintln(e.stdout)
		for _, n := range notes {
			fmt.Fprintf(e.stdout, "- %s\n", n)
		}
		fmt.Fprintln(e.stdout)
	}
	fmt.Fprintf(e.stdout, "%s\n\n", uncomparedTitle)
	t := table.Table{Head: []string{"design", "what"}}
	for _, m := range missing {
		t.Add(m.Design, strings.Join(m.Quantities, ", "))
	}
	return e.writeTable(c.Output, &t)
}

// validateCSV writes every row, numbers in full. What a row may differ by is empty where
// none is promised: a relative error, 0 where the figures must be equal, or a difference
// in the row's unit beside it.
func (c *designsCmd) validateCSV(e *env, list []validate.Table) error {
	w := csv.NewWriter(e.stdout)
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	if err := w.Write([]string{"table", "design", "what", "metric", "published", "ours", "unit", "error_percent", "allowed_percent", "allowed_difference", "result", "source", "note"}); err != nil {
		return err
	}
	for _, t := range list {
		for i := range t.Rows {
			r := &t.Rows[i]
			percent, difference, result := "", "", "open"
			if r.Bound != validate.Open {
				percent, result = number(100*r.Bound), "holds"
			}
			if r.Allowed > 0 {
				difference = number(r.Allowed)
			}
			if !r.Holds() {
				result = "exceeds"
			}
			if err := w.Write([]string{t.Title, r.Design, r.What, r.Metric, number(r.Theirs), number(r.Ours), r.Unit, number(100 * r.Error()), percent, difference, result, r.Source, r.Note}); err != nil {
				return err
			}
		}
	}
	w.Flush()
	return w.Error()
}

func publishedTable() table.Table {
	return table.Table{Head: []string{"design", "what", "published", "ours", "unit", "error", "bound"}, Right: []bool{2: true, 3: true, 5: true, 6: true}}
}

func addPublished(t *table.Table, r *validate.Row) {
	bound := validate.BoundText(r.Bound, r.Allowed, r.Unit)
	if !r.Holds() {
		bound += ", exceeded"
	}
	t.Add(r.Design, r.What, figure(r.Theirs), figure(r.Ours), r.Unit, fmt.Sprintf("%+.1f %%", 100*r.Error()), bound)
}

// figure shows whole numbers whole, others with four digits.
func figure(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}
