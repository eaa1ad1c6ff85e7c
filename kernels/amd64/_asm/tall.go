package main

import "fmt"

// tall writes a tile of 4 rows that takes three tiles at a time, as twice 6
// rows, while there are three: 12 independent sums cover a latency of up to 6
// cycles at two multiply-accumulates a cycle, where the 8 sums of 4 rows stop
// short on every hiccup. The second of three pooled windows lies in both
// halves; its half of a maximum waits on the stack. m is the 4-row tile on Y
// registers with two vectors a row, by broadcast and mac, two words of K a round.
func (a *asm) tall(m micro) {
	const spill = 16 // place of two vectors on the stack
	m.unroll = 2
	first, second := m, m
	first.mr, second.mr = 6, 6
	first.pool = func(a *asm, max string) []int {
		first.max4(a, max, 0)
		for v := range m.nv {
			a.op("%s %s, %s, %s", max, first.acc(5, v), first.acc(4, v), first.acc(4, v))
			a.op("VMOVUPS %s, %d(SP)", first.acc(4, v), spill+v*m.bytes())
		}
		return []int{0}
	}
	second.pool = func(a *asm, max string) []int {
		for v := range m.nv {
			a.op("%s %s, %s, %s", max, second.acc(1, v), second.acc(0, v), second.acc(0, v))
			a.op("%s %d(SP), %s, %s", max, spill+v*m.bytes(), second.acc(0, v), second.acc(0, v))
		}
		second.max4(a, max, 2)
		return []int{0, 2}
	}

	a.comment(m.doc)
	a.raw(fmt.Sprintf("//\n// func %s(t *tile.Args)\nTEXT ·%s(SB), NOSPLIT, $%d-8\n", m.name, m.name, spill+m.nv*m.bytes()))
	a.op("MOVQ t+0(FP), DI")
	a.op("MOVQ ARG_Rows, SI")
	a.op("MOVQ ARG_COff, DX")
	a.op("MOVQ ARG_Tiles, AX")
	a.op("MOVQ AX, 0(SP)")
	if m.once != nil {
		m.once(a)
	}
	a.op("SUBQ $3, 0(SP)")
	a.op("JLT rest")
	a.label("three")
	for i, half := range []micro{first, second} {
		a.prefix = []string{"first", "second"}[i]
		half.zero = func(a *asm) { half.initSums(a, half.move()) }
		a.walk(half)
		half.tail(a, half)
		a.label("done")
		a.op("ADDQ $%d, SI", 8*half.mr)
	}
	a.prefix = ""
	a.op("SUBQ $3, 0(SP)")
	a.op("JGE three")
	a.label("rest")
	a.op("ADDQ $3, 0(SP)")
	a.op("JEQ out")
	a.label("tile")
	m.zero = func(a *asm) { m.initSums(a, m.move()) }
	a.walk(m)
	m.tail(a, m)
	a.label("done")
	a.op("ADDQ $%d, SI", 8*m.mr)
	a.op("DECQ 0(SP)")
	a.op("JNE tile")
	a.label("out")
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}
