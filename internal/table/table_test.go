package table

import (
	"strings"
	"testing"
)

var sample = Table{
	Head:  []string{"impl", "time", "note"},
	Right: []bool{false, true},
	Rows: [][]string{
		{"generic", "12.5µ", "a | b"},
		{"avx512vnni", "5.1µ", "~"},
		{"x"},
	},
}

func TestText(t *testing.T) {
	const want = `impl         time  note
generic     12.5µ  a | b
avx512vnni   5.1µ  ~
x
`
	var b strings.Builder
	if err := sample.Text(&b); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestMarkdown(t *testing.T) {
	const want = `| impl       |  time | note   |
|:-----------|------:|:-------|
| generic    | 12.5µ | a \| b |
| avx512vnni |  5.1µ | \~     |
| x          |       |        |
`
	var b strings.Builder
	if err := sample.Markdown(&b); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestRowLongerThanHead(t *testing.T) {
	tab := Table{Head: []string{"a"}}
	tab.Add("1", "2")
	var b strings.Builder
	if err := tab.Text(&b); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "a\n1  2\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
