package validate

import (
	"fmt"
	"math"
	"strings"
)

// Summary is rows of one metric, with one bound, from one source.
type Summary struct {
	What    string  `json:"what"`
	Unit    string  `json:"unit"`
	Figures int     `json:"figures"`
	Equal   int     `json:"equal"`     // of them
	Low     float64 `json:"error_low"` // the least error, with its sign, and the most
	High    float64 `json:"error_high"`
	Bound   float64 `json:"bound"` // as Row.Bound
	Allowed float64 `json:"allowed_difference,omitempty"`
	Outside int     `json:"outside"` // figures that exceed it
	Source  string  `json:"source"`
}

// Summarize makes a line of rows with the same metric, unit, bound and source, in the
// order of the first of each.
func Summarize(rows []Row) []Summary {
	type key struct {
		what, unit, source string
		bound, allowed     float64
	}
	at := map[key]int{}
	var list []Summary
	for i := range rows {
		r := &rows[i]
		what := r.Metric
		if what == "" {
			what = r.What
		}
		k := key{what, r.Unit, r.Source, r.Bound, r.Allowed}
		n, ok := at[k]
		if !ok {
			n = len(list)
			at[k] = n
			list = append(list, Summary{What: what, Unit: r.Unit, Bound: r.Bound, Allowed: r.Allowed, Source: r.Source, Low: math.Inf(1), High: math.Inf(-1)})
		}
		s := &list[n]
		s.Figures++
		if r.Ours == r.Theirs {
			s.Equal++
		}
		if !r.Holds() {
			s.Outside++
		}
		s.Low, s.High = min(s.Low, r.Error()), max(s.High, r.Error())
	}
	return list
}

// Errors is the range of the errors: "equal", "+3.1 %", "-2.0 to +3.1 %".
func (s *Summary) Errors() string {
	low, high := percent(s.Low), percent(s.High)
	switch {
	case s.Equal == s.Figures:
		return "equal"
	case low == high:
		return high + " %"
	}
	return low + " to " + high + " %"
}

// percent keeps an error that is not 0 from looking like it.
func percent(v float64) string {
	switch {
	case v == 0:
		return "0"
	case math.Abs(v) < 1e-7: // what is left of halving an interval
		return "0.0"
	case math.Abs(v) < 0.0005:
		return fmt.Sprintf("%+.2g", 100*v)
	}
	return fmt.Sprintf("%+.1f", 100*v)
}

// BoundText says what is promised: "equal", "±10 %", "±1 cycles", "open".
func BoundText(bound, allowed float64, unit string) string {
	switch {
	case bound == Open:
		return "open"
	case allowed > 0:
		return fmt.Sprintf("±%g %s", allowed, unit)
	case bound == 0:
		return "equal"
	}
	return fmt.Sprintf("±%.3g %%", 100*bound)
}

// Result says in a line what was found: "5 figures, -2.0 to +3.1 %, bound ±10 %".
func (s *Summary) Result() string {
	var b strings.Builder
	if s.Figures > 1 {
		fmt.Fprintf(&b, "%d figures, ", s.Figures)
	}
	b.WriteString(s.Errors())
	switch bound := BoundText(s.Bound, s.Allowed, s.Unit); {
	case s.Bound == Open:
		b.WriteString(", no bound promised")
	case bound != "equal" || s.Equal < s.Figures:
		b.WriteString(", bound " + bound)
	}
	if s.Outside > 0 {
		fmt.Fprintf(&b, ", %d exceed it", s.Outside)
	}
	return b.String()
}
