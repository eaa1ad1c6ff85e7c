package reports

import (
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// bar is one horizontal bar. Lo and Hi, where known, are drawn as a whisker;
// limit, where positive, as a mark.
type bar struct {
	value, lo, hi float64
	limit         float64
	ink           ink
	label         string // at its end
}

// barRow is a label on the axis and the bars beside it, from the top.
type barRow struct {
	label string
	bars  []bar
}

// bars draws rows of horizontal bars on a logarithmic axis; row 0 is at the top.
type bars struct{ rows []barRow }

// filled is the part of a row's height that its bars fill.
const filled = 0.78

// Plot implements plot.Plotter.
func (b bars) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	for r, row := range b.rows {
		y := float64(len(b.rows) - 1 - r)
		height := filled / float64(len(row.bars))
		for i, x := range row.bars {
			top := y + filled/2 - float64(i)*height
			if x.label != "" && !(x.value > 0) {
				b.text(c, c.Min.X+3, trY(top-height/2), x.label, inkMuted)
				continue
			}
			if !(x.value > 0) {
				continue
			}
			// A hair between bars of a row.
			y0, y1 := trY(top-height)+0.6, trY(top)-0.6
			end := trX(x.value)
			c.FillPolygon(x.ink.color(), []vg.Point{{X: c.Min.X, Y: y0}, {X: end, Y: y0}, {X: end, Y: y1}, {X: c.Min.X, Y: y1}})
			middle, right := (y0+y1)/2, end
			line := draw.LineStyle{Color: inkText.color(), Width: 0.8}
			if x.lo > 0 && x.hi > 0 && trX(x.hi)-trX(x.lo) > 1.5 { // else it is thinner than the line
				half := (y1 - y0) / 4
				c.StrokeLine2(line, trX(x.lo), middle, trX(x.hi), middle)
				c.StrokeLine2(line, trX(x.lo), middle-half, trX(x.lo), middle+half)
				c.StrokeLine2(line, trX(x.hi), middle-half, trX(x.hi), middle+half)
				right = max(right, trX(x.hi))
			}
			if x.limit > 0 {
				c.StrokeLine2(draw.LineStyle{Color: inkText.color(), Width: 1.4}, trX(x.limit), y0, trX(x.limit), y1)
				if trX(x.limit) > end-2 && trX(x.limit)-end < 40 { // in the label's way
					right = max(right, trX(x.limit)+2)
				}
			}
			b.text(c, right+3, middle, x.label, inkText)
		}
	}
}

func (bars) text(c draw.Canvas, x, y vg.Length, s string, k ink) {
	style := sans(textStyle(k, 9))
	style.YAlign = draw.YCenter
	c.FillText(style, vg.Point{X: x, Y: y}, s)
}

// extent is the range of a logarithmic axis for the bars, with room for labels.
func (b bars) extent() (lo, hi float64) {
	lo, hi = math.Inf(1), 0
	for _, row := range b.rows {
		for _, x := range row.bars {
			for _, v := range []float64{x.value, x.lo, x.hi, x.limit} {
				if v > 0 && !math.IsInf(v, 0) {
					lo, hi = min(lo, v), max(hi, v)
				}
			}
		}
	}
	if hi == 0 {
		return 1, 10
	}
	lo = roundDown(lo / 2)
	return lo, hi * math.Pow(hi/lo, 0.14)
}

// roundDown gives the next of 1, 2 and 5 times a power of ten that is not
// above v.
func roundDown(v float64) float64 {
	decade := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{5, 2} {
		if v >= m*decade*(1-1e-9) {
			return m * decade
		}
	}
	return decade
}

// verticals draws grid lines at the labelled ticks.
type verticals struct{ ticks niceTicks }

// Plot implements plot.Plotter.
func (v verticals) Plot(c draw.Canvas, p *plot.Plot) {
	trX, _ := p.Transforms(&c)
	for _, t := range v.ticks.Ticks(p.X.Min, p.X.Max) {
		if t.Label != "" {
			c.StrokeLine2(draw.LineStyle{Color: inkGrid.color(), Width: 0.5}, trX(t.Value), c.Min.Y, trX(t.Value), c.Max.Y)
		}
	}
}

// part is a piece of a stack; parts of a stack add up to 100.
type part struct {
	value float64
	label string
	ink   ink
	alpha uint8
}

// stacks draws rows of parts side by side on an axis from 0 to 100; row 0 is at
// the top.
type stacks struct{ rows [][]part }

// Plot implements plot.Plotter.
func (s stacks) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	for r, row := range s.rows {
		y := float64(len(s.rows) - 1 - r)
		y0, y1 := trY(y-filled/2), trY(y+filled/2)
		at := 0.0
		for _, x := range row {
			left, right := trX(at), trX(at+x.value)
			at += x.value
			c.FillPolygon(x.ink.faint(x.alpha), []vg.Point{{X: left + 0.5, Y: y0}, {X: right - 0.5, Y: y0}, {X: right - 0.5, Y: y1}, {X: left + 0.5, Y: y1}})
			style := sans(textStyle(inkOn, 9))
			style.XAlign, style.YAlign = draw.XCenter, draw.YCenter
			if style.Width(x.label) < right-left-4 {
				c.FillText(style, vg.Point{X: (left + right) / 2, Y: (y0 + y1) / 2}, x.label)
			}
		}
	}
}

// dot is a point with a vertical whisker and a label.
type dot struct {
	x, y, lo, hi float64
	ink          ink
	label        string
	hollow       bool
	aside        vg.Length // how far from its place it is drawn; where that is to the left, the label is below
}

type dots []dot

// Plot implements plot.Plotter.
func (d dots) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	var labels []vg.Rectangle // those drawn
	for _, x := range d {
		at := vg.Point{X: trX(x.x) + x.aside, Y: trY(x.y)}
		line := draw.LineStyle{Color: x.ink.color(), Width: 1}
		c.StrokeLine2(line, at.X, trY(x.lo), at.X, trY(x.hi))
		c.StrokeLine2(line, at.X-3, trY(x.lo), at.X+3, trY(x.lo))
		c.StrokeLine2(line, at.X-3, trY(x.hi), at.X+3, trY(x.hi))
		glyph := draw.GlyphStyle{Color: x.ink.color(), Radius: 4, Shape: draw.CircleGlyph{}}
		if x.hollow {
			glyph.Shape = draw.RingGlyph{}
		}
		c.DrawGlyph(glyph, at)
		style := sans(textStyle(inkText, 9))
		// The label stands above the whisker, within the chart, or below it.
		style.XAlign, style.YAlign = draw.XCenter, draw.YBottom
		half := style.Width(x.label) / 2
		label := vg.Point{X: min(max(at.X, c.Min.X+half), c.Max.X-half), Y: trY(x.hi) + 4}
		if x.aside < 0 || slices.ContainsFunc(labels, overlaps(style.Rectangle(x.label).Add(label))) {
			style.YAlign = draw.YTop
			label.Y = trY(x.lo) - 4
		}
		labels = append(labels, style.Rectangle(x.label).Add(label))
		c.FillText(style, label, x.label)
	}
}

// overlaps tells whether rectangles have a point in common with a.
func overlaps(a vg.Rectangle) func(vg.Rectangle) bool {
	return func(b vg.Rectangle) bool {
		return a.Min.X < b.Max.X && b.Min.X < a.Max.X && a.Min.Y < b.Max.Y && b.Min.Y < a.Max.Y
	}
}
