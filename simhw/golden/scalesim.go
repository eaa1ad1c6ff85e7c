package golden

// ScaleSimRun is a layer that SCALE-Sim v3 ran in its ideal mode, with buffers of 64
// KiB. Utilizations are in %, traffic in words.
type ScaleSimRun struct {
	Topology, Layer string // SCALE-Sim names channels of a depthwise layer <layer>Channel_0, ...
	Rows, Cols      int64
	Dataflow        string // os, ws or is
	M, N, K         int64

	Failed bool // it divides by its own cycles, 0 where one element makes one product

	TotalCycles                                      int64
	OverallUtil, MappingEff, ComputeUtil             float64
	IfmapSRAMReads, FilterSRAMReads, OfmapSRAMWrites int64

	Replayed                                         bool // the rest is known
	IfmapDRAMReads, FilterDRAMReads, OfmapDRAMWrites int64
	TotalCyclesInclPrefetch                          int64
}

// ScaleSim returns the layer runs.
func ScaleSim() ([]ScaleSimRun, error) {
	var runs []ScaleSimRun
	err := read("scalesim.csv", func(t *table) {
		runs = append(runs, ScaleSimRun{Topology: t.text("topology"), Layer: t.text("name"), Rows: t.whole("rows"), Cols: t.whole("cols"), Dataflow: t.text("dataflow"),
			M: t.whole("M"), N: t.whole("N"), K: t.whole("K"), Failed: t.text("total_cycles") == "", TotalCycles: t.whole("total_cycles"),
			OverallUtil: t.number("overall_util_pct"), MappingEff: t.number("mapping_eff_pct"), ComputeUtil: t.number("compute_util_pct"),
			IfmapSRAMReads: t.whole("sram_ifmap_reads"), FilterSRAMReads: t.whole("sram_filter_reads"), OfmapSRAMWrites: t.whole("sram_ofmap_writes"),
			Replayed: t.text("total_cycles_incl_prefetch") != "", IfmapDRAMReads: t.whole("dram_ifmap_reads"), FilterDRAMReads: t.whole("dram_filter_reads"),
			OfmapDRAMWrites: t.whole("dram_ofmap_writes"), TotalCyclesInclPrefetch: t.whole("total_cycles_incl_prefetch")})
	})
	return runs, err
}
