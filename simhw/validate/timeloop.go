package validate

import (
	"fmt"
	"strconv"
	"strings"

	"macroscope/simhw/golden"
	"macroscope/simhw/spatial"
)

const timeloopSource = "runs of Timeloop v2.0 with fixed mappings, on 256 multipliers with register files, a buffer of 128 KiB and DRAM"

// timeloopArch is the machine that the mappings were made for: 256 multipliers with a
// register file of 256 words each, a buffer, DRAM. An access to SRAM costs, per vector,
// (1 + 5/99.5·(KiB − 0.5))·width/16, one to DRAM 200·width/16.
func timeloopArch(bits int64, limited bool) spatial.Arch {
	b := float64(bits)
	same := func(v float64) [spatial.Spaces]float64 { return [spatial.Spaces]float64{v, v, v} }
	sram := func(kib, width float64) float64 { return (1 + 5/99.5*(kib-0.5)) * width / 16 }
	a := spatial.Arch{Count: 3, Bits: [spatial.Spaces]int64{bits, bits, bits}, MACPJ: b / 16 * b / 16, Timeloop: true}
	a.Levels[0] = spatial.Level{Name: "RegisterFile", FanoutX: 1, FanoutY: 1, Capacity: 256 * bits, AccessPJ: same(sram(256*b/8/1024, b))}
	a.Levels[1] = spatial.Level{Name: "GlobalBuffer", FanoutX: 16, FanoutY: 16, Capacity: 128 << 13, Block: 4, AccessPJ: same(sram(128, 4*b) / 4)}
	a.Levels[2] = spatial.Level{Name: "DRAM", FanoutX: 1, FanoutY: 1, Keep: [spatial.Spaces]bool{true, true, true}, AccessPJ: same(200 * b / 16)}
	if limited {
		for i, words := range []float64{4, 16, 8} {
			a.Levels[i].ReadBandwidth, a.Levels[i].WriteBandwidth = words, words
		}
	}
	return a
}

// timeloopLoops reads a level's loops: bounds, and their order from inside out. Groups,
// which Timeloop has not, are outside.
func timeloopLoops(l golden.TimeloopLoops) (f spatial.Factors, order [spatial.Dims]spatial.Dim, err error) {
	dims := map[string]spatial.Dim{}
	for d := range spatial.Dim(spatial.Dims) {
		dims[d.String()] = d
	}
	f, order = spatial.Ones(), spatial.DefaultOrder()
	for _, w := range strings.Fields(l.Factors) {
		d, ok := dims[w[:1]]
		bound, err := strconv.ParseInt(w[1:], 10, 64)
		if !ok || err != nil {
			return f, order, fmt.Errorf("loop %q: want a dimension and its bound", w)
		}
		f[d] = bound
	}
	for i := range l.Order {
		d, ok := dims[l.Order[i:i+1]]
		if !ok || i >= len(order) {
			return f, order, fmt.Errorf("order of loops %q: want dimensions", l.Order)
		}
		order[i] = d
	}
	return f, order, nil
}

// timeloopMapping makes ours of a recorded one.
func timeloopMapping(g *golden.TimeloopRun) (a spatial.Arch, p spatial.Problem, m spatial.Mapping, err error) {
	p = spatial.Problem{Bounds: spatial.Factors{spatial.R: g.R, spatial.S: g.S, spatial.P: g.P, spatial.Q: g.Q, spatial.C: g.C, spatial.K: g.K, spatial.N: g.N, spatial.G: 1},
		StrideP: g.Stride, StrideQ: g.Stride, DilationR: 1, DilationS: 1}
	a = timeloopArch(g.Bits, g.Limited)
	for s := range spatial.Space(spatial.Spaces) {
		a.Levels[0].Keep[s], a.Levels[1].Keep[s] = strings.Contains(g.KeepRF, s.String()), strings.Contains(g.KeepBuffer, s.String())
	}
	m = spatial.Empty()
	for i, l := range []golden.TimeloopLoops{g.RegisterFile, g.Buffer, g.DRAM} {
		if m[i].Temporal, m[i].Order, err = timeloopLoops(l); err != nil {
			return a, p, m, err
		}
	}
	across, order, err := timeloopLoops(g.Spatial)
	if err != nil {
		return a, p, m, err
	}
	for i, d := range order {
		if int64(i) < g.AlongX {
			m[1].X[d] = across[d]
		} else {
			m[1].Y[d] = across[d]
		}
	}
	if err = p.Check(); err == nil {
		if err = a.Check(); err == nil {
			err = a.CheckMapping(&p, &m)
		}
	}
	return a, p, m, err
}

// printed is a number as Timeloop prints it, with two digits after the point.
func printed(v float64) float64 {
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'f', 2, 64), 64)
	return v
}

// timeloop compares every count of every mapping in Timeloop's way of counting, and says
// where the words themselves are others.
func timeloop() ([]Row, error) {
	runs, err := golden.Timeloop()
	if err != nil {
		return nil, err
	}
	var rows []Row
	approximate := 0
	for i := range runs {
		g := &runs[i]
		fail := func(err error) error { return fmt.Errorf("mapping %s: %w", g.Case, err) }
		a, p, m, err := timeloopMapping(g)
		if err != nil {
			return nil, fail(err)
		}
		var theirs, exact spatial.Result
		a.Evaluate(&p, &m, &theirs)
		a.Timeloop = false
		a.Evaluate(&p, &m, &exact)
		name := "mapping " + g.Case + " of " + g.Layer
		add := func(what, metric, unit string, published, ours float64) {
			rows = append(rows, Row{Design: name, What: what, Metric: metric, Unit: unit, Theirs: published, Ours: ours, Source: timeloopSource})
		}
		add("cycles", "cycles", "cycles", float64(g.Cycles), float64(theirs.Cycles))
		rows[len(rows)-1].Allowed = 1
		add("energy", "energy, as printed", "µJ", g.Energy, printed(theirs.EnergyPJ/1e6))
		kept := 0
		for level := range a.Count {
			for s := range spatial.Space(spatial.Spaces) {
				if a.Levels[level].Keep[s] {
					kept++
				}
			}
		}
		if kept != len(g.Levels) {
			return nil, fail(fmt.Errorf("keeps %d kinds of data, recorded are %d", kept, len(g.Levels)))
		}
		for _, c := range g.Levels {
			level, s, err := timeloopPlace(&a, &c)
			if err != nil {
				return nil, fail(err)
			}
			ours, needed, data := &theirs.Levels[level].Spaces[s], &exact.Levels[level].Spaces[s], "weights and outputs"
			if s == spatial.Inputs {
				data = "inputs"
				if *ours != *needed {
					approximate++
				}
			}
			where := c.Level + ", " + c.Data + ", "
			for _, n := range []struct {
				what                string
				theirs, ours, exact int64
			}{{"words held", c.Tile, ours.Tile, needed.Tile}, {"reads", c.Reads, ours.Reads, needed.Reads}, {"fills", c.Fills, ours.Fills, needed.Fills}, {"updates", c.Updates, ours.Updates, needed.Updates}} {
				what := where + n.what
				if n.exact != n.ours {
					what += fmt.Sprintf(" (%d are needed)", n.exact)
				}
				add(what, n.what+" of a level, "+data, "words", float64(n.theirs), float64(n.ours))
			}
			add(where+"energy", "energy of a level, "+data+", as printed", "pJ", c.Energy, printed(theirs.Levels[level].EnergyPJ[s]))
			if s != spatial.Inputs { // its number for inputs means something else
				add(where+"instances", "instances of a level", "instances", float64(c.Instances), float64(theirs.Levels[level].Instances))
			}
		}
	}
	for i := range rows {
		rows[i].Note = fmt.Sprintf("counted in its way, approximations included, which change %d of the counts of inputs", approximate)
	}
	return rows, nil
}

// timeloopPlace finds a level's data.
func timeloopPlace(a *spatial.Arch, c *golden.TimeloopCounts) (level int, s spatial.Space, err error) {
	for level = range a.Count {
		for s := range spatial.Space(spatial.Spaces) {
			if a.Levels[level].Name == c.Level && s.String() == c.Data && a.Levels[level].Keep[s] {
				return level, s, nil
			}
		}
	}
	return 0, 0, fmt.Errorf("%s keeps no %s", c.Level, c.Data)
}
