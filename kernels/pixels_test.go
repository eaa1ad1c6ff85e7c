package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"macroscope/dtype"
)

// pixelCase is memory for the loops over n pixels of c channels, each slice between
// forbidden pages, and what the loop should leave there.
type pixelCase struct {
	n, c                  int
	x, y, g, out, a, b, k []float32
}

func newPixelCase(t *testing.T, r *rand.Rand, n, c, side int) *pixelCase {
	p := &pixelCase{n: n, c: c}
	fill := func(n int) []float32 {
		v := guarded[float32](t, n)[side]
		for i := range v {
			v[i] = float32(r.NormFloat64())
			switch r.IntN(40) {
			case 0:
				v[i] = float32(math.NaN())
			case 1:
				v[i] = 0
			case 2:
				v[i] = float32(math.Copysign(0, -1))
			case 3:
				v[i] = 2 // some are equal
			}
		}
		return v
	}
	p.x, p.y, p.g, p.out = fill(n*c), fill(n*c), fill(n*c), fill(n*c)
	for i, v := range p.y {
		if r.IntN(2) == 0 || v < 0 {
			p.y[i] = 0 // a ReLU's
		}
	}
	p.a, p.b, p.k = fill(c), fill(c), fill(c)
	return p
}

// TestPixels compares every loop with the one in its comment, in float64.
func TestPixels(t *testing.T) {
	eachImpl(t, dtype.Float32, func(t *testing.T, im *Impl) {
		r := newRand(t)
		for _, c := range []int{1, 3, 8, 10, 16, 17, 32, 47, 128} {
			for n := range 9 {
				p := newPixelCase(t, r, n, c, n%2)
				checkPixels(t, r, im, p)
				checkMaxPool2(t, r, im, n, c)
			}
		}
	})
}

func checkPixels(t *testing.T, r *rand.Rand, im *Impl, p *pixelCase) {
	t.Helper()
	px := im.NewPixels()
	name := func(loop string) string { return fmt.Sprintf("%s of %d pixels of %d", loop, p.n, p.c) }
	sums := func(loop string, v, w, mask []float32, call func(a, b []float32)) {
		a, b := slices.Clone(p.a), slices.Clone(p.b)
		wantA, wantB, absA, absB := make([]float64, p.c), make([]float64, p.c), make([]float64, p.c), make([]float64, p.c)
		for c := range p.c {
			wantA[c], wantB[c] = float64(a[c]), float64(b[c])
			absA[c], absB[c] = math.Abs(wantA[c]), math.Abs(wantB[c])
		}
		after := slices.Clone(v)
		for i := range v {
			if mask != nil && mask[i] == 0 {
				after[i] = 0
			}
			x := float64(after[i])
			wantA[i%p.c], absA[i%p.c] = wantA[i%p.c]+x, absA[i%p.c]+math.Abs(x)
			wantB[i%p.c], absB[i%p.c] = wantB[i%p.c]+x*float64(w[i]), absB[i%p.c]+math.Abs(x*float64(w[i]))
		}
		call(a, b)
		eps := float64(p.n+2) * 0x1p-23
		for c := range p.c {
			if !close64(float64(a[c]), wantA[c], eps*absA[c]) || !close64(float64(b[c]), wantB[c], eps*absB[c]) {
				t.Fatalf("%s: channel %d: %v and %v, want %v and %v", name(loop), c, a[c], b[c], wantA[c], wantB[c])
			}
		}
		for i, x := range after {
			if math.Float32bits(x) != math.Float32bits(v[i]) && !(x == 0 && v[i] == 0) {
				t.Fatalf("%s: value %d is %v, want %v", name(loop), i, v[i], x)
			}
		}
	}
	sums("moments", p.x, p.x, nil, func(a, b []float32) { px.AddMoments(a, b, p.x) })
	sums("products", p.g, p.x, nil, func(a, b []float32) { px.AddProducts(a, b, p.g, p.x) })
	sums("masked products", p.g, p.x, p.y, func(a, b []float32) { px.AddMaskedProducts(a, b, p.g, p.x, p.y) })

	linear := func(loop string, want func(i int) (v, abs float64)) {
		for i, got := range p.out {
			v, abs := want(i)
			if !close64(float64(got), v, 3*0x1p-23*abs) {
				t.Fatalf("%s: value %d is %v, want %v", name(loop), i, got, v)
			}
		}
	}
	for _, lo := range []float32{0, float32(math.Inf(-1))} {
		px.Linear(p.out, p.x, p.a, p.b, lo)
		linear("linear", func(i int) (v, abs float64) {
			x, a, b := float64(p.x[i]), float64(p.a[i%p.c]), float64(p.b[i%p.c])
			return max(float64(lo), x*a+b), math.Abs(x*a) + math.Abs(b)
		})
	}
	px.Sign(p.out, p.x, p.c)
	linear("sign", func(i int) (v, abs float64) {
		if p.x[i] >= 0 {
			return 1, 0
		}
		return -1, 0
	})
	px.SignGrad(p.out, p.g, p.x, p.a, p.b)
	linear("sign's gradient", func(i int) (v, abs float64) {
		x, g, a, b := math.Abs(float64(p.x[i])), float64(p.g[i]), float64(p.a[i%p.c]), float64(p.b[i%p.c])
		if !(x <= 1) {
			return 0, 0
		}
		return g * (a + b*x), math.Abs(g) * (math.Abs(a) + math.Abs(b*x))
	})
	px.PReLU(p.out, p.x, p.k)
	linear("PReLU", func(i int) (v, abs float64) {
		x := float64(p.x[i])
		return x * leak(p.x[i], p.k[i%p.c]), math.Abs(x)
	})
	slopes, inPlace := slices.Clone(p.a), slices.Clone(p.g)
	px.PReLUGrad(inPlace, slopes, inPlace, p.x, p.k)
	copy(p.out, inPlace)
	linear("PReLU's gradient", func(i int) (v, abs float64) {
		g := float64(p.g[i])
		return g * leak(p.x[i], p.k[i%p.c]), math.Abs(g)
	})
	for c := range p.c { // in order, rounded twice: the same bits everywhere
		want := p.a[c]
		for i := c; i < len(p.x); i += p.c {
			if math.Signbit(float64(p.x[i])) {
				want += float32(p.x[i] * p.g[i])
			}
		}
		if got := slopes[c]; got != want && (got == got || want == want) {
			t.Fatalf("%s: channel %d: %v, want %v", name("PReLU's slopes"), c, got, want)
		}
	}
	px.Linear2(p.out, p.g, p.x, p.a, p.b, p.k)
	linear("linear2", func(i int) (v, abs float64) {
		ga, xb, k := float64(p.g[i])*float64(p.a[i%p.c]), float64(p.x[i])*float64(p.b[i%p.c]), float64(p.k[i%p.c])
		return ga + xb + k, math.Abs(ga) + math.Abs(xb) + math.Abs(k)
	})
	again := slices.Clone(p.out)
	if px.Linear2(p.g, p.g, p.x, p.a, p.b, p.k); !equalFloats(p.g, again) {
		t.Fatalf("%s: other values in place", name("linear2"))
	}
}

// leak is what PReLU multiplies x with.
func leak(x, slope float32) float64 {
	if math.Signbit(float64(x)) {
		return float64(slope)
	}
	return 1
}

// close64 says whether two numbers differ by no more than tol, or are both NaN.
func close64(got, want, tol float64) bool {
	return math.Abs(got-want) <= tol || got != got && want != want || got == want
}

func equalFloats(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return x == y || x != x && y != y })
}

func checkMaxPool2(t *testing.T, r *rand.Rand, im *Impl, n, c int) {
	t.Helper()
	px := im.NewPixels()
	gap := r.IntN(20) // of what stands between two rows
	x, dx := newPixelCase(t, r, 4*n+gap, c, n%2).x, newPixelCase(t, r, 4*n+gap, c, n%2).x
	above, below := x[:2*n*c], x[(2*n+gap)*c:]
	dAbove, dBelow := dx[:2*n*c], dx[(2*n+gap)*c:]
	y, g := make([]float32, n*c), newPixelCase(t, r, n, c, 1).g
	between := slices.Clone(dx[2*n*c : (2*n+gap)*c])
	px.MaxPool2(y, above, below, c)
	px.MaxPool2Grad(dAbove, dBelow, above, below, y, g, c)
	for i := range n {
		for ch := range c {
			four := func(a, b []float32) [4]float32 {
				return [4]float32{a[2*i*c+ch], a[(2*i+1)*c+ch], b[2*i*c+ch], b[(2*i+1)*c+ch]}
			}
			in, out := four(above, below), four(dAbove, dBelow)
			want := max(in[0], in[1], in[2], in[3])
			if got := y[i*c+ch]; got != want && got == got {
				t.Fatalf("max-pool of %v is %v", in, got)
			}
			var wantGrad [4]float32
			for j, v := range in {
				if v == want {
					wantGrad[j] = g[i*c+ch]
					break
				}
			}
			if !equalFloats(out[:], wantGrad[:]) {
				t.Fatalf("max-pool of %v: gradients %v of %v, want %v", in, out, g[i*c+ch], wantGrad)
			}
		}
	}
	if !equalFloats(dx[2*n*c:(2*n+gap)*c], between) {
		t.Fatal("max-pool's gradient wrote between the rows")
	}
}

func TestPixelsRefuse(t *testing.T) {
	im, err := Lookup(dtype.Float32, "generic")
	if err != nil {
		t.Fatal(err)
	}
	px := im.NewPixels()
	v := make([]float32, 12)
	for name, f := range map[string]func(){
		"moments":  func() { px.AddMoments(v[:4], v[:3], v) },
		"products": func() { px.AddProducts(v[:4], v[:4], v, v[:8]) },
		"linear":   func() { px.Linear(v, v, v[:5], v[:5], 0) },
		"linear2":  func() { px.Linear2(v, v, v, v[:4], v[:4], nil) },
		"sign":     func() { px.Sign(v[:4], v, 4) },
		"slope":    func() { px.SignGrad(v, v, v, v[:4], v[:3]) },
		"prelu":    func() { px.PReLU(v, v[:8], v[:4]) },
		"slopes":   func() { px.PReLUGrad(v, v[:3], v, v, v[:4]) },
		"maxpool":  func() { px.MaxPool2(v[:4], v[:8], v[:4], 2) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic for lengths that do not fit", name)
				}
			}()
			f()
		}()
	}
}
