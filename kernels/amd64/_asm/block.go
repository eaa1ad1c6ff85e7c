package main

// blockSteps is how many words of K a round of walkBlock takes: one cache line of
// Args.Next, 16 bytes a word, is fetched a round.
const blockSteps = 4

// blockTile is a kernel's tile.Kernel.BlockTile; add is its instruction for the mode
// Accumulate. The kernel has move, broadcast and mac.
func (m micro) blockTile(name, doc, add string) micro {
	m.name, m.doc, m.block = name, name+" is tile.Kernel.BlockTile, "+doc, true
	m.once = func(a *asm) {
		a.op("MOVQ ARG_Next, AX")
		a.op("MOVQ AX, 8(SP)")
	}
	m.tail = func(a *asm, m micro) {
		a.op("CMPQ ARG_Mode, $1")
		a.jump("JEQ", "accumulate")
		for r := range m.mr {
			a.outRow(r)
			for v := range m.nv {
				a.op("%s %s, %d(R8)", m.move(), m.acc(r, v), v*m.bytes())
			}
		}
		a.advance(m.mr)
		a.label("accumulate")
		a.addRows(m, add, m.move())
	}
	return m
}

// walkBlock is walk over one segment, whose products nothing from far away holds up:
// meanwhile C's place comes to the first-level cache and a part of Next to the second. AX
// is to that part what R8… are to the rows: with CX times 4 its end. 8(SP) is where it starts.
func (a *asm) walkBlock(m micro) {
	a.fetchSums(m)
	a.op("MOVQ ARG_B, BX")
	a.op("MOVQ ARG_SegLen, CX")
	a.op("SHLQ $2, CX")
	a.op("MOVQ 8(SP), AX")
	a.op("LEAQ (AX)(CX*4), AX")
	a.op("IMUL3Q $%d, ARG_NextStep, R9", m.mr)
	a.op("ADDQ R9, 8(SP)")
	a.op("MOVQ ARG_A, R9")
	a.op("ADDQ CX, R9")
	for r := m.mr - 1; r >= 0; r-- { // R9 last, so that it serves as the base till then
		if rowPtr[r] != "R9" {
			a.op("MOVQ %d(SI), %s", 8*r, rowPtr[r])
			a.op("ADDQ R9, %s", rowPtr[r])
		}
	}
	a.op("ADDQ 8(SI), R9")
	a.op("NEGQ CX")
	a.words(m, blockSteps, func() { a.op("PREFETCHT1 %d(AX)(CX*4)", -16*blockSteps) })
}
