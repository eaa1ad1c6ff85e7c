// Package arm64 is the assembly of the micro-kernels for arm64 and the CPU
// features that each needs. Only package kernels imports the kernels, where it is
// built for arm64 without the tag purego; Mixes, what their innermost loops
// execute, is there in every build.
//
// What each tile's loop executes a MAC, its loads, sums and registers are counted by
// hand in its comment and by the generator in mixes.go. What that comes to on five
// cores, by their published latencies and throughputs, is in package bound
// ("macroscope kernels --predicted").
//
// The .s files and mixes.go are written by _asm ("make generate").
package arm64
