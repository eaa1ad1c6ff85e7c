package energy

import (
	"encoding/json"

	"macroscope/dtype"
)

// Area is silicon in µm² by block. A block whose Known flag is false has no
// source at that technology and is not in the total.
type Area struct {
	PEsUM2, SRAMUM2, TotalUM2 float64
	PEsKnown, SRAMKnown       bool
}

type areaJSON struct {
	PEs   *float64 `json:"pes_um2"`
	SRAM  *float64 `json:"sram_um2"`
	Total *float64 `json:"total_um2"`
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
		j.Total = &a.TotalUM2
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
	return nil
}

// AreaOf adds up the operators and registers of pes processing elements and
// the buffers' cells. A PE has the units of every dtype that it can compute;
// registerBits is its registers' width. Control, wiring, interfaces and the
// post-processing unit are not modelled.
func AreaOf(c Config, pes int64, registerBits int) Area {
	var a Area
	if s, ok := AreaScale(baseNM, c.NodeNM); ok {
		r, _ := AreaScale(registerNM, c.NodeNM)
		units := 0.0
		for _, d := range dtype.All {
			lanes := float64(c.Lanes[d])
			if lanes == 0 {
				continue
			}
			acc := c.AccumulatorBits[d]
			switch d {
			case dtype.Float32:
				units += lanes*mulFP32UM2 + lanes*addFP32UM2
			case dtype.Int8:
				units += lanes*mulInt8UM2 + (lanes-1)*addInt16UM2 + addInt(acc, addInt8UM2, addInt16UM2, addInt32UM2)
			case dtype.Binary:
				units += lanes*xnorUM2 + (lanes-1)*fullAdderUM2 + addInt(acc, addInt8UM2, addInt16UM2, addInt32UM2)
			}
		}
		a.PEsUM2 = float64(pes) * (s*units + r*registerUM2PerBit*float64(registerBits))
		a.PEsKnown = true
	}
	if c.NodeNM > 0 {
		bits := (c.IfmapKiB + c.FilterKiB + c.OfmapKiB) * 1024 * 8
		lambda := c.NodeNM / 1000 // µm
		a.SRAMUM2 = bits * sramLambda2PerBit * lambda * lambda
		a.SRAMKnown = true
	}
	a.TotalUM2 = a.PEsUM2 + a.SRAMUM2
	return a
}
