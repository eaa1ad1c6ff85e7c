package graph

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// conv is a 3×3 convolution with padding 1 and weights counting up from 1.
func conv(in, out int) *Conv2D {
	c := &Conv2D{
		InC: in, OutC: out, KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1,
		PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 1,
	}
	c.Float = count(in * out * 9)
	return c
}

func dense(in, out int) *Dense {
	return &Dense{In: in, Out: out, Weights: Weights{Float: count(in * out)}}
}

func count(n int) []float32 {
	f := make([]float32, n)
	for i := range f {
		f[i] = float32(i + 1)
	}
	return f
}

func norm(gamma, beta, mean, variance []float32) *BatchNorm {
	return &BatchNorm{Gamma: gamma, Beta: beta, Mean: mean, Var: variance, Epsilon: 0.5}
}

func TestOutShape(t *testing.T) {
	with := func(edit func(*Conv2D)) *Conv2D {
		c := conv(4, 6)
		edit(c)
		return c
	}
	img := []Shape{{4, 9, 11}}
	for _, c := range []struct {
		name string
		op   Op
		in   []Shape
		want any // Shape, or a part of the error
	}{
		{"conv same", conv(4, 6), img, Shape{6, 9, 11}},
		{"conv stride", with(func(c *Conv2D) { c.StrideH, c.StrideW = 2, 3 }), img, Shape{6, 5, 4}},
		{"conv dilation", with(func(c *Conv2D) { c.DilationH, c.DilationW = 5, 2 }), img, Shape{6, 1, 9}},
		{"conv one side", with(func(c *Conv2D) { c.PadTop, c.PadRight = 0, 5 }), img, Shape{6, 8, 15}},
		{"conv groups", with(func(c *Conv2D) { c.Groups = 2 }), img, Shape{6, 9, 11}},
		{"conv too large", with(func(c *Conv2D) { c.DilationH = 6 }), img, "does not fit"},
		{"conv channels", conv(5, 6), img, "want 5 channels"},
		{"conv bad groups", with(func(c *Conv2D) { c.Groups = 4 }), img, "groups do not divide"},
		{"conv no groups", with(func(c *Conv2D) { c.Groups = 0 }), img, "groups do not divide"},
		{"conv no stride", with(func(c *Conv2D) { c.StrideW = 0 }), img, "width stride 0"},
		{"conv negative pad", with(func(c *Conv2D) { c.PadLeft = -1 }), img, "padding before -1"},
		{"conv huge pad", with(func(c *Conv2D) { c.PadBottom = math.MaxInt }), img, "height padding after"},
		{"conv huge dilation", with(func(c *Conv2D) { c.DilationH = MaxElements; c.KH = MaxElements }), img, "does not fit"},
		{"conv huge output", with(func(c *Conv2D) { c.OutC = MaxElements }), img, "more than"},
		{"conv vector", conv(4, 6), []Shape{{4}}, "want [C H W]"},
		{"conv two inputs", conv(4, 6), []Shape{{4, 9, 9}, {4, 9, 9}}, "2 inputs: want 1"},
		{"dense", dense(7, 3), []Shape{{7}}, Shape{3}},
		{"dense image", dense(7, 3), []Shape{{7, 1, 1}}, "want [7]"},
		{"dense no output", dense(7, 0), []Shape{{7}}, "extent 0"},
		{"norm", norm(count(4), count(4), count(4), count(4)), img, Shape{4, 9, 11}},
		{"norm vector", norm(count(4), count(4), count(4), count(4)), []Shape{{4}}, Shape{4}},
		{"norm short", norm(count(4), count(4), count(3), count(4)), img, "3 values of mean for 4 channels"},
		{"affine one", &Affine{Scale: count(1), Shift: count(4)}, img, Shape{4, 9, 11}},
		{"affine bad", &Affine{Scale: count(1), Shift: count(2)}, img, "2 values of shift"},
		{"relu", &ReLU{}, img, Shape{4, 9, 11}},
		{"sign", &Sign{}, []Shape{{5}}, Shape{5}},
		{"pool", &MaxPool{KH: 2, KW: 3, StrideH: 2, StrideW: 1}, img, Shape{4, 4, 9}},
		{"pool pad", &MaxPool{KH: 2, KW: 3, StrideH: 2, StrideW: 1, PadBottom: 1, PadLeft: 2}, img, Shape{4, 5, 11}},
		{"pool all padding", &MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2, PadTop: 2}, img, "want less than the window"},
		{"average", &GlobalAveragePool{}, img, Shape{4, 1, 1}},
		{"average vector", &GlobalAveragePool{}, []Shape{{4}}, "want [C H W]"},
		{"add", &Add{}, []Shape{{4, 2, 3}, {4, 2, 3}}, Shape{4, 2, 3}},
		{"add differing", &Add{}, []Shape{{4, 2, 3}, {4, 3, 2}}, "want one shape"},
		{"add one", &Add{}, img, "1 inputs: want 2"},
		{"flatten", &Flatten{}, img, Shape{4 * 9 * 11}},
		{"flatten overflow", &Flatten{}, []Shape{{1 << 20, 1 << 20, 1 << 24}}, "more than"},
		{"softmax", &Softmax{}, []Shape{{10}}, Shape{10}},
		{"softmax image", &Softmax{}, img, Shape{4, 9, 11}},
		{"lrn", &LRN{Alpha: 1e-4, Beta: 0.75, Bias: 1, Size: 5}, img, Shape{4, 9, 11}},
		{"lrn of no power", &LRN{Alpha: 1, Beta: 0.75, Size: 5}, img, "bias > 0"},
		{"lrn of no channels", &LRN{Bias: 1}, img, "size 0"},
		{"pool dilation", &MaxPool{KH: 2, KW: 3, StrideH: 2, StrideW: 1, DilationH: 3, DilationW: 4}, img, Shape{4, 3, 3}},
		{"average pool", &AveragePool{KH: 2, KW: 3, StrideH: 2, StrideW: 1, PadBottom: 1}, img, Shape{4, 5, 9}},
		{"average all padding", &AveragePool{KH: 2, KW: 2, StrideH: 2, StrideW: 2, PadRight: 3}, img, "want less than the window"},
		{"mul channels", &Mul{}, []Shape{{4, 2, 3}, {4, 1, 1}}, Shape{4, 2, 3}},
		{"sub pixels", &Sub{}, []Shape{{1, 2, 3}, {4, 1, 3}}, Shape{4, 2, 3}},
		{"div ranks", &Div{}, []Shape{{4, 1, 1}, {4}}, "want one shape"},
		{"func", &Func{Name: "tanh"}, img, Shape{4, 9, 11}},
		{"reshape", &Reshape{To: Shape{9, 4, 11}}, img, Shape{9, 4, 11}},
		{"reshape size", &Reshape{To: Shape{9, 4, 10}}, img, "as many elements"},
		{"transpose", &Transpose{View: []int{2, 2, 99}, Perm: []int{1, 0, 2}, To: Shape{4, 9, 11}}, img, Shape{4, 9, 11}},
		{"transpose view", &Transpose{View: []int{2, 3, 99}, Perm: []int{1, 0, 2}, To: Shape{4, 9, 11}}, img, "view [2 3 99]"},
		{"transpose order", &Transpose{View: []int{2, 2, 99}, Perm: []int{1, 1, 2}, To: Shape{4, 9, 11}}, img, "each of 0 to 2 once"},
		{"transpose short", &Transpose{View: []int{2, 2, 99}, Perm: []int{1, 0}, To: Shape{4, 9, 11}}, img, "2 dimensions"},
		{"slice", &Slice{Start: [3]int{0, 8, 1}, Step: [3]int{2, -3, 1}, Size: [3]int{2, 3, 10}}, img, Shape{2, 3, 10}},
		{"slice beyond", &Slice{Start: [3]int{0, 8, 2}, Step: [3]int{2, -3, 1}, Size: [3]int{2, 3, 10}}, img, "elements 2 to 11 of dimension 2"},
		{"slice step", &Slice{Size: [3]int{2, 3, 10}}, img, "a step that is not 0"},
		{"pad", &Pad{Before: [3]int{1, 0, 2}, After: [3]int{0, 3, 0}}, img, Shape{5, 12, 13}},
		{"pad negative", &Pad{Before: [3]int{-1, 0, 2}}, img, "padding -1"},
		{"pad reflect", &Pad{Before: [3]int{4, 0, 2}, Mode: PadReflect}, img, "want less than 4"},
		{"constant", &Constant{To: Shape{2}, Values: count(2)}, img, Shape{2}},
		{"constant size", &Constant{To: Shape{2}, Values: count(3)}, img, "3 values for [2]"},
		{"argmax", &ArgMax{}, img, Shape{1, 9, 11}},
		{"argmax vector", &ArgMax{}, []Shape{{10}}, Shape{1}},
		{"two dimensions", &ReLU{}, []Shape{{4, 9}}, "want [C H W] or [F]"},
		{"no dimensions", &ReLU{}, []Shape{{}}, "want [C H W] or [F]"},
		{"negative", &ReLU{}, []Shape{{4, -9, 9}}, "extent -9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.op.OutShape(c.in)
			switch want := c.want.(type) {
			case Shape:
				if err != nil || !got.Equal(want) {
					t.Errorf("got %v, %v: want %v", got, err, want)
				}
			case string:
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, %v: want an error with %q", got, err, want)
				}
			}
		})
	}
}

func TestBuilder(t *testing.T) {
	b := New("net", "image", Shape{2, 4, 4})
	x := b.Add("conv", conv(2, 3), b.Input())
	y := b.AddNamed("relu", "relu_out", &ReLU{}, x)
	z := b.Add("sum", &Add{}, x, y)
	g, err := b.Graph(b.Add("dense", dense(48, 5), b.Add("flat", &Flatten{}, z)))
	if err != nil {
		t.Fatal(err)
	}
	if y.Name != "relu_out" || !y.Shape.Equal(Shape{3, 4, 4}) || !g.Output.Shape.Equal(Shape{5}) {
		t.Errorf("values %+v, %+v", y, g.Output)
	}
	if got, want := g.Params(), 2*3*9+48*5; got != want {
		t.Errorf("%d parameters: want %d", got, want)
	}
	if got, want := g.MACs(), int64(4*4*3*2*9+48*5); got != want {
		t.Errorf("%d MACs: want %d", got, want)
	}
	if got, want := g.Bytes(), 4*(2*3*9+48*5); got != want {
		t.Errorf("%d bytes: want %d", got, want)
	}
}

func TestRename(t *testing.T) {
	b := New("net", "image", Shape{4})
	x := b.Add("first", &ReLU{}, b.Input())
	b.Rename("relu", "relu_out")
	y := b.Add("first", &Add{}, x, b.Input())
	g, err := b.Graph(y)
	if err != nil || g.Nodes[0].Name != "relu" || x.Name != "relu_out" {
		t.Errorf("got %+v, %v", g.Nodes[0], err)
	}
	if b.Rename("relu", "sum"); b.Err() == nil || !strings.Contains(b.Err().Error(), "a second node") {
		t.Errorf("a name that is taken: got %v", b.Err())
	}
}

func TestBytes(t *testing.T) {
	// 54 weights: 54 bits are 7 bytes; 54 int8 and a scale for all or for each.
	for _, c := range []struct {
		name string
		w    Weights
		want int
	}{
		{"float", Weights{Float: make([]float32, 54), Bias: make([]float32, 3)}, 4 * 57},
		{"binary", Weights{Float: make([]float32, 54), Binary: true}, 7},
		{"per tensor", Weights{Float: make([]float32, 54), Int8: make([]int8, 54), Scale: make([]float32, 1), Bias: make([]float32, 3)}, 54 + 4 + 12},
		{"per channel", Weights{Int8: make([]int8, 54), Scale: make([]float32, 3)}, 54 + 12},
	} {
		if got := c.w.Bytes(); got != c.want {
			t.Errorf("%s: %d bytes: want %d", c.name, got, c.want)
		}
	}
	n := &Node{Op: &ReLU{}, Out: &Value{Scale: 0.5}}
	if n.Bytes() != 4 {
		t.Errorf("an int8 value's scale: %d bytes: want 4", n.Bytes())
	}
	n = &Node{Op: &PReLU{Slope: make([]float32, 3)}, Out: &Value{Stream: 0.5}}
	if n.Bytes() != 16 || n.Params() != 3 {
		t.Errorf("three slopes and a stream's scale: %d bytes, %d parameters: want 16 and 3", n.Bytes(), n.Params())
	}
}

func TestBuilderErrors(t *testing.T) {
	img := Shape{2, 4, 4}
	nan := float32(math.NaN())
	other := New("other", "x", img)
	for _, c := range []struct {
		name, want string
		build      func(b *Builder) *Value
	}{
		{"no output", "no input or no output", func(b *Builder) *Value { return nil }},
		{"foreign output", `output "x": no node gives it`, func(b *Builder) *Value { return other.Input() }},
		{"foreign input", "input 0 is neither", func(b *Builder) *Value { return b.Add("r", &ReLU{}, other.Input()) }},
		{"nil input", "input 0 is neither", func(b *Builder) *Value { return b.Add("r", &ReLU{}, nil) }},
		{"nil op", `node "r" has no op`, func(b *Builder) *Value { return b.Add("r", nil, b.Input()) }},
		{"no name", "without a name", func(b *Builder) *Value { return b.Add("", &ReLU{}, b.Input()) }},
		{"no value name", "its output has no name", func(b *Builder) *Value { return b.AddNamed("r", "", &ReLU{}, b.Input()) }},
		{"same node", "a second node", func(b *Builder) *Value {
			return b.AddNamed("r", "b", &ReLU{}, b.AddNamed("r", "a", &ReLU{}, b.Input()))
		}},
		{"same value", "a second value", func(b *Builder) *Value { return b.Add("in", &ReLU{}, b.Input()) }},
		{"first error stays", `node "bad" (conv2d): input [2 4 4]: want 3 channels`, func(b *Builder) *Value {
			return b.Add("dense", dense(3, 3), b.Add("bad", conv(3, 3), b.Input()))
		}},
		{"weights missing", "17 weights: want 1×18", func(b *Builder) *Value {
			c := conv(2, 1)
			c.Float = c.Float[:17]
			return b.Add("c", c, b.Input())
		}},
		{"bias", "2 biases: want 3 or none", func(b *Builder) *Value {
			c := conv(2, 3)
			c.Bias = count(2)
			return b.Add("c", c, b.Input())
		}},
		{"weight nan", "weight 4 is NaN", func(b *Builder) *Value {
			c := conv(2, 3)
			c.Float[4] = nan
			return b.Add("c", c, b.Input())
		}},
		{"bias inf", "bias 1 is +Inf", func(b *Builder) *Value {
			c := conv(2, 3)
			c.Bias = []float32{0, float32(math.Inf(1)), 0}
			return b.Add("c", c, b.Input())
		}},
		{"padding nan", "padding value 0 is NaN", func(b *Builder) *Value {
			c := conv(2, 3)
			c.PadValue = nan
			return b.Add("c", c, b.Input())
		}},
		{"not binary", "weight 1 is 2 in a binary layer", func(b *Builder) *Value {
			c := conv(2, 3)
			c.Binary = true
			return b.Add("c", c, b.Input())
		}},
		{"int8 without scale", "0 scales: want 1 or 3", func(b *Builder) *Value {
			c := conv(2, 3)
			c.Int8 = make([]int8, 54)
			return b.Add("c", c, b.Input())
		}},
		{"int8 short", "53 int8 weights", func(b *Builder) *Value {
			c := conv(2, 3)
			c.Int8 = make([]int8, 53)
			return b.Add("c", c, b.Input())
		}},
		{"int8 scale zero", "scale 0 is 0", func(b *Builder) *Value {
			c := conv(2, 3)
			c.Int8, c.Scale = make([]int8, 54), []float32{0}
			return b.Add("c", c, b.Input())
		}},
		{"scale alone", "a scale without int8 weights", func(b *Builder) *Value {
			c := conv(2, 3)
			c.Scale = []float32{1}
			return b.Add("c", c, b.Input())
		}},
		{"huge filter", "more than", func(b *Builder) *Value {
			c := conv(2, 3)
			c.KH, c.KW, c.PadTop, c.PadLeft = MaxElements, MaxElements, MaxElements, MaxElements
			return b.Add("c", c, b.Input())
		}},
		{"variance", "variance 1 is -0.5", func(b *Builder) *Value {
			return b.Add("n", norm(count(2), count(2), count(2), []float32{1, -0.5}), b.Input())
		}},
		{"func", "function \"sine\": want abs, ", func(b *Builder) *Value { return b.Add("f", &Func{Name: "sine"}, b.Input()) }},
		{"func parameters", "tanh takes 0", func(b *Builder) *Value { return b.Add("f", &Func{Name: "tanh", Alpha: 1}, b.Input()) }},
		{"func nan", "parameter 0 is NaN", func(b *Builder) *Value { return b.Add("f", &Func{Name: "elu", Alpha: nan}, b.Input()) }},
		{"pad nan", "value 0 is NaN", func(b *Builder) *Value { return b.Add("p", &Pad{Value: nan}, b.Input()) }},
		{"pad mode", "mode 3", func(b *Builder) *Value { return b.Add("p", &Pad{Mode: 3}, b.Input()) }},
		{"affine inf", "shift 0 is -Inf", func(b *Builder) *Value {
			return b.Add("a", &Affine{Scale: count(1), Shift: []float32{float32(math.Inf(-1))}}, b.Input())
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := New("net", "in", img)
			_, err := b.Graph(c.build(b))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), `graph "net": `) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
	for _, s := range []Shape{nil, {1, 2}, {0}, {1 << 40, 1 << 40, 1 << 40}} {
		if b := New("net", "in", s); b.Err() == nil {
			t.Errorf("input of shape %v accepted", s)
		}
	}
}

// What a graph built by hand may have wrong beyond what a Builder lets pass.
func TestCheck(t *testing.T) {
	build := func() *Graph {
		b := New("net", "in", Shape{2, 4, 4})
		g, err := b.Graph(b.Add("c", conv(2, 3), b.Add("r", &ReLU{}, b.Input())))
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	for _, c := range []struct {
		name, want string
		edit       func(g *Graph)
	}{
		{"output shape", "output shape [2 4 5]: want [2 4 4]", func(g *Graph) { g.Nodes[0].Out.Shape = Shape{2, 4, 5} }},
		{"order", "neither", func(g *Graph) { slices.Reverse(g.Nodes) }},
		{"scale", "scale -1", func(g *Graph) { g.Output.Scale = -1 }},
		{"zero point", "zero point 3 without a scale", func(g *Graph) { g.Output.Zero = 3 }},
		{"full", "all of int8 without a scale", func(g *Graph) { g.Output.Full = true }},
		{"stream", "scale -1 of a stream", func(g *Graph) { g.Output.Stream = -1 }},
		{"scale and stream", "scale 1 as int8 and 2 as int16", func(g *Graph) { g.Output.Scale, g.Output.Stream = 1, 2 }},
		{"input scale", "scale NaN", func(g *Graph) { g.Input.Scale = float32(math.NaN()) }},
		{"copied value", "no node gives it", func(g *Graph) { v := *g.Output; g.Output = &v }},
		{"no node", "node 1 is missing", func(g *Graph) { g.Nodes[1] = nil }},
		{"no input", "no input", func(g *Graph) { g.Input = nil }},
		{"input name", "no name", func(g *Graph) { g.Input.Name = "" }},
		{"input shape", "extent 0", func(g *Graph) { g.Input.Shape[1] = 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := build()
			if err := g.Check(); err != nil {
				t.Fatal(err)
			}
			c.edit(g)
			if err := g.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}
