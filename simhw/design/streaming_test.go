package design

import (
	"strings"
	"testing"
)

// Entries of the list of engines are judged where they stand.
func TestStreamingFile(t *testing.T) {
	const head = "name: s\nfamily: streaming\nclock_mhz: 100\n"
	const fabric = "fabric: {logic_over_asic: 14, logic_over_asic_low: 7, logic_over_asic_high: 28, memory_over_asic: 2, memory_over_asic_low: 1, memory_over_asic_high: 4, static_mw: 5, static_low_mw: 4, static_high_mw: 6}\n"
	d, err := parse(head + "engines:\n  - {layer: a, pe: {value: 4, source: here}, simd: 3}\n  - {layer: b, pe: 2, simd: 8}\n")
	if err != nil {
		t.Fatal(err)
	}
	if s := d.Spec(); s.Streaming.Count != 2 || s.Streaming.Engines[1] != (StreamEngine{"b", 2, 8}) || s.Streaming.AllLanes() != 4*3+2*8 || s.Structure() != "2 engines of 28 lanes" {
		t.Errorf("%+v", s.Streaming.Engines[:2])
	}
	if got := strings.Join(d.Assumed(), " "); got != "clock_mhz engines[0].simd engines[1].pe engines[1].simd" {
		t.Errorf("assumed %s: want no names of layers", got)
	}
	if d, err = parse(head + "lanes: 500\n"); err != nil {
		t.Fatal(err)
	} else if s := d.Spec(); s.Structure() != "500 lanes" || s.Streaming.Fabric != (Fabric{}) {
		t.Errorf("%s", s.Structure())
	}
	if d, err = parse(head + "lanes: 5\ntechnology_nm: 28\nvoltage_v: 1\n" + fabric); err != nil {
		t.Fatal(err)
	} else if s := d.Spec(); s.Streaming.Fabric.StaticLowMW != 4 || s.Streaming.Fabric.MemoryOverASICHigh != 4 {
		t.Errorf("%+v", s.Streaming.Fabric)
	}
	for _, c := range []struct{ text, want string }{
		{"", "t.yaml:1: lanes is missing: want it, or engines"},
		{"engines:\n  - {layer: a, pe: 0, simd: 3}\n", `t.yaml:5: engines[0].pe "0": want a whole number from 1 to 16384`},
		{"engines:\n  - {layer: a, pe: 4}\n", "t.yaml:5: engines[0].simd is missing: want inputs of each in a cycle"},
		{"engines:\n  - {layer: a, pe: 4, simd: 3, rows: 1}\n", `t.yaml:5: unknown key "engines[0].rows"`},
		{"lanes: 5\narray: {rows: 1}\n", `applies to family systolic only, and this design is streaming`},
		{"lanes: 5\nfabric: {logic_over_asic: 14}\n", "t.yaml:5: fabric.logic_over_asic 14 with a range from 0 to 0: want all of fabric's keys"},
		{"lanes: 5\n" + fabric, "technology_nm"},
		{"lanes: 5\ntechnology_nm: 28\nvoltage_v: 1\n" + strings.Replace(fabric, "static_mw: 5", "static_mw: 50", 1), "want all of fabric's keys, each in its range"},
		{"lanes: -1\n", `t.yaml:4: lanes "-1": want a whole number from 1 to`},
	} {
		if _, err := parse(head + c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
	}
}

func TestXNORFile(t *testing.T) {
	const text = "name: x\nfamily: xnor\nclock_mhz: 100\ntechnology_nm: 45\nvoltage_v: 0.9\nengine: {pes: 4, simd_bits: 8, accumulator_bits: 16}\nmemory: {weights_kib: 1, activations_kib: 1}\n"
	d, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if s := d.Spec(); s.XNOR != (XNOR{PEs: 4, SIMD: 8, AccumulatorBits: 16, WeightKiB: 1, ActivationKiB: 1}) || s.Has(1) {
		t.Errorf("%+v", s.XNOR)
	}
	for _, c := range []struct{ from, to, want string }{
		{"pes: 4", "pes: 0", `t.yaml:6: engine.pes "0": want a whole number`},
		{"pes: 4, ", "", "engine.pes is missing"},
		{"simd_bits", "simd_bit", `t.yaml:6: unknown key "engine.simd_bit": did you mean "engine.simd_bits"?`},
		{"accumulator_bits: 16", "accumulator_bits: 16, weight_load_bits_per_cycle: 8, integers_by_bit_planes: true", "t.yaml:6: engine.integers_by_bit_planes"},
		{"voltage_v: 0.9", "voltage_v: 0.4\ndram: {bandwidth_gb_s: 1}", "applies to family"},
	} {
		if _, err := parse(strings.Replace(text, c.from, c.to, 1)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.to, err, c.want)
		}
	}
}
