// Package workload says what an accelerator has to do: a list of layer shapes
// without weights. It is the joint between networks (package graph converts
// one) and the simulator (package simhw evaluates one), and it reads and
// writes the topology files of SCALE-Sim.
//
// Sizes are counts of elements unless a name says bits. A word is one element
// of a tensor, whatever its width.
package workload

import (
	"errors"
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

	// DType is the number format of both operands.
	DType dtype.DType

	// OutBits is the width of one finished output in memory; 0 means that
	// outputs have the operands' width (the usual case: a layer requantizes).
	OutBits int

	// A convolution reads Batch images of H×W×C and writes OutC channels.
	Batch                                int
	H, W, C, OutC                        int
	KH, KW                               int
	StrideH, StrideW                     int
	DilationH, DilationW                 int
	PadTop, PadLeft, PadBottom, PadRight int
	Groups                               int // Groups == C is a depthwise convolution

	// A Gemm multiplies M×K inputs by K×N weights.
	M, N, K int64

	// Elements is the number of outputs of an Other layer.
	Elements int64
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
// − 1) − 1) / stride⌋ + 1, and likewise in width. For a Gemm it is M and 1.
func (l *Layer) OutSize() (h, w int64) {
	switch l.Kind {
	case Conv:
		return outDim(l.H, l.PadTop, l.PadBottom, l.KH, l.DilationH, l.StrideH),
			outDim(l.W, l.PadLeft, l.PadRight, l.KW, l.DilationW, l.StrideW)
	case Gemm:
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
	}
	return 0
}

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

// OutputBits is the width of one finished output in memory.
func (l *Layer) OutputBits() int {
	if l.OutBits != 0 {
		return l.OutBits
	}
	return l.DType.Bits()
}

// Touched counts the positions of 0…n−1 among o·s + i·d − pad for 0 ≤ o < out
// and 0 ≤ i < k: the rows (or columns) that a sliding kernel reads. n, k, s, d
// and out are at least 1, pad at least 0.
//
// Taps whose i·d is the same modulo s read positions of one residue class; in
// it tap i+s/g (g the greatest common divisor of s and d) is tap i moved by
// d/g steps of s. So each class is a union of equally spaced runs of length
// out, and there are at most s/g classes.
func Touched(n, k, s, d, pad, out int64) int64 {
	g := gcd(s, d)
	period, shift := s/g, d/g
	total := int64(0)
	for i := int64(0); i < min(k, period); i++ {
		taps := (k - i + period - 1) / period
		base := i*d - pad
		// Positions base + s·t lie in 0…n−1 for lo ≤ t < hi.
		lo, hi := ceilDiv(-base, s), ceilDiv(n-base, s)
		if shift <= out {
			total += overlap(0, (taps-1)*shift+out, lo, hi)
			continue
		}
		total += spaced(taps, shift, out, lo, hi)
	}
	return total
}

// spaced counts the integers in lo…hi−1 that lie in one of the disjoint runs
// [j·step, j·step+length), 0 ≤ j < runs.
func spaced(runs, step, length, lo, hi int64) int64 {
	below := func(x int64) int64 { // of the runs' integers, how many are < x
		if x <= 0 {
			return 0
		}
		j := min(x/step, runs)
		if j == runs {
			return runs * length
		}
		return j*length + min(x-j*step, length)
	}
	return max(below(hi)-below(lo), 0)
}

func overlap(a0, a1, b0, b1 int64) int64 { return max(min(a1, b1)-max(a0, b0), 0) }

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// ceilDiv is ⌈a/b⌉ for b > 0 and any a.
func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b > 0 {
		q++
	}
	return q
}

// mulMax multiplies and reports false where a factor is negative or the
// product exceeds limit.
func mulMax(limit int64, factors ...int64) (int64, bool) {
	p := int64(1)
	for _, f := range factors {
		if f < 0 || (f > 0 && p > limit/f) {
			return 0, false
		}
		p *= f
	}
	return p, true
}

// Validate reports the first rule that the layer breaks, naming the field.
func (l *Layer) Validate() error {
	if err := l.validate(); err != nil {
		return fmt.Errorf("layer %q: %w", l.Name, err)
	}
	return nil
}

func (l *Layer) validate() error {
	if l.DType > dtype.Binary {
		return fmt.Errorf("dtype %d: want float32, int8 or binary", uint8(l.DType))
	}
	if l.OutBits < 0 || l.OutBits > 64 {
		return fmt.Errorf("output bits %d: want 0 (as the operands) to 64", l.OutBits)
	}
	switch l.Kind {
	case Conv:
		return l.validateConv()
	case Gemm:
		for _, f := range []struct {
			name string
			v    int64
		}{{"M", l.M}, {"N", l.N}, {"K", l.K}} {
			if f.v < 1 || f.v > MaxGemm {
				return fmt.Errorf("%s %d: want 1 to %d", f.name, f.v, int64(MaxGemm))
			}
		}
		if _, ok := mulMax(MaxMACs, l.M, l.N, l.K); !ok {
			return fmt.Errorf("%d×%d×%d multiply-accumulates: want at most %d", l.M, l.N, l.K, int64(MaxMACs))
		}
		return nil
	case Other:
		if l.Op == "" {
			return errors.New("no operation: want a name such as maxpool")
		}
		if l.Elements < 1 || l.Elements > MaxMACs {
			return fmt.Errorf("elements %d: want 1 to %d", l.Elements, int64(MaxMACs))
		}
		return nil
	}
	return fmt.Errorf("kind %d: want conv, gemm or other", uint8(l.Kind))
}

func (l *Layer) validateConv() error {
	for _, f := range []struct {
		name    string
		v       int
		low, up int
	}{
		{"height", l.H, 1, MaxDim}, {"width", l.W, 1, MaxDim}, {"channels", l.C, 1, MaxDim},
		{"output channels", l.OutC, 1, MaxDim}, {"kernel height", l.KH, 1, MaxDim}, {"kernel width", l.KW, 1, MaxDim},
		{"stride (rows)", l.StrideH, 0, MaxStride}, {"stride (columns)", l.StrideW, 0, MaxStride},
		{"dilation (rows)", l.DilationH, 0, MaxStride}, {"dilation (columns)", l.DilationW, 0, MaxStride},
		{"padding (top)", l.PadTop, 0, MaxStride}, {"padding (left)", l.PadLeft, 0, MaxStride},
		{"padding (bottom)", l.PadBottom, 0, MaxStride}, {"padding (right)", l.PadRight, 0, MaxStride},
		{"groups", l.Groups, 0, MaxDim}, {"batch", l.Batch, 0, MaxDim},
	} {
		if f.v < f.low || f.v > f.up {
			return fmt.Errorf("%s %d: want %d to %d", f.name, f.v, f.low, f.up)
		}
	}
	g := one(l.Groups)
	if int64(l.C)%g != 0 || int64(l.OutC)%g != 0 {
		return fmt.Errorf("groups %d: want a divisor of channels %d and output channels %d", g, l.C, l.OutC)
	}
	for _, f := range []struct {
		what            string
		n, p0, p1, k, d int
	}{
		{"height", l.H, l.PadTop, l.PadBottom, l.KH, l.DilationH},
		{"width", l.W, l.PadLeft, l.PadRight, l.KW, l.DilationW},
	} {
		span := one(f.d)*(int64(f.k)-1) + 1
		if padded := int64(f.n) + int64(f.p0) + int64(f.p1); span > padded {
			return fmt.Errorf("kernel spans %d: want at most the padded %s, %d", span, f.what, padded)
		}
	}
	oh, ow := l.OutSize()
	b, cg := one(l.Batch), int64(l.C)/g
	for _, f := range []struct {
		what    string
		factors [7]int64
	}{
		{"multiply-accumulates", [...]int64{b, oh, ow, int64(l.OutC), int64(l.KH), int64(l.KW), cg}},
		{"input words", [...]int64{b, int64(l.H), int64(l.W), int64(l.C), 1, 1, 1}},
		{"lowered input words", [...]int64{b, oh, ow, int64(l.KH), int64(l.KW), int64(l.C), 1}},
	} {
		if _, ok := mulMax(MaxMACs, f.factors[:]...); !ok {
			return fmt.Errorf("more %s than %d", f.what, int64(MaxMACs))
		}
	}
	return nil
}

// Validate checks every layer and the sums over them.
func (w *Workload) Validate() error {
	if len(w.Layers) == 0 {
		return fmt.Errorf("workload %q: no layers", w.Name)
	}
	if len(w.Layers) > MaxLayers {
		return fmt.Errorf("workload %q: %d layers, want at most %d", w.Name, len(w.Layers), MaxLayers)
	}
	total := int64(0)
	for i := range w.Layers {
		l := &w.Layers[i]
		if err := l.validate(); err != nil {
			return fmt.Errorf("workload %q: layer %d %q: %w", w.Name, i+1, l.Name, err)
		}
		if total += l.MACs(); total > MaxTotal {
			return fmt.Errorf("workload %q: more than %d multiply-accumulates in all", w.Name, int64(MaxTotal))
		}
	}
	return nil
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
