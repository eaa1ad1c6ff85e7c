package tile

import "github.com/klauspost/cpuid/v2"

// CPU is a kind of CPU by which measurements are kept. Its zero stands for all that nothing
// is kept for.
type CPU struct {
	Vendor        cpuid.Vendor
	Family, Model int // as the vendor counts them; model 0: all of the family that nothing is kept for
}

// ByCPU has what was measured on kinds of CPU: which of two ways is faster can differ from
// one to the other where all have the instructions of both.
type ByCPU map[CPU]int

// On is what was measured on a CPU, else on others of its family, else what holds for others,
// else 0.
func (b ByCPU) On(c CPU) int {
	for _, kind := range []CPU{c, {Vendor: c.Vendor, Family: c.Family}} {
		if n, ok := b[kind]; ok {
			return n
		}
	}
	return b[CPU{}]
}
