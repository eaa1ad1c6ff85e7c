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
			{"Scale", unsafe.Offsetof(w.Scale)}, {"Offset", unsafe.Offsetof(w.Offset)}, {"OutXor", unsafe.Offsetof(w.OutXor)},
		} {
			a.raw(fmt.Sprintf("#define D_%s %d(DI)\n", f.name, f.offset))
		}
		a.raw("\n")
		for _, bytes := range []string{"", "Int8", "Uint8"} {
			a.depthwise(depthwiseLoop{shape{reg, 1, 1}, bytes}, "depthwise"+bytes+isa)
		}
	}
}

// A depthwiseLoop is over float32 numbers or, with bytes Int8 or Uint8, over those.
type depthwiseLoop struct {
	shape
	bytes string
}

// Registers: DI the arguments, BX the bytes before the vector, SI vectors left, CX pixels
// left; R8 points to the first tap of a pixel and moves by DX, R11 to its output and moves
// by R14; R13 and R15 are three times as much. R9 points to the taps' offsets, R10 to
// the weights, R12 counts taps. Vectors 0 to 3 are sums, 4 the weights, 5 the first sum, 6
// and 7 the bounds, 8 bytes as integers; of bytes 9 and 10 are scale and offset, 11 the xor.
func (a *asm) depthwise(s depthwiseLoop, name string) {
	product := "multiply-adds that load their input"
	if s.bytes != "" {
		product = "products of widened bytes"
	}
	a.comment(fmt.Sprintf(`%s is the loop of tile.Depthwise: a vector of channels at a time, %d pixels
of a row together. A tap is a load of weights and %d %s.
Measured by go test -bench Depthwise ./kernels.`, name, depthwisePixels, depthwisePixels, product))
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
	a.op("MOVQ D_Out, R11")
	if s.bytes == "" {
		a.op("ADDQ BX, R8")
		a.op("ADDQ BX, R11")
	} else {
		a.op("MOVQ BX, AX")
		a.op("SHRQ $2, AX")
		a.op("ADDQ AX, R8")
		a.op("MOVQ D_Scale, R9")
		a.op("TESTQ R9, R9")
		a.op("JEQ sums")
		a.op("ADDQ AX, R11")
		a.op("VMOVUPS (R9)(BX*1), %s", s.r(9))
		a.op("MOVQ D_Offset, R9")
		a.op("VMOVUPS (R9)(BX*1), %s", s.r(10))
		a.op("VPBROADCASTB D_OutXor, X11")
		a.depthwisePixelLoops(s, "bytes")
		a.op("JMP done")
		a.label("sums")
		a.op("ADDQ BX, R11")
	}
	a.depthwisePixelLoops(s, "")
	a.label("done")
	a.op("ADDQ $%d, BX", 4*s.lanes())
	a.op("DECQ SI")
	a.op("JNE vector")
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}

// depthwisePixelLoops goes over the pixels, storing as prefix says: bytes, or words.
func (a *asm) depthwisePixelLoops(s depthwiseLoop, prefix string) {
	a.op("MOVQ D_Count, CX")
	a.op("SUBQ $%d, CX", depthwisePixels)
	a.op("JLT %srest", prefix)
	a.depthwiseLoop(s, prefix+"pixels", depthwisePixels, prefix == "bytes")
	a.label(prefix + "rest")
	a.op("ADDQ $%d, CX", depthwisePixels-1)
	a.op("JLT done")
	a.depthwiseLoop(s, prefix+"pixel", 1, prefix == "bytes")
}

// depthwiseLoop goes on while CX is not below 0, n pixels a time.
func (a *asm) depthwiseLoop(s depthwiseLoop, label string, n int, round bool) {
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
		from := at("AX", "DX", "R13", i)
		if s.bytes == "" {
			a.op("VFMADD231PS %s, %s, %s", from, s.r(4), s.r(i))
			continue
		}
		a.op("%s %s, %s", map[string]string{"Int8": "VPMOVSXBD", "Uint8": "VPMOVZXBD"}[s.bytes], from, s.r(8))
		a.op("VPMULLD %s, %s, %s", s.r(4), s.r(8), s.r(8))
		a.op("VPADDD %s, %s, %s", s.r(8), s.r(i), s.r(i))
	}
	a.op("ADDQ $8, R9")
	a.op("ADDQ D_WStep, R10")
	a.op("DECQ R12")
	a.op("JNE %sTap", label)
	for i := range n {
		to := at("R11", "R14", "R15", i)
		if round {
			a.op("VCVTDQ2PS %s, %s", s.r(i), s.r(i))
			a.op("VMULPS %s, %s, %s", s.r(9), s.r(i), s.r(i))
			a.op("VADDPS %s, %s, %s", s.r(10), s.r(i), s.r(i))
		}
		if round || s.bytes == "" {
			a.op("VMAXPS %s, %s, %s // NaN stays", s.r(i), s.r(6), s.r(i))
			a.op("VMINPS %s, %s, %s", s.r(i), s.r(7), s.r(i))
		}
		if !round {
			a.op("VMOVUPS %s, %s", s.r(i), to)
			continue
		}
		x := fmt.Sprintf("X%d", i)
		a.op("VCVTPS2DQ %s, %s", s.r(i), s.r(i))
		if s.reg == "Z" {
			a.op("VPMOVSDB %s, %s", s.r(i), x)
			a.op("VPXOR X11, %s, %s", x, x)
			a.op("VMOVDQU %s, %s", x, to)
		} else {
			a.op("VEXTRACTI128 $1, %s, X8", s.r(i))
			a.op("VPACKSSDW X8, %s, %s", x, x)
			a.op("VPACKSSWB %s, %s, %s", x, x, x)
			a.op("VPXOR X11, %s, %s", x, x)
			a.op("VMOVQ %s, %s", x, to)
		}
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
