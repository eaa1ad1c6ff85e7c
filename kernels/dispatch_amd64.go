//go:build !purego

package kernels

import "macroscope/kernels/amd64"

var archKernels = amd64.Kernels
