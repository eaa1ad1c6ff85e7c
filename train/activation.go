package train

import (
	"math/rand/v2"

	"macroscope/graph"
)

// reluOp is max(0, x), where no batch norm does it in passing.
type reluOp struct{ in, out *value }

func (o *reluOp) touches() []*value { return []*value{o.in, o.out} }

func (o *reluOp) forward(t *thread, img int) {
	for y := range o.in.data.H {
		to := o.out.data.row(img, y)
		for i, v := range o.in.data.row(img, y) {
			to[i] = max(0, v)
		}
	}
}

func (o *reluOp) backward(t *thread, img int) {
	for y := range o.in.data.H {
		g := o.in.grad.row(img, y)
		copy(g, o.out.grad.row(img, y))
		maskPositive(g, o.out.data.row(img, y))
	}
}

// Estimator is what stands in for the derivative of sign(x), which is 0 almost
// everywhere.
type Estimator int

const (
	// StraightThrough is 1 where |x| ≤ 1, else 0: the gradient of hard tanh
	// (Hubara et al., Binarized Neural Networks, 2016).
	StraightThrough Estimator = iota
	// ApproxSign is 2−2|x| where |x| ≤ 1, else 0: the gradient of a piecewise
	// parabola (Liu et al., Bi-Real Net, 2018).
	ApproxSign
)

// signOp is ±1 by the sign of x, 0 counting as positive.
type signOp struct {
	in, out *value
	// constant and linear are the estimator's slope, constant + linear·|x|, for each
	// channel.
	constant, linear []float32
}

func newSignOp(in, out *value, e Estimator) *signOp {
	o := &signOp{in: in, out: out}
	constant, linear := e.slope()
	for range in.data.C {
		o.constant, o.linear = append(o.constant, constant), append(o.linear, linear)
	}
	return o
}

// slope is the estimator's derivative where |x| ≤ 1: constant + linear·|x|.
func (e Estimator) slope() (constant, linear float32) {
	if e == ApproxSign {
		return 2, -2
	}
	return 1, 0
}

func (o *signOp) touches() []*value { return []*value{o.in, o.out} }

func (o *signOp) forward(t *thread, img int) {
	for y := range o.in.data.H {
		t.pixels.Sign(o.out.data.row(img, y), o.in.data.row(img, y), o.in.data.C)
	}
}

func (o *signOp) backward(t *thread, img int) {
	for y := range o.in.data.H {
		t.pixels.SignGrad(o.in.grad.row(img, y), o.out.grad.row(img, y), o.in.data.row(img, y), o.constant, o.linear)
	}
}

// preluOp is x where x ≥ 0, else x·slope, one slope for all channels or one each.
type preluOp struct {
	in, out *value
	slope   *Param
	parts   [][]float32 // gradients of each thread
}

func newPReLUOp(name string, p *graph.PReLU, in, out *value, threads int) *preluOp {
	o := &preluOp{in: in, out: out, slope: newParam(name+".slope", len(p.Slope))}
	copy(o.slope.W, p.Slope)
	for range threads {
		o.parts = append(o.parts, make([]float32, len(p.Slope)))
	}
	return o
}

func (o *preluOp) touches() []*value { return []*value{o.in, o.out} }

func (o *preluOp) forward(t *thread, img int) {
	for y := range o.in.data.H {
		t.pixels.PReLU(o.out.data.row(img, y), o.in.data.row(img, y), o.slope.W)
	}
}

func (o *preluOp) backward(t *thread, img int) {
	for y := range o.in.data.H {
		g := o.out.grad.row(img, y)
		dx := g // nobody wants it: where it stands it does no harm
		if !o.in.constant {
			dx = o.in.grad.row(img, y)
		}
		t.pixels.PReLUGrad(dx, o.parts[t.id], g, o.in.data.row(img, y), o.slope.W)
	}
}

func (o *preluOp) finish() { o.slope.sumThreads(o.parts) }

// clipOp is min(hi, max(lo, x)), as hard tanh is with −1 and 1; the gradient passes where
// lo ≤ x ≤ hi.
type clipOp struct {
	in, out *value
	lo, hi  float32
}

func (o *clipOp) touches() []*value { return []*value{o.in, o.out} }

func (o *clipOp) forward(t *thread, img int) {
	for y := range o.in.data.H {
		to := o.out.data.row(img, y)
		for i, v := range o.in.data.row(img, y) {
			to[i] = min(o.hi, max(o.lo, v))
		}
	}
}

func (o *clipOp) backward(t *thread, img int) {
	for y := range o.in.data.H {
		dx, g := o.in.grad.row(img, y), o.out.grad.row(img, y)
		for i, v := range o.in.data.row(img, y) {
			dx[i] = 0
			if v >= o.lo && v <= o.hi {
				dx[i] = g[i]
			}
		}
	}
}

// dropoutOp sets a share of the values to 0 and multiplies the others by 1/(1−rate). Which
// ones depends on the seed, the step and the place alone, so that a mask need not be
// kept and threads do not matter.
type dropoutOp struct {
	in, out *value
	rate    float32
	seed    uint64
	step    *uint64
}

func (o *dropoutOp) touches() []*value { return []*value{o.in, o.out} }

func (o *dropoutOp) forward(t *thread, img int) { o.mask(&o.out.data, &o.in.data, img) }

func (o *dropoutOp) backward(t *thread, img int) { o.mask(&o.in.grad, &o.out.grad, img) }

func (o *dropoutOp) mask(to, from *batch, img int) {
	r := rand.NewPCG(o.seed, *o.step<<16^uint64(img))
	keep, scale := uint32(float64(1-o.rate)*(1<<32-1)), 1/(1-o.rate)
	for y := range from.H {
		to := to.row(img, y)
		for i, v := range from.row(img, y) {
			to[i] = 0
			if uint32(r.Uint64()>>32) <= keep {
				to[i] = v * scale
			}
		}
	}
}
