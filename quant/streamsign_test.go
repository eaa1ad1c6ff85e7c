package quant

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// checkStreamSign holds a fold to the chain that it replaces, at every int16.
func checkStreamSign(t rapid.TB, s float32, norm func(float32) float32) {
	t.Helper()
	sign, ok := FoldStreamSign(s, norm)
	if !ok {
		t.Fatal("refused")
	}
	for q := math.MinInt16; q <= math.MaxInt16; q++ {
		if got, want := sign.Positive(int16(q)), norm(s*float32(q)) >= 0; got != want {
			t.Fatalf("%+v of %d: %v, want %v", sign, q, got, want)
		}
	}
}

func TestFoldStreamSign(t *testing.T) {
	for _, c := range []struct {
		s, k, b float32
		want    StreamSign
	}{
		{1, 1, 0, StreamSign{}},
		{1, 1, -5, StreamSign{T: 5}},
		{1, -1, 5, StreamSign{T: 6, Flip: true}}, // 0 is +1
		{0.5, 2, -32767, StreamSign{T: 32767}},
		{1, 1, -32768, StreamSign{T: -32768, Flip: true}}, // a threshold of 32768
		{1, 1, 32768, StreamSign{T: -32768}},
		{1, 1, 32767, StreamSign{T: -32767}},
		{1, -1, -32768, StreamSign{T: -32767, Flip: true}},
		{1, 0, 0, StreamSign{T: -32768}},
		{1, 0, -1, StreamSign{T: -32768, Flip: true}},
		{0x1p-149, 0.25, 0, StreamSign{T: -2}}, // products that round to −0
	} {
		norm := func(x float32) float32 { return float32(x*c.k) + c.b }
		got, ok := FoldStreamSign(c.s, norm)
		if !ok || got != c.want {
			t.Errorf("s %v, %v·x + %v: %+v, %v: want %+v", c.s, c.k, c.b, got, ok, c.want)
		}
		checkStreamSign(t, c.s, norm)
	}
	if _, ok := FoldStreamSign(1, func(x float32) float32 { return x * nan }); ok {
		t.Error("a norm that gives NaN: no refusal")
	}
}

func TestFoldStreamSignOfChains(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Float32Range(-40, 40)
		s := rapid.Float32Range(0x1p-20, 1).Draw(t, "s")
		k, b := rapid.SliceOfN(number, 3, 3).Draw(t, "k"), rapid.SliceOfN(number, 3, 3).Draw(t, "b")
		checkStreamSign(t, s, func(x float32) float32 {
			for i := range k {
				x = float32(x*k[i]) + b[i]
			}
			return x
		})
	})
}
