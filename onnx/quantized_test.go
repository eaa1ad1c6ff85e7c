package onnx_test

import (
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/nn"
	"macroscope/onnx"
)

// Networks that ONNX Runtime's own quantizer wrote run on int8 kernels and give its
// logits, but for values that lie half-way between two steps.
func TestONNXRuntimeQuantizedNetworks(t *testing.T) {
	python := python(t, "onnx, onnxruntime.quantization")
	dir := t.TempDir()
	said, err := exec.Command(python, filepath.Join("testdata", "quantized_networks.py"), dir).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	values, off := 0, 0
	for _, line := range lines[:len(lines)-1] {
		i, name, _ := strings.Cut(line, " ")
		base := filepath.Join(dir, i)
		g, err := onnx.ReadFile(base + ".onnx")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		plan, err := nn.Compile(g, nn.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, l := range plan.Layers() {
			if l.DType != dtype.Int8 {
				t.Errorf("%s: %s runs in %v: want int8", name, l.Name, l.DType)
			}
		}
		in, err := readFloats(base + ".in")
		if err != nil {
			t.Fatal(err)
		}
		want, err := readFloats(base + ".out")
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, len(want))
		runner := plan.NewRunner(1)
		if err := runner.Run(got, in); err != nil {
			t.Fatal(err)
		}
		runner.Close()
		largest, worst := 0.0, 0.0
		for j, v := range got {
			largest = max(largest, math.Abs(float64(want[j])))
			diff := math.Abs(float64(v) - float64(want[j]))
			worst = max(worst, diff)
			if diff > 1e-5 {
				off++
			}
		}
		values += len(got)
		if !(worst <= 0.05*largest) {
			t.Errorf("%s: %.3g off, the largest logit is %.3g", name, worst, largest)
		}
		for j := 0; j < len(got); j += 10 {
			if a, b := largestAt(got[j:j+10]), largestAt(want[j:j+10]); a != b && math.Abs(float64(want[j+a]-want[j+b])) > 0.02*largest {
				t.Errorf("%s: image %d is a %d: want %d", name, j/10, a, b)
			}
		}
	}
	if off > values/100 {
		t.Errorf("%d of %d logits are not the same: want at most one of 100", off, values)
	}
	t.Logf("%d networks, %d logits, %d of them not the same; %s", len(lines)-1, values, off, lines[len(lines)-1])
}
