package kernels

import (
	"testing"

	"macroscope/dtype"
	"macroscope/internal/guard"
)

// written says for each byte whether a run writes it: over two patterns, what it
// leaves alone stays as it was.
func written(run func(out []byte), out []byte) []bool {
	untouched := make([]int, len(out))
	for _, pattern := range []byte{0x55, 0xaa} {
		for i := range out {
			out[i] = pattern
		}
		run(out)
		for i, b := range out {
			if b == pattern {
				untouched[i]++
			}
		}
	}
	list := make([]bool, len(out))
	for i, n := range untouched {
		list[i] = n < 2
	}
	return list
}

func sameWritten(t *testing.T, i int, what string, got, want []bool) {
	t.Helper()
	for at := range want {
		if got[at] != want[at] {
			t.Fatalf("case %d, %s: byte %d of the output: written %v, by the convolution itself %v", i, what, at, got[at], want[at])
		}
	}
}

// Twins write the bytes that the convolution writes, within the same memory, and
// where a sum has one word, the same values.
func TestTwinsWriteTheSamePixels(t *testing.T) {
	n := 100
	if testing.Short() {
		n = 25
	}
	for _, d := range dtype.All {
		t.Run(d.String(), func(t *testing.T) {
			eachImpl(t, d, func(t *testing.T, im *Impl) {
				r := newRand(t)
				var ctx Context
				short, pooled := 0, 0
				for i := range n {
					c := paddedConv(r, d, wholePanels(im.k.NR))
					if i%2 == 0 {
						c = randomConv(r, d)
					}
					if i%10 == 3 { // one word a sum, which chance seldom gives
						one := ConvSpec{KH: 1, KW: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Pool: i%20 == 3}
						c = filledConv(r, one, d, 1+r.IntN(4), 1+r.IntN(70), 1+r.IntN(6), 1+r.IntN(6))
					}
					conv, err := NewConv(im, c.spec, c.weights())
					if err != nil {
						t.Fatalf("case %d: %v", i, err)
					}
					in, out := guard.Tail(t, c.spec.In.Bytes()), guard.Tail(t, c.spec.Out.Bytes())
					c.image(im, in)
					want := written(func(out []byte) { conv.Run(&ctx, out, in) }, out)
					bare := conv.WithoutProducts()
					if bare.Tiles() != conv.Tiles() {
						t.Fatalf("case %d: the twin has %d tiles: want %d", i, bare.Tiles(), conv.Tiles())
					}
					for _, e := range bare.edges {
						if words := e.pieces[0].Words; im.k.PairWords && words%2 != 0 {
							t.Fatalf("case %d: a piece of %d words: want pairs", i, words)
						}
					}
					sameWritten(t, i, "without products", written(func(out []byte) { bare.Run(&ctx, out, in) }, out), want)
					if c.spec.KH*c.spec.KW*Words(d, c.spec.In.C) == 1 {
						short++
						if err := c.check(out); err != nil {
							t.Fatalf("case %d, one word a sum: %v", i, err)
						}
					}
					if flat := conv.WithoutPool(); flat != nil {
						pooled++
						sameWritten(t, i, "without pool", written(func(out []byte) { flat.Run(&ctx, out, in) }, out), want)
						if flat.Tiles() >= conv.Tiles() && conv.Tiles() > len(conv.panels) {
							t.Fatalf("case %d: without pool %d tiles of %d: want fewer", i, flat.Tiles(), conv.Tiles())
						}
					} else if c.spec.Pool {
						t.Fatalf("case %d: no twin without its pool", i)
					}
				}
				if short == 0 && d != dtype.Float32 || pooled == 0 {
					t.Errorf("%d cases of one word, %d with a pool: want some of each", short, pooled)
				}
			})
		})
	}
}

func TestWinogradTwins(t *testing.T) {
	eachImpl(t, dtype.Float32, func(t *testing.T, im *Impl) {
		r := newRand(t)
		var ctx Context
		for i := range 20 {
			c := winogradCase(r, 4)
			w, err := NewWinograd(im, c.spec, c.floatWeights(), 4)
			if err != nil {
				t.Fatal(err)
			}
			in, out := guard.Tail(t, c.spec.In.Bytes()), guard.Tail(t, c.spec.Out.Bytes())
			c.image(im, in)
			want := written(func(out []byte) { w.Run(&ctx, out, in) }, out)
			sameWritten(t, i, "without products", written(func(out []byte) { w.WithoutProducts().Run(&ctx, out, in) }, out), want)
			sameWritten(t, i, "input's transform", written(func(out []byte) { w.InputTransform().Run(&ctx, out, in) }, out), make([]bool, len(out)))
		}
	})
}

// By hand: a 3x3 convolution of 4x4 pixels with padding reads 6x6 pixels of 8
// bytes; with stride 2 the taps of two sums a row overlap in one column of five;
// 1x1 with stride 2 reads every other pixel.
func TestInputBytes(t *testing.T) {
	for _, c := range []struct{ k, pad, stride, out, want int }{
		{3, 1, 1, 4, 36 * 8}, {3, 1, 2, 2, 25 * 8}, {1, 0, 2, 2, 4 * 8},
	} {
		im, err := Lookup(dtype.Int8, "generic")
		if err != nil {
			t.Fatal(err)
		}
		conv, err := NewConv(im, ConvSpec{
			In:  Image{DType: dtype.Int8, H: 4, W: 4, C: 8, Top: 3, Left: 3, Bottom: 3, Right: 3}, // another reader wants more
			Out: Image{DType: dtype.Float32, H: c.out, W: c.out, C: 1},
			KH:  c.k, KW: c.k, StrideH: c.stride, StrideW: c.stride, DilationH: 1, DilationW: 1, PadTop: c.pad, PadLeft: c.pad,
		}, make([]uint32, c.k*c.k*2))
		if err != nil {
			t.Fatal(err)
		}
		if got := conv.InputBytes(); got != c.want {
			t.Errorf("%dx%d, stride %d: %d bytes, want %d", c.k, c.k, c.stride, got, c.want)
		}
	}
}
