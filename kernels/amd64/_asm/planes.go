package main

import "fmt"

func planesAVX512(a *asm) {
	a.pixelsHeader()
	a.planes(planes{
		name: "pixelPlanesAVX512",
		doc: `
pixelPlanesAVX512 is the loop of tile.PixelFuncs.Planes, 16 pixels of 16 channels at a
time: 16 loads, the 64 shuffles of a transposition on two ports, 32 cycles, and 16
stores.
Measured within a step of training (go test -bench Step ./train).`,
		once: func() {},
		load: func(i int) { a.op("VMOVUPS (%s), Z%d", pixelPtr["X"], i) },
	})
}

// planes is what differs between transpositions of 16×16 words.
type planes struct {
	name, doc string
	y         bool        // Y is walked along as X is
	once      func()      // before the loads of 16 pixels
	load      func(i int) // the words of the pixel at X to Z register i; 30 and 31 are free
}

// Registers: DI the arguments, DX Step, R12 OutRow, BX the byte offset of the vector of
// channels, R15 vectors left, SI its first plane, R11 the place in there, CX pixels
// left, R13 the step to the next pixel: 0 after the last one, which is loaded again
// in place of those that there are not, R10 0.
func (a *asm) planes(p planes) {
	a.comment(p.doc)
	a.raw(fmt.Sprintf("//\n// func %s(p *tile.Pixels)\nTEXT ·%s(SB), NOSPLIT, $0-8\n", p.name, p.name))
	a.op("MOVQ p+0(FP), DI")
	a.op("MOVQ P_Step, DX")
	a.op("MOVQ P_OutRow, R12")
	a.op("MOVQ P_Vectors, R15")
	a.op("MOVQ P_Out, SI")
	a.op("XORL BX, BX")
	a.op("XORL R10, R10")
	a.label("vector")
	a.op("MOVQ P_X, R8")
	a.op("ADDQ BX, R8")
	if p.y {
		a.op("MOVQ P_Y, R9")
		a.op("ADDQ BX, R9")
	}
	a.op("MOVQ SI, R11")
	a.op("MOVQ P_Count, CX")
	a.op("MOVQ DX, R13")
	a.op("PCALIGN $32")
	a.label("block")
	p.once()
	for i := range 16 {
		p.load(i)
		a.op("CMPQ CX, $%d", i+1)
		a.op("CMOVQEQ R10, R13")
		a.op("ADDQ R13, R8")
		if p.y {
			a.op("ADDQ R13, R9")
		}
	}
	a.transpose16()
	a.op("MOVQ R11, R14")
	a.op("CMPQ CX, $16")
	a.op("JLT some")
	for i := range 16 {
		a.op("VMOVUPS Z%d, (R14)", i)
		a.op("ADDQ R12, R14")
	}
	a.op("ADDQ $64, R11")
	a.op("SUBQ $16, CX")
	a.op("JNE block")
	a.op("JMP next")
	a.label("some")
	a.op("MOVL $1, AX")
	a.op("SHLL CX, AX")
	a.op("DECL AX")
	a.op("KMOVW AX, K1")
	for i := range 16 {
		a.op("VMOVUPS Z%d, K1, (R14)", i)
		a.op("ADDQ R12, R14")
	}
	a.label("next")
	a.op("ADDQ $64, BX")
	a.op("MOVQ R12, AX")
	a.op("SHLQ $4, AX")
	a.op("ADDQ AX, SI")
	a.op("DECQ R15")
	a.op("JNE vector")
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}

// transpose16 transposes the 16×16 words of Z0-Z15; it uses all registers. A
// group is four registers, a lane four words.
func (a *asm) transpose16() {
	for i := range 8 { // words of two rows beside each other
		x, y := 2*i, 2*i+1
		a.op("VUNPCKLPS Z%d, Z%d, Z%d", y, x, 16+x)
		a.op("VUNPCKHPS Z%d, Z%d, Z%d", y, x, 16+y)
	}
	for g := 0; g < 16; g += 4 { // of four: register g+j has column j of each lane
		for j := range 2 {
			x, y := 16+g+j, 16+g+j+2
			a.op("VUNPCKLPD Z%d, Z%d, Z%d", y, x, g+2*j)
			a.op("VUNPCKHPD Z%d, Z%d, Z%d", y, x, g+2*j+1)
		}
	}
	for j := range 4 { // even and odd lanes of two groups
		for h := 0; h < 16; h += 8 {
			a.op("VSHUFF32X4 $0x88, Z%d, Z%d, Z%d", h+4+j, h+j, 16+h+j)
			a.op("VSHUFF32X4 $0xdd, Z%d, Z%d, Z%d", h+4+j, h+j, 16+h+4+j)
		}
	}
	for j := range 4 { // a lane of all four
		for odd := 0; odd < 8; odd += 4 {
			x, y := 16+odd+j, 16+odd+8+j
			a.op("VSHUFF32X4 $0x88, Z%d, Z%d, Z%d", y, x, odd+j)
			a.op("VSHUFF32X4 $0xdd, Z%d, Z%d, Z%d", y, x, odd+8+j)
		}
	}
}
