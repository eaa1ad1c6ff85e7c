package graph_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/workload"
)

// network is a small one with everything that matters to a workload; with
// binary, its second convolution and its dense layer are.
func network(t *testing.T, binary bool) *graph.Graph {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	b := graph.New("net", "image", graph.Shape{3, 8, 8})
	x := b.Add("normalize", &graph.Affine{Scale: []float32{0.01}, Shift: []float32{-1}}, b.Input())
	first := randomConv(r, 3, 4)
	first.StrideH = 2
	x = b.Add("norm1", randomNorm(r, 4), b.Add("conv1", first, x))
	second := randomConv(r, 4, 8)
	if binary {
		x = b.Add("sign1", &graph.Sign{}, x)
		second.Bias, second.Binary, second.PadValue = nil, true, -1
		signs(second.Float)
	} else {
		x = b.Add("relu1", &graph.ReLU{}, x)
	}
	x = b.Add("conv2", second, x)
	x = b.Add("pool", &graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}, x)
	x = b.Add("norm2", randomNorm(r, 8), x)
	d := &graph.Dense{In: 64, Out: 5, Weights: graph.Weights{Float: random(r, 320, -1, 1)}}
	if binary {
		x = b.Add("sign2", &graph.Sign{}, x)
		d.Binary = true
		signs(d.Float)
	} else {
		x = b.Add("relu2", &graph.ReLU{}, x)
	}
	x = b.Add("dense", d, b.Add("flatten", &graph.Flatten{}, x))
	g, err := b.Graph(b.Add("softmax", &graph.Softmax{}, x))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestWorkload(t *testing.T) {
	type row struct {
		name    string
		kind    workload.Kind
		d       dtype.DType
		outBits int // as OutputBits gives it
	}
	for _, c := range []struct {
		name   string
		binary bool
		d      dtype.DType
		want   []row
	}{
		{"float32", false, dtype.Float32, []row{
			{"conv1", workload.Conv, dtype.Float32, 32}, {"conv2", workload.Conv, dtype.Float32, 32},
			{"pool", workload.Other, dtype.Float32, 32}, {"norm2", workload.Other, dtype.Float32, 32},
			{"dense", workload.Gemm, dtype.Float32, 32}, {"softmax", workload.Other, dtype.Float32, 32}}},
		{"int8", false, dtype.Int8, []row{
			{"conv1", workload.Conv, dtype.Int8, 8}, {"conv2", workload.Conv, dtype.Int8, 8},
			{"pool", workload.Other, dtype.Int8, 8}, {"norm2", workload.Other, dtype.Int8, 8},
			{"dense", workload.Gemm, dtype.Int8, 32}, {"softmax", workload.Other, dtype.Int8, 32}}},
		{"binary", true, dtype.Binary, []row{
			{"conv1", workload.Conv, dtype.Int8, 1}, {"conv2", workload.Conv, dtype.Binary, 1},
			{"pool", workload.Other, dtype.Binary, 1},
			{"dense", workload.Gemm, dtype.Binary, 32}, {"softmax", workload.Other, dtype.Int8, 32}}},
		{"binary as int8", true, dtype.Int8, []row{
			{"conv1", workload.Conv, dtype.Int8, 8}, {"conv2", workload.Conv, dtype.Int8, 8},
			{"pool", workload.Other, dtype.Int8, 8},
			{"dense", workload.Gemm, dtype.Int8, 32}, {"softmax", workload.Other, dtype.Int8, 32}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := network(t, c.binary)
			w, err := g.Workload(c.d)
			if err != nil {
				t.Fatal(err)
			}
			var got []row
			var macs int64
			for _, l := range w.Layers {
				got = append(got, row{l.Name, l.Kind, l.DType, l.OutputBits()})
				macs += l.MACs()
				if l.Kind == workload.Other && (l.Elements == 0 || l.Op == "") {
					t.Errorf("%s: %d elements of %q", l.Name, l.Elements, l.Op)
				}
				if h, w := l.OutSize(); l.Op == "maxpool" && (!l.Pools() || h*w*int64(l.C) != l.Elements || l.InputWords() != 4*l.Elements) {
					t.Errorf("%s: not the pool of 2×2 that it is: %+v", l.Name, l)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
			if macs != g.MACs() {
				t.Errorf("%d MACs: the graph has %d", macs, g.MACs())
			}
			conv := w.Layers[0]
			if h, wd := conv.OutSize(); h != 4 || wd != 8 || conv.C != 3 || conv.OutC != 4 || conv.PadRight != 1 {
				t.Errorf("conv1 is %+v", conv)
			}
		})
	}
	if _, err := network(t, false).Workload(dtype.Binary); err == nil || !strings.Contains(err.Error(), "want a network trained as binary") {
		t.Errorf("a float network as binary: got %v", err)
	}
}

// A network with shortcuts writes 16 bits wherever an addition reads them; additions,
// the shortcut's pool and its concatenation are layers by their outputs, batch norms
// are none, nor affines before a sign.
func TestShortcutWorkload(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	b := graph.New("net", "image", graph.Shape{3, 8, 8})
	conv := func(in, out int, binary bool) *graph.Conv2D {
		c := randomConv(r, in, out)
		if c.Binary = binary; binary {
			c.Bias, c.PadValue = nil, -1
			signs(c.Float)
		}
		return c
	}
	pool := &graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}
	x := b.Add("prelu1", &graph.PReLU{Slope: []float32{0.5}}, b.Add("norm1", randomNorm(r, 4), b.Add("conv1", conv(3, 4, false), b.Input())))
	y := b.Add("norm2", randomNorm(r, 4), b.Add("pool2", pool, b.Add("conv2", conv(4, 4, true), b.Add("sign2", &graph.Sign{}, b.Add("center2", randomNorm(r, 4), x)))))
	x = b.Add("prelu2", &graph.PReLU{Slope: []float32{0.5}}, b.Add("add2", &graph.Add{}, y, b.Add("round2", pool, x)))
	y = b.Add("norm3", randomNorm(r, 8), b.Add("conv3", conv(4, 8, true), b.Add("sign3", &graph.Sign{}, b.Add("center3", &graph.Affine{Scale: []float32{2}, Shift: []float32{1}}, b.Add("norm3a", randomNorm(r, 4), x)))))
	x = b.Add("add3", &graph.Add{}, b.Add("round3", &graph.Concat{}, x, x), y)
	x = b.Add("flatten", &graph.Flatten{}, b.Add("sign4", &graph.Sign{}, x))
	g, err := b.Graph(b.Add("dense", &graph.Dense{In: 128, Out: 5, Weights: graph.Weights{Float: random(r, 640, -1, 1)}}, x))
	if err != nil {
		t.Fatal(err)
	}
	w, err := g.Workload(dtype.Binary)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		name           string
		d              dtype.DType
		outBits        int
		macs, elements int64
	}
	var got []row
	for _, l := range w.Layers {
		got = append(got, row{l.Name, l.DType, l.OutputBits(), l.MACs(), l.Elements})
	}
	want := []row{
		{"conv1", dtype.Int8, 16, 64 * 27 * 4, 0},
		{"conv2", dtype.Binary, 16, 64 * 36 * 4, 0},
		{"pool2", dtype.Int8, 16, 0, 64},
		{"round2", dtype.Int8, 16, 0, 64},
		{"add2", dtype.Int8, 16, 0, 64},
		{"conv3", dtype.Binary, 16, 16 * 36 * 8, 0},
		{"round3", dtype.Int8, 16, 0, 128},
		{"add3", dtype.Int8, 1, 0, 128}, // signs
		{"dense", dtype.Int8, 32, 640, 0},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	// As int8 nothing is 16 bits wide.
	if w, err = g.Workload(dtype.Int8); err != nil {
		t.Fatal(err)
	}
	for _, l := range w.Layers {
		if l.OutputBits() == 16 {
			t.Errorf("%s writes 16 bits in int8", l.Name)
		}
	}
}
