package reports

import (
	_ "embed"
	"html/template"
	"io"

	"macroscope/dtype"
)

//go:embed page.css
var pageCSS string

//go:embed page.gohtml
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// The page's template sees these; package html/template escapes their texts.
type (
	pageData struct {
		Title, Subtitle string
		CSS             template.CSS
		Cards           []card
		Sections        []pageSection
		Made            string
	}
	// card is a format in large figures.
	card struct {
		Ink, Title, Impl    string
		Latency, VsFloat    string
		Accuracy, Size, Per string // Accuracy is empty where no images were looked at
	}
	pageSection struct {
		ID, Title string
		Blocks    []pageBlock
	}
	pageBlock struct {
		Text   string
		List   []string
		Code   string
		Table  *pageTable
		Charts []pageChart
	}
	pageTable struct {
		Caption string
		Head    []pageCell
		Rows    []pageRow
	}
	pageRow struct {
		Strong bool
		Cells  []pageCell
	}
	pageCell struct {
		Text  string
		Right bool
	}
	pageChart struct {
		ID, Title, Note string
		Narrow          bool
		Legend          []legendEntry
		SVG             template.HTML
	}
)

// WriteHTML writes the report as one page that needs nothing but itself: style
// and charts are inside, there is no script, no address of anything else.
func (r *Report) WriteHTML(w io.Writer) error {
	d := r.document()
	data := pageData{Title: d.title, Subtitle: d.subtitle, CSS: template.CSS(pageCSS), Cards: r.cards(), Made: r.made()}
	for _, s := range d.sections {
		ps := pageSection{ID: s.id, Title: s.title}
		for _, b := range s.blocks {
			ps.Blocks = append(ps.Blocks, newPageBlock(b))
		}
		data.Sections = append(data.Sections, ps)
	}
	return page.Execute(w, data)
}

// newPageBlock draws what is still to be drawn.
func newPageBlock(b block) pageBlock {
	pb := pageBlock{Text: b.text, List: b.list, Code: b.code}
	if b.table != nil {
		pb.Table = newPageTable(b.table)
	}
	for _, c := range b.charts {
		pb.Charts = append(pb.Charts, pageChart{c.id, c.title, c.note, c.narrow, c.legend, template.HTML(c.draw())})
	}
	return pb
}

func newPageTable(g *grid) *pageTable {
	right := func(i int) bool { return i < len(g.Right) && g.Right[i] }
	t := &pageTable{Caption: g.caption}
	named := false
	for i, h := range g.Head {
		named = named || h != ""
		t.Head = append(t.Head, pageCell{h, right(i)})
	}
	if !named {
		t.Head = nil
	}
	for n, row := range g.Rows {
		pr := pageRow{Strong: g.strong[n]}
		for i := range g.Head {
			cell := ""
			if i < len(row) {
				cell = row[i]
			}
			pr.Cells = append(pr.Cells, pageCell{cell, right(i)})
		}
		t.Rows = append(t.Rows, pr)
	}
	return t
}

// cards are the timed formats in large figures.
func (r *Report) cards() (list []card) {
	for i := range r.Networks {
		n := &r.Networks[i]
		if !n.Timed() {
			continue
		}
		c := card{Ink: inkNames[inkOf(n.DType)], Title: n.DType.String(), Impl: n.Impl, Latency: n.Latency.median(micro),
			Accuracy: n.Accuracy.short(), Size: size(n.WeightBytes), Per: n.PerSecond.median(1)}
		if r.Images.Count == 0 {
			c.Accuracy = ""
		}
		switch {
		case n.VsFloat != nil:
			c.VsFloat = n.VsFloat.short() + " as fast as float32"
		case n.DType == dtype.Float32 && len(r.Networks) > 1:
			c.VsFloat = "the measure of the others"
		}
		list = append(list, c)
	}
	return list
}
