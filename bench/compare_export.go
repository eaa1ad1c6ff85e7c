package bench

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"strconv"
)

// csvHead are the columns of the CSV: one line a cell, so that a spreadsheet
// or a data frame can pivot it.
var csvHead = []string{
	"file", "unit", "better", "case", "column", "n", "median", "lo", "hi", "best",
	"base", "ratio", "ratio_lo", "ratio_hi", "p", "verdict",
}

func (c *Comparison) writeCSV(w io.Writer) error {
	cw := csv.NewWriter(w)
	cw.Write(csvHead)
	for _, t := range c.Tables {
		for _, r := range t.Rows {
			for i, cell := range r.Cells {
				s := cell.Stats
				if s == nil {
					continue
				}
				line := []string{
					t.File, t.Unit.Name, betterWord(t.Unit.Better), r.Name, c.Columns[t.Columns[i]], strconv.Itoa(s.N),
					number(s.Median), number(s.Lo), number(s.Hi), number(s.Best), "", "", "", "", "", "",
				}
				if ch := cell.Change; ch != nil {
					copy(line[10:], []string{
						c.Columns[t.Base], number(ch.Ratio), number(ch.Lo), number(ch.Hi), number(ch.P), string(ch.Verdict),
					})
				}
				cw.Write(line)
			}
		}
		for i, g := range t.Geomean {
			if g.N > 0 {
				cw.Write([]string{
					t.File, t.Unit.Name, betterWord(t.Unit.Better), "geomean", c.Columns[t.Columns[i]], strconv.Itoa(g.N),
					"", "", "", "", c.Columns[t.Base], number(g.Ratio), "", "", "", "",
				})
			}
		}
	}
	cw.Flush()
	return cw.Error()
}

// number writes v exactly; an end that an interval does not have is empty.
func number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func betterWord(better int) string {
	switch {
	case better > 0:
		return "higher"
	case better < 0:
		return "lower"
	}
	return ""
}

type jsonCell struct {
	Column  string   `json:"column"`
	N       int      `json:"n"`
	Median  float64  `json:"median"`
	Lo      *float64 `json:"lo"`
	Hi      *float64 `json:"hi"`
	Best    float64  `json:"best"`
	Spread  float64  `json:"spread"`
	Ratio   *float64 `json:"ratio,omitempty"`
	RatioLo *float64 `json:"ratio_lo,omitempty"`
	RatioHi *float64 `json:"ratio_hi,omitempty"`
	P       *float64 `json:"p,omitempty"`
	Verdict Verdict  `json:"verdict,omitempty"`
	Warn    []string `json:"warnings,omitempty"`
}

type jsonRow struct {
	Name  string     `json:"case"`
	Cells []jsonCell `json:"cells"`
}

type jsonGeomean struct {
	Column string  `json:"column"`
	Ratio  float64 `json:"ratio"`
	N      int     `json:"n"`
}

type jsonTable struct {
	File    string        `json:"file,omitempty"`
	Unit    string        `json:"unit"`
	Better  string        `json:"better,omitempty"`
	Exact   bool          `json:"exact"`
	Base    string        `json:"base"`
	Rows    []jsonRow     `json:"rows"`
	Geomean []jsonGeomean `json:"geomean"`
}

func (c *Comparison) writeJSON(w io.Writer) error {
	settings := map[string]map[string]string{}
	for i, f := range c.Files {
		settings[f] = map[string]string{}
		for _, s := range c.Settings {
			if s.Values[i] != "" {
				settings[f][s.Key] = s.Values[i]
			}
		}
	}
	out := struct {
		By       string                       `json:"by"`
		Columns  []string                     `json:"columns"`
		Settings map[string]map[string]string `json:"settings"` // by file, then by key
		Tables   []jsonTable                  `json:"tables"`
		Notes    []string                     `json:"notes"`
		Warnings []string                     `json:"warnings"`
	}{c.By, c.Columns, settings, []jsonTable{}, append([]string{}, c.Notes...), append([]string{}, c.Warnings...)}
	for _, t := range c.Tables {
		out.Tables = append(out.Tables, c.jsonTable(t))
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}

func (c *Comparison) jsonTable(t CompareTable) jsonTable {
	jt := jsonTable{
		File: t.File, Unit: t.Unit.Name, Better: betterWord(t.Unit.Better), Exact: t.Unit.Exact,
		Base: c.Columns[t.Base], Geomean: []jsonGeomean{},
	}
	for _, r := range t.Rows {
		jr := jsonRow{Name: r.Name, Cells: []jsonCell{}}
		for i, cell := range r.Cells {
			s := cell.Stats
			if s == nil {
				continue
			}
			jc := jsonCell{
				Column: c.Columns[t.Columns[i]], N: s.N, Median: s.Median, Lo: finite(s.Lo), Hi: finite(s.Hi),
				Best: s.Best, Spread: s.Spread, Warn: s.Warnings,
			}
			if ch := cell.Change; ch != nil {
				jc.Ratio, jc.RatioLo, jc.RatioHi, jc.P, jc.Verdict = finite(ch.Ratio), finite(ch.Lo), finite(ch.Hi), finite(ch.P), ch.Verdict
			}
			jr.Cells = append(jr.Cells, jc)
		}
		jt.Rows = append(jt.Rows, jr)
	}
	for i, g := range t.Geomean {
		if g.N > 0 {
			jt.Geomean = append(jt.Geomean, jsonGeomean{c.Columns[t.Columns[i]], g.Ratio, g.N})
		}
	}
	return jt
}

// finite gives nil for what JSON has no number for.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
