package streaming

import (
	"slices"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/models"
	"macroscope/workload"
)

// The embedded network's workload is the pipeline that its graph gives.
func TestReadNetwork(t *testing.T) {
	for _, d := range []dtype.DType{dtype.Int8, dtype.Binary} {
		g, err := models.Load("cifar10cnn", d)
		if err != nil {
			t.Fatal(err)
		}
		w, err := g.Workload(d)
		if err != nil {
			t.Fatal(err)
		}
		var n Network
		if err := n.Read(&w); err != nil {
			t.Fatal(err)
		}
		want := build(t, d).net.layers
		for i := range n.Layers {
			n.Layers[i].InBits, n.Layers[i].WeightBits, n.Layers[i].OutBits = 0, 0, 0
			n.Layers[i].Name, want[i].Name = "", ""
		}
		if !slices.Equal(n.Layers, want) || len(n.Beside) > 0 {
			t.Errorf("%v: %+v, %v beside; want %+v", d, n.Layers, n.Beside, want)
		}
	}
}

// A SCALE-Sim topology, padded images and no pools, is the same network but for the
// first layer's padding, which nothing tells.
func TestReadTopology(t *testing.T) {
	w, err := workload.LoadSCALESim("../golden/topologies/cifar10_cnn.csv")
	if err != nil {
		t.Fatal(err)
	}
	var n Network
	if err := n.Read(&w); err != nil {
		t.Fatal(err)
	}
	want := build(t, dtype.Int8).net.layers
	for i := range n.Layers {
		l := &n.Layers[i]
		l.InBits, l.WeightBits, l.OutBits, l.Name, want[i].Name = 0, 0, 0, "", ""
		if i == 0 {
			want[0].H, want[0].W, want[0].PadTop, want[0].PadLeft, want[0].PadBottom, want[0].PadRight = 34, 34, 0, 0, 0, 0
		}
	}
	if !slices.Equal(n.Layers, want) {
		t.Errorf("%+v, want %+v", n.Layers, want)
	}
}

func TestReadRefuses(t *testing.T) {
	conv := workload.Layer{Name: "c", H: 8, W: 8, C: 4, OutC: 4, KH: 3, KW: 3}
	grouped := conv
	grouped.Groups = 2
	other := func(op string, elements int64) workload.Layer {
		return workload.Layer{Name: "o", Kind: workload.Other, Op: op, Elements: elements}
	}
	for _, c := range []struct {
		layers []workload.Layer
		want   string
	}{
		{nil, "no layers"},
		{[]workload.Layer{grouped}, "no groups"},
		{[]workload.Layer{other("add", 1)}, "begins with a layer that has weights"},
		{[]workload.Layer{conv, other("globalaveragepool", 4)}, "makes 4 values of 144"},
		{[]workload.Layer{conv, other("maxpool", 100)}, "no square window"},
	} {
		var n Network
		if err := n.Read(&workload.Workload{Name: "w", Layers: c.layers}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	var n Network
	if err := n.Read(&workload.Workload{Layers: []workload.Layer{conv, other("add", 144)}}); err != nil || !slices.Equal(n.Beside, []int{1}) {
		t.Errorf("error %v, beside %v: want the addition beside", err, n.Beside)
	}
}
