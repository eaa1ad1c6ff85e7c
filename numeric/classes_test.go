package numeric

import (
	"context"
	"testing"

	"macroscope/bench"
	"macroscope/graph"
	"macroscope/nn"
)

// A network that gives the class itself, as exporters write it, is counted as the one
// that gives logits: by the runtime and by an array.
func TestClassesOfAnIndex(t *testing.T) {
	g := quantized(t)
	set, err := bench.SampleSet(g)
	if err != nil {
		t.Fatal(err)
	}
	set = set.Some(100)
	index := *g
	index.Output = &graph.Value{Name: "class", Shape: graph.Shape{1}}
	index.Nodes = append(index.Nodes[:len(g.Nodes):len(g.Nodes)], &graph.Node{Name: "class", Op: &graph.ArgMax{}, In: []*graph.Value{g.Output}, Out: index.Output})
	var right [2]int
	var seen [2][]int32
	for i, g := range []*graph.Graph{g, &index} {
		p, err := nn.Compile(g, nn.Options{})
		if err != nil {
			t.Fatal(err)
		}
		a, err := bench.Evaluate(t.Context(), p, set, bench.EvaluateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		n, err := New(g, wide)
		if err != nil {
			t.Fatal(err)
		}
		right[i] = a.Correct
		classes, labels, err := n.Classes(context.Background(), set.Head(5), 1, nil)
		if err != nil || len(labels) != 5 {
			t.Fatal(err, labels)
		}
		seen[i] = classes
	}
	if right[0] != right[1] || right[0] < 50 {
		t.Errorf("%d right by logits, %d by an index: want the same, most of 100", right[0], right[1])
	}
	for i := range seen[0] {
		if seen[0][i] != seen[1][i] {
			t.Errorf("image %d: class %d, %d: want the same", i, seen[0][i], seen[1][i])
		}
	}
}
