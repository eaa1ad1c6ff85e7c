package energy

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"macroscope/dtype"
)

func near(a, b, rel float64) bool { return math.Abs(a-b) <= rel*math.Abs(b) }

// The factors at 0.9 V relative to 45 nm, worked out from the coefficients
// outside this program.
func TestEnergyScaleAtNodes(t *testing.T) {
	for nm, want := range map[float64]float64{65: 1.514, 45: 1, 32: 0.654, 20: 0.287, 16: 0.226, 14: 0.181, 10: 0.154, 7: 0.124} {
		got, err := EnergyScale(45, 0.9, nm, 0.9)
		if err != nil || math.Abs(got-want) > 0.0006 {
			t.Errorf("%g nm: got %.4f, %v, want %.3f", nm, got, err, want)
		}
	}
}

// The authors' own example, from the paper's corrigendum: 1 pJ at 65 nm and
// 1.3 V is 0.1755 pJ (cut off, not rounded) at 32 nm and 0.9 V.
func TestEnergyScalePublishedExample(t *testing.T) {
	got, err := EnergyScale(65, 1.3, 32, 0.9)
	if err != nil || math.Abs(got-0.1755) > 0.0001 {
		t.Errorf("got %.5f, %v, want 0.1755", got, err)
	}
}

func TestEnergyScaleBetweenNodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nm := rapid.Float64Range(MinNodeNM, 65).Draw(t, "nm")
		v := rapid.Float64Range(0.7, 1.2).Draw(t, "v")
		s, err := EnergyScale(45, 0.9, nm, v)
		if err != nil {
			t.Fatal(err)
		}
		finer, err := EnergyScale(45, 0.9, math.Max(MinNodeNM, nm*0.9), v)
		if err != nil {
			t.Fatal(err)
		}
		if !(s > 0) || finer > s*(1+1e-12) {
			t.Fatalf("%g nm, %g V: %g, finer %g", nm, v, s, finer)
		}
		higher, err := EnergyScale(45, 0.9, nm, v+0.05)
		if err != nil || higher < s {
			t.Fatalf("more voltage costs less: %g, then %g (%v)", s, higher, err)
		}
	})
}

func TestEnergyScaleRefuses(t *testing.T) {
	for _, c := range []struct {
		nm, v float64
		want  string
	}{
		{5, 0.9, "5 nm: want 7 to 180"}, {250, 0.9, "250 nm"}, {math.NaN(), 0.9, "NaN nm"},
		{45, 0.1, "0.1 V: want 0.4 to 1.8"}, {45, math.Inf(1), "+Inf V"}, {45, math.NaN(), "NaN V"},
		{180, 0.7, "0.7 V at 180 nm: outside the scaling equation's fit"},
		{180, 0.73, "0.73 V at 180 nm: outside the scaling equation's fit"}, // a hair above 0
		{65, 0.5, "0.5 V at 65 nm: outside"},
	} {
		_, err := EnergyScale(45, 0.9, c.nm, c.v)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%g nm, %g V: got %v, want %q", c.nm, c.v, err, c.want)
		}
	}
}

func TestSRAMAccess(t *testing.T) {
	for kib, want := range map[float64]float64{8: 10, 32: 20, 1024: 100, 16: 14.142, 2: 5} {
		if got := SRAMAccessPJ(kib); !near(got, want, 1e-4) {
			t.Errorf("%g KiB: %g pJ, want %g", kib, got, want)
		}
	}
	for kib := 0.5; kib < 1<<16; kib *= 1.3 {
		if SRAMAccessPJ(kib*1.3) <= SRAMAccessPJ(kib) {
			t.Errorf("%g KiB costs no less than a larger one", kib)
		}
	}
}

var config45 = Config{NodeNM: 45, VoltageV: 0.9, Lanes: [dtype.Count]int{1, 1, 8}, AccumulatorBits: [dtype.Count]int{32, 32, 16},
	IfmapKiB: 8, FilterKiB: 32, OfmapKiB: 1024, DRAMPJPerBit: 8}

// 10 int8 products accumulated in 32 bits: 10·0.2 + 10·0.1 = 3 pJ. 64 bits of
// each buffer: 10, 20 and 100 pJ. 5 DRAM bits: 40 pJ. At 45 nm a register bit
// costs 0.009 pJ over the factor between 40 and 45 nm.
func TestEnergyByHand(t *testing.T) {
	p, err := NewPrices(config45)
	if err != nil {
		t.Fatal(err)
	}
	b := p.Energy(&Actions{DType: dtype.Int8, Products: 10, Accumulates: 10, RegisterBits: 100, IfmapBits: 64, FilterBits: 64, OfmapBits: 64, DRAMBits: 5})
	for _, c := range []struct {
		name      string
		got, want float64
	}{{"mac", b.MACPJ, 3}, {"ifmap", b.IfmapSRAMPJ, 10}, {"filter", b.FilterSRAMPJ, 20}, {"ofmap", b.OfmapSRAMPJ, 100}, {"dram", b.DRAMPJ, 40}} {
		if !near(c.got, c.want, 1e-9) {
			t.Errorf("%s: %g pJ, want %g", c.name, c.got, c.want)
		}
	}
	if b.RegisterPJ < 0.9 || b.RegisterPJ > 1.2 {
		t.Errorf("100 register bits: %g pJ, want a little over 0.9", b.RegisterPJ)
	}
	if sum := b.TotalPJ(); !near(sum, 173+b.RegisterPJ, 1e-9) {
		t.Errorf("total %g", sum)
	}
	// Eight binary products in one PE: 8 XNORs, 7 full adders, one 16-bit
	// accumulation: 8·1.25 + 7·3.75 + 50 fJ.
	one := p.Energy(&Actions{DType: dtype.Binary, Products: 8, TreeAdds: 7, Accumulates: 1})
	if !near(one.MACPJ, 0.08625, 1e-9) {
		t.Errorf("binary: %g pJ, want 0.08625", one.MACPJ)
	}
	if f := p.Energy(&Actions{DType: dtype.Float32, Products: 1, Accumulates: 1}); !near(f.MACPJ, 4.6, 1e-9) {
		t.Errorf("float32: %g pJ, want 4.6", f.MACPJ)
	}
}

func TestPricesAreAllPositive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := config45
		c.NodeNM = rapid.Float64Range(7, 65).Draw(t, "nm")
		c.VoltageV = rapid.Float64Range(0.7, 1.1).Draw(t, "v")
		c.IfmapKiB = rapid.Float64Range(1, 1<<16).Draw(t, "kib")
		p, err := NewPrices(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []float64{p.Product[0], p.Product[1], p.Product[2], p.TreeAdd[0], p.TreeAdd[1], p.TreeAdd[2],
			p.Accumulate[0], p.Accumulate[1], p.Accumulate[2], p.RegisterBit, p.IfmapBit, p.FilterBit, p.OfmapBit} {
			if !(v > 0) || math.IsInf(v, 0) {
				t.Fatalf("price %g in %+v", v, p)
			}
		}
	})
	c := config45
	c.OfmapKiB = 0
	if _, err := NewPrices(c); err == nil {
		t.Error("a buffer without capacity got a price")
	}
	c = config45
	c.DRAMPJPerBit = 0
	if p, _ := NewPrices(c); p.HasDRAM() {
		t.Error("DRAM has a price that nobody gave")
	}
}

func TestArea(t *testing.T) {
	c := config45
	c.Lanes = [dtype.Count]int{dtype.Int8: 1}
	// 282 + 137 µm² of units and 48 register bits; 1064 KiB of cells at
	// 600·0.045² = 1.215 µm².
	a := AreaOf(c, 2, 48)
	r, _ := AreaScale(40, 45)
	if want := 2 * (419 + 48*5.98*r); !a.PEsKnown || !near(a.PEsUM2, want, 1e-9) {
		t.Errorf("PEs: %g µm², want %g", a.PEsUM2, want)
	}
	if want := 1064 * 1024 * 8 * 1.215; !a.SRAMKnown || !near(a.SRAMUM2, want, 1e-9) {
		t.Errorf("SRAM: %g µm², want %g", a.SRAMUM2, want)
	}
	c.NodeNM = 130
	if a := AreaOf(c, 2, 48); a.PEsKnown {
		t.Error("130 nm has no area factor, yet the PEs have an area")
	}
	if s, ok := AreaScale(45, 32); !ok || !near(s, 0.46, 1e-9) {
		t.Errorf("45 to 32 nm: %g, %v", s, ok)
	}
}

// Prices at the ends of the ranges enclose the others, in every part.
func TestRangesEnclose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := config45
		c.NodeNM = rapid.Float64Range(7, 65).Draw(t, "nm")
		c.VoltageV = rapid.Float64Range(0.7, 1.1).Draw(t, "v")
		c.DRAMLowPJPerBit, c.DRAMHighPJPerBit = 4, 14
		p, err := NewPrices(c)
		if err != nil {
			t.Fatal(err)
		}
		n := rapid.Int64Range(0, 1e6)
		x := rapid.Float64Range(0, 1e6)
		b := p.Energy(&Actions{DType: dtype.All[rapid.IntRange(0, 2).Draw(t, "dtype")], Products: n.Draw(t, "products"), TreeAdds: n.Draw(t, "adds"), Accumulates: n.Draw(t, "acc"),
			RegisterBits: x.Draw(t, "reg"), IfmapBits: x.Draw(t, "if"), FilterBits: x.Draw(t, "fil"), OfmapBits: x.Draw(t, "of"), DRAMBits: x.Draw(t, "dram")})
		a := AreaOf(c, n.Draw(t, "pes"), 64)
		if !(a.LowUM2 <= a.TotalUM2 && a.TotalUM2 <= a.HighUM2) {
			t.Fatalf("area %+v", a)
		}
		dynamic := b.TotalPJ()
		p.Leak(&b, &a, x.Draw(t, "us"))
		if total := b.TotalPJ(); !(b.LowPJ <= total && total <= b.HighPJ && total >= dynamic) || !b.LeakagePriced {
			t.Fatalf("%g pJ, range %g to %g", total, b.LowPJ, b.HighPJ)
		}
	})
}

// 2 mm² of 12.3 mW/mm² for 10 µs: 246 nJ. Half the voltage leaks half.
func TestLeakByHand(t *testing.T) {
	for v, want := range map[float64]float64{0.9: 246e3, 0.45: 123e3} {
		c := config45
		c.VoltageV = v
		p, err := NewPrices(c)
		if err != nil {
			t.Fatal(err)
		}
		var b Breakdown
		p.Leak(&b, &Area{TotalUM2: 2e6, LowUM2: 1e6, HighUM2: 3e6, PEsKnown: true, SRAMKnown: true}, 10)
		if !near(b.LeakagePJ, want, 1e-9) {
			t.Errorf("%g V: %g pJ, want %g", v, b.LeakagePJ, want)
		}
		c.LeakageMWPerMM2 = 1.23 // the design's own
		if p, err = NewPrices(c); err != nil {
			t.Fatal(err)
		}
		b = Breakdown{}
		p.Leak(&b, &Area{TotalUM2: 2e6, LowUM2: 1e6, HighUM2: 3e6, PEsKnown: true, SRAMKnown: true}, 10)
		if low := 0.12 * 1e4; !near(b.LeakagePJ, 24.6e3, 1e-9) || !near(b.LowPJ, low, 1e-9) {
			t.Errorf("%g V, 1.23 mW/mm²: %g pJ, low %g, want 24600 and %g", v, b.LeakagePJ, b.LowPJ, low)
		}
		b = Breakdown{}
		if p.Leak(&b, &Area{TotalUM2: 2e6, SRAMKnown: true}, 10); b.LeakagePriced || b.LeakagePJ != 0 {
			t.Error("an area that is not known leaks")
		}
	}
}

func TestParseTable(t *testing.T) {
	text := string(DefaultYAML())
	change := func(old, new string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("no %q in the table", old)
		}
		return strings.Replace(text, old, new, 1)
	}
	// A table of one's own changes prices.
	mine, err := ParseTable("mine.yaml", strings.NewReader("\ufeff"+change("int8_multiply_pj: {value: 0.2,", "int8_multiply_pj: {value: 0.3,")))
	if err != nil {
		t.Fatal(err)
	}
	c := config45
	c.Table = mine
	if p, err := NewPrices(c); err != nil || !near(p.Product[dtype.Int8], 0.3, 1e-9) {
		t.Errorf("%v, %v", p.Product, err)
	}
	for _, c := range []struct{ text, want string }{
		{change("int8_add_pj: {value: 0.03", "int8_add_pj: {value: -1"), "int8_add_pj: value -1: want more than 0"},
		{change("value: 0.03, low: 0.015", "value: 0.03, low: 0.15"), "int8_add_pj: low 0.15, value 0.03, high 0.063: want 0 < low ≤ value ≤ high"},
		{change("value: 0.03,", "value: .nan,"), "int8_add_pj: value NaN: want more than 0"},
		{change("int8_add_pj:", "int9_add_pj:"), `unknown field "int9_add_pj"`},
		{change("int8_add_pj: {value: 0.03,", "int8_add_pj: {value: 0.03, colour: 1,"), `unknown field "colour"`},
		{change("node_nm: 45, voltage_v: 0.9,", "voltage_v: 0.9,"), "int8_add_pj: want node_nm and voltage_v"},
		{change("node_nm: 45,", "node_nm: 4,"), "int8_add_pj: node_nm 4: want 7 to 180"},
		{change("xnor_um2: {", "xnor_um2: {{"), "lists, anchors, tags, text blocks and mappings in mappings"},
		{change("xnor_um2: {", "xnor_um2: &a {"), "lists, anchors, tags"},
		{strings.Repeat("#", maxTable+1), "more than 32768 bytes"},
		{"", "is missing: want {value, low, high, source, range}"},
		{"int8_add_pj: 3\n", "t.yaml:1: "},
	} {
		_, err := ParseTable("t.yaml", strings.NewReader(c.text))
		if err == nil || !strings.HasPrefix(err.Error(), "t.yaml:") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestTableNamesSources(t *testing.T) {
	if len(Default().Constants()) < 20 {
		t.Error("the table is short")
	}
	for _, c := range Default().Constants() {
		if c.Name == "" || strings.Contains(c.Source+c.Range, "verify") {
			t.Errorf("%+v", c)
		}
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add(DefaultYAML())
	f.Add([]byte("a: {"))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := ParseTable("f.yaml", strings.NewReader(string(data)))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.yaml") {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		c := config45
		c.Table = table
		if _, err := NewPrices(c); err != nil {
			t.Fatal(err)
		}
	})
}

// A breakdown comes back from its JSON, with the parts that only some designs give.
func TestBreakdownJSON(t *testing.T) {
	for _, b := range []Breakdown{
		{},
		{MACPJ: 1, RegisterPJ: 2, IfmapSRAMPJ: 3, FilterSRAMPJ: 4, OfmapSRAMPJ: 5, DRAMPJ: 6, LeakagePJ: 7, LowPJ: 8, HighPJ: 90, Priced: true, DRAMPriced: true, LeakagePriced: true},
		{MACPJ: 1, NetworkPJ: 2, ClockPJ: 3, ControlPJ: 4, LowPJ: 5, HighPJ: 20, Priced: true},
		PerCycle(2, 1, 4, 3),
	} {
		data, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		var back Breakdown
		if err := json.Unmarshal(data, &back); err != nil || back != b {
			t.Errorf("%s: %+v, %v: want %+v", data, back, err, b)
		}
		sum := b
		sum.Add(&b)
		if got, want := sum.TotalPJ(), 2*b.TotalPJ(); got != want {
			t.Errorf("%s: twice it is %g pJ, want %g", data, got, want)
		}
	}
}
