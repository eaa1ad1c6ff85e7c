package onnx

import "macroscope/graph"

// readConv: X, W [out, in/group, kh, kw], optional B [out].
func readConv(c *call) error {
	var conv graph.Conv2D
	pad, _ := c.input(0).begun.(*padding)
	if pad != nil {
		conv.PadTop, conv.PadLeft, conv.PadBottom, conv.PadRight = pad.top, pad.left, pad.bottom, pad.right
		conv.PadValue = pad.with
		c.in[0].begun = nil
	}
	v := c.value(0)
	w := c.must(1)
	if len(w.dims) != 4 {
		c.fail("weights of dimensions %v: want 4, [out, in/group, height, width]: only 2-D convolution is supported", w.dims)
	}
	if c.err == nil && len(v.Shape) != 3 {
		c.fail("input %v: want an image [C H W]", v.Shape)
	}
	if c.err != nil {
		return c.err
	}
	conv.Groups = int(min(max(c.attrInt("group", 1), 0), graph.MaxElements))
	conv.OutC, conv.KH, conv.KW = w.dims[0], w.dims[2], w.dims[3]
	conv.InC = v.Shape[0]
	if conv.Groups < 1 || conv.InC != w.dims[1]*conv.Groups {
		c.fail("%d groups of %d input channels by the weights, the input has %d", conv.Groups, w.dims[1], conv.InC)
	}
	win := c.window(v.Shape, conv.KH, conv.KW)
	conv.StrideH, conv.StrideW, conv.DilationH, conv.DilationW = win.strides[0], win.strides[1], win.dilations[0], win.dilations[1]
	if pad != nil && win.pads != [4]int{} && conv.PadValue != 0 {
		c.fail("padding of its own (%v) around Pad %s with %g: want one of the two", win.pads, quote(pad.node), conv.PadValue)
	}
	if pad != nil && win.same {
		c.fail("auto_pad around Pad %s: want explicit pads", quote(pad.node))
	}
	conv.PadTop += win.pads[0]
	conv.PadLeft += win.pads[1]
	conv.PadBottom += win.pads[2]
	conv.PadRight += win.pads[3]
	conv.Weights = c.weights(w, v, 0)
	conv.Bias = c.vector(2, conv.OutC)
	if err := c.done(3); err != nil {
		return err
	}
	return c.emit(&conv, v)
}

// A windowing is what Conv and MaxPool share.
type windowing struct {
	strides, dilations [2]int // height, width
	pads               [4]int // top, left, bottom, right
	same               bool   // auto_pad SAME_UPPER or SAME_LOWER
}

// window reads kernel_shape (which must be kh×kw), strides, dilations, pads and
// auto_pad for windows over the image in.
func (c *call) window(in graph.Shape, kh, kw int) windowing {
	var w windowing
	if _, ok := c.attrs["kernel_shape"]; ok {
		if k := c.attrInts("kernel_shape", 2, 1, 1); c.err == nil && (k[0] != kh || k[1] != kw) {
			c.fail("attribute kernel_shape: %v: the weights are %d×%d", k, kh, kw)
		}
	}
	copy(w.strides[:], c.attrInts("strides", 2, 1, 1))
	copy(w.dilations[:], c.attrInts("dilations", 2, 1, 1))
	_, explicit := c.attrs["pads"]
	copy(w.pads[:], c.attrInts("pads", 4, 0, 0))
	auto := c.attrString("auto_pad", "NOTSET")
	if c.err != nil {
		return w
	}
	if auto != "NOTSET" && explicit && w.pads != [4]int{} {
		c.fail("both pads and auto_pad %s: want one", quote(auto))
	}
	switch auto {
	case "NOTSET", "VALID":
	case "SAME_UPPER", "SAME_LOWER":
		w.same = true
		for i, k := range []int{kh, kw} {
			n, s := in[1+i], w.strides[i]
			out := (n + s - 1) / s
			total := max((out-1)*s+w.dilations[i]*(k-1)+1-n, 0)
			less := total / 2
			w.pads[i], w.pads[i+2] = less, total-less
			if auto == "SAME_LOWER" {
				w.pads[i], w.pads[i+2] = total-less, less
			}
		}
	default:
		c.fail("attribute auto_pad: %s: want NOTSET, VALID, SAME_UPPER or SAME_LOWER", quote(auto))
	}
	return w
}

// readGemm: A, B, optional C: alpha·A·B + beta·C, where A is a vector for each
// image and B and C are constants.
func readGemm(c *call) error {
	v := c.value(0)
	w := c.must(1)
	alpha, beta := c.attrFloat("alpha", 1), c.attrFloat("beta", 1)
	if c.attrInt("transA", 0) != 0 {
		c.fail("attribute transA: want 0: images stand in rows")
	}
	d := c.dense(w, v, c.attrInt("transB", 0) != 0)
	if alpha != 1 && d.Int8 != nil {
		c.fail("attribute alpha: %g: want 1 with int8 weights", alpha)
	}
	if alpha != 1 && c.take(4*len(d.Float)) {
		d.Float, d.Binary = scaled(d.Float, alpha), false
	}
	d.Bias = c.gemmBias(d.Out, beta)
	if err := c.done(3); err != nil {
		return err
	}
	return c.emit(d, v)
}

// gemmBias is beta times input 2, which broadcasts over the images, one each of
// n outputs.
func (c *call) gemmBias(n int, beta float32) []float32 {
	k := c.constant(2)
	if k == nil || c.err != nil {
		return nil
	}
	f := c.floats(2, k)
	switch last := len(k.dims) - 1; {
	case c.err != nil:
		return nil
	case len(k.dims) > 2 || k.size() != 1 && (k.size() != n || k.dims[last] != n):
		c.fail("input 2 has dimensions %v: want [%d]", k.dims, n)
		return nil
	case len(f) == n && beta == 1:
		return f
	case !c.take(4 * n):
		return nil
	case len(f) == n:
		return scaled(f, beta)
	}
	bias := make([]float32, n)
	for i := range bias {
		bias[i] = beta * f[0]
	}
	return bias
}

// readMatMul: a vector for each image times a constant [in, out].
func readMatMul(c *call) error {
	v := c.value(0)
	d := c.dense(c.must(1), v, false)
	if err := c.done(2); err != nil {
		return err
	}
	return c.emit(d, v)
}

// dense has the weights w, [out, in] where transposed, else [in, out], on the
// value v.
func (c *call) dense(w *constant, v *graph.Value, transposed bool) *graph.Dense {
	d := &graph.Dense{}
	if len(w.dims) != 2 {
		c.fail("weights of dimensions %v: want 2", w.dims)
	}
	if transposed {
		d.Weights = c.weights(w, v, 0)
		d.Out, d.In = w.dims[0], w.dims[len(w.dims)-1]
		return d
	}
	d.Weights = c.weights(w, v, 1)
	if c.err != nil || !c.take(4*len(d.Float)+len(d.Int8)) {
		return d
	}
	d.In, d.Out = w.dims[0], w.dims[1]
	d.Float, d.Int8 = turned(d.Float, d.In, d.Out), turned(d.Int8, d.In, d.Out)
	return d
}

// turned is the [in][out] of w as [out][in]; nil for nil.
func turned[T any](w []T, in, out int) []T {
	if w == nil {
		return nil
	}
	t := make([]T, len(w))
	for i := range in {
		for o := range out {
			t[o*in+i] = w[i*out+o]
		}
	}
	return t
}

// weights is w as a layer that reads v has them, but for the bias; axis is w's
// dimension of output channels. Weights of ±1 on a value of ±1 are binary also
// where the file does not say so.
func (c *call) weights(w *constant, v *graph.Value, axis int) graph.Weights {
	if c.err != nil {
		return graph.Weights{}
	}
	if w.quantized != nil {
		return c.int8Weights(w, axis)
	}
	f := c.floats(1, w)
	return graph.Weights{Float: f, Binary: w.bipolar || c.signs[v] && allSigns(f)}
}

func allSigns(f []float32) bool {
	for _, x := range f {
		if x != 1 && x != -1 {
			return false
		}
	}
	return true
}

func scaled(f []float32, by float32) []float32 {
	out := make([]float32, len(f))
	for i, v := range f {
		out[i] = v * by
	}
	return out
}

// readBatchNorm: X, scale, B, mean, var.
func readBatchNorm(c *call) error {
	v := c.value(0)
	n := v.Shape.Channels()
	for i := 1; i < 5; i++ {
		c.must(i)
	}
	b := &graph.BatchNorm{
		Gamma: c.vector(1, n), Beta: c.vector(2, n), Mean: c.vector(3, n), Var: c.vector(4, n),
		Epsilon: c.attrFloat("epsilon", 1e-5),
	}
	c.attrFloat("momentum", 0) // matters in training only
	if c.attrInt("training_mode", 0) != 0 {
		c.fail("attribute training_mode: want 0")
	}
	if c.opset < 9 && c.attrInt("spatial", 1) != 1 {
		c.fail("attribute spatial: want 1")
	}
	if err := c.done(5); err != nil {
		return err
	}
	return c.emit(b, v)
}

// readMaxPool: X; the second output, indices, is not supported.
func readMaxPool(c *call) error {
	v := c.value(0)
	if c.err == nil && len(v.Shape) != 3 {
		c.fail("input %v: want an image [C H W]", v.Shape)
	}
	k := c.attrs["kernel_shape"]
	if k == nil {
		c.fail("attribute kernel_shape is missing")
	}
	if c.err != nil {
		return c.err
	}
	size := c.attrInts("kernel_shape", 2, 1, 1)
	w := c.window(v.Shape, size[0], size[1])
	if w.dilations != [2]int{1, 1} {
		c.fail("attribute dilations: %v: want 1", w.dilations)
	}
	ceil := c.attrInt("ceil_mode", 0) != 0
	if c.attrInt("storage_order", 0) != 0 {
		c.fail("attribute storage_order: want 0")
	}
	if err := c.done(1); err != nil {
		return err
	}
	p := &graph.MaxPool{
		KH: size[0], KW: size[1], StrideH: w.strides[0], StrideW: w.strides[1],
		PadTop: w.pads[0], PadLeft: w.pads[1], PadBottom: w.pads[2], PadRight: w.pads[3],
	}
	if ceil && !w.same {
		p.PadBottom += ceilPad(v.Shape[1], p.KH, p.StrideH, p.PadTop, p.PadBottom)
		p.PadRight += ceilPad(v.Shape[2], p.KW, p.StrideW, p.PadLeft, p.PadRight)
	}
	return c.emit(p, v)
}

// ceilPad is the padding to add after n elements so that one more window starts
// there, as ceil_mode asks; 0 where the windows come out even or the further one
// would begin beyond the elements and the padding before them.
func ceilPad(n, size, stride, before, after int) int {
	over := (n + before + after - size) % stride
	if over <= 0 || n+before+after-over-size+stride >= n+before {
		return 0
	}
	return stride - over
}
