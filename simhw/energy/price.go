package energy

import (
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
	DType        dtype.DType
	Products     int64 // multiplications, or XNORs
	TreeAdds     int64 // additions of products inside a PE of several lanes
	Accumulates  int64 // additions to an accumulator
	RegisterBits int64 // bits written to registers inside the array
	IfmapBits    int64 // bits read from and written to the ifmap buffer
	FilterBits   int64
	OfmapBits    int64
	DRAMBits     int64
}

// Prices holds pJ per action at the design's node and voltage.
type Prices struct {
	Product, TreeAdd, Accumulate  [3]float64 // by dtype.DType
	RegisterBit                   float64
	IfmapBit, FilterBit, OfmapBit float64
	DRAMBit                       float64 // 0: not modelled
}

// Breakdown is energy in pJ by where it went. DRAM is 0 and means nothing
// where the prices' HasDRAM is false.
type Breakdown struct {
	MACPJ        float64 `json:"mac_pj"`
	RegisterPJ   float64 `json:"register_pj"`
	IfmapSRAMPJ  float64 `json:"ifmap_sram_pj"`
	FilterSRAMPJ float64 `json:"filter_sram_pj"`
	OfmapSRAMPJ  float64 `json:"ofmap_sram_pj"`
	DRAMPJ       float64 `json:"dram_pj"`
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
	for _, b := range []struct {
		name string
		kib  float64
		dst  *float64
	}{{"ifmap", c.IfmapKiB, &p.IfmapBit}, {"filter", c.FilterKiB, &p.FilterBit}, {"ofmap", c.OfmapKiB, &p.OfmapBit}} {
		if !(b.kib > 0) || math.IsInf(b.kib, 0) {
			return Prices{}, fmt.Errorf("%s buffer of %g KiB: want more than 0", b.name, b.kib)
		}
		*b.dst = s * SRAMAccessPJ(b.kib) / 64
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
		RegisterPJ:   float64(a.RegisterBits) * p.RegisterBit,
		IfmapSRAMPJ:  float64(a.IfmapBits) * p.IfmapBit,
		FilterSRAMPJ: float64(a.FilterBits) * p.FilterBit,
		OfmapSRAMPJ:  float64(a.OfmapBits) * p.OfmapBit,
		DRAMPJ:       float64(a.DRAMBits) * p.DRAMBit,
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
}
