package reports

import (
	"fmt"
	"slices"
	"strings"

	"macroscope/dtype"
	"macroscope/internal/table"
	"macroscope/simhw"
)

const (
	micro = 1e6 // seconds to µs
	nano  = 1e9 // seconds to ns
)

// formatsTable is the network by format in few columns: what a reader wants
// first.
func (r *Report) formatsTable() *grid {
	g := newGrid("The network by format on this CPU ("+r.measuredAs()+")", 1,
		"format", "kernels", "size", "accuracy", "latency, µs", "images/s", "speed-up over float32", "speed-up over "+r.Baseline)
	g.Right[1] = false
	for i := range r.Networks {
		n := &r.Networks[i]
		g.add(r.main(n), n.title(), n.Impl, size(n.WeightBytes), n.Accuracy.short(), n.Latency.withCI(micro), n.PerSecond.median(1), n.VsFloat.or(n == r.Network(dtype.Float32, "")), n.VsBaseline.or(n.Timed() && n.Impl == r.Baseline))
	}
	r.leaveOut(&g.Table)
	return g
}

// leaveOut takes away the columns for which this report has nothing at all: the accuracy where
// there were no images, what is held against float32 where there is no such network.
func (r *Report) leaveOut(t *table.Table) {
	for i := len(t.Head) - 1; i >= 0; i-- {
		head := t.Head[i]
		if head == "accuracy" && r.Images.Count == 0 || strings.HasSuffix(head, "over float32") && r.Network(dtype.Float32, "") == nil {
			t.Head, t.Right = slices.Delete(t.Head, i, i+1), slices.Delete(t.Right, i, i+1)
			for n, row := range t.Rows {
				t.Rows[n] = slices.Delete(row, i, i+1)
			}
		}
	}
}

// designsTable is every design and format in few columns.
func (r *Report) designsTable() *grid {
	g := newGrid("The same network on accelerators (analytical model; batch 1; gain: latency measured on this CPU over the design's)", 2,
		"design", "format", "cycles", "latency, µs", "images/s", "energy, µJ/image", "utilization", "gain over this CPU")
	for _, d := range r.Designs {
		for _, e := range d.Estimates {
			g.Add(append([]string{d.Name}, e.summary()...)...)
		}
	}
	return g
}

// summary is an estimate's cells of designsTable, from its format on.
func (e *Estimate) summary() []string {
	if e.Detail == nil {
		if !e.noUnit() { // a sentence, for which a table has no room
			return []string{e.DType.String(), "none, see below"}
		}
		return []string{e.DType.String(), e.Refused}
	}
	t, format := &e.Detail.Total, e.DType.String()
	if t.Partial {
		format += partial
	}
	rate := "not modelled"
	if e.Detail.ClockMHz.Known && t.IntervalCycles > 0 {
		rate = digits(e.Detail.ClockMHz.Value * 1e6 / float64(t.IntervalCycles))
	}
	return []string{format, count(t.Cycles), quantity(t.TimeUS, 1), rate, quantity(t.EnergyPJ, 1e-6), tenths(100*t.Utilization) + " %", e.Gain.text()}
}

// noUnit says whether an estimate is refused because the design cannot compute its format.
func (e *Estimate) noUnit() bool { return strings.HasPrefix(e.Refused, "no ") }

// partialNote explains the mark of partial totals, "" where none is partial.
func (r *Report) partialNote() string {
	var left []string
	sets := 0
	for _, d := range r.Designs {
		for i := range d.Estimates {
			p := d.Estimates[i].partial()
			if len(p) > 0 {
				sets++
			}
			for _, what := range p {
				if !slices.Contains(left, what) {
					left = append(left, what)
				}
			}
		}
	}
	switch {
	case len(left) == 0:
		return ""
	case sets == 1 || len(left) == 1:
		return "* partial: the total leaves out " + strings.Join(left, ", ") + "."
	}
	return "* partial: the total leaves out something of " + strings.Join(left, ", ") + "; the design's own estimate says what."
}

func (r *Report) glanceSection() section {
	s := section{id: "glance", title: "At a glance"}
	s.list(append(r.findings(), r.gaps()...)...)
	s.grid(r.formatsTable())
	s.grid(r.hardwareTable())
	if note := r.partialNote(); note != "" {
		s.text("%s", note)
	}
	return s
}

// hardwareTable is latency and energy on this CPU and on the designs.
func (r *Report) hardwareTable() *grid {
	g := newGrid("One image on this CPU (measured) and on accelerators (analytical model)", 1, "")
	formats := r.formats()
	for _, unit := range []string{"µs", "µJ"} {
		for _, d := range formats {
			g.Head = append(g.Head, d.String()+", "+unit)
			g.Right = append(g.Right, true)
		}
	}
	cpu := []string{"this CPU"}
	for _, d := range formats {
		cpu = append(cpu, r.timed(d).withCI(micro))
	}
	for range formats {
		cpu = append(cpu, "not measured")
	}
	g.addStrong(cpu...)
	for _, d := range r.Designs {
		name := d.Name
		var times, energies []string
		for _, e := range d.Estimates {
			if e.Detail == nil {
				times, energies = append(times, absent), append(energies, absent)
				continue
			}
			if e.Detail.Total.Partial {
				name = d.Name + partial
			}
			times = append(times, quantity(e.Detail.Total.TimeUS, 1))
			energies = append(energies, quantity(e.Detail.Total.EnergyPJ, 1e-6))
		}
		g.Add(append(append([]string{name}, times...), energies...)...)
	}
	return g
}

// partial marks totals that leave something out; partialNote explains it.
const partial = " *"

// quantity shows a simulated number, times factor.
func quantity(q simhw.Quantity, factor float64) string {
	if !q.Known {
		return "not modelled"
	}
	return digits(q.Value * factor)
}

// findings are sentences that the numbers of this run bear out.
func (r *Report) findings() (list []string) {
	float := r.Network(dtype.Float32, "")
	for i := range r.Networks {
		n := &r.Networks[i]
		if float == nil || n == float || !r.main(n) {
			continue
		}
		text := fmt.Sprintf("%s needs %s instead of %s", n.title(), size(n.WeightBytes), size(float.WeightBytes))
		if n.VsFloat != nil {
			text += fmt.Sprintf(" and runs %s as fast as float32 on this CPU", n.VsFloat.text())
		}
		if a, b := n.Accuracy, float.Accuracy; a != nil && b != nil && a.Images == b.Images {
			text += fmt.Sprintf("; of %s images it gets %s right, float32 %s (%s points)", count(a.Images), count(a.Correct), count(b.Correct), points(a.Top1-b.Top1))
		}
		list = append(list, text+".")
	}
	list = append(list, r.filtered()...)
	if n := r.Network(dtype.Binary, ""); n != nil && float != nil {
		list = append(list, "The binary network is another network: trained with binarized weights and activations, less accurate, its first and last layer int8. It is no conversion of the float32 one.")
	}
	return list
}

// filtered says what minimal filtering brings to the chosen implementations.
func (r *Report) filtered() (list []string) {
	for i := range r.Runs {
		x := &r.Runs[i]
		if x.Algo == "" || x.VsDirect == nil || x.Impl != r.chosen(x.DType) {
			continue
		}
		how := ", with larger rounding errors"
		if x.DType != dtype.Float32 {
			how = ", to the same bits, which is what the library and macroscope eval do on this CPU unless told otherwise"
			if !x.Usual {
				how = ", to the same bits; the library and macroscope eval take the direct kernels on this CPU unless told otherwise"
			}
		}
		list = append(list, fmt.Sprintf("Winograd's algorithm computes the %v network in %s µs, %s as fast as the direct kernels that are compared here%s.", x.DType, x.Latency.withCI(micro), x.VsDirect.text(), how))
	}
	return list
}

// gaps are what this report does not have, and why.
func (r *Report) gaps() (list []string) {
	for _, m := range r.Missing {
		list = append(list, fmt.Sprintf("There is no %v network: %s.", m.DType, m.Reason))
	}
	for i := range r.Networks {
		if n := &r.Networks[i]; n.Uncalibrated {
			list = append(list, fmt.Sprintf("The scales of %s are chosen on random pixels, since no images were given to choose them on (--data): it takes the time of any scales, but its answers are of no use and are not counted.", n.title()))
		}
	}
	if r.Images.Count == 0 && r.Images.Note != "" {
		list = append(list, capital(r.Images.Note)+".")
	}
	return list
}

// capital is s with a capital letter first.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func (r *Report) machineSection() section {
	s := section{id: "machine", title: "The machine"}
	g := newGrid("What the numbers were measured on", 2, "", "")
	for _, m := range r.Machine {
		g.Add(m.Key, m.Value)
	}
	s.grid(g)
	if len(r.Warnings) > 0 {
		s.text("What makes the numbers less steady:")
		s.list(r.Warnings...)
	}
	return s
}

func (r *Report) kernelSection() section {
	s := section{id: "kernels", title: "Kernels by format and implementation"}
	s.text("Every implementation that this build knows, and why it runs here or not. The peak is the implementation's innermost instruction on registers alone, measured here; %% of peak below is a percentage of the peak of the same round. Plain Go has no such instruction.")
	g := newGrid("Implementations ("+r.measuredAs()+")", 5, "format", "implementation", "tile", "runs here", "why", "peak, GMAC/s")
	for _, k := range r.Kernels {
		state := "no"
		switch {
		case k.Chosen:
			state = "chosen"
		case k.Available:
			state = "yes"
		}
		why := k.Reason
		if k.Available && !k.Chosen && len(k.Needs) > 0 {
			why = "needs " + strings.Join(k.Needs, ", ")
		}
		g.add(k.Chosen, k.DType.String(), k.Impl, fmt.Sprintf("%d×%d", k.TileRows, k.TileCols), state, why, k.Peak.withCI(1))
	}
	s.grid(g)
	s.charts(r.kernelChart())
	for _, c := range []struct {
		title, words, unit string
		factor             float64
	}{
		{dotTitle, "Dot product of 4096 values in the first-level cache", "ns", nano},
		{gemmTitle, "Matrix product 256×256×256", "µs", micro},
	} {
		s.grid(r.opTable(c.title, c.words, c.unit, c.factor))
	}
	s.grid(r.convTable())
	s.text("%s", footnote)
	return s
}

const footnote = "GMAC/s: 10⁹ multiply-accumulates a second; one is 2 op. “~” before a factor: its interval leaves open which of the two is faster. “!” after a median: it is more than 1.1 times worse than the best run, so something else used the machine. “–”: not measured; as an interval: fewer than 6 rounds, too few for one."

// opTable is one operation by all implementations.
func (r *Report) opTable(title, words, unit string, factor float64) *grid {
	g := newGrid(words+" ("+r.measuredAs()+")", 2, "format", "implementation", "time, "+unit, "GMAC/s", "best GMAC/s", "of peak", "speed-up over "+r.Baseline)
	for _, m := range r.Ops {
		if m.Case == title {
			g.add(m.Impl == r.chosen(m.DType), m.DType.String(), m.Impl, m.Seconds.withCI(factor), m.GMACs.withCI(1), m.GMACs.best(1), m.Peak.percent(), m.Speedup.or(m.Impl == r.Baseline))
		}
	}
	return g
}

// convTable is the network's convolutions by the chosen implementations.
func (r *Report) convTable() *grid {
	g := newGrid("The network's convolutions with bias, ReLU and pool fused, chosen implementations ("+r.measuredAs()+")", 3,
		"layer", "format", "implementation", "time, µs", "GMAC/s", "best GMAC/s", "of peak", "speed-up over "+r.Baseline)
	for _, m := range r.Convs {
		if m.Impl == r.chosen(m.DType) {
			g.Add(m.Case, m.DType.String(), m.Impl, m.Seconds.withCI(micro), m.GMACs.withCI(1), m.GMACs.best(1), m.Peak.percent(), m.Speedup.or(m.Impl == r.Baseline))
		}
	}
	return g
}
