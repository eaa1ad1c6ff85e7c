package main

import (
	"fmt"
	"strings"
)

// winogradInt8 writes F(2×2, 3×3) and F(4×4, 3×3) of int8 for AVX2: the transforms of
// tile.Transform and the products between them, in int16 and int32.
func winogradInt8(a *asm) {
	a.transformHeader()
	for i := range 4 { // the dwords of two lanes in turn
		a.raw(fmt.Sprintf("DATA lanesInTurn<>+%d(SB)/8, $%#08x%08x\n", 8*i, 4+i, i))
	}
	a.raw("GLOBL lanesInTurn<>(SB), RODATA|NOPTR, $32\n\n")
	a.int8In("winogradInt8In2AVX2", 4, int8In2)
	a.int8Out("winogradInt8Out2AVX2", 4, 2, int8Out2)
	a.int8In("winogradInt8In4AVX2", 6, int8In4)
	a.int8Out("winogradInt8Out4AVX2", 6, 4, int8Out4)
	m := micro{shape: yTile, name: "tileInt16AVX2", bStep: 64}
	m.doc = `
tileInt16AVX2 is the loop of tile.Args on words of two int16, 4×16, Store alone. A
step of K (two values) is 2 loads of B, 4 broadcast loads of A, 8 VPMADDWD and 8
VPADDD: 4 cycles where four ports add and two of them multiply (Zen 2 on), 32 products
a cycle, with 6 loads in them; 5⅓ cycles on the three ports of Skylake.`
	m.zero = m.clearSums
	m.step = func(a *asm) {
		outer(a, m.shape, "VMOVDQU", "VPBROADCASTD", func(a *asm, b, x, acc string) {
			a.op("VPMADDWD %s, %s, Y15", b, x)
			a.op("VPADDD Y15, %s, %s", acc, acc)
		})
	}
	m.tail = func(a *asm, m micro) {
		for r := range m.mr {
			a.outRow(r)
			for v := range m.nv {
				a.op("VMOVDQU %s, %d(R8)", m.acc(r, v), v*m.bytes())
			}
		}
		a.advance(m.mr)
	}
	a.tile(m)
}

// int8In2 is Bᵀ of F(2, 3).
func int8In2(a *asm, d []string) []string {
	t := []string{"Y8", "Y9", "Y10", "Y11"}
	a.op("VPSUBW %s, %s, %s", d[2], d[0], t[0])
	a.op("VPADDW %s, %s, %s", d[2], d[1], t[1])
	a.op("VPSUBW %s, %s, %s", d[1], d[2], t[2])
	a.op("VPSUBW %s, %s, %s", d[3], d[1], t[3])
	return t
}

// int8In4 is Bᵀ of F(4, 3): generic.intIn4.
func int8In4(a *asm, d []string) []string {
	c, e, t0, A, B, e2 := "Y6", "Y7", "Y8", "Y9", "Y10", "Y11"
	a.op("VPSUBW %s, %s, %s", d[2], d[4], c)
	a.op("VPSUBW %s, %s, %s", d[1], d[3], e)
	a.op("VPSUBW %s, %s, %s", d[2], d[0], t0)
	a.op("VPSLLW $2, %s, %s", t0, t0)
	a.op("VPADDW %s, %s, %s", c, t0, t0)
	a.op("VPSLLW $2, %s, %s", d[2], A)
	a.op("VPSUBW %s, %s, %s", A, d[4], A)
	a.op("VPSLLW $2, %s, %s", d[1], B)
	a.op("VPSUBW %s, %s, %s", B, d[3], B)
	a.op("VPSUBW %s, %s, %s", d[3], d[5], d[5])
	t1, t3 := d[0], d[1] // the inputs are used up
	a.op("VPADDW %s, %s, %s", B, A, t1)
	a.op("VPSUBW %s, %s, %s", B, A, A)
	a.op("VPADDW %s, %s, %s", e, e, e2)
	a.op("VPADDW %s, %s, %s", e2, c, t3)
	a.op("VPSUBW %s, %s, %s", e2, c, c)
	a.op("VPADDW %s, %s, %s", e2, e2, e2)
	a.op("VPSUBW %s, %s, %s", e2, d[5], d[5])
	return []string{t0, t1, A, t3, c, d[5]}
}

// int8Out2 is Aᵀ of F(2, 3).
func int8Out2(a *asm, m []string) []string {
	t := []string{"Y8", "Y9"}
	a.op("VPADDD %s, %s, %s", m[1], m[0], t[0])
	a.op("VPSUBD %s, %s, %s", m[2], m[1], t[1])
	a.op("VPADDD %s, %s, %s", m[2], t[0], t[0])
	a.op("VPSUBD %s, %s, %s", m[3], t[1], t[1])
	return t
}

// int8Out4 is A'ᵀ of F(4, 3): generic.intOut4.
func int8Out4(a *asm, m []string) []string {
	p, q, u, v, y2, y1 := "Y6", "Y7", "Y8", "Y9", "Y10", "Y11"
	y0, y3 := m[1], m[2]
	add := func(x, y, to string) { a.op("VPADDD %s, %s, %s", x, y, to) }
	add(m[2], m[1], p)
	a.op("VPSUBD %s, %s, %s", m[2], m[1], q)
	add(m[4], m[3], u)
	a.op("VPSUBD %s, %s, %s", m[4], m[3], v)
	add(u, p, y2)
	add(q, q, y1)
	add(v, y1, y1)
	add(m[0], m[0], y0) // 2·(3·m0 + 2·p) + u
	add(m[0], y0, y0)
	add(p, p, p)
	add(p, y0, y0)
	add(y0, y0, y0)
	add(u, y0, y0)
	add(m[5], m[5], y3) // 2·(3·m5 + v) + q
	add(m[5], y3, y3)
	add(v, y3, y3)
	add(y3, y3, y3)
	add(q, y3, y3)
	return []string{y0, y1, y2, y3}
}

func ys(n int) []string { return shape{"Y", 1, 1}.inputs(n) }

// int8In writes the transform of n×n pixels.
func (a *asm) int8In(name string, n int, f pass) {
	body := &asm{}
	body.op("MOVQ SI, R11")
	for j := range n { // columns
		d := ys(n)
		for i := range n {
			body.op("VPMOVSXBW %s, %s", strided("(R11)", i), d[i])
		}
		for i, t := range f(body, d) {
			body.op("VMOVDQU %s, %d(BX)", t, 32*(i*n+j))
		}
		body.op("ADDQ R9, R11")
	}
	body.op("MOVQ DX, R11")
	for i := range n { // rows
		d := ys(n)
		for j := range n {
			body.op("VMOVDQU %d(BX), %s", 32*(i*n+j), d[j])
		}
		for _, t := range f(body, d) {
			body.op("VMOVDQU %s, (R11)", t)
			body.op("ADDQ R10, R11")
		}
	}
	count, loads, stores := mix(body.String())
	a.transformHead(name, fmt.Sprintf(` is V = Bᵀ·d·B of tile.Transform for %d×%d pixels of
int8. A vector of 16 channels is %d instructions, %d of them loads and %d stores, a cycle
each: these are the bound.`, n, n, count, loads, stores))
	a.op("MOVQ T_Row, R8")
	a.op("MOVQ T_Col, R9")
	a.op("MOVQ T_Step, R10")
	multiples(a)
	a.label("vector")
	a.raw(body.String())
	a.op("ADDQ $16, SI")
	a.op("ADDQ $32, DX")
	a.op("DECQ CX")
	a.op("JNE vector")
	a.op("VZEROUPPER")
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

// int8Out writes the transform of n×n products to m×m sums, or the maxima of 2×2 of
// them. Y12 is the inverse of 9, X13 xor, X14 lo, Y15 hi.
func (a *asm) int8Out(name string, n, m int, f pass) {
	body := &asm{}
	body.op("MOVQ SI, R11")
	for j := range n {
		d := ys(n)
		for i := range n {
			body.op("VMOVDQU %s, %s", strided("(R11)", i), d[i])
		}
		for i, t := range f(body, d) {
			body.op("VMOVDQU %s, %d(BX)", t, 32*(i*n+j))
		}
		body.op("ADDQ R10, R11")
	}
	row := func(i int) []string {
		d := ys(n)
		for j := range n {
			body.op("VMOVDQU %d(BX), %s", 32*(i*n+j), d[j])
		}
		y := f(body, d)
		for j, x := range y {
			if m == 4 {
				body.op("VPMULLD Y12, %s, %s", x, x)
			}
			body.op("VPSRAD $%d, %s, %s", int8Shift(m, i, j), x, x)
		}
		return y
	}
	body.op("MOVQ DX, R11")
	body.op("CMPQ T_PoolV, $0")
	body.op("JNE pool")
	for i := range m {
		body.finish(row(i))
		if i < m-1 {
			body.op("ADDQ R9, R11")
		}
	}
	body.op("JMP next")
	body.label("pool")
	for i := 0; i < m; i += 2 {
		// The first row's maxima of neighbours wait in Tmp, whose row i is used up.
		y := row(i)
		for j := 0; j < m; j += 2 {
			body.op("VPMAXSD %s, %s, %s", y[j+1], y[j], y[j])
			body.op("VMOVDQU %s, %d(BX)", y[j], 32*(i*n+j))
		}
		y = row(i + 1)
		var pooled []string
		for j := 0; j < m; j += 2 {
			body.op("VPMAXSD %s, %s, %s", y[j+1], y[j], y[j])
			body.op("VPMAXSD %d(BX), %s, %s", 32*(i*n+j), y[j], y[j])
			pooled = append(pooled, y[j])
		}
		body.finish(pooled)
		if i < m-2 {
			body.op("ADDQ R9, R11")
		}
	}
	withoutPool, _, _ := strings.Cut(body.String(), "pool:")
	count, loads, stores := mix(withoutPool)
	a.transformHead(name, fmt.Sprintf(` is the bytes of Aᵀ·M·A of tile.Transform for %d×%d
products of int8. A vector of 8 channels without pool is %d instructions, %d of them loads
and %d stores.`, n, n, count, loads, stores))
	a.op("MOVQ T_Step, R10")
	a.op("IMUL3Q $%d, R10, R8 // between rows of M", n)
	a.op("MOVQ T_Row, R9")
	a.op("MOVQ T_Init, R14")
	a.op("MOVQ T_Scale, R15")
	multiples(a)
	if m == 4 {
		a.op("MOVL $954437177, AX // 9 times that is 1 modulo 2³²")
		a.op("VMOVD AX, X12")
		a.op("VPBROADCASTD X12, Y12")
	}
	a.op("VPBROADCASTB T_OutXor, X13")
	a.op("VCVTTSS2SI T_LoV, AX")
	a.op("VMOVD AX, X14")
	a.op("VPBROADCASTB X14, X14")
	a.op("VBROADCASTSS T_HiV, Y15")
	a.op("MOVQ T_BiasV, AX")
	a.label("vector")
	a.raw(body.String())
	a.label("next")
	for _, p := range []string{"AX", "R14", "R15", "SI"} {
		a.op("ADDQ $32, %s", p)
	}
	a.op("ADDQ $8, DX")
	a.op("CMPQ T_Scale, $0")
	a.op("JNE bytes")
	a.op("ADDQ $24, DX")
	a.label("bytes")
	a.op("DECQ CX")
	a.op("JNE vector")
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}

// finish stores the sums of eight channels of one, two or four pixels, or bytes of them,
// from R11 on, T_Col apart. It uses Y0 and R12.
func (a *asm) finish(pixels []string) {
	sums, end := a.fresh("sums"), a.fresh("finished")
	for _, x := range pixels {
		a.op("VPADDD (R14), %s, %s", x, x)
	}
	a.op("MOVQ R11, R12")
	a.op("CMPQ T_Scale, $0")
	a.op("JEQ %s", sums)
	a.requantize(pixels)
	a.op("JMP %s", end)
	a.label(sums)
	for i, x := range pixels {
		if i > 0 {
			a.op("ADDQ T_Col, R12")
		}
		a.op("VMOVDQU %s, (R12)", x)
	}
	a.label(end)
	a.op("LEAQ (R8)(R8*2), R12")
}

// requantize stores bytes at R12, T_Col apart.
func (a *asm) requantize(pixels []string) {
	for _, x := range pixels {
		a.op("VCVTDQ2PS %s, %s", x, x)
		a.op("VMULPS (R15), %s, %s", x, x)
		a.op("VADDPS (AX), %s, %s", x, x)
		a.op("VMINPS %s, Y15, %s // NaN stays: it is the second source", x, x)
		a.op("VCVTPS2DQ %s, %s // halves to even", x, x)
	}
	n := len(pixels)
	x, low := pixels[0], "X"+pixels[0][1:]
	a.op("VPACKSSDW %s, %s, %s", pixels[min(1, n-1)], x, x)
	second := x
	if n == 4 {
		second = pixels[2]
		a.op("VPACKSSDW %s, %s, %s", pixels[3], second, second)
	}
	a.op("VPACKSSWB %s, %s, %s // 0-3 of each pixel | 4-7", second, x, x)
	a.op("VMOVDQU lanesInTurn<>(SB), Y0")
	a.op("VPERMD %s, Y0, %s", x, x)
	if n == 4 {
		a.op("VEXTRACTI128 $1, %s, X0", x)
	}
	halves := []string{low, "X0"}
	for i := range (n + 1) / 2 {
		a.op("VPMAXSB X14, %s, %s", halves[i], halves[i])
		a.op("VPXOR X13, %s, %s", halves[i], halves[i])
	}
	for i := range n {
		if i > 0 {
			a.op("ADDQ T_Col, R12")
		}
		a.op("%s %s, (R12)", []string{"VMOVQ", "VMOVHPS"}[i%2], halves[i/2])
	}
}
