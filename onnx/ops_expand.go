package onnx

import (
	"fmt"
	"slices"

	"macroscope/graph"
)

// expanded gives the dimensions of from stretched to the shape to, as Expand has it: both
// aligned at the end, where one of two is 1 the other counts. from may begin with batchDim.
func expanded(from, to []int64) ([]int64, error) {
	rank := max(len(from), len(to))
	if rank > maxRank {
		return nil, fmt.Errorf("%d dimensions: want at most %d", rank, maxRank)
	}
	from = append(slices.Repeat([]int64{1}, rank-len(from)), from...)
	to = append(slices.Repeat([]int64{1}, rank-len(to)), to...)
	for i, d := range to {
		switch {
		case d == 1 || d == from[i]:
		case from[i] == 1 && d > 0 && d <= graph.MaxElements:
			from[i] = d
		default:
			return nil, fmt.Errorf("%s expanded to %s: want equal dimensions, or 1", shapeString(from), shapeString(to))
		}
	}
	return from, nil
}

// readExpand: X, shape. Along a stretched dimension all elements are the one that there
// is, as they are in a padding by the outermost element.
func readExpand(c *call) error {
	v := c.value(0)
	k := c.must(1)
	to := slices.Clone(c.ints(1, k))
	if err := c.done(2); err != nil {
		return err
	}
	view := c.dims(0)
	from := []int64{batchDim}
	for _, d := range view {
		from = append(from, int64(d))
	}
	if len(to) == len(from) && to[0] == c.batch && c.batch > 0 {
		to[0] = batchDim
	}
	all, err := expanded(from, to)
	if err != nil {
		return err
	}
	if all[0] != batchDim || len(all) != len(from) {
		return fmt.Errorf("%s expanded to %s: want the batch where it was", shapeString(from), shapeString(to))
	}
	now := slices.Clone(view)
	for i, d := range all[1:] {
		n := int(d)
		if n == now[i] {
			continue
		}
		// The dimensions before, this one, and those behind as an image.
		outer, inner := graph.Shape(now[:i]).Size(), graph.Shape(now[i+1:]).Size()
		now[i] = n
		if err := bounded(now); err != nil {
			return err
		}
		if v, err = c.reshaped(v, graph.Shape{outer, 1, inner}); err != nil {
			return err
		}
		if v, err = c.step(&graph.Pad{Mode: graph.PadEdge, After: [3]int{0, n - 1, 0}}, v); err != nil {
			return err
		}
	}
	if v == c.in[0].value {
		return c.bind(c.in[0])
	}
	return c.give(0, v, now)
}

// foldExpand is Expand of a constant.
func foldExpand(c *call) (*constant, error) {
	k := c.must(0)
	to := c.ints(1, c.must(1))
	if err := c.done(2); err != nil {
		return nil, err
	}
	var from []int64
	for _, d := range k.dims {
		from = append(from, int64(d))
	}
	all, err := expanded(from, to)
	if err != nil {
		return nil, err
	}
	dims := make([]int, len(all))
	for i, d := range all {
		dims[i] = int(d)
	}
	_, at, _, err := c.broadcast(k.dims, dims)
	if err != nil {
		return nil, err
	}
	return c.picked(0, k, dims, at), nil
}
