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
	// and the accumulator's width. Units of several integers are one that splits.
	Lanes           [dtype.Count]int
	AccumulatorBits [dtype.Count]int

	// Capacity of each buffer as built, both halves.
	IfmapKiB, FilterKiB, OfmapKiB float64

	// DRAMPJPerBit is the price of moving a bit to or from DRAM, interface
	// included; 0: none given, DRAM energy is not modelled.
	DRAMPJPerBit float64

	// The range of that price; 0: as DRAMPJPerBit.
	DRAMLowPJPerBit, DRAMHighPJPerBit float64

	// LeakageMWPerMM2 at VoltageV; 0: the table's. Its range is as wide as the
	// table's.
	LeakageMWPerMM2 float64

	Table *Table // nil: Default()
}

func (c *Config) table() *Table {
	if c.Table == nil {
		return Default()
	}
	return c.Table
}

// Actions counts what happened in one layer.
type Actions struct {
	DType       dtype.DType // of the units
	Products    int64       // multiplications, or XNORs
	TreeAdds    int64       // additions of products inside a PE of several lanes
	Accumulates int64       // additions to an accumulator

	// Bits moved; whole numbers, as floating point since they can be large.
	RegisterBits float64 // written to registers inside the array
	IfmapBits    float64 // read from and written to the ifmap buffer
	FilterBits   float64
	OfmapBits    float64
	DRAMBits     float64
}

// PriceSet holds pJ per action at the design's node and voltage.
type PriceSet struct {
	Product, TreeAdd, Accumulate  [dtype.Count]float64 // by dtype.DType
	RegisterBit                   float64
	IfmapBit, FilterBit, OfmapBit float64
	DRAMBit                       float64 // 0: not modelled
	LeakageMWPerMM2               float64
}

// Prices holds the prices at the table's values, and at the low and the high
// ends of all ranges.
type Prices struct {
	PriceSet
	Low, High PriceSet
}

// Breakdown is energy in pJ by where it went. The zero value says that nothing
// was priced.
type Breakdown struct {
	MACPJ, RegisterPJ                      float64
	IfmapSRAMPJ, FilterSRAMPJ, OfmapSRAMPJ float64
	DRAMPJ                                 float64
	LeakagePJ                              float64

	// NetworkPJ is that of the wires between buffers and elements, ClockPJ that of the
	// clock network and ControlPJ of what runs each cycle beside the data, of designs
	// that give them; 0 where they are not modelled.
	NetworkPJ, ClockPJ, ControlPJ float64

	// CorePJ is that of a processor, by the cycle: its parts are not known.
	CorePJ float64

	// The sum with every price at the low, and at the high end of its range.
	LowPJ, HighPJ float64

	Priced        bool // the fields but DRAMPJ and LeakagePJ mean something
	DRAMPriced    bool // DRAMPJ means something
	LeakagePriced bool // LeakagePJ means something
	CorePriced    bool // CorePJ means something, and no other part does
}

// PerCycle is the energy of a processor that is known as a whole, pJ a cycle at its value
// and at the ends of its range.
func PerCycle(pj, low, high, cycles float64) Breakdown {
	return Breakdown{CorePJ: pj * cycles, LowPJ: low * cycles, HighPJ: high * cycles, Priced: true, CorePriced: true}
}

// MarshalJSON writes null for what was not priced.
func (b Breakdown) MarshalJSON() ([]byte, error) {
	if !b.Priced {
		return []byte("null"), nil
	}
	if b.CorePriced {
		return json.Marshal(coreJSON{b.CorePJ, b.LowPJ, b.HighPJ})
	}
	j := breakdownJSON{MAC: b.MACPJ, Register: b.RegisterPJ, Ifmap: b.IfmapSRAMPJ, Filter: b.FilterSRAMPJ, Ofmap: b.OfmapSRAMPJ,
		Network: b.NetworkPJ, Clock: b.ClockPJ, Control: b.ControlPJ, Low: b.LowPJ, High: b.HighPJ}
	if b.DRAMPriced {
		j.DRAM = &b.DRAMPJ
	}
	if b.LeakagePriced {
		j.Leakage = &b.LeakagePJ
	}
	return json.Marshal(j)
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (b *Breakdown) UnmarshalJSON(data []byte) error {
	*b = Breakdown{}
	if string(data) == "null" {
		return nil
	}
	var core coreJSON
	if err := json.Unmarshal(data, &core); err != nil {
		return err
	}
	if core.Core > 0 {
		*b = Breakdown{CorePJ: core.Core, LowPJ: core.Low, HighPJ: core.High, Priced: true, CorePriced: true}
		return nil
	}
	var j breakdownJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*b = Breakdown{MACPJ: j.MAC, RegisterPJ: j.Register, IfmapSRAMPJ: j.Ifmap, FilterSRAMPJ: j.Filter, OfmapSRAMPJ: j.Ofmap,
		NetworkPJ: j.Network, ClockPJ: j.Clock, ControlPJ: j.Control, LowPJ: j.Low, HighPJ: j.High, Priced: true}
	if j.DRAM != nil {
		b.DRAMPJ, b.DRAMPriced = *j.DRAM, true
	}
	if j.Leakage != nil {
		b.LeakagePJ, b.LeakagePriced = *j.Leakage, true
	}
	return nil
}

type coreJSON struct {
	Core float64 `json:"core_pj"`
	Low  float64 `json:"low_pj"`
	High float64 `json:"high_pj"`
}

type breakdownJSON struct {
	MAC      float64  `json:"mac_pj"`
	Register float64  `json:"register_pj"`
	Ifmap    float64  `json:"ifmap_sram_pj"`
	Filter   float64  `json:"filter_sram_pj"`
	Ofmap    float64  `json:"ofmap_sram_pj"`
	Network  float64  `json:"network_pj,omitempty"`
	Clock    float64  `json:"clock_pj,omitempty"`
	Control  float64  `json:"control_pj,omitempty"`
	DRAM     *float64 `json:"dram_pj"`
	Leakage  *float64 `json:"leakage_pj"`
	Low      float64  `json:"low_pj"`
	High     float64  `json:"high_pj"`
}

// NewPrices works out the prices for a design. The error names a technology
// or voltage outside the scaling equations.
func NewPrices(c Config) (Prices, error) {
	t := c.table()
	var p Prices
	for _, set := range [...]struct {
		to *PriceSet
		b  Bound
	}{{&p.PriceSet, Nominal}, {&p.Low, Low}, {&p.High, High}} {
		if err := set.to.fill(&c, t, set.b); err != nil {
			return Prices{}, err
		}
	}
	return p, nil
}

// fill works out the prices at one end of the ranges.
func (p *PriceSet) fill(c *Config, t *Table, b Bound) error {
	var err error
	at := func(k *Constant) float64 {
		scale := 1.0
		if err == nil {
			scale, err = EnergyScale(k.NodeNM, k.VoltageV, c.NodeNM, c.VoltageV)
		}
		return scale * k.At(b)
	}
	add8, add16, add32 := at(&t.Int8Add), at(&t.Int16Add), at(&t.Int32Add)
	mul8 := at(&t.Int8Mul)
	p.Product[dtype.Float32], p.Product[dtype.Binary] = at(&t.FP32Mul), at(&t.XNOR)
	p.TreeAdd[dtype.Float32], p.TreeAdd[dtype.Binary] = at(&t.FP32Add), at(&t.FullAdder)
	p.Accumulate[dtype.Float32] = p.TreeAdd[dtype.Float32]
	p.Accumulate[dtype.Binary] = addInt(c.AccumulatorBits[dtype.Binary], add8, add16, add32)
	for _, d := range dtype.Integers {
		p.Product[d] = mul8 * multiplier(d)
		p.TreeAdd[d] = addInt(2*d.Bits(), add8, add16, add32)
		p.Accumulate[d] = addInt(c.AccumulatorBits[d], add8, add16, add32)
	}
	p.RegisterBit = at(&t.Register)
	sram := sramCurve{at(&t.SRAM8K), at(&t.SRAM32K), at(&t.SRAM1M)}
	if err != nil {
		return err
	}
	for i, buffer := range [3]struct {
		name string
		kib  float64
	}{{"ifmap", c.IfmapKiB}, {"filter", c.FilterKiB}, {"ofmap", c.OfmapKiB}} {
		if !(buffer.kib > 0) || math.IsInf(buffer.kib, 0) {
			return fmt.Errorf("%s buffer of %g KiB: want more than 0", buffer.name, buffer.kib)
		}
		bit := sram.access(buffer.kib) / 64
		switch i {
		case 0:
			p.IfmapBit = bit
		case 1:
			p.FilterBit = bit
		default:
			p.OfmapBit = bit
		}
	}
	switch p.DRAMBit = c.DRAMPJPerBit; {
	case b == Low && c.DRAMLowPJPerBit > 0:
		p.DRAMBit = c.DRAMLowPJPerBit
	case b == High && c.DRAMHighPJPerBit > 0:
		p.DRAMBit = c.DRAMHighPJPerBit
	}
	if p.LeakageMWPerMM2 = t.Leakage.At(b) * c.VoltageV / t.Leakage.VoltageV; c.LeakageMWPerMM2 > 0 {
		p.LeakageMWPerMM2 = c.LeakageMWPerMM2 * t.Leakage.At(b) / t.Leakage.Value
	}
	return nil
}

// sramCurve is the energy of one 64-bit access to 8 KiB, 32 KiB and 1 MiB.
type sramCurve [3]float64

var sramKiB = [3]float64{8, 32, 1024}

// access is the energy of one 64-bit access to an SRAM of the given capacity:
// straight lines between the points on logarithmic scales, continued beyond
// the first and the last (assumed). Reads and writes cost the same (assumed:
// the source says "access").
func (s *sramCurve) access(kib float64) float64 {
	i := 1
	if kib > sramKiB[1] {
		i = 2
	}
	slope := math.Log(s[i]/s[i-1]) / math.Log(sramKiB[i]/sramKiB[i-1])
	return s[i-1] * math.Pow(kib/sramKiB[i-1], slope)
}

// SRAMAccessPJ is the energy of one 64-bit access to an SRAM of the given
// capacity at 45 nm and 0.9 V, by the table that comes with the program.
func SRAMAccessPJ(kib float64) float64 {
	t := Default()
	s := sramCurve{t.SRAM8K.Value, t.SRAM32K.Value, t.SRAM1M.Value}
	return s.access(kib)
}

// HasDRAM tells whether DRAM traffic has a price.
func (p *Prices) HasDRAM() bool { return p.DRAMBit > 0 }

// Energy multiplies counts by prices. Leakage is added by Leak.
func (p *Prices) Energy(a *Actions) Breakdown {
	b := p.PriceSet.energy(a)
	low, high := p.Low.energy(a), p.High.energy(a)
	b.LowPJ, b.HighPJ = low.TotalPJ(), high.TotalPJ()
	b.Priced, b.DRAMPriced = true, p.HasDRAM()
	return b
}

func (p *PriceSet) energy(a *Actions) Breakdown {
	d := a.DType
	return Breakdown{
		MACPJ: float64(a.Products)*p.Product[d] + float64(a.TreeAdds)*p.TreeAdd[d] +
			float64(a.Accumulates)*p.Accumulate[d],
		RegisterPJ:   a.RegisterBits * p.RegisterBit,
		IfmapSRAMPJ:  a.IfmapBits * p.IfmapBit,
		FilterSRAMPJ: a.FilterBits * p.FilterBit,
		OfmapSRAMPJ:  a.OfmapBits * p.OfmapBit,
		DRAMPJ:       a.DRAMBits * p.DRAMBit,
	}
}

// Leak adds what the silicon loses in a time, in µs, whatever it does. Where
// the area is not known nothing is added, and LeakagePriced stays false.
func (p *Prices) Leak(b *Breakdown, a *Area, us float64) {
	if !a.PEsKnown || !a.SRAMKnown {
		return
	}
	const pjPerMWUS, um2PerMM2 = 1e3, 1e6 // 1 mW for 1 µs is 1 nJ
	leak := func(set *PriceSet, um2 float64) float64 {
		return set.LeakageMWPerMM2 * um2 / um2PerMM2 * us * pjPerMWUS
	}
	b.LeakagePJ, b.LeakagePriced = leak(&p.PriceSet, a.TotalUM2), true
	b.LowPJ += leak(&p.Low, a.LowUM2)
	b.HighPJ += leak(&p.High, a.HighUM2)
}

// TotalPJ is the sum of the parts.
func (b *Breakdown) TotalPJ() float64 {
	return b.MACPJ + b.RegisterPJ + b.IfmapSRAMPJ + b.FilterSRAMPJ + b.OfmapSRAMPJ + b.DRAMPJ + b.LeakagePJ + b.NetworkPJ + b.ClockPJ + b.ControlPJ + b.CorePJ
}

// Add adds another layer's energy.
func (b *Breakdown) Add(o *Breakdown) {
	b.MACPJ += o.MACPJ
	b.RegisterPJ += o.RegisterPJ
	b.IfmapSRAMPJ += o.IfmapSRAMPJ
	b.FilterSRAMPJ += o.FilterSRAMPJ
	b.OfmapSRAMPJ += o.OfmapSRAMPJ
	b.DRAMPJ += o.DRAMPJ
	b.LeakagePJ += o.LeakagePJ
	b.NetworkPJ += o.NetworkPJ
	b.ClockPJ += o.ClockPJ
	b.ControlPJ += o.ControlPJ
	b.CorePJ += o.CorePJ
	b.LowPJ += o.LowPJ
	b.HighPJ += o.HighPJ
	b.Priced = b.Priced || o.Priced
	b.DRAMPriced = b.DRAMPriced || o.DRAMPriced
	b.LeakagePriced = b.LeakagePriced || o.LeakagePriced
	b.CorePriced = b.CorePriced || o.CorePriced
}
