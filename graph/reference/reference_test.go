package reference

import (
	"math"
	"slices"
	"strings"
	"testing"

	"macroscope/graph"
)

// op evaluates one op on one input of the given shape.
func op(t *testing.T, o graph.Op, shape graph.Shape, in ...float32) []float64 {
	t.Helper()
	b := graph.New("net", "in", shape)
	g, err := b.Graph(b.Add("op", o, b.Input()))
	if err != nil {
		t.Fatal(err)
	}
	out, err := Run(g, in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Each result is worked out by hand in the comment beside it.
func TestOps(t *testing.T) {
	square := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}
	conv := func(edit func(c *graph.Conv2D)) *graph.Conv2D {
		c := &graph.Conv2D{InC: 1, OutC: 1, KH: 2, KW: 2, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}
		c.Float = []float32{1, 10, 100, 1000}
		edit(c)
		return c
	}
	for _, c := range []struct {
		name  string
		op    graph.Op
		shape graph.Shape
		in    []float32
		want  []float64
	}{
		// 1·1+2·10+4·100+5·1000, ...
		{"conv", conv(func(*graph.Conv2D) {}), graph.Shape{1, 3, 3}, square, []float64{5421, 6532, 8754, 9865}},
		{"conv bias", conv(func(c *graph.Conv2D) { c.Bias = []float32{-0.5} }), graph.Shape{1, 3, 3}, square, []float64{5420.5, 6531.5, 8753.5, 9864.5}},
		{"conv stride", conv(func(c *graph.Conv2D) { c.StrideH, c.StrideW = 1, 2 }), graph.Shape{1, 3, 3}, square, []float64{5421, 8754}},
		// 1·1+3·10+7·100+9·1000
		{"conv dilation", conv(func(c *graph.Conv2D) { c.DilationH, c.DilationW = 2, 2 }), graph.Shape{1, 3, 3}, square, []float64{9731}},
		// above: -1·1-1·10+1·100+2·1000, -1·1-1·10+2·100+3·1000
		{"conv pad", conv(func(c *graph.Conv2D) { c.PadTop, c.PadValue, c.StrideH = 1, -1, 3 }), graph.Shape{1, 3, 3}, square, []float64{2089, 3189}},
		// left: 0·1+1·10+0·100+4·1000; right: 3·1+6·100
		{"conv pad zero", conv(func(c *graph.Conv2D) { c.PadLeft, c.PadRight, c.StrideH, c.StrideW = 1, 1, 2, 3 }), graph.Shape{1, 3, 3}, square, []float64{4010, 603}},
		// two groups of one channel: 2·3, 5·7; 1×1
		{"conv groups", &graph.Conv2D{InC: 2, OutC: 2, KH: 1, KW: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 2,
			Weights: graph.Weights{Float: []float32{3, 7}}}, graph.Shape{2, 1, 1}, []float32{2, 5}, []float64{6, 35}},
		// one group: 2·3+5·7, 2·11+5·13
		{"conv channels", &graph.Conv2D{InC: 2, OutC: 2, KH: 1, KW: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1,
			Weights: graph.Weights{Float: []float32{3, 7, 11, 13}}}, graph.Shape{2, 1, 1}, []float32{2, 5}, []float64{41, 87}},
		{"dense", &graph.Dense{In: 2, Out: 3, Weights: graph.Weights{Float: []float32{1, 2, 3, 4, 5, 6}, Bias: []float32{100, 200, 300}}},
			graph.Shape{2}, []float32{10, 1}, []float64{112, 234, 356}},
		// 3·(5-1)/√(3+1)+7, -2·(6-2)/√(0.25)+1
		{"norm", &graph.BatchNorm{Gamma: []float32{3, -2}, Beta: []float32{7, 1}, Mean: []float32{1, 2}, Var: []float32{3, -0.75}, Epsilon: 1},
			graph.Shape{2}, []float32{5, 6}, []float64{13, -15}},
		{"affine", &graph.Affine{Scale: []float32{2}, Shift: []float32{1, -1}}, graph.Shape{2, 1, 2}, []float32{1, 2, 3, 4}, []float64{3, 5, 5, 7}},
		{"relu", &graph.ReLU{}, graph.Shape{3}, []float32{-1, 0, 2}, []float64{0, 0, 2}},
		{"sign", &graph.Sign{}, graph.Shape{4}, []float32{-1e-30, float32(math.Copysign(0, -1)), 0, 2}, []float64{-1, 1, 1, 1}},
		{"pool", &graph.MaxPool{KH: 2, KW: 2, StrideH: 1, StrideW: 1}, graph.Shape{1, 3, 3}, square, []float64{5, 6, 8, 9}},
		{"pool pad", &graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2, PadTop: 1, PadRight: 1}, graph.Shape{1, 3, 3},
			[]float32{-1, -2, -3, -4, -5, -6, -7, -8, -9}, []float64{-1, -3, -4, -6}},
		{"average", &graph.GlobalAveragePool{}, graph.Shape{2, 1, 2}, []float32{1, 2, 10, 30}, []float64{1.5, 20}},
		{"flatten", &graph.Flatten{}, graph.Shape{2, 1, 2}, []float32{1, 2, 3, 4}, []float64{1, 2, 3, 4}},
		{"pool dilation", &graph.MaxPool{KH: 2, KW: 2, StrideH: 1, StrideW: 1, DilationH: 2, DilationW: 2}, graph.Shape{1, 3, 3}, square, []float64{9}},
		// (1+2+4+5)/4, ...
		{"average pool", &graph.AveragePool{KH: 2, KW: 2, StrideH: 1, StrideW: 1}, graph.Shape{1, 3, 3}, square, []float64{3, 4, 6, 7}},
		// above: 1/1 and (2+3)/2 of what lies in the image, of all four 1/4 and 5/4
		{"average pad", &graph.AveragePool{KH: 2, KW: 2, StrideH: 3, StrideW: 2, PadTop: 1, PadLeft: 1}, graph.Shape{1, 3, 3}, square, []float64{1, 2.5}},
		{"average count pad", &graph.AveragePool{KH: 2, KW: 2, StrideH: 3, StrideW: 2, PadTop: 1, PadLeft: 1, CountPad: true}, graph.Shape{1, 3, 3}, square, []float64{0.25, 1.25}},
		{"func", &graph.Func{Name: "hardsigmoid", Alpha: 0.25, Beta: 0.5}, graph.Shape{4}, []float32{-3, -1, 1, 3}, []float64{0, 0.25, 0.75, 1}},
		{"reshape", &graph.Reshape{To: graph.Shape{1, 2, 2}}, graph.Shape{4}, []float32{1, 2, 3, 4}, []float64{1, 2, 3, 4}},
		{"transpose", &graph.Transpose{View: []int{2, 3}, Perm: []int{1, 0}, To: graph.Shape{6}}, graph.Shape{6}, []float32{1, 2, 3, 4, 5, 6}, []float64{1, 4, 2, 5, 3, 6}},
		// of [2][2][3]: b[2][0][1] is a[0][1][2]
		{"transpose 3", &graph.Transpose{View: []int{2, 2, 3}, Perm: []int{2, 0, 1}, To: graph.Shape{3, 2, 2}}, graph.Shape{2, 2, 3},
			[]float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, []float64{1, 4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12}},
		{"slice", &graph.Slice{Start: [3]int{0, 2, 0}, Step: [3]int{1, -2, 1}, Size: [3]int{1, 2, 2}}, graph.Shape{1, 3, 3}, square, []float64{7, 8, 1, 2}},
		{"pad", &graph.Pad{Before: [3]int{1, 0, 1}, After: [3]int{0, 1, 0}, Value: 7}, graph.Shape{1, 1, 2}, []float32{1, 2},
			[]float64{7, 7, 7, 7, 7, 7, 7, 1, 2, 7, 7, 7}},
		{"pad reflect", &graph.Pad{Before: [3]int{2}, After: [3]int{2}, Mode: graph.PadReflect}, graph.Shape{3}, []float32{1, 2, 3}, []float64{3, 2, 1, 2, 3, 2, 1}},
		{"pad edge", &graph.Pad{Before: [3]int{2}, After: [3]int{1}, Mode: graph.PadEdge}, graph.Shape{2}, []float32{1, 2}, []float64{1, 1, 1, 2, 2}},
		{"argmax", &graph.ArgMax{}, graph.Shape{3, 1, 2}, []float32{1, 9, 5, 9, 5, 2}, []float64{1, 0}},
		{"argmax last", &graph.ArgMax{Last: true}, graph.Shape{3, 1, 2}, []float32{1, 9, 5, 9, 5, 2}, []float64{2, 1}},
		{"constant", &graph.Constant{To: graph.Shape{2}, Values: []float32{7, 8}}, graph.Shape{1}, []float32{1}, []float64{7, 8}},
		{"logsoftmax", &graph.Softmax{Log: true}, graph.Shape{2}, []float32{0, 2000}, []float64{-2000, 0}},
		{"lrn", &graph.LRN{Alpha: 3, Beta: 1, Bias: 1, Size: 3}, graph.Shape{3}, []float32{1, -2, 3}, []float64{1. / 6, -2. / 15, 3. / 14}},
		{"lrn of even size", &graph.LRN{Alpha: 2, Beta: 0.5, Bias: 2, Size: 2}, graph.Shape{2, 1, 2}, []float32{1, 2, -1, 3}, []float64{0.5, 2 / math.Sqrt(15), -1 / math.Sqrt(3), 3 / math.Sqrt(11)}},
		{"softmax image", &graph.Softmax{}, graph.Shape{2, 1, 2}, []float32{3, 7, 3, 7}, []float64{0.5, 0.5, 0.5, 0.5}},
		// exp(0), exp(ln 3) : 1/4, 3/4, whatever is added to both
		{"softmax", &graph.Softmax{}, graph.Shape{2}, []float32{1000, 1000}, []float64{0.5, 0.5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := op(t, c.op, c.shape, c.in...); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	got := op(t, &graph.Softmax{}, graph.Shape{2}, 0, float32(math.Log(3)))
	if !(math.Abs(got[0]-0.25) <= 1e-7) || !(math.Abs(got[1]-0.75) <= 1e-7) {
		t.Errorf("softmax of 0, ln 3: got %v, want 1/4, 3/4", got)
	}
}

func TestRun(t *testing.T) {
	b := graph.New("net", "in", graph.Shape{2})
	x := b.Add("relu", &graph.ReLU{}, b.Input())
	y := b.Add("sum", &graph.Add{}, x, b.Input())
	g, err := b.Graph(y)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string][]float64{}
	out, err := Run(g, []float32{-3, 4}, func(v *graph.Value, data []float64) { seen[v.Name] = slices.Clone(data) })
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(out, []float64{-3, 8}) {
		t.Errorf("got %v, want [-3 8]", out)
	}
	for name, want := range map[string][]float64{"in": {-3, 4}, "relu": {0, 4}, "sum": {-3, 8}} {
		if !slices.Equal(seen[name], want) {
			t.Errorf("watched %s: got %v, want %v", name, seen[name], want)
		}
	}
	if _, err := Run(g, []float32{1}, nil); err == nil || !strings.Contains(err.Error(), "1 elements: want 2") {
		t.Errorf("a short image: got %v", err)
	}
}

// Two inputs, one of which is stretched: [2 1 1] and [1 1 2] are both [2 1 2].
func TestStretched(t *testing.T) {
	for _, c := range []struct {
		op   graph.Op
		want []float64
	}{
		{&graph.Add{}, []float64{13, 14, 15, 16}},
		{&graph.Sub{}, []float64{7, 6, 9, 8}},
		{&graph.Mul{}, []float64{30, 40, 36, 48}},
		{&graph.Div{}, []float64{10. / 3, 2.5, 4, 3}},
	} {
		b := graph.New("net", "in", graph.Shape{4})
		x := b.Add("x", &graph.Reshape{To: graph.Shape{2, 1, 1}}, b.Add("first", &graph.Slice{Start: [3]int{0}, Step: [3]int{1}, Size: [3]int{2}}, b.Input()))
		y := b.Add("y", &graph.Reshape{To: graph.Shape{1, 1, 2}}, b.Add("second", &graph.Slice{Start: [3]int{2}, Step: [3]int{1}, Size: [3]int{2}}, b.Input()))
		g, err := b.Graph(b.Add("op", c.op, x, y))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Run(g, []float32{10, 12, 3, 4}, nil)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, %v: want %v", c.op.Kind(), got, err, c.want)
		}
	}
}
