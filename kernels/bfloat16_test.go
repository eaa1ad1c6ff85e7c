package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"macroscope/dtype"
	"macroscope/kernels/generic"
	"macroscope/kernels/tile"
)

// needProducts skips where a row cannot multiply so, or fails if
// MACROSCOPE_REQUIRE says all.
func needProducts(t *testing.T, im *Impl, p Products) {
	t.Helper()
	if err := im.CheckProducts(p); err != nil {
		if im.k.BFloat16 != nil && slices.Contains(strings.Split(os.Getenv("MACROSCOPE_REQUIRE"), ","), "all") {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// By hand: bfloat16 has 7 bits behind the point.
func TestBFloat16Pair(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		x    float32
		want uint32
	}{
		{0, 0}, {1, 0x3f80}, {-2, 0xc000}, {inf, 0x7f80}, {-inf, 0xff80},
		{1 + 0x1p-8, 0x3f80},           // a half goes to the even one below
		{1 + 0x1p-8 + 0x1p-23, 0x3f81}, // more than that up
		{1 + 3*0x1p-8, 0x3f82},         // a half goes to the even one above
		{math.MaxFloat32, 0x7f80},      // past the largest is infinity
		{0x1p-126, 0x0080}, {0x1p-127, 0}, {float32(math.Copysign(0x1p-140, -1)), 0x8000},
		{math.Float32frombits(0x7f800001), 0x7fc0}, // a NaN whose lower bits are all it has stays one
	} {
		if got := generic.BFloat16Pair(c.x, 1); got != c.want|0x3f800000 {
			t.Errorf("%v below 1: got %#08x, want %#08x", c.x, got, c.want|0x3f800000)
		}
		if got := generic.BFloat16Pair(1, c.x); got != c.want<<16|0x3f80 {
			t.Errorf("%v above 1: got %#08x, want %#08x", c.x, got, c.want<<16|0x3f80)
		}
	}
}

// By hand: each product is rounded into the sum, the upper one first, and what is
// subnormal counts as zero.
func TestBFloat16Products(t *testing.T) {
	for _, c := range []struct{ init, hiA, hiB, loA, loB, want float32 }{
		{1, 2, 3, 4, 5, 27},
		{1, 0x1p-24, 1, 0x1p-24, 1, 1}, // together they would be 2⁻²³
		{1, -1, 1, 0x1p-24, 1, 0x1p-24},
		{1, 0x1p-24, 1, -1, 1, 0}, // the upper one is lost before
		{0, 0x1p-70, 0x1p-70, 0, 0, 0},
		{0x1p-130, 1, 1, 0, 0, 1},
		{0x1p-126, 0x1p-127, 1, 0, 0, 0x1p-126},
	} {
		for _, im := range Table() {
			if im.DType() != dtype.Float32 || !im.Available() || im.CheckProducts(BFloat16Products) != nil {
				continue
			}
			a := generic.BFloat16Pair(c.loA, c.hiA)
			b, init, out := make([]uint32, im.k.NR), make([]float32, im.k.NR), make([]float32, im.k.NR)
			for i := range b {
				b[i], init[i] = generic.BFloat16Pair(c.loB, c.hiB), c.init
			}
			rows := make([]int, im.k.MR)
			im.k.BFloat16.Tile(&tile.Args{
				A: unsafe.Pointer(&a), Rows: &rows[0], Segs: &rows[0], B: unsafe.Pointer(&b[0]), C: unsafe.Pointer(&out[0]), COff: &rows[0],
				NSeg: 1, SegLen: 1, Tiles: 1, Pool: 1, Init: unsafe.Pointer(&init[0]), Lo: unclampedLo, Hi: unclampedHi,
			})
			for i, got := range out {
				if got != c.want {
					t.Fatalf("%v: %v + %v·%v + %v·%v in column %d: got %v, want %v", im, c.init, c.hiA, c.hiB, c.loA, c.loB, i, got, c.want)
				}
			}
		}
	}
}

// someFloatBits are float32 of any magnitude, subnormal and infinite ones among them.
func someFloatBits(r *rand.Rand, v []float32) {
	for i := range v {
		switch r.IntN(4) {
		case 0:
			v[i] = float32(r.NormFloat64())
		case 1:
			v[i] = math.Float32frombits(r.Uint32N(0x1000000) | r.Uint32()&0x80000000) // about the smallest normal one
		case 2:
			v[i] = math.Float32frombits(r.Uint32()&0x807fffff | 0x3f800000 | 0x8000) // halves
		default:
			v[i] = math.Float32frombits(r.Uint32())
		}
	}
}

// TestTileBFloat16 holds the tile bit-equal to the plain one: the order of products
// is the instruction's, so there is nothing to tolerate.
func TestTileBFloat16(t *testing.T) {
	eachImpl(t, dtype.Float32, func(t *testing.T, im *Impl) {
		needProducts(t, im, BFloat16Products)
		r, mr, nr := newRand(t), im.k.MR, im.k.NR
		for _, c := range []struct{ segs, segLen, tiles int }{{1, 1, 1}, {1, 2, 3}, {3, 7, 2}, {2, 64, 1}, {33, 5, 1}} {
			for _, mode := range []tile.Mode{tile.Store, tile.Accumulate} {
				words := func(n, magnitude int) []uint32 {
					w := guarded[uint32](t, n)[r.IntN(2)]
					for i := range w {
						x, y := r.NormFloat64(), r.NormFloat64()
						if r.IntN(4) == 0 {
							x = math.Ldexp(x, -magnitude) // products about the smallest normal number
						}
						w[i] = generic.BFloat16Pair(float32(x), float32(y))
						if r.IntN(8) == 0 {
							w[i] &= 0x807f807f // subnormal
						}
					}
					return w
				}
				a, b := words(c.segs*c.segLen*c.tiles*mr, 64), words(c.segs*c.segLen*nr, 62)
				init, segs, rows := make([]float32, nr), make([]int, c.segs), make([]int, c.tiles*mr)
				for i := range init {
					if r.IntN(2) == 0 {
						init[i] = float32(r.NormFloat64()) * []float32{1, 0x1p-126}[r.IntN(2)]
					}
				}
				for i := range segs {
					segs[i] = 4 * i * c.segLen
				}
				for i := range rows {
					rows[i] = 4 * i * c.segs * c.segLen
				}
				want := make([]float32, len(rows)*nr)
				for i := range want {
					want[i] = float32(r.NormFloat64())
				}
				got := slices.Clone(want)
				args := tile.Args{
					A: unsafe.Pointer(&a[0]), Segs: &segs[0], NSeg: c.segs, SegLen: c.segLen, Mode: mode, Pool: 1,
					Lo: -3, Hi: unclampedHi,
				}
				run := func(f tile.Func, out []float32, columns, mr, first int) {
					t := args
					panel, coff := make([]uint32, c.segs*c.segLen*columns), make([]int, len(rows))
					for k := range c.segs * c.segLen {
						copy(panel[k*columns:][:columns], b[k*nr+first:])
					}
					for i := range coff {
						coff[i] = 4 * i * nr
					}
					t.Rows, t.COff, t.Tiles = &rows[0], &coff[0], len(rows)/mr
					t.B, t.C, t.Init = unsafe.Pointer(&panel[0]), unsafe.Pointer(&out[first]), unsafe.Pointer(&init[first])
					f(&t)
				}
				run(im.k.BFloat16.Tile, got, nr, mr, 0)
				for first := 0; first < nr; first += generic.NR {
					run(generic.TileBFloat16, want, generic.NR, generic.MR, first)
				}
				for i := range want {
					if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
						t.Fatalf("%+v, mode %d, row %d, column %d: got %v, want %v", c, mode, i/nr, i%nr, got[i], want[i])
					}
				}
			}
		}
	})
}

// TestPlanes compares the transpositions, and what makes words, with the loops in
// their comments, between forbidden pages.
func TestPlanes(t *testing.T) {
	eachImpl(t, dtype.Float32, func(t *testing.T, im *Impl) {
		if im.k.Pixels == nil {
			t.Skipf("%v: no loops over pixels", im)
		}
		r := newRand(t)
		for _, vectors := range []int{1, 3} {
			for _, count := range []int{1, 2, 7, 15, 16, 17, 31, 32, 50} {
				for _, skip := range []int{0, 5} {
					t.Run(fmt.Sprintf("%d of %d pixels, %d apart", vectors, count, skip), func(t *testing.T) {
						if im.k.Pixels.Planes != nil {
							testPlanes(t, r, im.k.Pixels.Planes, vectors*im.k.Pixels.VL, vectors, count, skip, true, false)
						}
						if im.k.BFloat16 != nil {
							needProducts(t, im, BFloat16Products)
							testPlanes(t, r, im.k.BFloat16.PairPlanes, vectors*im.k.BFloat16.VL, vectors, count, skip, true, true)
							testPlanes(t, r, im.k.BFloat16.Pair, vectors*im.k.BFloat16.VL, vectors, count, skip, false, true)
						}
					})
				}
			}
		}
	})
}

func testPlanes(t *testing.T, r *rand.Rand, f func(*tile.Pixels), channels, vectors, count, skip int, planes, pairs bool) {
	t.Helper()
	step := channels + skip
	side := r.IntN(2)
	x, y := guarded[float32](t, (count-1)*step+channels)[side], guarded[float32](t, (count-1)*step+channels)[side]
	someFloatBits(r, x)
	someFloatBits(r, y)
	lines, line := count, channels
	if planes {
		lines, line = channels, count
	}
	outRow := line + skip
	out := guarded[uint32](t, (lines-1)*outRow+line)[side]
	for i := range out {
		out[i] = 0xdeadbeef
	}
	f(&tile.Pixels{X: at(x), Y: at(y), Out: unsafe.Pointer(&out[0]), Count: count, Step: 4 * step, Vectors: vectors, OutRow: 4 * outRow})
	for i, got := range out {
		l, p := i/outRow, i%outRow
		want := uint32(0xdeadbeef)
		if p < line {
			c, px := p, l
			if planes {
				c, px = l, p
			}
			if want = math.Float32bits(x[px*step+c]); pairs {
				want = generic.BFloat16Pair(x[px*step+c], y[px*step+c])
			}
		}
		if got != want {
			t.Fatalf("line %d, place %d: got %#08x, want %#08x", l, p, got, want)
		}
	}
}
