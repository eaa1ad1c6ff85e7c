package onnx_test

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
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

// compareOperator runs a model that the script wrote.
func compareOperator(base string) error {
	g, err := onnx.ReadFile(base + ".onnx")
	if err != nil {
		return err
	}
	in, err := readFloats(base + ".in")
	if err != nil {
		return err
	}
	want, err := readFloats(base + ".out")
	if err != nil {
		return err
	}
	return compareImages(g, in, want, operatorBound)
}

// compareImages compares what g makes of images with what is wanted, by the plain
// evaluation and by package nn.
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
		largest = max(largest, math.Abs(float64(v)))
	}
	for i := range images {
		plain, err := reference.Run(g, in[i*size:(i+1)*size], nil)
		if err != nil {
			return err
		}
		for j, v := range plain {
			at := i*outSize + j
			for _, by := range []struct {
				who string
				v   float64
			}{{"plainly", v}, {"by package nn", float64(got[at])}} {
				if diff := math.Abs(by.v - float64(want[at])); !(diff <= bound*largest) && by.v != float64(want[at]) {
					return fmt.Errorf("value %d of image %d is %g %s: want %g", j, i, by.v, by.who, want[at])
				}
			}
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
