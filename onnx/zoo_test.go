package onnx_test

import (
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/onnx"
)

// Networks as Caffe2 exported them, without weights, which the onnx package carries: all
// are read, and cost about what their authors or others published.
func TestZoo(t *testing.T) {
	python := python(t, "onnx")
	said, err := exec.Command(python, "-c", "import onnx, os; print(os.path.dirname(onnx.__file__))").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(strings.TrimSpace(string(said)), "backend", "test", "data", "light")
	if found, _ := filepath.Glob(filepath.Join(dir, "*.onnx")); len(found) == 0 {
		t.Skipf("no models in %s: the package onnx carries them since 1.16", dir)
	}
	const measured = "counted on torchvision's models, https://blog.csdn.net/tfcy694/article/details/127984916"
	for _, c := range []struct {
		name      string
		published float64 // MACs; 0: not known
		bound     float64 // relative: counts differ in what they leave out
		source    string
	}{
		{"densenet121", 2.872e9, 0.02, "https://github.com/nerox8664/awesome-computer-vision-models"},
		{"resnet50", 4.13e9, 0.02, measured},
		{"squeezenet", 0.35e9, 0.01, measured},
		{"vgg19", 19.63e9, 0.01, measured},
		{"shufflenet", 0, 0, "no figure at hand"},
		{"inception_v2", 0, 0, "no figure at hand"},
	} {
		g, err := onnx.ReadFileWith(filepath.Join(dir, "light_"+c.name+".onnx"), onnx.ReadOptions{Weightless: true})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		macs := float64(g.MACs())
		t.Logf("%s: %.4g MACs, published %.4g (%s)", c.name, macs, c.published, c.source)
		if c.published > 0 && !(math.Abs(macs/c.published-1) <= c.bound) {
			t.Errorf("%s: %.4g MACs: want %.4g within %g", c.name, macs, c.published, c.bound)
		}
		w, err := g.Workload(dtype.Int8)
		if err == nil {
			err = w.Validate()
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
