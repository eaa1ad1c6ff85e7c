package main

import (
	"fmt"
	"unsafe"

	"macroscope/kernels/tile"
)

// depthwisePixels is how many pixels share the loads of weights: with eight channels each
// that makes eight sums, enough to hide the latency of a multiply-add (4 cycles) on two
// pipes.
const depthwisePixels = 4

// The loops of tile.Depthwise, eight channels at a time.
func depthwise(a *asm) {
	var w tile.Depthwise
	for _, f := range []struct {
		name   string
		offset uintptr
	}{
		{"In", unsafe.Offsetof(w.In)}, {"Out", unsafe.Offsetof(w.Out)}, {"W", unsafe.Offsetof(w.W)}, {"Init", unsafe.Offsetof(w.Init)},
		{"Taps", unsafe.Offsetof(w.Taps)}, {"NTaps", unsafe.Offsetof(w.NTaps)}, {"Count", unsafe.Offsetof(w.Count)}, {"Vectors", unsafe.Offsetof(w.Vectors)},
		{"InStep", unsafe.Offsetof(w.InStep)}, {"OutStep", unsafe.Offsetof(w.OutStep)}, {"WStep", unsafe.Offsetof(w.WStep)},
		{"Lo", unsafe.Offsetof(w.Lo)}, {"Hi", unsafe.Offsetof(w.Hi)},
		{"Scale", unsafe.Offsetof(w.Scale)}, {"Offset", unsafe.Offsetof(w.Offset)}, {"OutXor", unsafe.Offsetof(w.OutXor)},
	} {
		a.define("D_"+f.name, f.offset)
	}
	a.raw("\n")
	a.depthwise("depthwiseNEON", false)
	a.depthwise("depthwiseInt8NEON", true)
}

// Registers: R0 the arguments, R1 the vector's first channel, R5 vectors left, R3 pixels
// left; R8 points to the first tap of a pixel and moves by R2, R11 to its output and moves
// by R6; R9 to the taps' offsets, R10 to the weights, which move by R4; R12 counts taps,
// R7 is scratch, R13 to R16 point to the tap of each pixel. V0 to V7 are sums, V8 and V9
// the first sums, V10 and V11 the bounds; of bytes V12 and V13 the scale, V14 and V15 the
// offset, V26 the xor; V16 to V19 are a tap's weights and inputs.
func (a *asm) depthwise(name string, bytes bool) {
	a.comment(fmt.Sprintf("%s is the loop of tile.Depthwise, eight channels at a time, %d pixels of\na row together.", name, depthwisePixels))
	a.raw(fmt.Sprintf("//\n// func %s(w *tile.Depthwise)\nTEXT ·%s(SB), NOSPLIT, $0-8\n", name, name))
	a.op("MOVD w+0(FP), R0")
	a.op("MOVD D_InStep, R2")
	a.op("MOVD D_OutStep, R6")
	a.op("MOVD D_WStep, R4")
	a.op("MOVD D_Vectors, R5")
	a.op("MOVD ZR, R1")
	for i, bound := range []string{"Lo", "Hi"} {
		a.op("MOVW D_%s, R7", bound)
		a.op("VDUP R7, V%d.S4", 10+i)
	}
	a.label("vector")
	a.op("MOVD D_Init, R7")
	a.op("ADD R1<<2, R7, R7")
	a.op("FLDPQ (R7), (F8, F9)")
	a.op("MOVD D_In, R8")
	a.op("MOVD D_Out, R11")
	if !bytes {
		a.op("ADD R1<<2, R8, R8")
		a.op("ADD R1<<2, R11, R11")
		a.depthwisePixelLoops("", bytes, false)
	} else {
		a.op("ADD R1, R8")
		a.op("MOVD D_Scale, R7")
		a.op("CBZ R7, sums")
		a.op("ADD R1, R11")
		a.op("ADD R1<<2, R7, R7")
		a.op("FLDPQ (R7), (F12, F13)")
		a.op("MOVD D_Offset, R7")
		a.op("ADD R1<<2, R7, R7")
		a.op("FLDPQ (R7), (F14, F15)")
		a.op("MOVD D_OutXor, R7")
		a.op("VDUP R7, V26.B16")
		a.depthwisePixelLoops("bytes", bytes, true)
		a.op("B done")
		a.label("sums")
		a.op("ADD R1<<2, R11, R11")
		a.depthwisePixelLoops("", bytes, false)
	}
	a.label("done")
	a.op("ADD $8, R1")
	a.op("SUBS $1, R5")
	a.op("BNE vector")
	a.op("RET")
	a.raw("\n")
}

// depthwisePixelLoops goes over the pixels.
func (a *asm) depthwisePixelLoops(prefix string, bytes, round bool) {
	a.op("MOVD D_Count, R3")
	a.op("SUBS $%d, R3", depthwisePixels)
	a.op("BLT %srest", prefix)
	a.depthwiseLoop(prefix+"pixels", depthwisePixels, bytes, round)
	a.label(prefix + "rest")
	a.op("ADDS $%d, R3", depthwisePixels-1)
	a.op("BLT done")
	a.depthwiseLoop(prefix+"pixel", 1, bytes, round)
}

// depthwiseLoop goes on while R3 is not below 0, n pixels a time.
func (a *asm) depthwiseLoop(label string, n int, bytes, round bool) {
	a.label(label)
	for i := range 2 * n {
		a.op("VMOV V%d.B16, V%d.B16", 8+i%2, i)
	}
	a.op("MOVD D_Taps, R9")
	a.op("MOVD D_W, R10")
	a.op("ADD R1<<2, R10, R10")
	a.op("MOVD D_NTaps, R12")
	a.op("PCALIGN $32")
	a.label(label + "Tap")
	a.op("MOVD.P 8(R9), R13")
	a.op("ADD R8, R13")
	for i := 1; i < n; i++ {
		a.op("ADD R2, R%d, R%d", 12+i, 13+i)
	}
	a.op("FLDPQ (R10), (F16, F17)")
	if bytes { // weights are bytes, widened
		a.vec("XTN", 16, 16)
		a.vec("XTN2", 16, 17)
	}
	for i := range n {
		if !bytes {
			a.op("FLDPQ (R%d), (F18, F19)", 13+i)
			a.op("VFMLA V18.S4, V16.S4, V%d.S4", 2*i)
			a.op("VFMLA V19.S4, V17.S4, V%d.S4", 2*i+1)
			continue
		}
		a.op("FMOVD (R%d), F18", 13+i)
		a.vec("SXTL", 18, 18)
		a.vec("SMLAL 4H", 2*i, 18, 16)
		a.vec("SMLAL2 8H", 2*i+1, 18, 16)
	}
	a.op("ADD R4, R10")
	a.op("SUBS $1, R12")
	a.op("BNE %sTap", label)
	for i := range n {
		x, y := 2*i, 2*i+1
		for j, v := range []int{x, y} {
			switch {
			case round:
				a.vec("SCVTF", v, v)
				a.vec("FMUL", v, v, 12+j)
				a.vec("FADD", v, v, 14+j)
				a.vec("FMAXNM", v, v, 10) // of NaN and a number the number
				a.vec("FMINNM", v, v, 11)
				a.vec("FCVTNS", v, v)
			case !bytes:
				a.vec("FMAX", v, v, 10) // NaN stays
				a.vec("FMIN", v, v, 11)
			}
		}
		if round {
			a.vec("SQXTN", x, x)
			a.vec("SQXTN2", x, y)
			a.vec("SQXTN 8B", x, x)
			a.op("VEOR V26.B16, V%d.B16, V%d.B16", x, x)
			a.op("FMOVD F%d, (R11)", x)
		} else {
			a.op("FSTPQ (F%d, F%d), (R11)", x, y)
		}
		a.op("ADD R6, R11")
		a.op("ADD R2, R8")
	}
	a.op("SUBS $%d, R3", n)
	a.op("BGE %s", label)
}
