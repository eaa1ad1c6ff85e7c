package ptq

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"

	"macroscope/dataset"
	"macroscope/graph"
	"macroscope/nn"
)

// Calibration is what the calibration images did to each activation of a
// network that a layer reads.
type Calibration struct {
	Network string           `json:"network"`
	Source  string           `json:"source"` // which images
	Images  int              `json:"images"`
	Values  map[string]Range `json:"values"` // by value name
}

// Range says how large an activation's magnitudes were.
type Range struct {
	Max float32 `json:"max"`
	// Percentiles: "99.99" is the magnitude that 99.99 % of all elements stay
	// within.
	Percentiles map[string]float32 `json:"percentiles"`
	// MSE is the limit whose int8 rounding has the least mean squared error.
	MSE float32 `json:"mse"`
}

// percentiles are recorded by name, in thousandths of a percent.
var percentiles = []struct {
	name        string
	thousandths int64
}{{"99.9", 99900}, {"99.99", 99990}, {"99.999", 99999}}

// Methods lists the ways to choose a range: "max", a percentile ("p99.99"), or
// "mse".
func Methods() []string {
	m := []string{"max"}
	for _, p := range percentiles {
		m = append(m, "p"+p.name)
	}
	return append(m, "mse")
}

// limit is the range by one of Methods.
func (r Range) limit(method string) (float32, error) {
	switch method {
	case "max":
		return r.Max, nil
	case "mse":
		return r.MSE, nil
	}
	v, ok := r.Percentiles[method[1:]]
	if !ok {
		return 0, fmt.Errorf("its calibration has no percentile %s", method[1:])
	}
	return v, nil
}

// Calibrate runs the float network over images ([n][C][H][W] bytes) and
// records the ranges of the activations. source says in words where the images
// come from. progress, if not nil, is told how many are done. It stops when
// ctx ends.
func Calibrate(ctx context.Context, g *graph.Graph, pixels []uint8, source string, progress func(done, of int)) (*Calibration, error) {
	size := g.Input.Shape.Size()
	n := len(pixels) / size
	if n == 0 || len(pixels)%size != 0 {
		return nil, fmt.Errorf("calibration needs whole images of %d bytes, at least one: have %d bytes", size, len(pixels))
	}
	set, err := dataset.InMemory(source, g.Input.Shape, 1, pixels, make([]uint8, n))
	if err != nil {
		return nil, err
	}
	return CalibrateOn(ctx, g, set, source, progress)
}

// CalibrateOn is Calibrate with the images of a data set of g's input shape.
func CalibrateOn(ctx context.Context, g *graph.Graph, set *dataset.Set, source string, progress func(done, of int)) (*Calibration, error) {
	seen := map[string]*histogram{}
	plan, err := nn.Compile(g, nn.Options{Observe: func(v *graph.Value, data []float32) {
		h := seen[v.Name]
		if h == nil {
			h = &histogram{}
			seen[v.Name] = h
		}
		h.add(data)
	}})
	if err != nil {
		return nil, err
	}
	if set.Len() == 0 || set.Size() != plan.InputSize() {
		return nil, fmt.Errorf("calibration needs images of %d elements, at least one: have %d of %d", plan.InputSize(), set.Len(), set.Size())
	}
	r := plan.NewRunner(1)
	defer r.Close()
	out := make([]float32, plan.OutputSize())
	var b dataset.Batch
	for i := range set.Len() {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		if err := set.Read(&b, i, 1); err != nil {
			return nil, err
		}
		if set.Floats() {
			err = r.Run(out, b.Floats)
		} else {
			err = r.RunPixels(out, b.Bytes)
		}
		if err != nil {
			return nil, err
		}
		if progress != nil {
			progress(i+1, set.Len())
		}
	}
	c := &Calibration{Network: g.Name, Source: source, Images: set.Len(), Values: map[string]Range{}}
	for name, h := range seen {
		if h.notANumber {
			return nil, fmt.Errorf("value %q became NaN or infinite", name)
		}
		c.Values[name] = h.summary()
	}
	return c, nil
}

// ReadCalibration reads what Write wrote.
func ReadCalibration(r io.Reader) (*Calibration, error) {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	c := &Calibration{}
	if err := d.Decode(c); err != nil {
		return nil, fmt.Errorf("calibration: %w", err)
	}
	end := d.InputOffset()
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("calibration: byte %d: want nothing after its end", end)
	}
	if len(c.Values) == 0 {
		return nil, fmt.Errorf("calibration: no values")
	}
	return c, nil
}

// Write writes the calibration as JSON, the same bytes for the same content.
func (c *Calibration) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(c)
}

// bins is the resolution of a histogram: percentiles are exact to 1/bins of
// the range.
const bins = 1 << 14

// histogram counts magnitudes; its range doubles when it must.
type histogram struct {
	counts     [bins]int64
	width      float64 // of the range, a power of two
	n          int64
	max        float32
	notANumber bool
}

func (h *histogram) add(data []float32) {
	for _, x := range data {
		a := math.Abs(float64(x))
		if math.IsNaN(a) || math.IsInf(a, 0) {
			h.notANumber = true
			return
		}
		h.max = max(h.max, float32(a))
	}
	if h.width == 0 && h.max > 0 {
		_, e := math.Frexp(float64(h.max))
		h.width = math.Ldexp(1, e)
	}
	for h.width > 0 && float64(h.max) >= h.width {
		for i := range bins / 2 {
			h.counts[i] = h.counts[2*i] + h.counts[2*i+1]
		}
		clear(h.counts[bins/2:])
		h.width *= 2
	}
	for _, x := range data {
		i := 0
		if h.width > 0 {
			i = int(math.Abs(float64(x)) / h.width * bins)
		}
		h.counts[i]++
	}
	h.n += int64(len(data))
}

func (h *histogram) summary() Range {
	r := Range{Max: h.max, MSE: h.leastError(), Percentiles: map[string]float32{}}
	for _, p := range percentiles {
		r.Percentiles[p.name] = min(h.max, h.percentile(p.thousandths))
	}
	return r
}

// percentile is the upper edge of the first bin at which the share is reached.
func (h *histogram) percentile(thousandths int64) float32 {
	want := (h.n*thousandths + 99999) / 100000
	var sum int64
	for i, c := range h.counts {
		if sum += c; sum >= want {
			return float32(float64(i+1) * h.width / bins)
		}
	}
	return h.max
}

// leastError tries 100 limits up to the maximum.
func (h *histogram) leastError() float32 {
	type limit struct {
		at    float32
		error float64
	}
	var tried []limit
	for i := 1; i <= 100; i++ {
		at := float64(h.max) * float64(i) / 100
		s := at / 127
		if s == 0 {
			break
		}
		var sum float64
		for b, c := range h.counts {
			if c == 0 {
				continue
			}
			x := (float64(b) + 0.5) * h.width / bins
			d := x - s*min(127, math.RoundToEven(x/s))
			sum += float64(c) * d * d
		}
		tried = append(tried, limit{float32(at), sum})
	}
	if len(tried) == 0 {
		return h.max
	}
	return slices.MinFunc(tried, func(a, b limit) int {
		switch {
		case a.error < b.error:
			return -1
		case a.error > b.error:
			return 1
		}
		return 0
	}).at
}
