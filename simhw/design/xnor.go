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

	// Integers says that the engine computes integers as well, bit plane by bit plane.
	Integers bool

	WeightKiB, ActivationKiB int
}

// EnergyConfig is what prices and areas of such an engine depend on; activations are
// read from and written to one memory.
func (x *XNOR) EnergyConfig(s *Spec) energy.Config {
	return energy.Config{NodeNM: s.TechnologyNM, VoltageV: s.VoltageV,
		Lanes: ByFormat{dtype.Binary: x.SIMD}, AccumulatorBits: ByFormat{dtype.Binary: x.AccumulatorBits},
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
		flag("engine.integers_by_bit_planes", "compute integers as well, with a pass for each pair of a bit plane of inputs and one of weights: 64 of int8", func(s *Spec) *bool { return &s.XNOR.Integers }),
		integer("memory.weights_kib", "weight memory, for the whole network", 1, maxKiB, func(s *Spec) *int { return &s.XNOR.WeightKiB }),
		integer("memory.activations_kib", "activation memory, for a layer's inputs and outputs", 1, maxKiB, func(s *Spec) *int { return &s.XNOR.ActivationKiB }),
	},
	check: func(s *Spec) *checkError {
		if _, err := energy.NewPrices(s.XNOR.EnergyConfig(s)); err != nil {
			return &checkError{"voltage_v", err.Error()}
		}
		if s.XNOR.Integers && s.XNOR.LoadBits > 0 {
			return &checkError{"engine.integers_by_bit_planes", `"true": want false in an engine that holds its weights, which are one bit each`}
		}
		return nil
	},
	has: func(s *Spec, d dtype.DType) bool { return d == dtype.Binary || d.Integer() && s.XNOR.Integers },
	same: func(a, b *Spec) bool {
		return (a.XNOR.LoadBits > 0) == (b.XNOR.LoadBits > 0) && a.XNOR.Integers == b.XNOR.Integers
	},
	structure: func(s *Spec) string { return fmt.Sprintf("%d rows of %d bits", s.XNOR.PEs, s.XNOR.SIMD) },
}
