package systolic

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/simhw/design"
)

// Accumulator is the width of the array's sums and what becomes of one that
// does not fit. The products of a word are added up exactly, as by a tree of
// adders; what they come to is added to the sum, and that is brought into the
// accumulator's range: −2^(Bits−1) … 2^(Bits−1)−1. So the order of the steps
// along K matters where it saturates. The zero value has 32 bits and wraps
// around.
type Accumulator struct {
	Bits     int64 // 2 to 32; 0 is 32
	Saturate bool  // keep to the nearest value of the range; otherwise drop the upper bits
}

// AccumulatorOf takes a design's int8 accumulator. More than 32 bits are the same
// as 32: no sum of 131071 int8 products needs more.
func AccumulatorOf(s *design.Spec) Accumulator {
	return Accumulator{int64(min(s.Array.AccumulatorBits[dtype.Int8], 32)), s.Array.Overflow == design.OverflowSaturate}
}

// Check tells whether there is such an accumulator.
func (a Accumulator) Check() error {
	if a.Bits != 0 && (a.Bits < 2 || a.Bits > 32) {
		return fmt.Errorf("an accumulator of %d bits: want 2 to 32", a.Bits)
	}
	return nil
}

// String describes the accumulator.
func (a Accumulator) String() string {
	if a.Saturate {
		return fmt.Sprintf("%d bits, saturating", a.width())
	}
	return fmt.Sprintf("%d bits, wrapping around", a.width())
}

func (a Accumulator) width() int64 {
	if a.Bits == 0 {
		return 32
	}
	return a.Bits
}

// limits are the smallest and the largest value.
func (a Accumulator) limits() (lo, hi int64) {
	hi = int64(1)<<(a.width()-1) - 1
	return -hi - 1, hi
}

// Fit brings a sum into the range.
func (a Accumulator) Fit(v int64) int32 {
	if a.Saturate {
		lo, hi := a.limits()
		return int32(min(max(v, lo), hi))
	}
	unused := 64 - a.width()
	return int32(v << unused >> unused)
}

// add is the accumulator's one operation.
func (a Accumulator) add(sum, term int32) int32 { return a.Fit(int64(sum) + int64(term)) }
