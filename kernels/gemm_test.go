package kernels

import (
	"bytes"
	"math"
	"testing"
	"unsafe"

	"macroscope/dtype"
	"macroscope/internal/guard"
	"macroscope/kernels/tile"
)

func TestGemm(t *testing.T) {
	shapes := [][3]int{{1, 1, 1}, {1, 10, 2048}, {3, 33, 5}, {8, 32, 64}, {9, 31, 191}, {64, 64, 192}, {65, 40, 193}, {130, 70, 700}, {7, 5, 1537}, {3, 9, 2100}, {2, 3, 17000}}
	for _, d := range dtype.All {
		t.Run(d.String(), func(t *testing.T) {
			eachImpl(t, d, func(t *testing.T, im *Impl) {
				r := newRand(t)
				var ctx Context
				for _, s := range shapes {
					m, n, k := s[0], s[1], s[2]
					if tooMuch(im, m*n*k) {
						continue
					}
					switch d {
					case dtype.Float32:
						a, b, c := guarded[float32](t, m*k)[0], someFloat32(r, n*k), guarded[float32](t, m*n)[0]
						copy(a, someFloat32(r, m*k))
						g, err := im.NewGemmFloat32(b, n, k)
						if err != nil {
							t.Fatal(err)
						}
						g.Float32(&ctx, c, a, m)
						for i := range c {
							var want, abs float64
							for p := range k {
								x := float64(a[i/n*k+p]) * float64(b[i%n*k+p])
								want += x
								abs += math.Abs(x)
							}
							if !closeEnough(c[i], want, abs, k) {
								t.Fatalf("%v: c[%d][%d] = %v, want %v", s, i/n, i%n, c[i], want)
							}
						}
					case dtype.Int8:
						a, b, c := guarded[int8](t, m*k)[0], someInt8(r, n*k), guarded[int32](t, m*n)[0]
						copy(a, someInt8(r, m*k))
						g, err := im.NewGemmInt8(b, n, k)
						if err != nil {
							t.Fatal(err)
						}
						g.Int8(&ctx, c, a, m)
						for i := range c {
							var want int32
							for p := range k {
								want += int32(a[i/n*k+p]) * int32(b[i%n*k+p])
							}
							if c[i] != want {
								t.Fatalf("%v: c[%d][%d] = %d, want %d", s, i/n, i%n, c[i], want)
							}
						}
					default:
						row := (k + 63) / 64
						a, b, c := guarded[uint64](t, m*row)[0], clearPadding(someBits(r, n*row), row, k), guarded[int32](t, m*n)[0]
						copy(a, clearPadding(someBits(r, m*row), row, k))
						g, err := im.NewGemmBinary(b, n, k)
						if err != nil {
							t.Fatal(err)
						}
						g.Binary(&ctx, c, a, m)
						ref, _ := Lookup(d, "generic")
						for i := range c {
							if want := ref.DotBinary(a[i/n*row:][:row], b[i%n*row:][:row], k); int(c[i]) != want {
								t.Fatalf("%v: c[%d][%d] = %d, want %d", s, i/n, i%n, c[i], want)
							}
						}
					}
				}
			})
		})
	}
}

// A BlockTile gives the bits of the Tile, whose order of sums it has, and touches nothing
// else: what it fetches may be anywhere.
func TestBlockTile(t *testing.T) {
	for _, d := range dtype.All {
		eachImpl(t, d, func(t *testing.T, im *Impl) {
			if im.k.BlockTile == nil {
				t.Skip("has no BlockTile")
			}
			r := newRand(t)
			mr, nr := im.k.MR, im.k.NR
			for tiles := 1; tiles <= 8; tiles++ {
				for _, words := range []int{1, 3, 4, 5, 64, 1 + r.IntN(200)} {
					rows, coff, segs := make([]int, mr*tiles), make([]int, mr*tiles), []int{0}
					step, cStep := words+r.IntN(20), nr+r.IntN(9)
					for i, place := range r.Perm(mr * tiles) { // in any order
						rows[i], coff[i] = 4*place*step, 4*(mr*tiles-1-place)*cStep
					}
					a, b := guard.Tail(t, 4*((mr*tiles-1)*step+words)), guard.Tail(t, 4*words*nr)
					init, before := guard.Tail(t, 4*nr), guard.Tail(t, 4*((mr*tiles-1)*cStep+nr))
					for _, m := range [][]byte{a, b, init, before} {
						if d == dtype.Float32 {
							copy(view[float32](m), someFloat32(r, len(m)/4))
						} else {
							copy(view[int8](m), someInt8(r, len(m)))
						}
					}
					for _, mode := range []tile.Mode{tile.Store, tile.Accumulate} {
						var c [2][]byte
						for i, f := range []tile.Func{im.k.BlockTile, im.k.Tile} {
							c[i] = guard.Tail(t, len(before))
							copy(c[i], before)
							f(&tile.Args{
								A: unsafe.Pointer(&a[0]), Rows: &rows[0], Segs: &segs[0], B: unsafe.Pointer(&b[0]), C: unsafe.Pointer(&c[i][0]), COff: &coff[0],
								NSeg: 1, SegLen: words, Tiles: tiles, Mode: mode, Pool: 1, Init: unsafe.Pointer(&init[0]), Lo: unclampedLo, Hi: unclampedHi,
								Next: unsafe.Pointer(&b[len(b)-1]), NextStep: r.IntN(1 << 20),
							})
						}
						if !bytes.Equal(c[0], c[1]) {
							t.Fatalf("%d tiles, %d words, mode %v: other sums than the tile's", tiles, words, mode)
						}
					}
				}
			}
		})
	}
}

func clearPadding(w []uint64, row, k int) []uint64 {
	for i := row - 1; i < len(w) && k%64 != 0; i += row {
		w[i] &= 1<<(k%64) - 1
	}
	return w
}

func TestGemmRefuses(t *testing.T) {
	im, _ := Lookup(dtype.Int8, "generic")
	if _, err := im.NewGemmInt8(make([]int8, 131072), 1, 131072); err == nil {
		t.Error("a sum longer than int32 holds was accepted")
	}
	if _, err := im.NewGemmInt8(make([]int8, 5), 2, 3); err == nil {
		t.Error("a short b was accepted")
	}
	if _, err := im.NewGemmFloat32(nil, 2, 3); err == nil {
		t.Error("another dtype was accepted")
	}
	bin, _ := Lookup(dtype.Binary, "generic")
	if _, err := bin.NewGemmBinary([]uint64{1 << 63}, 1, 63); err == nil {
		t.Error("a set padding bit was accepted")
	}
}
