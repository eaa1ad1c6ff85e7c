package nn

import (
	"fmt"
	"unsafe"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/quant"
)

// maxInt8Row is the longest dot product whose int32 sum is exact.
const maxInt8Row = 131071

func errInt8Row(n int) error {
	return fmt.Errorf("%d products a sum: int32 is exact up to %d", n, maxInt8Row)
}

func signedBytes(b []byte) []int8 {
	return unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(b))), len(b))
}

// convertStep carries a value from one form to another: float32 to int8 by
// Quantize (to int16 by Quantize16), float32 to bits by sign, int8 and int16 to
// float32 as s·x̃, ±1 to anything exactly.
func convertStep(from, to *buffer) step {
	if from.form.dtype == dtype.Binary && to.form.dtype == dtype.Int8 && to.scale == 1 && to.zero == 0 {
		return &unpackStep{from, to}
	}
	return &elementStep{from, to}
}

type elementStep struct{ from, to *buffer }

func (st *elementStep) run(s *state) {
	from, to := st.from.bytes(s), st.to.bytes(s)
	switch a, b := st.from.form, st.to.form; {
	case a.dtype == dtype.Float32 && b.dtype == dtype.Binary:
		st.signs(from, to)
		return
	case a.dtype == dtype.Float32 && b.dtype == dtype.Int8 && !b.wide:
		st.round(from, to)
		return
	case a.wide && b.dtype == dtype.Int8 && !b.wide && !st.to.away:
		st.narrow(from, to)
		return
	case a.dtype == dtype.Int8 && !a.wide && b.dtype == dtype.Float32:
		table, c := st.from.table(), st.to.img.C
		eachPixel(st.from, st.to, func(p, q int) {
			x, px := from[p:][:c], floats(to[q:][:4*c])
			for i, v := range x {
				px[i] = table[v]
			}
		})
		return
	case a.dtype == dtype.Int8 && !a.wide && b.dtype == dtype.Int8 && !b.wide && st.from.scale == st.to.scale && st.from.zero == st.to.zero && st.from.lo >= st.to.lo:
		c, xor := st.to.img.C, a.xor^b.xor
		eachPixel(st.from, st.to, func(p, q int) {
			x, px := from[p:][:c], to[q:][:c]
			for i, v := range x {
				px[i] = v ^ xor
			}
		})
		return
	}
	m, channels := st.to.img, st.to.value.Shape.Channels()
	for y := range m.H {
		for x := range m.W {
			px, source := to[m.Offset(y, x):], from[st.from.img.Offset(y, x):]
			for ch := range channels {
				st.to.put(px, ch, st.from.element(source, ch))
			}
		}
	}
}

// signs makes bits of float32, eight at a time; the bits past the last channel are 0.
func (st *elementStep) signs(from, to []byte) {
	c := st.to.img.C
	eachPixel(st.from, st.to, func(p, q int) {
		x, bits := floats(from[p:][:4*c]), to[q:][:(c+7)/8]
		for i := range bits {
			b := byte(0)
			for j, v := range x[8*i : min(c, 8*i+8)] {
				if v >= 0 {
					b |= 1 << j
				}
			}
			bits[i] = b
		}
	})
}

// narrow makes bytes of int16.
func (st *elementStep) narrow(from, to []byte) {
	c, by := st.to.value.Shape.Channels(), st.from.scale
	xor, scale, zero, lo := st.to.form.xor, st.to.scale, st.to.zero, st.to.lo
	eachPixel(st.from, st.to, func(p, q int) {
		x, px := shorts(from[p:][:2*c]), to[q:][:c]
		for i, v := range x {
			px[i] = uint8(quant.QuantizeZero(float32(v)*by, scale, zero, lo)) ^ xor
		}
	})
}

// table has for each byte of an int8 buffer the number that it stands for.
func (b *buffer) table() *[256]float32 {
	t := new([256]float32)
	for v := range t {
		t[v] = float32(int(int8(uint8(v)^b.form.xor))-int(b.zero)) * b.scale
	}
	return t
}

// round makes bytes of float32.
func (st *elementStep) round(from, to []byte) {
	c, xor, scale, zero, lo := st.to.img.C, st.to.form.xor, st.to.scale, st.to.zero, st.to.lo
	if st.to.away {
		eachPixel(st.from, st.to, func(p, q int) {
			for i, v := range floats(from[p:][:4*c]) {
				st.to.put(to[q:], i, v)
			}
		})
		return
	}
	eachPixel(st.from, st.to, func(p, q int) {
		x, px := floats(from[p:][:4*c]), to[q:][:c]
		for i, v := range x {
			px[i] = uint8(quant.QuantizeZero(v, scale, zero, lo)) ^ xor
		}
	})
}

// put writes channel c of the pixel at px.
func (b *buffer) put(px []byte, c int, v float32) {
	switch b.form.dtype {
	case dtype.Float32:
		floats(px[4*c:][:4])[0] = v
	case dtype.Int8:
		if b.form.wide {
			shorts(px[2*c:][:2])[0] = quant.Quantize16(v, b.scale)
			return
		}
		if b.away {
			px[c] = uint8(b.format().Round(v)) ^ b.form.xor
			return
		}
		px[c] = uint8(quant.QuantizeZero(v, b.scale, b.zero, b.lo)) ^ b.form.xor
	default:
		px[c/8] &^= 1 << (c % 8)
		if v >= 0 {
			px[c/8] |= 1 << (c % 8)
		}
	}
}

// unpackStep turns bits into bytes ±1, eight at a time.
type unpackStep struct{ from, to *buffer }

// signBytes has for each byte of bits the eight int8 that it stands for.
var signBytes = func() (t [256][8]int8) {
	for v := range t {
		for i := range t[v] {
			t[v][i] = int8(v>>i&1)*2 - 1
		}
	}
	return t
}()

func (st *unpackStep) run(s *state) {
	from, to, xor, n := st.from.bytes(s), signedBytes(st.to.bytes(s)), int8(st.to.form.xor), st.to.img.C
	eachPixel(st.from, st.to, func(p, q int) {
		px := to[q : q+n]
		for i := 0; i < n; i += 8 {
			copy(px[i:], signBytes[from[p+i/8]][:])
		}
		if xor != 0 {
			for i := range px {
				px[i] ^= xor
			}
		}
	})
}

type observeStep struct {
	b *buffer
	f func(*graph.Value, []float32)
}

func (st *observeStep) run(s *state) {
	v := s.scratch[:st.b.value.Shape.Size()]
	ordered(v, st.b, s)
	st.f(st.b.value, v)
}

// outputStep hands the result over.
type outputStep struct{ b *buffer }

func (st *outputStep) run(s *state) { ordered(s.out, st.b, s) }
