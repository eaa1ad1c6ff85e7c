package main

import (
	"fmt"
	"unsafe"

	"macroscope/kernels/tile"
)

// The transforms of tile.Transform. Each takes a vector of channels through
// two passes, columns and rows, by way of Tmp. Registers: R0 the arguments, R1
// Src, R2 Dst, R3 Tmp, R4 the vectors left, R5 and R6 the distances between
// rows and between columns in Src, R8 and R9 in Dst, R10-R12 addresses, R13 the
// bias; V24-27 are 2, 4, 5, 8, V28-30 bias and clamp.

// pass is one multiplication with Bᵀ or Aᵀ: in holds n registers, the result
// is left in the registers that it returns. Registers 6…19 are free.
type pass func(a *asm, in []int) []int

// transformHeader names the offsets of tile.Transform.
func (a *asm) transformHeader() {
	var t tile.Transform
	for _, f := range []struct {
		name   string
		offset uintptr
	}{
		{"Src", unsafe.Offsetof(t.Src)}, {"Dst", unsafe.Offsetof(t.Dst)}, {"Row", unsafe.Offsetof(t.Row)}, {"Col", unsafe.Offsetof(t.Col)},
		{"Step", unsafe.Offsetof(t.Step)}, {"Vectors", unsafe.Offsetof(t.Vectors)}, {"Tmp", unsafe.Offsetof(t.Tmp)},
		{"Bias", unsafe.Offsetof(t.Bias)}, {"Lo", unsafe.Offsetof(t.Lo)}, {"Hi", unsafe.Offsetof(t.Hi)}, {"Pool", unsafe.Offsetof(t.Pool)},
		{"Init", unsafe.Offsetof(t.Init)}, {"Scale", unsafe.Offsetof(t.Scale)}, {"OutXor", unsafe.Offsetof(t.OutXor)},
	} {
		a.define("T_"+f.name, f.offset)
	}
	a.raw("\n")
}

func winograd(a *asm) {
	a.transformHeader()
	a.transformIn("winogradIn2NEON", 4, in2)
	a.transformOut("winogradOut2NEON", 4, 2, out2)
	a.transformIn("winogradIn4NEON", 6, in4)
	a.transformOut("winogradOut4NEON", 6, 4, out4)
}

const two, four, five, eight = 24, 25, 26, 27

func (a *asm) fmla(to, x, y int) { a.op("VFMLA V%d.S4, V%d.S4, V%d.S4", y, x, to) }
func (a *asm) fmls(to, x, y int) { a.op("VFMLS V%d.S4, V%d.S4, V%d.S4", y, x, to) }
func (a *asm) copy(to, x int)    { a.op("VMOV V%d.B16, V%d.B16", x, to) }

func in2(a *asm, d []int) []int {
	a.vec("FSUB", 6, d[0], d[2])
	a.vec("FADD", 7, d[1], d[2])
	a.vec("FSUB", 8, d[2], d[1])
	a.vec("FSUB", 9, d[1], d[3])
	return []int{6, 7, 8, 9}
}

func out2(a *asm, m []int) []int {
	a.vec("FADD", 6, m[0], m[1])
	a.vec("FSUB", 7, m[1], m[2])
	a.vec("FADD", 6, 6, m[2])
	a.vec("FSUB", 7, 7, m[3])
	return []int{6, 7}
}

// in4: see generic.in4.
func in4(a *asm, d []int) []int {
	const A, B, c, e, t0, t1, t2, t3, t5 = 6, 7, 8, 9, 10, 11, 12, 13, 14
	a.copy(A, d[4])
	a.copy(B, d[3])
	a.copy(t0, d[4])
	a.copy(t5, d[5])
	a.fmls(A, d[2], four)
	a.fmls(B, d[1], four)
	a.fmls(t0, d[2], five)
	a.fmls(t5, d[3], five)
	a.vec("FSUB", c, d[4], d[2])
	a.vec("FSUB", e, d[3], d[1])
	a.fmla(t0, d[0], four)
	a.fmla(t5, d[1], four)
	a.vec("FADD", t1, A, B)
	a.vec("FSUB", t2, A, B)
	a.copy(t3, c)
	a.fmla(t3, e, two)
	a.fmls(c, e, two)
	return []int{t0, t1, t2, t3, c, t5}
}

// out4: see generic.out4.
func out4(a *asm, m []int) []int {
	const p, q, u, v, t = 6, 7, 8, 9, 10
	a.vec("FADD", p, m[1], m[2])
	a.vec("FSUB", q, m[1], m[2])
	a.vec("FADD", u, m[3], m[4])
	a.vec("FSUB", v, m[3], m[4])
	a.vec("FADD", m[0], m[0], p)
	a.vec("FADD", m[5], m[5], q)
	a.copy(t, q)
	a.vec("FADD", m[0], m[0], u)
	a.fmla(m[5], v, eight)
	a.fmla(t, v, two)
	a.fmla(p, u, four)
	return []int{m[0], t, p, m[5]}
}

// transformStart starts a transform.
func (a *asm) transformStart(name, doc string) {
	a.comment(name + doc)
	a.raw(fmt.Sprintf("//\n// func %s(t *tile.Transform)\nTEXT ·%s(SB), NOSPLIT, $0-8\n", name, name))
	a.op("MOVD t+0(FP), R0")
	a.op("MOVD T_Src, R1")
	a.op("MOVD T_Dst, R2")
	a.op("MOVD T_Tmp, R3")
	a.op("MOVD T_Vectors, R4")
}

// transformHead starts one of float32.
func (a *asm) transformHead(name, doc string) {
	a.transformStart(name, doc)
	for i, bits := range []uint32{0x40000000, 0x40800000, 0x40a00000, 0x41000000} { // 2, 4, 5, 8
		a.op("MOVW $%#x, R7", bits)
		a.op("VDUP R7, V%d.S4", two+i)
	}
}

// firstPass does the n columns of Src into Tmp.
func (a *asm) firstPass(n int, f pass) {
	a.op("MOVD R1, R10")
	for j := range n {
		a.op("MOVD R10, R11")
		for i := range n {
			a.op("FMOVQ (R11), F%d", i)
			if i < n-1 {
				a.op("ADD R5, R11")
			}
		}
		for i, t := range f(a, inputs(n)) {
			a.op("FMOVQ F%d, %d(R3)", t, 16*(i*n+j))
		}
		a.op("ADD R6, R10")
	}
}

// row does row i of Tmp.
func (a *asm) row(i, n int, f pass) []int {
	for j := range n {
		a.op("FMOVQ %d(R3), F%d", 16*(i*n+j), j)
	}
	return f(a, inputs(n))
}

func inputs(n int) (d []int) {
	for i := range n {
		d = append(d, i)
	}
	return d
}

func (a *asm) transformEnd() {
	a.op("ADD $16, R1")
	a.op("ADD $16, R2")
	a.op("SUBS $1, R4")
	a.op("BNE vector")
	a.op("RET")
	a.raw("\n")
}

func (a *asm) transformIn(name string, n int, f pass) {
	a.transformHead(name, fmt.Sprintf(" is V = Bᵀ·d·B of tile.Transform for %d×%d pixels.", n, n))
	a.op("MOVD T_Row, R5")
	a.op("MOVD T_Col, R6")
	a.op("MOVD T_Step, R9")
	a.label("vector")
	a.firstPass(n, f)
	a.op("MOVD R2, R10")
	for i := range n {
		for _, t := range a.row(i, n, f) {
			a.op("FMOVQ F%d, (R10)", t)
			a.op("ADD R9, R10")
		}
	}
	a.transformEnd()
}

func (a *asm) transformOut(name string, n, m int, f pass) {
	a.transformHead(name, fmt.Sprintf(" is Y = Aᵀ·M·A of tile.Transform for %d×%d products, bias, clamp and pool.", n, n))
	a.op("MOVD T_Step, R6")
	a.op("MOVD $%d, R7", n)
	a.op("MUL R7, R6, R5")
	a.op("MOVD T_Row, R8")
	a.op("MOVD T_Col, R9")
	a.op("MOVD T_Bias, R13")
	const bias, lo, hi = 28, 29, 30
	a.everyLane("T_Lo", "S4", lo)
	a.everyLane("T_Hi", "S4", hi)
	a.op("MOVD T_Pool, R14")
	a.label("vector")
	a.firstPass(n, f)
	a.op("FMOVQ.P 16(R13), F%d", bias)
	a.op("MOVD R2, R10")
	store := func(x int) {
		a.vec("FADD", x, x, bias)
		a.vec("FMAX", x, x, lo)
		a.vec("FMIN", x, x, hi)
		a.op("FMOVQ F%d, (R11)", x)
		a.op("ADD R9, R11")
	}
	a.op("CBNZ R14, pool")
	for i := range m {
		a.op("MOVD R10, R11")
		for _, y := range a.row(i, n, f) {
			store(y)
		}
		a.op("ADD R8, R10")
	}
	a.op("B next")
	a.label("pool")
	for i := 0; i < m; i += 2 {
		// The first row's maxima of neighbours wait while the second is computed.
		y := a.row(i, n, f)
		for j := 0; j < m; j += 2 {
			a.vec("FMAX", 20+j/2, y[j], y[j+1])
		}
		y = a.row(i+1, n, f)
		a.op("MOVD R10, R11")
		for j := 0; j < m; j += 2 {
			a.vec("FMAX", y[j], y[j], y[j+1])
			a.vec("FMAX", y[j], y[j], 20+j/2)
			store(y[j])
		}
		a.op("ADD R8, R10")
	}
	a.label("next")
	a.transformEnd()
}
