package main

import "fmt"

var (
	zTile  = shape{"Z", 8, 2}
	zFlat  = shape{"Z", 4, 4}
	zThin  = shape{"Z", 8, 1}
	yTile  = shape{"Y", 4, 2}
	yTile8 = shape{"Y", 4, 1}
)

func float32AVX512(a *asm) {
	m := micro{shape: zTile, name: "tileFloat32AVX512", bStep: 128, tail: floatTail, unroll: 2, broadcast: "VBROADCASTSS", mac: fma}
	m.doc = `
tileFloat32AVX512 is the loop of tile.Args, 8×32. A step of K is 16 VFMADD231PS,
2 loads of B, 8 broadcast loads of A: 16 independent sums cover the latency of
4 cycles at two FMA a cycle, and 10 loads fit beside 16 FMA on two load ports. A
round is two steps, so that what counts them seldom takes a port from an FMA.
Measured (best run of macroscope bench --filter Tile): 93 % of peak on Emerald
Rapids; 97 on Zen 4, with one step a round.`
	m.zero = func(a *asm) { m.initSums(a, "VMOVUPS") }
	a.tile(m)
	m.name = "tileFloat32AVX512Pieces"
	a.pieces(m)
	a.tile(m.blockTile("tileFloat32AVX512Block", `the loop above four words a
round: 64 VFMADD231PS in 32 cycles, 40 loads and a prefetch of the next panel, where two
ports have 64.
Measured on Emerald Rapids (macroscope bench --filter Gemm, 1024×1024×1024):
90 % of peak, where the tile above reaches 75 %.`, "VADDPS"))
	ahead := m
	ahead.name = "tileFloat32AVX512Ahead"
	ahead.doc = `
tileFloat32AVX512Ahead is tileFloat32AVX512 for weights from behind the second-level cache
that few tiles are multiplied with, as in minimal filtering. Beside the 10 loads of a step
is a prefetch of what comes next: half of the 128 bytes that a panel has for a step, so that
two tiles fetch the next panel while they multiply with the one at hand.
Measured on Emerald Rapids (macroscope bench --layers --dtype float32, conv6 by F(2×2, 3×3)):
77 GMAC/s of its products, 89 % of peak, where the tile above reaches 67 %.`
	a.ahead(ahead)
	columns := m
	columns.name, columns.columns, columns.tail = "tileFloat32AVX512Columns", true, addTail
	columns.doc = `
tileFloat32AVX512Columns is tile.Kernel.ColumnTile: the loop of tile.Args, 8×32, with a load
of the word's segment in each step of K, so 11 loads beside 16 FMA on two ports.
Measured on Zen 4 (best run of go test -bench WinogradGrad ./kernels): with it the whole
gradient by F(4×4, 3×3) takes 0.29 to 0.38 of the time of direct sums.`
	a.tile(columns)
	flat := micro{shape: zFlat, name: "tileFloat32AVX512Flat", bStep: 256, tail: floatTail}
	flat.doc = `
tileFloat32AVX512Flat is the loop of tile.Args, 4×64, for products of few rows in minimal filtering:
16 VFMADD231PS, 4 loads of B, 4 broadcast loads of A a step, 16 independent sums
as above.
Measured on Zen 4 (macroscope bench --layers, conv6 by Winograd): 57 GMAC/s of its
products, 97 % of peak.`
	flat.zero = func(a *asm) { flat.initSums(a, "VMOVUPS") }
	flat.step = func(a *asm) { outer(a, flat.shape, "VMOVUPS", "VBROADCASTSS", fma) }
	a.tile(flat)
	thin := micro{shape: zThin, name: "tileFloat32AVX512Narrow", bStep: 64, tail: floatTail}
	thin.doc = `
tileFloat32AVX512Narrow is the loop of tile.Args, 8×16, for convolutions whose output
channels leave half of 32 columns idle: 8 VFMADD231PS, a load of B, 8 broadcast loads of A
a step, so that two loads a cycle are 4½ cycles; 8 sums cover a latency of 4 cycles at two
FMA a cycle.`
	thin.zero = func(a *asm) { thin.initSums(a, "VMOVUPS") }
	thin.step = func(a *asm) { outer(a, thin.shape, "VMOVUPS", "VBROADCASTSS", fma) }
	a.tile(thin)
	dotFloat32(a, "AVX512", "Z")
	peak(a, "peakFloat32AVX512", "VFMADD231PS", "Z", func(i int) { a.op("VFMADD231PS Z14, Z15, Z%d", i) })
}

func float32AVX2(a *asm) {
	m := micro{shape: yTile, name: "tileFloat32AVX2", bStep: 64, tail: floatTail, broadcast: "VBROADCASTSS", mac: fma}
	m.doc = `
tileFloat32AVX2 is the loop of tile.Args, 4×16, three tiles at a time as twice
6×16. A step of K of 6 rows is 12 VFMADD231PS in 6 cycles, 2 loads of B, 6
broadcast loads of A: 12 independent sums where the latency of 4 or 5 cycles at
two FMA a cycle needs 8 or 10, and 8 loads where two ports have 12.
Measured (best run of macroscope bench --filter Tile): 91 % of peak on Emerald
Rapids; 93 on Zen 4, with one step a round of the loop.`
	a.tall(m)
	a.tall(m.blockTile("tileFloat32AVX2Block", `the loop above four words a
round: 48 VFMADD231PS in 24 cycles, 32 loads and a prefetch of the next panel.
Measured on Emerald Rapids (macroscope bench --filter Gemm, 1024×1024×1024):
90 % of peak, where the tile above reaches 78 %.`, "VADDPS"))
	m.name, m.columns, m.tail = "tileFloat32AVX2Columns", true, addTail
	m.doc = `
tileFloat32AVX2Columns is tile.Kernel.ColumnTile: the loop above with a load of the word's
segment in each step of K, so 9 loads where two ports have 12.
Measured on Zen 3 (go test -bench WinogradGrad ./kernels): the whole gradient takes 0.6
of the time that it takes with the tile above, in segments of a word.`
	a.tall(m)
	dotFloat32(a, "AVX2", "Y")
	peak(a, "peakFloat32AVX2", "VFMADD231PS", "Y", func(i int) { a.op("VFMADD231PS Y14, Y15, Y%d", i) })
}

func int8AVX512VNNI(a *asm) {
	a.raw(byteOrder)
	lanesInTurn(a, 4)
	m := micro{shape: zTile, name: "tileInt8AVX512VNNI", bStep: 128, tail: intTail, unroll: 2, broadcast: "VPBROADCASTD"}
	m.mac = func(a *asm, b, x, acc string) { a.op("VPDPBUSD %s, %s, %s", b, x, acc) }
	m.doc = `
tileInt8AVX512VNNI is the loop of tile.Args, 8×32, with the bytes of A taken as
unsigned. A step of K (four values) is 16 VPDPBUSD, 2 loads of B, 8 broadcast
loads of A: 16 independent sums cover a latency of 5 cycles at up to two a cycle,
and 10 loads fit beside them. Signed times signed by

	Σ (a+128)·w = Σ a·w + 128·Σ w

A is stored as a+128, which is a xor 0x80, and Init brings −128·Σw.
Measured (best run of macroscope bench --filter Tile): 96 % of peak on Emerald
Rapids; 97 on Zen 4, with one step a round of the loop.`
	m.zero = func(a *asm) { m.initSums(a, "VMOVDQU32") }
	a.tile(m)
	m.name = "tileInt8AVX512VNNIPieces"
	a.pieces(m)
	a.tile(m.blockTile("tileInt8AVX512VNNIBlock", `the loop above four words
a round: 64 VPDPBUSD in 32 cycles, 40 loads and a prefetch of the next panel.
Measured on Emerald Rapids (macroscope bench --filter Gemm, 1024×1024×1024):
91 % of peak, where the tile above reaches 84 %.`, "VPADDD"))
	thin := micro{shape: zThin, name: "tileInt8AVX512VNNINarrow", bStep: 64, tail: intTail}
	thin.doc = `
tileInt8AVX512VNNINarrow is tileInt8AVX512VNNI, 8×16, for convolutions whose output channels
leave half of 32 columns idle: 8 VPDPBUSD, a load of B, 8 broadcast loads of A a step.`
	thin.zero = func(a *asm) { thin.initSums(a, "VMOVDQU32") }
	thin.step = func(a *asm) { outer(a, thin.shape, "VMOVDQU32", "VPBROADCASTD", m.mac) }
	a.tile(thin)
	dotInt8VNNI(a, "AVX512VNNI", "Z")
	dotUint8VNNI(a, "AVX512VNNI", "Z")
	peak(a, "peakInt8AVX512VNNI", "VPDPBUSD", "Z", func(i int) { a.op("VPDPBUSD Z14, Z15, Z%d", i) })
}

// vpdpbusdY and vpdpwssdY write VPDPBUSD and VPDPWSSD in their VEX form, which Go's
// assembler lacks: its own are EVEX on Y registers too, and fault where there is AVX-VNNI alone.
func vpdpbusdY(a *asm, signed, unsigned, acc string) { vnniY(a, "VPDPBUSD", signed, unsigned, acc) }
func vpdpwssdY(a *asm, b, x, acc string)             { vnniY(a, "VPDPWSSD", b, x, acc) }

func vnniY(a *asm, name, src2, src1, acc string) {
	n := func(reg string) (i int) { check(scan(reg, &i)); return i }
	a.bytes(fmt.Sprintf("%s %s, %s, %s", name, src2, src1, acc), encodeVNNI(name, n(src2), n(src1), n(acc)))
}

func scan(reg string, i *int) error {
	_, err := fmt.Sscanf(reg, "Y%d", i)
	return err
}

// encodeVNNI gives the bytes of VPDPBUSD or VPDPWSSD Yacc, Ysrc1, Ysrc2 (Intel's
// order; src1 is VPDPBUSD's unsigned side): VEX.256.66.0F38.W0 50 or 52 /r, Intel SDM
// volume 2.
func encodeVNNI(name string, src2, src1, acc int) []byte {
	return []byte{
		0xc4,
		byte(1-acc>>3)<<7 | 0x40 | byte(1-src2>>3)<<5 | 2,
		byte(15-src1)<<3 | 5,
		map[string]byte{"VPDPBUSD": 0x50, "VPDPWSSD": 0x52}[name],
		0xc0 | byte(acc&7)<<3 | byte(src2&7),
	}
}

func int8AVXVNNI(a *asm) {
	m := micro{shape: yTile, name: "tileInt8AVXVNNI", bStep: 64, tail: intTail, broadcast: "VPBROADCASTD", mac: vpdpbusdY}
	m.doc = `
tileInt8AVXVNNI is tileInt8AVX512VNNI on 256 bits, 4×16, three tiles at a time as
twice 6×16, VEX-coded for CPUs that have AVX-VNNI without AVX-512. A step of K
of 6 rows is 12 VPDPBUSD in 6 cycles, 2 loads of B, 6 broadcast loads of A. Its
latency of 5 cycles at two a cycle needs 10 independent sums: there are 12.
Measured (best run of macroscope bench --filter Tile): 94 % of peak on Emerald
Rapids; 97 on Zen 5, with one step a round of the loop.`
	a.tall(m)
	a.tall(m.blockTile("tileInt8AVXVNNIBlock", `the loop above four words a
round: 48 VPDPBUSD in 24 cycles, 32 loads and a prefetch of the next panel.
Measured on Emerald Rapids (macroscope bench --filter Gemm, 1024×1024×1024):
91 % of peak, where the tile above reaches 85 %.`, "VPADDD"))
	dotInt8VNNI(a, "AVXVNNI", "Y")
	dotUint8VNNI(a, "AVXVNNI", "Y")
	peak(a, "peakInt8AVXVNNI", "VPDPBUSD", "Y", func(i int) { vpdpbusdY(a, "Y14", "Y15", fmt.Sprint("Y", i)) })
}

func int8AVX2(a *asm) {
	// Sums in two registers a row, each column in two halves; joined at the end.
	m := micro{shape: yTile8, name: "tileInt8AVX2", bStep: 32}
	m.doc = `
tileInt8AVX2 is the loop of tile.Args, 4×8, on sign-extended int16: VPMADDWD
gives exact pair sums where VPMADDUBSW would saturate. A step of K (four
values) is 2 VPMOVSXBW of B, and for each row a broadcast, a VPMOVSXBW, 2
VPMADDWD and 2 VPADDD; each column has two partial sums, joined after K.
Measured on Zen 4 (best run of macroscope bench --filter Tile): 67 % of the peak
of VPMADDWD and VPADDD alone, since the widening takes as many instructions.`
	half := func(r, h int) string { return fmt.Sprintf("Y%d", 2*r+h) }
	m.zero = func(a *asm) {
		for i := range 2 * m.mr {
			a.op("VPXOR Y%d, Y%d, Y%d", i, i, i)
		}
	}
	m.step = func(a *asm) {
		a.op("VPMOVSXBW (BX), Y8 // columns 0-3")
		a.op("VPMOVSXBW 16(BX), Y9 // columns 4-7")
		for r := range m.mr {
			t, u := fmt.Sprintf("Y%d", 10+r%2*2), fmt.Sprintf("Y%d", 11+r%2*2)
			a.op("VPBROADCASTD (%s)(CX*1), X%s", rowPtr[r], t[1:])
			a.op("VPMOVSXBW X%s, %s", t[1:], t)
			a.op("VPMADDWD %s, Y8, %s", t, u)
			a.op("VPADDD %s, %s, %s", u, half(r, 0), half(r, 0))
			a.op("VPMADDWD %s, Y9, %s", t, u)
			a.op("VPADDD %s, %s, %s", u, half(r, 1), half(r, 1))
		}
	}
	m.sums = func(a *asm) {
		a.op("MOVQ ARG_Init, AX")
		for r := range m.mr {
			a.op("VPHADDD %s, %s, %s // c0 c1 c4 c5 | c2 c3 c6 c7", half(r, 1), half(r, 0), half(r, 0))
			a.op("VPERMQ $0xd8, %s, Y%d", half(r, 0), r)
			a.op("VPADDD (AX), Y%d, Y%d", r, r)
		}
	}
	m.tail = intTail
	a.tile(m)
	int8AVX2NonNegative(a)
	dotBytesAVX2(a, "dotInt8AVX2", "int8", "VPMOVSXBW")
	dotBytesAVX2(a, "dotUint8AVX2", "uint8", "VPMOVZXBW")
	peak(a, "peakInt8AVX2", "VPMADDUBSW, VPMADDWD and VPADDD", "Y", func(i int) {
		a.op("VPMADDUBSW Y14, Y15, Y13")
		a.op("VPMADDWD Y14, Y13, Y13")
		a.op("VPADDD Y13, Y%d, Y%d", i, i)
	})
}

func int8AVX2NonNegative(a *asm) {
	m := micro{shape: yTile8, name: "tileInt8AVX2NonNegative", bStep: 32, tail: intTail}
	m.doc = `
tileInt8AVX2NonNegative is the loop of tile.Args, 4×8, for bytes of A within
0…127. VPMADDUBSW adds two products in int16, at most 2·127·128 = 32512, which
is exact; VPMADDWD with ones adds two of those. A step of K (four values) is a
load of B and for each row a broadcast, VPMADDUBSW, VPMADDWD and VPADDD: 8
multiplications on two ports are 4 cycles, 32 products a cycle.
Measured on Zen 4 (best run of macroscope bench --filter int8/impl=avx2): 1.7
times the tile for signed bytes in the network.`
	m.once = func(a *asm) {
		a.op("VPCMPEQW Y15, Y15, Y15")
		a.op("VPSRLW $15, Y15, Y15 // ones")
	}
	m.zero = func(a *asm) { m.initSums(a, "VMOVDQU") }
	m.step = func(a *asm) {
		a.op("VMOVDQU (BX), Y8")
		for r := range m.mr {
			x := fmt.Sprintf("Y%d", 9+r)
			a.op("VPBROADCASTD (%s)(CX*1), %s", rowPtr[r], x)
			a.op("VPMADDUBSW Y8, %s, %s", x, x)
			a.op("VPMADDWD Y15, %s, %s", x, x)
			a.op("VPADDD %s, %s, %s", x, m.acc(r, 0), m.acc(r, 0))
		}
	}
	a.tile(m)
}

func binaryAVX512(a *asm) {
	a.raw(byteOrder)
	m := micro{shape: zTile, name: "tileBinaryAVX512", bStep: 128, tail: intTail}
	m.doc = `
tileBinaryAVX512 is the loop of tile.Args, 8×32. A step of K (32 bits) is 16
times VPXORD, VPOPCNTD, VPADDD: 48 instructions on two ports are 24 cycles, and
10 loads hide behind them.
Measured on Zen 4 (best run of macroscope bench --filter Tile): 99 % of peak.`
	m.zero = m.clearSums
	i := 0
	m.broadcast = "VPBROADCASTD"
	m.mac = func(a *asm, b, x, acc string) {
		t := fmt.Sprintf("Z%d", 22+i%8)
		i++
		a.op("VPXORD %s, %s, %s", b, x, t)
		a.op("VPOPCNTD %s, %s", t, t)
		a.op("VPADDD %s, %s, %s", t, acc, acc)
	}
	m.step = func(a *asm) { outer(a, m.shape, "VMOVDQU32", m.broadcast, m.mac) }
	m.sums = func(a *asm) { m.binarySums(a, 0) }
	a.tile(m)
	m.name = "tileBinaryAVX512Pieces"
	m.sums = func(a *asm) { m.binarySums(a, m.nr()*4) }
	m.double = func(a *asm, acc string) { a.op("VPADDD %s, %s, %s", acc, acc, acc) }
	a.pieces(m)
	m.ternary(a)
	dotBinaryAVX512(a)
	peak(a, "peakBinaryAVX512", "VPXORD, VPOPCNTD and VPADDD", "Z", func(i int) {
		t := 16 + i
		a.op("VPXORD Z14, Z15, Z%d", t)
		a.op("VPOPCNTD Z%d, Z%d", t, t)
		a.op("VPADDD Z%d, Z%d, Z%d", t, i, i)
	})
}

// ternary writes the tile of pieces for weights of −1, 0 and 1, a select in place of
// the xor.
func (m micro) ternary(a *asm) {
	m.name, m.bStep = "tileTernaryAVX512Pieces", 2*m.bStep
	m.doc = `
tileTernaryAVX512Pieces is tileBinaryAVX512Pieces for weights of −1, 0 and 1, two words of B for one of A:
VPTERNLOGD selects the bits of one or the other that count.
Measured on Zen 5 (macroscope bench --filter BitSerial): a product takes 1.1 to 1.2 times as
long as one of ±1.`
	m.more = func(a *asm) {
		for v := range m.nv {
			a.op("VMOVDQU32 %d(BX), Z%d", m.nr()*4+v*m.bytes(), 30+v)
		}
	}
	i := 0
	m.mac = func(a *asm, b, x, acc string) {
		t := fmt.Sprintf("Z%d", 22+i%8)
		negative := fmt.Sprintf("Z%d", 30+i%m.nv)
		i++
		a.op("VMOVDQA32 %s, %s", x, t)
		a.op("VPTERNLOGD $0xac, %s, %s, %s // x ? negative : positive", negative, b, t)
		a.op("VPOPCNTD %s, %s", t, t)
		a.op("VPADDD %s, %s, %s", t, acc, acc)
	}
	a.pieces(m)
}

// binarySums turns counts into Init − 2·count; the Init of the second half of the
// rows stands a number of bytes behind the first's.
func (m micro) binarySums(a *asm, second int) {
	a.op("MOVQ ARG_Init, AX")
	for r := range m.mr {
		for v := range m.nv {
			if half := r / (m.mr / 2); r%(m.mr/2) == 0 && (half == 0 || second > 0) {
				a.op("VMOVDQU32 %d(AX), Z%d", half*second+v*m.bytes(), 16+v)
			}
		}
		for v := range m.nv {
			x := m.acc(r, v)
			a.op("VPADDD %s, %s, %s", x, x, x)
			a.op("VPSUBD %s, Z%d, %s", x, 16+v, x)
		}
	}
}

func binaryAVX2(a *asm) {
	a.raw(nibbleData)
	m := micro{shape: yTile8, name: "tileBinaryAVX2", bStep: 32, chunk: 31}
	m.doc = `
tileBinaryAVX2 is the loop of tile.Args, 4×8. AVX2 has no popcount: each nibble
looks its own up in a table (VPSHUFB). A step of K (32 bits) is for each row a
broadcast, VPXOR, 2 VPAND, VPSRLW, 2 VPSHUFB and 2 VPADDB into bytes, which
hold 31 steps (31·8 ≤ 255) before they are widened.
Measured on Zen 4 (best run of macroscope bench --filter Tile): 93 % of peak.`
	// Y0-3 sums, Y4-7 bytes, Y8 B, Y9-11 scratch, Y12 table, Y13 low nibbles, Y14/Y15 ones.
	m.once = func(a *asm) {
		a.op("VMOVDQU nibblePopcount<>(SB), Y12")
		broadcastByte(a, 0x0f, 13)
		broadcastByte(a, 1, 14)
		a.op("VPSRLW $8, Y14, Y15")
	}
	m.zero = func(a *asm) {
		for i := range 8 {
			a.op("VPXOR Y%d, Y%d, Y%d", i, i, i)
		}
	}
	m.step = func(a *asm) {
		a.op("VMOVDQU (BX), Y8")
		for r := range m.mr {
			a.op("VPBROADCASTD (%s)(CX*1), Y9", rowPtr[r])
			a.op("VPXOR Y8, Y9, Y9")
			nibbles(a, 9, 10)
			a.op("VPADDB Y9, Y%d, Y%d", 4+r, 4+r)
		}
	}
	m.flush = func(a *asm) {
		for r := range m.mr {
			a.op("VPMADDUBSW Y14, Y%d, Y9 // bytes to int16", 4+r)
			a.op("VPMADDWD Y15, Y9, Y9 // to int32")
			a.op("VPADDD Y9, Y%d, Y%d", r, r)
			a.op("VPXOR Y%d, Y%d, Y%d", 4+r, 4+r, 4+r)
		}
	}
	m.sums = func(a *asm) {
		a.op("MOVQ ARG_Init, AX")
		a.op("VMOVDQU (AX), Y8")
		for r := range m.mr {
			a.op("VPADDD Y%d, Y%d, Y%d", r, r, r)
			a.op("VPSUBD Y%d, Y8, Y%d", r, r)
		}
	}
	m.tail = intTail
	a.tile(m)
	dotBinaryAVX2(a)
	peak(a, "peakBinaryAVX2", "VPXOR, the nibble popcount and VPADDB", "Y", func(i int) {
		a.op("VPXOR Y14, Y15, Y9")
		nibbles(a, 9, 10)
		a.op("VPADDB Y9, Y%d, Y%d", i%8, i%8)
	})
}

func fma(a *asm, b, x, acc string) { a.op("VFMADD231PS %s, %s, %s", b, x, acc) }

// outer is a step of K as an outer product: every row's word with every vector
// of B. Scratch registers follow the sums: nv of B, then up to four of A in turn.
func outer(a *asm, s shape, load, broadcast string, mac func(a *asm, b, x, acc string)) {
	outerRows(a, s, 0, s.mr, load, broadcast, mac)
}

// outerRows is outer for rows from … to−1.
func outerRows(a *asm, s shape, from, to int, load, broadcast string, mac func(a *asm, b, x, acc string)) {
	outerAt(a, s, from, to, 0, func(r int) string { return fmt.Sprintf("(%s)(CX*1)", rowPtr[r]) }, load, broadcast, mac)
}

// outerAt is outerRows with the word of row r at at(r), and B's bOff bytes behind BX.
func outerAt(a *asm, s shape, from, to, bOff int, at func(r int) string, load, broadcast string, mac func(a *asm, b, x, acc string)) {
	b0 := s.mr * s.nv
	for v := range s.nv {
		a.op("%s %d(BX), %s", load, bOff+v*s.bytes(), s.r(b0+v))
	}
	for r := from; r < to; r++ {
		x := s.r(b0 + s.nv + r%min(4, s.regs()-b0-s.nv))
		a.op("%s %s, %s", broadcast, at(r), x)
		for v := range s.nv {
			mac(a, s.r(b0+v), x, s.acc(r, v))
		}
	}
}
