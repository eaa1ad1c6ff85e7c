// Package emulate runs a test binary on a CPU that lacks some of its
// instructions: AMX on int8, and VPDPBUSD and VPDPWSSD in their VEX form (AVX-VNNI). The
// program is started as a child under ptrace; where it stops for an illegal
// instruction, the parent decodes it, does its work on the child's registers
// and memory, and lets the child go on behind it. Every instruction costs two
// switches of processes, some 10 µs: it is for small tests of what the
// instructions compute, and says nothing about speed.
//
// It is for tests alone. Nothing in the program asks it what the CPU can do.
package emulate

import (
	"errors"
	"os"
	"strings"
)

// ErrUnsupported is what Run's error wraps where there is no ptrace, or nobody may
// use it.
var ErrUnsupported = errors.New("no emulation here")

// Traced says whether somebody traces this process.
func Traced() bool {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	_, after, ok := strings.Cut(string(status), "TracerPid:\t")
	return ok && !strings.HasPrefix(after, "0\n")
}
