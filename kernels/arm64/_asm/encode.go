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
