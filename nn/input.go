package nn

import (
	"encoding/binary"
	"sync"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
)

// inputStep brings an image, planes of C×H×W values, into the form of the first
// layer, float32 or int8, normalized. Bytes have only 256 values, so each channel's are looked
// up in a table that holds exactly what a float32 of the same value gives.
type inputStep struct {
	norms []*graph.Node // affines from the graph's input on
	out   *buffer

	once   sync.Once      // the first runner makes what follows
	floats [][256]float32 // a table a channel, or one for all that are alike
	bytes  [][256]uint8
	words  *[3][256]uint32 // bytes of three channels, each at its place in a pixel's word
}

// alike says whether all channels are normalized by the same constants. Then
// they share a table: a vector of inputs is as many channels.
func (st *inputStep) alike() bool {
	for _, n := range st.norms {
		if a := n.Op.(*graph.Affine); len(a.Scale) > 1 || len(a.Shift) > 1 {
			return false
		}
	}
	return true
}

func (st *inputStep) norm(ch int, x float32) float32 {
	for _, n := range st.norms {
		x = float32(n.Op.(*graph.Affine).At(ch, float64(x)))
	}
	return x
}

// prepare fills the tables; the buffer's scale must be final.
func (st *inputStep) prepare() {
	tables := st.out.img.C
	if st.alike() {
		tables = 1
	}
	for ch := range tables {
		var f [256]float32
		var b [256]uint8
		for v := range f {
			f[v] = st.norm(ch, float32(v))
			if st.out.form.dtype == dtype.Int8 {
				var px [1]byte
				st.out.put(px[:], 0, f[v])
				b[v] = px[0]
			}
		}
		st.floats, st.bytes = append(st.floats, f), append(st.bytes, b)
	}
	if st.out.form.dtype == dtype.Int8 && st.out.img.C == 3 {
		st.words = new([3][256]uint32)
		for ch := range st.words {
			for v, b := range st.bytes[ch%tables] {
				var px [4]byte
				px[ch] = b
				st.words[ch][v] = binary.NativeEndian.Uint32(px[:])
			}
		}
	}
}

func (st *inputStep) run(s *state) { st.runUnits(s, nil, 0, st.units()) }

// units are rows of pixels.
func (st *inputStep) units() int { return st.out.img.H }

func (st *inputStep) runUnits(s *state, _ *kernels.Context, from, to int) {
	st.once.Do(st.prepare)
	mem := st.out.bytes(s)
	switch {
	case s.pixels == nil:
		st.fromFloats(mem, s.floats, from, to)
	case st.words != nil:
		st.colours(mem, s.pixels, from, to)
	case st.out.form.dtype == dtype.Float32 && st.out.img.C == 3:
		st.floatColours(mem, s.pixels, from, to)
	default:
		st.fromBytes(mem, s.pixels, from, to)
	}
}

func (st *inputStep) fromFloats(mem []byte, in []float32, from, to int) {
	m := st.out.img
	for ch := range m.C {
		for y := from; y < to; y++ {
			for x, v := range in[(ch*m.H+y)*m.W:][:m.W] {
				st.out.put(mem[m.Offset(y, x):], ch, st.norm(ch, v))
			}
		}
	}
}

func (st *inputStep) fromBytes(mem []byte, in []uint8, from, to int) {
	m := st.out.img
	pixel, plane := m.PixelBytes(), m.H*m.W
	for ch := range m.C {
		for y := from; y < to; y++ {
			row := in[ch*plane+y*m.W:][:m.W]
			at := m.Offset(y, 0)
			if st.out.form.dtype == dtype.Float32 {
				table := &st.floats[ch%len(st.floats)]
				to, step := floats(mem[at:][:m.W*pixel]), pixel/4
				for x, v := range row {
					to[x*step+ch] = table[v]
				}
			} else {
				table := &st.bytes[ch%len(st.bytes)]
				for x, v := range row {
					mem[at+x*pixel+ch] = table[v]
				}
			}
		}
	}
}

// colours is fromBytes for three channels of int8: a word a pixel.
func (st *inputStep) colours(mem []byte, in []uint8, from, to int) {
	m := st.out.img
	plane := m.H * m.W
	r, g, b := &st.words[0], &st.words[1], &st.words[2]
	at, row := m.Offset(0, 0), m.RowBytes()
	for y := from; y < to; y++ {
		red := in[y*m.W:][:m.W]
		green, blue := in[plane+y*m.W:][:len(red)], in[2*plane+y*m.W:][:len(red)]
		px := words(mem[at+y*row:][:4*m.W])[:len(red)]
		for x, v := range red {
			px[x] = r[v] | g[green[x]] | b[blue[x]]
		}
	}
}

// floatColours is fromBytes for three channels of float32, pixel after pixel, as they lie.
func (st *inputStep) floatColours(mem []byte, in []uint8, from, to int) {
	m, tables := st.out.img, len(st.floats)
	plane := m.H * m.W
	r, g, b := &st.floats[0], &st.floats[1%tables], &st.floats[2%tables]
	for y := from; y < to; y++ {
		red := in[y*m.W:][:m.W]
		green, blue := in[plane+y*m.W:][:len(red)], in[2*plane+y*m.W:][:len(red)]
		row := floats(mem[m.Offset(y, 0):][:12*m.W])
		for x, v := range red {
			px := row[3*x:][:3]
			px[0], px[1], px[2] = r[v], g[green[x]], b[blue[x]]
		}
	}
}
