package train

import (
	"math"

	"macroscope/graph"
)

// normOp is batch norm over images and pixels, in two ops since what it subtracts
// depends on the whole batch: normStats looks at a batch, normApply, which may be a
// ReLU as well, changes it.
//
//	y[c] = Gamma[c]·(x[c]−mean[c])/√(var[c]+ε) + Beta[c]
type normOp struct {
	in, out     *value
	gamma, beta *Param
	epsilon     float64
	momentum    float64 // of the running statistics, the new batch's share
	relu        bool

	mean, variance       []float32 // running, for inference: the unbiased variance
	batchMean, batchInv  []float64 // of the batch at hand; inv is 1/√(var+ε)
	scale, shift         []float32 // y = x·scale + shift
	fromG, fromX, offset []float32 // dx = g·fromG + x·fromX + offset
	count                float64   // values of a channel in the batch

	sums []normSums // of each thread
}

// normSums are a thread's sums over its images; row is of one image's row, in
// float32.
type normSums struct {
	a, b       []float64
	rowA, rowB []float32
}

// normMomentum is the share of a new batch in the running statistics.
const normMomentum = 0.1

func newNormOp(name string, b *graph.BatchNorm, in, out *value, threads int) *normOp {
	c := len(b.Gamma)
	o := &normOp{
		in: in, out: out, epsilon: float64(b.Epsilon), momentum: normMomentum,
		gamma: newParam(name+".gamma", c), beta: newParam(name+".beta", c),
		mean: append([]float32(nil), b.Mean...), variance: append([]float32(nil), b.Var...),
		batchMean: make([]float64, c), batchInv: make([]float64, c),
		scale: make([]float32, c), shift: make([]float32, c),
		fromG: make([]float32, c), fromX: make([]float32, c), offset: make([]float32, c),
	}
	copy(o.gamma.W, b.Gamma)
	copy(o.beta.W, b.Beta)
	for range threads {
		o.sums = append(o.sums, normSums{make([]float64, c), make([]float64, c), make([]float32, c), make([]float32, c)})
	}
	return o
}

// normStats is the part of batch norm that looks: sums forward, the gradient of x
// backward.
type normStats struct{ *normOp }

func (o normStats) touches() []*value { return []*value{o.in, o.out} }

func (o normStats) forward(t *thread, img int) {
	s := &o.sums[t.id]
	for y := range o.in.data.H {
		t.pixels.AddMoments(s.rowA, s.rowB, o.in.data.row(img, y))
		s.flush()
	}
}

// flush moves the row's sums to the image's, which need more digits.
func (s *normSums) flush() {
	for c, x := range s.rowA {
		s.a[c] += float64(x)
		s.b[c] += float64(s.rowB[c])
	}
	clear(s.rowA)
	clear(s.rowB)
}

// total adds the threads' sums in their order and clears them.
func (o *normOp) total() (a, b []float64) {
	a, b = o.sums[0].a, o.sums[0].b
	for _, s := range o.sums[1:] {
		for c := range a {
			a[c] += s.a[c]
			b[c] += s.b[c]
		}
		clear(s.a)
		clear(s.b)
	}
	return a, b
}

func (o normStats) reduceForward() {
	sum, squares := o.total()
	for c := range sum {
		mean := sum[c] / o.count
		variance := max(0, squares[c]/o.count-mean*mean)
		inv := 1 / math.Sqrt(variance+o.epsilon)
		o.batchMean[c], o.batchInv[c] = mean, inv
		o.scale[c] = float32(float64(o.gamma.W[c]) * inv)
		o.shift[c] = float32(float64(o.beta.W[c]) - mean*float64(o.gamma.W[c])*inv)
		unbiased := variance
		if o.count > 1 {
			unbiased *= o.count / (o.count - 1)
		}
		o.mean[c] += float32(o.momentum * (mean - float64(o.mean[c])))
		o.variance[c] += float32(o.momentum * (unbiased - float64(o.variance[c])))
	}
	clear(sum)
	clear(squares)
}

func (o normStats) backward(t *thread, img int) {
	if o.in.constant {
		return
	}
	for y := range o.in.data.H {
		t.pixels.Linear2(o.in.grad.row(img, y), o.out.grad.row(img, y), o.in.data.row(img, y), o.fromG, o.fromX, o.offset)
	}
}

// normApply is the part of batch norm that changes.
type normApply struct{ *normOp }

func (o normApply) touches() []*value { return []*value{o.out} }

func (o normApply) forward(t *thread, img int) {
	lo := float32(math.Inf(-1))
	if o.relu {
		lo = 0
	}
	for y := range o.in.data.H {
		t.pixels.Linear(o.out.data.row(img, y), o.in.data.row(img, y), o.scale, o.shift, lo)
	}
}

func (o normApply) backward(t *thread, img int) {
	s := &o.sums[t.id]
	for y := range o.in.data.H {
		g, x := o.out.grad.row(img, y), o.in.data.row(img, y)
		if o.relu {
			t.pixels.AddMaskedProducts(s.rowA, s.rowB, g, x, o.out.data.row(img, y))
		} else {
			t.pixels.AddProducts(s.rowA, s.rowB, g, x)
		}
		s.flush()
	}
}

// reduceBackward gives the gradients of gamma and beta, and the constants of dx:
// with x̂ = (x−mean)·inv and n values a channel,
//
//	dx = gamma·inv·(g − Σg/n − x̂·Σ(g·x̂)/n)
func (o normApply) reduceBackward() {
	sumG, sumGX := o.total()
	for c := range sumG {
		mean, inv := o.batchMean[c], o.batchInv[c]
		dbeta := sumG[c]
		dgamma := (sumGX[c] - mean*dbeta) * inv
		o.beta.Grad[c], o.gamma.Grad[c] = float32(dbeta), float32(dgamma)
		k := float64(o.gamma.W[c]) * inv
		byX := -k * inv * dgamma / o.count
		o.fromG[c], o.fromX[c] = float32(k), float32(byX)
		o.offset[c] = float32(-k*dbeta/o.count - byX*mean)
	}
	clear(sumG)
	clear(sumGX)
}
