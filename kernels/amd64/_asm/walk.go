package main

import "fmt"

// walk makes the sums of the rows at SI.
func (a *asm) walk(m micro) {
	m.zero(a)
	if m.columns {
		a.walkColumns(m)
		return
	}
	if m.block {
		a.walkBlock(m)
		return
	}
	a.op("MOVQ ARG_B, BX")
	a.op("XORL AX, AX")
	a.label("segment")
	// A + Segs[AX] + the segment's bytes: with an index that runs up to 0.
	a.op("MOVQ ARG_Segs, R8")
	a.op("MOVQ (R8)(AX*8), R9")
	a.op("ADDQ ARG_A, R9")
	a.op("MOVQ ARG_SegLen, CX")
	a.op("LEAQ (R9)(CX*4), R9")
	a.op("NEGQ CX")
	a.op("SHLQ $2, CX")
	for r := m.mr - 1; r >= 0; r-- { // R9 last but one, so that it serves as the base till then
		if rowPtr[r] == "R9" {
			continue
		}
		a.op("MOVQ %d(SI), %s", 8*r, rowPtr[r])
		a.op("ADDQ R9, %s", rowPtr[r])
	}
	if m.mr > 1 {
		a.op("ADDQ 8(SI), R9")
	}
	if m.chunk > 0 {
		a.op("MOVQ $%d, 8(SP) // words until the narrow sums must be widened", m.chunk)
	}
	if m.unroll > 0 {
		a.words(m, m.unroll, func() {})
	} else {
		a.word(m)
	}
	a.op("INCQ AX")
	a.op("CMPQ AX, ARG_NSeg")
	a.jump("JLT", "segment")
	if m.sums != nil {
		m.sums(a)
	}
}

// word is the loop over a segment's words, one by one.
func (a *asm) word(m micro) {
	a.op("PCALIGN $32")
	a.label("word")
	m.step(a)
	a.op("ADDQ $%d, BX", m.bStep)
	if m.chunk > 0 {
		a.op("DECQ 8(SP)")
		a.jump("JNE", "next")
		m.flush(a)
		a.op("MOVQ $%d, 8(SP)", m.chunk)
		a.label("next")
	}
	a.op("ADDQ $4, CX")
	a.jump("JNE", "word")
	if m.chunk > 0 {
		m.flush(a)
	}
}

// words is the loop over a segment's words, outer products of unroll words a round, each
// round beginning with first, and then the rest one by one.
func (a *asm) words(m micro, unroll int, first func()) {
	step := func(i, behind int) {
		outerAt(a, m.shape, 0, m.mr, i*m.bStep, func(r int) string { return fmt.Sprintf("%d(%s)(CX*1)", 4*(i-behind), rowPtr[r]) }, m.move(), m.broadcast, m.mac)
	}
	a.op("ADDQ $%d, CX", 4*unroll)
	a.jump("JGT", "few")
	a.op("PCALIGN $32")
	a.label("words")
	first()
	for i := range unroll {
		step(i, unroll)
	}
	a.op("ADDQ $%d, BX", unroll*m.bStep)
	a.op("ADDQ $%d, CX", 4*unroll)
	a.jump("JLE", "words")
	a.label("few")
	a.op("SUBQ $%d, CX", 4*unroll)
	a.jump("JEQ", "end")
	a.label("word")
	step(0, 0)
	a.op("ADDQ $%d, BX", m.bStep)
	if unroll > 2 {
		a.op("ADDQ $4, CX")
		a.jump("JNE", "word")
	}
	a.label("end")
}

// walkColumns is walk where a segment is one word and rows lie side by side, so that a word
// of K costs no more than the load of its segment beside the step.
func (a *asm) walkColumns(m micro) {
	a.fetchSums(m)
	a.op("MOVQ ARG_B, BX")
	a.op("MOVQ (SI), R8")
	a.op("ADDQ ARG_A, R8")
	a.op("MOVQ ARG_Segs, R9")
	a.op("MOVQ ARG_NSeg, R10")
	a.op("LEAQ (R9)(R10*8), R9")
	a.op("NEGQ R10")
	a.op("PCALIGN $32")
	a.label("segment")
	a.op("MOVQ (R9)(R10*8), CX")
	outerAt(a, m.shape, 0, m.mr, 0, func(r int) string { return fmt.Sprintf("%d(R8)(CX*1)", 4*r) }, m.move(), m.broadcast, m.mac)
	a.op("ADDQ $%d, BX", m.bStep)
	a.op("INCQ R10")
	a.jump("JNE", "segment")
}

// fetchSums fetches the tile's place in C.
func (a *asm) fetchSums(m micro) {
	for r := range m.mr {
		a.outRow(r)
		for at := 0; at < 4*m.nr(); at += 64 {
			a.op("PREFETCHT0 %d(R8)", at)
		}
	}
}
