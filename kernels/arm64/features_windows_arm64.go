//go:build !purego

package arm64

import (
	"github.com/klauspost/cpuid/v2"
	"golang.org/x/sys/windows"
)

// cpuid (v2.4.2) detects nothing on Windows for arm64: we ask the system and
// tell it.
func init() {
	if windows.IsProcessorFeaturePresent(windows.PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE) {
		cpuid.CPU.Enable(cpuid.ASIMDDP)
	}
	if windows.IsProcessorFeaturePresent(windows.PF_ARM_V82_I8MM_INSTRUCTIONS_AVAILABLE) {
		cpuid.CPU.Enable(cpuid.I8MM)
	}
}
