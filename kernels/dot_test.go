package kernels

import (
	"math"
	"math/bits"
	"testing"

	"macroscope/dtype"
	"macroscope/kernels/tile"
)

func TestDotFloat32(t *testing.T) {
	eachImpl(t, dtype.Float32, func(t *testing.T, im *Impl) {
		r := newRand(t)
		check := func(a, b []float32) {
			t.Helper()
			var want, sumAbs float64
			for i := range a {
				want += float64(a[i]) * float64(b[i])
				sumAbs += math.Abs(float64(a[i]) * float64(b[i]))
			}
			if got := im.DotFloat32(a, b); !closeEnough(got, want, sumAbs, len(a)) {
				t.Fatalf("n=%d: got %v, want %v", len(a), got, want)
			}
		}
		for _, n := range lengths() {
			for i, a := range guarded[float32](t, n) {
				b := guarded[float32](t, n)[1-i]
				copy(a, someFloat32(r, n))
				copy(b, someFloat32(r, n))
				check(a, b)
			}
		}
		base, other := someFloat32(r, 400), someFloat32(r, 400)
		for offset := range 64 {
			for _, n := range []int{0, 1, 17, 130, 300} {
				check(base[offset:][:n], other[63-offset:][:n])
			}
		}
		special := make([]float32, 300)
		ones := make([]float32, 300)
		for i := range ones {
			ones[i] = 1
		}
		for i := range special {
			special[i] = float32(math.NaN())
			if got := im.DotFloat32(special, ones); got == got {
				t.Fatalf("NaN at %d is lost: %v", i, got)
			}
			special[i] = float32(math.Inf(1))
			if got := im.DotFloat32(special, ones); !math.IsInf(float64(got), 1) {
				t.Fatalf("infinity at %d is lost: %v", i, got)
			}
			special[i] = 0
		}
	})
}

func TestDotInt8(t *testing.T) {
	eachImpl(t, dtype.Int8, func(t *testing.T, im *Impl) {
		r := newRand(t)
		check := func(a, b []int8) {
			t.Helper()
			var want int64
			for i := range a {
				want += int64(a[i]) * int64(b[i])
			}
			if got := im.DotInt8(a, b); got != want {
				t.Fatalf("n=%d: got %d, want %d", len(a), got, want)
			}
		}
		for _, n := range lengths() {
			for i, a := range guarded[int8](t, n) {
				b := guarded[int8](t, n)[1-i]
				copy(a, someInt8(r, n))
				copy(b, someInt8(r, n))
				check(a, b)
			}
		}
		base, other := someInt8(r, 700), someInt8(r, 700)
		for offset := range 64 {
			for _, n := range []int{0, 1, 17, 130, 600} {
				check(base[offset:][:n], other[63-offset:][:n])
			}
		}
		// Every extreme against every other, at the longest exact length and past it.
		for _, x := range []int8{-128, -127, -1, 0, 1, 127} {
			for _, y := range []int8{-128, -1, 127} {
				for _, n := range []int{maxInt8K, dotInt8Chunk - 1, 3*dotInt8Chunk + 77} {
					if slow(im) {
						n = n % 4096
					}
					a, b := make([]int8, n), make([]int8, n)
					for i := range a {
						a[i], b[i] = x, y
					}
					if got, want := im.DotInt8(a, b), int64(n)*int64(x)*int64(y); got != want {
						t.Fatalf("%d times %d·%d: got %d, want %d", n, x, y, got, want)
					}
				}
			}
		}
	})
}

func TestDotUint8(t *testing.T) {
	eachImpl(t, dtype.Int8, func(t *testing.T, im *Impl) {
		r := newRand(t)
		unsigned := func(n int) []uint8 {
			v := make([]uint8, n)
			for i, x := range someInt8(r, n) {
				v[i] = uint8(x)
			}
			return v
		}
		check := func(a []uint8, b []int8) {
			t.Helper()
			var want int64
			for i := range a {
				want += int64(a[i]) * int64(b[i])
			}
			if got := im.DotUint8(a, b); got != want {
				t.Fatalf("n=%d: got %d, want %d", len(a), got, want)
			}
		}
		for _, n := range lengths() {
			for i, a := range guarded[uint8](t, n) {
				b := guarded[int8](t, n)[1-i]
				copy(a, unsigned(n))
				copy(b, someInt8(r, n))
				check(a, b)
			}
		}
		for _, x := range []uint8{0, 1, 127, 128, 255} {
			for _, y := range []int8{-128, -1, 127} {
				for _, n := range []int{dotInt8Chunk, dotInt8Chunk - 1, 3*dotInt8Chunk + 77} {
					if slow(im) {
						n = n % 4096
					}
					a, b := make([]uint8, n), make([]int8, n)
					for i := range a {
						a[i], b[i] = x, y
					}
					check(a, b)
				}
			}
		}
	})
}

func TestDotBinary(t *testing.T) {
	eachImpl(t, dtype.Binary, func(t *testing.T, im *Impl) {
		r := newRand(t)
		check := func(a, b []uint64, n int) {
			t.Helper()
			want := 0
			for i := range n {
				if a[i/64]>>(i%64)&1 == b[i/64]>>(i%64)&1 {
					want++
				} else {
					want--
				}
			}
			if got := im.DotBinary(a, b, n); got != want {
				t.Fatalf("n=%d: got %d, want %d", n, got, want)
			}
		}
		var ns []int
		for _, n := range lengths() {
			ns = append(ns, n, 64*n)
		}
		for _, n := range ns {
			words := (n + 63) / 64
			for i, a := range guarded[uint64](t, words) {
				b := guarded[uint64](t, words)[1-i]
				copy(a, someBits(r, words)) // the bits past n are set at random
				copy(b, someBits(r, words))
				check(a, b, n)
			}
		}
		bytes, other := Aligned(8*200), Aligned(8*200)
		for i := range bytes {
			bytes[i], other[i] = byte(r.Uint32()), byte(r.Uint32())
		}
		for offset := range 64 {
			check(view[uint64](bytes[offset:]), view[uint64](other[63-offset:]), 64*100+offset)
		}
	})
}

func TestDotPanics(t *testing.T) {
	im, err := Lookup(dtype.Float32, "generic")
	if err != nil {
		t.Fatal(err)
	}
	bin, err := Lookup(dtype.Binary, "generic")
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(){
		"lengths": func() { im.DotFloat32(make([]float32, 3), make([]float32, 4)) },
		"dtype":   func() { im.DotInt8(make([]int8, 3), make([]int8, 3)) },
		"words":   func() { bin.DotBinary(make([]uint64, 1), make([]uint64, 2), 65) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

// Long vectors are handed over in parts, so that no call is long, and each of
// them once.
func TestDotCallsAreShort(t *testing.T) {
	longest, total := 0, 0
	call := func(n, m int) {
		longest, total = max(longest, n), total+n
		if n != m || n == 0 {
			t.Errorf("a call with %d and %d elements", n, m)
		}
	}
	k := tile.Kernel{
		DotBlock:   64,
		DotFloat32: func(a, b []float32) float32 { call(len(a), len(b)); return float32(len(a)) },
		DotInt8:    func(a, b []int8) int32 { call(len(a), len(b)); return int32(len(a)) },
		DotUint8:   func(a []uint8, b []int8) int32 { call(len(a), len(b)); return int32(len(a)) },
		DotBinary:  func(a, b []uint64) int { call(64*len(a), 64*len(b)); return 0 },
	}
	im := func(d dtype.DType) *Impl { k.DType = d; return &Impl{k: k} }
	for _, n := range []int{64, dotFloat32Chunk, dotFloat32Chunk + 64, 3*dotFloat32Chunk + 64, 64*dotBinaryChunk + 64} {
		for _, c := range []struct {
			what string
			most int
			dot  func() float64
		}{
			{"float32", dotFloat32Chunk, func() float64 {
				v := make([]float32, n)
				return float64(im(dtype.Float32).DotFloat32(v, v))
			}},
			{"int8", dotInt8Chunk, func() float64 { v := make([]int8, n); return float64(im(dtype.Int8).DotInt8(v, v)) }},
			{"uint8", dotInt8Chunk, func() float64 { return float64(im(dtype.Int8).DotUint8(make([]uint8, n), make([]int8, n))) }},
			{"binary", 64 * dotBinaryChunk, func() float64 { v := make([]uint64, n/64); return float64(im(dtype.Binary).DotBinary(v, v, n)) }},
		} {
			longest, total = 0, 0
			if got := c.dot(); got != float64(n) || total != n || longest > c.most {
				t.Errorf("%s, n=%d: %v of %d elements, the longest call has %d: want at most %d", c.what, n, got, total, longest, c.most)
			}
		}
	}
	for _, d := range dtype.All { // and real rows, where the parts must fit together
		eachImpl(t, d, func(t *testing.T, im *Impl) {
			if dotFloat32Chunk%im.k.DotBlock != 0 || dotInt8Chunk%im.k.DotBlock != 0 || 64*dotBinaryChunk%im.k.DotBlock != 0 {
				t.Errorf("blocks of %d do not divide a call's most", im.k.DotBlock)
			}
			switch d {
			case dtype.Float32:
				a := make([]float32, 2*dotFloat32Chunk+im.k.DotBlock+1)
				for i := range a {
					a[i] = float32(i % 2)
				}
				if got := im.DotFloat32(a, a); got != float32(len(a)/2) {
					t.Errorf("%v: got %v, want %v", im, got, len(a)/2)
				}
			case dtype.Binary:
				a, b := make([]uint64, 2*dotBinaryChunk+im.k.DotBlock/64+1), make([]uint64, 2*dotBinaryChunk+im.k.DotBlock/64+1)
				for i := range a {
					a[i] = 1
				}
				if n := 64*len(a) - 5; im.DotBinary(a, b, n) != n-2*len(a) {
					t.Errorf("%v: got %v, want %v", im, im.DotBinary(a, b, n), n-2*len(a))
				}
			}
		})
	}
}

func FuzzDot(f *testing.F) {
	f.Add([]byte{0x80, 0x80, 1, 2, 3, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		half := len(data) / 2
		a, b := view[int8](data[:half]), view[int8](data[half:2*half])
		words := half / 8
		x, y := view[uint64](data[:8*words]), view[uint64](data[half:half+8*words])
		var want int64
		for i := range a {
			want += int64(a[i]) * int64(b[i])
		}
		differ := 0
		for i := range x {
			differ += bits.OnesCount64(x[i] ^ y[i])
		}
		for _, im := range Table() {
			if !im.Available() {
				continue
			}
			switch im.DType() {
			case dtype.Int8:
				if got := im.DotInt8(a, b); got != want {
					t.Errorf("%v: got %d, want %d", im, got, want)
				}
			case dtype.Binary:
				if got := im.DotBinary(x, y, 64*words); got != 64*words-2*differ {
					t.Errorf("%v: got %d, want %d", im, got, 64*words-2*differ)
				}
			}
		}
	})
}
