package train

import (
	"fmt"

	"macroscope/graph"
	"macroscope/kernels"
)

// convOp is a convolution, or a dense layer as a convolution whose kernel is its
// whole input. With latent weights it multiplies by their signs.
type convOp struct {
	in, out *value
	shape   *graph.Conv2D
	spec    kernels.ConvSpec
	weight  *Param
	bias    *Param // nil: none
	im      *kernels.Impl

	products kernels.Products // of filter, unless by minimal filtering
	group    int              // images that filter takes at a time

	fwd     convolver
	used    []float32 // what multiplies: the weights, their signs or what int8 makes of them
	scales  int       // int8: 1, or one a channel; 0: not int8
	bwd     convolver // nil: nobody wants in's gradient
	turned  []float32 // [InC][KH][KW][OutC], taps reversed: the weights of bwd
	spread  *spread   // of dout, where strides skip; nil: none
	filter  weightGrad
	partDW  [][]float32 // of each thread, what filter has added
	partDB  [][]float32 // nil: no bias, or one whose gradient is 0
	pending []pending
}

// convolver is a convolution whose weights change: kernels.Conv or kernels.Winograd.
type convolver interface {
	Run(ctx *kernels.Context, out, in []byte)
	SetFloat32(weights, bias []float32)
}

// newConvolver takes minimal filtering where the shape suits: its rounding errors
// are far below what a batch's choice of images does to a gradient.
func newConvolver(im *kernels.Impl, s kernels.ConvSpec) (convolver, error) {
	weights := make([]float32, s.Out.C*s.KH*s.KW*s.In.C)
	for _, m := range []int{4, 2} {
		if w, err := kernels.NewWinograd(im, s, weights, m); err == nil {
			return w, nil
		}
	}
	return kernels.NewConv(im, s, kernels.PackFloat32(weights))
}

// weightGrad is the gradient of a convolution's weights: kernels.FilterGrad or kernels.WinogradGrad.
type weightGrad interface {
	Len() int
	Add(ctx *kernels.Context, sum []float32, in, dout []byte, n int)
	Finish(dw, sum []float32)
}

// newWeightGrad takes minimal filtering where the shape suits, as newConvolver does, and
// in float32 whatever products are: it was measured to be faster than bfloat16's direct
// sums.
func newWeightGrad(im *kernels.Impl, s kernels.ConvSpec, products kernels.Products) (weightGrad, error) {
	for _, m := range []int{4, 2} {
		if w, err := kernels.NewWinogradGrad(im, s, m); err == nil {
			return w, nil
		}
	}
	return kernels.NewFilterGrad(im, s, products)
}

// pending is a thread's images whose gradients of weights have yet to be added.
type pending struct{ first, n int }

// newConvOp plans c, whose weights are where training starts.
func newConvOp(name string, c *graph.Conv2D, in, out *value, im *kernels.Impl, products kernels.Products, threads int) (*convOp, error) {
	if c.Groups != 1 {
		return nil, fmt.Errorf("%d groups: want 1", c.Groups)
	}
	if in.padded && in.pad != c.PadValue && c.PadTop+c.PadLeft+c.PadBottom+c.PadRight > 0 {
		return nil, fmt.Errorf("pads with %v, another reader of %q with %v: want one padding value", c.PadValue, in.name, in.pad)
	}
	reachY, reachX := c.DilationH*(c.KH-1), c.DilationW*(c.KW-1)
	if max(c.PadTop, c.PadBottom) > reachY || max(c.PadLeft, c.PadRight) > reachX {
		return nil, fmt.Errorf("padding %d,%d,%d,%d: want at most what the kernel reaches, %d and %d", c.PadTop, c.PadLeft, c.PadBottom, c.PadRight, reachY, reachX)
	}
	o := &convOp{in: in, out: out, shape: c, im: im, products: products, group: kernels.FilterGradGroup(out.grad.H, out.grad.W, products), weight: newParam(name+".weight", c.OutC*c.K())}
	o.weight.Decay, o.weight.Latent = !c.Binary, c.Binary
	copy(o.weight.W, channelsLast(c.Floats(), c))
	if c.Bias != nil {
		o.bias = newParam(name+".bias", c.OutC)
		copy(o.bias.W, c.Bias)
	}
	o.spec = kernels.ConvSpec{
		KH: c.KH, KW: c.KW, StrideH: c.StrideH, StrideW: c.StrideW, DilationH: c.DilationH, DilationW: c.DilationW,
		PadTop: c.PadTop, PadLeft: c.PadLeft,
	}
	if c.PadTop+c.PadLeft+c.PadBottom+c.PadRight > 0 {
		in.data.grow(c.PadTop, c.PadLeft, c.PadBottom, c.PadRight)
		in.pad, in.padded = c.PadValue, true
	}
	if !in.constant {
		o.askGrad(c, reachY, reachX)
	}
	o.used, o.scales = o.weight.W, len(c.Scale)
	if c.Binary || o.scales > 0 {
		o.used = make([]float32, len(o.weight.W))
	}
	o.partDW, o.pending = make([][]float32, threads), make([]pending, threads)
	if o.bias != nil {
		o.partDB = make([][]float32, threads)
		for i := range o.partDB {
			o.partDB[i] = make([]float32, c.OutC)
		}
	}
	return o, nil
}

// askGrad widens out's gradient for the convolution that gives in's: it reads what
// in's halo would have given, which is nothing.
func (o *convOp) askGrad(c *graph.Conv2D, reachY, reachX int) {
	top, left := reachY-c.PadTop, reachX-c.PadLeft
	h, w := (o.out.grad.H-1)*c.StrideH+1, (o.out.grad.W-1)*c.StrideW+1
	bottom, right := max(0, o.in.data.H+reachY-top-h), max(0, o.in.data.W+reachX-left-w)
	if c.StrideH == 1 && c.StrideW == 1 {
		o.out.grad.grow(top, left, bottom, right)
		return
	}
	o.spread = &spread{image: kernels.Image{H: h, W: w, C: c.OutC, Top: top, Left: left, Bottom: bottom, Right: right}}
}

// plan prepares the kernels once all halos are known.
func (o *convOp) plan() error {
	s := o.spec
	s.In, s.Out = o.in.data.Image, o.out.data.Image
	if o.in.pad == 0 {
		s.Halo = kernels.HaloZero
	}
	var err error
	if o.fwd, err = newConvolver(o.im, s); err != nil {
		return err
	}
	s.Out = o.out.grad.Image
	if o.filter, err = newWeightGrad(o.im, s, o.products); err != nil {
		return err
	}
	for i := range o.partDW {
		o.partDW[i] = make([]float32, o.filter.Len())
	}
	if o.in.constant {
		return nil
	}
	b := s
	b.In, b.Out, b.Halo = o.out.grad.Image, o.in.grad.Image, kernels.HaloZero
	if o.spread != nil {
		o.spread.image.DType = b.In.DType
		o.spread.plan(s.StrideH, s.StrideW, len(o.partDW))
		b.In = o.spread.image
	}
	b.StrideH, b.StrideW = 1, 1
	b.PadTop, b.PadLeft = s.DilationH*(s.KH-1)-s.PadTop, s.DilationW*(s.KW-1)-s.PadLeft
	o.turned = make([]float32, len(o.weight.W))
	o.bwd, err = newConvolver(o.im, b)
	return err
}

func (o *convOp) prepare() {
	switch {
	case o.weight.Latent:
		signs(o.used, o.weight.W)
	case o.scales > 0:
		if s, err := scalesOf(o.weight.W, o.out.data.C, o.scales); err == nil {
			rounded(o.used, o.weight.W, s)
		} else { // NaN or too large: let the loss find it
			copy(o.used, o.weight.W)
		}
	}
	var bias []float32
	if o.bias != nil {
		bias = o.bias.W
	}
	o.fwd.SetFloat32(o.used, bias)
	if o.bwd == nil {
		return
	}
	taps, inC, outC := o.spec.KH*o.spec.KW, o.in.data.C, o.out.data.C
	for out := range outC {
		for tap := range taps {
			row := o.used[(out*taps+tap)*inC:][:inC]
			at := (taps-1-tap)*outC + out
			for _, w := range row {
				o.turned[at] = w
				at += taps * outC
			}
		}
	}
	o.bwd.SetFloat32(o.turned, nil)
}

func (o *convOp) touches() []*value { return []*value{o.in, o.out} }

func (o *convOp) forward(t *thread, img int) {
	o.fwd.Run(&t.ctx, o.out.data.image(img), o.in.data.image(img))
}

func (o *convOp) backward(t *thread, img int) {
	if o.partDB != nil {
		db := o.partDB[t.id]
		for y := range o.out.grad.H {
			row := o.out.grad.row(img, y)
			for ; len(row) > 0; row = row[len(db):] {
				for c, g := range row[:len(db)] {
					db[c] += g
				}
			}
		}
	}
	// The gradient of the weights is best computed for some images together.
	// Threads go through their images in order, so those are the last ones.
	p := &o.pending[t.id]
	if p.n == 0 {
		p.first = img
	}
	if p.n++; p.n == o.group || img == t.last-1 {
		o.filter.Add(&t.ctx, o.partDW[t.id], o.in.data.mem[o.in.data.at(p.first):], o.out.grad.mem[o.out.grad.at(p.first):], p.n)
		p.n = 0
	}
	if o.bwd == nil {
		return
	}
	dout := o.out.grad.image(img)
	if o.spread != nil {
		dout = o.spread.run(t, &o.out.grad, img)
	}
	o.bwd.Run(&t.ctx, o.in.grad.image(img), dout)
}

// finish adds up what the threads have, makes the weights' gradient of it, and lets
// through the straight-through estimator what belongs to weights in the training zone.
func (o *convOp) finish() {
	if o.partDB != nil {
		o.bias.sumThreads(o.partDB)
	}
	total := o.partDW[0]
	for _, part := range o.partDW[1:] {
		for i, x := range part {
			total[i] += x
		}
		clear(part)
	}
	o.filter.Finish(o.weight.Grad, total)
	clear(total)
	if o.weight.Latent {
		for i, w := range o.weight.W {
			if !(w >= -1 && w <= 1) {
				o.weight.Grad[i] = 0
			}
		}
	}
}

// spread is dout with the zeros between its pixels that strides have skipped.
type spread struct {
	image  kernels.Image
	sh, sw int
	mem    [][]byte // of each thread
}

func (s *spread) plan(strideH, strideW, threads int) {
	s.sh, s.sw = strideH, strideW
	for range threads {
		s.mem = append(s.mem, kernels.Aligned(s.image.Bytes()))
	}
}

func (s *spread) run(t *thread, dout *batch, img int) []byte {
	mem := s.mem[t.id]
	for y := range dout.H {
		row := dout.row(img, y)
		for x := range dout.W {
			copy(floats(mem[s.image.Offset(y*s.sh, x*s.sw):])[:dout.C], row[x*dout.C:])
		}
	}
	return mem
}

// channelsLast turns [OutC][InC][KH][KW] into [OutC][KH][KW][InC], channelsFirst
// back.
func channelsLast(w []float32, c *graph.Conv2D) []float32 {
	t := make([]float32, len(w))
	eachWeight(c, func(first, last int) { t[last] = w[first] })
	return t
}

func channelsFirst(w []float32, c *graph.Conv2D) []float32 {
	t := make([]float32, len(w))
	eachWeight(c, func(first, last int) { t[first] = w[last] })
	return t
}

func eachWeight(c *graph.Conv2D, f func(first, last int)) {
	taps := c.KH * c.KW
	for o := range c.OutC {
		for ch := range c.InC {
			for tap := range taps {
				f((o*c.InC+ch)*taps+tap, (o*taps+tap)*c.InC+ch)
			}
		}
	}
}
