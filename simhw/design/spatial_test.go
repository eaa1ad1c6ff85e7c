package design

import (
	"strings"
	"testing"
)

func TestSpatialFile(t *testing.T) {
	const text = `name: s
family: spatial
clock_mhz: 100
technology_nm: 45
voltage_v: 0.9
operand_bits: 8
sum_bits: 24
dram: {bandwidth_gb_s: 1}
levels:
  - {name: buffer, shared_bytes: 4096, shares: IO, children: 16, across: CK}
  - {name: pe, storage: registers, weights_bytes: 8, outputs_bytes: 3, children: 1, time: RC}
mappings:
  - {layer: a, loops: "DRAM K2; buffer P4; across K4; pe C8"}
`
	d, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	s := d.Spec()
	if sp := &s.Spatial; sp.Count != 2 || sp.Levels[0].Parts() != [3]int{0, 4096, 4096} || sp.Levels[1].Parts() != [3]int{8, 0, 3} ||
		sp.Multipliers() != 16 || sp.Mapped != 1 || s.Structure() != "16 multipliers below 2 levels" || !s.Has(1) || s.Has(0) {
		t.Errorf("%+v", sp)
	}
	for _, c := range []struct{ from, to, want string }{
		{"shares: IO", "shares: IX", `t.yaml:10: levels[0].shares "IX": want letters of WIO, each once, or - for none`},
		{"shares: IO", "shares: II", `t.yaml:10: levels[0].shares "II": want letters`},
		{"shares: IO, ", "", `levels[0].shares "-": want it where shared_bytes is given`},
		{"shares: IO", "shares: IO, inputs_bytes: 5", `t.yaml:10: levels[0].inputs_bytes "5": they are in the shared part`},
		{"time: RC", "time: RX", `t.yaml:11: levels[1].time "RX": want letters of RSPQCKNG`},
		{"name: pe", "name: buffer", `t.yaml:11: levels[1].name "buffer": levels[0] has the same`},
		{"name: pe", "name: across", `t.yaml:11: levels[1].name "across": want one word`},
		{"children: 16, ", "", `t.yaml:10: levels[0].children is missing`},
		{"children: 16", "children: 0", `t.yaml:10: levels[0].children "0": want a whole number from 1`},
		{"operand_bits: 8", "operand_bits: 40", `t.yaml:6: operand_bits "40": want a whole number from 1 to 32`},
		{"operand_bits: 8", "operand_bits: 8\nnumbers: float32", `t.yaml:6: operand_bits 8: want 32 where numbers are float32`},
		{"operand_bits: 8", "operand_bits: 8\nnumbers: int8", `t.yaml:7: numbers "int8": want integers, float32 or binary`},
		{"buffer P4", "cache P4", `t.yaml:13: mappings[0].loops level "cache": want DRAM and then the levels`},
		{"DRAM K2; buffer P4", "buffer P4; DRAM K2", `t.yaml:13: mappings[0].loops level "DRAM"`},
		{"pe C8", "pe C8 C2", `t.yaml:13: mappings[0].loops pe: two loops over C`},
		{"pe C8", "pe Cx", `t.yaml:13: mappings[0].loops loop "Cx": want a letter`},
		{"DRAM K2; buffer", "across K2; buffer", `t.yaml:13: mappings[0].loops across: want it once, after a level`},
		{"voltage_v: 0.9", "voltage_v: 0.9\nclock_low_pj_per_cycle: 2", `clock_pj_per_cycle is missing, and its range is given`},
		{"voltage_v: 0.9", "voltage_v: 0.9\ncontrol_pj_per_cycle: 1\ncontrol_low_pj_per_cycle: 2", `t.yaml:7: control_low_pj_per_cycle 2: want at most 1`},
		{"voltage_v: 0.9", "voltage_v: 0.9\nclock_pj_per_cycle: 1\nclock_high_pj_per_cycle: 0.5", `t.yaml:7: clock_high_pj_per_cycle 0.5: want at least 1`},
		{"gb_s: 1", "gb_s: 1, nonzero_bits: 0", `t.yaml:8: dram.nonzero_bits "0": want a number from 1 to 128`},
		{"children: 16", "children: 16, network_macs: -1", `t.yaml:10: levels[0].network_macs "-1": want a number from`},
		{"outputs_bytes: 3", "outputs_bytes: 2", `t.yaml:11: levels[1].outputs_bytes 2: does not hold a word of 24 bits: want at least 3`},
		{"sum_bits: 24", "sum_bits: 30", `t.yaml:11: levels[1].outputs_bytes 3: does not hold a word of 30 bits: want at least 4`},
		{"sum_bits: 24", "sum_bits: 24\npacked: true", ``},
		{"weights_bytes: 8", "inputs_bytes: 1, weights_bytes: 8", ``},
		{"operand_bits: 8", "operand_bits: 9", ``},
		{"weights_bytes: 8", "weights_bytes: 1", ``},
		{"shared_bytes: 4096", "shared_bytes: 3", `t.yaml:10: levels[0].shared_bytes 3: does not hold a word of each of IO, 32 bits: want at least 4`},
		{"voltage_v: 0.9", "voltage_v: 0.9\narray: {rows: 1}", "applies to family systolic only"},
	} {
		if _, err := parse(strings.Replace(text, c.from, c.to, 1)); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.to, err, c.want)
		}
	}
}
