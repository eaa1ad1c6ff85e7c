package design

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"macroscope/dtype"
)

// valid is a complete design; tests change one line of it.
const valid = `name: t
dataflow: ws
technology_nm: 45
voltage_v: 0.9
clock_mhz: {value: 500, source: "a data sheet"}
array:
  rows: 16
  cols: 8
buffers:
  ifmap_kib: 32
  filter_kib: 32
  ofmap_kib: 64
dram:
  bandwidth_gb_s: 10
`

func parse(text string) (Design, error) { return Parse("t.yaml", strings.NewReader(text)) }

func TestParse(t *testing.T) {
	d, err := parse(valid)
	if err != nil {
		t.Fatal(err)
	}
	s := d.Spec()
	want := Spec{Name: "t", TechnologyNM: 45, VoltageV: 0.9, ClockMHz: 500, DRAM: DRAM{BandwidthGBs: 10}, Systolic: Systolic{Dataflow: WS,
		Array:   Array{Rows: 16, Cols: 8, MACsPerPEPerCycle: ByFormat{1, 1, 1}, AccumulatorBits: ByFormat{32, 32, 16}},
		Buffers: Buffers{IfmapKiB: 32, FilterKiB: 32, OfmapKiB: 64}}}
	if s != want {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
	if s.PEs() != 128 || s.BytesPerCycle() != 20 {
		t.Errorf("%d elements, %g bytes a cycle, want 128 and 20", s.PEs(), s.BytesPerCycle())
	}
	for _, v := range d.Values() {
		switch v.Key {
		case "clock_mhz":
			if v.Source != "a data sheet" || v.Assumed() || v.Line != 5 {
				t.Errorf("clock: %+v", v)
			}
		default:
			if !v.Assumed() {
				t.Errorf("%s has no source, yet is not called assumed", v.Key)
			}
		}
	}
	// What is listed of the formats is all that there is.
	d, err = parse(strings.Replace(valid, "  cols: 8", "  cols: 8\n  macs_per_pe_per_cycle: {int8: 2}", 1))
	if err != nil {
		t.Fatal(err)
	}
	if s := d.Spec(); s.Lanes(dtype.Int8) != 2 || s.Lanes(dtype.Float32) != 0 || s.Lanes(dtype.Binary) != 0 {
		t.Errorf("lanes %v, want int8 alone", s.Array.MACsPerPEPerCycle)
	}
}

func TestParseErrors(t *testing.T) {
	change := func(old, new string) string {
		if !strings.Contains(valid, old) {
			t.Fatalf("no %q in the valid design", old)
		}
		return strings.Replace(valid, old, new, 1)
	}
	for _, c := range []struct{ text, want string }{
		{change("ws", "wz"), `t.yaml:2: dataflow "wz": want os, ws or is`},
		{change("rows:", "row:"), `t.yaml:7: unknown key "array.row": did you mean "array.rows"?`},
		{change("clock_mhz", "clock_ghz"), `t.yaml:5: unknown key "clock_ghz": did you mean "clock_mhz"?`},
		{change("bandwidth_gb_s", "bandwith"), `t.yaml:14: unknown key "dram.bandwith": did you mean "dram.bandwidth_gb_s"?`},
		{change("cols: 8", "rows: 8"), `t.yaml:8: key "array.rows" again: first on line 7`},
		{change("rows: 16", "rows: 0"), `t.yaml:7: array.rows "0": want a whole number from 1 to 16384`},
		{change("rows: 16", "rows: -4"), `t.yaml:7: array.rows "-4"`},
		{change("rows: 16", "rows: 1.5"), `t.yaml:7: array.rows "1.5"`},
		{change("rows: 16", "rows: 99999999999999999999"), `t.yaml:7: array.rows "99999999999999999999"`},
		{change("rows: 16", "rows: many"), `t.yaml:7: array.rows "many"`},
		{change("rows: 16", "rows: [16]"), `t.yaml:7: array.rows is a list: want a plain value`},
		{change("rows: 16", "rows:"), `t.yaml:7: array.rows is empty`},
		{change("rows: 16", "rows: &a 16"), `t.yaml:7: array.rows is an anchor`},
		{change("rows: 16", "rows: *a"), `t.yaml:7: array.rows is an alias`},
		{change("rows: 16", "rows: !!int 16"), `t.yaml:7: array.rows is a tagged value`},
		{change("rows: 16", "rows: {value: 16, sourc: x}"), `t.yaml:7: array.rows: unknown key "sourc": want value and source`},
		{change("rows: 16", "rows: {source: x}"), `t.yaml:7: array.rows: no value`},
		{change("rows: 16", "rows: {value: 16, value: 17}"), `t.yaml:7: array.rows: value again`},
		{change("rows: 16", `rows: {value: 16, source: ""}`), `t.yaml:7: array.rows: source: want text`},
		{change("gb_s: 10", "gb_s: -10"), `t.yaml:14: dram.bandwidth_gb_s "-10": want a number from 0.001 to 1e+06`},
		{change("gb_s: 10", "gb_s: .nan"), `t.yaml:14: dram.bandwidth_gb_s ".nan"`},
		{change("gb_s: 10", "gb_s: .inf"), `t.yaml:14: dram.bandwidth_gb_s ".inf"`},
		{change("gb_s: 10", "gb_s: NaN"), `t.yaml:14: dram.bandwidth_gb_s "NaN"`},
		{change("gb_s: 10", "gb_s: 0"), `t.yaml:14: dram.bandwidth_gb_s "0"`},
		{change("gb_s: 10", "gb_s: 10\n  energy_pj_per_bit: 0"), `t.yaml:15: dram.energy_pj_per_bit "0"`},
		{change("voltage_v: 0.9", "voltage_v: 0.42\n"), ``},
		{change("technology_nm: 45", "technology_nm: 180") + "", ``},
		{strings.Replace(change("technology_nm: 45", "technology_nm: 180"), "0.9", "0.7", 1), `t.yaml:4: voltage_v 0.7 V at 180 nm: outside`},
		{change("  cols: 8", "  cols: 8\n  drain: shift"), `t.yaml:9: array.drain: applies to dataflow os only`},
		{change("ofmap_kib: 64", "ofmap_kib: 64\n  ifmap_bytes_per_cycle: 0"), `t.yaml:13: buffers.ifmap_bytes_per_cycle "0": want a whole number from 1 to 1048576`},
		{change("ofmap_kib: 64", "ofmap_kib: 64\n  ofmap_ports: 3"), `t.yaml:13: buffers.ofmap_ports "3": want a whole number from 1 to 2`},
		{strings.Replace(change("dataflow: ws", "dataflow: os"), "ofmap_kib: 64", "ofmap_kib: 64\n  ofmap_ports: 1", 1), `t.yaml:13: buffers.ofmap_ports: applies to dataflow ws or is only`},
		{change("  cols: 8", "  cols: 8\n  weight_load: bus\n  partial_folds: gated"), `t.yaml:10: array.partial_folds "gated": want full`},
		{change("  cols: 8", "  cols: 8\n  macs_per_pe_per_cycle: {}"), `t.yaml:9: array.macs_per_pe_per_cycle has no format`},
		{change("  cols: 8", "  cols: 8\n  macs_per_pe_per_cycle: {int24: 1}"), `t.yaml:9: unknown key "array.macs_per_pe_per_cycle.int24": did you mean "array.macs_per_pe_per_cycle.int2"?`},
		{change("  cols: 8", "  cols: 8\n  macs_per_pe_per_cycle: {int8: 1}\n  accumulator_bits: {binary: 8}"), `t.yaml:10: array.accumulator_bits.binary: applies to arrays that compute binary only`},
		{change("  cols: 8", "  cols: 8\n  macs_per_pe_per_cycle: 4"), `t.yaml:9: array.macs_per_pe_per_cycle is a plain value: want keys float32, int8, binary`},
		{strings.Replace(change("rows: 16", "rows: 16000"), "ifmap_kib: 32", "ifmap_kib: 8", 1), `t.yaml:10: buffers.ifmap_kib 8: half of it does not hold the 512000 bits that a 16000×8 array moves at once in float32: want at least 125`},
		{change("technology_nm: 45\n", ""), `t.yaml:1: technology_nm is missing: want technology node`},
		{change("name: t", "name: [t"), `t.yaml:2: `},
		{valid + "---\nname: u\n", `t.yaml:16: a second document`},
		{"", `t.yaml:1: empty: want a design`},
		{"# only a comment\n", `t.yaml:1: empty`},
		{"- a\n- b\n", `t.yaml:1: the file is a list`},
		{"42\n", `t.yaml:1: the file is a plain value`},
		{valid + "<<: *x\n", `t.yaml:15: `},
		{valid + "? [a]\n: b\n", `t.yaml:16: `},
		{strings.Repeat("[", 30000), `t.yaml:1: nested more than 16 deep`},
		{strings.Repeat("- ", 5000), `t.yaml:1: nested more than 16 deep`},
		{"# " + strings.Repeat("-", 300) + " [[[[[[[[[[[[[[[[[[[[\n" + valid, ``},
		{strings.Repeat("? ", 5000), `t.yaml:1: nested more than 16 deep`},
		{"a: [\"\n# \", " + strings.Repeat("[", 9000), `t.yaml:2: nested more than 16 deep`},
		{strings.Repeat("{a: ", 5000), `t.yaml:1: nested more than 16 deep`},
		{strings.Repeat("#", maxFile+1), `t.yaml:1: more than 32768 bytes`},
		{strings.Repeat("#\n", maxFile), `t.yaml:16385: more than 32768 bytes`},
		{"\ufeff" + valid, ``},
		{"\ufeff# a remark\n" + valid, ``},
		{"a: \x00\n", `t.yaml:1: `},
		{strings.Repeat("a", 20000) + ": 1\n", `t.yaml:1: unknown key "aaaa`},
		{"name: " + strings.Repeat("a", 20000), `t.yaml:1: name "aaaa`},
		{"family: " + strings.Repeat("a", 20000), `t.yaml:1: family "aaaa`},
		{strings.Repeat(">", 20000), `t.yaml:1: `},
	} {
		_, err := parse(c.text)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%.60q: %v", c.text, err)
		case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
			t.Errorf("%.60q:\n got %v\nwant %s", c.text, err, c.want)
		}
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("%.60q: a message of %d bytes", c.text, len(err.Error()))
		}
	}
}

func TestNewChecksCode(t *testing.T) {
	d, err := parse(valid)
	if err != nil {
		t.Fatal(err)
	}
	s := d.Spec()
	again, err := New(s)
	if err != nil || again.Spec() != s {
		t.Fatalf("a parsed design is refused: %v", err)
	}
	for _, change := range []func(*Spec){
		func(s *Spec) { s.Array.Rows = 0 },
		func(s *Spec) { s.Array.Cols = 1 << 30 },
		func(s *Spec) { s.ClockMHz = -1 },
		func(s *Spec) { s.Dataflow = 9 },
		func(s *Spec) { s.Array.Drain = DrainShift },
		func(s *Spec) { s.Array.AccumulatorBits[dtype.Int8] = 0 },
		func(s *Spec) { s.Array.MACsPerPEPerCycle = ByFormat{} },
		func(s *Spec) { s.Buffers.OfmapKiB = -1 },
		func(s *Spec) { s.DRAM.BandwidthGBs = 0 },
		func(s *Spec) { s.Name = "" },
	} {
		bad := s
		change(&bad)
		if _, err := New(bad); err == nil {
			t.Errorf("accepted %+v", bad)
		}
	}
}

func TestCheckAllocatesNothing(t *testing.T) {
	d, err := Load("array32")
	if err != nil {
		t.Fatal(err)
	}
	s := d.Spec()
	if n := testing.AllocsPerRun(100, func() {
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func TestShipped(t *testing.T) {
	names := Shipped()
	if len(names) < 3 || !slices.IsSorted(names) {
		t.Errorf("shipped %v", names)
	}
	for _, n := range names {
		d, err := Load(n)
		if err != nil {
			t.Error(err)
			continue
		}
		if d.Name() != n {
			t.Errorf("%s calls itself %q", n, d.Name())
		}
		for _, v := range d.Values() {
			s := d.Spec()
			f, _, _ := kinds[s.Family].find(v.Key)
			if f.numeric && v.Line > 0 && v.Source == "" {
				t.Errorf("%s: %s has no source", n, v.Key)
			}
			if strings.Contains(v.Source, "memory, verify") {
				t.Errorf("%s: %s rests on memory", n, v.Key)
			}
		}
	}
	if _, err := Load("tpu"); err == nil || !strings.Contains(err.Error(), "want "+orList(names)) {
		t.Errorf("unknown name: %v", err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml")); !os.IsNotExist(err) {
		t.Errorf("missing file: %v", err)
	}
}

// A family with a list of records, whose numbers are kept where a Spec has
// room for them.
func TestList(t *testing.T) {
	shipped := kinds
	kinds = [families]*kind{FamilySystolic: &systolicKind}
	kinds[FamilyXNOR] = &kind{
		check:     func(*Spec) *checkError { return nil },
		has:       func(*Spec, dtype.DType) bool { return false },
		structure: func(s *Spec) string { return fmt.Sprint(s.Array.Rows) },
		lists: []*list{{key: "levels", doc: "buffers", min: 1, max: 3, count: func(s *Spec) *int { return &s.Array.Rows },
			entry: func(i int) []field {
				return []field{
					integer("size_kib", "size", 1, 64, func(s *Spec) *int { return &s.Array.AccumulatorBits[i] }),
					optional(integer("ports", "ports", 1, 4, func(s *Spec) *int { return &s.Array.MACsPerPEPerCycle[i] })),
				}
			}}},
	}
	makeLists(kinds[FamilyXNOR])
	familyField = newFamilyField()
	common[2] = familyField
	defer func() {
		kinds = shipped
		familyField = newFamilyField()
		common[2] = familyField
	}()
	const head = "name: t\nclock_mhz: 1\nlevels:\n"
	d, err := parse(head + "  - {size_kib: {value: 8, source: here}, ports: 2}\n  - size_kib: 16\nfamily: xnor\n")
	if err != nil {
		t.Fatal(err)
	}
	if s := d.Spec(); s.Array.Rows != 2 || s.Array.AccumulatorBits != (ByFormat{8, 16, 0}) || s.Array.MACsPerPEPerCycle != (ByFormat{2, 0, 0}) || s.Structure() != "2" {
		t.Errorf("%+v", s)
	}
	var keys []string
	for _, v := range d.Values() {
		keys = append(keys, fmt.Sprintf("%s=%s:%d", v.Key, v.Text, v.Line))
	}
	if got := strings.Join(keys[3:], " "); got != "levels[0].size_kib=8:4 levels[0].ports=2:4 levels[1].size_kib=16:5" {
		t.Errorf("values %s", got)
	}
	for _, c := range []struct{ text, want string }{
		{"  - size_kib: 8\n  - ports: 1\n", "t.yaml:6: levels[1].size_kib is missing: want size; 1 to 64"},
		{"  - size_kib: 8\n    port: 1\n", `t.yaml:6: unknown key "levels[0].port": did you mean "levels[0].ports"?`},
		{"  - size_kib: 80\n", `t.yaml:5: levels[0].size_kib "80": want a whole number from 1 to 64`},
		{"  size_kib: 8\n", "t.yaml:4: levels is a mapping: want a list of 1 to 3 entries, each with size_kib, ports"},
		{"  []\n", "t.yaml:4: levels has 0 entries: want 1 to 3"},
		{"  - 8\n", "t.yaml:5: levels[0] is a plain value: want keys size_kib, ports"},
		{"  - size_kib: 1\narray: {rows: 1}\n", `t.yaml:6: key "array": applies to family systolic only, and this design is xnor`},
	} {
		if _, err := parse("family: xnor\n" + head + c.text); err == nil || err.Error() != c.want {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
	}
	if _, err := parse("family: toaster\n" + head); err == nil || !strings.HasPrefix(err.Error(), `t.yaml:1: family "toaster": want systolic`) || !strings.HasSuffix(err.Error(), " or xnor") {
		t.Error(err)
	}
	if _, err := parse("name: t\nlevels: []\n"); err == nil || !strings.Contains(err.Error(), `key "levels": applies to family xnor only`) {
		t.Error(err)
	}
}

func TestReferenceIsComplete(t *testing.T) {
	for _, r := range Reference() {
		if r.Doc == "" {
			t.Errorf("%s is not explained", r.Key)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{valid, "", "a: &x [*x]", "[[[[", "name: {value: t, source: \"s\"}", "array: {rows: 1, rows: 2}", "? a\n: b", "a: |\n  b\n c", "<<: *a", "\xff\xfe", "a: 'b", "- - - -"} {
		f.Add([]byte(s))
	}
	for _, n := range Shipped() {
		b, _ := Source(n)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse("f.yaml", strings.NewReader(string(data)))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.yaml") {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		s := d.Spec()
		if _, err := New(s); err != nil {
			t.Fatalf("parsed a design that is not valid: %v", err)
		}
	})
}
