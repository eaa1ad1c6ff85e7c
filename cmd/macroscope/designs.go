package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"macroscope/internal/table"
	"macroscope/simhw"
	"macroscope/simhw/design"
	"macroscope/simhw/energy"
	"macroscope/simhw/validate"
)

type designsCmd struct {
	Name      string `arg:"" optional:"" help:"One design in detail: a name, a YAML file or a SCALE-Sim .cfg." placeholder:"NAME"`
	Reference bool   `help:"List the keys of a design file, what they mean and what they may be."`
	Energy    bool   `help:"Print the table of energy and area, with sources and ranges, as a file for macroscope sim --energy."`
	Validate  bool   `help:"Compare the models with what others published of such hardware and with runs of other simulators, a row a figure, a line a metric of many runs."`
	All       bool   `help:"With --validate: a row for each run too."`
	Output    string `short:"o" enum:"text,json,md,csv,yaml" default:"text" help:"Format: ${enum}. yaml is a shipped design's own file, to copy and change; csv is for --validate, with all rows." placeholder:"FORMAT"`
}

// Help is the longer text of macroscope designs --help.
func (*designsCmd) Help() string {
	return `Lists the accelerator designs that come with the program; with a name, every number of that design with its source, what its estimates were compared with and the errors found, and the energy and area constants that its results rest on. --validate prints published figures of hardware and of other simulators beside ours, and what was compared with none.`
}

// designRow is a design in JSON.
type designRow struct {
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Family      string            `json:"family"`
	Structure   string            `json:"structure"`
	ClockMHz    float64           `json:"clock_mhz,omitempty"`
	NodeNM      float64           `json:"technology_nm,omitempty"`
	DTypes      []string          `json:"dtypes"`
	Sourced     int               `json:"sourced_values"`
	Assumed     int               `json:"assumed_values"`
	Validated   []design.Check    `json:"validated"`
	Published   []validate.Row    `json:"published,omitempty"` // of a shipped design, in detail
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
	case c.Energy && (c.Name != "" || c.Reference || c.Validate):
		return usageError{errors.New("--energy stands alone: want no name")}
	case c.Energy:
		_, err := e.stdout.Write(energy.DefaultYAML())
		return err
	case c.Validate && (c.Name != "" || c.Reference || c.Output == "yaml"):
		return usageError{errors.New("--validate stands alone: want no name, and text, json, md or csv")}
	case c.Validate:
		return c.validate(e)
	case c.All || c.Output == "csv":
		return usageError{errors.New("--all and csv are for --validate")}
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

func describeDesign(d *design.Design) (designRow, error) {
	s := d.Spec()
	r := designRow{Name: s.Name, Description: s.Description, Family: s.Family.String(), Structure: s.Structure(),
		ClockMHz: s.ClockMHz, NodeNM: s.TechnologyNM, DTypes: s.FormatNames(), Sourced: d.Sourced(), Assumed: len(d.Assumed())}
	m, err := simhw.New(d)
	if err != nil {
		return designRow{}, err
	}
	r.Validated = m.Validated()
	return r, nil
}

func (c *designsCmd) list(e *env) error {
	var rows []designRow
	for _, name := range design.Shipped() {
		d, err := design.Load(name)
		if err != nil {
			return err
		}
		r, err := describeDesign(&d)
		if err != nil {
			return err
		}
		rows = append(rows, r)
	}
	if c.Output == "json" {
		return e.writeJSON(rows)
	}
	t := table.Table{Head: []string{"design", "family", "structure", "MHz", "nm", "dtypes", "values sourced", "assumed", "comparisons"},
		Right: []bool{3: true, 4: true, 6: true, 7: true, 8: false}}
	for _, r := range rows {
		t.Add(r.Name, r.Family, r.Structure, fmt.Sprintf("%g", r.ClockMHz), fmt.Sprintf("%g", r.NodeNM),
			strings.Join(r.DTypes, ", "), strconv.Itoa(r.Sourced), strconv.Itoa(r.Assumed), strconv.Itoa(len(r.Validated)))
	}
	return e.writeTable(c.Output, &t)
}

func (c *designsCmd) detail(e *env, d *design.Design) error {
	r, err := describeDesign(d)
	if err != nil {
		return err
	}
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
		r.Constants = energy.Default().Constants()
	}
	r.Warnings = d.Warnings()
	if err := c.published(&r); err != nil {
		return err
	}
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
	fmt.Fprintln(e.stdout, "\nValidated against:")
	for _, f := range validate.Group(r.Validated) {
		fmt.Fprintf(e.stdout, "- %s\n", f.Against)
		for _, result := range f.Results {
			fmt.Fprintf(e.stdout, "    %s\n", result)
		}
	}
	if len(r.Validated) == 0 {
		fmt.Fprintln(e.stdout, "- nothing: this kind of design was not compared with anything")
	}
	if len(r.Published) > 0 {
		fmt.Fprint(e.stdout, "\nBeside what is published (macroscope designs --validate has the sources):\n\n")
		p := publishedTable()
		for i := range r.Published {
			addPublished(&p, &r.Published[i])
		}
		if err := e.writeTable(c.Output, &p); err != nil {
			return err
		}
	}
	e.warn(r.Warnings...)
	if len(r.Constants) == 0 {
		return nil
	}
	fmt.Fprint(e.stdout, "\nEnergy and area constants, scaled to the design's technology and voltage:\n\n")
	k := table.Table{Head: []string{"constant", "value", "low", "high", "nm", "source"}, Right: []bool{1: true, 2: true, 3: true, 4: true}}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
	for _, v := range r.Constants {
		k.Add(v.Name, number(v.Value), number(v.Low), number(v.High), node(v.NodeNM), v.Source)
	}
	return e.writeTable(c.Output, &k)
}

// published adds to a shipped design what it was compared with and the errors found, and
// the rows that are few enough to show.
func (c *designsCmd) published(r *designRow) error {
	if filepath.Ext(c.Name) != "" { // a file, which may have other numbers
		return nil
	}
	list, err := validate.Designs()
	if err != nil {
		return err
	}
	if r.Validated, err = validate.Checks(list, c.Name); err != nil {
		return err
	}
	for _, t := range validate.Rows(list, c.Name) {
		if !t.Runs {
			r.Published = append(r.Published, t.Rows...)
		}
	}
	return nil
}

func (c *designsCmd) reference(e *env) error {
	ref := design.Reference()
	if c.Output == "json" {
		return e.writeJSON(ref)
	}
	t := table.Table{Head: []string{"family", "key", "default", "meaning"}}
	for _, r := range ref {
		t.Add(r.Family, r.Key, r.Default, r.Doc)
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
