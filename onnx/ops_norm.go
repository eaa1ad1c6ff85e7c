package onnx

import (
	"fmt"

	"macroscope/graph"
)

// Norms whose mean and variance come from the image itself have no op in a graph: they are
// written out as pools, products and a root, which is what exporters do before the opsets
// that have them.

// normalized is (x − mean)/√(variance + epsilon) over the inner elements of v, seen as
// [outer 1 inner].
func (c *call) normalized(v *graph.Value, outer, inner int, epsilon float32) *graph.Value {
	do := func(op graph.Op, in ...*graph.Value) *graph.Value {
		if c.err != nil {
			return v
		}
		out, err := c.step(op, in...)
		if err != nil {
			c.err = err
			return v
		}
		return out
	}
	if to := (graph.Shape{outer, 1, inner}); !v.Shape.Equal(to) {
		v = do(reshaping(to), v)
	}
	if c.err != nil {
		return v
	}
	apart := do(&graph.Sub{}, v, do(&graph.GlobalAveragePool{}, v))
	variance := do(&graph.GlobalAveragePool{}, do(&graph.Mul{}, apart, apart))
	root := do(&graph.Func{Name: "sqrt"}, do(&graph.Affine{Scale: []float32{1}, Shift: []float32{epsilon}}, variance))
	return do(&graph.Div{}, apart, root)
}

// readLayerNorm reads LayerNormalization: X, scale, optional bias, of the dimensions from
// the axis on.
func readLayerNorm(c *call) error {
	v := c.value(0)
	view := c.dims(0)
	at, err := axisOf("attribute axis:", c.attrInt("axis", -1), len(view))
	epsilon := c.attrFloat("epsilon", 1e-5)
	if kind := c.attrInt("stash_type", 1); kind != 1 {
		c.fail("attribute stash_type: %d: want 1", kind)
	}
	outer, inner := 1, 1
	if err == nil {
		outer, inner = graph.Shape(view[:at]).Size(), graph.Shape(view[at:]).Size()
	}
	var factors [2][]float32 // scale, bias
	for i := range factors {
		k := c.constant(i + 1)
		if i == 0 {
			k = c.must(1)
		}
		if k == nil || err != nil || c.err != nil {
			continue
		}
		if n := k.size(); n != inner && n != 1 {
			c.fail("input %d has %d values: want %d", i+1, n, inner)
		}
		factors[i] = c.floats(i+1, k)
	}
	if err := c.done(3); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	v = c.normalized(v, outer, inner, epsilon)
	for i, f := range factors {
		op := []graph.Op{&graph.Mul{}, &graph.Add{}}[i]
		switch {
		case f == nil || c.err != nil:
		case len(f) == 1:
			a := &graph.Affine{Scale: []float32{1}, Shift: []float32{0}}
			[][]float32{a.Scale, a.Shift}[i][0] = f[0]
			v, c.err = c.step(a, v)
		default:
			var k *graph.Value
			if k, c.err = c.step(&graph.Constant{To: graph.Shape{1, 1, inner}, Values: f}, c.b.Input()); c.err == nil {
				v, c.err = c.step(op, v, k)
			}
		}
	}
	return c.give(0, v, view)
}

// readInstanceNorm reads InstanceNormalization: X, scale, bias, of every channel.
func readInstanceNorm(c *call) error {
	v := c.channelsFirst(0)
	if c.err != nil {
		return c.err
	}
	n := v.Shape.Channels()
	c.must(1)
	c.must(2)
	scale, bias := c.vector(1, n), c.vector(2, n)
	epsilon := c.attrFloat("epsilon", 1e-5)
	if err := c.done(3); err != nil {
		return err
	}
	v = c.normalized(v, n, v.Shape.Size()/n, epsilon)
	return c.emitAs(c.dims(0), &graph.Affine{Scale: scale, Shift: bias}, v)
}

// readGroupNorm reads GroupNormalization: X, scale, bias, of num_groups groups of
// channels; scale and bias are one a group before opset 21, one a channel since.
func readGroupNorm(c *call) error {
	v := c.channelsFirst(0)
	groups := int(min(max(c.attrInt("num_groups", 0), -1), graph.MaxElements))
	epsilon := c.attrFloat("epsilon", 1e-5)
	if kind := c.attrInt("stash_type", 1); kind != 1 {
		c.fail("attribute stash_type: %d: want 1", kind)
	}
	if c.err != nil {
		return c.err
	}
	n, each := v.Shape.Channels(), 1
	if groups < 1 || n%groups != 0 {
		return fmt.Errorf("attribute num_groups: %d: want a number that divides %d channels", groups, n)
	}
	if c.opset < 21 {
		each = n / groups
	}
	c.must(1)
	c.must(2)
	scale, bias := c.vector(1, n/each), c.vector(2, n/each)
	if err := c.done(3); err != nil {
		return err
	}
	if !c.take(8 * n) {
		return c.err
	}
	a := &graph.Affine{Scale: make([]float32, n), Shift: make([]float32, n)}
	for i := range n {
		a.Scale[i], a.Shift[i] = scale[i/each], bias[i/each]
	}
	size := v.Shape.Size()
	v = c.normalized(v, groups, size/groups, epsilon)
	if c.err != nil {
		return c.err
	}
	v, err := c.reshaped(v, graph.Shape{n, 1, size / n})
	if err != nil {
		return err
	}
	return c.emitAs(c.dims(0), a, v)
}
