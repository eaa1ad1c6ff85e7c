package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unsafe"

	"macroscope/kernels/tile"
)

// The transforms of tile.Transform. Each takes a vector of channels through
// two passes, columns and rows, by way of Tmp, because n·n values do not fit
// into registers. They are bound by loads and stores (4·n² of them), not by
// arithmetic (2·n passes of about 2·n operations).

// pass is one multiplication with Bᵀ or Aᵀ: in holds n registers, the result
// is left in the registers that it returns. Registers from 8 on are free.
type pass func(a *asm, in []string) []string

func (a *asm) transformHeader() {
	var t tile.Transform
	for _, f := range []struct {
		name   string
		offset uintptr
	}{
		{"Src", unsafe.Offsetof(t.Src)}, {"Dst", unsafe.Offsetof(t.Dst)}, {"Row", unsafe.Offsetof(t.Row)}, {"Col", unsafe.Offsetof(t.Col)},
		{"Step", unsafe.Offsetof(t.Step)}, {"Vectors", unsafe.Offsetof(t.Vectors)}, {"Tmp", unsafe.Offsetof(t.Tmp)},
		{"BiasV", unsafe.Offsetof(t.Bias)}, {"LoV", unsafe.Offsetof(t.Lo)}, {"HiV", unsafe.Offsetof(t.Hi)}, {"PoolV", unsafe.Offsetof(t.Pool)},
		{"Init", unsafe.Offsetof(t.Init)}, {"Scale", unsafe.Offsetof(t.Scale)}, {"OutXor", unsafe.Offsetof(t.OutXor)},
	} {
		a.raw(fmt.Sprintf("#define T_%s %d(DI)\n", f.name, f.offset))
	}
	a.raw("\n")
}

func winograd(isa, reg string) func(*asm) {
	return func(a *asm) {
		a.transformHeader()
		s := shape{reg, 1, 1}
		smallNumbers(a)
		a.transformFrom(s, "winogradIn2"+isa, "V = Bᵀ·d·B", 4, 4, s.in2)
		a.transformOut(s, "winogradOut2"+isa, 4, 2, s.out2)
		a.transformFrom(s, "winogradIn4"+isa, "V = Bᵀ·d·B", 6, 6, s.in4)
		a.transformOut(s, "winogradOut4"+isa, 6, 4, s.out4)
		a.transformFrom(s, "winogradGrad2"+isa, "W = A·g·Aᵀ", 4, 2, s.grad2)
		a.transformFrom(s, "winogradGrad4"+isa, "W = A·g·Aᵀ", 6, 4, s.grad4)
	}
}

// smallNumbers defines 64-byte vectors of one float32 each.
func smallNumbers(a *asm) {
	for _, c := range []struct {
		name string
		v    float32
	}{{"two", 2}, {"four", 4}, {"five", 5}, {"eight", 8}, {"signBit", float32(math.Copysign(0, -1))}} {
		bits := math.Float32bits(c.v)
		for i := range 8 {
			a.raw(fmt.Sprintf("DATA %s<>+%d(SB)/8, $%#08x%08x\n", c.name, 8*i, bits, bits))
		}
		a.raw(fmt.Sprintf("GLOBL %s<>(SB), RODATA|NOPTR, $64\n", c.name))
	}
	a.raw("\n")
}

// inNumbers are the registers in which the input's transform keeps the numbers
// that it multiplies with, for they would be half of its loads.
var inNumbers = []string{12: "two", 13: "four", 14: "five"}

// outNumbers are those of the output's transform, where there are 32 registers.
var outNumbers = []string{16: "two", 17: "four", 18: "eight"}

func (s shape) numberIn(name string) string { return s.r(slices.Index(inNumbers, name)) }

func (s shape) numberOut(name string) string {
	if s.reg != "Z" {
		return name + "<>(SB)"
	}
	return s.r(slices.Index(outNumbers, name))
}

// load puts numbers into their registers.
func (s shape) load(a *asm, numbers []string) {
	for i, name := range numbers {
		if name != "" {
			a.op("VMOVUPS %s<>(SB), %s", name, s.r(i))
		}
	}
}

func (s shape) in2(a *asm, d []string) []string {
	t := []string{s.r(8), s.r(9), s.r(10), s.r(11)}
	a.op("VSUBPS %s, %s, %s", d[2], d[0], t[0])
	a.op("VADDPS %s, %s, %s", d[2], d[1], t[1])
	a.op("VSUBPS %s, %s, %s", d[1], d[2], t[2])
	a.op("VSUBPS %s, %s, %s", d[3], d[1], t[3])
	return t
}

func (s shape) out2(a *asm, m []string) []string {
	t := []string{s.r(8), s.r(9)}
	a.op("VADDPS %s, %s, %s", m[1], m[0], t[0])
	a.op("VSUBPS %s, %s, %s", m[2], m[1], t[1])
	a.op("VADDPS %s, %s, %s", m[2], t[0], t[0])
	a.op("VSUBPS %s, %s, %s", m[3], t[1], t[1])
	return t
}

// in4: see generic.in4. FNMADD231 x, y, z is z −= x·y.
func (s shape) in4(a *asm, d []string) []string {
	mv := regMove(s.reg)
	A, B, c, e := s.r(8), s.r(9), s.r(10), s.r(11)
	t0, t5 := s.r(6), s.r(7)
	a.op("%s %s, %s", mv, d[4], A)
	a.op("%s %s, %s", mv, d[3], B)
	a.op("VFNMADD231PS %s, %s, %s", s.numberIn("four"), d[2], A)
	a.op("VFNMADD231PS %s, %s, %s", s.numberIn("four"), d[1], B)
	a.op("VSUBPS %s, %s, %s", d[2], d[4], c)
	a.op("VSUBPS %s, %s, %s", d[1], d[3], e)
	a.op("%s %s, %s", mv, d[4], t0)
	a.op("VFNMADD231PS %s, %s, %s", s.numberIn("five"), d[2], t0)
	a.op("VFMADD231PS %s, %s, %s", s.numberIn("four"), d[0], t0)
	a.op("%s %s, %s", mv, d[5], t5)
	a.op("VFNMADD231PS %s, %s, %s", s.numberIn("five"), d[3], t5)
	a.op("VFMADD231PS %s, %s, %s", s.numberIn("four"), d[1], t5)
	t1, t2, t3 := d[0], d[1], d[2] // the inputs are used up
	a.op("VADDPS %s, %s, %s", B, A, t1)
	a.op("VSUBPS %s, %s, %s", B, A, t2)
	a.op("%s %s, %s", mv, c, t3)
	a.op("VFMADD231PS %s, %s, %s", s.numberIn("two"), e, t3)
	a.op("VFNMADD231PS %s, %s, %s", s.numberIn("two"), e, c)
	return []string{t0, t1, t2, t3, c, t5}
}

// out4: see generic.out4.
func (s shape) out4(a *asm, m []string) []string {
	p, q, u, v := s.r(8), s.r(9), s.r(10), s.r(11)
	a.op("VADDPS %s, %s, %s", m[2], m[1], p)
	a.op("VSUBPS %s, %s, %s", m[2], m[1], q)
	a.op("VADDPS %s, %s, %s", m[4], m[3], u)
	a.op("VSUBPS %s, %s, %s", m[4], m[3], v)
	mv := regMove(s.reg)
	a.op("VADDPS %s, %s, %s", p, m[0], m[0])
	a.op("VADDPS %s, %s, %s", u, m[0], m[0])
	a.op("VADDPS %s, %s, %s", q, m[5], m[5])
	a.op("VFMADD231PS %s, %s, %s", s.numberOut("eight"), v, m[5])
	a.op("%s %s, %s", mv, q, m[1])
	a.op("VFMADD231PS %s, %s, %s", s.numberOut("two"), v, m[1])
	a.op("VFMADD231PS %s, %s, %s", s.numberOut("four"), u, p)
	return []string{m[0], m[1], p, m[5]}
}

// grad2: see generic.grad2.
func (s shape) grad2(a *asm, g []string) []string {
	sum, diff, last := s.r(8), s.r(9), s.r(10)
	a.op("VADDPS %s, %s, %s", g[1], g[0], sum)
	a.op("VSUBPS %s, %s, %s", g[1], g[0], diff)
	xor := map[string]string{"Y": "VXORPS", "Z": "VPXORD"}[s.reg] // VXORPS of 512 bits takes AVX-512 DQ
	a.op("%s signBit<>(SB), %s, %s", xor, g[1], last)
	return []string{g[0], sum, diff, last}
}

// grad4: see generic.grad4.
func (s shape) grad4(a *asm, g []string) []string {
	mv := regMove(s.reg)
	p, q, u, v, t1, t2 := s.r(4), s.r(5), s.r(6), s.r(7), s.r(8), s.r(9)
	a.op("VADDPS %s, %s, %s", g[2], g[0], p)
	a.op("VADDPS %s, %s, %s", g[3], g[1], q)
	a.op("%s %s, %s", mv, g[0], u)
	a.op("VFMADD231PS %s, %s, %s", s.numberIn("four"), g[2], u)
	a.op("%s %s, %s", mv, g[1], v)
	a.op("VFMADD231PS %s, %s, %s", s.numberIn("four"), g[3], v)
	a.op("VADDPS %s, %s, %s", q, p, t1)
	a.op("VSUBPS %s, %s, %s", q, p, t2)
	a.op("%s %s, %s", mv, u, p)
	a.op("VFMADD231PS %s, %s, %s", s.numberIn("two"), v, p)
	a.op("VFNMADD231PS %s, %s, %s", s.numberIn("two"), v, u)
	return []string{g[0], t1, t2, p, u, g[3]}
}

func (a *asm) transformHead(name, doc string) {
	a.comment(name + doc)
	a.raw(fmt.Sprintf("//\n// func %s(t *tile.Transform)\nTEXT ·%s(SB), NOSPLIT, $0-8\n", name, name))
	a.op("MOVQ t+0(FP), DI")
	a.op("MOVQ T_Src, SI")
	a.op("MOVQ T_Dst, DX")
	a.op("MOVQ T_Tmp, BX")
	a.op("MOVQ T_Vectors, CX")
}

// strided gives the addresses base + i·step for i < 6: step in R8, 3·step in
// R12, 5·step in R13.
func strided(base string, i int) string {
	return base + []string{"", "(R8*1)", "(R8*2)", "(R12*1)", "(R8*4)", "(R13*1)"}[i]
}

func multiples(a *asm) {
	a.op("LEAQ (R8)(R8*2), R12")
	a.op("LEAQ (R8)(R8*4), R13")
}

func (s shape) inputs(n int) (d []string) {
	for i := range n {
		d = append(d, s.r(i))
	}
	return d
}

// measuredTransforms are nanoseconds of a vector of F(4×4, 3×3) on Zen 4 at 3.7
// GHz: what macroscope bench --layers shows of conv2, whose 64 tiles have two
// vectors of 512 bits or four of 256.
var measuredTransforms = map[string]int{"winogradIn4AVX512": 53, "winogradOut4AVX512": 33, "winogradIn4AVX2": 27, "winogradOut4AVX2": 22}

// transformDoc says what a vector costs; text is its instructions.
func transformDoc(name, does, text string) string {
	count, loads, stores := mix(text)
	doc := fmt.Sprintf(` is %s.
A vector is %d instructions, %d of them loads and %d stores. Memory is the bound:
two loads and a store of 256 bits a cycle, half as many of 512 bits on Zen 4 (AMD's
optimization guide, 57647).
`, does, count, loads, stores)
	if ns := measuredTransforms[name]; ns != 0 {
		cycles := max(float64(loads)/2, float64(stores))
		if strings.HasSuffix(name, "AVX512") {
			cycles *= 2
		}
		return doc + fmt.Sprintf("Measured on Zen 4 (macroscope bench --layers, conv2): %d ns, %.0f %% of that bound.", ns, 100*cycles/3.7/float64(ns))
	}
	if strings.Contains(name, "Grad4") {
		return doc + "Not measured alone."
	}
	return doc + "Not measured alone: the network's layers take the larger tiles."
}

// transformFrom writes the transform of m×m pixels into n×n values.
func (a *asm) transformFrom(s shape, name, formula string, n, m int, f pass) {
	body := &asm{}
	body.transformFromVector(s, n, m, f)
	a.transformHead(name, transformDoc(name, fmt.Sprintf("%s of tile.Transform for %d×%d pixels", formula, m, m), body.String()))
	a.op("MOVQ T_Row, R8")
	a.op("MOVQ T_Col, R9")
	a.op("MOVQ T_Step, R10")
	multiples(a)
	if n == 6 {
		s.load(a, inNumbers)
	}
	a.label("vector")
	a.raw(body.String())
	a.transformEnd(s)
}

// transformFromVector is the transform of a vector.
func (a *asm) transformFromVector(s shape, n, m int, f pass) {
	a.op("MOVQ SI, R11")
	for j := range m { // columns
		d := s.inputs(m)
		for i := range m {
			a.op("VMOVUPS %s, %s", strided("(R11)", i), d[i])
		}
		for i, t := range f(a, d) {
			a.op("VMOVUPS %s, %d(BX)", t, (i*n+j)*s.bytes())
		}
		a.op("ADDQ R9, R11")
	}
	a.op("MOVQ DX, R11")
	for i := range n { // rows
		d := s.inputs(m)
		for j := range m {
			a.op("VMOVUPS %d(BX), %s", (i*n+j)*s.bytes(), d[j])
		}
		for _, t := range f(a, d) {
			a.op("VMOVUPS %s, (R11)", t)
			a.op("ADDQ R10, R11")
		}
	}
}

func (a *asm) transformEnd(s shape) {
	a.op("ADDQ $%d, SI", s.bytes())
	a.op("ADDQ $%d, DX", s.bytes())
	a.op("DECQ CX")
	a.op("JNE vector")
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}

func (a *asm) transformOut(s shape, name string, n, m int, f pass) {
	body := &asm{}
	body.transformOutVector(s, n, m, f)
	withoutPool, _, _ := strings.Cut(body.String(), "pool:")
	a.transformHead(name, transformDoc(name, fmt.Sprintf("Y = Aᵀ·M·A of tile.Transform for %d×%d products, bias, clamp and pool", n, n), withoutPool))
	a.op("MOVQ T_Step, R10")
	a.op("IMUL3Q $%d, R10, R8 // between rows", n)
	a.op("MOVQ T_Row, R9")
	a.op("MOVQ T_BiasV, AX")
	multiples(a)
	if n == 6 && s.reg == "Z" {
		s.load(a, outNumbers)
	}
	a.label("vector")
	a.raw(body.String())
	a.label("next")
	a.op("ADDQ $%d, AX", s.bytes())
	a.transformEnd(s)
}

// transformOutVector is the transform of a vector.
func (a *asm) transformOutVector(s shape, n, m int, f pass) {
	a.op("MOVQ SI, R11")
	for j := range n {
		d := s.inputs(n)
		for i := range n {
			a.op("VMOVUPS %s, %s", strided("(R11)", i), d[i])
		}
		for i, t := range f(a, d) {
			a.op("VMOVUPS %s, %d(BX)", t, (i*n+j)*s.bytes())
		}
		a.op("ADDQ R10, R11")
	}
	bias, lo, hi := s.r(13), s.r(14), s.r(15)
	a.op("VMOVUPS (AX), %s", bias)
	a.op("VBROADCASTSS T_LoV, %s", lo)
	a.op("VBROADCASTSS T_HiV, %s", hi)
	a.op("MOVQ DX, R11")
	row := func(i int) []string {
		d := s.inputs(n)
		for j := range n {
			a.op("VMOVUPS %d(BX), %s", (i*n+j)*s.bytes(), d[j])
		}
		return f(a, d)
	}
	store := func(x, at string) {
		a.op("VADDPS %s, %s, %s", bias, x, x)
		a.op("VMAXPS %s, %s, %s", x, lo, x)
		a.op("VMINPS %s, %s, %s", x, hi, x)
		a.op("VMOVUPS %s, %s", x, at)
	}
	a.op("CMPQ T_PoolV, $0")
	a.op("JNE pool")
	for i := range m {
		a.op("MOVQ R11, R14")
		for _, y := range row(i) {
			store(y, "(R14)")
			a.op("ADDQ T_Col, R14")
		}
		a.op("ADDQ R9, R11")
	}
	a.op("JMP next")
	a.label("pool")
	for i := 0; i < m; i += 2 {
		// The first row's maxima of neighbours wait in Tmp, whose row i is used up.
		y := row(i)
		for j := 0; j < m; j += 2 {
			a.op("VMAXPS %s, %s, %s", y[j], y[j+1], y[j])
			a.op("VMOVUPS %s, %d(BX)", y[j], (i*n+j)*s.bytes())
		}
		y = row(i + 1)
		a.op("MOVQ R11, R14")
		for j := 0; j < m; j += 2 {
			a.op("VMAXPS %s, %s, %s", y[j], y[j+1], y[j])
			a.op("VMAXPS %d(BX), %s, %s", (i*n+j)*s.bytes(), y[j], y[j])
			store(y[j], "(R14)")
			a.op("ADDQ T_Col, R14")
		}
		a.op("ADDQ R9, R11")
	}
}
