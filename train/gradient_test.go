package train

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/quant"
)

// wide is a network in float64, computed as plainly as can be, with the batch's own
// statistics in batch norms: what gradients are measured on. Where a derivative is
// an estimator's, the function is the one that has it, moved so that it passes
// through the true value.
type wide struct {
	g         *graph.Graph
	ops       []op
	o         Options
	images    *images
	scales    map[string][]float32 // of int8 weights
	params    map[string][]float64 // by Param's name; a convolution's [OutC][KH][KW][InC]
	latent    map[string]bool
	signsOf   map[string][]float64 // what a sign saw at the point where the gradient is taken
	recording bool
}

func newWide(n *Net, im *images) *wide {
	w := &wide{g: n.g, ops: n.ops, o: n.options, images: im, params: map[string][]float64{}, latent: map[string]bool{}, signsOf: map[string][]float64{}, scales: map[string][]float32{}}
	for _, p := range n.Params() {
		for _, x := range p.W {
			w.params[p.Name] = append(w.params[p.Name], float64(x))
		}
		w.latent[p.Name] = p.Latent
	}
	for _, o := range n.convs {
		if o.scales > 0 {
			s, err := scalesOf(o.weight.W, o.out.data.C, o.scales)
			if err != nil {
				panic(err)
			}
			w.scales[o.weight.Name] = s
		}
	}
	w.recording = true
	w.loss()
	w.recording = false
	return w
}

// sign is ±1 at the recorded point and moves with the estimator's integral around
// it.
func (w *wide) sign(name string, x []float64, e Estimator) []float64 {
	if w.recording {
		w.signsOf[name] = append([]float64(nil), x...)
	}
	y := make([]float64, len(x))
	for i, v := range x {
		at := w.signsOf[name][i]
		y[i] = -1
		if at >= 0 {
			y[i] = 1
		}
		y[i] += e.integral(v) - e.integral(at)
	}
	return y
}

func (e Estimator) integral(x float64) float64 {
	x = max(-1, min(1, x))
	if e == ApproxSign {
		return 2*x - x*math.Abs(x)
	}
	return x
}

// round is what int8 makes of x at the recorded point, and moves with x around it where
// nothing is clamped; scales are for equal parts of x.
func (w *wide) round(name string, x []float64, scales []float32) []float64 {
	if w.recording {
		w.signsOf[name] = append([]float64(nil), x...)
	}
	y, per := make([]float64, len(x)), len(x)/len(scales)
	for i, v := range x {
		at, s := w.signsOf[name][i], scales[i/per]
		y[i] = float64(s) * float64(quant.Quantize(float32(at), s))
		if math.Abs(at) <= (quant.Max+0.5)*float64(s) {
			y[i] += v - at
		}
	}
	return y
}

// plane is a batch: [n][C][H][W].
type plane struct {
	n, c, h, w int
	v          []float64
}

func (p *plane) at(n, c, y, x int) *float64 { return &p.v[((n*p.c+c)*p.h+y)*p.w+x] }

func newPlane(n int, s graph.Shape) *plane {
	p := &plane{n: n, c: s[0], h: 1, w: 1}
	if len(s) == 3 {
		p.h, p.w = s[1], s[2]
	}
	p.v = make([]float64, n*p.c*p.h*p.w)
	return p
}

func (w *wide) loss() float64 {
	n := len(w.images.values)
	in := newPlane(n, w.g.Input.Shape)
	for i, img := range w.images.values {
		for j, x := range img {
			in.v[i*len(img)+j] = float64(x)
		}
	}
	values := map[*graph.Value]*plane{w.g.Input: in}
	carried := func(v *graph.Value, p *plane) *plane {
		if v.Scale != 0 {
			q := *p
			q.v = w.round(v.Name, p.v, []float32{v.Scale})
			p = &q
		}
		return p
	}
	values[w.g.Input] = carried(w.g.Input, in)
	for _, node := range w.g.Nodes {
		values[node.Out] = carried(node.Out, w.node(node, values))
	}
	logits, sum := values[w.g.Output], 0.0
	for i := range n {
		sum += w.lossOf(logits.v[i*logits.c:][:logits.c], i)
	}
	return sum / float64(n)
}

func (w *wide) lossOf(logits []float64, i int) float64 {
	logSoftmax := func(x []float64, t float64) []float64 {
		sum := 0.0
		for _, v := range x {
			sum += math.Exp(v / t)
		}
		y := make([]float64, len(x))
		for j, v := range x {
			y[j] = v/t - math.Log(sum)
		}
		return y
	}
	l, n := w.o.Loss, float64(len(logits))
	sum := 0.0
	for c, lp := range logSoftmax(logits, 1) {
		target := l.Smoothing / n
		if c == w.images.classes[i] {
			target += 1 - l.Smoothing
		}
		sum -= target * lp
	}
	if l.Teacher == nil {
		return sum
	}
	taught := make([]float32, len(logits))
	if err := l.Teacher(0, w.images.values[i], taught); err != nil {
		panic(err)
	}
	wideTaught := make([]float64, len(logits))
	for c, x := range taught {
		wideTaught[c] = float64(x)
	}
	kl, q := 0.0, logSoftmax(wideTaught, l.Temperature)
	for c, lp := range logSoftmax(logits, l.Temperature) {
		kl += math.Exp(q[c]) * (q[c] - lp)
	}
	return (1-l.Share)*sum + l.Share*l.Temperature*l.Temperature*kl
}

func (w *wide) node(node *graph.Node, values map[*graph.Value]*plane) *plane {
	in := values[node.In[0]]
	out := newPlane(in.n, node.Out.Shape)
	switch op := node.Op.(type) {
	case *graph.Conv2D:
		w.conv(node.Name, op, in, out)
	case *graph.Dense:
		w.conv(node.Name, &graph.Conv2D{InC: in.c, OutC: op.Out, KH: in.h, KW: in.w, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1}, in, out)
	case *graph.BatchNorm:
		w.norm(node.Name, op, in, out)
	case *graph.Affine:
		for i, x := range in.v {
			out.v[i] = op.At(i/(in.h*in.w)%in.c, x)
		}
	case *graph.ReLU:
		for i, x := range in.v {
			out.v[i] = max(0, x)
		}
	case *graph.Sign:
		copy(out.v, w.sign(node.Name, in.v, w.o.Estimator))
	case *graph.MaxPool:
		w.pool(op, in, out)
	case *graph.GlobalAveragePool:
		for i, x := range in.v {
			out.v[i/(in.h*in.w)] += x / float64(in.h*in.w)
		}
	case *graph.PReLU:
		slope := w.params[node.Name+".slope"]
		for i, x := range in.v {
			if out.v[i] = x; x < 0 {
				out.v[i] = x * slope[i/(in.h*in.w)%in.c%len(slope)]
			}
		}
	case *graph.Clip:
		for i, x := range in.v {
			out.v[i] = min(float64(op.Hi), max(float64(op.Lo), x))
		}
	case *graph.Dropout:
		return w.dropout(node.Name, op, in, out)
	case *graph.Concat:
		c0 := 0
		for _, v := range node.In {
			p := values[v]
			for n := range p.n {
				copy(out.v[(n*out.c+c0)*out.h*out.w:], p.v[n*p.c*p.h*p.w:][:p.c*p.h*p.w])
			}
			c0 += p.c
		}
	case *graph.Add:
		for i, x := range values[node.In[1]].v {
			out.v[i] = in.v[i] + x
		}
	case *graph.Flatten:
		return in // a dense layer reads it as it lies
	default:
		panic(fmt.Sprintf("%T", op))
	}
	return out
}

func (w *wide) conv(name string, op *graph.Conv2D, in, out *plane) {
	weights := w.params[name+".weight"]
	if w.latent[name+".weight"] {
		weights = w.sign(name, weights, StraightThrough)
	}
	if s := w.scales[name+".weight"]; s != nil {
		weights = w.round(name+".weight", weights, s)
	}
	for n := range in.n {
		for o := range out.c {
			for y := range out.h {
				for x := range out.w {
					sum := 0.0
					if b := w.params[name+".bias"]; b != nil {
						sum = b[o]
					}
					for ky := range op.KH {
						for kx := range op.KW {
							py, px := y*op.StrideH+ky*op.DilationH-op.PadTop, x*op.StrideW+kx*op.DilationW-op.PadLeft
							for c := range in.c {
								v := float64(op.PadValue)
								if py >= 0 && py < in.h && px >= 0 && px < in.w {
									v = *in.at(n, c, py, px)
								}
								sum += v * weights[((o*op.KH+ky)*op.KW+kx)*in.c+c]
							}
						}
					}
					*out.at(n, o, y, x) = sum
				}
			}
		}
	}
}

func (w *wide) norm(name string, op *graph.BatchNorm, in, out *plane) {
	for c := range in.c {
		sum, squares, count := 0.0, 0.0, float64(in.n*in.h*in.w)
		each := func(f func(x, y *float64)) {
			for n := range in.n {
				for y := range in.h {
					for x := range in.w {
						f(in.at(n, c, y, x), out.at(n, c, y, x))
					}
				}
			}
		}
		each(func(x, _ *float64) { sum += *x })
		mean := sum / count
		each(func(x, _ *float64) { squares += (*x - mean) * (*x - mean) })
		each(func(x, y *float64) {
			*y = w.params[name+".gamma"][c]*(*x-mean)/math.Sqrt(squares/count+float64(op.Epsilon)) + w.params[name+".beta"][c]
		})
	}
}

// dropout multiplies by what the op makes of ones: TestDropout looks at that.
func (w *wide) dropout(name string, op *graph.Dropout, in, out *plane) *plane {
	for _, o := range w.ops {
		d, ok := o.(*dropoutOp)
		if !ok || d.out.name != name {
			continue
		}
		ones := newValue(&graph.Value{Shape: graph.Shape{in.c, in.h, in.w}})
		ones.allocate(in.n, in.n)
		for n := range in.n {
			for y := range in.h {
				for i := range ones.data.row(n, y) {
					ones.data.row(n, y)[i] = 1
				}
			}
			d.mask(&ones.grad, &ones.data, n)
			for y := range in.h {
				for i, k := range ones.grad.row(n, y) {
					c, x := i%in.c, i/in.c
					*out.at(n, c, y, x) = float64(k) * *in.at(n, c, y, x)
				}
			}
		}
		return out
	}
	panic("no dropout " + name)
}

func (w *wide) pool(op *graph.MaxPool, in, out *plane) {
	for n := range in.n {
		for c := range in.c {
			for y := range out.h {
				for x := range out.w {
					best := math.Inf(-1)
					for ky := range op.KH {
						for kx := range op.KW {
							py, px := y*op.StrideH+ky-op.PadTop, x*op.StrideW+kx-op.PadLeft
							if py >= 0 && py < in.h && px >= 0 && px < in.w {
								best = max(best, *in.at(n, c, py, px))
							}
						}
					}
					*out.at(n, c, y, x) = best
				}
			}
		}
	}
}

// gradientCases are networks that have every layer, alone and after one another.
func gradientCases(r *rand.Rand) map[string]*graph.Graph {
	cases := map[string]*graph.Graph{}
	build := func(name string, shape graph.Shape, f func(b *graph.Builder, x *graph.Value) *graph.Value) {
		b := graph.New(name, "image", shape)
		g, err := b.Graph(f(b, b.Input()))
		if err != nil {
			panic(err)
		}
		cases[name] = g
	}
	end := func(b *graph.Builder, x *graph.Value) *graph.Value {
		return b.Add("dense", randomDense(r, x.Shape.Size(), 4), b.Add("flatten", &graph.Flatten{}, x))
	}
	image := graph.Shape{3, 6, 7}
	build("dense", image, end)
	build("conv", image, func(b *graph.Builder, x *graph.Value) *graph.Value {
		c := randomConv(r, 3, 5, 3, 1)
		c.Bias = normals(r, 5, 0.2)
		x = b.Add("conv1", c, x)
		return end(b, b.Add("conv2", randomConv(r, 5, 4, 3, 0), x))
	})
	build("winograd", graph.Shape{3, 8, 12}, func(b *graph.Builder, x *graph.Value) *graph.Value {
		x = b.Add("conv1", randomConv(r, 3, 16, 3, 1), x)
		x = b.Add("conv2", randomConv(r, 16, 32, 3, 1), x)
		x = b.Add("relu", &graph.ReLU{}, x)
		return end(b, b.Add("conv3", randomConv(r, 32, 16, 3, 1), x))
	})
	build("strides", graph.Shape{3, 9, 10}, func(b *graph.Builder, x *graph.Value) *graph.Value {
		x = b.Add("conv0", randomConv(r, 3, 4, 3, 1), x)
		c := randomConv(r, 4, 5, 3, 1)
		c.StrideH, c.StrideW = 2, 3
		x = b.Add("conv1", c, x)
		d := randomConv(r, 5, 4, 2, 1)
		d.DilationH, d.DilationW, d.PadBottom = 2, 1, 0
		return end(b, b.Add("conv2", d, x))
	})
	build("norm", image, func(b *graph.Builder, x *graph.Value) *graph.Value {
		x = b.Add("scale", &graph.Affine{Scale: []float32{0.5, 2, 1}, Shift: []float32{0.3}}, x)
		x = b.Add("conv1", randomConv(r, 3, 5, 3, 1), x)
		x = b.Add("norm1", randomNorm(r, 5), x)
		x = b.Add("conv2", randomConv(r, 5, 4, 3, 1), x)
		x = b.Add("norm2", randomNorm(r, 4), x)
		return end(b, b.Add("relu", &graph.ReLU{}, x))
	})
	build("pools", graph.Shape{3, 8, 8}, func(b *graph.Builder, x *graph.Value) *graph.Value {
		x = b.Add("conv1", randomConv(r, 3, 6, 3, 1), x)
		x = b.Add("relu", &graph.ReLU{}, x)
		x = b.Add("pool1", &graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}, x)
		x = b.Add("pool2", &graph.MaxPool{KH: 3, KW: 2, StrideH: 1, StrideW: 2, PadTop: 1, PadBottom: 1}, x)
		x = b.Add("conv2", randomConv(r, 6, 5, 3, 1), x)
		return end(b, b.Add("average", &graph.GlobalAveragePool{}, x))
	})
	build("shortcut", image, func(b *graph.Builder, x *graph.Value) *graph.Value {
		x = b.Add("conv1", randomConv(r, 3, 5, 3, 1), x)
		y := b.Add("norm1", randomNorm(r, 5), x)
		y = b.Add("relu1", &graph.ReLU{}, y)
		z := b.Add("conv2", randomConv(r, 5, 5, 3, 1), y)
		z = b.Add("add", &graph.Add{}, z, y)
		return end(b, b.Add("add2", &graph.Add{}, b.Add("norm2", randomNorm(r, 5), z), z))
	})
	build("binary", graph.Shape{3, 8, 8}, func(b *graph.Builder, x *graph.Value) *graph.Value {
		x = b.Add("conv1", randomConv(r, 3, 6, 3, 1), x)
		// Pools come before sums are integers: the maximum of equals has no derivative.
		x = b.Add("pool1", &graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}, x)
		x = b.Add("norm1", randomNorm(r, 6), x)
		x = b.Add("sign1", &graph.Sign{}, x)
		x = b.Add("conv2", binaryConv(r, 6, 7, 3, 1, -1), x)
		x = b.Add("norm2", randomNorm(r, 7), x)
		x = b.Add("sign2", &graph.Sign{}, x)
		x = b.Add("conv3", binaryConv(r, 7, 5, 3, 1, -1), x)
		return end(b, b.Add("norm3", randomNorm(r, 5), x))
	})
	build("binary shortcut", graph.Shape{3, 8, 8}, func(b *graph.Builder, x *graph.Value) *graph.Value {
		x = b.Add("conv1", randomConv(r, 3, 6, 3, 1), x)
		x = b.Add("prelu1", &graph.PReLU{Slope: normals(r, 6, 0.5)}, b.Add("norm1", randomNorm(r, 6), x))
		y := b.Add("conv2", binaryConv(r, 6, 12, 3, 1, -1), b.Add("sign1", &graph.Sign{}, x))
		x = b.Add("add2", &graph.Add{}, b.Add("norm2", randomNorm(r, 12), y), b.Add("twice", &graph.Concat{}, x, x))
		x = b.Add("clip2", &graph.Clip{Lo: -1, Hi: 1}, b.Add("prelu2", &graph.PReLU{Slope: []float32{0.3}}, x))
		return end(b, b.Add("drop", &graph.Dropout{Rate: 0.3}, b.Add("pool", &graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}, x)))
	})
	build("concat of the image", image, func(b *graph.Builder, x *graph.Value) *graph.Value {
		y := b.Add("conv1", randomConv(r, 3, 5, 3, 1), x)
		x = b.Add("clip", &graph.Clip{Lo: -1, Hi: 1}, b.Add("add", &graph.Add{}, x, x))
		x = b.Add("prelu", &graph.PReLU{Slope: normals(r, 3, 0.5)}, x)
		y = b.Add("concat", &graph.Concat{}, x, b.Add("drop", &graph.Dropout{Rate: 0.5}, y))
		return end(b, b.Add("conv2", randomConv(r, 8, 5, 3, 1), y))
	})
	build("int8", graph.Shape{3, 8, 8}, func(b *graph.Builder, x *graph.Value) *graph.Value {
		c := randomConv(r, 3, 6, 3, 1)
		c.Bias = normals(r, 6, 0.2)
		x = b.Add("relu1", &graph.ReLU{}, b.Add("conv1", c, x))
		x = b.Add("pool1", &graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}, x)
		return end(b, b.Add("relu2", &graph.ReLU{}, b.Add("conv2", randomConv(r, 6, 5, 3, 1), x)))
	})
	toInt8(cases["int8"])
	return cases
}

// toInt8 gives a network's layers int8 weights, the convolutions by channel, and their
// inputs scales, which clamp some.
func toInt8(g *graph.Graph) {
	for _, n := range g.Nodes {
		var w *graph.Weights
		rows, scales := 1, 1
		switch op := n.Op.(type) {
		case *graph.Conv2D:
			w, rows, scales = &op.Weights, op.OutC, op.OutC
		case *graph.Dense:
			w, rows = &op.Weights, op.Out
		default:
			continue
		}
		n.In[0].Scale = 1.5 / quant.Max
		s, err := scalesOf(w.Float, rows, scales)
		if err != nil {
			panic(err)
		}
		w.Scale, w.Int8 = s, make([]int8, len(w.Float))
		for i, x := range w.Float {
			w.Int8[i] = quant.Quantize(x, s[i*scales/len(w.Float)])
		}
	}
}

// TestGradients compares every gradient with central differences in float64 on
// some of the weights.
func TestGradients(t *testing.T) {
	r := newRand(t)
	cases := gradientCases(r)
	for _, name := range slices.Sorted(maps.Keys(cases)) { // in one order, for what r gives
		g := cases[name]
		for _, threads := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s/threads=%d", name, threads), func(t *testing.T) {
				o := Options{Batch: 5, Threads: threads, Loss: Loss{Smoothing: 0.1}, Estimator: Estimator(threads % 2)}
				if threads > 1 {
					o.Loss.Share, o.Loss.Temperature = 0.6, 3
					o.Loss.Teacher = func(_ int, image, logits []float32) error { copy(logits, image); return nil }
				}
				n := newNet(t, g, o)
				checkGradients(t, r, n, randomImages(r, 5, g.Input.Shape, 4), 1e-4)
			})
		}
	}
}

// TestGradientsOfBFloat16Products is TestGradients where factors keep 8 bits, each
// within 2⁻⁹ of itself: a sum of products that cancel to no less than half of their
// magnitudes is within 2⁻⁷.
func TestGradientsOfBFloat16Products(t *testing.T) {
	needProducts(t, kernels.BFloat16Products)
	r := newRand(t)
	cases := gradientCases(r)
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		t.Run(name, func(t *testing.T) {
			n := newNet(t, cases[name], Options{Batch: 5, Threads: 2, Products: kernels.BFloat16Products})
			checkGradients(t, r, n, randomImages(r, 5, cases[name].Input.Shape, 4), 0x1p-7)
		})
	}
}

// checkGradients allows an error of tol of a tensor's largest gradient.
func checkGradients(t *testing.T, r *rand.Rand, n *Net, im *images, tol float64) {
	t.Helper()
	loss, _, err := n.Step(len(im.values), im.load)
	if err != nil {
		t.Fatal(err)
	}
	tries := 12
	if testing.Short() {
		tries = 3
	}
	w := newWide(n, im)
	if want := w.loss(); !(math.Abs(loss-want) <= 1e-5*max(1, want)) {
		t.Fatalf("loss %v, want %v", loss, want)
	}
	for _, p := range n.Params() {
		scale := 0.0
		for _, g := range p.Grad {
			scale = max(scale, math.Abs(float64(g)))
		}
		if scale == 0 {
			t.Errorf("%s: all gradients are 0", p.Name)
		}
		for range tries {
			i := r.IntN(len(p.W))
			const h = 1e-7 // small, so that hardly any ReLU changes its side
			v := &w.params[p.Name][i]
			at := *v
			*v = at + h
			up := w.loss()
			*v = at - h
			down := w.loss()
			*v = at
			want := (up - down) / (2 * h)
			if got := float64(p.Grad[i]); !(math.Abs(got-want) <= tol*scale) {
				t.Errorf("%s[%d]: gradient %v, central difference %v", p.Name, i, got, want)
			}
		}
	}
}
