package main

import "fmt"

// pieces writes the tile of m with Args.Pieces: segments that all rows have, or
// one half of them. A half's step costs half of a whole one.
func (a *asm) pieces(m micro) {
	half := m.mr / 2
	whole := m
	whole.pool = m.maxOfHalves
	doc := fmt.Sprintf("%s is the loop of tile.Args with Pieces, %d×%d: the step of the tile above on\nall rows, on rows 0-%d or on rows %d-%d, where half as many products share the loads of B.\nMeasured on Zen 4 within layers (macroscope bench --layers): what they leave out is\nsaved, so that a layer may show more than 100 %% of peak.", m.name, m.mr, m.nr(), half-1, half, m.mr-1)
	if m.more != nil { // not the step of the tile above
		doc = m.doc
	}
	a.comment(doc)
	a.raw(fmt.Sprintf("//\n// func %s(t *tile.Args)\nTEXT ·%s(SB), NOSPLIT, $16-8\n", m.name, m.name))
	a.op("MOVQ t+0(FP), DI")
	a.op("MOVQ ARG_Rows, SI")
	a.op("MOVQ ARG_COff, DX")
	a.op("MOVQ ARG_Tiles, AX")
	a.op("MOVQ AX, 0(SP)")
	a.label("tile")
	if m.sums != nil { // which brings Init
		m.clearSums(a)
	} else {
		a.op("MOVQ ARG_Init, AX")
		for r := range m.mr {
			for v := range m.nv {
				if r%half == 0 {
					a.op("%s %d(AX), %s", m.move(), r/half*m.nr()*4+v*m.bytes(), m.acc(r, v))
				} else {
					a.op("%s %s, %s", regMove(m.reg), m.acc(r/half*half, v), m.acc(r, v))
				}
			}
		}
	}
	a.op("MOVQ ARG_NSeg, AX")
	a.op("MOVQ AX, 8(SP)")
	a.op("MOVQ ARG_Pieces, AX")
	a.label("piece")
	a.op("MOVQ 0(AX), R9")
	a.op("ADDQ ARG_A, R9")
	a.op("MOVQ 8(AX), CX")
	a.op("LEAQ (R9)(CX*4), R9")
	a.op("NEGQ CX")
	a.op("SHLQ $2, CX")
	a.op("MOVQ 16(AX), BX")
	a.op("ADDQ ARG_B, BX")
	for r := m.mr - 1; r >= 0; r-- { // R9 last, so that it serves as the base till then
		if rowPtr[r] != "R9" {
			a.op("MOVQ %d(SI), %s", 8*r, rowPtr[r])
			a.op("ADDQ R9, %s", rowPtr[r])
		}
	}
	a.op("ADDQ 8(SI), R9")
	a.op("CMPQ 24(AX), $1")
	a.op("JEQ first")
	if m.double != nil {
		a.op("JGT more")
	} else {
		a.op("JGT second")
	}
	for i, name := range []string{"all", "first", "second"} {
		from, to := []int{0, 0, half}[i], []int{m.mr, half, m.mr}[i]
		if i > 0 {
			a.op("JMP next")
		}
		a.op("PCALIGN $32")
		a.label(name)
		if m.more != nil {
			m.more(a)
		}
		outerRows(a, m.shape, from, to, m.move(), m.broadcast, m.mac)
		a.op("ADDQ $%d, BX", m.bStep)
		a.op("ADDQ $4, CX")
		a.op("JNE %s", name)
	}
	if m.double != nil {
		a.op("JMP next")
		a.label("more")
		a.op("CMPQ 24(AX), $2")
		a.op("JEQ second")
		for r := range m.mr {
			for v := range m.nv {
				m.double(a, m.acc(r, v))
			}
		}
	}
	a.label("next")
	a.op("ADDQ $32, AX")
	a.op("DECQ 8(SP)")
	a.op("JNE piece")
	if m.sums != nil {
		m.sums(a)
	}
	whole.tail(a, whole)
	a.label("done")
	a.op("ADDQ $%d, SI", 8*m.mr)
	a.op("DECQ 0(SP)")
	a.op("JNE tile")
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}

// maxOfHalves leaves the maxima of rows 0, 1, h, h+1 and of 2, 3, h+2, h+3 in
// rows 0 and 2, where h is half of the eight rows.
func (m micro) maxOfHalves(a *asm, max string) []int {
	const half = 4
	for _, w := range []int{0, 2} {
		for v := range m.nv {
			a.op("%s %s, %s, %s", max, m.acc(w+1, v), m.acc(w, v), m.acc(w, v))
			a.op("%s %s, %s, %s", max, m.acc(w+half+1, v), m.acc(w+half, v), m.acc(w+half, v))
			a.op("%s %s, %s, %s", max, m.acc(w+half, v), m.acc(w, v), m.acc(w, v))
		}
	}
	return []int{0, 2}
}
