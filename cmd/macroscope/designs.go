package main

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
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
	Validate  bool   `help:"Compare the models with what others published of such hardware, a row a figure."`
	Output    string `short:"o" enum:"text,json,md,yaml" default:"text" help:"Format: ${enum}. yaml is a shipped design's own file, to copy and change." placeholder:"FORMAT"`
}

// Help is the longer text of macroscope designs --help.
func (*designsCmd) Help() string {
	return `Lists the accelerator designs that come with the program; with a name, every number of that design with its source, what its estimates were compared with, and the energy and area constants that its results rest on. --validate prints published figures of hardware and of other simulators beside ours.`
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
		return usageError{errors.New("--validate stands alone: want no name, and text, json or md")}
	case c.Validate:
		return c.validate(e)
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
	if r.Published, err = c.published(); err != nil {
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
	fmt.Fprintln(e.stdout, "\nValidated:")
	for _, v := range r.Validated {
		fmt.Fprintf(e.stdout, "- %s against %s: %s\n", v.What, v.Against, v.Result)
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

// published are the rows of a shipped design. Their names may say more behind it: a
// board, or which of its formulas.
func (c *designsCmd) published() ([]validate.Row, error) {
	if filepath.Ext(c.Name) != "" { // a file, which may have other numbers
		return nil, nil
	}
	list, err := validate.All()
	if err != nil {
		return nil, err
	}
	var rows []validate.Row
	for _, t := range list {
		for _, r := range t.Rows {
			if rest, ok := strings.CutPrefix(r.Design, c.Name); ok && (rest == "" || rest[0] == ':' || rest[0] == ' ') {
				rows = append(rows, r)
			}
		}
	}
	return rows, nil
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

// validate prints every published figure beside ours. It fails where one is
// outside the error that we stand for.
func (c *designsCmd) validate(e *env) error {
	list, err := validate.All()
	if err != nil {
		return err
	}
	outside, rows := 0, 0
	for _, t := range list {
		for _, r := range t.Rows {
			if rows++; !r.Holds() {
				outside++
			}
		}
	}
	if c.Output == "json" {
		err = e.writeJSON(list)
	} else {
		err = c.validateTables(e, list)
	}
	if err == nil && outside > 0 {
		err = fmt.Errorf("%d of %d figures outside their bound", outside, rows)
	}
	return err
}

func (c *designsCmd) validateTables(e *env, list []validate.Table) error {
	for i, v := range list {
		if i > 0 {
			fmt.Fprintln(e.stdout)
		}
		fmt.Fprintf(e.stdout, "%s\n\n", v.Title)
		t := publishedTable()
		var notes []string
		for _, r := range v.Rows {
			addPublished(&t, &r)
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
	}
	return nil
}

func publishedTable() table.Table {
	return table.Table{Head: []string{"design", "what", "published", "ours", "unit", "error", "bound"}, Right: []bool{2: true, 3: true, 5: true, 6: true}}
}

func addPublished(t *table.Table, r *validate.Row) {
	bound := "open"
	switch {
	case r.Bound == 0:
		bound = "equal"
	case r.Bound > 0:
		bound = fmt.Sprintf("±%.3g %%", 100*r.Bound)
	}
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

// node is a technology in text; a constant that does not scale has none.
func node(nm float64) string {
	if nm == 0 {
		return ""
	}
	return fmt.Sprintf("%g", nm)
}
