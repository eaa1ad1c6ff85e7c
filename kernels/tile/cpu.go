package tile

import "github.com/klauspost/cpuid/v2"

// CPU is a kind of CPU by which measurements are kept. Its zero stands for all that nothing
// is kept for.
type CPU struct {
	Vendor cpuid.Vendor
	Family int // as the vendor counts them
}

// ByCPU has what was measured on kinds of CPU: which of two ways is faster can differ from
// one to the other where all have the instructions of both.
type ByCPU map[CPU]int

// On is what was measured on a CPU, else what holds for others, else 0.
func (b ByCPU) On(c CPU) int {
	if n, ok := b[c]; ok {
		return n
	}
	return b[CPU{}]
}
