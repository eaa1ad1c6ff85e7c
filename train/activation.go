package train

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

// addOp is the sum of two values.
type addOp struct{ a, b, out *value }

func (o *addOp) touches() []*value { return []*value{o.a, o.b, o.out} }

func (o *addOp) forward(t *thread, img int) {
	for y := range o.out.data.H {
		a, b := o.a.data.row(img, y), o.b.data.row(img, y)
		for i := range o.out.data.row(img, y) {
			o.out.data.row(img, y)[i] = a[i] + b[i]
		}
	}
}

func (o *addOp) backward(t *thread, img int) {
	for y := range o.out.grad.H {
		for _, in := range []*value{o.a, o.b} {
			if !in.constant {
				copy(in.grad.row(img, y), o.out.grad.row(img, y))
			}
		}
	}
}

// forkOp gives a value to several readers, each of which has its own gradient.
type forkOp struct {
	in  *value
	out []*value
}

func (o *forkOp) touches() []*value { return append([]*value{o.in}, o.out...) }

func (o *forkOp) forward(t *thread, img int) {
	for _, out := range o.out {
		for y := range o.in.data.H {
			copy(out.data.row(img, y), o.in.data.row(img, y))
		}
	}
}

func (o *forkOp) backward(t *thread, img int) {
	for y := range o.in.grad.H {
		to := o.in.grad.row(img, y)
		copy(to, o.out[0].grad.row(img, y))
		for _, out := range o.out[1:] {
			for i, g := range out.grad.row(img, y) {
				to[i] += g
			}
		}
	}
}
