package main

import (
	"fmt"
	"unsafe"

	"macroscope/kernels/tile"
)

// depthwisePixels is how many pixels share the loads of a vector of weights. More sums
// would hide more of the multiply-add's latency, but rows are short: 4 wide is the
// narrowest that networks end in.
const depthwisePixels = 4

func depthwise(isa, reg string) func(*asm) {
	return func(a *asm) {
		var w tile.Depthwise
		for _, f := range []struct {
			name   string
			offset uintptr
		}{
			{"In", unsafe.Offsetof(w.In)}, {"Out", unsafe.Offsetof(w.Out)}, {"W", unsafe.Offsetof(w.W)}, {"Init", unsafe.Offsetof(w.Init)},
			{"Taps", unsafe.Offsetof(w.Taps)}, {"NTaps", unsafe.Offsetof(w.NTaps)}, {"Count", unsafe.Offsetof(w.Count)}, {"Vectors", unsafe.Offsetof(w.Vectors)},
			{"InStep", unsafe.Offsetof(w.InStep)}, {"OutStep", unsafe.Offsetof(w.OutStep)}, {"WStep", unsafe.Offsetof(w.WStep)},
			{"Lo", unsafe.Offsetof(w.Lo)}, {"Hi", unsafe.Offsetof(w.Hi)},
		} {
			a.raw(fmt.Sprintf("#define D_%s %d(DI)\n", f.name, f.offset))
		}
		a.raw("\n")
		a.depthwise(shape{reg, 1, 1}, "depthwise"+isa)
	}
}

// Registers: DI the arguments, BX the bytes before the vector, SI vectors left, CX pixels
// left; R8 points to the first tap of a pixel and moves by DX, R11 to its output and moves
// by R14; R13 and R15 are three times as much. R9 points to the taps' offsets, R10 to
// the weights, R12 counts taps. Vectors 0 to 3 are sums, 4 the weights, 5 the first sum, 6
// and 7 the bounds.
func (a *asm) depthwise(s shape, name string) {
	a.comment(fmt.Sprintf(`%s is the loop of tile.Depthwise: a vector of channels at a time, %d pixels
of a row together. A tap is a load of weights and %d multiply-adds that load their input, so that
loads are what bounds it. Measured by go test -bench Depthwise ./kernels.`, name, depthwisePixels, depthwisePixels))
	a.raw(fmt.Sprintf("//\n// func %s(w *tile.Depthwise)\nTEXT ·%s(SB), NOSPLIT, $0-8\n", name, name))
	a.op("MOVQ w+0(FP), DI")
	a.op("MOVQ D_InStep, DX")
	a.op("LEAQ (DX)(DX*2), R13")
	a.op("MOVQ D_OutStep, R14")
	a.op("LEAQ (R14)(R14*2), R15")
	a.op("MOVQ D_Vectors, SI")
	a.op("XORL BX, BX")
	a.op("VBROADCASTSS D_Lo, %s", s.r(6))
	a.op("VBROADCASTSS D_Hi, %s", s.r(7))
	a.label("vector")
	a.op("MOVQ D_Init, AX")
	a.op("VMOVUPS (AX)(BX*1), %s", s.r(5))
	a.op("MOVQ D_In, R8")
	a.op("ADDQ BX, R8")
	a.op("MOVQ D_Out, R11")
	a.op("ADDQ BX, R11")
	a.op("MOVQ D_Count, CX")
	a.op("SUBQ $%d, CX", depthwisePixels)
	a.op("JLT rest")
	a.depthwiseLoop(s, "pixels", depthwisePixels)
	a.label("rest")
	a.op("ADDQ $%d, CX", depthwisePixels-1)
	a.op("JLT done")
	a.depthwiseLoop(s, "pixel", 1)
	a.label("done")
	a.op("ADDQ $%d, BX", 4*s.lanes())
	a.op("DECQ SI")
	a.op("JNE vector")
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}

// depthwiseLoop goes on while CX is not below 0, n pixels a time.
func (a *asm) depthwiseLoop(s shape, label string, n int) {
	at := func(base, step, thrice string, i int) string {
		return []string{"(" + base + ")", "(" + base + ")(" + step + "*1)", "(" + base + ")(" + step + "*2)", "(" + base + ")(" + thrice + "*1)"}[i]
	}
	a.label(label)
	for i := range n {
		a.op("VMOVAPS %s, %s", s.r(5), s.r(i))
	}
	a.op("MOVQ D_Taps, R9")
	a.op("MOVQ D_W, R10")
	a.op("ADDQ BX, R10")
	a.op("MOVQ D_NTaps, R12")
	a.op("PCALIGN $32")
	a.label(label + "Tap")
	a.op("MOVQ (R9), AX")
	a.op("ADDQ R8, AX")
	a.op("VMOVUPS (R10), %s", s.r(4))
	for i := range n {
		a.op("VFMADD231PS %s, %s, %s", at("AX", "DX", "R13", i), s.r(4), s.r(i))
	}
	a.op("ADDQ $8, R9")
	a.op("ADDQ D_WStep, R10")
	a.op("DECQ R12")
	a.op("JNE %sTap", label)
	for i := range n {
		a.op("VMAXPS %s, %s, %s // NaN stays", s.r(i), s.r(6), s.r(i))
		a.op("VMINPS %s, %s, %s", s.r(i), s.r(7), s.r(i))
		a.op("VMOVUPS %s, %s", s.r(i), at("R11", "R14", "R15", i))
	}
	if n == 1 {
		a.op("ADDQ DX, R8")
		a.op("ADDQ R14, R11")
	} else {
		a.op("LEAQ (R8)(DX*%d), R8", n)
		a.op("LEAQ (R11)(R14*%d), R11", n)
	}
	a.op("SUBQ $%d, CX", n)
	a.op("JGE %s", label)
}
