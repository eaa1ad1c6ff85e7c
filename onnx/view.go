package onnx

import (
	"errors"
	"fmt"
	"slices"

	"macroscope/graph"
)

// A value in ONNX has any number of dimensions; one in a graph is a vector or an image.
// The dimensions behind the batch are the operand's view, and the graph's shape is what
// lying makes of them: one is [F], two are [C 1 L], three are [C H W], none is [1], and
// more are one vector of all elements. The order of elements is the same in both.

// lying is the graph's shape for a view.
func lying(view []int) graph.Shape {
	switch len(view) {
	case 0:
		return graph.Shape{1}
	case 1, 3:
		return graph.Shape(slices.Clone(view))
	case 2:
		return graph.Shape{view[0], 1, view[1]}
	}
	return graph.Shape{graph.Shape(view).Size()}
}

// dims are the dimensions of input i behind the batch; c.value or c.anyForm says whether
// it is a value at all.
func (c *call) dims(i int) []int {
	o := c.input(i)
	if p, ok := o.begun.(*padding); ok {
		return p.to
	}
	switch {
	case o.view != nil:
		return o.view
	case o.value != nil:
		return o.value.Shape
	}
	return []int{1}
}

// asIs is c.value for who looks at the elements in their order alone: a reshaping that
// nobody has needed so far is not carried out.
func (c *call) asIs(i int) *graph.Value {
	o := c.input(i)
	if o.by == nil || c.err != nil {
		return c.value(i)
	}
	if !o.int8 {
		c.plain[o.value] = true
	}
	return o.value
}

// carriedOut is input i after what its node left undone, which others find done then.
func (c *call) carriedOut(i int) operand {
	o := c.input(i)
	if c.err != nil {
		return o
	}
	now, err := o.carriedOut()
	if err != nil {
		c.fail("input %d: %w", i, err)
		return operand{}
	}
	if o.by == nil && now.begun == o.begun {
		return now
	}
	for j, in := range c.node.Input {
		if j < len(c.in) && in == c.node.Input[i] {
			c.in[j], c.named[in] = now, now
		}
	}
	return now
}

// give binds output k of the node to v, seen as view.
func (c *call) give(k int, v *graph.Value, view []int) error {
	if c.err != nil {
		return c.err
	}
	if want := lying(view); !v.Shape.Equal(want) {
		var err error
		if v, err = c.reshaped(v, want); err != nil {
			return err
		}
	}
	if v == c.last { // the node and its output go by the names in the file
		c.last = nil
		c.b.Rename(c.freeName(c.nodeName()), c.node.Output[k])
		if err := c.built(); err != nil {
			return err
		}
	}
	o := operand{value: v}
	if len(view) != len(v.Shape) {
		o.view = slices.Clone(view)
		if o.view == nil {
			o.view = []int{}
		}
	}
	c.named[c.node.Output[k]] = o
	return nil
}

// emitAs is emit for an output whose dimensions behind the batch are view. An output
// that lies otherwise than op gives it is one step more.
func (c *call) emitAs(view []int, op graph.Op, in ...*graph.Value) error {
	if c.err != nil {
		return c.err
	}
	if c.behind != 1 {
		return c.emitScaled(view, op, in...)
	}
	if _, err := op.OutShape(shapesOf(in)); err != nil {
		return err
	}
	shape, _ := op.OutShape(shapesOf(in))
	if shape.Equal(lying(view)) {
		v, err := c.addNamed(c.node.Output[0], op, in...)
		if err != nil {
			return err
		}
		return c.give(0, v, view)
	}
	v, err := c.step(op, in...)
	if err != nil {
		return err
	}
	return c.emitAs(view, reshaping(lying(view)), v)
}

// emitScaled is emitAs of a layer whose sums are then multiplied by c.behind and shifted.
func (c *call) emitScaled(view []int, op graph.Op, in ...*graph.Value) error {
	v, err := c.step(op, in...)
	if err != nil {
		return err
	}
	n := max(1, len(c.shift))
	if !c.take(8 * n) {
		return c.err
	}
	times := &graph.Affine{Scale: make([]float32, n), Shift: c.shift}
	for i := range times.Scale {
		times.Scale[i] = c.behind
	}
	if c.shift == nil {
		times.Shift = make([]float32, n)
	}
	c.behind, c.shift = 1, nil
	return c.emitAs(view, times, v)
}

func shapesOf(in []*graph.Value) []graph.Shape {
	shapes := make([]graph.Shape, len(in))
	for i, v := range in {
		shapes[i] = v.Shape
	}
	return shapes
}

// reshaping is the op that gives a value of as many elements the shape to.
func reshaping(to graph.Shape) graph.Op {
	if len(to) == 1 {
		return &graph.Flatten{}
	}
	return &graph.Reshape{To: to}
}

// reshaped is v with another shape.
func (c *call) reshaped(v *graph.Value, to graph.Shape) (*graph.Value, error) {
	if v.Shape.Equal(to) {
		return v, nil
	}
	return c.step(reshaping(to), v)
}

// step adds an op that the ONNX node needs beside the one that has its name.
func (c *call) step(op graph.Op, in ...*graph.Value) (*graph.Value, error) {
	if c.err != nil {
		return nil, c.err
	}
	c.steps++
	out := c.node.Output[0]
	base := fmt.Sprintf("%s/%d", out, c.steps)
	name := base
	for i := 2; c.taken[name]; i++ {
		name = fmt.Sprintf("%s#%d", base, i)
	}
	c.taken[name] = true
	if !c.take(stepCost + 4*len(name)) {
		return nil, c.err
	}
	v, err := c.add(c.nodeName()+fmt.Sprintf("/%d", c.steps), name, op, in...)
	c.last = v
	return v, err
}

// addNamed adds the op that has the node's name and the given output.
func (c *call) addNamed(out string, op graph.Op, in ...*graph.Value) (*graph.Value, error) {
	return c.add(c.nodeName(), out, op, in...)
}

func (c *call) nodeName() string {
	if name := c.node.GetName(); name != "" {
		return name
	}
	return c.node.Output[0]
}

func (c *call) add(name, out string, op graph.Op, in ...*graph.Value) (*graph.Value, error) {
	v := c.b.AddNamed(c.freeName(name), out, op, in...)
	if err := c.built(); err != nil {
		return nil, err
	}
	switch op.(type) {
	case *graph.Sign:
		c.signs[v] = true
	case *graph.MaxPool, *graph.Flatten, *graph.Reshape, *graph.Transpose, *graph.Slice:
		c.signs[v] = c.signs[in[0]]
	}
	return v, nil
}

// axis is a as an index into rank dimensions behind the batch; the batch itself is an
// error.
func axisOf(what string, a int64, rank int) (int, error) {
	if a < 0 {
		a += int64(rank) + 1
	}
	if a == 0 {
		return 0, fmt.Errorf("%s 0: the batch: want a dimension of each image", what)
	}
	if a < 1 || a > int64(rank) {
		return 0, fmt.Errorf("%s %d: want 1 to %d", what, a, rank)
	}
	return int(a) - 1, nil
}

// transposed is v, seen as view, with its dimensions in another order, and how it is seen
// then.
func (c *call) transposed(v *graph.Value, view, perm []int) (*graph.Value, []int, error) {
	to := make([]int, len(perm))
	var real []int // dimensions of more than one element, in their new order
	for i, p := range perm {
		if to[i] = view[p]; view[p] > 1 {
			real = append(real, p)
		}
	}
	if slices.IsSorted(real) { // then no element moves
		v, err := c.reshaped(v, lying(to))
		return v, to, err
	}
	v, err := c.step(&graph.Transpose{View: slices.Clone(view), Perm: slices.Clone(perm), To: lying(to)}, v)
	return v, to, err
}

// channelsFirst is input i with its first dimension as channels: for a view of more
// dimensions than an image has, [C 1 rest].
func (c *call) channelsFirst(i int) *graph.Value {
	v, view := c.value(i), c.dims(i)
	if c.err != nil {
		return v
	}
	if len(view) == 0 {
		c.fail("input %d is a single number for each image: want channels", i)
		return v
	}
	if len(view) > 3 {
		var err error
		if v, err = c.reshaped(v, graph.Shape{view[0], 1, graph.Shape(view[1:]).Size()}); err != nil {
			c.err = err
			return &graph.Value{Shape: graph.Shape{1}}
		}
	}
	return v
}

// image is input i, which must have spatial dimensions: [C L] as [C 1 L], or [C H W].
func (c *call) image(i int) (v *graph.Value, spatial int) {
	v = c.value(i)
	if n := len(c.dims(i)); c.err == nil && n != 2 && n != 3 {
		c.fail("input %v: want an image [C H W], or [C L]: only 1-D and 2-D are supported", graph.Shape(c.dims(i)))
	}
	return v, len(c.dims(i)) - 1
}

// seen is the view of an image value with as many spatial dimensions.
func seen(v graph.Shape, spatial int) []int {
	if spatial == 1 {
		return []int{v[0], v[2]}
	}
	return v
}

// sized is the shape that op gives for in, as a view of as many spatial dimensions.
func (c *call) sized(spatial int, op graph.Op, in ...*graph.Value) error {
	if c.err != nil {
		return c.err
	}
	shape, err := op.OutShape(shapesOf(in))
	if err != nil {
		return err
	}
	return c.emitAs(seen(shape, spatial), op, in...)
}

// keeping emits an op whose output is seen as input 0 is.
func (c *call) keeping(op graph.Op, in ...*graph.Value) error {
	return c.emitAs(c.dims(0), op, in...)
}

// freeName is name, or one that begins with it: ONNX does not ask node names to be
// unique.
func (c *call) freeName(name string) string {
	for base := name; c.nodes[name] > 0; {
		c.nodes[base]++
		name = fmt.Sprintf("%s#%d", base, c.nodes[base])
	}
	c.nodes[name]++
	return name
}

// built is the builder's error without the names of graph and node, which our caller
// gives.
func (c *call) built() error {
	err := errors.Unwrap(c.b.Err())
	if inner := errors.Unwrap(err); inner != nil {
		err = inner
	}
	return err
}
