package tflite

import (
	"fmt"
	"slices"

	"macroscope/graph"
)

// reshape: the output's own dimensions say what becomes of the input's elements, which
// are pixel after pixel in the file's order.
func (r *reader) reshape(o *operator) error {
	in, t, err := r.value(o, 0)
	if err != nil {
		return err
	}
	if err := r.sameScale(o, t); err != nil {
		return err
	}
	out := &r.tensors[o.out[0]]
	to, err := r.shape(out)
	if err != nil {
		return err
	}
	if to.Size() != in.Shape.Size() {
		return fmt.Errorf("dimensions %v to %v: want as many elements", t.dims, out.dims)
	}
	if err := r.checkShape(o); err != nil {
		return err
	}
	if to.Equal(in.Shape) { // the same pixels, or one axis with and without another of 1
		return r.chain(o, []*graph.Value{in}, &graph.Reshape{To: to})
	}
	if len(in.Shape) == 3 && len(to) == 1 && r.onlyDense(o.out[0]) {
		// The weights that follow are put into the graph's order instead of the elements.
		r.shapes[o.out[0]] = in.Shape
		return r.chain(o, []*graph.Value{in}, &graph.Flatten{})
	}
	var there, back graph.Op
	if s := in.Shape; len(s) == 3 && s[0] > 1 && s.Plane() > 1 {
		there = &graph.Transpose{View: slices.Clone(s), Perm: []int{1, 2, 0}, To: graph.Shape{s.Size()}}
	}
	if len(to) == 3 && to[0] > 1 && to.Plane() > 1 {
		back = &graph.Transpose{View: []int{to[1], to[2], to[0]}, Perm: []int{2, 0, 1}, To: to}
	} else {
		back = &graph.Reshape{To: to}
	}
	if there == nil {
		return r.chain(o, []*graph.Value{in}, back)
	}
	name := r.unique(out.name + "/pixels")
	v := r.b.Add(name, there, in)
	if v == nil {
		return r.b.Err()
	}
	v.Scale, v.Zero = in.Scale, in.Zero
	return r.chain(o, []*graph.Value{v}, back)
}

// onlyDense says whether a tensor is the data of FULLY_CONNECTED and nothing else.
func (r *reader) onlyDense(i int) bool {
	if i == r.out[0] || len(r.readers[i]) == 0 {
		return false
	}
	for _, o := range r.readers[i] {
		if o.code != opFullyConnected || o.in[0] != i || slices.Contains(o.in[1:], i) {
			return false
		}
	}
	return true
}

// mean: over rows and columns, or over the one axis of [N W C], alone.
func (r *reader) mean(o *operator) error {
	in, t, err := r.value(o, 0)
	if err != nil {
		return err
	}
	if len(t.dims) < 3 {
		return fmt.Errorf("input %s of dimensions %v: want [N H W C] or [N W C]", quote(t.name), t.dims)
	}
	if err := r.sameKind(o, t); err != nil {
		return err
	}
	axes, err := r.ints(o, 1, maxRank)
	if err != nil {
		return err
	}
	for i, a := range axes {
		if a < 0 {
			axes[i] += len(t.dims)
		}
	}
	slices.Sort(axes)
	if !slices.Equal(slices.Compact(axes), []int{1, 2}[:len(t.dims)-2]) {
		return fmt.Errorf("axes %v of dimensions %v: want 1 and 2, rows and columns, or of three 1", axes, t.dims)
	}
	pool := &graph.GlobalAveragePool{}
	if o.options.bool(0, "keep_dims") {
		return r.chain(o, []*graph.Value{in}, pool)
	}
	out := &r.tensors[o.out[0]]
	name := r.unique(out.name + "/mean")
	v := r.b.Add(name, pool, in)
	if v == nil {
		return r.b.Err()
	}
	if out.kind == kindInt8 && len(out.scale) == 1 {
		v.Scale, v.Zero = out.scale[0], int8(out.zero[0])
	}
	return r.chain(o, []*graph.Value{v}, &graph.Flatten{})
}

// pad: with zeros, or of PADV2 with input 2.
func (r *reader) pad(o *operator) error {
	in, t, err := r.value(o, 0)
	if err != nil {
		return err
	}
	if err := r.sameScale(o, t); err != nil {
		return err
	}
	n, err := r.ints(o, 1, 2*maxRank)
	if err != nil {
		return err
	}
	if len(n) != 2*len(t.dims) || n[0] != 0 || n[1] != 0 {
		return fmt.Errorf("paddings %v of dimensions %v: want two for each, 0 for the batch", n, t.dims)
	}
	// Where the graph's dimensions are in the file's.
	where := [][]int{{1}, {2, -1, 1}, {3, 1, 2}}[len(t.dims)-2]
	p := &graph.Pad{}
	for i, d := range where {
		if d > 0 {
			p.Before[i], p.After[i] = n[2*d], n[2*d+1]
		}
	}
	if o.code == opPadV2 {
		f, k, err := r.floats(o, 2)
		if err != nil {
			return err
		}
		if len(f) != 1 || k.kind == kindInt8 && (t.kind != kindInt8 || k.scale[0] != t.scale[0] || k.zero[0] != t.zero[0]) {
			return fmt.Errorf("%d values to pad with: want one, with the input's scale", len(f))
		}
		p.Value = f[0]
	}
	return r.chain(o, []*graph.Value{in}, p)
}

// arith is ADD, MUL, SUB or DIV of two values, or of one and a constant; the latter two of
// float32 alone.
func (r *reader) arith(o *operator, op graph.Op) error {
	in := make([]*graph.Value, 2)
	activation := o.options.int8(0, "fused_activation_function")
	if r.isConstant(o, 0) && r.isConstant(o, 1) {
		return fmt.Errorf("two constants: want at least one computed value")
	}
	for i := range in {
		if r.isConstant(o, i) {
			continue
		}
		v, t, err := r.value(o, i)
		if err != nil {
			return err
		}
		if err := r.sameKind(o, t); err != nil {
			return err
		}
		if o.code == opSub || o.code == opDiv {
			if err := inFloats(t); err != nil {
				return err
			}
		}
		in[i] = v
	}
	if in[0] != nil && in[1] != nil {
		return r.finish(o, op, activation, in...)
	}
	i := 0
	if in[0] != nil {
		i = 1
	}
	return r.withConstant(o, op, activation, in, i)
}

// withConstant is an operator on in, of which in[i] is a constant.
func (r *reader) withConstant(o *operator, op graph.Op, activation int, in []*graph.Value, i int) error {
	v := in[1-i]
	f, t, err := r.floats(o, i)
	if err != nil {
		return err
	}
	rank := len(r.tensors[o.in[1-i]].dims)
	if len(t.dims) > rank {
		return fmt.Errorf("constant %s of dimensions %v: want at most %d", quote(t.name), t.dims, rank)
	}
	dims := append(slices.Repeat([]int{1}, rank-len(t.dims)), t.dims...)
	if dims[0] != 1 {
		return fmt.Errorf("constant %s of dimensions %v: want one for all images", quote(t.name), t.dims)
	}
	of := tensor{name: t.name, dims: dims}
	of.dims[0] = r.batch
	s, err := r.shape(&of)
	if err != nil {
		return err
	}
	quantized := v.Scale != 0
	if quantized != (t.kind == kindInt8) {
		return fmt.Errorf("constant %s is %s, the other input %s: want one type", quote(t.name), kindName(t.kind), kindName(r.tensors[o.in[1-i]].kind))
	}
	if !quantized && s.Plane() == 1 && (len(f) == 1 || s[0] == v.Shape[0]) {
		switch op.(type) {
		case *graph.Add:
			return r.finish(o, &graph.Affine{Scale: []float32{1}, Shift: f}, activation, v)
		case *graph.Mul:
			return r.finish(o, &graph.Affine{Scale: f, Shift: []float32{0}}, activation, v)
		case *graph.Sub:
			if i == 0 {
				return r.finish(o, &graph.Affine{Scale: []float32{-1}, Shift: f}, activation, v)
			}
			if err := r.take(t, len(f), 4); err != nil {
				return err
			}
			shift := make([]float32, len(f))
			for j, x := range f {
				shift[j] = -x
			}
			return r.finish(o, &graph.Affine{Scale: []float32{1}, Shift: shift}, activation, v)
		}
	}
	if err := r.take(t, len(f), 4); err != nil {
		return err
	}
	k := &graph.Constant{To: s, Values: make([]float32, len(f))}
	plane := s.Plane()
	for j := range f {
		k.Values[j] = f[j%plane*s[0]+j/plane]
	}
	name := r.unique(t.name + "/constant")
	if in[i] = r.b.Add(name, k, r.b.Input()); in[i] == nil {
		return r.b.Err()
	}
	if quantized {
		if t.zero[0] < -128 || t.zero[0] > 127 {
			return r.about(t, "zero point %d: want -128 to 127", t.zero[0])
		}
		in[i].Scale, in[i].Zero = t.scale[0], int8(t.zero[0])
	}
	return r.finish(o, op, activation, in...)
}
