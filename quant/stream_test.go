package quant

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestStreamScale(t *testing.T) {
	for _, c := range []struct{ maxAbs, want float32 }{{24576, 1}, {1, 1. / 24576}, {0, 1}, {smallest, 1}, {math.MaxFloat32, math.MaxFloat32 / 24576}} {
		if got, err := StreamScale(c.maxAbs); err != nil || got != c.want {
			t.Errorf("StreamScale(%v) = %v, %v: want %v", c.maxAbs, got, err, c.want)
		}
	}
	for _, bad := range []float32{nan, inf, -1} {
		if _, err := StreamScale(bad); err == nil {
			t.Errorf("StreamScale(%v): no error", bad)
		}
	}
}

func TestQuantize16(t *testing.T) {
	for _, c := range []struct {
		x, s float32
		want int16
	}{
		{0.5, 1, 0}, {1.5, 1, 2}, {-2.5, 1, -2}, {32767.4, 1, 32767}, {40000, 1, 32767}, {-32768, 1, -32768}, {-1e30, 1, -32768},
		{inf, 1, 32767}, {-inf, 1, -32768}, {nan, 1, 0}, {negZero, 1, 0}, {3, 0.5, 6},
	} {
		if got := Quantize16(c.x, c.s); got != c.want {
			t.Errorf("Quantize16(%v, %v) = %d: want %d", c.x, c.s, got, c.want)
		}
	}
}

func TestPReLU16(t *testing.T) {
	for _, c := range []struct {
		q     int16
		slope float32
		want  int16
	}{
		{5, 0.25, 5}, {0, -3, 0}, {-5, 0.5, -2}, {-7, 0.5, -4}, {-1, 0.25, 0}, {-100, -2, 200}, {-32768, 2, -32768}, {-32768, -1, 32767},
		{-1, math.MaxFloat32, -32768}, {-32768, -math.MaxFloat32, 32767}, {-32768, 1, -32768},
	} {
		if got := PReLU16(c.q, c.slope); got != c.want {
			t.Errorf("PReLU16(%d, %v) = %d: want %d", c.q, c.slope, got, c.want)
		}
	}
}

// roundedInt is the integer nearest to v, halves to even, within int16.
func roundedInt(v *big.Float) int64 {
	floor, _ := v.Int64()
	if v.Sign() < 0 && !v.IsInt() {
		floor--
	}
	rest := new(big.Float).SetPrec(500).Sub(v, bigFloat(float64(floor)))
	if half := rest.Cmp(bigFloat(0.5)); half > 0 || half == 0 && floor&1 == 1 {
		floor++
	}
	return min(math.MaxInt16, max(math.MinInt16, floor))
}

// plainMerge is Merge by exact arithmetic, each float32 step rounded by itself.
func plainMerge(sum int32, m, b float32, h, lo, hi int16, slope float32) int64 {
	p := round24(new(big.Float).SetPrec(200).Mul(round24(bigFloat(float64(sum))), bigFloat(float64(m))))
	q := roundedInt(round24(new(big.Float).SetPrec(500).Add(p, bigFloat(float64(b))))) + int64(h)
	q = min(int64(hi), max(int64(lo), q))
	if q < 0 {
		q = roundedInt(round24(new(big.Float).SetPrec(200).Mul(bigFloat(float64(q)), bigFloat(float64(slope)))))
	}
	return q
}

func TestMergeIsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sum := rapid.OneOf(rapid.Int32Range(-5000, 5000), rapid.Int32(), rapid.SampledFrom(someSums)).Draw(t, "sum")
		m := rapid.OneOf(rapid.Float32Range(0x1p-10, 100), rapid.Float32Range(-100, -0x1p-10)).Draw(t, "m")
		b := rapid.OneOf(rapid.Float32Range(1, 40000), rapid.Float32Range(-40000, -1), rapid.Just[float32](0)).Draw(t, "b")
		h := rapid.OneOf(rapid.Int16(), rapid.SampledFrom([]int16{-32768, -1, 0, 32767})).Draw(t, "h")
		lo := rapid.SampledFrom([]int16{-32768, -100, 0}).Draw(t, "lo")
		hi := rapid.SampledFrom([]int16{32767, 100, 0}).Draw(t, "hi")
		slope := rapid.SampledFrom([]float32{1, 0.25, 0, -0.3, 1.7, 40000}).Draw(t, "slope")
		if got, want := Merge(sum, m, b, h, lo, hi, slope), plainMerge(sum, m, b, h, lo, hi, slope); int64(got) != want {
			t.Fatalf("Merge(%d, %v, %v, %d, %d, %d, %v) = %d: want %d", sum, m, b, h, lo, hi, slope, got, want)
		}
	})
}
