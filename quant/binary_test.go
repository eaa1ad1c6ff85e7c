package quant

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func TestWords(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 1, 31: 1, 32: 1, 33: 2, 64: 2, 65: 3} {
		if got := Words(n); got != want {
			t.Errorf("Words(%d) = %d: want %d", n, got, want)
		}
	}
}

func TestPackSigns(t *testing.T) {
	for _, c := range []struct {
		rule string
		x    float32
		bit  uint32
	}{
		{"positive is 1", 3, 1}, {"negative is 0", -3, 0}, {"0 is 1", 0, 1}, {"-0 is 1", negZero, 1}, {"NaN is 0", nan, 0}, {"NaN is 0", -nan, 0},
		{"infinities have their sign", inf, 1}, {"infinities have their sign", -inf, 0},
		{"subnormals have their sign", smallest, 1}, {"subnormals have their sign", -smallest, 0},
	} {
		dst := []uint32{0xdeadbeef}
		if PackSigns(dst, []float32{c.x}); dst[0] != c.bit {
			t.Errorf("%s: %v packs as %#x: want %d", c.rule, c.x, dst[0], c.bit)
		}
	}
	// Value i is bit i%32 of word i/32.
	src := make([]float32, 40)
	for i := range src {
		src[i] = -1
	}
	src[0], src[5], src[31], src[33], src[39] = 1, 1, 1, 1, 1
	dst := make([]uint32, 2)
	if PackSigns(dst, src); dst[0] != 1<<31|1<<5|1 || dst[1] != 1<<7|1<<1 {
		t.Errorf("packed as %#x", dst)
	}
}

// Packing overwrites every word whole, so that stale bits never stay beyond the
// last value; unpacking never reads those bits; together they are the sign.
func TestPackUnpack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.OneOf(rapid.Float32(), rapid.SampledFrom([]float32{0, negZero, nan, inf, -inf, 1, -1}))
		src := rapid.SliceOfN(x, 0, 100).Draw(t, "src")
		words := make([]uint32, Words(len(src)))
		for i := range words {
			words[i] = ^uint32(0) // stale
		}
		PackSigns(words, src)
		if n := len(src) % WordBits; n != 0 && words[len(words)-1]>>n != 0 {
			t.Fatalf("bits from %d on of the last word are set: %#x", n, words[len(words)-1])
		}
		signs := make([]int8, len(src))
		UnpackSigns(signs, words)
		for i, v := range src {
			if want := int8(-1); v >= 0 && signs[i] != 1 || !(v >= 0) && signs[i] != want {
				t.Fatalf("%v at %d comes back as %d", v, i, signs[i])
			}
		}
		if n := len(src) % WordBits; n != 0 {
			words[len(words)-1] |= ^uint32(0) << n
			again := make([]int8, len(src))
			UnpackSigns(again, words)
			for i := range again {
				if again[i] != signs[i] {
					t.Fatalf("padding bits change value %d", i)
				}
			}
		}
	})
}

func TestThresholdBit(t *testing.T) {
	for _, c := range []struct {
		t    Threshold
		sum  int32
		want bool
	}{
		{Threshold{T: 3}, 3, false}, {Threshold{T: 3}, 4, true}, {Threshold{T: 3, Flip: true}, 3, true}, {Threshold{T: 3, Flip: true}, 4, false},
		{Threshold{T: math.MaxInt32}, math.MaxInt32, false}, {Threshold{T: math.MaxInt32, Flip: true}, math.MaxInt32, true},
		{Threshold{T: math.MinInt32}, math.MinInt32, false}, {Threshold{T: math.MinInt32}, math.MinInt32 + 1, true},
	} {
		if got := c.t.Bit(c.sum); got != c.want {
			t.Errorf("%+v of %d is %v", c.t, c.sum, got)
		}
	}
}

// agree compares a threshold with its function where it could be wrong: around
// T, around 0 and at the ends of int32.
func agree(t interface{ Fatalf(string, ...any) }, name string, f func(int32) float64) Threshold {
	th, err := FoldSign(f)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, center := range []int64{int64(th.T), 0, math.MinInt32, math.MaxInt32} {
		for d := int64(-600); d <= 600; d++ {
			s := center + d
			if s < math.MinInt32 || s > math.MaxInt32 {
				continue
			}
			if got, want := th.Bit(int32(s)), f(int32(s)) >= 0; got != want {
				t.Fatalf("%s: %+v: sum %d gives %v, the function %v", name, th, s, got, f(int32(s)))
			}
		}
	}
	return th
}

func TestFoldSign(t *testing.T) {
	for _, c := range []struct {
		rule string
		f    func(int32) float64
		want Threshold
	}{
		{"rising", func(s int32) float64 { return float64(s) - 10.5 }, Threshold{T: 10}},
		{"falling", func(s int32) float64 { return 10.5 - float64(s) }, Threshold{T: 10, Flip: true}},
		{"rising through 0: 0 is +1", func(s int32) float64 { return float64(s) - 10 }, Threshold{T: 9}},
		{"falling through 0: 0 is +1", func(s int32) float64 { return 10 - float64(s) }, Threshold{T: 10, Flip: true}},
		{"-0 is +1", func(s int32) float64 { return -(0 - float64(s)) }, Threshold{T: -1}},
		{"constant positive", func(int32) float64 { return 1 }, Threshold{T: math.MaxInt32, Flip: true}},
		{"constant 0", func(int32) float64 { return 0 }, Threshold{T: math.MaxInt32, Flip: true}},
		{"constant negative", func(int32) float64 { return -1 }, Threshold{T: math.MaxInt32}},
		{"never quite 0", func(s int32) float64 { return float64(s) - 1<<31 }, Threshold{T: math.MaxInt32}},
		{"always positive", func(s int32) float64 { return float64(s) + 1<<31 }, Threshold{T: math.MaxInt32, Flip: true}},
		{"only the largest sum", func(s int32) float64 { return float64(s) - math.MaxInt32 }, Threshold{T: math.MaxInt32 - 1}},
		{"all but the smallest sum", func(s int32) float64 { return float64(s) + math.MaxInt32 }, Threshold{T: math.MinInt32}},
		{"only the smallest sum", func(s int32) float64 { return -float64(s) - 1<<31 }, Threshold{T: math.MinInt32, Flip: true}},
		{"a ReLU before the norm", func(s int32) float64 { return max(0, float64(s)) - 3 }, Threshold{T: 2}},
		{"a ReLU alone is always +1", func(s int32) float64 { return max(0, float64(s)) }, Threshold{T: math.MaxInt32, Flip: true}},
		{"steps as float32 makes them", func(s int32) float64 { return float64(float32(s)) - 1<<30 - 64 }, Threshold{T: 1<<30 + 64}},
		{"infinite", func(s int32) float64 { return float64(s) * math.MaxFloat64 }, Threshold{T: -1}},
	} {
		if got := agree(t, c.rule, c.f); got != c.want {
			t.Errorf("%s: %+v: want %+v", c.rule, got, c.want)
		}
	}
	for name, f := range map[string]func(int32) float64{
		"everywhere": func(int32) float64 { return math.NaN() },
		"at one end": func(s int32) float64 { return math.Inf(1) * float64(max(0, s)) },
	} {
		if _, err := FoldSign(f); err == nil || err.Error() != "threshold: the function gives NaN at the ends of int32" {
			t.Errorf("NaN %s: got %v", name, err)
		}
	}
}

// norm is scale, bias, batch norm as a network computes it, in float64.
type norm struct{ scale, bias, gamma, beta, mean, variance float64 }

func (n norm) at(sum int32) float64 {
	x := float64(float64(sum)*n.scale) + n.bias
	return float64(n.gamma*(x-n.mean)/math.Sqrt(n.variance+1e-5)) + n.beta
}

// Random batch norms, on every sum that a layer of 4095 products can give.
func TestFoldSignExhaustive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		n := norm{scale: 1, gamma: r.NormFloat64(), beta: 3 * r.NormFloat64(), mean: 300 * r.NormFloat64(), variance: 1000 * r.Float64()}
		switch r.IntN(6) {
		case 0:
			n.gamma = 0
		case 1: // exact ties: the norm is 0 at an integer
			n.beta, n.mean = 0, math.Round(n.mean)
		case 2:
			n.scale, n.bias = math.Exp(r.NormFloat64()-5), r.NormFloat64()
		case 3:
			n.gamma = math.Ldexp(n.gamma, -60)
		}
		th := agree(t, "batch norm", n.at)
		for s := int32(-4095); s <= 4095; s++ {
			if got, want := th.Bit(s), n.at(s) >= 0; got != want {
				t.Fatalf("%+v: %+v: sum %d gives %v, the norm %v", n, th, s, got, n.at(s))
			}
		}
	}
}

func TestFoldSignOfMonotoneFunctions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.OneOf(rapid.Int32(), rapid.SampledFrom(someSums)).Draw(t, "at")
		width := rapid.Int64Range(0, 100).Draw(t, "width") // of a flat part with value 0
		slope := rapid.SampledFrom([]float64{1, -1, 1e-300, -1e300}).Draw(t, "slope")
		agree(t, "flat in the middle", func(s int32) float64 {
			switch d := int64(s) - int64(at); {
			case d < 0:
				return float64(d) * slope
			case d > width:
				return float64(d-width) * slope
			}
			return 0
		})
	})
}

func FuzzFoldSign(f *testing.F) {
	f.Add(1.0, 0.0, 1.0, 0.0, 0.0, 1.0)
	f.Add(0.01, 2.0, -3.0, 0.5, 7.0, 0.1)
	f.Add(1.0, 0.0, 0.0, math.Copysign(0, -1), 0.0, 1.0)
	f.Fuzz(func(t *testing.T, scale, bias, gamma, beta, mean, variance float64) {
		n := norm{scale, bias, gamma, beta, mean, math.Abs(variance)}
		for _, v := range []float64{scale, bias, gamma, beta, mean, variance} {
			if !(math.Abs(v) < 1e60) { // no product overflows, so that nothing is NaN
				return
			}
		}
		agree(t, "batch norm", n.at)
	})
}
