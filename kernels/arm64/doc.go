// Package arm64 is the assembly of the micro-kernels for arm64 and the CPU
// features that each needs; nothing else. Only package kernels imports it, and
// only where it is built for arm64 without the tag purego; Mixes may be read
// everywhere.
//
// The .s files and mixes.go are written by _asm ("make generate").
package arm64
