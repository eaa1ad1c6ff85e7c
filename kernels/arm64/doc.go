// Package arm64 is the place of the assembly micro-kernels for arm64. It has
// none yet: arm64 runs on kernels/generic.
package arm64
