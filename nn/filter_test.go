package nn

import (
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
)

// All float32 weights of a network count where one layer's algorithm is chosen, those that
// minimal filtering transforms fourfold.
func TestReadWeights(t *testing.T) {
	b := graph.New("read", "x", graph.Shape{32, 8, 8})
	conv := func(in, out, k, stride, groups int) *graph.Conv2D {
		op := &graph.Conv2D{InC: in, OutC: out, KH: k, KW: k, StrideH: stride, StrideW: stride, DilationH: 1, DilationW: 1, Groups: groups}
		op.PadTop, op.PadLeft, op.PadBottom, op.PadRight = k/2, k/2, k/2, k/2
		op.Float = make([]float32, out*in/groups*k*k)
		return op
	}
	x := b.Add("filtered", conv(32, 64, 3, 1, 1), b.Input())
	x = b.Add("pointwise", conv(64, 32, 1, 1, 1), x)
	x = b.Add("grouped", conv(32, 32, 3, 1, 2), x)
	x = b.Add("strided", conv(32, 32, 3, 2, 1), x)
	x.Scale = 0.5
	x = b.Add("bytes", &graph.Conv2D{InC: 32, OutC: 32, KH: 1, KW: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1,
		Weights: graph.Weights{Int8: make([]int8, 32*32), Scale: []float32{1}}}, x)
	g, err := b.Graph(b.Add("dense", &graph.Dense{In: 32 * 16, Out: 10, Weights: graph.Weights{Float: make([]float32, 5120)}}, b.Add("flat", &graph.Flatten{}, x)))
	if err != nil {
		t.Fatal(err)
	}
	choice, err := kernels.Default()
	if err != nil {
		t.Fatal(err)
	}
	c := newCompiler(g, choice)
	const want = 4 * (36*32*64 + 64*32 + 9*32*16 + 9*32*32 + 5120)
	if got := c.readWeights(); got != want {
		t.Errorf("%d bytes of weights, want %d", got, want)
	}
	p, err := Compile(g, Options{Winograd: WinogradAll})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range p.Layers() {
		filtered := l.Name == "filtered" && choice.For(dtype.Float32).WinogradFor(8, 8, want) != 0
		if strings.HasPrefix(l.Impl, "winograd") != filtered {
			t.Errorf("%s by %s: minimal filtering %v", l.Name, l.Impl, filtered)
		}
	}
}
