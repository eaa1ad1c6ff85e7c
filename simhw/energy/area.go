package energy

import (
	"encoding/json"

	"macroscope/dtype"
)

// Area is silicon in µm² by block. A block whose Known flag is false has no
// source at that technology and is not in the total.
type Area struct {
	PEsUM2, SRAMUM2, TotalUM2 float64
	LowUM2, HighUM2           float64 // the total at the ends of the table's ranges
	PEsKnown, SRAMKnown       bool
}

type areaJSON struct {
	PEs   *float64 `json:"pes_um2"`
	SRAM  *float64 `json:"sram_um2"`
	Total *float64 `json:"total_um2"`
	Low   *float64 `json:"low_um2"`
	High  *float64 `json:"high_um2"`
}

// MarshalJSON writes null for what is not known; the total only where all of
// it is.
func (a Area) MarshalJSON() ([]byte, error) {
	var j areaJSON
	if a.PEsKnown {
		j.PEs = &a.PEsUM2
	}
	if a.SRAMKnown {
		j.SRAM = &a.SRAMUM2
	}
	if a.PEsKnown && a.SRAMKnown {
		j.Total, j.Low, j.High = &a.TotalUM2, &a.LowUM2, &a.HighUM2
	}
	return json.Marshal(j)
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (a *Area) UnmarshalJSON(data []byte) error {
	var j areaJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*a = Area{}
	if j.PEs != nil {
		a.PEsUM2, a.PEsKnown = *j.PEs, true
	}
	if j.SRAM != nil {
		a.SRAMUM2, a.SRAMKnown = *j.SRAM, true
	}
	a.TotalUM2 = a.PEsUM2 + a.SRAMUM2
	if j.Low != nil && j.High != nil {
		a.LowUM2, a.HighUM2 = *j.Low, *j.High
	}
	return nil
}

// AreaOf adds up the operators and registers of pes processing elements and
// the buffers' cells. A PE has units of float32 and ±1, and of integers those of the width
// that takes most: the others are parts of them (assumed; what splits them is not modelled).
// registerBits is its registers' width. Control, wiring, interfaces and the
// post-processing unit are not modelled.
func AreaOf(c Config, pes int64, registerBits int) Area {
	a := areaAt(&c, pes, registerBits, Nominal)
	low, high := areaAt(&c, pes, registerBits, Low), areaAt(&c, pes, registerBits, High)
	a.LowUM2, a.HighUM2 = low.TotalUM2, high.TotalUM2
	return a
}

// areaAt is the area at one end of the ranges.
func areaAt(c *Config, pes int64, registerBits int, b Bound) Area {
	t := c.table()
	var a Area
	known := true
	at := func(k *Constant) float64 {
		s, ok := AreaScale(k.NodeNM, c.NodeNM)
		known = known && ok
		return s * k.At(b)
	}
	add8, add16, add32 := at(&t.Int8AddArea), at(&t.Int16AddArea), at(&t.Int32AddArea)
	units := 0.0
	if lanes := float64(c.Lanes[dtype.Float32]); lanes > 0 {
		units += lanes*at(&t.FP32MulArea) + lanes*at(&t.FP32AddArea)
	}
	if lanes := float64(c.Lanes[dtype.Binary]); lanes > 0 {
		units += lanes*at(&t.XNORArea) + (lanes-1)*at(&t.FullAdderArea) + addInt(c.AccumulatorBits[dtype.Binary], add8, add16, add32)
	}
	mul8, integers := at(&t.Int8MulArea), 0.0
	for _, d := range dtype.Integers {
		if lanes := float64(c.Lanes[d]); lanes > 0 {
			integers = max(integers, lanes*mul8*multiplier(d)+(lanes-1)*addInt(2*d.Bits(), add8, add16, add32)+addInt(c.AccumulatorBits[d], add8, add16, add32))
		}
	}
	units += integers
	if register := at(&t.RegisterArea); known {
		a.PEsUM2, a.PEsKnown = float64(pes)*(units+register*float64(registerBits)), true
	}
	if c.NodeNM > 0 {
		bits := (c.IfmapKiB + c.FilterKiB + c.OfmapKiB) * 1024 * 8
		lambda := c.NodeNM / 1000 // µm
		a.SRAMUM2, a.SRAMKnown = bits*t.SRAMArea.At(b)*lambda*lambda, true
	}
	a.TotalUM2 = a.PEsUM2 + a.SRAMUM2
	return a
}
