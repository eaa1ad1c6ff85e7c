package reports

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"macroscope/dtype"
)

// chart is a picture that can be drawn; draw is nil where there is nothing to
// show.
type chart struct {
	id, title string
	legend    []legendEntry
	note      string
	narrow    bool // half a page is enough
	draw      func() string
}

type legendEntry struct {
	Ink   string
	Label string
	Mark  bool // a line, not an area
}

// inkOf is the colour of a format.
func inkOf(d dtype.DType) ink {
	return [...]ink{dtype.Float32: inkFloat32, dtype.Int8: inkInt8, dtype.Binary: inkBinary}[d]
}

func legendOf(k ink, label string) legendEntry { return legendEntry{Ink: inkNames[k], Label: label} }

func (r *Report) formatLegend() (list []legendEntry) {
	for _, d := range r.formats() {
		list = append(list, legendOf(inkOf(d), d.String()))
	}
	return list
}

const pageWidth = 720 // points

// barChart draws rows of bars on a logarithmic axis; without any bar there is
// no chart.
func barChart(id, title, axis string, rows []barRow, perBar vg.Length, legend []legendEntry, note string) chart {
	c := chart{id: id, title: title, legend: legend, note: note}
	heights, any := vg.Length(0), false
	for _, row := range rows {
		heights += max(perBar*vg.Length(len(row.bars)), 14) / filled
		for _, b := range row.bars {
			any = any || b.value > 0
		}
	}
	if !any {
		return c
	}
	c.draw = func() string {
		b := bars{rows}
		p := newPlot(axis, "")
		p.X.Min, p.X.Max = b.extent()
		ticks := logTicks(p.X.Min, p.X.Max)
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, ticks
		var names niceTicks
		for i, row := range rows {
			names = append(names, plot.Tick{Value: float64(len(rows) - 1 - i), Label: row.label})
		}
		nameAxis(p, names, len(rows))
		p.Add(verticals{ticks}, b)
		return drawSVG(id, title, pageWidth, heights+45, func(dc draw.Canvas) { p.Draw(dc) })
	}
	return c
}

// nameAxis makes the vertical axis one of names, n rows high.
func nameAxis(p *plot.Plot, names niceTicks, n int) {
	p.Y.Min, p.Y.Max = -0.5, float64(n)-0.5
	p.Y.Tick.Marker = constant(names)
	p.Y.Tick.Length, p.Y.LineStyle.Width = 0, 0
	p.Y.Tick.Label.Color = inkText.color()
}

// constant marks an axis wherever it ends.
type constant niceTicks

// Ticks implements plot.Ticker.
func (t constant) Ticks(_, _ float64) []plot.Tick { return t }

// bar shows a value, times factor, with its interval.
func (v *Value) bar(k ink, factor float64) bar {
	if v == nil || !v.Median.known() {
		return bar{label: "not measured"}
	}
	b := bar{value: float64(v.Median) * factor, ink: k, label: digits(float64(v.Median) * factor)}
	if v.Lo.known() && v.Hi.known() {
		b.lo, b.hi = float64(v.Lo)*factor, float64(v.Hi)*factor
	}
	return b
}

// kernelChart is GMAC/s of dot, gemm and network by implementation.
func (r *Report) kernelChart() chart {
	var rows []barRow
	peaks := false
	for _, k := range r.Kernels {
		if !k.Available {
			continue
		}
		row := barRow{label: k.DType.String() + " " + k.Impl, bars: []bar{{}, {}, {}}}
		for _, m := range r.Ops {
			if m.DType == k.DType && m.Impl == k.Impl {
				switch m.Case {
				case dotTitle:
					row.bars[0] = m.GMACs.bar(inkFirst, 1)
				case gemmTitle:
					row.bars[1] = m.GMACs.bar(inkSecond, 1)
				}
			}
		}
		for _, x := range r.Runs {
			if x.DType == k.DType && x.Impl == k.Impl && x.Algo == "" {
				row.bars[2] = x.GMACs.bar(inkThird, 1)
			}
		}
		for i := range row.bars {
			if k.Peak != nil {
				row.bars[i].limit, peaks = float64(k.Peak.Median), true
			}
		}
		rows = append(rows, row)
	}
	legend := []legendEntry{legendOf(inkFirst, "dot, n = 4096"), legendOf(inkSecond, "matrix product, 256"), legendOf(inkThird, "whole network, batch 1")}
	if peaks {
		legend = append(legend, legendEntry{Ink: inkNames[inkText], Label: "measured peak of the instruction", Mark: true})
	}
	return barChart("chart-kernels", "GMAC/s by format and implementation", "GMAC/s, logarithmic", rows, 11, legend, "One thread; medians; a whisker is the 95 % confidence interval where it is wider than its line.")
}

// latencyChart is the network's latency by format and implementation.
func (r *Report) latencyChart() chart {
	var rows []barRow
	for _, x := range r.Runs {
		b := x.Latency.bar(inkOf(x.DType), micro)
		b.label += " µs"
		if x.Chosen {
			b.label += ", chosen"
		}
		rows = append(rows, barRow{x.DType.String() + " " + x.title(), []bar{b}})
	}
	return barChart("chart-latency", "Latency of the network, one image", "µs, logarithmic; shorter is better", rows, 15, r.formatLegend(),
		"One thread; medians; a whisker is the 95 % confidence interval where it is wider than its line.")
}

// designLatencyChart is the network's latency on every design and, measured, on
// this CPU.
func (r *Report) designLatencyChart() chart {
	rows := []barRow{{label: "this CPU, measured"}}
	for _, d := range r.formats() {
		b := r.timed(d).bar(inkOf(d), micro)
		if impl := r.chosen(d); b.value > 0 && impl != "" {
			b.label += " µs, " + impl
		}
		rows[0].bars = append(rows[0].bars, b)
	}
	rows = append(rows, r.designRows(func(e *Estimate) (float64, bool) {
		return e.Detail.Total.TimeUS.Value, e.Detail.Total.TimeUS.Known
	}, " µs")...)
	return barChart("chart-design-latency", "Latency of the network, one image: this CPU and the designs", "µs, logarithmic; shorter is better", rows, 12, r.formatLegend(),
		"The CPU is measured; the designs are calculated by an analytical model, at their own clocks, pooling left out.")
}

// designEnergyChart is the energy of an image on every design.
func (r *Report) designEnergyChart() chart {
	rows := r.designRows(func(e *Estimate) (float64, bool) {
		return e.Detail.Total.EnergyPJ.Value / 1e6, e.Detail.Total.EnergyPJ.Known
	}, " µJ")
	return barChart("chart-design-energy", "Energy of one image on the designs", "µJ, logarithmic; shorter is better", rows, 12, r.formatLegend(),
		"Calculated: action counts times an energy table. Pooling, leakage, clock and control are left out. The CPU's energy is not measured.")
}

func (r *Report) designRows(value func(*Estimate) (float64, bool), unit string) (rows []barRow) {
	for _, d := range r.Designs {
		row := barRow{label: d.Name}
		for i := range d.Estimates {
			e := &d.Estimates[i]
			b := bar{label: e.DType.String() + ": " + e.Refused}
			if e.Detail != nil {
				b.label = e.DType.String() + ": not modelled"
				if v, ok := value(e); ok && v > 0 {
					b = bar{value: v, ink: inkOf(e.DType), label: digits(v) + unit}
				}
			}
			row.bars = append(row.bars, b)
		}
		rows = append(rows, row)
	}
	return rows
}

// layerChart is where the time of an inference goes.
func (r *Report) layerChart() chart {
	c := chart{id: "chart-layers", title: "Where the time of an inference goes", note: "Each step timed among the others; the rest is the conversion of the pixels, what lies between layers, and the output."}
	var rows [][]part
	var names niceTicks
	for i := range r.Networks {
		n := &r.Networks[i]
		whole := n.stepsSeconds()
		if !(whole > 0) {
			continue
		}
		var row []part
		rest := 100.0
		for l, st := range n.Steps {
			if !st.Layer || st.Seconds == nil {
				continue
			}
			alpha := uint8(0xff)
			if l%2 == 1 {
				alpha = 0xdc
			}
			p := 100 * float64(st.Seconds.Median) / whole
			row = append(row, part{p, fmt.Sprintf("%s %.0f %%", st.Name, p), inkOf(st.DType), alpha})
			rest -= p
		}
		if rest > 0 {
			row = append(row, part{rest, fmt.Sprintf("rest %.0f %%", rest), inkRest, 0xff})
		}
		rows = append(rows, row)
		names = append(names, plot.Tick{Label: fmt.Sprintf("%s, %s µs", n.DType, digits(whole*micro))})
	}
	if len(rows) == 0 {
		return c
	}
	for i := range names {
		names[i].Value = float64(len(rows) - 1 - i)
	}
	c.legend = append(r.formatLegend(), legendOf(inkRest, "rest"))
	c.draw = func() string {
		p := newPlot("% of the inference", "")
		p.X.Min, p.X.Max = 0, 100
		p.X.Tick.Marker = niceTicks{{Value: 0, Label: "0"}, {Value: 25, Label: "25"}, {Value: 50, Label: "50"}, {Value: 75, Label: "75"}, {Value: 100, Label: "100"}}
		nameAxis(p, names, len(rows))
		p.Add(stacks{rows})
		return drawSVG(c.id, c.title, pageWidth, vg.Length(34*len(rows)+45), func(dc draw.Canvas) { p.Draw(dc) })
	}
	return c
}

// accuracyCharts are accuracy against size and against latency.
func (r *Report) accuracyCharts() []chart {
	var bySize, byTime dots
	for i := range r.Networks {
		n := &r.Networks[i]
		if n.Accuracy == nil {
			continue
		}
		a := n.Accuracy
		d := dot{y: 100 * a.Top1, lo: 100 * a.Lo, hi: 100 * a.Hi, ink: inkOf(n.DType), hollow: !r.main(n)}
		d.x, d.label = float64(n.WeightBytes)/1024, n.title()+"\n"+size(n.WeightBytes)
		bySize = append(bySize, d)
		if n.Latency != nil {
			d.x, d.label = float64(n.Latency.Median)*micro, n.DType.String()+"\n"+digits(float64(n.Latency.Median)*micro)+" µs"
			byTime = append(byTime, d)
		}
	}
	note := "Whiskers: 95 % interval for the number of images."
	return []chart{
		dotChart("chart-accuracy-size", "Accuracy and size", "KiB of weights, logarithmic", bySize, note),
		dotChart("chart-accuracy-latency", "Accuracy and latency on this CPU", "µs for one image, logarithmic", byTime, note),
	}
}

// dotChart draws accuracies in percent against something logarithmic.
func dotChart(id, title, axis string, points dots, note string) chart {
	c := chart{id: id, title: title, note: note, narrow: true}
	if len(points) == 0 {
		return c
	}
	c.draw = func() string {
		p := newPlot(axis, "right answers, %")
		lo, hi := math.Inf(1), 0.0
		bottom, top := 100.0, 0.0
		points.part()
		for _, d := range points {
			lo, hi = min(lo, d.x), max(hi, d.x)
			bottom, top = min(bottom, d.lo), max(top, d.hi)
		}
		p.X.Min, p.X.Max = roundDown(lo/1.5), hi*2
		top += (top - bottom) * 0.25 // room for labels
		if bottom -= (top - bottom) * 0.2; bottom < 0 {
			bottom = 0
		}
		p.X.Scale = plot.LogScale{}
		ticks := logTicks(p.X.Min, p.X.Max)
		p.X.Tick.Marker = ticks
		step := 20.0
		for _, finer := range []float64{10, 5, 2, 1, 0.5} {
			if (top-bottom)/finer <= 8 {
				step = finer
			}
		}
		p.Y.Min, p.Y.Max = math.Floor(bottom/step)*step, math.Ceil(top/step)*step
		var marks niceTicks
		for v := p.Y.Min; v <= p.Y.Max+step/2; v += step {
			marks = append(marks, plot.Tick{Value: v, Label: plainNumber(v)})
		}
		p.Y.Tick.Marker = constant(marks)
		p.Add(verticals{ticks}, points)
		return drawSVG(id, title, pageWidth/2, 230, func(dc draw.Canvas) { p.Draw(dc) })
	}
	return c
}

// part draws points of about the same x side by side instead of on one another:
// the first a little to the right, the second to the left, its label below.
func (d dots) part() {
	for i := range d {
		for j := range i {
			if math.Abs(math.Log(d[i].x/d[j].x)) < 0.02 {
				d[j].aside, d[i].aside = 5, -5
			}
		}
	}
}
