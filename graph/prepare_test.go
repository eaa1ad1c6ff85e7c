package graph

import (
	"slices"
	"strings"
	"testing"
)

func TestPrepare(t *testing.T) {
	image := func(s Shape, more func(b *Builder, x *Value) *Value) *Graph {
		b := New("net", "in", s)
		g, err := b.Graph(b.Add("relu", &ReLU{}, more(b, b.Input())))
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	plain := func(_ *Builder, x *Value) *Value { return x }
	g := image(Shape{3, 2, 2}, plain)
	if got, err := Prepare(g, Preparation{}); got != g || err != nil {
		t.Errorf("nothing to prepare: got %v, %v", got, err)
	}
	// 0…255 to −1…1, less 0.5, by 2 and 4.
	got, err := Prepare(g, Preparation{Lo: -1, Hi: 1, Mean: []float32{0.5}, Std: []float32{2, 4, 4}})
	if err != nil {
		t.Fatal(err)
	}
	a := got.Nodes[0].Op.(*Affine)
	if !slices.Equal(a.Shift, []float32{-0.75, -0.375, -0.375}) || a.Scale[0] != float32(2./255/2) || got.Nodes[0].Out != g.Input || !got.Input.Shape.Equal(g.Input.Shape) {
		t.Errorf("got %+v to %+v", a, got.Input)
	}
	hwc := image(Shape{4, 5, 3}, plain)
	if got, err = Prepare(hwc, Preparation{HWC: true}); err != nil {
		t.Fatal(err)
	}
	if !got.Input.Shape.Equal(Shape{3, 4, 5}) || got.Nodes[0].Op.Kind() != "transpose" || got.Check() != nil {
		t.Errorf("[4 5 3] from pixels: got %v, %s", got.Input.Shape, got.Nodes[0].Op.Kind())
	}
	// A network that turns the image back itself needs neither.
	back := image(Shape{4, 5, 3}, func(b *Builder, x *Value) *Value {
		return b.Add("turned", &Transpose{View: []int{4, 5, 3}, Perm: []int{2, 0, 1}, To: Shape{3, 4, 5}}, x)
	})
	if got, err = Prepare(back, Preparation{HWC: true}); err != nil || len(got.Nodes) != 1 || !got.Input.Shape.Equal(Shape{3, 4, 5}) {
		t.Errorf("turned there and back: got %d nodes, %v", len(got.Nodes), err)
	}
	// Another way of turning is none back.
	other := image(Shape{4, 5, 3}, func(b *Builder, x *Value) *Value {
		return b.Add("turned", &Transpose{View: []int{4, 5, 3}, Perm: []int{2, 1, 0}, To: Shape{3, 5, 4}}, x)
	})
	if got, err = Prepare(other, Preparation{HWC: true}); err != nil || len(got.Nodes) != 3 {
		t.Errorf("turned otherwise: got %d nodes, %v", len(got.Nodes), err)
	}
	// Blue, green, red: means are in that order, pixels are not.
	if got, err = Prepare(g, Preparation{Mean: []float32{1, 2, 3}, Reversed: true}); err != nil || len(got.Nodes) != 3 {
		t.Fatalf("reversed: %v", err)
	}
	if a := got.Nodes[0].Op.(*Affine); !slices.Equal(a.Shift, []float32{-3, -2, -1}) {
		t.Errorf("reversed: shift %v", a.Shift)
	}
	if at := got.Nodes[1].Op.(*Slice).Source(Shape{3, 2, 2}); !slices.Equal(at, []int{8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3}) {
		t.Errorf("reversed: %v", at)
	}
	if _, err := Prepare(image(Shape{12}, plain), Preparation{Reversed: true}); err == nil || !strings.Contains(err.Error(), "whose channels have an order") {
		t.Errorf("a reversed vector: %v", err)
	}
	for want, p := range map[string]Preparation{
		"2 means for 3 channels": {Mean: []float32{1, 2}},
		"deviation 0":            {Std: []float32{0}},
		"pixels from 2 to 1":     {Lo: 2, Hi: 1},
		"2 deviations for 3":     {Std: []float32{1, 2}},
		"want an image [H W C]":  {HWC: true},
		"that are not finite":    {Mean: []float32{3e38}, Std: []float32{1e-38}},
	} {
		net := g
		if p.HWC {
			net = image(Shape{7}, plain)
		}
		if _, err := Prepare(net, p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}
