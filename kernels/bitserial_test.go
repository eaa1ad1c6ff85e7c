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

// serialCase is a convolution of integers of few bits, with the same plain values and
// definition as one of int8.
type serialCase struct {
	convCase
	Levels
	int8s []int8
}

// narrow makes a case of int8 one of few bits: weights as somebody may have them, and
// thresholds and values within what they can give.
func narrow(r *rand.Rand, c convCase, bits int, weights []int) serialCase {
	s := serialCase{convCase: c, Levels: Levels{bits, -r.IntN(1 << bits), 1}}
	if r.IntN(8) == 0 {
		s.Base = 3 - 20*r.IntN(2)
	}
	if r.IntN(4) == 0 {
		s.Base, s.Step = -r.IntN(2<<bits), 2
	}
	k := float64(c.spec.KH * c.spec.KW * c.spec.In.C)
	extreme := r.IntN(6) == 0 // all products as large as can be, or as small
	for i := range s.x {
		s.x[i] = float64(s.Base + s.Step*r.IntN(1<<bits))
		if extreme {
			s.x[i] = float64(s.last())
		}
	}
	for i := range s.w {
		s.w[i] = float64(weights[r.IntN(len(weights))])
		if extreme {
			s.w[i] = float64(weights[0])
		}
		s.int8s = append(s.int8s, int8(s.w[i]))
	}
	for i, t := range s.spec.Threshold {
		if t != math.MinInt32 && t != math.MaxInt32 {
			s.spec.Threshold[i] = int32(float64(t) / 10)
		}
	}
	if n := len(s.spec.Multipliers); n > 0 { // not of few bits
		s.spec.Multipliers, s.spec.Zero = nil, 0
		s.spec.Scale, s.spec.Offset = make([]float32, n), someFloat32(r, n)
		for i := range n {
			s.spec.Scale[i] = float32(r.ExpFloat64() / k)
		}
	}
	for i := range s.spec.Scale {
		if s.spec.Scale[i] != 0.5 {
			s.spec.Scale[i] *= float32(k / 10)
		}
	}
	return s
}

// planes packs x into bit planes.
func (c *serialCase) planes(mem []byte) {
	in := c.spec.In
	in.DType = dtype.Binary
	for p := range len(c.x) / in.C {
		for ch := range in.C {
			for i := range c.Bits {
				if (int(c.x[p*in.C+ch])-c.Base)/c.Step>>i&1 != 0 {
					mem[i*in.Bytes()+p*in.PixelBytes()+ch/8] |= 1 << (ch % 8)
				}
			}
		}
	}
}

var someWeights = [][]int{
	{1, -1}, {-1, 1}, {-1, 0, 1}, {1, 0, -1}, {0}, {1}, {-2, -1, 0, 1}, {2, -2, 1}, {3, 1, -1, -3}, {-3, -1, 1, 3},
	{-4, -3, -2, -1, 0, 1, 2, 3}, {7, 6, 5, 4, 3, 2, 1, 0, -1, -2, -3, -4, -5, -6, -7}, {-8, 7, 0}, {-7, 7, 5},
}

// runSerial runs a case in guarded memory and checks what became of it.
func runSerial(t *testing.T, im *Impl, ctx *Context, c *serialCase, place func(testing.TB, int) []byte) error {
	spec := c.spec
	spec.In.DType, spec.NonNegative = dtype.Binary, false
	conv, err := NewBitSerial(im, spec, c.Levels, c.int8s)
	if err != nil {
		return err
	}
	if got, want := conv.Products(), im.SerialProducts(c.Bits, c.int8s); got != want {
		return fmt.Errorf("%d products: %d were said", got, want)
	}
	in, out := place(t, c.Bits*spec.In.Bytes()), place(t, spec.Out.Bytes())
	c.planes(in)
	if spec.Mode != tile.Bits {
		for j := range out {
			out[j] = 0x5a
		}
	}
	conv.Run(ctx, out, in)
	if err := haloIntact(spec.Out, out, spec.Mode); err != nil {
		return err
	}
	if spec.Mode == tile.Store {
		for y := range spec.Out.H {
			for x := range spec.Out.W {
				for _, v := range [][]int32{view[int32](out[spec.Out.Offset(y, x):])[:spec.Out.C]} {
					for o := range v {
						if v[o]%conv.Factor() != 0 {
							return fmt.Errorf("sum %d: want a multiple of %d", v[o], conv.Factor())
						}
						v[o] /= conv.Factor()
					}
				}
			}
		}
	}
	return c.check(out)
}

// Few bits give what the same integers give as int8: every mode, pools, ragged tiles,
// strides, halos, biases.
func TestBitSerial(t *testing.T) {
	eachImpl(t, dtype.Binary, func(t *testing.T, im *Impl) {
		r := newRand(t)
		var ctx Context
		for i := range cases(im, 400, 80, 24) {
			c := randomConv(r, dtype.Int8)
			if im.Name() == "generic" || i%3 == 0 {
				k := c.spec
				plain := ConvSpec{KH: k.KH, KW: k.KW, StrideH: k.StrideH, StrideW: k.StrideW, DilationH: k.DilationH, DilationW: k.DilationW, Pool: k.Pool}
				c = filledConv(r, plain, dtype.Int8, 1+r.IntN(70), c.spec.Out.C, c.spec.Out.H, c.spec.Out.W)
			}
			s := narrow(r, c, 1+i%MaxSerialBits, someWeights[r.IntN(len(someWeights))])
			place := guard.Tail
			if i%2 == 1 {
				place = guard.Head
			}
			if err := runSerial(t, im, &ctx, &s, place); err != nil {
				t.Fatalf("case %d, %+v, weights %v: %v", i, s.Levels, s.int8s[:min(8, len(s.int8s))], err)
			}
		}
	})
}

// Images with a halo of 0, where whole tiles leave out what they know of it.
func TestBitSerialEdges(t *testing.T) {
	eachImpl(t, dtype.Binary, func(t *testing.T, im *Impl) {
		r := newRand(t)
		var ctx Context
		for i := range cases(im, 40, 12, 4) {
			h, w := 8, 16
			spec := ConvSpec{KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Pool: i%2 == 1}
			if spec.Pool {
				h, w = h/2, w/2
			}
			c := filledConv(r, spec, dtype.Int8, 1+r.IntN(70), 32*(1+r.IntN(2)), h, w)
			in := &c.spec.In
			c.spec.PadTop, c.spec.PadLeft, c.spec.Halo = 1, 1, HaloZero
			in.Top, in.Left, in.Bottom, in.Right, in.H, in.W = 1, 1, 1, 1, 8, 16
			c.x = make([]float64, 10*18*in.C)
			s := narrow(r, c, 1+i%MaxSerialBits, someWeights[r.IntN(len(someWeights))])
			if !s.Has(0) {
				s.Base = 0
			}
			for p := range 10 * 18 {
				for ch := range in.C {
					s.x[p*in.C+ch] = float64(s.Base + s.Step*r.IntN(1<<s.Bits))
					if y, x := p/18, p%18; y == 0 || x == 0 || y == 9 || x == 17 {
						s.x[p*in.C+ch] = 0
					}
				}
			}
			if err := runSerial(t, im, &ctx, &s, guard.Tail); err != nil {
				t.Fatalf("case %d, %+v: %v", i, s.Levels, err)
			}
			plane := s.spec
			plane.In.DType = dtype.Binary
			conv, err := NewBitSerial(im, plane, s.Levels, s.int8s)
			if err != nil || im.k.Doubles && len(conv.conv.edges) == 0 {
				t.Fatalf("no edges where there should be some, %v", err)
			}
		}
	})
}

// once is what a tile that doubles needs, repeated what any other does; ternary one of
// ternary planes.
func TestSerialProducts(t *testing.T) {
	for _, c := range []struct {
		bits                    int
		w                       []int8
		ternary, once, repeated int
	}{
		{1, []int8{1, -1}, 1, 1, 1}, {2, []int8{1, -1}, 2, 2, 3}, {2, []int8{1, 0}, 2, 4, 6}, {2, []int8{0}, 2, 4, 6}, {4, []int8{3, -1}, 8, 8, 45}, {2, []int8{-2, 1}, 4, 6, 12},
		{4, []int8{7, -6}, 12, 20, 15 * 16}, {4, []int8{-8}, 16, 20, 15 * 16}, {4, []int8{7, -7, 5}, 12, 12, 15 * 7}, {2, []int8{9}, 0, 0, 0}, {5, []int8{1}, 0, 0, 0}, {0, []int8{1}, 0, 0, 0},
	} {
		for _, im := range Table() {
			want := 0
			if im.DType() == dtype.Binary {
				switch {
				case im.k.TernaryTile != nil:
					want = c.ternary
				case im.k.Doubles:
					want = c.once
				default:
					want = c.repeated
				}
			}
			if got := im.SerialProducts(c.bits, c.w); got != want {
				t.Errorf("%v: %d bits by %v: %d products, want %d", im, c.bits, c.w, got, want)
			}
		}
	}
}

func TestBitSerialRefuses(t *testing.T) {
	im, err := Lookup(dtype.Binary, "generic")
	if err != nil {
		t.Fatal(err)
	}
	good := func() ConvSpec {
		return ConvSpec{
			In: Image{DType: dtype.Binary, H: 4, W: 4, C: 2}, Out: Image{DType: dtype.Float32, H: 2, W: 2, C: 1},
			KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1,
		}
	}
	for _, c := range []struct {
		want   string
		change func(*ConvSpec)
		Levels
		weight int8
	}{
		{"want 1 to 4 bits", func(*ConvSpec) {}, Levels{5, 0, 1}, 1},
		{"want 1 to 4 bits", func(*ConvSpec) {}, Levels{0, 0, 1}, 1},
		{"within −128…255", func(*ConvSpec) {}, Levels{2, 253, 1}, 1},
		{"a halo of 0", func(s *ConvSpec) { s.Halo = HaloZero }, Levels{2, 1, 1}, 1},
		{"in steps of 1 or 2", func(*ConvSpec) {}, Levels{2, 0, 3}, 1},
		{"a halo of 0", func(s *ConvSpec) { s.Halo = HaloZero }, Levels{1, -1, 2}, 1},
		{"halo 2", func(s *ConvSpec) { s.Halo = HaloMinusOne }, Levels{2, 0, 1}, 1},
		{"weights up to 9", func(*ConvSpec) {}, Levels{2, 0, 1}, -9},
		{"18 weights", func(s *ConvSpec) { s.Out.C = 2 }, Levels{2, 0, 1}, 1},
		{"may leave int32", func(s *ConvSpec) { s.BiasI = []int32{1 << 30} }, Levels{2, 0, 1}, 1},
		{"multipliers of integers", func(s *ConvSpec) { s.Multipliers = make([]quant.Multiplier, 1) }, Levels{2, 0, 1}, 1},
		{"input is int8", func(s *ConvSpec) { s.In.DType = dtype.Int8 }, Levels{2, 0, 1}, 1},
		{"Scale has 0 values", func(s *ConvSpec) { s.Mode, s.Out.DType = tile.Requant, dtype.Int8 }, Levels{2, 0, 1}, 1},
	} {
		s, w := good(), make([]int8, 18)
		for i := range w {
			w[i] = c.weight
		}
		c.change(&s)
		if _, err := NewBitSerial(im, s, c.Levels, w); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	if _, err := NewBitSerial(im, good(), Levels{2, 0, 1}, make([]int8, 18)); err != nil {
		t.Error(err)
	}
}
