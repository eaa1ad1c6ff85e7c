package generic

import (
	"unsafe"

	"macroscope/kernels/tile"
)

// view is tile.Args as Go slices; W is the dtype's 32-bit word.
type view[W any] struct {
	rows, segs, coff []int
	b                [][NR]W
}

func viewOf[W any](t *tile.Args) view[W] {
	return view[W]{
		rows: unsafe.Slice(t.Rows, t.Tiles*MR),
		segs: unsafe.Slice(t.Segs, t.NSeg),
		coff: unsafe.Slice(t.COff, t.Tiles*MR/t.Pool),
		b:    unsafe.Slice((*[NR]W)(t.B), t.NSeg*t.SegLen),
	}
}

// segment gives the words of the rows of tile i in one segment, and of B.
func (v *view[W]) segment(t *tile.Args, i, seg int) (a [MR][]W, b [][NR]W) {
	for r := range a {
		a[r] = unsafe.Slice((*W)(unsafe.Add(t.A, v.rows[i*MR+r]+v.segs[seg])), t.SegLen)
	}
	return a, v.b[seg*t.SegLen : (seg+1)*t.SegLen]
}

// out gives the byte offsets of the rows that tile i writes.
func (v *view[W]) out(t *tile.Args, i int) []int {
	n := MR / t.Pool
	return v.coff[i*n : (i+1)*n]
}
