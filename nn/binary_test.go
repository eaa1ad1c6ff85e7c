package nn_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/graph/reference"
	"macroscope/kernels"
	"macroscope/nn"
)

// binaryConv is a random convolution of ±1 weights padded with −1 or +1.
func (m *maker) binaryConv(in graph.Shape, outC int) *graph.Conv2D {
	c := m.geometry(in, outC)
	c.Binary, c.Float, c.PadValue = true, m.signs(outC*c.K()), m.signs(1)[0]
	if m.one(4) {
		c.Bias = make([]float32, outC)
		for i := range c.Bias {
			c.Bias[i] = float32(m.r.IntN(17)-8) / 4
		}
	}
	return c
}

// sameBinary is one that keeps the image's extent.
func (m *maker) sameBinary(in graph.Shape, outC int) *graph.Conv2D {
	c := same(in, outC)
	c.Binary, c.Float, c.PadValue = true, m.signs(outC*c.K()), m.signs(1)[0]
	return c
}

// sumNorm is a batch norm of the range that sums of k products have, with
// negative and zero gammas, and with ties: means at an integer and beta 0.
func (m *maker) sumNorm(c, k int) *graph.BatchNorm {
	bn := m.norm(c)
	spread := math.Sqrt(float64(k))
	for i := range c {
		bn.Mean[i] *= float32(spread)
		bn.Var[i] *= float32(k)
		if m.one(3) {
			bn.Mean[i], bn.Beta[i] = float32(math.Round(float64(bn.Mean[i]))), 0
		}
	}
	return bn
}

// randomBinary is a sign and then layers of ±1, in the orders that are found:
// convolution, perhaps pool, perhaps ReLU, norms, sign. It ends in the signs,
// or in what exact sums become: themselves, a norm's float32, a dense layer of
// integers.
func randomBinary(t testing.TB, r *rand.Rand) *graph.Graph {
	m := newMaker(r, randomImage(r, 70))
	x := m.add(m.affine(m.b.Input().Shape[0]), m.b.Input())
	x = m.add(&graph.Sign{}, x)
	for range 1 + r.IntN(3) {
		c := m.binaryConv(x.Shape, 1+r.IntN(70))
		x = m.add(c, x)
		if m.one(6) {
			x = m.add(&graph.ReLU{}, x)
		}
		if m.one(2) && x.Shape[1] > 1 && x.Shape[2] > 1 {
			x = m.add(pool2, x)
		}
		if m.one(5) {
			return m.graph(t, x)
		}
		if !m.one(6) {
			x = m.add(m.sumNorm(c.OutC, c.K()), x)
		}
		if m.one(5) {
			x = m.add(m.affine(c.OutC), x)
		}
		if m.one(5) {
			return m.graph(t, x)
		}
		x = m.add(&graph.Sign{}, x)
		if m.one(3) && x.Shape[1] > 2 && x.Shape[2] > 2 {
			x = m.add([]*graph.MaxPool{pool2, {KH: 3, KW: 2, StrideH: 1, StrideW: 2, PadTop: 1, PadLeft: 1}}[r.IntN(2)], x)
		}
	}
	if m.one(2) {
		d := m.dense(x.Shape.Size(), 1+r.IntN(12))
		for i, w := range d.Float {
			d.Float[i] = float32(math.Round(float64(w) * 100))
		}
		d.Bias = nil
		x = m.add(d, m.add(&graph.Flatten{}, x))
	}
	return m.graph(t, x)
}

// rounded is the reference's result as float32: what a network of exact sums
// and at most one rounded op after them gives.
func rounded(t testing.TB, g *graph.Graph, image []float32) []float32 {
	t.Helper()
	want, err := reference.Run(g, image, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, len(want))
	for i, v := range want {
		out[i] = float32(v)
	}
	return out
}

// The normalized input is what float32 makes of it, so that its sign is taken
// of the same number: the reference is given the graph from there on.
func afterInput(t testing.TB, g *graph.Graph, image []float32) (*graph.Graph, []float32) {
	t.Helper()
	a, ok := g.Nodes[0].Op.(*graph.Affine)
	if !ok {
		return g, image
	}
	in := make([]float32, len(image))
	for i, x := range image {
		in[i] = float32(a.At(i/g.Input.Shape.Plane(), float64(x)))
	}
	return &graph.Graph{Name: g.Name, Input: g.Nodes[0].Out, Output: g.Output, Nodes: g.Nodes[1:]}, in
}

// A binary network gives exactly what the plain evaluation gives on floats of
// ±1: signs, sums, norms of sums. Two norms in a row are rounded twice where no
// sign follows, so only the other comparison, with the rules step by step,
// holds there.
func TestRandomBinaryNetworks(t *testing.T) {
	n := rounds(250)
	r := newRand(t)
	exact := 0
	for i := range n {
		g := randomBinary(t, r)
		checkExact(t, r, g, 1+i%3, dtype.Binary)
		if last := g.Nodes[len(g.Nodes)-1]; last.Op.Kind() == "affine" {
			continue
		}
		exact++
		_, in := pixels(r, g.Input.Shape.Size())
		rest, image := afterInput(t, g, in)
		want := rounded(t, rest, image)
		for _, c := range choices(t, dtype.Binary) {
			sameBits(t, c.String()+" beside the reference", g, run(t, compile(t, g, c), in), want)
		}
	}
	if exact < n/2 {
		t.Errorf("only %d of %d networks were compared with the reference", exact, n)
	}
}

// Batch norm before the pool instead of after it, float ops between binary
// layers, a ±1 value that several read: all exact, fused or not.
func TestBinaryShapes(t *testing.T) {
	image := graph.Shape{9, 6, 7}
	for name, build := range map[string]func(m *maker, x *graph.Value) *graph.Value{
		"norm before the pool": func(m *maker, x *graph.Value) *graph.Value {
			c := m.sameBinary(x.Shape, 33)
			return m.add(&graph.Sign{}, m.add(pool2, m.add(m.sumNorm(33, c.K()), m.add(c, x))))
		},
		"sign before the pool": func(m *maker, x *graph.Value) *graph.Value {
			return m.add(pool2, m.add(&graph.Sign{}, m.add(m.sameBinary(x.Shape, 33), x)))
		},
		"a pool between sign and binary conv": func(m *maker, x *graph.Value) *graph.Value {
			c := m.binaryConv(graph.Shape{9, 3, 3}, 33)
			c.Bias = nil
			return m.add(c, m.add(pool2, x))
		},
		"a ±1 value read by a binary conv and an add": func(m *maker, x *graph.Value) *graph.Value {
			return m.add(&graph.Add{}, m.add(m.sameBinary(x.Shape, 9), x), x)
		},
		"a ±1 value padded with 0 for int8 and with ±1 for bits": func(m *maker, x *graph.Value) *graph.Value {
			bits, bytes := m.sameBinary(x.Shape, 20), same(x.Shape, 20)
			bytes.Float = m.signs(20 * bytes.K())
			roundWeights(&bytes.Weights, 20, true)
			bytes.Scale = []float32{1.0 / 128}
			return m.add(&graph.Add{}, m.add(bits, x), m.add(bytes, x))
		},
		"a ±1 value flattened into an int8 dense layer": func(m *maker, x *graph.Value) *graph.Value {
			d := m.dense(x.Shape.Size(), 5)
			roundWeights(&d.Weights, 5, true)
			return m.add(d, m.add(&graph.Flatten{}, x))
		},
		"norms that a sign does not follow": func(m *maker, x *graph.Value) *graph.Value {
			c := m.binaryConv(x.Shape, 33)
			return m.add(&graph.ReLU{}, m.add(m.sumNorm(33, c.K()), m.add(c, x)))
		},
		"sums as int8": func(m *maker, x *graph.Value) *graph.Value {
			sums := m.add(m.binaryConv(x.Shape, 33), x)
			sums.Scale = 0.75
			d := m.conv(sums.Shape, 4)
			roundWeights(&d.Weights, 4, false)
			return m.add(d, sums)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRand(t)
			for range 5 {
				m := newMaker(r, image)
				g := m.graph(t, build(m, m.add(&graph.Sign{}, m.add(m.affine(9), m.b.Input()))))
				checkExact(t, r, g, 2, dtype.Binary, dtype.Int8)
			}
		})
	}
}

// A sign's output that the graph says is carried as int8 of some scale is ±1
// rounded to that scale, whoever computes the sign.
func TestScaledSigns(t *testing.T) {
	eachImpl(t, dtype.Int8, func(t *testing.T, c *kernels.Choice) {
		for _, fused := range []bool{false, true} {
			m := newMaker(newRand(t), graph.Shape{1, 2, 3})
			x := m.add(&graph.Sign{}, m.b.Input())
			if fused {
				bits := identity(1, 0)
				bits.Int8, bits.Scale, bits.Binary = nil, nil, true
				x = m.add(&graph.Sign{}, m.add(bits, x))
			}
			x.Scale = 0.5
			g := m.graph(t, m.add(identity(3, 0), x))
			sameBits(t, "signs", g, run(t, compile(t, g, c), []float32{1, -1, 5, -5, 0, -0.25}), []float32{3, -3, 3, -3, 3, -3})
		}
	})
}

// A max-pool of signs stays in bits, and so does the layer that reads it.
func TestPoolOfSignsStaysBinary(t *testing.T) {
	m := newMaker(rand.New(rand.NewPCG(1, 1)), graph.Shape{40, 8, 8})
	x := m.add(&graph.Sign{}, m.b.Input())
	x = m.add(&graph.Sign{}, m.add(m.sameBinary(x.Shape, 33), x))
	x = m.add(pool2, x)
	x = m.add(m.sameBinary(x.Shape, 5), x)
	g := m.graph(t, x)
	plan, err := nn.Compile(g, nn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range plan.Layers() {
		if l.DType != dtype.Binary {
			t.Errorf("layer %s runs as %v by %s: want binary", l.Name, l.DType, l.Impl)
		}
	}
}
