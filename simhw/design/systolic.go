package design

import (
	"fmt"
	"slices"

	"macroscope/dtype"
	"macroscope/simhw/energy"
)

// Systolic is a two-dimensional array of processing elements between which
// operands move one step a cycle, and its buffers.
type Systolic struct {
	Dataflow Dataflow
	Array    Array
	Buffers  Buffers

	// Objective decides on the order of a layer's folds. Energy is the layer's own, with
	// all that the design has prices for, leakage included.
	Objective Objective
}

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

// Overflow says what becomes of an int8 sum that its accumulator cannot hold.
type Overflow uint8

const (
	OverflowWrap     Overflow = iota // it loses its upper bits
	OverflowSaturate                 // it becomes the nearest value that can be held
)

var (
	overflowNames   = []string{"wrap", "saturate"}
	dataflowNames   = []string{"os", "ws", "is"}
	drainNames      = []string{"in_place", "shift", "overlapped"}
	weightLoadNames = []string{"serial", "chain", "bus"}
	foldNames       = []string{"full", "gated"}
)

func (d Dataflow) String() string   { return enumName(dataflowNames, int(d)) }
func (d Drain) String() string      { return enumName(drainNames, int(d)) }
func (l WeightLoad) String() string { return enumName(weightLoadNames, int(l)) }
func (o Overflow) String() string   { return enumName(overflowNames, int(o)) }

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
	// Units of several integers are taken to be one that splits.
	MACsPerPEPerCycle ByFormat

	// AccumulatorBits is, by dtype.DType, the width of a partial sum.
	AccumulatorBits ByFormat

	// Overflow decides on the values of integer sums, not on their cost.
	Overflow Overflow
}

// Buffers are the on-chip memories. Each is double-buffered: half of it feeds
// the array while the other half, with ports of its own, is filled from or
// emptied to DRAM.
type Buffers struct {
	IfmapKiB, FilterKiB, OfmapKiB int

	// What a buffer's port gives to the array, or takes, in a cycle; 0: as wide
	// as the array's edge, which it never stalls.
	IfmapBytesPerCycle, FilterBytesPerCycle, OfmapBytesPerCycle int

	// OfmapPorts is 1 where partial sums that are read back wait for those that
	// are written; 2, or 0 for 2, where not. WS and IS only.
	OfmapPorts int

	// KeepActivations leaves a layer's outputs in the ifmap buffer for the
	// next layer where inputs and outputs fit there together.
	KeepActivations bool
}

// Lanes is MACsPerPEPerCycle for one number format.
func (s *Spec) Lanes(d dtype.DType) int { return s.Array.MACsPerPEPerCycle[d] }

// PEs is the number of processing elements.
func (s *Spec) PEs() int64 { return int64(s.Array.Rows) * int64(s.Array.Cols) }

// EnergyConfig is what energy prices and areas depend on.
func (s *Spec) EnergyConfig() energy.Config {
	return energy.Config{
		NodeNM: s.TechnologyNM, VoltageV: s.VoltageV,
		Lanes: s.Array.MACsPerPEPerCycle, AccumulatorBits: s.Array.AccumulatorBits,
		IfmapKiB: float64(s.Buffers.IfmapKiB), FilterKiB: float64(s.Buffers.FilterKiB), OfmapKiB: float64(s.Buffers.OfmapKiB),
		DRAMPJPerBit: s.DRAM.EnergyPJPerBit, DRAMLowPJPerBit: s.DRAM.EnergyLowPJPerBit, DRAMHighPJPerBit: s.DRAM.EnergyHighPJPerBit,
		LeakageMWPerMM2: s.LeakageMWPerMM2, Table: s.EnergyTable,
	}
}

// PERegisterBits is the number of register bits in one processing element:
// the operands that pass or stay, the partial sum, and the shadow copies that
// an overlapped drain or weight load needs; for the widest number format.
func (s *Spec) PERegisterBits() int {
	widest := 0
	for _, d := range formats {
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

var systolicKind = kind{
	fields: slices.Concat([]field{
		technology, voltage, leakage,
		required(enum("dataflow", "operand that stays in a processing element: outputs, weights or inputs", "", dataflowNames, func(s *Spec) *Dataflow { return &s.Dataflow })),
		integer("array.rows", "rows of processing elements", 1, maxSide, func(s *Spec) *int { return &s.Array.Rows }),
		integer("array.cols", "columns of processing elements", 1, maxSide, func(s *Spec) *int { return &s.Array.Cols }),
		only(enum("array.drain", "how outputs leave: in_place (read where they stand), shift (after each fold), overlapped (during the next fold)", "in_place", drainNames, func(s *Spec) *Drain { return &s.Array.Drain }), isOS, "dataflow os"),
		only(enum("array.weight_load", "how stationary operands enter: serial (before each fold), chain or bus (during the fold before)", "serial", weightLoadNames, func(s *Spec) *WeightLoad { return &s.Array.WeightLoad }), isNotOS, "dataflow ws or is"),
		partialFolds,
	}, lanes("array.macs_per_pe_per_cycle", "products that a processing element forms in a cycle; an integer is computed by the narrowest unit that it fits, a format without one not at all", "1", func(s *Spec) *ByFormat { return &s.Array.MACsPerPEPerCycle }),
		accumulators, []field{
			only(enum("array.accumulator_overflow", "what becomes of an integer sum that does not fit: wrap (upper bits are lost), saturate", "wrap", overflowNames, func(s *Spec) *Overflow { return &s.Array.Overflow }), hasIntegers, "arrays that compute integers"),
			integer("buffers.ifmap_kib", "input buffer, both halves", 1, maxKiB, func(s *Spec) *int { return &s.Buffers.IfmapKiB }),
			integer("buffers.filter_kib", "weight buffer, both halves", 1, maxKiB, func(s *Spec) *int { return &s.Buffers.FilterKiB }),
			integer("buffers.ofmap_kib", "output and partial-sum buffer, both halves", 1, maxKiB, func(s *Spec) *int { return &s.Buffers.OfmapKiB }),
			port("ifmap", "inputs that it gives"),
			port("filter", "weights that it gives"),
			port("ofmap", "sums that it takes, and as many partial sums that it gives back"),
			optional(only(integer("buffers.ofmap_ports", "ports between array and output buffer, 1: partial sums are read and written in turn; absent: 2, one each way", 1, 2, func(s *Spec) *int { return &s.Buffers.OfmapPorts }), isNotOS, "dataflow ws or is")),
			flag("buffers.keep_activations", "keep outputs on chip as the next layer's inputs where both fit the ifmap buffer", func(s *Spec) *bool { return &s.Buffers.KeepActivations }),
			dramBandwidth, dramEnergy, dramLow, dramHigh,
			searchFor("what the order of a layer's folds has least of; cycles: of those as fast the fewest bytes from and to DRAM, and more bandwidth, larger buffers or a higher clock never take more time, but a cycle saved may cost any traffic; energy_delay and energy, which is all that the estimate has, leakage included, give up time for energy, each layer by itself, and with more of any may give up more", func(s *Spec) *Objective { return &s.Objective }),
		}),
	check: checkSystolic,
	has:   func(s *Spec, d dtype.DType) bool { return s.Lanes(d) > 0 },
	same: func(a, b *Spec) bool {
		return a.Dataflow == b.Dataflow && a.Array.Drain == b.Array.Drain && a.Array.WeightLoad == b.Array.WeightLoad && a.Array.Gated == b.Array.Gated
	},
	structure: func(s *Spec) string {
		return fmt.Sprintf("%d×%d %s", s.Array.Rows, s.Array.Cols, s.Dataflow)
	},
}

func isOS(s *Spec) bool    { return s.Dataflow == OS }
func isNotOS(s *Spec) bool { return s.Dataflow != OS }

// port is the key of a buffer's width.
func port(buffer, doc string) field {
	return optional(integer("buffers."+buffer+"_bytes_per_cycle", "bytes a cycle of "+doc+"; the array waits for those of each step; absent: as wide as the array's edge", 1, maxPort,
		func(s *Spec) *int {
			b := &s.Buffers
			switch buffer {
			case "ifmap":
				return &b.IfmapBytesPerCycle
			case "filter":
				return &b.FilterBytesPerCycle
			}
			return &b.OfmapBytesPerCycle
		}))
}

var partialFolds = func() field {
	return field{
		key: "array.partial_folds", doc: "full: a fold at the edge takes as long as any; gated: it does not wait for idle rows and columns",
		fallback: "full", absent: never, ok: always,
		set: func(s *Spec, t string) error {
			i, err := enumValue(foldNames, t)
			s.Array.Gated = i == 1
			return err
		},
		get: func(s *Spec) string {
			if s.Array.Gated {
				return foldNames[1]
			}
			return foldNames[0]
		},
	}
}()

func hasIntegers(s *Spec) bool {
	return slices.ContainsFunc(dtype.Integers, func(d dtype.DType) bool { return s.Lanes(d) > 0 })
}

// lanes are keys of how many operands units take in a cycle, of which what is listed is
// all there is; fallback is that of the three formats that kernels compute.
func lanes(parent, doc, fallback string, at func(*Spec) *ByFormat) []field {
	fields := byFormat(parent, doc, func(d dtype.DType) string {
		if slices.Contains(dtype.All, d) {
			return fallback
		}
		return ""
	}, maxMACs, at)
	for i := range fields {
		fields[i] = listed(fields[i])
	}
	return fields
}

// accumulators are the keys of the widths of sums, each of arrays that compute its format.
var accumulators = func() []field {
	fields := byFormat("array.accumulator_bits", "width of a partial sum", func(d dtype.DType) string {
		switch {
		case d == dtype.Binary:
			return "16"
		case d.Integer() && d.Bits() > 8:
			return "48"
		}
		return "32"
	}, 64, func(s *Spec) *ByFormat { return &s.Array.AccumulatorBits })
	for i, d := range formats {
		fields[i] = only(fields[i], func(s *Spec) bool { return s.Lanes(d) > 0 }, "arrays that compute "+d.String())
	}
	return fields
}()

// halfKiBits is the number of bits in half a KiB: one side of a
// double-buffered memory of 1 KiB.
const halfKiBits = 1024 * 8 / 2

// checkSystolic applies the rules between values.
func checkSystolic(s *Spec) *checkError {
	if s.ScaleSim {
		return nil
	}
	if err := checkDRAMRange(s); err != nil {
		return err
	}
	if _, err := energy.NewPrices(s.EnergyConfig()); err != nil {
		return &checkError{"voltage_v", err.Error()}
	}
	if s.Array.Gated && (s.Dataflow == OS && s.Array.Drain == DrainOverlapped || s.Dataflow != OS && s.Array.WeightLoad != LoadSerial) {
		return &checkError{"array.partial_folds", `"gated": want full where a fold overlaps the next one`}
	}
	computes := false
	for _, d := range formats {
		lanes := s.Lanes(d)
		if lanes == 0 {
			continue
		}
		computes = true
		if s.Array.AccumulatorBits[d] == 0 {
			return &checkError{"array.accumulator_bits." + d.String(), "is missing: want 1 to 64"}
		}
		// What enters or leaves the array at once must fit half a buffer.
		row := s.Array.Rows * lanes * d.Bits()
		col := s.Array.Cols * lanes * d.Bits()
		ifmap, filter := row, col
		if s.Dataflow == IS {
			ifmap, filter = col, row
		}
		for _, b := range []struct {
			key  string
			kib  int
			bits int
		}{
			{"buffers.ifmap_kib", s.Buffers.IfmapKiB, ifmap},
			{"buffers.filter_kib", s.Buffers.FilterKiB, filter},
			{"buffers.ofmap_kib", s.Buffers.OfmapKiB, s.Array.Cols * s.Array.AccumulatorBits[d]},
		} {
			if need := (b.bits + halfKiBits - 1) / halfKiBits; need > b.kib {
				return &checkError{b.key, fmt.Sprintf("%d: half of it does not hold the %d bits that a %d×%d array moves at once in %s: want at least %d",
					b.kib, b.bits, s.Array.Rows, s.Array.Cols, d, need)}
			}
		}
	}
	if !computes {
		return &checkError{"array.macs_per_pe_per_cycle", "has no format: want float32, binary or integers such as int8"}
	}
	return nil
}
