package main

import "fmt"

// dotHead starts a dot product over whole vectors of 2^shift elements: R1 and R2
// walk over a and b, R3 counts vectors.
func dotHead(a *asm, name, doc, sig string, frame, shift int) {
	a.comment(name + doc)
	a.raw(fmt.Sprintf("//\n// func %s%s\nTEXT ·%s(SB), NOSPLIT, $0-%d\n", name, sig, name, frame))
	a.op("MOVD a_base+0(FP), R1")
	a.op("MOVD a_len+8(FP), R3")
	a.op("MOVD b_base+24(FP), R2")
	a.op("LSR $%d, R3 // vectors", shift)
}

// dotLoop takes 8 vectors at a time and then one by one. V16-23 are a's vectors,
// V24-31 b's; step takes n of them, n being 8 or 1.
func dotLoop(a *asm, step func(n int)) {
	a.op("SUBS $8, R3")
	a.op("BLT rest")
	a.op("PCALIGN $32")
	a.label("block")
	for i := 0; i < 8; i += 2 {
		a.op("FLDPQ %d(R1), (F%d, F%d)", 16*i, 16+i, 17+i)
		a.op("FLDPQ %d(R2), (F%d, F%d)", 16*i, 24+i, 25+i)
	}
	step(8)
	a.op("ADD $128, R1")
	a.op("ADD $128, R2")
	a.op("SUBS $8, R3")
	a.op("BGE block")
	a.label("rest")
	a.op("ADDS $8, R3")
	a.op("BEQ end")
	a.label("vector")
	a.op("FMOVQ.P 16(R1), F16")
	a.op("FMOVQ.P 16(R2), F24")
	step(1)
	a.op("SUBS $1, R3")
	a.op("BNE vector")
	a.label("end")
}

// each repeats a step for n vectors.
func each(step func(i int)) func(n int) {
	return func(n int) {
		for i := range n {
			step(i)
		}
	}
}

// sumInt adds registers 0…n−1 (a power of two) and their lanes, and returns that.
func sumInt(a *asm, n int) {
	for ; n > 1; n /= 2 {
		for i := range n / 2 {
			a.op("VADD V%d.S4, V%d.S4, V%d.S4", i+n/2, i, i)
		}
	}
	a.op("VADDV V0.S4, V0")
	a.op("FMOVS F0, ret+48(FP)")
	a.op("RET")
	a.raw("\n")
}

func dotFloat32(a *asm) {
	dotHead(a, "dotFloat32NEON", ` is for i, x := range a { sum += x * b[i] } in eight vectors of sums.
Two vectors are loaded for an FMLA, which is the bound.`, "(a, b []float32) float32", 52, 2)
	clear(a, 8)
	dotLoop(a, each(func(i int) { a.op("VFMLA V%d.S4, V%d.S4, V%d.S4", 16+i, 24+i, i) }))
	for n := 8; n > 1; n /= 2 {
		for i := range n / 2 {
			a.vec("FADD", i, i, i+n/2)
		}
	}
	a.vec("FADDP", 0, 0, 0)
	a.vec("FADDP", 0, 0, 0)
	a.op("FMOVS F0, ret+48(FP)")
	a.op("RET")
	a.raw("\n")
}

func dotInt8DotProd(a *asm) {
	dotHead(a, "dotInt8DotProd", ` is for i, x := range a { sum += int32(x) * int32(b[i]) }: an SDOT
and two loads for 16 values, the loads being the bound.`, "(a, b []int8) int32", 52, 4)
	clear(a, 8)
	dotLoop(a, each(func(i int) { a.vec("SDOT", i, 16+i, 24+i) }))
	sumInt(a, 8)
}

// highBit fills a register's bytes with 0x80: −128, or the xor that makes x−128
// of an unsigned x.
func highBit(a *asm, to int) {
	a.op("MOVD $0x8080808080808080, R4")
	a.op("VDUP R4, V%d.D2", to)
}

func dotUint8DotProd(a *asm) {
	dotHead(a, "dotUint8DotProd", ` is for i, x := range a { sum += int32(x) * int32(b[i]) } by

	Σ a·b = Σ (a−128)·b − Σ (−128)·b

each an SDOT, since USDOT comes with I8MM: EOR, 2 SDOT and 2 loads for 16 values.`, "(a []uint8, b []int8) int32", 52, 4)
	clear(a, 8)
	highBit(a, 8)
	dotLoop(a, each(func(i int) {
		a.op("VEOR V8.B16, V%d.B16, V%d.B16", 16+i, 16+i)
		a.vec("SDOT", i%4, 16+i, 24+i)
		a.vec("SDOT", 4+i%4, 8, 24+i)
	}))
	for i := range 4 {
		a.op("VSUB V%d.S4, V%d.S4, V%d.S4", 4+i, i, i)
	}
	sumInt(a, 4)
}

func dotUint8I8MM(a *asm) {
	dotHead(a, "dotUint8I8MM", ` is for i, x := range a { sum += int32(x) * int32(b[i]) }: an USDOT
and two loads for 16 values, the loads being the bound.`, "(a []uint8, b []int8) int32", 52, 4)
	clear(a, 8)
	dotLoop(a, each(func(i int) { a.vec("USDOT", i, 16+i, 24+i) }))
	sumInt(a, 8)
}

// dotBytesNEON writes the dot products of signed with signed bytes and of
// unsigned with signed ones. V8-11 are products.
func dotBytesNEON(a *asm) {
	products := func(i int) {
		t := 8 + 2*(i%2)
		a.vec("SMULL", t, 16+i, 24+i)
		a.vec("SMULL2", t+1, 16+i, 24+i)
		a.vec("SADALP", 2*(i%2), t)
		a.vec("SADALP", 2*(i%2)+1, t+1)
	}
	dotHead(a, "dotInt8NEON", ` is for i, x := range a { sum += int32(x) * int32(b[i]) }: SMULL,
SMULL2, 2 SADALP and 2 loads for 16 values.`, "(a, b []int8) int32", 52, 4)
	clear(a, 4)
	dotLoop(a, each(products))
	sumInt(a, 4)

	dotHead(a, "dotUint8NEON", ` is for i, x := range a { sum += int32(x) * int32(b[i]) } by

	Σ a·b = Σ (a−128)·b + 128·Σ b

EOR, SMULL, SMULL2 and 2 SADALP for the first sum, SADDLP and SADALP for the
second, 2 loads, for 16 values.`, "(a []uint8, b []int8) int32", 52, 4)
	clear(a, 6)
	highBit(a, 12)
	dotLoop(a, each(func(i int) {
		a.op("VEOR V12.B16, V%d.B16, V%d.B16", 16+i, 16+i)
		products(i)
		t := 13 + i%2
		a.vec("SADDLP", t, 24+i)
		a.vec("SADALP", 4+i%2, t)
	}))
	a.op("VADD V5.S4, V4.S4, V4.S4")
	a.op("VSHL $7, V4.S4, V4.S4")
	a.op("VADD V4.S4, V0.S4, V0.S4")
	sumInt(a, 4)
}

func dotBinaryNEON(a *asm) {
	dotHead(a, "dotBinaryNEON", ` is for i, x := range a { sum += bits.OnesCount64(x ^ b[i]) }: EOR and
CNT for 128 bits; the bytes of eight vectors (8·8 ≤ 255) are added before they
are widened to 64 bits.`, "(a, b []uint64) int", 56, 1)
	clear(a, 1)
	dotLoop(a, func(n int) {
		for i := range n {
			a.op("VEOR V%d.B16, V%d.B16, V%d.B16", 16+i, 24+i, 24+i)
		}
		for i := range n {
			a.op("VCNT V%d.B16, V%d.B16", 24+i, 24+i)
		}
		for ; n > 1; n /= 2 {
			for i := range n / 2 {
				a.op("VADD V%d.B16, V%d.B16, V%d.B16", 24+i+n/2, 24+i, 24+i)
			}
		}
		a.vec("UADDLP 16B", 24, 24)
		a.vec("UADDLP 8H", 24, 24)
		a.vec("UADALP 4S", 0, 24)
	})
	a.op("VADDP V0.D2, V0.D2, V0.D2")
	a.op("FMOVD F0, ret+48(FP)")
	a.op("RET")
	a.raw("\n")
}

// peakSums is the number of independent sums of a peak loop: a latency of 4 at
// four a cycle needs 16.
const peakSums = 16

// peak writes func name(n int): n rounds of peakSums instruction groups on
// registers alone.
func peak(a *asm, name, doc string, group func(acc int)) {
	peakHead(a, name, doc)
	peakLoop(a, group)
}

func peakHead(a *asm, name, doc string) {
	a.comment(fmt.Sprintf("%s runs %s on registers, %d independent sums a round, n rounds.", name, doc, peakSums))
	a.raw(fmt.Sprintf("//\n// func %s(n int)\nTEXT ·%s(SB), NOSPLIT, $0-8\n", name, name))
	a.op("MOVD n+0(FP), R3")
	clear(a, 18)
}

func peakLoop(a *asm, group func(acc int)) {
	a.op("PCALIGN $32")
	a.label("round")
	for i := range peakSums {
		group(i)
	}
	a.op("SUBS $1, R3")
	a.op("BNE round")
	a.op("RET")
	a.raw("\n")
}
