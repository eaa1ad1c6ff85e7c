package onnx

import (
	"math/rand/v2"
	"slices"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/nn"
	"macroscope/onnx/internal/onnxpb"
)

// quant is a Quant without a zero point, of one scale.
func quant(out, x string, scale, bits float32, signed, narrow int64) part {
	return func(m *onnxpb.ModelProto) {
		floats(out+".scale", dims(1), scale)(m)
		floats(out+".zero", dims(1), 0)(m)
		floats(out+".bits", dims(1), bits)(m)
		op("Quant", out, in(x, out+".scale", out+".zero", out+".bits"), attrInt("signed", signed), attrInt("narrow", narrow))(m)
		m.Graph.Node[len(m.Graph.Node)-1].Domain = m.OpsetImport[1].Domain
	}
}

// QONNX networks of few bits give the same logits bit-serially and by int8 kernels, and
// weights by BipolarQuant are integers where their inputs are.
func TestQONNXFewBits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	random := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		return v
	}
	choice, err := kernels.Choose("")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		weights func(out, x string) part
		bits    float32
		signed  int64
	}{
		{"W1A2", func(out, x string) part { return op("BipolarQuant", out, in(x, "one")) }, 2, 0},
		{"ternary A2", func(out, x string) part { return quant(out, x, 0.7, 2, 1, 1) }, 2, 0},
		{"W2A2", func(out, x string) part { return quant(out, x, 0.7, 2, 1, 0) }, 2, 1},
		{"W4A4", func(out, x string) part { return quant(out, x, 0.2, 4, 1, 0) }, 4, 1},
	} {
		const channels = 40
		parts := []part{floats("one", dims(1), 1), quant("q0", "x", 0.5, c.bits, c.signed, 0)}
		from := "q0"
		for i, name := range []string{"a", "b"} {
			inC := int64([]int{3, channels}[i])
			parts = append(parts, floats(name+".float", dims(channels, inC, 3, 3), random(channels*int(inC)*9)...), c.weights(name+".weight", name+".float"),
				op("Conv", name, in(from, name+".weight"), attrInts("pads", 1, 1, 1, 1)), op("Relu", name+".relu", in(name)), quant(name+".q", name+".relu", 2.5, c.bits, c.signed, 0))
			from = name + ".q"
			if name == "a" { // as Brevitas writes it: of what is rounded
				from = "pool"
				parts = append(parts, op("MaxPool", "pool", in(name+".q"), attrInts("kernel_shape", 2, 2), attrInts("strides", 2, 2)))
			}
		}
		parts = append(parts, floats("c.float", dims(10, channels, 3, 3), random(10*channels*9)...), c.weights("c.weight", "c.float"), op("Conv", "y", in(from, "c.weight")))
		g, err := Read(marshal(t, model(dims(3, 8, 10), parts...)), "m")
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var results [][]float32
		data := random(3 * 8 * 10)
		for _, serial := range []*kernels.Impl{nil, choice.For(dtype.Binary)} {
			picks := map[string]nn.Pick{}
			for _, n := range g.Nodes {
				if _, ok := n.Op.(*graph.Conv2D); ok {
					picks[n.Name] = nn.Pick{Impl: choice.For(dtype.Int8), BitSerial: serial}
				}
			}
			p, err := nn.Compile(g, nn.Options{Kernels: choice, Picks: picks})
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			for _, l := range p.Layers() {
				want := choice.For(dtype.Int8).FullName("conv2d")
				if serial != nil {
					want = serial.FullName("bitserial")
				}
				if l.Impl != want || l.DType != dtype.Int8 {
					t.Errorf("%s: %s by %s in %v: want %s in int8", c.name, l.Name, l.Impl, l.DType, want)
				}
			}
			out, runner := make([]float32, p.OutputSize()), p.NewRunner(1)
			if err := runner.Run(out, data); err != nil {
				t.Fatal(err)
			}
			runner.Close()
			results = append(results, out)
		}
		if !slices.Equal(results[0], results[1]) || slices.Max(results[0]) == slices.Min(results[0]) {
			t.Errorf("%s: bit-serially %v\nby int8 %v", c.name, results[1][:4], results[0][:4])
		}
	}
}
