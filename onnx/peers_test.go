package onnx_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"macroscope/bench"
	"macroscope/cifar10"
	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/graph/reference"
	"macroscope/models"
	"macroscope/nn"
	"macroscope/onnx"
	"macroscope/ptq"
)

// python is a Python interpreter that has a package: the one that
// MACROSCOPE_PYTHON names, else python3. Without, the test is skipped.
func python(t *testing.T, pkg string) string {
	t.Helper()
	name := os.Getenv("MACROSCOPE_PYTHON")
	if name == "" {
		name = "python3"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s: %v", name, err)
	}
	if out, err := exec.Command(path, "-c", "import numpy, "+pkg).CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		t.Skipf("%s has no %s (%s): pip install it, or name another interpreter in MACROSCOPE_PYTHON", path, pkg, lines[len(lines)-1])
	}
	return path
}

// peerOutput is what another program makes of the written graph. script is its name
// in testdata, more are the script's last words.
func peerOutput(t *testing.T, python, script string, g *graph.Graph, d onnx.Dialect, in []float32, more ...string) []float32 {
	t.Helper()
	dir := t.TempDir()
	model, source, target := filepath.Join(dir, "m.onnx"), filepath.Join(dir, "in"), filepath.Join(dir, "out")
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, in); err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{model: write(t, g, onnx.WriteOptions{Binary: d}), source: b.Bytes()} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	said, err := exec.Command(python, append([]string{filepath.Join("testdata", script), model, source, target}, more...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	t.Logf("%s %v", strings.TrimSpace(string(said)), more)
	data, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, len(data)/4)
	if err := binary.Read(bytes.NewReader(data), binary.LittleEndian, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// largestAt is the index of the largest logit, the first of equal ones.
func largestAt(v []float32) (best int) {
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}

// ONNX Runtime computes what package nn does, logit by logit, on the first 100
// test images.
//
// In float32 and binary (plain) the difference is at most 2e-5, the bound that
// package models holds the networks to. In int8 both round the same sums, added
// up in different order: a value half-way between two steps may go either way,
// which moves some logits, but no answer. By default ONNX Runtime also rounds our
// float biases to int32 (its optimizer WeightBiasQuantization), which moves nearly
// all logits a little and may turn an answer whose two largest logits are all but
// equal: one of the 100 images has them 0.02 apart.
func TestONNXRuntimeOnShippedNetworks(t *testing.T) {
	python := python(t, "onnxruntime")
	const images, bound = 100, 2e-5
	in, pixels := sampleImages(t, images)
	floatBinary, err := models.Load("cifar10cnn", dtype.Binary)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		g       *graph.Graph
		int8    bool
		turning int // answers that may turn where biases are rounded
	}{
		{"float32", network(t, dtype.Float32, ptq.Options{}), false, 0},
		{"int8 per channel", network(t, dtype.Int8, ptq.Options{}), true, 1},
		{"int8 per tensor", network(t, dtype.Int8, ptq.Options{PerTensor: true}), true, 1},
		{"binary", floatBinary, false, 0},
		{"binary with int8 ends", network(t, dtype.Binary, ptq.Options{}), true, 0},
	} {
		want := logits(t, c.g, pixels)
		for _, optimize := range []string{"none", "all WeightBiasQuantization", "all"} {
			t.Run(c.name+" "+optimize, func(t *testing.T) {
				got := peerOutput(t, python, "run_onnxruntime.py", c.g, onnx.Plain, in, strings.Fields(optimize)...)
				if len(got) != len(want) {
					t.Fatalf("%d logits: want %d", len(got), len(want))
				}
				var worst float64
				beyond, turned := 0, 0
				for i := range want {
					d := math.Abs(float64(got[i]) - float64(want[i]))
					worst = max(worst, d)
					if !(d <= bound) {
						beyond++
					}
				}
				for i := range images {
					from, to := i*cifar10.Classes, (i+1)*cifar10.Classes
					if a, b := largestAt(got[from:to]), largestAt(want[from:to]); a != b {
						turned++
						t.Logf("image %d: class %d, ours %d, by %g", i, a, b, want[from+b]-want[from+a])
					}
				}
				t.Logf("largest difference of a logit %.3g; %d of %d differ by more than %g; %d of %d answers differ", worst, beyond, len(want), bound, turned, images)
				allowed := 0
				if optimize == "all" {
					allowed = c.turning
				}
				if turned > allowed {
					t.Errorf("%d answers differ: want at most %d", turned, allowed)
				}
				if !c.int8 && beyond > 0 {
					t.Errorf("%d logits differ by more than %g: want none", beyond, bound)
				}
			})
		}
	}
}

// qonnx, whose dialect it is, gives the binary network's logits as package nn
// does, on the first 4 test images.
func TestQONNXOnBinaryNetwork(t *testing.T) {
	python := python(t, "qonnx")
	const images, bound = 4, 2e-5
	g, err := models.Load("cifar10cnn", dtype.Binary)
	if err != nil {
		t.Fatal(err)
	}
	in, pixels := sampleImages(t, images)
	want := logits(t, g, pixels)
	got := peerOutput(t, python, "run_qonnx.py", g, onnx.QONNX, in)
	if len(got) != len(want) {
		t.Fatalf("%d logits: want %d", len(got), len(want))
	}
	worst := 0.0
	for i := range want {
		d := math.Abs(float64(got[i]) - float64(want[i]))
		if worst = max(worst, d); !(d <= bound) {
			t.Errorf("logit %d is %g: want %g within %g", i, got[i], want[i], bound)
		}
	}
	t.Logf("largest difference of a logit %.3g", worst)
}

// sampleImages are the first n test images, as numbers and as bytes.
func sampleImages(t *testing.T, n int) (in []float32, pixels []uint8) {
	t.Helper()
	set, err := bench.Sample()
	if err != nil {
		t.Fatal(err)
	}
	set = set.Head(n)
	for _, p := range set.Pixels {
		in = append(in, float32(p))
	}
	return in, set.Pixels
}

// logits is what package nn makes of the images.
func logits(t *testing.T, g *graph.Graph, pixels []uint8) []float32 {
	t.Helper()
	plan, err := nn.Compile(g, nn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := plan.NewRunner(1)
	defer r.Close()
	out := make([]float32, len(pixels)/plan.InputSize()*plan.OutputSize())
	if err := r.RunPixels(out, pixels); err != nil {
		t.Fatal(err)
	}
	return out
}

// ONNX Runtime reads each operator's attributes as we mean them: single layers
// of odd geometry are the plain evaluation's within float32's rounding,
// (k+4)·ε·Σ|w||x|, signs exactly.
func TestONNXRuntimeOnOperators(t *testing.T) {
	python := python(t, "onnxruntime")
	r := rand.New(rand.NewPCG(1, 0))
	floats := func(n int) []float32 { return normal(r, n) }
	conv := func(c graph.Conv2D) *graph.Conv2D {
		c.InC, c.StrideH, c.StrideW, c.DilationH, c.DilationW = 4, max(c.StrideH, 1), max(c.StrideW, 1), max(c.DilationH, 1), max(c.DilationW, 1)
		c.Groups = max(c.Groups, 1)
		c.OutC = 6
		c.Float, c.Bias = floats(c.OutC*c.K()), floats(c.OutC)
		return &c
	}
	image, vector := graph.Shape{4, 7, 9}, graph.Shape{5}
	for _, c := range []struct {
		name  string
		shape graph.Shape
		op    graph.Op
		k     int // roundings of a sum's element
	}{
		{"conv", image, conv(graph.Conv2D{KH: 2, KW: 3, StrideH: 2, DilationW: 2, PadTop: 1, PadRight: 3}), 24},
		{"conv in groups", image, conv(graph.Conv2D{KH: 3, KW: 1, StrideW: 3, DilationH: 2, PadLeft: 1, Groups: 2}), 6},
		{"conv padded with -1", image, conv(graph.Conv2D{KH: 3, KW: 3, PadTop: 1, PadLeft: 2, PadBottom: 3, PadValue: -1}), 36},
		{"dense", vector, &graph.Dense{In: 5, Out: 3, Weights: graph.Weights{Float: floats(15), Bias: floats(3)}}, 5},
		{"dense without bias", vector, &graph.Dense{In: 5, Out: 3, Weights: graph.Weights{Float: floats(15)}}, 5},
		{"batch norm", image, &graph.BatchNorm{Gamma: floats(4), Beta: floats(4), Mean: floats(4), Var: []float32{1, 2, 3, 0.5}, Epsilon: 1e-3}, 4},
		{"batch norm of vectors", vector, &graph.BatchNorm{Gamma: floats(5), Beta: floats(5), Mean: floats(5), Var: []float32{1, 2, 3, 0.5, 9}, Epsilon: 1e-3}, 4},
		{"affine", image, &graph.Affine{Scale: floats(4), Shift: floats(1)}, 1},
		{"affine of vectors", vector, &graph.Affine{Scale: floats(5), Shift: floats(5)}, 1},
		{"relu", image, &graph.ReLU{}, 0},
		{"sign", image, &graph.Sign{}, 0},
		{"max-pool", image, &graph.MaxPool{KH: 3, KW: 2, StrideH: 2, StrideW: 1, PadTop: 2, PadRight: 1}, 0},
		{"average", image, &graph.GlobalAveragePool{}, 63},
		{"flatten", image, &graph.Flatten{}, 0},
		{"softmax", vector, &graph.Softmax{}, 16},
		{"lrn", image, &graph.LRN{Alpha: 0.5, Beta: 0.75, Bias: 2, Size: 3}, 16},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := graph.New("g", "x", c.shape)
			g, err := b.Graph(b.Add("y", c.op, b.Input()))
			if err != nil {
				t.Fatal(err)
			}
			in := floats(c.shape.Size())
			in[0], in[1] = 0, float32(math.Copysign(0, -1)) // where ONNX's Sign is 0
			want, err := reference.Run(g, in, nil)
			if err != nil {
				t.Fatal(err)
			}
			size, err := reference.Run(absolute(t, g), magnitudes(in), nil)
			if err != nil {
				t.Fatal(err)
			}
			got := peerOutput(t, python, "run_onnxruntime.py", g, onnx.Plain, in, "none")
			if len(got) != len(want) {
				t.Fatalf("%d numbers: want %d", len(got), len(want))
			}
			for i := range want {
				tol := 0.0
				if c.k > 0 {
					tol = float64(c.k+4) * 0x1p-23 * size[i]
				}
				if d := math.Abs(float64(got[i]) - want[i]); !(d <= tol) {
					t.Fatalf("number %d is %g: want %g within %g", i, got[i], want[i], tol)
				}
			}
		})
	}
}

func normal(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

func magnitudes(v []float32) []float32 {
	a := make([]float32, len(v))
	for i, x := range v {
		a[i] = float32(math.Abs(float64(x)))
	}
	return a
}

// absolute is the graph of one op with constants that make every term of its
// sums positive on positive input.
func absolute(t *testing.T, g *graph.Graph) *graph.Graph {
	t.Helper()
	op := g.Nodes[0].Op
	switch o := op.(type) {
	case *graph.Conv2D:
		c := *o
		c.Float, c.Bias, c.PadValue = magnitudes(o.Float), magnitudes(o.Bias), float32(math.Abs(float64(o.PadValue)))
		op = &c
	case *graph.Dense:
		d := *o
		d.Float = magnitudes(o.Float)
		if o.Bias != nil {
			d.Bias = magnitudes(o.Bias)
		}
		op = &d
	case *graph.BatchNorm:
		b := *o
		b.Gamma, b.Beta, b.Mean = magnitudes(o.Gamma), magnitudes(o.Beta), magnitudes(o.Mean)
		for i := range b.Mean {
			b.Mean[i] = -b.Mean[i]
		}
		op = &b
	case *graph.Affine:
		op = &graph.Affine{Scale: magnitudes(o.Scale), Shift: magnitudes(o.Shift)}
	}
	b := graph.New("absolute", "x", g.Input.Shape)
	a, err := b.Graph(b.Add("y", op, b.Input()))
	if err != nil {
		t.Fatal(err)
	}
	return a
}
