package kernels

import (
	"testing"
	"unsafe"

	"macroscope/dtype"
	"macroscope/internal/guard"
	"macroscope/kernels/tile"
)

// What multiplies in minimal filtering gives the sums of its words and touches nothing else,
// wherever Next points. Values are small integers, so that float32 sums are exact.
func TestFilterTiles(t *testing.T) {
	for _, d := range []dtype.DType{dtype.Float32, dtype.Int8} {
		eachImpl(t, d, func(t *testing.T, im *Impl) {
			r, tried := newRand(t), 0
			for i := range im.k.Winograd {
				for _, m := range im.k.Winograd[i].Tiles {
					for range cases(im, 60, 20, 4) {
						tried++
						tiles, words := 1+r.IntN(5), 1+r.IntN(40)
						rows, coff := make([]int, m.MR*tiles), make([]int, m.MR*tiles)
						step, cStep := words+r.IntN(4), m.NR+r.IntN(4)
						for j, place := range r.Perm(len(rows)) {
							rows[j], coff[j] = 4*place*step, 4*(len(rows)-1-place)*cStep
						}
						a, b := guard.Tail(t, 4*((len(rows)-1)*step+words)), guard.Tail(t, 4*words*m.NR)
						c, init := guard.Tail(t, 4*((len(rows)-1)*cStep+m.NR)), guard.Tail(t, 4*m.NR)
						for _, v := range [][]byte{a, b} {
							for j := range len(v) / 4 {
								if d == dtype.Float32 {
									view[float32](v)[j] = float32(r.IntN(201) - 100)
								} else {
									view[uint32](v)[j] = r.Uint32()
								}
							}
						}
						m.Run(&tile.Args{
							A: unsafe.Pointer(&a[0]), Rows: &rows[0], Segs: &zeroSegment, B: unsafe.Pointer(&b[0]), C: unsafe.Pointer(&c[0]), COff: &coff[0],
							NSeg: 1, SegLen: words, Tiles: tiles, Pool: 1, Init: unsafe.Pointer(&init[0]), Lo: unclampedLo, Hi: unclampedHi, Next: unsafe.Pointer(&b[len(b)-1]),
						})
						for j := range rows {
							for col := range m.NR {
								var sum float32
								var pairs int32
								for k := range words {
									if d == dtype.Float32 {
										sum += view[float32](a[rows[j]:])[k] * view[float32](b)[k*m.NR+col]
										continue
									}
									x, w := view[int16](a[rows[j]:])[2*k:], view[int16](b)[2*k*m.NR:]
									first, second := 2*col, 2*col+1
									if m.Apart {
										first, second = col, m.NR+col
									}
									pairs += int32(x[0])*int32(w[first]) + int32(x[1])*int32(w[second])
								}
								at := c[coff[j]+4*col:]
								if d == dtype.Float32 && view[float32](at)[0] != sum || d == dtype.Int8 && view[int32](at)[0] != pairs {
									t.Fatalf("%d×%d, %d tiles, %d words, row %d, column %d: another sum", m.MR, m.NR, tiles, words, j, col)
								}
							}
						}
					}
				}
			}
			if tried == 0 {
				t.Skip("multiplies by its Tile")
			}
		})
	}
}
