// Package xnor counts what an XNOR-popcount engine does for one product of ±1
// matrices: in closed form (Engine), and cycle by cycle on a stepped machine that
// compares and counts the real bits (Machine).
//
// A product has V vectors of K bits and N outputs each. The engine has PEs rows;
// a row compares SIMD bits of a vector with as many of its output's weights in a
// cycle, counts those that differ, and sums. A vector's ⌈K/SIMD⌉ words pass once
// for each group of PEs outputs. Between counting and summing may stand registers.
//
// There are two kinds of engines. One reads its weights word by word as it needs
// them, all of them anew for each vector. The other holds the weights of a group in
// registers of its own: it loads a group, then lets all vectors pass, so that each
// weight is read from memory once.
//
// An engine that reads its weights may be able to compute integers as well, bit plane by
// bit plane: it ands where it else compares, and adds its counts with the planes' weights.
// Each pair of a plane of inputs and one of weights is a pass of all words: 64 of int8.
package xnor

import (
	"fmt"
	"math"

	"macroscope/dtype"
	"macroscope/simhw/energy"
)

// Engine is the part of a design that the closed forms need.
type Engine struct {
	PEs  int64 // outputs at a time
	SIMD int64 // bits of a vector in a cycle
	Pipe int64 // registers between counting and summing

	// LoadBits is 0 for an engine that reads its weights as it needs them. Else
	// it holds a group's weights, and this many bits of them enter in a cycle,
	// while no vector passes.
	LoadBits int64

	// InputPlanes and WeightPlanes are the bits of integers, 1 to MaxPlanes; both 0 for
	// ±1. A vector's words pass once for each pair.
	InputPlanes, WeightPlanes int64
}

// integers tells whether it computes those, and not ±1.
func (e Engine) integers() bool { return e.InputPlanes > 0 }

func (e Engine) passes() int64 { return max(1, e.InputPlanes*e.WeightPlanes) }

// Limits of an engine. With them and those of package workload no product below
// overflows an int64 if Feasible says so.
const (
	MaxPEs  = 1 << 20
	MaxSIMD = 1 << 20
	MaxPipe = 1 << 10

	MaxPlanes = dtype.MaxIntBits
)

// Check names the first number that is out of range.
func (e Engine) Check() error {
	for _, c := range []struct {
		name          string
		value, lo, hi int64
	}{{"PEs", e.PEs, 1, MaxPEs}, {"bits of a word", e.SIMD, 1, MaxSIMD}, {"pipeline registers", e.Pipe, 0, MaxPipe}, {"weight bits loaded in a cycle", e.LoadBits, 0, MaxPEs * MaxSIMD}} {
		if c.value < c.lo || c.value > c.hi {
			return fmt.Errorf("%d %s: want %d to %d", c.value, c.name, c.lo, c.hi)
		}
	}
	in, w := e.InputPlanes, e.WeightPlanes
	if in != 0 || w != 0 {
		if in < 1 || in > MaxPlanes || w < 1 || w > MaxPlanes {
			return fmt.Errorf("%d by %d bit planes: want 1 to %d of both, or none", in, w, MaxPlanes)
		}
		if e.LoadBits > 0 {
			return fmt.Errorf("%d by %d bit planes: want none in an engine that holds its weights", in, w)
		}
	}
	return nil
}

func ceil(a, b int64) int64 { return (a + b - 1) / b }

// Groups is ⌈N/PEs⌉, how often each vector passes.
func (e Engine) Groups(n int64) int64 { return ceil(n, e.PEs) }

// Words is ⌈K/SIMD⌉, the cycles that a vector takes to pass once, times the passes.
func (e Engine) Words(k int64) int64 { return e.passes() * ceil(k, e.SIMD) }

// LoadCycles is the time in which weights enter and no vector passes: a group's
// K·PEs bits (K times what is left in the last group) at LoadBits a cycle.
func (e Engine) LoadCycles(n, k int64) int64 {
	if e.LoadBits == 0 {
		return 0
	}
	full := n / e.PEs
	cycles := full * ceil(e.PEs*k, e.LoadBits)
	if rest := n - full*e.PEs; rest > 0 {
		cycles += ceil(rest*k, e.LoadBits)
	}
	return cycles
}

// ComputeCycles is V·⌈N/PEs⌉·⌈K/SIMD⌉·passes, the cycles in which words pass.
func (e Engine) ComputeCycles(v, n, k int64) int64 { return v * e.Groups(n) * e.Words(k) }

// Cycles is the product's time: words pass, weights load where they are held, and
// the last word goes through the pipe:
//
//	V·⌈N/PEs⌉·⌈K/SIMD⌉·passes + LoadCycles + Pipe
func (e Engine) Cycles(v, n, k int64) int64 {
	return e.ComputeCycles(v, n, k) + e.LoadCycles(n, k) + e.Pipe
}

// Feasible tells whether Cycles fits an int64: whether it is less than limit.
func (e Engine) Feasible(v, n, k int64, limit float64) bool {
	load := 0.0
	if e.LoadBits > 0 {
		load = float64(n)*float64(k)/float64(e.LoadBits) + float64(e.Groups(n))
	}
	return float64(v)*float64(e.Groups(n))*float64(e.Words(k))+load+float64(e.Pipe) < limit
}

// Traffic counts bits that cross the engine's edge.
type Traffic struct {
	WeightBits int64 // read from the weight memory
	InputBits  int64 // read from the activation memory
	Outputs    int64 // results that leave, one bit each behind a threshold
}

// Traffic of a product. Rows without an output and bits past a vector's last are
// not read.
func (e Engine) Traffic(v, n, k int64) Traffic {
	t := Traffic{WeightBits: n * k, InputBits: v * e.Groups(n) * k * e.passes(), Outputs: v * n}
	if e.LoadBits == 0 {
		t.WeightBits *= v * e.passes()
	}
	return t
}

// Utilization is the share of the product's V·N·K·passes bit operations in what the
// engine could do in Cycles.
func (e Engine) Utilization(v, n, k int64) float64 {
	return float64(v) * float64(n) * float64(k) * float64(e.passes()) / (float64(e.Cycles(v, n, k)) * float64(e.PEs) * float64(e.SIMD))
}

// countBits is the width of a count of SIMD bits.
func (e Engine) countBits() float64 { return math.Ceil(math.Log2(float64(e.SIMD) + 1)) }

// Actions counts for the energy table. accumulatorBits is the width of a sum,
// outputBits that of a result in memory. A word's SIMD comparisons are products,
// their popcount SIMD−1 additions of the tree, and what joins the sum an
// accumulation. Registers are written by sums, by counts on their way through the
// pipe, and by weights that are held.
func (e Engine) Actions(v, n, k, accumulatorBits, outputBits int64) energy.Actions {
	t := e.Traffic(v, n, k)
	products := v * n * k * e.passes()
	words := v * n * e.Words(k)
	registers := float64(words) * (float64(accumulatorBits) + float64(e.Pipe)*e.countBits())
	if e.LoadBits > 0 {
		registers += float64(t.WeightBits)
	}
	return energy.Actions{DType: dtype.Binary, Products: products, TreeAdds: products - words, Accumulates: words,
		RegisterBits: registers, IfmapBits: float64(t.InputBits), FilterBits: float64(t.WeightBits),
		OfmapBits: float64(t.Outputs) * float64(outputBits)}
}
