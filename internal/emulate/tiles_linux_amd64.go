package emulate

import (
	"encoding/binary"
	"fmt"
)

// maxRows and maxBytes are palette 1's: tiles of 16 rows of 64 bytes.
const (
	numTiles = 8
	maxRows  = 16
	maxBytes = 64
)

// tileData is a tile's content; what lies outside its configured size is 0.
type tileData [maxRows][maxBytes]byte

// tiles is a thread's AMX state. Nil is the initial one, not configured.
type tiles struct {
	rows, bytes [numTiles]int
	data        [numTiles]tileData
}

// memory is where rows of bytes are read from and written to: the first at an
// address, each further one at a distance from the one before.
type memory interface {
	read(at, distance uint64, rows [][]byte) error
	write(at, distance uint64, rows [][]byte) error
}

// configure makes the state that LDTILECFG makes of 64 bytes, or says which rule
// of the manual they break; nil where they release the tiles.
func configure(cfg []byte) (*tiles, error) {
	if cfg[0] == 0 {
		return nil, nil
	}
	if cfg[0] != 1 || cfg[1] != 0 {
		return nil, fmt.Errorf("palette %d, start row %d: want 1 and 0", cfg[0], cfg[1])
	}
	t := &tiles{}
	for i := range 16 {
		bytes, rows := int(binary.LittleEndian.Uint16(cfg[16+2*i:])), int(cfg[48+i])
		if i >= numTiles && bytes|rows != 0 || i < 14 && cfg[2+i] != 0 {
			return nil, fmt.Errorf("reserved bytes are not 0: % x", cfg)
		}
		if bytes > maxBytes || rows > maxRows || (bytes == 0) != (rows == 0) {
			return nil, fmt.Errorf("tile %d of %d rows of %d bytes: want at most %d of %d, or none of 0", i, rows, bytes, maxRows, maxBytes)
		}
		if i < numTiles {
			t.bytes[i], t.rows[i] = bytes, rows
		}
	}
	return t, nil
}

// do executes an instruction on tiles other than LDTILECFG and TILERELEASE.
func (t *tiles) do(in instr, at, distance uint64, m memory) error {
	if t == nil {
		return fmt.Errorf("tiles are not configured")
	}
	if t.rows[in.dst] == 0 {
		return fmt.Errorf("tile %d is not configured", in.dst)
	}
	switch in.op {
	case zero:
		t.data[in.dst] = tileData{}
	case load:
		t.data[in.dst] = tileData{}
		return m.read(at, distance, t.view(in.dst))
	case store:
		return m.write(at, distance, t.view(in.dst))
	default:
		return t.dot(in)
	}
	return nil
}

// view gives the configured part of a tile.
func (t *tiles) view(i int) [][]byte {
	rows := make([][]byte, t.rows[i])
	for r := range rows {
		rows[r] = t.data[i][r][:t.bytes[i]]
	}
	return rows
}

// dot is TDPB**D:
//
//	for m := range rows of dst {
//		for k := range words of a row of a {
//			for n := range words of a row of dst {
//				dst[m][n] += Σ a[m][4k+i]·b[k][4n+i] over i in range 4
//			}
//		}
//	}
func (t *tiles) dot(in instr) error {
	if in.dst == in.a || in.dst == in.b || in.a == in.b {
		return fmt.Errorf("tiles %d, %d, %d: want three different ones", in.dst, in.a, in.b)
	}
	if t.rows[in.dst] != t.rows[in.a] || t.bytes[in.dst] != t.bytes[in.b] || t.bytes[in.a] != 4*t.rows[in.b] || t.bytes[in.dst]%4 != 0 {
		return fmt.Errorf("%d×%d bytes += %d×%d · %d×%d: sizes do not fit", t.rows[in.dst], t.bytes[in.dst], t.rows[in.a], t.bytes[in.a], t.rows[in.b], t.bytes[in.b])
	}
	signedA, signedB := in.op == dotSS || in.op == dotSU, in.op == dotSS || in.op == dotUS
	dst, a, b := &t.data[in.dst], &t.data[in.a], &t.data[in.b]
	for m := range t.rows[in.dst] {
		for n := range t.bytes[in.dst] / 4 {
			sum := int32(binary.LittleEndian.Uint32(dst[m][4*n:]))
			for k := range t.rows[in.b] {
				for i := range 4 {
					sum += widen(a[m][4*k+i], signedA) * widen(b[k][4*n+i], signedB)
				}
			}
			binary.LittleEndian.PutUint32(dst[m][4*n:], uint32(sum))
		}
	}
	return nil
}

func widen(b byte, signed bool) int32 {
	if signed {
		return int32(int8(b))
	}
	return int32(b)
}

// vpdpbusd adds to each of eight sums four products of unsigned bytes of a and
// signed bytes of b, modulo 2³².
func vpdpbusd(sums, a, b *[32]byte) {
	for lane := 0; lane < len(sums); lane += 4 {
		sum := int32(binary.LittleEndian.Uint32(sums[lane:]))
		for i := lane; i < lane+4; i++ {
			sum += int32(a[i]) * int32(int8(b[i]))
		}
		binary.LittleEndian.PutUint32(sums[lane:], uint32(sum))
	}
}

// vpdpwssd is the same of two products of signed words.
func vpdpwssd(sums, a, b *[32]byte) {
	word := func(v []byte) int32 { return int32(int16(binary.LittleEndian.Uint16(v))) }
	for lane := 0; lane < len(sums); lane += 4 {
		sum := int32(binary.LittleEndian.Uint32(sums[lane:]))
		for i := lane; i < lane+4; i += 2 {
			sum += word(a[i:]) * word(b[i:])
		}
		binary.LittleEndian.PutUint32(sums[lane:], uint32(sum))
	}
}
