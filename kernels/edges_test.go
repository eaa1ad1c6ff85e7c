package kernels

import (
	"math/rand/v2"
	"testing"

	"macroscope/dtype"
	"macroscope/internal/guard"
)

// wholePanels gives a number of columns that fills the panels of a tile, the same
// for most.
func wholePanels(nr int) int {
	if 32%nr == 0 {
		return 32
	}
	return nr
}

// paddedConv makes a case whose halo holds what Halo says, with once or twice so
// many columns: those of whole panels, as convolutions need that leave out taps.
func paddedConv(r *rand.Rand, d dtype.DType, columns int) convCase {
	for {
		c := randomConv(r, d)
		s := &c.spec
		if s.DilationW > 1 {
			continue
		}
		old := s.Out.C
		s.Out.C = columns * (1 + r.IntN(2))
		k := s.KH * s.KW * s.In.C
		for i := old * k; i < s.Out.C*k; i++ {
			c.w = append(c.w, c.w[i%(old*k)])
		}
		c.w = c.w[:s.Out.C*k]
		s.BiasF, s.BiasI = resized(s.BiasF, s.Out.C), resized(s.BiasI, s.Out.C)
		s.Scale, s.Offset = resized(s.Scale, s.Out.C), resized(s.Offset, s.Out.C)
		s.Multipliers = resized(s.Multipliers, s.Out.C)
		s.Threshold, s.Flip = resized(s.Threshold, s.Out.C), resized(s.Flip, s.Out.C)

		pad := 0.
		s.Halo = HaloZero
		if d == dtype.Binary {
			s.Halo, pad = HaloMinusOne, -1
			if r.IntN(2) == 0 {
				s.Halo, pad = HaloPlusOne, 1
			}
		}
		row := s.In.Left + s.In.W + s.In.Right
		for p := range len(c.x) / s.In.C {
			if y, x := p/row-s.In.Top, p%row-s.In.Left; y < 0 || y >= s.In.H || x < 0 || x >= s.In.W {
				for ch := range s.In.C {
					c.x[p*s.In.C+ch] = pad
				}
			}
		}
		return c
	}
}

// resized repeats a slice's elements; nil stays nil.
func resized[T any](v []T, n int) []T {
	for i := 0; len(v) > 0 && len(v) < n; i++ {
		v = append(v, v[i])
	}
	return v[:min(len(v), n)]
}

func TestConvLeavesOutPadding(t *testing.T) {
	for _, d := range dtype.All {
		t.Run(d.String(), func(t *testing.T) {
			eachImpl(t, d, func(t *testing.T, im *Impl) {
				r := newRand(t)
				var ctx Context
				edges, pooled := 0, 0
				for i := range cases(im, 400, 100, 12) {
					c := paddedConv(r, d, wholePanels(im.k.NR))
					conv, err := NewConv(im, c.spec, c.weights())
					if err != nil {
						t.Fatalf("case %d: %v", i, err)
					}
					edges += len(conv.edges)
					if c.spec.Pool {
						pooled += len(conv.edges)
					}
					in, out := guard.Tail(t, c.spec.In.Bytes()), guard.Tail(t, c.spec.Out.Bytes())
					c.image(im, in)
					cut := r.IntN(conv.Tiles() + 1)
					conv.RunTiles(&ctx, out, in, cut, conv.Tiles())
					conv.RunTiles(&ctx, out, in, 0, cut)
					if err := c.check(out); err != nil {
						t.Fatalf("case %d: %v", i, err)
					}
				}
				if im.k.PieceTile != nil && (pooled == 0 || edges == pooled) {
					t.Errorf("%d edges, %d of them pooled: want some of each", edges, pooled)
				}
			})
		})
	}
}

// By hand: of the 9·64 taps of an 8x8 image, unpooled, the top and the bottom
// row of 8 pixels leave out 3 each, and of each of the columns 4 pixels: 24 + 24
// + 12 + 12. Pooled, the windows at the top have 8 pixels in a row that leave
// out 3 (24), and so the bottom ones; the two windows left of the rest have 4
// (12), and so those to the right.
func TestTapsLeftOut(t *testing.T) {
	var im *Impl
	for _, row := range Table() {
		if row.Available() && row.DType() == dtype.Int8 && row.k.PieceTile != nil {
			im = row
		}
	}
	if im == nil {
		t.Skip("no implementation that leaves out taps")
	}
	columns := wholePanels(im.k.NR)
	for _, pool := range []bool{false, true} {
		s := ConvSpec{
			In: Image{DType: dtype.Int8, H: 8, W: 8, C: 64, Top: 1, Left: 1, Bottom: 1, Right: 1}, Out: Image{DType: dtype.Float32, H: 8, W: 8, C: columns},
			KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, PadTop: 1, PadLeft: 1, Halo: HaloZero, Pool: pool,
		}
		if pool {
			s.Out.H, s.Out.W = 4, 4
		}
		conv, err := NewConv(im, s, make([]uint32, columns*9*16))
		if err != nil {
			t.Fatal(err)
		}
		left := 0
		for _, e := range conv.edges {
			left += len(e.rows) / 2 * (e.skip[0].count() + e.skip[1].count())
		}
		if left != 72 {
			t.Errorf("pool %v: %d taps left out, want 72", pool, left)
		}
	}
}
