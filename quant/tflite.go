package quant

import (
	"fmt"
	"math"
	"math/bits"
)

// The integer arithmetic of TFLite's reference kernels for int8
// (https://github.com/tensorflow/tensorflow/tree/master/tensorflow/lite/kernels/internal/reference),
// operator by operator. q stands for scale·(q − zero). How a multiplier comes about, in
// float64 or partly in float32, is part of it: the last bit decides roundings.

// Format is what a byte stands for: Scale·(q − Zero).
type Format struct {
	Scale float32
	Zero  int8
}

// Bounds are what an operator's fused activation leaves of int8, both included.
type Bounds struct{ Lo, Hi int8 }

// BoundsOf are the bounds of an output that an activation clamps to lo…hi, which may be
// infinite.
func (f Format) BoundsOf(lo, hi float32) Bounds { return Bounds{f.bound(lo), f.bound(hi)} }

func (f Format) bound(x float32) int8 { return f.Round(x) }

// Round is QUANTIZE: clamp(round(x/Scale) + Zero), halves away from zero. NaN gives Zero.
func (f Format) Round(x float32) int8 {
	q := float64(x / f.Scale)
	if q != q {
		q = 0
	}
	return int8(min(127, max(-128, math.Round(q)+float64(f.Zero))))
}

// Float is what q stands for.
func (f Format) Float(q int8) float32 { return f.Scale * float32(int(q)-int(f.Zero)) }

func (b Bounds) clamp(v int64) int8 { return int8(min(max(v, int64(b.Lo)), int64(b.Hi))) }

// All are the bounds of int8.
var All = Bounds{-128, 127}

// ConvMultiplier is what a convolution's sums are multiplied by: in·weight/out, by float64.
func ConvMultiplier(in, weight, out float32) (Multiplier, error) {
	return NewMultiplier(float64(in) * float64(weight) / float64(out))
}

// DenseMultiplier is ConvMultiplier for FULLY_CONNECTED with one scale for all weights,
// which multiplies the scales in float32.
func DenseMultiplier(in, weight, out float32) (Multiplier, error) {
	return NewMultiplier(float64(in*weight) / float64(out))
}

// Rescaler is what turns one format into another: QUANTIZE of int8, and with bounds RELU
// and its like.
type Rescaler struct {
	m      Multiplier
	in     Format
	zero   int32
	bounds Bounds
}

// NewRescaler is QUANTIZE's.
func NewRescaler(in, out Format, b Bounds) (Rescaler, error) {
	m, err := NewMultiplier(float64(in.Scale) / float64(out.Scale))
	return Rescaler{m, in, int32(out.Zero), b}, err
}

// NewReLU is RELU's and RELU6's, which divide the scales in float32.
func NewReLU(in, out Format, b Bounds) (Rescaler, error) {
	m, err := NewMultiplier(float64(in.Scale / out.Scale))
	return Rescaler{m, in, int32(out.Zero), b}, err
}

// At is the output for q.
func (r *Rescaler) At(q int8) int8 {
	return r.bounds.clamp(int64(r.m.Apply(int32(q)-int32(r.in.Zero))) + int64(r.zero))
}

// Adder is ADD: both inputs are shifted left by 20 and brought to twice the larger scale,
// added, and brought to the output's. It is immutable.
type Adder struct {
	In [2]struct { // what d = q − Zero is brought to: Multiplier.Apply(d·2²⁰); the shift is ≤ 0
		Multiplier
		Zero int8
	}
	Out    Multiplier // shift ≤ 0
	Zero   int8
	Bounds Bounds

	tables [2][256]int32 // by the inputs' bytes as uint8: what is added
	out    Requantizer
}

// NewAdder prepares ADD.
func NewAdder(x, y, out Format, b Bounds) (*Adder, error) {
	const left = 20
	twice := 2 * float64(max(x.Scale, y.Scale))
	a := &Adder{Zero: out.Zero, Bounds: b}
	for i, in := range []Format{x, y} {
		m, err := NewMultiplier(float64(in.Scale) / twice)
		if err != nil {
			return nil, err
		}
		a.In[i].Multiplier, a.In[i].Zero = m, in.Zero
		for q := range a.tables[i] {
			a.tables[i][q] = m.Apply((int32(int8(q)) - int32(in.Zero)) << left)
		}
	}
	m, err := NewMultiplier(twice / (float64(1<<left) * float64(out.Scale)))
	if err == nil && m.Shift > 0 {
		err = fmt.Errorf("the inputs' scales %g and %g are too large for the output's %g: want less than %d times", x.Scale, y.Scale, out.Scale, 1<<(left-1))
	}
	a.Out, a.out = m, NewRequantizer(m, false, out.Zero, b)
	return a, err
}

// At is the output for the inputs p and q.
func (a *Adder) At(p, q int8) int8 { return a.out.At(a.tables[0][uint8(p)] + a.tables[1][uint8(q)]) }

// Multiplication is MUL.
type Multiplication struct {
	m         Multiplier
	x, y, out int32 // zero points
	bounds    Bounds
}

// NewMultiplication prepares MUL, whose scales are multiplied and divided in float32.
func NewMultiplication(x, y, out Format, b Bounds) (Multiplication, error) {
	p := x.Scale * y.Scale
	m, err := NewMultiplier(float64(p / out.Scale))
	return Multiplication{m, int32(x.Zero), int32(y.Zero), int32(out.Zero), b}, err
}

// At is the output for the inputs p and q.
func (m *Multiplication) At(p, q int8) int8 {
	return m.bounds.clamp(int64(m.m.Apply((int32(p)-m.x)*(int32(q)-m.y))) + int64(m.out))
}

// AverageOf is AVERAGE_POOL_2D: the sum of n bytes divided by n, halves away from zero.
func AverageOf(sum, n int32, b Bounds) int8 {
	if sum > 0 {
		sum += n / 2
	} else {
		sum -= n / 2
	}
	return b.clamp(int64(sum / n))
}

// Mean is MEAN: the number of elements divides the multiplier, not the sum.
type Mean struct {
	m         Multiplier
	n         int32
	zero, out int32
}

// MaxMean is the most elements that a mean is taken of: their sum stays within int32.
const MaxMean = 1 << 22

// NewMean prepares the mean of n elements, 1 to MaxMean.
func NewMean(in, out Format, n int) (Mean, error) {
	if n < 1 || n > MaxMean {
		return Mean{}, fmt.Errorf("a mean of %d elements: want 1 to %d", n, MaxMean)
	}
	m, err := NewMultiplier(float64(in.Scale) / float64(out.Scale))
	if err != nil {
		return Mean{}, err
	}
	// As many bits as n has are given to the multiplier before the division, as far as the
	// shift stays a shift of int32.
	shift := min(bits.Len(uint(n))-1, 32, 31+m.Shift)
	return Mean{Multiplier{M: int32(int64(m.M) << shift / int64(n)), Shift: m.Shift - shift}, int32(n), int32(in.Zero), int32(out.Zero)}, nil
}

// At is the mean for the sum of the bytes.
func (m *Mean) At(sum int32) int8 {
	return All.clamp(int64(m.m.Apply(sum-m.zero*m.n)) + int64(m.out))
}
