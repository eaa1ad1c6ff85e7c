package onnx

import (
	"errors"
	"fmt"

	"macroscope/graph"
	"macroscope/onnx/internal/onnxpb"
)

func readRelu(c *call) error { return c.unary(&graph.ReLU{}) }

func readGlobalAveragePool(c *call) error { return c.unary(&graph.GlobalAveragePool{}) }

// unary reads an operator of one input and no attributes.
func (c *call) unary(op graph.Op) error {
	v := c.value(0)
	if err := c.done(1); err != nil {
		return err
	}
	return c.emit(op, v)
}

// readIdentity makes the output another name for whatever the input is.
func readIdentity(c *call) error {
	o := c.input(0)
	if o == (operand{}) {
		c.fail("input 0 is missing")
	}
	if err := c.done(1); err != nil {
		return err
	}
	return c.bind(o)
}

// readConstant: exactly one of the attributes for a tensor, floats and integers.
func readConstant(c *call) error {
	var t *onnxpb.TensorProto
	given := 0
	if a := c.attr("value", onnxpb.AttributeProto_TENSOR); a != nil {
		t, given = a.GetT(), given+1
	}
	if a := c.attr("value_float", onnxpb.AttributeProto_FLOAT); a != nil {
		t, given = floatTensor(nil, a.GetF()), given+1
	}
	if a := c.attr("value_floats", onnxpb.AttributeProto_FLOATS); a != nil {
		t, given = floatTensor([]int64{int64(len(a.Floats))}, a.Floats...), given+1
	}
	if a := c.attr("value_int", onnxpb.AttributeProto_INT); a != nil {
		t, given = intTensor(nil, a.GetI()), given+1
	}
	if a := c.attr("value_ints", onnxpb.AttributeProto_INTS); a != nil {
		t, given = intTensor([]int64{int64(len(a.Ints))}, a.Ints...), given+1
	}
	if err := c.done(0); err != nil {
		return err
	}
	if given != 1 {
		return fmt.Errorf("%d values: want 1", given)
	}
	k, err := newConstant(t)
	if err != nil {
		return err
	}
	return c.bind(operand{constant: k})
}

func floatTensor(dims []int64, f ...float32) *onnxpb.TensorProto {
	kind := int32(onnxpb.TensorProto_FLOAT)
	return &onnxpb.TensorProto{Dims: dims, DataType: &kind, FloatData: f}
}

func intTensor(dims []int64, v ...int64) *onnxpb.TensorProto {
	kind := int32(onnxpb.TensorProto_INT64)
	return &onnxpb.TensorProto{Dims: dims, DataType: &kind, Int64Data: v}
}

// readFlatten: axis 1, which keeps the images apart.
func readFlatten(c *call) error {
	v := c.value(0)
	axis := c.attrInt("axis", 1)
	if err := c.done(1); err != nil {
		return err
	}
	if rank := int64(len(v.Shape)) + 1; axis != 1 && axis != 1-rank {
		return fmt.Errorf("attribute axis: %d: want 1, which keeps the images apart", axis)
	}
	return c.flatten(v)
}

// flatten makes a vector of v, which is input 0; one that is a vector already
// stays.
func (c *call) flatten(v *graph.Value) error {
	if len(v.Shape) == 1 {
		return c.bind(c.in[0])
	}
	return c.emit(&graph.Flatten{}, v)
}

// readReshape: X, shape. Only to a vector for each image or to X's own shape.
func readReshape(c *call) error {
	v := c.value(0)
	k := c.must(1)
	zero := c.attrInt("allowzero", 0) != 0
	to := c.ints(1, k)
	if err := c.done(2); err != nil {
		return err
	}
	if len(to) > 8 || len(k.dims) != 1 {
		return fmt.Errorf("a shape of dimensions %v: want a list of at most 8", k.dims)
	}
	from := append(graph.Shape{0}, v.Shape...) // 0: the batch, copied
	size, open, fits := 1, 0, true
	for i, d := range to {
		switch {
		case i == 0: // the batch: copied, inferred, or the number that the file fixes
			fits = d == 0 && !zero || d == -1 || d == 1 || d == c.batch && d > 0
		case d == -1:
			open++
		case d == 0 && !zero && i < len(from):
			size *= from[i]
		case d < 1 || d > graph.MaxElements || int(d) > graph.MaxElements/size:
			fits = false
		default:
			size *= int(d)
		}
	}
	all := v.Shape.Size()
	if len(to) > 0 && to[0] == -1 && open > 0 || open > 1 || open == 1 && all%size != 0 || open == 0 && all != size {
		fits = false
	}
	switch {
	case fits && len(to) == 2:
		return c.flatten(v)
	case fits && len(to) == len(from):
		same := true
		for i := 1; i < len(to); i++ {
			same = same && (to[i] == -1 || to[i] == 0 || to[i] == int64(from[i]))
		}
		if same && open <= 1 {
			return c.bind(c.in[0])
		}
	}
	return fmt.Errorf("shape %v for images of %v: want [0, -1], a vector for each image", to, v.Shape)
}

// readSoftmax: over a vector.
func readSoftmax(c *call) error {
	v := c.value(0)
	absent := int64(-1)
	if c.opset < 13 {
		absent = 1
	}
	axis := c.attrInt("axis", absent)
	if err := c.done(1); err != nil {
		return err
	}
	if axis != 1 && axis != -1 {
		return fmt.Errorf("attribute axis: %d: want 1 or -1", axis)
	}
	return c.emit(&graph.Softmax{}, v)
}

// readPad: X, pads, optional value, optional axes; before opset 11 pads and value
// are attributes. Only constant padding of height and width.
func readPad(c *call) error {
	v := c.value(0)
	if c.err == nil && len(v.Shape) != 3 {
		c.fail("input %v: want an image [C H W]", v.Shape)
	}
	if mode := c.attrString("mode", "constant"); mode != "constant" {
		c.fail("attribute mode: %s: want constant", quote(mode))
	}
	pads, with, axes := c.padArguments()
	if err := c.done(4); err != nil {
		return err
	}
	if len(axes) > 4 || len(pads) != 2*len(axes) {
		return fmt.Errorf("%d pads: want %d, before and after each axis", len(pads), 2*len(axes))
	}
	var sides [8]int // before batch, C, H, W; after them
	var seen [4]bool
	for i, a := range axes {
		if a < 0 {
			a += 4
		}
		if a < 0 || a > 3 || seen[a] {
			return fmt.Errorf("axes %v: want each of 0 to 3 at most once", axes)
		}
		seen[a] = true
		for side, p := range []int64{pads[i], pads[i+len(axes)]} {
			if p < 0 || p > graph.MaxElements || p > 0 && a < 2 {
				return fmt.Errorf("pads %v: want 0 for batch and channels, 0 to %d for height and width", pads, graph.MaxElements)
			}
			sides[int(a)+4*side] = int(p)
		}
	}
	if sides == [8]int{} {
		return c.bind(c.in[0])
	}
	return c.bind(operand{value: v, int8: c.in[0].int8, begun: &padding{
		node: c.node.GetName(), top: sides[2], left: sides[3], bottom: sides[6], right: sides[7], with: with,
	}})
}

func (c *call) padArguments() (pads []int64, with float32, axes []int64) {
	axes = []int64{0, 1, 2, 3}
	if c.opset < 11 {
		if a := c.attr("pads", onnxpb.AttributeProto_INTS); a != nil {
			pads = a.Ints
		}
		return pads, c.attrFloat("value", 0), axes
	}
	pads = c.ints(1, c.must(1))
	if k := c.constant(2); k != nil {
		if f := c.floats(2, k); len(f) == 1 {
			with = f[0]
		} else {
			c.fail("input 2 has %d values: want 1", k.size())
		}
	}
	if k := c.constant(3); k != nil {
		axes = c.ints(3, k)
	}
	return pads, with, axes
}

// readConcat: along the channels.
func readConcat(c *call) error {
	var in []*graph.Value
	for i := range c.in {
		in = append(in, c.value(i))
	}
	if c.err == nil && len(in) == 0 {
		c.fail("no inputs: want at least 1")
	}
	axis := c.attr("axis", onnxpb.AttributeProto_INT)
	if err := c.done(len(c.in)); err != nil {
		return err
	}
	if axis == nil {
		return errors.New("attribute axis: missing")
	}
	if rank := int64(len(in[0].Shape)) + 1; axis.GetI() != 1 && axis.GetI() != 1-rank {
		return fmt.Errorf("attribute axis: %d: want 1, the channels", axis.GetI())
	}
	return c.emit(&graph.Concat{}, in...)
}

// readDropout: X, optional ratio, optional training_mode, which must be off; before
// opset 12 the ratio is an attribute. Readers other than training need none of it.
func readDropout(c *call) error {
	v := c.value(0)
	rate := float32(0.5)
	if c.opset < 12 {
		rate = c.attrFloat("ratio", rate)
	} else {
		c.attrInt("seed", 0)
		if k := c.constant(1); k != nil {
			if f := c.floats(1, k); len(f) == 1 {
				rate = f[0]
			} else {
				c.fail("input 1 has %d values: want 1", k.size())
			}
		}
		if o := c.input(2); o != (operand{}) {
			c.fail("input 2 is given: training_mode is not supported")
		}
	}
	if err := c.done(3); err != nil {
		return err
	}
	return c.emit(&graph.Dropout{Rate: rate}, v)
}
