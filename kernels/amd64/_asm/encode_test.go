package main

import (
	"bytes"
	"testing"
)

// By hand: labels, directives and comments are no instructions, LEAQ loads nothing.
func TestMix(t *testing.T) {
	n, loads, stores := mix("loop:\n\tPCALIGN $32\n\tVMOVUPS 64(R8)(CX*1), Z1 // (BX)\n\tVADDPS Z1, Z2, Z3\n" +
		"\tVADDPS (AX), Z3, Z3\n\tMOVQ T_Src, SI\n\tLEAQ (R8)(R8*2), R12\n\tVMOVUPS Z3, (R11)\n\tADDQ $64, R11\n\tRET\n")
	if n != 8 || loads != 3 || stores != 1 {
		t.Errorf("%d instructions, %d loads, %d stores: want 8, 3, 1", n, loads, stores)
	}
}

// The bytes as GNU as writes them for {vex} vpdpbusd and {vex} vpdpwssd.
func TestEncodeVNNI(t *testing.T) {
	for _, c := range []struct {
		name            string
		src2, src1, acc int
		want            []byte
	}{
		{"VPDPBUSD", 0, 1, 2, []byte{0xc4, 0xe2, 0x75, 0x50, 0xd0}},
		{"VPDPBUSD", 9, 10, 7, []byte{0xc4, 0xc2, 0x2d, 0x50, 0xf9}},
		{"VPDPBUSD", 3, 15, 11, []byte{0xc4, 0x62, 0x05, 0x50, 0xdb}},
		{"VPDPBUSD", 14, 8, 12, []byte{0xc4, 0x42, 0x3d, 0x50, 0xe6}},
		{"VPDPWSSD", 1, 2, 3, []byte{0xc4, 0xe2, 0x6d, 0x52, 0xd9}},
		{"VPDPWSSD", 14, 8, 12, []byte{0xc4, 0x42, 0x3d, 0x52, 0xe6}},
	} {
		if got := encodeVNNI(c.name, c.src2, c.src1, c.acc); !bytes.Equal(got, c.want) {
			t.Errorf("%s ymm%d, ymm%d, ymm%d: got % x, want % x", c.name, c.acc, c.src1, c.src2, got, c.want)
		}
	}
}

// The bytes as GNU as 2.40 writes them for the instruction beside, in AT&T's
// order of operands.
func TestEncodeAMX(t *testing.T) {
	for _, c := range []struct {
		gas  string
		got  []byte
		want []byte
	}{
		{"ldtilecfg (%rax)", encodeTileMem(ldTileCfg, 0, "AX", "", 0), []byte{0xc4, 0xe2, 0x78, 0x49, 0x00}},
		{"ldtilecfg 6144(%r12)", encodeTileMem(ldTileCfg, 0, "R12", "", 6144), []byte{0xc4, 0xc2, 0x78, 0x49, 0x84, 0x24, 0x00, 0x18, 0x00, 0x00}},
		{"tilerelease", tileRelease, []byte{0xc4, 0xe2, 0x78, 0x49, 0xc0}},
		{"tilezero %tmm5", encodeTileZero(5), []byte{0xc4, 0xe2, 0x7b, 0x49, 0xe8}},
		{"tileloadd (%rax,%rcx,1), %tmm3", encodeTileMem(tileLoadD, 3, "AX", "CX", 0), []byte{0xc4, 0xe2, 0x7b, 0x4b, 0x1c, 0x08}},
		{"tileloadd 64(%r8,%r9,1), %tmm4", encodeTileMem(tileLoadD, 4, "R8", "R9", 64), []byte{0xc4, 0x82, 0x7b, 0x4b, 0x64, 0x08, 0x40}},
		{"tileloadd 1024(%r14,%r15,1), %tmm7", encodeTileMem(tileLoadD, 7, "R14", "R15", 1024), []byte{0xc4, 0x82, 0x7b, 0x4b, 0xbc, 0x3e, 0x00, 0x04, 0x00, 0x00}},
		{"tileloadd (%r13,%rbx,1), %tmm0", encodeTileMem(tileLoadD, 0, "R13", "BX", 0), []byte{0xc4, 0xc2, 0x7b, 0x4b, 0x44, 0x1d, 0x00}},
		{"tileloadd (%rsp,%rbp,1), %tmm1", encodeTileMem(tileLoadD, 1, "SP", "BP", 0), []byte{0xc4, 0xe2, 0x7b, 0x4b, 0x0c, 0x2c}},
		{"tilestored %tmm3, 2112(%r12,%r13,1)", encodeTileMem(tileStoreD, 3, "R12", "R13", 2112), []byte{0xc4, 0x82, 0x7a, 0x4b, 0x9c, 0x2c, 0x40, 0x08, 0x00, 0x00}},
		{"tilestored %tmm0, (%rsi,%rdi,1)", encodeTileMem(tileStoreD, 0, "SI", "DI", 0), []byte{0xc4, 0xe2, 0x7a, 0x4b, 0x04, 0x3e}},
		{"tdpbssd %tmm6, %tmm4, %tmm0", encodeTDPBSSD(6, 4, 0), []byte{0xc4, 0xe2, 0x4b, 0x5e, 0xc4}},
		{"tdpbssd %tmm7, %tmm5, %tmm3", encodeTDPBSSD(7, 5, 3), []byte{0xc4, 0xe2, 0x43, 0x5e, 0xdd}},
	} {
		if !bytes.Equal(c.got, c.want) {
			t.Errorf("%s: got % x, want % x", c.gas, c.got, c.want)
		}
	}
}

// The bytes as GNU as 2.40 writes them for the instruction beside.
func TestEncodeBF16(t *testing.T) {
	for _, c := range []struct {
		gas             string
		op              bf16Op
		src2, src1, dst int
		want            []byte
	}{
		{"vdpbf16ps %zmm1, %zmm2, %zmm3", vdpbf16, 1, 2, 3, []byte{0x62, 0xf2, 0x6e, 0x48, 0x52, 0xd9}},
		{"vdpbf16ps %zmm16, %zmm18, %zmm15", vdpbf16, 16, 18, 15, []byte{0x62, 0x32, 0x6e, 0x40, 0x52, 0xf8}},
		{"vdpbf16ps %zmm17, %zmm9, %zmm31", vdpbf16, 17, 9, 31, []byte{0x62, 0x22, 0x36, 0x48, 0x52, 0xf9}},
		{"vdpbf16ps %zmm12, %zmm30, %zmm8", vdpbf16, 12, 30, 8, []byte{0x62, 0x52, 0x0e, 0x40, 0x52, 0xc4}},
		{"vcvtne2ps2bf16 %zmm30, %zmm15, %zmm15", vcvtne2ps2bf16, 30, 15, 15, []byte{0x62, 0x12, 0x07, 0x48, 0x72, 0xfe}},
		{"vcvtne2ps2bf16 %zmm7, %zmm24, %zmm22", vcvtne2ps2bf16, 7, 24, 22, []byte{0x62, 0xe2, 0x3f, 0x40, 0x72, 0xf7}},
	} {
		if got := encodeBF16(c.op, c.src2, c.src1, c.dst); !bytes.Equal(got, c.want) {
			t.Errorf("%s: got % x, want % x", c.gas, got, c.want)
		}
	}
}
