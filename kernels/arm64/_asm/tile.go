package main

import (
	"fmt"
	"unsafe"

	"macroscope/dtype"
	"macroscope/kernels/arm64"
	"macroscope/kernels/tile"
)

// Registers of every tile kernel: R0 the arguments, R1 the current tile's Rows,
// R2 its COff, R3 the place in B, R4 the words of K left, R5 the next segment's
// offset, R6 the segments left, R8… a pointer to each row's segment, R16 the
// tiles left, R17 A, R19 C, R25 the byte index in the segment. R7, R20 and R21
// are scratch. R18 is the operating system's, R27 the assembler's, R28 Go's.

const firstRow = 8

// micro is what differs between kernels. A tile is mr rows of nv vectors of
// four columns.
type micro struct {
	name, doc   string
	dtype       dtype.DType
	impl        string
	nonNegative bool
	uncounted   bool // its innermost loop is in no mix
	mr, nv      int
	macs        int // multiply-accumulates of a word in a column: 1, 4 or 32
	accs        int // independent sums
	frame       int // bytes of stack
	// wide says that the rows are longer than nv vectors: the epilogue takes them
	// by pieces, of which R23 is the first column and R26 is the bytes of a row.
	wide bool

	once  func(a *asm) // constants, before the first tile
	zero  func(a *asm) // the sums before the first segment
	steps []step       // the first is the innermost loop
	half  [2][]step    // steps of the first and the second half of the rows, of a tile of pieces
	// chunk, if not 0, is the number of words after which flush must be called;
	// R22 counts down to it, R23 is what is left of the segment.
	chunk int
	flush func(a *asm)
	sums  func(a *asm) // after the last segment: turns the registers into the sums S
	base  int          // the register of S[0][0…3] in the end
	tail  func(a *asm, m micro)
}

// step takes words of K: it reads A at (row)(R25) and B at R3, and moves both on.
type step struct {
	words int
	body  func(a *asm)
}

// acc is the register of the sums of row r, vector v.
func (m micro) acc(r, v int) int { return m.base + r*m.nv + v }

// spare gives registers that hold none of the sums S.
func (m micro) spare(i int) int {
	if m.base > 0 {
		return i
	}
	return m.mr*m.nv + i
}

func (a *asm) tile(m micro) {
	walk := a.walk
	if m.half[0] != nil {
		walk = a.walkPieces
	}
	a.comment(m.doc)
	if m.half[0] == nil && !m.uncounted {
		a.raw("//\n// Its bounds by the latencies and throughputs of five cores, and their sources: package bound.\n")
	}
	flag := "NOSPLIT"
	if m.frame > 512 {
		flag = "0" // too large for NOSPLIT
	}
	a.raw(fmt.Sprintf("//\n// func %s(t *tile.Args)\nTEXT ·%s(SB), %s, $%d-8\n", m.name, m.name, flag, m.frame))
	a.op("MOVD t+0(FP), R0")
	a.op("MOVD ARG_Rows, R1")
	a.op("MOVD ARG_COff, R2")
	a.op("MOVD ARG_Tiles, R16")
	a.op("MOVD ARG_A, R17")
	a.op("MOVD ARG_C, R19")
	if m.once != nil {
		m.once(a)
	}
	a.label("tile")
	walk(m)
	m.tail(a, m)
	a.label("done")
	a.op("ADD $%d, R1", 8*m.mr)
	a.op("SUBS $1, R16")
	a.op("BNE tile")
	a.op("RET")
	a.raw("\n")
}

// walk makes the sums of the rows at R1.
func (a *asm) walk(m micro) {
	m.zero(a)
	a.op("MOVD ARG_B, R3")
	a.op("MOVD ARG_Segs, R5")
	a.op("MOVD ARG_NSeg, R6")
	if m.chunk > 0 {
		a.op("MOVD $%d, R22 // words until the narrow sums must be widened", m.chunk)
	}
	a.label("segment")
	a.op("MOVD.P 8(R5), R7")
	a.rows(m)
	if m.chunk == 0 {
		a.op("MOVD ARG_SegLen, R4")
		a.words(m, m.steps, "")
	} else {
		a.op("MOVD ARG_SegLen, R23")
		a.label("piece")
		a.op("CMP R22, R23")
		a.op("CSEL LT, R23, R22, R4")
		a.op("SUB R4, R23")
		a.op("SUB R4, R22")
		a.words(m, m.steps, "")
		a.op("CBNZ R22, narrow")
		m.flush(a)
		a.op("MOVD $%d, R22", m.chunk)
		a.label("narrow")
		a.op("CBNZ R23, piece")
	}
	a.op("SUBS $1, R6")
	a.op("BNE segment")
	if m.chunk > 0 {
		m.flush(a)
	}
	if m.sums != nil {
		m.sums(a)
	}
}

// walkPieces is walk over Pieces, some of which only half the rows take.
func (a *asm) walkPieces(m micro) {
	var p tile.Piece
	if m.sums != nil { // which brings Init
		m.zero(a)
	} else {
		a.op("MOVD ARG_Init, R7")
		for r := range m.mr {
			a.loadRow(m, "R7", r/(m.mr/2)*16*m.nv, m.acc(r, 0))
		}
	}
	a.op("MOVD ARG_Pieces, R5")
	a.op("MOVD ARG_NSeg, R6")
	a.label("piece")
	a.op("MOVD %d(R5), R7", unsafe.Offsetof(p.Off))
	a.op("MOVD %d(R5), R4", unsafe.Offsetof(p.Words))
	a.op("MOVD %d(R5), R3", unsafe.Offsetof(p.BOff))
	a.op("MOVD %d(R5), R20", unsafe.Offsetof(p.Rows))
	a.op("ADD $%d, R5", unsafe.Sizeof(p))
	a.op("MOVD ARG_B, R21")
	a.op("ADD R21, R3")
	a.rows(m)
	a.op("CBNZ R20, halves")
	a.words(m, m.steps, "all")
	a.op("B next")
	a.label("halves")
	a.op("TBZ $0, R20, second")
	a.words(m, m.half[0], "first")
	a.op("B next")
	a.label("second")
	a.words(m, m.half[1], "second")
	a.label("next")
	a.op("SUBS $1, R6")
	a.op("BNE piece")
	if m.sums != nil {
		m.sums(a)
	}
}

// rows points at the rows' words of the segment at offset R7.
func (a *asm) rows(m micro) {
	a.op("ADD R17, R7")
	for r := 0; r < m.mr; r += 2 {
		a.op("LDP %d(R1), (R%d, R%d)", 8*r, firstRow+r, firstRow+r+1)
		a.op("ADD R7, R%d", firstRow+r)
		a.op("ADD R7, R%d", firstRow+r+1)
	}
	a.op("MOVD ZR, R25")
}

// words takes R4 words by the steps, the largest first; which is in their labels,
// and only the mix of those that have none counts.
func (a *asm) words(m micro, steps []step, which string) {
	for i, s := range steps {
		n, loop, rest := s.words, fmt.Sprintf("words%d%s", s.words, which), fmt.Sprintf("rest%d%s", s.words, which)
		switch {
		case i == 0:
			a.op("SUBS $%d, R4", n)
			a.op("BLT %s", rest)
			a.op("PCALIGN $32")
			a.label(loop)
			a.countFrom()
			s.body(a)
			a.op("SUBS $%d, R4", n)
			a.op("BGE %s", loop)
			if nr := 4 * m.nv; which == "" && !m.uncounted {
				a.count(arm64.Mix{
					DType: m.dtype, Impl: m.impl, NonNegative: m.nonNegative, MR: m.mr, NR: nr, KWords: n, MACs: m.mr * nr * n * m.macs, Sums: m.accs,
				})
			}
			a.label(rest)
			a.op("ADD $%d, R4", n)
		case steps[i-1].words == 2*n: // at most one
			bit := map[int]int{1: 0, 2: 1}[n]
			a.op("TBZ $%d, R4, %s", bit, rest)
			s.body(a)
			a.label(rest)
		default:
			a.op("CBZ R4, %s", rest)
			a.label(loop)
			s.body(a)
			a.op("SUBS $%d, R4", n)
			a.op("BNE %s", loop)
			a.label(rest)
		}
	}
}

// loadA loads words 4, 2 or 1 of row r.
func (a *asm) loadA(words, r, to int) {
	if words == 4 {
		a.vec("LDR", to, firstRow+r, 25)
		return
	}
	a.op("%s (R%d)(R25), F%d", map[int]string{2: "FMOVD", 1: "FMOVS"}[words], firstRow+r, to)
}

// moveOn moves A and B on by words of K.
func (a *asm) moveOn(m micro, words int) {
	a.op("ADD $%d, R25", 4*words)
	a.op("ADD $%d, R3", 16*m.nv*words)
}

// loadB loads two vectors of B.
func (a *asm) loadB(offset, to int) { a.op("FLDPQ %d(R3), (F%d, F%d)", offset, to, to+1) }

// loadRow loads nv vectors at a register and an offset.
func (a *asm) loadRow(m micro, at string, offset, first int) {
	for v := 0; v < m.nv; v += 2 {
		a.op("FLDPQ %d(%s), (F%d, F%d)", offset+16*v, at, first+v, first+v+1)
	}
}

// initSums loads Init into every row's sums.
func (m micro) initSums(a *asm) {
	a.op("MOVD ARG_Init, R7")
	for r := range m.mr {
		a.loadRow(m, "R7", 0, m.acc(r, 0))
	}
}

// clear zeroes registers 0…n−1.
func clear(a *asm, n int) {
	for i := range n {
		a.op("VMOVI $0, V%d.B16", i)
	}
}

// outRow points R7 at the place of output row i, whose columns have so many bits.
func (m micro) outRow(a *asm, i, bits int) {
	a.op("MOVD %d(R2), R7", 8*i)
	a.op("ADD R19, R7")
	if m.wide {
		a.op("ADD %s, R7", map[int]string{32: "R23<<2", 8: "R23", 1: "R23>>3"}[bits])
	}
}

// columns loads a row of the arguments, a word for each column.
func (m micro) columns(a *asm, field string, first int) {
	a.op("MOVD %s, R7", field)
	if m.wide {
		a.op("ADD R23<<2, R7")
	}
	a.loadRow(m, "R7", 0, first)
}

// advance ends an epilogue that wrote rows output rows.
func (m micro) advance(a *asm, rows int) {
	if m.wide {
		a.op("ADD $%d, R23", 4*m.nv)
		a.op("CMP R23<<2, R26")
		a.op("BNE columns")
	}
	a.op("ADD $%d, R2", 8*rows)
	a.op("B done")
}

// pooled emits body for the kept rows, once for Pool 1 and once for Pool 4, after
// taking the maximum of four rows with the given instruction. The out-th of rows
// goes to output row out.
func (a *asm) pooled(m micro, prefix, max string, constants func(), body func(rows []int)) {
	one := a.fresh(prefix)
	constants()
	a.op("MOVD ARG_Pool, R7")
	a.op("CMP $1, R7")
	a.op("BEQ %s", one)
	var kept, all []int
	for _, w := range m.windows() {
		for v := range m.nv {
			a.vec(max, m.acc(w[0], v), m.acc(w[0], v), m.acc(w[1], v))
			a.vec(max, m.acc(w[2], v), m.acc(w[2], v), m.acc(w[3], v))
			a.vec(max, m.acc(w[0], v), m.acc(w[0], v), m.acc(w[2], v))
		}
		kept = append(kept, w[0])
	}
	body(kept)
	m.advance(a, len(kept))
	a.label(one)
	for r := range m.mr {
		all = append(all, r)
	}
	body(all)
	m.advance(a, m.mr)
}

// windows are the rows of each window of a pool: see tile.Func.
func (m micro) windows() (w [][4]int) {
	for r := 0; r < m.mr; r += 4 {
		if m.half[0] != nil {
			w = append(w, [4]int{r / 2, r/2 + 1, r/2 + m.mr/2, r/2 + m.mr/2 + 1})
		} else {
			w = append(w, [4]int{r, r + 1, r + 2, r + 3})
		}
	}
	return w
}

// storeRow stores the vectors of a row at R7.
func (m micro) storeRow(a *asm, row int) {
	for v := 0; v < m.nv; v += 2 {
		a.op("FSTPQ (F%d, F%d), %d(R7)", m.acc(row, v), m.acc(row, v+1), 16*v)
	}
}

// accumulate adds the sums to what stands in C.
func (m micro) accumulate(a *asm, add func(v, old int)) {
	a.label("accumulate")
	for r := range m.mr {
		m.outRow(a, r, 32)
		a.loadRow(m, "R7", 0, m.spare(0))
		for v := range m.nv {
			add(m.acc(r, v), m.spare(v))
		}
		m.storeRow(a, r)
	}
	m.advance(a, m.mr)
}

// everyLane fills a register's lanes of type lanes with a field of the arguments.
func (a *asm) everyLane(field, lanes string, to int) {
	a.op("ADD AT_%s, R7", field)
	a.op("VLD1R (R7), [V%d.%s]", to, lanes)
}

// floatTail is the epilogue of float32: Store or Accumulate.
func floatTail(a *asm, m micro) {
	lo, hi := m.spare(0), m.spare(1)
	a.op("MOVD ARG_Mode, R7")
	a.op("CMP $1, R7")
	a.op("BEQ accumulate")
	a.pooled(m, "rows", "FMAX", func() {
		a.everyLane("ARG_Lo", "S4", lo)
		a.everyLane("ARG_Hi", "S4", hi)
	}, func(rows []int) {
		for out, row := range rows {
			m.outRow(a, out, 32)
			for v := range m.nv {
				a.vec("FMAX", m.acc(row, v), m.acc(row, v), lo)
				a.vec("FMIN", m.acc(row, v), m.acc(row, v), hi)
			}
			m.storeRow(a, row)
		}
	})
	m.accumulate(a, func(x, old int) { a.vec("FADD", x, x, old) })
}

// intTail is the epilogue of the int32 sums of int8 and binary.
func intTail(a *asm, m micro) {
	a.op("MOVD ARG_Mode, R7")
	for i, mode := range []string{"accumulate", "requant", "bits"} {
		a.op("CMP $%d, R7", 1+i)
		a.op("BEQ %s", mode)
	}
	a.pooled(m, "store", "SMAX", func() {}, func(rows []int) {
		for out, row := range rows {
			m.outRow(a, out, 32)
			m.storeRow(a, row)
		}
	})

	m.accumulate(a, func(x, old int) { a.op("VADD V%d.S4, V%d.S4, V%d.S4", old, x, x) })

	a.label("requant")
	lo, hi, xor, scale, bias := m.spare(0), m.spare(1), m.spare(2), m.spare(3), m.spare(3+m.nv)
	a.pooled(m, "requant", "SMAX", func() {
		a.everyLane("ARG_Lo", "S4", lo)
		a.everyLane("ARG_Hi", "S4", hi)
		a.everyLane("ARG_OutXor", "B16", xor)
		m.columns(a, "ARG_Scale", scale)
		m.columns(a, "ARG_Bias", bias)
	}, func(rows []int) {
		for out, row := range rows {
			m.outRow(a, out, 8)
			for v := range m.nv {
				x := m.acc(row, v)
				a.vec("SCVTF", x, x)
				a.vec("FMUL", x, x, scale+v)
				a.vec("FADD", x, x, bias+v)
				a.vec("FMAXNM", x, x, lo) // of NaN and a number the number
				a.vec("FMINNM", x, x, hi)
				a.vec("FCVTNS", x, x) // halves to even
			}
			x := m.narrow(a, row)
			a.op("VEOR V%d.B16, V%d.B16, V%d.B16", xor, x, x)
			a.op("%s F%d, (R7)", map[int]string{2: "FMOVD", 4: "FMOVQ"}[m.nv], x)
		}
	})

	a.label("bits")
	weight, limit := m.spare(0), m.spare(1)
	a.pooled(m, "bits", "SMAX", func() {
		a.op("MOVD $0x8040201008040201, R7")
		a.op("VDUP R7, V%d.D2", weight)
		m.columns(a, "ARG_Threshold", limit)
		a.op("MOVD ARG_Flip, R20")
		if m.wide {
			a.op("LSR R23, R20")
		}
	}, func(rows []int) {
		for out, row := range rows {
			m.outRow(a, out, 1)
			for v := range m.nv {
				a.vec("CMGT", m.acc(row, v), m.acc(row, v), limit+v)
			}
			x := m.narrow(a, row)
			a.op("VAND V%d.B16, V%d.B16, V%d.B16", weight, x, x)
			for range 3 { // eight bytes of one bit each into one
				a.op("VADDP V%d.B16, V%d.B16, V%d.B16", x, x, x)
			}
			a.op("VMOV V%d.S[0], R21", x)
			a.op("EOR R20, R21")
			a.op("%s R21, (R7)", map[int]string{2: "MOVB", 4: "MOVH"}[m.nv])
		}
	})
}

// narrow keeps the lowest byte of each lane of a row, in order, in the first
// bytes of the row's first register.
func (m micro) narrow(a *asm, row int) int {
	x := m.acc(row, 0)
	for v := 0; v < m.nv; v += 2 {
		a.op("VUZP1 V%d.H8, V%d.H8, V%d.H8", x+v+1, x+v, x+v)
	}
	last := x
	if m.nv == 4 {
		last = x + 2
	}
	a.op("VUZP1 V%d.B16, V%d.B16, V%d.B16", last, x, x)
	return x
}
