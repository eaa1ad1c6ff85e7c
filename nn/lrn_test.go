package nn_test

import (
	"math"
	"testing"

	"macroscope/graph"
	"macroscope/graph/reference"
)

// Local response normalization is that of the definition, rounded to float32.
func TestLRN(t *testing.T) {
	r := newRand(t)
	for range rounds(200) {
		m := newMaker(r, randomImage(r, 9))
		op := &graph.LRN{Alpha: r.Float32() * 1e-3, Beta: 0.75, Bias: 0.5 + r.Float32(), Size: 1 + r.IntN(12)}
		if m.one(2) {
			op.Beta = 2*r.Float32() - 0.5
		}
		g := m.graph(t, m.add(op, m.b.Input()))
		_, in := pixels(r, g.Input.Shape.Size())
		got := run(t, compile(t, g, defaults(t)), in)
		want, err := reference.Run(g, in, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range want {
			if !(math.Abs(float64(got[i])-float64(w)) <= 0x1p-23*math.Abs(float64(w))) {
				t.Fatalf("%+v of %v: element %d is %v, want %v", op, g.Input.Shape, i, got[i], w)
			}
		}
	}
}
