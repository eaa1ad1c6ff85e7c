package main

import (
	"fmt"
	"unsafe"

	"macroscope/kernels/tile"
)

// The loops of tile.PixelFuncs: a vector of channels at a time, constants and sums
// in registers, over all pixels. They wait for memory: a step is as many loads and
// stores as the loop has, and a few operations beside them.

func (a *asm) pixelsHeader() {
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
		a.raw(fmt.Sprintf("#define P_%s %d(DI)\n", f.name, f.offset))
	}
	a.raw("\n")
}

// Registers of every loop: DI the arguments, BX the byte offset of the vector of
// channels, DX Step, CX pixels left, R13 2·Step, and a pointer each to what the
// loop walks over.
var pixelPtr = map[string]string{"X": "R8", "Y": "R9", "G": "R10", "Out": "R11", "X2": "R12", "Out2": "R14"}

type pixelLoop struct {
	name, doc string
	walks     []string // of pixelPtr
	twice     []string // those that move two pixels a step
	load      func()   // constants and sums of the vector at BX
	step      func()
	store     func()
}

func (a *asm) pixelLoop(s shape, l pixelLoop) {
	start := a.Len() // the step is written to be counted, and again in its place
	l.step()
	n, loads, stores := mix(a.String()[start:])
	a.Truncate(start)
	a.comment(fmt.Sprintf(`%s is the loop of tile.PixelFuncs.%s. A step is
%d instructions, %d of them loads and %d stores, and what moves on: memory is the
bound. Measured within a step of training (go test -bench Step ./train).`, l.name, l.doc, n, loads, stores))
	a.raw(fmt.Sprintf("//\n// func %s(p *tile.Pixels)\nTEXT ·%s(SB), NOSPLIT, $0-8\n", l.name, l.name))
	a.op("MOVQ p+0(FP), DI")
	a.op("MOVQ P_Step, DX")
	a.op("MOVQ P_Vectors, SI")
	a.op("XORL BX, BX")
	if len(l.twice) > 0 {
		a.op("LEAQ (DX)(DX*1), R13")
	}
	a.label("vector")
	for _, w := range l.walks {
		reg := pixelPtr[w]
		switch w {
		case "X2":
			a.op("MOVQ P_X, %s", reg)
			a.op("ADDQ P_Row, %s", reg)
		case "Out2":
			a.op("MOVQ P_Out, %s", reg)
			a.op("ADDQ P_OutRow, %s", reg)
		default:
			a.op("MOVQ P_%s, %s", w, reg)
		}
		a.op("ADDQ BX, %s", reg)
	}
	l.load()
	a.op("MOVQ P_Count, CX")
	a.op("PCALIGN $32")
	a.label("pixel")
	l.step()
	twice := map[string]bool{}
	for _, w := range l.twice {
		twice[w] = true
	}
	for _, w := range l.walks {
		step := "DX"
		if twice[w] {
			step = "R13"
		}
		a.op("ADDQ %s, %s", step, pixelPtr[w])
	}
	a.op("DECQ CX")
	a.op("JNE pixel")
	l.store()
	a.op("ADDQ $%d, BX", s.bytes())
	a.op("DECQ SI")
	a.op("JNE vector")
	a.op("VZEROUPPER")
	a.op("RET")
	a.raw("\n")
}

func pixels(isa, reg string) func(*asm) {
	return func(a *asm) {
		a.pixelsHeader()
		s := shape{reg, 1, 1}
		none := func() {}
		// Constants and sums are registers 0 to 2, a step's values 4 and up.
		constants := func(names ...string) func() {
			return func() {
				for i, n := range names {
					a.op("MOVQ P_%s, AX", n)
					a.op("VMOVUPS (AX)(BX*1), %s", s.r(i))
				}
			}
		}
		keep := func() {
			for i, n := range []string{"A", "B"} {
				a.op("MOVQ P_%s, AX", n)
				a.op("VMOVUPS %s, (AX)(BX*1)", s.r(i))
			}
		}
		at := func(w string) string { return "(" + pixelPtr[w] + ")" }
		second := func(w string) string { return "(" + pixelPtr[w] + ")(DX*1)" }

		a.pixelLoop(s, pixelLoop{
			name: "pixelMoments" + isa, doc: "Moments", walks: []string{"X"}, load: constants("A", "B"), store: keep,
			step: func() {
				a.op("VMOVUPS %s, %s", at("X"), s.r(4))
				a.op("VADDPS %s, %s, %s", s.r(4), s.r(0), s.r(0))
				a.op("VFMADD231PS %s, %s, %s", s.r(4), s.r(4), s.r(1))
			},
		})
		a.pixelLoop(s, pixelLoop{
			name: "pixelProducts" + isa, doc: "Products", walks: []string{"G", "X"}, load: constants("A", "B"), store: keep,
			step: func() {
				a.op("VMOVUPS %s, %s", at("G"), s.r(4))
				a.op("VADDPS %s, %s, %s", s.r(4), s.r(0), s.r(0))
				a.op("VFMADD231PS %s, %s, %s", at("X"), s.r(4), s.r(1))
			},
		})
		a.pixelLoop(s, pixelLoop{
			name: "pixelMaskedProducts" + isa, doc: "MaskedProducts", walks: []string{"G", "X", "Y"}, store: keep,
			load: func() {
				constants("A", "B")()
				a.zero(s, 3)
			},
			step: func() {
				// 4: neither equal nor unordered reversed, so that NaN is not masked.
				if reg == "Z" {
					a.op("VCMPPS $4, %s, %s, K1", at("Y"), s.r(3))
					a.op("VMOVUPS.Z %s, K1, %s", at("G"), s.r(4))
				} else {
					a.op("VCMPPS $4, %s, %s, %s", at("Y"), s.r(3), s.r(4))
					a.op("VANDPS %s, %s, %s", at("G"), s.r(4), s.r(4))
				}
				a.op("VMOVUPS %s, %s", s.r(4), at("G"))
				a.op("VADDPS %s, %s, %s", s.r(4), s.r(0), s.r(0))
				a.op("VFMADD231PS %s, %s, %s", at("X"), s.r(4), s.r(1))
			},
		})
		a.pixelLoop(s, pixelLoop{
			name: "pixelLinear" + isa, doc: "Linear", walks: []string{"X", "Out"}, store: none,
			load: func() {
				constants("A", "B")()
				a.op("VBROADCASTSS P_Lo, %s", s.r(2))
			},
			step: func() {
				a.op("VMOVUPS %s, %s", at("X"), s.r(4))
				a.op("VFMADD213PS %s, %s, %s", s.r(1), s.r(0), s.r(4))
				a.op("VMAXPS %s, %s, %s // NaN stays: it is the second source", s.r(4), s.r(2), s.r(4))
				a.op("VMOVUPS %s, %s", s.r(4), at("Out"))
			},
		})
		a.pixelLoop(s, pixelLoop{
			name: "pixelLinear2" + isa, doc: "Linear2", walks: []string{"G", "X", "Out"}, load: constants("A", "B", "K"), store: none,
			step: func() {
				a.op("VMOVUPS %s, %s", at("G"), s.r(4))
				a.op("VFMADD213PS %s, %s, %s", s.r(2), s.r(0), s.r(4))
				a.op("VFMADD231PS %s, %s, %s", at("X"), s.r(1), s.r(4))
				a.op("VMOVUPS %s, %s", s.r(4), at("Out"))
			},
		})
		a.pixelLoop(s, pixelLoop{
			name: "pixelSign" + isa, doc: "Sign", walks: []string{"X", "Out"}, store: none,
			load: func() {
				a.zero(s, 0)
				a.broadcast(s, "0x3f800000", 1) // 1
				a.broadcast(s, "0xbf800000", 2) // −1
			},
			step: func() {
				if reg == "Z" {
					a.op("VCMPPS $2, %s, %s, K1 // 0 ≤ x", at("X"), s.r(0))
					a.op("VMOVAPS %s, %s", s.r(2), s.r(4))
					a.op("VMOVAPS %s, K1, %s", s.r(1), s.r(4))
				} else {
					a.op("VCMPPS $2, %s, %s, %s // 0 ≤ x", at("X"), s.r(0), s.r(4))
					a.op("VBLENDVPS %s, %s, %s, %s", s.r(4), s.r(1), s.r(2), s.r(4))
				}
				a.op("VMOVUPS %s, %s", s.r(4), at("Out"))
			},
		})
		a.pixelLoop(s, pixelLoop{
			name: "pixelSignGrad" + isa, doc: "SignGrad", walks: []string{"X", "G", "Out"}, store: none,
			load: func() {
				constants("A", "B")()
				a.broadcast(s, "0x3f800000", 2) // 1
				a.broadcast(s, "0x7fffffff", 3) // all but the sign
			},
			step: func() {
				if reg == "Z" {
					a.op("VPANDD %s, %s, %s", at("X"), s.r(3), s.r(4))
					a.op("VCMPPS $2, %s, %s, K1 // |x| ≤ 1", s.r(2), s.r(4))
					a.op("VFMADD213PS %s, %s, %s", s.r(0), s.r(1), s.r(4))
					a.op("VMULPS.Z %s, %s, K1, %s", at("G"), s.r(4), s.r(4))
				} else {
					a.op("VANDPS %s, %s, %s", at("X"), s.r(3), s.r(4))
					a.op("VCMPPS $2, %s, %s, %s // |x| ≤ 1", s.r(2), s.r(4), s.r(5))
					a.op("VFMADD213PS %s, %s, %s", s.r(0), s.r(1), s.r(4))
					a.op("VMULPS %s, %s, %s", at("G"), s.r(4), s.r(4))
					a.op("VANDPS %s, %s, %s", s.r(5), s.r(4), s.r(4))
				}
				a.op("VMOVUPS %s, %s", s.r(4), at("Out"))
			},
		})
		// The sign bit of register 4 chooses: lanes of K1, or what blends take.
		negative := func() {
			a.op("VMOVUPS %s, %s", at("X"), s.r(4))
			if reg == "Z" {
				a.op("VPTESTMD %s, %s, K1", s.r(3), s.r(4))
			}
		}
		sign := func() {
			if reg == "Z" {
				a.broadcast(s, "0x80000000", 3)
			} else {
				a.broadcast(s, "0x3f800000", 3) // 1
				a.zero(s, 2)
			}
		}
		a.pixelLoop(s, pixelLoop{
			name: "pixelPReLU" + isa, doc: "PReLU", walks: []string{"X", "Out"}, store: none,
			load: func() {
				constants("K")()
				sign()
			},
			step: func() {
				negative()
				if reg == "Z" {
					a.op("VMULPS %s, %s, K1, %s", s.r(0), s.r(4), s.r(4))
				} else {
					a.op("VBLENDVPS %s, %s, %s, %s", s.r(4), s.r(0), s.r(3), s.r(5))
					a.op("VMULPS %s, %s, %s", s.r(5), s.r(4), s.r(4))
				}
				a.op("VMOVUPS %s, %s", s.r(4), at("Out"))
			},
		})
		a.pixelLoop(s, pixelLoop{
			name: "pixelPReLUGrad" + isa, doc: "PReLUGrad", walks: []string{"X", "G", "Out"},
			load: func() {
				constants("A", "K")()
				sign()
			},
			step: func() {
				negative()
				a.op("VMOVUPS %s, %s", at("G"), s.r(5))
				if reg == "Z" {
					a.op("VMULPS.Z %s, %s, K1, %s", s.r(4), s.r(5), s.r(6))
					a.op("VMULPS %s, %s, K1, %s", s.r(1), s.r(5), s.r(5))
				} else {
					a.op("VMULPS %s, %s, %s", s.r(5), s.r(4), s.r(6))
					a.op("VBLENDVPS %s, %s, %s, %s", s.r(4), s.r(6), s.r(2), s.r(6))
					a.op("VBLENDVPS %s, %s, %s, %s", s.r(4), s.r(1), s.r(3), s.r(7))
					a.op("VMULPS %s, %s, %s", s.r(7), s.r(5), s.r(5))
				}
				a.op("VADDPS %s, %s, %s", s.r(6), s.r(0), s.r(0))
				a.op("VMOVUPS %s, %s", s.r(5), at("Out"))
			},
			store: func() {
				a.op("MOVQ P_A, AX")
				a.op("VMOVUPS %s, (AX)(BX*1)", s.r(0))
			},
		})
		a.pixelLoop(s, pixelLoop{
			name: "pixelMaxPool" + isa, doc: "MaxPool", walks: []string{"X", "X2", "Out"}, twice: []string{"X", "X2"}, load: none, store: none,
			step: func() {
				// VMAXPS gives its second source where one is NaN; keeping the sum so far
				// there, NaN stays once it is in.
				a.op("VMOVUPS %s, %s", at("X"), s.r(4))
				for _, from := range []string{second("X"), at("X2"), second("X2")} {
					a.op("VMOVUPS %s, %s", from, s.r(5))
					a.nanMax(s, reg)
				}
				a.op("VMOVUPS %s, %s", s.r(4), at("Out"))
			},
		})
		a.pixelLoop(s, pixelLoop{
			name: "pixelMaxPoolGrad" + isa, doc: "MaxPoolGrad", walks: []string{"X", "X2", "Y", "G", "Out", "Out2"},
			twice: []string{"X", "X2", "Out", "Out2"}, load: none, store: none,
			step: func() {
				a.op("VMOVUPS %s, %s", at("Y"), s.r(4))
				a.op("VMOVUPS %s, %s // what has not been given", at("G"), s.r(5))
				for i, from := range []string{at("X"), second("X"), at("X2"), second("X2")} {
					to := []string{at("Out"), second("Out"), at("Out2"), second("Out2")}[i]
					if reg == "Z" {
						a.op("VCMPPS $0, %s, %s, K1", from, s.r(4))
						a.op("VMOVAPS.Z %s, K1, %s", s.r(5), s.r(6))
						a.op("VMOVUPS %s, %s", s.r(6), to)
						a.op("VPXORD %s, %s, K1, %s", s.r(5), s.r(5), s.r(5))
						continue
					}
					a.op("VCMPPS $0, %s, %s, %s", from, s.r(4), s.r(6))
					a.op("VANDPS %s, %s, %s", s.r(5), s.r(6), s.r(7))
					a.op("VMOVUPS %s, %s", s.r(7), to)
					a.op("VANDNPS %s, %s, %s", s.r(5), s.r(6), s.r(5))
				}
			},
		})
	}
}

func (a *asm) zero(s shape, i int) {
	if s.reg == "Z" {
		a.op("VPXORD %s, %s, %s", s.r(i), s.r(i), s.r(i))
	} else {
		a.op("VXORPS %s, %s, %s", s.r(i), s.r(i), s.r(i))
	}
}

// broadcast puts 32 bits into every lane of register i.
func (a *asm) broadcast(s shape, bits string, i int) {
	a.op("MOVL $%s, AX", bits)
	a.op("VMOVD AX, X%d", i)
	a.op("VBROADCASTSS X%d, %s", i, s.r(i))
}

// nanMax sets register 4 to the maximum of 4 and 5, NaN where either is.
func (a *asm) nanMax(s shape, reg string) {
	x, y := s.r(4), s.r(5)
	if reg == "Z" {
		a.op("VCMPPS $3, %s, %s, K1 // unordered", y, y)
		a.op("VMAXPS %s, %s, %s // NaN in the first stays: it is the second source", x, y, x)
		a.op("VMOVAPS %s, K1, %s", y, x)
		return
	}
	a.op("VCMPPS $3, %s, %s, %s // unordered", y, y, s.r(6))
	a.op("VMAXPS %s, %s, %s // NaN in the first stays: it is the second source", x, y, x)
	a.op("VBLENDVPS %s, %s, %s, %s", s.r(6), y, x, x)
}
