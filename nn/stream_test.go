package nn_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/nn"
)

// step of the random networks' streams: sums stay within a few units, so that int16
// has room, and half a step is seldom as much as a sign's input.
const streamStep = 0x1p-12

// streamNet builds networks whose layers have shortcuts. Its int8 numbers stand for
// few bits, so that float32 holds their products with the scales exactly.
type streamNet struct {
	*maker
	joins int
}

// on marks a value as the stream's.
func on(v *graph.Value) *graph.Value {
	v.Stream = streamStep
	return v
}

// int8Weights are random weights of rows·k whose Float is exactly Scale·Int8.
func (m *streamNet) int8Weights(rows, k int) graph.Weights {
	w := graph.Weights{Int8: make([]int8, rows*k), Float: make([]float32, rows*k), Scale: make([]float32, rows)}
	for o := range rows {
		w.Scale[o] = float32(1+m.r.IntN(7)) / float32(int(1)<<17)
		for i := o * k; i < (o+1)*k; i++ {
			w.Int8[i] = int8(m.r.IntN(255) - 127)
			w.Float[i] = w.Scale[o] * float32(w.Int8[i])
		}
	}
	if m.one(2) {
		w.Bias = m.normal(rows, 0.5)
	}
	return w
}

// gentle is a batch norm that brings sums of k signs to about 1, of either sign.
func (m *streamNet) gentle(c, k int) *graph.BatchNorm {
	bn := m.norm(c)
	for i := range c {
		bn.Var[i] = float32(k) * (0.5 + m.r.Float32())
		bn.Gamma[i], bn.Beta[i] = bn.Gamma[i]*0.5, bn.Beta[i]*0.3
	}
	return bn
}

func (m *streamNet) activation(x *graph.Value) *graph.Value {
	slope := 1
	if m.one(2) {
		slope = x.Shape[0]
	}
	switch m.r.IntN(5) {
	case 0, 1:
		return on(m.add(&graph.PReLU{Slope: m.normal(slope, 0.5)}, x))
	case 2:
		return on(m.add(&graph.Clip{Lo: -1 - m.r.Float32(), Hi: 1 + m.r.Float32()}, x))
	case 3:
		return on(m.add(&graph.ReLU{}, x))
	}
	return x
}

// sign is the sign of a stream, behind norms of it or not.
func (m *streamNet) sign(x *graph.Value) *graph.Value {
	for range m.r.IntN(3) {
		if m.one(3) {
			x = m.add(m.affine(x.Shape[0]), x)
		} else {
			x = m.add(m.norm(x.Shape[0]), x) // of either sign, or 0
		}
	}
	return m.add(&graph.Sign{}, x)
}

// layer is a binary convolution with a shortcut, if grow of twice as many channels.
func (m *streamNet) layer(x *graph.Value, grow bool) *graph.Value {
	m.joins++
	outC := x.Shape[0]
	if grow {
		outC *= 2
	}
	conv := same(x.Shape, outC)
	conv.Binary, conv.PadValue, conv.Float = true, -1, m.signs(outC*conv.K())
	round := func() *graph.Value { return x }
	if grow {
		round = func() *graph.Value { return on(m.add(&graph.Concat{}, x, x)) }
	}
	n, pooled := m.add(conv, m.sign(x)), false
	if x.Shape[1] > 1 && x.Shape[2] > 1 && m.one(2) {
		n, pooled = m.add(pool2, n), true
	}
	early := m.one(2)
	var h *graph.Value
	path := func() {
		if h = round(); pooled {
			h = on(m.add(pool2, h))
		}
	}
	if early {
		path()
	}
	n = m.add(m.gentle(outC, conv.K()), n)
	if m.one(2) {
		on(n)
	}
	if !early {
		path()
	}
	if m.one(2) {
		return m.activation(on(m.add(&graph.Add{}, n, h)))
	}
	return m.activation(on(m.add(&graph.Add{}, h, n)))
}

// network is a random network: an int8 stem, layers with shortcuts, an int8 dense
// layer on the last signs, or the mean of the stream.
func (m *streamNet) network(t testing.TB) *graph.Graph {
	in := m.b.Input()
	in.Scale = 1
	c := []int{1, 3, 8, 16, 20, 32, 48}[m.r.IntN(7)]
	stem := same(in.Shape, c)
	stem.Weights = m.int8Weights(c, stem.K())
	x := m.add(stem, in)
	if in.Shape[1] > 1 && in.Shape[2] > 1 && m.one(3) {
		x = m.add(pool2, x)
	}
	if m.one(2) {
		x = m.add(m.gentle(c, 4), x)
	}
	on(x)
	x = m.activation(x)
	m.joins++
	for range 1 + m.r.IntN(3) {
		x = m.layer(x, x.Shape[0] < 48 && m.one(3))
	}
	if m.one(3) {
		return m.graph(t, m.add(&graph.GlobalAveragePool{}, x))
	}
	x = m.add(&graph.Flatten{}, m.sign(x))
	d := &graph.Dense{In: x.Shape[0], Out: 5}
	d.Weights = m.int8Weights(5, d.In)
	return m.graph(t, m.add(m.gentle(5, d.In), m.add(d, x)))
}

func (m *streamNet) image(g *graph.Graph) []float32 {
	v := make([]float32, g.Input.Shape.Size())
	for i := range v {
		v[i] = float32(m.r.IntN(255) - 127)
	}
	return v
}

// kinds counts a plan's steps by kind.
func kinds(t testing.TB, p *nn.Plan) map[string]int {
	t.Helper()
	pr, err := p.NewProfiler()
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for _, s := range pr.Steps() {
		n[s.Kind]++
	}
	return n
}

// Random networks with shortcuts give what the plain evaluation gives, within half a
// step of the stream for each of its values, every implementation the same bits; and
// each layer is a convolution and a join, nothing else.
func TestShortcuts(t *testing.T) {
	r := newRand(t)
	told, joins := 0, 0
	n := rounds(120)
	for range n {
		m := &streamNet{maker: newMaker(r, graph.Shape{1 + r.IntN(3), 1 + r.IntN(6), 1 + r.IntN(6)})}
		g := m.network(t)
		image := m.image(g)
		var first []float32
		for _, c := range choices(t, dtype.Int8, dtype.Binary) {
			p := compile(t, g, c)
			got := run(t, p, image)
			if first == nil {
				first = got
				k := kinds(t, p)
				if k["join"] != m.joins || k["conv2d"] != m.joins || k["add"]+k["prelu"]+k["clip"]+k["relu"]+k["concat"]+k["maxpool"]+k["sign"]+k["batchnorm"]+k["affine"]+k["dequantize"] != 0 {
					t.Fatalf("steps %v: want %d joins and no op by itself\n%s", k, m.joins, describe(g))
				}
			}
			sameBits(t, "an implementation", g, got, first)
		}
		if want, tol, ok := evaluate(t, g, image); ok {
			near(t, "network with shortcuts", g, first, want, tol)
			told++
			joins += m.joins
		}
	}
	if told < n/3 || n >= 100 && joins < n {
		t.Errorf("only %d of %d networks, %d layers, could be told from the plain evaluation", told, n, joins)
	}
}

// Shortcuts of other shapes, whose ops run one by one in float32, give the same within
// the same bound: a stream that starts at an op, that something else reads too, that
// is joined with another layer's result, or that no Sign reads.
func TestUnusualShortcuts(t *testing.T) {
	r := newRand(t)
	build := map[string]func(m *streamNet, x *graph.Value) *graph.Value{
		"a sum of streams": func(m *streamNet, x *graph.Value) *graph.Value {
			y := m.layer(x, false)
			if y.Shape.Equal(x.Shape) {
				y = on(m.add(&graph.Add{}, y, x))
			}
			return m.layer(y, false)
		},
		"two readers of the pooled stream": func(m *streamNet, x *graph.Value) *graph.Value {
			h := on(m.add(pool2, x))
			conv := same(x.Shape, x.Shape[0])
			conv.Binary, conv.PadValue, conv.Float = true, -1, m.signs(conv.OutC*conv.K())
			n := m.add(m.gentle(conv.OutC, conv.K()), m.add(pool2, m.add(conv, m.add(&graph.Sign{}, x))))
			y := on(m.add(&graph.Add{}, n, h))
			return on(m.add(&graph.Add{}, y, h))
		},
		"two branches": func(m *streamNet, x *graph.Value) *graph.Value {
			branch := func() *graph.Value {
				conv := same(x.Shape, x.Shape[0])
				conv.Binary, conv.PadValue, conv.Float = true, -1, m.signs(conv.OutC*conv.K())
				return on(m.add(m.gentle(conv.OutC, conv.K()), m.add(conv, m.add(&graph.Sign{}, x))))
			}
			return on(m.add(&graph.Add{}, branch(), branch()))
		},
		"a stream from an op": func(m *streamNet, x *graph.Value) *graph.Value {
			return m.layer(on(m.add(&graph.Affine{Scale: []float32{0.5}, Shift: []float32{0.25}}, x)), false)
		},
	}
	for name, f := range build {
		t.Run(name, func(t *testing.T) {
			told := 0
			for range rounds(30) {
				m := &streamNet{maker: newMaker(r, graph.Shape{2, 4, 5})}
				in := m.b.Input()
				in.Scale = 1
				stem := same(in.Shape, 1+r.IntN(20))
				stem.Weights = m.int8Weights(stem.OutC, stem.K())
				x := f(m, on(m.add(stem, in)))
				g := m.graph(t, m.add(&graph.GlobalAveragePool{}, x))
				image := m.image(g)
				var first []float32
				for _, c := range choices(t, dtype.Int8, dtype.Binary) {
					got := run(t, compile(t, g, c), image)
					if first == nil {
						first = got
					}
					sameBits(t, "an implementation", g, got, first)
				}
				if want, tol, ok := evaluate(t, g, image); ok {
					near(t, name, g, first, want, tol)
					told++
				}
			}
			if told == 0 {
				t.Error("no network could be told from the plain evaluation")
			}
		})
	}
}

// cifarShortcuts is the binary CIFAR-10 network with random weights, with shortcuts
// round its binary convolutions or without; its first and last layer int8. With them
// it is as training writes it: norms before signs, and no sign before the last layer.
func cifarShortcuts(t testing.TB, shortcuts bool) *graph.Graph {
	m := &streamNet{maker: newMaker(rand.New(rand.NewPCG(5, 6)), graph.Shape{3, 32, 32})}
	x := m.b.Input()
	x.Scale = 1
	for i, outC := range []int{32, 32, 64, 64, 128, 128} {
		from := x
		conv := same(x.Shape, outC)
		if i == 0 {
			conv.Weights = m.int8Weights(outC, conv.K())
			x = m.add(conv, x)
		} else {
			conv.Binary, conv.PadValue, conv.Float = true, -1, m.signs(outC*conv.K())
			if shortcuts {
				x = m.add(m.norm(x.Shape[0]), x)
			}
			x = m.add(conv, m.add(&graph.Sign{}, x))
		}
		if i%2 == 1 {
			x = m.add(pool2, x)
		}
		if i > 0 || !shortcuts {
			x = m.add(m.gentle(outC, conv.K()), x)
		}
		if !shortcuts {
			continue
		}
		if i > 0 {
			h := from
			if outC != from.Shape[0] {
				h = on(m.add(&graph.Concat{}, h, h))
			}
			if i%2 == 1 {
				h = on(m.add(pool2, h))
			}
			x = m.add(&graph.Add{}, x, h)
		}
		x = on(m.add(&graph.PReLU{Slope: m.normal(outC, 0.3)}, on(x)))
	}
	if shortcuts {
		x = m.add(&graph.Flatten{}, x)
		x.Scale = 0x1p-5 // assumed: values of the stream stay within 4
	} else {
		x = m.add(&graph.Flatten{}, m.add(&graph.Sign{}, x))
	}
	d := &graph.Dense{In: x.Shape[0], Out: 10}
	d.Weights = m.int8Weights(10, d.In)
	return m.graph(t, m.add(m.gentle(10, d.In), m.add(d, x)))
}

// BenchmarkShortcuts is an inference of the binary CIFAR-10 network without shortcuts
// and with them round its five binary convolutions, PReLU behind each.
func BenchmarkShortcuts(b *testing.B) {
	for _, shortcuts := range []bool{false, true} {
		g := cifarShortcuts(b, shortcuts)
		for _, c := range choices(b, dtype.Binary) {
			b.Run(fmt.Sprintf("shortcuts=%v/impl=%s", shortcuts, c.For(dtype.Binary).Name()), func(b *testing.B) {
				p := compile(b, g, c)
				r := p.NewRunner(1)
				defer r.Close()
				in, out := make([]uint8, p.InputSize()), make([]float32, p.OutputSize())
				for b.Loop() {
					if err := r.RunPixels(out, in); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// A runner of several threads shares a join's rows.
func TestShortcutsOnThreads(t *testing.T) {
	g := cifarShortcuts(t, true)
	p := compile(t, g, defaults(t))
	if k := kinds(t, p); k["join"] != 6 || k["convert"] != 1 {
		t.Errorf("steps %v: want 6 joins, and one conversion, of the last stream to int8", k)
	}
	m := &streamNet{maker: newMaker(newRand(t), g.Input.Shape)}
	image := m.image(g)
	want := run(t, p, image)
	r := p.NewRunner(3)
	defer r.Close()
	got := make([]float32, len(want))
	for range 100 {
		if err := r.Run(got, image); err != nil {
			t.Fatal(err)
		}
		sameBits(t, "three threads", g, got, want)
	}
}

// Constants that int16's steps cannot carry are an error, not NaN.
func TestShortcutRefuses(t *testing.T) {
	m := &streamNet{maker: newMaker(newRand(t), graph.Shape{1, 2, 2})}
	in := m.b.Input()
	in.Scale = 1
	stem := same(in.Shape, 1)
	stem.Weights = m.int8Weights(1, stem.K())
	stem.Bias = []float32{math.MaxFloat32}
	g := m.graph(t, m.add(&graph.Sign{}, on(m.add(stem, in))))
	if _, err := nn.Compile(g, nn.Options{}); err == nil || !strings.Contains(err.Error(), "channel 0: ") {
		t.Errorf("got %v", err)
	}
}
