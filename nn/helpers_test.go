package nn_test

import (
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/nn"
)

var seed = flag.Uint64("seed", 1, "seed of the random networks and images")

// slow is set where plain Go runs much slower than usual.
var slow bool

// emulated is set under an emulator, which is slow on floats above all.
var emulated = os.Getenv("MACROSCOPE_EMULATED") != ""

// rounds is how many of n random cases to try.
func rounds(n int) int {
	if slow || testing.Short() {
		return max(1, n/10)
	}
	return n
}

// newRand prints how to run a failing test again.
func newRand(t testing.TB) *rand.Rand {
	t.Cleanup(func() {
		if t.Failed() {
			name, _, _ := strings.Cut(t.Name(), "/")
			t.Logf("again: go test ./nn -run '^%s$' -seed %d", name, *seed)
		}
	})
	return rand.New(rand.NewPCG(*seed, 0))
}

// defaults is the choice with every dtype's best implementation.
func defaults(t testing.TB) *kernels.Choice {
	t.Helper()
	c, err := kernels.Default()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// eachImpl runs f for every implementation of a dtype. One that this machine
// lacks is skipped with its reason, or fails if MACROSCOPE_REQUIRE names it or
// says all.
func eachImpl(t *testing.T, d dtype.DType, f func(t *testing.T, c *kernels.Choice)) {
	t.Helper()
	base := defaults(t)
	required := strings.Split(os.Getenv("MACROSCOPE_REQUIRE"), ",")
	excluded := strings.Split(os.Getenv(kernels.EnvVar), ",")
	for _, im := range kernels.Table() {
		if im.DType() != d {
			continue
		}
		t.Run(im.Name(), func(t *testing.T) {
			switch {
			case im.Available() && slices.Contains(excluded, "-"+im.Name()):
				t.Skipf("%v: left out by %s", im, kernels.EnvVar)
			case im.Available():
				f(t, base.With(im))
			case slices.Contains(required, im.Name()) || slices.Contains(required, "all"):
				t.Errorf("%v is required here: %s", im, im.Reason())
			default:
				t.Skipf("%v: %s", im, im.Reason())
			}
		})
	}
}

// choices are one choice for each available combination that changes a result's
// path: every implementation of one dtype beside the others' best.
func choices(t testing.TB, dtypes ...dtype.DType) (list []*kernels.Choice) {
	t.Helper()
	base := defaults(t)
	for _, im := range kernels.Table() {
		if im.Available() && slices.Contains(dtypes, im.DType()) {
			list = append(list, base.With(im))
		}
	}
	return list
}

func compile(t testing.TB, g *graph.Graph, c *kernels.Choice) *nn.Plan {
	t.Helper()
	p, err := nn.Compile(g, nn.Options{Kernels: c})
	if err != nil {
		t.Fatalf("%v\n%s", err, describe(g))
	}
	return p
}

// run computes a batch on one thread.
func run(t testing.TB, p *nn.Plan, in []float32) []float32 {
	t.Helper()
	r := p.NewRunner(1)
	defer r.Close()
	out := make([]float32, len(in)/p.InputSize()*p.OutputSize())
	if err := r.Run(out, in); err != nil {
		t.Fatal(err)
	}
	return out
}

// sameBits fails at the first value that differs in its bits.
func sameBits(t testing.TB, what string, g *graph.Graph, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values: want %d", what, len(got), len(want))
	}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: value %d is %v (%#x): want %v (%#x)\n%s", what, i, got[i], math.Float32bits(got[i]), want[i], math.Float32bits(want[i]), describe(g))
		}
	}
}

// pixels are random bytes with the extremes weighted, and the same as numbers.
func pixels(r *rand.Rand, n int) ([]uint8, []float32) {
	b, f := make([]uint8, n), make([]float32, n)
	for i := range b {
		switch r.IntN(8) {
		case 0:
			b[i] = 0
		case 1:
			b[i] = 255
		default:
			b[i] = uint8(r.Uint32())
		}
		f[i] = float32(b[i])
	}
	return b, f
}

func nan() float64 { return math.NaN() }
