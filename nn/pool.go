package nn

import (
	"math"

	"macroscope/graph"
)

// pool is the geometry of a pool's windows.
type pool struct{ kh, kw, sh, sw, dh, dw, top, left int }

// taps is the part of a window that lies in the image: rows × cols pixels, the first
// of them at the byte offset first, neighbours down and right apart by down and right.
type taps struct{ first, rows, cols, down, right int }

// each calls f for every output pixel with its place in out's bytes and its taps in in's.
func (p pool) each(in, out *buffer, f func(to int, t taps)) {
	t := taps{down: p.dh * in.img.RowBytes(), right: p.dw * in.img.PixelBytes()}
	for y := range out.img.H {
		iy, rows := inside(y*p.sh-p.top, p.kh, p.dh, in.img.H)
		for x := range out.img.W {
			ix, cols := inside(x*p.sw-p.left, p.kw, p.dw, in.img.W)
			t.first, t.rows, t.cols = in.img.Offset(iy, ix), rows, cols
			f(out.img.Offset(y, x), t)
		}
	}
}

// inside is the first of size places from at on, step apart, that is within 0…n−1, and
// how many are.
func inside(at, size, step, n int) (first, count int) {
	skip := 0
	if at < 0 {
		skip = (-at + step - 1) / step
	}
	first = at + skip*step
	if first >= n {
		return 0, 0
	}
	return first, min(size-skip, (n-1-first)/step+1)
}

func maxPool(op *graph.MaxPool) func(*state, []*buffer, *buffer) {
	p := poolOf(op)
	return func(s *state, ins []*buffer, out *buffer) {
		from, to, n := ins[0].bytes(s), out.bytes(s), 4*out.img.C
		p.each(ins[0], out, func(q int, t taps) {
			best := floats(to[q:][:n])
			for ch := range best {
				best[ch] = float32(math.Inf(-1))
			}
			for r := range t.rows {
				for c := range t.cols {
					x := floats(from[t.first+r*t.down+c*t.right:][:n])[:len(best)]
					for ch, v := range x {
						best[ch] = max(best[ch], v)
					}
				}
			}
		})
	}
}

// maxPoolBits is maxPool of ±1: a window holds a +1 if any of its bits is set.
func maxPoolBits(op *graph.MaxPool) func(*state, []*buffer, *buffer) {
	p := poolOf(op)
	return func(s *state, ins []*buffer, out *buffer) {
		from, to, n := ins[0].bytes(s), out.bytes(s), out.img.PixelBytes()
		p.each(ins[0], out, func(q int, t taps) {
			px := to[q:][:n]
			clear(px)
			for r := range t.rows { // padding never wins
				for c := range t.cols {
					for i, b := range from[t.first+r*t.down+c*t.right:][:n] {
						px[i] |= b
					}
				}
			}
		})
	}
}

func poolOf(op *graph.MaxPool) pool {
	dh, dw := op.Dilations()
	return pool{op.KH, op.KW, op.StrideH, op.StrideW, dh, dw, op.PadTop, op.PadLeft}
}

// averagePool sums in float32, at most KH·KW values.
func averagePool(op *graph.AveragePool) func(*state, []*buffer, *buffer) {
	dh, dw := op.Dilations()
	p := pool{op.KH, op.KW, op.StrideH, op.StrideW, dh, dw, op.PadTop, op.PadLeft}
	return func(s *state, ins []*buffer, out *buffer) {
		from, to, n := ins[0].bytes(s), out.bytes(s), 4*out.img.C
		p.each(ins[0], out, func(q int, t taps) {
			sum := floats(to[q:][:n])
			clear(sum)
			for r := range t.rows {
				for c := range t.cols {
					x := floats(from[t.first+r*t.down+c*t.right:][:n])[:len(sum)]
					for ch, v := range x {
						sum[ch] += v
					}
				}
			}
			count := t.rows * t.cols
			if op.CountPad {
				count = op.KH * op.KW
			}
			for ch := range sum {
				sum[ch] /= float32(count)
			}
		})
	}
}

// averageAll sums in float64, eight channels at a time over all pixels.
func averageAll(s *state, ins []*buffer, out *buffer) {
	in := ins[0].img
	from, to := ins[0].bytes(s), floats(out.bytes(s)[out.img.Offset(0, 0):])
	n := float64(in.H * in.W)
	ch := 0
	for ; ch+8 <= in.C; ch += 8 {
		var sum [8]float64
		for y := range in.H {
			row := floats(from[in.Offset(y, 0):][:in.W*in.PixelBytes()])
			for at := ch; at < len(row); at += in.C {
				for i, v := range (*[8]float32)(row[at:]) {
					sum[i] += float64(v)
				}
			}
		}
		for i, v := range sum {
			to[ch+i] = float32(v / n)
		}
	}
	for ; ch < in.C; ch++ {
		sum := 0.0
		for y := range in.H {
			row := floats(from[in.Offset(y, 0):][:in.W*in.PixelBytes()])
			for at := ch; at < len(row); at += in.C {
				sum += float64(row[at])
			}
		}
		to[ch] = float32(sum / n)
	}
}
