package bench

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"macroscope/internal/table"
)

// Formats are the names that Write knows.
var Formats = []string{"text", "csv", "md", "json"}

// Write writes the comparison in one of Formats. Warnings are in the JSON
// only: elsewhere they belong on another stream.
func (c *Comparison) Write(w io.Writer, format string) error {
	switch format {
	case "text":
		return c.writeText(w)
	case "md":
		return c.writeMarkdown(w)
	case "csv":
		return c.writeCSV(w)
	case "json":
		return c.writeJSON(w)
	}
	return fmt.Errorf("format %q: want %s", format, strings.Join(Formats, ", "))
}

func (c *Comparison) writeText(w io.Writer) error {
	var b strings.Builder
	for _, line := range c.settingLines() {
		b.WriteString(line + "\n")
	}
	for i := range c.Tables {
		t := &c.Tables[i]
		b.WriteString("\n" + c.title(t) + "\n")
		if err := c.layout(t).Text(&b); err != nil {
			return err
		}
	}
	if len(c.Notes) > 0 {
		b.WriteByte('\n')
	}
	for _, n := range c.Notes {
		b.WriteString("note: " + n + "\n")
	}
	_, err := io.WriteString(w, strings.TrimPrefix(b.String(), "\n"))
	return err
}

func (c *Comparison) writeMarkdown(w io.Writer) error {
	var b strings.Builder
	for _, line := range c.settingLines() {
		b.WriteString("- " + line + "\n")
	}
	for i := range c.Tables {
		t := &c.Tables[i]
		b.WriteString("\n**" + c.title(t) + "**\n\n")
		if err := c.layout(t).Markdown(&b); err != nil {
			return err
		}
	}
	if len(c.Notes) > 0 {
		b.WriteByte('\n')
	}
	for _, n := range c.Notes {
		b.WriteString("- note: " + n + "\n")
	}
	_, err := io.WriteString(w, strings.TrimPrefix(b.String(), "\n"))
	return err
}

// title says what the numbers of a table are and what they are held against.
func (c *Comparison) title(t *CompareTable) string {
	s := t.Unit.Name + ": "
	if !t.Unit.Exact {
		s += "median ± 95% interval, "
	}
	s += t.Unit.direction()
	if t.compared() {
		s += "; base is " + c.Columns[t.Base]
	}
	if t.File != "" && len(c.Files) > 1 {
		s = t.File + ": " + s
	}
	return s
}

// settingLines tell the machines: one line where all files agree, else one
// value a file.
func (c *Comparison) settingLines() []string {
	var lines []string
	for _, s := range c.Settings {
		same := true
		for _, v := range s.Values {
			same = same && v == s.Values[0]
		}
		if same {
			lines = append(lines, s.Key+": "+s.Values[0])
			continue
		}
		for i, v := range s.Values {
			if v == "" {
				v = "(not said)"
			}
			lines = append(lines, fmt.Sprintf("%s of %s: %s", s.Key, c.Files[i], v))
		}
	}
	return lines
}

// wide is the largest number of columns that fit beside one another.
const wide = 3

// layout gives a table for people. A few machines stand side by side; many of
// them, and impls, of which most cases have only some, stand below one another.
func (c *Comparison) layout(t *CompareTable) *table.Table {
	if c.By == ByMachine && len(t.Columns) <= wide {
		return c.sideBySide(t)
	}
	return c.stacked(t)
}

// sideBySide has a line a case: the base, then for every other column its
// value, its ratio to the base and what that means.
func (c *Comparison) sideBySide(t *CompareTable) *table.Table {
	tab := &table.Table{Head: []string{"case"}, Right: []bool{false}}
	mean, anyMean := []string{"geomean"}, false
	for i, col := range t.Columns {
		tab.Head = append(tab.Head, c.Columns[col])
		tab.Right = append(tab.Right, true)
		mean = append(mean, "")
		if i > 0 && t.compared() {
			head, right := t.changeHead(c.Columns[t.Base])
			tab.Head = append(tab.Head, head...)
			tab.Right = append(tab.Right, right...)
			mean = append(mean, t.meanCells(i)...)
			anyMean = anyMean || t.Geomean[i].N > 0
		}
	}
	for _, r := range t.Rows {
		cells := []string{r.Name}
		for i, cell := range r.Cells {
			cells = append(cells, cell.value())
			if i > 0 && t.compared() {
				cells = append(cells, t.changeCells(cell)...)
			}
		}
		tab.Add(cells...)
	}
	if anyMean {
		tab.Add(mean...)
	}
	return tab
}

// stacked has a line a case and column.
func (c *Comparison) stacked(t *CompareTable) *table.Table {
	tab := &table.Table{Head: []string{"case", c.By, t.Unit.Name}, Right: []bool{false, false, true}}
	if t.compared() {
		head, right := t.changeHead(c.Columns[t.Base])
		tab.Head = append(tab.Head, head...)
		tab.Right = append(tab.Right, right...)
	}
	for _, r := range t.Rows {
		for i, cell := range r.Cells {
			if cell.Stats != nil {
				line := []string{r.Name, c.Columns[t.Columns[i]], cell.value()}
				tab.Add(append(line, t.changeCells(cell)...)...)
			}
		}
	}
	for i, col := range t.Columns {
		if t.Geomean[i].N > 0 {
			tab.Add(append([]string{"geomean", c.Columns[col], ""}, t.meanCells(i)...)...)
		}
	}
	return tab
}

// compared reports whether the table holds columns against its base.
func (t *CompareTable) compared() bool {
	return len(t.Columns) > 1 && t.Columns[0] == t.Base
}

// changeHead heads the cells of changeCells.
func (t *CompareTable) changeHead(base string) (head []string, right []bool) {
	if t.Unit.Exact {
		return []string{"vs " + base, "verdict"}, []bool{true, false}
	}
	return []string{"vs " + base, "p (n)", "verdict"}, []bool{true, false, false}
}

// changeCells show a cell's change; all are empty where there is none.
func (t *CompareTable) changeCells(cell Cell) []string {
	ratio, p, verdict := cell.ratio(), cell.p(), ""
	if cell.Change != nil {
		verdict = string(cell.Change.Verdict)
	}
	if t.Unit.Exact {
		return []string{ratio, verdict}
	}
	return []string{ratio, p, verdict}
}

// meanCells show the mean over the cases that the base and column i share.
func (t *CompareTable) meanCells(i int) []string {
	cells := make([]string, 3)
	if t.Unit.Exact {
		cells = cells[:2]
	}
	if g := t.Geomean[i]; g.N > 0 {
		cells[0] = fmt.Sprintf("%s (%s)", formatRatio(g.Ratio), count(g.N, "case"))
	}
	return cells
}

// value shows "1.234µ ± 2%", with a "!" where the spread is suspicious.
func (c Cell) value() string {
	if c.Stats == nil {
		return ""
	}
	s := c.Stats.Format(c.Stats.Median)
	if iv := c.Stats.Interval(); iv != "" {
		s += " " + iv
	}
	if c.Stats.Noisy() {
		s += " !"
	}
	return s
}

// ratio shows "x 2.10 [2.05, 2.16]", "~" where the difference is no more than
// noise and "?" where a ratio makes no sense.
func (c Cell) ratio() string {
	switch ch := c.Change; {
	case ch == nil:
		return ""
	case ch.Verdict == Equal:
		return "="
	case !ch.Significant:
		return "~"
	case math.IsNaN(ch.Ratio):
		return "?"
	case c.Stats.Unit.Exact:
		return formatRatio(ch.Ratio)
	default:
		return fmt.Sprintf("%s [%s, %s]", formatRatio(ch.Ratio), factor(ch.Lo), factor(ch.Hi))
	}
}

func (c Cell) p() string {
	if c.Change == nil {
		return ""
	}
	p := "<0.001"
	if c.Change.P >= 0.001 {
		p = strconv.FormatFloat(c.Change.P, 'f', 3, 64)
	}
	return fmt.Sprintf("%s (%d+%d)", p, c.Change.N[0], c.Change.N[1])
}

func formatRatio(r float64) string { return "x " + factor(r) }

// factor shows a factor with three significant digits.
func factor(r float64) string {
	switch {
	case math.IsInf(r, 1):
		return "∞"
	case r >= 100 && r < 1e6:
		return strconv.FormatFloat(r, 'f', 0, 64)
	case r >= 10 && r < 100:
		return strconv.FormatFloat(r, 'f', 1, 64)
	case r >= 0.1 && r < 10:
		return strconv.FormatFloat(r, 'f', 2, 64)
	}
	return strconv.FormatFloat(r, 'g', 3, 64)
}
