package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"macroscope/graph"
	"macroscope/onnx/internal/onnxpb"
)

// readSlice: X, starts, ends, optional axes and steps; before opset 10 attributes.
func readSlice(c *call) error {
	v := c.value(0)
	starts, ends, axes, steps := c.sliceArguments()
	if err := c.done(5); err != nil {
		return err
	}
	view := slices.Clone(c.dims(0))
	cuts, err := cutsOf(starts, ends, axes, steps, append([]int{-1}, view...))
	if err != nil {
		return err
	}
	op, any := &graph.Slice{Step: [3]int{1, 1, 1}}, false // of all axes, where the value lies so
	copy(op.Size[:], v.Shape)
	for _, k := range cuts {
		if k.axis == 0 {
			if k.start != 0 || k.step != 1 || k.size != -1 {
				return errors.New("a part of the batch: want whole images")
			}
			continue
		}
		at := k.axis - 1
		if len(view) <= 3 {
			i := standing(at, len(view))
			op.Start[i], op.Step[i], op.Size[i] = k.start, k.step, k.size
			any = any || k.start != 0 || k.step != 1 || k.size != view[at]
		} else if v, err = c.cut(v, view, at, k.start, k.step, k.size); err != nil {
			return err
		}
		view[at] = k.size
	}
	if any {
		return c.emitAs(view, op, v)
	}
	return c.give(0, v, view)
}

func (c *call) sliceArguments() (starts, ends, axes, steps []int64) {
	if c.opset < 10 {
		for name, to := range map[string]*[]int64{"starts": &starts, "ends": &ends, "axes": &axes} {
			*to = c.attr(name, onnxpb.AttributeProto_INTS).GetInts()
		}
		return starts, ends, axes, nil
	}
	starts, ends = c.ints(1, c.must(1)), c.ints(2, c.must(2))
	for i, to := range []*[]int64{&axes, &steps} {
		if k := c.constant(3 + i); k != nil {
			*to = c.ints(3+i, k)
		}
	}
	return starts, ends, axes, steps
}

// cut is the elements start, start+step, ... of dimension at of v, which is seen as view.
func (c *call) cut(v *graph.Value, view []int, at, start, step, size int) (*graph.Value, error) {
	if start == 0 && step == 1 && size == view[at] {
		return v, nil
	}
	op := &graph.Slice{Step: [3]int{1, 1, 1}}
	dims, where := v.Shape, at
	if n := len(view); n > 3 {
		dims = graph.Shape{graph.Shape(view[:at]).Size(), view[at], graph.Shape(view[at+1:]).Size()}
		where = 1
	} else {
		where = standing(at, n)
	}
	v, err := c.reshaped(v, dims)
	if err != nil {
		return nil, err
	}
	copy(op.Size[:], dims)
	op.Start[where], op.Step[where], op.Size[where] = start, step, size
	if v, err = c.step(op, v); err != nil {
		return nil, err
	}
	if len(view) > 3 {
		return c.reshaped(v, graph.Shape{v.Shape.Size()})
	}
	return v, nil
}

// readSplit: X, optional sizes, an attribute before opset 13.
func readSplit(c *call) error {
	v := c.value(0)
	axis := c.attrInt("axis", 0)
	var sizes []int64
	if c.opset < 13 {
		sizes = c.attr("split", onnxpb.AttributeProto_INTS).GetInts()
	} else if k := c.constant(1); k != nil {
		sizes = c.ints(1, k)
	}
	n := int64(len(c.node.Output))
	if c.opset >= 18 {
		n = c.attrInt("num_outputs", n)
	}
	if err := c.done(2); err != nil {
		return err
	}
	view := c.dims(0)
	at, err := axisOf("attribute axis:", axis, len(view))
	if err != nil {
		return err
	}
	if sizes == nil && n == int64(len(c.node.Output)) {
		each := (int64(view[at]) + n - 1) / n
		for left := int64(view[at]); left > 0; left -= each {
			sizes = append(sizes, min(each, left))
		}
	}
	sum := int64(0)
	for _, s := range sizes {
		if s < 1 || s > int64(view[at]) {
			return fmt.Errorf("a part of %d: want 1 to %d", s, view[at])
		}
		sum += s
	}
	if sum != int64(view[at]) || len(sizes) != len(c.node.Output) {
		return fmt.Errorf("%d parts with a sum of %d: want %d, the number of outputs, and %d", len(sizes), sum, len(c.node.Output), view[at])
	}
	start := 0
	for k, s := range sizes {
		size := int(s)
		to := slices.Clone(view)
		to[at] = size
		if out := c.node.Output[k]; out != "" && c.used[out] {
			part, err := c.cut(v, view, at, start, 1, size)
			if err != nil {
				return err
			}
			if err := c.give(k, part, to); err != nil {
				return err
			}
		}
		start += size
	}
	return nil
}

// readGather: X, indices: one index, or evenly spaced ones, along any dimension but the
// batch.
func readGather(c *call) error {
	v := c.value(0)
	k := c.must(1)
	index := c.ints(1, k)
	axis := c.attrInt("axis", 0)
	if err := c.done(2); err != nil {
		return err
	}
	view := slices.Clone(c.dims(0))
	at, err := axisOf("attribute axis:", axis, len(view))
	if err != nil {
		return err
	}
	if len(k.dims) > 1 || len(index) == 0 || len(index) > view[at] {
		return fmt.Errorf("indices of dimensions %v: want one index or a list of at most %d", graph.Shape(k.dims), view[at])
	}
	step := int64(1)
	if len(index) > 1 {
		step = index[1] - index[0]
	}
	start := index[0]
	if start < 0 {
		start += int64(view[at])
	}
	for i, x := range index {
		if x < 0 {
			x += int64(view[at])
		}
		if x < 0 || x >= int64(view[at]) || x != start+int64(i)*step || step == 0 {
			return fmt.Errorf("index %d is %d: want evenly spaced ones from 0 to %d", i, x, view[at]-1)
		}
	}
	if v, err = c.cut(v, view, at, int(start), int(step), len(index)); err != nil {
		return err
	}
	if view[at] = len(index); len(k.dims) == 0 {
		view = slices.Delete(view, at, at+1)
	}
	return c.give(0, v, view)
}

// A cutting is a part of one dimension.
type cutting struct{ axis, start, step, size int }

// cutsOf is what Slice takes of dimensions, of which −1 is the batch: the whole of that
// is size −1.
func cutsOf(starts, ends, axes, steps []int64, dims []int) ([]cutting, error) {
	n := len(starts)
	if n > len(dims) || len(ends) != n || axes != nil && len(axes) != n || steps != nil && len(steps) != n {
		return nil, fmt.Errorf("%d starts, %d ends, %d axes, %d steps: want as many of each, at most %d", n, len(ends), len(axes), len(steps), len(dims))
	}
	var cuts []cutting
	seen := make([]bool, len(dims))
	for i := range starts {
		a, step := int64(i), int64(1)
		if axes != nil {
			a = axes[i]
		}
		if steps != nil {
			step = steps[i]
		}
		if a < 0 {
			a += int64(len(dims))
		}
		if a < 0 || a >= int64(len(dims)) || seen[a] || step == 0 || step == math.MinInt64 {
			return nil, fmt.Errorf("axes %v, steps %v: want each of 0 to %d at most once, steps that are not 0", axes, steps, len(dims)-1)
		}
		seen[a] = true
		d := int64(dims[a])
		start, end := starts[i], ends[i]
		if d < 0 {
			if start == 0 && step == 1 && (end >= math.MaxInt32 || end == batchDim) {
				cuts = append(cuts, cutting{int(a), 0, 1, -1})
				continue
			}
			cuts = append(cuts, cutting{int(a), 0, 1, 0})
			continue
		}
		for _, at := range []*int64{&start, &end} {
			if *at < 0 {
				*at = max(*at+d, math.MinInt32)
			}
		}
		var size int64
		if step > 0 {
			start, end = min(max(start, 0), d), min(max(end, 0), d)
			size = (end - start + step - 1) / step
		} else {
			start, end = min(max(start, 0), d-1), min(max(end, -1), d-1)
			size = (start - end - step - 1) / -step
		}
		if size < 1 {
			return nil, fmt.Errorf("from %d to %d by %d of dimension %d: nothing is left", starts[i], ends[i], step, d)
		}
		if size == 1 {
			step = 1
		}
		cuts = append(cuts, cutting{int(a), int(start), int(step), int(size)})
	}
	return cuts, nil
}

func foldSlice(c *call) (*constant, error) {
	k := c.must(0)
	starts, ends, axes, steps := c.sliceArguments()
	if err := c.done(5); err != nil {
		return nil, err
	}
	cuts, err := cutsOf(starts, ends, axes, steps, k.dims)
	if err != nil {
		return nil, err
	}
	dims, places := slices.Clone(k.dims), c.places(k.size())
	for _, cut := range cuts {
		index := make([]int, cut.size)
		for i := range index {
			index[i] = cut.start + i*cut.step
		}
		places, dims = c.along(places, dims, cut.axis, index)
	}
	return c.picked(0, k, dims, places), nil
}

// along is the elements of the given indices along an axis, of which there are at most
// graph.MaxElements.
func (c *call) along(places, dims []int, axis int, index []int) (to, shape []int) {
	outer, n, inner := graph.Shape(dims[:axis]).Size(), dims[axis], graph.Shape(dims[axis+1:]).Size()
	if c.err != nil || !c.take(8*outer*len(index)*inner) {
		return nil, dims
	}
	to = make([]int, 0, outer*len(index)*inner)
	for o := range outer {
		for _, i := range index {
			to = append(to, places[(o*n+i)*inner:][:inner]...)
		}
	}
	shape = slices.Clone(dims)
	shape[axis] = len(index)
	return to, shape
}

func foldGather(c *call) (*constant, error) {
	k, at := c.must(0), c.must(1)
	index := c.ints(1, at)
	axis := int(min(max(c.attrInt("axis", 0), -maxRank-1), maxRank))
	if err := c.done(2); err != nil {
		return nil, err
	}
	if axis < 0 {
		axis += len(k.dims)
	}
	if axis < 0 || axis >= len(k.dims) || len(at.dims) > 1 {
		return nil, fmt.Errorf("axis %d of %v, indices of dimensions %v: want one index or a list", axis, graph.Shape(k.dims), graph.Shape(at.dims))
	}
	from := make([]int, len(index))
	for i, x := range index {
		if x < 0 {
			x += int64(k.dims[axis])
		}
		if x < 0 || x >= int64(k.dims[axis]) {
			return nil, fmt.Errorf("index %d of %d: want 0 to %d", index[i], k.dims[axis], k.dims[axis]-1)
		}
		from[i] = int(x)
	}
	if len(index) > graph.MaxElements/k.size() {
		return nil, fmt.Errorf("%d indices: too many", len(index))
	}
	places, dims := c.along(c.places(k.size()), k.dims, axis, from)
	if len(at.dims) == 0 {
		dims = slices.Delete(dims, axis, axis+1)
	}
	return c.picked(0, k, dims, places), nil
}
