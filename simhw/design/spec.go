// Package design describes accelerators: a strict YAML file, units in every
// key, a source for every number; or a SCALE-Sim .cfg. Both give a Design, a
// checked value that does not change.
package design

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/simhw/energy"
)

// Family is the kind of machine; each is simulated by its own room.
type Family uint8

// Systolic is a two-dimensional array of processing elements between which
// operands move one step a cycle.
const Systolic Family = 0

// Dataflow says which operand stays in a processing element.
type Dataflow uint8

// The dataflows of a systolic array.
const (
	OS Dataflow = iota // outputs stay, inputs and weights move
	WS                 // weights stay, inputs and partial sums move
	IS                 // inputs stay, weights and partial sums move
)

// Drain says how finished outputs leave an output-stationary array.
type Drain uint8

const (
	DrainInPlace    Drain = iota // read where they stand, for free
	DrainShift                   // shifted down the columns after each fold
	DrainOverlapped              // copied to drain registers, shifted out during the next fold
)

// WeightLoad says how stationary operands enter a WS or IS array.
type WeightLoad uint8

const (
	LoadSerial WeightLoad = iota // down the columns, before each fold
	LoadChain                    // into shadow registers down the columns, during the fold before
	LoadBus                      // into shadow registers by a bus per row, during the fold before
)

// The names in files, by value.
var (
	familyNames     = []string{"systolic"}
	dataflowNames   = []string{"os", "ws", "is"}
	drainNames      = []string{"in_place", "shift", "overlapped"}
	weightLoadNames = []string{"serial", "chain", "bus"}
	foldNames       = []string{"full", "gated"}
)

func (f Family) String() string     { return enumName(familyNames, int(f)) }
func (d Dataflow) String() string   { return enumName(dataflowNames, int(d)) }
func (d Drain) String() string      { return enumName(drainNames, int(d)) }
func (l WeightLoad) String() string { return enumName(weightLoadNames, int(l)) }

func enumName(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("value(%d)", i)
}

// Spec holds a design's numbers. It is a plain value without references: copy
// it, change it, and New checks it again.
type Spec struct {
	Name        string
	Description string
	Family      Family
	Dataflow    Dataflow

	// ScaleSim selects SCALE-Sim v3's exact formulas, its quirks included, in
	// place of this project's own. The design then has no technology, clock or
	// DRAM: its cycles and traffic are known, its time and energy are not.
	ScaleSim bool

	TechnologyNM float64
	VoltageV     float64
	ClockMHz     float64

	Array   Array
	Buffers Buffers
	DRAM    DRAM
}

// Array is the grid of processing elements.
type Array struct {
	Rows, Cols int
	Drain      Drain      // OS only
	WeightLoad WeightLoad // WS and IS only

	// Gated arrays do not wait for the rows and columns that a fold at the
	// edge leaves idle.
	Gated bool

	// MACsPerPEPerCycle is, by dtype.DType, how many products along K a
	// processing element forms and sums in a cycle; 0: it has no such unit.
	MACsPerPEPerCycle [3]int

	// AccumulatorBits is, by dtype.DType, the width of a partial sum.
	AccumulatorBits [3]int
}

// Buffers are the on-chip memories. Each is double-buffered: half of it feeds
// the array while the other half is filled from or emptied to DRAM. The ports
// are as wide as the array's edges: they never stall it.
type Buffers struct {
	IfmapKiB, FilterKiB, OfmapKiB int

	// KeepActivations leaves a layer's outputs in the ifmap buffer for the
	// next layer where inputs and outputs fit there together.
	KeepActivations bool
}

// DRAM is one channel, shared by reads and writes. 1 GB is 10⁹ bytes.
type DRAM struct {
	BandwidthGBs   float64
	EnergyPJPerBit float64 // 0: not given, DRAM energy is not modelled
}

// Lanes is MACsPerPEPerCycle for one number format.
func (s *Spec) Lanes(d dtype.DType) int { return s.Array.MACsPerPEPerCycle[d] }

// PEs is the number of processing elements.
func (s *Spec) PEs() int64 { return int64(s.Array.Rows) * int64(s.Array.Cols) }

// BytesPerCycle is what DRAM moves in one cycle of the array's clock.
func (s *Spec) BytesPerCycle() float64 { return s.DRAM.BandwidthGBs * 1e3 / s.ClockMHz }

// EnergyConfig is what energy prices and areas depend on.
func (s *Spec) EnergyConfig() energy.Config {
	return energy.Config{
		NodeNM: s.TechnologyNM, VoltageV: s.VoltageV,
		Lanes: s.Array.MACsPerPEPerCycle, AccumulatorBits: s.Array.AccumulatorBits,
		IfmapKiB: float64(s.Buffers.IfmapKiB), FilterKiB: float64(s.Buffers.FilterKiB), OfmapKiB: float64(s.Buffers.OfmapKiB),
		DRAMPJPerBit: s.DRAM.EnergyPJPerBit,
	}
}

// PERegisterBits is the number of register bits in one processing element:
// the operands that pass or stay, the partial sum, and the shadow copies that
// an overlapped drain or weight load needs; for the widest number format.
func (s *Spec) PERegisterBits() int {
	widest := 0
	for _, d := range dtype.All {
		operand := s.Lanes(d) * d.Bits()
		if operand == 0 {
			continue
		}
		bits := 2*operand + s.Array.AccumulatorBits[d]
		switch {
		case s.Dataflow == OS && s.Array.Drain == DrainOverlapped:
			bits += s.Array.AccumulatorBits[d]
		case s.Dataflow != OS && s.Array.WeightLoad != LoadSerial:
			bits += operand
		}
		widest = max(widest, bits)
	}
	return widest
}

// Value is one entry of a design and where it came from.
type Value struct {
	Key    string // "array.rows"
	Text   string // "256"
	Source string // as in the file; empty where none was given
	Line   int    // in the file; 0 for a default
}

// Assumed tells whether nothing outside this project backs the value.
func (v Value) Assumed() bool {
	return v.Source == "" || len(v.Source) >= 7 && v.Source[:7] == "assumed"
}

// Design is a checked, unchangeable Spec with the sources of its values.
type Design struct {
	spec     Spec
	values   []Value
	warnings []string
}

// Spec returns a copy of the design's numbers.
func (d *Design) Spec() Spec { return d.spec }

// Name is the design's name.
func (d *Design) Name() string { return d.spec.Name }

// Values lists every entry in the order of the reference, defaults included.
func (d *Design) Values() []Value { return append([]Value(nil), d.values...) }

// Assumed lists the keys whose values nothing outside this project backs.
// What merely names the design does not count.
func (d *Design) Assumed() []string {
	var keys []string
	for _, v := range d.values {
		if v.Assumed() && !v.label() {
			keys = append(keys, v.Key)
		}
	}
	return keys
}

// Sourced counts the values that a source backs.
func (d *Design) Sourced() int {
	n := 0
	for _, v := range d.values {
		if !v.Assumed() && !v.label() {
			n++
		}
	}
	return n
}

// label tells a value that says what the design is called, not what it is.
func (v Value) label() bool { return v.Key == "name" || v.Key == "description" || v.Key == "family" }

// Warnings lists what a reader noticed and did not use.
func (d *Design) Warnings() []string { return append([]string(nil), d.warnings...) }

// New checks a Spec made in code. Its values have no sources.
func New(s Spec) (Design, error) {
	if err := s.Check(); err != nil {
		return Design{}, err
	}
	d := Design{spec: s}
	for i := range schema {
		f := &schema[i]
		if f.applies(&s) {
			if text := f.text(&s); text != "" {
				d.values = append(d.values, Value{Key: f.key, Text: text})
			}
		}
	}
	return d, nil
}
