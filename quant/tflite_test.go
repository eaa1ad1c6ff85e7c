package quant

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A Requantizer is the same as a multiplier, zero point and clamp, for every shift.
func TestRequantizer(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for shift := -31; shift <= 30; shift++ {
		for range 2000 {
			m := Multiplier{M: 1<<30 + rng.Int32N(1<<30), Shift: shift}
			acc := int32(rng.Uint32()) >> rng.IntN(31)
			zero, b := int8(rng.IntN(256)-128), All
			if rng.IntN(2) == 0 {
				b.Lo = int8(rng.IntN(256) - 128)
			}
			r := NewRequantizer(m, false, zero, b)
			if got, want := r.At(acc), RequantizeInteger(acc, m, int32(zero), int32(b.Lo), int32(b.Hi)); got != want {
				t.Fatalf("%d by %+v to zero %d, %+v: %d: want %d", acc, m, zero, b, got, want)
			}
			r = NewRequantizer(m, true, zero, b)
			exact := math.Floor(math.Ldexp(float64(acc)*float64(m.M), shift-31) + 0.5)
			if want := b.clamp(int64(min(1e9, max(-1e9, exact))) + int64(zero)); r.At(acc) != want && math.Abs(exact) < 1<<30 {
				t.Fatalf("%d by %+v once: %d: want %d", acc, m, r.At(acc), want)
			}
		}
	}
}

// doublingHighMul is gemmlowp's definition, whose nudge depends on the sign.
func TestDoublingHighMul(t *testing.T) {
	definition := func(a, b int32) int32 {
		if a == math.MinInt32 && b == math.MinInt32 {
			return math.MaxInt32
		}
		ab, nudge := int64(a)*int64(b), int64(1<<30)
		if ab < 0 {
			nudge = 1 - 1<<30
		}
		return int32((ab + nudge) / (1 << 31))
	}
	edges := []int32{math.MinInt32, math.MinInt32 + 1, -1 << 30, -1<<15 - 1, -1 << 15, -1, 0, 1, 1 << 15, 1<<15 + 1, 1 << 30, math.MaxInt32}
	for _, a := range edges {
		for _, b := range edges {
			if got, want := doublingHighMul(a, b), definition(a, b); got != want {
				t.Fatalf("%d, %d: %d: want %d", a, b, got, want)
			}
		}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 100000 {
		a, b := int32(rng.Uint32()), int32(rng.Uint32())>>rng.IntN(31)
		if got, want := doublingHighMul(a, b), definition(a, b); got != want {
			t.Fatalf("%d, %d: %d: want %d", a, b, got, want)
		}
	}
}

// Every operator is within one step of what it stands for.
func TestOperatorsNearReals(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	format := func() Format {
		return Format{float32(math.Exp(rng.Float64()*4 - 4)), int8(rng.IntN(256) - 128)}
	}
	near := func(what string, got int8, f Format, x float64) {
		t.Helper()
		want := min(127, max(-128, x/float64(f.Scale)+float64(f.Zero)))
		if d := float64(got) - want; !(math.Abs(d) <= 1) {
			t.Fatalf("%s: %d: want about %g", what, got, want)
		}
	}
	real := func(f Format, q int8) float64 { return float64(f.Float(q)) }
	for range 20000 {
		x, y, out := format(), format(), format()
		p, q := int8(rng.IntN(256)-128), int8(rng.IntN(256)-128)
		a, err := NewAdder(x, y, out, All)
		if err != nil {
			t.Fatal(err)
		}
		near("add", a.At(p, q), out, real(x, p)+real(y, q))
		m, err := NewMultiplication(x, y, out, All)
		if err != nil {
			t.Fatal(err)
		}
		near("mul", m.At(p, q), out, real(x, p)*real(y, q))
		for _, prepare := range []func(in, out Format, b Bounds) (Rescaler, error){NewRescaler, NewReLU} {
			r, err := prepare(x, out, All)
			if err != nil {
				t.Fatal(err)
			}
			near("rescale", r.At(p), out, real(x, p))
		}
		n := 1 + rng.IntN(300)
		sum := int32(n) * int32(p)
		mean, err := NewMean(x, out, n)
		if err != nil {
			t.Fatal(err)
		}
		near("mean", mean.At(sum), out, real(x, p))
		if got := AverageOf(sum, int32(n), All); got != p {
			t.Fatalf("the average of %d times %d is %d", n, p, got)
		}
	}
	if a, b := AverageOf(5, 2, All), AverageOf(-5, 2, All); a != 3 || b != -3 {
		t.Errorf("averages of 5/2 and -5/2 are %d and %d: want halves away from zero", a, b)
	}
}

func TestSoftmaxNearReals(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 3000 {
		scale := float32(math.Exp(rng.Float64()*12 - 9))
		s, err := NewSoftmax(scale)
		if err != nil {
			t.Fatal(err)
		}
		row, sum := make([]int8, 1+rng.IntN(100)), 0.0
		exps := make([]float64, len(row))
		for i := range row {
			row[i] = int8(rng.IntN(256) - 128)
			exps[i] = math.Exp(float64(scale) * float64(int(row[i])-127))
			sum += exps[i]
		}
		top := row[0]
		for _, q := range row {
			top = max(top, q)
		}
		sum = 0
		for i, q := range row {
			exps[i] = math.Exp(float64(scale) * float64(int(q)-int(top)))
			sum += exps[i]
		}
		s.Row(row, row)
		for i, q := range row {
			if want := min(127, exps[i]/sum*256-128); !(math.Abs(float64(q)-want) <= 1) {
				t.Fatalf("scale %g: %d: want about %g", scale, q, want)
			}
		}
	}
	if _, err := NewSoftmax(1e-9); err == nil {
		t.Error("a scale of 1e-9 was taken")
	}
}
