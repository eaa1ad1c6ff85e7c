package onnx

import (
	"fmt"
	"slices"

	"macroscope/graph"
)

func readAdd(c *call) error {
	if c.input(0).constant == nil && c.input(1).constant == nil {
		a, b := c.value(0), c.value(1)
		if err := c.done(2); err != nil {
			return err
		}
		return c.emit(&graph.Add{}, a, b)
	}
	return c.affine(func(k float32, _ bool) (scale, shift float32) { return 1, k })
}

func readSub(c *call) error {
	return c.affine(func(k float32, first bool) (scale, shift float32) {
		if first {
			return -1, k
		}
		return 1, -k
	})
}

func readMul(c *call) error {
	return c.affine(func(k float32, _ bool) (scale, shift float32) { return k, 0 })
}

func readDiv(c *call) error {
	if c.input(0).constant != nil {
		return fmt.Errorf("a constant divided by a value: not supported")
	}
	return c.affine(func(k float32, _ bool) (scale, shift float32) { return 1 / k, 0 })
}

// affine reads an operator on a value and a constant that broadcasts over
// everything but the channels, in either order. op gives what the constant k
// makes of the value; first says that k is the first operand.
func (c *call) affine(op func(k float32, first bool) (scale, shift float32)) error {
	at, first := 1, false
	if c.input(0).constant != nil {
		at, first = 0, true
	}
	v := c.value(1 - at)
	k := c.must(at)
	if err := c.done(2); err != nil {
		return err
	}
	rank := len(v.Shape) + 1
	if len(k.dims) > rank {
		return fmt.Errorf("a constant of dimensions %v for images of %v: want one for all or one a channel", k.dims, v.Shape)
	}
	// Broadcasting aligns dimensions at the end; those missing in front are 1.
	dims := append(slices.Repeat([]int{1}, rank-len(k.dims)), k.dims...)
	for i, d := range dims {
		if d != 1 && (i != 1 || d != v.Shape.Channels()) {
			return fmt.Errorf("a constant of dimensions %v for images of %v: want one for all or one a channel", k.dims, v.Shape)
		}
	}
	f := c.floats(at, k)
	if c.err != nil || !c.take(8*len(f)) {
		return c.err
	}
	a := &graph.Affine{Scale: make([]float32, len(f)), Shift: make([]float32, len(f))}
	for i, x := range f {
		a.Scale[i], a.Shift[i] = op(x, first)
	}
	return c.emit(a, v)
}
