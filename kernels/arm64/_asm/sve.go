package main

import (
	"fmt"
	"math/bits"

	"macroscope/dtype"
)

// The tiles of SVE have 8 rows of two vectors, however long a vector is: Z8-23 are
// their sums, P0 is true everywhere. R24 is the place of the sums in the frame,
// [8][NR], R26 is the bytes of a row of NR columns, R22 is scratch.

// maxColumns is the most that a tile may have: tile.Args.Flip has 64 bits.
const maxColumns = 64

// sveZ is the register of the sums of row r, vector v.
func sveZ(r, v int) int { return 8 + 2*r + v }

// sveTiles writes a tile and the one that takes pieces. steps are for rows
// from … to−1; add, if not nil, makes the sums of the registers and of Init, in Z0
// and Z1; else they start as Init.
func sveTiles(a *asm, m micro, steps func(from, to int) []step, add func(a *asm, sum, init int), tail func(a *asm, m micro)) {
	m.impl, m.mr, m.nv, m.accs, m.wide, m.frame = "sve", 8, 2, 16, true, 8+8*4*maxColumns
	constants := m.once
	m.once = func(a *asm) {
		if constants != nil {
			constants(a)
		}
		a.op("MOVD RSP, R24")
		a.op("ADD $16, R24")
		a.z("RDVL", 26, 2)
		a.z("PTRUE", 0)
	}
	m.tail = func(a *asm, m micro) {
		a.op("MOVD ZR, R23")
		a.label("columns")
		a.op("ADD R23<<2, R24, R7")
		for r := range m.mr {
			a.loadRow(m, "R7", 0, m.acc(r, 0))
			a.op("ADD R26, R7")
		}
		tail(a, m)
	}
	for _, pieces := range []bool{false, true} {
		m := m
		m.steps = steps(0, 8)
		if pieces {
			m.doc = fmt.Sprintf("%sPieces is %s for tile.Args.Pieces.", m.name, m.name)
			m.name += "Pieces"
			m.half = [2][]step{steps(0, 4), steps(4, 8)}
		}
		// init gives each row the registers with its Init.
		init := func(a *asm, load func(r, from int)) {
			a.op("MOVD ARG_Init, R7")
			for r := range m.mr {
				from := 0
				if pieces {
					from = r / 4 * 2
				}
				load(r, from)
			}
		}
		m.zero = func(a *asm) {
			if add == nil {
				init(a, func(r, from int) {
					a.z("LDR Z", sveZ(r, 0), 7, from)
					a.z("LDR Z", sveZ(r, 1), 7, from+1)
				})
				return
			}
			for r := range m.mr {
				for v := range m.nv {
					a.op("VMOVI $0, V%d.B16", sveZ(r, v))
				}
			}
		}
		m.sums = func(a *asm) {
			if add != nil {
				last := -1
				init(a, func(r, from int) {
					if from != last {
						a.z("LDR Z", 0, 7, from)
						a.z("LDR Z", 1, 7, from+1)
						last = from
					}
					for v := range m.nv {
						add(a, sveZ(r, v), v)
					}
				})
			}
			for r := range m.mr {
				for v := range m.nv {
					a.z("STR Z", sveZ(r, v), 24, m.nv*r+v)
				}
			}
		}
		a.tile(m)
	}
}

// outerSVE is outer with vectors of any length: a lane is then one of each 128
// bits, which all hold the same four words of A. Z0-7 are four words of each row,
// Z24-31 two vectors of B of each word; R25 counts words.
func outerSVE(mac string) func(from, to int) []step {
	return func(from, to int) []step {
		four := func(a *asm) {
			for i := range 8 {
				a.z("LDR Z", 24+i, 3, i)
			}
			for r := from; r < to; r++ {
				a.z("LD1RQW", r, 0, firstRow+r, 25)
			}
			for k := range 4 {
				for r := from; r < to; r++ {
					for v := range 2 {
						a.z(mac, sveZ(r, v), 24+2*k+v, r, k)
					}
				}
			}
			a.op("ADD $4, R25")
			a.op("ADD R26<<2, R3")
		}
		one := func(a *asm) {
			a.z("LDR Z", 24, 3, 0)
			a.z("LDR Z", 25, 3, 1)
			for r := from; r < to; r++ {
				a.op("FMOVS (R%d)(R25<<2), F%d", firstRow+r, r)
				a.z("DUP Z", r, r)
			}
			for r := from; r < to; r++ {
				for v := range 2 {
					a.z(mac, sveZ(r, v), 24+v, r, 0)
				}
			}
			a.op("ADD $1, R25")
			a.op("ADD R26, R3")
		}
		return []step{{4, four}, {1, one}}
	}
}

func float32SVE(a *asm) {
	a.argsHeader()
	m := micro{name: "tileFloat32SVE", dtype: dtype.Float32, macs: 1, doc: `
tileFloat32SVE is the loop of tile.Args, 8 rows of two vectors, whatever their
length: NR = 8, 16, 32 or 64 columns. Its innermost loop takes four words of K:

	for k := range 4 {
		for r := range 8 {
			for c := range NR {
				sum[r][c] += A[r][k] * B[k][c]
			}
		}
	}

64 FMLA by element for 32·NR MACs. LD1RQW puts a row's four words into each 128
bits of a vector, of which FMLA takes a lane, so that the loop is
tileFloat32NEON's: 8 LD1RQW and 8 LDR, a quarter of a load a FMLA. 16 sums, 8
registers of A, 8 of B: all 32. With 2 ADD, SUBS and BGE that is 84 instructions,
2.625/NR a MAC: 0.328 with vectors of 128 bits, where NEON, whose LDP loads two
vectors, executes 0.313, and 0.164 with 256. The sums then go through the frame
into tileFloat32NEON's epilogue, eight columns after each other.`}
	sveTiles(a, m, outerSVE("FMLA Z[]"), nil, floatTail)
	dotSVE(a, "dotFloat32SVE", ` is for i, x := range a { sum += x * b[i] } in eight vectors of sums.
Two vectors are loaded for an FMLA, which is the bound.`, "(a, b []float32) float32", 4, nil, func(i int) {
		a.z("FMLA Z", i, 0, 16+i, 24+i)
	}, func() {
		addSVE(a, "FADD Z", 8)
		a.z("FADDV", 0, 0, 0)
		a.op("FMOVS F0, ret+48(FP)")
	})
	peak(a, "peakFloat32SVE", "FMLA", func(i int) { a.z("FMLA Z[]", i, 16, 1, 0) })
}

func int8SVE(a *asm) {
	a.argsHeader()
	m := micro{name: "tileInt8SVE", dtype: dtype.Int8, macs: 4, doc: `
tileInt8SVE is the loop of tile.Args, 8 rows of two vectors, whatever their
length. Its innermost loop takes four words of K:

	for k := range 4 {
		for r := range 8 {
			for c := range NR {
				for i := range 4 {
					sum[r][c] += int32(A[r][k][i]) * int32(B[k][c][i])
				}
			}
		}
	}

64 SDOT by element for 128·NR MACs; loads, registers and epilogue as
tileFloat32SVE's. So are the 84 instructions, 0.656/NR a MAC: 0.082 with vectors of
128 bits, 0.041 with 256.`}
	sveTiles(a, m, outerSVE("SDOT Z[]"), nil, intTail)
	sum := func(n int) func() {
		return func() {
			addSVE(a, "ADD Z.S", n)
			a.z("UADDV S", 0, 0, 0) // to 64 bits, of which 32 count
			a.op("FMOVS F0, ret+48(FP)")
		}
	}
	dotSVE(a, "dotInt8SVE", ` is for i, x := range a { sum += int32(x) * int32(b[i]) }: an SDOT
and two loads a vector, the loads being the bound.`, "(a, b []int8) int32", 1, nil, func(i int) {
		a.z("SDOT Z", i, 16+i, 24+i)
	}, sum(8))
	dotSVE(a, "dotUint8SVE", ` is for i, x := range a { sum += int32(x) * int32(b[i]) } by

	Σ a·b = Σ (a−128)·b − Σ (−128)·b

each an SDOT: EOR, 2 SDOT and 2 loads a vector.`, "(a []uint8, b []int8) int32", 1, func() { a.z("DUP imm", 8, -128) }, func(i int) {
		a.z("EOR Z", 16+i, 16+i, 8)
		a.z("SDOT Z", i%4, 16+i, 24+i)
		a.z("SDOT Z", 4+i%4, 8, 24+i)
	}, func() {
		for i := range 4 {
			a.z("SUB Z.S", i, i, 4+i)
		}
		sum(4)()
	})
	peak(a, "peakInt8SVE", "SDOT", func(i int) { a.z("SDOT Z[]", i, 16, 1, 0) })
}

// binarySVE: Z0-7 are a word of each row, Z24 and Z25 B, Z26-29 scratch, Z31 ones.
func binarySVE(a *asm) {
	a.argsHeader()
	m := micro{name: "tileBinarySVE", dtype: dtype.Binary, macs: 32, doc: `
tileBinarySVE is the loop of tile.Args, 8 rows of two vectors, whatever their
length. Its innermost loop takes a word of K:

	for r := range 8 {
		for c := range NR {
			sum[r][c] += Σ over its bytes 1·bits.OnesCount8(A[r][i] ^ B[c][i]) // EOR, CNT, UDOT
		}
	}

UDOT by ones adds the four counts of a word to its sum, so that nothing is
counted in bytes and widened later: 16 times EOR, CNT and UDOT for 256·NR MACs. 8
LD1RW and 2 LDR are 10 loads, 0.625 an EOR. 16 sums, 8 registers of A, 2 of B, 4 for
scratch, 1 of ones: 31. With 9 ADD, SUBS and BGE that is 69 instructions, 0.270/NR a
MAC: 0.034 with vectors of 128 bits, 0.017 with 256.`}
	m.once = func(a *asm) { a.z("DUP imm", 31, 1) }
	steps := func(from, to int) []step {
		return []step{{1, func(a *asm) {
			a.z("LDR Z", 24, 3, 0)
			a.z("LDR Z", 25, 3, 1)
			for r := from; r < to; r++ {
				a.z("LD1RW", r, 0, firstRow+r, 0)
				a.op("ADD $4, R%d", firstRow+r)
			}
			for r := from; r < to; r++ {
				for v := range 2 {
					t := 26 + (2*r+v)%4
					a.z("EOR Z", t, r, 24+v)
					a.z("CNT Z.B", t, 0, t)
					a.z("UDOT Z", sveZ(r, v), t, 31)
				}
			}
			a.op("ADD R26, R3")
		}}}
	}
	sveTiles(a, m, steps, func(a *asm, sum, init int) {
		a.z("ADD Z.S", sum, sum, sum)
		a.z("SUB Z.S", sum, init, sum)
	}, intTail)
	dotSVE(a, "dotBinarySVE", ` is for i, x := range a { sum += bits.OnesCount64(x ^ b[i]) }: EOR, CNT
and ADD of 64 bits, and two loads a vector.`, "(a, b []uint64) int", 8, nil, func(i int) {
		a.z("EOR Z", 16+i, 16+i, 24+i)
		a.z("CNT Z.D", 16+i, 0, 16+i)
		a.z("ADD Z.D", i, i, 16+i)
	}, func() {
		addSVE(a, "ADD Z.D", 8)
		a.z("UADDV D", 0, 0, 0)
		a.op("FMOVD F0, ret+48(FP)")
	})
	peakHead(a, "peakBinarySVE", "EOR, CNT and UDOT")
	a.z("PTRUE", 0)
	peakLoop(a, func(i int) {
		t := 18 + i%8
		a.z("EOR Z", t, 16, 17)
		a.z("CNT Z.B", t, 0, t)
		a.z("UDOT Z", i, t, 17)
	})
}

// dotSVE writes a dot product of any length. step adds the product of vectors
// Z16+i and Z24+i to Z0-7; once, if not nil, makes its constants; end returns the
// sum.
func dotSVE(a *asm, name, doc, sig string, size int, once func(), step func(i int), end func()) {
	frame := 52
	if size == 8 {
		frame = 56
	}
	a.comment(name + doc)
	a.raw(fmt.Sprintf("//\n// func %s%s\nTEXT ·%s(SB), NOSPLIT, $0-%d\n", name, sig, name, frame))
	a.op("MOVD a_base+0(FP), R1")
	a.op("MOVD a_len+8(FP), R3")
	a.op("MOVD b_base+24(FP), R2")
	if size > 1 {
		a.op("LSL $%d, R3 // bytes", bits.TrailingZeros(uint(size)))
	}
	a.z("RDVL", 4, 1)
	a.z("RDVL", 5, 8)
	a.z("PTRUE", 0)
	clear(a, 8)
	if once != nil {
		once()
	}
	a.op("SUBS R5, R3")
	a.op("BLT rest")
	a.op("PCALIGN $32")
	a.label("block")
	for i := range 8 {
		a.z("LDR Z", 16+i, 1, i)
		a.z("LDR Z", 24+i, 2, i)
	}
	for i := range 8 {
		step(i)
	}
	a.op("ADD R5, R1")
	a.op("ADD R5, R2")
	a.op("SUBS R5, R3")
	a.op("BGE block")
	a.label("rest")
	a.op("ADDS R5, R3")
	a.op("BEQ end")
	a.label("vector") // what lies behind the last bytes is not read, and 0
	a.z("WHILELO", 1, 3)
	a.z("LD1B", 16, 1, 1)
	a.z("LD1B", 24, 1, 2)
	step(0)
	a.op("ADD R4, R1")
	a.op("ADD R4, R2")
	a.op("SUBS R4, R3")
	a.op("BGT vector")
	a.label("end")
	end()
	a.op("RET")
	a.raw("\n")
}

// addSVE adds registers 0…n−1 (a power of two) into the first.
func addSVE(a *asm, add string, n int) {
	for ; n > 1; n /= 2 {
		for i := range n / 2 {
			a.z(add, i, i, i+n/2)
		}
	}
}

func vectorLength(a *asm) {
	a.comment("vectorLength is the bytes of a vector of SVE, which must be there.\n\nfunc vectorLength() int")
	a.raw("TEXT ·vectorLength(SB), NOSPLIT, $0-8\n")
	a.z("RDVL", 0, 1)
	a.op("MOVD R0, ret+0(FP)")
	a.op("RET")
}
