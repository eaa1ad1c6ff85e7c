package main

import "fmt"

// shape is a tile of vec-wide registers: MR rows of NV vectors of Lanes
// 32-bit columns.
type shape struct {
	reg    string // "Y" or "Z"
	mr, nv int
}

func (s shape) lanes() int { return map[string]int{"Y": 8, "Z": 16}[s.reg] }
func (s shape) bytes() int { return 4 * s.lanes() }
func (s shape) regs() int  { return map[string]int{"Y": 16, "Z": 32}[s.reg] }
func (s shape) nr() int    { return s.nv * s.lanes() }
func (s shape) r(i int) string {
	return fmt.Sprintf("%s%d", s.reg, i)
}

// acc is the register of the sums of row r, vector v.
func (s shape) acc(r, v int) string { return s.r(r*s.nv + v) }

var rowPtr = []string{"R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"}

// Registers of every tile kernel: DI the arguments, SI the current tile's
// Rows, DX its COff, BX the place in B, CX the byte index in the segment
// (−length…0), AX the segment's number, R8… a pointer to each row's end of
// segment. 0(SP) counts the tiles.

// micro is what differs between kernels.
type micro struct {
	shape
	name      string
	doc       string
	zero      func(a *asm)                   // the sums before the first segment
	once      func(a *asm)                   // constants, before the first tile
	step      func(a *asm)                   // one word of K: reads B at BX and A at (row)(CX*1), adds to the sums
	chunk     int                            // words after which flush must be called; 0: never
	flush     func(a *asm)                   // after every chunk and every segment
	sums      func(a *asm)                   // after the last segment: turns the registers into the sums S
	tail      func(a *asm, m micro)          // epilogue
	bStep     int                            // bytes of B a word of K
	broadcast string                         // of a word of A, for the outer products of words
	mac       func(a *asm, b, x, acc string) // of these
	more      func(a *asm)                   // what pieces load of B beside the tile's vectors
	columns   bool                           // rows lie side by side, segments are words: see walkColumns
	block     bool                           // one segment, and fetch what comes next: see walkBlock
	unroll    int                            // words of K a round, see words; 0: one, by step
	double    func(a *asm, acc string)       // of pieces that double; nil: none do
	// pool takes the maxima of windows of four rows and gives the rows that hold
	// them; nil: of rows 0-3, 4-7, ...
	pool func(a *asm, max string) (kept []int)
}

func (a *asm) tile(m micro) {
	a.comment(m.doc)
	a.raw(fmt.Sprintf("//\n// func %s(t *tile.Args)\nTEXT ·%s(SB), NOSPLIT, $16-8\n", m.name, m.name))
	a.op("MOVQ t+0(FP), DI")
	a.op("MOVQ ARG_Rows, SI")
	a.op("MOVQ ARG_COff, DX")
	a.op("MOVQ ARG_Tiles, AX")
	a.op("MOVQ AX, 0(SP)")
	if m.once != nil {
		m.once(a)
	}
	a.label("tile")
	a.walk(m)
	m.tail(a, m)
	a.label("done")
	a.op("ADDQ $%d, SI", 8*m.mr)
	a.op("DECQ 0(SP)")
	a.op("JNE tile")
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}

// outRow points R8 at the place of output row i.
func (a *asm) outRow(i int) {
	a.op("MOVQ %d(DX), R8", 8*i)
	a.op("ADDQ ARG_C, R8")
}

// advance ends an epilogue that wrote rows output rows.
func (a *asm) advance(rows int) {
	a.op("ADDQ $%d, DX", 8*rows)
	a.jump("JMP", "done")
}

// pooled emits body for the kept rows, once for Pool 1 and once for Pool 4, after
// taking the maximum of four rows with the given instruction. The out-th of rows
// goes to output row out.
func (a *asm) pooled(m micro, prefix, max string, constants func(), body func(rows []int)) {
	one := a.fresh(prefix)
	a.op("CMPQ ARG_Pool, $1")
	a.jump("JEQ", one)
	var kept, all []int
	if m.pool != nil {
		kept = m.pool(a, max)
	} else {
		for r := 0; r < m.mr; r += 4 {
			m.max4(a, max, r)
			kept = append(kept, r)
		}
	}
	constants()
	body(kept)
	a.advance(len(kept))
	a.label(one)
	constants()
	for r := range m.mr {
		all = append(all, r)
	}
	body(all)
	a.advance(m.mr)
}

// max4 leaves the maximum of rows r…r+3 in row r.
func (m micro) max4(a *asm, max string, r int) {
	for v := range m.nv {
		a.op("%s %s, %s, %s", max, m.acc(r+1, v), m.acc(r, v), m.acc(r, v))
		a.op("%s %s, %s, %s", max, m.acc(r+3, v), m.acc(r+2, v), m.acc(r+2, v))
		a.op("%s %s, %s, %s", max, m.acc(r+2, v), m.acc(r, v), m.acc(r, v))
	}
}

// initSums loads Init into every row's sums.
func (m micro) initSums(a *asm, move string) {
	a.op("MOVQ ARG_Init, AX")
	for v := range m.nv {
		a.op("%s %d(AX), %s", move, v*m.bytes(), m.acc(0, v))
	}
	for r := 1; r < m.mr; r++ {
		for v := range m.nv {
			a.op("%s %s, %s", regMove(m.reg), m.acc(0, v), m.acc(r, v))
		}
	}
}

// move loads and stores a vector.
func (m micro) move() string {
	switch {
	case m.broadcast == "VBROADCASTSS":
		return "VMOVUPS"
	case m.reg == "Z":
		return "VMOVDQU32"
	}
	return "VMOVDQU"
}

func regMove(reg string) string {
	if reg == "Z" {
		return "VMOVDQA64"
	}
	return "VMOVDQA"
}

func (m micro) clearSums(a *asm) {
	for i := range m.mr * m.nv {
		if m.reg == "Z" {
			a.op("VPXORD Z%d, Z%d, Z%d", i, i, i)
		} else {
			a.op("VPXOR Y%d, Y%d, Y%d", i, i, i)
		}
	}
}

// floatTail is the epilogue of float32: Store or Accumulate.
func floatTail(a *asm, m micro) {
	lo, hi := m.r(m.mr*m.nv), m.r(m.mr*m.nv+1)
	a.op("CMPQ ARG_Mode, $1")
	a.jump("JEQ", "accumulate")
	a.pooled(m, "rows", "VMAXPS", func() {
		a.op("VBROADCASTSS ARG_Lo, %s", lo)
		a.op("VBROADCASTSS ARG_Hi, %s", hi)
	}, func(rows []int) {
		for out, row := range rows {
			a.outRow(out)
			for v := range m.nv {
				x := m.acc(row, v)
				a.op("VMAXPS %s, %s, %s // NaN stays: it is the second source", x, lo, x)
				a.op("VMINPS %s, %s, %s", x, hi, x)
				a.op("VMOVUPS %s, %d(R8)", x, v*m.bytes())
			}
		}
	})
	a.label("accumulate")
	addTail(a, m)
}

// addTail is the epilogue of float32 in the mode Accumulate.
func addTail(a *asm, m micro) { a.addRows(m, "VADDPS", "VMOVUPS") }

// addRows is the epilogue of the mode Accumulate.
func (a *asm) addRows(m micro, add, move string) {
	for r := range m.mr {
		a.outRow(r)
		for v := range m.nv {
			x := m.acc(r, v)
			a.op("%s %d(R8), %s, %s", add, v*m.bytes(), x, x)
			a.op("%s %s, %d(R8)", move, x, v*m.bytes())
		}
	}
	a.advance(m.mr)
}

// intTail is the epilogue of the int32 sums of int8 and binary. spare are
// three registers that hold no sum.
func intTail(a *asm, m micro) {
	n := m.mr * m.nv
	move := map[string]string{"Z": "VMOVDQU32", "Y": "VMOVDQU"}[m.reg]
	a.op("MOVQ ARG_Mode, AX")
	a.op("CMPQ AX, $1")
	a.jump("JEQ", "accumulate")
	a.op("CMPQ AX, $2")
	a.jump("JEQ", "requant")
	a.op("CMPQ AX, $3")
	a.jump("JEQ", "bits")
	a.pooled(m, "store", "VPMAXSD", func() {}, func(rows []int) {
		for out, row := range rows {
			a.outRow(out)
			for v := range m.nv {
				a.op("%s %s, %d(R8)", move, m.acc(row, v), v*m.bytes())
			}
		}
	})

	a.label("accumulate")
	a.addRows(m, "VPADDD", move)

	// The packs saturate, so the float32 are clamped from above alone, before they
	// become int32: what is too low, or NaN, becomes the lowest int32 and with it
	// the lowest byte, and the bytes are clamped from below.
	a.label("requant")
	hi, lo, xor := m.r(n), m.r(n+1), m.r(n+2)
	a.pooled(m, "requant", "VPMAXSD", func() {
		a.op("VBROADCASTSS ARG_Hi, %s", hi)
		a.op("VCVTTSS2SI ARG_Lo, AX")
		a.op("VMOVD AX, X%s", lo[1:])
		a.op("VPBROADCASTB X%s, %s", lo[1:], lo)
		a.op("VPBROADCASTB ARG_OutXor, %s", xor)
		if m.reg == "Z" {
			a.op("VMOVDQU32 %s<>(SB), %s", []string{1: "lanesInTurn", 2: "byteOrder"}[m.nv], m.r(n+3))
		}
		a.op("MOVQ ARG_Scale, R9")
		a.op("MOVQ ARG_Bias, R10")
	}, func(rows []int) {
		for _, row := range rows {
			for v := range m.nv {
				x := m.acc(row, v)
				a.op("VCVTDQ2PS %s, %s", x, x)
				a.op("VMULPS %d(R9), %s, %s", v*m.bytes(), x, x)
				a.op("VADDPS %d(R10), %s, %s", v*m.bytes(), x, x)
				a.op("VMINPS %s, %s, %s // NaN stays: it is the second source", x, hi, x)
				a.op("VCVTPS2DQ %s, %s // halves to even", x, x)
			}
		}
		if m.reg == "Z" && m.nv == 1 {
			m.storeBytesThin(a, rows, lo, xor)
		} else if m.reg == "Z" {
			m.storeBytesZ(a, rows, lo, xor)
		} else {
			m.storeBytesY(a, rows, lo, xor)
		}
	})

	a.label("bits")
	a.pooled(m, "bits", "VPMAXSD", func() {
		a.op("MOVQ ARG_Threshold, R9")
	}, func(rows []int) {
		for out, row := range rows {
			a.outRow(out)
			m.storeBits(a, row)
		}
	})
}

// storeBytesZ narrows the int32 of rows of 2 vectors to bytes, clamps and xors
// them and stores them, two rows at a time.
func (m micro) storeBytesZ(a *asm, rows []int, lo, xor string) {
	order := m.r(m.mr*m.nv + 3)
	for out := 0; out < len(rows); out += 2 {
		x := m.acc(rows[out], 0)
		a.op("VPACKSSDW %s, %s, %s // 0-3 16-19 | 4-7 20-23 | ...", m.acc(rows[out], 1), x, x)
		y := x
		if out+1 < len(rows) {
			y = m.acc(rows[out+1], 0)
			a.op("VPACKSSDW %s, %s, %s", m.acc(rows[out+1], 1), y, y)
		}
		a.op("VPACKSSWB %s, %s, %s", y, x, x)
		a.op("VPERMD %s, %s, %s // the first row, the second row", x, order, x)
		a.op("VPMAXSB %s, %s, %s", lo, x, x)
		a.op("VPXORD %s, %s, %s", xor, x, x)
		a.outRow(out)
		a.op("VMOVDQU32 Y%s, (R8)", x[1:])
		if y != x {
			a.outRow(out + 1)
			a.op("VEXTRACTI64X4 $1, %s, (R8)", x)
		}
	}
}

// storeBytesThin is the same for rows of a vector, up to four at a time, whose dwords
// lanesInTurn brings into order.
func (m micro) storeBytesThin(a *asm, rows []int, lo, xor string) {
	order := m.r(m.mr*m.nv + 3)
	for out := 0; out < len(rows); out += 4 {
		n := min(4, len(rows)-out)
		x, y := m.acc(rows[out], 0), m.acc(rows[out+min(2, n-2)], 0)
		a.op("VPACKSSDW %s, %s, %s // 0-3 of each row | 4-7 | ...", m.acc(rows[out+1], 0), x, x)
		if n == 4 {
			a.op("VPACKSSDW %s, %s, %s", m.acc(rows[out+3], 0), y, y)
		}
		a.op("VPACKSSWB %s, %s, %s", y, x, x)
		a.op("VPERMD %s, %s, %s // row after row", x, order, x)
		a.op("VPMAXSB %s, %s, %s", lo, x, x)
		a.op("VPXORD %s, %s, %s", xor, x, x)
		a.outRow(out)
		a.op("VMOVDQU X%s, (R8)", x[1:])
		for i := 1; i < n; i++ {
			a.outRow(out + i)
			a.op("VEXTRACTI32X4 $%d, %s, (R8)", i, x)
		}
	}
}

// byteOrder brings dwords from the lanes of two packed rows into columns' order.
const byteOrder = `DATA byteOrder<>+0(SB)/8, $0x0000000400000000
DATA byteOrder<>+8(SB)/8, $0x0000000c00000008
DATA byteOrder<>+16(SB)/8, $0x0000000500000001
DATA byteOrder<>+24(SB)/8, $0x0000000d00000009
DATA byteOrder<>+32(SB)/8, $0x0000000600000002
DATA byteOrder<>+40(SB)/8, $0x0000000e0000000a
DATA byteOrder<>+48(SB)/8, $0x0000000700000003
DATA byteOrder<>+56(SB)/8, $0x0000000f0000000b
GLOBL byteOrder<>(SB), RODATA|NOPTR, $64

`

// storeBytesY is the same for rows of one or two vectors of eight.
func (m micro) storeBytesY(a *asm, rows []int, lo, xor string) {
	high := "X" + m.r(m.mr*m.nv + 3)[1:]
	for out, row := range rows {
		x := m.acc(row, 0)
		// Pack to int16 (lanes interleave: 0-3 8-11 | 4-7 12-15), put the quadwords
		// in order, pack to bytes.
		a.op("VPACKSSDW %s, %s, %s", m.acc(row, m.nv-1), x, x)
		a.op("VPERMQ $0xd8, %s, %s", x, x)
		a.op("VEXTRACTI128 $1, %s, %s", x, high)
		x = "X" + x[1:]
		a.op("VPACKSSWB %s, %s, %s", high, x, x)
		a.op("VPMAXSB X%s, %s, %s", lo[1:], x, x)
		a.op("VPXOR X%s, %s, %s", xor[1:], x, x)
		a.outRow(out)
		a.op("%s %s, (R8)", []string{"VMOVQ", "VMOVDQU"}[m.nv-1], x)
	}
}

// storeBits compares a row with the thresholds at R9 and stores a bit a column
// at R8.
func (m micro) storeBits(a *asm, row int) {
	if m.reg == "Z" {
		for v := range m.nv {
			a.op("VPCMPGTD %d(R9), %s, K%d", v*m.bytes(), m.acc(row, v), v+1)
		}
		if m.nv == 2 {
			a.op("KUNPCKWD K1, K2, K1")
		}
		a.op("KMOVD K1, AX")
		a.op("XORL ARG_Flip, AX")
		a.op("%s AX, (R8)", []string{1: "MOVW", 2: "MOVL"}[m.nv])
		return
	}
	for v := range m.nv {
		x := m.acc(row, v)
		a.op("VPCMPGTD %d(R9), %s, %s", v*m.bytes(), x, x)
		a.op("VMOVMSKPS %s, %s", x, []string{"AX", "CX"}[v])
	}
	if m.nv == 2 {
		a.op("SHLL $8, CX")
		a.op("ORL CX, AX")
		a.op("XORL ARG_Flip, AX")
		a.op("MOVW AX, (R8)")
	} else {
		a.op("XORL ARG_Flip, AX")
		a.op("MOVB AX, (R8)")
	}
}
