package models_test

import (
	"bytes"
	"encoding/csv"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"macroscope/cifar10"
	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/graph/reference"
	"macroscope/models"
)

var images = flag.Int("images", 10, "how many of the 100 images with known logits to try")

func load(t *testing.T, d dtype.DType) *graph.Graph {
	t.Helper()
	g, err := models.Load("cifar10cnn", d)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func sample(t *testing.T) *cifar10.Set {
	t.Helper()
	s, err := cifar10.Read(bytes.NewReader(models.Sample()), "sample")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// logits reads the table of logits that came with a network: a row for each of
// the first 100 test images, which are also the first 100 of the sample.
func logits(t *testing.T, d dtype.DType) [][]float64 {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "cifar10cnn-"+d.String()+"-logits.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 100 {
		t.Fatalf("%d rows of logits: want 100", len(rows))
	}
	out := make([][]float64, len(rows))
	for i, row := range rows {
		if len(row) != cifar10.Classes {
			t.Fatalf("row %d: %d logits: want %d", i, len(row), cifar10.Classes)
		}
		for _, s := range row {
			v, err := strconv.ParseFloat(s, 64)
			if err != nil {
				t.Fatal(err)
			}
			out[i] = append(out[i], v)
		}
	}
	return out
}

// The networks compute what the tables say: the largest difference is allowed
// only what separates float64 here from float32 there. The tables' own six
// decimals round by 5e-7; a float32 convolution of n ≤ 1152 products is off by
// some √n·2⁻²⁴ ≈ 2e-6 relative, and logits reach 12. On all 100 images the worst
// measured is 1.9e-6 (float32) and 2.5e-6 (binary), where one wrong sign moves a
// logit by more than 1e-2.
func TestLogits(t *testing.T) {
	const tolerance = 2e-5
	set := sample(t)
	n := *images
	if testing.Short() {
		n = min(n, 1)
	}
	for _, d := range []dtype.DType{dtype.Float32, dtype.Binary} {
		t.Run(d.String(), func(t *testing.T) {
			g := load(t, d)
			image, worst := make([]float32, cifar10.PixelBytes), 0.0
			for i, want := range logits(t, d)[:min(n, 100)] {
				set.Floats(image, i)
				got, err := reference.Run(g, image, nil)
				if err != nil {
					t.Fatal(err)
				}
				for j := range want {
					diff := math.Abs(got[j] - want[j])
					if !(diff <= tolerance) {
						t.Fatalf("image %d, logit %d: %g: want %g", i, j, got[j], want[j])
					}
					worst = max(worst, diff)
				}
			}
			t.Logf("largest difference on %d images: %.2g", min(n, 100), worst)
		})
	}
}

// Folding batch norm changes weights by their rounding to float32 only, so the
// float32 logits stay within the same order.
func TestFoldedLogits(t *testing.T) {
	set := sample(t)
	g := graph.FoldBatchNorm(load(t, dtype.Float32))
	for _, n := range g.Nodes {
		if n.Op.Kind() == "batchnorm" {
			t.Errorf("%s is not folded", n.Name)
		}
	}
	image := make([]float32, cifar10.PixelBytes)
	set.Floats(image, 0)
	got, err := reference.Run(g, image, nil)
	if err != nil {
		t.Fatal(err)
	}
	for j, want := range logits(t, dtype.Float32)[0] {
		if diff := math.Abs(got[j] - want); !(diff <= 2e-5) {
			t.Errorf("logit %d: %g: want %g", j, got[j], want)
		}
	}
}

func TestFigures(t *testing.T) {
	for _, d := range dtype.All {
		g := load(t, d)
		if err := g.Check(); err != nil {
			t.Fatal(err)
		}
		// The talk counts 309,290 parameters with batch norm. The binary network has
		// no bias in its six convolutions (448 fewer), which batch norm makes
		// superfluous, but batch norm on its ten logits (40 more).
		params := 309290
		if d == dtype.Binary {
			params += 40 - 448
		}
		if got := g.Params(); got != params {
			t.Errorf("%s: %d parameters: want %d", d, got, params)
		}
		if got := g.MACs(); got != 38653952 {
			t.Errorf("%s: %d multiply-accumulates: want 38653952", d, got)
		}
		if !g.Input.Shape.Equal(graph.Shape{3, 32, 32}) || !g.Output.Shape.Equal(graph.Shape{10}) {
			t.Errorf("%s: %v to %v: want [3 32 32] to [10]", d, g.Input.Shape, g.Output.Shape)
		}
	}
	// 1.18 MiB: the parameters, and the scale and shift that normalize each of
	// three channels.
	if got, want := load(t, dtype.Float32).Bytes(), 4*(309290+6); got != want {
		t.Errorf("%d bytes: want %d", got, want)
	}
	binary := 0
	for _, n := range load(t, dtype.Binary).Nodes {
		if c, ok := n.Op.(*graph.Conv2D); ok && c.Binary {
			binary += len(c.Float)
			if c.PadValue != -1 || c.PadTop != 1 {
				t.Errorf("%s: padding %d with %g: want 1 with -1", n.Name, c.PadTop, c.PadValue)
			}
		}
	}
	if binary != 285696 {
		t.Errorf("%d binary weights: want 285696", binary)
	}
}

// What the simulator is given: seven layers with multiply-accumulates and three
// pools; in binary, convolutions 2 to 6 are.
func TestWorkloads(t *testing.T) {
	for _, d := range dtype.All {
		w, err := load(t, d).Workload(d)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		var macs int64
		for _, l := range w.Layers {
			names = append(names, l.Name)
			macs += l.MACs()
			want := d
			if d == dtype.Binary && (l.Name == "conv1" || l.Name == "dense") {
				want = dtype.Int8
			}
			if l.DType != want {
				t.Errorf("%s: %s is %s: want %s", d, l.Name, l.DType, want)
			}
		}
		if got, want := strings.Join(names, " "), "conv1 conv2 pool1 conv3 conv4 pool2 conv5 conv6 pool3 dense"; got != want {
			t.Errorf("%s: layers %s: want %s", d, got, want)
		}
		if macs != 38653952 {
			t.Errorf("%s: %d multiply-accumulates: want 38653952", d, macs)
		}
	}
}

// The binary network's ±1 layers are exact in float64: every convolution of ±1
// values is an integer of the right parity and range.
func TestBinaryLayersAreIntegers(t *testing.T) {
	g := load(t, dtype.Binary)
	image := make([]float32, cifar10.PixelBytes)
	sample(t).Floats(image, 1)
	k := map[*graph.Value]int{}
	for _, n := range g.Nodes {
		if c, ok := n.Op.(*graph.Conv2D); ok && c.Binary {
			k[n.Out] = c.K()
		}
	}
	_, err := reference.Run(g, image, func(v *graph.Value, data []float64) {
		n := k[v]
		if n == 0 {
			return
		}
		for i, x := range data {
			if x != math.Trunc(x) || math.Abs(x) > float64(n) || (int(x)-n)%2 != 0 {
				t.Fatalf("%s: element %d is %g: want %d minus an even number", v.Name, i, x, n)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(k) != 5 {
		t.Errorf("%d binary convolutions: want 5", len(k))
	}
}

func TestNames(t *testing.T) {
	if got := models.Names(); len(got) != 1 || got[0] != "cifar10cnn" {
		t.Errorf("names %v: want [cifar10cnn]", got)
	}
	for _, c := range []struct {
		name string
		d    dtype.DType
		want string
	}{
		{"resnet", dtype.Float32, `model "resnet": want cifar10cnn, or a file whose name ends in .onnx or .tflite`},
		{"cifar10cnn", 77, `model "cifar10cnn": no dtype(77) network`},
	} {
		if _, err := models.Load(c.name, c.d); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}
