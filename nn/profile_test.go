package nn

import (
	"math"
	"testing"
	"time"

	"macroscope/dtype"
	"macroscope/graph"
)

// By hand: of 100 ns a layer needs 40 without products and 30 without the pool as
// well; a twin that is slower than its layer leaves nothing for the products.
func TestSplit(t *testing.T) {
	for _, c := range []struct {
		part  Part
		twins bool
		ns    [3]float64
		want  [Parts]float64
	}{
		{Epilogue, true, [3]float64{100, 40, 30}, [Parts]float64{Kernel: 60, Epilogue: 30, Pool: 10}},
		{Epilogue, true, [3]float64{100, 40, 40}, [Parts]float64{Kernel: 60, Epilogue: 40}},
		{Epilogue, true, [3]float64{100, 120, 30}, [Parts]float64{Epilogue: 30, Pool: 70}},
		{Epilogue, true, [3]float64{100, 40, 50}, [Parts]float64{Kernel: 60, Epilogue: 40}},
		{Packing, true, [3]float64{100, 40, 30}, [Parts]float64{Kernel: 60, Packing: 30, Epilogue: 10}},
		{Packing, false, [3]float64{100, 90, 80}, [Parts]float64{Packing: 100}},
		{Other, false, [3]float64{100, 90, 80}, [Parts]float64{Other: 100}},
	} {
		st := Step{part: c.part}
		if got := st.split(c.ns, c.twins); got.Parts != c.want || got.Total != 100 {
			t.Errorf("%v of %v, twins %v: %v, want %v", c.ns, c.part, c.twins, got, c.want)
		}
	}
}

// pooled is a convolution with ReLU and pool, and a dense layer.
func pooled(t *testing.T) *Plan {
	t.Helper()
	b := graph.New("pooled", "in", graph.Shape{4, 8, 8})
	conv := &graph.Conv2D{InC: 4, OutC: 32, KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 1}
	conv.Float = make([]float32, 32*4*9)
	dense := &graph.Dense{In: 32 * 4 * 4, Out: 10}
	dense.Float = make([]float32, 10*dense.In)
	for i := range conv.Float {
		conv.Float[i] = float32(i%7) - 3
	}
	for i := range dense.Float {
		dense.Float[i] = float32(i%5) - 2
	}
	x := b.Add("conv", conv, b.Input())
	x = b.Add("relu", &graph.ReLU{}, x)
	x = b.Add("pool", &graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}, x)
	x = b.Add("flat", &graph.Flatten{}, x)
	g, err := b.Graph(b.Add("dense", dense, x))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(g, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// By hand: the input is 4·8·8 bytes and becomes float32; the convolution reads
// them with their halo, 10·10 pixels of 16 bytes, and writes 4·4·32 float32.
func TestStepsDescribeAnInference(t *testing.T) {
	pr, err := pooled(t).NewProfiler()
	if err != nil {
		t.Fatal(err)
	}
	want := []Step{
		{"input", "input", -1, -1, 256, 1024, Packing},
		{"conv", "conv2d", 0, -1, 1600, 2048, Epilogue},
		{"dense", "dense", 1, -1, 2048, 40, Epilogue},
		{"output", "output", -1, -1, 40, 40, Packing},
	}
	got := pr.Steps()
	if len(got) != len(want) {
		t.Fatalf("%d steps %v: want %d", len(got), got, len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("step %d is %+v: want %+v", i, got[i], want[i])
		}
	}
}

// Parts sum to their step; products take time, and nothing is allocated; what
// passes while twins run does not disturb later inferences.
func TestProfile(t *testing.T) {
	p := pooled(t)
	pr, err := p.NewProfiler()
	if err != nil {
		t.Fatal(err)
	}
	times, pixels := make([]StepTime, len(pr.Steps())), make([]uint8, 2*p.InputSize())
	if n := testing.AllocsPerRun(3, func() { pr.Profile(times, pixels, 10) }); n != 0 {
		t.Errorf("%v allocations a profile", n)
	}
	ns := make([]float64, len(times))
	pr.Totals(ns, pixels, 10)
	for i, v := range ns {
		if v < 0 {
			t.Errorf("step %d took %v ns", i, v)
		}
	}
	if !(ns[1] > 0) {
		t.Errorf("the convolution took %v ns", ns[1])
	}
	kernel := 0.0
	for range 20 { // one may be disturbed
		pr.Profile(times, pixels, 10)
		kernel += times[1].Parts[Kernel]
	}
	for i, st := range times {
		sum := 0.0
		for _, v := range st.Parts {
			sum += v
		}
		if !(math.Abs(sum-st.Total) <= 1e-9*st.Total) || st.Total < 0 {
			t.Errorf("step %d: parts %v of %v", i, st.Parts, st.Total)
		}
	}
	if !(kernel > 0) {
		t.Errorf("the convolution's products take no time: %v", times)
	}
	r := p.NewRunner(1)
	defer r.Close()
	for i := range pixels {
		pixels[i] = uint8(i)
	}
	want, got := make([]float32, 2*p.OutputSize()), make([]float32, 2*p.OutputSize())
	if err := r.RunPixels(want, pixels); err != nil {
		t.Fatal(err)
	}
	pr.Profile(times, pixels, 2)
	if err := r.RunPixels(got, pixels); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("value %d: %v after a profile, %v before", i, got[i], want[i])
		}
	}
}

func TestProfilerRefuses(t *testing.T) {
	p := twoConvs(t, dtype.Float32, WinogradNone)
	p.observe = true
	if _, err := p.NewProfiler(); err == nil {
		t.Error("no error for a plan with an observer")
	}
	pr, err := twoConvs(t, dtype.Float32, WinogradAll).NewProfiler()
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func(){
		"half an image": func() { pr.Profile(make([]StepTime, len(pr.Steps())), make([]uint8, pr.size/2), 1) },
		"no image":      func() { pr.Profile(make([]StepTime, len(pr.Steps())), nil, 1) },
		"few times":     func() { pr.Profile(nil, make([]uint8, pr.size), 1) },
		"nothing to do": func() { pr.Profile(make([]StepTime, len(pr.Steps())), make([]uint8, pr.size), 0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}

func TestClockReading(t *testing.T) {
	if d := clockReading(); d < 0 || d >= time.Second {
		t.Errorf("reading the clock takes %v", d)
	}
}
