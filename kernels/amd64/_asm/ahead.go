package main

// ahead writes a tile of tile.Winograd.Tiles that fetches 64 bytes a word from Args.Next on,
// where BP is: the assembler saves it, as there is a frame.
func (a *asm) ahead(m micro) {
	a.comment(m.doc)
	a.raw("//\n// func " + m.name + "(t *tile.Args)\nTEXT ·" + m.name + "(SB), NOSPLIT, $16-8\n")
	a.op("MOVQ t+0(FP), DI")
	a.op("MOVQ ARG_Rows, SI")
	a.op("MOVQ ARG_COff, DX")
	a.op("MOVQ ARG_Tiles, AX")
	a.op("MOVQ AX, 0(SP)")
	a.op("MOVQ ARG_Next, BP")
	a.label("tile")
	m.clearSums(a)
	a.op("MOVQ ARG_B, BX")
	a.op("MOVQ ARG_SegLen, CX")
	a.op("SHLQ $2, CX")
	a.op("MOVQ ARG_A, AX")
	a.op("ADDQ CX, AX")
	for r := range m.mr {
		a.op("MOVQ %d(SI), %s", 8*r, rowPtr[r])
		a.op("ADDQ AX, %s", rowPtr[r])
	}
	a.op("NEGQ CX")
	a.op("PCALIGN $32")
	a.label("word")
	outer(a, m.shape, m.move(), m.broadcast, m.mac)
	a.op("PREFETCHT0 (BP)")
	a.op("ADDQ $64, BP")
	a.op("ADDQ $%d, BX", m.bStep)
	a.op("ADDQ $4, CX")
	a.op("JNE word")
	sumsTail(a, m)
	a.label("done")
	a.op("ADDQ $%d, SI", 8*m.mr)
	a.op("DECQ 0(SP)")
	a.op("JNE tile")
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}
