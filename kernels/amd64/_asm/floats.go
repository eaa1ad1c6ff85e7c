package main

import (
	"fmt"
	"unsafe"

	"macroscope/kernels/tile"
)

func floats(isa, reg string) func(*asm) {
	return func(a *asm) {
		var w tile.Floats
		for _, f := range []struct {
			name   string
			offset uintptr
		}{
			{"X", unsafe.Offsetof(w.X)}, {"Y", unsafe.Offsetof(w.Y)}, {"Out", unsafe.Offsetof(w.Out)},
			{"Vectors", unsafe.Offsetof(w.Vectors)}, {"Lo", unsafe.Offsetof(w.Lo)}, {"Hi", unsafe.Offsetof(w.Hi)},
		} {
			a.raw(fmt.Sprintf("#define F_%s %d(DI)\n", f.name, f.offset))
		}
		a.raw("\n")
		for _, f := range []string{"Add", "Sub", "Mul", "Clamp", "HardSwish"} {
			a.floats(shape{reg, 1, 1}, f, "floats"+f+isa)
		}
	}
}

// Registers: DI the arguments, R8, R9 and R11 point to x, y and the output, CX counts
// vectors. Vector 0 is a step's, as 1 and 2 are of HardSwish; 6 and 7 are the bounds; of
// HardSwish 3, 4, 5 and 6 are 1/6, ½, 1 and 0 in float64.
func (a *asm) floats(s shape, f, name string) {
	bytes := s.bytes()
	a.comment(fmt.Sprintf("%s is the loop of tile.FloatFuncs.%s, a vector at a time.", name, f))
	a.raw(fmt.Sprintf("//\n// func %s(w *tile.Floats)\nTEXT ·%s(SB), NOSPLIT, $0-8\n", name, name))
	a.op("MOVQ w+0(FP), DI")
	a.op("MOVQ F_X, R8")
	a.op("MOVQ F_Y, R9")
	a.op("MOVQ F_Out, R11")
	a.op("MOVQ F_Vectors, CX")
	if f == "HardSwish" {
		for i, bits := range []string{"0x3fc5555555555555", "0x3fe0000000000000", "0x3ff0000000000000", "0"} {
			a.op("MOVQ $%s, AX", bits)
			a.op("VMOVQ AX, X%d", 3+i)
			a.op("VBROADCASTSD X%d, %s", 3+i, s.r(3+i))
		}
	} else {
		a.op("VBROADCASTSS F_Lo, %s", s.r(6))
		a.op("VBROADCASTSS F_Hi, %s", s.r(7))
	}
	a.op("PCALIGN $32")
	a.label("vector")
	x := s.r(0)
	if f == "HardSwish" {
		half := map[string]string{"Y": "X", "Z": "Y"}[s.reg]
		for i := range 2 {
			y := s.r(1)
			a.op("VCVTPS2PD %d(R8), %s", i*bytes/2, x)
			a.op("VMULPD %s, %s, %s", s.r(3), x, y)
			a.op("VADDPD %s, %s, %s", s.r(4), y, y)
			a.op("VMAXPD %s, %s, %s // NaN stays", y, s.r(6), y)
			a.op("VMINPD %s, %s, %s", y, s.r(5), y)
			a.op("VMULPD %s, %s, %s", y, x, y)
			if s.reg == "Y" {
				a.op("VCVTPD2PSY %s, %s1", y, half)
			} else {
				a.op("VCVTPD2PS %s, %s1", y, half)
			}
			a.op("VMOVUPS %s1, %d(R11)", half, i*bytes/2)
		}
	} else {
		a.op("VMOVUPS (R8), %s", x)
		if f != "Clamp" {
			a.op("V%sPS (R9), %s, %s", map[string]string{"Add": "ADD", "Sub": "SUB", "Mul": "MUL"}[f], x, x)
			a.op("ADDQ $%d, R9", bytes)
		}
		a.op("VMAXPS %s, %s, %s // NaN stays", x, s.r(6), x)
		a.op("VMINPS %s, %s, %s", x, s.r(7), x)
		a.op("VMOVUPS %s, (R11)", x)
	}
	a.op("ADDQ $%d, R8", bytes)
	a.op("ADDQ $%d, R11", bytes)
	a.op("DECQ CX")
	a.op("JNE vector")
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}
