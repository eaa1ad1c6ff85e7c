package nn_test

import (
	"math"
	"testing"

	"macroscope/graph"
	"macroscope/graph/reference"
)

// epsilon is 2⁻²³: twice float32's rounding unit, so that every bound below has
// room for second-order terms.
const epsilon = 0x1p-23

// evaluate gives the plain float64 evaluation of g and, for each output element,
// how far a float32 evaluation may be from it: the error of each node's inputs as
// it passes through the node, plus what the node's own roundings add,
//
//	sums of n products   (n+4)·ε·(Σ|w||x| + |bias|), any order (DESIGN's rule), the
//	                     constants' own roundings after folding included
//	x·scale + shift      4·ε·(|x·scale| + |shift|), likewise
//	a stream's value      half a step of its int16
//	softmax              a relative e^(2δ)−1 for inputs δ apart
//
// ok is false where a sign's input is too near 0 to tell, or a stream's value beyond
// its int16: then nothing is known.
func evaluate(t testing.TB, g *graph.Graph, image []float32) (want, tol []float64, ok bool) {
	t.Helper()
	values, err := reference.Values(g, image)
	if err != nil {
		t.Fatal(err)
	}
	want = values[g.Output]
	errs := map[*graph.Value][]float64{g.Input: make([]float64, len(image))}
	for _, n := range g.Nodes {
		x, e := values[n.In[0]], errs[n.In[0]]
		out := make([]float64, len(values[n.Out]))
		shape := n.In[0].Shape
		switch op := n.Op.(type) {
		case *graph.Conv2D:
			abs := *op
			abs.Float, abs.Bias, abs.Binary, abs.PadValue = absolute(op.Float), nil, false, float32(math.Abs(float64(op.PadValue)))
			size := apply(t, &abs, shape, sum(absolute64(x), e))
			abs.PadValue = 0
			passed := apply(t, &abs, shape, e)
			plane := n.Out.Shape.Plane()
			for i := range out {
				out[i] = passed[i] + float64(op.K()+4)*epsilon*(size[i]+biasSize(&op.Weights, i/plane))
			}
		case *graph.Dense:
			abs := *op
			abs.Float, abs.Bias, abs.Binary = absolute(op.Float), nil, false
			size, passed := apply(t, &abs, shape, sum(absolute64(x), e)), apply(t, &abs, shape, e)
			for i := range out {
				out[i] = passed[i] + float64(op.In+4)*epsilon*(size[i]+biasSize(&op.Weights, i))
			}
		case *graph.BatchNorm:
			for i := range out {
				c := i / n.Out.Shape.Plane()
				s := math.Abs(float64(op.Gamma[c])) / math.Sqrt(float64(op.Var[c])+float64(op.Epsilon))
				out[i] = s*e[i] + 4*epsilon*(s*(math.Abs(x[i])+math.Abs(float64(op.Mean[c])))+math.Abs(float64(op.Beta[c])))
			}
		case *graph.Affine:
			for i := range out {
				c := i / n.Out.Shape.Plane()
				shift := op.At(c, 0)
				s := math.Abs(op.At(c, 1) - shift)
				out[i] = s*e[i] + 4*epsilon*(s*math.Abs(x[i])+math.Abs(shift))
			}
		case *graph.Sign:
			for i := range out {
				if math.Abs(x[i]) <= e[i] && e[i] > 0 {
					return nil, nil, false
				}
			}
		case *graph.MaxPool:
			out = apply(t, op, shape, e)
		case *graph.AveragePool:
			size := apply(t, op, shape, absolute64(x))
			out = apply(t, op, shape, e)
			for i := range out {
				out[i] += float64(op.KH*op.KW+1) * epsilon * size[i]
			}
		case *graph.Func: // one whose slope is at most 1.13, as tanh, sigmoid or hardswish
			for i := range out {
				out[i] = 1.13*e[i] + epsilon*math.Abs(values[n.Out][i])
			}
		case *graph.Reshape, *graph.Transpose, *graph.Slice, *graph.Pad:
			if p, ok := op.(*graph.Pad); ok {
				c := *p
				c.Value = 0
				out = apply(t, &c, shape, e)
			} else {
				out = apply(t, op, shape, e)
			}
		case *graph.Constant: // exact
		case *graph.ArgMax:
			for i := range e {
				if e[i] > 0 {
					return nil, nil, false
				}
			}
		case *graph.GlobalAveragePool:
			out = apply(t, op, shape, e)
			for i := range out {
				out[i] += epsilon * math.Abs(values[n.Out][i])
			}
		case *graph.PReLU:
			for i := range out {
				slope := math.Abs(op.At(i/n.Out.Shape.Plane(), -1))
				out[i] = max(1, slope)*e[i] + epsilon*math.Abs(values[n.Out][i])
			}
		case *graph.Concat:
			out = out[:0]
			for _, v := range n.In {
				out = append(out, errs[v]...)
			}
		case *graph.Add, *graph.Sub, *graph.Mul, *graph.Div:
			out = passedOn(t, n, x, values[n.In[1]], e, errs[n.In[1]])
			for i := range out {
				out[i] += epsilon * math.Abs(values[n.Out][i])
			}
		case *graph.Softmax:
			delta := 0.0
			for i := range x {
				delta = max(delta, e[i]+epsilon*math.Abs(x[i]))
			}
			for i, p := range values[n.Out] {
				out[i] = p*(math.Expm1(2*delta)+4*epsilon) + 0x1p-140
			}
		default: // ReLU, Clip, Flatten
			copy(out, e)
		}
		if s := float64(n.Out.Stream); s != 0 {
			for i := range out {
				if math.Abs(values[n.Out][i])+out[i] > math.MaxInt16*s {
					return nil, nil, false // saturated, or nearly
				}
				out[i] += s / 2
			}
		}
		errs[n.Out] = out
	}
	return want, errs[g.Output], true
}

// passedOn is how far the errors e and f of an element-wise op's inputs x and y move its
// output: e+f; |x|·f + |y|·e + e·f; or (e + |x/y|·f)/(|y|−f), where f must be small.
func passedOn(t testing.TB, n *graph.Node, x, y, e, f []float64) []float64 {
	t.Helper()
	a, b := n.In[0].Shape, n.In[1].Shape
	both := func(op graph.Op, u, v []float64) []float64 {
		bd := graph.New("pair", "in", graph.Shape{len(u) + len(v)})
		part := func(name string, at, size int, s graph.Shape) *graph.Value {
			p := bd.Add(name+" part", &graph.Slice{Start: [3]int{at}, Step: [3]int{1}, Size: [3]int{size}}, bd.Input())
			return bd.Add(name, &graph.Reshape{To: s}, p)
		}
		g, err := bd.Graph(bd.Add("op", op, part("u", 0, len(u), a), part("v", len(u), len(v), b)))
		if err != nil {
			t.Fatal(err)
		}
		in := make([]float32, 0, len(u)+len(v))
		for _, z := range append(append([]float64(nil), u...), v...) {
			in = append(in, float32(z))
		}
		out, err := reference.Run(g, in, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	switch n.Op.(type) {
	case *graph.Mul:
		return sum(sum(both(n.Op, absolute64(x), f), both(n.Op, e, absolute64(y))), both(n.Op, e, f))
	case *graph.Div:
		ratio := both(n.Op, absolute64(x), absolute64(y))
		one := make([]float64, len(y)) // 1/(|y|−f) as what e is divided by
		for i := range one {
			one[i] = math.Abs(y[i]) - f[i]
		}
		out := both(&graph.Div{}, e, one)
		share := make([]float64, len(y))
		for i := range share {
			share[i] = f[i] / one[i]
		}
		zero := make([]float64, len(x))
		for i, v := range both(&graph.Add{}, zero, share) {
			out[i] += ratio[i] * v
		}
		return out
	}
	return both(&graph.Add{}, e, f)
}

// apply evaluates one op on its own.
func apply(t testing.TB, op graph.Op, shape graph.Shape, x []float64) []float64 {
	t.Helper()
	in := make([]float32, len(x))
	for i, v := range x {
		in[i] = float32(v)
	}
	b := graph.New("one op", "in", shape)
	g, err := b.Graph(b.Add("op", op, b.Input()))
	if err != nil {
		t.Fatal(err)
	}
	out, err := reference.Run(g, in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func absolute(v []float32) []float32 {
	a := make([]float32, len(v))
	for i, x := range v {
		a[i] = float32(math.Abs(float64(x)))
	}
	return a
}

func absolute64(v []float64) []float64 {
	a := make([]float64, len(v))
	for i, x := range v {
		a[i] = math.Abs(x)
	}
	return a
}

func sum(a, b []float64) []float64 {
	s := make([]float64, len(a))
	for i := range s {
		s[i] = a[i] + b[i]
	}
	return s
}

func biasSize(w *graph.Weights, o int) float64 {
	if w.Bias == nil {
		return 0
	}
	return math.Abs(float64(w.Bias[o]))
}

// near fails at the first value that is farther from want than tol, also where
// it is NaN.
func near(t testing.TB, what string, g *graph.Graph, got []float32, want, tol []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values: want %d", what, len(got), len(want))
	}
	for i := range want {
		if err := math.Abs(float64(got[i]) - want[i]); !(err <= tol[i]) {
			t.Fatalf("%s: value %d is %v: want %v within %.3g\n%s", what, i, got[i], want[i], tol[i], describe(g))
		}
	}
}
