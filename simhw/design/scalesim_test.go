package design

import (
	"strings"
	"testing"
)

const cfg = `[general]
run_name = 16x8_ws

[architecture_presets]
ArrayHeight:    16
ArrayWidth:     8
IfmapSramSzkB:   64
FilterSramSzkB:  32
OfmapSramSzkB:   16
Dataflow : ws
`

func TestParseSCALESim(t *testing.T) {
	d, err := ParseSCALESim("dir/x.cfg", strings.NewReader(cfg))
	if err != nil {
		t.Fatal(err)
	}
	s := d.Spec()
	if !s.ScaleSim || s.Name != "16x8_ws" || s.Dataflow != WS || s.Array.Rows != 16 || s.Array.Cols != 8 ||
		s.Buffers != (Buffers{IfmapKiB: 64, FilterKiB: 32, OfmapKiB: 16}) || len(d.Warnings()) != 0 {
		t.Errorf("got %+v, warnings %q", s, d.Warnings())
	}
	if d, err := Load("testdata/16x16_ws_CALC.cfg"); err != nil || len(d.Warnings()) != 0 {
		t.Errorf("a version 3 file: %v, warnings %q", err, d.Warnings())
	}
	unnamed := strings.Replace(cfg, "[general]\nrun_name = 16x8_ws\n", "", 1)
	if d, err := ParseSCALESim("dir/x.cfg", strings.NewReader(unnamed)); err != nil || d.Name() != "x" {
		t.Errorf("without [general]: %v, name %q", err, d.Name())
	}
}

func TestParseSCALESimWarnings(t *testing.T) {
	text := cfg + "ArrayDepth: 3\n[run_presets]\nInterfaceBandwidth: USER\nUseRamulatorTrace: True\n[layout]\nIfmapCustomLayout: True\n[colour]\nbright: 1\n"
	d, err := ParseSCALESim("x.cfg", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(d.Warnings(), "\n")
	for _, want := range []string{`x.cfg:11: key "ArrayDepth" of section "architecture_presets" is not used`, `section "colour" is not used`,
		"InterfaceBandwidth USER", "useramulatortrace is on", "ifmapcustomlayout is on"} {
		if !strings.Contains(all, want) {
			t.Errorf("no warning %q in\n%s", want, all)
		}
	}
}

func TestParseSCALESimErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "x.cfg:1: ArrayHeight is missing"},
		{strings.Replace(cfg, "16\nArrayW", "0\nArrayW", 1), `x.cfg:5: ArrayHeight "0": want a whole number from 1`},
		{strings.Replace(cfg, ": ws", ": rs", 1), `x.cfg:10: Dataflow "rs": want os, ws or is`},
		{strings.Replace(cfg, "ArrayWidth:     8\n", "", 1), "x.cfg:9: ArrayWidth is missing"},
		{cfg + "Dataflow: os\n", `x.cfg:11: key "dataflow" again: first on line 10`},
		{cfg + "Bandwidth: ten\n", `x.cfg:11: Bandwidth "ten"`},
		{cfg + "[sparsity]\nSparsitySupport: true\n", "x.cfg:12: SparsitySupport true: want false"},
		{cfg + "[sparsity]\nSparsitySupport: maybe\n", `x.cfg:12: sparsitysupport "maybe": want True or False`},
		{cfg + "[run_presets]\nInterfaceBandwidth: FAST\n", `x.cfg:12: InterfaceBandwidth "FAST": want CALC or USER`},
		{cfg + "[open\n", `x.cfg:11: section "[open": want [name]`},
		{cfg + "nonsense\n", `x.cfg:11: "nonsense": want key = value`},
		{"a = b\n", `x.cfg:1: "a = b" before the first section`},
		{strings.Repeat("#\n", maxFile), "x.cfg: more than"},
	} {
		_, err := ParseSCALESim("x.cfg", strings.NewReader(c.text))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%.40q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

func FuzzParseSCALESim(f *testing.F) {
	f.Add(cfg)
	f.Add("[general]\nrun_name = \n[a]\n=\n")
	f.Add("[run_presets]\nInterfaceBandwidth: USER")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseSCALESim("f.cfg", strings.NewReader(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.cfg") {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		if _, err := New(d.Spec()); err != nil {
			t.Fatalf("parsed a design that is not valid: %v", err)
		}
	})
}
