// Package bound predicts what the arm64 micro-kernels reach on cores that are
// not at hand: a bound by counting, not a measurement. Emulation shows that a
// kernel is right and how many instructions it executes; it says nothing of
// time. So the instructions of the innermost loop (arm64.Mix, counted by the
// generator, confirmed by a test under emulation) are laid over what is
// published of a core: how many instructions it takes in a cycle, which of its
// vector pipes do what, how many loads it does, how long a sum waits for the
// sum before it. The resource that is busy longest is the bound.
//
// What is left out makes a real core slower, never faster: cache misses, the
// way to the next tile, the epilogue, the binary tile's widening of its bytes,
// pieces of K that only half of a tile's rows take, mispredicted branches, too
// small a window to find the order that the bound assumes, in-order stalls of the
// Cortex-A53. A number here is thus an upper bound of the MACs that are computed
// in a cycle; a layer's MACs count its padding as well, of which tiles at the
// image's edges leave most out, so it may show more. How near one may come: a
// float32 product with another 8×8 NEON tile was measured on an Apple M1 at 96.4
// GFLOP/s (github.com/bluss/matrixmultiply, pull request 73), where the bound is
// 16 MACs a cycle, 102.4 GFLOP/s at 3.2 GHz: 94 % of it.
package bound
