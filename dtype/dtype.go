// Package dtype names the three number formats that macroscope compares.
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

// All lists the formats in the order that tables show them.
var All = []DType{Float32, Int8, Binary}

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
	return fmt.Sprintf("dtype(%d)", uint8(d))
}

// Bits is the number of bits that one value of the format occupies.
func (d DType) Bits() int {
	switch d {
	case Float32:
		return 32
	case Int8:
		return 8
	default:
		return 1
	}
}

// Parse is the inverse of String. The error names the known formats.
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
	v, err := Parse(string(b))
	if err == nil {
		*d = v
	}
	return err
}
