package main

import "fmt"

// binaryCarrySave counts by carry-save addition. Along K a column's parity so far
// is s; a word x = a xor b of the next two makes it s, s1 = s^x, s2 = s1^y. Of
// the bits of s, x and y together
//
//	s + x + y = 2·carry + s2,  carry = s1 ? ^s2 : s
//
// (the parity fell either from s to s1 or from s1 to s2, or not at all), so
// that VPTERNLOGD takes both words in, xor included, and makes the carry with
// three instructions; VPOPCNTD and VPADDD then serve two words. Five
// instructions for two words where the plain xor, popcount, add are six. That
// pays where VPTERNLOGD issues as often as VPXORD (two 512-bit ports on Intel's
// server cores: 20 cycles against 24, not measured). Zen 4 issues one a cycle
// beside VPOPCNTD, 32 cycles, and measured 76 % of the plain peak where the
// plain tile has 94 %: there it stays second. More levels of carries would save
// nothing: a carry-save adder costs two instructions and saves two.
func binaryCarrySave(a *asm) {
	m := micro{shape: shape{"Z", 4, 2}, name: "tileBinaryCarrySave"}
	a.raw(byteOrder)
	a.comment(`
tileBinaryCarrySave is the loop of tile.Args, 4×32, with SegLen 1: every word has
its offset in Segs. It counts by carry-save addition of pairs of words:

	s1 := s ^ a[k] ^ b[k]            // VPTERNLOGD 0x96
	s2 := s1 ^ a[k+1] ^ b[k+1]       // VPTERNLOGD 0x96
	twos += popcount(s1 ? ^s2 : s)   // VPTERNLOGD 0x74, VPOPCNTD, VPADDD
	s = s2
	// at the end: sum = 2·twos + popcount(s)

Two words of K are 24 VPTERNLOGD, 8 VPOPCNTD and 8 VPADDD (20 cycles on two
ports; xor, popcount and add alone are 24), 16 broadcast loads and 4 loads of B,
each into the register that an instruction then overwrites, so that nothing is
copied. Zen 4 takes 32 cycles: VPTERNLOGD shares two of four pipes with VPOPCNTD.
Measured there (best run of macroscope bench --filter Tile): 78 % of the plain
peak, where tileBinaryAVX512 has 99 %.`)
	a.raw(fmt.Sprintf("//\n// func %s(t *tile.Args)\nTEXT ·%s(SB), NOSPLIT, $16-8\n", m.name, m.name))
	a.op("MOVQ t+0(FP), DI")
	a.op("MOVQ ARG_Rows, SI")
	a.op("MOVQ ARG_COff, DX")
	a.op("MOVQ ARG_Tiles, AX")
	a.op("MOVQ AX, 0(SP)")
	a.label("tile")
	a.op("MOVQ ARG_A, R15")
	for r := range m.mr {
		a.op("MOVQ %d(SI), %s", 8*r, rowPtr[r])
		a.op("ADDQ R15, %s", rowPtr[r])
	}
	for i := range 24 {
		a.op("VPXORD Z%d, Z%d, Z%d", i, i, i)
	}
	a.op("MOVQ ARG_B, BX")
	a.op("MOVQ ARG_Segs, R14")
	a.op("MOVQ ARG_NSeg, R15")
	a.op("SUBQ $4, R15")
	a.op("JLT rest")
	a.op("PCALIGN $32")
	a.label("quad")
	a.op("MOVQ 0(R14), CX")
	a.op("MOVQ 8(R14), AX")
	a.op("MOVQ 16(R14), R12")
	a.op("MOVQ 24(R14), R13")
	carryPair(a, m, 0, "CX", "AX", 8, 16)
	carryPair(a, m, 256, "R12", "R13", 16, 8)
	a.op("ADDQ $32, R14")
	a.op("ADDQ $512, BX")
	a.op("SUBQ $4, R15")
	a.op("JGE quad")
	a.label("rest")
	a.op("TESTQ $2, R15")
	a.op("JEQ single")
	a.op("MOVQ 0(R14), CX")
	a.op("MOVQ 8(R14), AX")
	carryPair(a, m, 0, "CX", "AX", 8, 16)
	for i := range 8 {
		a.op("VMOVDQA64 Z%d, Z%d", 16+i, 8+i)
	}
	a.op("ADDQ $16, R14")
	a.op("ADDQ $256, BX")
	a.label("single")
	a.op("TESTQ $1, R15")
	a.op("JEQ sums")
	a.op("MOVQ 0(R14), CX")
	a.op("VMOVDQU32 (BX), Z24")
	a.op("VMOVDQU32 64(BX), Z25")
	for r := range m.mr {
		for v := range m.nv {
			x := fmt.Sprintf("Z%d", 16+r*m.nv+v)
			a.op("VPXORD.BCST (%s)(CX*1), Z%d, %s", rowPtr[r], 24+v, x)
			a.op("VPOPCNTD %s, %s", x, x)
			a.op("VPADDD %s, %s, %s // once, for twos are doubled below", x, m.acc(r, v), x)
			a.op("VPADDD %s, %s, %s", x, m.acc(r, v), m.acc(r, v))
		}
	}
	a.op("JMP parity")
	a.label("sums")
	for i := range 8 {
		a.op("VPADDD Z%d, Z%d, Z%d", i, i, i)
	}
	a.label("parity")
	a.op("MOVQ ARG_Init, AX")
	a.op("VMOVDQU32 (AX), Z24")
	a.op("VMOVDQU32 64(AX), Z25")
	for r := range m.mr {
		for v := range m.nv {
			x, s := m.acc(r, v), fmt.Sprintf("Z%d", 8+r*m.nv+v)
			a.op("VPOPCNTD %s, %s", s, s)
			a.op("VPADDD %s, %s, %s", s, x, x)
			a.op("VPADDD %s, %s, %s", x, x, x)
			a.op("VPSUBD %s, Z%d, %s", x, 24+v, x)
		}
	}
	intTail(a, m)
	a.label("done")
	a.op("ADDQ $%d, SI", 8*m.mr)
	a.op("DECQ 0(SP)")
	a.op("JNE tile")
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}

// carryPair takes two words of every row, at offsets first and second, and two
// rows of B. The parities go from the registers from old on to those from now
// on.
func carryPair(a *asm, m micro, at int, first, second string, old, now int) {
	for i := range 4 {
		a.op("VMOVDQU32 %d(BX), Z%d", at+64*i, 24+i)
	}
	for r := range m.mr {
		for v := range m.nv {
			i := r*m.nv + v
			t, s, n := 28+i%4, old+i, now+i
			a.op("VPBROADCASTD (%s)(%s*1), Z%d", rowPtr[r], first, t)
			a.op("VPBROADCASTD (%s)(%s*1), Z%d", rowPtr[r], second, n)
			a.op("VPTERNLOGD $0x96, Z%d, Z%d, Z%d", 24+v, s, t)
			a.op("VPTERNLOGD $0x96, Z%d, Z%d, Z%d", 26+v, t, n)
			// Index: dest (t) 4, then n 2, s 1: t ? ^n : s.
			a.op("VPTERNLOGD $%#02x, Z%d, Z%d, Z%d", carryTable, s, n, t)
			a.op("VPOPCNTD Z%d, Z%d", t, t)
			a.op("VPADDD Z%d, %s, %s", t, m.acc(r, v), m.acc(r, v))
		}
	}
}

// carryTable is VPTERNLOGD's truth table of "dest ? ^second : third": bit
// dest·4 + second·2 + third.
const carryTable = 1<<1 | 1<<3 | 1<<4 | 1<<5
