// Package table lays out small tables for people: aligned text for a terminal
// and Markdown. What is in a table and how it is drawn are apart, so that one
// table gives every format. tablewriter draws; here stands how our tables look.
// For machines, encoding/csv and encoding/json do.
package table

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// Table is a heading and rows of cells. A row may be shorter than the heading.
type Table struct {
	Head []string
	Rows [][]string
	// Right says which columns align to the right, as numbers should; columns
	// past its end align to the left.
	Right []bool
}

// Add appends a row.
func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// Text writes the table with columns padded with blanks to equal width, two
// blanks between columns, none at a line's end.
func (t *Table) Text(w io.Writer) error {
	plain := renderer.NewBlueprint(tw.Rendition{
		Borders:  tw.BorderNone,
		Settings: tw.Settings{Separators: tw.SeparatorsNone, Lines: tw.LinesNone},
	})
	drawn, err := t.draw(plain, tw.Padding{Left: tw.Empty, Right: "  ", Overwrite: true}, func(cell string) string { return cell })
	if err != nil {
		return err
	}
	for line := range bytes.Lines(drawn) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(string(line), " \n")); err != nil {
			return err
		}
	}
	return nil
}

// Markdown writes the table in GitHub's Markdown.
func (t *Table) Markdown(w io.Writer) error {
	drawn, err := t.draw(renderer.NewMarkdown(), tw.Padding{Left: " ", Right: " ", Overwrite: true}, markdownCell.Replace)
	if err != nil {
		return err
	}
	_, err = w.Write(drawn)
	return err
}

// markdownCell keeps a cell from ending early or striking text through.
var markdownCell = strings.NewReplacer("|", `\|`, "~", `\~`, "\n", " ")

// draw gives the table as the renderer shows it.
func (t *Table) draw(r tw.Renderer, padding tw.Padding, cell func(string) string) ([]byte, error) {
	align := make(tw.Alignment, t.columns())
	for i := range align {
		align[i] = tw.AlignLeft
		if i < len(t.Right) && t.Right[i] {
			align[i] = tw.AlignRight
		}
	}
	var b bytes.Buffer
	d := tablewriter.NewTable(&b,
		tablewriter.WithRenderer(r),
		tablewriter.WithAlignment(align),
		tablewriter.WithPadding(padding),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithTrimSpace(tw.Off),
	)
	d.Header(t.cells(t.Head, cell))
	for _, row := range t.Rows {
		if err := d.Append(t.cells(row, cell)); err != nil {
			return nil, err
		}
	}
	if err := d.Render(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// cells fills a row up to the table's width.
func (t *Table) cells(row []string, cell func(string) string) []string {
	full := make([]string, t.columns())
	for i, c := range row {
		full[i] = cell(c)
	}
	return full
}

func (t *Table) columns() int {
	n := len(t.Head)
	for _, row := range t.Rows {
		n = max(n, len(row))
	}
	return n
}
