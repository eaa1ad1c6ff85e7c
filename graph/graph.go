// Package graph says what a network is: typed layers with weights, joined by
// named values with shapes. It neither reads files (package onnx does) nor
// computes (package nn does; package graph/reference does so plainly, for
// tests and calibration).
//
// Shapes leave out the batch: an image is [C H W], a vector [F]. Every value
// is batched at run time by one leading dimension.
package graph

// Shape is the extent of a value for one image: [C H W] or [F].
type Shape []int

// Graph is a network with one input and one output. Nodes stand in
// topological order: each node's inputs are the graph's input or outputs of
// earlier nodes.
type Graph struct {
	Name   string
	Input  *Value
	Output *Value
	Nodes  []*Node

	// Integer says by whose rules values with a Scale are computed in integers alone;
	// NotInteger: a runtime rounds its own way.
	Integer Integers

	// Weightless says that weights were not at hand: they are zeros, which layers may share.
	// Shapes and sizes are right, what the network computes is not.
	Weightless bool
}

// Integers are rules by which bytes are computed from bytes: those of TFLite's kernels
// (package quant, tflite.go). Sums are rescaled by 32-bit multipliers and shifts, and
// rounding is that of each operator. A value without a Scale between one that has and a
// ReLU or Clip to one that has is part of the same operator: what is not rounded yet.
type Integers uint8

const (
	NotInteger Integers = iota
	// TFLite: the reference kernels. Products round twice, halves away from zero.
	TFLite
	// LiteRT: the reference kernels of ai-edge-litert 2, whose FULLY_CONNECTED rounds once,
	// halves up.
	LiteRT
)

// Value is what flows between nodes.
type Value struct {
	Name  string
	Shape Shape

	// Scale is s in x ≈ s·(q − Zero), for a value that is carried as int8; 0 for a value
	// that is not (float32, or ±1 after a Sign). q is in Lowest…127. An unsigned byte u
	// with zero point z is q = u − 128 and Zero = z − 128.
	Scale float32
	Zero  int8
	// Full says that q may be −128 although Zero is 0, as ONNX rounds; our own networks
	// leave −128 out.
	Full bool

	// Stream is s in x ≈ s·q, q an int16, for a value that goes round layers by
	// shortcuts; 0 for one that does not. Values that an Add joins have one Stream, so
	// that it adds integers. A runtime may carry such a value in float32 all the same.
	// A value has a Scale or a Stream, not both.
	Stream float32
}

// Lowest is the least q that stands for a number in v: −127 or −128.
func (v *Value) Lowest() int8 {
	if v.Zero == 0 && !v.Full {
		return -127
	}
	return -128
}

// Node applies Op to In and gives Out.
type Node struct {
	Name string
	Op   Op
	In   []*Value
	Out  *Value
}

// Op is what a node computes: *Conv2D, *Dense, *BatchNorm, *Affine, *ReLU, *PReLU,
// *Clip, *Func, *Sign, *MaxPool, *AveragePool, *GlobalAveragePool, *Add, *Sub, *Mul,
// *Div, *Constant, *Concat, *Dropout, *Flatten, *Reshape, *Transpose, *Slice, *Pad, *LRN, *Softmax or
// *ArgMax.
type Op interface {
	// Kind is the op's name in messages and tables: "conv2d", "dense", ...
	Kind() string
	// OutShape gives the output's shape for the inputs' shapes, or says which
	// rule they break.
	OutShape(in []Shape) (Shape, error)
}

// Weights are the constants of a Conv2D or Dense, one row an output channel.
//
// A float layer has Float only. After quantization Int8 and Scale are set and
// w ≈ Scale[c]·Int8[c·K+k]; Float keeps the original, or is nil where there is none: in
// files of int8 weights, which would take five times their size. Floats gives either.
// Binary says that every weight is exactly ±1.
type Weights struct {
	Float  []float32 // [Out][K]; K = InC/Groups·KH·KW in (channel, row, column) order for Conv2D (ONNX's OIHW), In for Dense
	Bias   []float32 // [Out], or nil for zero; never quantized
	Binary bool
	Int8   []int8    // as Float, or nil
	Scale  []float32 // len 1 (per tensor) or Out (per channel); nil when Int8 is nil

	// IntBias is the bias in steps of the input's scale times Scale, in a graph that is
	// Integer; Bias is what it stands for. [Out], or nil for zero or where Int8 is nil.
	IntBias []int32
}

// Conv2D is a 2-D cross-correlation:
//
//	out[o][y][x] = Bias[o] + Σ in[c][y·StrideH+ky·DilationH−PadTop][x·StrideW+kx·DilationW−PadLeft] · w[o][c][ky][kx]
//
// where taps outside the image read PadValue. The output's height is
// ⌊(H+PadTop+PadBottom−DilationH·(KH−1)−1)/StrideH⌋+1, its width likewise.
type Conv2D struct {
	Weights
	InC, OutC                            int
	KH, KW                               int
	StrideH, StrideW                     int
	DilationH, DilationW                 int
	PadTop, PadLeft, PadBottom, PadRight int
	PadValue                             float32 // 0, or −1 in binary networks
	Groups                               int
}

// Dense is out[o] = Bias[o] + Σ in[i]·w[o][i].
type Dense struct {
	Weights
	In, Out int
}

// BatchNorm is out = Gamma·(in−Mean)/√(Var+Epsilon) + Beta, per channel (the
// first dimension of the shape).
type BatchNorm struct {
	Gamma, Beta, Mean, Var []float32 // [C]
	Epsilon                float32
}

// Affine is out = in·Scale + Shift with one constant for all channels (len 1)
// or one each (len C). Subtracting a mean and multiplying by a constant both
// become one.
type Affine struct {
	Scale, Shift []float32
}

// ReLU is out = max(0, in).
type ReLU struct{}

// PReLU is out = in where in ≥ 0, else in·Slope, with a slope for all channels (len 1)
// or one each (len C).
type PReLU struct {
	Slope []float32
}

// Clip is out = min(Hi, max(Lo, in)), Lo ≤ Hi; either may be infinite. With −1 and 1
// it is hard tanh, with 0 and 6 ReLU6.
type Clip struct {
	Lo, Hi float32
}

// Sign is +1 where in ≥ 0, else −1 (QONNX's BipolarQuant with scale 1).
type Sign struct{}

// GlobalAveragePool takes the mean over each channel's plane: [C H W] → [C 1 1].
type GlobalAveragePool struct{}

// Concat puts the channels of its inputs behind one another: [C₁ H W] and [C₂ H W] give
// [C₁+C₂ H W], vectors likewise. An input may come twice.
type Concat struct{}

// Dropout is out = in. In training it sets a part of the elements, Rate, to 0 and
// multiplies the others by 1/(1−Rate).
type Dropout struct {
	Rate float32 // 0 ≤ Rate < 1
}

// Flatten gives [C·H·W] in that order.
type Flatten struct{}

// Softmax is exp(in)/Σexp(in) over a vector, over an image's channels pixel by pixel; with
// Log the logarithm of that, without the detour that would make −∞ of small ones.
type Softmax struct {
	Log bool
}
