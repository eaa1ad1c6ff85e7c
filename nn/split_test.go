package nn

import (
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
)

// twoConvs is a small network of float32 or int8 whose layers can be shared, of shapes
// that minimal filtering takes.
func twoConvs(t *testing.T, d dtype.DType, winograd Winograd) *Plan {
	t.Helper()
	b, r := graph.New("two", "in", graph.Shape{32, 8, 16}), rand.New(rand.NewPCG(1, 9))
	x := b.Input()
	for _, name := range []string{"a", "b"} {
		op := &graph.Conv2D{InC: x.Shape[0], OutC: 64, KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 1}
		n := op.OutC * op.InC * 9
		if d == dtype.Int8 {
			x.Scale, op.Scale = 0.5, []float32{1. / 512}
			for range n {
				op.Int8 = append(op.Int8, int8(r.IntN(255)-127))
			}
		} else {
			for range n {
				op.Float = append(op.Float, float32(r.NormFloat64())/16)
			}
		}
		x = b.Add(name, op, x)
	}
	g, err := b.Graph(x)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(g, Options{Winograd: winograd})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// waysOfTwo are the ways that twoConvs is computed.
var waysOfTwo = []struct {
	d        dtype.DType
	winograd Winograd
}{{dtype.Float32, WinogradNone}, {dtype.Float32, WinogradAll}, {dtype.Int8, WinogradNone}, {dtype.Int8, WinogradExact}}

// However a step is cut, and whoever computes its chunks, the bytes are the same.
func TestSharedStepsAgree(t *testing.T) {
	cuts := 20
	if os.Getenv("MACROSCOPE_EMULATED") != "" { // where helpers that spin hold up the others
		cuts = 4
	}
	for _, c := range waysOfTwo {
		p := twoConvs(t, c.d, c.winograd)
		one := p.NewRunner(1)
		defer one.Close()
		in := make([]float32, p.InputSize())
		want, got := make([]float32, p.OutputSize()), make([]float32, p.OutputSize())
		for cut := range cuts {
			many := p.NewRunner(3)
			for i := range many.split.steps {
				st := &many.split.steps[i]
				if u, ok := st.whole.(unitStep); ok {
					st.parts, st.units = u, u.units()
					st.chunks = 1 + cut%st.units
				}
			}
			for round := range 10 {
				for i := range in {
					in[i] = float32((cut+round)*i%17) - 8
				}
				if err := one.Run(want, in); err != nil {
					t.Fatal(err)
				}
				if err := many.Run(got, in); err != nil {
					t.Fatal(err)
				}
				if !slices.EqualFunc(got, want, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
					t.Fatalf("%v, winograd %v, cut %d, round %d: shared steps give other bits", c.d, c.winograd, cut, round)
				}
				if round == 5 {
					time.Sleep(2 * spinTime) // helpers go to sleep, and are woken
				}
			}
			many.Close()
		}
	}
}

// Sharing starts no goroutine and allocates nothing, whether helpers sleep or not.
func TestSharingStartsNothing(t *testing.T) {
	p := twoConvs(t, dtype.Float32, WinogradNone)
	r := p.NewRunner(3)
	defer r.Close()
	in, out := make([]float32, p.InputSize()), make([]float32, p.OutputSize())
	before := runtime.NumGoroutine()
	if n := testing.AllocsPerRun(100, func() {
		r.split.trial = trial{}
		if err := r.Run(out, in); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("an inference on three threads allocates %v times", n)
	}
	if after := runtime.NumGoroutine(); after > before { // those of other tests' runners may have ended since
		t.Errorf("%d goroutines after 100 inferences: want at most the %d of before", after, before)
	}
}

// Threads that share nothing useful are left alone: the trial keeps to what was
// faster, and tries again.
func TestTrialKeepsTheFaster(t *testing.T) {
	for _, sharedIsFaster := range []bool{true, false} {
		var tr trial
		counts := [2]int{}
		for range 2*trialImages + settledImages {
			shared := tr.shared()
			d := 100 * time.Microsecond
			if shared == sharedIsFaster {
				d = 60 * time.Microsecond
			}
			if shared {
				counts[1]++
			} else {
				counts[0]++
			}
			tr.took(shared, d)
		}
		want := [2]int{trialImages + settledImages, trialImages}
		if sharedIsFaster {
			want[0], want[1] = want[1], want[0]
		}
		if counts != want {
			t.Errorf("sharing is faster: %v: %v images alone and shared, want %v", sharedIsFaster, counts, want)
		}
		if tr != (trial{}) {
			t.Errorf("sharing is faster: %v: no new trial begins", sharedIsFaster)
		}
	}
}

// Units of a step cover its output exactly: computed one by one, backwards.
func TestUnitsCoverTheStep(t *testing.T) {
	for _, c := range waysOfTwo {
		p := twoConvs(t, c.d, c.winograd)
		r := p.NewRunner(1)
		defer r.Close()
		in, out := make([]float32, p.InputSize()), make([]float32, p.OutputSize())
		for i := range in {
			in[i] = float32(i%13) - 6
		}
		if err := r.Run(out, in); err != nil {
			t.Fatal(err)
		}
		s := r.states[0]
		want := slices.Clone(s.mem)
		s.floats = in
		for _, st := range append([]step{p.first}, p.steps...) {
			u, ok := st.(unitStep)
			if !ok {
				continue
			}
			for i := u.units() - 1; i >= 0; i-- {
				u.runUnits(s, &kernels.Context{}, i, i+1)
			}
		}
		if !slices.Equal(s.mem, want) {
			t.Errorf("%v, winograd %v: units one by one leave another arena", c.d, c.winograd)
		}
	}
}
