// Package dtype names the three number formats that macroscope compares, and the
// integers of other widths that accelerators are simulated with.
//
// It stands on the ground floor so that the measuring tower (kernels, nn) and
// the simulating tower (workload, simhw) speak of the same formats without
// knowing one another.
package dtype

import (
	"fmt"
	"strings"
)

// DType is a number format of weights and activations.
type DType uint8

const (
	// Float32 is IEEE 754 single precision.
	Float32 DType = iota
	// Int8 is a signed byte standing for s·x̃ with a float32 scale s; products
	// are summed in int32.
	Int8
	// Binary is one bit standing for ±1 (bit 1 is +1, bit 0 is −1); a product
	// is an XNOR and a sum a popcount.
	Binary
)

// All lists the three formats that kernels compute, in the order that tables show them.
var All = []DType{Float32, Int8, Binary}

// MaxIntBits is the width of the widest integer format.
const MaxIntBits = 16

// Count is more than any DType: the length of arrays by format. Of its places that after
// Binary's of Int(8) is never used.
const Count = int(Binary) + MaxIntBits + 1

// Int is the format of signed integers of 1 to MaxIntBits bits, in two's complement,
// that stand for s·x̃ as Int8 does, which Int(8) is. No kernel computes another of them;
// the simulator prices them.
func Int(bits int) DType {
	if bits == 8 {
		return Int8
	}
	return Binary + DType(bits)
}

// Integers lists Int(1) to Int(MaxIntBits).
var Integers = func() []DType {
	list := make([]DType, MaxIntBits)
	for i := range list {
		list[i] = Int(i + 1)
	}
	return list
}()

// Known tells a format from a number that is none.
func (d DType) Known() bool { return d <= Binary || d.Integer() }

// Integer tells whether d is Int of some width.
func (d DType) Integer() bool { return d == Int8 || d > Binary && int(d) < Count && d != Binary+8 }

// String returns the name used in commands, benchmark names and reports.
func (d DType) String() string {
	switch d {
	case Float32:
		return "float32"
	case Int8:
		return "int8"
	case Binary:
		return "binary"
	}
	if d.Integer() {
		return fmt.Sprintf("int%d", d.Bits())
	}
	return fmt.Sprintf("dtype(%d)", uint8(d))
}

// Bits is the number of bits that one value of the format occupies.
func (d DType) Bits() int {
	switch d {
	case Float32:
		return 32
	case Int8:
		return 8
	case Binary:
		return 1
	}
	return int(d - Binary)
}

// ParseAny is the inverse of String. The error names the formats.
func ParseAny(s string) (DType, error) {
	for d := range DType(Count) {
		if d.Known() && d.String() == s {
			return d, nil
		}
	}
	return 0, fmt.Errorf("dtype %q: want float32, binary or int1 to int%d", s, MaxIntBits)
}

// Parse is ParseAny for the formats that kernels compute. The error names them.
func Parse(s string) (DType, error) {
	for _, d := range All {
		if d.String() == s {
			return d, nil
		}
	}
	names := make([]string, len(All))
	for i, d := range All {
		names[i] = d.String()
	}
	return 0, fmt.Errorf("dtype %q: want %s", s, strings.Join(names, ", "))
}

// MarshalText makes a DType its name in JSON and in text formats.
func (d DType) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (d *DType) UnmarshalText(b []byte) error {
	v, err := ParseAny(string(b))
	if err == nil {
		*d = v
	}
	return err
}
