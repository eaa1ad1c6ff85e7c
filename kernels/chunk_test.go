package kernels

import (
	"fmt"
	"slices"
	"testing"

	"macroscope/dtype"
)

// Kernels that take only short segments must be given every word once.
func TestChunks(t *testing.T) {
	for _, d := range dtype.All {
		plain, err := Lookup(d, "generic")
		if err != nil {
			t.Fatal(err)
		}
		for _, chunk := range []int{1, 2, 3, 16} {
			if d == dtype.Binary && chunk > 1 {
				continue // no weight makes a bit of A count nothing
			}
			t.Run(fmt.Sprintf("%v/chunk=%d", d, chunk), func(t *testing.T) {
				im := &Impl{k: plain.k}
				im.k.Chunk = chunk
				r := newRand(t)
				var ctx Context
				for i := range 50 {
					c := randomConv(r, d)
					conv, err := NewConv(im, c.spec, c.weights())
					if err != nil {
						t.Fatalf("case %d: %v", i, err)
					}
					if conv.segLen > chunk {
						t.Fatalf("case %d: segments of %d words", i, conv.segLen)
					}
					in, out := Aligned(c.spec.In.Bytes()), Aligned(c.spec.Out.Bytes())
					c.image(im, in)
					conv.Run(&ctx, out, in)
					if err := c.check(out); err != nil {
						t.Fatalf("case %d: %v", i, err)
					}
				}
			})
		}
	}
}

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		words, chunk int
		starts       []int
		length       int
	}{
		{9, 0, []int{0}, 9}, {9, 16, []int{0}, 9}, {3, 1, []int{0, 1, 2}, 1}, {24, 16, []int{0, 12}, 12}, {17, 16, []int{0, 8}, 9}, {33, 16, []int{0, 11, 22}, 11},
	} {
		starts, length := split(c.words, c.chunk)
		if !slices.Equal(starts, c.starts) || length != c.length {
			t.Errorf("split(%d, %d) = %v, %d: want %v, %d", c.words, c.chunk, starts, length, c.starts, c.length)
		}
	}
}
