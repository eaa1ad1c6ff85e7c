// Package workload says what an accelerator has to do: a list of layer shapes
// without weights. It is the joint between networks (package graph converts
// one) and the simulator (package simhw evaluates one), and it reads and
// writes the topology files of SCALE-Sim.
//
// Sizes are counts of elements unless a name says bits. A word is one element
// of a tensor, whatever its width.
package workload

import (
	"fmt"

	"macroscope/dtype"
)

// Kind tells which fields of a Layer hold its shape.
type Kind uint8

const (
	// Conv is a two-dimensional convolution (cross-correlation).
	Conv Kind = iota
	// Gemm is a matrix product or a dense layer: M rows of K times K by N.
	Gemm
	// Other is an operation without multiply-accumulates that a simulator can
	// price by the element or list as not modelled: pooling, addition, ...
	Other
)

// String is the name used in messages and JSON.
func (k Kind) String() string {
	switch k {
	case Conv:
		return "conv"
	case Gemm:
		return "gemm"
	case Other:
		return "other"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Limits on what a Layer may hold. With them no product that this package or
// the simulator forms overflows an int64.
const (
	MaxDim    = 1 << 24 // any single dimension of a convolution
	MaxStride = 1 << 16 // stride, dilation and padding
	MaxGemm   = 1 << 31 // M, N and K of a Gemm
	MaxMACs   = 1 << 50 // multiply-accumulates of one layer, and words of one tensor
	MaxLayers = 1 << 16
	MaxTotal  = 1 << 55 // multiply-accumulates of a whole workload
)

// Layer is the shape of one operation. A struct literal with the fields of
// its Kind is a valid layer; strides, dilations, groups and the batch may be
// left 0 to mean 1.
type Layer struct {
	Name string
	Kind Kind

	// Op is the operation's name where Kind is Other ("maxpool", "add").
	Op string

	// DType is the number format of the inputs, and of the weights but for their width.
	DType dtype.DType

	// WeightWidth is the bits of an integer weight in memory; 0 means DType's.
	WeightWidth int

	// OutBits is the width of one finished output in memory; 0 means that
	// outputs have the operands' width (the usual case: a layer requantizes).
	OutBits int

	// A convolution reads Batch images of H×W×C and writes OutC channels. So does a
	// pool (Kind Other) whose window is known, with OutC = C and Groups = C; of other
	// operations these are 0.
	Batch                                int
	H, W, C, OutC                        int
	KH, KW                               int
	StrideH, StrideW                     int
	DilationH, DilationW                 int
	PadTop, PadLeft, PadBottom, PadRight int
	Groups                               int // Groups == C is a depthwise convolution

	// A Gemm multiplies M×K inputs by K×N weights.
	M, N, K int64

	// ZeroInputs and ZeroOutputs are the shares of the operands and of the finished
	// outputs that are zero, 0 to 1, as somebody measured them; 0 where nobody has.
	ZeroInputs, ZeroOutputs float64

	// Elements is the number of outputs of an Other layer.
	Elements int64
}

// SameShape tells whether two layers differ in their names at most.
func (l *Layer) SameShape(o *Layer) bool {
	a, b := *l, *o
	a.Name, b.Name = "", ""
	return a == b
}

// Workload is a network as an accelerator sees it: its layers in the order of
// execution.
type Workload struct {
	Name   string
	Layers []Layer
}

func one(v int) int64 {
	if v == 0 {
		return 1
	}
	return int64(v)
}

// GroupCount is the number of independent products that the layer consists
// of: Groups of a convolution, otherwise 1.
func (l *Layer) GroupCount() int64 {
	if l.Kind == Conv {
		return one(l.Groups)
	}
	return 1
}

// OutSize returns the output's height and width: ⌊(H + padding − dilation·(KH
// − 1) − 1) / stride⌋ + 1, and likewise in width. For a Gemm it is M and 1, for an
// operation without a window 0.
func (l *Layer) OutSize() (h, w int64) {
	switch {
	case l.Kind == Conv || l.Pools():
		return outDim(l.H, l.PadTop, l.PadBottom, l.KH, l.DilationH, l.StrideH),
			outDim(l.W, l.PadLeft, l.PadRight, l.KW, l.DilationW, l.StrideW)
	case l.Kind == Gemm:
		return l.M, 1
	}
	return 0, 0
}

func outDim(n, p0, p1, k, d, s int) int64 {
	span := one(d)*(int64(k)-1) + 1
	return (int64(n)+int64(p0)+int64(p1)-span)/one(s) + 1
}

// GEMM returns the matrix product that one group of the layer lowers to:
// M outputs per channel, N channels, K products per output. An Other layer
// gives zeros.
func (l *Layer) GEMM() (m, n, k int64) {
	switch l.Kind {
	case Conv:
		h, w := l.OutSize()
		g := one(l.Groups)
		return one(l.Batch) * h * w, int64(l.OutC) / g, int64(l.KH) * int64(l.KW) * (int64(l.C) / g)
	case Gemm:
		return l.M, l.N, l.K
	}
	return 0, 0, 0
}

// MACs is the number of multiply-accumulates of the whole layer, those on
// padding included.
func (l *Layer) MACs() int64 {
	m, n, k := l.GEMM()
	return l.GroupCount() * m * n * k
}

// InputWords is the number of distinct input words that the layer reads;
// padding is not read, and neither is what a large stride leaps over.
func (l *Layer) InputWords() int64 {
	switch l.Kind {
	case Conv:
		oh, ow := l.OutSize()
		rows := Touched(int64(l.H), int64(l.KH), one(l.StrideH), one(l.DilationH), int64(l.PadTop), oh)
		cols := Touched(int64(l.W), int64(l.KW), one(l.StrideW), one(l.DilationW), int64(l.PadLeft), ow)
		return one(l.Batch) * rows * cols * int64(l.C)
	case Gemm:
		return l.M * l.K
	case Other:
		if l.Pools() {
			conv := *l
			conv.Kind = Conv
			return conv.InputWords()
		}
	}
	return 0
}

// Pools tells a pool with a known window from other operations.
func (l *Layer) Pools() bool { return l.Kind == Other && l.KH > 0 }

// LineWords is the number of input words that must stay on chip so that
// sliding down the image fetches each input row once: the rows under the
// kernel, over one group's channels. For a Gemm it is one row, K.
func (l *Layer) LineWords() int64 {
	if l.Kind != Conv {
		return l.K
	}
	span := min(one(l.DilationH)*(int64(l.KH)-1)+1, int64(l.H))
	return span * int64(l.W) * (int64(l.C) / one(l.Groups))
}

// WeightWords is the number of weights, biases not counted.
func (l *Layer) WeightWords() int64 {
	_, n, k := l.GEMM()
	return l.GroupCount() * n * k
}

// OutputWords is the number of outputs.
func (l *Layer) OutputWords() int64 {
	if l.Kind == Other {
		return l.Elements
	}
	m, n, _ := l.GEMM()
	return l.GroupCount() * m * n
}

// WeightBits is the width of one weight in memory.
func (l *Layer) WeightBits() int {
	if l.WeightWidth != 0 {
		return l.WeightWidth
	}
	return l.DType.Bits()
}

// OutputBits is the width of one finished output in memory.
func (l *Layer) OutputBits() int {
	if l.OutBits != 0 {
		return l.OutBits
	}
	return l.DType.Bits()
}

// MACs is the sum over the layers.
func (w *Workload) MACs() int64 {
	total := int64(0)
	for i := range w.Layers {
		total += w.Layers[i].MACs()
	}
	return total
}

// WithDType returns a copy whose every layer has operands of format d. It is
// for shapes that came without formats, such as those of a topology file.
func (w *Workload) WithDType(d dtype.DType) Workload {
	c := Workload{Name: w.Name, Layers: append([]Layer(nil), w.Layers...)}
	for i := range c.Layers {
		c.Layers[i].DType = d
	}
	return c
}

// WithIntegers returns a copy in which what was int8 has inputs and weights of so many
// bits, 1 to dtype.MaxIntBits, also where layers hand it on. Other formats stay, and so do
// widths that a layer names.
func (w *Workload) WithIntegers(inputs, weights int) Workload {
	c := Workload{Name: w.Name, Layers: append([]Layer(nil), w.Layers...)}
	for i := range c.Layers {
		l := &c.Layers[i]
		if l.DType != dtype.Int8 {
			if l.OutBits == 8 {
				l.OutBits = inputs
			}
			continue
		}
		l.DType = dtype.Int(inputs)
		if l.Kind != Other && l.WeightWidth == 0 && weights != inputs {
			l.WeightWidth = weights
		}
	}
	return c
}
