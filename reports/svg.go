package reports

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// ink is a colour by its meaning. What it looks like is decided by the page's
// style sheet, which has light and dark ones: a chart is drawn with stand-ins
// that become var(--name).
type ink uint8

const (
	inkText ink = iota + 1
	inkMuted
	inkGrid
	inkFloat32
	inkInt8
	inkBinary
	inkFirst // three kinds of things that are no formats
	inkSecond
	inkThird
	inkRest
	inkOn // text on a bar
	inks
)

var inkNames = [inks]string{
	inkText: "text", inkMuted: "muted", inkGrid: "grid",
	inkFloat32: "float32", inkInt8: "int8", inkBinary: "binary",
	inkFirst: "first", inkSecond: "second", inkThird: "third",
	inkRest: "rest", inkOn: "on",
}

// color is the stand-in, told apart by its red part alone: vgsvg may round it
// down by one. None is black, which vgsvg leaves out.
func (k ink) color() color.Color { return color.NRGBA{R: uint8(k) * 16, G: 0x40, B: 0x80, A: 0xff} }

// faint is the stand-in, partly transparent.
func (k ink) faint(alpha uint8) color.Color {
	return color.NRGBA{R: uint8(k) * 16, G: 0x40, B: 0x80, A: alpha}
}

var (
	svgHead  = regexp.MustCompile(`(?s)^.*?<svg [^>]*>`)
	svgColor = regexp.MustCompile(`#([0-9A-F]{2})[0-9A-F]{4}`)
	svgFont  = regexp.MustCompile(`font-family:[^"]*?;font-style:[a-z]+;?`)
	svgBlank = regexp.MustCompile(`\n\t`)
)

// drawSVG draws into a canvas of w×h points and gives an <svg> element for a
// page: without size, fonts and colours of its own, without addresses of name
// spaces (HTML needs none), with a title for who cannot see it.
func drawSVG(id, title string, w, h vg.Length, paint func(draw.Canvas)) string {
	canvas := vgsvg.New(w, h)
	paint(draw.New(canvas))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		panic(err) // a bytes.Buffer takes everything
	}
	s := svgHead.ReplaceAllLiteralString(b.String(), fmt.Sprintf(`<svg viewBox="0 0 %.0f %.0f" role="img" aria-labelledby="%s-title"><title id="%s-title">%s</title>`,
		w.Points(), h.Points(), id, id, html.EscapeString(title)))
	s = svgFont.ReplaceAllLiteralString(s, "")
	s = svgBlank.ReplaceAllLiteralString(s, " ")
	return svgColor.ReplaceAllStringFunc(s, func(hex string) string {
		red, err := strconv.ParseUint(hex[1:3], 16, 8)
		k := (red + 8) / 16
		if err != nil || k == 0 || k >= uint64(inks) {
			return "currentColor"
		}
		return "var(--" + inkNames[k] + ")"
	})
}

const (
	fontSize  = 11
	labelSize = 10
)

func textStyle(k ink, size vg.Length) draw.TextStyle {
	return draw.TextStyle{
		Color:   k.color(),
		Font:    font.From(plot.DefaultFont, size),
		Handler: plot.DefaultTextHandler,
	}
}

// sans is the one typeface of charts; the page's style names its like.
func sans(s draw.TextStyle) draw.TextStyle {
	s.Font.Typeface, s.Font.Variant = "Liberation", "Sans"
	return s
}

// newPlot is an empty chart in our style: no frame, a grid is up to the caller.
func newPlot(xLabel, yLabel string) *plot.Plot {
	p := plot.New()
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.LineStyle.Color = inkGrid.color()
		a.LineStyle.Width = 0.5
		a.Tick.LineStyle.Color = inkGrid.color()
		a.Tick.LineStyle.Width = 0.5
		align := a.Tick.Label
		a.Tick.Label = sans(textStyle(inkMuted, labelSize))
		a.Tick.Label.XAlign, a.Tick.Label.YAlign, a.Tick.Label.Rotation = align.XAlign, align.YAlign, align.Rotation
		align = a.Label.TextStyle
		a.Label.TextStyle = sans(textStyle(inkMuted, fontSize))
		a.Label.TextStyle.XAlign, a.Label.TextStyle.YAlign, a.Label.TextStyle.Rotation = align.XAlign, align.YAlign, align.Rotation
	}
	p.BackgroundColor = nil
	p.X.Label.Text, p.Y.Label.Text = xLabel, yLabel
	return p
}

// niceTicks mark an axis at given values; a value without a label has a short
// mark.
type niceTicks []plot.Tick

// Ticks implements plot.Ticker.
func (t niceTicks) Ticks(lo, hi float64) (in []plot.Tick) {
	for _, tick := range t {
		if tick.Value >= lo*(1-1e-9) && tick.Value <= hi*(1+1e-9) {
			in = append(in, tick)
		}
	}
	return in
}

// logTicks label powers of ten, and 2 and 5 between them where there are few
// decades.
func logTicks(lo, hi float64) niceTicks {
	var t niceTicks
	few := hi/lo < 2000
	for decade := 1e-9; decade <= hi; decade *= 10 {
		for m := 1; m < 10; m++ {
			v, label := decade*float64(m), ""
			if m == 1 || few && (m == 2 || m == 5) {
				label = plainNumber(v)
			}
			if v >= lo*(1-1e-9) && v <= hi*(1+1e-9) {
				t = append(t, plot.Tick{Value: v, Label: label})
			}
		}
	}
	return t
}

// plainNumber writes a number on an axis: 0.05, 20, 1,000.
func plainNumber(v float64) string {
	return commas(strings.TrimSuffix(strconv.FormatFloat(v, 'g', 6, 64), ".0"))
}
