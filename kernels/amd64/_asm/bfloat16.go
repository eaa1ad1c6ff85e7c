package main

import "fmt"

// bfloat16AVX512 writes what tile.BFloat16 asks for. Go's assembler has none of
// AVX512_BF16.
func bfloat16AVX512(a *asm) {
	a.pixelsHeader()
	a.raw(wordOrder)
	m := micro{shape: zTile, name: "tileBFloat16AVX512", bStep: 128, tail: floatTail}
	m.doc = `
tileBFloat16AVX512 is the loop of tile.Args, 8×32, on words of two bfloat16. A step
of K (two values) is 16 VDPBF16PS, 2 loads of B, 8 broadcast loads of A: 16
independent sums cover a latency of 6 cycles at two a cycle, and 10 loads fit
beside them.
Measured on Zen 5 (go test -bench FilterGrad ./kernels): as many steps a second as
tileFloat32AVX512, so twice its products.`
	m.zero = func(a *asm) { m.initSums(a, "VMOVUPS") }
	m.step = func(a *asm) { outer(a, m.shape, "VMOVUPS", "VBROADCASTSS", vdpbf16ps) }
	a.tile(m)
	pairAVX512(a)
	a.planes(planes{
		name: "pairPlanesBFloat16AVX512",
		doc: `
pairPlanesBFloat16AVX512 is the loop of tile.BFloat16.PairPlanes, 16 pixels of 16
channels at a time: for each pixel 2 loads, VCVTNE2PS2BF16 and VPERMW, then the 64
shuffles of a transposition on two ports, 32 cycles, and 16 stores.
Measured within a step of training (go test -bench Step ./train).`,
		y: true,
		once: func() {
			a.op("VMOVDQU32 wordOrder<>(SB), Z31")
		},
		load: func(i int) { a.pairWords(i) },
	})
}

// pairAVX512 writes the loop of tile.BFloat16.Pair.
func pairAVX512(a *asm) {
	const name = "pairBFloat16AVX512"
	a.comment(`pairBFloat16AVX512 is the loop of tile.BFloat16.Pair, a vector of channels at a time.
A step is 2 loads, VCVTNE2PS2BF16, VPERMW and a store, and what moves on.
Measured within a step of training (go test -bench Step ./train).`)
	a.raw(fmt.Sprintf("//\n// func %s(p *tile.Pixels)\nTEXT ·%s(SB), NOSPLIT, $0-8\n", name, name))
	a.op("MOVQ p+0(FP), DI")
	a.op("MOVQ P_Step, DX")
	a.op("MOVQ P_OutRow, R12")
	a.op("MOVQ P_Vectors, SI")
	a.op("VMOVDQU32 wordOrder<>(SB), Z31")
	a.op("XORL BX, BX")
	a.label("vector")
	for _, w := range []string{"X", "Y", "Out"} {
		a.op("MOVQ P_%s, %s", w, pixelPtr[w])
		a.op("ADDQ BX, %s", pixelPtr[w])
	}
	a.op("MOVQ P_Count, CX")
	a.op("PCALIGN $32")
	a.label("pixel")
	a.pairWords(0)
	a.op("VMOVDQU32 Z0, (%s)", pixelPtr["Out"])
	a.op("ADDQ DX, %s", pixelPtr["X"])
	a.op("ADDQ DX, %s", pixelPtr["Y"])
	a.op("ADDQ R12, %s", pixelPtr["Out"])
	a.op("DECQ CX")
	a.op("JNE pixel")
	a.op("ADDQ $64, BX")
	a.op("DECQ SI")
	a.op("JNE vector")
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}

// pairWords makes words of 16 channels at X and Y in Z register i, with wordOrder in
// Z31; Z30 is scratch.
func (a *asm) pairWords(i int) {
	a.op("VMOVUPS (%s), Z30", pixelPtr["X"])
	a.op("VMOVUPS (%s), Z%d", pixelPtr["Y"], i)
	a.bytes(fmt.Sprintf("VCVTNE2PS2BF16 Z30, Z%d, Z%d", i, i), encodeBF16(vcvtne2ps2bf16, 30, i, i))
	a.op("VPERMW Z%d, Z31, Z%d", i, i)
}

// vdpbf16ps adds the products of a word's halves to acc, as fma does of a word.
func vdpbf16ps(a *asm, b, x, acc string) {
	n := func(reg string) (i int) {
		_, err := fmt.Sscanf(reg, "Z%d", &i)
		check(err)
		return i
	}
	a.bytes(fmt.Sprintf("VDPBF16PS %s, %s, %s", b, x, acc), encodeBF16(vdpbf16, n(b), n(x), n(acc)))
}

// bf16Op is an instruction's prefix and opcode.
type bf16Op struct{ pp, opcode byte }

var (
	vdpbf16        = bf16Op{2, 0x52} // EVEX.512.F3.0F38.W0 52 /r
	vcvtne2ps2bf16 = bf16Op{3, 0x72} // EVEX.512.F2.0F38.W0 72 /r
)

// encodeBF16 gives the bytes of an instruction on Z registers, in the order of
// operands that Go has: Intel SDM volume 2.
func encodeBF16(op bf16Op, src2, src1, dst int) []byte {
	not := func(reg, bit int) byte { return byte(^reg >> bit & 1) }
	return []byte{
		0x62,
		not(dst, 3)<<7 | not(src2, 4)<<6 | not(src2, 3)<<5 | not(dst, 4)<<4 | 2,
		byte(^src1&15)<<3 | 4 | op.pp,
		0x40 | not(src1, 4)<<3,
		op.opcode,
		0xc0 | byte(dst&7)<<3 | byte(src2&7),
	}
}

// wordOrder brings 16 bfloat16 of the lower half and 16 of the upper into words.
var wordOrder = func() (text string) {
	for i := range 16 {
		text += fmt.Sprintf("DATA wordOrder<>+%d(SB)/4, $0x%08x\n", 4*i, (16+i)<<16|i)
	}
	return text + "GLOBL wordOrder<>(SB), RODATA|NOPTR, $64\n\n"
}()
