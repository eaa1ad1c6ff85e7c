package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/quant"
)

// mergeCase is a random Merge with the bytes that it works on, each slice between
// forbidden pages.
type mergeCase struct {
	spec                    MergeSpec
	out, bits, sums, stream []byte
}

func newMergeCase(t *testing.T, r *rand.Rand, h, w, c int) *mergeCase {
	side := r.IntN(2)
	halo := func(m Image) Image {
		m.Top, m.Left, m.Bottom, m.Right = r.IntN(3), r.IntN(3), r.IntN(3), r.IntN(3)
		return m
	}
	k := &mergeCase{spec: MergeSpec{
		Sums: halo(Image{DType: dtype.Float32, H: h, W: w, C: c}),
		Out:  halo(Int16Image(h, w, c)),
		Bits: halo(Image{DType: dtype.Binary, H: h, W: w, C: c}),
		// Of the sums' size, so that all that a stream's int16 may be comes about.
		M: make([]float32, c), B: make([]float32, c), Shortcut: Shortcut(r.IntN(3)),
	}}
	s := &k.spec
	channels := c
	if c%2 == 0 && r.IntN(2) == 0 {
		channels = c / 2
	}
	switch s.Shortcut {
	case Identity:
		s.Stream = halo(Int16Image(h, w, channels))
	case PooledShortcut:
		s.Stream = halo(Int16Image(2*h+r.IntN(2), 2*w+r.IntN(2), channels))
	}
	for i := range c {
		s.M[i], s.B[i] = float32(r.NormFloat64()*20), float32(r.NormFloat64()*1000)
		if r.IntN(16) == 0 {
			s.M[i] = []float32{0, 1e30, -1e30, float32(math.NaN()), 0.5, 1}[r.IntN(6)]
			s.B[i] = []float32{0, 1e30, -1e30, float32(math.Inf(1)), 0.5, -0.5}[r.IntN(6)]
		}
	}
	if r.IntN(2) == 0 {
		s.Slope = make([]float32, c)
		for i := range s.Slope {
			s.Slope[i] = []float32{0.25, 0, 1, -0.7, 3, 1e30, -1e30, float32(r.NormFloat64())}[r.IntN(8)]
		}
	}
	if r.IntN(2) == 0 {
		s.Signs = make([]quant.StreamSign, c)
		for i := range s.Signs {
			t := int16(r.NormFloat64() * 2000)
			if r.IntN(2) == 0 {
				t = []int16{math.MinInt16, math.MinInt16 + 1, -1, 0, 1, math.MaxInt16 - 1, math.MaxInt16}[r.IntN(7)]
			}
			s.Signs[i] = quant.StreamSign{T: t, Flip: r.IntN(2) == 0}
		}
	}
	s.Lo, s.Hi = math.MinInt16, math.MaxInt16
	if r.IntN(3) == 0 {
		s.Lo, s.Hi = int16(-r.IntN(3000)), int16(r.IntN(3000))
	}
	k.out, k.bits = guarded[uint8](t, s.Out.Bytes())[side], guarded[uint8](t, s.Bits.Bytes())[side]
	for i := range k.out {
		k.out[i] = 0xa5
	}
	k.sums = guarded[uint8](t, s.Sums.Bytes())[side]
	sums := view[int32](k.sums)
	for i := range sums {
		sums[i] = int32(r.IntN(2305) - 1152)
		switch r.IntN(20) {
		case 0:
			sums[i] = []int32{math.MinInt32, math.MaxInt32, 1<<24 + 1, 0}[r.IntN(4)]
		}
	}
	if s.Shortcut != NoShortcut {
		k.stream = guarded[uint8](t, s.Stream.Bytes())[side]
		h := view[int16](k.stream)
		for i := range h {
			h[i] = int16(r.NormFloat64() * 2000)
			if r.IntN(20) == 0 {
				h[i] = []int16{math.MinInt16, math.MaxInt16, 0, -1}[r.IntN(4)]
			}
		}
	}
	return k
}

func (k *mergeCase) streamAt(y, x, c int) int16 {
	return view[int16](k.stream[k.spec.Stream.Offset(y, x):][:k.spec.Stream.PixelBytes()])[c%(k.spec.Stream.C/2)]
}

// want is quant.Merge of one value.
func (k *mergeCase) want(y, x, c int) int16 {
	s := &k.spec
	var h int16
	switch s.Shortcut {
	case Identity:
		h = k.streamAt(y, x, c)
	case PooledShortcut:
		h = max(k.streamAt(2*y, 2*x, c), k.streamAt(2*y, 2*x+1, c), k.streamAt(2*y+1, 2*x, c), k.streamAt(2*y+1, 2*x+1, c))
	}
	slope := float32(1)
	if s.Slope != nil {
		slope = s.Slope[c]
	}
	sum := view[int32](k.sums[s.Sums.Offset(y, x):][:s.Sums.PixelBytes()])[c]
	return quant.Merge(sum, s.M[c], s.B[c], h, s.Lo, s.Hi, slope)
}

// check holds the results against quant.Merge, and what is no pixel against what
// stood there.
func (k *mergeCase) check(t *testing.T) {
	t.Helper()
	s := &k.spec
	for y := range s.Sums.H {
		for x := range s.Sums.W {
			out, bits := view[int16](k.out[s.Out.Offset(y, x):][:s.Out.PixelBytes()]), k.bits[s.Bits.Offset(y, x):][:s.Bits.PixelBytes()]
			for c := range s.Sums.C {
				want := k.want(y, x, c)
				if out[c] != want {
					t.Fatalf("pixel %d,%d channel %d: %d, want %d by %v, %v, %d…%d, slopes %v", y, x, c, out[c], want, s.M[c], s.B[c], s.Lo, s.Hi, s.Slope)
				}
				sign := quant.StreamSign{} // the number's own
				if s.Signs != nil {
					sign = s.Signs[c]
				}
				if got := bits[c/8] >> (c % 8) & 1; (got == 1) != sign.Positive(want) {
					t.Fatalf("pixel %d,%d channel %d: bit %d of %d by %+v", y, x, c, got, want, sign)
				}
			}
			for c := s.Sums.C; c < 8*len(bits); c++ {
				if bits[c/8]>>(c%8)&1 != 0 {
					t.Fatalf("pixel %d,%d: bit %d, which no channel has, is set", y, x, c)
				}
			}
			for i := range 2 * s.Sums.C {
				k.out[s.Out.Offset(y, x)+i] = 0xa5
			}
			clear(bits)
		}
	}
	for i, b := range k.out {
		if b != 0xa5 {
			t.Fatalf("byte %d of the output is no pixel's, but was written", i)
		}
	}
	for i, b := range k.bits {
		if b != 0 {
			t.Fatalf("byte %d of the bits is no pixel's, but was written", i)
		}
	}
}

// meet makes half of the thresholds results of their channels, or next to them.
func (k *mergeCase) meet(r *rand.Rand) {
	s := &k.spec
	for c := range s.Signs {
		if r.IntN(2) == 0 {
			near := int(k.want(r.IntN(s.Sums.H), r.IntN(s.Sums.W), c)) + r.IntN(3) - 1
			s.Signs[c].T = int16(min(math.MaxInt16, max(math.MinInt16, near)))
		}
	}
}

// TestMerge tries every integer row on random shapes with extreme numbers.
func TestMerge(t *testing.T) {
	for _, d := range []dtype.DType{dtype.Int8, dtype.Binary} {
		t.Run(d.String(), func(t *testing.T) {
			eachImpl(t, d, func(t *testing.T, im *Impl) {
				r := rand.New(rand.NewPCG(7, 7))
				var ctx Context
				for _, c := range []int{1, 2, 7, 8, 9, 16, 24, 31, 32, 33, 40, 64, 70, 96, 128} {
					for range 12 {
						k := newMergeCase(t, r, 1+r.IntN(4), 1+r.IntN(5), c)
						k.meet(r)
						m, err := im.NewMerge(k.spec)
						if err != nil {
							t.Fatal(err)
						}
						cut := r.IntN(m.Rows() + 1)
						m.RunRows(&ctx, k.out, k.bits, k.sums, k.stream, 0, cut)
						m.RunRows(&ctx, k.out, k.bits, k.sums, k.stream, cut, m.Rows())
						k.check(t)
					}
				}
			})
		})
	}
}

func TestMergeRefuses(t *testing.T) {
	im, err := Lookup(dtype.Binary, "generic")
	if err != nil {
		t.Fatal(err)
	}
	good := func() MergeSpec {
		return MergeSpec{
			Sums: Image{DType: dtype.Float32, H: 2, W: 2, C: 6}, Out: Int16Image(2, 2, 6), Bits: Image{DType: dtype.Binary, H: 2, W: 2, C: 6},
			Stream: Int16Image(4, 5, 3), Shortcut: PooledShortcut, M: make([]float32, 6), B: make([]float32, 6),
		}
	}
	if _, err := im.NewMerge(good()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(s *MergeSpec)
		want   string
	}{
		{func(s *MergeSpec) { s.Shortcut = 3 }, "shortcut 3"},
		{func(s *MergeSpec) { s.Shortcut = Identity }, "stream int8 4x5x6: want int8 2x2x6"},
		{func(s *MergeSpec) { s.Stream.C = 8 }, "divides 6"},
		{func(s *MergeSpec) { s.Out.C = 6 }, "output int8 2x2x6: want int8 2x2x12"},
		{func(s *MergeSpec) { s.Bits.DType = dtype.Int8 }, "bits int8"},
		{func(s *MergeSpec) { s.B = nil }, "6, 0 and 0 constants"},
		{func(s *MergeSpec) { s.Slope = make([]float32, 6); s.Slope[5] = float32(math.Inf(1)) }, "slope 5 is +Inf"},
		{func(s *MergeSpec) { s.Lo, s.Hi = 5, -5 }, "clamp 5…-5"},
		{func(s *MergeSpec) { s.Signs = make([]quant.StreamSign, 5) }, "5 signs: want 6"},
	} {
		s := good()
		c.change(&s)
		if _, err := im.NewMerge(s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	float, err := Lookup(dtype.Float32, "generic")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := float.NewMerge(good()); err == nil {
		t.Error("a float32 row merges integer sums")
	}
}

func BenchmarkMerge(b *testing.B) {
	for _, im := range Table() {
		if im.DType() != dtype.Binary || !im.Available() {
			continue
		}
		for _, shortcut := range []Shortcut{NoShortcut, Identity, PooledShortcut} {
			for i := range 4 {
				prelu, signs := i&1 == 1, i&2 == 2
				b.Run(fmt.Sprintf("impl=%s/shortcut=%d/prelu=%v/signs=%v", im.Name(), shortcut, prelu, signs), func(b *testing.B) {
					benchmarkMerge(b, im, shortcut, prelu, signs)
				})
			}
		}
	}
}

func benchmarkMerge(b *testing.B, im *Impl, shortcut Shortcut, prelu, signs bool) {
	s := MergeSpec{
		Sums: Image{DType: dtype.Float32, H: 16, W: 16, C: 64}, Out: Int16Image(16, 16, 64), Bits: Image{DType: dtype.Binary, H: 16, W: 16, C: 64},
		Shortcut: shortcut, M: make([]float32, 64), B: make([]float32, 64),
	}
	if prelu {
		s.Slope = make([]float32, 64)
	}
	if signs {
		s.Signs = make([]quant.StreamSign, 64)
		for i := range s.Signs {
			s.Signs[i] = quant.StreamSign{T: int16(i + 1), Flip: i%2 == 1}
		}
	}
	switch shortcut {
	case Identity:
		s.Stream = s.Out
	case PooledShortcut:
		s.Stream = Int16Image(32, 32, 64)
	}
	m, err := im.NewMerge(s)
	if err != nil {
		b.Fatal(err)
	}
	var ctx Context
	out, bits, sums, stream := Aligned(s.Out.Bytes()), Aligned(s.Bits.Bytes()), Aligned(s.Sums.Bytes()), Aligned(Int16Image(32, 32, 64).Bytes())
	for b.Loop() {
		m.RunRows(&ctx, out, bits, sums, stream, 0, m.Rows())
	}
	b.ReportMetric(float64(b.N*16*16*64)/float64(b.Elapsed().Nanoseconds()), "values/ns")
}
