package main

import (
	"fmt"
	"unsafe"

	"macroscope/kernels/tile"
)

// The loops of tile.MergeFuncs: eight channels at a time, as two registers of 32 bits,
// where an int16 plus an int16 cannot overflow, narrowed at the end.

func merges(a *asm) {
	var w tile.Merge
	for _, f := range []struct {
		name   string
		offset uintptr
	}{
		{"Sums", unsafe.Offsetof(w.Sums)}, {"H", unsafe.Offsetof(w.H)}, {"Out", unsafe.Offsetof(w.Out)}, {"Bits", unsafe.Offsetof(w.Bits)},
		{"M", unsafe.Offsetof(w.M)}, {"B", unsafe.Offsetof(w.B)}, {"Slope", unsafe.Offsetof(w.Slope)},
		{"T", unsafe.Offsetof(w.T)}, {"Flip", unsafe.Offsetof(w.Flip)},
		{"Count", unsafe.Offsetof(w.Count)}, {"Vectors", unsafe.Offsetof(w.Vectors)},
		{"SumStep", unsafe.Offsetof(w.SumStep)}, {"HStep", unsafe.Offsetof(w.HStep)},
		{"OutStep", unsafe.Offsetof(w.OutStep)}, {"BitStep", unsafe.Offsetof(w.BitStep)},
		{"HRow", unsafe.Offsetof(w.HRow)}, {"HChannels", unsafe.Offsetof(w.HChannels)},
		{"Lo", unsafe.Offsetof(w.Lo)}, {"Hi", unsafe.Offsetof(w.Hi)},
	} {
		a.define("W_"+f.name, f.offset)
	}
	a.raw("\n")
	for _, h := range []string{"Alone", "Join", "JoinPool"} {
		for i, suffix := range []string{"", "PReLU"} {
			a.merge("merge"+h+suffix+"NEON", h, i == 1)
		}
	}
}

// merge writes a loop. Registers: R0 the arguments, R1 the first of the vector's
// channels, R14 the first of h's, R3 pixels left, R5 vectors left, R7 scratch; R8, R9,
// R10, R11, R12 point to the sums, h, h a row further, the output and the bits, and
// move by R2, R4 (R15, twice as far, in JoinPool), R6 and R13. V0 and V1 are m, V2 and
// V3 b, V4 and V5 the least and the largest int16 as float32, V6 Lo, V7 Hi, V24 and
// V25 the slope, V26 a bit for each int16, V27 the thresholds, R16 their flips; V16 to
// V23 are a step's.
func (a *asm) merge(name, h string, prelu bool) {
	slope := "every slope taken as 1"
	if prelu {
		slope = "slopes read"
	}
	a.comment(fmt.Sprintf("%s is the loop of tile.MergeFuncs.%s, %s.", name, h, slope))
	a.raw(fmt.Sprintf("//\n// func %s(w *tile.Merge)\nTEXT ·%s(SB), NOSPLIT, $0-8\n", name, name))
	a.op("MOVD w+0(FP), R0")
	a.op("MOVD W_SumStep, R2")
	a.op("MOVD W_HStep, R4")
	a.op("MOVD W_OutStep, R6")
	a.op("MOVD W_BitStep, R13")
	a.op("MOVD W_Vectors, R5")
	a.op("LSL $1, R4, R15")
	a.op("MOVD ZR, R1")
	a.op("MOVD ZR, R14")
	for _, c := range []struct {
		bits uint32
		to   int
	}{{0xc7000000, 4}, {0x46fffe00, 5}} { // −32768, 32767
		a.op("MOVW $%#x, R7", c.bits)
		a.op("VDUP R7, V%d.S4", c.to)
	}
	for i, bound := range []string{"Lo", "Hi"} {
		a.op("MOVW W_%s, R7", bound)
		a.op("VDUP R7, V%d.S4", 6+i)
	}
	for i := range 8 {
		a.op("MOVD $%d, R7", 1<<i)
		a.op("VMOV R7, V26.H[%d]", i)
	}
	a.label("vector")
	constants := []string{"M", "B", "T"}
	if prelu {
		constants = append(constants, "Slope")
	}
	for _, c := range constants {
		first := map[string]int{"M": 0, "B": 2, "Slope": 24, "T": 27}[c]
		a.op("MOVD W_%s, R7", c)
		a.op("ADD R1<<2, R7, R7")
		a.op("FLDPQ (R7), (F%d, F%d)", first, first+1)
	}
	a.vec("SQXTN", 27, 27)
	a.vec("SQXTN2", 27, 28)
	a.op("MOVD W_Flip, R7")
	a.op("ADD R1>>3, R7, R7")
	a.op("MOVBU (R7), R16")
	a.op("MOVD W_Sums, R8")
	a.op("ADD R1<<2, R8, R8")
	a.op("MOVD W_Out, R11")
	a.op("ADD R1<<1, R11, R11")
	a.op("MOVD W_Bits, R12")
	a.op("ADD R1>>3, R12, R12")
	if h != "Alone" {
		a.op("MOVD W_H, R9")
		a.op("ADD R14<<1, R9, R9")
		a.op("ADD $8, R14")
		a.op("MOVD W_HChannels, R7")
		a.op("CMP R7, R14")
		a.op("CSEL LT, R14, ZR, R14")
	}
	if h == "JoinPool" {
		a.op("MOVD W_HRow, R7")
		a.op("ADD R7, R9, R10")
	}
	a.op("MOVD W_Count, R3")
	a.op("PCALIGN $32")
	a.label("pixel")
	a.mergeStep(h, prelu)
	a.op("ADD R2, R8")
	switch h {
	case "Join":
		a.op("ADD R4, R9")
	case "JoinPool":
		a.op("ADD R15, R9")
		a.op("ADD R15, R10")
	}
	a.op("ADD R6, R11")
	a.op("ADD R13, R12")
	a.op("SUBS $1, R3")
	a.op("BNE pixel")
	a.op("ADD $8, R1")
	a.op("SUBS $1, R5")
	a.op("BNE vector")
	a.op("RET")
	a.raw("\n")
}

// mergeStep merges eight channels of one pixel.
func (a *asm) mergeStep(h string, prelu bool) {
	const x, y, stream, bent, negative = 16, 17, 18, 20, 22 // bent and negative: two each
	halves := []int{x, y}
	a.op("FLDPQ (R8), (F%d, F%d)", x, y)
	switch h {
	case "Join":
		a.op("FMOVQ (R9), F%d", stream)
	case "JoinPool":
		a.op("FMOVQ (R9), F%d", stream)
		a.vec("LDR", 19, 9, 4)
		a.op("FMOVQ (R10), F20")
		a.vec("LDR", 21, 10, 4)
		a.vec("SMAX 8H", stream, stream, 19)
		a.vec("SMAX 8H", 20, 20, 21)
		a.vec("SMAX 8H", stream, stream, 20)
	}
	for i, v := range halves {
		a.vec("SCVTF", v, v)
		a.vec("FMUL", v, v, i)
		a.vec("FADD", v, v, 2+i)
		a.vec("FMAXNM", v, v, 4) // of NaN and a number the number
		a.vec("FMINNM", v, v, 5)
		a.vec("FCVTNS", v, v) // halves to even
	}
	if h != "Alone" {
		a.vec("SADDW", x, x, stream)
		a.vec("SADDW2", y, y, stream)
	}
	for _, v := range halves {
		a.vec("SMAX", v, v, 6)
		a.vec("SMIN", v, v, 7)
	}
	if prelu {
		for i, v := range halves {
			a.vec("SCVTF", bent+i, v)
			a.vec("FMUL", bent+i, bent+i, 24+i)
			a.vec("FCVTNS", bent+i, bent+i)
			a.vec("CMLT zero", negative+i, v)
			a.vec("BIT", v, bent+i, negative+i)
		}
	}
	a.vec("SQXTN", stream, x) // saturates, which a slope needs
	a.vec("SQXTN2", stream, y)
	a.op("FMOVQ F%d, (R11)", stream)
	a.vec("CMGE 8H", 19, stream, 27)
	a.op("VAND V26.B16, V19.B16, V19.B16")
	a.vec("ADDV 8H", 19, 19)
	a.op("VMOV V19.H[0], R7")
	a.op("EOR R16, R7, R7")
	a.op("MOVB R7, (R12)")
}
