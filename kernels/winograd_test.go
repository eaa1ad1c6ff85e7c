package kernels

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/internal/guard"
	"macroscope/kernels/tile"
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
			inParts(t, r, w, out, in)
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

// inParts runs w in parts, each into memory of its own: together they must write what one
// run wrote, no byte twice.
func inParts(t *testing.T, r *rand.Rand, w *Winograd, want, in []byte) {
	t.Helper()
	const untouched = 0x5a
	got, part := bytes.Repeat([]byte{untouched}, len(want)), make([]byte, len(want))
	for from := 0; from < w.Tiles(); {
		to := min(w.Tiles(), from+1+r.IntN(2*w.groups))
		for i := range part {
			part[i] = untouched
		}
		var ctx Context
		w.RunTiles(&ctx, part, in, from, to)
		for i, b := range part {
			if b == untouched {
				continue
			}
			if got[i] != untouched {
				t.Fatalf("parts %d…%d of %d: byte %d is another part's", from, to, w.Tiles(), i)
			}
			got[i] = b
		}
		from = to
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%d parts: other bytes than in one run", w.Tiles())
	}
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

// winogradInt8Case is a random convolution of a shape that a row's F(m×m, 3×3) takes.
func winogradInt8Case(r *rand.Rand, f tile.Winograd) convCase {
	m, outVL := f.M, f.OutVL
	if outVL == 0 {
		outVL = f.VL
	}
	tiles := 7
	if r.IntN(3) == 0 {
		tiles = 2 // as few as take another micro-kernel
	}
	s := ConvSpec{KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Pool: r.IntN(2) == 0}
	h, w := m*(1+r.IntN(tiles)), m*(1+r.IntN(tiles))
	if s.Pool {
		h, w = h/2, w/2
	}
	for {
		if c := filledConv(r, s, dtype.Int8, f.VL*(1+r.IntN(96/f.VL)), outVL*(1+r.IntN(8)), h, w); c.spec.Mode != tile.Bits {
			return c
		}
	}
}

func (c *convCase) int8Weights() []int8 {
	v := make([]int8, len(c.w))
	for i, x := range c.w {
		v[i] = int8(x)
	}
	return v
}

// The bytes of the definition, and of Conv, whatever the values; nothing outside the
// images is touched.
func TestWinogradInt8(t *testing.T) {
	rows := 0
	eachImpl(t, dtype.Int8, func(t *testing.T, im *Impl) {
		if len(im.k.Winograd) == 0 {
			t.Skip("has no such transforms")
		}
		rows++
		r := newRand(t)
		var ctx Context
		for i := range cases(im, 60, 20, 4) {
			f := im.k.Winograd[i/2%len(im.k.Winograd)]
			m := f.M
			c := winogradInt8Case(r, f)
			w, err := NewWinogradInt8(im, c.spec, c.int8Weights(), m)
			if err != nil {
				t.Fatalf("case %d: %v", i, err)
			}
			in, out := guard.Tail(t, c.spec.In.Bytes()), guard.Head(t, c.spec.Out.Bytes())
			if i%2 == 1 {
				in, out = guard.Head(t, c.spec.In.Bytes()), guard.Tail(t, c.spec.Out.Bytes())
			}
			c.image(im, in)
			for j := range out {
				out[j] = 0x5a
			}
			w.Run(&ctx, out, in)
			if err := c.check(out); err != nil {
				t.Fatalf("case %d, %+v: %v", i, c.spec, err)
			}
			if err := haloIntact(c.spec.Out, out, c.spec.Mode); err != nil {
				t.Fatalf("case %d: %v", i, err)
			}
			inParts(t, r, w, out, in)
			direct, err := NewConv(im, c.spec, c.weights())
			if err != nil {
				t.Fatal(err)
			}
			second := slices.Clone(out)
			for j := range second {
				second[j] = 0x5a
			}
			if direct.Run(&ctx, second, in); !slices.Equal(second, out) {
				t.Fatalf("case %d: other bytes than the direct convolution's", i)
			}
			if n := testing.AllocsPerRun(3, func() { w.Run(&ctx, out, in) }); n != 0 {
				t.Fatalf("%v allocations a run", n)
			}
		}
	})
	if off := os.Getenv(EnvVar); rows == 0 && off != "" {
		t.Skipf("none of the rows that %s=%s leaves has transforms of int8", EnvVar, off)
	} else if rows == 0 {
		t.Error("no row has transforms of int8")
	}
}

// The largest sums that are let in: the same byte on both ways. Weights so large are refused
// for more channels, others are not.
func TestWinogradInt8Extremes(t *testing.T) {
	eachImpl(t, dtype.Int8, func(t *testing.T, im *Impl) {
		if len(im.k.Winograd) == 0 {
			t.Skip("has no such transforms")
		}
		for _, f := range im.k.Winograd {
			winogradExtremes(t, im, f.M, f.VL)
		}
	})
}

func winogradExtremes(t *testing.T, im *Impl, m, vl int) {
	inC := int(math.MaxInt32/winogradTimes[m]/(9*128*128)) / vl * vl
	s := ConvSpec{
		In: Image{DType: dtype.Int8, H: m + 2, W: m + 2, C: inC}, Out: Image{DType: dtype.Int8, H: m, W: m, C: 16},
		KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Mode: tile.Requant, Lo: -128, Hi: 127,
		Scale: make([]float32, 16), Offset: make([]float32, 16),
	}
	for i := range s.Scale {
		s.Scale[i] = 100 / float32(9*inC*128*128)
	}
	for _, signs := range [][2]int{{-128, -128}, {-128, 127}, {127, -128}, {127, 127}} {
		c := convCase{spec: s, x: make([]float64, (m+2)*(m+2)*inC), w: make([]float64, 16*9*inC)}
		for i := range c.x {
			c.x[i] = float64(signs[0])
		}
		for i := range c.w {
			c.w[i] = float64(signs[1])
		}
		w, err := NewWinogradInt8(im, s, c.int8Weights(), m)
		if err != nil {
			t.Fatal(err)
		}
		var ctx Context
		in, out := make([]byte, s.In.Bytes()), make([]byte, s.Out.Bytes())
		c.image(im, in)
		w.Run(&ctx, out, in)
		if err := c.check(out); err != nil {
			t.Errorf("F(%d, 3), %d times %d: %v", m, signs[0], signs[1], err)
		}
	}
	s.In.C += vl
	weights := make([]int8, 9*s.In.C*s.Out.C)
	for i := range weights {
		weights[i] = 100
	}
	if _, err := NewWinogradInt8(im, s, weights, m); err != nil {
		t.Errorf("F(%d, 3) of %d channels: %v", m, s.In.C, err)
	}
	for i := range 9 * s.In.C {
		weights[i] = -128
	}
	if _, err := NewWinogradInt8(im, s, weights, m); err == nil || !strings.Contains(err.Error(), "sums of filter 0") {
		t.Errorf("F(%d, 3) of %d channels: error %v", m, s.In.C, err)
	}
}

func TestWinogradInt8Refuses(t *testing.T) {
	im, err := Lookup(dtype.Int8, "generic")
	if err != nil {
		t.Fatal(err)
	}
	r := newRand(t)
	c := winogradInt8Case(r, im.k.Winograd[0])
	weights := c.int8Weights()
	bits := c.spec
	bits.Mode, bits.Scale, bits.Offset, bits.Multipliers, bits.Threshold = tile.Bits, nil, nil, nil, make([]int32, bits.Out.C)
	bits.Out.DType = dtype.Binary
	for _, refused := range []struct {
		change func(s *ConvSpec) []int8
		m      int
		want   string
	}{
		{func(s *ConvSpec) []int8 { return weights }, 6, "no transform F(6, 3)"},
		{func(s *ConvSpec) []int8 { return weights[1:] }, 2, "weights: want"},
		{func(s *ConvSpec) []int8 {
			*s = bits
			return make([]int8, 9*s.In.C*s.Out.C)
		}, 2, "want int8, Requant or Store"},
		{func(s *ConvSpec) []int8 { s.StrideH = 2; return weights }, 2, ""},
		{func(s *ConvSpec) []int8 { // the pool's sums wrap, of which Conv takes the maximum
			s.Pool, s.Out.H, s.Out.W = true, 1, 1
			s.BiasI = make([]int32, s.Out.C)
			s.BiasI[1] = math.MinInt32
			return weights
		}, 2, "with a bias of -2147483648 before the pool"},
		{func(s *ConvSpec) []int8 { s.In.C = 3; return make([]int8, 27*s.Out.C) }, 2, "multiples of 8"},
	} {
		s := c.spec
		w := refused.change(&s)
		if _, err := NewWinogradInt8(im, s, w, refused.m); err == nil || !strings.Contains(err.Error(), refused.want) {
			t.Errorf("error %v, want %q", err, refused.want)
		}
	}
	if _, err := NewWinograd(im, c.spec, make([]float32, len(weights)), 2); err == nil {
		t.Error("float32 weights were accepted for int8")
	}
}
