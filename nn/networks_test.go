package nn_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"flag"
	"fmt"
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
	"macroscope/internal/atomicfile"
	"macroscope/kernels"
	"macroscope/models"
	"macroscope/ptq"
)

var update = flag.Bool("update", false, "write testdata's logits anew, by the generic kernels")

// The whole networks are tried on the first 100 test images; on a few where
// plain Go is slow.
func someImages() int {
	if slow || testing.Short() {
		return 4
	}
	return 100
}

// someFloatImages is someImages for comparisons within a tolerance: what an
// emulator computes wrongly it does so on the first images.
func someFloatImages() int {
	if emulated {
		return 4
	}
	return someImages()
}

func load(t testing.TB, d dtype.DType) *graph.Graph {
	t.Helper()
	g, err := models.Load("cifar10cnn", d)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func sample(t testing.TB, n int) []uint8 {
	t.Helper()
	s, err := cifar10.Read(bytes.NewReader(models.Sample()), "sample")
	if err != nil {
		t.Fatal(err)
	}
	return s.Head(n).Pixels
}

// quantized is the int8 network, or the binary one with its first and last
// layer in int8, by a calibration that is kept in testdata: one recorded at run
// time would depend on float32 sums, whose order is each implementation's own.
func quantized(t testing.TB, d dtype.DType) *graph.Graph {
	t.Helper()
	name := map[dtype.DType]string{dtype.Int8: "float32", dtype.Binary: "binary"}[d]
	f, err := os.Open(filepath.Join("testdata", "calibration-"+name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cal, err := ptq.ReadCalibration(f)
	if err != nil {
		t.Fatal(err)
	}
	g, err := ptq.Quantize(load(t, d), cal, ptq.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func logits(t testing.TB, g *graph.Graph, c *kernels.Choice, pixels []uint8) []float32 {
	t.Helper()
	p := compile(t, g, c)
	r := p.NewRunner(1)
	defer r.Close()
	out := make([]float32, len(pixels)/p.InputSize()*p.OutputSize())
	if err := r.RunPixels(out, pixels); err != nil {
		t.Fatal(err)
	}
	return out
}

func readRows(t testing.TB, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 100 || len(rows[0]) != cifar10.Classes {
		t.Fatalf("%s: %d rows: want 100 of %d", path, len(rows), cifar10.Classes)
	}
	return rows
}

// The float32 network gives the logits that came with it, computed outside this
// project's code, and so does the binary one with its float32 first and last
// layer. The tolerance is ten times the worst that was measured over all
// implementations; one wrong sign in the binary network moves a logit by more
// than 1e-2.
func TestNetworkLogits(t *testing.T) {
	const tolerance = 1e-4
	n := someFloatImages()
	in := sample(t, n)
	for _, d := range []dtype.DType{dtype.Float32, dtype.Binary} {
		rows := readRows(t, filepath.Join("..", "models", "testdata", "cifar10cnn-"+d.String()+"-logits.csv"))
		t.Run(d.String(), func(t *testing.T) {
			g := load(t, d)
			eachImpl(t, dtype.Float32, func(t *testing.T, c *kernels.Choice) {
				worst := 0.0
				for i, got := range logits(t, g, c, in) {
					want, err := strconv.ParseFloat(rows[i/10][i%10], 64)
					if err != nil {
						t.Fatal(err)
					}
					diff := math.Abs(float64(got) - want)
					worst = max(worst, diff)
					if !(diff <= tolerance) {
						t.Fatalf("image %d, logit %d: %v: want %v within %v", i/10, i%10, got, want, tolerance)
					}
				}
				t.Logf("largest difference on %d images: %.2g", n, worst)
			})
		})
	}
}

// golden is testdata's logits of a network: a row an image, each logit the bits
// of its float32 as eight hexadecimal digits.
func golden(d dtype.DType) string {
	return filepath.Join("testdata", fmt.Sprintf("cifar10cnn-%v-bits.csv", d))
}

// Int8 and binary logits are the same bits on every implementation and every
// architecture: those of testdata, written by the generic kernels.
func TestGoldenLogits(t *testing.T) {
	for _, d := range []dtype.DType{dtype.Int8, dtype.Binary} {
		t.Run(d.String(), func(t *testing.T) {
			g := quantized(t, d)
			if *update {
				writeGolden(t, g, d)
			}
			rows := readRows(t, golden(d))
			n := someImages()
			want := make([]float32, 0, 10*n)
			for _, row := range rows[:n] {
				for _, s := range row {
					bits, err := strconv.ParseUint(s, 16, 32)
					if err != nil {
						t.Fatal(err)
					}
					want = append(want, math.Float32frombits(uint32(bits)))
				}
			}
			in := sample(t, n)
			// The binary network has int8 layers too: each of both dtypes' implementations.
			for _, of := range []dtype.DType{dtype.Int8, dtype.Binary} {
				if d == dtype.Int8 && of == dtype.Binary {
					continue
				}
				t.Run("by "+of.String(), func(t *testing.T) {
					eachImpl(t, of, func(t *testing.T, c *kernels.Choice) {
						in, want := in, want
						if emulated && c.For(of).Name() == "generic" { // the same Go everywhere, and slow
							in, want = in[:4*cifar10.PixelBytes], want[:4*cifar10.Classes]
						}
						sameBits(t, c.String(), g, logits(t, g, c, in), want)
					})
				})
			}
		})
	}
}

func writeGolden(t *testing.T, g *graph.Graph, d dtype.DType) {
	t.Helper()
	c, err := kernels.Choose("generic")
	if err != nil {
		t.Fatal(err)
	}
	f, err := atomicfile.Create(context.Background(), golden(d))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Abort()
	for i, x := range logits(t, g, c, sample(t, 100)) {
		end := ","
		if i%10 == 9 {
			end = "\n"
		}
		if _, err := fmt.Fprintf(f, "%08x%s", math.Float32bits(x), end); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
}

// The int8 network computes what the rules say, on a whole image.
func TestInt8NetworkPlainly(t *testing.T) {
	for _, d := range []dtype.DType{dtype.Int8, dtype.Binary} {
		g := quantized(t, d)
		in := sample(t, 2)[cifar10.PixelBytes:]
		image := make([]float32, len(in))
		for i, p := range in {
			image[i] = float32(p)
		}
		want := evaluatePlainly(t, g, image)
		for _, c := range choices(t, d) {
			sameBits(t, c.String(), g, logits(t, g, c, in), want)
		}
	}
}

// From the first sign on, the binary network is exact: fed with the signs that
// the first layer gives on a real image, its bits after every layer are those of
// the plain evaluation on floats of ±1, and so are its logits within float32's
// rounding of the last layer.
func TestBinaryNetworkBits(t *testing.T) {
	g := graph.FoldBatchNorm(load(t, dtype.Binary))
	first := 0
	for g.Nodes[first].Op.Kind() != "sign" {
		first++
	}
	image := make([]float32, cifar10.PixelBytes)
	for i, p := range sample(t, 1) {
		image[i] = float32(p)
	}
	var signs []float32
	whole := map[string][]float32{}
	if _, err := reference.Run(g, image, func(v *graph.Value, data []float64) {
		values := make([]float32, len(data))
		for i, x := range data {
			values[i] = float32(x)
		}
		whole[v.Name] = values
		if v == g.Nodes[first].Out {
			signs = values
		}
	}); err != nil {
		t.Fatal(err)
	}

	// The same nodes behind an input that is ±1 as it comes, and a sign.
	in := &graph.Value{Name: "signs", Shape: g.Nodes[first].Out.Shape}
	nodes := append([]*graph.Node{{Name: "sign", Op: &graph.Sign{}, In: []*graph.Value{in}, Out: g.Nodes[first].Out}}, g.Nodes[first+1:]...)
	compared := 0
	lastSign := 0
	for i, n := range nodes {
		last := n.Out == g.Output
		if n.Op.Kind() != "sign" && !last {
			continue
		}
		part := &graph.Graph{Name: "binary layers", Input: in, Output: n.Out, Nodes: nodes[:i+1]}
		if err := part.Check(); err != nil {
			t.Fatal(err)
		}
		for _, c := range choices(t, dtype.Binary) {
			p := compile(t, part, c)
			layers := 0
			for _, l := range p.Layers() {
				if l.DType == dtype.Binary {
					layers++
				}
			}
			if want := strings.Count(describe(part), "binary true"); layers != want {
				t.Fatalf("%d binary layers up to %s: want %d", layers, n.Name, want)
			}
			got := run(t, p, signs)
			if !last {
				sameBits(t, c.String()+", "+n.Name, part, got, whole[n.Out.Name])
				compared++
				continue
			}
			bits := nodes[lastSign].Out
			tail := &graph.Graph{Name: "last layer", Input: bits, Output: n.Out, Nodes: nodes[lastSign+1 : i+1]}
			want, tol, _ := evaluate(t, tail, whole[bits.Name])
			near(t, c.String()+", "+n.Name, tail, got, want, tol)
		}
		lastSign = i
	}
	if want := 6 * len(choices(t, dtype.Binary)); compared != want {
		t.Errorf("%d layers compared: want %d", compared, want)
	}
}

// The network's constants: at most 1.18 MiB in float32 (batch
// norm folded), 0.31 MiB in int8, and a twentieth of float32 in binary.
func TestNetworkBytes(t *testing.T) {
	c := defaults(t)
	for _, tc := range []struct {
		d    dtype.DType
		g    *graph.Graph
		most int
	}{
		{dtype.Float32, load(t, dtype.Float32), 1237319},
		{dtype.Int8, quantized(t, dtype.Int8), 325058},
		{dtype.Binary, quantized(t, dtype.Binary), 1237319 / 20},
	} {
		p := compile(t, tc.g, c)
		t.Logf("%v: %d bytes", tc.d, p.WeightBytes())
		if p.WeightBytes() > tc.most {
			t.Errorf("%v: %d bytes: want at most %d", tc.d, p.WeightBytes(), tc.most)
		}
		if p.MACs() != 38653952 {
			t.Errorf("%v: %d multiply-accumulates: want 38653952", tc.d, p.MACs())
		}
		for i, l := range p.Layers() {
			want := tc.d
			if tc.d == dtype.Binary && (i == 0 || i == len(p.Layers())-1) {
				want = dtype.Int8
			}
			if l.DType != want {
				t.Errorf("%s of the %v network runs as %v: want %v", l.Name, tc.d, l.DType, want)
			}
		}
	}
}
