package bench

import (
	"fmt"
	"math/rand/v2"

	"macroscope/dtype"
	"macroscope/kernels"
)

// tileWords is the K of TileCases: a panel of 32 columns, the rows and the sums
// then fill 24 KiB, within every first-level cache of today.
const tileWords = 96

// A tile of 32 rows is one of AMX, which must be set up anew each call: that
// takes the time of half a tile of 96 words. It gets a panel of eight tiles and
// twice the K instead, whose rows lie in the second-level cache.
const (
	panelMR    = 32
	panelTiles = 8
)

// TileCases measure the micro-kernels on operands in the first-level cache:
// whole tiles over one panel, which is a 1×1 convolution of a row of pixels.
// Sums are stored as they are.
func TileCases() ([]Case, error) {
	rnd := rand.New(rand.NewPCG(1, 4))
	var cases []Case
	for _, im := range Available() {
		d, words := im.DType(), tileWords
		mr, nr := im.Tile()
		rows := (24 + mr - 1) / mr * mr // 24 is a multiple of most tiles' rows
		if mr >= panelMR {
			rows, words = panelTiles*mr, 2*tileWords
		}
		k := words * 32 / d.Bits()
		s := kernels.ConvSpec{
			In: kernels.Image{DType: d, H: 1, W: rows, C: k}, Out: kernels.Image{DType: dtype.Float32, H: 1, W: rows, C: nr},
			KH: 1, KW: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1,
		}
		conv, err := kernels.NewConv(im, s, packedWeights(rnd, d, nr*k, k))
		if err != nil {
			return nil, err
		}
		src, dst, ctx := kernels.Aligned(s.In.Bytes()), kernels.Aligned(s.Out.Bytes()), &kernels.Context{}
		cases = append(cases, Case{
			Name: fmt.Sprintf("BenchmarkTile/dtype=%v/impl=%s/m=%d/n=%d/k=%d", d, im.Name(), rows, nr, k),
			MACs: float64(conv.MACs()), Bytes: int64(s.In.Bytes() + conv.WeightBytes()), Peak: peakOf(im),
			Run: func(rounds int) {
				for range rounds {
					conv.Run(ctx, dst, src)
				}
			},
		})
	}
	return cases, nil
}

// packedWeights are n random values in the words of a dtype, in rows of k.
func packedWeights(rnd *rand.Rand, d dtype.DType, n, k int) []uint32 {
	switch d {
	case dtype.Float32:
		return kernels.PackFloat32(randomFloats(rnd, n))
	case dtype.Int8:
		return kernels.PackInt8(randomBytes(rnd, n), k)
	default:
		return kernels.PackBinary(randomFloats(rnd, n), k)
	}
}
