package main

import (
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
)

// Layers of few bits say whether they are computed by bits or bytes, and why.
func TestInspectFewBits(t *testing.T) {
	b := graph.New("few bits", "in", graph.Shape{32, 8, 8})
	x := b.Add("clip", &graph.Clip{Hi: 3}, b.Input())
	x.Scale = 1
	conv := &graph.Conv2D{InC: 32, OutC: 32, KH: 1, KW: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}
	conv.Scale = []float32{1}
	for i := range 32 * 32 {
		q := int8(i/3%3) - 1
		conv.Int8, conv.Float = append(conv.Int8, q), append(conv.Float, float32(q))
	}
	g, err := b.Graph(b.Add("ternary", conv, x))
	if err != nil {
		t.Fatal(err)
	}
	var r inspectResult
	r.layers(g)
	choice, err := kernels.Default()
	if err != nil {
		t.Fatal(err)
	}
	l, impl := r.Layers[1], choice.For(dtype.Int8).FullName("conv2d")
	if binary := choice.For(dtype.Binary); !choice.Forced(dtype.Int8) && binary.SerialProducts(2, conv.Int8) <= binary.SerialPays(choice.For(dtype.Int8), 32) {
		impl = binary.FullName("bitserial")
	}
	if l.Impl != impl || l.DType != "int8" || !strings.Contains(l.Why, "binary products for one of 2 bits") {
		t.Errorf("%s in %s, %q: want %s", l.Impl, l.DType, l.Why, impl)
	}
}
