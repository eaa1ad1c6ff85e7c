package main

import (
	"fmt"
	"unsafe"

	"macroscope/kernels/tile"
)

// Registers: DI the arguments, SI the input, DX its highest plane's place, BX the place
// of a plane, R8 the distance, CX vectors left, R9 planes left.
func bitPlanesAVX2(a *asm) {
	var w tile.BitPlanes
	for _, f := range []struct {
		name   string
		offset uintptr
	}{
		{"In", unsafe.Offsetof(w.In)}, {"Out", unsafe.Offsetof(w.Out)}, {"Count", unsafe.Offsetof(w.Count)},
		{"Planes", unsafe.Offsetof(w.Planes)}, {"Distance", unsafe.Offsetof(w.Distance)}, {"Base", unsafe.Offsetof(w.Base)},
	} {
		a.raw(fmt.Sprintf("#define BP_%s %d(DI)\n", f.name, f.offset))
	}
	a.raw("\n")
	const name = "bitPlanesAVX2"
	a.comment(`
bitPlanesAVX2 is the loop of tile.BitPlanes, 32 bytes at a time: the bit of the highest
plane is brought to where VPMOVMSKB reads it, which doubling does for the others.`)
	a.raw(fmt.Sprintf("//\n// func %s(p *tile.BitPlanes)\nTEXT ·%s(SB), NOSPLIT, $0-8\n", name, name))
	a.op("MOVQ p+0(FP), DI")
	a.op("MOVQ BP_In, SI")
	a.op("MOVQ BP_Distance, R8")
	a.op("MOVQ BP_Planes, R9")
	a.op("MOVQ $8, AX")
	a.op("SUBQ R9, AX")
	a.op("MOVQ AX, X1")
	a.op("DECQ R9")
	a.op("IMULQ R8, R9")
	a.op("MOVQ BP_Out, DX")
	a.op("ADDQ R9, DX")
	a.op("VPBROADCASTB BP_Base, Y0")
	a.op("MOVQ BP_Count, CX")
	a.op("PCALIGN $32")
	a.label("vector")
	a.op("VMOVDQU (SI), Y2")
	a.op("VPSUBB Y0, Y2, Y2")
	a.op("VPSLLW X1, Y2, Y2 // what comes in from the byte below never gets to the top")
	a.op("MOVQ DX, BX")
	a.op("MOVQ BP_Planes, R9")
	a.label("plane")
	a.op("VPMOVMSKB Y2, AX")
	a.op("MOVL AX, (BX)")
	a.op("VPADDB Y2, Y2, Y2")
	a.op("SUBQ R8, BX")
	a.op("DECQ R9")
	a.op("JNE plane")
	a.op("ADDQ $32, SI")
	a.op("ADDQ $4, DX")
	a.op("SUBQ $32, CX")
	a.op("JNE vector")
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}
