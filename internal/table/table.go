// Package table lays out small tables for people: aligned text for a terminal
// and Markdown. What is in a table and how it is drawn are apart, so that one
// table gives every format. For machines, encoding/csv and encoding/json do.
package table

import (
	"bufio"
	"io"
	"strings"
	"unicode/utf8"
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
// blanks between columns, none at a line's end. Every rune counts as one wide.
func (t *Table) Text(w io.Writer) error {
	width := make([]int, t.columns())
	for _, row := range t.all() {
		for i, c := range row {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	bw := bufio.NewWriter(w)
	var line strings.Builder
	for _, row := range t.all() {
		line.Reset()
		for i, c := range row {
			if i > 0 {
				line.WriteString("  ")
			}
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c))
			if t.right(i) {
				line.WriteString(pad + c)
			} else {
				line.WriteString(c + pad)
			}
		}
		bw.WriteString(strings.TrimRight(line.String(), " "))
		bw.WriteByte('\n')
	}
	return bw.Flush()
}

// Markdown writes the table in GitHub's Markdown.
func (t *Table) Markdown(w io.Writer) error {
	bw := bufio.NewWriter(w)
	n := t.columns()
	put := func(row []string) {
		bw.WriteByte('|')
		for i := range n {
			c := ""
			if i < len(row) {
				c = markdownCell.Replace(row[i])
			}
			bw.WriteString(" " + c + " |")
		}
		bw.WriteByte('\n')
	}
	put(t.Head)
	bw.WriteByte('|')
	for i := range n {
		if t.right(i) {
			bw.WriteString("---:|")
		} else {
			bw.WriteString("---|")
		}
	}
	bw.WriteByte('\n')
	for _, row := range t.Rows {
		put(row)
	}
	return bw.Flush()
}

// markdownCell keeps a cell from ending early or striking text through.
var markdownCell = strings.NewReplacer("|", `\|`, "~", `\~`, "\n", " ")

func (t *Table) all() [][]string {
	return append([][]string{t.Head}, t.Rows...)
}

func (t *Table) columns() int {
	n := 0
	for _, row := range t.all() {
		n = max(n, len(row))
	}
	return n
}

func (t *Table) right(i int) bool { return i < len(t.Right) && t.Right[i] }
