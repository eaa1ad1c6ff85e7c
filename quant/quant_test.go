package quant

import (
	"flag"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

var (
	inf      = float32(math.Inf(1))
	nan      = float32(math.NaN())
	negZero  = float32(math.Copysign(0, -1))
	smallest = float32(math.SmallestNonzeroFloat32)
)

// Properties are tried on the same values each time; -rapid.seed overrides.
func init() {
	flag.Set("rapid.seed", "1")
	flag.Set("rapid.nofailfile", "true")
}

// sameFloat holds bits, so that −0 is not 0 and NaN is NaN.
func sameFloat(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

func TestRoundHalfEven(t *testing.T) {
	for _, c := range []struct{ x, want float32 }{
		{0, 0}, {negZero, negZero}, {0.5, 0}, {-0.5, negZero}, {1.5, 2}, {-1.5, -2}, {2.5, 2}, {-2.5, -2}, {126.5, 126}, {-126.5, -126},
		{0x1.fffffep-2, 0}, {0x1.000002p-1, 1}, // the neighbours of a half
		{0x1p23 - 0.5, 0x1p23}, {0x1p23 - 1.5, 0x1p23 - 2}, {0x1p23 + 1, 0x1p23 + 1}, {-0x1p24, -0x1p24},
		{math.MaxFloat32, math.MaxFloat32}, {smallest, 0}, {-smallest, negZero},
		{inf, inf}, {-inf, -inf}, {nan, nan},
	} {
		if got := RoundHalfEven(c.x); !sameFloat(got, c.want) {
			t.Errorf("RoundHalfEven(%v) = %v: want %v", c.x, got, c.want)
		}
	}
}

// The nearest integer is at most a half away; at exactly a half it is even.
func TestRoundHalfEvenIsNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float32Range(-1<<23, 1<<23).Draw(t, "x")
		got := RoundHalfEven(x)
		away := math.Abs(float64(got) - float64(x))
		if got != float32(math.Trunc(float64(got))) || away > 0.5 || away == 0.5 && math.Mod(float64(got), 2) != 0 {
			t.Fatalf("RoundHalfEven(%v) = %v", x, got)
		}
	})
}

func TestQuantize(t *testing.T) {
	const subnormal = 0x1p-140
	for _, c := range []struct {
		rule string
		x, s float32
		want int8
	}{
		{"halves to even", 0.5, 1, 0}, {"halves to even", 1.5, 1, 2}, {"halves to even", -2.5, 1, -2}, {"halves to even", -3.5, 1, -4},
		{"halves to even", 0.75, 0.5, 2}, {"halves to even", 126.5, 1, 126},
		{"clamps at 127", 127, 1, 127}, {"clamps at 127", 127.5, 1, 127}, {"clamps at 127", 128, 1, 127}, {"clamps at 127", math.MaxFloat32, 1, 127},
		{"clamps at -127", -127, 1, -127}, {"clamps at -127", -127.5, 1, -127}, {"clamps at -127", -128, 1, -127}, {"clamps at -127", -1e30, 1, -127},
		{"clamps infinity", inf, 1, 127}, {"clamps infinity", -inf, 1, -127}, {"clamps a quotient beyond float32", math.MaxFloat32, subnormal, 127},
		{"NaN is 0", nan, 1, 0}, {"NaN is 0", nan, 0.1, 0},
		{"-0 is 0", negZero, 1, 0},
		{"subnormal scale", 3 * subnormal, subnormal, 3}, {"subnormal scale", -2.5 * subnormal, subnormal, -2}, {"subnormal scale", 0, smallest, 0},
		{"subnormal value", smallest, 1, 0}, {"subnormal value and scale", 5 * smallest, 2 * smallest, 2},
		{"zero by a scale of zero is NaN", 0, 0, 0}, {"infinite scale", 1, inf, 0}, {"infinity by infinity is NaN", inf, inf, 0},
	} {
		if got := Quantize(c.x, c.s); got != c.want {
			t.Errorf("%s: Quantize(%v, %v) = %d: want %d", c.rule, c.x, c.s, got, c.want)
		}
	}
}

// What lies within a scale's range comes back within half a step, and what was
// an integer number of steps comes back exactly.
func TestQuantizeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.Float32Range(0x1p-100, 0x1p100).Draw(t, "maxAbs")
		s, err := Scale(most)
		if err != nil {
			t.Fatal(err)
		}
		x := most * rapid.Float32Range(-1, 1).Draw(t, "x")
		if q := Quantize(x, s); !(math.Abs(float64(x)-float64(s)*float64(q)) <= 0.5001*float64(s)) {
			t.Fatalf("%v with scale %v is %d: more than half a step away", x, s, q)
		}
		q := rapid.Int8Range(-Max, Max).Draw(t, "q")
		if got := Quantize(float32(q)*s, s); got != q {
			t.Fatalf("%d steps of %v are read as %d", q, s, got)
		}
	})
}

func TestQuantizeTo(t *testing.T) {
	src := []float32{-1, -0.26, 0, 0.25, nan, 1e9}
	dst := make([]int8, len(src))
	QuantizeTo(dst, src, 0.5)
	for i, x := range src {
		if dst[i] != Quantize(x, 0.5) {
			t.Errorf("element %d: %d: want %d", i, dst[i], Quantize(x, 0.5))
		}
	}
	QuantizeTo(nil, nil, 1)
}

func TestScale(t *testing.T) {
	for _, c := range []struct {
		rule         string
		maxAbs, want float32
	}{
		{"127 steps carry the maximum", 127, 1}, {"127 steps carry the maximum", 1, float32(1) / 127},
		{"127 steps carry the maximum", math.MaxFloat32, math.MaxFloat32 / 127},
		{"a zero range has scale 1", 0, 1}, {"a zero range has scale 1", negZero, 1},
		{"no subnormal scale", smallest, 1}, {"no subnormal scale", 0x1p-126, 1}, {"no subnormal scale", 126 * 0x1p-126, 1},
		{"the smallest normal scale", 127 * 0x1p-126, 0x1p-126},
	} {
		got, err := Scale(c.maxAbs)
		if err != nil || got != c.want {
			t.Errorf("%s: Scale(%v) = %v, %v: want %v", c.rule, c.maxAbs, got, err, c.want)
		}
		if back := Quantize(c.maxAbs, got); got != 1 && back != Max {
			t.Errorf("%s: Scale(%v): the maximum becomes %d", c.rule, c.maxAbs, back)
		}
	}
	for _, c := range []struct {
		maxAbs float32
		want   string
	}{
		{nan, "range NaN: want a finite number ≥ 0"},
		{inf, "range +Inf: want a finite number ≥ 0"},
		{-inf, "range -Inf: want a finite number ≥ 0"},
		{-1, "range -1: want a finite number ≥ 0"},
	} {
		if _, err := Scale(c.maxAbs); err == nil || err.Error() != c.want {
			t.Errorf("Scale(%v): got %v, want %s", c.maxAbs, err, c.want)
		}
	}
}

// round24 rounds to float32, nearest even, by exact binary arithmetic of 24
// bits: a second definition that no compiler can fuse. Its exponent is not
// bounded, so it stands for float32 between its normal extremes.
func round24(x *big.Float) *big.Float {
	return new(big.Float).SetPrec(24).SetMode(big.ToNearestEven).Set(x)
}

func bigFloat(x float64) *big.Float { return new(big.Float).SetPrec(200).SetFloat64(x) }

// plainRequantize is Requantize step by step, each step rounded by itself, and
// the clamp after the rounding.
func plainRequantize(acc int32, m, b float32, lo, hi int) int8 {
	a := round24(bigFloat(float64(acc)))
	p := round24(new(big.Float).SetPrec(200).Mul(a, bigFloat(float64(m))))
	v := round24(new(big.Float).SetPrec(500).Add(p, bigFloat(float64(b))))
	floor, _ := v.Int(nil) // towards zero
	if v.Sign() < 0 && !v.IsInt() {
		floor.Sub(floor, big.NewInt(1))
	}
	rest := new(big.Float).SetPrec(500).Sub(v, new(big.Float).SetPrec(500).SetInt(floor))
	switch half := rest.Cmp(bigFloat(0.5)); {
	case half > 0, half == 0 && floor.Bit(0) == 1:
		floor.Add(floor, big.NewInt(1))
	}
	if floor.Cmp(big.NewInt(int64(lo))) < 0 {
		return int8(lo)
	}
	if floor.Cmp(big.NewInt(int64(hi))) > 0 {
		return int8(hi)
	}
	return int8(floor.Int64())
}

func TestRequantizeByHand(t *testing.T) {
	for _, c := range []struct {
		rule         string
		acc          int32
		m, b, lo, hi float32
		want         int8
	}{
		{"halves to even", 1, 0.5, 0, -127, 127, 0}, {"halves to even", 3, 0.5, 0, -127, 127, 2}, {"halves to even", -5, 0.5, 0, -127, 127, -2},
		{"the offset is added before rounding", 1, 0.25, 0.25, -127, 127, 0}, {"the offset is added before rounding", 1, 0.25, 0.26, -127, 127, 1},
		{"saturates", 1000, 1, 0, -127, 127, 127}, {"saturates", -1000, 1, 0, -127, 127, -127},
		{"-128 where the clamp allows it", -128, 1, 0, -128, 127, -128},
		{"saturates far outside int32", math.MaxInt32, 1e6, 0, -127, 127, 127}, {"saturates far outside int32", math.MinInt32, 1e6, 0, -127, 127, -127},
		{"a lower bound of 0 is a ReLU", -7, 1, 0, 0, 127, 0}, {"a lower bound of 0 is a ReLU", 7, 1, 0, 0, 127, 7}, {"a lower bound of 0 is a ReLU", -1, 0.5, 0.25, 0, 127, 0},
		{"ReLU6 as an upper bound", 100, 1, 0, 0, 42, 42},
		{"infinity saturates", 1, inf, 0, -127, 127, 127}, {"infinity saturates", -1, inf, 0, -127, 127, -127},
		{"NaN is the lower bound", 0, inf, 0, -127, 127, -127}, {"NaN is the lower bound", 1, nan, 0, 0, 127, 0},
		// float32(16777217) is 16777216.
		{"the sum is rounded to float32 first", 1<<24 + 1, 1, -(1 << 24), -127, 127, 0},
		{"the sum is rounded to float32 first", 1<<24 + 3, 1, -(1 << 24), -127, 127, 4},
		// float32(MaxInt32) is 2³¹.
		{"the largest sum", math.MaxInt32, 0x1p-25, 0, -127, 127, 64}, {"the smallest sum", math.MinInt32, 0x1p-25, 0, -127, 127, -64},
		// 300·(1/3 + 2⁻²⁵/3) = 100 + 2.98e-6 is nearest to 100 in float32, and 100 − 99.5 is a tie; a
		// fused multiply-add would keep the 2.98e-6 and give 1.
		{"product and sum are rounded separately", 300, 0x1.555556p-2, -99.5, -127, 127, 0},
		{"product and sum are rounded separately", -300, 0x1.555556p-2, 99.5, -127, 127, 0},
	} {
		if got := Requantize(c.acc, c.m, c.b, c.lo, c.hi); got != c.want {
			t.Errorf("%s: Requantize(%d, %v, %v, %v, %v) = %d: want %d", c.rule, c.acc, c.m, c.b, c.lo, c.hi, got, c.want)
		}
	}
}

// fusedDiffers says whether a fused multiply-add would give another result.
func fusedDiffers(acc int32, m, b float32) bool {
	a := round24(bigFloat(float64(acc)))
	exact := new(big.Float).SetPrec(500).Mul(a, bigFloat(float64(m)))
	fused, _ := round24(exact.Add(exact, bigFloat(float64(b)))).Float32()
	return math.RoundToEven(float64(fused)) != math.RoundToEven(float64(float32(float32(acc)*m)+b))
}

// Among sums near a tie there are some that a fused multiply-add rounds
// otherwise: Requantize must not.
func TestRequantizeRoundsProductAndSumSeparately(t *testing.T) {
	found := 0
	for i := range int32(200000) {
		m := math.Float32frombits(0x3b800000 + uint32(i)*977)
		acc := 100 + i%5000
		b := float32(math.Floor(float64(acc)*float64(m))) + 0.5 - float32(acc)*m // product+b is near a tie
		if !fusedDiffers(acc, m, b) {
			continue
		}
		found++
		if got, want := Requantize(acc, m, b, -127, 127), plainRequantize(acc, m, b, -127, 127); got != want {
			t.Fatalf("Requantize(%d, %v, %v) = %d: want %d", acc, m, b, got, want)
		}
		if found == 20 {
			return
		}
	}
	t.Fatalf("only %d sums that a fused multiply-add would round otherwise: the test does not test", found)
}

var someSums = []int32{math.MinInt32, math.MinInt32 + 1, -1 << 24, -(1<<24 + 1), -255, -1, 0, 1, 127, 128, 1 << 24, 1<<24 + 1, 1<<30 + 1, math.MaxInt32 - 1, math.MaxInt32}

func TestRequantizeIsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		acc := rapid.OneOf(rapid.Int32(), rapid.Int32Range(-20000, 20000), rapid.SampledFrom(someSums)).Draw(t, "acc")
		m := rapid.OneOf(rapid.Float32Range(0x1p-40, 0x1p40), rapid.Float32Range(0x1p-10, 1)).Draw(t, "m")
		b := rapid.OneOf(rapid.Float32Range(-200, 200), rapid.Just[float32](0), rapid.Float32Range(-0x1p60, 0x1p60)).Draw(t, "b")
		if b != 0 && math.Abs(float64(b)) < 0x1p-60 {
			b = 0 // round24 has no subnormals
		}
		lo := rapid.SampledFrom([]int{-128, -127, 0}).Draw(t, "lo")
		hi := rapid.SampledFrom([]int{127, 6}).Draw(t, "hi")
		if got, want := Requantize(acc, m, b, float32(lo), float32(hi)), plainRequantize(acc, m, b, lo, hi); got != want {
			t.Fatalf("Requantize(%d, %v, %v, %d, %d) = %d: want %d", acc, m, b, lo, hi, got, want)
		}
	})
}

// Requantizing keeps order, which is why a max-pool may be taken on the sums.
func TestRequantizeKeepsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int32().Draw(t, "a"), rapid.Int32().Draw(t, "b")
		m, off := rapid.Float32Range(0, 4).Draw(t, "m"), rapid.Float32Range(-300, 300).Draw(t, "offset")
		pooled := Requantize(max(a, b), m, off, -127, 127)
		if after := max(Requantize(a, m, off, -127, 127), Requantize(b, m, off, -127, 127)); pooled != after {
			t.Fatalf("of the larger sum %d, the larger of both %d", pooled, after)
		}
	})
}

func FuzzRequantize(f *testing.F) {
	for _, acc := range someSums {
		f.Add(acc, float32(0.01), float32(0.5))
	}
	f.Add(int32(0), inf, float32(0))
	f.Add(int32(7), nan, nan)
	f.Fuzz(func(t *testing.T, acc int32, m, b float32) {
		got := Requantize(acc, m, b, -127, 127)
		if got < -127 {
			t.Errorf("Requantize(%d, %v, %v) = %d: below its clamp", acc, m, b, got)
		}
		p := float64(acc) * float64(m)
		if p != p || math.Abs(p) > 0x1p100 || p != 0 && math.Abs(p) < 0x1p-100 || b != b || math.Abs(float64(b)) > 0x1p100 || b != 0 && math.Abs(float64(b)) < 0x1p-100 {
			return // round24 has no infinity, NaN or subnormals
		}
		if want := plainRequantize(acc, m, b, -127, 127); got != want {
			t.Errorf("Requantize(%d, %v, %v) = %d: want %d", acc, m, b, got, want)
		}
	})
}

func TestQuantizeZero(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		x, s     float32
		zero, lo int8
		want     int8
	}{
		{0, 0.5, -128, -128, -128}, {1, 0.5, -128, -128, -126}, {127.5, 0.5, -128, -128, 127}, {1000, 0.5, -128, -128, 127}, {-1, 0.5, -128, -128, -128},
		{1.25, 0.5, 7, -128, 9}, {1.75, 0.5, 7, -128, 11}, // 2.5 and 3.5, half to even
		{-64, 0.5, 0, -127, -127}, {-64, 0.5, 0, -128, -128}, {-63.8, 0.5, 0, -128, -128}, {-inf, 1, 0, -128, -128}, {-inf, 1, 0, -127, -127}, {nan, 1, 0, -127, 0}, {-64, 0.5, 1, -128, -127}, {-65, 0.5, 1, -128, -128}, {nan, 1, 5, -128, 5}, {inf, 1, 5, -128, 127}, {-inf, 1, 5, -128, -128},
	} {
		if got := QuantizeZero(c.x, c.s, c.zero, c.lo); got != c.want {
			t.Errorf("%g in steps of %g, 0 at %d, from %d: got %d, want %d", c.x, c.s, c.zero, c.lo, got, c.want)
		}
	}
}
