package ptq

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"macroscope/graph"
)

var seed = flag.Uint64("seed", 1, "seed of the random data")

func newRand() *rand.Rand { return rand.New(rand.NewPCG(*seed, 0)) }

// identity is a network that gives its input back, normalized: what is observed
// of "norm" are the bytes times scale plus shift.
func identity(t testing.TB, n int, scale, shift float32) *graph.Graph {
	t.Helper()
	b := graph.New("net", "image", graph.Shape{1, 1, n})
	g, err := b.Graph(b.Add("norm", &graph.Affine{Scale: []float32{scale}, Shift: []float32{shift}}, b.Input()))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func calibrate(t testing.TB, g *graph.Graph, pixels []uint8) *Calibration {
	t.Helper()
	c, err := Calibrate(context.Background(), g, pixels, "made by hand", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// 10,000 values: 9,989 of them at most 100, ten of 101 to 200, one of 250. The
// 9,990 smallest end with a 101, the 9,999 smallest with a 200.
func TestRanges(t *testing.T) {
	pixels := make([]uint8, 10000)
	for i := range pixels {
		pixels[i] = uint8(i % 101)
	}
	pixels[17] = 250
	for i := range 9 {
		pixels[100*i+50] = uint8(101 + i)
	}
	pixels[9000] = 200
	for _, c := range []struct {
		rule         string
		scale, shift float32
		want         Range
	}{
		// A bin is 256/2¹⁴ wide and percentiles are upper edges of bins: 1/64 above the integers.
		{"bytes", 1, 0, Range{Max: 250, Percentiles: map[string]float32{"99.9": 101 + 1.0/64, "99.99": 200 + 1.0/64, "99.999": 250}}},
		{"negative values count by magnitude", -1, 0, Range{Max: 250, Percentiles: map[string]float32{"99.9": 101 + 1.0/64, "99.99": 200 + 1.0/64, "99.999": 250}}},
		{"powers of two move the bins along", 0x1p-40, 0, Range{Max: 0x1p-40 * 250, Percentiles: map[string]float32{"99.9": 0x1p-40 * (101 + 1.0/64), "99.99": 0x1p-40 * (200 + 1.0/64), "99.999": 0x1p-40 * 250}}},
		{"a constant", 0, 3, Range{Max: 3, Percentiles: map[string]float32{"99.9": 3, "99.99": 3, "99.999": 3}, MSE: 3}},
		{"always zero", 0, 0, Range{Percentiles: map[string]float32{"99.9": 0, "99.99": 0, "99.999": 0}}},
	} {
		cal := calibrate(t, identity(t, len(pixels), c.scale, c.shift), pixels)
		got := cal.Values["norm"]
		if got.Max != c.want.Max || !reflect.DeepEqual(got.Percentiles, c.want.Percentiles) {
			t.Errorf("%s: %+v: want %+v", c.rule, got, c.want)
		}
		if c.scale == 0 && got.MSE != c.want.MSE {
			t.Errorf("%s: least error at %v: want %v", c.rule, got.MSE, c.want.MSE)
		}
		if cal.Network != "net" || cal.Images != 1 || cal.Source != "made by hand" || len(cal.Values) != 1 {
			t.Errorf("%s: %+v", c.rule, cal)
		}
	}
}

// Percentiles of random data are those of the sorted magnitudes, to a bin of
// 2⁻¹³ of the maximum (the histogram's range is at most twice that).
func TestPercentiles(t *testing.T) {
	r := newRand()
	for range 20 {
		h := &histogram{}
		var all []float64
		for range 1 + r.IntN(20) {
			part := make([]float32, 1+r.IntN(3000))
			for i := range part {
				part[i] = float32(r.NormFloat64() * math.Exp(r.NormFloat64()))
				all = append(all, math.Abs(float64(part[i])))
			}
			h.add(part)
		}
		slices.Sort(all)
		got, n := h.summary(), len(all)
		if got.Max != float32(all[n-1]) {
			t.Fatalf("maximum %v: want %v", got.Max, all[n-1])
		}
		for _, p := range percentiles {
			rank := (n*int(p.thousandths) + 99999) / 100000
			want, v := all[rank-1], float64(got.Percentiles[p.name])
			if !(v >= want*(1-0x1p-23) && v <= want+float64(got.Max)*0x1p-13) {
				t.Errorf("%s %% of %d: %v: want %v to a bin", p.name, n, v, want)
			}
		}
	}
}

// The limit of least squared error is as good as the best of a fine search over
// the values themselves, and with an outlier far from the others it is not the
// maximum.
func TestLeastError(t *testing.T) {
	r := newRand()
	for _, outlier := range []float32{0, 40} {
		data := make([]float32, 60000)
		for i := range data {
			data[i] = float32(r.NormFloat64())
		}
		if outlier > 0 {
			data[77] = outlier
		}
		h := &histogram{}
		h.add(data)
		meanSquare := func(limit float64) float64 {
			s, sum := limit/127, 0.0
			for _, x := range data {
				q := math.Max(-127, math.Min(127, math.RoundToEven(float64(x)/s)))
				sum += (float64(x) - q*s) * (float64(x) - q*s)
			}
			return sum
		}
		best := math.Inf(1)
		for i := 1; i <= 200; i++ {
			best = min(best, meanSquare(float64(h.max)*float64(i)/200))
		}
		got := h.leastError()
		if e := meanSquare(float64(got)); !(e <= 1.02*best) {
			t.Errorf("limit %v has a squared error of %v: the best %v", got, e, best)
		}
		if outlier > 0 && !(got < 0.9*outlier) {
			t.Errorf("limit %v for one outlier of %v: want it left out", got, outlier)
		}
		if most := meanSquare(float64(h.max)); !(meanSquare(float64(got)) <= 1.001*most) {
			t.Errorf("limit %v is worse than the maximum", got)
		}
	}
}

// A histogram's range doubles as values grow, and the order of images changes
// nothing.
func TestOrderOfImages(t *testing.T) {
	r := newRand()
	var parts [][]float32
	for i := range 12 {
		part := make([]float32, 1000)
		for j := range part {
			part[j] = float32(r.NormFloat64() * math.Ldexp(1, i-6))
		}
		parts = append(parts, part)
	}
	parts = append(parts, make([]float32, 500), []float32{math.SmallestNonzeroFloat32})
	h := &histogram{}
	for _, p := range parts {
		h.add(p)
	}
	want := h.summary()
	for range 10 {
		r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		again := &histogram{}
		for _, p := range parts {
			again.add(p)
		}
		// Exactly: ranges are powers of two, so that bins merge whole.
		if got := again.summary(); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v: in another order %+v", want, got)
		}
	}
}

func TestCalibrateErrors(t *testing.T) {
	ok := identity(t, 4, 1, 0)
	huge := identity(t, 4, 3e38, 0)
	wrong := identity(t, 4, 1, 0)
	wrong.Nodes[0].Op.(*graph.Affine).Scale[0] = float32(math.NaN())
	for _, c := range []struct {
		g      *graph.Graph
		pixels []uint8
		want   string
	}{
		{ok, nil, "calibration needs whole images of 4 bytes, at least one: have 0 bytes"},
		{ok, make([]uint8, 7), "calibration needs whole images of 4 bytes, at least one: have 7 bytes"},
		{huge, []uint8{0, 1, 2, 3}, `value "norm" became NaN or infinite`},
		{wrong, make([]uint8, 4), `graph "net": node "norm" (affine): scale 0 is NaN: want a finite number`},
	} {
		if _, err := Calibrate(context.Background(), c.g, c.pixels, "", nil); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestCalibrateStops(t *testing.T) {
	g := identity(t, 4, 1, 0)
	ctx, cancel := context.WithCancel(context.Background())
	last := 0
	_, err := Calibrate(ctx, g, make([]uint8, 40), "", func(done, of int) {
		if done != last+1 || of != 10 {
			t.Errorf("progress %d of %d after %d", done, of, last)
		}
		if last = done; done == 3 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || last != 3 {
		t.Errorf("got %v after %d images: want %v after 3", err, last, context.Canceled)
	}
	last = 0
	if _, err := Calibrate(context.Background(), g, make([]uint8, 40), "", func(done, of int) { last = done }); err != nil || last != 10 {
		t.Errorf("%v after %d of 10 images", err, last)
	}
}

func example() *Calibration {
	return &Calibration{Network: "net", Source: "two images", Images: 2, Values: map[string]Range{
		"b": {Max: 2.5, Percentiles: map[string]float32{"99.9": 2, "99.99": 2.25, "99.999": 2.5}, MSE: 1.0 / 3},
		"a": {Max: 1, Percentiles: map[string]float32{"99.9": 1, "99.99": 1, "99.999": 1}, MSE: 1},
	}}
}

func written(t testing.TB, c *Calibration) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := c.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCalibrationRoundTrip(t *testing.T) {
	text := written(t, example())
	got, err := ReadCalibration(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, example()) {
		t.Errorf("%+v comes back as %+v", example(), got)
	}
	if again := written(t, got); !bytes.Equal(again, text) {
		t.Errorf("written as\n%s\nand then as\n%s", text, again)
	}
}

func TestReadCalibrationErrors(t *testing.T) {
	text := string(written(t, example()))
	end := fmt.Sprintf("calibration: byte %d: want nothing after its end", len(strings.TrimSpace(text)))
	for _, c := range []struct{ text, want string }{
		{"", "calibration: EOF"},
		{text[:40], "calibration: unexpected EOF"},
		{"{}", "calibration: no values"},
		{`{"network": "net", "values": {}}`, "calibration: no values"},
		{strings.Replace(text, `"images"`, `"imagse"`, 1), `calibration: json: unknown field "imagse"`},
		{strings.Replace(text, `"mse"`, `"sme"`, 1), `calibration: json: unknown field "sme"`},
		{text + "x", end},
		{text + text, end},
	} {
		if _, err := ReadCalibration(strings.NewReader(c.text)); err == nil || err.Error() != c.want {
			t.Errorf("%.60q: got %v, want %s", c.text, err, c.want)
		}
	}
	for i := range len(strings.TrimSpace(text)) {
		if _, err := ReadCalibration(strings.NewReader(text[:i])); err == nil {
			t.Errorf("the first %d bytes of %d are taken for a calibration", i, len(text))
		}
	}
	if _, err := ReadCalibration(strings.NewReader(strings.Replace(text, `2.5`, `1e99`, 1))); err == nil || !strings.Contains(err.Error(), "1e99") {
		t.Errorf("a number beyond float32: got %v", err)
	}
}

// Whatever is read as a calibration is written and read as the same.
func FuzzReadCalibration(f *testing.F) {
	f.Add(written(f, example()))
	f.Add([]byte(`{"values":{"a":{"max":-1}}}`))
	f.Add([]byte(`{"values":{"a":null}}`))
	f.Add([]byte(`[1,2`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ReadCalibration(bytes.NewReader(text))
		if err != nil {
			return
		}
		again, err := ReadCalibration(bytes.NewReader(written(t, c)))
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Values) != len(c.Values) || again.Images != c.Images {
			t.Errorf("%+v comes back as %+v", c, again)
		}
	})
}
