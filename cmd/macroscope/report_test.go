package main

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"macroscope/graph"
	"macroscope/onnx"
	"macroscope/reports"
)

// shopNetwork is a network of five classes as exporters name it, with a depthwise convolution
// and a shortcut, for pixels of 0 to 1 in 20 rows of 24.
func shopNetwork(t *testing.T) *graph.Graph {
	r := rand.New(rand.NewPCG(1, 1))
	weights := func(n, out int) graph.Weights {
		w := graph.Weights{Float: make([]float32, n), Bias: make([]float32, out)}
		for i := range w.Float {
			w.Float[i] = float32(r.NormFloat64()) / 4
		}
		return w
	}
	conv := func(in, out, k, groups int) *graph.Conv2D {
		return &graph.Conv2D{Weights: weights(out*in/groups*k*k, out), InC: in, OutC: out, KH: k, KW: k, StrideH: 1, StrideW: 1,
			DilationH: 1, DilationW: 1, PadTop: k / 2, PadLeft: k / 2, PadBottom: k / 2, PadRight: k / 2, Groups: groups}
	}
	b := graph.New("shop", "image", graph.Shape{3, 20, 24})
	stem := b.Add("/stem/relu", &graph.ReLU{}, b.Add("/stem/conv-1", conv(3, 16, 3, 1), b.Input()))
	deep := b.Add("/block=1/relu", &graph.ReLU{}, b.Add("/block=1/depthwise", conv(16, 16, 3, 16), stem))
	sum := b.Add("/block=1/add", &graph.Add{}, b.Add("/block=1/point", conv(16, 16, 1, 1), deep), stem)
	flat := b.Add("/flatten", &graph.Flatten{}, b.Add("/pool", &graph.GlobalAveragePool{}, sum))
	g, err := b.Graph(b.Add("/classes", &graph.Dense{Weights: weights(16*5, 5), In: 16, Out: 5}, flat))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// shopImages writes four pictures of noise a class.
func shopImages(t *testing.T, dir string) {
	r := rand.New(rand.NewPCG(1, 2))
	for class := range 5 {
		for i := range 4 {
			im := image.NewNRGBA(image.Rect(0, 0, 24, 20))
			for p := range 24 * 20 {
				im.SetNRGBA(p%24, p/24, color.NRGBA{uint8(r.IntN(50 * (class + 1))), uint8(r.IntN(256)), uint8(r.IntN(256)), 255})
			}
			path := filepath.Join(dir, fmt.Sprintf("class %d", class), fmt.Sprintf("%d.png", i))
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := png.Encode(f, im); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A network that is not at all the built-in one gets the whole page, and what the page says to
// type works and counts the same right answers.
func TestReportOnOwnNetwork(t *testing.T) {
	t.Chdir(t.TempDir())
	command := func(args ...string) string {
		t.Helper()
		var stdout, stderr strings.Builder
		if code := run(t.Context(), &stdout, &stderr, args); code != exitDone {
			t.Fatalf("%v: exit code %d: %s", args, code, stderr.String())
		}
		return stdout.String()
	}
	report := func(dir string, args ...string) (r reports.Report, page string) {
		t.Helper()
		command(append([]string{"report", "-o", dir, "--count", "1", "--benchtime", "1ms", "--impl", "generic", "--filter", "Network|Layers"}, args...)...)
		page = read(t, filepath.Join(dir, "report.md"))
		if err := json.Unmarshal([]byte(read(t, filepath.Join(dir, "report.json"))), &r); err != nil {
			t.Fatal(err)
		}
		return r, page
	}
	f, err := os.Create("my net.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if err := onnx.Write(f, shopNetwork(t), onnx.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	shopImages(t, "shop images")

	r, page := report("out", "--model", "my net.onnx", "--data", "shop images", "--pixel-range", "0:1")
	if len(r.Networks) != 3 || r.Images.Count != 20 || r.FloatBytesWithBN != 0 || strings.Contains(page, "batch norm") {
		t.Errorf("%d networks, %d images, %d bytes with batch norms: want 3, 20 and none", len(r.Networks), r.Images.Count, r.FloatBytesWithBN)
	}
	for i, n := range r.Networks {
		if n.Accuracy == nil || n.Accuracy.Images != 20 {
			t.Errorf("%v %s: accuracy %+v, want one of 20 images", n.DType, n.Weights, n.Accuracy)
		}
		if first := i < 2; n.Timed() != first || first && (n.KernelPart == nil || !measuredLayers(n)) {
			t.Errorf("%v %s: latency %v, steps %+v of %+v", n.DType, n.Weights, n.Latency, n.Steps, n.Layers)
		}
	}
	commands := regexp.MustCompile(`(?m)^macroscope ((?:eval|sim) .*?) +#`).FindAllStringSubmatch(page, -1)
	if len(commands) != 2 {
		t.Fatalf("the page has the commands %q, want eval and sim", commands)
	}
	for i, c := range commands {
		args, err := splitArgs(c[1])
		if err != nil {
			t.Fatal(err)
		}
		said := command(args...)
		if want := fmt.Sprintf("float32 by %s: %d of 20 right", r.Networks[0].Impl, r.Networks[0].Accuracy.Correct); i == 0 && !strings.Contains(said, want) {
			t.Errorf("%s: %s: want %q, as the page has it", c[1], said, want)
		}
	}

	// As it is in int8.
	command("quantize", "my net.onnx", "--data", "shop images", "--pixel-range", "0:1", "-o", "int8.onnx")
	r, page = report("out8", "--model", "int8.onnx", "--data", "shop images")
	if len(r.Networks) != 1 || r.Networks[0].Accuracy == nil || !r.Networks[0].Timed() || strings.Contains(page, "over float32") {
		t.Errorf("networks %+v, or a column about float32", r.Networks)
	}
	own := regexp.MustCompile(`(?m)^macroscope (eval .*?) +#`).FindStringSubmatch(page)
	if own == nil {
		t.Fatal("the page has no command eval")
	}
	args, err := splitArgs(own[1])
	if err != nil {
		t.Fatal(err)
	}
	if said, want := command(args...), fmt.Sprintf("%d of 20 right", r.Networks[0].Accuracy.Correct); !strings.Contains(said, want) {
		t.Errorf("%s: %s: want %q", own[1], said, want)
	}

	// No images, and the sample does not fit.
	r, page = report("blind", "--model", "my net.onnx")
	if len(r.Networks) != 2 || r.Images.Count != 0 || !strings.Contains(r.Images.Note, "no images were given") || !strings.Contains(page, "Accuracy is not counted") {
		t.Errorf("%d networks, images %+v: want two and the reason for none", len(r.Networks), r.Images)
	}
	if strings.Contains(page, "| accuracy |") || strings.Contains(page, "right answers |") {
		t.Error("the page has columns for accuracy, which there is none of")
	}
	for i, n := range r.Networks {
		if n.Accuracy != nil || !n.Timed() || n.Uncalibrated != (i == 1) {
			t.Errorf("%v: accuracy %v, latency %v, uncalibrated %v", n.DType, n.Accuracy, n.Latency, n.Uncalibrated)
		}
	}
}

// measuredLayers says whether each layer has its step, timed as one.
func measuredLayers(n reports.Network) bool {
	steps := slices.DeleteFunc(slices.Clone(n.Steps), func(st reports.Step) bool { return !st.Layer || st.GMACs == nil })
	return len(steps) == len(n.Layers) && len(steps) > 0
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
