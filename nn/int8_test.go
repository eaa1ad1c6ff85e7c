package nn_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/graph/reference"
	"macroscope/kernels"
	"macroscope/quant"
)

// quantize rounds every layer's weights and gives every layer's input a scale
// that carries a part of its range on the given image, so that some values
// saturate; some other values have a scale too. It changes g.
func quantize(t testing.TB, r *rand.Rand, g *graph.Graph, image []float32) {
	t.Helper()
	most := map[*graph.Value]float64{}
	signs := map[*graph.Value]bool{}
	if _, err := reference.Run(g, image, func(v *graph.Value, data []float64) {
		for _, x := range data {
			most[v] = max(most[v], math.Abs(x))
		}
	}); err != nil {
		t.Fatal(err)
	}
	giver := map[*graph.Value]*graph.Node{}
	for _, n := range g.Nodes {
		giver[n.Out] = n
		_, sign := n.Op.(*graph.Sign)
		_, flat := n.Op.(*graph.Flatten)
		signs[n.Out] = sign || flat && signs[n.In[0]]
	}
	zeroPoint := func() int8 { // mostly none
		return []int8{0, 0, 0, -128, -3, 100}[r.IntN(6)]
	}
	scaleFor := func(v *graph.Value) float32 {
		scale, err := quant.Scale(float32(most[v] * (0.4 + 0.8*r.Float64())))
		if err != nil {
			t.Fatal(err)
		}
		return scale
	}
	for _, n := range g.Nodes {
		if v := n.In[0]; r.IntN(8) == 0 && !signs[v] && (giver[v] == nil || giver[v].Op.Kind() != "flatten") {
			v.Scale, v.Zero, v.Full = scaleFor(v), zeroPoint(), r.IntN(2) == 0
		}
		w, rows := weightsOf(n.Op)
		if w == nil || w.Binary {
			continue
		}
		roundWeights(w, rows, r.IntN(2) == 0)
		v := n.In[0]
		if v.Scale != 0 || signs[v] {
			continue
		}
		scale := scaleFor(v)
		v.Scale, v.Zero, v.Full = scale, zeroPoint(), r.IntN(2) == 0
		if f := giver[v]; f != nil && f.Op.Kind() == "flatten" && r.IntN(2) == 0 {
			f.In[0].Scale, f.In[0].Zero, f.In[0].Full = scale, v.Zero, v.Full // as package ptq does; the flattening's own is enough
		} else if f != nil && f.Op.Kind() == "flatten" && !signs[f.In[0]] && r.IntN(2) == 0 {
			f.In[0].Scale = scaleFor(f.In[0]) // rounded twice
		}
	}
}

func weightsOf(op graph.Op) (w *graph.Weights, rows int) {
	switch op := op.(type) {
	case *graph.Conv2D:
		return &op.Weights, op.OutC
	case *graph.Dense:
		return &op.Weights, op.Out
	}
	return nil, 0
}

func roundWeights(w *graph.Weights, rows int, perChannel bool) {
	groups := 1
	if perChannel {
		groups = rows
	}
	w.Int8, w.Scale = make([]int8, len(w.Float)), make([]float32, groups)
	size := len(w.Float) / groups
	for i := range groups {
		part := w.Float[i*size : (i+1)*size]
		most := float32(0)
		for _, x := range part {
			most = max(most, float32(math.Abs(float64(x))))
		}
		w.Scale[i] = most / 127
		if most == 0 {
			w.Scale[i] = 1
		}
		quant.QuantizeTo(w.Int8[i*size:(i+1)*size], part, w.Scale[i])
	}
}

// checkExact compares every implementation of the dtypes, as numbers and as
// bytes, with the plain evaluation, bit for bit.
func checkExact(t testing.TB, r *rand.Rand, g *graph.Graph, batch int, dtypes ...dtype.DType) {
	t.Helper()
	size, outSize := g.Input.Shape.Size(), g.Output.Shape.Size()
	bytes, in := pixels(r, batch*size)
	want := make([]float32, 0, batch*outSize)
	for i := range batch {
		want = append(want, evaluatePlainly(t, g, in[i*size:(i+1)*size])...)
	}
	for _, c := range choices(t, dtypes...) {
		p := compile(t, g, c)
		sameBits(t, c.String(), g, run(t, p, in), want)
		runner := p.NewRunner(1)
		got := make([]float32, len(want))
		if err := runner.RunPixels(got, bytes); err != nil {
			t.Fatal(err)
		}
		sameBits(t, c.String()+", bytes", g, got, want)
		runner.Close()
	}
	p, names := mixture(t, r, g)
	sameBits(t, names, g, run(t, p, in), want)
}

// randomInt8 is a small network of int8 layers and float32 ops between them.
func randomInt8(t testing.TB, r *rand.Rand) *graph.Graph {
	m := newMaker(r, randomImage(r, 9))
	x := m.b.Input()
	if m.one(2) {
		x = m.add(m.affine(x.Shape[0]), x)
	}
	for range 1 + r.IntN(6) {
		if len(x.Shape) == 1 {
			if m.one(3) {
				x = m.add(&graph.ReLU{}, x)
			} else {
				x = m.add(m.dense(x.Shape[0], 1+r.IntN(20)), x)
			}
			continue
		}
		switch r.IntN(11) {
		case 0, 1, 2:
			x = m.add(m.conv(x.Shape, 1+r.IntN(40)), x)
		case 3, 4:
			x = m.add(&graph.ReLU{}, x)
		case 5, 6:
			x = m.add(m.pool(x.Shape), x)
		case 7:
			x = m.add(&graph.Add{}, m.add(m.fill(same(x.Shape, x.Shape[0])), x), x)
		case 8:
			x = m.add(&graph.GlobalAveragePool{}, x)
		case 9:
			x = m.add(&graph.Flatten{}, x)
		case 10: // batch norm and sign after integer sums
			c := m.conv(x.Shape, 1+r.IntN(40))
			x = m.add(&graph.Sign{}, m.add(m.norm(c.OutC), m.add(c, x)))
		}
	}
	g := m.graph(t, x)
	_, image := pixels(r, g.Input.Shape.Size())
	quantize(t, r, g, image)
	return g
}

// By hand: a flattening that rounds to another scale than its input does so after
// it, and what others read of its input is not rounded to its scale.
func TestFlatteningRoundsOnItsOwn(t *testing.T) {
	image := []float32{0.4, 1.6}
	for _, c := range []struct {
		name   string
		scale  float32 // of what is flattened to steps of 1
		shared bool
		want   []float32
	}{
		{"alone", 0, false, []float32{0, 2}},
		{"twice", 0.25, false, []float32{0, 2}}, // 0.5 and 1.5 on the way: half to even
		{"shared", 0, true, []float32{0.4, 2 + 1.6}},
	} {
		b := graph.New("flat", "in", graph.Shape{2, 1, 1})
		x := b.Add("relu", &graph.ReLU{}, b.Input())
		flat := b.Add("flat", &graph.Flatten{}, x)
		y := b.Add("dense", &graph.Dense{In: 2, Out: 2, Weights: graph.Weights{
			Float: []float32{1, 0, 0, 1}, Int8: []int8{1, 0, 0, 1}, Scale: []float32{1},
		}}, flat)
		if c.shared {
			y = b.Add("add", &graph.Add{}, y, b.Add("flat2", &graph.Flatten{}, b.Add("mean", &graph.GlobalAveragePool{}, x)))
		}
		g, err := b.Graph(y)
		if err != nil {
			t.Fatal(err)
		}
		x.Scale, flat.Scale = c.scale, 1
		sameBits(t, c.name, g, run(t, compile(t, g, defaults(t)), image), c.want)
	}
}

func TestRandomInt8Networks(t *testing.T) {
	n := rounds(250)
	r := newRand(t)
	for i := range n {
		checkExact(t, r, randomInt8(t, r), 1+i%5, dtype.Int8)
	}
}

// One int8 convolution alone: channels 1 to 70 on both sides.
func TestRandomInt8Convolutions(t *testing.T) {
	n := rounds(150)
	r := newRand(t)
	for range n {
		m := newMaker(r, randomImage(r, 70))
		in := m.b.Input().Shape
		outC, groups := 1+r.IntN(70), 1
		switch r.IntN(4) {
		case 0: // depthwise
			outC, groups = in[0], in[0]
		case 1: // in groups
			groups = []int{2, 3, 5}[r.IntN(3)]
			in = graph.Shape{groups * (1 + in[0]/groups), in[1], in[2]}
			outC, m = groups*(1+r.IntN(9)), newMaker(r, in)
		}
		c := m.geometry(in, outC)
		c.Groups = groups
		x := m.add(m.fill(c), m.b.Input())
		if m.one(4) {
			x = m.add(&graph.Clip{Lo: -1.5, Hi: 2.25}, x)
		}
		if x.Shape[1] > 1 && x.Shape[2] > 1 && m.one(3) {
			x = m.add(pool2, x)
		}
		if m.one(2) {
			x = m.add(&graph.ReLU{}, x)
		}
		g := m.graph(t, x)
		_, image := pixels(r, g.Input.Shape.Size())
		quantize(t, r, g, image)
		if m.one(2) { // requantized; else the sums become float32
			x.Scale = float32(math.Exp(r.NormFloat64()))
			x.Zero, x.Full = []int8{0, -128, 5}[r.IntN(3)], m.one(2)
		}
		checkExact(t, r, g, 1, dtype.Int8)
	}
}

// identity is a 1×1 convolution of one channel to one, each int8 weight 1.
func identity(scale, bias float32) *graph.Conv2D {
	c := &graph.Conv2D{InC: 1, OutC: 1, KH: 1, KW: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}
	c.Float, c.Int8, c.Scale, c.Bias = []float32{scale}, []int8{1}, []float32{scale}, []float32{bias}
	return c
}

// Results by hand, on every int8 implementation. The input's scale is 1, so
// that x̃ is x; the weight is 1 times its scale.
func TestInt8ByHand(t *testing.T) {
	type net func(m *maker) *graph.Value
	scaled := func(v *graph.Value, s float32) *graph.Value { v.Scale = s; return v }
	input := func(m *maker) *graph.Value { return scaled(m.b.Input(), 1) }
	for _, c := range []struct {
		rule     string
		build    net
		in, want []float32
	}{
		{"an input beyond the range saturates at 127 steps", func(m *maker) *graph.Value { return m.add(identity(1, 0), input(m)) },
			[]float32{200, -300, 126.5, 0.5, 1.5, -1.5}, []float32{127, -127, 126, 0, 2, -2}},
		{"sums become sum·m + bias in float32", func(m *maker) *graph.Value { return m.add(identity(0.5, 0.25), input(m)) },
			[]float32{1, 2, -3, 0, 100, -100}, []float32{0.75, 1.25, -1.25, 0.25, 50.25, -49.75}},
		// m = 1·0.5/2 = 1/4, b = 0.5/2 = 1/4: 1 → 0.5 → 0; 5 → 1.5 → 2; 9 → 2.5 → 2; each times 2.
		{"requantization rounds halves to even", func(m *maker) *graph.Value { return scaled(m.add(identity(0.5, 0.5), input(m)), 2) },
			[]float32{1, 5, 9, -3, -7, 127}, []float32{0, 4, 4, 0, -4, 64}},
		{"requantization saturates", func(m *maker) *graph.Value { return scaled(m.add(identity(4, 0), input(m)), 1) },
			[]float32{31, 32, 127, -31, -32, -127}, []float32{124, 127, 127, -124, -127, -127}},
		{"ReLU clamps before it is stored", func(m *maker) *graph.Value {
			return scaled(m.add(&graph.ReLU{}, m.add(identity(4, 2), input(m))), 1)
		}, []float32{-1, 0, 1, -127, 127, 31}, []float32{0, 2, 6, 0, 127, 126}},
		// x̃ is rounded to steps of 2 for both readers: 3 → 1.5 → 2 steps, 4; 1 → 0.5 → 0. The sum of the
		// layer's 3·x̃·2 and of the value itself.
		{"an int8 value that a float32 op reads as well", func(m *maker) *graph.Value {
			x := scaled(m.add(&graph.ReLU{}, m.b.Input()), 2)
			return m.add(&graph.Add{}, m.add(identity(3, 0), x), x)
		}, []float32{3, 1, -5, 10, 250, 1000}, []float32{16, 0, 0, 40, 1000, 1016}},
		{"an input of its own scale is rounded before it is normalized", func(m *maker) *graph.Value {
			return m.add(&graph.Affine{Scale: []float32{1}, Shift: []float32{0.5}}, scaled(m.b.Input(), 2))
		}, []float32{3, 1, -5, 10, 250, 1000}, []float32{4.5, 0.5, -3.5, 10.5, 250.5, 254.5}},
		{"a bias beyond the range saturates", func(m *maker) *graph.Value { return scaled(m.add(identity(1, 1e30), input(m)), 1) },
			[]float32{0, 1, -1, 127, -127, 5}, []float32{127, 127, 127, 127, 127, 127}},
		{"a multiplier that underflows leaves the bias", func(m *maker) *graph.Value { return scaled(m.add(identity(1e-38, 3), input(m)), 1e10) },
			[]float32{0, 1, -1, 127, -127, 5}, []float32{0, 0, 0, 0, 0, 0}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			eachImpl(t, dtype.Int8, func(t *testing.T, choice *kernels.Choice) {
				m := newMaker(newRand(t), graph.Shape{1, 2, 3})
				g := m.graph(t, c.build(m))
				sameBits(t, c.rule, g, run(t, compile(t, g, choice), c.in), c.want)
				sameBits(t, "plain evaluation", g, evaluatePlainly(t, g, c.in), c.want)
			})
		})
	}
}

// Sums near int32's ends: 131,071 products of ±127 in a convolution and in a
// dense layer.
func TestInt8LongSums(t *testing.T) {
	const k = 131071
	eachImpl(t, dtype.Int8, func(t *testing.T, c *kernels.Choice) {
		for _, sign := range []float32{1, -1} {
			m := newMaker(newRand(t), graph.Shape{k, 1, 1})
			m.b.Input().Scale = 1
			conv := identity(1, 0)
			conv.InC, conv.Float, conv.Int8 = k, make([]float32, k), make([]int8, k)
			for i := range conv.Int8 {
				conv.Float[i], conv.Int8[i] = 127*sign, int8(127*sign)
			}
			flat := m.add(&graph.Flatten{}, m.b.Input())
			dense := &graph.Dense{In: k, Out: 1, Weights: conv.Weights}
			both := m.add(&graph.Add{}, m.add(&graph.Flatten{}, m.add(conv, m.b.Input())), m.add(dense, flat))
			g := m.graph(t, both)
			in := make([]float32, k)
			for i := range in {
				in[i] = 127
			}
			// 131071·127·127 = 2114044159, as float32 2114044160; twice that is exact.
			sameBits(t, "sums", g, run(t, compile(t, g, c), in), []float32{2 * sign * 2114044160})
		}
	})
}
