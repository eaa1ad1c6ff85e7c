package onnx_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"macroscope/graph"
	"macroscope/graph/reference"
	"macroscope/nn"
	"macroscope/onnx"
)

var operatorSeed = flag.Int("operator-seed", 1, "seed of the random operators")

// operatorBound is how far a value may be from ONNX Runtime's, whose sums are float32 in
// another order: 1e-5 of the largest value, or of 1.
const operatorBound = 1e-5

// ONNX Runtime and the graph that Read makes agree on random models of one operator
// each, evaluated plainly and by package nn.
func TestONNXRuntimeOnRandomOperators(t *testing.T) {
	python := python(t, "onnx, onnxruntime")
	cases := 2500
	if testing.Short() {
		cases = 400
	}
	dir := t.TempDir()
	said, err := exec.Command(python, filepath.Join("testdata", "random_operators.py"), dir, fmt.Sprint(*operatorSeed), fmt.Sprint(cases)).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	t.Logf("%d models, bound %g; %s", len(lines)-1, operatorBound, lines[len(lines)-1])
	if len(lines) != cases+1 {
		t.Fatalf("%d lines: want %d", len(lines), cases+1)
	}
	failed := map[string]int{}
	for _, line := range lines[:cases] {
		i, name, _ := strings.Cut(line, " ")
		if err := compareOperator(filepath.Join(dir, i)); err != nil {
			if failed[name]++; failed[name] <= 3 {
				t.Errorf("model %s, %s: %v", i, name, err)
			}
		}
	}
	for name, n := range failed {
		t.Errorf("%s: %d models", name, n)
	}
}

// ONNX Runtime and package nn agree on random quantized models, but for values that lie
// half-way between two steps but for float32's own rounding: those are counted. No zero
// point is 0 (unsigned 128): there we saturate at −127 and ONNX at −128.
func TestONNXRuntimeOnRandomQuantized(t *testing.T) {
	compareQuantized(t, python(t, "onnx, onnxruntime"), "random_quantized.py", 600)
}

// qonnx and package nn agree on random models with Quant of 2 to 8 bits, and Trunc.
func TestQONNXOnRandomModels(t *testing.T) {
	compareQuantized(t, python(t, "qonnx"), "random_qonnx.py", 300)
}

func compareQuantized(t *testing.T, python, script string, cases int) {
	dir := t.TempDir()
	said, err := exec.Command(python, filepath.Join("testdata", script), dir, fmt.Sprint(*operatorSeed), fmt.Sprint(cases)).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	values, beside, where := 0, 0, map[string]int{}
	for _, line := range lines[:cases] {
		var i int
		var name string
		var step float64
		if _, err := fmt.Sscan(line, &i, &name, &step); err != nil {
			t.Fatal(err)
		}
		n, off, err := compareBytes(filepath.Join(dir, fmt.Sprint(i)), step)
		if err != nil {
			t.Errorf("model %d, %s: %v", i, name, err)
		}
		values, beside = values+n, beside+off
		where[name] += off
	}
	t.Logf("%d models, %d values, %d of them a step beside %v; %s", cases, values, beside, where, lines[len(lines)-1])
	if beside > values/1000 {
		t.Errorf("%d of %d values are a step beside: want at most one of 1,000", beside, values)
	}
}

// compareBytes counts a model's values and those a step beside ONNX Runtime's.
func compareBytes(base string, step float64) (values, beside int, err error) {
	g, err := onnx.ReadFile(base + ".onnx")
	if err != nil {
		return 0, 0, err
	}
	in, err := readFloats(base + ".in")
	if err != nil {
		return 0, 0, err
	}
	want, err := readFloats(base + ".out")
	if err != nil {
		return 0, 0, err
	}
	plan, err := nn.Compile(g, nn.Options{})
	if err != nil {
		return 0, 0, err
	}
	runner := plan.NewRunner(1)
	defer runner.Close()
	got := make([]float32, len(want))
	if err := runner.Run(got, in); err != nil {
		return 0, 0, err
	}
	for i, v := range got {
		steps := math.Abs(float64(v)-float64(want[i])) / step
		if !(steps <= 1.01) {
			return 0, 0, fmt.Errorf("value %d is %g: want %g, %g steps away", i, v, want[i], steps)
		}
		if steps > 0.01 {
			beside++
		}
	}
	return len(got), beside, nil
}

// The same on models kept in testdata/operators.zip: two of each operator out of 1,450
// that random_operators.py drew with seed 7, with the results of ONNX Runtime 1.32.0.
func TestKeptOperators(t *testing.T) {
	z, err := zip.OpenReader(filepath.Join("testdata", "operators.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	dir, models := t.TempDir(), 0
	for _, f := range z.File {
		data, err := fs.ReadFile(z, f.Name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(f.Name)), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range z.File {
		if base, ok := strings.CutSuffix(f.Name, ".onnx"); ok {
			models++
			if err := compareOperator(filepath.Join(dir, base)); err != nil {
				t.Errorf("%s: %v", base, err)
			}
		}
	}
	if models < 100 {
		t.Errorf("%d models: want at least 100", models)
	}
}

// readCase reads a model, its inputs and what should come out.
func readCase(base string) (g *graph.Graph, in, want []float32, err error) {
	if g, err = onnx.ReadFile(base + ".onnx"); err == nil {
		in, err = readFloats(base + ".in")
	}
	if err == nil {
		want, err = readFloats(base + ".out")
	}
	return g, in, want, err
}

// compareOperator runs a model that the script wrote.
func compareOperator(base string) error {
	g, in, want, err := readCase(base)
	if err != nil {
		return err
	}
	return compareImages(g, in, want, operatorBound)
}

// compareImages compares what g makes of images with what is wanted, by package nn and,
// unless values are rounded on the way, which it does not know, by the plain evaluation.
func compareImages(g *graph.Graph, in, want []float32, bound float64) error {
	size, outSize := g.Input.Shape.Size(), g.Output.Shape.Size()
	images := len(in) / size
	if len(in) != images*size || len(want) != images*outSize {
		return fmt.Errorf("%v to %v for %d and %d values", g.Input.Shape, g.Output.Shape, len(in), len(want))
	}
	plan, err := nn.Compile(g, nn.Options{})
	if err != nil {
		return err
	}
	runner := plan.NewRunner(1)
	defer runner.Close()
	got := make([]float32, len(want))
	if err := runner.Run(got, in); err != nil {
		return err
	}
	largest := 1.0
	for _, v := range want {
		if a := math.Abs(float64(v)); a > largest { // NaN is not
			largest = a
		}
	}
	compare := func(i int, who string, values []float64) error {
		for j, v := range values {
			w := float64(want[i*outSize+j])
			if diff := math.Abs(v - w); !(diff <= bound*largest) && v != w && !(math.IsNaN(v) && math.IsNaN(w)) {
				return fmt.Errorf("value %d of image %d is %g %s: want %g", j, i, v, who, w)
			}
		}
		return nil
	}
	rounded := g.Input.Scale != 0 || slices.ContainsFunc(g.Nodes, func(n *graph.Node) bool { return n.Out.Scale != 0 })
	for i := range images {
		var ours []float64
		for _, v := range got[i*outSize:][:outSize] {
			ours = append(ours, float64(v))
		}
		if err := compare(i, "by package nn", ours); err != nil || rounded {
			if err != nil {
				return err
			}
			continue
		}
		plain, err := reference.Run(g, in[i*size:(i+1)*size], nil)
		if err == nil {
			err = compare(i, "plainly", plain)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func readFloats(path string) ([]float32, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(data)/4)
	return out, binary.Read(bytes.NewReader(data), binary.LittleEndian, out)
}
