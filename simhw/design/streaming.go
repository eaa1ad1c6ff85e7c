package design

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/simhw/energy"
)

// MaxEngines is the number of layers with weights that a streaming design can list.
const MaxEngines = 64

// Streaming is a pipeline of engines, one for each layer with weights, with windows,
// pools and FIFOs between them.
type Streaming struct {
	// EnginePipelineCycles is how much later than its last step an engine's output is
	// there.
	EnginePipelineCycles int

	// Engines is the folding of the network that the design was made for: Count
	// entries, in the order of its layers with weights.
	Count   int
	Engines [MaxEngines]StreamEngine

	// Fabric is what prices its work; the zero value: energy is not modelled.
	Fabric Fabric

	// Lanes is the sum of all engines' PE·SIMD for any other network, which gets the
	// folding of the shortest interval; 0: as many as the listed engines have.
	Lanes int
}

// Fabric is how an FPGA differs from a chip made for the purpose, whose energies are
// the table's at the design's node and voltage.
type Fabric struct {
	LogicOverASIC, LogicOverASICLow, LogicOverASICHigh    float64 // of LUTs, registers and wires, in energy
	MemoryOverASIC, MemoryOverASICLow, MemoryOverASICHigh float64 // of block RAM
	StaticMW, StaticLowMW, StaticHighMW                   float64 // of the whole device
}

// BlockRAMKiB is the capacity of the block RAM that an access is priced as: 18 Kib.
const BlockRAMKiB = 2.25

// FabricEnergyConfig is what energy prices depend on.
func (s *Spec) FabricEnergyConfig() energy.Config {
	return energy.Config{NodeNM: s.TechnologyNM, VoltageV: s.VoltageV, IfmapKiB: BlockRAMKiB, FilterKiB: BlockRAMKiB, OfmapKiB: BlockRAMKiB, Table: s.EnergyTable}
}

// checkFabric wants all of the fabric's keys or none, each range in order.
func checkFabric(s *Spec) *checkError {
	f := &s.Streaming.Fabric
	if *f == (Fabric{}) {
		return nil
	}
	for _, r := range []struct {
		key             string
		low, value, top float64
	}{
		{"fabric.logic_over_asic", f.LogicOverASICLow, f.LogicOverASIC, f.LogicOverASICHigh},
		{"fabric.memory_over_asic", f.MemoryOverASICLow, f.MemoryOverASIC, f.MemoryOverASICHigh},
		{"fabric.static_mw", f.StaticLowMW, f.StaticMW, f.StaticHighMW},
	} {
		if !(r.low > 0 && r.low <= r.value && r.value <= r.top) {
			return &checkError{r.key, fmt.Sprintf("%g with a range from %g to %g: want all of fabric's keys, each in its range", r.value, r.low, r.top)}
		}
	}
	if !(s.TechnologyNM > 0 && s.VoltageV > 0) {
		return &checkError{"technology_nm", "and voltage_v: want both with fabric"}
	}
	if _, err := energy.NewPrices(s.FabricEnergyConfig()); err != nil {
		return &checkError{"voltage_v", err.Error()}
	}
	return nil
}

// StreamEngine is one engine's folding.
type StreamEngine struct {
	Layer    string // what the layer is called where the folding comes from
	PE, SIMD int    // outputs at a time, inputs of each in a cycle
}

// AllLanes is the sum of PE·SIMD that a network may take which the list does not fit.
func (s *Streaming) AllLanes() int64 {
	if s.Lanes > 0 {
		return int64(s.Lanes)
	}
	sum := int64(0)
	for _, e := range s.Engines[:s.Count] {
		sum += int64(e.PE) * int64(e.SIMD)
	}
	return sum
}

var streamingKind = kind{
	fields: []field{
		optional(technology), optional(voltage),
		optional(number("fabric.logic_over_asic", "energy of LUTs, registers and their wires over that of standard cells; absent with all of fabric: energy is not modelled", 0.1, 1e3, func(s *Spec) *float64 { return &s.Streaming.Fabric.LogicOverASIC })),
		optional(number("fabric.logic_over_asic_low", "energy of LUTs, registers and their wires over that of standard cells, low end; absent with all of fabric: energy is not modelled", 0.1, 1e3, func(s *Spec) *float64 { return &s.Streaming.Fabric.LogicOverASICLow })),
		optional(number("fabric.logic_over_asic_high", "energy of LUTs, registers and their wires over that of standard cells, high end; absent with all of fabric: energy is not modelled", 0.1, 1e3, func(s *Spec) *float64 { return &s.Streaming.Fabric.LogicOverASICHigh })),
		optional(number("fabric.memory_over_asic", "energy of block RAM over that of an SRAM of its size; absent with all of fabric: energy is not modelled", 0.1, 1e3, func(s *Spec) *float64 { return &s.Streaming.Fabric.MemoryOverASIC })),
		optional(number("fabric.memory_over_asic_low", "energy of block RAM over that of an SRAM of its size, low end; absent with all of fabric: energy is not modelled", 0.1, 1e3, func(s *Spec) *float64 { return &s.Streaming.Fabric.MemoryOverASICLow })),
		optional(number("fabric.memory_over_asic_high", "energy of block RAM over that of an SRAM of its size, high end; absent with all of fabric: energy is not modelled", 0.1, 1e3, func(s *Spec) *float64 { return &s.Streaming.Fabric.MemoryOverASICHigh })),
		optional(number("fabric.static_mw", "static power of the device", 1e-3, 1e6, func(s *Spec) *float64 { return &s.Streaming.Fabric.StaticMW })),
		optional(number("fabric.static_low_mw", "static power of the device, low end", 1e-3, 1e6, func(s *Spec) *float64 { return &s.Streaming.Fabric.StaticLowMW })),
		optional(number("fabric.static_high_mw", "static power of the device, high end", 1e-3, 1e6, func(s *Spec) *float64 { return &s.Streaming.Fabric.StaticHighMW })),
		optional(integer("engine_pipeline_cycles", "cycles after an engine's last step until its output is there; absent: 0", 1, 1<<10, func(s *Spec) *int { return &s.Streaming.EnginePipelineCycles })),
		optional(integer("lanes", "sum of PE·SIMD for networks that the engines do not fit, which get the folding of the shortest interval; absent: as many as the engines have", 1, 1<<30, func(s *Spec) *int { return &s.Streaming.Lanes })),
	},
	lists: []*list{{
		key: "engines", doc: "folding of the network that the design was made for, a line for each layer with weights", max: MaxEngines,
		count: func(s *Spec) *int { return &s.Streaming.Count },
		entry: func(i int) []field {
			at := func(s *Spec) *StreamEngine { return &s.Streaming.Engines[i] }
			return []field{
				text("layer", "the layer's name", 64, true, func(s *Spec) *string { return &at(s).Layer }),
				integer("pe", "outputs at a time; divides the output channels", 1, maxSide, func(s *Spec) *int { return &at(s).PE }),
				integer("simd", "inputs of each in a cycle; divides the input channels", 1, maxSide, func(s *Spec) *int { return &at(s).SIMD }),
			}
		},
	}},
	check: func(s *Spec) *checkError {
		if s.Streaming.AllLanes() == 0 {
			return &checkError{"lanes", "is missing: want it, or engines"}
		}
		return checkFabric(s)
	},
	has:  func(_ *Spec, d dtype.DType) bool { return d != dtype.Float32 },
	same: func(_, _ *Spec) bool { return true },
	structure: func(s *Spec) string {
		if s.Streaming.Count == 0 {
			return fmt.Sprintf("%d lanes", s.Streaming.AllLanes())
		}
		return fmt.Sprintf("%d engines of %d lanes", s.Streaming.Count, s.Streaming.AllLanes())
	},
}
