package main

import (
	"fmt"
	"unsafe"

	"macroscope/kernels/tile"
)

// The loops of tile.MergeFuncs: a vector of channels at a time, its constants in
// registers, over the pixels of a row. All is done on 32 bits, where an int16 plus an
// int16 cannot overflow, and narrowed at the end.

func (a *asm) mergeHeader() {
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
		a.raw(fmt.Sprintf("#define W_%s %d(DI)\n", f.name, f.offset))
	}
	a.raw("\n")
}

func merges(isa, reg string) func(*asm) {
	return func(a *asm) {
		a.mergeHeader()
		for _, h := range []string{"Alone", "Join", "JoinPool"} {
			for i, suffix := range []string{"", "PReLU"} {
				a.merge(merge{shape{reg, 1, 1}, "merge" + h + suffix + isa, h, i == 1})
			}
		}
	}
}

type merge struct {
	shape
	name  string
	h     string // the field of tile.MergeFuncs
	prelu bool
}

// Registers: DI the arguments, BX the first of the vector's channels, 0(SP) the first
// of h's, 8(SP) what turns the compared bits into the signs, SI vectors left, CX pixels
// left; R8, R9, R10, R11, R12 point to the sums, h, h a row further, the output and the
// bits, and move by DX, R13 (twice in JoinPool; R10 with it), R14 and R15. Vectors 0 to
// 6 are constants: m, b, the least and the largest number as float32, Lo, Hi, the
// slope; 7 is 0, 10 the thresholds, 8 and 9 a step's.
//
// Alone clamps before it rounds: Lo and Hi are integers, so that it is the same.
func (a *asm) merge(m merge) {
	start := a.Len() // the step is written to be counted, and again in its place
	m.step(a)
	n, loads, stores := mix(a.String()[start:])
	a.Truncate(start)
	slope := "every slope taken as 1"
	if m.prelu {
		slope = "slopes read"
	}
	a.comment(fmt.Sprintf(`%s is the loop of tile.MergeFuncs.%s, %s. A step
is %d instructions, %d of them loads and %d stores, and what moves on. Measured within
whole networks (go test -bench Shortcuts ./nn).`, m.name, m.h, slope, n, loads, stores))
	a.raw(fmt.Sprintf("//\n// func %s(w *tile.Merge)\nTEXT ·%s(SB), NOSPLIT, $16-8\n", m.name, m.name))
	a.op("MOVQ w+0(FP), DI")
	a.op("MOVQ W_SumStep, DX")
	a.op("MOVQ W_HStep, R13")
	a.op("MOVQ W_OutStep, R14")
	a.op("MOVQ W_BitStep, R15")
	a.op("MOVQ W_Vectors, SI")
	a.op("XORL BX, BX")
	a.op("MOVQ BX, 0(SP)")
	a.op("VPBROADCASTD W_Lo, %s", m.r(4))
	a.op("VPBROADCASTD W_Hi, %s", m.r(5))
	if m.h == "Alone" {
		a.op("VCVTDQ2PS %s, %s", m.r(4), m.r(2))
		a.op("VCVTDQ2PS %s, %s", m.r(5), m.r(3))
	} else {
		a.broadcast(m.shape, "0xc7000000", 2) // −32768
		a.broadcast(m.shape, "0x46fffe00", 3) // 32767
	}
	if m.prelu {
		a.zero(m.shape, 7)
	}
	a.label("vector")
	for _, c := range []struct {
		name string
		to   int
	}{{"M", 0}, {"B", 1}, {"T", 10}, {"Slope", 6}} {
		if c.name == "Slope" && !m.prelu {
			continue
		}
		a.op("MOVQ W_%s, AX", c.name)
		a.op("VMOVUPS (AX)(BX*4), %s", m.r(c.to))
	}
	a.op("MOVQ W_Sums, R8")
	a.op("LEAQ (R8)(BX*4), R8")
	a.op("MOVQ W_Out, R11")
	a.op("LEAQ (R11)(BX*2), R11")
	a.op("MOVQ BX, R12")
	a.op("SHRQ $3, R12")
	a.op("MOVQ W_Flip, AX")
	if m.reg == "Z" {
		a.op("MOVWLZX (AX)(R12*1), AX")
	} else { // what is compared is the opposite
		a.op("MOVBLZX (AX)(R12*1), AX")
		a.op("XORL $255, AX")
	}
	a.op("MOVL AX, 8(SP)")
	a.op("ADDQ W_Bits, R12")
	if m.h != "Alone" {
		a.op("MOVQ 0(SP), AX")
		a.op("MOVQ W_H, R9")
		a.op("LEAQ (R9)(AX*2), R9")
		a.op("ADDQ $%d, AX", m.lanes())
		a.op("CMPQ AX, W_HChannels")
		a.op("JLT repeat")
		a.op("XORL AX, AX")
		a.label("repeat")
		a.op("MOVQ AX, 0(SP)")
	}
	if m.h == "JoinPool" {
		a.op("MOVQ R9, R10")
		a.op("ADDQ W_HRow, R10")
	}
	a.op("MOVQ W_Count, CX")
	a.op("PCALIGN $32")
	a.label("pixel")
	m.step(a)
	a.op("ADDQ DX, R8")
	switch m.h {
	case "Join":
		a.op("ADDQ R13, R9")
	case "JoinPool":
		a.op("LEAQ (R9)(R13*2), R9")
		a.op("LEAQ (R10)(R13*2), R10")
	}
	a.op("ADDQ R14, R11")
	a.op("ADDQ R15, R12")
	a.op("DECQ CX")
	a.op("JNE pixel")
	a.op("ADDQ $%d, BX", m.lanes())
	a.op("DECQ SI")
	a.op("JNE vector")
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}

// step merges a vector of one pixel.
func (m merge) step(a *asm) {
	x, y := m.r(8), m.r(9)
	a.op("VCVTDQ2PS (R8), %s", x)
	a.op("VMULPS %s, %s, %s", m.r(0), x, x)
	a.op("VADDPS %s, %s, %s", m.r(1), x, x)
	a.op("VMAXPS %s, %s, %s // NaN becomes the second source", m.r(2), x, x)
	a.op("VMINPS %s, %s, %s", m.r(3), x, x)
	a.op("VCVTPS2DQ %s, %s", x, x)
	half := map[string]string{"Y": "X9", "Z": "Y9"}[m.reg] // as many int16
	switch m.h {
	case "Join":
		a.op("VPMOVSXWD (R9), %s", y)
	case "JoinPool":
		a.op("VMOVDQU (R9), %s", half)
		for _, from := range []string{"(R9)(R13*1)", "(R10)", "(R10)(R13*1)"} {
			a.op("VPMAXSW %s, %s, %s", from, half, half)
		}
		a.op("VPMOVSXWD %s, %s", half, y)
	}
	if m.h != "Alone" {
		a.op("VPADDD %s, %s, %s", y, x, x)
		a.op("VPMAXSD %s, %s, %s", m.r(4), x, x)
		a.op("VPMINSD %s, %s, %s", m.r(5), x, x)
	}
	if m.prelu {
		a.op("VCVTDQ2PS %s, %s", x, y)
		a.op("VMULPS %s, %s, %s", m.r(6), y, y)
		if m.reg == "Z" {
			a.op("VPCMPD $1, %s, %s, K1 // below 0", m.r(7), x)
			a.op("VCVTPS2DQ %s, K1, %s", y, x)
		} else {
			a.op("VCVTPS2DQ %s, %s", y, y)
			a.op("VBLENDVPS %s, %s, %s, %s // below 0", x, y, x, x)
		}
	}
	// Saturation, which a slope needs, leaves thresholds on the same side.
	if m.reg == "Z" {
		a.op("VPCMPD $5, %s, %s, K2 // not below", m.r(10), x)
		a.op("KMOVW K2, AX")
		a.op("XORL 8(SP), AX")
		a.op("MOVW AX, (R12)")
		a.op("VPMOVSDW %s, (R11)", x)
		return
	}
	a.op("VPCMPGTD %s, %s, %s // below", x, m.r(10), y)
	a.op("VMOVMSKPS %s, AX", y)
	a.op("XORL 8(SP), AX")
	a.op("MOVB AX, (R12)")
	a.op("VEXTRACTI128 $1, %s, X9", x)
	a.op("VPACKSSDW X9, X8, X8")
	a.op("VMOVDQU X8, (R11)")
}
