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

func TestBuildNetwork(t *testing.T) {
	for _, d := range dtype.All {
		n, err := BuildNetwork("cifar10cnn", d, d == dtype.Int8)
		if err != nil {
			t.Fatal(err)
		}
		if n.Plan.WeightBytes() == 0 || n.Graph.Params() < 300_000 || n.DType != d {
			t.Errorf("%v: %d bytes, %d parameters, format %v", d, n.Plan.WeightBytes(), n.Graph.Params(), n.DType)
		}
	}
	if _, err := BuildNetwork("none", dtype.Int8, false); err == nil {
		t.Error("built a network that there is none of")
	}
}

func TestSampleSet(t *testing.T) {
	n, err := BuildNetwork("cifar10cnn", dtype.Int8, false)
	if err != nil {
		t.Fatal(err)
	}
	set, err := SampleSet(n.Graph)
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
