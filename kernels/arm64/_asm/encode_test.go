package main

import "testing"

// The words as GNU as 2.40 writes them for the text beside (-march=armv8.6-a).
func TestEncode(t *testing.T) {
	tested := map[string]bool{}
	for _, c := range []struct {
		name string
		regs []int
		word uint32
		text string
	}{
		{"LDR", []int{1, 2, 4}, 0x3ce46841, "LDR Q1, [X2, X4]"},
		{"LDR", []int{31, 16, 8}, 0x3ce86a1f, "LDR Q31, [X16, X8]"},
		{"LDR", []int{10, 21, 25}, 0x3cf96aaa, "LDR Q10, [X21, X25]"},
		{"FMLA lane", []int{1, 2, 4, 0}, 0x4f841041, "FMLA V1.4S, V2.4S, V4.S[0]"},
		{"FMLA lane", []int{31, 16, 8, 1}, 0x4fa8121f, "FMLA V31.4S, V16.4S, V8.S[1]"},
		{"FMLA lane", []int{10, 21, 30, 2}, 0x4f9e1aaa, "FMLA V10.4S, V21.4S, V30.S[2]"},
		{"FMLA lane", []int{21, 10, 23, 3}, 0x4fb71955, "FMLA V21.4S, V10.4S, V23.S[3]"},
		{"FADD", []int{1, 2, 4}, 0x4e24d441, "FADD V1.4S, V2.4S, V4.4S"},
		{"FADD", []int{31, 16, 8}, 0x4e28d61f, "FADD V31.4S, V16.4S, V8.4S"},
		{"FADD", []int{10, 21, 30}, 0x4e3ed6aa, "FADD V10.4S, V21.4S, V30.4S"},
		{"FSUB", []int{1, 2, 4}, 0x4ea4d441, "FSUB V1.4S, V2.4S, V4.4S"},
		{"FSUB", []int{31, 16, 8}, 0x4ea8d61f, "FSUB V31.4S, V16.4S, V8.4S"},
		{"FSUB", []int{10, 21, 30}, 0x4ebed6aa, "FSUB V10.4S, V21.4S, V30.4S"},
		{"FMUL", []int{1, 2, 4}, 0x6e24dc41, "FMUL V1.4S, V2.4S, V4.4S"},
		{"FMUL", []int{31, 16, 8}, 0x6e28de1f, "FMUL V31.4S, V16.4S, V8.4S"},
		{"FMUL", []int{10, 21, 30}, 0x6e3edeaa, "FMUL V10.4S, V21.4S, V30.4S"},
		{"FMAX", []int{1, 2, 4}, 0x4e24f441, "FMAX V1.4S, V2.4S, V4.4S"},
		{"FMAX", []int{31, 16, 8}, 0x4e28f61f, "FMAX V31.4S, V16.4S, V8.4S"},
		{"FMAX", []int{10, 21, 30}, 0x4e3ef6aa, "FMAX V10.4S, V21.4S, V30.4S"},
		{"FMIN", []int{1, 2, 4}, 0x4ea4f441, "FMIN V1.4S, V2.4S, V4.4S"},
		{"FMIN", []int{31, 16, 8}, 0x4ea8f61f, "FMIN V31.4S, V16.4S, V8.4S"},
		{"FMIN", []int{10, 21, 30}, 0x4ebef6aa, "FMIN V10.4S, V21.4S, V30.4S"},
		{"FMAXNM", []int{1, 2, 4}, 0x4e24c441, "FMAXNM V1.4S, V2.4S, V4.4S"},
		{"FMAXNM", []int{31, 16, 8}, 0x4e28c61f, "FMAXNM V31.4S, V16.4S, V8.4S"},
		{"FMAXNM", []int{10, 21, 30}, 0x4e3ec6aa, "FMAXNM V10.4S, V21.4S, V30.4S"},
		{"FMINNM", []int{1, 2, 4}, 0x4ea4c441, "FMINNM V1.4S, V2.4S, V4.4S"},
		{"FMINNM", []int{31, 16, 8}, 0x4ea8c61f, "FMINNM V31.4S, V16.4S, V8.4S"},
		{"FMINNM", []int{10, 21, 30}, 0x4ebec6aa, "FMINNM V10.4S, V21.4S, V30.4S"},
		{"FADDP", []int{1, 2, 4}, 0x6e24d441, "FADDP V1.4S, V2.4S, V4.4S"},
		{"FADDP", []int{31, 16, 8}, 0x6e28d61f, "FADDP V31.4S, V16.4S, V8.4S"},
		{"FADDP", []int{10, 21, 30}, 0x6e3ed6aa, "FADDP V10.4S, V21.4S, V30.4S"},
		{"SCVTF", []int{1, 2}, 0x4e21d841, "SCVTF V1.4S, V2.4S"},
		{"SCVTF", []int{31, 16}, 0x4e21da1f, "SCVTF V31.4S, V16.4S"},
		{"SCVTF", []int{9, 30}, 0x4e21dbc9, "SCVTF V9.4S, V30.4S"},
		{"FCVTNS", []int{1, 2}, 0x4e21a841, "FCVTNS V1.4S, V2.4S"},
		{"FCVTNS", []int{31, 16}, 0x4e21aa1f, "FCVTNS V31.4S, V16.4S"},
		{"FCVTNS", []int{9, 30}, 0x4e21abc9, "FCVTNS V9.4S, V30.4S"},
		{"FABS", []int{1, 2}, 0x4ea0f841, "FABS V1.4S, V2.4S"},
		{"FABS", []int{31, 16}, 0x4ea0fa1f, "FABS V31.4S, V16.4S"},
		{"FABS", []int{9, 30}, 0x4ea0fbc9, "FABS V9.4S, V30.4S"},
		{"FCMEQ", []int{1, 2, 4}, 0x4e24e441, "FCMEQ V1.4S, V2.4S, V4.4S"},
		{"FCMEQ", []int{31, 16, 8}, 0x4e28e61f, "FCMEQ V31.4S, V16.4S, V8.4S"},
		{"FCMEQ", []int{10, 21, 30}, 0x4e3ee6aa, "FCMEQ V10.4S, V21.4S, V30.4S"},
		{"FCMEQ zero", []int{1, 2}, 0x4ea0d841, "FCMEQ V1.4S, V2.4S, #0.0"},
		{"FCMEQ zero", []int{31, 16}, 0x4ea0da1f, "FCMEQ V31.4S, V16.4S, #0.0"},
		{"FCMEQ zero", []int{9, 30}, 0x4ea0dbc9, "FCMEQ V9.4S, V30.4S, #0.0"},
		{"FCMGE", []int{1, 2, 4}, 0x6e24e441, "FCMGE V1.4S, V2.4S, V4.4S"},
		{"FCMGE", []int{31, 16, 8}, 0x6e28e61f, "FCMGE V31.4S, V16.4S, V8.4S"},
		{"FCMGE", []int{10, 21, 30}, 0x6e3ee6aa, "FCMGE V10.4S, V21.4S, V30.4S"},
		{"FCMGE zero", []int{1, 2}, 0x6ea0c841, "FCMGE V1.4S, V2.4S, #0.0"},
		{"FCMGE zero", []int{31, 16}, 0x6ea0ca1f, "FCMGE V31.4S, V16.4S, #0.0"},
		{"FCMGE zero", []int{9, 30}, 0x6ea0cbc9, "FCMGE V9.4S, V30.4S, #0.0"},
		{"BIC", []int{1, 2, 4}, 0x4e641c41, "BIC V1.16B, V2.16B, V4.16B"},
		{"BIC", []int{31, 16, 8}, 0x4e681e1f, "BIC V31.16B, V16.16B, V8.16B"},
		{"BIC", []int{10, 21, 30}, 0x4e7e1eaa, "BIC V10.16B, V21.16B, V30.16B"},
		{"SMAX", []int{1, 2, 4}, 0x4ea46441, "SMAX V1.4S, V2.4S, V4.4S"},
		{"SMAX", []int{31, 16, 8}, 0x4ea8661f, "SMAX V31.4S, V16.4S, V8.4S"},
		{"SMAX", []int{10, 21, 30}, 0x4ebe66aa, "SMAX V10.4S, V21.4S, V30.4S"},
		{"CMGT", []int{1, 2, 4}, 0x4ea43441, "CMGT V1.4S, V2.4S, V4.4S"},
		{"CMGT", []int{31, 16, 8}, 0x4ea8361f, "CMGT V31.4S, V16.4S, V8.4S"},
		{"CMGT", []int{10, 21, 30}, 0x4ebe36aa, "CMGT V10.4S, V21.4S, V30.4S"},
		{"SDOT", []int{1, 2, 4}, 0x4e849441, "SDOT V1.4S, V2.16B, V4.16B"},
		{"SDOT", []int{31, 16, 8}, 0x4e88961f, "SDOT V31.4S, V16.16B, V8.16B"},
		{"SDOT", []int{10, 21, 30}, 0x4e9e96aa, "SDOT V10.4S, V21.16B, V30.16B"},
		{"SDOT lane", []int{1, 2, 4, 0}, 0x4f84e041, "SDOT V1.4S, V2.16B, V4.4B[0]"},
		{"SDOT lane", []int{31, 16, 8, 1}, 0x4fa8e21f, "SDOT V31.4S, V16.16B, V8.4B[1]"},
		{"SDOT lane", []int{10, 21, 30, 2}, 0x4f9eeaaa, "SDOT V10.4S, V21.16B, V30.4B[2]"},
		{"SDOT lane", []int{21, 10, 23, 3}, 0x4fb7e955, "SDOT V21.4S, V10.16B, V23.4B[3]"},
		{"USDOT", []int{1, 2, 4}, 0x4e849c41, "USDOT V1.4S, V2.16B, V4.16B"},
		{"USDOT", []int{31, 16, 8}, 0x4e889e1f, "USDOT V31.4S, V16.16B, V8.16B"},
		{"USDOT", []int{10, 21, 30}, 0x4e9e9eaa, "USDOT V10.4S, V21.16B, V30.16B"},
		{"SMMLA", []int{1, 2, 4}, 0x4e84a441, "SMMLA V1.4S, V2.16B, V4.16B"},
		{"SMMLA", []int{31, 16, 8}, 0x4e88a61f, "SMMLA V31.4S, V16.16B, V8.16B"},
		{"SMMLA", []int{10, 21, 30}, 0x4e9ea6aa, "SMMLA V10.4S, V21.16B, V30.16B"},
		{"SMULL", []int{1, 2, 4}, 0x0e24c041, "SMULL V1.8H, V2.8B, V4.8B"},
		{"SMULL", []int{31, 16, 8}, 0x0e28c21f, "SMULL V31.8H, V16.8B, V8.8B"},
		{"SMULL", []int{10, 21, 30}, 0x0e3ec2aa, "SMULL V10.8H, V21.8B, V30.8B"},
		{"SMULL2", []int{1, 2, 4}, 0x4e24c041, "SMULL2 V1.8H, V2.16B, V4.16B"},
		{"SMULL2", []int{31, 16, 8}, 0x4e28c21f, "SMULL2 V31.8H, V16.16B, V8.16B"},
		{"SMULL2", []int{10, 21, 30}, 0x4e3ec2aa, "SMULL2 V10.8H, V21.16B, V30.16B"},
		{"SMLAL", []int{1, 2, 4}, 0x0e248041, "SMLAL V1.8H, V2.8B, V4.8B"},
		{"SMLAL", []int{31, 16, 8}, 0x0e28821f, "SMLAL V31.8H, V16.8B, V8.8B"},
		{"SMLAL", []int{10, 21, 30}, 0x0e3e82aa, "SMLAL V10.8H, V21.8B, V30.8B"},
		{"SMLAL2", []int{1, 2, 4}, 0x4e248041, "SMLAL2 V1.8H, V2.16B, V4.16B"},
		{"SMLAL2", []int{31, 16, 8}, 0x4e28821f, "SMLAL2 V31.8H, V16.16B, V8.16B"},
		{"SMLAL2", []int{10, 21, 30}, 0x4e3e82aa, "SMLAL2 V10.8H, V21.16B, V30.16B"},
		{"SADALP", []int{1, 2}, 0x4e606841, "SADALP V1.4S, V2.8H"},
		{"SADALP", []int{31, 16}, 0x4e606a1f, "SADALP V31.4S, V16.8H"},
		{"SADALP", []int{9, 30}, 0x4e606bc9, "SADALP V9.4S, V30.8H"},
		{"SADDLP", []int{1, 2}, 0x4e202841, "SADDLP V1.8H, V2.16B"},
		{"SADDLP", []int{31, 16}, 0x4e202a1f, "SADDLP V31.8H, V16.16B"},
		{"SADDLP", []int{9, 30}, 0x4e202bc9, "SADDLP V9.8H, V30.16B"},
		{"UADDLP 16B", []int{1, 2}, 0x6e202841, "UADDLP V1.8H, V2.16B"},
		{"UADDLP 16B", []int{31, 16}, 0x6e202a1f, "UADDLP V31.8H, V16.16B"},
		{"UADDLP 16B", []int{9, 30}, 0x6e202bc9, "UADDLP V9.8H, V30.16B"},
		{"UADDLP 8H", []int{1, 2}, 0x6e602841, "UADDLP V1.4S, V2.8H"},
		{"UADDLP 8H", []int{31, 16}, 0x6e602a1f, "UADDLP V31.4S, V16.8H"},
		{"UADDLP 8H", []int{9, 30}, 0x6e602bc9, "UADDLP V9.4S, V30.8H"},
		{"UADALP 8H", []int{1, 2}, 0x6e606841, "UADALP V1.4S, V2.8H"},
		{"UADALP 8H", []int{31, 16}, 0x6e606a1f, "UADALP V31.4S, V16.8H"},
		{"UADALP 8H", []int{9, 30}, 0x6e606bc9, "UADALP V9.4S, V30.8H"},
		{"UADALP 4S", []int{1, 2}, 0x6ea06841, "UADALP V1.2D, V2.4S"},
		{"UADALP 4S", []int{31, 16}, 0x6ea06a1f, "UADALP V31.2D, V16.4S"},
		{"UADALP 4S", []int{9, 30}, 0x6ea06bc9, "UADALP V9.2D, V30.4S"},
		{"SMIN", []int{1, 2, 4}, 0x4ea46c41, "SMIN V1.4S, V2.4S, V4.4S"},
		{"SMIN", []int{31, 16, 8}, 0x4ea86e1f, "SMIN V31.4S, V16.4S, V8.4S"},
		{"SMIN", []int{10, 21, 30}, 0x4ebe6eaa, "SMIN V10.4S, V21.4S, V30.4S"},
		{"SMAX 8H", []int{1, 2, 4}, 0x4e646441, "SMAX V1.8H, V2.8H, V4.8H"},
		{"SMAX 8H", []int{31, 16, 8}, 0x4e68661f, "SMAX V31.8H, V16.8H, V8.8H"},
		{"SMAX 8H", []int{10, 21, 30}, 0x4e7e66aa, "SMAX V10.8H, V21.8H, V30.8H"},
		{"SADDW", []int{1, 2, 4}, 0x0e641041, "SADDW V1.4S, V2.4S, V4.4H"},
		{"SADDW", []int{31, 16, 8}, 0x0e68121f, "SADDW V31.4S, V16.4S, V8.4H"},
		{"SADDW", []int{10, 21, 30}, 0x0e7e12aa, "SADDW V10.4S, V21.4S, V30.4H"},
		{"SADDW2", []int{1, 2, 4}, 0x4e641041, "SADDW2 V1.4S, V2.4S, V4.8H"},
		{"SADDW2", []int{31, 16, 8}, 0x4e68121f, "SADDW2 V31.4S, V16.4S, V8.8H"},
		{"SADDW2", []int{10, 21, 30}, 0x4e7e12aa, "SADDW2 V10.4S, V21.4S, V30.8H"},
		{"BIT", []int{1, 2, 4}, 0x6ea41c41, "BIT V1.16B, V2.16B, V4.16B"},
		{"BIT", []int{31, 16, 8}, 0x6ea81e1f, "BIT V31.16B, V16.16B, V8.16B"},
		{"BIT", []int{10, 21, 30}, 0x6ebe1eaa, "BIT V10.16B, V21.16B, V30.16B"},
		{"CMLT zero", []int{1, 2}, 0x4ea0a841, "CMLT V1.4S, V2.4S, #0"},
		{"CMLT zero", []int{31, 16}, 0x4ea0aa1f, "CMLT V31.4S, V16.4S, #0"},
		{"CMLT zero", []int{10, 21}, 0x4ea0aaaa, "CMLT V10.4S, V21.4S, #0"},
		{"CMGE zero 8H", []int{1, 2}, 0x6e608841, "CMGE V1.8H, V2.8H, #0"},
		{"CMGE zero 8H", []int{31, 16}, 0x6e608a1f, "CMGE V31.8H, V16.8H, #0"},
		{"CMGE zero 8H", []int{10, 21}, 0x6e608aaa, "CMGE V10.8H, V21.8H, #0"},
		{"SQXTN", []int{1, 2}, 0x0e614841, "SQXTN V1.4H, V2.4S"},
		{"SQXTN", []int{31, 16}, 0x0e614a1f, "SQXTN V31.4H, V16.4S"},
		{"SQXTN", []int{10, 21}, 0x0e614aaa, "SQXTN V10.4H, V21.4S"},
		{"SQXTN2", []int{1, 2}, 0x4e614841, "SQXTN2 V1.8H, V2.4S"},
		{"SQXTN2", []int{31, 16}, 0x4e614a1f, "SQXTN2 V31.8H, V16.4S"},
		{"SQXTN2", []int{10, 21}, 0x4e614aaa, "SQXTN2 V10.8H, V21.4S"},
		{"ADDV 8H", []int{1, 2}, 0x4e71b841, "ADDV H1, V2.8H"},
		{"ADDV 8H", []int{31, 16}, 0x4e71ba1f, "ADDV H31, V16.8H"},
		{"ADDV 8H", []int{10, 21}, 0x4e71baaa, "ADDV H10, V21.8H"},
	} {
		tested[c.name] = true
		if word, text := encode(c.name, c.regs...); word != c.word || text != c.text {
			t.Errorf("%s %v: got %#08x %s, want %#08x %s", c.name, c.regs, word, text, c.word, c.text)
		}
	}
	for name := range encodings {
		if !tested[name] {
			t.Errorf("%s: no listed encoding", name)
		}
	}
}

// The same for SVE (-march=armv8.2-a+sve), which GNU as writes without #0, and DUP
// as MOV.
func TestEncodeSVE(t *testing.T) {
	tested := map[string]bool{}
	for _, c := range []struct {
		name     string
		operands []int
		word     uint32
		text     string
	}{
		{"RDVL", []int{0, 1}, 0x04bf5020, "RDVL X0, #1"},
		{"RDVL", []int{26, 2}, 0x04bf505a, "RDVL X26, #2"},
		{"PTRUE", []int{0}, 0x2518e3e0, "PTRUE P0.B"},
		{"PTRUE", []int{7}, 0x2518e3e7, "PTRUE P7.B"},
		{"WHILELO", []int{0, 3}, 0x25231fe0, "WHILELO P0.B, XZR, X3"},
		{"WHILELO", []int{1, 30}, 0x253e1fe1, "WHILELO P1.B, XZR, X30"},
		{"LDR Z", []int{1, 2, 0}, 0x85804041, "LDR Z1, [X2, #0, MUL VL]"},
		{"LDR Z", []int{31, 16, 15}, 0x85815e1f, "LDR Z31, [X16, #15, MUL VL]"},
		{"LDR Z", []int{10, 21, 8}, 0x858142aa, "LDR Z10, [X21, #8, MUL VL]"},
		{"STR Z", []int{1, 2, 0}, 0xe5804041, "STR Z1, [X2, #0, MUL VL]"},
		{"STR Z", []int{31, 16, 15}, 0xe5815e1f, "STR Z31, [X16, #15, MUL VL]"},
		{"STR Z", []int{10, 21, 8}, 0xe58142aa, "STR Z10, [X21, #8, MUL VL]"},
		{"LD1RQW", []int{1, 0, 2, 4}, 0xa5040041, "LD1RQW {Z1.S}, P0/Z, [X2, X4, LSL #2]"},
		{"LD1RQW", []int{31, 0, 16, 8}, 0xa508021f, "LD1RQW {Z31.S}, P0/Z, [X16, X8, LSL #2]"},
		{"LD1RW", []int{1, 0, 2, 0}, 0x8540c041, "LD1RW {Z1.S}, P0/Z, [X2, #0]"},
		{"LD1RW", []int{31, 0, 16, 12}, 0x8543c21f, "LD1RW {Z31.S}, P0/Z, [X16, #12]"},
		{"LD1B", []int{1, 0, 2}, 0xa400a041, "LD1B {Z1.B}, P0/Z, [X2]"},
		{"LD1B", []int{31, 0, 16}, 0xa400a21f, "LD1B {Z31.B}, P0/Z, [X16]"},
		{"DUP Z", []int{1, 2}, 0x05242041, "DUP Z1.S, Z2.S[0]"},
		{"DUP Z", []int{31, 16}, 0x0524221f, "DUP Z31.S, Z16.S[0]"},
		{"DUP imm", []int{1, 1}, 0x2538c021, "DUP Z1.B, #1"},
		{"DUP imm", []int{31, -128}, 0x2538d01f, "DUP Z31.B, #-128"},
		{"FMLA Z[]", []int{1, 2, 4, 0}, 0x64a40041, "FMLA Z1.S, Z2.S, Z4.S[0]"},
		{"FMLA Z[]", []int{31, 16, 7, 3}, 0x64bf021f, "FMLA Z31.S, Z16.S, Z7.S[3]"},
		{"FMLA Z[]", []int{10, 21, 2, 1}, 0x64aa02aa, "FMLA Z10.S, Z21.S, Z2.S[1]"},
		{"FMLA Z", []int{1, 0, 2, 4}, 0x65a40041, "FMLA Z1.S, P0/M, Z2.S, Z4.S"},
		{"FMLA Z", []int{31, 0, 16, 8}, 0x65a8021f, "FMLA Z31.S, P0/M, Z16.S, Z8.S"},
		{"SDOT Z[]", []int{1, 2, 4, 0}, 0x44a40041, "SDOT Z1.S, Z2.B, Z4.B[0]"},
		{"SDOT Z[]", []int{31, 16, 7, 3}, 0x44bf021f, "SDOT Z31.S, Z16.B, Z7.B[3]"},
		{"SDOT Z[]", []int{10, 21, 2, 1}, 0x44aa02aa, "SDOT Z10.S, Z21.B, Z2.B[1]"},
		{"SDOT Z", []int{1, 2, 4}, 0x44840041, "SDOT Z1.S, Z2.B, Z4.B"},
		{"SDOT Z", []int{31, 16, 8}, 0x4488021f, "SDOT Z31.S, Z16.B, Z8.B"},
		{"UDOT Z", []int{1, 2, 4}, 0x44840441, "UDOT Z1.S, Z2.B, Z4.B"},
		{"UDOT Z", []int{31, 16, 8}, 0x4488061f, "UDOT Z31.S, Z16.B, Z8.B"},
		{"EOR Z", []int{1, 2, 4}, 0x04a43041, "EOR Z1.D, Z2.D, Z4.D"},
		{"EOR Z", []int{31, 16, 8}, 0x04a8321f, "EOR Z31.D, Z16.D, Z8.D"},
		{"CNT Z.B", []int{1, 0, 2}, 0x041aa041, "CNT Z1.B, P0/M, Z2.B"},
		{"CNT Z.B", []int{31, 0, 16}, 0x041aa21f, "CNT Z31.B, P0/M, Z16.B"},
		{"CNT Z.D", []int{1, 0, 2}, 0x04daa041, "CNT Z1.D, P0/M, Z2.D"},
		{"CNT Z.D", []int{31, 0, 16}, 0x04daa21f, "CNT Z31.D, P0/M, Z16.D"},
		{"ADD Z.S", []int{1, 2, 4}, 0x04a40041, "ADD Z1.S, Z2.S, Z4.S"},
		{"ADD Z.S", []int{31, 16, 8}, 0x04a8021f, "ADD Z31.S, Z16.S, Z8.S"},
		{"ADD Z.D", []int{1, 2, 4}, 0x04e40041, "ADD Z1.D, Z2.D, Z4.D"},
		{"ADD Z.D", []int{31, 16, 8}, 0x04e8021f, "ADD Z31.D, Z16.D, Z8.D"},
		{"SUB Z.S", []int{1, 2, 4}, 0x04a40441, "SUB Z1.S, Z2.S, Z4.S"},
		{"SUB Z.S", []int{31, 16, 8}, 0x04a8061f, "SUB Z31.S, Z16.S, Z8.S"},
		{"FADD Z", []int{1, 2, 4}, 0x65840041, "FADD Z1.S, Z2.S, Z4.S"},
		{"FADD Z", []int{31, 16, 8}, 0x6588021f, "FADD Z31.S, Z16.S, Z8.S"},
		{"FADDV", []int{1, 0, 2}, 0x65802041, "FADDV S1, P0, Z2.S"},
		{"FADDV", []int{31, 0, 16}, 0x6580221f, "FADDV S31, P0, Z16.S"},
		{"UADDV S", []int{1, 0, 2}, 0x04812041, "UADDV D1, P0, Z2.S"},
		{"UADDV S", []int{31, 0, 16}, 0x0481221f, "UADDV D31, P0, Z16.S"},
		{"UADDV D", []int{1, 0, 2}, 0x04c12041, "UADDV D1, P0, Z2.D"},
		{"UADDV D", []int{31, 0, 16}, 0x04c1221f, "UADDV D31, P0, Z16.D"},
	} {
		tested[c.name] = true
		if word, text := encodeSVE(c.name, c.operands...); word != c.word || text != c.text {
			t.Errorf("%s %v: got %#08x %s, want %#08x %s", c.name, c.operands, word, text, c.word, c.text)
		}
	}
	for name := range sve {
		if !tested[name] {
			t.Errorf("%s: no listed encoding", name)
		}
	}
}
