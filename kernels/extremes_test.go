package kernels

import (
	"math/rand/v2"
	"testing"

	"macroscope/dtype"
	"macroscope/internal/guard"
	"macroscope/kernels/tile"
)

// TestConvExtremes has every product the largest or the smallest there is, over
// one or two segments of 1 to 70 words: what a tile keeps in bytes or in int16 for a
// while must not overflow, which random values hardly bring near.
func TestConvExtremes(t *testing.T) {
	values := map[dtype.DType][][2]float64{
		dtype.Int8:   {{-128, -128}, {-128, 127}, {127, -128}, {127, 127}},
		dtype.Binary: {{1, -1}, {-1, 1}, {1, 1}},
	}
	for _, d := range []dtype.DType{dtype.Int8, dtype.Binary} {
		t.Run(d.String(), func(t *testing.T) {
			eachImpl(t, d, func(t *testing.T, im *Impl) {
				r := newRand(t)
				var ctx Context
				step := 1
				if slow(im) {
					step = 23
				}
				for words := 1; words <= 70; words += step {
					c := extremeConv(r, d, words*32/d.Bits(), 1+words%2)
					for _, v := range values[d] {
						for i := range c.x {
							c.x[i] = v[0]
						}
						for i := range c.w {
							c.w[i] = v[1]
						}
						c.spec.NonNegative = d == dtype.Int8 && v[0] > 0
						if err := runConv(t, im, &ctx, &c, guard.Tail); err != nil {
							t.Fatalf("%d words, %g times %g: %v", words, v[0], v[1], err)
						}
					}
				}
			})
		})
	}
}

// extremeConv is a case of a tile's row of pixels, as many segments, and sums as
// they are.
func extremeConv(r *rand.Rand, d dtype.DType, inC, segments int) convCase {
	s := ConvSpec{KH: segments, KW: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1}
	c := filledConv(r, s, d, inC, 3, 1, 4)
	c.spec.Mode, c.spec.Out.DType = tile.Store, dtype.Float32
	c.spec.Scale, c.spec.Offset, c.spec.Threshold, c.spec.Flip, c.spec.Multipliers = nil, nil, nil, nil, nil
	c.spec.Lo, c.spec.Hi, c.spec.OutXor = 0, 0, 0
	return c
}
