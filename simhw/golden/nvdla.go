package golden

// NVDLALayer is a line of the vendor's estimator for ResNet-50, with 2,048 int8 MACs at
// 1 GHz, 512 KiB and 10 GB/s of DRAM.
type NVDLALayer struct {
	Name             string
	Dense, Addition  bool // the shape's C and K are inputs and outputs; a second tensor is added
	C, H, W, K, R, S int
	StrideH, StrideW int
	P, Q             int     // outputs, before a pool
	OutputKiB        float64 // after it

	With, Without NVDLATime // a second memory of 4 MiB at 25 GB/s
}

// NVDLATime is a layer's traffic of DRAM, cycles of each part, and the most of them.
type NVDLATime struct {
	DRAMKiB                              float64
	DRAM, SRAMRead, SRAMWrite, MACs, Max int64
}

// NVDLAResNet50 returns the 54 layers.
func NVDLAResNet50() ([]NVDLALayer, error) {
	var layers []NVDLALayer
	err := read("nvdla_resnet50.csv", func(t *table) {
		at := func(column string) int { return int(t.whole(column)) }
		kind := t.text("attribute")
		layers = append(layers, NVDLALayer{Name: t.text("name"), Dense: kind == "fc", Addition: kind == "conv + elwise", C: at("C"), H: at("H"), W: at("W"), K: at("K"), R: at("R"), S: at("S"),
			StrideH: at("stride_h"), StrideW: at("stride_w"), P: at("P"), Q: at("Q"), OutputKiB: t.number("output_kib"),
			With:    NVDLATime{t.number("a_dram_kib"), t.whole("a_dram"), t.whole("a_sram_read"), t.whole("a_sram_write"), t.whole("a_macs"), t.whole("a_max")},
			Without: NVDLATime{DRAMKiB: t.number("b_dram_kib"), DRAM: t.whole("b_dram"), MACs: t.whole("b_macs"), Max: t.whole("b_max")}})
	})
	return layers, err
}
