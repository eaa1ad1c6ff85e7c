package validate

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"macroscope/simhw"
	"macroscope/simhw/design"
	"macroscope/simhw/golden"
	"macroscope/simhw/systolic"
)

var update = flag.Bool("update", false, "write into the shipped designs' headers what they were compared with")

// headerStart begins the end of a design's header comment: what it was compared with.
const headerStart = "# Compared, as macroscope designs NAME says too (a test holds these lines):"

// header is that part, wrapped.
func header(checks []design.Check) string {
	const width = 100
	b := strings.Builder{}
	b.WriteString(headerStart + "\n")
	wrap := func(line, hang, text string) {
		for _, w := range strings.Fields(text) {
			if len([]rune(line))+1+len([]rune(w)) > width {
				b.WriteString(line + "\n")
				line = hang
			}
			line += " " + w
		}
		b.WriteString(line + "\n")
	}
	for _, f := range Group(checks) {
		wrap("# -", "#  ", f.Against)
		for _, r := range f.Results {
			wrap("#    ", "#      ", r)
		}
	}
	return b.String()
}

// A shipped design's header comment says what it was compared with and the errors found,
// as they are now: go test ./simhw/validate -run ShippedHeaders -update writes it.
func TestShippedHeaders(t *testing.T) {
	list := all(t)
	for _, name := range design.Shipped() {
		checks, err := Checks(list, name)
		if err != nil {
			t.Fatal(err)
		}
		if len(checks) == 0 {
			t.Errorf("%s: neither compared with anything nor said not to be", name)
		}
		file := filepath.Join("..", "design", "shipped", name+".yaml")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		body := strings.Index(string(text), "\nname: ") + 1
		comment := string(text[:body])
		if at := strings.Index(comment, headerStart); at >= 0 {
			comment = comment[:at]
		}
		if want := comment + header(checks); string(text[:body]) != want {
			if *update {
				if err := os.WriteFile(file, []byte(want+string(text[body:])), 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			t.Errorf("%s: the header is\n%swant\n%s(-update writes it)", file, text[:body], want)
		}
	}
}

// The figures that estimates quote of comparisons are those of the tables.
func TestQuotedFigures(t *testing.T) {
	list := all(t)
	summary := func(title, what string) *Summary {
		for _, table := range list {
			if table.Title != title {
				continue
			}
			for _, s := range Summarize(table.Rows) {
				if s.What == what {
					return &s
				}
			}
		}
		t.Fatalf("%s has no %s", title, what)
		return nil
	}
	quoted := func(d *design.Design) string {
		m, err := simhw.New(d)
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, c := range m.Validated() {
			text += c.What + " | " + c.Against + " | " + c.Result + "\n"
		}
		return text
	}
	shipped := func(name string) string {
		d, err := design.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		return quoted(&d)
	}
	has := func(text, want string) {
		t.Helper()
		if !strings.Contains(text, want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}

	const scale = "SCALE-Sim v3: layer runs"
	cfg, err := design.ParseSCALESim("a.cfg", strings.NewReader("[architecture_presets]\nArrayHeight: 8\nArrayWidth: 8\nIfmapSramSzkB: 64\nFilterSramSzkB: 64\nOfmapSramSzkB: 64\nDataflow: ws\n[run_presets]\nInterfaceBandwidth: CALC\n"))
	if err != nil {
		t.Fatal(err)
	}
	has(quoted(&cfg), fmt.Sprintf("%d layer runs, %d of them with DRAM traffic | equal", summary(scale, "total cycles").Equal, summary(scale, "DRAM reads of inputs").Equal))
	has(shipped("array32"), fmt.Sprintf("the %d layer runs of all dataflows", summary(scale, "total cycles, by our own formula").Equal))

	const verilogTitle = "Verilog: arrays and an XNOR engine, without memory"
	arrays := map[string]systolic.Array{"os, draining after each fold": {Dataflow: design.OS, Drain: design.DrainShift}}
	for _, k := range verilogKinds {
		arrays[k.name] = k.array
	}
	for name, a := range arrays {
		spec := design.Spec{}
		spec.Dataflow, spec.Array.Drain, spec.Array.WeightLoad = a.Dataflow, a.Drain, a.WeightLoad
		text := ""
		for _, c := range systolic.Validation(&spec) {
			text += c.Against + " | " + c.Result + "\n"
		}
		has(text, fmt.Sprintf("%d recorded runs of a Verilog array, int8 | equal", summary(verilogTitle, "array cycles, "+name).Equal))
	}
	has(shipped("xnor64"), fmt.Sprintf("%d recorded runs of a Verilog engine | equal", summary(verilogTitle, "engine cycles, XNOR and popcount").Equal))

	loops, err := golden.Timeloop()
	if err != nil {
		t.Fatal(err)
	}
	const timeloopTitle = "Timeloop v2.0: mappings on a spatial array"
	inputs, others := summary(timeloopTitle, "reads of a level, inputs").Equal, summary(timeloopTitle, "reads of a level, weights and outputs").Equal
	approximate := ""
	for _, table := range list {
		if table.Title == timeloopTitle {
			approximate = regexp.MustCompile(`change (\d+) of`).FindStringSubmatch(table.Rows[0].Note)[1]
		}
	}
	text := shipped("eyeriss")
	has(text, fmt.Sprintf("%d mappings that Timeloop", len(loops)))
	has(text, fmt.Sprintf("%d of %d counts equal, the %d of inputs with its approximations, which change %s of them; cycles within 1", inputs+others, inputs+others, inputs, approximate))

	boards := ""
	for _, table := range list {
		for _, r := range table.Rows {
			if r.Design == "finn_cnv_pynq" && r.Unit == "ms" {
				boards += fmt.Sprintf("%.1f and ", -100*r.Error())
			}
		}
	}
	has(shipped("finn_cnv_pynq"), strings.TrimSuffix(boards, " and ")+" % less")
	for _, table := range list {
		for _, r := range table.Rows {
			if r.Of("cortex_m4") && r.Unit == "ms" && r.Bound != Open && r.Bound != 0.25 {
				t.Errorf("%s: bound %g, estimates say 25 %%", r.What, r.Bound)
			}
		}
	}
	has(shipped("cortex_m4"), "within 25 %")
}
