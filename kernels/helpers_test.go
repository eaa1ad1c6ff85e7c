package kernels

import (
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/internal/guard"
)

var seed = flag.Uint64("seed", 1, "seed of the random data")

// newRand prints how to run a failing test again.
func newRand(t testing.TB) *rand.Rand {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("again: go test ./kernels -run '^%s$' -seed %d", t.Name(), *seed)
		}
	})
	return seeded(*seed)
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// eachImpl runs f for every implementation of a dtype. One that this machine
// lacks is skipped with its reason, or fails if MACROSCOPE_REQUIRE names it or
// says all.
func eachImpl(t *testing.T, d dtype.DType, f func(t *testing.T, im *Impl)) {
	checkRequired(t)
	required := strings.Split(os.Getenv("MACROSCOPE_REQUIRE"), ",")
	excluded := strings.Split(os.Getenv(EnvVar), ",")
	for _, im := range Table() {
		if im.DType() != d || len(emulated) > 0 && !emulated[im] {
			continue
		}
		t.Run(im.Name(), func(t *testing.T) {
			switch {
			case im.Available() && slices.Contains(excluded, "-"+im.Name()):
				t.Skipf("%v: left out by %s", im, EnvVar)
			case im.Available():
				f(t, im)
			case slices.Contains(required, im.Name()) || slices.Contains(required, "all"):
				t.Errorf("%v is required here: %s", im, im.Reason())
			default:
				t.Skipf("%v: %s", im, im.Reason())
			}
		})
	}
}

// checkRequired fails on a name in MACROSCOPE_REQUIRE that no row has: a typing
// error must not let a test pass.
func checkRequired(t *testing.T) {
	t.Helper()
	for _, name := range strings.Split(os.Getenv("MACROSCOPE_REQUIRE"), ",") {
		if name != "" && name != "all" && !slices.Contains(names(dtype.All), name) {
			t.Fatalf("MACROSCOPE_REQUIRE: %q: want all, or some of %s", name, strings.Join(names(dtype.All), ", "))
		}
	}
}

// slow says whether a row takes seconds for what others do in milliseconds: each
// of its instructions is emulated, and has few products (those of AMX have 16384).
func slow(im *Impl) bool { return emulated[im] && im.k.MR*im.k.NR < 1024 }

// tooMuch says whether a slow row would take seconds for so many products.
func tooMuch(im *Impl, products int) bool { return slow(im) && products > 300_000 }

// cases is how many cases a test tries.
func cases(im *Impl, full, short, whenSlow int) int {
	switch {
	case slow(im):
		return whenSlow
	case testing.Short():
		return short
	}
	return full
}

// lengths are what the dot products are tried on.
func lengths() (n []int) {
	for i := range 131 {
		n = append(n, i)
	}
	return append(n, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 2047, 2048, 2049, 4099)
}

// guarded returns two places for n elements of T: before a forbidden page and
// after one.
func guarded[T any](t testing.TB, n int) [][]T {
	var z T
	size := n * sizeOf(z)
	return [][]T{view[T](guard.Tail(t, size)), view[T](guard.Head(t, size))}
}

func sizeOf(v any) int {
	switch v.(type) {
	case float32, int32, uint32:
		return 4
	case int8, uint8:
		return 1
	default:
		return 8
	}
}

// someInt8 are random bytes with the extremes weighted.
func someInt8(r *rand.Rand, n int) []int8 {
	extremes := []int8{-128, -127, -1, 0, 1, 127}
	v := make([]int8, n)
	for i := range v {
		if r.IntN(3) == 0 {
			v[i] = extremes[r.IntN(len(extremes))]
		} else {
			v[i] = int8(r.IntN(256) - 128)
		}
	}
	return v
}

func someFloat32(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		switch r.IntN(16) {
		case 0:
			v[i] = 0
		case 1:
			v[i] = float32(math.Copysign(0, -1))
		case 2:
			v[i] = 0x1p-140 // subnormal
		case 3:
			v[i] = float32(r.NormFloat64()) * 0x1p20
		default:
			v[i] = float32(r.NormFloat64())
		}
	}
	return v
}

func someBits(r *rand.Rand, words int) []uint64 {
	v := make([]uint64, words)
	for i := range v {
		switch r.IntN(6) {
		case 0:
			v[i] = ^uint64(0)
		case 1:
			v[i] = 0
		default:
			v[i] = r.Uint64()
		}
	}
	return v
}

// closeEnough holds the float32 rule: |got−want| ≤ n·ε·Σ|aᵢbᵢ|, ε = 2⁻²³,
// written so that NaN fails; absolute below the subnormals' step.
func closeEnough(got float32, want, sumAbs float64, n int) bool {
	return math.Abs(float64(got)-want) <= float64(n+1)*0x1p-23*sumAbs+0x1p-140
}
