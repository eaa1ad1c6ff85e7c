package quant

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestNewMultiplier(t *testing.T) {
	const half = 1 << 30
	for _, c := range []struct {
		rule string
		x    float64
		want Multiplier
	}{
		{"powers of two have the smallest M", 1, Multiplier{half, 1}}, {"powers of two have the smallest M", 0.5, Multiplier{half, 0}},
		{"powers of two have the smallest M", 0.25, Multiplier{half, -1}}, {"powers of two have the smallest M", 1 << 29, Multiplier{half, 30}},
		{"three quarters", 0.75, Multiplier{3 << 29, 0}},
		// 2³¹/3·2 = 1431655765.33
		{"M is rounded to nearest", 1.0 / 3, Multiplier{1431655765, -1}}, {"M is rounded to nearest", 2.0 / 3, Multiplier{1431655765, 0}},
		{"halves of M round away from zero", 0.5 + 0x1p-32, Multiplier{half + 1, 0}},
		{"M that rounds up to 2^31 is 2^30 with one more shift", math.Nextafter(1, 0), Multiplier{half, 1}},
		{"the largest", math.Nextafter(1<<30, 0), Multiplier{math.MaxInt32, 30}},
		{"the smallest", 0x1p-32, Multiplier{half, -31}},
		{"rounded up to the smallest", math.Nextafter(0x1p-32, 0), Multiplier{half, -31}},
		{"below 2^-32 is zero", 0x1.ffp-33, Multiplier{}}, {"below 2^-32 is zero", math.SmallestNonzeroFloat64, Multiplier{}},
	} {
		got, err := NewMultiplier(c.x)
		if err != nil || got != c.want {
			t.Errorf("%s: NewMultiplier(%v) = %v, %v: want %v", c.rule, c.x, got, err, c.want)
		}
	}
	for _, c := range []struct {
		x    float64
		want string
	}{
		{0, "multiplier 0: want a number in (0, 2^30)"},
		{-0.5, "multiplier -0.5: want a number in (0, 2^30)"},
		{1 << 30, "multiplier 1.073741824e+09: want a number in (0, 2^30)"},
		{math.Inf(1), "multiplier +Inf: want a number in (0, 2^30)"},
		{math.NaN(), "multiplier NaN: want a number in (0, 2^30)"},
	} {
		if _, err := NewMultiplier(c.x); err == nil || err.Error() != c.want {
			t.Errorf("NewMultiplier(%v): got %v, want %s", c.x, err, c.want)
		}
	}
}

func someMultiplier(t *rapid.T) (float64, Multiplier) {
	x := math.Ldexp(rapid.Float64Range(1, 2).Draw(t, "mantissa"), rapid.IntRange(-32, 28).Draw(t, "exponent"))
	m, err := NewMultiplier(x)
	if err != nil {
		t.Fatal(err)
	}
	return x, m
}

func TestMultiplierIsNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, m := someMultiplier(t)
		if m.M < 1<<30 || m.Shift < -31 || m.Shift > 30 {
			t.Fatalf("%v: want M in 2^30…2^31−1, shift in −31…30", m)
		}
		unit := math.Ldexp(1, m.Shift-31)
		if away := math.Abs(float64(m.M)*unit - x); away > unit/2 {
			t.Fatalf("%v for %v: %v units away", m, x, away/unit)
		}
	})
}

// Worked by hand after the formulas of TFLite's MultiplyByQuantizedMultiplier
// (tensorflow/lite/kernels/internal/common.h) and gemmlowp's fixedpoint.h.
func TestApplyByHand(t *testing.T) {
	half, quarter, one := Multiplier{1 << 30, 0}, Multiplier{1 << 30, -1}, Multiplier{1 << 30, 1}
	for _, c := range []struct {
		rule string
		m    Multiplier
		acc  int32
		want int32
	}{
		{"the product's halves round up", half, 3, 2}, {"the product's halves round up", half, -3, -1}, {"the product's halves round up", half, -1, 0},
		{"the shift's halves round away from zero", quarter, 6, 2}, {"the shift's halves round away from zero", quarter, -6, -2},
		// 5/4 = 1.25, but 2.5 rounds to 3 and 1.5 to 2; −2.5 rounds to −2 and −1 stays.
		{"two roundings", quarter, 5, 2}, {"two roundings", quarter, -5, -1},
		{"one changes nothing", one, 12345, 12345}, {"one changes nothing", one, -(1 << 30), -(1 << 30)},
		{"the left shift wraps", one, 1 << 30, -(1 << 30)},
		{"eight times", Multiplier{1 << 30, 4}, -7, -56},
		// 1431655765/2³¹ is 2/3 less 1.6e-10.
		{"two thirds", Multiplier{1431655765, 0}, 100, 67}, {"two thirds", Multiplier{1431655765, 0}, 99, 66}, {"two thirds", Multiplier{1431655765, 0}, -100, -67},
		{"the extremes", half, math.MaxInt32, 1 << 30}, {"the extremes", half, math.MinInt32, -(1 << 30)},
		{"the extremes", Multiplier{math.MaxInt32, 0}, math.MaxInt32, math.MaxInt32 - 1}, {"the extremes", Multiplier{math.MaxInt32, 0}, math.MinInt32, -math.MaxInt32},
		// 2³¹·2⁻³² = −0.5, away from zero.
		{"the largest right shift", Multiplier{1 << 30, -31}, math.MinInt32, -1}, {"the largest right shift", Multiplier{1 << 30, -31}, math.MaxInt32, 1},
		{"zero", Multiplier{}, math.MinInt32, 0},
	} {
		if got := c.m.Apply(c.acc); got != c.want {
			t.Errorf("%s: %v.Apply(%d) = %d: want %d", c.rule, c.m, c.acc, got, c.want)
		}
	}
	if got := doublingHighMul(math.MinInt32, math.MinInt32); got != math.MaxInt32 {
		t.Errorf("−2³¹·−2³¹·2 >> 32 = %d: want it saturated", got)
	}
}

// plainApply is Apply in unbounded integers: ⌊(a·M + 2³⁰)/2³¹⌋, then division by
// 2ⁿ with halves away from zero.
func plainApply(m Multiplier, acc int32) int32 {
	a := new(big.Int).Lsh(big.NewInt(int64(acc)), uint(max(0, m.Shift)))
	wrapped := int32(new(big.Int).And(a, big.NewInt(1<<32-1)).Int64()) // And is of the two's complement
	p := new(big.Int).Mul(big.NewInt(int64(wrapped)), big.NewInt(int64(m.M)))
	p.Add(p, big.NewInt(1<<30))
	p.Rsh(p, 31) // rounds towards −∞
	n := uint(max(0, -m.Shift))
	if n == 0 {
		return int32(p.Int64())
	}
	size := new(big.Int).Abs(p)
	size.Add(size, new(big.Int).Lsh(big.NewInt(1), n-1))
	size.Rsh(size, n)
	return int32(size.Int64()) * int32(p.Sign())
}

func TestApplyIsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, m := someMultiplier(t)
		acc := rapid.OneOf(rapid.Int32(), rapid.Int32Range(-300, 300), rapid.SampledFrom(someSums)).Draw(t, "acc")
		if got, want := m.Apply(acc), plainApply(m, acc); got != want {
			t.Fatalf("%v.Apply(%d) = %d: want %d", m, acc, got, want)
		}
	})
}

// While the left shift does not wrap, the result is within one of the real
// product: half from each rounding, and M's own error, which is below half for
// products within int32.
func TestApplyIsNearTheProduct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, m := someMultiplier(t)
		acc := rapid.Int32().Draw(t, "acc")
		want := float64(acc) * x
		if math.Abs(math.Ldexp(float64(acc), m.Shift)) >= 1<<31-1 {
			return
		}
		if got := m.Apply(acc); !(math.Abs(float64(got)-want) <= 1.5) {
			t.Fatalf("%v.Apply(%d) = %d: the product is %v", m, acc, got, want)
		}
	})
}

func TestRequantizeInteger(t *testing.T) {
	half := Multiplier{1 << 30, 0}
	for _, c := range []struct {
		rule              string
		acc, zero, lo, hi int32
		want              int8
	}{
		{"multiplied and rounded", 3, 0, -128, 127, 2},
		{"the zero point is added afterwards", 3, -10, -128, 127, -8},
		{"saturates", 300, 0, -128, 127, 127}, {"saturates", -300, 0, -128, 127, -128},
		{"saturates beyond int32", math.MaxInt32, math.MaxInt32, -128, 127, 127}, {"saturates beyond int32", math.MinInt32, math.MinInt32, -128, 127, -128},
		{"a ReLU is the zero point as lower bound", -50, -5, -5, 127, -5},
	} {
		if got := RequantizeInteger(c.acc, half, c.zero, c.lo, c.hi); got != c.want {
			t.Errorf("%s: got %d, want %d", c.rule, got, c.want)
		}
	}
}

func FuzzApply(f *testing.F) {
	for _, acc := range someSums {
		f.Add(acc, 0.3)
		f.Add(acc, 3e8)
	}
	f.Add(int32(5), 0.25)
	f.Fuzz(func(t *testing.T, acc int32, x float64) {
		m, err := NewMultiplier(x)
		if err != nil {
			return
		}
		if got, want := m.Apply(acc), plainApply(m, acc); got != want {
			t.Errorf("%v.Apply(%d) = %d: want %d", m, acc, got, want)
		}
	})
}
