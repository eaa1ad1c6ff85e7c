// Package kernels is the table of all dot-product and matrix micro-kernels,
// the choice among them, and what Go programs call: dot, gemm and conv2d in
// float32, int8 and binary (±1 packed 32 to a word).
//
//	choice, err := kernels.Default()        // the fastest that this CPU runs, or what MACROSCOPE_KERNELS says
//	im := choice.For(dtype.Int8)            // for instance int8/avx512vnni
//	sum := im.DotInt8(a, b)
//
// An instruction set brings only a micro-kernel: a tile of MR×NR sums and what
// becomes of them (package tile). Packing, convolution without an im2col
// buffer, cache blocking and tails are written once, here, over the tile.
//
// Numeric rules, the same on every implementation: float32 sums in any order,
// within n·ε·Σ|aᵢbᵢ| of the exact sum; int8 and binary are bit-equal
// everywhere. Package kernels knows no network; package nn does.
package kernels

import (
	"fmt"
	"slices"
	"strings"

	"github.com/klauspost/cpuid/v2"

	"macroscope/dtype"
	"macroscope/kernels/generic"
	"macroscope/kernels/tile"
)

// Ops lists the operations that every implementation offers.
var Ops = []string{"dot", "gemm", "conv2d"}

// Impl is one row of the table: a dtype's operations on one instruction set.
// It is immutable and safe for concurrent use.
type Impl struct {
	k      tile.Kernel
	narrow *tile.Kernel // k with its tile of few columns; nil: it has none
	reason string
}

// narrowed is a kernel whose tile is its Narrow, nil if it has none.
func narrowed(k tile.Kernel) *tile.Kernel {
	if k.Narrow.Run == nil {
		return nil
	}
	k.MR, k.NR, k.Tile, k.PieceTile, k.NonNegativeTile = k.Narrow.MR, k.Narrow.NR, k.Narrow.Run, nil, nil
	return &k
}

// of is the kernel for so many columns: the narrow one where it leaves fewer idle.
func (im *Impl) of(columns int) *tile.Kernel {
	padded := func(nr int) int { return (columns + nr - 1) / nr * nr }
	if im.narrow != nil && padded(im.narrow.NR) < padded(im.k.NR) {
		return im.narrow
	}
	return &im.k
}

// DType is the number format that the row computes in.
func (im *Impl) DType() dtype.DType { return im.k.DType }

// Name is the instruction set's name: "generic", "avx2", "avx512vnni", ...
func (im *Impl) Name() string { return im.k.Name }

// String is dtype and name, "int8/avx512vnni".
func (im *Impl) String() string { return im.k.DType.String() + "/" + im.k.Name }

// FullName is the name used in benchmarks, reports and errors:
// "dot/int8/avx512vnni".
func (im *Impl) FullName(op string) string { return op + "/" + im.String() }

// Tile returns the rows and columns of the micro-kernel.
func (im *Impl) Tile() (mr, nr int) { return im.k.MR, im.k.NR }

// Available says whether this machine can run the row.
func (im *Impl) Available() bool { return im.reason == "" }

// Reason says why the row is not available, "" when it is.
func (im *Impl) Reason() string { return im.reason }

// Needs lists the CPU features that the row uses, all of them.
func (im *Impl) Needs() []string {
	names := make([]string, len(im.k.Needs))
	for i, f := range im.k.Needs {
		names[i] = f.String()
	}
	return names
}

// AXor is what the bytes of an int8 Image are stored xored with for this row:
// 0x80 where the instruction takes them as x+128, else 0.
func (im *Impl) AXor() uint8 { return im.k.AXor }

// Peak returns a function that issues at least n multiply-accumulates with the
// row's innermost instruction on registers alone, and returns their exact
// number; nil if the row has no such instruction (generic).
func (im *Impl) Peak() func(n int) int {
	if im.k.Peak == nil {
		return nil
	}
	return func(n int) int {
		rounds := max(1, (n+im.k.PeakMACs-1)/im.k.PeakMACs)
		im.k.Peak(rounds)
		return rounds * im.k.PeakMACs
	}
}

var genericKernels = []tile.Kernel{
	{DType: dtype.Float32, Name: "generic", MR: generic.MR, NR: generic.NR, Tile: generic.TileFloat32, DotBlock: 1, DotFloat32: generic.DotFloat32, Winograd: generic.Winograd, BFloat16: &generic.BFloat16},
	{DType: dtype.Int8, Name: "generic", MR: generic.MR, NR: generic.NR, Tile: generic.TileInt8, DotBlock: 1, DotInt8: generic.DotInt8, DotUint8: generic.DotUint8, Winograd: generic.WinogradInt8},
	{DType: dtype.Binary, Name: "generic", MR: generic.MR, NR: generic.NR, Tile: generic.TileBinary, DotBlock: 64, DotBinary: func(a, b []uint64) int {
		return (64*len(a) - generic.DotBinary(a, b, 64*len(a))) / 2
	}},
}

var table = func() (rows []*Impl) {
	for _, k := range append(genericKernels, archKernels...) {
		rows = append(rows, &Impl{k: k, narrow: narrowed(k), reason: whyNot(k)})
	}
	slices.SortStableFunc(rows, func(a, b *Impl) int { return int(a.k.DType) - int(b.k.DType) })
	return rows
}()

// Table lists every row of every dtype that this build knows, available or
// not, generic first.
func Table() []*Impl { return append([]*Impl(nil), table...) }

// Lookup returns the row of a dtype by its name. The error lists the names
// that there are.
func Lookup(d dtype.DType, name string) (*Impl, error) {
	var names []string
	for _, im := range table {
		if im.k.DType == d {
			if im.k.Name == name {
				return im, nil
			}
			names = append(names, im.k.Name)
		}
	}
	return nil, fmt.Errorf("%v implementation %q: want %s", d, name, strings.Join(names, ", "))
}

// thisCPU is what measurements are looked up by.
var thisCPU = tile.CPU{Vendor: cpuid.CPU.VendorID, Family: cpuid.CPU.Family, Model: cpuid.CPU.Model}

// whyNot says why a kernel cannot run here, "" if it can.
func whyNot(k tile.Kernel) string {
	if missing := lacks(k.Needs); missing != "" {
		return missing
	}
	if k.Usable != nil {
		if err := k.Usable(); err != nil {
			return err.Error()
		}
	}
	return ""
}

// lacks says which features the CPU has not, "" if none.
func lacks(needs []cpuid.FeatureID) string {
	var missing []string
	for _, f := range needs {
		if !cpuid.CPU.Supports(f) {
			missing = append(missing, f.String())
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return "CPU lacks " + strings.Join(missing, ", ")
}
