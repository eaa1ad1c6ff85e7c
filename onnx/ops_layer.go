package onnx

import (
	"math"
	"slices"

	"macroscope/graph"
)

// readGemm: A, B, optional C: alpha·A·B + beta·C, where A is a vector for each
// image and B and C are constants.
func readGemm(c *call) error {
	c.takeSigns()
	v := c.value(0)
	w := c.must(1)
	alpha, beta := c.attrFloat("alpha", 1), c.attrFloat("beta", 1)
	if c.attrInt("transA", 0) != 0 {
		c.fail("attribute transA: want 0: images stand in rows")
	}
	d := c.dense(w, v, c.attrInt("transB", 0) != 0)
	if alpha != 1 && d.Int8 != nil {
		if !(alpha > 0) {
			c.fail("attribute alpha: %g: want a positive number with int8 weights", alpha)
		}
		d.Float, d.Scale = nil, scaled(d.Scale, alpha) // of the products, as good as of the weights
	}
	if alpha != 1 && d.Int8 == nil && c.take(4*len(d.Float)) {
		d.Float, d.Binary = scaled(d.Float, alpha), false
	}
	d.Bias = c.later(c.gemmBias(d.Out, beta))
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

// readMatMul: the last dimension of a value times a constant [in, out], or a constant
// [out, in] times the dimension before the last. Over one vector an image that is a dense
// layer, over several a convolution of 1×1.
func readMatMul(c *call) error {
	if c.input(0).constant != nil {
		return c.matMulLeft()
	}
	c.takeSigns()
	v := c.value(0)
	view := c.dims(0)
	if len(view) == 1 {
		d := c.dense(c.must(1), v, false)
		if err := c.done(2); err != nil {
			return err
		}
		return c.emit(d, v)
	}
	w := c.must(1)
	if c.err == nil && (len(view) == 0 || len(w.dims) != 2 || view[len(view)-1] != w.dims[0]) {
		c.fail("%v times weights of dimensions %v: want [..., in] and [in, out]", graph.Shape(view), graph.Shape(w.dims))
	}
	if c.err != nil {
		return c.err
	}
	d := c.dense(w, v, false)
	if err := c.done(2); err != nil {
		return err
	}
	rest := graph.Shape(view[:len(view)-1]).Size()
	v, _, err := c.transposed(v, []int{rest, d.In}, []int{1, 0})
	if err != nil {
		return err
	}
	if v, err = c.step(pointwise(d), v); err != nil {
		return err
	}
	if v, _, err = c.transposed(v, []int{d.Out, rest}, []int{1, 0}); err != nil {
		return err
	}
	to := slices.Clone(view)
	to[len(to)-1] = d.Out
	return c.give(0, v, to)
}

// matMulLeft is a constant times [in, n]: the convolution as it stands.
func (c *call) matMulLeft() error {
	v := c.value(1)
	view := c.dims(1)
	w := c.must(0)
	if c.err == nil && (len(view) != 2 || len(w.dims) != 2 || view[0] != w.dims[1]) {
		c.fail("weights of dimensions %v times %v: want [out, in] and [in, n]", graph.Shape(w.dims), graph.Shape(view))
	}
	if err := c.done(2); err != nil {
		return err
	}
	d := &graph.Dense{Out: w.dims[0], In: w.dims[1]}
	if w.quantized != nil {
		d.Weights = c.int8Weights(w, 0)
	} else {
		d.Weights = graph.Weights{Float: c.floats(0, w)}
	}
	return c.emitAs([]int{d.Out, view[1]}, pointwise(d), v)
}

// pointwise is a dense layer for every pixel.
func pointwise(d *graph.Dense) *graph.Conv2D {
	return &graph.Conv2D{Weights: d.Weights, InC: d.In, OutC: d.Out, KH: 1, KW: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}
}

// dense has the weights w, [out, in] where transposed, else [in, out], on the
// value v.
func (c *call) dense(w *constant, v *graph.Value, transposed bool) *graph.Dense {
	d := &graph.Dense{}
	if len(w.dims) != 2 {
		c.fail("weights of dimensions %v: want 2", w.dims)
		return d
	}
	if transposed {
		d.Weights = c.weights(w, v, 0)
		d.Out, d.In = w.dims[0], w.dims[len(w.dims)-1]
		return d
	}
	d.Weights = c.weights(w, v, 1)
	if w.absent() && d.Int8 == nil {
		d.In, d.Out = w.dims[0], w.dims[1]
		return d
	}
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
	if w.signs != 0 && w.signs != 1 && c.take(4*len(f)) { // the layer multiplies its sums
		one := make([]float32, len(f))
		for i, x := range f {
			one[i] = float32(math.Copysign(1, float64(x)))
		}
		f, c.behind = one, c.behind*w.signs
	}
	return graph.Weights{Float: f, Binary: w.signs != 0 || c.signs[v] && allSigns(f)}
}

// later is b, a layer's own bias; where the layer's sums are multiplied it comes after that.
// The weights have been asked for.
func (c *call) later(b []float32) []float32 {
	if c.behind == 1 {
		return b
	}
	c.shift = b
	return nil
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
	v := c.channelsFirst(0)
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
	return c.keeping(b, v)
}
