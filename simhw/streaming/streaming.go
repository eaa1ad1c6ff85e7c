// Package streaming counts what a streaming dataflow pipeline does: one engine for
// each layer, all at work at once on different parts of an image, as FINN builds
// them (Umuroglu et al., FPGA 2017; Blott et al., TRETS 2018). It has the closed
// forms (Pipeline), the exact times of the first image and the FIFOs that a steady
// rate needs (Schedule), a search for the folding (FoldFor, FoldWithin), and a
// machine that is stepped cycle by cycle and moves the real operands (Machine).
//
// A pipeline is a chain of units, with a FIFO between any two. A unit does one step
// in a cycle. A step may read a word and may write one; it waits, as a whole, for the
// word that it reads and for room for the one that it writes. What a unit does for an
// image is a fixed sequence of steps, so that its Cycles, the number of its steps, is
// the shortest time between two images. The units:
//
//	pad      one step a word of the padded image; a word inside is read
//	window   lines up the image's rows and gives, for each output pixel, the KH·KW
//	         pixels under the kernel. It first reads KH lines, then for each row of
//	         outputs takes as many steps as it has words to write, or words to
//	         read for the next row, whichever are more: it does both at once
//	engine   matrix times vector: (MH/PE)·(MW/SIMD) steps a vector. It reads the
//	         vector's words in the first MW/SIMD steps and writes PE outputs after
//	         each MW/SIMD
//	pool     one step a pixel read, and one a pixel written after each row of windows
//	convert  makes words of other widths: one step for each of the narrow words
//
// These are the loops of the HLS library Xilinx/finn-hlslib: slidingwindow.h
// (ConvolutionInputGenerator), mvau.hpp, maxpool.h (StreamingMaxPool), streamtools.h.
package streaming

import (
	"fmt"
	"math"
)

// Layer is one layer's shape: a convolution, a dense layer (an image of one pixel
// and a kernel of one), or a maximum pool. Images come pixel by pixel, row after row,
// each with all its channels.
type Layer struct {
	Name string
	Pool bool // else matrix-vector products; a pool moves by its own size and has no padding

	H, W, C                              int64 // of the image that it reads
	OutC                                 int64 // output channels; of a pool C
	KH, KW                               int64
	StrideH, StrideW                     int64
	PadTop, PadLeft, PadBottom, PadRight int64

	InBits, WeightBits, OutBits int64 // widths of one value; for resources alone
}

// Fold is how far a layer's product is unrolled: PE outputs at a time, SIMD inputs
// of each in a cycle. A pool has none: both are 0.
type Fold struct{ PE, SIMD int64 }

// Limits of what a pipeline may be. With them no count overflows.
const (
	MaxDim   = 1 << 16 // height, width, channels, kernel
	MaxSteps = 1 << 50 // of one unit for one image
	MaxDepth = 1 << 16 // of an engine's pipeline
)

func ceil(a, b int64) int64 { return (a + b - 1) / b }

func (l *Layer) padded() (h, w int64) {
	return l.H + l.PadTop + l.PadBottom, l.W + l.PadLeft + l.PadRight
}

// Out is the output's size.
func (l *Layer) Out() (h, w, c int64) {
	if l.Pool {
		return l.H / l.KH, l.W / l.KW, l.C
	}
	h, w = l.padded()
	return (h-l.KH)/l.StrideH + 1, (w-l.KW)/l.StrideW + 1, l.OutC
}

// Matrix is the engine's matrix: MH outputs of MW inputs each, for each of Vectors
// output pixels.
func (l *Layer) Matrix() (mh, mw, vectors int64) {
	h, w, _ := l.Out()
	return l.OutC, l.KH * l.KW * l.C, h * w
}

// MACs is the number of multiply-accumulates for one image, those on padding
// included.
func (l *Layer) MACs() int64 {
	if l.Pool {
		return 0
	}
	mh, mw, v := l.Matrix()
	return mh * mw * v
}

// windowed tells whether a layer needs its image lined up.
func (l *Layer) windowed() bool { return !l.Pool && l.KH*l.KW*l.StrideH*l.StrideW > 1 }

func (l *Layer) pads() bool { return l.PadTop+l.PadLeft+l.PadBottom+l.PadRight > 0 }

// Check says which rule a layer breaks.
func (l *Layer) Check() error {
	for _, d := range [...]struct {
		name   string
		v, min int64
	}{{"height", l.H, 1}, {"width", l.W, 1}, {"channels", l.C, 1}, {"kernel height", l.KH, 1}, {"kernel width", l.KW, 1},
		{"padding", l.PadTop, 0}, {"padding", l.PadLeft, 0}, {"padding", l.PadBottom, 0}, {"padding", l.PadRight, 0}} {
		if d.v < d.min || d.v > MaxDim {
			return fmt.Errorf("layer %q: %s %d: want %d to %d", l.Name, d.name, d.v, d.min, MaxDim)
		}
	}
	if l.Pool {
		if l.pads() || l.KH > l.H || l.KW > l.W {
			return fmt.Errorf("layer %q: a pool of %d×%d on %d×%d pixels: want one that fits, without padding", l.Name, l.KH, l.KW, l.H, l.W)
		}
		return nil
	}
	if l.OutC < 1 || l.OutC > MaxDim || l.StrideH < 1 || l.StrideW < 1 || l.StrideH > MaxDim || l.StrideW > MaxDim {
		return fmt.Errorf("layer %q: %d output channels, strides %d and %d: want 1 to %d each", l.Name, l.OutC, l.StrideH, l.StrideW, MaxDim)
	}
	if h, w := l.padded(); l.KH > h || l.KW > w {
		return fmt.Errorf("layer %q: a kernel of %d×%d on %d×%d pixels with padding: want one that fits", l.Name, l.KH, l.KW, h, w)
	}
	if mh, mw, v := l.Matrix(); float64(mh)*float64(mw)*float64(v) > MaxSteps {
		return fmt.Errorf("layer %q: more than 2^50 multiply-accumulates", l.Name)
	}
	return nil
}

// Check says which rule a folding of a layer breaks: PE must divide the output
// channels; SIMD must divide the input channels, since a word holds channels of one
// pixel.
func (f Fold) Check(l *Layer) error {
	switch {
	case f.Fits(l):
		return nil
	case l.Pool:
		return fmt.Errorf("layer %q: a pool has no folding", l.Name)
	}
	if f.PE < 1 || l.OutC%f.PE != 0 {
		return fmt.Errorf("layer %q: PE %d: want a divisor of its %d output channels", l.Name, f.PE, l.OutC)
	}
	return fmt.Errorf("layer %q: SIMD %d: want a divisor of its %d input channels", l.Name, f.SIMD, l.C)
}

// Fits tells whether Check finds nothing.
func (f Fold) Fits(l *Layer) bool {
	if l.Pool {
		return f == Fold{}
	}
	return f.PE > 0 && l.OutC%f.PE == 0 && f.SIMD > 0 && l.C%f.SIMD == 0
}

// EngineCycles is (MH/PE)·(MW/SIMD) for each output pixel.
func (l *Layer) EngineCycles(f Fold) int64 {
	mh, mw, v := l.Matrix()
	return mh / f.PE * (mw / f.SIMD) * v
}

// windowBlocks gives the words that the window reads first, the rows of outputs, the
// words written for each, and the words read with each and with the last one.
func (l *Layer) windowBlocks(simd int64) (fill, rows, writes, reads, lastReads int64) {
	h, w := l.padded()
	oh, ow, _ := l.Out()
	line := w * l.C / simd
	return l.KH * line, oh, ow * l.KH * l.KW * l.C / simd, l.StrideH * line, (h - l.KH - (oh-1)*l.StrideH) * line
}

// WindowCycles is KH lines' words, and for each row of outputs OW·KH·KW·C/SIMD words
// to write or the next StrideH lines' words to read, whichever are more; 0 for a layer
// that has no window.
func (l *Layer) WindowCycles(simd int64) int64 {
	if !l.windowed() {
		return 0
	}
	fill, rows, writes, reads, lastReads := l.windowBlocks(simd)
	return fill + (rows-1)*max(writes, reads) + max(writes, lastReads)
}

// PadCycles is the words of the padded image; 0 without padding.
func (l *Layer) PadCycles(simd int64) int64 {
	if l.Pool || !l.pads() {
		return 0
	}
	h, w := l.padded()
	return h * w * l.C / simd
}

// PoolCycles is the pixels read and the pixels written.
func (l *Layer) PoolCycles() int64 {
	oh, ow, _ := l.Out()
	return l.H*l.W + oh*ow
}

// Cycles is the shortest time between two images that a layer's own units allow:
// those of its engine, its window and its padding, or of its pool. Converters come on
// top in a pipeline.
func (l *Layer) Cycles(f Fold) int64 {
	if l.Pool {
		return l.PoolCycles()
	}
	return max(l.EngineCycles(f), l.WindowCycles(f.SIMD), l.PadCycles(f.SIMD))
}

// Kind is a kind of unit.
type Kind uint8

// The units; Source stands for what brings the image, a word a cycle.
const (
	Source Kind = iota
	Convert
	Pad
	Window
	Engine
	Pool
)

func (k Kind) String() string {
	names := [...]string{"source", "convert", "pad", "window", "engine", "pool"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Unit is one unit of a pipeline. Counts are for one image.
type Unit struct {
	Kind              Kind
	Layer             int   // which it belongs to; a converter to the layer that it feeds
	In, Out           int64 // values in a word read, in a word written
	InWords, OutWords int64
	Cycles            int64 // steps
	Depth             int64 // cycles that a word written takes longer to arrive: an engine's pipeline
}

// Pipeline is a chain of units for a network.
type Pipeline struct {
	Layers []Layer
	Folds  []Fold
	Units  []Unit // Units[0] is the source
}

// Build makes the chain; it uses p's memory again. Each layer must read as many
// values as the one before writes. depth is the length of every engine's pipeline in
// cycles.
func (p *Pipeline) Build(layers []Layer, folds []Fold, depth int64) error {
	if len(layers) == 0 || len(folds) != len(layers) {
		return fmt.Errorf("%d layers with %d foldings: want one folding a layer", len(layers), len(folds))
	}
	if depth < 0 || depth > MaxDepth {
		return fmt.Errorf("an engine's pipeline of %d cycles: want 0 to %d", depth, MaxDepth)
	}
	p.Layers, p.Folds, p.Units = append(p.Layers[:0], layers...), append(p.Folds[:0], folds...), p.Units[:0]
	values, lanes := int64(0), int64(0) // of the stream so far
	for i := range p.Layers {
		l, f := &p.Layers[i], p.Folds[i]
		if err := l.Check(); err != nil {
			return err
		}
		if err := f.Check(l); err != nil {
			return err
		}
		reads := l.H * l.W * l.C
		if i > 0 && reads != values {
			return fmt.Errorf("layer %q reads %d values, the one before writes %d", l.Name, reads, values)
		}
		want := f.SIMD
		if l.Pool {
			want = l.C
		}
		if i == 0 {
			p.Units = append(p.Units, Unit{Kind: Source, In: want, Out: want, OutWords: reads / want, Cycles: reads / want})
		} else if err := p.convert(i, lanes, want, values); err != nil {
			return err
		}
		oh, ow, oc := l.Out()
		values, lanes = oh*ow*oc, f.PE
		if l.Pool {
			p.Units = append(p.Units, Unit{Kind: Pool, Layer: i, In: l.C, Out: l.C, InWords: l.H * l.W, OutWords: oh * ow, Cycles: l.PoolCycles()})
			lanes = l.C
			continue
		}
		in := reads / want
		if c := l.PadCycles(want); c > 0 {
			p.Units = append(p.Units, Unit{Kind: Pad, Layer: i, In: want, Out: want, InWords: in, OutWords: c, Cycles: c})
			in = c
		}
		mh, mw, v := l.Matrix()
		if c := l.WindowCycles(want); c > 0 {
			p.Units = append(p.Units, Unit{Kind: Window, Layer: i, In: want, Out: want, InWords: in, OutWords: v * mw / want, Cycles: c})
		}
		p.Units = append(p.Units, Unit{Kind: Engine, Layer: i, In: want, Out: f.PE, InWords: v * mw / f.SIMD, OutWords: v * mh / f.PE,
			Cycles: l.EngineCycles(f), Depth: depth})
	}
	return nil
}

// convert appends what makes words of to values from words of from: nothing, one
// converter where one divides the other, else two by way of their least common
// multiple.
func (p *Pipeline) convert(layer int, from, to, values int64) error {
	step := func(from, to int64) {
		p.Units = append(p.Units, Unit{Kind: Convert, Layer: layer, In: from, Out: to, InWords: values / from, OutWords: values / to, Cycles: values / min(from, to)})
	}
	switch {
	case from == to:
	case from%to == 0 || to%from == 0:
		step(from, to)
	default:
		wide := from / gcd(from, to) * to
		if wide > values {
			return fmt.Errorf("layer %q: words of %d and %d values have a common multiple of %d: want one in an image's %d", p.Layers[layer].Name, from, to, wide, values)
		}
		step(from, wide)
		step(wide, to)
	}
	return nil
}

func gcd(a, b int64) int64 {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}

// Interval is the time between two images at a steady rate, where FIFOs are deep
// enough: the steps of the slowest unit, which bottleneck is the index of.
func (p *Pipeline) Interval() (cycles int64, bottleneck int) {
	for i, u := range p.Units {
		if u.Cycles > cycles {
			cycles, bottleneck = u.Cycles, i
		}
	}
	return cycles, bottleneck
}

// Utilization is the share of the multiply-accumulates that all engines could do in
// an interval which they do.
func (p *Pipeline) Utilization() float64 {
	macs, lanes := 0.0, 0.0
	for i := range p.Layers {
		macs += float64(p.Layers[i].MACs())
		lanes += float64(p.Folds[i].PE) * float64(p.Folds[i].SIMD)
	}
	cycles, _ := p.Interval()
	return macs / (lanes * math.Max(1, float64(cycles)))
}
