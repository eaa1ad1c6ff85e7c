package kernels

import (
	"fmt"
	"math"
	"unsafe"

	"macroscope/dtype"
	"macroscope/kernels/generic"
	"macroscope/kernels/tile"
	"macroscope/quant"
)

// Int16Image is the place of int16 values: like that of twice as many int8, without
// a halo.
func Int16Image(h, w, c int) Image { return Image{DType: dtype.Int8, H: h, W: w, C: 2 * c} }

// Shortcut is what joins a convolution's sums in a Merge.
type Shortcut int

const (
	NoShortcut     Shortcut = iota
	Identity                // the stream as it lies
	PooledShortcut          // the maxima of 2×2 pixels, stride 2
)

// MergeSpec describes a Merge: quant.Merge over the C channels of H×W pixels.
type MergeSpec struct {
	Sums Image // the convolution's int32 sums: a float32 image
	Out  Image // the stream afterwards: an Int16Image of the extent and channels of Sums
	Bits Image // its signs: binary, of the same extent and channels
	// Stream is the stream before: an Int16Image of the same extent, twice the extent
	// (PooledShortcut; an odd last row or column is not read), or none. Its channels
	// divide those of Sums and are repeated: with half of them each stands twice.
	Stream   Image
	Shortcut Shortcut

	M, B   []float32 // [C]
	Slope  []float32 // [C], finite; nil: 1
	Lo, Hi int16     // Lo ≤ Hi

	// Signs are the signs of a norm of Out, which Bits then holds in place of Out's
	// own: [C]; nil: Out's.
	Signs []quant.StreamSign
}

// Merge is a prepared MergeSpec. It is immutable; its methods may be called by many
// goroutines, each with its Context.
type Merge struct {
	spec     MergeSpec
	fast     func(*tile.Merge)
	plain    func(*tile.Merge)
	vl       int
	vectors  int // that fast does; plain does the other channels
	template tile.Merge

	sums, out, bits, stream rows
}

// rows says where the rows of an image's pixels begin.
type rows struct{ first, pitch, bytes int }

func rowsOf(m Image) rows { return rows{m.Offset(0, 0), m.RowBytes(), m.Bytes()} }

func (r *rows) at(mem []byte, y int) unsafe.Pointer { return unsafe.Pointer(&mem[r.first+y*r.pitch]) }

// NewMerge prepares what follows a convolution of this row, int8 or binary.
func (im *Impl) NewMerge(spec MergeSpec) (*Merge, error) {
	if err := spec.check(im); err != nil {
		return nil, fmt.Errorf("%s: %w", im.FullName("merge"), err)
	}
	m := &Merge{spec: spec, sums: rowsOf(spec.Sums), out: rowsOf(spec.Out), bits: rowsOf(spec.Bits)}
	s := &m.spec
	c := s.Sums.C
	s.M, s.B = alignedCopy(s.M), alignedCopy(s.B)
	m.template = tile.Merge{
		Count: s.Sums.W,
		M:     at(s.M), B: at(s.B), SumStep: s.Sums.PixelBytes(), OutStep: s.Out.PixelBytes(), BitStep: s.Bits.PixelBytes(),
		HChannels: c, Lo: int32(s.Lo), Hi: int32(s.Hi),
	}
	if s.Slope != nil {
		s.Slope = alignedCopy(s.Slope)
		for i, v := range s.Slope {
			s.Slope[i] = min(1<<15, max(-1<<15, v)) // beyond, −1 is saturated already
		}
		m.template.Slope = at(s.Slope)
	}
	if s.Shortcut != NoShortcut {
		m.stream = rowsOf(s.Stream)
		m.template.HStep, m.template.HRow, m.template.HChannels = s.Stream.PixelBytes(), s.Stream.RowBytes(), s.Stream.C/2
	}
	m.template.T, m.template.Flip = thresholds(s.Signs, c)
	m.plain = s.loop(&generic.Merge)
	if f := im.k.Merge; f != nil && (m.template.HChannels == c || m.template.HChannels%f.VL == 0) {
		m.fast, m.vl, m.vectors = s.loop(f), f.VL, c/f.VL
	}
	return m, nil
}

// thresholds are tile.Merge's T and Flip for c channels; signs nil are those of the
// numbers themselves.
func thresholds(signs []quant.StreamSign, c int) (t, flip unsafe.Pointer) {
	at, bits := alignedSlice[int32](c), alignedSlice[uint8]((c+7)/8)
	for i, s := range signs {
		if at[i] = int32(s.T); s.T == math.MinInt16 {
			at[i] = math.MinInt32 // the loops compare before they saturate to int16
		}
		if s.Flip {
			bits[i/8] |= 1 << (i % 8)
		}
	}
	return unsafe.Pointer(unsafe.SliceData(at)), unsafe.Pointer(unsafe.SliceData(bits))
}

func alignedCopy(v []float32) []float32 {
	to := alignedSlice[float32](len(v))
	copy(to, v)
	return to
}

func (s *MergeSpec) loop(f *tile.MergeFuncs) func(*tile.Merge) {
	by := [...][2]func(*tile.Merge){f.Alone, f.Join, f.JoinPool}[s.Shortcut]
	if s.Slope != nil {
		return by[1]
	}
	return by[0]
}

func (s *MergeSpec) check(im *Impl) error {
	if im.k.DType == dtype.Float32 {
		return fmt.Errorf("want a row of integer sums")
	}
	if !im.Available() {
		return fmt.Errorf("not available here: %s", im.reason)
	}
	c := s.Sums.C
	images := []struct {
		what     string
		m        Image
		d        dtype.DType
		h, w     int // least extent
		channels int
	}{
		{"sums", s.Sums, dtype.Float32, s.Sums.H, s.Sums.W, c},
		{"output", s.Out, dtype.Int8, s.Sums.H, s.Sums.W, 2 * c},
		{"bits", s.Bits, dtype.Binary, s.Sums.H, s.Sums.W, c},
	}
	switch s.Shortcut {
	case NoShortcut:
	case Identity, PooledShortcut:
		if n := s.Stream.C; n < 2 || n%2 != 0 || 2*c%n != 0 {
			return fmt.Errorf("stream of %d bytes a pixel: want two for each of a number of channels that divides %d", n, c)
		}
		scale := int(s.Shortcut) // 1 or 2
		stream := s.Stream
		if s.Shortcut == PooledShortcut { // an odd last row or column is not read
			stream.H, stream.W = stream.H&^1, stream.W&^1
		}
		images = append(images, struct {
			what     string
			m        Image
			d        dtype.DType
			h, w     int
			channels int
		}{"stream", stream, dtype.Int8, scale * s.Sums.H, scale * s.Sums.W, stream.C})
	default:
		return fmt.Errorf("shortcut %d: want NoShortcut, Identity or PooledShortcut", s.Shortcut)
	}
	for _, i := range images {
		if err := i.m.check(i.what); err != nil {
			return err
		}
		if i.m.DType != i.d || i.m.H != i.h || i.m.W != i.w || i.m.C != i.channels {
			return fmt.Errorf("%s %v %dx%dx%d: want %v %dx%dx%d", i.what, i.m.DType, i.m.H, i.m.W, i.m.C, i.d, i.h, i.w, i.channels)
		}
	}
	if len(s.M) != c || len(s.B) != c || s.Slope != nil && len(s.Slope) != c {
		return fmt.Errorf("%d, %d and %d constants of M, B and Slope: want %d", len(s.M), len(s.B), len(s.Slope), c)
	}
	for i, v := range s.Slope {
		if v-v != 0 {
			return fmt.Errorf("slope %d is %v: want a finite number", i, v)
		}
	}
	if s.Signs != nil && len(s.Signs) != c {
		return fmt.Errorf("%d signs: want %d", len(s.Signs), c)
	}
	if s.Lo > s.Hi {
		return fmt.Errorf("clamp %d…%d: want a lower and an upper bound", s.Lo, s.Hi)
	}
	return nil
}

// Rows is the number of rows of pixels: the parts in which RunRows can split it.
func (m *Merge) Rows() int { return m.spec.Sums.H }

// RunRows computes the rows from…to−1 of one image: out, bits, sums and stream hold
// the bytes of the spec's images and must not overlap. Only the pixels of Out and
// Bits are written, not their halos. It panics if a slice is too short, and
// allocates nothing.
func (m *Merge) RunRows(ctx *Context, out, bits, sums, stream []byte, from, to int) {
	s := &m.spec
	if len(out) < m.out.bytes || len(bits) < m.bits.bytes || len(sums) < m.sums.bytes || len(stream) < m.stream.bytes {
		panic(fmt.Sprintf("kernels: merge of %d, %d, %d and %d bytes: slices are too short", len(out), len(bits), len(sums), len(stream)))
	}
	w, done := &ctx.merge, m.vectors*m.vl
	for y := from; y < to; y++ {
		*w = m.template
		w.Sums, w.Out, w.Bits = m.sums.at(sums, y), m.out.at(out, y), m.bits.at(bits, y)
		switch s.Shortcut {
		case Identity:
			w.H = m.stream.at(stream, y)
		case PooledShortcut:
			w.H = m.stream.at(stream, 2*y)
		}
		if w.Vectors = m.vectors; w.Vectors > 0 {
			m.fast(w)
		}
		if w.Vectors = s.Sums.C - done; w.Vectors > 0 {
			if done > 0 {
				skipChannels(w, done)
			}
			m.plain(w)
		}
	}
	*w = tile.Merge{} // keep no memory alive
}

// skipChannels moves w behind its first n channels, a multiple of 8; those of H then
// do not repeat.
func skipChannels(w *tile.Merge, n int) {
	w.Sums, w.Out, w.Bits = unsafe.Add(w.Sums, 4*n), unsafe.Add(w.Out, 2*n), unsafe.Add(w.Bits, n/8)
	w.M, w.B, w.T, w.Flip = unsafe.Add(w.M, 4*n), unsafe.Add(w.B, 4*n), unsafe.Add(w.T, 4*n), unsafe.Add(w.Flip, n/8)
	if w.Slope != nil {
		w.Slope = unsafe.Add(w.Slope, 4*n)
	}
	if w.H != nil {
		w.H = unsafe.Add(w.H, 2*n)
	}
}
