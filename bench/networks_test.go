package bench

import (
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
)

// A user's network is measured as any other: whole with each implementation, or its
// layers, also those that are no convolution or dense layer.
func TestOwnNetwork(t *testing.T) {
	b := graph.New("own", "x", graph.Shape{4, 6, 6})
	depthwise := &graph.Conv2D{InC: 4, OutC: 4, KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 4, Weights: graph.Weights{Float: make([]float32, 36)}}
	x := b.Add("conv", depthwise, b.Input())
	x = b.Add("swish", &graph.Func{Name: "hardswish"}, x)
	g, err := b.Graph(b.Add("mean", &graph.GlobalAveragePool{}, x))
	if err != nil {
		t.Fatal(err)
	}
	n, err := NewNetwork(g)
	if err != nil {
		t.Fatal(err)
	}
	own := []*Network{n}
	whole, err := NetworkCases(own)
	if err != nil {
		t.Fatal(err)
	}
	networks := 0
	for _, c := range whole {
		if NameKey(c.Name, "algo") != "" {
			t.Errorf("%s: no layer suits minimal filtering", c.Name)
		}
		if strings.HasPrefix(c.Name, "BenchmarkNetwork/dtype=float32/") && strings.HasSuffix(c.Name, "/batch=1") && NameKey(c.Name, "impl") != TunedImpl {
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
	if networks != implementations {
		t.Errorf("%d networks: want %d", networks, implementations)
	}
	layers, err := LayerCases(own, "generic")
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d tables of layers, want 1; %v", len(layers), err)
	}
	c := layers[0]
	var names []string
	for _, p := range c.Parts {
		names = append(names, NameKey(p.Name, "layer"))
	}
	if got := strings.Join(names, " "); got != "input conv swish mean output" {
		t.Errorf("layers %s", got)
	}
	if _, err := LayerCases(own, "nonsense"); err == nil {
		t.Error("an implementation that there is not: no error")
	}
	b = graph.New("empty", "x", graph.Shape{4})
	if g, err = b.Graph(b.Add("relu", &graph.ReLU{}, b.Input())); err != nil {
		t.Fatal(err)
	}
	if _, err := NewNetwork(g); err == nil || !strings.Contains(err.Error(), "no convolution or dense layer") {
		t.Errorf("nothing to measure: got %v", err)
	}
}

// Of a large network what would take minutes is left out, and said.
func TestLargeNetwork(t *testing.T) {
	b := graph.New("large", "x", graph.Shape{64, 96, 96})
	conv := &graph.Conv2D{InC: 64, OutC: 256, KH: 3, KW: 3, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1, Weights: graph.Weights{Float: make([]float32, 64*256*9)}}
	g, err := b.Graph(b.Add("mean", &graph.GlobalAveragePool{}, b.Add("conv", conv, b.Input())))
	if err != nil {
		t.Fatal(err)
	}
	n, err := NewNetwork(g)
	if err != nil {
		t.Fatal(err)
	}
	cases, err := NetworkCases([]*Network{n})
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	for _, c := range cases {
		if strings.Contains(c.Name, "batch=64") || NameKey(c.Name, "impl") == "generic" {
			t.Errorf("%s: want it left out", c.Name)
		}
		if c.Prepare != nil && NameKey(c.Name, "impl") != TunedImpl {
			notices, err := c.Prepare(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			said += strings.Join(notices, "\n")
		}
	}
	if fastest, _ := kernels.Default(); fastest.For(dtype.Float32).Name() != "generic" && (!strings.Contains(said, "batches of 64 are not measured") || !strings.Contains(said, "plain Go is not measured: an image is 1358 million MACs")) {
		t.Errorf("notices %q", said)
	}
}
