package emulate

// op is an instruction that we know.
type op int

const (
	none op = iota
	loadConfig
	release
	zero
	load
	store
	dotSS // by the signs of the first and the second source's bytes
	dotSU
	dotUS
	dotUU
	dotBytes
	dotWords
)

var mnemonics = [...]string{
	loadConfig: "LDTILECFG", release: "TILERELEASE", zero: "TILEZERO", load: "TILELOADD", store: "TILESTORED",
	dotSS: "TDPBSSD", dotSU: "TDPBSUD", dotUS: "TDPBUSD", dotUU: "TDPBUUD", dotBytes: "VPDPBUSD", dotWords: "VPDPWSSD",
}

// instr is a decoded instruction. Operands are in Intel's order: dst, a, b.
type instr struct {
	op        op
	size      int
	dst, a, b int // tiles, or vector registers
	// Memory at base + disp, rows at a distance of index<<shift: numbers of
	// registers, index −1 is none.
	base, index, shift int
	disp               int64
}

// decode reads the instruction at the start of code; its op is none if it is not
// one of ours. All of ours have a VEX prefix of three bytes, map 0F38 and W0
// (Intel SDM, volume 2, section 2.3 and the instructions' pages).
func decode(code []byte) (in instr) {
	if len(code) < 5 || code[0] != 0xc4 || code[1]&0x1f != 2 || code[2]&0x80 != 0 {
		return in
	}
	high := func(bit int) int { return int(^code[1]>>bit&1) << 3 } // R, X and B are stored inverted
	r, x, b := high(7), high(6), high(5)
	long, prefix := code[2]&4 != 0, code[2]&3
	v := int(^code[2] >> 3 & 15)
	opcode, modrm := code[3], code[4]
	mod, reg, rm := modrm>>6, int(modrm>>3&7)|r, int(modrm&7)|b
	in.size = 5

	if opcode == 0x50 || opcode == 0x52 {
		if long && prefix == 1 && mod == 3 {
			in.op, in.dst, in.a, in.b = map[byte]op{0x50: dotBytes, 0x52: dotWords}[opcode], reg, v, rm
		}
		return in
	}
	if long || reg > 7 {
		return in
	}
	in.dst = reg
	switch memory := mod != 3; {
	case opcode == 0x49 && v == 0 && memory && prefix == 0 && reg == 0:
		in.op = loadConfig
	case opcode == 0x49 && v == 0 && prefix == 0 && modrm == 0xc0:
		in.op = release
	case opcode == 0x49 && v == 0 && prefix == 3 && !memory && rm == 0:
		in.op = zero
	case opcode == 0x4b && v == 0 && memory && modrm&7 == 4 && prefix >= 2:
		in.op = map[byte]op{3: load, 2: store}[prefix]
	case opcode == 0x5e && !memory && rm < 8 && v < 8:
		in.op, in.a, in.b = []op{dotUU, dotUS, dotSU, dotSS}[prefix], rm, v
	}
	if in.op == loadConfig || in.op == load || in.op == store {
		if !in.memory(code[5:], mod, modrm&7, x, b) {
			in.op = none
		}
	}
	return in
}

// memory decodes a memory operand, whose SIB byte and displacement start rest.
func (in *instr) memory(rest []byte, mod, rm byte, x, b int) bool {
	in.base, in.index = int(rm)|b, -1
	if rm == 4 {
		if len(rest) < 1 {
			return false
		}
		sib := rest[0]
		rest = rest[1:]
		in.size++
		in.base, in.shift = int(sib&7)|b, int(sib>>6)
		if index := int(sib>>3&7) | x; index != 4 {
			in.index = index
		}
		rm = sib & 7
	}
	if mod == 0 && rm == 5 { // no base register: we write no such thing
		return false
	}
	n := []int{0, 1, 4}[mod]
	if len(rest) < n {
		return false
	}
	in.size += n
	switch n {
	case 1:
		in.disp = int64(int8(rest[0]))
	case 4:
		in.disp = int64(int32(uint32(rest[0]) | uint32(rest[1])<<8 | uint32(rest[2])<<16 | uint32(rest[3])<<24))
	}
	return true
}
