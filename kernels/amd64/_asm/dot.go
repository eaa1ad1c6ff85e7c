package main

import "fmt"

// dotHead starts a dot product over whole vectors of 2^shift elements: SI and
// DI walk over a and b, CX counts vectors.
func dotHead(a *asm, name, doc, sig string, frame, shift int) {
	a.comment(name + doc)
	a.raw(fmt.Sprintf("//\n// func %s%s\nTEXT ·%s(SB), NOSPLIT, $0-%d\n", name, sig, name, frame))
	a.op("MOVQ a_base+0(FP), SI")
	a.op("MOVQ a_len+8(FP), CX")
	a.op("MOVQ b_base+24(FP), DI")
	a.op("SHRQ $%d, CX // vectors", shift)
}

// dotLoop takes vectors of bytes bytes, unroll at a time and then one by one.
// many does unroll vectors, one does the first of them; both read at SI and DI.
func dotLoop(a *asm, bytes, unroll int, many, one func()) {
	a.op("SUBQ $%d, CX", unroll)
	a.op("JLT rest")
	a.op("PCALIGN $32")
	a.label("block")
	many()
	a.op("ADDQ $%d, SI", unroll*bytes)
	a.op("ADDQ $%d, DI", unroll*bytes)
	a.op("SUBQ $%d, CX", unroll)
	a.op("JGE block")
	a.label("rest")
	a.op("ADDQ $%d, CX", unroll)
	a.op("JEQ end")
	a.label("vector")
	one()
	a.op("ADDQ $%d, SI", bytes)
	a.op("ADDQ $%d, DI", bytes)
	a.op("DECQ CX")
	a.op("JNE vector")
	a.label("end")
}

// each repeats a step for vectors 0…n−1, and alone for the first.
func each(n int, step func(i int)) (many, one func()) {
	return func() {
			for i := range n {
				step(i)
			}
		}, func() {
			step(0)
		}
}

// zeroRegs clears registers 0…n−1 (n ≤ 16) with whatever is above them.
func zeroRegs(a *asm, n int) {
	for i := range n {
		a.op("VPXOR Y%d, Y%d, Y%d", i, i, i)
	}
}

func ret(a *asm, move string, frame int) {
	a.op("%s, ret+%d(FP)", move, frame)
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}

// sum adds registers 0…n−1 (n a power of two ≤ 8) and their 32-bit lanes into
// lane 0 of register 0, with VADDPS or VPADDD. Uses register 8.
func sum(a *asm, add, reg string, n int) {
	for ; n > 1; n /= 2 {
		for i := range n / 2 {
			a.op("%s %s%d, %s%d, %s%d", add, reg, i+n/2, reg, i, reg, i)
		}
	}
	if reg == "Z" {
		a.op("VEXTRACTI64X4 $1, Z0, Y8")
		a.op("%s Y8, Y0, Y0", add)
	}
	a.op("VEXTRACTI128 $1, Y0, X8")
	a.op("%s X8, X0, X0", add)
	a.op("VPSHUFD $0x4e, X0, X8")
	a.op("%s X8, X0, X0", add)
	a.op("VPSHUFD $0xb1, X0, X8")
	a.op("%s X8, X0, X0", add)
}

func dotFloat32(a *asm, isa, reg string) {
	s := shape{reg, 1, 1}
	shift := map[string]int{"Y": 3, "Z": 4}[reg]
	bound := `Two loads an FMA: half the FMA peak at most.
Measured (n = 4096, where both vectors fill a first-level cache of 32 KiB; best run
of macroscope bench --filter Dot): 85 % of that on Zen 4, 93 on Emerald Rapids.`
	if reg == "Y" {
		bound = `Two loads an FMA: half the FMA peak at most, or three quarters
where three loads are a cycle (Emerald Rapids).
Measured (n = 4096, where both vectors fill a first-level cache of 32 KiB; best run
of macroscope bench --filter Dot): 87 % of that on Zen 4, 81 on Emerald Rapids.`
	}
	dotHead(a, "dotFloat32"+isa, " is for i, x := range a { sum += x * b[i] } in eight vectors of sums.\n"+bound, "(a, b []float32) float32", 52, shift)
	zeroRegs(a, 8)
	many, one := each(8, func(i int) {
		a.op("VMOVUPS %d(SI), %s", i*s.bytes(), s.r(8+i))
		a.op("VFMADD231PS %d(DI), %s, %s", i*s.bytes(), s.r(8+i), s.r(i))
	})
	dotLoop(a, s.bytes(), 8, many, one)
	sum(a, "VADDPS", reg, 8)
	ret(a, "VMOVSS X0", 48)
}

func dotInt8VNNI(a *asm, isa, reg string) {
	s := shape{reg, 1, 1}
	shift := map[string]int{"Y": 5, "Z": 6}[reg]
	bound := `Where two ports do all three and two loads a cycle (Emerald
Rapids), that is 1½ cycles, a third of VPDPBUSD's peak at most; where a load a cycle
is the bound (Zen 4), half.
Measured (n = 4096, best run of macroscope bench --filter Dot): 83 % of that on Zen 4,
90 on Emerald Rapids, 98 for n = 16384.`
	if reg == "Y" {
		bound = `Half the peak of VPDPBUSD at most.
Measured (n = 4096, best run of macroscope bench --filter Dot): 88 % of that on Zen 5; 76
on Emerald Rapids, whose VPXOR now and then takes one of VPDPBUSD's two ports.`
	}
	dotHead(a, "dotInt8"+isa, ` is for i, x := range a { sum += int32(x) * int32(b[i]) } by

	Σ a·b = Σ (a+128)·b − Σ 128·b

each a VPDPBUSD, the second with 128 as its unsigned side: with the xor that adds 128
three instructions, and two loads, a vector.
`+bound, "(a, b []int8) int32", 52, shift)
	xor, load := "VPXORD", "VMOVDQU32"
	dp := func(signed, unsigned, acc int) { a.op("VPDPBUSD %s, %s, %s", s.r(signed), s.r(unsigned), s.r(acc)) }
	if reg == "Y" {
		xor, load = "VPXOR", "VMOVDQU"
		dp = func(signed, unsigned, acc int) { vpdpbusdY(a, s.r(signed), s.r(unsigned), s.r(acc)) }
	}
	a.op("MOVL $0x80808080, AX")
	a.op("VMOVD AX, X15")
	a.op("VPBROADCASTD X15, %s", s.r(15))
	zeroRegs(a, 8)
	many, one := each(4, func(i int) {
		u, w := 8+i%2*2, 9+i%2*2
		a.op("%s %d(SI), %s, %s", xor, i*s.bytes(), s.r(15), s.r(u))
		a.op("%s %d(DI), %s", load, i*s.bytes(), s.r(w))
		dp(w, u, i)
		dp(w, 15, 4+i)
	})
	dotLoop(a, s.bytes(), 4, many, one)
	for i := range 4 {
		a.op("VPSUBD %s, %s, %s", s.r(4+i), s.r(i), s.r(i))
	}
	sum(a, "VPADDD", reg, 4)
	ret(a, "VMOVD X0, AX\n\tMOVL AX", 48)
}

// dotUint8VNNI is dotInt8VNNI without the correction.
func dotUint8VNNI(a *asm, isa, reg string) {
	s := shape{reg, 1, 1}
	shift := map[string]int{"Y": 5, "Z": 6}[reg]
	measured := "83 % of that on Zen 4, 86 on Emerald Rapids (95\nfor n = 16384), where the loads of a call take the same ports."
	if reg == "Y" {
		measured = "93 % of that on Zen 5; 59 % of\nthe peak on Emerald Rapids, which has three loads a cycle."
	}
	dotHead(a, "dotUint8"+isa, ` is for i, x := range a { sum += int32(x) * int32(b[i]) }: a
VPDPBUSD and two loads a vector, the loads being the bound: half the peak.
Measured (n = 4096, best run of macroscope bench --filter Dot): `+measured, "(a []uint8, b []int8) int32", 52, shift)
	step := func(i int) {
		a.op("VMOVDQU32 %d(SI), %s", i*s.bytes(), s.r(8+i))
		a.op("VPDPBUSD %d(DI), %s, %s", i*s.bytes(), s.r(8+i), s.r(i))
	}
	if reg == "Y" {
		step = func(i int) {
			u, w := 8+i%4*2, 9+i%4*2
			a.op("VMOVDQU %d(SI), %s", i*s.bytes(), s.r(u))
			a.op("VMOVDQU %d(DI), %s", i*s.bytes(), s.r(w))
			vpdpbusdY(a, s.r(w), s.r(u), s.r(i))
		}
	}
	zeroRegs(a, 8)
	many, one := each(8, step)
	dotLoop(a, s.bytes(), 8, many, one)
	sum(a, "VPADDD", reg, 8)
	ret(a, "VMOVD X0, AX\n\tMOVL AX", 48)
}

// dotBytesAVX2 widens a by the given instruction.
func dotBytesAVX2(a *asm, name, left, widen string) {
	dotHead(a, name, ` is for i, x := range a { sum += int32(x) * int32(b[i]) } on
int16: two widening loads, a VPMADDWD and a VPADDD for 16 values, where the tile's
peak has 32 values to a VPMADDUBSW, a VPMADDWD and a VPADDD.
Measured on Zen 4 (n = 4096, best run of macroscope bench --filter Dot): 36 % of that
peak.`, "(a []"+left+", b []int8) int32", 52, 4)
	zeroRegs(a, 4)
	many, one := each(4, func(i int) {
		u, w := 8+i%2*2, 9+i%2*2
		a.op("%s %d(SI), Y%d", widen, 16*i, u)
		a.op("VPMOVSXBW %d(DI), Y%d", 16*i, w)
		a.op("VPMADDWD Y%d, Y%d, Y%d", u, w, u)
		a.op("VPADDD Y%d, Y%d, Y%d", u, i, i)
	})
	dotLoop(a, 16, 4, many, one)
	sum(a, "VPADDD", "Y", 4)
	ret(a, "VMOVD X0, AX\n\tMOVL AX", 48)
}

func dotBinaryAVX512(a *asm) {
	dotHead(a, "dotBinaryAVX512", ` is for i, x := range a { sum += bits.OnesCount64(x ^ b[i]) }: VPXORQ
with a load, VPOPCNTQ and VPADDQ for 512 bits. Two loads are two cycles on Zen 4, three
quarters of the peak of its other instructions.
Measured there (best run of macroscope bench --filter Dot): 50 % of the loads' bound for
4,096 bits, which are eight vectors, 73 % for 16,384; on Emerald Rapids, two loads a
cycle, 48 and 71 % of that peak. A call is some 10 cycles.`, "(a, b []uint64) int", 56, 3)
	zeroRegs(a, 1)
	count := func(i int) {
		a.op("VMOVDQU64 %d(SI), Z%d", 64*i, 1+i)
		a.op("VPXORQ %d(DI), Z%d, Z%d", 64*i, 1+i, 1+i)
		a.op("VPOPCNTQ Z%d, Z%d", 1+i, 1+i)
	}
	many := func() {
		for i := range 4 {
			count(i)
		}
		a.op("VPADDQ Z2, Z1, Z1")
		a.op("VPADDQ Z4, Z3, Z3")
		a.op("VPADDQ Z1, Z0, Z0")
		a.op("VPADDQ Z3, Z0, Z0")
	}
	dotLoop(a, 64, 4, many, func() {
		count(0)
		a.op("VPADDQ Z1, Z0, Z0")
	})
	a.op("VEXTRACTI64X4 $1, Z0, Y8")
	sumQuads(a)
}

// sumQuads returns the sum of the eight int64 of Y0 and Y8.
func sumQuads(a *asm) {
	a.op("VPADDQ Y8, Y0, Y0")
	a.op("VEXTRACTI128 $1, Y0, X8")
	a.op("VPADDQ X8, X0, X0")
	a.op("VPSHUFD $0x4e, X0, X8")
	a.op("VPADDQ X8, X0, X0")
	ret(a, "VMOVQ X0, AX\n\tMOVQ AX", 48)
}

// nibbleData are the constants of a popcount by table.
const nibbleData = `DATA nibblePopcount<>+0(SB)/8, $0x0302020102010100
DATA nibblePopcount<>+8(SB)/8, $0x0403030203020201
DATA nibblePopcount<>+16(SB)/8, $0x0302020102010100
DATA nibblePopcount<>+24(SB)/8, $0x0403030203020201
GLOBL nibblePopcount<>(SB), RODATA|NOPTR, $32

`

// broadcastByte fills a Y register with a byte; uses AX.
func broadcastByte(a *asm, b, reg int) {
	a.op("MOVL $%#x, AX", b*0x01010101)
	a.op("VMOVD AX, X%d", reg)
	a.op("VPBROADCASTD X%d, Y%d", reg, reg)
}

// nibbles counts the bits of each byte of Yx into Yx, by the table in Y12 and
// the mask in Y13; Yt is scratch.
func nibbles(a *asm, x, t int) {
	a.op("VPSRLW $4, Y%d, Y%d", x, t)
	a.op("VPAND Y13, Y%d, Y%d", x, x)
	a.op("VPAND Y13, Y%d, Y%d", t, t)
	a.op("VPSHUFB Y%d, Y12, Y%d", x, x)
	a.op("VPSHUFB Y%d, Y12, Y%d", t, t)
	a.op("VPADDB Y%d, Y%d, Y%d", t, x, x)
}

func dotBinaryAVX2(a *asm) {
	dotHead(a, "dotBinaryAVX2", ` is for i, x := range a { sum += bits.OnesCount64(x ^ b[i]) }: the
popcount of each nibble from a table, four vectors' bytes (4·8 ≤ 255) to one VPSADBW.
Bound as the tile by what counts: two VPAND, two VPSHUFB, a shift, a VPADDB a vector.
Measured on Zen 4 (best run of macroscope bench --filter Dot): 65 % of peak for 4,096
bits, 83 % for 16,384.`, "(a, b []uint64) int", 56, 2)
	a.op("VMOVDQU nibblePopcount<>(SB), Y12")
	broadcastByte(a, 0x0f, 13)
	zeroRegs(a, 1)
	a.op("VPXOR Y14, Y14, Y14")
	count := func(i int) {
		a.op("VMOVDQU %d(SI), Y%d", 32*i, 1+2*i)
		a.op("VPXOR %d(DI), Y%d, Y%d", 32*i, 1+2*i, 1+2*i)
		nibbles(a, 1+2*i, 2+2*i)
	}
	add := func() {
		a.op("VPSADBW Y14, Y1, Y1")
		a.op("VPADDQ Y1, Y0, Y0")
	}
	many := func() {
		for i := range 4 {
			count(i)
		}
		a.op("VPADDB Y3, Y1, Y1")
		a.op("VPADDB Y7, Y5, Y5")
		a.op("VPADDB Y5, Y1, Y1")
		add()
	}
	dotLoop(a, 32, 4, many, func() { count(0); add() })
	a.op("VPXOR Y8, Y8, Y8")
	sumQuads(a)
}

// peakSums is the number of independent sums of a peak loop: latency 5 at two
// a cycle needs 10.
const peakSums = 12

// peak writes func name(n int): n rounds of peakSums instruction groups on
// registers alone.
func peak(a *asm, name, doc, reg string, group func(acc int)) {
	a.comment(fmt.Sprintf("%s runs %s on registers, %d independent sums a round, n rounds.", name, doc, peakSums))
	a.raw(fmt.Sprintf("//\n// func %s(n int)\nTEXT ·%s(SB), NOSPLIT, $0-8\n", name, name))
	a.op("MOVQ n+0(FP), CX")
	zeroRegs(a, 16)
	a.op("PCALIGN $32")
	a.label("round")
	for i := range peakSums {
		group(i)
	}
	a.op("DECQ CX")
	a.op("JNE round")
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}
