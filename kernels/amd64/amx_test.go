//go:build amd64 && !purego

package amd64

import (
	"strings"
	"testing"

	"github.com/klauspost/cpuid/v2"
)

func TestCheckPalette(t *testing.T) {
	for _, c := range []struct {
		size, names, rows uint32
		want              string // "": usable
	}{
		{0x0400_2000, 0x0008_0040, 16, ""}, // Sapphire Rapids
		{0x0200_2000, 0x0008_0040, 16, "8 tiles of 512 bytes"},
		{0x0400_2000, 0x0004_0040, 16, "4 tiles of 1024 bytes"},
		{0x0400_2000, 0x0008_0020, 16, "in 16 rows of 32"},
		{0x0400_2000, 0x0008_0040, 8, "in 8 rows of 64"},
		{0, 0, 0, "0 tiles"},
	} {
		err := checkPalette(c.size, c.names, c.rows)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("palette %#x, %#x, %#x: got %v, want %q", c.size, c.names, c.rows, err, c.want)
		}
	}
}

// The registers are read as they are: the state of SSE is always kept, and leaf
// 0 names a maker.
func TestRawRegisters(t *testing.T) {
	if x := xcr0(); x&3 != 3 {
		t.Errorf("XCR0 is %#x: want the states of x87 and SSE", x)
	}
	if leaves, b, c, d := cpuidLeaf(0, 0); leaves < 7 || b == 0 || c == 0 || d == 0 {
		t.Errorf("CPUID leaf 0: %d leaves, maker %#x %#x %#x", leaves, b, d, c)
	}
}

// Without the instructions no step may pass.
func TestUsableRefuses(t *testing.T) {
	if cpuid.CPU.Supports(cpuid.AMXTILE) {
		t.Skip("this CPU has AMX")
	}
	if err := amxUsable(); err == nil || !strings.Contains(err.Error(), "XCR0") {
		t.Errorf("got %v, want the state of tiles in XCR0 missing", err)
	}
	if err := permitAMX(); err == nil || !strings.Contains(err.Error(), "permission") {
		t.Errorf("got %v, want a refused permission", err)
	}
}
