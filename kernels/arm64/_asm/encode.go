package main

import (
	"fmt"
	"log"
)

// encodings are the instructions that Go's assembler (1.26) lacks, as the A64
// instruction set has them (Arm Architecture Reference Manual, DDI 0487,
// C7.2): the word with all registers 0, and how the instruction is written.
// %[1]d is the destination, %[2]d and %[3]d the sources, %[4]d a lane.
var encodings = map[string]struct {
	word uint32
	text string
}{
	"LDR": {0x3ce06800, "LDR Q%[1]d, [X%[2]d, X%[3]d]"},

	"FMLA lane": {0x4f801000, "FMLA V%[1]d.4S, V%[2]d.4S, V%[3]d.S[%[4]d]"},
	"FADD":      {0x4e20d400, "FADD V%[1]d.4S, V%[2]d.4S, V%[3]d.4S"},
	"FSUB":      {0x4ea0d400, "FSUB V%[1]d.4S, V%[2]d.4S, V%[3]d.4S"},
	"FMUL":      {0x6e20dc00, "FMUL V%[1]d.4S, V%[2]d.4S, V%[3]d.4S"},
	"FMAX":      {0x4e20f400, "FMAX V%[1]d.4S, V%[2]d.4S, V%[3]d.4S"},
	"FMIN":      {0x4ea0f400, "FMIN V%[1]d.4S, V%[2]d.4S, V%[3]d.4S"},
	"FMAXNM":    {0x4e20c400, "FMAXNM V%[1]d.4S, V%[2]d.4S, V%[3]d.4S"},
	"FMINNM":    {0x4ea0c400, "FMINNM V%[1]d.4S, V%[2]d.4S, V%[3]d.4S"},
	"FADDP":     {0x6e20d400, "FADDP V%[1]d.4S, V%[2]d.4S, V%[3]d.4S"},
	"SCVTF":     {0x4e21d800, "SCVTF V%[1]d.4S, V%[2]d.4S"},
	"FCVTNS":    {0x4e21a800, "FCVTNS V%[1]d.4S, V%[2]d.4S"},

	"FABS":       {0x4ea0f800, "FABS V%[1]d.4S, V%[2]d.4S"},
	"FCMEQ":      {0x4e20e400, "FCMEQ V%[1]d.4S, V%[2]d.4S, V%[3]d.4S"},
	"FCMEQ zero": {0x4ea0d800, "FCMEQ V%[1]d.4S, V%[2]d.4S, #0.0"},
	"FCMGE":      {0x6e20e400, "FCMGE V%[1]d.4S, V%[2]d.4S, V%[3]d.4S"},
	"FCMGE zero": {0x6ea0c800, "FCMGE V%[1]d.4S, V%[2]d.4S, #0.0"},
	"BIC":        {0x4e601c00, "BIC V%[1]d.16B, V%[2]d.16B, V%[3]d.16B"},

	"SMAX": {0x4ea06400, "SMAX V%[1]d.4S, V%[2]d.4S, V%[3]d.4S"},
	"CMGT": {0x4ea03400, "CMGT V%[1]d.4S, V%[2]d.4S, V%[3]d.4S"},

	"SMIN":      {0x4ea06c00, "SMIN V%[1]d.4S, V%[2]d.4S, V%[3]d.4S"},
	"SMAX 8H":   {0x4e606400, "SMAX V%[1]d.8H, V%[2]d.8H, V%[3]d.8H"},
	"SADDW":     {0x0e601000, "SADDW V%[1]d.4S, V%[2]d.4S, V%[3]d.4H"},
	"SADDW2":    {0x4e601000, "SADDW2 V%[1]d.4S, V%[2]d.4S, V%[3]d.8H"},
	"BIT":       {0x6ea01c00, "BIT V%[1]d.16B, V%[2]d.16B, V%[3]d.16B"},
	"CMLT zero": {0x4ea0a800, "CMLT V%[1]d.4S, V%[2]d.4S, #0"},
	"CMGE 8H":   {0x4e603c00, "CMGE V%[1]d.8H, V%[2]d.8H, V%[3]d.8H"},
	"SQXTN":     {0x0e614800, "SQXTN V%[1]d.4H, V%[2]d.4S"},
	"SQXTN2":    {0x4e614800, "SQXTN2 V%[1]d.8H, V%[2]d.4S"},
	"ADDV 8H":   {0x4e71b800, "ADDV H%[1]d, V%[2]d.8H"},

	"XTN":       {0x0e612800, "XTN V%[1]d.4H, V%[2]d.4S"},
	"XTN2":      {0x4e612800, "XTN2 V%[1]d.8H, V%[2]d.4S"},
	"SXTL":      {0x0f08a400, "SXTL V%[1]d.8H, V%[2]d.8B"},
	"SMLAL 4H":  {0x0e608000, "SMLAL V%[1]d.4S, V%[2]d.4H, V%[3]d.4H"},
	"SMLAL2 8H": {0x4e608000, "SMLAL2 V%[1]d.4S, V%[2]d.8H, V%[3]d.8H"},
	"SQXTN 8B":  {0x0e214800, "SQXTN V%[1]d.8B, V%[2]d.8H"},
	"SSHL":      {0x4ea04400, "SSHL V%[1]d.4S, V%[2]d.4S, V%[3]d.4S"},
	"SQRDMULH":  {0x6ea0b400, "SQRDMULH V%[1]d.4S, V%[2]d.4S, V%[3]d.4S"},
	"SQADD 8H":  {0x4e600c00, "SQADD V%[1]d.8H, V%[2]d.8H, V%[3]d.8H"},
	"SMAX 8B":   {0x0e206400, "SMAX V%[1]d.8B, V%[2]d.8B, V%[3]d.8B"},
	"SMIN 8B":   {0x0e206c00, "SMIN V%[1]d.8B, V%[2]d.8B, V%[3]d.8B"},
	"NEG":       {0x6ea0b800, "NEG V%[1]d.4S, V%[2]d.4S"},

	"MUL":         {0x4ea09c00, "MUL V%[1]d.4S, V%[2]d.4S, V%[3]d.4S"},
	"SSHR 2":      {0x4f3e0400, "SSHR V%[1]d.4S, V%[2]d.4S, #2"},
	"SSHR 3":      {0x4f3d0400, "SSHR V%[1]d.4S, V%[2]d.4S, #3"},
	"SSHR 4":      {0x4f3c0400, "SSHR V%[1]d.4S, V%[2]d.4S, #4"},
	"SSHR 5":      {0x4f3b0400, "SSHR V%[1]d.4S, V%[2]d.4S, #5"},
	"SSHR 6":      {0x4f3a0400, "SSHR V%[1]d.4S, V%[2]d.4S, #6"},
	"SMLAL H[0]":  {0x0f402000, "SMLAL V%[1]d.4S, V%[2]d.4H, V%[3]d.H[0]"},
	"SMLAL2 H[0]": {0x4f402000, "SMLAL2 V%[1]d.4S, V%[2]d.8H, V%[3]d.H[0]"},
	"SMLAL H[1]":  {0x0f502000, "SMLAL V%[1]d.4S, V%[2]d.4H, V%[3]d.H[1]"},
	"SMLAL2 H[1]": {0x4f502000, "SMLAL2 V%[1]d.4S, V%[2]d.8H, V%[3]d.H[1]"},
	"SMLAL H[2]":  {0x0f602000, "SMLAL V%[1]d.4S, V%[2]d.4H, V%[3]d.H[2]"},
	"SMLAL2 H[2]": {0x4f602000, "SMLAL2 V%[1]d.4S, V%[2]d.8H, V%[3]d.H[2]"},
	"SMLAL H[3]":  {0x0f702000, "SMLAL V%[1]d.4S, V%[2]d.4H, V%[3]d.H[3]"},
	"SMLAL2 H[3]": {0x4f702000, "SMLAL2 V%[1]d.4S, V%[2]d.8H, V%[3]d.H[3]"},
	"SMLAL H[4]":  {0x0f402800, "SMLAL V%[1]d.4S, V%[2]d.4H, V%[3]d.H[4]"},
	"SMLAL2 H[4]": {0x4f402800, "SMLAL2 V%[1]d.4S, V%[2]d.8H, V%[3]d.H[4]"},
	"SMLAL H[5]":  {0x0f502800, "SMLAL V%[1]d.4S, V%[2]d.4H, V%[3]d.H[5]"},
	"SMLAL2 H[5]": {0x4f502800, "SMLAL2 V%[1]d.4S, V%[2]d.8H, V%[3]d.H[5]"},
	"SMLAL H[6]":  {0x0f602800, "SMLAL V%[1]d.4S, V%[2]d.4H, V%[3]d.H[6]"},
	"SMLAL2 H[6]": {0x4f602800, "SMLAL2 V%[1]d.4S, V%[2]d.8H, V%[3]d.H[6]"},
	"SMLAL H[7]":  {0x0f702800, "SMLAL V%[1]d.4S, V%[2]d.4H, V%[3]d.H[7]"},
	"SMLAL2 H[7]": {0x4f702800, "SMLAL2 V%[1]d.4S, V%[2]d.8H, V%[3]d.H[7]"},

	"SDOT":      {0x4e809400, "SDOT V%[1]d.4S, V%[2]d.16B, V%[3]d.16B"},
	"SDOT lane": {0x4f80e000, "SDOT V%[1]d.4S, V%[2]d.16B, V%[3]d.4B[%[4]d]"},
	"USDOT":     {0x4e809c00, "USDOT V%[1]d.4S, V%[2]d.16B, V%[3]d.16B"},
	"SMMLA":     {0x4e80a400, "SMMLA V%[1]d.4S, V%[2]d.16B, V%[3]d.16B"},

	"SMULL":  {0x0e20c000, "SMULL V%[1]d.8H, V%[2]d.8B, V%[3]d.8B"},
	"SMULL2": {0x4e20c000, "SMULL2 V%[1]d.8H, V%[2]d.16B, V%[3]d.16B"},
	"SMLAL":  {0x0e208000, "SMLAL V%[1]d.8H, V%[2]d.8B, V%[3]d.8B"},
	"SMLAL2": {0x4e208000, "SMLAL2 V%[1]d.8H, V%[2]d.16B, V%[3]d.16B"},
	"SADALP": {0x4e606800, "SADALP V%[1]d.4S, V%[2]d.8H"},
	"SADDLP": {0x4e202800, "SADDLP V%[1]d.8H, V%[2]d.16B"},

	"UADDLP 16B": {0x6e202800, "UADDLP V%[1]d.8H, V%[2]d.16B"},
	"UADDLP 8H":  {0x6e602800, "UADDLP V%[1]d.4S, V%[2]d.8H"},
	"UADALP 8H":  {0x6e606800, "UADALP V%[1]d.4S, V%[2]d.8H"},
	"UADALP 4S":  {0x6ea06800, "UADALP V%[1]d.2D, V%[2]d.4S"},
}

// part is some bits of an operand: so many from one place on, which stand in the
// word from another on.
type part struct{ from, bits, at int }

// Where most operands of SVE stand.
var (
	zd    = []part{{0, 5, 0}}
	zn    = []part{{0, 5, 5}}
	zm    = []part{{0, 5, 16}}
	pg    = []part{{0, 3, 10}}
	third = []part{{0, 3, 16}}             // Zm of those that take a lane: Z0-7
	lane  = []part{{0, 2, 19}}             // of the third
	imm9  = []part{{0, 3, 10}, {3, 6, 16}} // in vectors
	words = []part{{2, 6, 16}}             // in bytes, a multiple of 4
)

// sve are the instructions of SVE (Arm Architecture Reference Manual, DDI 0487,
// C8.2), of which Go's assembler has none: the word with all operands 0, how the
// instruction is written, and where its operands stand in the word.
var sve = map[string]struct {
	word     uint32
	text     string
	operands [][]part
}{
	"RDVL":     {0x04bf5000, "RDVL X%[1]d, #%[2]d", [][]part{zd, {{0, 6, 5}}}},
	"PTRUE":    {0x2518e3e0, "PTRUE P%[1]d.B", [][]part{{{0, 4, 0}}}},
	"WHILELO":  {0x25201fe0, "WHILELO P%[1]d.B, XZR, X%[2]d", [][]part{{{0, 4, 0}}, zm}},
	"LDR Z":    {0x85804000, "LDR Z%[1]d, [X%[2]d, #%[3]d, MUL VL]", [][]part{zd, zn, imm9}},
	"STR Z":    {0xe5804000, "STR Z%[1]d, [X%[2]d, #%[3]d, MUL VL]", [][]part{zd, zn, imm9}},
	"LD1RQW":   {0xa5000000, "LD1RQW {Z%[1]d.S}, P%[2]d/Z, [X%[3]d, X%[4]d, LSL #2]", [][]part{zd, pg, zn, zm}},
	"LD1RW":    {0x8540c000, "LD1RW {Z%[1]d.S}, P%[2]d/Z, [X%[3]d, #%[4]d]", [][]part{zd, pg, zn, words}},
	"LD1B":     {0xa400a000, "LD1B {Z%[1]d.B}, P%[2]d/Z, [X%[3]d]", [][]part{zd, pg, zn}},
	"DUP Z":    {0x05242000, "DUP Z%[1]d.S, Z%[2]d.S[0]", [][]part{zd, zn}},
	"DUP imm":  {0x2538c000, "DUP Z%[1]d.B, #%[2]d", [][]part{zd, {{0, 8, 5}}}},
	"FMLA Z":   {0x65a00000, "FMLA Z%[1]d.S, P%[2]d/M, Z%[3]d.S, Z%[4]d.S", [][]part{zd, pg, zn, zm}},
	"FMLA Z[]": {0x64a00000, "FMLA Z%[1]d.S, Z%[2]d.S, Z%[3]d.S[%[4]d]", [][]part{zd, zn, third, lane}},
	"SDOT Z":   {0x44800000, "SDOT Z%[1]d.S, Z%[2]d.B, Z%[3]d.B", [][]part{zd, zn, zm}},
	"SDOT Z[]": {0x44a00000, "SDOT Z%[1]d.S, Z%[2]d.B, Z%[3]d.B[%[4]d]", [][]part{zd, zn, third, lane}},
	"UDOT Z":   {0x44800400, "UDOT Z%[1]d.S, Z%[2]d.B, Z%[3]d.B", [][]part{zd, zn, zm}},
	"EOR Z":    {0x04a03000, "EOR Z%[1]d.D, Z%[2]d.D, Z%[3]d.D", [][]part{zd, zn, zm}},
	"CNT Z.B":  {0x041aa000, "CNT Z%[1]d.B, P%[2]d/M, Z%[3]d.B", [][]part{zd, pg, zn}},
	"CNT Z.D":  {0x04daa000, "CNT Z%[1]d.D, P%[2]d/M, Z%[3]d.D", [][]part{zd, pg, zn}},
	"ADD Z.S":  {0x04a00000, "ADD Z%[1]d.S, Z%[2]d.S, Z%[3]d.S", [][]part{zd, zn, zm}},
	"ADD Z.D":  {0x04e00000, "ADD Z%[1]d.D, Z%[2]d.D, Z%[3]d.D", [][]part{zd, zn, zm}},
	"SUB Z.S":  {0x04a00400, "SUB Z%[1]d.S, Z%[2]d.S, Z%[3]d.S", [][]part{zd, zn, zm}},
	"FADD Z":   {0x65800000, "FADD Z%[1]d.S, Z%[2]d.S, Z%[3]d.S", [][]part{zd, zn, zm}},
	"FADDV":    {0x65802000, "FADDV S%[1]d, P%[2]d, Z%[3]d.S", [][]part{zd, pg, zn}},
	"UADDV S":  {0x04812000, "UADDV D%[1]d, P%[2]d, Z%[3]d.S", [][]part{zd, pg, zn}},
	"UADDV D":  {0x04c12000, "UADDV D%[1]d, P%[2]d, Z%[3]d.D", [][]part{zd, pg, zn}},
}

// encodeSVE gives an instruction's word and how it is written.
func encodeSVE(name string, operands ...int) (word uint32, text string) {
	e, ok := sve[name]
	if !ok || len(operands) != len(e.operands) {
		log.Fatalf("no instruction %q of %d operands", name, len(operands))
	}
	word = e.word
	args := make([]any, len(operands))
	for i, x := range operands {
		left := x
		for _, p := range e.operands[i] {
			mask := 1<<p.bits - 1
			word |= uint32(x>>p.from&mask) << p.at
			left &^= mask << p.from
		}
		if left != 0 && left != -256 { // of a negative byte
			log.Fatalf("%s %v: operand %d does not fit", name, operands, i+1)
		}
		args[i] = x
	}
	return word, fmt.Sprintf(e.text, args...)
}

// encode gives an instruction's word and how it is written.
func encode(name string, regs ...int) (word uint32, text string) {
	e, ok := encodings[name]
	if !ok || len(regs) < 2 || len(regs) > 4 {
		log.Fatalf("no instruction %q of %d operands", name, len(regs))
	}
	args := make([]any, len(regs))
	for i, r := range regs {
		args[i] = r
	}
	word = e.word | uint32(regs[0]) | uint32(regs[1])<<5
	if len(regs) > 2 {
		word |= uint32(regs[2]) << 16
	}
	if len(regs) > 3 {
		word |= uint32(regs[3]&1)<<21 | uint32(regs[3]>>1)<<11
	}
	return word, fmt.Sprintf(e.text, args...)
}
