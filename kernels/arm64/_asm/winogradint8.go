package main

import (
	"fmt"

	"macroscope/dtype"
)

// winogradInt8 writes F(2×2, 3×3) and F(4×4, 3×3) of int8: the transforms of
// tile.Transform and the products between them, in int16 and int32.
func winogradInt8(a *asm) {
	a.argsHeader()
	a.transformHeader()
	a.int8In("winogradInt8In2NEON", 4, int8In2)
	a.int8Out("winogradInt8Out2NEON", 4, 2, int8Out2)
	a.int8In("winogradInt8In4NEON", 6, int8In4)
	a.int8Out("winogradInt8Out4NEON", 6, 4, int8Out4)
	m := micro{name: "tileInt16NEON", dtype: dtype.Int8, impl: "neon", mr: 8, nv: 2, macs: 2, accs: 16, base: 16, tail: sumsTail, uncounted: true}
	m.doc = `
tileInt16NEON is the loop of tile.Args on words of two int16, 8×8, Store alone, B with the
first values of a word's columns before their second ones (tile.PairMicro.Apart). Its
innermost loop takes four words of K:

	for k := range 4 {
		for i := range 2 {
			for r := range 8 {
				for c := range 8 {
					sum[r][c] += int32(A[r][k][i]) * int32(B[k][i][c])
				}
			}
		}
	}

128 SMLAL by element for 512 MACs, 4 a SMLAL; loads as tileFloat32NEON's. An element of
16 bits must be in V0-15: rows of A are V0-7, B V8-15, the sums V16-31.`
	m.zero = func(a *asm) {
		for i := range 16 {
			a.op("VMOVI $0, V%d.B16", 16+i)
		}
	}
	m.steps = []step{{4, int16Step(m, 4)}, {1, int16Step(m, 1)}}
	a.tile(m)
}

// int16Step takes words of K.
func int16Step(m micro, words int) func(a *asm) {
	return func(a *asm) {
		a.loadB(0, 8)
		a.loadA(words, 0, 0)
		a.loadA(words, 1, 1)
		for k := range words {
			for i := range 2 {
				for r := range m.mr {
					if k == 0 && i == 0 && r < m.mr-2 { // each load two rows ahead of its use
						a.loadA(words, r+2, r+2)
					}
					if k < words-1 && i == 0 && r == m.mr/2 {
						a.loadB(32*(k+1), 10+2*k)
					}
					a.vec(fmt.Sprintf("SMLAL H[%d]", 2*k+i), m.acc(r, 0), 8+2*k+i, r)
					a.vec(fmt.Sprintf("SMLAL2 H[%d]", 2*k+i), m.acc(r, 1), 8+2*k+i, r)
				}
			}
		}
		a.moveOn(m, words)
	}
}

// sumsTail stores the sums.
func sumsTail(a *asm, m micro) {
	for r := range m.mr {
		m.outRow(a, r, 32)
		m.storeRow(a, r)
	}
	m.advance(a, m.mr)
}

// lanes is an operation on vectors of int16 or int32.
func (a *asm) lanes(op, lanes string, to, x, y int) {
	a.op("%s V%d.%s, V%d.%s, V%d.%s", op, y, lanes, x, lanes, to, lanes)
}

// int8In2 is Bᵀ of F(2, 3).
func int8In2(a *asm, d []int) []int {
	a.lanes("VSUB", "H8", 6, d[0], d[2])
	a.lanes("VADD", "H8", 7, d[1], d[2])
	a.lanes("VSUB", "H8", 8, d[2], d[1])
	a.lanes("VSUB", "H8", 9, d[1], d[3])
	return []int{6, 7, 8, 9}
}

// int8In4 is Bᵀ of F(4, 3): generic.intIn4.
func int8In4(a *asm, d []int) []int {
	const c, e, t0, A, B, e2, t5, t1, t2, t3, t4 = 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
	sub := func(to, x, y int) { a.lanes("VSUB", "H8", to, x, y) }
	add := func(to, x, y int) { a.lanes("VADD", "H8", to, x, y) }
	times4 := func(to, x int) { a.op("VSHL $2, V%d.H8, V%d.H8", x, to) }
	sub(c, d[4], d[2])
	sub(e, d[3], d[1])
	sub(t0, d[0], d[2])
	times4(A, d[2])
	times4(B, d[1])
	sub(t5, d[5], d[3])
	times4(t0, t0)
	sub(A, d[4], A)
	sub(B, d[3], B)
	add(e2, e, e)
	add(t0, t0, c)
	add(t1, A, B)
	sub(t2, A, B)
	add(t3, c, e2)
	sub(t4, c, e2)
	add(e2, e2, e2)
	sub(t5, t5, e2)
	return []int{t0, t1, t2, t3, t4, t5}
}

// int8Out2 is Aᵀ of F(2, 3).
func int8Out2(a *asm, m []int) []int {
	a.lanes("VADD", "S4", 6, m[0], m[1])
	a.lanes("VSUB", "S4", 7, m[1], m[2])
	a.lanes("VADD", "S4", 6, 6, m[2])
	a.lanes("VSUB", "S4", 7, 7, m[3])
	return []int{6, 7}
}

// int8Out4 is A'ᵀ of F(4, 3): generic.intOut4.
func int8Out4(a *asm, m []int) []int {
	const p, q, u, v, y0, y1, y2, y3 = 6, 7, 8, 9, 10, 11, 12, 13
	sub := func(to, x, y int) { a.lanes("VSUB", "S4", to, x, y) }
	add := func(to, x, y int) { a.lanes("VADD", "S4", to, x, y) }
	add(p, m[1], m[2])
	sub(q, m[1], m[2])
	add(u, m[3], m[4])
	sub(v, m[3], m[4])
	add(y2, p, u)
	add(y1, q, q)
	a.op("VSHL $2, V%d.S4, V%d.S4", p, p)
	add(y0, m[0], u)
	add(y1, y1, v)
	add(v, v, v)
	add(y3, m[5], q)
	add(y0, y0, p)
	add(y3, y3, v)
	return []int{y0, y1, y2, y3}
}

// int8In writes the transform of n×n pixels, eight channels at a time.
func (a *asm) int8In(name string, n int, f pass) {
	a.transformStart(name, fmt.Sprintf(" is V = Bᵀ·d·B of tile.Transform for %d×%d pixels of int8.", n, n))
	a.op("MOVD T_Row, R5")
	a.op("MOVD T_Col, R6")
	a.op("MOVD T_Step, R9")
	a.label("vector")
	a.op("MOVD R1, R10")
	for j := range n {
		a.op("MOVD R10, R11")
		for i := range n {
			a.op("FMOVD (R11), F%d", i)
			a.vec("SXTL", i, i)
			if i < n-1 {
				a.op("ADD R5, R11")
			}
		}
		for i, t := range f(a, inputs(n)) {
			a.op("FMOVQ F%d, %d(R3)", t, 16*(i*n+j))
		}
		a.op("ADD R6, R10")
	}
	a.op("MOVD R2, R10")
	for i := range n {
		for _, t := range a.row(i, n, f) {
			a.op("FMOVQ F%d, (R10)", t)
			a.op("ADD R9, R10")
		}
	}
	a.op("ADD $8, R1")
	a.op("ADD $16, R2")
	a.op("SUBS $1, R4")
	a.op("BNE vector")
	a.op("RET")
	a.raw("\n")
}

// int8Shift is the bits that a sum in row i and column j of what f gave is shifted right by.
func int8Shift(m, i, j int) int {
	if m == 2 {
		return 2
	}
	by := []int{3, 2, 1, 1}
	return by[i] + by[j]
}

// int8Out writes the transform of n×n products to m×m sums or bytes of them, or to the
// maxima of 2×2, four channels at a time. V24 is the inverse of 9; R13-R15 walk over
// Init, Scale and Bias, which are in V25-27; V28-30 are the clamp and OutXor. R17 is 0
// for sums.
func (a *asm) int8Out(name string, n, m int, f pass) {
	const inverse, init, scale, bias, lo, hi, xor = 24, 25, 26, 27, 28, 29, 30
	a.transformStart(name, fmt.Sprintf(" is the bytes of Aᵀ·M·A of tile.Transform for %d×%d products of int8.", n, n))
	a.op("MOVD T_Step, R6")
	a.op("MOVD $%d, R7", n)
	a.op("MUL R7, R6, R5")
	a.op("MOVD T_Row, R8")
	a.op("MOVD T_Col, R9")
	a.op("MOVD T_Init, R13")
	a.op("MOVD T_Scale, R17")
	a.op("MOVD R17, R14")
	a.op("MOVD T_Bias, R15")
	if m == 4 {
		a.op("MOVD $954437177, R7 // 9 times that is 1 modulo 2³²")
		a.op("VDUP R7, V%d.S4", inverse)
	}
	a.everyLane("T_Lo", "S4", lo)
	a.everyLane("T_Hi", "S4", hi)
	a.everyLane("T_OutXor", "B16", xor)
	a.op("MOVD T_Pool, R16")
	a.label("vector")
	a.firstPass(n, f)
	a.op("FMOVQ.P 16(R13), F%d", init)
	a.op("CBZ R17, constants")
	a.op("FMOVQ.P 16(R14), F%d", scale)
	a.op("FMOVQ.P 16(R15), F%d", bias)
	a.label("constants")
	a.op("MOVD R2, R10")
	sums := func(i int) []int {
		y := a.row(i, n, f)
		for j, x := range y {
			if m == 4 {
				a.vec("MUL", x, x, inverse)
			}
			a.vec(fmt.Sprintf("SSHR %d", int8Shift(m, i, j)), x, x)
		}
		return y
	}
	store := func(pixels []int) {
		whole, end := a.fresh("sums"), a.fresh("stored")
		for _, x := range pixels {
			a.lanes("VADD", "S4", x, x, init)
		}
		a.op("MOVD R10, R11")
		a.op("CBZ R17, %s", whole)
		for _, step := range []func(x int){
			func(x int) { a.vec("SCVTF", x, x) },
			func(x int) { a.vec("FMUL", x, x, scale) },
			func(x int) { a.vec("FADD", x, x, bias) },
			func(x int) { a.vec("FMAXNM", x, x, lo) }, // of NaN and a number the number
			func(x int) { a.vec("FMINNM", x, x, hi) },
			func(x int) { a.vec("FCVTNS", x, x) }, // halves to even
			func(x int) { a.op("VUZP1 V%d.H8, V%d.H8, V%d.H8", x, x, x) },
			func(x int) { a.op("VUZP1 V%d.B16, V%d.B16, V%d.B16", x, x, x) },
			func(x int) { a.op("VEOR V%d.B16, V%d.B16, V%d.B16", xor, x, x) },
			func(x int) { a.op("FMOVS F%d, (R11)", x); a.op("ADD R9, R11") },
		} {
			for _, x := range pixels {
				step(x)
			}
		}
		a.op("B %s", end)
		a.label(whole)
		for _, x := range pixels {
			a.op("FMOVQ F%d, (R11)", x)
			a.op("ADD R9, R11")
		}
		a.label(end)
		a.op("ADD R8, R10")
	}
	a.op("CBNZ R16, pool")
	for i := range m {
		store(sums(i))
	}
	a.op("B next")
	a.label("pool")
	for i := 0; i < m; i += 2 {
		// The first row's maxima of neighbours wait while the second is computed.
		y := sums(i)
		for j := 0; j < m; j += 2 {
			a.vec("SMAX", 20+j/2, y[j], y[j+1])
		}
		y = sums(i + 1)
		var pooled []int
		for j := 0; j < m; j += 2 {
			a.vec("SMAX", y[j], y[j], y[j+1])
			a.vec("SMAX", y[j], y[j], 20+j/2)
			pooled = append(pooled, y[j])
		}
		store(pooled)
	}
	a.label("next")
	a.op("ADD $16, R1")
	a.op("ADD $4, R2")
	a.op("CBNZ R17, bytes")
	a.op("ADD $12, R2")
	a.label("bytes")
	a.op("SUBS $1, R4")
	a.op("BNE vector")
	a.op("RET")
	a.raw("\n")
}
