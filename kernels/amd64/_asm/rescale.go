package main

import (
	"fmt"
	"unsafe"

	"macroscope/kernels/tile"
)

func rescales(isa, reg string) func(*asm) {
	return func(a *asm) {
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
			a.raw(fmt.Sprintf("#define S_%s %d(DI)\n", f.name, f.offset))
		}
		a.raw("\n")
		a.rescale(shape{reg, 1, 1}, "rescale"+isa)
	}
}

// Registers: DI the arguments, BX the first of the vector's channels, SI vectors left, CX
// pixels left; R8 points to the sums and moves by DX, R9 to the places, R11 to the vector's
// channels of the first output. Vectors 0 to 4 are M, M of odd channels, Left, Right and
// Half; 5 says where halves go away from zero (K2 with 512 bits); 6 is 2³⁰ in 64 bits; 8
// to 11 are zero point, bounds and xor; 12 and 13 a step's.
func (a *asm) rescale(s shape, name string) {
	start := a.Len() // the step is written to be counted, and again in its place
	a.rescaleStep(s)
	n, _, _ := mix(a.String()[start:])
	a.Truncate(start)
	a.comment(fmt.Sprintf(`%s is the loop of tile.Rescale: a vector of channels at a time, %d
instructions a vector. Measured within whole networks (macroscope bench --layers --model
of a TFLite file of integers).`, name, n))
	a.raw(fmt.Sprintf("//\n// func %s(w *tile.Rescale)\nTEXT ·%s(SB), NOSPLIT, $0-8\n", name, name))
	a.op("MOVQ w+0(FP), DI")
	a.op("MOVQ S_SumStep, DX")
	a.op("MOVQ S_Vectors, SI")
	a.op("XORL BX, BX")
	a.op("MOVL $0x40000000, AX")
	a.op("VMOVQ AX, X6")
	a.op("VPBROADCASTQ X6, %s", s.r(6))
	a.op("VPBROADCASTW S_Zero, Y8")
	for i, f := range []string{"Lo", "Hi", "OutXor"} {
		a.op("VPBROADCASTB S_%s, X%d", f, 9+i)
	}
	if s.reg == "Z" {
		a.op("MOVL $0xaaaa, AX")
		a.op("KMOVW AX, K1 // odd channels")
	}
	a.label("vector")
	for _, c := range []struct {
		f string
		i int
	}{{"M", 0}, {"Left", 2}, {"Right", 3}, {"Half", 4}} {
		a.op("MOVQ S_%s, AX", c.f)
		a.op("VMOVUPS (AX)(BX*4), %s", s.r(c.i))
	}
	a.op("VPSRLQ $32, %s, %s", s.r(0), s.r(1))
	if s.reg == "Z" {
		a.op("VPTESTMD %s, %s, K2", s.r(4), s.r(4))
	} else {
		a.op("VPSLLD $31, %s, %s", s.r(4), s.r(5))
		a.op("VPSRAD $31, %s, %s", s.r(5), s.r(5))
	}
	a.op("MOVQ S_Sums, R8")
	a.op("LEAQ (R8)(BX*4), R8")
	a.op("MOVQ S_Out, R11")
	a.op("ADDQ BX, R11")
	a.op("MOVQ S_Places, R9")
	a.op("MOVQ S_Count, CX")
	a.op("PCALIGN $32")
	a.label("pixel")
	a.rescaleStep(s)
	a.op("ADDQ DX, R8")
	a.op("ADDQ $8, R9")
	a.op("DECQ CX")
	a.op("JNE pixel")
	a.op("ADDQ $%d, BX", s.lanes())
	a.op("DECQ SI")
	a.op("JNE vector")
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}

// rescaleStep rescales a vector of one pixel.
func (a *asm) rescaleStep(s shape) {
	x, y := s.r(12), s.r(13)
	move := map[string]string{"Y": "VMOVDQU", "Z": "VMOVDQU32"}[s.reg]
	a.op("%s (R8), %s", move, x)
	a.op("VPSLLVD %s, %s, %s", s.r(2), x, x)
	a.roundedProduct(s, s.r(0), s.r(1), s.r(6))
	if s.reg == "Z" {
		a.op("VPSRAD.Z $31, %s, K2, %s", x, y)
	} else {
		a.op("VPSRAD $31, %s, %s", x, y)
		a.op("VPAND %s, %s, %s", s.r(5), y, y)
	}
	a.op("VPADDD %s, %s, %s", y, x, x)
	a.op("VPSRAVD %s, %s, %s", s.r(3), x, x)
	a.op("VPADDD %s, %s, %s", s.r(4), x, x)
	a.op("VPSRAVD %s, %s, %s", s.r(4), x, x)
	a.op("MOVQ (R9), AX")
	a.storeBytes(s, 8, 9, 10, 11, "(R11)(AX*1)")
}

// roundedProduct sets register 12 to (12 · m + 2³⁰) >> 31, the product in 64 bits: m is
// even's in its even lanes, and odd's are the others in even lanes. K1 has the odd lanes,
// half is 2³⁰ in 64 bits. 13 is used up.
func (a *asm) roundedProduct(s shape, even, odd, half string) {
	x, y := s.r(12), s.r(13)
	a.op("VPSRLQ $32, %s, %s", x, y)
	a.op("VPMULDQ %s, %s, %s", even, x, x)
	a.op("VPMULDQ %s, %s, %s", odd, y, y)
	a.op("VPADDQ %s, %s, %s", half, x, x)
	a.op("VPADDQ %s, %s, %s", half, y, y)
	a.op("VPSRLQ $31, %s, %s", x, x)
	a.op("VPADDQ %s, %s, %s // bits 31 to 62 to the upper half", y, y, y)
	if s.reg == "Z" {
		a.op("VMOVDQA32 %s, K1, %s", y, x)
	} else {
		a.op("VPBLENDD $0xaa, %s, %s, %s", y, x, x)
	}
}

// storeBytes adds the zero point to the integers in register 12, clamps them to bytes,
// xors and stores them; the zero point is of words, the others are bytes. It narrows by
// saturation, so that nothing wraps. 13 is used up.
func (a *asm) storeBytes(s shape, zero, lo, hi, xor int, to string) {
	if s.reg == "Z" {
		a.op("VPMOVSDW Z12, Y12")
		a.op("VPADDSW Y%d, Y12, Y12", zero)
		a.op("VPMOVSWB Y12, X12")
	} else {
		a.op("VEXTRACTI128 $1, Y12, X13")
		a.op("VPACKSSDW X13, X12, X12")
		a.op("VPADDSW X%d, X12, X12", zero)
		a.op("VPACKSSWB X12, X12, X12")
	}
	a.op("VPMAXSB X%d, X12, X12", lo)
	a.op("VPMINSB X%d, X12, X12", hi)
	a.op("VPXOR X%d, X12, X12", xor)
	if s.reg == "Z" {
		a.op("VMOVDQU X12, %s", to)
	} else {
		a.op("VMOVQ X12, %s", to)
	}
}
