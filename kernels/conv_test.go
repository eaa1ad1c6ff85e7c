package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/internal/guard"
	"macroscope/kernels/tile"
	"macroscope/quant"
)

// convCase is a convolution in plain values beside its packed form.
type convCase struct {
	spec ConvSpec
	// x is [H+halo][W+halo][C] with the halo's values, w [OutC][KH][KW][C]; for
	// binary ±1, for int8 integers.
	x, w []float64
}

// randomConv makes a small case with everything that the driver treats
// specially: ragged tiles and panels, halos wider than needed, strides,
// dilation, pools, each mode.
func randomConv(r *rand.Rand, d dtype.DType) convCase {
	s := ConvSpec{
		KH: 1 + r.IntN(3), KW: 1 + r.IntN(3), StrideH: 1 + r.IntN(2), StrideW: 1 + r.IntN(2),
		DilationH: 1 + r.IntN(2), DilationW: 1 + r.IntN(2), Pool: r.IntN(2) == 0,
	}
	inC := 1 + r.IntN(9)
	if d == dtype.Binary {
		inC = 1 + r.IntN(70)
	}
	outC := 1 + r.IntN(70)
	return filledConv(r, s, d, inC, outC, 1+r.IntN(6), 1+r.IntN(6))
}

// filledConv gives a case that has its kernel, strides and pool the rest: images
// that fit an output of h×w, values, and a mode with its constants.
func filledConv(r *rand.Rand, s ConvSpec, d dtype.DType, inC, outC, h, w int) convCase {
	sumsH, sumsW := h, w
	if s.Pool {
		sumsH, sumsW = 2*h, 2*w
	}
	s.PadTop, s.PadLeft = r.IntN(s.KH), r.IntN(s.KW)
	s.In = Image{DType: d, C: inC, Top: s.PadTop + r.IntN(2), Left: s.PadLeft + r.IntN(2)}
	needH := (sumsH-1)*s.StrideH + (s.KH-1)*s.DilationH - s.PadTop + 1
	needW := (sumsW-1)*s.StrideW + (s.KW-1)*s.DilationW - s.PadLeft + 1
	s.In.H, s.In.W = max(1, needH-r.IntN(2)), max(1, needW-r.IntN(2))
	s.In.Bottom, s.In.Right = max(0, needH-s.In.H), max(0, needW-s.In.W)
	s.Out = Image{H: h, W: w, C: outC, Top: r.IntN(2), Left: r.IntN(2), Bottom: r.IntN(2), Right: r.IntN(2)}

	c := convCase{}
	k := s.KH * s.KW * inC
	pixels := (s.In.Top + s.In.H + s.In.Bottom) * (s.In.Left + s.In.W + s.In.Right)
	values := func(n int) []float64 {
		v := make([]float64, n)
		f, i := someFloat32(r, n), someInt8(r, n)
		for j := range v {
			switch d {
			case dtype.Float32:
				v[j] = float64(f[j])
			case dtype.Int8:
				v[j] = float64(i[j])
			default:
				v[j] = float64(2*r.IntN(2) - 1)
			}
		}
		return v
	}
	c.x, c.w = values(pixels*inC), values(outC*k)
	if s.NonNegative = d == dtype.Int8 && r.IntN(2) == 0; s.NonNegative {
		for i, x := range c.x {
			c.x[i] = min(127, math.Abs(x))
		}
	}

	if d == dtype.Float32 {
		s.Out.DType = dtype.Float32
		if r.IntN(2) == 0 {
			s.BiasF = someFloat32(r, outC)
		}
		if r.IntN(2) == 0 {
			s.Lo, s.Hi = 0, float32(math.Inf(1))
		}
		c.spec = s
		return c
	}
	if r.IntN(2) == 0 {
		s.BiasI = make([]int32, outC)
		for i := range s.BiasI {
			s.BiasI[i] = int32(r.IntN(2000) - 1000)
		}
	}
	s.Mode = []tile.Mode{tile.Store, tile.Requant, tile.Bits}[r.IntN(3)]
	switch s.Mode {
	case tile.Store:
		s.Out.DType = dtype.Float32
	case tile.Requant:
		s.Out.DType = dtype.Int8
		s.Lo, s.Hi = float32(-127*r.IntN(2)), 127
		s.OutXor = uint8(0x80 * r.IntN(2))
		s.Scale, s.Offset = make([]float32, outC), someFloat32(r, outC)
		for i := range s.Scale {
			s.Scale[i] = float32(r.ExpFloat64()) / float32(k)
			if r.IntN(4) == 0 {
				s.Scale[i], s.Offset[i] = 0.5, 0 // halves, to see them go to even
			}
		}
		if r.IntN(2) == 0 {
			s.Scale, s.Offset, s.Multipliers, s.Zero = nil, nil, someMultipliers(r, outC), int8(r.IntN(256)-128)
		}
	case tile.Bits:
		s.Out.DType = dtype.Binary
		s.Threshold, s.Flip = make([]int32, outC), make([]bool, outC)
		for i := range s.Threshold {
			s.Threshold[i] = int32(r.IntN(2*k+1) - k)
			s.Flip[i] = r.IntN(2) == 0
			if r.IntN(10) == 0 {
				s.Threshold[i] = []int32{math.MinInt32, math.MaxInt32}[r.IntN(2)]
			}
		}
	}
	c.spec = s
	return c
}

// requantized is the byte that the definition makes of channel o's sum.
func (s *ConvSpec) requantized(sum int32, o int) uint8 {
	if s.Multipliers != nil {
		return uint8(quant.RequantizeInteger(sum, s.Multipliers[o], int32(s.Zero), int32(s.Lo), int32(s.Hi))) ^ s.OutXor
	}
	return uint8(quant.Requantize(sum, s.Scale[o], s.Offset[o], s.Lo, s.Hi)) ^ s.OutXor
}

// image packs x as the implementation reads it.
func (c *convCase) image(im *Impl, mem []byte) {
	in := c.spec.In
	for p := range len(c.x) / in.C {
		px := mem[p*in.PixelBytes():][:in.PixelBytes()]
		for ch := range in.C {
			v := c.x[p*in.C+ch]
			switch in.DType {
			case dtype.Float32:
				view[float32](px)[ch] = float32(v)
			case dtype.Int8:
				px[ch] = uint8(int8(v)) ^ im.AXor()
			default:
				if v > 0 {
					px[ch/8] |= 1 << (ch % 8)
				}
			}
		}
	}
}

func (c *convCase) weights() []uint32 {
	f, i := make([]float32, len(c.w)), make([]int8, len(c.w))
	for j, v := range c.w {
		f[j], i[j] = float32(v), int8(v)
	}
	switch c.spec.In.DType {
	case dtype.Float32:
		return PackFloat32(f)
	case dtype.Int8:
		return PackInt8(i, c.spec.In.C)
	default:
		return PackBinary(f, c.spec.In.C)
	}
}

// sum is the plain definition, with Σ|products|.
func (c *convCase) sum(y, x, o int) (sum, abs float64) {
	s := &c.spec
	row := (s.In.Left + s.In.W + s.In.Right) * s.In.C
	for ky := range s.KH {
		for kx := range s.KW {
			for ch := range s.In.C {
				iy, ix := s.In.Top+y*s.StrideH+ky*s.DilationH-s.PadTop, s.In.Left+x*s.StrideW+kx*s.DilationW-s.PadLeft
				p := c.x[iy*row+ix*s.In.C+ch] * c.w[((o*s.KH+ky)*s.KW+kx)*s.In.C+ch]
				sum += p
				abs += math.Abs(p)
			}
		}
	}
	if s.BiasF != nil {
		sum += float64(s.BiasF[o])
		abs += math.Abs(float64(s.BiasF[o]))
	}
	if s.BiasI != nil {
		sum += float64(s.BiasI[o])
	}
	return sum, abs
}

// check compares every output with the definition.
func (c *convCase) check(out []byte) error {
	s := &c.spec
	for y := range s.Out.H {
		for x := range s.Out.W {
			for o := range s.Out.C {
				var sum, abs float64
				if s.Pool {
					sum = math.Inf(-1)
					for i := range 4 {
						v, a := c.sum(2*y+i/2, 2*x+i%2, o)
						sum, abs = max(sum, v), max(abs, a)
					}
				} else {
					sum, abs = c.sum(y, x, o)
				}
				px := out[s.Out.Offset(y, x):]
				var got, want any
				ok := false
				switch {
				case s.In.DType == dtype.Float32:
					if s.Hi > 0 {
						sum = max(sum, 0)
					}
					g := view[float32](px)[o]
					got, want, ok = g, sum, closeEnough(g, sum, abs, s.KH*s.KW*s.In.C+1)
				case s.Mode == tile.Store:
					g := view[int32](px)[o]
					got, want, ok = g, sum, float64(g) == sum
				case s.Mode == tile.Requant:
					w := s.requantized(int32(sum), o)
					got, want, ok = px[o], w, px[o] == w
				default:
					g, w := px[o/8]>>(o%8)&1 == 1, quant.Threshold{T: s.Threshold[o], Flip: s.Flip[o]}.Bit(int32(sum))
					got, want, ok = g, w, g == w
				}
				if !ok {
					return fmt.Errorf("output [%d][%d][%d]: got %v, want %v (sum %v)\n%+v", y, x, o, got, want, sum, *s)
				}
			}
		}
	}
	return nil
}

func TestConv(t *testing.T) {
	for _, d := range dtype.All {
		t.Run(d.String(), func(t *testing.T) {
			eachImpl(t, d, func(t *testing.T, im *Impl) {
				r := newRand(t)
				var ctx Context
				for i := range cases(im, 300, 60, 24) {
					c := randomConv(r, d)
					place := guard.Tail
					if i%2 == 1 {
						place = guard.Head
					}
					if err := runConv(t, im, &ctx, &c, place); err != nil {
						t.Fatalf("case %d: %v", i, err)
					}
				}
			})
		})
	}
}

// runConv runs a case in guarded memory and checks what became of it.
func runConv(t *testing.T, im *Impl, ctx *Context, c *convCase, place func(testing.TB, int) []byte) error {
	conv, err := NewConv(im, c.spec, c.weights())
	if err != nil {
		return err
	}
	in, out := place(t, c.spec.In.Bytes()), place(t, c.spec.Out.Bytes())
	c.image(im, in)
	before := string(in)
	const mark = 0x5a
	if c.spec.Mode != tile.Bits { // bits past the last column are given as 0 and stay
		for j := range out {
			out[j] = mark
		}
	}
	conv.Run(ctx, out, in)
	if err := c.check(out); err != nil {
		return err
	}
	if string(in) != before {
		return fmt.Errorf("the input was written to")
	}
	if err := haloIntact(c.spec.Out, out, c.spec.Mode); err != nil {
		return fmt.Errorf("%w\n%+v", err, c.spec)
	}
	return nil
}

// Images as wide as networks have them, which the random ones are not: whole tiles
// lie in a row of pixels, and a kernel's row is longer than a chunk.
func TestConvWide(t *testing.T) {
	shapes := []struct{ h, w, inC, outC, k int }{
		{2, 32, 16, 32, 3}, {3, 16, 64, 64, 3}, {5, 8, 48, 32, 3}, {2, 33, 68, 40, 1}, {1, 64, 3, 32, 3}, {4, 20, 24, 33, 2},
	}
	for _, d := range dtype.All {
		t.Run(d.String(), func(t *testing.T) {
			eachImpl(t, d, func(t *testing.T, im *Impl) {
				r := newRand(t)
				var ctx Context
				for _, s := range shapes {
					if tooMuch(im, s.h*s.w*s.inC*s.outC*s.k*s.k) {
						continue
					}
					for i := range cases(im, 8, 2, 2) {
						spec := ConvSpec{KH: s.k, KW: s.k, StrideH: 1, StrideW: 1 + i/2%2, DilationH: 1, DilationW: 1, Pool: i%2 == 1}
						h, w := s.h, s.w
						if spec.Pool {
							h, w = (h+1)/2, w/2
						}
						c := filledConv(r, spec, d, s.inC, s.outC, h, w)
						if err := runConv(t, im, &ctx, &c, guard.Tail); err != nil {
							t.Fatalf("%+v, case %d: %v", s, i, err)
						}
					}
				}
			})
		})
	}
}

// haloIntact checks that nothing but the pixels' existing channels was written.
func haloIntact(m Image, out []byte, mode tile.Mode) error {
	used := map[int]bool{}
	for y := range m.H {
		for x := range m.W {
			for b := range (m.C*m.DType.Bits() + 7) / 8 {
				used[m.Offset(y, x)+b] = true
			}
		}
	}
	mark := byte(0x5a)
	if mode == tile.Bits {
		mark = 0
	}
	for i, b := range out {
		if !used[i] && b != mark {
			return fmt.Errorf("byte %d outside the pixels was overwritten with %#x", i, b)
		}
	}
	return nil
}

func TestConvAllocatesNothing(t *testing.T) {
	r := newRand(t)
	for _, d := range dtype.All {
		eachImpl(t, d, func(t *testing.T, im *Impl) {
			c := randomConv(r, d)
			conv, err := NewConv(im, c.spec, c.weights())
			if err != nil {
				t.Fatal(err)
			}
			var ctx Context
			in, out := Aligned(c.spec.In.Bytes()), Aligned(c.spec.Out.Bytes())
			conv.Run(&ctx, out, in)
			if n := testing.AllocsPerRun(10, func() { conv.Run(&ctx, out, in) }); n != 0 {
				t.Errorf("%v allocations a run", n)
			}
		})
	}
}

func TestNewConvRefuses(t *testing.T) {
	im, err := Lookup(dtype.Int8, "generic")
	if err != nil {
		t.Fatal(err)
	}
	good := ConvSpec{
		In:  Image{DType: dtype.Int8, H: 4, W: 4, C: 4, Top: 1, Left: 1, Bottom: 1, Right: 1},
		Out: Image{DType: dtype.Float32, H: 4, W: 4, C: 8},
		KH:  3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, PadTop: 1, PadLeft: 1,
	}
	weights := make([]uint32, 8*9)
	if _, err := NewConv(im, good, weights); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		change     func(s *ConvSpec)
	}{
		{"dtype", "input is float32", func(s *ConvSpec) { s.In.DType = dtype.Float32 }},
		{"halo", "last row of taps", func(s *ConvSpec) { s.In.Bottom = 0 }},
		{"right", "last column of taps", func(s *ConvSpec) { s.Out.W = 5 }},
		{"pad", "within the input's halo", func(s *ConvSpec) { s.PadTop = 2 }},
		{"stride", "want each in 1", func(s *ConvSpec) { s.StrideH = 0 }},
		{"zero", "want sizes", func(s *ConvSpec) { s.Out.C = 0 }},
		{"huge", "larger than", func(s *ConvSpec) { s.In.H = 1 << 40 }},
		{"weights", "words of weights", func(s *ConvSpec) { s.Out.C = 9 }},
		{"mode", "the output is", func(s *ConvSpec) { s.Mode = tile.Bits }},
		{"bias", "BiasI has", func(s *ConvSpec) { s.BiasI = make([]int32, 7) }},
		{"float bias", "BiasF has", func(s *ConvSpec) { s.BiasF = make([]float32, 8) }},
		{"scale", "Scale has 0", func(s *ConvSpec) { s.Mode, s.Out.DType = tile.Requant, dtype.Int8 }},
		{"long", "int32 is exact", func(s *ConvSpec) {
			s.KH, s.KW, s.In.C, s.Out.C = 1, 1, 131072, 1
			s.PadTop, s.PadLeft = 0, 0
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := good
			c.change(&s)
			w := weights
			if c.name == "long" {
				w = make([]uint32, 131072/4)
			}
			if _, err := NewConv(im, s, w); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// Scales and offsets that are not finite, and products far outside int32, become
// the bytes that quant.Requantize says.
func TestRequantExtremes(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	special := []float32{0, 0.5, 1, 1e-40, 3e38, inf, -inf, nan, -nan, 0x1p23, 126.5, -126.5, 127.5, -128.5}
	for _, d := range []dtype.DType{dtype.Int8, dtype.Binary} {
		eachImpl(t, d, func(t *testing.T, im *Impl) {
			n := len(special) * len(special)
			s := ConvSpec{
				In: Image{DType: d, H: 1, W: 8, C: 4}, Out: Image{DType: dtype.Int8, H: 1, W: 8, C: n},
				KH: 1, KW: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1,
				Mode: tile.Requant, BiasI: make([]int32, n), Scale: make([]float32, n), Offset: make([]float32, n),
			}
			for _, bias := range []int32{math.MinInt32, -3, 0, 5, math.MaxInt32 - 8} {
				for _, bounds := range [][2]float32{{-128, 127}, {0, 127}, {-5, -5}} {
					s.Lo, s.Hi = bounds[0], bounds[1]
					for i := range n {
						s.BiasI[i], s.Scale[i], s.Offset[i] = bias, special[i/len(special)], special[i%len(special)]
					}
					conv, err := NewConv(im, s, make([]uint32, n))
					if err != nil {
						t.Fatal(err)
					}
					in, out := Aligned(s.In.Bytes()), Aligned(s.Out.Bytes())
					for i := range in {
						in[i] = im.AXor()
					}
					conv.Run(&Context{}, out, in)
					sum := bias
					if d == dtype.Binary {
						sum += 4 // all bits agree
					}
					for i, got := range out[:8*n] {
						scale, offset := s.Scale[i%n], s.Offset[i%n]
						if want := quant.Requantize(sum, scale, offset, s.Lo, s.Hi); int8(got) != want {
							t.Fatalf("%d·%v + %v within %v: got %d, want %d", sum, scale, offset, bounds, int8(got), want)
						}
					}
				}
			}
		})
	}
}
