// Package energy prices what an accelerator does. Energy is action counts
// times prices and nothing else; a price comes from the table in this file,
// where every number names its source, is fitted to a buffer's capacity and
// scaled to the design's technology node and voltage. What has no price is
// reported as not modelled, never as zero.
//
// Not modelled here: leakage, the clock tree, control, wiring between blocks.
package energy

// Constant is one published or assumed number of the table.
type Constant struct {
	Name     string
	Value    float64
	Unit     string
	NodeNM   float64 // technology at which Value holds; 0 where it does not scale
	VoltageV float64 // supply at which Value holds; 0 where it does not matter
	Source   string  // "assumed: ..." where the choice is ours
}

const (
	horowitz     = "M. Horowitz, ISSCC 2014, 45 nm at 0.9 V, as listed in stillwater-sc/esim energysim/database/energy.py"
	horowitzMem  = "M. Horowitz, ISSCC 2014, per 64-bit access at 45 nm, 0.9 V, as listed in CMU-SAFARI/sasiml hw/energy_model.py"
	horowitzArea = "M. Horowitz, ISSCC 2014, area at 45 nm, figure 15 of Kim et al., Full Stack Optimization of Transformer Inference"
	aladdin      = "Aladdin 40 nm library, as listed in the Accelergy library"
	greaves      = "D. J. Greaves, University of Cambridge, SysOnChip lecture, SRAM rule of thumb: 600 square lambda a bit, lambda the feature size"
)

// The prices, in pJ at the stated node, and the areas, in µm².
const (
	addInt8PJ   = 0.03
	addInt16PJ  = 0.05
	addInt32PJ  = 0.1
	mulInt8PJ   = 0.2
	addFP32PJ   = 0.9
	mulFP32PJ   = 3.7
	fullAdderPJ = addInt8PJ / 8
	xnorPJ      = fullAdderPJ / 3

	registerPJPerBit = 0.009

	addInt8UM2   = 36.0
	addInt16UM2  = 67.0
	addInt32UM2  = 137.0
	mulInt8UM2   = 282.0
	addFP32UM2   = 4184.0
	mulFP32UM2   = 7700.0
	fullAdderUM2 = addInt8UM2 / 8
	xnorUM2      = fullAdderUM2 / 3

	registerUM2PerBit = 5.98
	sramLambda2PerBit = 600.0

	baseNM     = 45.0 // node of the operators and memories
	registerNM = 40.0
	baseV      = 0.9
)

// sramPoints are the energies of one 64-bit access by capacity.
var sramPoints = []struct{ kib, pj float64 }{{8, 10}, {32, 20}, {1024, 100}}

// Table lists every constant that a result rests on, in a fixed order, for
// printing beside the result.
func Table() []Constant {
	at45 := func(name string, v float64, unit, source string) Constant {
		return Constant{Name: name, Value: v, Unit: unit, NodeNM: baseNM, VoltageV: baseV, Source: source}
	}
	t := []Constant{
		at45("int8 add", addInt8PJ, "pJ", horowitz),
		at45("int16 add", addInt16PJ, "pJ", horowitz),
		at45("int32 add", addInt32PJ, "pJ", horowitz),
		at45("int8 multiply", mulInt8PJ, "pJ", horowitz),
		at45("float32 add", addFP32PJ, "pJ", horowitz),
		at45("float32 multiply", mulFP32PJ, "pJ", horowitz),
		at45("one-bit full adder", fullAdderPJ, "pJ", "assumed: an eighth of the int8 add"),
		at45("XNOR", xnorPJ, "pJ", "assumed: a third of a full adder, which has two exclusive-ors and a majority gate"),
		{Name: "register", Value: registerPJPerBit, Unit: "pJ/bit", NodeNM: registerNM, VoltageV: baseV, Source: aladdin + "; voltage assumed"},
	}
	for _, p := range sramPoints {
		t = append(t, at45("SRAM access of 64 bits, "+kibName(p.kib), p.pj, "pJ", horowitzMem))
	}
	return append(t,
		at45("int8 add", addInt8UM2, "µm²", horowitzArea),
		at45("int16 add", addInt16UM2, "µm²", horowitzArea),
		at45("int32 add", addInt32UM2, "µm²", horowitzArea),
		at45("int8 multiply", mulInt8UM2, "µm²", horowitzArea),
		at45("float32 add", addFP32UM2, "µm²", horowitzArea),
		at45("float32 multiply", mulFP32UM2, "µm²", horowitzArea),
		at45("one-bit full adder", fullAdderUM2, "µm²", "assumed: an eighth of the int8 add"),
		at45("XNOR", xnorUM2, "µm²", "assumed: a third of a full adder"),
		Constant{Name: "register", Value: registerUM2PerBit, Unit: "µm²/bit", NodeNM: registerNM, Source: aladdin},
		Constant{Name: "SRAM cell with its share of the periphery", Value: sramLambda2PerBit, Unit: "λ²/bit", Source: greaves},
	)
}

func kibName(kib float64) string {
	if kib >= 1024 {
		return "1 MiB"
	}
	return map[float64]string{8: "8 KiB", 32: "32 KiB"}[kib]
}

// addInt is an integer adder's cost by width: straight lines through the
// widths that the table has, in proportion to the width outside them.
func addInt(bits int, at8, at16, at32 float64) float64 {
	b := float64(bits)
	switch {
	case bits <= 8:
		return at8 * b / 8
	case bits <= 16:
		return at8 + (at16-at8)*(b-8)/8
	case bits <= 32:
		return at16 + (at32-at16)*(b-16)/16
	}
	return at32 * b / 32
}
