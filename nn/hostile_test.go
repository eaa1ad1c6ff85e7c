package nn_test

import (
	"runtime"
	"testing"

	"macroscope/graph"
	"macroscope/nn"
)

// A plan takes no memory for what its moves would move: who only looks at a network need not
// be able to run it.
func TestPlanOfHugeMoves(t *testing.T) {
	b := graph.New("net", "x", graph.Shape{1 << 12, 1 << 6, 1 << 6})
	v := b.Add("turn", &graph.Transpose{View: []int{1 << 12, 1 << 6, 1 << 6}, Perm: []int{1, 0, 2}, To: graph.Shape{1 << 6, 1 << 12, 1 << 6}}, b.Input())
	v = b.Add("relu", &graph.ReLU{}, v)
	g, err := b.Graph(b.Add("flat", &graph.Flatten{}, v))
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p, err := nn.Compile(g, nn.Options{})
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
		t.Errorf("a plan of moves took %d bytes", took)
	}
	if p.ArenaBytes() < 1<<26 {
		t.Errorf("an arena of %d bytes: want all elements of some value at least", p.ArenaBytes())
	}
}
