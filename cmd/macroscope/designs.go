package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"macroscope/dtype"
	"macroscope/internal/table"
	"macroscope/simhw/design"
	"macroscope/simhw/energy"
	"macroscope/simhw/systolic"
)

type designsCmd struct {
	Name      string `arg:"" optional:"" help:"One design in detail: a name, a YAML file or a SCALE-Sim .cfg." placeholder:"NAME"`
	Reference bool   `help:"List the keys of a design file, what they mean and what they may be."`
	Output    string `short:"o" enum:"text,json,md,yaml" default:"text" help:"Format: ${enum}. yaml is a shipped design's own file, to copy and change." placeholder:"FORMAT"`
}

// Help is the longer text of macroscope designs --help.
func (*designsCmd) Help() string {
	return `Lists the accelerator designs that come with the program and what each was validated against; with a name, every number of that design with its source, and the energy and area constants that its results rest on.`
}

// designRow is a design in JSON.
type designRow struct {
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Family      string            `json:"family"`
	Dataflow    string            `json:"dataflow"`
	Rows        int               `json:"rows"`
	Cols        int               `json:"cols"`
	ClockMHz    float64           `json:"clock_mhz,omitempty"`
	NodeNM      float64           `json:"technology_nm,omitempty"`
	DTypes      []string          `json:"dtypes"`
	Sourced     int               `json:"sourced_values"`
	Assumed     int               `json:"assumed_values"`
	Validated   []systolic.Check  `json:"validated"`
	Values      []designValue     `json:"values,omitempty"`
	Constants   []energy.Constant `json:"constants,omitempty"`
	Warnings    []string          `json:"warnings,omitempty"`
}

type designValue struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Source  string `json:"source"`
	Assumed bool   `json:"assumed"`
}

func (c *designsCmd) Run(e *env) error {
	switch {
	case c.Reference && (c.Name != "" || c.Output == "yaml"):
		return usageError{errors.New("--reference stands alone: want no name, and text, json or md")}
	case c.Reference:
		return c.reference(e)
	case c.Output == "yaml":
		b, err := design.Source(c.Name)
		if err != nil {
			return usageError{err}
		}
		_, err = e.stdout.Write(b)
		return err
	case c.Name == "":
		return c.list(e)
	}
	d, err := loadDesign(c.Name)
	if err != nil {
		return err
	}
	return c.detail(e, &d)
}

func describeDesign(d *design.Design) designRow {
	s := d.Spec()
	r := designRow{Name: s.Name, Description: s.Description, Family: s.Family.String(), Dataflow: s.Dataflow.String(), Rows: s.Array.Rows, Cols: s.Array.Cols,
		ClockMHz: s.ClockMHz, NodeNM: s.TechnologyNM, Sourced: d.Sourced(), Assumed: len(d.Assumed()), Validated: systolic.Validation(&s)}
	for _, dt := range dtype.All {
		if s.Lanes(dt) > 0 {
			r.DTypes = append(r.DTypes, dt.String())
		}
	}
	return r
}

func validated(checks []systolic.Check) string {
	var s []string
	for _, c := range checks {
		s = append(s, c.Against)
	}
	if len(s) == 0 {
		return "nothing"
	}
	return strings.Join(s, "; ")
}

func (c *designsCmd) list(e *env) error {
	var rows []designRow
	for _, name := range design.Shipped() {
		d, err := design.Load(name)
		if err != nil {
			return err
		}
		rows = append(rows, describeDesign(&d))
	}
	if c.Output == "json" {
		return e.writeJSON(rows)
	}
	t := table.Table{Head: []string{"design", "array", "dataflow", "MHz", "nm", "dtypes", "values sourced", "assumed", "array cycles validated against"},
		Right: []bool{3: true, 4: true, 6: true, 7: true, 8: false}}
	for _, r := range rows {
		t.Add(r.Name, strconv.Itoa(r.Rows)+"x"+strconv.Itoa(r.Cols), r.Dataflow, fmt.Sprintf("%g", r.ClockMHz), fmt.Sprintf("%g", r.NodeNM),
			strings.Join(r.DTypes, " "), strconv.Itoa(r.Sourced), strconv.Itoa(r.Assumed), validated(r.Validated))
	}
	return e.writeTable(c.Output, &t)
}

func (c *designsCmd) detail(e *env, d *design.Design) error {
	r := describeDesign(d)
	s := d.Spec()
	for _, v := range d.Values() {
		source := v.Source
		switch {
		case source == "" && v.Line == 0:
			source = "assumed: default"
		case source == "":
			source = "assumed: no source given"
		}
		r.Values = append(r.Values, designValue{v.Key, v.Text, source, v.Assumed()})
	}
	if !s.ScaleSim {
		r.Constants = energy.Table()
	}
	r.Warnings = d.Warnings()
	if c.Output == "json" {
		return e.writeJSON(r)
	}
	t := table.Table{Head: []string{"key", "value", "source"}}
	for _, v := range r.Values {
		if v.Key != "name" && v.Key != "description" {
			t.Add(v.Key, v.Value, v.Source)
		}
	}
	fmt.Fprintf(e.stdout, "%s: %s\n\n", r.Name, r.Description)
	if err := e.writeTable(c.Output, &t); err != nil {
		return err
	}
	fmt.Fprintln(e.stdout, "\nValidated:")
	for _, v := range r.Validated {
		fmt.Fprintf(e.stdout, "- %s against %s: %s\n", v.What, v.Against, v.Result)
	}
	if len(r.Validated) == 0 {
		fmt.Fprintln(e.stdout, "- nothing: this kind of array was not compared with anything")
	}
	e.warn(r.Warnings...)
	if len(r.Constants) == 0 {
		return nil
	}
	fmt.Fprint(e.stdout, "\nEnergy and area constants, scaled to the design's technology and voltage:\n\n")
	k := table.Table{Head: []string{"constant", "value", "unit", "nm", "source"}, Right: []bool{1: true, 3: true, 4: false}}
	for _, v := range r.Constants {
		k.Add(v.Name, strconv.FormatFloat(v.Value, 'g', 4, 64), v.Unit, node(v.NodeNM), v.Source)
	}
	return e.writeTable(c.Output, &k)
}

func (c *designsCmd) reference(e *env) error {
	ref := design.Reference()
	if c.Output == "json" {
		return e.writeJSON(ref)
	}
	t := table.Table{Head: []string{"key", "default", "meaning"}}
	for _, r := range ref {
		t.Add(r.Key, r.Default, r.Doc)
	}
	return e.writeTable(c.Output, &t)
}

// node is a technology in text; a constant that does not scale has none.
func node(nm float64) string {
	if nm == 0 {
		return ""
	}
	return fmt.Sprintf("%g", nm)
}
