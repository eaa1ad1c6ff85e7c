//go:build purego || !(amd64 || arm64)

package kernels

import "macroscope/kernels/tile"

// No assembly: built with the tag purego, or for an architecture that has none.
var archKernels []tile.Kernel
