package onnx

import (
	"fmt"
	"math"
	"slices"

	"macroscope/graph"
	"macroscope/onnx/internal/onnxpb"
)

// QDQ: a value that is carried as int8 goes through QuantizeLinear and
// DequantizeLinear, and a layer reads int8 weights through DequantizeLinear. A
// graph has neither node: the value has its Scale and Zero, the layer Int8 and Scale.
// Operators on bytes (QLinearConv, ...) are the same with the two left out.

// quantization is what makes real weights of int8 ones.
type quantization struct {
	int8  []int8
	scale []float32 // one, or one for each index of axis
	axis  int
}

// floats are the weights as numbers, whose dimensions are dims.
func (q *quantization) floats(dims []int) []float32 {
	f, size := make([]float32, len(q.int8)), 1
	if len(q.scale) > 1 {
		size = graph.Shape(dims[q.axis+1:]).Size()
	}
	for i, x := range q.int8 {
		f[i] = float32(x) * q.scale[i/size%len(q.scale)]
	}
	return f
}

// rounding is what QuantizeLinear begins and DequantizeLinear finishes: a value as bytes.
type rounding struct {
	node     string
	scale    float32
	zero     int8 // of signed bytes
	unsigned bool // in the file: 128 more each
	full     bool // −128 stands for a number, whatever zero
}

func (r *rounding) missing() string {
	return fmt.Sprintf("QuantizeLinear %s: only DequantizeLinear and operators on int8 can take it in", quote(r.node))
}

// readQuantizeLinear: X, scale, zero point: one scale; int8 or uint8, the latter where the
// zero point is left out.
func readQuantizeLinear(c *call) error {
	if k := c.input(0).constant; k != nil {
		return c.quantizeConstant(k)
	}
	v := c.anyForm(0)
	r := c.rounding(1, 2)
	c.attrInt("axis", 1) // of no effect with one scale
	c.attrInt("saturate", 1)
	c.noBlocks()
	kind := onnxpb.TensorProto_DataType(c.attrInt("output_dtype", 0))
	if kind == onnxpb.TensorProto_INT8 && c.input(2).none() {
		r.unsigned, r.zero = false, 0
	} else if kind != 0 && c.err == nil && (kind == onnxpb.TensorProto_UINT8) != r.unsigned {
		c.fail("attribute output_dtype: %s: want the zero point's type, INT8 or UINT8", kind)
	}
	if err := c.done(3); err != nil {
		return err
	}
	if c.shared(r) {
		// A graph has one form of a value for all: what is rounded is another value then.
		c.plain[v] = c.plain[v] || !c.in[0].int8
		var err error
		if v, err = c.step(&graph.Dropout{}, v); err != nil {
			return err
		}
	}
	return c.bind(operand{value: v, view: c.in[0].view, int8: true, begun: r})
}

// shared says whether others read this node's input than those who round it alike.
func (c *call) shared(r *rounding) bool {
	name := c.node.Input[0]
	v := c.in[0].value
	if name == c.g.Output[0].GetName() || c.plain[v] || c.aliases[v] || v.Scale != 0 && (v.Scale != r.scale || v.Zero != r.zero) {
		return true
	}
	unlike, known := c.unlike[name]
	if !known {
		first := c.g.Node[c.readers[name][0]]
		unlike = slices.ContainsFunc(c.readers[name], func(i int) bool {
			n := c.g.Node[i]
			return operatorKey(n) != operatorKey(first) || !slices.Equal(n.Input[1:], first.Input[1:])
		})
		c.unlike[name] = unlike
	}
	return unlike
}

// noBlocks refuses scales for blocks of an axis.
func (c *call) noBlocks() {
	if n := c.attrInt("block_size", 0); n != 0 {
		c.fail("attribute block_size: %d: want none, scales for blocks are not supported", n)
	}
}

// quantizeConstant rounds weights, as exporters leave it who trained with rounding.
func (c *call) quantizeConstant(k *constant) error {
	f, scale := c.floats(0, k), c.scales(1)
	zero := c.zeros(2, len(scale))
	axis := c.attrInt("axis", 1)
	c.attrInt("saturate", 1)
	c.noBlocks()
	z := c.input(2).constant
	if err := c.done(3); err != nil {
		return err
	}
	out := &constant{dims: k.dims, as: onnxpb.TensorProto_UINT8}
	lo, hi := 0.0, 255.0
	if z != nil && z.kind() == onnxpb.TensorProto_INT8 {
		out.as, lo, hi = z.kind(), -128, 127
	} else if z != nil && z.kind() != onnxpb.TensorProto_UINT8 {
		return fmt.Errorf("zero point of type %s: want INT8 or UINT8", z.kind())
	}
	if axis < 0 {
		axis += int64(len(k.dims))
	}
	size := 1
	if len(scale) > 1 {
		if axis < 0 || axis >= int64(len(k.dims)) || k.dims[axis] != len(scale) {
			return fmt.Errorf("%d scales for axis %d of %v: want 1 or one for each index", len(scale), axis, graph.Shape(k.dims))
		}
		size = graph.Shape(k.dims[axis+1:]).Size()
	}
	if !c.take(8 * len(f)) {
		return c.err
	}
	out.i = make([]int64, len(f))
	for i, x := range f {
		if x-x != 0 {
			return fmt.Errorf("element %d of input 0 is %g: want a finite number", i, x)
		}
		channel := i / size
		q := math.RoundToEven(float64(x/scale[channel%len(scale)])) + float64(zero[channel%len(zero)])
		out.i[i] = int64(min(hi, max(lo, q)))
	}
	return c.bind(operand{constant: out})
}

// rounding is a scale and a zero point, inputs scale and zero.
func (c *call) rounding(scale, zero int) *rounding {
	r := &rounding{node: c.nodeName(), scale: c.oneScale(scale), unsigned: true, zero: -128, full: !c.symmetric}
	k := c.constant(zero)
	if k == nil || c.err != nil {
		return r
	}
	z := c.ints(zero, k)
	switch kind := k.kind(); {
	case c.err != nil:
	case len(z) != 1:
		c.fail("input %d has %d zero points: want 1", zero, len(z))
	case kind == onnxpb.TensorProto_UINT8 && z[0] >= 0 && z[0] <= 255:
		r.zero = int8(z[0] - 128)
	case kind == onnxpb.TensorProto_INT8 && z[0] >= -128 && z[0] <= 127:
		r.unsigned, r.zero = false, int8(z[0])
	default:
		c.fail("zero point of type %s: want INT8 or UINT8", kind)
	}
	return r
}

// readDequantizeLinear: X, scale, optional zero point. X is what QuantizeLinear gives, or
// a constant of integers, which is as good as the float numbers that it stands for, but
// that a layer has int8 weights of zero point 0 as they are.
func readDequantizeLinear(c *call) error {
	x := c.input(0)
	axis := c.attrInt("axis", 1)
	c.noBlocks()
	if kind := onnxpb.TensorProto_DataType(c.attrInt("output_dtype", 0)); kind != 0 && kind != onnxpb.TensorProto_FLOAT {
		c.fail("attribute output_dtype: %s: want FLOAT", kind)
	}
	if x.constant != nil {
		return c.dequantizeConstant(x.constant, axis)
	}
	o := c.bytes(0, 1, 2)
	if err := c.done(3); err != nil {
		return err
	}
	return c.bind(o)
}

// bytes is input i, which QuantizeLinear or an operator on bytes gives, as the float
// value that it stands for by the scale and zero point that this node has for it, inputs
// scale and zero.
func (c *call) bytes(i, scale, zero int) operand {
	x := c.input(i)
	r, ok := x.begun.(*rounding)
	if !ok {
		c.fail("input %d: want the output of QuantizeLinear or of an operator on bytes, or constant integers", i)
	}
	here := c.rounding(scale, zero)
	if c.err != nil {
		return operand{value: &graph.Value{Shape: graph.Shape{1}}}
	}
	if c.input(zero).none() { // by its type it is 0
		if here.unsigned = r.unsigned; !r.unsigned {
			here.zero = 0
		}
	}
	switch {
	case here.scale != r.scale:
		c.fail("scale %g: want that of QuantizeLinear %s, %g", here.scale, quote(r.node), r.scale)
	case here.zero != r.zero || here.unsigned != r.unsigned:
		c.fail("zero point %s: want that of QuantizeLinear %s, %s", here.zeroString(), quote(r.node), r.zeroString())
	default:
		if err := r.mark(x.value); err != nil {
			c.err = err
		}
	}
	return operand{value: x.value, view: x.view, int8: true}
}

// mark gives v the scale and zero point.
func (r *rounding) mark(v *graph.Value) error {
	if v.Scale != 0 && (v.Scale != r.scale || v.Zero != r.zero) {
		return fmt.Errorf("scale %g, zero point %d: value %s is also rounded with scale %g, zero point %d: want one", r.scale, r.zero, quote(v.Name), v.Scale, v.Zero)
	}
	v.Scale, v.Zero, v.Full = r.scale, r.zero, r.zero == 0 && r.full
	return nil
}

// zeroString is the zero point as the file has it.
func (r *rounding) zeroString() string {
	if r.unsigned {
		return fmt.Sprintf("%d (UINT8)", int(r.zero)+128)
	}
	return fmt.Sprintf("%d (INT8)", r.zero)
}

// moversOfBytes are operators that give bytes for bytes: those of their input, the
// largest among them, or clipped ones.
var moversOfBytes = map[string]bool{
	".Clip": true, ".Flatten": true, ".Gather": true, ".Identity": true, ".MaxPool": true, ".Reshape": true, ".Slice": true, ".Squeeze": true, ".Transpose": true, ".Unsqueeze": true,
}

// clipBytes reads a Clip between QuantizeLinear and DequantizeLinear, by which exporters
// (Brevitas's QCDQ) say that integers have fewer bits: the value is clipped to what the
// bounds stand for, and rounded as before.
func (c *call) clipBytes(r *rounding) error {
	zero, lo, hi := int64(r.zero), int64(-128), int64(127)
	if r.unsigned {
		zero, lo, hi = zero+128, 0, 255
	}
	for i, bound := range []*int64{&lo, &hi} {
		k := c.constant(i + 1)
		if k == nil {
			continue
		}
		z := c.ints(i+1, k)
		if c.err == nil && len(z) != 1 {
			c.fail("input %d has %d values: want 1", i+1, len(z))
		} else if c.err == nil {
			*bound = min(max(z[0], lo), hi)
		}
	}
	if err := c.done(3); err != nil {
		return err
	}
	lo = min(lo, hi) // as ONNX has it: everything becomes the upper bound
	in := c.in[0]
	c.in[0] = operand{value: in.value, view: in.view, int8: in.int8}
	real := func(q int64) float32 { return float32(float64(q-zero) * float64(r.scale)) }
	if err := c.keeping(&graph.Clip{Lo: real(lo), Hi: real(hi)}, c.value(0)); err != nil {
		return err
	}
	o := c.named[c.node.Output[0]]
	o.begun, o.int8 = r, true
	return c.bind(o)
}

// onBytes reads a node of moversOfBytes whose first input is bytes: it does to the
// numbers what it does to the bytes, and the output is rounded as the input was.
func (c *call) onBytes(r *rounding) error {
	if operatorKey(c.node) == ".Clip" {
		return c.clipBytes(r)
	}
	if err := r.mark(c.in[0].value); err != nil {
		return err
	}
	c.in[0] = operand{value: c.in[0].value, view: c.in[0].view, int8: true}
	if err := operators[operatorKey(c.node)](c); err != nil {
		return err
	}
	o, err := c.named[c.node.Output[0]].carriedOut()
	if err != nil {
		return err
	}
	o.begun, o.by, o.int8 = r, nil, true
	return c.bind(o)
}

// oneScale is input i, a single positive number.
func (c *call) oneScale(i int) float32 {
	f := c.scales(i)
	if c.err == nil && len(f) != 1 {
		c.fail("input %d has %d scales: want 1", i, len(f))
	}
	if c.err != nil {
		return 1
	}
	return f[0]
}

// scales is input i, positive numbers.
func (c *call) scales(i int) []float32 {
	f := c.floats(i, c.must(i))
	for _, s := range f {
		if !(s > 0) || math.IsInf(float64(s), 0) {
			c.fail("input %d: scale %g: want a positive number", i, s)
			break
		}
	}
	return f
}

// zeros is input i, zero points of integers: none, one, or one each of n scales.
func (c *call) zeros(i, n int) []int64 {
	k := c.constant(i)
	if k == nil || c.err != nil {
		return []int64{0}
	}
	z := c.ints(i, k)
	if c.err == nil && len(z) != 1 && len(z) != n {
		c.fail("%d zero points for %d scales: want as many", len(z), n)
	}
	if c.err != nil || slices.Max(z) == 0 && slices.Min(z) == 0 {
		return []int64{0}
	}
	return z
}

func (c *call) dequantizeConstant(k *constant, axis int64) error {
	out := c.dequantized(0, k, 1, 2, axis)
	if err := c.done(3); err != nil {
		return err
	}
	return c.bind(operand{constant: out})
}

// dequantized is the constant k, input i, as the float numbers that it stands for by the
// scales and zero points that are inputs scale and zero.
func (c *call) dequantized(i int, k *constant, scaleAt, zeroAt int, axis int64) *constant {
	scale := c.scales(scaleAt)
	zero := c.zeros(zeroAt, len(scale))
	if axis < 0 {
		axis += int64(len(k.dims))
	}
	if c.err == nil && len(scale) != 1 && (axis < 0 || axis >= int64(len(k.dims)) || k.dims[axis] != len(scale)) {
		c.fail("%d scales for axis %d of %v: want 1 or one for each index", len(scale), axis, graph.Shape(k.dims))
	}
	out := &constant{dims: k.dims}
	n := k.size()
	if c.err != nil {
		return out
	}
	// scale[i/size%len(scale)] is element i's.
	size := 1
	if len(scale) > 1 {
		size = graph.Shape(k.dims[axis+1:]).Size()
	}
	switch kind := k.kind(); kind {
	case onnxpb.TensorProto_INT32, onnxpb.TensorProto_UINT8, onnxpb.TensorProto_INT8:
		if kind == onnxpb.TensorProto_INT8 && len(zero) == 1 && zero[0] == 0 {
			v, err := k.int8s(c.bud)
			if err != nil {
				c.fail("input %d: %w", i, err)
				return out
			}
			out.quantized = &quantization{v, scale, int(axis)}
			return out
		}
		v := c.ints(i, k)
		if c.err != nil || !c.take(4*n) {
			return out
		}
		out.f = make([]float32, n)
		for j, x := range v {
			channel := j / size
			out.f[j] = float32(x-zero[channel%len(zero)]) * scale[channel%len(scale)]
		}
	default:
		c.fail("input %d: data type %s: want INT8, UINT8 or INT32", i, kind)
	}
	return out
}

// int8Weights is w, which was dequantized, as the weights of a layer whose output
// channels are w's given axis.
func (c *call) int8Weights(w *constant, axis int) graph.Weights {
	q := w.quantized
	if len(q.scale) > 1 && q.axis != axis {
		c.fail("int8 weights with a scale for each index of axis %d: want axis %d, the output channels", q.axis, axis)
	}
	return graph.Weights{Float: w.f, Int8: q.int8, Scale: q.scale}
}

// oneFormEach refuses a value that some nodes read as int8 and others as it is: a
// graph has one form for all.
func (r *reader) oneFormEach(g *graph.Graph) error {
	values := []*graph.Value{g.Input}
	for _, n := range g.Nodes {
		values = append(values, n.Out)
	}
	for _, v := range values {
		if v.Scale != 0 && r.plain[v] {
			return fmt.Errorf("value %s is read both through QuantizeLinear and as it is: want one", quote(v.Name))
		}
	}
	return nil
}
