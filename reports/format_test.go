package reports

import (
	"encoding/json"
	"math"
	"testing"
)

func TestFormats(t *testing.T) {
	nan := math.NaN()
	noisy := around(2e-3, 30)
	noisy.Noisy = true
	for _, tt := range []struct{ got, want string }{
		{digits(0), "0"},
		{digits(0.12345), "0.1235"},
		{digits(9.9996), "10.000"}, // four digits of the value as it is
		{digits(43.75), "43.75"},
		{digits(675.54), "675.5"},
		{digits(12657.6), "12,658"},
		{digits(1234567), "1,234,567"},
		{digits(-1.5), "−1.500"},
		{digits(1e-6), "1e-06"},
		{digits(nan), "–"},
		{digits(math.Inf(1)), "–"},
		{count(999), "999"},
		{count(1000), "1,000"},
		{count(int64(38653952)), "38,653,952"},
		{times(3.846), "×3.85"},
		{times(18.66), "×18.7"},
		{times(111.4), "×111"},
		{times(1), "×1.00"},
		{times(0.1278), "×0.13"},
		{times(0.05418), "×0.054"},
		{times(0), "×0.00"},
		{times(nan), "–"},
		{(*Ratio)(nil).text(), "–"},
		{(&Ratio{3.85, 3.8, 3.9}).text(), "×3.85 (3.80–3.90)"},
		{(&Ratio{1.01, 0.99, 1.03}).text(), "~×1.01 (0.99–1.03)"},
		{(&Ratio{2, Float(nan), Float(nan)}).text(), "×2.00 (–)"},
		{(&Ratio{1.01, 0.99, 1.03}).short(), "~×1.01"},
		{(*Ratio)(nil).or(true), "the base"},
		{(*Value)(nil).withCI(1), "–"},
		{around(2e-3, 1).withCI(micro), "2,000 ± 1.0 %"},
		{bare(2e-3).withCI(micro), "2,000 ± –"},
		{noisy.withCI(micro), "2,000 ± 30.0 % !"},
		{noisy.median(micro), "2,000 !"},
		{(&Value{Median: Float(nan)}).withCI(1), "–"},
		{around(98.76, 1).percent(), "98.8 %"},
		{around(103.2, 1).percent(), "103 %"},
		{size(310992), "303.7 KiB"},
		{size(1237160), "1.18 MiB"},
		{newAccuracy(1000, 922).text(), "92.20 % (90.4–93.7)"},
		{(*Accuracy)(nil).text(), "–"},
		{points(-0.005), "−0.50"},
		{points(0.0009), "+0.09"},
		{share(1, 4), "25.0 %"},
		{share(1, 0), "–"},
		{plainNumber(0.05), "0.05"},
		{plainNumber(20000), "20,000"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

func TestRatioBounds(t *testing.T) {
	// 200…220 over 90…110: between 200/110 and 220/90.
	r := newRatio(&Value{Median: 210, Lo: 200, Hi: 220}, &Value{Median: 100, Lo: 90, Hi: 110})
	if r.Ratio != 2.1 || math.Abs(float64(r.Lo)-200.0/110) > 1e-12 || math.Abs(float64(r.Hi)-220.0/90) > 1e-12 {
		t.Errorf("ratio %v", *r)
	}
	for _, bad := range []*Value{nil, {Median: 0}, {Median: -1}, {Median: Float(math.NaN())}} {
		if newRatio(bad, exact(1)) != nil || newRatio(exact(1), bad) != nil {
			t.Errorf("a ratio with %v", bad)
		}
	}
	if r := newRatio(bare(4), exact(2)); r.Ratio != 2 || r.Lo.known() || r.Hi.known() || r.unclear() {
		t.Errorf("without an interval: %v", *r)
	}
}

func TestWilson(t *testing.T) {
	const z2 = 1.959964 * 1.959964
	// With no right answer the bounds are 0 and z²/(n+z²).
	if a := newAccuracy(10, 0); math.Abs(a.Lo) > 1e-12 || math.Abs(a.Hi-z2/(10+z2)) > 1e-12 {
		t.Errorf("0 of 10: %v", *a)
	}
	// With half of them it is symmetric: ±(z/2)/√(n+z²).
	if a := newAccuracy(100, 50); math.Abs(a.Hi-0.5-math.Sqrt(z2)/2/math.Sqrt(100+z2)) > 1e-12 || math.Abs(a.Hi+a.Lo-1) > 1e-12 {
		t.Errorf("50 of 100: %v", *a)
	}
	if newAccuracy(0, 0) != nil {
		t.Error("an accuracy of no image")
	}
}

func TestFloatJSON(t *testing.T) {
	b, err := json.Marshal([]Float{1.5, Float(math.NaN()), Float(math.Inf(-1))})
	if err != nil || string(b) != "[1.5,null,null]" {
		t.Fatalf("%s, %v", b, err)
	}
	var back []Float
	if err := json.Unmarshal(b, &back); err != nil || back[0] != 1.5 || back[1].known() || back[2].known() {
		t.Fatalf("%v, %v", back, err)
	}
}

func TestLogTicks(t *testing.T) {
	labels := func(lo, hi float64) (s []string) {
		for _, tick := range logTicks(lo, hi) {
			if tick.Label != "" {
				s = append(s, tick.Label)
			}
		}
		return s
	}
	if got := labels(20, 1500); len(got) != 6 || got[0] != "20" || got[5] != "1,000" {
		t.Errorf("few decades: %v", got)
	}
	if got := labels(0.5, 3000); len(got) != 4 || got[0] != "1" {
		t.Errorf("many decades: %v", got)
	}
	for v, want := range map[float64]float64{0.07: 0.05, 1: 1, 4.9: 2, 5: 5, 999: 500, 1000: 1000} {
		if got := roundDown(v); math.Abs(got-want) > 1e-9*want {
			t.Errorf("roundDown(%v) = %v, want %v", v, got, want)
		}
	}
}
