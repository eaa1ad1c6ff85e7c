package nn_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/nn"
)

// odd is an op that the runtime does not know.
type odd struct{}

func (odd) Kind() string                                   { return "odd" }
func (odd) OutShape(in []graph.Shape) (graph.Shape, error) { return in[0], nil }

func TestCompileErrors(t *testing.T) {
	r := newRand(t)
	image := graph.Shape{2, 4, 4}
	padded := func(m *maker, value float32) *graph.Conv2D {
		c := m.fill(same(image, 2))
		c.PadValue = value
		return c
	}
	for _, c := range []struct {
		want  string
		shape graph.Shape
		build func(m *maker, in *graph.Value) *graph.Value
	}{
		{`network random: node "conv2d2": value "image": one reader pads with -1, another with 0.5: want one padding value`, image, func(m *maker, in *graph.Value) *graph.Value {
			return m.add(&graph.Add{}, m.add(padded(m, -1), in), m.add(padded(m, 0.5), in))
		}},
		{`network random: value "image": padding with -1 cannot be carried as int8`, image, func(m *maker, in *graph.Value) *graph.Value {
			in.Scale = 1
			c := padded(m, -1)
			roundWeights(&c.Weights, 2, true)
			return m.add(c, in)
		}},
		{`network random: value "sign1": padding with 0.5 cannot be carried as binary`, image, func(m *maker, in *graph.Value) *graph.Value {
			c := padded(m, 0.5)
			c.Binary, c.Float = true, m.signs(len(c.Float))
			return m.add(c, m.add(&graph.Sign{}, in))
		}},
		{`network random: node "dense1": 131072 products a sum: int32 is exact up to 131071`, graph.Shape{131072}, func(m *maker, in *graph.Value) *graph.Value {
			in.Scale = 1
			d := m.dense(131072, 1)
			roundWeights(&d.Weights, 1, true)
			return m.add(d, in)
		}},
		{`network random: node "conv2d1": conv2d/int8/generic: 131072 products a sum: int32 is exact up to 131071`, graph.Shape{131072, 1, 1}, func(m *maker, in *graph.Value) *graph.Value {
			in.Scale = 1
			c := identity(1, 0)
			c.InC, c.Float = 131072, make([]float32, 131072)
			roundWeights(&c.Weights, 1, true)
			return m.add(c, in)
		}},
		{`network random: node "conv2d1": channel 0: one step of its sum is 1e+60 steps of its output: want at most 3.4e+38`, graph.Shape{1, 2, 2}, func(m *maker, in *graph.Value) *graph.Value {
			in.Scale = 1
			x := m.add(identity(1e30, 0), in)
			x.Scale = 1e-30
			return x
		}},
		{`network random: node "conv2d1": channel 0: one step of its sum is 1e+60 steps of its output: want at most 3.4e+38`, graph.Shape{1, 2, 2}, func(m *maker, in *graph.Value) *graph.Value {
			in.Scale = 1e30
			return m.add(identity(1e30, 0), in)
		}},
		{`network random: node "dense1": channel 1: one step of its sum is 1e+60 steps of its output: want at most 3.4e+38`, graph.Shape{2}, func(m *maker, in *graph.Value) *graph.Value {
			in.Scale = 1e30
			d := m.dense(2, 2)
			d.Int8, d.Scale = make([]int8, 4), []float32{1, 1e30}
			return m.add(d, in)
		}},
		{`network random: node "odd1": op odd is not supported by the runtime`, image, func(m *maker, in *graph.Value) *graph.Value {
			return m.add(odd{}, in)
		}},
		{`network random: activations of one image and tables of its pixels need 2.05e+03 MiB: want at most 1024`, graph.Shape{1, 1 << 14, 1 << 14}, func(m *maker, in *graph.Value) *graph.Value {
			return m.add(&graph.ReLU{}, in)
		}},
		{`network random: activations of one image and tables of its pixels need 5.37e+08 MiB: want at most 1024`, graph.Shape{2, 1, 1}, func(m *maker, in *graph.Value) *graph.Value {
			c := m.fill(same(graph.Shape{2, 1, 1}, 1))
			c.PadTop, c.PadLeft, c.StrideH, c.StrideW = 1<<23, 1<<23, 1<<22, 1<<22
			return m.add(c, in)
		}},
	} {
		m := newMaker(r, c.shape)
		g := m.graph(t, c.build(m, m.b.Input()))
		im, err := kernels.Lookup(dtype.Int8, "generic")
		if err != nil {
			t.Fatal(err)
		}
		_, err = nn.Compile(g, nn.Options{Kernels: defaults(t).With(im)})
		if err == nil || err.Error() != c.want {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
	}
}

// What graph.Check refuses, Compile refuses in its words.
func TestCompileChecksTheGraph(t *testing.T) {
	m := newMaker(newRand(t), graph.Shape{2, 4, 4})
	g := m.graph(t, m.add(m.conv(graph.Shape{2, 4, 4}, 3), m.b.Input()))
	g.Nodes[0].Op.(*graph.Conv2D).Float[5] = float32(nan())
	if _, err := nn.Compile(g, nn.Options{}); err == nil || err.Error() != `graph "random": node "conv2d1" (conv2d): weight 5 is NaN: want a finite number` {
		t.Errorf("got %v", err)
	}
	if _, err := nn.Compile(&graph.Graph{Name: "empty"}, nn.Options{}); err == nil || err.Error() != `graph "empty": no input or no output` {
		t.Errorf("got %v", err)
	}
}

// Compile keeps the graph as it was.
func TestCompileChangesNothing(t *testing.T) {
	r := newRand(t)
	for range 20 {
		g := randomInt8(t, r)
		before := describe(g)
		compile(t, g, defaults(t))
		if after := describe(g); after != before {
			t.Fatalf("before\n%safter\n%s", before, after)
		}
	}
}

// What a layer's kernel does besides, and what the layer reads and costs.
func TestLayers(t *testing.T) {
	m := newMaker(newRand(t), graph.Shape{3, 8, 8})
	c1, c2, c3 := same(graph.Shape{3, 8, 8}, 16), same(graph.Shape{16, 4, 4}, 20), same(graph.Shape{20, 4, 4}, 8)
	m.fill(c1)
	c1.Bias = nil
	x := m.add(&graph.Sign{}, m.add(pool2, m.add(&graph.ReLU{}, m.add(c1, m.b.Input()))))
	c2.Binary, c2.Float, c2.PadValue = true, m.signs(20*c2.K()), -1
	x = m.add(c2, x)
	norm := m.add(m.norm(20), x)
	x = m.add(&graph.Sign{}, norm)
	m.fill(c3)
	c3.Bias = m.normal(8, 1)
	roundWeights(&c3.Weights, 8, true)
	x = m.add(&graph.ReLU{}, m.add(pool2, m.add(c3, x)))
	d := m.dense(8*2*2, 10)
	d.Bias = m.normal(10, 1)
	x = m.add(&graph.ReLU{}, m.add(d, m.add(&graph.Flatten{}, x)))
	p := compile(t, m.graph(t, x), defaults(t))

	layers := p.Layers()
	want := []nn.Layer{
		// 16·3·3·3 float32 weights, no bias; 64 pixels of 16·27 products.
		{Name: "conv2d1", Kind: "conv2d", DType: dtype.Float32, Impl: "conv2d/float32/", Fused: []string{"relu2", "maxpool3"}, MACs: 64 * 16 * 27, WeightBytes: 4 * 16 * 27},
		// 20·3·3 words of 16 bits in 32; 20 thresholds of 4 bytes and their flips, 3 bytes.
		{Name: "conv2d5", Kind: "conv2d", DType: dtype.Binary, Impl: "conv2d/binary/", Fused: []string{"batchnorm6", "sign7"}, MACs: 16 * 20 * 144, WeightBytes: 4*20*9 + 4*20 + 3},
		// 8·3·3·20 bytes; a scale and a bias of 4 bytes each.
		{Name: "conv2d8", Kind: "conv2d", DType: dtype.Int8, Impl: "conv2d/int8/", Fused: []string{"maxpool9", "relu10"}, MACs: 16 * 8 * 180, WeightBytes: 8*180 + 8*8},
		{Name: "dense12", Kind: "dense", DType: dtype.Float32, Impl: "dot/float32/", Fused: []string{"relu13"}, MACs: 320, WeightBytes: 4*320 + 4*10},
	}
	if len(layers) != len(want) {
		t.Fatalf("%d layers: want %d", len(layers), len(want))
	}
	var macs int64
	bytes := 0
	for i, l := range layers {
		w := want[i]
		if !strings.HasPrefix(l.Impl, w.Impl) || len(l.Impl) == len(w.Impl) {
			t.Errorf("%s runs on %q: want one of %s", l.Name, l.Impl, w.Impl)
		}
		if l.Name != w.Name || l.Kind != w.Kind || l.DType != w.DType || !slices.Equal(l.Fused, w.Fused) || l.MACs != w.MACs || l.WeightBytes != w.WeightBytes {
			t.Errorf("layer %+v\nwant  %+v", l, w)
		}
		macs += l.MACs
		bytes += l.WeightBytes
	}
	if p.MACs() != macs || p.WeightBytes() != bytes || p.InputSize() != 192 || p.OutputSize() != 10 {
		t.Errorf("%d MACs, %d bytes, %d in, %d out: want %d, %d, 192, 10", p.MACs(), p.WeightBytes(), p.InputSize(), p.OutputSize(), macs, bytes)
	}
	if least := 4*192 + 4*10; p.ArenaBytes() < least {
		t.Errorf("an arena of %d bytes: want at least input and output, %d", p.ArenaBytes(), least)
	}
}

// spoil changes something of a graph that Check may or may not notice.
func spoil(r *rand.Rand, g *graph.Graph) {
	scales := []float32{0, 1, 0.5, 1e-40, 1e-30, 1e30, 3e38, -1, float32(nan())}
	values := []*graph.Value{g.Input}
	for _, n := range g.Nodes {
		values = append(values, n.Out)
	}
	v := values[r.IntN(len(values))]
	switch r.IntN(9) {
	case 0, 1, 2:
		v.Scale = scales[r.IntN(len(scales))]
		return
	case 3:
		g.Output = v
		return
	case 4:
		v.Shape = graph.Shape{r.IntN(3), 1 << []int{0, 1, 2, 28, 29, 31, 40, 62}[r.IntN(8)], 1}
		return
	}
	if len(g.Nodes) == 0 {
		return
	}
	n := g.Nodes[r.IntN(len(g.Nodes))]
	switch r.IntN(3) {
	case 0:
		n.In[r.IntN(len(n.In))] = v
		return
	case 1:
		n.Op = []graph.Op{&graph.ReLU{}, &graph.Sign{}, &graph.Flatten{}, &graph.Softmax{}, &graph.GlobalAveragePool{}, &graph.Add{}, nil}[r.IntN(7)]
		return
	}
	w, rows := weightsOf(n.Op)
	if w == nil {
		return
	}
	switch r.IntN(6) {
	case 0:
		roundWeights(w, rows, r.IntN(2) == 0)
	case 1:
		w.Int8 = w.Int8[:len(w.Int8)/2]
	case 2:
		w.Bias = make([]float32, r.IntN(3))
	case 3:
		w.Scale = scales[r.IntN(len(scales)):]
	case 4:
		w.Binary = !w.Binary
		for i, x := range w.Float {
			w.Float[i] = 1
			if x < 0 {
				w.Float[i] = -1
			}
		}
	case 5:
		if c, ok := n.Op.(*graph.Conv2D); ok {
			*[]*int{&c.PadTop, &c.PadRight, &c.StrideH, &c.DilationW, &c.Groups, &c.KH, &c.InC}[r.IntN(7)] = 1<<[]int{0, 1, 2, 8, 28, 29, 31, 40, 62}[r.IntN(9)] - r.IntN(2)
			c.PadValue = float32(r.IntN(3) - 1)
		}
	}
}

// spoiled is a random network of any kind, spoiled a few times. Its input is
// small, whatever is claimed of it.
func spoiled(t testing.TB, r *rand.Rand) *graph.Graph {
	var g *graph.Graph
	switch r.IntN(3) {
	case 0:
		m, out := randomFloat(r)
		g = m.graph(t, out)
	case 1:
		g = randomInt8(t, r)
	default:
		g = randomBinary(t, r)
	}
	for range r.IntN(4) {
		spoil(r, g)
	}
	return g
}

// A graph either has an error or runs: nothing panics.
func compileAndRun(t testing.TB, r *rand.Rand, g *graph.Graph) bool {
	p, err := nn.Compile(g, nn.Options{})
	if err != nil {
		return false
	}
	if p.ArenaBytes() > 1<<24 {
		return true
	}
	runner := p.NewRunner(1)
	defer runner.Close()
	bytes, in := pixels(r, 2*p.InputSize())
	out := make([]float32, 2*p.OutputSize())
	if err := runner.Run(out, in); err != nil {
		t.Error(err)
	}
	if err := runner.RunPixels(out, bytes); err != nil {
		t.Error(err)
	}
	return true
}

func TestCompileNeverPanics(t *testing.T) {
	n := rounds(1500)
	r := newRand(t)
	ran := 0
	for range n {
		g := spoiled(t, r)
		func() {
			defer func() {
				if e := recover(); e != nil {
					t.Errorf("panic: %v\n%s", e, describe(g))
				}
			}()
			if compileAndRun(t, r, g) {
				ran++
			}
		}()
	}
	if ran < n/5 || ran > n*9/10 {
		t.Errorf("%d of %d graphs ran: the test wants both kinds", ran, n)
	}
}

func FuzzCompile(f *testing.F) {
	for s := range uint64(20) {
		f.Add(s, s*s)
	}
	f.Fuzz(func(t *testing.T, a, b uint64) {
		r := rand.New(rand.NewPCG(a, b))
		compileAndRun(t, r, spoiled(t, r))
	})
}
