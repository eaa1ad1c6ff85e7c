// Package mutate makes hostile model files for tests: it takes small valid files apart
// along their structure, protobuf's tags or a flatbuffer's tables, changes parts of them,
// and holds a reader to what it promises of any file. Each file follows from the seeds and
// one number.
package mutate

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
)

// extremes are integers at whose neighbourhood readers go wrong: widths of types, of sizes
// and products.
var extremes = [...]int64{
	0, 1, -1, 2, 3, 5, 7, 8, 16, 127, 128, 255, 256, 1000, math.MaxInt16, 1 << 15, math.MaxUint16, 1 << 16, 1 << 20, 1 << 24, 1<<27 - 1, 1 << 27, 1 << 28, 1 << 30,
	math.MaxInt32, math.MinInt32, 1 << 31, math.MaxUint32, 1 << 32, 1<<32 + 1, 1 << 33, 3037000500, 1 << 40, 1 << 53, 1 << 61, 1 << 62, math.MaxInt64, math.MinInt64, math.MinInt64 + 1,
}

// floats are numbers that scales and bounds should not be, or only just.
var floats = [...]float64{
	0, math.Copysign(0, -1), 1, -1, 0.5, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, 0x1p-126, 1e-20, 1e20,
	math.MaxFloat64, 255, 128, 1e-5,
}

// integer is another number in place of was.
func integer(r *rand.Rand, was int64) int64 {
	switch r.IntN(8) {
	case 0:
		return was + 1
	case 1:
		return was - 1
	case 2:
		return -was
	case 3:
		return was * int64(1+r.IntN(16))
	case 4, 5:
		return int64(r.IntN(14)) - 3
	case 6:
		return int64(r.Uint64() >> r.IntN(64))
	}
	v := extremes[r.IntN(len(extremes))]
	if r.IntN(8) == 0 {
		v = -v
	}
	return v
}

func bits32(r *rand.Rand) uint32 {
	if r.IntN(4) == 0 {
		return r.Uint32()
	}
	return math.Float32bits(float32(floats[r.IntN(len(floats))]))
}

func bits64(r *rand.Rand) uint64 { return math.Float64bits(floats[r.IntN(len(floats))]) }

// scramble changes bytes that nobody knows the meaning of: some of them, or how many there
// are. It may write to b.
func scramble(r *rand.Rand, b []byte) []byte {
	if len(b) == 0 {
		return append(b, byte(r.Uint32()))
	}
	at := r.IntN(len(b))
	switch r.IntN(8) {
	case 0, 1:
		b[at] ^= 1 << r.IntN(8)
	case 2:
		b[at] = byte(extremes[r.IntN(len(extremes))])
	case 3:
		if at+4 <= len(b) {
			binary.LittleEndian.PutUint32(b[at:], bits32(r))
		}
	case 4:
		if at+8 <= len(b) {
			binary.LittleEndian.PutUint64(b[at:], uint64(extremes[r.IntN(len(extremes))]))
		}
	case 5:
		b = b[:at]
	case 6: // some bytes a second time
		b = append(b, b[at:min(len(b), at+1+r.IntN(32))]...)
	default: // some bytes out
		b = append(b[:at], b[min(len(b), at+1+r.IntN(8)):]...)
	}
	return b
}

// few is 1 more often than not, and seldom more than 5.
func few(r *rand.Rand) int {
	n := 1
	for n < 12 && r.IntN(5) < 2 {
		n++
	}
	return n
}
