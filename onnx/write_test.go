package onnx_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"macroscope/bench"
	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/onnx"
	"macroscope/ptq"
)

var dialects = map[string]onnx.Dialect{"qonnx": onnx.QONNX, "plain": onnx.Plain}

func write(t testing.TB, g *graph.Graph, o onnx.WriteOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := onnx.Write(&b, g, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// wantBack writes g and compares what is read back with it: everything is the
// same, but for the float weights of int8 layers, which are now Scale·Int8.
func wantBack(t testing.TB, g *graph.Graph, o onnx.WriteOptions) {
	t.Helper()
	data := write(t, g, o)
	got, err := onnx.Read(data, "written")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Nodes) != len(g.Nodes) {
		t.Fatalf("%d nodes: want %d", len(got.Nodes), len(g.Nodes))
	}
	for i, n := range g.Nodes {
		want := *n
		want.Op = asRead(n.Op)
		if !reflect.DeepEqual(got.Nodes[i], &want) {
			t.Fatalf("node %d is\n%+v %+v\nwant\n%+v %+v", i, got.Nodes[i], got.Nodes[i].Op, want, want.Op)
		}
	}
	if got.Name != g.Name || !reflect.DeepEqual(got.Input, g.Input) || !reflect.DeepEqual(got.Output, g.Output) {
		t.Fatalf("graph %q, input %+v, output %+v: want %q, %+v, %+v", got.Name, got.Input, got.Output, g.Name, g.Input, g.Output)
	}
	if again := write(t, got, o); !bytes.Equal(again, data) {
		t.Fatal("writing what was read back gives other bytes")
	}
}

// asRead is op as a file gives it back: int8 weights alone, without the numbers that they were.
func asRead(op graph.Op) graph.Op {
	round := func(w *graph.Weights) {
		if w.Int8 != nil {
			w.Float = nil
		}
	}
	switch op := op.(type) {
	case *graph.Conv2D:
		c := *op
		round(&c.Weights)
		return &c
	case *graph.Dense:
		d := *op
		round(&d.Weights)
		return &d
	}
	return op
}

func network(t testing.TB, d dtype.DType, o ptq.Options) *graph.Graph {
	t.Helper()
	g, err := bench.LoadNetwork("cifar10cnn", d, o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestShippedNetworksComeBack(t *testing.T) {
	for name, dialect := range dialects {
		for _, d := range dtype.All {
			for _, perTensor := range []bool{false, true} {
				if perTensor && d == dtype.Float32 {
					continue // it has no scales
				}
				t.Run(fmt.Sprint(name, " ", d, " per tensor ", perTensor), func(t *testing.T) {
					wantBack(t, network(t, d, ptq.Options{PerTensor: perTensor}), onnx.WriteOptions{Binary: dialect})
				})
			}
		}
	}
}

// randomGraph has layers of every kind with random geometry, and int8 values and
// weights with random scales, which need not make sense as a network. Where
// forgetful, it has nothing that the plain dialect loses.
func randomGraph(t testing.TB, r *rand.Rand, forgetful bool) *graph.Graph {
	t.Helper()
	floats := func(n int) []float32 { return normal(r, n) }
	weights := func(rows, k int, binary bool) graph.Weights {
		w := graph.Weights{Float: floats(rows * k), Binary: binary}
		if r.IntN(2) == 0 {
			w.Bias = floats(rows)
		}
		switch {
		case binary:
			for i, x := range w.Float {
				w.Float[i] = float32(math.Copysign(1, float64(x)))
			}
		case r.IntN(2) == 0:
			w.Int8 = make([]int8, rows*k)
			for i := range w.Int8 {
				w.Int8[i] = int8(r.IntN(255) - 127)
			}
			w.Scale = make([]float32, []int{1, rows}[r.IntN(2)])
			for i := range w.Scale {
				w.Scale[i] = r.Float32() + 1e-6
			}
		}
		return w
	}
	b := graph.New(fmt.Sprint("random", r.IntN(100)), "image", graph.Shape{1 + r.IntN(4), 3 + r.IntN(6), 3 + r.IntN(6)})
	v, signs, others, reshaped := b.Input(), false, []*graph.Value{}, false
	for i := range 1 + r.IntN(12) {
		var op graph.Op
		in := []*graph.Value{v}
		c, image := v.Shape.Channels(), len(v.Shape) == 3
		stillSigns := false
		switch kind := r.IntN(22); {
		case kind == 0 && image:
			conv := &graph.Conv2D{InC: c, OutC: 1 + r.IntN(5), KH: 1 + r.IntN(3), KW: 1 + r.IntN(3), StrideH: 1 + r.IntN(2), StrideW: 1 + r.IntN(2),
				DilationH: 1, DilationW: 1 + r.IntN(2), PadTop: r.IntN(3), PadLeft: r.IntN(3), PadBottom: r.IntN(3), PadRight: r.IntN(3), Groups: 1}
			if r.IntN(3) == 0 {
				conv.Groups = c
				conv.OutC *= c
			}
			if conv.PadTop+conv.PadLeft+conv.PadBottom+conv.PadRight > 0 {
				conv.PadValue = []float32{0, -1, 0.1}[r.IntN(3)]
			}
			conv.Weights = weights(conv.OutC, conv.K(), r.IntN(2) == 0 && (signs || !forgetful))
			op = conv
		case kind == 1 && !image:
			d := &graph.Dense{In: c, Out: 1 + r.IntN(5)}
			d.Weights = weights(d.Out, d.In, r.IntN(2) == 0 && (signs || !forgetful))
			op = d
		case kind == 2:
			variance := floats(c)
			for i := range variance {
				variance[i] *= variance[i]
			}
			op = &graph.BatchNorm{Gamma: floats(c), Beta: floats(c), Mean: floats(c), Var: variance, Epsilon: 1e-3}
		case kind == 3:
			a := &graph.Affine{Scale: floats([]int{1, c}[r.IntN(2)]), Shift: floats([]int{1, c}[r.IntN(2)])}
			switch r.IntN(4) {
			case 0:
				clear(a.Shift)
			case 1:
				for i := range a.Scale {
					a.Scale[i] = 1
				}
			}
			op = a
		case kind == 4 && image:
			op, stillSigns = &graph.MaxPool{KH: 2, KW: 3, StrideH: 1 + r.IntN(2), StrideW: 1, PadTop: r.IntN(2), PadLeft: r.IntN(3), PadRight: r.IntN(2)}, signs
		case kind == 5 && image && i > 5 && !reshaped:
			op, stillSigns = &graph.Flatten{}, signs
		case kind == 6 && image && i > 5:
			op = &graph.GlobalAveragePool{}
		case kind == 7 && !image:
			op = &graph.Softmax{}
		case kind == 7:
			op = &graph.LRN{Alpha: r.Float32(), Beta: 0.75, Bias: 1 + r.Float32(), Size: 1 + r.IntN(6)}
		case kind == 8:
			op = &graph.Add{}
			in = append(in, v)
			for _, o := range others {
				if o.Shape.Equal(v.Shape) {
					in[1] = o
				}
			}
		case kind == 9:
			op, stillSigns = &graph.Sign{}, true
		case kind == 10:
			op = &graph.PReLU{Slope: floats([]int{1, c}[r.IntN(2)])}
		case kind == 11:
			op = &graph.Clip{Lo: -r.Float32(), Hi: r.Float32()}
		case kind == 12:
			op = &graph.Concat{}
			in = append(in, v, v)
		case kind == 13:
			op = &graph.Dropout{Rate: r.Float32() / 2}
		case kind == 14:
			in = append(in, v)
			op = []graph.Op{&graph.Sub{}, &graph.Mul{}, &graph.Div{}}[r.IntN(3)]
		case kind == 15:
			names := graph.FuncNames()
			f := &graph.Func{Name: names[r.IntN(len(names))]}
			if f.Parameters() > 0 {
				f.Alpha = 0.1 + r.Float32()
			}
			if f.Parameters() > 1 {
				f.Beta = 0.1 + r.Float32()
			}
			op = f
		case kind == 16 && image:
			op = &graph.AveragePool{KH: 2, KW: 3, StrideH: 1 + r.IntN(2), StrideW: 1, DilationW: 2 * r.IntN(2), PadTop: r.IntN(2), PadLeft: r.IntN(3), PadRight: r.IntN(2), CountPad: r.IntN(2) == 0}
		case kind == 17 && image && !reshaped && min(v.Shape[2], v.Shape[0]*v.Shape[1]) > 1: // else nothing moves
			op, stillSigns = &graph.Transpose{View: v.Shape.Clone(), Perm: []int{2, 0, 1}, To: graph.Shape{v.Shape[2], v.Shape[0], v.Shape[1]}}, signs
		case kind == 18:
			s := &graph.Slice{Step: [3]int{1, 1, 1}}
			for i, d := range v.Shape {
				if s.Start[i], s.Step[i], s.Size[i] = 0, 1, d; d > 2 && r.IntN(2) == 0 {
					s.Start[i], s.Step[i], s.Size[i] = d-1, -1, 2+r.IntN(d-1)
				}
			}
			if op, stillSigns = s, signs; s.Step == [3]int{1, 1, 1} {
				continue // it would take everything
			}
		case kind == 19:
			p := &graph.Pad{Mode: graph.PadMode(r.IntN(3))}
			p.Before[0], p.After[0] = 1, r.IntN(2) // of channels: no convolution takes that in
			if image {
				p.Before[1], p.After[2] = r.IntN(2), r.IntN(2)
			}
			if p.Mode == graph.PadConstant {
				p.Value = r.Float32()
			}
			op = p
		case kind == 20 && image && v.Shape[0] != v.Shape[1] && !reshaped:
			op, stillSigns = &graph.Reshape{To: graph.Shape{v.Shape[1], v.Shape[0], v.Shape[2]}}, signs
		case kind == 21:
			v.Scale, v.Zero = r.Float32()+1e-6, int8(1+r.IntN(100))
			v.Stream = 0
			op = &graph.ReLU{}
		default:
			op = &graph.ReLU{}
		}
		shapes := []graph.Shape{in[0].Shape}
		for _, more := range in[1:] {
			shapes = append(shapes, more.Shape)
		}
		if _, err := op.OutShape(shapes); err != nil {
			continue // a window that does not fit
		}
		if r.IntN(4) == 0 && v.Scale == 0 {
			v.Scale = r.Float32() + 1e-6
		} else if v.Scale == 0 && v.Stream == 0 && r.IntN(3) == 0 {
			v.Stream = []float32{0.5, r.Float32() + 1e-6}[r.IntN(2)]
		}
		others = append(others, v)
		switch op.(type) { // of which two in a row are one
		case *graph.Reshape, *graph.Flatten:
			reshaped = true
		default:
			reshaped = false
		}
		v = b.AddNamed(fmt.Sprint("n", i), fmt.Sprint("v", i, "/scaled"[:r.IntN(2)*7]), op, in...)
		signs = stillSigns
	}
	if v == b.Input() {
		v = b.Add("relu", &graph.ReLU{}, v)
	}
	if r.IntN(4) == 0 {
		v.Scale = 0.25
	}
	if r.IntN(2) == 0 {
		for _, v := range append(others, v, b.Input()) {
			v.Full = v.Scale != 0 && v.Zero == 0
		}
	}
	g, err := b.Graph(v)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestRandomGraphsComeBack(t *testing.T) {
	seeds := uint64(1000)
	if testing.Short() {
		seeds = 200
	}
	for name, dialect := range dialects {
		for seed := range seeds {
			t.Run(fmt.Sprint(name, " ", seed), func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 0))
				wantBack(t, randomGraph(t, r, dialect == onnx.Plain), onnx.WriteOptions{Binary: dialect})
			})
		}
	}
}

// Names that what is written in addition would take are avoided.
func TestWriteAvoidsNames(t *testing.T) {
	b := graph.New("names", "zero_point", graph.Shape{2})
	x := b.Input()
	for _, name := range []string{"one", "d.weight", "a/scaled", "zero_point/quantized", "zero_point.scale", "minus_one", "s/up"} {
		x = b.Add(name, &graph.ReLU{}, x)
	}
	x = b.Add("a", &graph.Affine{Scale: []float32{2}, Shift: []float32{3}}, x)
	x = b.Add("s", &graph.Sign{}, x)
	g, err := b.Graph(b.Add("d", &graph.Dense{In: 2, Out: 1, Weights: graph.Weights{Float: []float32{1, -1}, Binary: true}}, x))
	if err != nil {
		t.Fatal(err)
	}
	g.Input.Scale = 0.5
	for _, d := range dialects {
		wantBack(t, g, onnx.WriteOptions{Binary: d})
	}
}

func TestWriteMetadata(t *testing.T) {
	b := graph.New("g", "x", graph.Shape{2})
	g, err := b.Graph(b.Add("y", &graph.ReLU{}, b.Input()))
	if err != nil {
		t.Fatal(err)
	}
	o := onnx.WriteOptions{Version: "v1.2", Metadata: map[string]string{"a": "apple", "b": "banana", "c": "cherry"}}
	data := write(t, g, o)
	for _, s := range []string{"macroscope", "v1.2", "apple", "banana", "cherry"} {
		if !bytes.Contains(data, []byte(s)) {
			t.Errorf("the file has no %q", s)
		}
	}
	for range 10 {
		if !bytes.Equal(write(t, g, o), data) {
			t.Fatal("the same graph gives other bytes")
		}
	}
	wantBack(t, g, o)
}

type unknownOp struct{ graph.ReLU }

func TestWriteErrors(t *testing.T) {
	dense := func(w graph.Weights) func(*graph.Builder) *graph.Value {
		return func(b *graph.Builder) *graph.Value {
			return b.Add("d", &graph.Dense{In: 2, Out: 1, Weights: w}, b.Input())
		}
	}
	for _, c := range []struct {
		build func(b *graph.Builder) *graph.Value
		want  string
	}{
		{func(b *graph.Builder) *graph.Value { return b.Input() }, "the output is the input unchanged"},
		{func(b *graph.Builder) *graph.Value { return b.Add("u", &unknownOp{}, b.Input()) }, `node "u" (relu): no ONNX form known`},
		{dense(graph.Weights{Float: []float32{1, 1}, Binary: true, Int8: []int8{1, 1}, Scale: []float32{1}}), "both int8 and binary"},
	} {
		b := graph.New("g", "x", graph.Shape{2})
		g, err := b.Graph(c.build(b))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err = onnx.Write(&out, g, onnx.WriteOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) || out.Len() > 0 {
			t.Errorf("got %v and %d bytes, want an error with %q and none", err, out.Len(), c.want)
		}
	}
	if err := onnx.Write(&bytes.Buffer{}, &graph.Graph{Name: "bad"}, onnx.WriteOptions{}); err == nil || !strings.Contains(err.Error(), `graph "bad"`) {
		t.Errorf("a bad graph: got %v", err)
	}
	b := graph.New("g", "x", graph.Shape{2})
	g, err := b.Graph(b.Add("y", &graph.ReLU{}, b.Input()))
	if err != nil {
		t.Fatal(err)
	}
	if err := onnx.Write(failing{}, g, onnx.WriteOptions{}); !errors.Is(err, errFull) {
		t.Errorf("got %v, want the writer's error", err)
	}
}

var errFull = errors.New("full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }
