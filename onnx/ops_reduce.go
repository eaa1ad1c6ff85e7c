package onnx

import (
	"fmt"
	"slices"

	"macroscope/graph"
)

// readReduce reads ReduceMean, ReduceSum and ReduceMax over dimensions behind the batch:
// those are put last, and then are the planes of an image to pool. axes are an attribute
// before the given opset.
func readReduce(what string, axesInput int64) func(*call) error {
	return func(c *call) error {
		v := c.value(0)
		axes, _ := c.axes(axesInput)
		keep := c.attrInt("keepdims", 1) != 0
		noop := c.attrInt("noop_with_empty_axes", 0) != 0
		if err := c.done(2); err != nil {
			return err
		}
		view := c.dims(0)
		if len(axes) == 0 {
			if noop {
				return c.bind(c.in[0])
			}
			return fmt.Errorf("all dimensions with the batch: want axes of each image")
		}
		reduced := make([]bool, len(view))
		for _, a := range axes {
			i, err := axisOf("axis", a, len(view))
			if err != nil {
				return err
			}
			reduced[i] = true
		}
		var kept, gone []int // indices
		outer, inner, to := 1, 1, []int{}
		for i, d := range view {
			if reduced[i] {
				gone, inner = append(gone, i), inner*d
				if keep {
					to = append(to, 1)
				}
			} else {
				kept, outer, to = append(kept, i), outer*d, append(to, d)
			}
		}
		if !slices.Equal(gone, []int{1, 2}) || len(view) != 3 {
			var err error
			if v, _, err = c.transposed(v, view, append(kept, gone...)); err != nil {
				return err
			}
			if v, err = c.reshaped(v, graph.Shape{outer, 1, inner}); err != nil {
				return err
			}
		}
		switch what {
		case "mean":
			return c.emitAs(to, &graph.GlobalAveragePool{}, v)
		case "max":
			return c.emitAs(to, &graph.MaxPool{KH: v.Shape[1], KW: v.Shape[2], StrideH: 1, StrideW: 1}, v)
		}
		v, err := c.step(&graph.GlobalAveragePool{}, v)
		if err != nil {
			return err
		}
		return c.emitAs(to, &graph.Affine{Scale: []float32{float32(inner)}, Shift: []float32{0}}, v)
	}
}

// readSoftmax: before opset 13 over all dimensions from the axis on.
func readSoftmax(logs bool) func(*call) error {
	return func(c *call) error {
		v := c.value(0)
		absent := int64(-1)
		if c.opset < 13 {
			absent = 1
		}
		axis := c.attrInt("axis", absent)
		if err := c.done(1); err != nil {
			return err
		}
		view := c.dims(0)
		at, err := axisOf("attribute axis:", axis, len(view))
		if err != nil {
			return err
		}
		op := &graph.Softmax{Log: logs}
		outer, n, inner := graph.Shape(view[:at]).Size(), view[at], graph.Shape(view[at+1:]).Size()
		if c.opset < 13 {
			n, inner = n*inner, 1
		}
		return c.perPixel(op, v, []int{outer, n, inner}, view)
	}
}

// readLRN: over the dimension behind the batch.
func readLRN(c *call) error {
	v := c.value(0)
	op := &graph.LRN{Alpha: c.attrFloat("alpha", 1e-4), Beta: c.attrFloat("beta", 0.75), Bias: c.attrFloat("bias", 1)}
	size := c.attrInt("size", 0)
	if err := c.done(1); err != nil {
		return err
	}
	if size < 1 || size > graph.MaxElements {
		return fmt.Errorf("attribute size: %d: want 1 to %d", size, graph.MaxElements)
	}
	op.Size = int(size)
	view := c.dims(0)
	if v.Shape.Equal(view) {
		return c.keeping(op, v)
	}
	return c.perPixel(op, v, []int{1, view[0], graph.Shape(view[1:]).Size()}, view)
}

// perPixel emits an op over the n of [outer n inner], made the channels, and puts the
// result, whose n may have become 1, back to where it was.
func (c *call) perPixel(op graph.Op, v *graph.Value, view, to []int) error {
	outer, n, inner := view[0], view[1], view[2]
	if outer == 1 {
		shape := graph.Shape{n, 1, inner}
		if inner == 1 {
			shape = graph.Shape{n}
		}
		if s := v.Shape; len(s) == 3 && s[0] == n {
			shape = s
		}
		v, err := c.reshaped(v, shape)
		if err != nil {
			return err
		}
		return c.emitAs(to, op, v)
	}
	v, _, err := c.transposed(v, []int{outer, n, inner}, []int{1, 0, 2})
	if err != nil {
		return err
	}
	if v, err = c.step(op, v); err != nil {
		return err
	}
	if v, _, err = c.transposed(v, []int{v.Shape[0], outer, inner}, []int{1, 0, 2}); err != nil {
		return err
	}
	return c.give(0, v, to)
}

// readArgMax gives the index as a float32 number.
func readArgMax(c *call) error {
	v := c.value(0)
	axis, keep := c.attrInt("axis", 0), c.attrInt("keepdims", 1) != 0
	op := &graph.ArgMax{Last: c.attrInt("select_last_index", 0) != 0}
	if err := c.done(1); err != nil {
		return err
	}
	view := c.dims(0)
	at, err := axisOf("attribute axis:", axis, len(view))
	if err != nil {
		return err
	}
	to := append([]int{}, view[:at]...)
	if keep {
		to = append(to, 1)
	}
	to = append(to, view[at+1:]...)
	return c.perPixel(op, v, []int{graph.Shape(view[:at]).Size(), view[at], graph.Shape(view[at+1:]).Size()}, to)
}
