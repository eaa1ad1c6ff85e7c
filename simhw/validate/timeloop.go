package validate

import (
	"fmt"

	"macroscope/simhw/spatial"
)

const timeloopRuns = "runs of Timeloop v2.0 with fixed mappings, on 256 multipliers with register files, a buffer of 128 KiB and DRAM"

const timeloopNote = "counted in its way, approximations included; of 120 mappings all 976 counts are equal, and in 83 of them it approximates: go test ./simhw/spatial -run TestTimeloop -v"

// timeloopCases are three of 120 mappings that Timeloop evaluated, the ones whose
// inputs its approximations change most; the tests of package spatial compare all.
var timeloopCases = []struct {
	name     string
	bounds   spatial.Factors
	stride   int64
	keep     [2][spatial.Spaces]bool // register file, buffer
	loops    string
	cycles   float64
	fills    float64 // of a register file, words of inputs
	buffered float64 // read from the buffer for all register files; 0: inputs pass it by
	dram     float64 // read from DRAM
}{
	{"stride 2, 16 to 32 channels", spatial.Factors{spatial.R: 3, spatial.S: 3, spatial.P: 16, spatial.Q: 16, spatial.C: 16, spatial.K: 32, spatial.N: 1, spatial.G: 1}, 2,
		[2][spatial.Spaces]bool{{true, true, true}, {true, true, true}},
		"DRAM C2 P2 R3 K2; GlobalBuffer K2 Q4 P2; across K2 C2 P2 Q4 S3; RegisterFile K4 C4 P2", 12288, 9216, 165888, 17952},
	{"8×8, 64 to 128 channels", spatial.Factors{spatial.R: 3, spatial.S: 3, spatial.P: 8, spatial.Q: 8, spatial.C: 64, spatial.K: 128, spatial.N: 1, spatial.G: 1}, 1,
		[2][spatial.Spaces]bool{{true, true, true}, {false, true, true}},
		"DRAM P2 Q4 C2 K8; GlobalBuffer C8 P4 R3; across K4 C2 Q2 S3; RegisterFile K4 C2", 98304, 36864, 147456, 12288},
	{"four images, 16 to 16 channels", spatial.Factors{spatial.R: 3, spatial.S: 3, spatial.P: 8, spatial.Q: 8, spatial.C: 16, spatial.K: 16, spatial.N: 4, spatial.G: 1}, 1,
		[2][spatial.Spaces]bool{{false, true, false}, {false, false, true}},
		"DRAM Q4 C4; GlobalBuffer K8 P2 N2 Q2 C4; across P4 K2 N2 R3; RegisterFile S3", 12288, 36864, 0, 147456},
}

// timeloop compares counts of inputs in Timeloop's way of counting, and says what the
// words themselves are.
func timeloop() ([]Row, error) {
	var rows []Row
	for _, c := range timeloopCases {
		a := spatial.Arch{Count: 3, Bits: [spatial.Spaces]int64{16, 16, 16}, Timeloop: true}
		a.Levels[0] = spatial.Level{Name: "RegisterFile", FanoutX: 1, FanoutY: 1, Keep: c.keep[0]}
		a.Levels[1] = spatial.Level{Name: "GlobalBuffer", FanoutX: 256, FanoutY: 1, Keep: c.keep[1]}
		a.Levels[2] = spatial.Level{Name: "DRAM", FanoutX: 1, FanoutY: 1, Keep: [spatial.Spaces]bool{true, true, true}}
		m, err := a.ParseMapping(c.loops)
		if err != nil {
			return nil, err
		}
		p := spatial.Problem{Bounds: c.bounds, StrideP: c.stride, StrideQ: c.stride, DilationR: 1, DilationS: 1}
		if err := a.CheckMapping(&p, &m); err != nil {
			return nil, err
		}
		var theirs, exact spatial.Result
		a.Evaluate(&p, &m, &theirs)
		a.Timeloop = false
		a.Evaluate(&p, &m, &exact)
		add := func(what, unit string, published float64, ours, words int64) {
			if words != ours {
				what += fmt.Sprintf(" (%d are needed)", words)
			}
			rows = append(rows, Row{Design: c.name, What: what, Unit: unit, Theirs: published, Ours: float64(ours), Source: timeloopRuns, Note: timeloopNote})
		}
		in := func(r *spatial.Result, level int) *spatial.Counts { return &r.Levels[level].Spaces[spatial.Inputs] }
		rows = append(rows, Row{Design: c.name, What: "cycles", Unit: "cycles", Theirs: c.cycles, Ours: float64(theirs.Cycles), Source: timeloopRuns, Note: timeloopNote})
		add("inputs that fill a register file", "words", c.fills, in(&theirs, 0).Fills, in(&exact, 0).Fills)
		if c.buffered > 0 {
			add("inputs read from the buffer", "words", c.buffered, in(&theirs, 1).Reads, in(&exact, 1).Reads)
		}
		add("inputs read from DRAM", "words", c.dram, in(&theirs, 2).Reads, in(&exact, 2).Reads)
	}
	return rows, nil
}
