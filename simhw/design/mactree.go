package design

import (
	"fmt"
	"slices"

	"macroscope/dtype"
	"macroscope/simhw/energy"
)

// MACTree is a core of cells that multiply many input channels at once and sum
// the products by a tree, after the convolution core of NVDLA.
type MACTree struct {
	Tree       Tree
	ConvBuffer ConvBuffer
	Behind     Behind
}

// Behind are the units behind the core, which take layers without weights from memory
// to memory. Outputs in a cycle; 0: there is no such unit, or it is not modelled.
type Behind struct {
	PoolOutputs int // maximum and mean over windows
	PoolSide    int // largest window's
	AddOutputs  int // sums of two tensors

	// FinishOutputs is how many sums the core hands on to be biased, scaled and
	// activated; 0: as many as it makes.
	FinishOutputs int
}

// Tree is the core.
type Tree struct {
	Kernels  int      // cells: output channels at once
	Channels ByFormat // by dtype.DType, input channels that a cell multiplies in a cycle; 0: none

	StripeOutputs    int // accumulators of a cell
	WeightLoadCycles int // to bring all cells their next weights
	PipelineCycles   int // from an operand's entry to the accumulator
	AccumulatorBits  int

	// Winograd computes 3×3 layers of stride 1 by F(2×2, 3×3).
	Winograd bool
}

// ConvBuffer holds inputs and weights together.
type ConvBuffer struct{ KiB int }

// TreeEnergyConfig is what energy prices and areas depend on. Inputs and
// weights share one memory, whose capacity decides what an access costs.
func (s *Spec) TreeEnergyConfig() energy.Config {
	bits := s.Tree.AccumulatorBits
	kib := float64(s.ConvBuffer.KiB)
	return energy.Config{
		NodeNM: s.TechnologyNM, VoltageV: s.VoltageV,
		Lanes: s.Tree.Channels, AccumulatorBits: everyFormat(bits),
		IfmapKiB: kib, FilterKiB: kib, OfmapKiB: float64(s.Tree.StripeOutputs*bits) * float64(s.Tree.Kernels) / 8 / 1024,
		DRAMPJPerBit: s.DRAM.EnergyPJPerBit, DRAMLowPJPerBit: s.DRAM.EnergyLowPJPerBit, DRAMHighPJPerBit: s.DRAM.EnergyHighPJPerBit,
		LeakageMWPerMM2: s.LeakageMWPerMM2, Table: s.EnergyTable,
	}
}

// everyFormat is one number for all formats.
func everyFormat(n int) (by ByFormat) {
	for d := range by {
		by[d] = n
	}
	return by
}

var macTreeKind = kind{
	fields: slices.Concat([]field{
		technology, voltage, leakage,
		integer("tree.kernels", "cells: output channels that are computed at once", 1, maxMACs, func(s *Spec) *int { return &s.Tree.Kernels }),
	}, lanes("tree.channels", "input channels that a cell multiplies and sums in a cycle; an integer is computed by the narrowest unit that it fits, a format without one not at all", "", func(s *Spec) *ByFormat { return &s.Tree.Channels }), []field{
		integer("tree.stripe_outputs", "accumulators of a cell: outputs that are computed before the weights change", 1, maxSide, func(s *Spec) *int { return &s.Tree.StripeOutputs }),
		integer("tree.weight_load_cycles", "time to bring all cells their next weights, during the stripe before", 1, maxSide, func(s *Spec) *int { return &s.Tree.WeightLoadCycles }),
		integer("tree.pipeline_cycles", "time from an operand's entry to the accumulator", 1, maxMACs, func(s *Spec) *int { return &s.Tree.PipelineCycles }),
		integer("tree.accumulator_bits", "width of a partial sum", 8, 64, func(s *Spec) *int { return &s.Tree.AccumulatorBits }),
		flag("tree.winograd", "compute 3×3 layers of stride 1 with 16 products for four outputs", func(s *Spec) *bool { return &s.Tree.Winograd }),
		integer("conv_buffer.kib", "buffer of inputs and weights together", 1, maxKiB, func(s *Spec) *int { return &s.ConvBuffer.KiB }),
		optional(integer("behind.pool_outputs_per_cycle", "outputs of the unit that pools from memory to memory; absent: pools are not modelled", 1, maxSide, func(s *Spec) *int { return &s.Behind.PoolOutputs })),
		optional(integer("behind.pool_side", "rows and columns of the largest window that it takes", 1, maxSide, func(s *Spec) *int { return &s.Behind.PoolSide })),
		optional(integer("behind.add_outputs_per_cycle", "outputs of the unit that adds two tensors; absent: additions are not modelled", 1, maxSide, func(s *Spec) *int { return &s.Behind.AddOutputs })),
		optional(integer("behind.finish_outputs_per_cycle", "outputs that are biased, scaled and activated; absent: as many as the core makes", 1, maxSide, func(s *Spec) *int { return &s.Behind.FinishOutputs })),
		dramBandwidth, dramEnergy, dramLow, dramHigh,
	}),
	check: checkMACTree,
	has:   func(s *Spec, d dtype.DType) bool { return s.Tree.Channels[d] > 0 },
	same:  func(a, b *Spec) bool { return a.Tree.Winograd == b.Tree.Winograd },
	structure: func(s *Spec) string {
		widest := 0
		for _, c := range s.Tree.Channels {
			widest = max(widest, c)
		}
		return fmt.Sprintf("%d×%d tree", s.Tree.Kernels, widest)
	},
}

func checkMACTree(s *Spec) *checkError {
	if err := checkDRAMRange(s); err != nil {
		return err
	}
	if _, err := energy.NewPrices(s.TreeEnergyConfig()); err != nil {
		return &checkError{"voltage_v", err.Error()}
	}
	if err := checkDRAMRange(s); err != nil {
		return err
	}
	if b := &s.Behind; (b.PoolOutputs > 0) != (b.PoolSide > 0) {
		return &checkError{"behind.pool_side", "and behind.pool_outputs_per_cycle: want both or neither"}
	}
	computes := false
	for _, d := range formats {
		c := s.Tree.Channels[d]
		computes = computes || c > 0
		if s.Tree.Winograd && c%16 != 0 {
			return &checkError{"tree.channels." + d.String(), fmt.Sprintf("%d: want a multiple of 16 with winograd", c)}
		}
	}
	if !computes {
		return &checkError{"tree.channels", "has no format: want float32, binary or integers such as int8"}
	}
	return nil
}
