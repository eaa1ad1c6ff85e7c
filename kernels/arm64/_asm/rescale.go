package main

import (
	"unsafe"

	"macroscope/kernels/tile"
)

// rescale writes the loop of tile.Rescale. Registers: R0 the arguments, R1 the vector's
// first channel, R5 vectors left, R3 pixels left; R8 points to the sums and moves by R2, R9
// to the places, R11 to the vector's channels of the first output; R7 and R10 are scratch.
// V0 and V1 are M, V2 and V3 Left, V4 and V5 −Right, V6 and V7 Half, V8 and V9 −Half, which
// says where halves go away from zero as well; V10 to V13 are zero point, bounds and xor;
// V16 to V19 are a step's.
func rescale(a *asm) {
	var w tile.Rescale
	for _, f := range []struct {
		name   string
		offset uintptr
	}{
		{"Sums", unsafe.Offsetof(w.Sums)}, {"Out", unsafe.Offsetof(w.Out)}, {"Places", unsafe.Offsetof(w.Places)},
		{"M", unsafe.Offsetof(w.M)}, {"Left", unsafe.Offsetof(w.Left)}, {"Right", unsafe.Offsetof(w.Right)}, {"Half", unsafe.Offsetof(w.Half)},
		{"Count", unsafe.Offsetof(w.Count)}, {"Vectors", unsafe.Offsetof(w.Vectors)}, {"SumStep", unsafe.Offsetof(w.SumStep)},
		{"Zero", unsafe.Offsetof(w.Zero)}, {"Lo", unsafe.Offsetof(w.Lo)}, {"Hi", unsafe.Offsetof(w.Hi)}, {"OutXor", unsafe.Offsetof(w.OutXor)},
	} {
		a.define("S_"+f.name, f.offset)
	}
	a.raw("\n")
	a.comment("rescaleNEON is the loop of tile.Rescale, eight channels at a time.")
	a.raw("//\n// func rescaleNEON(w *tile.Rescale)\nTEXT ·rescaleNEON(SB), NOSPLIT, $0-8\n")
	a.op("MOVD w+0(FP), R0")
	a.op("MOVD S_SumStep, R2")
	a.op("MOVD S_Vectors, R5")
	a.op("MOVD ZR, R1")
	a.op("MOVH S_Zero, R7")
	a.op("VDUP R7, V10.H8")
	for i, f := range []string{"Lo", "Hi", "OutXor"} {
		a.op("MOVB S_%s, R7", f)
		a.op("VDUP R7, V%d.B16", 11+i)
	}
	a.label("vector")
	for i, f := range []string{"M", "Left", "Right", "Half"} {
		a.op("MOVD S_%s, R7", f)
		a.op("ADD R1<<2, R7, R7")
		a.op("FLDPQ (R7), (F%d, F%d)", 2*i, 2*i+1)
	}
	for i := range 2 {
		a.vec("NEG", 4+i, 4+i)
		a.vec("NEG", 8+i, 6+i)
	}
	a.op("MOVD S_Sums, R8")
	a.op("ADD R1<<2, R8, R8")
	a.op("MOVD S_Out, R11")
	a.op("ADD R1, R11")
	a.op("MOVD S_Places, R9")
	a.op("MOVD S_Count, R3")
	a.op("PCALIGN $32")
	a.label("pixel")
	a.op("FLDPQ (R8), (F16, F17)")
	for i := range 2 {
		v, sign := 16+i, 18+i
		a.vec("SSHL", v, v, 2+i)
		a.vec("SQRDMULH", v, v, i) // (2·v·M + 2³¹) >> 32
		a.vec("CMLT zero", sign, v)
		a.op("VAND V%d.B16, V%d.B16, V%d.B16", 8+i, sign, sign)
		a.op("VADD V%d.S4, V%d.S4, V%d.S4", sign, v, v)
		a.vec("SSHL", v, v, 4+i)
		a.op("VADD V%d.S4, V%d.S4, V%d.S4", 6+i, v, v)
		a.vec("SSHL", v, v, 8+i)
	}
	a.vec("SQXTN", 16, 16)
	a.vec("SQXTN2", 16, 17)
	a.vec("SQADD 8H", 16, 16, 10)
	a.vec("SQXTN 8B", 16, 16)
	a.vec("SMAX 8B", 16, 16, 11)
	a.vec("SMIN 8B", 16, 16, 12)
	a.op("VEOR V13.B16, V16.B16, V16.B16")
	a.op("MOVD.P 8(R9), R7")
	a.op("ADD R11, R7, R10")
	a.op("FMOVD F16, (R10)")
	a.op("ADD R2, R8")
	a.op("SUBS $1, R3")
	a.op("BNE pixel")
	a.op("ADD $8, R1")
	a.op("SUBS $1, R5")
	a.op("BNE vector")
	a.op("RET")
	a.raw("\n")
}
