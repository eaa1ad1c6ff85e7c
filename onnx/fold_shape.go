package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"macroscope/graph"
	"macroscope/onnx/internal/onnxpb"
)

// What is folded of constants' dimensions.

func foldConcat(c *call) (*constant, error) {
	a := c.attr("axis", onnxpb.AttributeProto_INT)
	first := c.must(0)
	if err := c.done(len(c.in)); err != nil {
		return nil, err
	}
	axis := int(a.GetI())
	if axis < 0 {
		axis += len(first.dims)
	}
	if a == nil || axis < 0 || axis >= len(first.dims) {
		return nil, fmt.Errorf("attribute axis: want one of %d dimensions", len(first.dims))
	}
	out := &constant{dims: slices.Clone(first.dims)}
	out.dims[axis] = 0
	for i := range c.in {
		k := c.must(i)
		if c.err != nil {
			return nil, c.err
		}
		rest := slices.Clone(k.dims)
		if len(rest) != len(out.dims) {
			return nil, fmt.Errorf("input %d has dimensions %v: want as many as %v", i, graph.Shape(rest), graph.Shape(first.dims))
		}
		out.dims[axis] += rest[axis]
		rest[axis] = first.dims[axis]
		if !slices.Equal(rest, first.dims) || k.integers() != first.integers() {
			return nil, fmt.Errorf("input %d has dimensions %v: want those of %v but for axis %d, and numbers of one kind", i, graph.Shape(k.dims), graph.Shape(first.dims), axis)
		}
	}
	if err := bounded(out.dims); err != nil || !c.take(8*graph.Shape(out.dims).Size()) {
		return nil, err
	}
	outer := graph.Shape(out.dims[:axis]).Size()
	if first.integers() {
		out.i = make([]int64, 0, graph.Shape(out.dims).Size())
	} else {
		out.f = make([]float32, 0, graph.Shape(out.dims).Size())
	}
	for o := range outer {
		for i := range c.in {
			k := c.in[i].constant
			n := k.size() / outer
			if first.integers() {
				if v := c.ints(i, k); c.err == nil {
					out.i = append(out.i, v[o*n:(o+1)*n]...)
				}
			} else if v := c.floats(i, k); c.err == nil {
				out.f = append(out.f, v[o*n:(o+1)*n]...)
			}
		}
	}
	return out, nil
}

func foldConstantOfShape(c *call) (*constant, error) {
	to := c.ints(0, c.must(0))
	a := c.attr("value", onnxpb.AttributeProto_TENSOR)
	if err := c.done(1); err != nil {
		return nil, err
	}
	dims := make([]int, len(to))
	for i, d := range to {
		if d < 1 || d > graph.MaxElements {
			return nil, fmt.Errorf("a constant of dimensions %s: want numbers", shapeString(to))
		}
		dims[i] = int(d)
	}
	if len(dims) > maxRank {
		return nil, fmt.Errorf("%d dimensions: want at most %d", len(dims), maxRank)
	}
	if err := bounded(dims); err != nil {
		return nil, err
	}
	k := &constant{dims: []int{1}, f: []float32{0}}
	if a != nil {
		var err error
		if k, err = c.newConstant(a.GetT()); err != nil {
			return nil, err
		}
		if k.size() != 1 {
			return nil, fmt.Errorf("attribute value: %d elements: want 1", k.size())
		}
	}
	n := graph.Shape(dims).Size()
	if c.options.Weightless && !k.integers() {
		return &constant{dims: dims, f: c.bud.zeros(n)}, nil
	}
	from := c.places(n)
	clear(from)
	return c.picked(0, k, dims, from), nil
}

func foldRange(c *call) (*constant, error) {
	var v [3]int64
	for i := range v {
		x := c.ints(i, c.must(i))
		if c.err == nil && len(x) != 1 {
			c.fail("input %d has %d values: want 1", i, len(x))
		}
		if c.err == nil {
			v[i] = x[0]
		}
	}
	if err := c.done(3); err != nil {
		return nil, err
	}
	out := &constant{i: []int64{}}
	if v[2] == 0 || max(v[0], -v[0], v[1], -v[1], v[2], -v[2]) > math.MaxInt32 {
		return nil, fmt.Errorf("from %d to %d by %d: want int32 numbers, a step that is not 0", v[0], v[1], v[2])
	}
	if n := (v[1] - v[0]) / v[2]; n > 1<<16 {
		return nil, fmt.Errorf("from %d to %d by %d: want at most %d numbers", v[0], v[1], v[2], 1<<16)
	}
	for x := v[0]; (v[2] > 0) == (x < v[1]) && x != v[1]; x += v[2] {
		out.i = append(out.i, x)
	}
	if out.dims = []int{len(out.i)}; len(out.i) == 0 || !c.take(16*len(out.i)) {
		return nil, errors.New("an empty range")
	}
	return out, nil
}

func foldReshape(c *call) (*constant, error) {
	k := c.must(0)
	to := c.ints(1, c.must(1))
	zero := c.attrInt("allowzero", 0) != 0
	if err := c.done(2); err != nil {
		return nil, err
	}
	if len(to) > maxRank {
		return nil, fmt.Errorf("%d dimensions: want at most %d", len(to), maxRank)
	}
	dims, open, size := make([]int, len(to)), -1, 1
	for i, d := range to {
		switch {
		case d == -1 && open < 0:
			open, d = i, 1
		case d == 0 && !zero && i < len(k.dims):
			d = int64(k.dims[i])
		}
		if d < 1 || d > int64(graph.MaxElements/size) {
			return nil, fmt.Errorf("shape %s for %v: want as many elements", shapeString(to), graph.Shape(k.dims))
		}
		dims[i] = int(d)
		size *= dims[i]
	}
	if open >= 0 {
		dims[open] = k.size() / size
		size *= dims[open]
	}
	if size != k.size() {
		return nil, fmt.Errorf("shape %s for %v: want as many elements", shapeString(to), graph.Shape(k.dims))
	}
	return k.again(dims), nil
}

func foldSqueeze(c *call) (*constant, error) {
	k := c.must(0)
	axes, given := c.axes(13)
	if err := c.done(2); err != nil {
		return nil, err
	}
	var dims []int
	for i, d := range k.dims {
		drop := !given && d == 1
		for _, a := range axes {
			drop = drop || a == int64(i) || a == int64(i-len(k.dims))
		}
		if drop && d != 1 {
			return nil, fmt.Errorf("axis %d of %v: want a dimension of 1", i, graph.Shape(k.dims))
		}
		if !drop {
			dims = append(dims, d)
		}
	}
	return k.again(dims), nil
}

func foldUnsqueeze(c *call) (*constant, error) {
	k := c.must(0)
	axes, _ := c.axes(13)
	if err := c.done(2); err != nil {
		return nil, err
	}
	rank := len(k.dims) + len(axes)
	if rank > maxRank {
		return nil, fmt.Errorf("%d dimensions: want at most %d", rank, maxRank)
	}
	dims, left := make([]int, rank), k.dims
	for _, a := range axes {
		if a < 0 {
			a += int64(rank)
		}
		if a < 0 || a >= int64(rank) || dims[a] != 0 {
			return nil, fmt.Errorf("axes %v: want each of 0 to %d at most once", axes, rank-1)
		}
		dims[a] = 1
	}
	for i := range dims {
		if dims[i] == 0 {
			dims[i], left = left[0], left[1:]
		}
	}
	return k.again(dims), nil
}

func foldTranspose(c *call) (*constant, error) {
	k := c.must(0)
	a := c.attr("perm", onnxpb.AttributeProto_INTS)
	if err := c.done(1); err != nil {
		return nil, err
	}
	perm := make([]int, len(k.dims))
	for i := range perm {
		if perm[i] = len(perm) - 1 - i; a != nil && i < len(a.Ints) {
			perm[i] = int(min(max(a.Ints[i], -1), maxRank))
		}
	}
	dims := make([]int, len(perm))
	for _, p := range perm {
		if p < 0 || p >= len(perm) || dims[p] != 0 {
			return nil, fmt.Errorf("attribute perm: want each of 0 to %d once", len(perm)-1)
		}
		dims[p] = 1
	}
	if a != nil && len(a.Ints) != len(perm) {
		return nil, fmt.Errorf("attribute perm: %d numbers: want %d", len(a.Ints), len(perm))
	}
	for i, p := range perm {
		dims[i] = k.dims[p]
	}
	if k.absent() && !k.integers() && k.quantized == nil {
		return k.again(dims), nil
	}
	if len(perm) != 2 || perm[0] == 0 || k.integers() {
		t := graph.Transpose{View: k.dims, Perm: perm}
		if !c.take(16 * k.size()) {
			return nil, c.err
		}
		return c.picked(0, k, dims, t.Source(graph.Shape(k.dims))), nil
	}
	// A matrix of weights, which may be large.
	out := &constant{dims: dims, signs: k.signs}
	if k.quantized == nil || k.f != nil {
		f := c.floats(0, k)
		if c.err != nil || !c.take(4*len(f)) {
			return nil, c.err
		}
		out.f = turned(f, dims[1], dims[0])
	}
	if q := k.quantized; q != nil {
		if !c.take(len(q.int8)) {
			return nil, c.err
		}
		out.quantized = &quantization{turned(q.int8, dims[1], dims[0]), q.scale, 1 - q.axis}
	}
	return out, nil
}
