package bench

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"golang.org/x/perf/benchmath"
)

// CompareOptions says what becomes a column and which results count.
type CompareOptions struct {
	// By is what the columns are: "machine" (each file is one) or a key of the
	// benchmarks' names ("impl", "dtype", "batch"). Empty: "machine" for
	// several files, "impl" for one.
	By string
	// Base is the column that the others are held against. Empty: the first
	// one, or "generic" where the columns are impls and there is one.
	Base string
	// Filter keeps a part of the results, in benchstat's syntax
	// (golang.org/x/perf/benchproc/syntax): "/dtype:int8 .unit:GMAC/s".
	// Empty keeps everything.
	Filter string
}

// Comparison is what Compare found; its methods write it.
type Comparison struct {
	By      string
	Columns []string // labels of the files, or values of the key
	// Settings tell what was measured on what: a value for each file.
	Files    []string
	Settings []FileSetting
	Tables   []CompareTable
	Notes    []string // what a reader of the tables must know
	Warnings []string // input lines that were passed over, with their positions
}

// FileSetting is one line "key: value" of the files' heads, by file.
type FileSetting struct {
	Key    string
	Values []string // one a file, "" where the file does not say
}

// CompareTable compares the columns in one unit.
type CompareTable struct {
	File    string // when the columns are not the files: whose results these are
	Unit    Unit
	Base    int   // index into Columns
	Columns []int // indexes into Comparison.Columns of those that have the unit, Base first
	Rows    []CompareRow
	Geomean []Geomean // one for each of Columns
}

// CompareRow is one case.
type CompareRow struct {
	Name  string // without "Benchmark" and without the key that the columns are
	Cells []Cell // one for each of CompareTable.Columns
}

// Cell is a case in a column. Stats is nil where the column lacks the case,
// Change is nil there, in the base, and where the base lacks the case.
type Cell struct {
	Stats  *Stats
	Change *Change
}

// Verdict says in a word what a Change means.
type Verdict string

// The verdicts. Time and rates are faster or slower; other units are better
// or worse, or more or less where nobody said which is better.
const (
	Faster      Verdict = "faster"
	Slower      Verdict = "slower"
	Better      Verdict = "better"
	Worse       Verdict = "worse"
	More        Verdict = "more"
	Less        Verdict = "less"
	Equal       Verdict = "equal"
	WithinNoise Verdict = "same within noise"
	TooFewRuns  Verdict = "too few runs"
)

// Change holds a cell against the base.
type Change struct {
	// Ratio of the medians, greater than 1 where the column is better than
	// the base (where it is more, if the better direction is unknown). NaN if
	// one of them is not positive.
	Ratio float64
	// Lo and Hi bound the ratio: quotients of the ends of both 95 % intervals.
	// Both intervals hold together in at least 90 % of cases, so does this one.
	Lo, Hi float64
	P      float64 // of the Mann-Whitney U test; 0 for exact units
	N      [2]int  // measurements in the base, in the column
	// Significant: the difference is more than noise at the 5 % level.
	Significant bool
	Verdict     Verdict
}

// Geomean is the geometric mean of the ratios over the cases that both the
// base and the column have. N is 0 for the base and where there is none.
type Geomean struct {
	Ratio float64
	N     int
}

// Compare reads files in the Go benchmark format and compares them. A path may
// be label=path; "-" is the standard input. A line that cannot be read gives a
// warning with its position; a file that cannot be read, or holds no result,
// is an error.
func Compare(paths []string, opt CompareOptions) (*Comparison, error) {
	in, err := readInputs(paths, opt)
	if err != nil {
		return nil, err
	}
	c := &Comparison{
		By: in.by, Columns: in.columns.names, Files: in.files.names,
		Settings: in.settings(), Warnings: in.warnings, Notes: in.notes(),
	}
	base, err := in.baseColumn(opt.Base)
	if err != nil {
		return nil, err
	}
	for _, file := range in.tables() {
		for _, unit := range in.units.names {
			if t, ok := in.table(file, unit, base); ok {
				c.Tables = append(c.Tables, t)
			}
		}
	}
	c.Notes = append(c.Notes, tableNotes(c)...)
	if len(c.Columns) > 1 && !c.comparesAnything() {
		return nil, fmt.Errorf("%s: no benchmark and unit in common, nothing to compare", strings.Join(c.Columns, ", "))
	}
	return c, nil
}

func (c *Comparison) comparesAnything() bool {
	for _, t := range c.Tables {
		for _, r := range t.Rows {
			for _, cell := range r.Cells {
				if cell.Change != nil {
					return true
				}
			}
		}
	}
	return false
}

// table gathers one unit, of one file or (file < 0) of all; ok is false if
// there is nothing of it.
func (in *inputs) table(file int, unit string, base int) (t CompareTable, ok bool) {
	t = CompareTable{Unit: lookUnit(unit, in.meta), Base: base}
	if file >= 0 {
		t.File = in.files.names[file]
	}
	u := in.units.index[unit]
	for _, col := range in.columnOrder(base) {
		for row := range in.rows.names {
			if len(in.values[cellKey{file, row, col, u}]) > 0 {
				t.Columns = append(t.Columns, col)
				break
			}
		}
	}
	if len(t.Columns) == 0 {
		return t, false
	}
	logs := make([]float64, len(t.Columns))
	t.Geomean = make([]Geomean, len(t.Columns))
	for row, name := range in.rows.names {
		r := CompareRow{Name: name, Cells: make([]Cell, len(t.Columns))}
		found := false
		for i, col := range t.Columns {
			values := in.values[cellKey{file, row, col, u}]
			if len(values) == 0 {
				continue
			}
			found = true
			s := newStats(values, t.Unit)
			r.Cells[i].Stats = &s
			if from := r.Cells[0].Stats; i > 0 && t.Columns[0] == base && from != nil {
				ch := newChange(from, &s)
				r.Cells[i].Change = &ch
				if ch.Ratio > 0 && !math.IsInf(ch.Ratio, 0) {
					logs[i] += math.Log(ch.Ratio)
					t.Geomean[i].N++
				}
			}
		}
		if found {
			t.Rows = append(t.Rows, r)
		}
	}
	for i := range t.Geomean {
		if n := t.Geomean[i].N; n > 0 {
			t.Geomean[i].Ratio = math.Exp(logs[i] / float64(n))
		}
	}
	return t, true
}

// newChange holds s against base; both are of one unit.
func newChange(base, s *Stats) Change {
	u := base.Unit
	cmp := u.assumption().Compare(base.sample, s.sample)
	ch := Change{P: cmp.P, N: [2]int{base.N, s.N}, Ratio: math.NaN(), Lo: math.NaN(), Hi: math.NaN()}
	if base.Median > 0 && s.Median > 0 {
		ch.Ratio, ch.Lo, ch.Hi = s.Median/base.Median, quotient(s.Lo, base.Hi), quotient(s.Hi, base.Lo)
		if u.Better < 0 {
			ch.Ratio, ch.Lo, ch.Hi = base.Median/s.Median, quotient(base.Lo, s.Hi), quotient(base.Hi, s.Lo)
		}
	}
	same := base.Median == s.Median
	switch {
	case same && base.Lo == base.Hi && s.Lo == s.Hi:
		ch.Verdict = Equal
	case u.Exact:
		ch.Significant = !same
		ch.Verdict = u.verdict(base.Median, s.Median)
	case cmp.P < cmp.Alpha && !same:
		ch.Significant = true
		ch.Verdict = u.verdict(base.Median, s.Median)
	case tooFew(cmp):
		ch.Verdict = TooFewRuns
	default:
		ch.Verdict = WithinNoise
	}
	return ch
}

// quotient of two ends of intervals; an interval that has no end gives one
// that has none.
func quotient(a, b float64) float64 {
	switch {
	case math.IsInf(a, -1) || math.IsInf(b, 1):
		return 0
	case math.IsInf(a, 1) || math.IsInf(b, -1) || b <= 0:
		return math.Inf(1)
	}
	return max(a/b, 0)
}

// tooFew reports that the test could not have found a difference however large:
// two samples that do not overlap at all have p = 2/C(n1+n2, n1).
func tooFew(cmp benchmath.Comparison) bool {
	p := 2.0
	for i := 1; i <= cmp.N1 && p >= cmp.Alpha; i++ {
		p *= float64(i) / float64(cmp.N2+i)
	}
	return p >= cmp.Alpha
}

func (u Unit) verdict(base, v float64) Verdict {
	more := v > base
	switch {
	case v == base:
		return Equal
	case u.Better == 0 && more:
		return More
	case u.Better == 0:
		return Less
	}
	good := more == (u.Better > 0)
	switch {
	case u.isTime() && good:
		return Faster
	case u.isTime():
		return Slower
	case good:
		return Better
	}
	return Worse
}

// baseColumn finds the column to compare with.
func (in *inputs) baseColumn(name string) (int, error) {
	if name == "" {
		if i, ok := in.columns.index["generic"]; ok && in.by == "impl" {
			return i, nil
		}
		return 0, nil
	}
	i, ok := in.columns.index[name]
	if !ok {
		return 0, optionErrorf("base %q: want %s", name, strings.Join(in.columns.names, ", "))
	}
	return i, nil
}

// columnOrder is the base first, the others as they came.
func (in *inputs) columnOrder(base int) []int {
	order := []int{base}
	for i := range in.columns.names {
		if i != base {
			order = append(order, i)
		}
	}
	return order
}

// OptionError is an error in CompareOptions rather than in the files.
type OptionError struct{ msg string }

func (e *OptionError) Error() string { return e.msg }

func optionErrorf(format string, args ...any) error {
	return &OptionError{fmt.Sprintf(format, args...)}
}

var errNothingLeft = errors.New("the filter leaves no benchmark result")
