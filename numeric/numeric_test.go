package numeric

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"macroscope/bench"
	"macroscope/cifar10"
	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/models"
	"macroscope/nn"
	"macroscope/ptq"
	"macroscope/simhw/design"
	"macroscope/simhw/systolic"
)

func quantized(t testing.TB) *graph.Graph {
	t.Helper()
	q, err := bench.LoadNetwork("cifar10cnn", dtype.Int8, ptq.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func images(t testing.TB, n int) [][]float32 {
	t.Helper()
	set, err := cifar10.Read(bytes.NewReader(models.Sample()), "sample")
	if err != nil {
		t.Fatal(err)
	}
	out := make([][]float32, n)
	for i := range out {
		out[i] = make([]float32, cifar10.PixelBytes)
		set.Floats(out[i], i)
	}
	return out
}

var wide = Machine{Array: systolic.Array{Rows: 32, Cols: 32, Dataflow: design.WS}, Lanes: 1}

func run(t testing.TB, g *graph.Graph, m Machine, image []float32) []float32 {
	t.Helper()
	n, err := New(g, m)
	if err != nil {
		t.Fatal(err)
	}
	out, err := n.NewRunner().Run(image)
	if err != nil {
		t.Fatal(err)
	}
	return append([]float32(nil), out...)
}

// With wide sums the array computes the runtime's network, to the last bit.
func TestWideSumsAreTheRuntime(t *testing.T) {
	g := quantized(t)
	choice, err := kernels.Default()
	if err != nil {
		t.Fatal(err)
	}
	p, err := nn.Compile(g, nn.Options{Kernels: choice})
	if err != nil {
		t.Fatal(err)
	}
	r := p.NewRunner(1)
	defer r.Close()
	want := make([]float32, p.OutputSize())
	for i, image := range images(t, 8) {
		if err := r.Run(want, image); err != nil {
			t.Fatal(err)
		}
		for _, m := range []Machine{wide, {Array: systolic.Array{Rows: 8, Cols: 8}, Lanes: 4, Accumulator: systolic.Accumulator{Saturate: true}}} {
			got := run(t, g, m, image)
			for j := range want {
				if math.Float32bits(got[j]) != math.Float32bits(want[j]) {
					t.Fatalf("image %d, %v: logit %d is %v, the runtime's %v", i, m.Accumulator, j, got[j], want[j])
				}
			}
		}
	}
}

// Every layer of the network on the stepped array: the sums that the network goes
// on with, in the closed form's cycles, for accumulators that are too narrow and
// ones that are not, in every variant of the array.
func TestSteppedLayers(t *testing.T) {
	g, image := quantized(t), images(t, 1)[0]
	variants := []systolic.Array{
		{Dataflow: design.OS}, {Dataflow: design.OS, Drain: design.DrainShift, Gated: true}, {Dataflow: design.OS, Drain: design.DrainOverlapped},
		{Dataflow: design.WS}, {Dataflow: design.WS, WeightLoad: design.LoadChain}, {Dataflow: design.WS, WeightLoad: design.LoadBus},
		{Dataflow: design.IS, Gated: true}, {Dataflow: design.IS, WeightLoad: design.LoadChain}, {Dataflow: design.IS, WeightLoad: design.LoadBus},
	}
	if testing.Short() {
		variants = variants[4:5]
	}
	for i, a := range variants {
		a.Rows, a.Cols = 32, 32
		m := Machine{Array: a, Lanes: 2, Accumulator: systolic.Accumulator{Bits: []int64{32, 16, 14}[i%3], Saturate: i%2 == 0}}
		n, err := New(g, m)
		if err != nil {
			t.Fatal(err)
		}
		layers, narrow := 0, false
		r := n.NewRunner()
		r.Watch(func(number int, x []int8, sums []int32) {
			layers++
			l := n.layers()[number]
			w := make([]int8, len(l.weights))
			for o := range l.n {
				for k := range l.k {
					w[k*l.n+o] = l.weights[o*l.k+k]
				}
			}
			rows := int64(len(x) / l.k)
			mc := systolic.Machine{Array: m.Array, Lanes: m.Lanes, Accumulator: m.Accumulator}
			got, cycles, err := mc.Run(x, w, rows, int64(l.n), int64(l.k))
			if err != nil {
				t.Fatal(err)
			}
			if p := a.Map(rows, int64(l.n), int64(l.k), m.Lanes, 1); cycles != p.Cycles() {
				t.Errorf("%+v, layer %d: %d cycles, %d by the closed form", a, number, cycles, p.Cycles())
			}
			for i := range sums {
				if got[i] != sums[i] {
					t.Fatalf("%+v, %v, layer %d: sum %d is %d, want %d", a, m.Accumulator, number, i, got[i], sums[i])
				}
			}
			for i, sum := range sums {
				if exact := l.exact(x, i); exact != sum {
					narrow = true
				}
			}
		})
		if _, err := r.Run(image); err != nil {
			t.Fatal(err)
		}
		if layers != 7 {
			t.Errorf("%d layers, want 7", layers)
		}
		if bits := m.Accumulator.Bits; narrow != (bits < 17) {
			t.Errorf("%v: some sum did not fit: %v", m.Accumulator, narrow)
		}
	}
}

func (l *layer) exact(x []int8, i int) int32 {
	p, o, sum := i/l.n, i%l.n, int32(0)
	for k := range l.k {
		sum += int32(x[p*l.k+k]) * int32(l.weights[o*l.k+k])
	}
	return sum
}

func (n *Network) layers() (list []*layer) {
	for _, s := range n.steps {
		if l, ok := s.(*layer); ok {
			list = append(list, l)
		}
	}
	return list
}

func TestRefusals(t *testing.T) {
	g := quantized(t)
	float, err := models.Load("cifar10cnn", dtype.Float32)
	if err != nil {
		t.Fatal(err)
	}
	bad := wide
	bad.Accumulator.Bits = 40
	for _, c := range []struct {
		g    *graph.Graph
		m    Machine
		want string
	}{
		{float, wide, "want an int8 layer"},
		{g, bad, "40 bits: want 2 to 32"},
		{g, Machine{Array: systolic.Array{Rows: 0}, Lanes: 1}, "want all positive"},
	} {
		if _, err := New(c.g, c.m); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	n, err := New(g, wide)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.NewRunner().Run(make([]float32, 5)); err == nil {
		t.Error("took an image of five values")
	}
}

func BenchmarkNarrow(b *testing.B) {
	g, image := quantized(b), images(b, 1)[0]
	m := wide
	m.Accumulator = systolic.Accumulator{Bits: 16, Saturate: true}
	n, err := New(g, m)
	if err != nil {
		b.Fatal(err)
	}
	r := n.NewRunner()
	for b.Loop() {
		if _, err := r.Run(image); err != nil {
			b.Fatal(err)
		}
	}
}
