package graph_test

import (
	"testing"

	"macroscope/graph"
)

// Values that an addition joins are of a stream if a sign reads one of them, as it is or
// through norms; what an int8 layer reads alone is of none.
func TestFindStreams(t *testing.T) {
	for _, c := range []struct {
		name         string
		norm, signed bool
	}{{"as it is", false, true}, {"normalized", true, true}, {"no sign", true, false}} {
		b := graph.New("net", "image", graph.Shape{4, 8, 8})
		affine := &graph.Affine{Scale: []float32{2}, Shift: []float32{1}}
		x := b.Add("first", affine, b.Input())
		y := b.Add("other", affine, b.Input())
		sum := b.Add("sum", &graph.Add{}, x, y)
		pool := b.Add("pool", &graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}, sum)
		out := pool
		if c.norm {
			out = b.Add("norm2", affine, b.Add("norm1", affine, pool))
		}
		last := graph.Op(&graph.Func{Name: "tanh"})
		if c.signed {
			last = &graph.Sign{}
		}
		g, err := b.Graph(b.Add("last", last, out))
		if err != nil {
			t.Fatal(err)
		}
		s := graph.FindStreams(g)
		for _, v := range []*graph.Value{x, y, sum, pool} {
			if s.Has(v) != c.signed || s.Of(v) != s.Of(sum) {
				t.Errorf("%s: %s is of a stream: %v, want %v", c.name, v.Name, s.Has(v), c.signed)
			}
		}
		if c.norm && s.Of(out) == s.Of(pool) || s.Has(g.Output) || s.Has(g.Input) {
			t.Errorf("%s: a norm's output, the sign or the input is of the stream", c.name)
		}
	}
}
