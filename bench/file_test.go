package bench

import (
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
)

// A network of its own is measured as any other: whole with each implementation, or its
// layers, also those that are no convolution or dense layer.
func TestGraphCases(t *testing.T) {
	b := graph.New("own", "x", graph.Shape{4, 6, 6})
	depthwise := &graph.Conv2D{InC: 4, OutC: 4, KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 4, Weights: graph.Weights{Float: make([]float32, 36)}}
	x := b.Add("conv", depthwise, b.Input())
	x = b.Add("swish", &graph.Func{Name: "hardswish"}, x)
	g, err := b.Graph(b.Add("mean", &graph.GlobalAveragePool{}, x))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := GraphCases(g, false, "")
	if err != nil {
		t.Fatal(err)
	}
	networks := 0
	for _, c := range whole {
		if strings.HasPrefix(c.Name, "BenchmarkNetwork/dtype=float32/") {
			networks++
			c.Run(1)
		}
	}
	implementations := 0
	for _, im := range Available() {
		if im.DType() == dtype.Float32 {
			implementations++
		}
	}
	if want := 2 * implementations; networks != want { // direct and Winograd's
		t.Errorf("%d networks: want %d", networks, want)
	}
	layers, err := GraphCases(g, true, "generic")
	if err != nil {
		t.Fatal(err)
	}
	c := layers[len(layers)-1]
	var names []string
	for _, p := range c.Parts {
		names = append(names, NameKey(p.Name, "layer"))
	}
	if got := strings.Join(names, " "); got != "input conv swish mean output" {
		t.Errorf("layers %s", got)
	}
	if _, err := GraphCases(g, true, "nonsense"); err == nil {
		t.Error("an implementation that there is not: no error")
	}
	b = graph.New("empty", "x", graph.Shape{4})
	if g, err = b.Graph(b.Add("relu", &graph.ReLU{}, b.Input())); err != nil {
		t.Fatal(err)
	}
	if _, err := GraphCases(g, false, ""); err == nil || !strings.Contains(err.Error(), "no convolution or dense layer") {
		t.Errorf("nothing to measure: got %v", err)
	}
}
