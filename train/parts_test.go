package train

import (
	"math"
	"slices"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
)

// TestStraightThrough is an example worked by hand: y = w·sign(x), loss weights the
// outputs by g, so that dL/dsign = g·w passes where |x| ≤ 1 and nowhere else.
func TestStraightThrough(t *testing.T) {
	choice, err := kernels.Default()
	if err != nil {
		t.Fatal(err)
	}
	pixels := choice.For(dtype.Float32).NewPixels()
	x := []float32{-2, -1.0001, -1, -0.25, 0, 0.5, 1, 1.0001, float32(math.NaN()), float32(math.Inf(1))}
	for est, want := range map[Estimator][]float32{
		StraightThrough: {0, 0, 1, 1, 1, 1, 1, 0, 0, 0},
		ApproxSign:      {0, 0, 0, 1.5, 2, 1, 0, 0, 0, 0},
	} {
		in := newValue(&graph.Value{Shape: graph.Shape{1, 1, len(x)}})
		out := newValue(&graph.Value{Shape: graph.Shape{1, 1, len(x)}})
		in.allocate(1, 1)
		out.allocate(1, 1)
		copy(in.data.row(0, 0), x)
		g := out.grad.row(0, 0)
		for i := range g {
			g[i] = float32(i + 1)
		}
		o := newSignOp(in, out, est)
		th := &thread{pixels: pixels}
		o.forward(th, 0)
		if got, want := out.data.row(0, 0)[:8], []float32{-1, -1, -1, -1, 1, 1, 1, 1}; !slices.Equal(got, want) {
			t.Errorf("sign %v, want %v", got, want)
		}
		o.backward(th, 0)
		for i, slope := range want {
			if got := in.grad.row(0, 0)[i]; got != float32(i+1)*slope {
				t.Errorf("estimator %d at %v: gradient %v of %d, want %v", est, x[i], got, i+1, float32(i+1)*slope)
			}
		}
	}
}

// TestLatentWeights: the gradient of a latent weight outside −1…1 is nothing, and
// an optimizer's step leaves it within.
func TestLatentWeights(t *testing.T) {
	r := newRand(t)
	n := newNet(t, gradientCases(r)["binary"], Options{Batch: 4, Threads: 2})
	var p *Param
	for _, q := range n.Params() {
		if q.Latent {
			p = q
		}
	}
	p.W[0], p.W[1], p.W[2] = 1.5, -1.5, 1
	im := randomImages(r, 4, n.g.Input.Shape, 4)
	if _, _, err := n.Step(4, im.load); err != nil {
		t.Fatal(err)
	}
	if p.Grad[0] != 0 || p.Grad[1] != 0 || p.Grad[2] == 0 {
		t.Errorf("gradients %v of weights %v: want none beyond ±1", p.Grad[:3], p.W[:3])
	}
	(&SGD{}).Update(n.Params(), 1e3)
	for i, w := range p.W {
		if !(w >= -1 && w <= 1) {
			t.Fatalf("latent weight %d is %v after a step: want −1…1", i, w)
		}
	}
}

// TestDropout: about as many values as asked for are left out, others are scaled, and
// another step, image or layer leaves out others.
func TestDropout(t *testing.T) {
	const n, rate = 1 << 14, 0.3
	step := uint64(7)
	masks := map[string]bool{}
	for _, c := range []struct {
		seed, step uint64
		image      int
	}{{1, 7, 0}, {1, 7, 1}, {1, 8, 0}, {2, 7, 0}, {1 | 1<<32, 7, 0}} {
		in := newValue(&graph.Value{Shape: graph.Shape{1, 1, n}})
		out := newValue(&graph.Value{Shape: graph.Shape{1, 1, n}})
		in.allocate(2, 2)
		out.allocate(2, 2)
		for i := range n {
			in.data.row(c.image, 0)[i], out.grad.row(c.image, 0)[i] = 1, 2
		}
		o := &dropoutOp{in, out, rate, c.seed, &step}
		step = c.step
		o.forward(nil, c.image)
		o.backward(nil, c.image)
		kept, mask := 0, make([]byte, n)
		for i, v := range out.data.row(c.image, 0) {
			if v != 0 {
				kept, mask[i] = kept+1, 1
			}
			if v != 0 && math.Abs(float64(v)-1/(1-rate)) > 1e-6 || in.grad.row(c.image, 0)[i] != 2*v {
				t.Fatalf("value %d: %v, gradient %v", i, v, in.grad.row(c.image, 0)[i])
			}
		}
		if d := math.Abs(float64(kept)/n - (1 - rate)); d > 0.02 {
			t.Errorf("%+v: %d of %d kept, want %.0f %%", c, kept, n, 100*(1-rate))
		}
		if masks[string(mask)] {
			t.Errorf("%+v: the mask of another", c)
		}
		masks[string(mask)] = true
	}
}

// TestOptimizers compares two steps of each with the formulas worked by hand for one
// weight.
func TestOptimizers(t *testing.T) {
	steps := func(o Optimizer, decay bool) []float32 {
		p := &Param{Name: "w", W: []float32{1}, Grad: []float32{0.5}, Decay: decay}
		var w []float32
		for _, g := range []float32{0.5, -1} {
			p.Grad[0] = g
			o.Update([]*Param{p}, 0.1)
			w = append(w, p.W[0])
		}
		return w
	}
	near := func(name string, got []float32, want ...float64) {
		for i, w := range want {
			if !(math.Abs(float64(got[i])-w) <= 1e-6) {
				t.Errorf("%s: weight %v after step %d, want %v", name, got[i], i+1, w)
			}
		}
	}
	// v = 0.5, w = 1 − 0.1·(0.5+0.45) = 0.905; v = 0.9·0.5−1 = −0.55, w = 0.905 + 0.1·(1+0.495).
	near("sgd", steps(&SGD{Momentum: 0.9, Decay: 0.1}, false), 0.905, 1.0545)
	// g = 0.6, v = 0.6, w = 1 − 0.1·1.14 = 0.886; g = −1+0.0886 = −0.9114, v = 0.54−0.9114 = −0.3714,
	// w = 0.886 + 0.1·(0.9114+0.33426).
	near("sgd with decay", steps(&SGD{Momentum: 0.9, Decay: 0.1}, true), 0.886, 1.010566)
	// Step 1 moves by the rate: m̂/√v̂ = 1. Step 2: m = 0.9·0.05−0.1 = −0.055, m̂ = −0.055/0.19;
	// v = 0.999·0.00025+0.001 = 0.00124975, v̂ = 0.00124975/0.001999.
	second := 0.1 * 0.055 / 0.19 / math.Sqrt(0.00124975/0.001999)
	near("adam", steps(&Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Decay: 0.5}, false), 0.9, 0.9+second)
	near("adam with decay", steps(&Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Decay: 0.5}, true), 0.95-0.1, (0.95-0.1)*0.95+second)
}

func TestSchedule(t *testing.T) {
	s := Schedule{Kind: "linear", Warmup: 0.25}
	want := []float64{1. / 3, 2. / 3, 1, 5. / 6, 4. / 6, 3. / 6, 2. / 6, 1. / 6}
	for step, w := range want {
		if got := s.At(step, len(want)); !(math.Abs(got-w) <= 1e-12) {
			t.Errorf("step %d: %v, want %v", step, got, w)
		}
	}
	s = Schedule{Kind: "cosine"}
	for step, w := range map[int]float64{0: 1, 25: (1 + math.Sqrt2/2) / 2, 50: 0.5, 75: (1 - math.Sqrt2/2) / 2} {
		if got := s.At(step, 100); !(math.Abs(got-w) <= 1e-12) {
			t.Errorf("cosine, step %d: %v, want %v", step, got, w)
		}
	}
	s = Schedule{Kind: "constant", Warmup: 0.02}
	for step, w := range map[int]float64{0: 1. / 3, 1: 2. / 3, 2: 1, 99: 1} {
		if got := s.At(step, 100); !(math.Abs(got-w) <= 1e-12) {
			t.Errorf("constant, step %d: %v, want %v", step, got, w)
		}
	}
}

// TestAugment looks for each image among all that its crops, flips and squares can
// give, and for more than a few of those to turn up.
func TestAugment(t *testing.T) {
	r := newRand(t)
	d := &Data{Shape: [3]int{2, 5, 6}, Labels: make([]uint8, 3), Pixels: make([]uint8, 3*60)}
	for i := range d.Pixels {
		d.Pixels[i] = uint8(1 + r.IntN(255))
	}
	plain := Augment{}
	a := Augment{Crop: 2, Flip: true}
	got, again := make([]float32, 60), make([]float32, 60)
	plain.Image(got, d, 1, 1, 1)
	for i, p := range d.Pixels[60:120] {
		if got[i] != float32(p) {
			t.Fatalf("without augmentation value %d is %v, want %v", i, got[i], p)
		}
	}
	seen, flips := map[[3]int]bool{}, [2]int{}
	for epoch := range 200 {
		i := epoch % 3
		a.Image(got, d, i, 9, epoch)
		a.Image(again, d, i, 9, epoch)
		if !slices.Equal(got, again) {
			t.Fatal("the same arguments give another image")
		}
		found := false
		for dy := -2; dy <= 2; dy++ {
			for dx := -2; dx <= 2; dx++ {
				for flip := range 2 {
					if sameImage(got, d, i, dy, dx, flip == 1) {
						found = true
						seen[[3]int{dy, dx, flip}] = true
						flips[flip]++
					}
				}
			}
		}
		if !found {
			t.Fatalf("epoch %d: image %d is no shifted, reflected, flipped one", epoch, i)
		}
	}
	if len(seen) < 45 || flips[0] == 0 || flips[1] == 0 {
		t.Errorf("%d of 50 kinds seen, %d plain and %d flipped", len(seen), flips[0], flips[1])
	}
	cut := Augment{Cutout: 3, Fill: 0}
	for epoch := range 50 {
		cut.Image(got, d, 0, 9, epoch)
		n := 0
		for _, v := range got[:30] {
			if v == 0 {
				n++
			}
		}
		if n < 1 || n > 9 {
			t.Fatalf("cutout of 3×3 covers %d pixels", n)
		}
	}
}

func sameImage(got []float32, d *Data, i, dy, dx int, flip bool) bool {
	c, h, w := d.Shape[0], d.Shape[1], d.Shape[2]
	at := func(p, n int) int { // reflected
		for p < 0 || p >= n {
			p = max(-p, min(p, 2*(n-1)-p))
		}
		return p
	}
	for ch := range c {
		for y := range h {
			for x := range w {
				sx := at(x+dx, w)
				if flip {
					sx = w - 1 - sx
				}
				if got[(ch*h+y)*w+x] != float32(d.Pixels[((i*c+ch)*h+at(y+dy, h))*w+sx]) {
					return false
				}
			}
		}
	}
	return true
}

// TestTopology: the network has the parameters that the project speaks of.
func TestTopology(t *testing.T) {
	for _, o := range []Topology{{DType: dtype.Float32, Width: 1, Dropout: 0.5}, {DType: dtype.Binary, Width: 1}, {DType: dtype.Binary, Width: 1, Shortcuts: true}} {
		g, err := CIFAR10CNN(o, 1)
		if err != nil {
			t.Fatal(err)
		}
		newNet(t, g, Options{Batch: 1, Threads: 1})
		weights, others := 0, 0
		for _, n := range g.Nodes {
			switch op := n.Op.(type) {
			case *graph.Conv2D:
				weights, others = weights+len(op.Float), others+len(op.Bias)
			case *graph.Dense:
				weights, others = weights+len(op.Float), others+len(op.Bias)
			case *graph.BatchNorm:
				others += 4 * len(op.Gamma)
			}
		}
		if o.DType == dtype.Float32 && weights+others != 309290 {
			t.Errorf("%+v: %d parameters, want 309290", o, weights+others)
		}
		if want := 27*32 + 9*(32*32+32*64+64*64+64*128+128*128) + 20480; weights != want {
			t.Errorf("%+v: %d weights, want %d", o, weights, want)
		}
	}
	for _, o := range []Topology{
		{DType: dtype.Float32}, {DType: dtype.Float32, Width: 17}, {DType: dtype.Int8, Width: 1},
		{DType: dtype.Float32, Width: 1, Shortcuts: true}, {DType: dtype.Float32, Width: 1, Dropout: 1},
	} {
		if _, err := CIFAR10CNN(o, 1); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}
