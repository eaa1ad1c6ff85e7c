package reports

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"macroscope/dtype"
	"macroscope/internal/table"
)

// document is a report in words, tables and charts, before it is laid out as
// Markdown or HTML.
type document struct {
	title    string
	subtitle string
	sections []section
}

type section struct {
	id, title string
	blocks    []block
}

// block is one of: a paragraph, a list, commands to type, a table, a row of
// charts.
type block struct {
	text   string
	list   []string
	code   string
	table  *grid
	charts []chart
}

// grid is a table with what must be known to read it.
type grid struct {
	caption string
	table.Table
	strong map[int]bool // rows that matter most
}

// addStrong adds a row that matters.
func (g *grid) addStrong(cells ...string) {
	if g.strong == nil {
		g.strong = map[int]bool{}
	}
	g.strong[len(g.Rows)] = true
	g.Add(cells...)
}

// add adds a row, strong or not.
func (g *grid) add(strong bool, cells ...string) {
	if strong {
		g.addStrong(cells...)
		return
	}
	g.Add(cells...)
}

// newGrid has text in the first columns and numbers, to the right, in the rest.
func newGrid(caption string, textColumns int, head ...string) *grid {
	g := &grid{caption: caption}
	g.Head = head
	for i := range head {
		g.Right = append(g.Right, i >= textColumns)
	}
	return g
}

func (s *section) text(format string, args ...any) {
	s.blocks = append(s.blocks, block{text: fmt.Sprintf(format, args...)})
}

func (s *section) list(items ...string) {
	if len(items) > 0 {
		s.blocks = append(s.blocks, block{list: items})
	}
}

func (s *section) code(lines ...string) {
	s.blocks = append(s.blocks, block{code: strings.Join(lines, "\n")})
}

// grid adds a table unless it is empty.
func (s *section) grid(g *grid) {
	if len(g.Rows) > 0 {
		s.blocks = append(s.blocks, block{table: g})
	}
}

// charts adds charts side by side; those without data are left out.
func (s *section) charts(list ...chart) {
	var drawn []chart
	for _, c := range list {
		if c.draw != nil {
			drawn = append(drawn, c)
		}
	}
	if len(drawn) > 0 {
		s.blocks = append(s.blocks, block{charts: drawn})
	}
}

// document puts the report into words.
func (r *Report) document() document {
	sections := []section{
		r.glanceSection(),
		r.machineSection(),
		r.kernelSection(),
		r.networkSection(),
		r.layerSection(),
		r.hostSection(),
		r.designSection(),
		r.designNotes(),
		r.howTo(),
	}
	if len(r.Predictions) > 0 {
		before := "howto" // of another architecture: near the end
		if r.onArm64() {
			before = "network"
		}
		at := slices.IndexFunc(sections, func(s section) bool { return s.id == before })
		sections = slices.Insert(sections, at, r.predictedSection())
	}
	return document{title: "What a multiply-accumulate costs: " + r.name(), subtitle: r.subtitle(), sections: sections}
}

// name is the network's: of one in a file, the file's without its folder.
func (r *Report) name() string { return filepath.Base(r.Model) }

func (r *Report) subtitle() string {
	cpu := r.setting("cpu")
	if cpu == "" {
		cpu = "an unnamed CPU"
	}
	on := "an accelerator"
	if n := len(r.Designs); n != 1 {
		on = fmt.Sprintf("%d accelerators", n)
	}
	var formats []string
	for _, d := range r.formats() {
		formats = append(formats, map[dtype.DType]string{dtype.Float32: "float32", dtype.Int8: "int8", dtype.Binary: "1 bit"}[d])
	}
	in := strings.Join(formats, ", ")
	if n := len(formats); n > 1 {
		in = strings.Join(formats[:n-1], ", ") + " and " + formats[n-1]
	}
	return fmt.Sprintf("Measured on %s, simulated on %s, in %s. %s.", cpu, on, in, strings.Replace(strings.TrimSuffix(r.Time, "Z"), "T", " ", 1)+" UTC")
}

// setting is a line of the machine's description, "" if there is none.
func (r *Report) setting(key string) string {
	for _, s := range r.Machine {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// measuredAs is what every table of measurements says in its head.
func (r *Report) measuredAs() string {
	threads := "one thread"
	if r.Threads != 1 {
		threads = fmt.Sprintf("%d threads", r.Threads)
	}
	return fmt.Sprintf("%s; baseline: %s Go kernel; medians ± 95 %% CI of %d interleaved rounds", threads, r.Baseline, r.Rounds)
}

// made says what made the report, and when.
func (r *Report) made() string {
	by := "macroscope"
	if c := r.setting("commit"); c != "" {
		by += " " + c
	}
	return fmt.Sprintf("Made by %s on %s in %.0f s: %s", by, r.Time, r.Seconds, r.Command)
}
