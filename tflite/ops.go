package tflite

import (
	"fmt"
	"slices"

	"macroscope/graph"
)

// finish adds an operator's node, then what its fused activation is, and gives its output.
func (r *reader) finish(o *operator, op graph.Op, activation int, in ...*graph.Value) error {
	var clamp graph.Op
	switch activation {
	case 0:
	case 1:
		clamp = &graph.ReLU{}
	case 2:
		clamp = &graph.Clip{Lo: -1, Hi: 1}
	case 3:
		clamp = &graph.Clip{Lo: 0, Hi: 6}
	default:
		return fmt.Errorf("fused activation %d: want none, RELU, RELU_N1_TO_1 or RELU6", activation)
	}
	return r.chain(o, in, op, clamp)
}

// chain adds nodes, each of which takes the one before; nil ones are left out. The last
// gives the operator's output and has its name.
func (r *reader) chain(o *operator, in []*graph.Value, ops ...graph.Op) error {
	ops = slices.DeleteFunc(ops, func(op graph.Op) bool { return op == nil })
	name := r.name(&r.tensors[o.out[0]])
	var v *graph.Value
	for i, op := range ops {
		node := name
		if i < len(ops)-1 {
			node = r.unique(name + "/" + op.Kind())
		}
		if v = r.b.Add(node, op, in...); v == nil {
			return r.b.Err()
		}
		in = []*graph.Value{v}
	}
	return r.give(o.out[0], v)
}

// image is input 0, which must be [N H W C].
func (r *reader) image(o *operator) (*graph.Value, *tensor, error) {
	v, t, err := r.value(o, 0)
	if err == nil && len(t.dims) != 4 {
		err = fmt.Errorf("input %s of dimensions %v: want an image, [N H W C]", quote(t.name), t.dims)
	}
	return v, t, err
}

// window is one axis of a convolution or pool: what is padded before and after.
func window(axis string, n, size, stride, dilation, padding int) (before, after int, err error) {
	for _, p := range []struct {
		what string
		v    int
	}{{"window", size}, {"stride", stride}, {"dilation", dilation}} {
		if p.v < 1 || p.v > graph.MaxElements {
			return 0, 0, fmt.Errorf("%s %s %d: want 1 to %d", axis, p.what, p.v, graph.MaxElements)
		}
	}
	switch padding {
	case 1: // VALID
		return 0, 0, nil
	case 0: // SAME: as many outputs as strides, what is odd after
		out := (n + stride - 1) / stride
		total := max(0, (out-1)*stride+(size-1)*dilation+1-n)
		return total / 2, total - total/2, nil
	}
	return 0, 0, fmt.Errorf("padding %d: want SAME (0) or VALID (1)", padding)
}

// imageAndFilter are the first two inputs of a convolution.
func (r *reader) imageAndFilter(o *operator) (*graph.Value, *tensor, error) {
	in, _, err := r.image(o)
	if err != nil {
		return nil, nil, err
	}
	w, err := r.filter(o)
	return in, w, err
}

func (r *reader) conv(o *operator) error {
	if found, err := r.ofSpaced(o); found {
		return err
	}
	in, w, err := r.imageAndFilter(o)
	if err != nil {
		return err
	}
	t := o.options
	c := &graph.Conv2D{
		InC: in.Shape[0], OutC: w.dims[0], KH: w.dims[1], KW: w.dims[2],
		StrideW: t.int32(1, 0, "stride_w"), StrideH: t.int32(2, 0, "stride_h"),
		DilationW: t.int32(4, 1, "dilation_w_factor"), DilationH: t.int32(5, 1, "dilation_h_factor"),
	}
	if c.InC%w.dims[3] != 0 {
		return r.about(w, "filters of %d channels for an input of %d: want a divisor", w.dims[3], c.InC)
	}
	c.Groups = c.InC / w.dims[3]
	perGroup, plane := w.dims[3], c.KH*c.KW
	return r.finishConv(o, c, in, perGroup*plane, 0, func(row, j int) int { return (row*plane+j%plane)*perGroup + j/plane }, t.int8(0, "padding"), t.int8(3, "fused_activation_function"))
}

// filter is input 1's tensor, of four dimensions.
func (r *reader) filter(o *operator) (*tensor, error) {
	if !o.has(1) {
		return nil, fmt.Errorf("input 1 is missing")
	}
	w := &r.tensors[o.in[1]]
	if _, err := w.size(); err != nil || len(w.dims) != 4 {
		return nil, r.about(w, "filters of dimensions %v: want four, at most %d elements", w.dims, graph.MaxElements)
	}
	return w, nil
}

func (r *reader) depthwise(o *operator) error {
	if found, err := r.ofSpaced(o); found {
		return err
	}
	in, w, err := r.imageAndFilter(o)
	if err != nil {
		return err
	}
	t := o.options
	c := &graph.Conv2D{
		InC: in.Shape[0], Groups: in.Shape[0], OutC: w.dims[3], KH: w.dims[1], KW: w.dims[2],
		StrideW: t.int32(1, 0, "stride_w"), StrideH: t.int32(2, 0, "stride_h"),
		DilationW: t.int32(5, 1, "dilation_w_factor"), DilationH: t.int32(6, 1, "dilation_h_factor"),
	}
	if w.dims[0] != 1 || c.OutC%c.InC != 0 {
		return r.about(w, "filters of dimensions %v for an input of %d channels: want [1 H W C], C a multiple", w.dims, c.InC)
	}
	return r.finishConv(o, c, in, c.KH*c.KW, 3, func(row, j int) int { return j*c.OutC + row }, t.int8(0, "padding"), t.int8(4, "fused_activation_function"))
}

// finishConv pads, reads weights and adds a convolution's node.
func (r *reader) finishConv(o *operator, c *graph.Conv2D, in *graph.Value, k, axis int, at placing, padding, activation int) error {
	if r.f.err != nil {
		return r.f.err
	}
	if err := r.sameKind(o, &r.tensors[o.in[0]]); err != nil {
		return err
	}
	var err error
	if c.PadTop, c.PadBottom, err = window("height", in.Shape[1], c.KH, c.StrideH, c.DilationH, padding); err != nil {
		return err
	}
	if c.PadLeft, c.PadRight, err = window("width", in.Shape[2], c.KW, c.StrideW, c.DilationW, padding); err != nil {
		return err
	}
	if o.spaced != nil {
		if err := o.spaced.dilate(c); err != nil {
			return err
		}
	}
	if c.Weights, err = r.weights(o, c.OutC, k, axis, in.Scale, at); err != nil {
		return err
	}
	return r.finish(o, c, activation, in)
}

func (r *reader) fullyConnected(o *operator) error {
	in, t, err := r.value(o, 0)
	if err != nil {
		return err
	}
	if err := r.sameKind(o, t); err != nil {
		return err
	}
	if !o.has(1) {
		return fmt.Errorf("input 1 is missing")
	}
	w := &r.tensors[o.in[1]]
	if _, err := w.size(); err != nil || len(w.dims) != 2 {
		return r.about(w, "weights of dimensions %v: want two, at most %d elements", w.dims, graph.MaxElements)
	}
	if f := o.options.int8(1, "weights_format"); f != 0 {
		return fmt.Errorf("weights format %d: want the default, 0", f)
	}
	d := &graph.Dense{Out: w.dims[0], In: w.dims[1]}
	if in.Shape.Size() != d.In {
		return r.about(w, "weights of dimensions %v for an input of %d elements: want as many, one row an image", w.dims, in.Shape.Size())
	}
	var flat graph.Op
	from := r.shapes[o.in[0]] // the input is a vector in the graph's order
	if len(in.Shape) == 3 {
		from, flat = in.Shape, &graph.Flatten{}
	}
	at := func(row, j int) int { return row*d.In + j }
	if from != nil {
		channels, plane := from[0], from.Plane()
		at = func(row, j int) int { return row*d.In + j%plane*channels + j/plane }
	}
	if d.Weights, err = r.weights(o, d.Out, d.In, 0, in.Scale, at); err != nil {
		return err
	}
	if flat != nil {
		name := r.unique(in.Name + "/flat")
		scale, zero := in.Scale, in.Zero
		if in = r.b.Add(name, flat, in); in == nil {
			return r.b.Err()
		}
		in.Scale, in.Zero = scale, zero
	}
	if keep := o.options.bool(2, "keep_num_dims"); keep && len(t.dims) != 2 {
		return fmt.Errorf("keep_num_dims of %d dimensions: want 2", len(t.dims))
	}
	return r.finish(o, d, o.options.int8(0, "fused_activation_function"), in)
}

func (r *reader) pool(o *operator) error {
	in, t, err := r.image(o)
	if err != nil {
		return err
	}
	if err := r.sameScale(o, t); err != nil {
		return err
	}
	p := o.options
	sw, sh := p.int32(1, 0, "stride_w"), p.int32(2, 0, "stride_h")
	kw, kh := p.int32(3, 0, "filter_width"), p.int32(4, 0, "filter_height")
	padding := p.int8(0, "padding")
	activation := p.int8(5, "fused_activation_function")
	if r.f.err != nil {
		return r.f.err
	}
	top, bottom, err := window("height", in.Shape[1], kh, sh, 1, padding)
	if err != nil {
		return err
	}
	left, right, err := window("width", in.Shape[2], kw, sw, 1, padding)
	if err != nil {
		return err
	}
	if o.code == opMaxPool {
		return r.finish(o, &graph.MaxPool{KH: kh, KW: kw, StrideH: sh, StrideW: sw, PadTop: top, PadLeft: left, PadBottom: bottom, PadRight: right}, activation, in)
	}
	return r.finish(o, &graph.AveragePool{KH: kh, KW: kw, StrideH: sh, StrideW: sw, PadTop: top, PadLeft: left, PadBottom: bottom, PadRight: right}, activation, in)
}

// clamp is an activation that stands alone.
func (r *reader) clamp(o *operator, op graph.Op) error {
	in, t, err := r.value(o, 0)
	if err != nil {
		return err
	}
	if err := r.sameKind(o, t); err != nil {
		return err
	}
	return r.chain(o, []*graph.Value{in}, op)
}

func (r *reader) softmax(o *operator) error {
	in, t, err := r.value(o, 0)
	if err != nil {
		return err
	}
	if err := r.sameKind(o, t); err != nil {
		return err
	}
	if beta := o.options.float32(0, "beta"); beta != 1 {
		return fmt.Errorf("beta %g: want 1", beta)
	}
	out := &r.tensors[o.out[0]]
	if out.kind == kindInt8 && (len(out.scale) != 1 || out.scale[0] != 1./256 || out.zero[0] != -128) {
		return fmt.Errorf("output %s: scales %v, zero points %v: want 1/256 and -128", quote(out.name), out.scale[:min(3, len(out.scale))], out.zero[:min(3, len(out.zero))])
	}
	return r.chain(o, []*graph.Value{in}, &graph.Softmax{})
}

func (r *reader) concat(o *operator) error {
	var in []*graph.Value
	for i := range o.in {
		v, t, err := r.value(o, i)
		if err != nil {
			return err
		}
		if err := r.sameScale(o, t); err != nil {
			return err
		}
		in = append(in, v)
	}
	rank := len(r.tensors[o.in[0]].dims)
	axis := o.options.int32(0, 0, "axis")
	if axis < 0 {
		axis += rank
	}
	if axis != rank-1 {
		return fmt.Errorf("axis %d of %d dimensions: want the last, the channels", axis, rank)
	}
	return r.finish(o, &graph.Concat{}, o.options.int8(1, "fused_activation_function"), in...)
}

// quantize rounds to a scale, from float32 or from another scale.
func (r *reader) quantize(o *operator) error {
	in, _, err := r.value(o, 0)
	if err != nil {
		return err
	}
	if out := &r.tensors[o.out[0]]; out.kind != kindInt8 {
		return fmt.Errorf("output %s is %s: want INT8", quote(out.name), kindName(out.kind))
	}
	r.integer = true
	return r.chain(o, []*graph.Value{in}, &graph.Dropout{})
}

// dequantize makes float32 of int8, or a float32 constant of another.
func (r *reader) dequantize(o *operator) error {
	out := &r.tensors[o.out[0]]
	if out.kind != kindFloat32 {
		return fmt.Errorf("output %s is %s: want FLOAT32", quote(out.name), kindName(out.kind))
	}
	if r.isConstant(o, 0) {
		f, _, err := r.floats(o, 0)
		if err != nil {
			return err
		}
		if n, err := out.size(); err != nil || n != len(f) {
			return r.about(out, "dimensions %v for %d elements: want as many", out.dims, len(f))
		}
		if r.folded[o.out[0]] != nil {
			return r.about(out, "given twice")
		}
		r.folded[o.out[0]] = f
		return nil
	}
	in, _, err := r.value(o, 0)
	if err != nil {
		return err
	}
	return r.chain(o, []*graph.Value{in}, &graph.Dropout{})
}
