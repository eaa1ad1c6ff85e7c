package nn_test

import (
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/nn"
)

// mixed is a network with every kind of step: in float32, or with int8 layers,
// or with binary ones between int8 ones.
func mixed(t testing.TB, d dtype.DType) *graph.Graph {
	t.Helper()
	m := newMaker(rand.New(rand.NewPCG(*seed, uint64(d))), graph.Shape{3, 12, 10})
	conv := func(x *graph.Value, outC int) *graph.Value { return m.add(m.fill(same(x.Shape, outC)), x) }
	x := m.add(m.affine(3), m.b.Input())
	x = conv(x, 20)
	if d == dtype.Binary {
		x = m.add(&graph.Sign{}, x)
		for range 2 {
			c := m.sameBinary(x.Shape, 36)
			c.PadValue = -1
			x = m.add(&graph.Sign{}, m.add(m.sumNorm(36, c.K()), m.add(c, x)))
		}
	}
	x = m.add(&graph.ReLU{}, m.add(pool2, conv(x, 20)))
	x = m.add(&graph.Add{}, m.add(&graph.ReLU{}, conv(x, 20)), x)
	x = m.add(m.norm(20), m.add(&graph.MaxPool{KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1}, x))
	pooled := m.add(&graph.Flatten{}, m.add(&graph.GlobalAveragePool{}, x))
	x = m.add(m.dense(x.Shape.Size(), 20), m.add(&graph.Flatten{}, x))
	x = m.add(m.dense(20, 7), m.add(&graph.ReLU{}, m.add(&graph.Add{}, x, pooled)))
	g := m.graph(t, m.add(&graph.Softmax{}, x))
	if d != dtype.Float32 {
		_, image := pixels(m.r, g.Input.Shape.Size())
		quantize(t, m.r, g, image)
	}
	return g
}

// An inference allocates nothing, whatever the dtype, the batch and the threads,
// of which some may have had no image yet.
func TestNoAllocations(t *testing.T) {
	random := newRand(t)
	for _, d := range dtype.All {
		g := mixed(t, d)
		for _, c := range choices(t, d) {
			p := compile(t, g, c)
			for _, threads := range []int{1, 2} {
				for _, batch := range []int{1, 4} {
					r := p.NewRunner(threads)
					bytes, in := pixels(random, batch*p.InputSize())
					out := make([]float32, batch*p.OutputSize())
					if n := mallocs(func() { r.Run(out, in) }); n != 0 && threads == 1 { // threads' first meeting is the scheduler's matter
						t.Errorf("%v, batch %d: the first Run allocates %d times", c.For(d), batch, n)
					}
					for name, f := range map[string]func() error{
						"Run":       func() error { return r.Run(out, in) },
						"RunPixels": func() error { return r.RunPixels(out, bytes) },
					} {
						if n := testing.AllocsPerRun(4, func() {
							if err := f(); err != nil {
								t.Fatal(err)
							}
						}); n != 0 {
							t.Errorf("%v, %d threads, batch %d: %s allocates %v times", c.For(d), threads, batch, name, n)
						}
					}
					r.Close()
				}
			}
		}
	}
}

// mallocs is how many allocations f makes.
func mallocs(f func()) uint64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))  // nothing else runs meanwhile,
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the collector's workers included
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.Mallocs - before.Mallocs
}

// More threads, more images than threads or fewer: the same bits.
func TestThreadsAgree(t *testing.T) {
	random := newRand(t)
	for _, d := range dtype.All {
		g := mixed(t, d)
		p := compile(t, g, defaults(t))
		_, in := pixels(random, 9*p.InputSize())
		want := make([]float32, 0, 9*p.OutputSize())
		for i := range 9 {
			want = append(want, run(t, p, in[i*p.InputSize():(i+1)*p.InputSize()])...)
		}
		for _, threads := range []int{-1, 0, 1, 2, 3, 12} {
			r := p.NewRunner(threads)
			for _, batch := range []int{9, 1, 2, 0, 5} {
				out := make([]float32, batch*p.OutputSize())
				if err := r.Run(out, in[:batch*p.InputSize()]); err != nil {
					t.Fatal(err)
				}
				sameBits(t, d.String(), g, out, want[:len(out)])
			}
			r.Close()
		}
	}
}

// Two runners of one plan work at the same time without touching each other.
func TestRunnersShareAPlan(t *testing.T) {
	g := mixed(t, dtype.Binary)
	p := compile(t, g, defaults(t))
	_, in := pixels(newRand(t), 4*p.InputSize())
	want := run(t, p, in)
	done := make(chan []float32)
	for range 2 {
		go func() {
			r := p.NewRunner(2)
			defer r.Close()
			out := make([]float32, len(want))
			for range 5 {
				if err := r.Run(out, in); err != nil {
					t.Error(err)
				}
			}
			done <- out
		}()
	}
	for range 2 {
		sameBits(t, "at the same time", g, <-done, want)
	}
}

// An image does not see what the one before it left in the arena.
func TestImagesAreIndependent(t *testing.T) {
	random := newRand(t)
	for _, d := range dtype.All {
		g := mixed(t, d)
		p := compile(t, g, defaults(t))
		r := p.NewRunner(1)
		defer r.Close()
		_, in := pixels(random, 2*p.InputSize())
		first, again := make([]float32, p.OutputSize()), make([]float32, p.OutputSize())
		for i, out := range [][]float32{first, nil, again} {
			if out == nil {
				out = make([]float32, p.OutputSize())
			}
			if err := r.Run(out, in[i%2*p.InputSize():][:p.InputSize()]); err != nil {
				t.Fatal(err)
			}
		}
		sameBits(t, d.String(), g, again, first)
	}
}

func TestCloseEndsThreads(t *testing.T) {
	p := compile(t, mixed(t, dtype.Float32), defaults(t))
	before := runtime.NumGoroutine()
	_, in := pixels(newRand(t), 4*p.InputSize())
	out := make([]float32, 4*p.OutputSize())
	for range 10 {
		r := p.NewRunner(5)
		if err := r.Run(out, in); err != nil {
			t.Fatal(err)
		}
		r.Close()
		r.Close() // once is enough, twice does no harm
	}
	for i := 0; runtime.NumGoroutine() > before; i++ {
		if i == 1000 {
			t.Fatalf("%d goroutines: want the %d of before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestRunChecksSizes(t *testing.T) {
	m := newMaker(newRand(t), graph.Shape{2, 3, 3})
	p := compile(t, m.graph(t, m.add(m.dense(18, 5), m.add(&graph.Flatten{}, m.b.Input()))), defaults(t))
	r := p.NewRunner(1)
	defer r.Close()
	for _, c := range []struct {
		out, in int
		want    string
	}{
		{5, 17, "network random: 17 input and 5 output values: want n·18 and n·5"},
		{5, 36, "network random: 36 input and 5 output values: want n·18 and n·5"},
		{4, 18, "network random: 18 input and 4 output values: want n·18 and n·5"},
		{6, 18, "network random: 18 input and 6 output values: want n·18 and n·5"},
		{5, 0, "network random: 0 input and 5 output values: want n·18 and n·5"},
		{0, 18, "network random: 18 input and 0 output values: want n·18 and n·5"},
	} {
		out := make([]float32, c.out)
		for i := range out {
			out[i] = 42
		}
		for name, err := range map[string]error{"Run": r.Run(out, make([]float32, c.in)), "RunPixels": r.RunPixels(out, make([]uint8, c.in))} {
			if err == nil || err.Error() != c.want {
				t.Errorf("%s: got %v, want %s", name, err, c.want)
			}
		}
		for _, x := range out {
			if x != 42 {
				t.Error("an error, and yet something was written")
			}
		}
	}
	if err := r.Run(nil, nil); err != nil {
		t.Errorf("a batch of none: %v", err)
	}
}

// The observer sees each float32 value that memory holds, in the graph's order,
// with the numbers of the plain evaluation; one thread, whatever was asked.
func TestObserve(t *testing.T) {
	random := newRand(t)
	m := newMaker(random, graph.Shape{3, 6, 5})
	norm := m.add(m.affine(3), m.b.Input())
	conv := m.add(m.fill(same(norm.Shape, 4)), norm)
	pool := m.add(pool2, m.add(&graph.ReLU{}, conv))
	out := m.add(m.dense(pool.Shape.Size(), 2), m.add(&graph.Flatten{}, pool))
	g := m.graph(t, out)
	_, in := pixels(random, g.Input.Shape.Size())
	seen := map[string]int{}
	p, err := nn.Compile(g, nn.Options{Kernels: defaults(t), Observe: func(v *graph.Value, data []float32) {
		seen[v.Name]++
		part := &graph.Graph{Name: "part", Input: g.Input, Nodes: g.Nodes}
		for _, n := range g.Nodes {
			if n.Out.Name == v.Name {
				part.Output = n.Out
			}
		}
		want, tol, _ := evaluate(t, part, in)
		near(t, v.Name, part, data, want, tol)
	}})
	if err != nil {
		t.Fatal(err)
	}
	r := p.NewRunner(4)
	defer r.Close()
	if err := r.Run(make([]float32, 2*p.OutputSize()), append(in, in...)); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 3 || seen[norm.Name] != 2 || seen[pool.Name] != 2 || seen[out.Name] != 2 {
		t.Errorf("seen %v: want %s, %s and %s twice each", seen, norm.Name, pool.Name, out.Name)
	}
}
