//go:build !purego

package kernels

import "macroscope/kernels/arm64"

var archKernels = arm64.Kernels
