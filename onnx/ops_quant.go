package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"macroscope/graph"
	"macroscope/onnx/internal/onnxpb"
)

// QDQ: a value that is carried as int8 goes through QuantizeLinear and
// DequantizeLinear, and a layer reads int8 weights through DequantizeLinear. A
// graph has neither node: the value has its Scale, the layer Int8 and Scale.

// quantization is what makes real weights of int8 ones.
type quantization struct {
	int8  []int8
	scale []float32 // one, or one for each index of axis
	axis  int
}

// rounding is what QuantizeLinear begins and DequantizeLinear finishes.
type rounding struct {
	node  string
	scale float32
}

func (r *rounding) missing() string {
	return fmt.Sprintf("QuantizeLinear %s: only DequantizeLinear can take int8 in", quote(r.node))
}

// readQuantizeLinear: X, scale, zero point: one scale, int8, zero point 0.
func readQuantizeLinear(c *call) error {
	v := c.anyForm(0)
	scale := c.oneScale(1)
	if k := c.must(2); c.err == nil && k.kind() != onnxpb.TensorProto_INT8 {
		c.fail("zero point of type %s: want INT8", k.kind())
	}
	c.zeroPoint(2)
	c.attrInt("axis", 1) // of no effect with one scale
	if err := c.done(3); err != nil {
		return err
	}
	return c.bind(operand{value: v, view: c.in[0].view, int8: true, begun: &rounding{c.node.GetName(), scale}})
}

// readDequantizeLinear: X, scale, optional zero point 0. X is what QuantizeLinear
// gives, or an int8 or int32 constant, which is as good as the float numbers that
// it stands for, but that a layer has int8 weights as they are.
func readDequantizeLinear(c *call) error {
	x := c.input(0)
	axis := c.attrInt("axis", 1)
	c.zeroPoint(2)
	if x.constant != nil {
		return c.dequantizeConstant(x.constant, axis)
	}
	r, ok := x.begun.(*rounding)
	if !ok {
		c.fail("input 0: want the output of QuantizeLinear, or constant int8 or int32 numbers")
	}
	scale := c.oneScale(1)
	if err := c.done(3); err != nil {
		return err
	}
	switch {
	case scale != r.scale:
		return fmt.Errorf("scale %g: want that of QuantizeLinear %s, %g", scale, quote(r.node), r.scale)
	case x.value.Scale != 0 && x.value.Scale != scale:
		return fmt.Errorf("scale %g: value %s is also rounded with scale %g: want one", scale, quote(x.value.Name), x.value.Scale)
	}
	x.value.Scale = scale
	return c.bind(operand{value: x.value, view: x.view, int8: true})
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

// zeroPoint checks that input i is left out or 0.
func (c *call) zeroPoint(i int) {
	k := c.constant(i)
	if k == nil || c.err != nil {
		return
	}
	for _, z := range c.ints(i, k) {
		if z != 0 {
			c.fail("input %d: zero point %d: want 0: only symmetric quantization is supported", i, z)
			return
		}
	}
}

func (c *call) dequantizeConstant(k *constant, axis int64) error {
	scale := c.scales(1)
	if axis < 0 {
		axis += int64(len(k.dims))
	}
	if c.err == nil && len(scale) != 1 && (axis < 0 || axis >= int64(len(k.dims)) || k.dims[axis] != len(scale)) {
		c.fail("%d scales for axis %d of %v: want 1 or one for each index", len(scale), axis, k.dims)
	}
	if err := c.done(3); err != nil {
		return err
	}
	// scale[i/size%len(scale)] is element i's.
	size := 1
	if len(scale) > 1 {
		size = graph.Shape(k.dims[axis+1:]).Size()
	}
	out := &constant{dims: k.dims}
	switch k.kind() {
	case onnxpb.TensorProto_INT32:
		v := c.ints(0, k)
		if !c.take(4 * len(v)) {
			return c.err
		}
		out.f = make([]float32, len(v))
		for i, x := range v {
			out.f[i] = float32(x) * scale[i/size%len(scale)]
		}
	case onnxpb.TensorProto_INT8:
		if !k.allowed {
			k.allowed = true
			c.bud.allowInt8(k.size())
		}
		v, err := k.int8s(c.bud)
		if err != nil {
			return fmt.Errorf("input 0: %w", err)
		}
		if !c.take(4 * len(v)) {
			return c.err
		}
		out.f, out.quantized = make([]float32, len(v)), &quantization{v, scale, int(axis)}
		for i, x := range v {
			out.f[i] = float32(x) * scale[i/size%len(scale)]
		}
	default:
		return fmt.Errorf("input 0: data type %s: want INT8 or INT32", k.kind())
	}
	return c.bind(operand{constant: out})
}

// int8Weights is w, which was dequantized, as the weights of a layer whose output
// channels are w's given axis. The float weights are what the int8 ones stand for.
func (c *call) int8Weights(w *constant, axis int) graph.Weights {
	q := w.quantized
	if len(q.scale) > 1 && q.axis != axis {
		c.fail("int8 weights with a scale for each index of axis %d: want axis %d, the output channels", q.axis, axis)
	}
	if i := slices.Index(q.int8, math.MinInt8); i >= 0 {
		c.fail("int8 weight %d is -128: want -127 to 127", i)
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

// readBipolarQuant: X, scale: scale·sign(X) with sign(0) = 1. A constant becomes
// ±1 weights, a value goes through Sign. Only scale 1.
func readBipolarQuant(c *call) error {
	scale := c.must(1)
	for _, s := range c.floats(1, scale) {
		if s != 1 {
			c.fail("scale %g: want 1", s)
		}
	}
	if k := c.input(0).constant; k != nil {
		f := c.floats(0, k)
		if err := c.done(2); err != nil {
			return err
		}
		if !c.take(4 * len(f)) {
			return c.err
		}
		out := &constant{dims: k.dims, f: make([]float32, len(f)), bipolar: true}
		for i, v := range f {
			switch {
			case math.IsNaN(float64(v)):
				c.fail("element %d of input 0 is not a number", i)
				return c.err
			case v >= 0:
				out.f[i] = 1
			default:
				out.f[i] = -1
			}
		}
		return c.bind(operand{constant: out})
	}
	v := c.value(0)
	if err := c.done(2); err != nil {
		return err
	}
	return c.keeping(&graph.Sign{}, v)
}

// comparison is what GreaterOrEqual(X, 0) begins of a Sign that
// Where(·, 1, −1) finishes: ONNX's own Sign gives 0 at 0.
type comparison struct{ node string }

func (p *comparison) missing() string {
	return fmt.Sprintf("GreaterOrEqual %s: only Where with 1 and -1 can read it", quote(p.node))
}

// readGreaterOrEqual: X, 0.
func readGreaterOrEqual(c *call) error {
	v := c.value(0)
	c.wantNumber(1, 0)
	if err := c.done(2); err != nil {
		return err
	}
	return c.bind(operand{value: v, view: c.in[0].view, int8: true, begun: &comparison{c.node.GetName()}})
}

// readWhere: what GreaterOrEqual gives, 1, −1.
func readWhere(c *call) error {
	x := c.input(0)
	if _, ok := x.begun.(*comparison); !ok {
		return errors.New("input 0: want the output of GreaterOrEqual: only a sign is supported")
	}
	c.wantNumber(1, 1)
	c.wantNumber(2, -1)
	if err := c.done(3); err != nil {
		return err
	}
	return c.keeping(&graph.Sign{}, x.value)
}

// wantNumber checks that input i is the constant x.
func (c *call) wantNumber(i int, x float32) {
	if f := c.floats(i, c.must(i)); c.err == nil && (len(f) != 1 || f[0] != x) {
		c.fail("input %d: want the number %g: only a sign is supported", i, x)
	}
}
