package design

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/simhw/energy"
)

// XNOR is an XNOR-popcount engine with all its memory on chip.
type XNOR struct {
	PEs, SIMD int // outputs at a time, bits of a vector in a cycle
	Pipe      int // registers between counting and summing

	// LoadBits is how many weight bits enter in a cycle where the engine holds a
	// group's weights; 0: it reads them as it needs them.
	LoadBits int

	AccumulatorBits int

	// Int8 says that the engine computes int8 as well, bit plane by bit plane.
	Int8 bool

	WeightKiB, ActivationKiB int
}

// EnergyConfig is what prices and areas of such an engine depend on; activations are
// read from and written to one memory.
func (x *XNOR) EnergyConfig(s *Spec) energy.Config {
	return energy.Config{NodeNM: s.TechnologyNM, VoltageV: s.VoltageV,
		Lanes: [3]int{dtype.Binary: x.SIMD}, AccumulatorBits: [3]int{dtype.Binary: x.AccumulatorBits},
		IfmapKiB: float64(x.ActivationKiB), FilterKiB: float64(x.WeightKiB), OfmapKiB: float64(x.ActivationKiB),
		LeakageMWPerMM2: s.LeakageMWPerMM2, Table: s.EnergyTable}
}

var xnorKind = kind{
	fields: []field{
		technology, voltage, leakage,
		integer("engine.pes", "rows: outputs at a time", 1, maxSide, func(s *Spec) *int { return &s.XNOR.PEs }),
		integer("engine.simd_bits", "bits of a vector that a row compares in a cycle", 1, maxSide, func(s *Spec) *int { return &s.XNOR.SIMD }),
		optional(integer("engine.pipeline_registers", "registers between counting and summing; absent: 0", 1, 1<<10, func(s *Spec) *int { return &s.XNOR.Pipe })),
		optional(integer("engine.weight_load_bits_per_cycle", "weight bits that enter in a cycle, while no vector passes, of an engine that holds the weights of its rows; absent: it reads them as it needs them", 1, 1<<20, func(s *Spec) *int { return &s.XNOR.LoadBits })),
		integer("engine.accumulator_bits", "width of a sum", 1, 64, func(s *Spec) *int { return &s.XNOR.AccumulatorBits }),
		flag("engine.int8_by_bit_planes", "compute int8 as well, in 64 passes of a pair of bit planes each", func(s *Spec) *bool { return &s.XNOR.Int8 }),
		integer("memory.weights_kib", "weight memory, for the whole network", 1, maxKiB, func(s *Spec) *int { return &s.XNOR.WeightKiB }),
		integer("memory.activations_kib", "activation memory, for a layer's inputs and outputs", 1, maxKiB, func(s *Spec) *int { return &s.XNOR.ActivationKiB }),
	},
	check: func(s *Spec) *checkError {
		if _, err := energy.NewPrices(s.XNOR.EnergyConfig(s)); err != nil {
			return &checkError{"voltage_v", err.Error()}
		}
		if s.XNOR.Int8 && s.XNOR.LoadBits > 0 {
			return &checkError{"engine.int8_by_bit_planes", `"true": want false in an engine that holds its weights, which are one bit each`}
		}
		return nil
	},
	computes: func(s *Spec, d dtype.DType) bool { return d == dtype.Binary || d == dtype.Int8 && s.XNOR.Int8 },
	same: func(a, b *Spec) bool {
		return (a.XNOR.LoadBits > 0) == (b.XNOR.LoadBits > 0) && a.XNOR.Int8 == b.XNOR.Int8
	},
	structure: func(s *Spec) string { return fmt.Sprintf("%d rows of %d bits", s.XNOR.PEs, s.XNOR.SIMD) },
}
