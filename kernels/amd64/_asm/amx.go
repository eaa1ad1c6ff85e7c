package main

import (
	"fmt"
	"slices"
)

// Places in the tile's frame, in bytes from R12, which is aligned to 64.
const (
	amxRows = 0           // 2×1 KiB: rows of A that have no common distance
	amxSums = 2 << 10     // [32][32] int32
	amxCfg  = 6 << 10     // what LDTILECFG reads
	amxSize = amxCfg + 64 // of all that
	amxB    = 128         // distance of B's rows: 32 columns
)

// Variables at SP.
const (
	amxTiles   = 8 * iota // to come
	amxBSeg               // bytes of B a segment
	amxSegsEnd            // where Segs ends
	amxHalf               // of each half: place of its first row, distance of its rows, 1 if they have none
	_
	_
	amxHalf2
	_
	_
	amxLeft  // eights of rows whose sums still wait for the epilogue
	amxUpper // places of the next four sums and of the four after them
	amxLower
	amxStep // to the next ones
	amxVars // bytes of all that
)

func int8AMX(a *asm) {
	a.raw(byteOrder)
	tileInt8AMX(a)
	peakInt8AMX(a)
	a.raw(detectAMX)
}

// tileInt8AMX uses tiles 0-3 for the sums, 4 and 5 for 16 rows of A each, 6 and
// 7 for 16 columns of B each. Registers are DI the arguments, SI the tile's Rows,
// DX its COff, BX the place in B, R11 in Segs, R12 the frame, R13 the distance of
// B's rows. The epilogue changes AX, R8-R10 and Z0-Z19.
func tileInt8AMX(a *asm) {
	const name = "tileInt8AMX"
	a.comment(`
tileInt8AMX is the loop of tile.Args, 32×32, for segments of at most 16 words.
A segment is 4 TDPBSSD of 16×16 sums, 2 TILELOADD of A and 2 of B, which lies
packed as the instruction wants it: 64 cycles of the multiplier by Intel's
optimization manual (16 a TDPBSSD), beside which there is room for the 32 cycles
of the loads (8 each). Rows of A at one distance, as neighbouring pixels have it,
are loaded where they stand; others are first brought together, 16 loads and 16
stores a half of the tile. Sums that stay int32 are stored straight to rows of C
at one distance (4 TILESTORED); all others go through the frame into the epilogue
of tileInt8AVX512VNNI, eight rows after each segment of the next tile: some 150
instructions that have the multiplier's 64 cycles to hide in.
LDTILECFG and TILERELEASE enclose all tiles of a call: goroutines do not leave
their thread within assembly, and no other one sees tiles in use. The frame is too
large for NOSPLIT.
Not measured yet: no CPU with AMX was at hand.`)
	a.raw(fmt.Sprintf("//\n// func %s(t *tile.Args)\nTEXT ·%s(SB), 0, $%d-8\n", name, name, amxVars+64+amxSize))
	a.op("MOVQ t+0(FP), DI")
	a.op("MOVQ ARG_Rows, SI")
	a.op("MOVQ ARG_COff, DX")
	a.op("MOVQ ARG_Tiles, AX")
	a.op("MOVQ AX, %d(SP)", amxTiles)
	a.op("MOVQ ARG_NSeg, AX")
	a.op("SHLQ $3, AX")
	a.op("ADDQ ARG_Segs, AX")
	a.op("MOVQ AX, %d(SP)", amxSegsEnd)
	a.op("LEAQ %d(SP), R12", amxVars+63)
	a.op("ANDQ $~63, R12")
	a.op("MOVQ $%d, R13", amxB)
	a.op("MOVQ ARG_SegLen, CX")
	a.op("MOVQ CX, AX")
	a.op("SHLQ $7, AX")
	a.op("MOVQ AX, %d(SP)", amxBSeg)
	a.op("MOVL $1, AX")
	a.op("SHLL CX, AX")
	a.op("DECL AX")
	a.op("KMOVW AX, K3 // the words of a segment")
	a.op("MOVQ $0, %d(SP)", amxLeft)
	configureAMX(a)

	a.label("tile")
	for h, at := range []int{amxHalf, amxHalf2} {
		distancesAMX(a, "SI", 128*h)
		a.op("SETNE %d(SP)", at+16)
		a.op("VMOVQ X0, %d(SP)", at+8)
		a.op("MOVQ %d(SI), AX", 128*h)
		a.op("ADDQ ARG_A, AX")
		a.op("MOVQ AX, %d(SP)", at)
	}
	a.op("MOVQ ARG_Init, AX")
	a.op("XORL CX, CX")
	for t := range 4 { // every row is Init
		a.tileLoad(t, "AX", "CX", t%2*64)
	}
	a.op("MOVQ ARG_B, BX")
	a.op("MOVQ ARG_Segs, R11")
	a.op("PCALIGN $32")
	a.label("segment")
	a.op("MOVQ (R11), CX")
	for h, at := range []int{amxHalf, amxHalf2} {
		a.op("MOVQ %d(SP), R14", at)
		a.op("ADDQ CX, R14")
		a.op("MOVQ %d(SP), R15", at+8)
		a.op("CMPB %d(SP), $0", at+16)
		a.op("JNE gather%d", h)
		a.label(fmt.Sprintf("load%d", h))
		a.tileLoad(4+h, "R14", "R15", 0)
		if h == 0 {
			a.tileLoad(6, "BX", "R13", 0)
			a.tileLoad(7, "BX", "R13", 64)
		}
		for c := range 2 {
			a.tdpbssd(6+c, 4+h, 2*h+c)
		}
	}
	a.op("ADDQ %d(SP), BX", amxBSeg)
	a.op("ADDQ $8, R11")
	a.op("CMPQ %d(SP), $0", amxLeft)
	a.op("JEQ summed")
	a.label("eight")
	epilogueAMX(a)
	a.label("summed")
	a.op("CMPQ R11, %d(SP)", amxSegsEnd)
	a.op("JNE segment")
	a.op("CMPQ %d(SP), $0 // more rows than segments", amxLeft)
	a.op("JNE eight")
	a.op("CMPQ %d(SP), $0", amxTiles)
	a.op("JEQ end")
	storeAMX(a)
	a.label("next")
	a.op("ADDQ $%d, SI", 8*32)
	a.op("DECQ %d(SP)", amxTiles)
	a.op("JNE tile")
	a.op("JMP summed")
	a.label("end")
	a.bytes("TILERELEASE", tileRelease)
	a.op("VZEROUPPER")
	a.op("RET")

	for h := range 2 {
		a.label(fmt.Sprintf("gather%d", h))
		a.op("ADDQ ARG_A, CX")
		for r := range 16 {
			a.op("MOVQ %d(SI), R14", 128*h+8*r)
			a.op("VMOVDQU32.Z (CX)(R14*1), K3, Z%d", r)
			a.op("VMOVDQA64 Z%d, %d(R12)", r, amxRows+1024*h+64*r)
		}
		a.op("SUBQ ARG_A, CX")
		a.op("LEAQ %d(R12), R14", amxRows+1024*h)
		a.op("MOVL $64, R15")
		a.op("JMP load%d", h)
	}
	a.raw("\n")
}

// configureAMX sets palette 1 up for segments of CX words. The bytes are those
// of Intel's SDM, volume 1, section 18.2: palette, start row, from 16 on each
// tile's bytes a row, from 48 on its rows.
func configureAMX(a *asm) {
	at := func(i int) string { return fmt.Sprintf("%d(R12)", amxCfg+i) }
	a.op("VPXORD Z0, Z0, Z0")
	a.op("VMOVDQA64 Z0, %s", at(0))
	a.op("MOVB $1, %s", at(0))
	a.op("MOVL $0x00400040, AX")
	a.op("MOVL AX, %s // sums: 64 bytes a row", at(16))
	a.op("MOVL AX, %s", at(20))
	a.op("MOVL AX, %s // B: 64", at(28))
	a.op("MOVL $0x10101010, %s // sums: 16 rows", at(48))
	a.op("MOVW $0x1010, %s // A: 16", at(52))
	a.op("MOVB CX, %s // B: one a word", at(54))
	a.op("MOVB CX, %s", at(55))
	a.op("SHLL $2, CX")
	a.op("MOVW CX, %s // A: the segment", at(24))
	a.op("MOVW CX, %s", at(26))
	a.bytes(fmt.Sprintf("LDTILECFG %s", at(0)), encodeTileMem(ldTileCfg, 0, "R12", "", amxCfg))
}

// storeAMX stores sums that stay as they are straight to their rows, if those
// are at one distance, else to the frame, for epilogueAMX.
func storeAMX(a *asm) {
	a.op("CMPQ ARG_Mode, $0")
	a.op("JNE frame")
	a.op("CMPQ ARG_Pool, $1")
	a.op("JNE frame")
	for h, base := range []string{"R8", "R10"} {
		distancesAMX(a, "DX", 128*h)
		a.op("JNE frame")
		a.op("VMOVQ X0, %s", []string{"R9", "R15"}[h])
		a.op("MOVQ %d(DX), %s", 128*h, base)
		a.op("ADDQ ARG_C, %s", base)
	}
	for t := range 4 {
		a.tileStore(t, []string{"R8", "R10"}[t/2], []string{"R9", "R15"}[t/2], t%2*64)
	}
	a.op("ADDQ $%d, DX", 8*32)
	a.op("JMP next")
	a.label("frame")
	for t := range 4 {
		a.tileStore(t, "R12", "R13", amxSums+t/2*16*amxB+t%2*64)
	}
	a.op("MOVQ $4, %d(SP)", amxLeft)
	a.op("LEAQ %d(R12), AX", amxSums)
	a.op("MOVQ AX, %d(SP)", amxUpper)
	a.op("MOVQ $%d, CX // to the next four", 4*amxB)
	a.op("MOVQ $%d, R8 // to the next eight", 8*amxB)
	a.op("CMPQ ARG_Pool, $1")
	a.op("JEQ rows")
	a.op("MOVQ $%d, CX // to the other half", 16*amxB)
	a.op("MOVQ $%d, R8", 4*amxB)
	a.label("rows")
	a.op("ADDQ CX, AX")
	a.op("MOVQ AX, %d(SP)", amxLower)
	a.op("MOVQ R8, %d(SP)", amxStep)
}

// epilogueAMX gives eight rows of sums in the frame to intTail; with a pool these
// are four of the upper half and the four of the lower half that complete their
// windows.
func epilogueAMX(a *asm) {
	m := micro{shape: zTile}
	m.pool = m.maxOfHalves
	a.op("MOVQ %d(SP), R14", amxUpper)
	a.op("MOVQ %d(SP), R15", amxLower)
	for r := range m.mr {
		for v := range m.nv {
			a.op("VMOVDQA64 %d(%s), %s", r%4*amxB+64*v, []string{"R14", "R15"}[r/4], m.acc(r, v))
		}
	}
	intTail(a, m)
	a.label("done")
	a.op("MOVQ %d(SP), AX", amxStep)
	a.op("ADDQ AX, %d(SP)", amxUpper)
	a.op("ADDQ AX, %d(SP)", amxLower)
	a.op("DECQ %d(SP)", amxLeft)
}

// distancesAMX compares the distances between 16 offsets from at(base) on: the
// zero flag says whether all are the same, X0 holds the first.
func distancesAMX(a *asm, base string, at int) {
	a.op("VMOVDQU64 %d(%s), Z0", at+8, base)
	a.op("VMOVDQU64 %d(%s), Z1", at+64, base)
	a.op("VPSUBQ %d(%s), Z0, Z0 // 1-8 from those before", at, base)
	a.op("VPSUBQ %d(%s), Z1, Z1 // 8-15", at+56, base)
	a.op("VPBROADCASTQ X0, Z2")
	a.op("VPCMPQ $4, Z2, Z0, K1 // not equal")
	a.op("VPCMPQ $4, Z2, Z1, K2")
	a.op("KORTESTW K1, K2")
}

// peakTiles is the number of independent sums of peakInt8AMX: TDPBSSD has a
// latency of 52 cycles and starts every 16.
const peakTiles = 6

func peakInt8AMX(a *asm) {
	a.comment(fmt.Sprintf("peakInt8AMX runs TDPBSSD on tiles of 16×64 bytes, %d independent sums a round, n\nrounds.", peakTiles))
	a.raw(fmt.Sprintf("//\n// func peakInt8AMX(n int)\nTEXT ·peakInt8AMX(SB), NOSPLIT, $%d-8\n", 64+64))
	a.op("LEAQ 63(SP), R12")
	a.op("ANDQ $~63, R12")
	a.op("SUBQ $%d, R12 // where configureAMX writes", amxCfg)
	a.op("MOVL $16, CX")
	configureAMX(a)
	for t := range 8 {
		a.bytes(fmt.Sprintf("TILEZERO TMM%d", t), encodeTileZero(t))
	}
	a.op("MOVQ n+0(FP), CX")
	a.op("PCALIGN $32")
	a.label("round")
	for t := range peakTiles {
		a.tdpbssd(7, 6, t)
	}
	a.op("DECQ CX")
	a.op("JNE round")
	a.bytes("TILERELEASE", tileRelease)
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}

// detectAMX asks the CPU what package cpuid does not.
const detectAMX = `// xcr0 is extended control register 0: the states that the system keeps.
//
// func xcr0() uint64
TEXT ·xcr0(SB), NOSPLIT, $0-8
	XORL CX, CX
	XGETBV
	SHLQ $32, DX
	ORQ DX, AX
	MOVQ AX, ret+0(FP)
	RET

// cpuidLeaf is CPUID.
//
// func cpuidLeaf(leaf, sub uint32) (a, b, c, d uint32)
TEXT ·cpuidLeaf(SB), NOSPLIT, $0-24
	MOVL leaf+0(FP), AX
	MOVL sub+4(FP), CX
	CPUID
	MOVL AX, a+8(FP)
	MOVL BX, b+12(FP)
	MOVL CX, c+16(FP)
	MOVL DX, d+20(FP)
	RET
`

// Go's assembler has no AMX: golang.org/issue/61079. The codes are those of
// Intel's SDM, volume 2: VEX.128 with a mandatory prefix (0 none, 1 66, 2 F3,
// 3 F2), map 0F38, W0.
type tileOp struct{ prefix, opcode byte }

var (
	ldTileCfg  = tileOp{0, 0x49}
	tileLoadD  = tileOp{3, 0x4b}
	tileStoreD = tileOp{2, 0x4b}
	tdpbssdOp  = tileOp{3, 0x5e}

	tileRelease = []byte{0xc4, 0xe2, 0x78, 0x49, 0xc0}
	regNumbers  = []string{"AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"}
)

// vex gives the three bytes of the prefix and the opcode; index and base are
// register numbers, v the one in VEX.vvvv.
func (o tileOp) vex(index, base, v int) []byte {
	return []byte{0xc4, 0x80 | byte(1-index>>3)<<6 | byte(1-base>>3)<<5 | 2, byte(15-v)<<3 | o.prefix, o.opcode}
}

// encodeTileMem gives an instruction on tile t and memory at base + index +
// disp; index "" is none.
func encodeTileMem(o tileOp, t int, base, index string, disp int) []byte {
	b, i := slices.Index(regNumbers, base), 0
	if index != "" {
		i = slices.Index(regNumbers, index)
	}
	if b < 0 || i < 0 || index == "SP" {
		panic("memory operand (" + base + ")(" + index + ")")
	}
	code := o.vex(i, b, 0)
	mod := byte(2)
	switch {
	case disp == 0 && b&7 != 5:
		mod = 0
	case disp == int(int8(disp)):
		mod = 1
	}
	switch {
	case index != "":
		code = append(code, mod<<6|byte(t)<<3|4, byte(i&7)<<3|byte(b&7))
	case b&7 == 4: // only a SIB byte can say so
		code = append(code, mod<<6|byte(t)<<3|4, 4<<3|4)
	default:
		code = append(code, mod<<6|byte(t)<<3|byte(b&7))
	}
	for i := range []int{0, 1, 4}[mod] {
		code = append(code, byte(disp>>(8*i)))
	}
	return code
}

// encodeTDPBSSD gives tile d += a·b, all three tiles.
func encodeTDPBSSD(b, a, d int) []byte {
	return append(tdpbssdOp.vex(0, 0, b), 0xc0|byte(d)<<3|byte(a))
}

func encodeTileZero(t int) []byte {
	return append(tileOp{3, 0x49}.vex(0, 0, 0), 0xc0|byte(t)<<3)
}

// bytes writes an instruction that the assembler lacks.
func (a *asm) bytes(mnemonic string, code []byte) {
	text := ""
	for i, b := range code {
		if i > 0 {
			text += "; "
		}
		text += fmt.Sprintf("BYTE $%#02x", b)
	}
	a.op("%s // %s", text, mnemonic)
}

func (a *asm) tileLoad(t int, base, index string, disp int) {
	a.bytes(fmt.Sprintf("TILELOADD %d(%s)(%s*1), TMM%d", disp, base, index, t), encodeTileMem(tileLoadD, t, base, index, disp))
}

func (a *asm) tdpbssd(b, x, d int) {
	a.bytes(fmt.Sprintf("TDPBSSD TMM%d, TMM%d, TMM%d", b, x, d), encodeTDPBSSD(b, x, d))
}

func (a *asm) tileStore(t int, base, index string, disp int) {
	a.bytes(fmt.Sprintf("TILESTORED TMM%d, %d(%s)(%s*1)", t, disp, base, index), encodeTileMem(tileStoreD, t, base, index, disp))
}
