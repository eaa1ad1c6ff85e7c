package nn_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
)

// checkFloat runs a float graph on batches and compares with the plain
// evaluation; bytes must give what the same numbers give.
func checkFloat(t testing.TB, r *rand.Rand, g *graph.Graph, c *kernels.Choice, batch int) {
	t.Helper()
	p := compile(t, g, c)
	size := p.InputSize()
	bytes, in := pixels(r, batch*size)
	got := run(t, p, in)
	for i := range batch {
		want, tol, ok := evaluate(t, g, in[i*size:(i+1)*size])
		if !ok {
			continue
		}
		near(t, fmt.Sprintf("image %d of %d", i, batch), g, got[i*len(want):(i+1)*len(want)], want, tol)
	}
	runner := p.NewRunner(1)
	defer runner.Close()
	fromBytes := make([]float32, len(got))
	if err := runner.RunPixels(fromBytes, bytes); err != nil {
		t.Fatal(err)
	}
	sameBits(t, "RunPixels beside Run", g, fromBytes, got)

	for i := range in { // values that are no bytes, after bytes
		in[i] = float32(r.NormFloat64())
	}
	if err := runner.Run(got, in); err != nil {
		t.Fatal(err)
	}
	for i := range batch {
		if want, tol, ok := evaluate(t, g, in[i*size:(i+1)*size]); ok {
			near(t, fmt.Sprintf("normal image %d of %d", i, batch), g, got[i*len(want):(i+1)*len(want)], want, tol)
		}
	}
}

// each builds one small graph for a rule and tries it on every float32
// implementation.
func TestFloatOps(t *testing.T) {
	type build func(m *maker) *graph.Value
	const c, h, w = 5, 6, 7
	image := graph.Shape{c, h, w}
	then := func(first build, more ...func(m *maker, x *graph.Value) *graph.Value) build {
		return func(m *maker) *graph.Value {
			x := first(m)
			for _, f := range more {
				x = f(m, x)
			}
			return x
		}
	}
	op := func(make func(m *maker, s graph.Shape) graph.Op) func(m *maker, x *graph.Value) *graph.Value {
		return func(m *maker, x *graph.Value) *graph.Value { return m.add(make(m, x.Shape), x) }
	}
	conv := op(func(m *maker, s graph.Shape) graph.Op { return m.fill(same(s, 9)) })
	relu := op(func(*maker, graph.Shape) graph.Op { return &graph.ReLU{} })
	norm := op(func(m *maker, s graph.Shape) graph.Op { return m.norm(s[0]) })
	affine := op(func(m *maker, s graph.Shape) graph.Op { return m.affine(s[0]) })
	halve := op(func(*maker, graph.Shape) graph.Op { return pool2 })
	flatten := op(func(*maker, graph.Shape) graph.Op { return &graph.Flatten{} })
	dense := op(func(m *maker, s graph.Shape) graph.Op { return m.dense(s.Size(), 11) })
	softmax := op(func(*maker, graph.Shape) graph.Op { return &graph.Softmax{} })
	sign := op(func(*maker, graph.Shape) graph.Op { return &graph.Sign{} })
	average := op(func(*maker, graph.Shape) graph.Op { return &graph.GlobalAveragePool{} })
	pooled := func(p graph.MaxPool) func(m *maker, x *graph.Value) *graph.Value {
		return op(func(*maker, graph.Shape) graph.Op { return &p })
	}
	in := func(m *maker) *graph.Value { return m.b.Input() }
	for _, tc := range []struct {
		name  string
		shape graph.Shape
		build build
	}{
		{"nothing: the input is the output", image, in},
		{"input normalization is the whole network", image, then(in, affine)},
		{"input normalization in two steps", image, then(in, affine, affine, conv)},
		{"input normalized by a batch norm", image, then(in, norm, conv)},
		{"input of one channel", graph.Shape{1, 6, 7}, then(in, affine, conv, relu)},
		{"input of three channels", graph.Shape{3, 6, 7}, then(in, affine, conv, relu)},
		{"input that is a vector", graph.Shape{13}, then(in, affine, dense, relu)},
		{"conv", image, then(in, conv)},
		{"conv relu", image, then(in, conv, relu)},
		{"conv norm", image, then(in, conv, norm)},
		{"conv norm relu", image, then(in, conv, norm, relu)},
		{"conv affine", image, then(in, conv, affine)},
		{"conv relu norm: not foldable", image, then(in, conv, relu, norm)},
		{"conv pool", image, then(in, conv, halve)},
		{"conv relu pool", image, then(in, conv, relu, halve)},
		{"conv pool relu", image, then(in, conv, halve, relu)},
		{"conv pool norm relu", image, then(in, conv, halve, norm, relu)},
		{"conv norm relu pool conv", image, then(in, conv, norm, relu, halve, conv)},
		{"conv relu relu pool", image, then(in, conv, relu, relu, halve)},
		{"conv pool pool", graph.Shape{c, 8, 9}, then(in, conv, halve, halve)},
		{"pool 3x3 stride 2", image, then(in, conv, pooled(graph.MaxPool{KH: 3, KW: 3, StrideH: 2, StrideW: 2}))},
		{"pool 2x2 stride 1", image, then(in, conv, pooled(graph.MaxPool{KH: 2, KW: 2, StrideH: 1, StrideW: 1}))},
		{"pool 2x2 stride 2 padded above", image, then(in, conv, pooled(graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2, PadTop: 1}))},
		{"pool 2x2 stride 2 padded left", image, then(in, conv, pooled(graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2, PadLeft: 1}))},
		{"pool 2x2 stride 2 padded below", graph.Shape{c, 7, 7}, then(in, conv, pooled(graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2, PadBottom: 1}))},
		{"pool 2x2 stride 2 padded right", graph.Shape{c, 7, 7}, then(in, conv, pooled(graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2, PadRight: 1}))},
		{"pool 2x2 stride 2,1", image, then(in, conv, pooled(graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 1}))},
		{"pool 2x1 stride 2", image, then(in, conv, pooled(graph.MaxPool{KH: 2, KW: 1, StrideH: 2, StrideW: 2}))},
		{"pool of an odd extent", graph.Shape{c, 7, 5}, then(in, conv, halve)},
		{"pool of the input", image, then(in, halve)},
		{"average", image, then(in, average)},
		{"average of a conv", image, then(in, conv, average, flatten, dense)},
		{"flatten is the output", image, then(in, flatten)},
		{"flatten in the middle", image, then(in, conv, relu, flatten, relu, dense)},
		{"flatten of a flatten", image, then(in, conv, flatten, flatten, dense)},
		{"flatten into two readers", image, func(m *maker) *graph.Value {
			x := flatten(m, conv(m, in(m)))
			return m.add(&graph.Add{}, m.add(m.dense(x.Shape.Size(), 11), x), dense(m, relu(m, x)))
		}},
		{"dense of the input", image, then(in, flatten, dense)},
		{"dense dense", image, then(in, flatten, dense, relu, dense)},
		{"dense norm relu", image, then(in, flatten, dense, norm, relu)},
		{"softmax", image, then(in, conv, relu, average, flatten, dense, softmax)},
		{"softmax of the input", graph.Shape{7}, then(in, softmax)},
		{"sign of the input", image, then(in, affine, sign)},
		{"sign before a float conv", image, then(in, affine, sign, conv)},
		{"sign after a float conv", image, then(in, conv, norm, sign)},
		{"sign pool dense", image, then(in, affine, sign, halve, flatten, dense)},
		{"residual", image, func(m *maker) *graph.Value {
			x := conv(m, in(m))
			return relu(m, m.add(&graph.Add{}, conv(m, relu(m, x)), x))
		}},
		{"twice a value", image, func(m *maker) *graph.Value {
			x := conv(m, in(m))
			return m.add(&graph.Add{}, x, x)
		}},
		{"depthwise", graph.Shape{37, 6, 7}, func(m *maker) *graph.Value {
			x := same(graph.Shape{37, 6, 7}, 37)
			x.Groups, x.StrideH = 37, 2
			y := same(graph.Shape{37, 3, 7}, 37)
			y.Groups, y.DilationW = 37, 2
			return relu(m, m.add(m.fill(y), m.add(&graph.Clip{Lo: 0, Hi: 6}, m.add(m.fill(x), in(m)))))
		}},
		{"depthwise norm relu pool", image, func(m *maker) *graph.Value {
			x := same(image, c)
			x.Groups = c
			return halve(m, relu(m, norm(m, m.add(m.fill(x), in(m)))))
		}},
		{"depthwise with twice the channels", image, func(m *maker) *graph.Value {
			x := same(image, 2*c)
			x.Groups = c
			return m.add(m.fill(x), in(m))
		}},
		{"groups", graph.Shape{12, 6, 7}, func(m *maker) *graph.Value {
			x := same(graph.Shape{12, 6, 7}, 21)
			x.Groups, x.PadValue = 3, 1.5
			return halve(m, relu(m, m.add(m.fill(x), in(m))))
		}},
		{"conv clip pool", image, func(m *maker) *graph.Value {
			return halve(m, m.add(&graph.Clip{Lo: -0.25, Hi: 0.5}, relu(m, conv(m, in(m)))))
		}},
		{"conv clip to one number", image, func(m *maker) *graph.Value { return m.add(&graph.Clip{}, conv(m, in(m))) }},
		{"dense clip", image, func(m *maker) *graph.Value {
			return m.add(&graph.Clip{Lo: -0.25, Hi: 0.5}, dense(m, flatten(m, in(m))))
		}},
		{"average pool", image, then(in, conv, op(func(*maker, graph.Shape) graph.Op {
			return &graph.AveragePool{KH: 3, KW: 2, StrideH: 2, StrideW: 1, PadTop: 1, PadRight: 1}
		}))},
		{"average pool counting padding", image, then(in, conv, op(func(*maker, graph.Shape) graph.Op {
			return &graph.AveragePool{KH: 2, KW: 2, StrideH: 2, StrideW: 2, PadTop: 1, PadLeft: 1, DilationH: 2, CountPad: true}
		}))},
		{"max pool with dilation", image, then(in, conv, pooled(graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2, DilationH: 2, DilationW: 3}))},
		{"squeeze and excite", image, func(m *maker) *graph.Value {
			x := conv(m, in(m))
			s := m.add(&graph.Func{Name: "hardsigmoid", Alpha: 0.2, Beta: 0.5}, m.add(m.fill(&graph.Conv2D{InC: 9, OutC: 9, KH: 1, KW: 1,
				StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}), average(m, x)))
			return conv(m, m.add(&graph.Mul{}, s, x))
		}},
		{"stretched over channels and columns", image, func(m *maker) *graph.Value {
			x := in(m)
			one := m.add(&graph.Slice{Start: [3]int{2, 0, 3}, Step: [3]int{1, 1, 1}, Size: [3]int{1, h, 1}}, x)
			top := m.add(&graph.Slice{Step: [3]int{1, 1, 1}, Size: [3]int{c, 1, w}}, x)
			return m.add(&graph.Sub{}, m.add(&graph.Add{}, one, x), m.add(&graph.Add{}, top, x))
		}},
		{"clamped sums, differences, products and quotients", image, func(m *maker) *graph.Value {
			x := in(m)
			sum := relu(m, m.add(&graph.Add{}, conv(m, x), conv(m, x)))
			less := m.add(&graph.Clip{Lo: -0.5, Hi: 0.5}, m.add(&graph.Sub{}, conv(m, sum), conv(m, x)))
			both := relu(m, m.add(&graph.Mul{}, less, m.add(&graph.GlobalAveragePool{}, less)))
			stretched := relu(m, m.add(&graph.Mul{}, both, m.add(&graph.Slice{Step: [3]int{1, 1, 1}, Size: [3]int{1, h, w}}, x)))
			return relu(m, m.add(&graph.Div{}, stretched, m.add(&graph.Affine{Scale: []float32{1}, Shift: []float32{3}}, relu(m, conv(m, x)))))
		}},
		{"divided", image, func(m *maker) *graph.Value {
			return m.add(&graph.Div{}, conv(m, in(m)), m.add(&graph.Affine{Scale: []float32{1}, Shift: []float32{3}}, m.add(&graph.Func{Name: "sigmoid"}, conv(m, in(m)))))
		}},
		{"functions", image, then(in, conv, op(func(*maker, graph.Shape) graph.Op { return &graph.Func{Name: "hardswish"} }),
			op(func(*maker, graph.Shape) graph.Op { return &graph.Func{Name: "tanh"} }))},
		{"moved about", image, then(in, conv, op(func(_ *maker, s graph.Shape) graph.Op {
			return &graph.Transpose{View: []int{3, 3, h * w}, Perm: []int{1, 0, 2}, To: s}
		}), op(func(*maker, graph.Shape) graph.Op { return &graph.Reshape{To: graph.Shape{18, 3, 7}} }), conv,
			op(func(*maker, graph.Shape) graph.Op {
				return &graph.Slice{Start: [3]int{1, 2, 0}, Step: [3]int{2, -1, 3}, Size: [3]int{4, 3, 3}}
			}),
			op(func(*maker, graph.Shape) graph.Op {
				return &graph.Pad{Before: [3]int{1, 0, 2}, After: [3]int{0, 1, 1}, Value: 2.5}
			}), conv,
			op(func(*maker, graph.Shape) graph.Op {
				return &graph.Pad{Before: [3]int{0, 2, 0}, After: [3]int{0, 0, 2}, Mode: graph.PadReflect}
			}))},
		{"a constant", image, func(m *maker) *graph.Value {
			k := m.add(&graph.Constant{To: graph.Shape{c, 1, w}, Values: m.normal(c*w, 1)}, in(m))
			return conv(m, m.add(&graph.Mul{}, in(m), k))
		}},
		{"softmax over channels", image, then(in, conv, softmax)},
		{"argmax", image, then(in, op(func(*maker, graph.Shape) graph.Op { return &graph.ArgMax{} }))},
		{"argmax of a vector", graph.Shape{7}, then(in, op(func(*maker, graph.Shape) graph.Op { return &graph.ArgMax{Last: true} }))},
		{"prelu", image, func(m *maker) *graph.Value {
			x := conv(m, in(m))
			return m.add(&graph.PReLU{Slope: m.normal(x.Shape[0], 1)}, x)
		}},
		{"clip", image, func(m *maker) *graph.Value { return m.add(&graph.Clip{Lo: -0.5, Hi: 0.25}, conv(m, in(m))) }},
		{"concat", image, func(m *maker) *graph.Value {
			x, y := in(m), conv(m, in(m))
			return conv(m, m.add(&graph.Concat{}, x, y, sign(m, y), x))
		}},
		{"concat of vectors", image, func(m *maker) *graph.Value {
			x := flatten(m, in(m))
			return dense(m, m.add(&graph.Concat{}, dense(m, x), x))
		}},
		{"dropout", image, func(m *maker) *graph.Value {
			drop := func(m *maker, x *graph.Value) *graph.Value { return m.add(&graph.Dropout{Rate: 0.5}, x) }
			return drop(m, relu(m, drop(m, conv(m, in(m)))))
		}},
		{"the output is read inside as well", image, func(m *maker) *graph.Value {
			x := relu(m, conv(m, in(m)))
			m.add(m.fill(same(x.Shape, 3)), x)
			return x
		}},
		{"the output is read by what could be fused", image, func(m *maker) *graph.Value {
			x := conv(m, in(m))
			relu(m, x)
			return x
		}},
		{"a value that nobody reads", image, func(m *maker) *graph.Value {
			flatten(m, conv(m, in(m)))
			return halve(m, in(m))
		}},
		{"readers with halos of their own", image, func(m *maker) *graph.Value {
			x := relu(m, conv(m, in(m)))
			wide := same(x.Shape, 4)
			wide.KH, wide.KW, wide.PadTop, wide.PadBottom, wide.PadLeft, wide.PadRight = 5, 1, 2, 2, 0, 0
			narrow := same(x.Shape, 4)
			narrow.KH, narrow.PadTop, narrow.PadBottom = 1, 0, 0 // one column on each side, where wide has none
			middle := same(x.Shape, 4)
			return m.add(&graph.Add{}, m.add(m.fill(middle), x), m.add(&graph.Add{}, m.add(m.fill(wide), x), m.add(m.fill(narrow), x)))
		}},
		{"padding with a number", image, func(m *maker) *graph.Value {
			x := same(image, 6)
			x.PadValue = -2.5
			return m.add(m.fill(x), relu(m, in(m)))
		}},
		{"padding with a number beside none", image, func(m *maker) *graph.Value {
			x := same(image, 6)
			x.PadValue = 3
			y := *same(image, 6)
			y.KH, y.PadTop, y.PadBottom, y.KW, y.PadLeft, y.PadRight = 1, 0, 0, 1, 0, 0
			return m.add(&graph.Add{}, m.add(m.fill(x), in(m)), m.add(m.fill(&y), in(m)))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRand(t)
			m := newMaker(r, tc.shape)
			g := m.graph(t, tc.build(m))
			for _, choice := range choices(t, dtype.Float32) {
				checkFloat(t, r, g, choice, 1+r.IntN(3))
			}
		})
	}
}

// randomFloat is a small network of any float ops.
func randomFloat(r *rand.Rand) (*maker, *graph.Value) {
	m := newMaker(r, randomImage(r, 12))
	x := m.b.Input()
	for range r.IntN(3) {
		x = m.add(m.affine(x.Shape[0]), x)
	}
	for range 1 + r.IntN(6) {
		if len(x.Shape) == 1 {
			x = m.vectorOp(x)
			continue
		}
		switch r.IntN(12) {
		case 0, 1, 2:
			x = m.add(m.conv(x.Shape, 1+r.IntN(40)), x)
		case 3:
			c := m.conv(x.Shape, 1+r.IntN(12))
			c.PadValue = float32(r.IntN(3) - 1)
			x = m.add(c, x)
		case 4:
			x = m.add(m.norm(x.Shape[0]), x)
		case 5, 6:
			x = m.add(&graph.ReLU{}, x)
		case 7, 8:
			x = m.add(m.pool(x.Shape), x)
		case 9:
			x = m.add(&graph.Add{}, m.add(m.fill(same(x.Shape, x.Shape[0])), x), x)
		case 10:
			x = m.add(&graph.GlobalAveragePool{}, x)
		case 11:
			x = m.add(&graph.Flatten{}, x)
		}
	}
	return m, x
}

func (m *maker) vectorOp(x *graph.Value) *graph.Value {
	switch m.r.IntN(6) {
	case 0:
		return m.add(&graph.ReLU{}, x)
	case 1:
		return m.add(m.norm(x.Shape[0]), x)
	case 2:
		return m.add(&graph.Softmax{}, x)
	case 3:
		return m.add(&graph.Add{}, m.add(&graph.ReLU{}, x), x)
	default:
		return m.add(m.dense(x.Shape[0], 1+m.r.IntN(20)), x)
	}
}

func TestRandomFloatNetworks(t *testing.T) {
	n := rounds(150)
	eachImpl(t, dtype.Float32, func(t *testing.T, c *kernels.Choice) {
		r := newRand(t)
		for i := range n {
			m, out := randomFloat(r)
			checkFloat(t, r, m.graph(t, out), c, 1+i%5)
		}
	})
}

// One convolution alone, through all that its geometry can be: channels 1 to 70
// on both sides, so that panels are whole and ragged.
func TestRandomFloatConvolutions(t *testing.T) {
	n := rounds(150)
	eachImpl(t, dtype.Float32, func(t *testing.T, c *kernels.Choice) {
		r := newRand(t)
		for range n {
			m := newMaker(r, randomImage(r, 70))
			x := m.add(m.conv(m.b.Input().Shape, 1+r.IntN(70)), m.b.Input())
			if x.Shape[1] > 1 && x.Shape[2] > 1 && m.one(3) {
				x = m.add(pool2, x)
			}
			if m.one(2) {
				x = m.add(&graph.ReLU{}, x)
			}
			checkFloat(t, r, m.graph(t, x), c, 1)
		}
	})
}
