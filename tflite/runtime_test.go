package tflite

import (
	"testing"

	"macroscope/graph"
	"macroscope/nn"
)

// The runtime gives the interpreters' bytes.
func TestRuntimeGolden(t *testing.T) {
	for by, rule := range rules {
		t.Run(by, func(t *testing.T) { runtimeEquals(t, rule, goldenFile(t, by)) })
	}
}

// TestRuntimeInterpreter compares with the interpreter that is installed.
func TestRuntimeInterpreter(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 50
	}
	by, want := interpreter(t, n)
	t.Logf("%d images, rules of %s", n, by)
	runtimeEquals(t, rules[by], want)
}

func runtimeEquals(t *testing.T, rule graph.Integers, want [][]int8) {
	g, set := resnet(t, "int8"), testSet(t)
	g.Integer = rule
	logits := *g // the network without its softmax
	for _, n := range g.Nodes {
		if n.Out == g.Output {
			logits.Output = n.In[0]
		}
	}
	image := make([]float32, g.Input.Shape.Size())
	for part, g := range []*graph.Graph{&logits, g} {
		plan, err := nn.Compile(g, nn.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := plan.NewRunner(1)
		defer r.Close()
		out := make([]float32, plan.OutputSize())
		for i, row := range want {
			set.Floats(image, i)
			if err := r.Run(out, image); err != nil {
				t.Fatal(err)
			}
			equal(t, i, steps(g.Output, out), row[10*part:][:10])
		}
	}
}
