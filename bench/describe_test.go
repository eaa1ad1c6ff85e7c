package bench

import (
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
)

func TestDescribeKernels(t *testing.T) {
	rows, choice, err := DescribeKernels()
	if err != nil {
		t.Fatal(err)
	}
	chosen := map[dtype.DType]string{}
	for _, r := range rows {
		if r.TileRows < 1 || r.TileCols < 1 {
			t.Errorf("%v/%s: tile %dx%d", r.DType, r.Impl, r.TileRows, r.TileCols)
		}
		if !r.Available && (r.Chosen || r.Reason == "") {
			t.Errorf("%v/%s: not available, chosen %v, reason %q", r.DType, r.Impl, r.Chosen, r.Reason)
		}
		if r.Chosen {
			if chosen[r.DType] != "" || r.Reason == "" {
				t.Errorf("%v/%s: chosen beside %q for %q: want one choice with a reason", r.DType, r.Impl, chosen[r.DType], r.Reason)
			}
			chosen[r.DType] = r.Impl
		}
	}
	var want []string
	for _, d := range dtype.All {
		want = append(want, d.String()+"="+chosen[d])
	}
	if got := strings.Join(want, ","); got != choice {
		t.Errorf("rows say %s, the choice is %s", got, choice)
	}
}

func builtin(t testing.TB) []*Network {
	networks, err := BuiltinNetworks("cifar10cnn")
	if err != nil {
		t.Fatal(err)
	}
	return networks
}

func TestBuiltinNetworks(t *testing.T) {
	networks := builtin(t)
	for i, want := range []struct {
		d       dtype.DType
		weights string
	}{{dtype.Float32, ""}, {dtype.Int8, PerChannel}, {dtype.Int8, PerTensor}, {dtype.Binary, ""}} {
		n := networks[i]
		if n.Plan.WeightBytes() == 0 || n.Graph.Params() < 300_000 || n.DType != want.d || n.Weights != want.weights {
			t.Errorf("%v %q: %d bytes, %d parameters, format %v %q", want.d, want.weights, n.Plan.WeightBytes(), n.Graph.Params(), n.DType, n.Weights)
		}
	}
	if _, err := BuiltinNetworks("none"); err == nil {
		t.Error("built networks that there are none of")
	}
}

func TestSampleSet(t *testing.T) {
	set, err := SampleSet(builtin(t)[0].Graph)
	if err != nil || set.Len() != 1000 {
		t.Fatalf("sample: %v, want 1000 images", err)
	}
	b := graph.New("other", "in", graph.Shape{3, 8, 8})
	other, err := b.Graph(b.Add("relu", &graph.ReLU{}, b.Input()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := SampleSet(other); err == nil {
		t.Error("gave CIFAR-10 to a network of smaller images")
	}
}
