package reports

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files anew")

func render(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	r := fixture()
	for name, write := range map[string]func(io.Writer) error{
		"report.md":   r.WriteMarkdown,
		"report.html": r.WriteHTML,
		"report.json": r.WriteJSON,
		"bench.txt":   r.WriteBench,
		"summary.txt": r.WriteSummary,
	} {
		t.Run(name, func(t *testing.T) {
			got := render(t, write)
			path := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got == string(want) {
				return
			}
			g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
			for i := range max(len(g), len(w)) {
				var a, b string
				if i < len(g) {
					a = g[i]
				}
				if i < len(w) {
					b = w[i]
				}
				if a != b {
					t.Fatalf("%s:%d:\n got %s\nwant %s\nrun with -update if that is right", path, i+1, a, b)
				}
			}
		})
	}
}

// A report read back from JSON says the same as the one that was written.
func TestJSONHoldsEverything(t *testing.T) {
	r := fixture()
	var again Report
	if err := json.Unmarshal([]byte(render(t, r.WriteJSON)), &again); err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2]func(io.Writer) error{
		"markdown": {r.WriteMarkdown, again.WriteMarkdown},
		"html":     {r.WriteHTML, again.WriteHTML},
		"summary":  {r.WriteSummary, again.WriteSummary},
	} {
		if render(t, pair[0]) != render(t, pair[1]) {
			t.Errorf("%s of the report read back differs", name)
		}
	}
}

// Predictions are told apart from measurements, and stand where their reader is:
// after the kernels on arm64, at the end elsewhere.
func TestPredictionsSayWhatTheyAre(t *testing.T) {
	for _, tt := range []struct {
		arch, title, before, text string
	}{
		{"amd64", "Other CPUs: predicted, not measured", "howto", "| float32/neon | 3.00 (75 %) | 8.00 (100 %) |"},
		{"arm64", "arm64: predicted, not measured", "network", "| Toy-1 | float32/neon | 0.3125 | 3.00 | 4.00 | 75.0 % | load pipes |"},
	} {
		r := fixture()
		r.Machine = append(r.Machine, Setting{"goarch", tt.arch})
		sections := r.document().sections
		at := slices.IndexFunc(sections, func(s section) bool { return s.id == "predicted" })
		if at < 0 || sections[at].title != tt.title || sections[at+1].id != tt.before {
			t.Errorf("%s: section %d, want %q before %q", tt.arch, at, tt.title, tt.before)
			continue
		}
		tables := 0
		for _, b := range sections[at].blocks {
			if b.table != nil {
				tables++
				if !strings.Contains(b.table.caption, "predicted, not measured") {
					t.Errorf("%s: table %q does not say that it is predicted", tt.arch, b.table.caption)
				}
			}
		}
		if tables != 1 {
			t.Errorf("%s: %d tables, want 1", tt.arch, tables)
		}
		if text := strings.Join(strings.Fields(render(t, r.WriteMarkdown)), " "); !strings.Contains(text, tt.text) {
			t.Errorf("%s: Markdown lacks %q", tt.arch, tt.text)
		}
	}
}

func TestNothingMeasured(t *testing.T) {
	for _, r := range []*Report{{}, {Model: "m", Networks: []Network{{}}, Designs: []Design{{Name: "d", Estimates: []Estimate{{}}}}}} {
		for _, write := range []func(io.Writer) error{r.WriteMarkdown, r.WriteHTML, r.WriteJSON, r.WriteSummary, r.WriteBench} {
			if text := render(t, write); strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
				t.Errorf("shows what is no number:\n%s", text)
			}
		}
	}
}

func TestNoNumberIsADash(t *testing.T) {
	r := fixture()
	for name, write := range map[string]func(io.Writer) error{"html": r.WriteHTML, "markdown": r.WriteMarkdown, "json": r.WriteJSON, "text": r.WriteSummary} {
		text := render(t, write)
		for _, bad := range []string{"NaN", "Inf", "%!", "<nil>"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s holds %q", name, bad)
			}
		}
	}
	// Two rounds give no interval; a layer that was not measured no number.
	md := render(t, r.WriteMarkdown)
	for _, want := range []string{" 2,000 ± – |", " ×50.0 (–) |", "| dense "} {
		if !strings.Contains(md, want) {
			t.Errorf("Markdown lacks %q", want)
		}
	}
}

// What each table of measurements must say in its head.
func TestTableHeadsNameTheBaseline(t *testing.T) {
	n := 0
	for _, s := range fixture().document().sections {
		for _, b := range s.blocks {
			if b.table == nil || !strings.Contains(strings.Join(b.table.Head, " "), "over generic") {
				continue
			}
			n++
			for _, want := range []string{"one thread", "baseline: generic", "95 % CI of 10 interleaved rounds"} {
				if !strings.Contains(b.table.caption, want) {
					t.Errorf("table %q does not say %q", b.table.caption, want)
				}
			}
		}
	}
	if n < 5 {
		t.Errorf("%d tables of speed-ups, want at least 5", n)
	}
}

// checkPage holds what makes the page one that needs nothing but itself.
func checkPage(t *testing.T, text string) {
	t.Helper()
	ids := map[string]bool{}
	var links, labels []string
	d := xml.NewDecoder(strings.NewReader(text))
	d.Entity = xml.HTMLEntity
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		e, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		switch e.Name.Local {
		case "script", "link", "img", "image", "iframe", "object", "base", "use", "foreignObject":
			t.Errorf("has a <%s>", e.Name.Local)
		}
		for _, a := range e.Attr {
			switch a.Name.Local {
			case "id":
				if ids[a.Value] {
					t.Errorf("id %q occurs twice", a.Value)
				}
				ids[a.Value] = true
			case "href":
				links = append(links, a.Value)
			case "aria-labelledby":
				labels = append(labels, a.Value)
			case "src", "srcset", "data", "action", "xmlns":
				t.Errorf("<%s %s=%q>", e.Name.Local, a.Name.Local, a.Value)
			}
		}
	}
	if len(links) == 0 || len(labels) == 0 {
		t.Errorf("%d links, %d charts: want some of both", len(links), len(labels))
	}
	for _, l := range links {
		if id, ok := strings.CutPrefix(l, "#"); !ok || !ids[id] {
			t.Errorf("link to %q leads nowhere in this page", l)
		}
	}
	for _, l := range labels {
		if !ids[l] {
			t.Errorf("no title %q for a chart", l)
		}
	}
	for _, bad := range []string{"url(", "@import", "http-equiv"} {
		if strings.Contains(text, bad) {
			t.Errorf("holds %q", bad)
		}
	}
}

func TestPageNeedsNothingElse(t *testing.T) {
	text := render(t, fixture().WriteHTML)
	checkPage(t, text)
	if strings.Contains(text, "://") {
		t.Error("holds an address")
	}
	if !strings.Contains(text, "Toy CPU &lt;2&gt; | &#34;quoted&#34;") {
		t.Error("the CPU's name is not escaped as text")
	}
}

// Every colour of a chart is one that the style sheet has, light, dark and on
// paper.
func TestChartColors(t *testing.T) {
	text := render(t, fixture().WriteHTML)
	_, body, _ := strings.Cut(text, "<body>")
	if hex := regexp.MustCompile(`#[0-9A-Fa-f]{6}`).FindString(body); hex != "" {
		t.Errorf("colour %s is fixed: it cannot follow the theme", hex)
	}
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`var\(--([a-z0-9]+)\)`).FindAllStringSubmatch(body, -1) {
		used[m[1]] = true
	}
	if len(used) < 8 {
		t.Errorf("charts use the colours %v: want at least 8", used)
	}
	for name := range used {
		if n := strings.Count(pageCSS, "--"+name+":"); n != 3 {
			t.Errorf("--%s is defined %d times in the style sheet, want light, dark and print", name, n)
		}
	}
	for k := inkText; k < inks; k++ {
		if inkNames[k] == "" || !strings.Contains(pageCSS, "--"+inkNames[k]+":") {
			t.Errorf("ink %d, %q, is not in the style sheet", k, inkNames[k])
		}
	}
}

func TestMarkdownTablesAreWhole(t *testing.T) {
	columns := 0
	for i, line := range strings.Split(render(t, fixture().WriteMarkdown), "\n") {
		if !strings.HasPrefix(line, "|") {
			columns = 0
			continue
		}
		n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
		if columns != 0 && n != columns {
			t.Errorf("line %d has %d bars, the lines above %d: %s", i+1, n, columns, line)
		}
		columns = n
	}
}
