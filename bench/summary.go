package bench

import (
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"macroscope/internal/table"
)

// WriteSummary writes results as a table for people: for each case the median
// time with its 95 % confidence interval, the best run, and the rates. A !
// marks a median more than 1.1 times the best: something disturbed the runs.
func WriteSummary(w io.Writer, results []Result) error {
	t := table.Table{
		Head:  []string{"case", "n", "median", "95% CI", "best"},
		Right: []bool{false, true, true, true, true},
	}
	rows, units := Summarize(results), []string{GMACPerSecond, PercentOfPeak, ImagesPerSecond}
	if slices.ContainsFunc(rows, func(r Row) bool { _, ok := r.Get(TimesOneThread); return ok }) {
		units = append(units, TimesOneThread)
	}
	for _, unit := range units {
		t.Head, t.Right = append(t.Head, unit), append(t.Right, true)
	}
	t.Head = append(t.Head, "")
	for _, row := range rows {
		s, ok := row.Get("sec/op")
		if !ok {
			continue
		}
		ci, mark := "–", ""
		if !math.IsInf(s.Hi, 0) {
			ci = s.Interval()
		}
		if s.Spread > NoisyAbove {
			mark = "!"
		}
		cells := []string{strings.TrimPrefix(row.Name, "Benchmark"), strconv.Itoa(s.N), s.Format(s.Median) + "s", ci, s.Format(s.Best) + "s"}
		for _, unit := range units {
			cell := ""
			if v, ok := row.Get(unit); ok {
				cell = v.Format(v.Median)
			}
			cells = append(cells, cell)
		}
		t.Add(append(cells, mark)...)
	}
	return t.Text(w)
}
