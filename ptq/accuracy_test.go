package ptq

import (
	"bytes"
	"math"
	"runtime"
	"testing"

	"macroscope/cifar10"
	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/internal/shared"
	"macroscope/kernels"
	"macroscope/models"
	"macroscope/nn"
	"macroscope/onnx"
)

func load(t testing.TB, d dtype.DType) *graph.Graph {
	t.Helper()
	g, err := models.Load("cifar10cnn", d)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func sample(t testing.TB, n int) *cifar10.Set {
	t.Helper()
	s, err := cifar10.Read(bytes.NewReader(models.Sample()), "sample")
	if err != nil {
		t.Fatal(err)
	}
	return s.Head(n)
}

// fixed is the calibration that comes with a network.
func fixed(t testing.TB, d dtype.DType) *Calibration {
	t.Helper()
	data, err := models.Calibration("cifar10cnn", d)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ReadCalibration(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// correct counts the images whose largest logit is their label's, by the best
// implementations.
func correct(t testing.TB, g *graph.Graph, set *cifar10.Set) int {
	t.Helper()
	p, err := nn.Compile(g, nn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := p.NewRunner(runtime.GOMAXPROCS(0))
	defer r.Close()
	out := make([]float32, set.Len()*cifar10.Classes)
	if err := r.RunPixels(out, set.Pixels); err != nil {
		t.Fatal(err)
	}
	n := 0
	for i, label := range set.Labels {
		row, best := out[i*cifar10.Classes:(i+1)*cifar10.Classes], 0
		for j, x := range row {
			if x > row[best] {
				best = j
			}
		}
		if best == int(label) {
			n++
		}
	}
	return n
}

// plainGo says whether some dtype has only the plain Go kernels here, some
// twenty times slower than the others.
func plainGo(t testing.TB) bool {
	t.Helper()
	c, err := kernels.Default()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dtype.All {
		if c.For(d).Name() == "generic" {
			return true
		}
	}
	return false
}

// raceDetector is set where it is on.
var raceDetector bool

// Quantization after training costs little, on the sample that comes with the
// program: at most 0.6 points per channel, 1 point per tensor, and the binary
// network loses 0.7 points by its int8 ends over the whole test set. On
// fewer images chance weighs more: as many again as three standard deviations,
// where a hundredth of the answers change (a tenth in the binary network, even
// on 1,000 images).
func TestSampleAccuracy(t *testing.T) {
	n, methods := 1000, []string{"max", "p99.99", "mse"}
	if testing.Short() || raceDetector || plainGo(t) {
		n, methods = 200, methods[:1]
	}
	if plainGo(t) {
		n = 12
	}
	set := sample(t, n)
	most := func(points, changed float64) int {
		if n < 1000 || changed > 0.01 {
			return int(math.Ceil(points*float64(n)/100 + 3*math.Sqrt(changed*float64(n))))
		}
		return int(points * float64(n) / 100)
	}
	float := correct(t, load(t, dtype.Float32), set)
	t.Logf("float32: %d of %d", float, n)
	if float < n*8/10 {
		t.Errorf("float32: %d of %d correct: want about nine of ten", float, n)
	}
	for _, method := range methods {
		for _, perTensor := range []bool{false, true} {
			points := map[bool]float64{false: 0.6, true: 1}[perTensor]
			got := correct(t, quantize(t, load(t, dtype.Int8), fixed(t, dtype.Int8), Options{Method: method, PerTensor: perTensor}), set)
			t.Logf("int8, %s, per tensor %v: %d", method, perTensor, got)
			if got < float-most(points, 0.01) {
				t.Errorf("int8, %s, per tensor %v: %d correct, float32 %d: want at most %d less", method, perTensor, got, float, most(points, 0.01))
			}
		}
	}
	binary := correct(t, load(t, dtype.Binary), set)
	got := correct(t, quantize(t, load(t, dtype.Binary), fixed(t, dtype.Binary), Options{}), set)
	t.Logf("binary: %d, with int8 ends %d", binary, got)
	if far := most(0.7, 0.1); got < binary-far || got > binary+far {
		t.Errorf("binary: %d correct with int8 ends, %d with float32 ones: want at most %d between them", got, binary, far)
	}
}

// On the official 10,000 test images: what models/README.md states, to 5 images
// for float32; int8 per channel loses at most 0.3 points; binary with int8 ends
// is within 0.3 points.
func TestFullAccuracy(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("10,000 images three times over: not with -short or -race")
	}
	if plainGo(t) {
		t.Skip("plain Go kernels would take minutes for 10,000 images")
	}
	set, err := cifar10.LoadTest(shared.CIFAR10(t))
	if err != nil {
		t.Fatal(err)
	}
	if set.Len() != 10000 {
		t.Fatalf("%d test images: want 10000", set.Len())
	}
	const statedFloat, statedBinary = 9200, 8366 // models/README.md
	float := correct(t, load(t, dtype.Float32), set)
	int8 := correct(t, quantize(t, load(t, dtype.Int8), fixed(t, dtype.Int8), Options{}), set)
	binary := correct(t, quantize(t, load(t, dtype.Binary), fixed(t, dtype.Binary), Options{}), set)
	t.Logf("float32 %d, int8 %d, binary %d", float, int8, binary)
	if float < statedFloat-5 || float > statedFloat+5 {
		t.Errorf("float32: %d correct: want %d within 5", float, statedFloat)
	}
	if int8 < float-30 {
		t.Errorf("int8 per channel: %d correct: want at most 30 less than float32's %d", int8, float)
	}
	if binary < statedBinary-30 || binary > statedBinary+30 {
		t.Errorf("binary: %d correct: want %d within 30", binary, statedBinary)
	}
}

// The binary network with shortcuts, calibrated as macroscope eval does it, on the official
// 10,000 test images: what models/README.md states.
func TestShortcutsAccuracy(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("10,000 images: not with -short or -race")
	}
	if plainGo(t) {
		t.Skip("plain Go kernels would take minutes for 10,000 images")
	}
	dir := shared.CIFAR10(t)
	test, err := cifar10.LoadTest(dir)
	if err != nil {
		t.Fatal(err)
	}
	train, err := cifar10.LoadTrain(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, stated := range map[string]int{ // models/README.md
		"cifar10cnn-binary-shortcuts.onnx":        8677,
		"cifar10cnn-binary-shortcuts-width2.onnx": 8916,
	} {
		g, err := onnx.ReadFile("../models/" + name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Calibrate(t.Context(), g, train.Pixels[:2000*cifar10.PixelBytes], "training images", nil)
		if err != nil {
			t.Fatal(err)
		}
		got := correct(t, quantize(t, g, c, Options{}), test)
		t.Logf("%s: %d", name, got)
		if got < stated-30 || got > stated+30 {
			t.Errorf("%s: %d correct: want %d within 30", name, got, stated)
		}
	}
}
