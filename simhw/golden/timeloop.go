package golden

// TimeloopRun is a fixed mapping that Timeloop v2.0 evaluated. Loops are written
// dimension by dimension, "R1 S3 P4 ...", and their order from inside out, "RPCQSNK".
type TimeloopRun struct {
	Case, Layer         string
	R, S, P, Q, C, K, N int64
	Stride, Bits        int64
	Limited             bool   // bandwidth of 4, 16 and 8 words a cycle of register file, buffer and DRAM
	KeepRF, KeepBuffer  string // "Weights+Inputs+Outputs"

	RegisterFile, Spatial, Buffer, DRAM TimeloopLoops
	AlongX                              int64 // of the spatial loops, in their order

	Cycles int64
	Energy float64 // µJ, printed with two digits after the point
	Levels []TimeloopCounts
}

// TimeloopLoops is a level's loops.
type TimeloopLoops struct{ Factors, Order string }

// TimeloopCounts is what an instance of a level holds of one kind of data, and reads,
// fills and updates, in words. Energy, pJ, is of all instances, with two digits after
// the point.
type TimeloopCounts struct {
	Level, Data                            string // RegisterFile, GlobalBuffer or DRAM; Weights, Inputs or Outputs
	Instances, Tile, Reads, Fills, Updates int64
	Energy                                 float64
}

// Timeloop returns the mappings.
func Timeloop() ([]TimeloopRun, error) {
	levels := map[string][]TimeloopCounts{}
	err := read("timeloop_levels.csv", func(t *table) {
		c := t.text("case")
		levels[c] = append(levels[c], TimeloopCounts{t.text("level"), t.text("dataspace"), t.whole("instances"), t.whole("tile"), t.whole("reads"), t.whole("fills"), t.whole("updates"), t.number("energy_pJ")})
	})
	if err != nil {
		return nil, err
	}
	var runs []TimeloopRun
	err = read("timeloop.csv", func(t *table) {
		loops := func(level string) TimeloopLoops {
			return TimeloopLoops{t.text(level + "_factors"), t.text(level + "_perm")}
		}
		runs = append(runs, TimeloopRun{Case: t.text("case"), Layer: t.text("layer"), R: t.whole("R"), S: t.whole("S"), P: t.whole("P"), Q: t.whole("Q"), C: t.whole("C"), K: t.whole("K"), N: t.whole("N"),
			Stride: t.whole("stride"), Bits: t.whole("bits"), Limited: t.text("bw") == "1", KeepRF: t.text("keepRF"), KeepBuffer: t.text("keepGLB"),
			RegisterFile: loops("rf"), Spatial: loops("sp"), Buffer: loops("glb"), DRAM: loops("dram"), AlongX: t.whole("sp_split"),
			Cycles: t.whole("cycles"), Energy: t.number("energy_uJ"), Levels: levels[t.text("case")]})
	})
	return runs, err
}
