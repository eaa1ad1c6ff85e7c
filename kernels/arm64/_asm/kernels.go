package main

import "macroscope/dtype"

// outer gives the steps of a tile of 8×8 whose instruction multiplies a vector of
// four columns of B with one word of A, a lane of a register of four words, for
// rows from … to−1: sums are V0-15, four words of each row V16-23, two vectors of
// B of each word V24-31.
func outer(m micro, mac string, from, to int) []step {
	four := func(a *asm) {
		a.loadB(0, 24)
		a.loadA(4, from, 16+from)
		a.loadA(4, from+1, 17+from)
		for k := range 4 {
			for r := from; r < to; r++ {
				if k == 0 && r < to-2 { // each load two rows ahead of its use
					a.loadA(4, r+2, 18+r)
				}
				if k < 3 && r == (from+to)/2 {
					a.loadB(32*(k+1), 26+2*k)
				}
				for v := range 2 {
					a.vec(mac, m.acc(r, v), 24+2*k+v, 16+r, k)
				}
			}
		}
		a.moveOn(m, 4)
	}
	one := func(a *asm) {
		a.loadB(0, 24)
		for r := from; r < to; r++ {
			a.loadA(1, r, 16+r)
		}
		for r := from; r < to; r++ {
			for v := range 2 {
				a.vec(mac, m.acc(r, v), 24+v, 16+r, 0)
			}
		}
		a.moveOn(m, 1)
	}
	return []step{{4, four}, {1, one}}
}

// outerTiles writes a tile of 8×8 by outer, and the one that takes pieces.
func outerTiles(a *asm, m micro, mac string) {
	m.zero = m.initSums
	m.steps = outer(m, mac, 0, 8)
	a.tile(m)
	m.doc = m.name + "Pieces is " + m.name + " for tile.Args.Pieces."
	m.name += "Pieces"
	m.half = [2][]step{outer(m, mac, 0, 4), outer(m, mac, 4, 8)}
	a.tile(m)
}

func float32NEON(a *asm) {
	a.argsHeader()
	m := micro{name: "tileFloat32NEON", dtype: dtype.Float32, impl: "neon", mr: 8, nv: 2, macs: 1, accs: 16, tail: floatTail}
	m.doc = `
tileFloat32NEON is the loop of tile.Args, 8×8. Its innermost loop takes four
words of K:

	for k := range 4 {
		for r := range 8 {
			for c := range 8 {
				sum[r][c] += A[r][k] * B[k][c]
			}
		}
	}

64 FMLA by element for 256 MACs, 4 a FMLA. A row's four words are one load of 16
bytes, of which each FMLA takes a lane, so that A needs no broadcast and no
packing: 8 LDR and 4 LDP are 16 vectors, a quarter of a load a FMLA. 16 sums, 8
registers of A, 8 of B: all 32. 16 independent sums cover a latency of 4 cycles
at four FMLA a cycle. Of the shapes that fit, 8×8 loads least: 8×12 has room
for two words of A, not four, and loads 14 times for 48 FMLA.`
	outerTiles(a, m, "FMLA lane")
	dotFloat32(a)
	peak(a, "peakFloat32NEON", "FMLA", func(i int) { a.vec("FMLA lane", i, 16, 17, 0) })
}

func int8DotProd(a *asm) {
	a.argsHeader()
	m := micro{name: "tileInt8DotProd", dtype: dtype.Int8, impl: "dotprod", mr: 8, nv: 2, macs: 4, accs: 16, tail: intTail}
	m.doc = `
tileInt8DotProd is the loop of tile.Args, 8×8. Its innermost loop takes four
words of K:

	for k := range 4 {
		for r := range 8 {
			for c := range 8 {
				for i := range 4 {
					sum[r][c] += int32(A[r][k][i]) * int32(B[k][c][i])
				}
			}
		}
	}

64 SDOT by element for 1024 MACs, 16 a SDOT; loads and registers as
tileFloat32NEON's.`
	outerTiles(a, m, "SDOT lane")
	dotInt8DotProd(a)
	dotUint8DotProd(a)
	peak(a, "peakInt8DotProd", "SDOT", func(i int) { a.vec("SDOT", i, 16, 17) })
}

// int8I8MM: V0-15 are pairs of rows by pairs of columns, V16-23 and V28 rows of A
// and their pairs, V24-27 two words of B's columns.
func int8I8MM(a *asm) {
	a.argsHeader()
	m := micro{name: "tileInt8I8MM", dtype: dtype.Int8, impl: "i8mm", mr: 8, nv: 2, macs: 4, accs: 16, base: 16, tail: intTail}
	m.doc = `
tileInt8I8MM is the loop of tile.Args, 8×8. Its innermost loop takes four words
of K, p and q being a pair of rows and of columns:

	for k := 0; k < 4; k += 2 {
		for p := range 4 {
			for q := range 4 {
				for i := range 8 { // the bytes of two words
					sum[2*p][2*q] += int32(A[2*p][k:k+2][i]) * int32(B[k:k+2][2*q][i])
					sum[2*p][2*q+1] += int32(A[2*p][k:k+2][i]) * int32(B[k:k+2][2*q+1][i])
					sum[2*p+1][2*q] += int32(A[2*p+1][k:k+2][i]) * int32(B[k:k+2][2*q][i])
					sum[2*p+1][2*q+1] += int32(A[2*p+1][k:k+2][i]) * int32(B[k:k+2][2*q+1][i])
				}
			}
		}
	}

32 SMMLA for 1024 MACs, 32 a SMMLA. B is packed with the two words of a column
beside each other (tile.Kernel.PairWords), so that it needs no moving; two rows
of A, loaded as four words each, become the pairs of two steps by a ZIP1 and a
ZIP2: 8 for 32 SMMLA. 16 vectors are loaded, half a load a SMMLA. 16 sums, 9
registers of A, 4 of B: 29. After K the pairs are put back into rows.`
	m.zero = func(a *asm) { clear(a, 16) }
	m.steps = pairs(m, 0, 4)
	m.sums = func(a *asm) { m.unpair(a, 0) }
	a.tile(m)
	n := m
	n.name, n.doc = "tileInt8I8MMPieces", "tileInt8I8MMPieces is tileInt8I8MM for tile.Args.Pieces of an even number of words."
	n.half = [2][]step{pairs(m, 0, 2), pairs(m, 2, 4)}
	n.sums = func(a *asm) { n.unpair(a, 16*n.nv) }
	a.tile(n)
	dotUint8I8MM(a)
	peak(a, "peakInt8I8MM", "SMMLA", func(i int) { a.vec("SMMLA", i, 16, 17) })
}

// pairs gives the steps of int8I8MM for pairs of rows from … to−1.
func pairs(m micro, from, to int) []step {
	macs := func(a *asm, pairs map[int]int) {
		for p := from; p < to; p++ {
			for q := range 4 {
				a.vec("SMMLA", 4*p+q, pairs[p], 24+q)
			}
		}
	}
	four := func(a *asm) {
		a.loadB(0, 24)
		a.loadB(32, 26)
		for r := 2 * from; r < 2*to; r++ {
			a.loadA(4, r, 16+r)
		}
		// The pairs of the first two words go where the last ones' rows were.
		first, last, free := map[int]int{}, map[int]int{}, 28
		for p := from; p < to; p++ {
			first[p], last[p] = free, 17+2*p
			a.zip(1, "D2", free, 16+2*p, 17+2*p)
			a.zip(2, "D2", 17+2*p, 16+2*p, 17+2*p)
			free = 16 + 2*p
		}
		macs(a, first)
		a.loadB(64, 24)
		a.loadB(96, 26)
		macs(a, last)
		a.moveOn(m, 4)
	}
	few := func(words int) func(a *asm) {
		return func(a *asm) {
			a.loadB(0, 24)
			if words == 2 {
				a.loadB(32, 26)
			} else { // a last word alone has zeros beside it
				a.op("VMOVI $0, V28.B16")
				a.zip(2, "S4", 27, 25, 28)
				a.zip(1, "S4", 26, 25, 28)
				a.zip(2, "S4", 25, 24, 28)
				a.zip(1, "S4", 24, 24, 28)
			}
			for r := 2 * from; r < 2*to; r++ {
				a.loadA(words, r, 16+r)
			}
			at := map[int]int{}
			for p := from; p < to; p++ {
				at[p] = 16 + 2*p
				a.zip(1, "D2", 16+2*p, 16+2*p, 17+2*p)
			}
			macs(a, at)
			a.moveOn(m, words)
		}
	}
	return []step{{4, four}, {2, few(2)}, {1, few(1)}}
}

// unpair puts the sums of pairs of rows and columns into rows and adds Init; the
// Init of the second half of the rows stands a number of bytes behind the first's.
func (m micro) unpair(a *asm, second int) {
	for p := range 4 {
		for v := range 2 {
			a.zip(1, "D2", m.acc(2*p, v), 4*p+2*v, 4*p+2*v+1)
			a.zip(2, "D2", m.acc(2*p+1, v), 4*p+2*v, 4*p+2*v+1)
		}
	}
	a.addInit(m, 0, second)
}

// zip is ZIP1 or ZIP2 of two registers.
func (a *asm) zip(which int, lanes string, to, first, second int) {
	a.op("VZIP%d V%d.%s, V%d.%s, V%d.%s", which, second, lanes, first, lanes, to, lanes)
}

// addInit adds Init to every row, which goes through registers from scratch on;
// second is unpair's.
func (a *asm) addInit(m micro, scratch, second int) {
	a.op("MOVD ARG_Init, R7")
	for r := range m.mr {
		if half := r / (m.mr / 2); r%(m.mr/2) == 0 && (half == 0 || second > 0) {
			a.loadRow(m, "R7", half*second, scratch)
		}
		for v := range m.nv {
			a.op("VADD V%d.S4, V%d.S4, V%d.S4", scratch+v, m.acc(r, v), m.acc(r, v))
		}
	}
}

// int8NEON: V0-15 hold for each row the halves of two vectors, each column in two
// sums; V16-19 four words of each row, V20 and V21 words in all lanes, V22-25 B,
// V26-31 products.
func int8NEON(a *asm) {
	a.argsHeader()
	m := micro{name: "tileInt8NEON", dtype: dtype.Int8, impl: "neon", mr: 4, nv: 2, macs: 4, accs: 16, tail: intTail}
	m.doc = `
tileInt8NEON is the loop of tile.Args, 4×8, for all bytes, −128 included. Its
innermost loop takes four words of K:

	for k := range 4 {
		for r := range 4 {
			for c := range 8 {
				for i := range 2 {
					low := int16(A[r][k][2*i]) * int16(B[k][c][2*i])      // SMULL, SMULL2
					high := int16(A[r][k][2*i+1]) * int16(B[k][c][2*i+1])
					sum[r][c][i] += int32(low) + int32(high)              // SADALP
				}
			}
		}
	}

Two products of −128 do not fit together into an int16, so each product is
widened by itself: 64 SMULL or SMULL2 and 64 SADALP for 512 MACs, 4 an
instruction, 16 DUP beside. 4 LDR and 4 LDP are 12 vectors, a fifth of a load a
SMULL. 16 sums, 4 registers of A, 2 for its words, 4 of B, 6 products: all 32. A
column's two sums are added after K.`
	m.zero = func(a *asm) { clear(a, 16) }
	products := 0
	// four gives the next four registers of products.
	four := func() (t [4]int) {
		for i := range t {
			t[i] = 26 + products%6
			products++
		}
		return t
	}
	half := []string{"", "2"}
	mul := func(a *asm, op string, t [4]int, word, b int) {
		for i := range t {
			a.vec(op+half[i%2], t[i], b+i/2, word)
		}
	}
	widen := func(a *asm, r int, t [4]int) {
		for i := range t {
			a.vec("SADALP", 4*r+i, t[i])
		}
	}
	signed := func(a *asm) {
		for r := range 4 {
			a.loadA(4, r, 16+r)
		}
		for k := range 4 {
			b := 22 + k%2*2
			a.loadB(32*k, b)
			for r := range 4 {
				word, t := 20+r%2, four()
				a.op("VDUP V%d.S[%d], V%d.S4", 16+r, k, word)
				mul(a, "SMULL", t, word, b)
				widen(a, r, t)
			}
		}
		a.moveOn(m, 4)
	}
	one := func(a *asm) {
		a.loadB(0, 22)
		for r := range 4 {
			a.loadA(1, r, 16+r)
		}
		for r := range 4 {
			word, t := 20+r%2, four()
			a.op("VDUP V%d.S[0], V%d.S4", 16+r, word)
			mul(a, "SMULL", t, word, 22)
			widen(a, r, t)
		}
		a.moveOn(m, 1)
	}
	m.steps = []step{{4, signed}, {1, one}}
	m.sums = func(a *asm) {
		for i := range 8 {
			a.op("VADDP V%d.S4, V%d.S4, V%d.S4", 2*i+1, 2*i, i)
		}
		a.addInit(m, 16, 0)
	}
	a.tile(m)

	n := m
	n.name, n.nonNegative = "tileInt8NEONNonNegative", true
	n.doc = `
tileInt8NEONNonNegative is the loop of tile.Args, 4×8, for bytes of A within
0…127: two products are at most 2·127·128 = 32512 and fit into an int16. Its
innermost loop is tileInt8NEON's with the words k and k+1 added before they are
widened: 32 SMULL, 32 SMLAL and 32 SADALP for 512 MACs, 5.3 an instruction, 16
DUP beside. Loads and registers are the same.`
	pairs := func(a *asm) {
		for r := range 4 {
			a.loadA(4, r, 16+r)
		}
		for k := 0; k < 4; k += 2 {
			a.loadB(32*k, 22)
			a.loadB(32*k+32, 24)
			for r := range 4 {
				t := four()
				a.op("VDUP V%d.S[%d], V20.S4", 16+r, k)
				a.op("VDUP V%d.S[%d], V21.S4", 16+r, k+1)
				mul(a, "SMULL", t, 20, 22)
				mul(a, "SMLAL", t, 21, 24)
				widen(a, r, t)
			}
		}
		a.moveOn(m, 4)
	}
	n.steps = []step{{4, pairs}, {1, one}}
	a.tile(n)
	dotBytesNEON(a)
	peak(a, "peakInt8NEON", "SMULL, SMLAL and SADALP", func(i int) {
		t := 18 + i%8
		a.vec("SMULL", t, 16, 17)
		a.vec("SMLAL", t, 16, 17)
		a.vec("SADALP", i, t)
	})
}

// binaryNEON: V0-15 count in bytes, V16-19 are four words of each row, V20-23 a
// word of each in all lanes, V24-27 B, V28-31 scratch; the sums are in memory at
// R24.
func binaryNEON(a *asm) {
	a.argsHeader()
	m := micro{name: "tileBinaryNEON", dtype: dtype.Binary, impl: "neon", mr: 4, nv: 4, macs: 32, accs: 16, chunk: 31, frame: 264, tail: intTail}
	m.doc = `
tileBinaryNEON is the loop of tile.Args, 4×16. Its innermost loop takes four words
of K:

	for k := range 4 {
		for r := range 4 {
			for c := range 16 {
				for i := range 4 {
					count[r][c][i] += bits.OnesCount8(A[r][k][i] ^ B[k][c][i])
				}
			}
		}
	}

64 times EOR, CNT and ADD for 8192 MACs, 42 an instruction, 16 DUP beside. A byte
holds 31 words (31·8 ≤ 255) before it is widened by UADDLP and UADALP, which
happens once for most layers: that is why the sums wait in memory and leave the
registers to the bytes. 4 LDR and 8 LDP are 20 vectors, 0.3 of a load an EOR. 16
counts, 8 registers of A, 4 of B, 4 for scratch: all 32.`
	m.once = func(a *asm) {
		a.op("MOVD RSP, R24")
		a.op("ADD $16, R24 // whole vectors")
	}
	m.zero = func(a *asm) {
		clear(a, 16)
		for i := 0; i < 16; i += 2 {
			a.op("FSTPQ (F0, F0), %d(R24)", 16*i)
		}
	}
	count := func(a *asm, r, word int) {
		for v := range 4 {
			a.op("VEOR V%d.B16, V%d.B16, V%d.B16", word, 24+v, 28+v)
		}
		for v := range 4 {
			a.op("VCNT V%d.B16, V%d.B16", 28+v, 28+v)
		}
		for v := range 4 {
			a.op("VADD V%d.B16, V%d.B16, V%d.B16", 28+v, m.acc(r, v), m.acc(r, v))
		}
	}
	four := func(a *asm) {
		for r := range 4 {
			a.loadA(4, r, 16+r)
		}
		for k := range 4 {
			a.loadB(64*k, 24)
			a.loadB(64*k+32, 26)
			for r := range 4 {
				a.op("VDUP V%d.S[%d], V%d.S4", 16+r, k, 20+r)
				count(a, r, 20+r)
			}
		}
		a.moveOn(m, 4)
	}
	one := func(a *asm) {
		a.loadB(0, 24)
		a.loadB(32, 26)
		for r := range 4 {
			a.loadA(1, r, 16+r)
		}
		for r := range 4 {
			a.op("VDUP V%d.S[0], V%d.S4", 16+r, 20+r)
			count(a, r, 20+r)
		}
		a.moveOn(m, 1)
	}
	m.steps = []step{{4, four}, {1, one}}
	m.flush = func(a *asm) {
		for i := 0; i < 16; i += 2 {
			a.op("FLDPQ %d(R24), (F28, F29)", 16*i)
			for j := range 2 {
				a.vec("UADDLP 16B", 30+j, i+j)
				a.vec("UADALP 8H", 28+j, 30+j)
				a.op("VMOVI $0, V%d.B16", i+j)
			}
			a.op("FSTPQ (F28, F29), %d(R24)", 16*i)
		}
	}
	m.sums = func(a *asm) {
		a.op("MOVD ARG_Init, R7")
		a.loadRow(m, "R7", 0, 16)
		for r := range 4 {
			a.loadRow(m, "R24", 64*r, m.acc(r, 0))
			for v := range 4 {
				x := m.acc(r, v)
				a.op("VADD V%d.S4, V%d.S4, V%d.S4", x, x, x)
				a.op("VSUB V%d.S4, V%d.S4, V%d.S4", x, 16+v, x)
			}
		}
	}
	a.tile(m)
	dotBinaryNEON(a)
	peak(a, "peakBinaryNEON", "EOR, CNT and ADD", func(i int) {
		t := 18 + i%8
		a.op("VEOR V16.B16, V17.B16, V%d.B16", t)
		a.op("VCNT V%d.B16, V%d.B16", t, t)
		a.op("VADD V%d.B16, V%d.B16, V%d.B16", t, i, i)
	})
}
