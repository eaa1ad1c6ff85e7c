package bench

import (
	"fmt"
	"slices"
	"strings"
)

// tableNotes gathers what readers of the tables must know: cases that one side
// lacks, noisy cells, samples that are too small. Each thing is said once,
// with the number of cells that it concerns.
func tableNotes(c *Comparison) []string {
	var notes []string
	notes = append(notes, missingNotes(c)...)

	noisy, worst, worstAt := 0, 0.0, ""
	var order []string
	cells := map[string]int{}
	for _, t := range c.Tables {
		for _, r := range t.Rows {
			for i, cell := range r.Cells {
				s := cell.Stats
				if s == nil {
					continue
				}
				if s.Noisy() {
					noisy++
					if s.Spread > worst {
						worst, worstAt = s.Spread, fmt.Sprintf("%s of %s, %s", r.Name, c.Columns[t.Columns[i]], t.Unit.Name)
					}
				}
				for _, w := range s.Warnings {
					w = t.Unit.Name + ": " + w
					if cells[w] == 0 {
						order = append(order, w)
					}
					cells[w]++
				}
			}
		}
	}
	if noisy > 0 {
		notes = append(notes, fmt.Sprintf(
			"! in %s: the median is more than %v times worse than the best run (at most %.2f times: %s); something else ran on the machine, measure again when it is idle",
			count(noisy, "cell"), NoisyAbove, worst, worstAt))
	}
	for _, w := range order {
		notes = append(notes, fmt.Sprintf("%s (%s)", w, count(cells[w], "cell")))
	}
	return notes
}

// missingNotes tell which files lack cases that others have: those stand in
// the tables but not in the means. Of impls nothing else is to be expected.
func missingNotes(c *Comparison) []string {
	if c.By != ByMachine || len(c.Columns) < 2 {
		return nil
	}
	lacks := make([]map[string]bool, len(c.Columns))
	for _, t := range c.Tables {
		for _, r := range t.Rows {
			for i, cell := range r.Cells {
				if col := t.Columns[i]; cell.Stats == nil {
					if lacks[col] == nil {
						lacks[col] = map[string]bool{}
					}
					lacks[col][r.Name] = true
				}
			}
		}
	}
	var notes []string
	for col, names := range lacks {
		if len(names) == 0 {
			continue
		}
		var some []string
		for name := range names {
			some = append(some, name)
		}
		slices.Sort(some)
		more := ""
		if len(some) > 3 {
			some, more = some[:3], ", ..."
		}
		notes = append(notes, fmt.Sprintf("%s lacks %s: %s%s", c.Columns[col], count(len(names), "case"), strings.Join(some, ", "), more))
	}
	return notes
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
