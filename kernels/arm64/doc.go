// Package arm64 is the assembly of the micro-kernels for arm64 and the CPU
// features that each needs. Only package kernels imports the kernels, where it is
// built for arm64 without the tag purego; Mixes and SVEMixes, what their innermost
// loops execute, are there in every build.
//
// The rows of SVE take vectors as long as the machine has them. A system tells of SVE
// (HWCAP on Linux) where it keeps SVE's state for each thread. Nothing of that state
// outlives a function here, and Go's compiled code knows neither P registers nor the
// upper parts of Z, whose lower 128 bits are V. Go interrupts assembly by signals
// alone, whose frame holds all of Z and P and gives them back (Linux,
// Documentation/arch/arm64/sve.rst, sections 4 and 5; section 1 of the state of
// each thread).
//
// What each tile's loop executes a MAC, its loads, sums and registers are counted by
// hand in its comment and by the generator in mixes.go. What that comes to on five
// cores, by their published latencies and throughputs, is in package bound
// ("macroscope kernels --predicted").
//
// The .s files and mixes.go are written by _asm ("make generate").
package arm64
