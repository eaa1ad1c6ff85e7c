package generic

import (
	"unsafe"

	"macroscope/kernels/tile"
)

// BitPlanes is the loop of tile.BitPlanes, eight bytes at a time: a multiplication brings
// the lowest bits of eight bytes together in the highest one.
func BitPlanes(p *tile.BitPlanes) {
	base := uint8(p.Base)
	for i := 0; i < p.Count; i += 8 {
		var x uint64
		for j, v := range (*[8]uint8)(unsafe.Add(p.In, i)) {
			x |= uint64(v-base) << (8 * j)
		}
		for plane := range p.Planes {
			bits := x >> plane & 0x0101010101010101 * 0x0102040810204080 >> 56
			*(*uint8)(unsafe.Add(p.Out, plane*p.Distance+i/8)) = uint8(bits)
		}
	}
}
