package main

import (
	"fmt"
	"unsafe"

	"macroscope/kernels/tile"
)

func addBytes(isa, reg string) func(*asm) {
	return func(a *asm) {
		var w tile.AddBytes
		for _, f := range []struct {
			name   string
			offset uintptr
		}{
			{"X", unsafe.Offsetof(w.X)}, {"Y", unsafe.Offsetof(w.Y)}, {"Out", unsafe.Offsetof(w.Out)}, {"K", unsafe.Offsetof(w.K)},
			{"Vectors", unsafe.Offsetof(w.Vectors)}, {"Zero", unsafe.Offsetof(w.Zero)}, {"Lo", unsafe.Offsetof(w.Lo)}, {"Hi", unsafe.Offsetof(w.Hi)},
			{"OutXor", unsafe.Offsetof(w.OutXor)}, {"XXor", unsafe.Offsetof(w.XXor)}, {"YXor", unsafe.Offsetof(w.YXor)},
		} {
			a.raw(fmt.Sprintf("#define P_%s %d(DI)\n", f.name, f.offset))
		}
		a.raw("\n")
		a.addBytes(adder{shape{reg, 1, 1}}, "addBytes"+isa)
	}
}

type adder struct{ shape }

// k is one of tile.AddConstants: with 512 bits in registers 14 to 31, else in memory.
func (s adder) k(c tile.AddConstant) string {
	if s.reg == "Z" {
		return s.r(14 + int(c))
	}
	return fmt.Sprintf("%d(BX)", 64*c)
}

// Registers: DI the arguments, BX the constants, R8, R9 and R11 the bytes of x, y and the
// output, CX vectors left. Vectors 6 to 11 are the xors of x and y, the zero point, the
// bounds and the output's xor; 0, 1, 12 and 13 are a step's.
func (a *asm) addBytes(s adder, name string) {
	start := a.Len() // the step is written to be counted, and again in its place
	a.addBytesStep(s)
	n, _, _ := mix(a.String()[start:])
	a.Truncate(start)
	a.comment(fmt.Sprintf(`%s is the loop of tile.AddBytes: %d instructions a vector of %d bytes.
Measured within whole networks (macroscope bench --layers --model of a TFLite file of
integers).`, name, n, s.lanes()))
	a.raw(fmt.Sprintf("//\n// func %s(w *tile.AddBytes)\nTEXT ·%s(SB), NOSPLIT, $0-8\n", name, name))
	a.op("MOVQ w+0(FP), DI")
	a.op("MOVQ P_X, R8")
	a.op("MOVQ P_Y, R9")
	a.op("MOVQ P_Out, R11")
	a.op("MOVQ P_Vectors, CX")
	a.op("MOVQ P_K, BX")
	a.op("VPBROADCASTW P_Zero, Y8")
	for _, b := range []struct {
		f string
		i int
	}{{"XXor", 6}, {"YXor", 7}, {"Lo", 9}, {"Hi", 10}, {"OutXor", 11}} {
		a.op("VPBROADCASTB P_%s, X%d", b.f, b.i)
	}
	if s.reg == "Z" {
		a.op("MOVL $0xaaaa, AX")
		a.op("KMOVW AX, K1 // odd lanes")
		for c := range tile.AddConstant(len(tile.AddConstants{})) {
			a.op("VMOVUPS %d(BX), %s", 64*c, s.k(c))
		}
	}
	a.op("PCALIGN $32")
	a.label("vector")
	a.addBytesStep(s)
	a.op("ADDQ $%d, R8", s.lanes())
	a.op("ADDQ $%d, R9", s.lanes())
	a.op("ADDQ $%d, R11", s.lanes())
	a.op("DECQ CX")
	a.op("JNE vector")
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}

// addBytesStep adds a vector of bytes.
func (a *asm) addBytesStep(s adder) {
	load := map[string]string{"Y": "VMOVQ", "Z": "VMOVDQU"}[s.reg]
	for i, from := range []string{"(R8)", "(R9)"} {
		of := tile.AddConstant(i) * tile.AddOfY
		x, y, v := s.r(12), s.r(13), s.r(i)
		a.op("%s %s, X12", load, from)
		a.op("VPXOR X%d, X12, X12", 6+i)
		a.op("VPMOVSXBD X12, %s", x)
		a.op("VPSUBD %s, %s, %s", s.k(of+tile.AddZero), x, x)
		a.op("VPMULLD %s, %s, %s", s.k(of+tile.AddLow), x, y)
		a.op("VPMULLD %s, %s, %s", s.k(of+tile.AddHigh), x, x)
		a.op("VPADDD %s, %s, %s", s.k(tile.AddLowHalf), y, y)
		a.op("VPSRAD $11, %s, %s", y, y)
		a.op("VPADDD %s, %s, %s", y, x, x)
		a.away(s, of+tile.AddAway)
		a.op("VPADDD %s, %s, %s", s.k(of+tile.AddHalf), x, x)
		a.op("VPSRAVD %s, %s, %s", s.k(of+tile.AddShift), x, v)
	}
	x := s.r(12)
	a.op("VPADDD %s, %s, %s", s.r(0), s.r(1), x)
	a.roundedProduct(s.shape, s.k(tile.AddM), s.k(tile.AddM), s.k(tile.AddRound))
	a.away(s, tile.AddOutAway)
	a.op("VPSRAVD %s, %s, %s", s.k(tile.AddOutRight), x, x)
	a.op("VPADDD %s, %s, %s", s.k(tile.AddOutHalf), x, x)
	a.op("VPSRAVD %s, %s, %s", s.k(tile.AddOutHalf), x, x)
	a.storeBytes(s.shape, 8, 9, 10, 11, "(R11)")
}

// away takes 1 off what of register 12 is negative, if the constant says so. 13 is used up.
func (a *asm) away(s adder, c tile.AddConstant) {
	x, y := s.r(12), s.r(13)
	a.op("VPSRAD $31, %s, %s", x, y)
	and := map[string]string{"Y": "VPAND", "Z": "VPANDD"}[s.reg]
	a.op("%s %s, %s, %s", and, s.k(c), y, y)
	a.op("VPADDD %s, %s, %s", y, x, x)
}
