package nn_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/models"
	"macroscope/nn"
)

// bitFormat is weights of some values and inputs of a number of bits, signed or not.
type bitFormat struct {
	name    string
	weights []int8
	bits    int
	signed  bool
	zero    int8
}

var bitFormats = []bitFormat{
	{"W1A1", []int8{-1, 1}, 1, false, 0},
	{"W1A2", []int8{-1, 1}, 2, false, 0},
	{"W1A2 signed", []int8{-1, 1}, 2, true, 0},
	{"W1A4", []int8{-1, 1}, 4, false, 0},
	{"ternary A2", []int8{-1, 0, 1}, 2, false, 0},
	{"ternary A3 signed", []int8{-1, 0, 1}, 3, true, 0},
	{"W2A2", []int8{-2, -1, 0, 1}, 2, false, 0},
	{"W2A2 with a zero point", []int8{-2, -1, 0, 1}, 2, false, 1},
	{"W3A3", []int8{-4, -3, -2, -1, 0, 1, 2, 3}, 3, false, 0},
	{"W4A4 signed", []int8{-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7}, 4, true, 0},
	{"W4A4 with a zero point", []int8{-7, -3, 0, 1, 5}, 4, true, -5},
}

// rounded is a value as QONNX's Quant leaves it: clipped, then carried as integers.
func (m *maker) rounded(v *graph.Value, f bitFormat, scale float32) *graph.Value {
	lo, hi := 0, 1<<f.bits-1
	if f.signed {
		lo, hi = -1<<(f.bits-1), 1<<(f.bits-1)-1
	}
	out := m.add(&graph.Clip{Lo: float32(lo-int(f.zero)) * scale, Hi: float32(hi-int(f.zero)) * scale}, v)
	out.Scale, out.Zero = scale, f.zero
	return out
}

// narrow gives a layer's weights the format's values, by the rank of what they were.
func (m *maker) narrow(w graph.Weights, f bitFormat, channels int) graph.Weights {
	order := slices.Sorted(slices.Values(w.Float))
	levels := slices.Sorted(slices.Values(f.weights))
	scale := float32(0.01 + 0.02*m.r.Float64())
	out := graph.Weights{Float: make([]float32, len(w.Float)), Scale: []float32{scale}, Bias: m.normal(channels, 0.3)}
	for i, v := range w.Float {
		at, _ := slices.BinarySearch(order, v)
		q := levels[at*len(levels)/len(order)]
		out.Int8, out.Float[i] = append(out.Int8, q), float32(q)*scale
	}
	return out
}

// fewBitNetwork is the built-in network's layers with weights and activations of few
// bits: batch norms and all.
func fewBitNetwork(t testing.TB, m *maker, f bitFormat) *graph.Graph {
	t.Helper()
	base, err := models.Load("cifar10cnn", dtype.Float32)
	if err != nil {
		t.Fatal(err)
	}
	v, last := m.b.Input(), base.Nodes[len(base.Nodes)-1]
	hidden := false
	for _, n := range graph.FoldBatchNorm(base).Nodes {
		switch op := n.Op.(type) {
		case *graph.Conv2D:
			c := *op
			if hidden {
				c.Weights = m.narrow(op.Weights, f, op.OutC)
			}
			hidden = true
			v = m.add(&c, v)
		case *graph.ReLU:
			v = m.rounded(v, f, 0.3)
		case *graph.MaxPool:
			scale, zero := v.Scale, v.Zero
			v = m.add(op, v)
			v.Scale, v.Zero = scale, zero
		case *graph.Dense:
			v = m.add(op, v)
		default:
			v = m.add(n.Op, v)
		}
	}
	if last.Out.Shape.Size() != v.Shape.Size() {
		t.Fatalf("%d logits: want %d", v.Shape.Size(), last.Out.Shape.Size())
	}
	return m.graph(t, v)
}

// serially picks im for every layer of few bits, and says how many there are.
func serially(t testing.TB, g *graph.Graph, im *kernels.Impl) (*nn.Plan, int) {
	t.Helper()
	usual := defaults(t)
	picks, n := map[string]nn.Pick{}, 0
	for _, l := range compile(t, g, nil).Layers() {
		if l.FewBits {
			picks[l.Name] = nn.Pick{Impl: usual.For(dtype.Int8), BitSerial: im}
			n++
		}
	}
	p, err := nn.Compile(g, nn.Options{Picks: picks})
	if err != nil {
		t.Fatalf("%v\n%s", err, describe(g))
	}
	for _, l := range p.Layers() {
		if want := im.FullName("bitserial"); picks[l.Name].Impl != nil && (l.Impl != want || l.DType != dtype.Int8 || l.Kernel != im) {
			t.Fatalf("%s is computed by %s: want %s", l.Name, l.Impl, want)
		}
	}
	return p, n
}

// bytewise compiles without any layer by bits.
func bytewise(t testing.TB, g *graph.Graph) *nn.Plan {
	t.Helper()
	p := compile(t, g, defaults(t).With(defaults(t).For(dtype.Int8)))
	for _, l := range p.Layers() {
		if strings.HasPrefix(l.Impl, "bitserial") {
			t.Fatalf("%s by %s, though int8 was asked for", l.Name, l.Impl)
		}
	}
	return p
}

// Logits of whole networks are the same bits on both paths.
func TestFewBitNetworksAgree(t *testing.T) {
	eachImpl(t, dtype.Binary, func(t *testing.T, c *kernels.Choice) {
		formats := bitFormats
		if slow || testing.Short() || c.For(dtype.Binary) != defaults(t).For(dtype.Binary) {
			formats = []bitFormat{bitFormats[1], bitFormats[4], bitFormats[7]}
		}
		for _, f := range formats {
			m := newMaker(newRand(t), graph.Shape{3, 32, 32})
			g := fewBitNetwork(t, m, f)
			byBits, layers := serially(t, g, c.For(dtype.Binary))
			if layers != 5 {
				t.Fatalf("%s: %d layers of few bits: want all but the first", f.name, layers)
			}
			in := sample(t, 4)
			runner, other := byBits.NewRunner(1), bytewise(t, g).NewRunner(1)
			got, want := make([]float32, 40), make([]float32, 40)
			if err := runner.RunPixels(got, in); err != nil {
				t.Fatal(err)
			}
			if err := other.RunPixels(want, in); err != nil {
				t.Fatal(err)
			}
			runner.Close()
			other.Close()
			sameBits(t, f.name, g, got, want)
			if slices.Max(want) == slices.Min(want) {
				t.Errorf("%s: all logits are %v: nothing is compared", f.name, want[0])
			}
		}
	})
}

// Single layers of every geometry and landing: to int8, to float32, to signs; padded or
// not, pooled, of any number of channels.
func TestFewBitLayersAgree(t *testing.T) {
	eachImpl(t, dtype.Binary, func(t *testing.T, c *kernels.Choice) {
		r := newRand(t)
		for i := range rounds(60) {
			m := newMaker(r, graph.Shape{1 + r.IntN(70), 3 + r.IntN(8), 3 + r.IntN(8)})
			f := bitFormats[i%len(bitFormats)]
			v := m.rounded(m.b.Input(), f, 0.5)
			signs := m.one(5)
			if signs { // ±1, as a layer before leaves it
				v = m.add(&graph.Sign{}, m.b.Input())
			}
			op := m.geometry(v.Shape, 1+r.IntN(70))
			if signs {
				op = &graph.Conv2D{InC: op.InC, OutC: op.OutC, KH: 1, KW: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}
			}
			op.Weights = m.narrow(graph.Weights{Float: m.normal(op.OutC*op.InC*op.KH*op.KW, 1)}, f, op.OutC)
			v = m.add(op, v)
			if m.one(3) && v.Shape[1] > 1 && v.Shape[2] > 1 {
				v = m.add(&graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}, v)
			}
			switch r.IntN(3) {
			case 0:
				v = m.rounded(v, bitFormats[r.IntN(len(bitFormats))], 0.1)
			case 1:
				v = m.add(&graph.Sign{}, v)
			}
			g := m.graph(t, v)
			p, layers := serially(t, g, c.For(dtype.Binary))
			if layers != 1 {
				t.Fatalf("case %d, %s: %d layers of few bits: want 1\n%s", i, f.name, layers, describe(g))
			}
			in := m.normal(2*p.InputSize(), 2)
			got := run(t, p, in)
			sameBits(t, f.name, g, got, run(t, bytewise(t, g), in))
		}
	})
}

// What does not suit runs on the int8 kernels, whatever is picked.
func TestFewBitsNotSuited(t *testing.T) {
	binary := defaults(t).For(dtype.Binary)
	for name, change := range map[string]func(op *graph.Conv2D, v *graph.Value, clip *graph.Clip){
		"suits":        nil,
		"five bits":    func(_ *graph.Conv2D, v *graph.Value, _ *graph.Clip) { v.Scale /= 20 },
		"weights of 9": func(op *graph.Conv2D, _ *graph.Value, _ *graph.Clip) { op.Int8[0] = 9 },
		"groups": func(op *graph.Conv2D, _ *graph.Value, _ *graph.Clip) {
			op.Groups, op.Int8, op.Float = 2, op.Int8[:len(op.Int8)/2], op.Float[:len(op.Float)/2]
		},
		"no level for the padding": func(_ *graph.Conv2D, _ *graph.Value, clip *graph.Clip) { clip.Lo = 0.5 },
	} {
		m := newMaker(newRand(t), graph.Shape{8, 6, 6})
		f := bitFormats[1]
		clip := &graph.Clip{Hi: 1.5}
		v := m.add(clip, m.b.Input())
		v.Scale = 0.5
		op := same(v.Shape, 8)
		op.Weights = m.narrow(graph.Weights{Float: m.normal(8*8*9, 1)}, f, 8)
		if change != nil {
			change(op, v, clip)
		}
		g := m.graph(t, m.add(op, v))
		p, err := nn.Compile(g, nn.Options{Picks: map[string]nn.Pick{"conv2d2": {Impl: defaults(t).For(dtype.Int8), BitSerial: binary}}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if l := p.Layers()[0]; strings.HasPrefix(l.Impl, "bitserial") != (change == nil) || l.FewBits != (change == nil) {
			t.Errorf("%s: by %s, few bits %v", name, l.Impl, l.FewBits)
		}
		in := m.normal(p.InputSize(), 1)
		sameBits(t, name, g, run(t, p, in), run(t, bytewise(t, g), in))
	}
}

// A pick for bits that cannot be followed is refused.
func TestBitSerialPicksRefused(t *testing.T) {
	m := newMaker(newRand(t), graph.Shape{8, 6, 6})
	op := same(graph.Shape{8, 6, 6}, 8)
	op.Float = m.normal(8*8*9, 1)
	g := m.graph(t, m.add(op, m.b.Input()))
	c := defaults(t)
	_, err := nn.Compile(g, nn.Options{Picks: map[string]nn.Pick{"conv2d1": {Impl: c.For(dtype.Float32), BitSerial: c.For(dtype.Binary)}}})
	if err == nil || !strings.Contains(err.Error(), "want an implementation of binary for int8") {
		t.Errorf("a float32 layer by bits: %v", err)
	}
}

// A plan says why a layer of few bits is computed as it is, and the rule is what
// kernels were measured to be.
func TestFewBitsExplained(t *testing.T) {
	f := map[string]bitFormat{}
	for _, b := range bitFormats {
		f[b.name] = b
	}
	for i, format := range []string{"W1A2", "ternary A2", "W4A4 signed", "W1A2"} {
		channels := []int{64, 32, 32, 40}[i]
		m := newMaker(newRand(t), graph.Shape{channels, 6, 6})
		v := m.rounded(m.b.Input(), f[format], 0.5)
		op := same(v.Shape, 8)
		op.Weights = m.narrow(graph.Weights{Float: m.normal(8*channels*9, 1)}, f[format], 8)
		g := m.graph(t, m.add(op, v))
		choice := defaults(t)
		usual, binary := choice.For(dtype.Int8), choice.For(dtype.Binary)
		products, most := binary.SerialProducts(f[format].bits, op.Int8), binary.SerialPays(usual, channels)
		impl, note := usual.FullName("conv2d"), fmt.Sprintf("int8: faster than bit-serial: %d binary products for one of %d bits, which pays up to %d on this CPU", products, f[format].bits, most)
		switch {
		case choice.Forced(dtype.Int8):
			t.Skip("int8's implementation is asked for")
		case most == 0:
			note = fmt.Sprintf("int8: %v was not measured to be faster with %d channels on this CPU; bit-serial: %d binary products for one of %d bits", binary, channels, products, f[format].bits)
		case products <= most:
			impl, note = binary.FullName("bitserial"), fmt.Sprintf("bit-serial: %d binary products for one of %d bits, faster than %v up to %d on this CPU", products, f[format].bits, usual, most)
		}
		// Of the direct kernels, so that nothing but bit-serial products competes with them.
		explain := func(o nn.Options) nn.How {
			o.Winograd = nn.WinogradNone
			p, err := nn.Compile(g, o)
			if err != nil {
				t.Fatal(err)
			}
			return p.Nodes()[1]
		}
		how := explain(nn.Options{})
		if how.Impl != impl || how.Note != note {
			t.Errorf("%s: %s, %s\nwant %s, %s", format, how.Impl, how.Note, impl, note)
		}
		want := fmt.Sprintf("picked: bit-serial, %d binary products for one of %d bits", products, f[format].bits)
		if how := explain(nn.Options{Picks: map[string]nn.Pick{"conv2d2": {Impl: usual, BitSerial: binary}}}); how.Note != want {
			t.Errorf("%s picked: %s\nwant %s", format, how.Note, want)
		}
		if how := explain(nn.Options{Kernels: choice.With(usual)}); how.Impl != usual.FullName("conv2d") || !strings.HasPrefix(how.Note, "int8 was asked for") {
			t.Errorf("%s with int8 asked for: %s, %s", format, how.Impl, how.Note)
		}
	}
}

// Weights of ±1 on integers are integers: exact sums on int8 kernels or bits.
func TestSignsOnIntegers(t *testing.T) {
	m := newMaker(newRand(t), graph.Shape{40, 6, 6})
	v := m.rounded(m.b.Input(), bitFormats[1], 0.5)
	op := same(v.Shape, 24)
	op.Float, op.Binary = m.signs(24*40*9), true
	x := m.rounded(m.add(op, v), bitFormats[1], 4)
	dense := &graph.Dense{In: 24 * 36, Out: 5}
	dense.Float, dense.Binary = m.signs(5*dense.In), true
	g := m.graph(t, m.add(dense, m.add(&graph.Flatten{}, x)))
	p := compile(t, g, nil)
	for _, l := range p.Layers() {
		if l.DType != dtype.Int8 {
			t.Errorf("%s in %v by %s: want int8", l.Name, l.DType, l.Impl)
		}
	}
	in := m.normal(p.InputSize(), 1)
	got := run(t, p, in)
	if op.Int8 != nil || !op.Binary {
		t.Error("the graph was changed")
	}
	for _, w := range []*graph.Weights{&op.Weights, &dense.Weights} { // as somebody writes integers
		w.Binary, w.Scale = false, []float32{1}
		for _, v := range w.Float {
			w.Int8 = append(w.Int8, int8(v))
		}
	}
	sameBits(t, "signs", g, got, run(t, bytewise(t, g), in))
}
