package energy

import (
	"encoding/json"
	"fmt"
	"math"

	"macroscope/dtype"
)

// Config is what prices depend on: a design's technology, its units and its
// memories.
type Config struct {
	NodeNM, VoltageV float64

	// By dtype.DType: products per PE and cycle (0: the PE has no such unit)
	// and the accumulator's width.
	Lanes           [3]int
	AccumulatorBits [3]int

	// Capacity of each buffer as built, both halves.
	IfmapKiB, FilterKiB, OfmapKiB float64

	// DRAMPJPerBit is the price of moving a bit to or from DRAM, interface
	// included; 0: none given, DRAM energy is not modelled.
	DRAMPJPerBit float64
}

// Actions counts what happened in one layer.
type Actions struct {
	DType       dtype.DType
	Products    int64 // multiplications, or XNORs
	TreeAdds    int64 // additions of products inside a PE of several lanes
	Accumulates int64 // additions to an accumulator

	// Bits moved; whole numbers, as floating point since they can be large.
	RegisterBits float64 // written to registers inside the array
	IfmapBits    float64 // read from and written to the ifmap buffer
	FilterBits   float64
	OfmapBits    float64
	DRAMBits     float64
}

// Prices holds pJ per action at the design's node and voltage.
type Prices struct {
	Product, TreeAdd, Accumulate  [3]float64 // by dtype.DType
	RegisterBit                   float64
	IfmapBit, FilterBit, OfmapBit float64
	DRAMBit                       float64 // 0: not modelled
}

// Breakdown is energy in pJ by where it went. The zero value says that nothing
// was priced.
type Breakdown struct {
	MACPJ, RegisterPJ                      float64
	IfmapSRAMPJ, FilterSRAMPJ, OfmapSRAMPJ float64
	DRAMPJ                                 float64

	Priced     bool // the fields but DRAMPJ mean something
	DRAMPriced bool // DRAMPJ means something
}

// MarshalJSON writes null for what was not priced.
func (b Breakdown) MarshalJSON() ([]byte, error) {
	if !b.Priced {
		return []byte("null"), nil
	}
	dram := &b.DRAMPJ
	if !b.DRAMPriced {
		dram = nil
	}
	return json.Marshal(breakdownJSON{b.MACPJ, b.RegisterPJ, b.IfmapSRAMPJ, b.FilterSRAMPJ, b.OfmapSRAMPJ, dram})
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (b *Breakdown) UnmarshalJSON(data []byte) error {
	*b = Breakdown{}
	if string(data) == "null" {
		return nil
	}
	var j breakdownJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*b = Breakdown{MACPJ: j.MAC, RegisterPJ: j.Register, IfmapSRAMPJ: j.Ifmap, FilterSRAMPJ: j.Filter, OfmapSRAMPJ: j.Ofmap, Priced: true}
	if j.DRAM != nil {
		b.DRAMPJ, b.DRAMPriced = *j.DRAM, true
	}
	return nil
}

type breakdownJSON struct {
	MAC      float64  `json:"mac_pj"`
	Register float64  `json:"register_pj"`
	Ifmap    float64  `json:"ifmap_sram_pj"`
	Filter   float64  `json:"filter_sram_pj"`
	Ofmap    float64  `json:"ofmap_sram_pj"`
	DRAM     *float64 `json:"dram_pj"`
}

// NewPrices works out the prices for a design. The error names a technology
// or voltage outside the scaling equations.
func NewPrices(c Config) (Prices, error) {
	s, err := EnergyScale(baseNM, baseV, c.NodeNM, c.VoltageV)
	if err != nil {
		return Prices{}, err
	}
	r, err := EnergyScale(registerNM, baseV, c.NodeNM, c.VoltageV)
	if err != nil {
		return Prices{}, err
	}
	p := Prices{RegisterBit: r * registerPJPerBit, DRAMBit: c.DRAMPJPerBit}
	p.Product = [3]float64{dtype.Float32: s * mulFP32PJ, dtype.Int8: s * mulInt8PJ, dtype.Binary: s * xnorPJ}
	p.TreeAdd = [3]float64{dtype.Float32: s * addFP32PJ, dtype.Int8: s * addInt16PJ, dtype.Binary: s * fullAdderPJ}
	p.Accumulate = [3]float64{
		dtype.Float32: s * addFP32PJ,
		dtype.Int8:    s * addInt(c.AccumulatorBits[dtype.Int8], addInt8PJ, addInt16PJ, addInt32PJ),
		dtype.Binary:  s * addInt(c.AccumulatorBits[dtype.Binary], addInt8PJ, addInt16PJ, addInt32PJ),
	}
	for i, b := range [3]struct {
		name string
		kib  float64
	}{{"ifmap", c.IfmapKiB}, {"filter", c.FilterKiB}, {"ofmap", c.OfmapKiB}} {
		if !(b.kib > 0) || math.IsInf(b.kib, 0) {
			return Prices{}, fmt.Errorf("%s buffer of %g KiB: want more than 0", b.name, b.kib)
		}
		bit := s * SRAMAccessPJ(b.kib) / 64
		switch i {
		case 0:
			p.IfmapBit = bit
		case 1:
			p.FilterBit = bit
		default:
			p.OfmapBit = bit
		}
	}
	return p, nil
}

// SRAMAccessPJ is the energy of one 64-bit access to an SRAM of the given
// capacity at 45 nm and 0.9 V: straight lines between the published points on
// logarithmic scales, continued beyond the first and the last (assumed).
// Reads and writes cost the same (assumed: the source says "access").
func SRAMAccessPJ(kib float64) float64 {
	i := 1
	for i < len(sramPoints)-1 && kib > sramPoints[i].kib {
		i++
	}
	a, b := sramPoints[i-1], sramPoints[i]
	slope := math.Log(b.pj/a.pj) / math.Log(b.kib/a.kib)
	return a.pj * math.Pow(kib/a.kib, slope)
}

// HasDRAM tells whether DRAM traffic has a price.
func (p *Prices) HasDRAM() bool { return p.DRAMBit > 0 }

// Energy multiplies counts by prices.
func (p *Prices) Energy(a *Actions) Breakdown {
	d := a.DType
	return Breakdown{
		MACPJ: float64(a.Products)*p.Product[d] + float64(a.TreeAdds)*p.TreeAdd[d] +
			float64(a.Accumulates)*p.Accumulate[d],
		RegisterPJ:   a.RegisterBits * p.RegisterBit,
		IfmapSRAMPJ:  a.IfmapBits * p.IfmapBit,
		FilterSRAMPJ: a.FilterBits * p.FilterBit,
		OfmapSRAMPJ:  a.OfmapBits * p.OfmapBit,
		DRAMPJ:       a.DRAMBits * p.DRAMBit,
		Priced:       true,
		DRAMPriced:   p.HasDRAM(),
	}
}

// TotalPJ is the sum of the parts.
func (b *Breakdown) TotalPJ() float64 {
	return b.MACPJ + b.RegisterPJ + b.IfmapSRAMPJ + b.FilterSRAMPJ + b.OfmapSRAMPJ + b.DRAMPJ
}

// Add adds another layer's energy.
func (b *Breakdown) Add(o *Breakdown) {
	b.MACPJ += o.MACPJ
	b.RegisterPJ += o.RegisterPJ
	b.IfmapSRAMPJ += o.IfmapSRAMPJ
	b.FilterSRAMPJ += o.FilterSRAMPJ
	b.OfmapSRAMPJ += o.OfmapSRAMPJ
	b.DRAMPJ += o.DRAMPJ
	b.Priced = b.Priced || o.Priced
	b.DRAMPriced = b.DRAMPriced || o.DRAMPriced
}
