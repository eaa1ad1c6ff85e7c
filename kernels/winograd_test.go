package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"macroscope/dtype"
	"macroscope/internal/guard"
)

func TestWinograd(t *testing.T) {
	eachImpl(t, dtype.Float32, func(t *testing.T, im *Impl) {
		r := newRand(t)
		var ctx Context
		for i := range 30 {
			m := 2 + 2*(i%2)
			c := winogradCase(r, m)
			w, err := NewWinograd(im, c.spec, c.floatWeights(), m)
			if err != nil {
				t.Fatalf("case %d: %v", i, err)
			}
			in, out := guard.Tail(t, c.spec.In.Bytes()), guard.Head(t, c.spec.Out.Bytes())
			c.image(im, in)
			for j := range out {
				out[j] = 0x5a
			}
			w.Run(&ctx, out, in)
			c.checkWinograd(t, out, m)
			if err := haloIntact(c.spec.Out, out, c.spec.Mode); err != nil {
				t.Fatalf("case %d: %v", i, err)
			}
			other := c.spec
			other.BiasF = someFloat32(r, c.spec.Out.C)
			again, err := NewWinograd(im, other, someFloat32(r, len(c.w)), m)
			if err != nil {
				t.Fatal(err)
			}
			again.SetFloat32(c.floatWeights(), c.spec.BiasF)
			second := slices.Clone(out)
			if again.Run(&ctx, second, in); !slices.Equal(second, out) {
				t.Fatalf("case %d: other sums with weights set later", i)
			}
			if n := testing.AllocsPerRun(3, func() { w.Run(&ctx, out, in) }); n != 0 {
				t.Fatalf("%v allocations a run", n)
			}
		}
	})
}

func winogradCase(r *rand.Rand, m int) convCase {
	s := ConvSpec{KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, PadTop: r.IntN(2), PadLeft: r.IntN(2), Pool: r.IntN(2) == 0}
	h, w := m*(1+r.IntN(5)), m*(1+r.IntN(5))
	flat := r.IntN(4) == 0 // few tiles, many columns: the other micro-kernel's case
	if flat {
		h, w = m*(1+r.IntN(2)), m*(1+r.IntN(2))
	}
	s.In = Image{DType: dtype.Float32, H: h, W: w, C: 16 * (1 + r.IntN(4)), Top: s.PadTop, Left: s.PadLeft, Bottom: 2 - s.PadTop, Right: 2 - s.PadLeft}
	s.Out = Image{DType: dtype.Float32, H: h, W: w, C: 16 * (1 + r.IntN(8)), Top: 1, Right: 1}
	if flat {
		s.Out.C = 64 * (1 + r.IntN(2))
	}
	if s.Pool {
		s.Out.H, s.Out.W = h/2, w/2
	}
	if r.IntN(2) == 0 {
		s.Lo, s.Hi = 0, float32(math.Inf(1))
	}
	s.BiasF = someFloat32(r, s.Out.C)
	c := convCase{spec: s}
	for range (h + 2) * (w + 2) * s.In.C {
		c.x = append(c.x, float64(float32(r.NormFloat64())))
	}
	for range s.Out.C * 9 * s.In.C {
		c.w = append(c.w, float64(float32(r.NormFloat64())))
	}
	return c
}

func (c *convCase) floatWeights() []float32 {
	f := make([]float32, len(c.w))
	for i, v := range c.w {
		f[i] = float32(v)
	}
	return f
}

// The matrices' absolute values: what rounding errors are multiplied by.
var winogradAbs = map[int]struct{ bt, at [][]float64 }{
	2: {
		[][]float64{{1, 0, 1, 0}, {0, 1, 1, 0}, {0, 1, 1, 0}, {0, 1, 0, 1}},
		[][]float64{{1, 1, 1, 0}, {0, 1, 1, 1}},
	},
	4: {
		[][]float64{{4, 0, 5, 0, 1, 0}, {0, 4, 4, 1, 1, 0}, {0, 4, 4, 1, 1, 0}, {0, 2, 1, 2, 1, 0}, {0, 2, 1, 2, 1, 0}, {0, 4, 0, 5, 0, 1}},
		[][]float64{{1, 1, 1, 1, 1, 0}, {0, 1, 1, 2, 2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, 1, 8, 8, 1}},
	},
}

// checkWinograd holds every output to the componentwise bound of bilinear
// algorithms: the error is at most about (C + the depth of the transforms)·ε
// times |Aᵀ|·(Σ|G·g·Gᵀ|⊙(|Bᵀ|·|d|·|B|))·|A|, ε = 2⁻²³ (Barabasz, Anderson,
// Soodhalter, Gregg, "Error Analysis and Improving the Accuracy of Winograd
// Convolution for Deep Neural Networks", ACM TOMS 46(4), 2020, section 4).
func (c *convCase) checkWinograd(t *testing.T, out []byte, m int) {
	t.Helper()
	s, n := &c.spec, m+2
	abs, g := winogradAbs[m], winogradG[m]
	h, w := s.Out.H, s.Out.W
	if s.Pool {
		h, w = 2*h, 2*w
	}
	row := (s.In.W + 2) * s.In.C
	for ty := 0; ty < h; ty += m {
		for tx := 0; tx < w; tx += m {
			v := make([]float64, n*n*s.In.C) // |Bᵀ|·|d|·|B|
			for p := range n * n {
				for i := range n {
					for j := range n {
						f := abs.bt[p/n][i] * abs.bt[p%n][j]
						for ch := 0; f != 0 && ch < s.In.C; ch++ {
							v[p*s.In.C+ch] += f * math.Abs(c.x[(s.In.Top-s.PadTop+ty+i)*row+(s.In.Left-s.PadLeft+tx+j)*s.In.C+ch])
						}
					}
				}
			}
			for o := 0; o < s.Out.C; o += 5 {
				prod := make([]float64, n*n)
				for p := range prod {
					for ch := range s.In.C {
						var u float64
						for q := range 9 {
							u += math.Abs(g[p/n][q/3] * g[p%n][q%3] * c.w[(o*9+q)*s.In.C+ch])
						}
						prod[p] += u * v[p*s.In.C+ch]
					}
				}
				bound := func(i, j int) float64 {
					var b float64
					for p, x := range prod {
						b += abs.at[i][p/n] * abs.at[j][p%n] * x
					}
					return (float64(s.In.C)+float64(4*n))*0x1p-23*b + 0x1p-23*math.Abs(float64(s.BiasF[o]))
				}
				for i := range m {
					for j := range m {
						c.checkWinogradOutput(t, out, ty+i, tx+j, o, bound(i, j))
					}
				}
			}
		}
	}
}

func (c *convCase) checkWinogradOutput(t *testing.T, out []byte, y, x, o int, bound float64) {
	t.Helper()
	s := &c.spec
	if !s.Pool {
		want, _ := c.sum(y, x, o)
		if s.Hi > 0 {
			want = max(want, 0)
		}
		if got := view[float32](out[s.Out.Offset(y, x):])[o]; !(math.Abs(float64(got)-want) <= bound) {
			t.Fatalf("output [%d][%d][%d]: got %v, want %v ± %v", y, x, o, got, want, bound)
		}
		return
	}
	if y%2 == 1 || x%2 == 1 {
		return
	}
	want := math.Inf(-1)
	for i := range 4 {
		v, _ := c.sum(y+i/2, x+i%2, o)
		want = max(want, v)
	}
	if s.Hi > 0 {
		want = max(want, 0)
	}
	// The four errors' bounds are of one size; twice one of them covers all.
	if got := view[float32](out[s.Out.Offset(y/2, x/2):])[o]; !(math.Abs(float64(got)-want) <= 4*bound) {
		t.Fatalf("pooled output [%d][%d][%d]: got %v, want %v ± %v", y/2, x/2, o, got, want, 4*bound)
	}
}
