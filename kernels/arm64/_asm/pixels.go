package main

import (
	"fmt"
	"slices"
	"unsafe"

	"macroscope/kernels/tile"
)

// The loops of tile.PixelFuncs: a vector of channels at a time, constants and sums
// in registers, over all pixels. Registers: R0 the arguments, R1 the byte offset of
// the vector of channels, R2 Step, R3 the pixels left, R4 2·Step, R5 the vectors
// left, R7 scratch, and a pointer each to what the loop walks over.
var pixelPtr = map[string]int{"X": 8, "Y": 9, "G": 10, "Out": 11, "X2": 12, "Out2": 13}

type pixelLoop struct {
	name, doc string
	walks     []string // of pixelPtr
	twice     []string // those that move two pixels a step
	load      func()   // constants and sums of the vector at R1
	step      func()
	store     func()
}

func (a *asm) pixelLoop(l pixelLoop) {
	a.comment(l.name + " is the loop of tile.PixelFuncs." + l.doc + ".")
	a.raw(fmt.Sprintf("//\n// func %s(p *tile.Pixels)\nTEXT ·%s(SB), NOSPLIT, $0-8\n", l.name, l.name))
	a.op("MOVD p+0(FP), R0")
	a.op("MOVD P_Step, R2")
	a.op("MOVD P_Vectors, R5")
	a.op("MOVD ZR, R1")
	if len(l.twice) > 0 {
		a.op("LSL $1, R2, R4")
	}
	a.label("vector")
	for _, w := range l.walks {
		switch w {
		case "X2":
			a.op("MOVD P_Row, R7")
			a.op("ADD R7, R%d, R%d", pixelPtr["X"], pixelPtr[w])
		case "Out2":
			a.op("MOVD P_OutRow, R7")
			a.op("ADD R7, R%d, R%d", pixelPtr["Out"], pixelPtr[w])
		default:
			a.op("MOVD P_%s, R%d", w, pixelPtr[w])
			a.op("ADD R1, R%d", pixelPtr[w])
		}
	}
	if l.load != nil {
		l.load()
	}
	a.op("MOVD P_Count, R3")
	a.op("PCALIGN $32")
	a.label("pixel")
	l.step()
	for _, w := range l.walks {
		step := 2
		if slices.Contains(l.twice, w) {
			step = 4
		}
		a.op("ADD R%d, R%d", step, pixelPtr[w])
	}
	a.op("SUBS $1, R3")
	a.op("BNE pixel")
	if l.store != nil {
		l.store()
	}
	a.op("ADD $16, R1")
	a.op("SUBS $1, R5")
	a.op("BNE vector")
	a.op("RET")
	a.raw("\n")
}

func pixels(a *asm) {
	var p tile.Pixels
	for _, f := range []struct {
		name   string
		offset uintptr
	}{
		{"X", unsafe.Offsetof(p.X)}, {"Y", unsafe.Offsetof(p.Y)}, {"G", unsafe.Offsetof(p.G)}, {"Out", unsafe.Offsetof(p.Out)},
		{"A", unsafe.Offsetof(p.A)}, {"B", unsafe.Offsetof(p.B)}, {"K", unsafe.Offsetof(p.K)}, {"Count", unsafe.Offsetof(p.Count)},
		{"Step", unsafe.Offsetof(p.Step)}, {"Vectors", unsafe.Offsetof(p.Vectors)}, {"Row", unsafe.Offsetof(p.Row)},
		{"OutRow", unsafe.Offsetof(p.OutRow)}, {"Lo", unsafe.Offsetof(p.Lo)},
	} {
		a.define("P_"+f.name, f.offset)
	}
	a.raw("\n")

	// Constants and sums are registers 0 to 2, a step's values 4 and up.
	constants := func(names ...string) func() {
		return func() {
			for i, n := range names {
				a.op("MOVD P_%s, R7", n)
				a.vec("LDR", i, 7, 1)
			}
		}
	}
	keep := func() {
		for i, n := range []string{"A", "B"} {
			a.op("MOVD P_%s, R7", n)
			a.op("ADD R1, R7")
			a.op("FMOVQ F%d, (R7)", i)
		}
	}
	broadcast := func(bits uint32, to int) {
		a.op("MOVW $%#x, R7", bits)
		a.op("VDUP R7, V%d.S4", to)
	}
	const one, minusOne = 0x3f800000, 0xbf800000
	get := func(w string, to int) { a.op("FMOVQ (R%d), F%d", pixelPtr[w], to) }
	put := func(from int, w string) { a.op("FMOVQ F%d, (R%d)", from, pixelPtr[w]) }
	getSecond := func(w string, to int) { a.vec("LDR", to, pixelPtr[w], 2) }
	putSecond := func(from int, w string) {
		a.op("ADD R2, R%d, R7", pixelPtr[w])
		a.op("FMOVQ F%d, (R7)", from)
	}
	and := func(to, x, y int) { a.op("VAND V%d.B16, V%d.B16, V%d.B16", y, x, to) }

	a.pixelLoop(pixelLoop{
		name: "pixelMomentsNEON", doc: "Moments", walks: []string{"X"}, load: constants("A", "B"), store: keep,
		step: func() {
			get("X", 4)
			a.vec("FADD", 0, 0, 4)
			a.fmla(1, 4, 4)
		},
	})
	a.pixelLoop(pixelLoop{
		name: "pixelProductsNEON", doc: "Products", walks: []string{"G", "X"}, load: constants("A", "B"), store: keep,
		step: func() {
			get("G", 4)
			get("X", 5)
			a.vec("FADD", 0, 0, 4)
			a.fmla(1, 4, 5)
		},
	})
	a.pixelLoop(pixelLoop{
		name: "pixelMaskedProductsNEON", doc: "MaskedProducts", walks: []string{"G", "X", "Y"}, load: constants("A", "B"), store: keep,
		step: func() {
			get("G", 4)
			get("X", 5)
			get("Y", 6)
			a.vec("FCMEQ zero", 6, 6) // NaN is not 0
			a.vec("BIC", 4, 4, 6)
			put(4, "G")
			a.vec("FADD", 0, 0, 4)
			a.fmla(1, 4, 5)
		},
	})
	a.pixelLoop(pixelLoop{
		name: "pixelLinearNEON", doc: "Linear", walks: []string{"X", "Out"},
		load: func() {
			constants("A", "B")()
			a.everyLane("P_Lo", "S4", 2)
		},
		step: func() {
			get("X", 5)
			a.copy(4, 1)
			a.fmla(4, 5, 0)
			a.vec("FMAX", 4, 4, 2) // of NaN and a number NaN
			put(4, "Out")
		},
	})
	a.pixelLoop(pixelLoop{
		name: "pixelLinear2NEON", doc: "Linear2", walks: []string{"G", "X", "Out"}, load: constants("A", "B", "K"),
		step: func() {
			get("G", 5)
			get("X", 6)
			a.copy(4, 2)
			a.fmla(4, 5, 0)
			a.fmla(4, 6, 1)
			put(4, "Out")
		},
	})
	a.pixelLoop(pixelLoop{
		name: "pixelSignNEON", doc: "Sign", walks: []string{"X", "Out"},
		load: func() {
			broadcast(one, 1)
			broadcast(minusOne, 2)
		},
		step: func() {
			get("X", 4)
			a.vec("FCMGE zero", 4, 4)
			a.op("VBSL V2.B16, V1.B16, V4.B16")
			put(4, "Out")
		},
	})
	a.pixelLoop(pixelLoop{
		name: "pixelSignGradNEON", doc: "SignGrad", walks: []string{"X", "G", "Out"},
		load: func() {
			constants("A", "B")()
			broadcast(one, 2)
		},
		step: func() {
			get("X", 5)
			get("G", 6)
			a.vec("FABS", 5, 5)
			a.copy(4, 0)
			a.fmla(4, 5, 1)
			a.vec("FCMGE", 5, 2, 5) // 1 ≥ |x|
			a.vec("FMUL", 4, 4, 6)
			and(4, 4, 5)
			put(4, "Out")
		},
	})
	a.pixelLoop(pixelLoop{
		name: "pixelPReLUNEON", doc: "PReLU", walks: []string{"X", "Out"},
		load: func() {
			constants("K")()
			broadcast(one, 2)
		},
		step: func() {
			get("X", 5)
			a.vec("CMLT zero", 4, 5) // its sign bit
			a.op("VBSL V2.B16, V0.B16, V4.B16")
			a.vec("FMUL", 4, 4, 5)
			put(4, "Out")
		},
	})
	a.pixelLoop(pixelLoop{
		name: "pixelPReLUGradNEON", doc: "PReLUGrad", walks: []string{"X", "G", "Out"},
		load: func() {
			constants("A", "K")()
			broadcast(one, 2)
		},
		step: func() {
			get("X", 5)
			get("G", 6)
			a.vec("CMLT zero", 4, 5) // its sign bit
			a.vec("FMUL", 7, 5, 6)
			and(7, 7, 4)
			a.vec("FADD", 0, 0, 7)
			a.op("VBSL V2.B16, V1.B16, V4.B16")
			a.vec("FMUL", 4, 4, 6)
			put(4, "Out")
		},
		store: func() {
			a.op("MOVD P_A, R7")
			a.op("ADD R1, R7")
			a.op("FMOVQ F0, (R7)")
		},
	})
	a.pixelLoop(pixelLoop{
		name: "pixelMaxPoolNEON", doc: "MaxPool", walks: []string{"X", "X2", "Out"}, twice: []string{"X", "X2"},
		step: func() {
			get("X", 4)
			getSecond("X", 5)
			get("X2", 6)
			getSecond("X2", 7)
			a.vec("FMAX", 4, 4, 5)
			a.vec("FMAX", 6, 6, 7)
			a.vec("FMAX", 4, 4, 6)
			put(4, "Out")
		},
	})
	a.pixelLoop(pixelLoop{
		name: "pixelMaxPoolGradNEON", doc: "MaxPoolGrad", walks: []string{"X", "X2", "Y", "G", "Out", "Out2"},
		twice: []string{"X", "X2", "Out", "Out2"},
		step: func() {
			get("Y", 4)
			get("G", 5) // what has not been given
			for i, from := range []string{"X", "X", "X2", "X2"} {
				load, store, to := get, put, "Out"
				if i%2 == 1 {
					load, store = getSecond, putSecond
				}
				if i >= 2 {
					to = "Out2"
				}
				load(from, 6)
				a.vec("FCMEQ", 6, 6, 4)
				and(7, 5, 6)
				store(7, to)
				a.vec("BIC", 5, 5, 6)
			}
		},
	})
}
