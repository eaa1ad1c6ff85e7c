package tflite

import (
	"bytes"
	"encoding/csv"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"macroscope/cifar10"
	"macroscope/graph"
	"macroscope/graph/reference"
	"macroscope/internal/shared"
)

// golden are what the TFLite interpreter's reference kernels compute for images: the
// logits and the softmax of each, bytes.
func golden(t testing.TB, r io.Reader) (rows [][]int8) {
	t.Helper()
	records, err := csv.NewReader(r).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, rec := range records {
		if len(rec) != 21 || rec[0] != strconv.Itoa(i) {
			t.Fatalf("record %d: %d fields, the first %q: want 21 and the image's number", i, len(rec), rec[0])
		}
		var row []int8
		for _, f := range rec[1:] {
			v, err := strconv.ParseInt(f, 10, 8)
			if err != nil {
				t.Fatal(err)
			}
			row = append(row, int8(v))
		}
		rows = append(rows, row)
	}
	return rows
}

// rules are the interpreters' packages that differ in what they round how.
var rules = map[string]graph.Integers{"tflite": graph.TFLite, "litert": graph.LiteRT}

// goldenFile are the first 50 test images' (testdata/golden.py) by tflite-runtime 2.14.0
// or ai-edge-litert 2.3.0.
func goldenFile(t testing.TB, by string) [][]int8 {
	f, err := os.Open("testdata/resnet8-int8-" + by + ".csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return golden(t, f)
}

// findPython is a Python that has an interpreter, and by which rules that computes; the test
// is skipped where there is none. MACROSCOPE_TFLITE_PYTHON names one, else python3 is tried.
func findPython(t testing.TB) (python, by string) {
	python = os.Getenv("MACROSCOPE_TFLITE_PYTHON")
	if python == "" {
		python = "python3"
	}
	for _, p := range []struct{ module, by string }{{"ai_edge_litert", "litert"}, {"tflite_runtime", "tflite"}} {
		if exec.Command(python, "-c", "import "+p.module).Run() == nil {
			return python, p.by
		}
	}
	t.Skipf("%s has neither ai-edge-litert nor tflite-runtime (PyPI): MACROSCOPE_TFLITE_PYTHON names a Python that has", python)
	return "", ""
}

// interpreter runs an installed interpreter's reference kernels on the first n test images
// and says by which rules it computes.
func interpreter(t testing.TB, n int) (string, [][]int8) {
	p, by := findPython(t)
	cmd := exec.Command(p, "testdata/golden.py", shared.File(t, "models/mlperf-tiny-resnet8-int8.tflite"), shared.File(t, "cifar10/test_batch.bin"), strconv.Itoa(n), "ref")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return by, golden(t, bytes.NewReader(out))
}

func testSet(t testing.TB) *cifar10.Set {
	set, err := cifar10.LoadTest(shared.CIFAR10(t))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// The evaluator of references is as slow as it is plain: a few images.
func TestReferenceGolden(t *testing.T) {
	for by, rule := range rules {
		t.Run(by, func(t *testing.T) { referenceEquals(t, rule, goldenFile(t, by)[:5]) })
	}
}

func referenceEquals(t *testing.T, rule graph.Integers, want [][]int8) {
	g, set := resnet(t, "int8"), testSet(t)
	g.Integer = rule
	image := make([]float32, g.Input.Shape.Size())
	for i, row := range want {
		set.Floats(image, i)
		var got []float32
		_, err := reference.RunInteger(g, image, func(v *graph.Value, data []float32) {
			for _, n := range g.Nodes {
				if _, ok := n.Op.(*graph.Dense); ok && n.Out == v || v == g.Output {
					got = append(got, steps(v, data)...)
					return
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, i, got, row)
	}
}

// steps are the bytes of what v's numbers stand for.
func steps(v *graph.Value, data []float32) []float32 {
	q := make([]float32, len(data))
	for i, x := range data {
		q[i] = x/v.Scale + float32(v.Zero)
	}
	return q
}

// equal compares to a thousandth, as q came through scale·(q − zero).
func equal(t *testing.T, image int, got []float32, want []int8) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("image %d: %d values: want %d", image, len(got), len(want))
	}
	for i, q := range got {
		if d := q - float32(want[i]); !(d > -1e-3 && d < 1e-3) {
			t.Fatalf("image %d: element %d is %g: TFLite has %d (%v: %v)", image, i, q, want[i], got, want)
		}
	}
}
