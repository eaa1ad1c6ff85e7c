package validate

import (
	"strings"

	"macroscope/dtype"
	"macroscope/simhw"
	"macroscope/simhw/design"
	"macroscope/simhw/golden"
)

// quantities are what a figure's unit is one of, of what an estimate promises.
var quantities = map[string]string{
	"cycles": "time", "ms": "time", "µs": "time", "images/s": "time", "TOPS": "time",
	"µJ": "energy", "fJ": "energy", "mW": "energy", "pJ": "energy",
	"µm²": "area", "mm²": "area", "LUT": "area", "BRAM36": "area",
	"MB": "", "words": "", "KiB": "", "uses": "", "elements": "", "%": "",
}

// Of says whether a row is a design's: its name may say more behind it, a board, or
// which of its formulas.
func (r *Row) Of(design string) bool {
	rest, ok := strings.CutPrefix(r.Design, design)
	return ok && (rest == "" || rest[0] == ':' || rest[0] == ' ')
}

// Rows are a design's among tables.
func Rows(list []Table, design string) []Table {
	var found []Table
	for _, t := range list {
		own := Table{Title: t.Title, Runs: t.Runs}
		for i := range t.Rows {
			if t.Rows[i].Of(design) {
				own.Rows = append(own.Rows, t.Rows[i])
			}
		}
		if len(own.Rows) > 0 {
			found = append(found, own)
		}
	}
	return found
}

// Checks says what a shipped design was compared with and the errors found: what its
// kind of machine was, what it is beside published figures (of Designs or All), and what
// its estimates give that was compared with none.
func Checks(list []Table, name string) ([]design.Check, error) {
	d, err := design.Load(name)
	if err != nil {
		return nil, err
	}
	m, err := simhw.New(&d)
	if err != nil {
		return nil, err
	}
	var checks []design.Check
	for _, c := range m.Validated() {
		if !c.Published {
			checks = append(checks, c)
		}
	}
	for _, t := range Rows(list, name) {
		for _, s := range Summarize(t.Rows) {
			what := s.What
			if !strings.Contains(what, s.Unit) {
				what += " (" + s.Unit + ")"
			}
			checks = append(checks, design.Check{What: what, Against: s.Source, Result: s.Result(), Published: true})
		}
	}
	missing, err := Missing(list, name)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		checks = append(checks, design.Check{What: strings.Join(missing, ", "), Against: "published figures of such hardware", Result: "none at hand, not compared"})
	}
	return checks, nil
}

// Found is checks against one thing.
type Found struct {
	Against string
	Results []string // "conv1, processing time: +1.0 %, bound ±10 %"
}

// Group puts checks against the same together, in the order of the first of each.
func Group(checks []design.Check) []Found {
	var list []Found
	at := map[string]int{}
	for _, c := range checks {
		n, ok := at[c.Against]
		if !ok {
			n = len(list)
			at[c.Against] = n
			list = append(list, Found{Against: c.Against})
		}
		list[n].Results = append(list[n].Results, c.What+": "+c.Result)
	}
	return list
}

// Missing lists what of time, energy and area a shipped design's estimates give that was
// compared with no published figure.
func Missing(list []Table, name string) ([]string, error) {
	d, err := design.Load(name)
	if err != nil {
		return nil, err
	}
	s := d.Spec()
	net, err := golden.Topology("cifar10_cnn")
	if err != nil {
		return nil, err
	}
	if s.Family == design.FamilyStreaming {
		net = cnv(10) // its engines are those of a network
	} else {
		for _, t := range dtype.All {
			if s.Has(t) {
				net = net.WithDType(t)
				break
			}
		}
		net.Layers = net.Layers[len(net.Layers)-1:] // one layer tells
	}
	e, err := simhw.Evaluate(&d, &net)
	if err != nil {
		return nil, err
	}
	compared := map[string]bool{}
	for _, t := range Rows(list, name) {
		for i := range t.Rows {
			compared[quantities[t.Rows[i].Unit]] = true
		}
	}
	var missing []string
	for _, q := range []struct {
		name  string
		given bool
	}{{"time", true}, {"energy", e.Total.EnergyPJ.Known}, {"area", e.Area.TotalUM2 > 0}} {
		if q.given && !compared[q.name] {
			missing = append(missing, q.name)
		}
	}
	return missing, nil
}
