package ptq

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"macroscope/graph"
	"macroscope/nn"
	"macroscope/onnx"
	"macroscope/quant"
)

// shortcuts is a binary network of 3×16×16 pixels with random weights and shortcuts
// round its layers: as it lies, pooled and doubled, with PReLU and a clip. The dense layer
// reads signs, or the real values of the stream.
func shortcuts(t testing.TB, real bool) *graph.Graph {
	t.Helper()
	r := rand.New(rand.NewPCG(8, 9))
	normal := func(n int, scale float64) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(r.NormFloat64() * scale)
		}
		return v
	}
	b := graph.New("shortcuts", "image", graph.Shape{3, 16, 16})
	conv := func(in, out int, binary bool) *graph.Conv2D {
		c := &graph.Conv2D{InC: in, OutC: out, KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1}
		c.Float = normal(9*in*out, 0.3)
		if c.Binary = binary; binary {
			c.PadValue = -1
			for i, v := range c.Float {
				c.Float[i] = float32(math.Copysign(1, float64(v)))
			}
		}
		return c
	}
	norm := func(c, k int) *graph.BatchNorm {
		n := &graph.BatchNorm{Gamma: normal(c, 0.7), Beta: normal(c, 0.3), Mean: normal(c, 3), Var: normal(c, 0), Epsilon: 1e-5}
		for i := range n.Var {
			n.Var[i] = float32(k)
		}
		return n
	}
	pool := &graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}
	x := b.Add("normalize", &graph.Affine{Scale: []float32{1. / 64}, Shift: []float32{-2}}, b.Input())
	x = b.Add("prelu1", &graph.PReLU{Slope: normal(16, 0.3)}, b.Add("norm1", norm(16, 9), b.Add("conv1", conv(3, 16, false), x)))
	n := b.Add("norm2", norm(16, 36), b.Add("pool2", pool, b.Add("conv2", conv(16, 16, true), b.Add("sign2", &graph.Sign{}, x))))
	x = b.Add("clip2", &graph.Clip{Lo: -2, Hi: 2}, b.Add("add2", &graph.Add{}, n, b.Add("round2", pool, x)))
	n = b.Add("norm3", norm(32, 144), b.Add("conv3", conv(16, 32, true), b.Add("sign3", &graph.Sign{}, x)))
	x = b.Add("prelu3", &graph.PReLU{Slope: normal(1, 0.3)}, b.Add("add3", &graph.Add{}, n, b.Add("round3", &graph.Concat{}, x, x)))
	if !real {
		x = b.Add("sign4", &graph.Sign{}, x)
	}
	x = b.Add("flatten", &graph.Flatten{}, x)
	d := &graph.Dense{In: 32 * 64, Out: 10}
	d.Float, d.Bias = normal(d.In*d.Out, 0.02), normal(10, 0.1)
	g, err := b.Graph(b.Add("dense", d, x))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func randomPixels(n int) []uint8 {
	r := rand.New(rand.NewPCG(1, 2))
	p := make([]uint8, n)
	for i := range p {
		p[i] = uint8(r.Uint32())
	}
	return p
}

func results(t testing.TB, g *graph.Graph, pixels []uint8) []float32 {
	t.Helper()
	p, err := nn.Compile(g, nn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := p.NewRunner(1)
	defer r.Close()
	out := make([]float32, len(pixels)/p.InputSize()*p.OutputSize())
	if err := r.RunPixels(out, pixels); err != nil {
		t.Fatal(err)
	}
	return out
}

// Every value between the stem and the last sign is of one stream, of the largest
// magnitude among them, and nothing else is. As int16 the network decides as it does
// in float32.
func TestStreams(t *testing.T) {
	for _, real := range []bool{false, true} {
		t.Run(fmt.Sprintf("real=%v", real), func(t *testing.T) { checkStreams(t, shortcuts(t, real), real) })
	}
}

func checkStreams(t *testing.T, g *graph.Graph, real bool) {
	pixels := randomPixels(200 * 3 * 16 * 16)
	cal, err := Calibrate(context.Background(), g, pixels[:len(pixels)/2], "noise", nil)
	if err != nil {
		t.Fatal(err)
	}
	q := quantize(t, g, cal, Options{})
	in := " norm1 prelu1 norm2 round2 add2 clip2 norm3 round3 add3 prelu3 "
	var most float32
	for _, name := range strings.Fields(in) {
		most = max(most, cal.Values[name].Max)
	}
	scale, err := quant.StreamScale(most)
	if err != nil || most == 0 {
		t.Fatal(most, err)
	}
	for _, n := range q.Nodes {
		want := float32(0)
		if strings.Contains(in, " "+n.Out.Name+" ") {
			want = scale
		}
		if n.Out.Stream != want {
			t.Errorf("%s: stream %v: want %v", n.Out.Name, n.Out.Stream, want)
		}
	}
	if flat := node(t, q, "flatten").Out.Scale; (flat != 0) != real {
		t.Errorf("the dense layer's input has scale %v", flat)
	}

	float, coarse := quantize(t, g, cal, Options{}), quantize(t, g, cal, Options{})
	for i := range float.Nodes {
		float.Nodes[i].Out.Stream = 0
		coarse.Nodes[i].Out.Stream *= 256
	}
	want := results(t, float, pixels)
	decisions, off := compare(results(t, q, pixels), want)
	if decisions > 10 || off > 0.2 {
		t.Errorf("logits differ by %.2g of their size, and %d of 200 decisions, between int16 and float32 shortcuts", off, decisions)
	}
	// A random network is a hard case: a sign that flips is not outvoted, as it is in a
	// trained one. Streams of 8 bits flip so many that little is left.
	if _, coarse := compare(results(t, coarse, pixels), want); coarse < 3*off {
		t.Errorf("logits differ by %.2g of their size with int16, and by %.2g with 8 bits: want int16 much nearer", off, coarse)
	}
}

// compare counts results of 10 logits that decide otherwise, and gives the mean
// difference of logits as a part of their mean magnitude.
func compare(got, want []float32) (decisions int, off float64) {
	best := func(v []float32) int { return slices.Index(v, slices.Max(v)) }
	size := 0.0
	for i := 0; i < len(got); i += 10 {
		if best(got[i:i+10]) != best(want[i:i+10]) {
			decisions++
		}
	}
	for i := range got {
		off, size = off+math.Abs(float64(got[i]-want[i])), size+math.Abs(float64(want[i]))
	}
	return decisions, off / size
}

// A stream that an int8 layer reads as well stays float32, and so does an addition
// without a sign behind it.
func TestNoStream(t *testing.T) {
	b := graph.New("sum", "image", graph.Shape{2, 3, 3})
	conv := func(binary bool) *graph.Conv2D {
		c := &graph.Conv2D{InC: 2, OutC: 2, KH: 1, KW: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}
		c.Float, c.Binary = []float32{1, -1, -1, 1}, binary
		return c
	}
	x := b.Add("conv1", conv(false), b.Input())
	y := b.Add("add", &graph.Add{}, b.Add("conv2", conv(true), b.Add("sign", &graph.Sign{}, x)), x)
	g, err := b.Graph(b.Add("conv3", conv(false), y))
	if err != nil {
		t.Fatal(err)
	}
	cal, err := Calibrate(context.Background(), g, randomPixels(18), "noise", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range quantize(t, g, cal, Options{}).Nodes {
		if n.Out.Stream != 0 {
			t.Errorf("%s: stream %v: want none, for conv3 reads the sum as int8", n.Out.Name, n.Out.Stream)
		}
	}
	full := shortcuts(t, false)
	c, err := Calibrate(context.Background(), full, randomPixels(3*16*16), "noise", nil)
	if err != nil {
		t.Fatal(err)
	}
	delete(c.Values, "add2")
	if _, err := Quantize(full, c, Options{}); err == nil || !strings.Contains(err.Error(), `no calibration of its output "add2"`) {
		t.Errorf("got %v", err)
	}
}

// What macroscope quantize does: written and read back, in both dialects, the network
// has its streams and gives the same bits.
func TestStreamsInFiles(t *testing.T) {
	for _, real := range []bool{false, true} {
		t.Run(fmt.Sprintf("real=%v", real), func(t *testing.T) { checkFiles(t, shortcuts(t, real)) })
	}
}

func checkFiles(t *testing.T, g *graph.Graph) {
	t.Helper()
	pixels := randomPixels(20 * 3 * 16 * 16)
	cal, err := Calibrate(context.Background(), g, pixels, "noise", nil)
	if err != nil {
		t.Fatal(err)
	}
	q := quantize(t, g, cal, Options{})
	want := results(t, q, pixels)
	for _, dialect := range []onnx.Dialect{onnx.QONNX, onnx.Plain} {
		var file bytes.Buffer
		if err := onnx.Write(&file, q, onnx.WriteOptions{Binary: dialect}); err != nil {
			t.Fatal(err)
		}
		back, err := onnx.Read(file.Bytes(), "written")
		if err != nil {
			t.Fatal(err)
		}
		if node(t, back, "add3").Out.Stream != node(t, q, "add3").Out.Stream {
			t.Errorf("dialect %d: the stream of add3 is %v: want %v", dialect, node(t, back, "add3").Out.Stream, node(t, q, "add3").Out.Stream)
		}
		if got := results(t, back, pixels); !slices.Equal(got, want) {
			t.Errorf("dialect %d: other logits than before", dialect)
		}
	}
}
