package onnx

import (
	"errors"
	"fmt"
	"slices"

	"macroscope/graph"
	"macroscope/onnx/internal/onnxpb"
)

// readIdentity makes the output another name for whatever the input is.
func readIdentity(c *call) error {
	o := c.input(0)
	if o.none() {
		c.fail("input 0 is missing")
	}
	if err := c.done(1); err != nil {
		return err
	}
	return c.bind(o)
}

// readCast: only to FLOAT, which every value is.
func readCast(c *call) error {
	c.value(0)
	to := c.attrInt("to", 0)
	c.attrInt("saturate", 1)
	c.attrString("round_mode", "up")
	if err := c.done(1); err != nil {
		return err
	}
	if kind := onnxpb.TensorProto_DataType(to); !computed(kind) {
		return fmt.Errorf("a value cast to %s: want FLOAT, DOUBLE, FLOAT16 or BFLOAT16", kind)
	}
	return c.bind(c.in[0])
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
	k, err := c.newConstant(t)
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

// readShape: the dimensions of X, the batch among them, of which start to end are asked.
func readShape(c *call) error {
	if c.input(0).value == nil {
		c.anyForm(0)
	}
	rank := int64(len(c.dims(0))) + 1
	start, end := c.attrInt("start", 0), c.attrInt("end", rank)
	if err := c.done(1); err != nil {
		return err
	}
	all := []int64{batchDim}
	for _, d := range c.dims(0) {
		all = append(all, int64(d))
	}
	for _, at := range []*int64{&start, &end} {
		if *at < 0 {
			*at += rank
		}
		*at = min(max(*at, 0), rank)
	}
	if start >= end {
		return errors.New("an empty list of dimensions: not supported")
	}
	part := all[start:end]
	return c.bind(operand{constant: &constant{dims: []int{len(part)}, i: part}})
}

// readFlatten: axis 1, which keeps the images apart.
func readFlatten(c *call) error {
	v := c.asIs(0)
	axis := c.attrInt("axis", 1)
	if err := c.done(1); err != nil {
		return err
	}
	rank := int64(len(c.dims(0))) + 1
	if axis != 1 && axis != 1-rank {
		return fmt.Errorf("attribute axis: %d: want 1, which keeps the images apart", axis)
	}
	return c.as([]int{v.Shape.Size()}, v)
}

// as makes v, input 0, be seen as view. It is reshaped when somebody needs it so.
func (c *call) as(view []int, v *graph.Value) error {
	o := operand{value: v, int8: c.in[0].int8}
	if shape := lying(view); !v.Shape.Equal(shape) {
		o.by = c
	} else if len(view) == len(shape) {
		return c.bind(o)
	}
	o.view = append([]int{}, view...)
	return c.bind(o)
}

// readReshape: X, shape; the images stay apart.
func readReshape(c *call) error {
	v := c.asIs(0)
	k := c.must(1)
	zero := c.attrInt("allowzero", 0) != 0
	to := c.ints(1, k)
	if err := c.done(2); err != nil {
		return err
	}
	if len(to) > maxRank || len(k.dims) != 1 {
		return fmt.Errorf("a shape of dimensions %v: want a list of at most %d", k.dims, maxRank)
	}
	from, all := c.dims(0), v.Shape.Size()
	view, open, size, fits := []int{}, -1, 1, len(to) > 0
	for i, d := range to {
		switch {
		case i == 0: // the batch: copied, inferred, or the number that the file fixes
			fits = fits && (d == batchDim || d == 0 && !zero || d == -1 || d == 1 || d == c.batch && d > 0)
			continue
		case d == -1 && open < 0:
			open = i - 1
			view = append(view, 1)
			continue
		case d == 0 && !zero && i <= len(from):
			d = int64(from[i-1])
		}
		if d < 1 || d > int64(graph.MaxElements/size) {
			fits = false
			break
		}
		size *= int(d)
		view = append(view, int(d))
	}
	if fits && open >= 0 && all%size == 0 {
		view[open] = all / size
		size = all
	}
	if !fits || size != all || len(to) > 0 && to[0] == -1 && open >= 0 {
		return fmt.Errorf("shape %s for images of %v: want the batch first, and as many elements behind it as an image has", shapeString(to), graph.Shape(from))
	}
	return c.as(view, v)
}

// readSqueeze: X, optional axes, an attribute before opset 13. The batch stays.
func readSqueeze(c *call) error {
	v := c.asIs(0)
	axes, given := c.axes(13)
	if err := c.done(2); err != nil {
		return err
	}
	from := c.dims(0)
	drop := make([]bool, len(from))
	for i, d := range from {
		drop[i] = !given && d == 1
	}
	for _, a := range axes {
		i, err := axisOf("axis", a, len(from))
		if err != nil {
			return err
		}
		if from[i] != 1 {
			return fmt.Errorf("axis %d of %v: want a dimension of 1", a, graph.Shape(from))
		}
		drop[i] = true
	}
	view := []int{}
	for i, d := range from {
		if !drop[i] {
			view = append(view, d)
		}
	}
	return c.as(view, v)
}

// readUnsqueeze: X, axes, an attribute before opset 13, of the result.
func readUnsqueeze(c *call) error {
	v := c.asIs(0)
	axes, given := c.axes(13)
	if err := c.done(2); err != nil {
		return err
	}
	from := c.dims(0)
	rank := len(from) + len(axes)
	if !given || rank >= maxRank {
		return fmt.Errorf("%d axes for images of %v: want some, and at most %d dimensions", len(axes), graph.Shape(from), maxRank)
	}
	view := make([]int, rank)
	for _, a := range axes {
		i, err := axisOf("axis", a, rank)
		if err != nil {
			return err
		}
		if view[i] != 0 {
			return fmt.Errorf("axis %d: given twice", a)
		}
		view[i] = 1
	}
	for i := range view {
		if view[i] == 0 {
			view[i], from = from[0], from[1:]
		}
	}
	return c.as(view, v)
}

// axes is input 1, or before an opset the attribute of that name.
func (c *call) axes(input int64) (axes []int64, given bool) {
	if c.opset < input {
		a := c.attr("axes", onnxpb.AttributeProto_INTS)
		return a.GetInts(), a != nil
	}
	k := c.constant(1)
	if k == nil {
		return nil, false
	}
	return c.ints(1, k), true
}

// readTranspose: the batch stays first.
func readTranspose(c *call) error {
	v := c.asIs(0)
	view := c.dims(0)
	a := c.attr("perm", onnxpb.AttributeProto_INTS)
	if err := c.done(1); err != nil {
		return err
	}
	perm := make([]int64, len(view)+1)
	for i := range perm {
		perm[i] = int64(len(perm) - 1 - i)
	}
	if a != nil {
		perm = a.Ints
	}
	sorted := slices.Sorted(slices.Values(perm))
	for i, p := range sorted {
		if p != int64(i) || len(sorted) != len(view)+1 {
			return fmt.Errorf("attribute perm: want each of 0 to %d once", len(view))
		}
	}
	if perm[0] != 0 {
		return fmt.Errorf("attribute perm: %v: want 0, the batch, first", perm)
	}
	behind := make([]int, len(view))
	for i, p := range perm[1:] {
		behind[i] = int(p) - 1
	}
	out, to, err := c.transposed(v, view, behind)
	if err != nil {
		return err
	}
	return c.give(0, out, to)
}

// readConcat: along any dimension but the batch.
func readConcat(c *call) error {
	axis := c.attr("axis", onnxpb.AttributeProto_INT)
	if axis == nil {
		c.fail("attribute axis: missing")
	}
	first := -1
	for i := range c.in {
		if c.in[i].constant == nil {
			first = i
			break
		}
	}
	if first < 0 {
		c.fail("no inputs: want at least 1")
	}
	if err := c.done(len(c.in)); err != nil {
		return err
	}
	c.value(first)
	if c.err != nil {
		return c.err
	}
	view := slices.Clone(c.dims(first))
	at, err := axisOf("attribute axis:", axis.GetI(), len(view))
	if err != nil {
		return err
	}
	total := 0
	var in []*graph.Value
	for i := range c.in {
		v, d := c.valueOrConstant(i)
		if c.err != nil {
			return c.err
		}
		if len(d) != len(view) {
			return fmt.Errorf("inputs %v and %v: want as many dimensions", graph.Shape(view), graph.Shape(d))
		}
		for j := range d {
			if j != at && d[j] != view[j] {
				return fmt.Errorf("inputs %v and %v: want dimensions that differ in axis %d alone", graph.Shape(view), graph.Shape(d), at+1)
			}
		}
		total += d[at]
		// [outer n inner] with its n first, as channels.
		if at > 0 || len(view) > 3 {
			outer, inner := graph.Shape(d[:at]).Size(), graph.Shape(d[at+1:]).Size()
			if v, _, err = c.transposed(v, []int{outer, d[at], inner}, []int{1, 0, 2}); err != nil {
				return err
			}
		}
		in = append(in, v)
	}
	view[at] = total
	if err := bounded(view); err != nil {
		return err
	}
	if at == 0 && len(view) <= 3 {
		return c.emitAs(view, &graph.Concat{}, in...)
	}
	v, err := c.step(&graph.Concat{}, in...)
	if err != nil {
		return err
	}
	outer, inner := graph.Shape(view[:at]).Size(), graph.Shape(view[at+1:]).Size()
	if v, _, err = c.transposed(v, []int{total, outer, inner}, []int{1, 0, 2}); err != nil {
		return err
	}
	return c.give(0, v, view)
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
		if k := c.constant(2); k != nil {
			c.ints(2, k) // training_mode: who runs a network that was exported as it trained wants what it computes without dropping
		}
	}
	if err := c.done(3); err != nil {
		return err
	}
	return c.keeping(&graph.Dropout{Rate: rate}, v)
}
