package design

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/simhw/energy"
)

// checkError is a broken rule between values; key is the entry to point at.
type checkError struct {
	key, msg string
}

func (e *checkError) plain(where string) error {
	return fmt.Errorf("%s: %s %s", where, e.key, e.msg)
}

// Check reports the first rule that the numbers break. It allocates nothing
// where they break none.
func (s *Spec) Check() error {
	if err := s.check(); err != nil {
		return err.plain("design " + s.Name)
	}
	return nil
}

// check applies every rule: each value's range, then the rules between them.
func (s *Spec) check() *checkError {
	for i := range schema {
		f := &schema[i]
		if s.ScaleSim && (f.key == "technology_nm" || f.key == "voltage_v" || f.key == "clock_mhz" || f.key == "dram.bandwidth_gb_s") {
			continue
		}
		switch {
		case f.absent(s):
			if f.required {
				return &checkError{f.key, "is missing: want " + f.doc}
			}
		case !f.ok(s):
			t := f.get(s)
			return &checkError{f.key, fmt.Sprintf("%q: %v", t, f.set(&Spec{}, t))}
		case !f.applies(s) && f.fallback != f.get(s):
			return &checkError{f.key, fmt.Sprintf("%q: applies to %s only", f.get(s), f.why)}
		}
	}
	if s.ScaleSim {
		return nil
	}
	return s.crossCheck()
}

// halfKiBits is the number of bits in half a KiB: one side of a
// double-buffered memory of 1 KiB.
const halfKiBits = 1024 * 8 / 2

// crossCheck applies the rules between values.
func (s *Spec) crossCheck() *checkError {
	if _, err := energy.NewPrices(s.EnergyConfig()); err != nil {
		return &checkError{"voltage_v", err.Error()}
	}
	if s.Array.Gated && (s.Dataflow == OS && s.Array.Drain == DrainOverlapped || s.Dataflow != OS && s.Array.WeightLoad != LoadSerial) {
		return &checkError{"array.partial_folds", `"gated": want full where a fold overlaps the next one`}
	}
	computes := false
	for _, d := range dtype.All {
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
		return &checkError{"array.macs_per_pe_per_cycle", "has no format: want float32, int8 or binary"}
	}
	return nil
}
