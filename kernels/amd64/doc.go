// Package amd64 is the assembly of the micro-kernels for x86-64 and the CPU
// features that each needs; nothing else. Only package kernels imports it, and
// only where it is built for amd64 without the tag purego.
//
// The .s files are written by _asm ("make generate").
package amd64
