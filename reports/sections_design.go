package reports

import (
	"fmt"
	"strings"

	"macroscope/dtype"
	"macroscope/simhw/energy"
)

func (r *Report) designSection() section {
	s := section{id: "designs", title: "The network on accelerators"}
	s.text("These numbers are calculated, not measured: an analytical model of each design, layer after layer, batch 1, latency at the design's own clock. What such designs' cycles were compared with stands below; macroscope designs --validate prints published figures of chips and boards beside the models'. Energy and area leave out %s.", r.limits())
	s.charts(r.designLatencyChart(), r.designEnergyChart())
	g := newGrid("The designs", 4, "design", "what", "family", "structure", "clock, MHz", "technology, nm", "area, mm²", "values with a source", "assumed values")
	for _, d := range r.Designs {
		g.Add(d.Name, d.Description, d.Family, d.Structure, plainNumber(d.ClockMHz), plainNumber(d.NodeNM), d.area(), count(d.Sourced), count(len(d.Assumed)))
	}
	s.grid(g)
	s.grid(r.designsTable())
	if note := r.partialNote(); note != "" {
		s.text("%s Their cost is not zero: a real chip spends time and energy on them.", note)
	}
	s.grid(r.cyclesTable())
	return s
}

// area is in mm², as far as it is modelled.
func (d *Design) area() string {
	for _, e := range d.Estimates {
		if e.Detail != nil && e.Detail.Area.PEsKnown && e.Detail.Area.SRAMKnown {
			return digits(e.Detail.Area.TotalUM2 / 1e6)
		}
	}
	return "not modelled"
}

// energyRange is the sum of an energy with the ends of its range, "" where
// nothing is priced.
func energyRange(b *energy.Breakdown) string {
	if !b.Priced {
		return "not modelled"
	}
	return fmt.Sprintf("%s (%s to %s)", digits(b.TotalPJ()/1e6), digits(b.LowPJ/1e6), digits(b.HighPJ/1e6))
}

// limits are what no estimate includes.
func (r *Report) limits() string {
	for _, d := range r.Designs {
		for _, e := range d.Estimates {
			if e.Detail != nil && len(e.Detail.Limits) > 0 {
				return strings.Join(e.Detail.Limits, ", ")
			}
		}
	}
	return "what each design's notes name"
}

// cyclesTable says where cycles and energy go.
func (r *Report) cyclesTable() *grid {
	g := newGrid("Where cycles and energy go", 2, "design", "format", "compute", "fill and drain", "stall", "prefetch", "waits most for", "MACs, µJ", "registers, µJ", "SRAM, µJ", "clock and wires, µJ", "DRAM, µJ", "leakage, µJ", "all, µJ (low to high)", "DRAM traffic")
	g.Right[6] = false
	for _, d := range r.Designs {
		for _, e := range d.Estimates {
			if e.Detail == nil {
				continue
			}
			t := &e.Detail.Total
			all := float64(t.Cycles)
			cells := []string{d.Name, e.DType.String(), share(float64(t.ComputeCycles), all), share(float64(t.FillDrainCycles), all), share(float64(t.StallCycles), all), share(float64(t.PrefetchCycles), all), t.Stalls.Main()}
			microjoule := func(known bool, pj float64) string {
				if !known {
					return "not modelled"
				}
				return digits(pj / 1e6)
			}
			b := &t.Energy
			wires := b.ClockPJ + b.ControlPJ + b.NetworkPJ
			parts := b.Priced && !b.CorePriced // of a processor only the whole is known
			cells = append(cells, microjoule(parts, b.MACPJ), microjoule(parts, b.RegisterPJ), microjoule(parts, b.IfmapSRAMPJ+b.FilterSRAMPJ+b.OfmapSRAMPJ), microjoule(wires > 0, wires), microjoule(b.Priced && b.DRAMPriced, b.DRAMPJ), microjoule(b.Priced && b.LeakagePriced, b.LeakagePJ), energyRange(b))
			traffic := "not modelled"
			if t.DRAM.Bytes >= 0 {
				traffic = size(int(t.DRAM.Bytes))
			}
			g.Add(append(cells, traffic)...)
		}
	}
	return g
}

func (r *Report) designNotes() section {
	s := section{id: "sources", title: "What the designs rest on"}
	for _, d := range r.Designs {
		var notes []string
		for _, e := range d.Estimates {
			if e.Detail == nil {
				why := ": " + e.Refused
				if e.noUnit() {
					why = ", the design has " + e.Refused
				}
				notes = append(notes, fmt.Sprintf("%s: no estimate%s.", e.DType, why))
			}
		}
		for _, e := range d.Estimates {
			if e.Detail != nil {
				// The assumed values stand in the table below.
				for _, n := range e.Notes {
					if !strings.HasPrefix(n, "Assumed") && !strings.HasPrefix(n, "Partial") {
						notes = append(notes, n)
					}
				}
				break
			}
		}
		s.text("%s: %s.", d.Name, d.Description)
		s.list(notes...)
		g := newGrid("Every number of "+d.Name+" and its source", 3, "key", "value", "source")
		for _, v := range d.Values {
			g.Add(v.Key, v.Value, v.Source)
		}
		s.grid(g)
	}
	return s
}

// about is a command about this network, with the flags that it needs.
func (r *Report) about(command, comment string, flags ...string) string {
	words := []string{command}
	if r.Model != defaultModel {
		words = append(words, "--model", Quoted(r.Model))
	}
	for _, f := range append([]string{r.FileFlags}, flags...) {
		if f != "" {
			words = append(words, f)
		}
	}
	return fmt.Sprintf("%-52s %s", strings.Join(words, " "), comment)
}

// formatFlags are the --dtype that eval takes for the network as its file has it, "" for float32,
// and that of an estimate which there is.
func (r *Report) formatFlags() (eval, sim string) {
	sim = "--dtype int8"
	if len(r.Networks) == 0 || r.Networks[0].DType == dtype.Float32 {
		return "", sim
	}
	own := "--dtype " + r.Networks[0].DType.String()
	return own, own
}

func (r *Report) howTo() section {
	s := section{id: "howto", title: "How to read and to repeat this"}
	s.list(
		fmt.Sprintf("All cases were warmed up until steady, then measured once in each of %d rounds, in an order shuffled anew each round, %g ms a measurement; so heat and other programs disturb all alike. A median stands with how far its 95 %% confidence interval reaches to the farther side; the interval assumes no distribution.", r.Rounds, r.BenchTime),
		fmt.Sprintf("A speed-up is a quotient of two medians; its bounds are quotients of the ends of their intervals. The baseline is the %s Go kernel of the same format on one thread.", r.Baseline),
		"A gain over this CPU is the latency measured here with the chosen kernels over the latency calculated for the design; its bounds are those of the measurement alone.",
		"Every figure on this page is from this one run. Beside this page stand bench.txt, the single measurements in the Go benchmark format, and report.json, every number of this page.",
	)
	s.text("This report again:")
	s.code(r.Command)
	s.text("Its parts, and more:")
	eval, sim := r.formatFlags()
	images := r.DataFlags
	if images == "" {
		images = "--data DIR"
	}
	s.code(
		"macroscope kernels                                   # which implementations run here, and why",
		"macroscope kernels --predicted                       # what the arm64 kernels can reach at most, and from which figures",
		r.about("macroscope bench", "# all implementations", "-o bench.txt"),
		"macroscope compare bench.txt                         # implementations against the baseline",
		"macroscope compare here=bench.txt there=other.txt    # this machine against another",
		"benchstat -col /impl -row .name,/dtype,/n,/layer,/batch bench.txt",
		r.about("macroscope eval", "# accuracy on all images of a data set", eval, images),
		r.about("macroscope sim", "# a design layer by layer", sim, "--design array32"),
		"macroscope designs array32                           # its numbers and their sources",
		r.about("MACROSCOPE_KERNELS=generic macroscope report", "# with other kernels chosen", r.DataFlags),
	)
	return s
}
