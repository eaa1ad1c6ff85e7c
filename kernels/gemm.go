package kernels

import (
	"bytes"
	"crypto/subtle"
	"fmt"
	"math"
	"math/bits"
	"unsafe"

	"macroscope/dtype"
	"macroscope/kernels/tile"
)

// Gemm is a matrix product with its right side packed for one implementation:
//
//	for i := range m { for j := range n {
//		c[i*n+j] = Σ a[i*k+p] * b[j*k+p] over p in range k
//	}}
//
// C = A·Bᵀ: both sides are rows of k values, as weights of a dense layer and
// packed bits lie. It is immutable; the Run methods may be called by many
// goroutines, each with its Context.
type Gemm struct {
	im     *Impl
	n, k   int
	words  int      // of a row of A or B
	b      []uint32 // panels of NR columns
	blocks []kBlock
}

// kBlock is a range of words of K whose panels of B stay in the second-level
// cache while a block of rows of A passes by.
type kBlock struct {
	first, words int
	init         []int32 // [columns padded to NR]; float32 zeros are the same bits
	segs         []int   // where the tile's segments start
	segLen       int
}

// A block of A is copied, then every panel of B passes by. A panel comes from the
// third-level cache or memory once a block, and C's rows once a block of K: a
// BlockTile fetches both in time. 1024×1024×1024 in float32 by AVX-512 are 90 % of peak
// so on an Emerald Rapids, 79 % if panels are waited for, 86 % if C is. Two panels of 512
// words and 32 columns (128 KiB), the block of A (148 KiB) and its sums fit
// second-level caches of 512 KiB, as Zen 1 to 3 have (1 MiB on Zen 4, 2 MiB on
// Emerald Rapids), from where a panel streams past every 8 rows: 128 bytes of it
// a step of 16 products.
const (
	gemmKC = 512 // words of K a block
	gemmMC = 72  // rows of A a block: whole tiles, and three at a time of 4 rows
	// gemmTiles is the fewest tiles a block: AMX pays some 200 cycles a call to set
	// its tiles up, a fifth of the time of one tile of 256 words.
	gemmTiles = 8
)

// signs are what a row of a block is xored with where AXor is 0x80.
var signs = bytes.Repeat([]byte{0x80}, 4*gemmKC)

// NewGemmFloat32 packs b, n rows of k values.
func (im *Impl) NewGemmFloat32(b []float32, n, k int) (*Gemm, error) {
	if err := im.checkGemm(dtype.Float32, len(b), n, k, k); err != nil {
		return nil, err
	}
	return newGemm(im, PackFloat32(b), n, k), nil
}

// NewGemmInt8 packs b, n rows of k values −128…127; k ≤ 131071, so that int32
// sums are exact.
func (im *Impl) NewGemmInt8(b []int8, n, k int) (*Gemm, error) {
	if err := im.checkGemm(dtype.Int8, len(b), n, k, k); err != nil {
		return nil, err
	}
	if k > maxInt8K {
		return nil, fmt.Errorf("%s: %d products a sum: int32 is exact up to %d", im.FullName("gemm"), k, maxInt8K)
	}
	return newGemm(im, PackInt8(b, k), n, k), nil
}

// NewGemmBinary packs b, n rows of ⌈k/64⌉ words; bit i%64 of a row's word i/64
// is value i. Bits from k on must be 0.
func (im *Impl) NewGemmBinary(b []uint64, n, k int) (*Gemm, error) {
	row := (k + 63) / 64
	if err := im.checkGemm(dtype.Binary, len(b), n, k, row); err != nil {
		return nil, err
	}
	if k > math.MaxInt32 {
		return nil, fmt.Errorf("%s: %d products a sum: int32 is exact up to %d", im.FullName("gemm"), k, math.MaxInt32)
	}
	if err := checkPadding(b, row, k); err != nil {
		return nil, fmt.Errorf("%s: b: %w", im.FullName("gemm"), err)
	}
	return newGemm(im, halves(b), n, k), nil
}

func (im *Impl) checkGemm(d dtype.DType, have, n, k, row int) error {
	switch {
	case im.k.DType != d:
		return fmt.Errorf("%s: asked for a %v product", im.FullName("gemm"), d)
	case !im.Available():
		return fmt.Errorf("%s: not available here: %s", im.FullName("gemm"), im.reason)
	case n < 1 || k < 1 || n > 1<<40/k:
		return fmt.Errorf("%s: n %d, k %d: want both ≥ 1 and a product ≤ 2^40", im.FullName("gemm"), n, k)
	case have != n*row:
		return fmt.Errorf("%s: b has %d elements: want n %d rows of %d", im.FullName("gemm"), have, n, row)
	}
	return nil
}

// halves splits words of 64 into words of 32, low half first; both sides of a
// product do it alike.
func halves(w []uint64) []uint32 {
	h := make([]uint32, 0, 2*len(w))
	for _, x := range w {
		h = append(h, uint32(x), uint32(x>>32))
	}
	return h
}

func checkPadding(w []uint64, row, k int) error {
	if k%64 == 0 {
		return nil
	}
	for i := row - 1; i < len(w); i += row {
		if bits.Len64(w[i]) > k%64 {
			return fmt.Errorf("row %d: bits from %d on are set: want 0", i/row, k)
		}
	}
	return nil
}

func newGemm(im *Impl, rows []uint32, n, k int) *Gemm {
	have, nr := len(rows)/n, im.k.NR
	take := all(have)
	for im.k.Chunk > 0 && len(take)%im.k.Chunk != 0 { // whole chunks
		take = append(take, -1)
	}
	words := len(take)
	g := &Gemm{im: im, n: n, k: k, words: words, b: packPanels(&im.k, rows, n, nr, take, words)} // blocks of K have an even length
	padded := (n + nr - 1) / nr * nr
	for first := 0; first < words; first += gemmKC {
		b := kBlock{first: first, words: min(gemmKC, words-first), init: alignedSlice[int32](padded)}
		var starts []int
		starts, b.segLen = split(b.words, im.k.Chunk)
		for _, start := range starts {
			b.segs = append(b.segs, 4*start)
		}
		g.blocks = append(g.blocks, b)
	}
	init := g.blocks[0].init // what is paid once is paid by the first block
	switch im.k.DType {
	case dtype.Int8:
		for j, s := range rowSums(rows, have) {
			init[j] = -int32(im.k.AXor) * s
		}
	case dtype.Binary:
		for j := range init {
			init[j] = int32(k)
		}
	}
	return g
}

// Float32 computes m rows; a is [m][k], c is [m][n] and is overwritten. It
// panics if a slice's length does not fit.
func (g *Gemm) Float32(ctx *Context, c, a []float32, m int) {
	g.check(dtype.Float32, len(c), len(a), m, g.k)
	g.run(ctx, unsafe.Pointer(unsafe.SliceData(c)), unsafe.Pointer(unsafe.SliceData(a)), 4*g.k, m)
}

// Int8 computes m rows; a is [m][k] of −128…127, c is [m][n] and is
// overwritten with the exact sums. It panics if a slice's length does not fit.
func (g *Gemm) Int8(ctx *Context, c []int32, a []int8, m int) {
	g.check(dtype.Int8, len(c), len(a), m, g.k)
	g.run(ctx, unsafe.Pointer(unsafe.SliceData(c)), unsafe.Pointer(unsafe.SliceData(a)), g.k, m)
}

// Binary computes m rows; a is [m][⌈k/64⌉] words with 0 from bit k on, c is
// [m][n] and is overwritten with k − 2·popcount(a xor b). It panics if a
// slice's length does not fit or padding bits are set.
func (g *Gemm) Binary(ctx *Context, c []int32, a []uint64, m int) {
	row := (g.k + 63) / 64
	g.check(dtype.Binary, len(c), len(a), m, row)
	if err := checkPadding(a, row, g.k); err != nil {
		panic(fmt.Sprintf("kernels: %s: a: %v", g.im.FullName("gemm"), err))
	}
	g.run(ctx, unsafe.Pointer(unsafe.SliceData(c)), unsafe.Pointer(unsafe.SliceData(a)), 8*row, m)
}

func (g *Gemm) check(d dtype.DType, c, a, m, row int) {
	if g.im.k.DType != d {
		panic(fmt.Sprintf("kernels: %s asked for a %v product", g.im.FullName("gemm"), d))
	}
	if m < 0 || a != m*row || c != m*g.n {
		panic(fmt.Sprintf("kernels: %s: %d and %d elements: want a %dx%d, c %dx%d", g.im.FullName("gemm"), a, c, m, row, m, g.n))
	}
}

// run walks over blocks of K, blocks of rows and panels. A block of A is
// copied into rows whose distance is not a power of two (which would fall into
// few cache sets), and xored on the way where the tile wants it so. rowBytes
// is the length of a row of A.
func (g *Gemm) run(ctx *Context, c, a unsafe.Pointer, rowBytes, m int) {
	if m == 0 {
		return
	}
	mr, nr := g.im.k.MR, g.im.k.NR
	block := min(max(gemmMC, gemmTiles*mr), (m+mr-1)/mr*mr)
	pitch := 4*min(gemmKC, g.words) + 64
	memory := ctx.bytes(block * (pitch + 4*nr))
	packed, scratch := memory[:block*pitch], memory[block*pitch:]
	ctx.steps(&ctx.rows, block, pitch)
	ctx.steps(&ctx.coff, block, 4*g.n)
	ctx.steps(&ctx.dense, block, 4*nr)
	src := unsafe.Slice((*byte)(a), m*rowBytes)
	dst := unsafe.Slice((*byte)(c), 4*m*g.n)

	multiply := g.im.k.BlockTile
	if multiply == nil {
		multiply = g.im.k.Tile
	}
	t := &ctx.args
	*t = tile.Args{A: unsafe.Pointer(&packed[0]), Rows: &ctx.rows[0], Pool: 1, Lo: unclampedLo, Hi: unclampedHi}
	for kb := range g.blocks {
		k := &g.blocks[kb]
		t.Segs, t.NSeg, t.SegLen = &k.segs[0], len(k.segs), k.segLen
		from, to := 4*k.first, min(4*(k.first+k.words), rowBytes)
		for i := 0; i < m; i += block {
			rows := min(block, m-i)
			for r := range rows {
				packRow(packed[r*pitch:][:4*k.words], src[(i+r)*rowBytes:][from:to], g.im.k.AXor)
			}
			t.Tiles = (rows + mr - 1) / mr       // a ragged last tile computes rows that merge leaves out
			t.NextStep = 4 * k.words * nr / rows // all rows together fetch the next panel
			for first := 0; first < g.n; first += nr {
				t.B, t.Init = unsafe.Pointer(&g.b[first*g.words+k.first*nr]), unsafe.Pointer(&k.init[first])
				next := first + nr
				if next >= g.n { // most often the same block of K for the next rows
					next = 0
				}
				t.Next = unsafe.Pointer(&g.b[next*g.words+k.first*nr])
				if rows%mr == 0 && first+nr <= g.n {
					t.Mode = tile.Store
					if kb > 0 {
						t.Mode = tile.Accumulate
					}
					t.C, t.COff = unsafe.Pointer(&dst[4*(i*g.n+first)]), &ctx.coff[0]
					multiply(t)
					continue
				}
				t.Mode, t.C, t.COff = tile.Store, unsafe.Pointer(&scratch[0]), &ctx.dense[0]
				multiply(t)
				cols := min(nr, g.n-first)
				for r := range rows {
					merge(g.im.k.DType, dst[4*((i+r)*g.n+first):][:4*cols], scratch[4*r*nr:], kb > 0)
				}
			}
		}
	}
	ctx.args = tile.Args{} // keep no memory alive
}

// packRow copies part of a row of A, xors it, and fills up with what stands
// for 0.
func packRow(dst, src []byte, xor uint8) {
	var n int
	if xor == 0 {
		n = copy(dst, src)
	} else {
		n = subtle.XORBytes(dst, src, signs[:len(src)])
	}
	for ; n < len(dst); n++ {
		dst[n] = xor
	}
}

// merge writes or adds a row of 32-bit sums.
func merge(d dtype.DType, dst, src []byte, add bool) {
	switch {
	case !add:
		copy(dst, src)
	case d == dtype.Float32:
		to, from := view[float32](dst), view[float32](src)
		for i := range to {
			to[i] += from[i]
		}
	default:
		to, from := view[int32](dst), view[int32](src)
		for i := range to {
			to[i] += from[i]
		}
	}
}
