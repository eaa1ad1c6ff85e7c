package main

import (
	"fmt"
	"strings"
)

// winogradInt8 writes F(2×2, 3×3) and F(4×4, 3×3) of int8 for AVX2: the transforms of
// tile.Transform and the products between them, in int16 and int32.
func winogradInt8(a *asm) {
	a.transformHeader()
	lanesInTurn(a, 2)
	y := shape{"Y", 1, 1}
	a.int8In(y, "VPMOVSXBW", "winogradInt8In2AVX2", 4, int8In2)
	a.int8Out(y, "winogradInt8Out2AVX2", 4, 2, int8Out2)
	a.int8In(y, "VPMOVSXBW", "winogradInt8In4AVX2", 6, int8In4)
	a.int8Out(y, "winogradInt8Out4AVX2", 6, 4, int8Out4)
	m := micro{shape: yTile, name: "tileInt16AVX2", bStep: 64, tail: sumsTail}
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
	a.tile(m)
}

// winogradInt8AVXVNNI is what AVX-VNNI has beside AVX2's, for F(4×4, 3×3) alone: VPDPWSSD
// gives half the products a cycle of VPDPBUSD, so that F(2×2, 3×3) would win a ninth and
// lose it to its transforms.
func winogradInt8AVXVNNI(a *asm) {
	a.transformHeader()
	a.int8In(shape{"Y", 1, 1}, "VPMOVZXBW", "winogradUint8In4AVX2", 6, int8In4)
	m := micro{shape: yTile, name: "tileInt16AVXVNNI", bStep: 64, tail: sumsTail, broadcast: "VPBROADCASTD", mac: vpdpwssdY}
	m.doc = `
tileInt16AVXVNNI is tileInt16AVX512VNNI on 256 bits, 4×16, by the loop of
tileInt8AVXVNNI.
Measured on Emerald Rapids (macroscope bench --layers --dtype int8 --impl avxvnni): 83 % of
half of VPDPBUSD's peak in conv2, 81 % in conv4.`
	a.tall(m)
}

// winogradInt8AVX512 is the same on 512 bits.
func winogradInt8AVX512(a *asm) {
	a.transformHeader()
	lanesInTurn(a, 4)
	z := shape{"Z", 1, 1}
	a.int8In(z, "VPMOVZXBW", "winogradUint8In4AVX512", 6, int8In4)
	a.int8Out(z, "winogradInt8Out4AVX512", 6, 4, int8Out4)
	m := micro{shape: zTile, name: "tileInt16AVX512VNNI", bStep: 128, tail: sumsTail}
	m.doc = `
tileInt16AVX512VNNI is the loop of tile.Args on words of two int16, 8×32, Store alone. A
step of K (two values) is that of tileInt8AVX512VNNI with VPDPWSSD for VPDPBUSD: half of
its products a cycle at most.
Measured on Zen 4 (macroscope bench --layers --dtype int8): 82 % of that in conv2 with its
16 words of K, 90 % in conv4 with 32; calls and stores are what is left.`
	flat := micro{shape: zFlat, name: "tileInt16AVX512VNNIFlat", bStep: 256, tail: sumsTail}
	flat.doc = `
tileInt16AVX512VNNIFlat is tileInt16AVX512VNNI, 4×64, for products of few rows: 4 loads of
B and 4 broadcast loads of A for 16 VPDPWSSD.
Measured as above: 92 % in conv6.`
	for _, m := range []micro{m, flat} {
		m.zero = m.clearSums
		m.step = func(a *asm) {
			outer(a, m.shape, "VMOVDQU32", "VPBROADCASTD", func(a *asm, b, x, acc string) { a.op("VPDPWSSD %s, %s, %s", b, x, acc) })
		}
		a.tile(m)
	}
}

// sumsTail stores the sums.
func sumsTail(a *asm, m micro) {
	for r := range m.mr {
		a.outRow(r)
		for v := range m.nv {
			a.op("%s %s, %d(R8)", m.move(), m.acc(r, v), v*m.bytes())
		}
	}
	a.advance(m.mr)
}

// lanesInTurn defines the dwords of lanes in turn: first of all the first ones, ...
func lanesInTurn(a *asm, lanes int) {
	for i := 0; i < 4*lanes; i += 2 {
		at := func(i int) int { return i%lanes*4 + i/lanes }
		a.raw(fmt.Sprintf("DATA lanesInTurn<>+%d(SB)/8, $%#08x%08x\n", 4*i, at(i+1), at(i)))
	}
	a.raw(fmt.Sprintf("GLOBL lanesInTurn<>(SB), RODATA|NOPTR, $%d\n\n", 16*lanes))
}

// int8In2 is Bᵀ of F(2, 3).
func int8In2(s shape, a *asm, d []string) []string {
	t := []string{s.r(8), s.r(9), s.r(10), s.r(11)}
	a.op("VPSUBW %s, %s, %s", d[2], d[0], t[0])
	a.op("VPADDW %s, %s, %s", d[2], d[1], t[1])
	a.op("VPSUBW %s, %s, %s", d[1], d[2], t[2])
	a.op("VPSUBW %s, %s, %s", d[3], d[1], t[3])
	return t
}

// int8In4 is Bᵀ of F(4, 3): generic.intIn4.
func int8In4(s shape, a *asm, d []string) []string {
	c, e, t0, A, B, e2 := s.r(6), s.r(7), s.r(8), s.r(9), s.r(10), s.r(11)
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
func int8Out2(s shape, a *asm, m []string) []string {
	t := []string{s.r(8), s.r(9)}
	a.op("VPADDD %s, %s, %s", m[1], m[0], t[0])
	a.op("VPSUBD %s, %s, %s", m[2], m[1], t[1])
	a.op("VPADDD %s, %s, %s", m[2], t[0], t[0])
	a.op("VPSUBD %s, %s, %s", m[3], t[1], t[1])
	return t
}

// int8Out4 is A'ᵀ of F(4, 3): generic.intOut4.
func int8Out4(s shape, a *asm, m []string) []string {
	p, q, u, v, y2, y1 := s.r(6), s.r(7), s.r(8), s.r(9), s.r(10), s.r(11)
	y0, y3 := m[1], m[2]
	add := func(x, y, to string) { a.op("VPADDD %s, %s, %s", x, y, to) }
	add(m[2], m[1], p)
	a.op("VPSUBD %s, %s, %s", m[2], m[1], q)
	add(m[4], m[3], u)
	a.op("VPSUBD %s, %s, %s", m[4], m[3], v)
	add(u, p, y2)
	add(q, q, y1)
	add(v, y1, y1)
	a.op("VPSLLD $2, %s, %s", p, p)
	add(m[0], u, y0)
	add(p, y0, y0)
	add(v, v, v)
	add(m[5], q, y3)
	add(v, y3, y3)
	return []string{y0, y1, y2, y3}
}

// int8Pass is a pass on the vectors of a shape.
type int8Pass func(s shape, a *asm, in []string) []string

// off is how much larger point 1, 1 of the input's transform is of x+128 than of x: all
// other rows of Bᵀ sum to 0.
func off(n int) int {
	row := map[int]int{4: 2, 6: -6}[n]
	return 128 * row * row
}

// int8In writes the transform of n×n pixels, widened by the instruction: VPMOVZXBW takes
// them for x+128, which is how rows with VPDPBUSD store x.
func (a *asm) int8In(s shape, widen, name string, n int, f int8Pass) {
	kind := map[string]string{"VPMOVSXBW": "int8", "VPMOVZXBW": "int8 that lie as x+128"}[widen]
	move := s.integers()
	body := &asm{}
	body.op("MOVQ SI, R11")
	for j := range n { // columns
		d := s.inputs(n)
		for i := range n {
			body.op("%s %s, %s", widen, strided("(R11)", i), d[i])
		}
		for i, t := range f(s, body, d) {
			body.op("%s %s, %d(BX)", move, t, s.bytes()*(i*n+j))
		}
		body.op("ADDQ R9, R11")
	}
	body.op("MOVQ DX, R11")
	for i := range n { // rows
		d := s.inputs(n)
		for j := range n {
			body.op("%s %d(BX), %s", move, s.bytes()*(i*n+j), d[j])
		}
		for j, t := range f(s, body, d) {
			if i == 1 && j == 1 && widen == "VPMOVZXBW" {
				body.op("VPSUBW %s, %s, %s", s.r(12), t, t)
			}
			body.op("%s %s, (R11)", move, t)
			body.op("ADDQ R10, R11")
		}
	}
	count, loads, stores := mix(body.String())
	a.transformHead(name, fmt.Sprintf(` is V = Bᵀ·d·B of tile.Transform for %d×%d pixels of
%s. A vector of %d channels is %d instructions, %d of them loads and %d stores.`, n, n, kind, s.bytes()/2, count, loads, stores))
	a.op("MOVQ T_Row, R8")
	a.op("MOVQ T_Col, R9")
	a.op("MOVQ T_Step, R10")
	multiples(a)
	if widen == "VPMOVZXBW" {
		a.op("MOVL $%d, AX", off(n))
		a.op("VMOVD AX, X12")
		a.op("VPBROADCASTW X12, %s", s.r(12))
	}
	a.label("vector")
	a.raw(body.String())
	a.op("ADDQ $%d, SI", s.bytes()/2)
	a.op("ADDQ $%d, DX", s.bytes())
	a.op("DECQ CX")
	a.op("JNE vector")
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}

// integers loads and stores a vector.
func (s shape) integers() string { return map[string]string{"Y": "VMOVDQU", "Z": "VMOVDQU32"}[s.reg] }

// int8Shift is the bits that a sum in row i and column j of what f gave is shifted right by.
func int8Shift(m, i, j int) int {
	if m == 2 {
		return 2
	}
	by := []int{3, 2, 1, 1}
	return by[i] + by[j]
}

// int8Out writes the transform of n×n products to m×m sums, or the maxima of 2×2 of
// them. Register 12 is the inverse of 9, 13 xor, 14 lo, 15 hi, of Z 16 lanesInTurn.
func (a *asm) int8Out(s shape, name string, n, m int, f int8Pass) {
	move := s.integers()
	body := &asm{}
	body.op("MOVQ SI, R11")
	for j := range n {
		d := s.inputs(n)
		for i := range n {
			body.op("%s %s, %s", move, strided("(R11)", i), d[i])
		}
		for i, t := range f(s, body, d) {
			body.op("%s %s, %d(BX)", move, t, s.bytes()*(i*n+j))
		}
		body.op("ADDQ R10, R11")
	}
	row := func(i int) []string {
		d := s.inputs(n)
		for j := range n {
			body.op("%s %d(BX), %s", move, s.bytes()*(i*n+j), d[j])
		}
		y := f(s, body, d)
		for j, x := range y {
			if m == 4 {
				body.op("VPMULLD %s, %s, %s", s.r(12), x, x)
			}
			body.op("VPSRAD $%d, %s, %s", int8Shift(m, i, j), x, x)
		}
		return y
	}
	body.op("MOVQ DX, R11")
	body.op("CMPQ T_PoolV, $0")
	body.op("JNE pool")
	for i := range m {
		body.finish(s, row(i))
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
			body.op("%s %s, %d(BX)", move, y[j], s.bytes()*(i*n+j))
		}
		y = row(i + 1)
		var pooled []string
		for j := 0; j < m; j += 2 {
			body.op("VPMAXSD %s, %s, %s", y[j+1], y[j], y[j])
			body.op("VPMAXSD %d(BX), %s, %s", s.bytes()*(i*n+j), y[j], y[j])
			pooled = append(pooled, y[j])
		}
		body.finish(s, pooled)
		if i < m-2 {
			body.op("ADDQ R9, R11")
		}
	}
	withoutPool, _, _ := strings.Cut(body.String(), "pool:")
	count, loads, stores := mix(withoutPool)
	a.transformHead(name, fmt.Sprintf(` is the bytes of Aᵀ·M·A of tile.Transform for %d×%d
products of int8. A vector of %d channels without pool is %d instructions, %d of them loads
and %d stores.`, n, n, s.lanes(), count, loads, stores))
	a.op("MOVQ T_Step, R10")
	a.op("IMUL3Q $%d, R10, R8 // between rows of M", n)
	a.op("MOVQ T_Row, R9")
	a.op("MOVQ T_Init, R14")
	a.op("MOVQ T_Scale, R15")
	multiples(a)
	if m == 4 {
		a.op("MOVL $954437177, AX // 9 times that is 1 modulo 2³²")
		a.op("VMOVD AX, X12")
		a.op("VPBROADCASTD X12, %s", s.r(12))
	}
	a.op("VPBROADCASTB T_OutXor, %s", s.r(13))
	a.op("VCVTTSS2SI T_LoV, AX")
	a.op("VMOVD AX, X14")
	a.op("VPBROADCASTB X14, %s", s.r(14))
	a.op("VBROADCASTSS T_HiV, %s", s.r(15))
	if s.reg == "Z" {
		a.op("VMOVDQU32 lanesInTurn<>(SB), %s", s.r(16))
	}
	a.op("MOVQ T_BiasV, AX")
	a.label("vector")
	a.raw(body.String())
	a.label("next")
	for _, p := range []string{"AX", "R14", "R15", "SI"} {
		a.op("ADDQ $%d, %s", s.bytes(), p)
	}
	a.op("ADDQ $%d, DX", s.lanes())
	a.op("CMPQ T_Scale, $0")
	a.op("JNE bytes")
	a.op("ADDQ $%d, DX", s.bytes()-s.lanes())
	a.label("bytes")
	a.op("DECQ CX")
	a.op("JNE vector")
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}

// finish stores the sums of a vector of channels of one, two or four pixels, or bytes of
// them, from R11 on, T_Col apart. It uses register 0 and R12.
func (a *asm) finish(s shape, pixels []string) {
	sums, end := a.fresh("sums"), a.fresh("finished")
	for _, x := range pixels {
		a.op("VPADDD (R14), %s, %s", x, x)
	}
	a.op("MOVQ R11, R12")
	a.op("CMPQ T_Scale, $0")
	a.op("JEQ %s", sums)
	a.requantize(s, pixels)
	a.op("JMP %s", end)
	a.label(sums)
	for i, x := range pixels {
		if i > 0 {
			a.op("ADDQ T_Col, R12")
		}
		a.op("%s %s, (R12)", s.integers(), x)
	}
	a.label(end)
	a.op("LEAQ (R8)(R8*2), R12")
}

// requantize stores bytes at R12, T_Col apart.
func (a *asm) requantize(s shape, pixels []string) {
	for _, x := range pixels {
		a.op("VCVTDQ2PS %s, %s", x, x)
		a.op("VMULPS (R15), %s, %s", x, x)
		a.op("VADDPS (AX), %s, %s", x, x)
		a.op("VMINPS %s, %s, %s // NaN stays: it is the second source", x, s.r(15), x)
		a.op("VCVTPS2DQ %s, %s // halves to even", x, x)
	}
	n := len(pixels)
	x := pixels[0]
	a.op("VPACKSSDW %s, %s, %s", pixels[min(1, n-1)], x, x)
	second := x
	if n == 4 {
		second = pixels[2]
		a.op("VPACKSSDW %s, %s, %s", pixels[3], second, second)
	}
	a.op("VPACKSSWB %s, %s, %s // 0-3 of each pixel | 4-7 | ...", second, x, x)
	if s.reg == "Z" {
		a.op("VPERMD %s, %s, %s", x, s.r(16), x)
		a.op("VPMAXSB %s, %s, %s", s.r(14), x, x)
		a.op("VPXORD %s, %s, %s", s.r(13), x, x)
		a.op("VMOVDQU X%s, (R12)", x[1:])
		for i := 1; i < n; i++ {
			a.op("ADDQ T_Col, R12")
			a.op("VEXTRACTI32X4 $%d, %s, (R12)", i, x)
		}
		return
	}
	a.op("VMOVDQU lanesInTurn<>(SB), Y0")
	a.op("VPERMD %s, Y0, %s", x, x)
	if n == 4 {
		a.op("VEXTRACTI128 $1, %s, X0", x)
	}
	halves := []string{"X" + x[1:], "X0"}
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
