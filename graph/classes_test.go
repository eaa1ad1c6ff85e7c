package graph

import "testing"

// What a network tells apart is the index of, where it gives an index.
func TestClasses(t *testing.T) {
	for _, tt := range []struct {
		what string
		in   Shape
		ops  []Op
		want int
	}{
		{"logits", Shape{5}, []Op{&ReLU{}}, 5},
		{"an index", Shape{5}, []Op{&ArgMax{}}, 5},
		{"an index of pixels' channels", Shape{7, 1, 1}, []Op{&ArgMax{}, &Flatten{}}, 7},
		{"an index reshaped", Shape{7}, []Op{&Softmax{}, &ArgMax{Last: true}, &Reshape{To: Shape{1, 1, 1}}}, 7},
		{"an index for each pixel", Shape{7, 2, 3}, []Op{&ArgMax{}}, 6},
		{"one value", Shape{1}, []Op{&ReLU{}}, 1},
		{"something of an index", Shape{5}, []Op{&ArgMax{}, &ReLU{}}, 1},
	} {
		b := New("net", "x", tt.in)
		v := b.Input()
		for _, op := range tt.ops {
			v = b.Add(op.Kind(), op, v)
		}
		g, err := b.Graph(v)
		if err != nil {
			t.Fatal(err)
		}
		if got := g.Classes(); got != tt.want {
			t.Errorf("%s: %d classes: want %d", tt.what, got, tt.want)
		}
	}
}
