package nn

import (
	"sync"

	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/quant"
)

// Ops on bytes for networks of integers, in plain Go but for additions. A buffer's bytes are xored; the
// functions that these get are not.

// byteByByte applies at to every byte, by a table.
func byteByByte(in, out *buffer, at func(int8) int8) func(*state, []*buffer, *buffer) {
	var table [256]uint8
	for v := range table {
		table[v] = uint8(at(int8(uint8(v)^in.form.xor))) ^ out.form.xor
	}
	return func(s *state, ins []*buffer, out *buffer) {
		from, to, n := ins[0].bytes(s), out.bytes(s), out.img.C
		eachPixel(ins[0], out, func(p, q int) {
			x, y := from[p:][:n], to[q:][:n]
			for i, v := range x {
				y[i] = table[v]
			}
		})
	}
}

// addBytes adds two values of one shape, in vectors of an implementation.
func addBytes(im *kernels.Impl, a *quant.Adder, x, y, out *buffer) func(*state, []*buffer, *buffer) {
	add := im.NewAddBytes(a, out.form.xor, x.form.xor, y.form.xor)
	m, runs, n := out.img, out.img.W, out.img.C
	if n%4 == 0 { // then a row's pixels lie together
		runs, n = 1, runs*n
	}
	return func(s *state, _ []*buffer, _ *buffer) {
		u, v, to := x.bytes(s), y.bytes(s), out.bytes(s)
		for row := range m.H {
			p, q, r := x.img.Offset(row, 0), y.img.Offset(row, 0), m.Offset(row, 0)
			for range runs {
				add.Row(&s.ctx, to[r:][:n], u[p:][:n], v[q:][:n])
				p, q, r = p+x.img.PixelBytes(), q+y.img.PixelBytes(), r+m.PixelBytes()
			}
		}
	}
}

// pairs applies at to two values' bytes, either of which may be stretched along any extent
// of 1.
func pairs(at func(p, q int8) int8) func(*state, []*buffer, *buffer) {
	return func(s *state, ins []*buffer, out *buffer) {
		a, b, m := ins[0], ins[1], out.img
		u, v, to := a.bytes(s), b.bytes(s), out.bytes(s)
		ax, bx, ox := a.form.xor, b.form.xor, out.form.xor
		for y := range m.H {
			for x := range m.W {
				px := to[m.Offset(y, x):][:m.C]
				p, q := u[a.place(y, x):][:a.img.C], v[b.place(y, x):][:b.img.C]
				if len(p) == len(px) && len(q) == len(px) {
					for c := range px {
						px[c] = uint8(at(int8(p[c]^ax), int8(q[c]^bx))) ^ ox
					}
					continue
				}
				for c := range px {
					px[c] = uint8(at(int8(p[min(c, len(p)-1)]^ax), int8(q[min(c, len(q)-1)]^bx))) ^ ox
				}
			}
		}
	}
}

func maxPoolBytes(op *graph.MaxPool, b quant.Bounds) func(*state, []*buffer, *buffer) {
	p := poolOf(op)
	return func(s *state, ins []*buffer, out *buffer) {
		from, to, n, ix, ox := ins[0].bytes(s), out.bytes(s), out.img.C, ins[0].form.xor, out.form.xor
		p.each(ins[0], out, func(q int, t taps) {
			px := to[q:][:n]
			for c := range px {
				best := b.Lo
				for r := range t.rows {
					for col := range t.cols {
						best = max(best, int8(from[t.first+r*t.down+col*t.right+c]^ix))
					}
				}
				px[c] = uint8(min(best, b.Hi)) ^ ox
			}
		})
	}
}

func averagePoolBytes(op *graph.AveragePool, b quant.Bounds) func(*state, []*buffer, *buffer) {
	dh, dw := op.Dilations()
	p := pool{op.KH, op.KW, op.StrideH, op.StrideW, dh, dw, op.PadTop, op.PadLeft}
	return func(s *state, ins []*buffer, out *buffer) {
		from, to, n, ix, ox := ins[0].bytes(s), out.bytes(s), out.img.C, ins[0].form.xor, out.form.xor
		p.each(ins[0], out, func(q int, t taps) {
			px := to[q:][:n]
			for c := range px {
				sum := int32(0)
				for r := range t.rows {
					for col := range t.cols {
						sum += int32(int8(from[t.first+r*t.down+col*t.right+c] ^ ix))
					}
				}
				px[c] = uint8(quant.AverageOf(sum, int32(t.rows*t.cols), b)) ^ ox
			}
		})
	}
}

func meanBytes(m quant.Mean) func(*state, []*buffer, *buffer) {
	return func(s *state, ins []*buffer, out *buffer) {
		in := ins[0]
		from, to := in.bytes(s), out.bytes(s)[out.img.Offset(0, 0):]
		for c := range in.img.C {
			sum := int32(0)
			for y := range in.img.H {
				for x := range in.img.W {
					sum += int32(int8(from[in.img.Offset(y, x)+c] ^ in.form.xor))
				}
			}
			to[c] = uint8(m.At(sum)) ^ out.form.xor
		}
	}
}

func concatBytes(b quant.Bounds) func(*state, []*buffer, *buffer) {
	return func(s *state, ins []*buffer, out *buffer) {
		to, at := out.bytes(s), 0
		for _, in := range ins {
			from, n := in.bytes(s), in.img.C
			eachPixel(in, out, func(p, q int) {
				px := to[q+at:][:n]
				for i, v := range from[p:][:n] {
					px[i] = uint8(min(b.Hi, max(b.Lo, int8(v^in.form.xor)))) ^ out.form.xor
				}
			})
			at += n
		}
	}
}

// constantBytes writes its values with every image: they stand in the arena as any others.
func constantBytes(op *graph.Constant, f quant.Format) func(*state, []*buffer, *buffer) {
	q, plane := make([]int8, len(op.Values)), op.To.Plane()
	for i, v := range op.Values {
		q[i] = f.Round(v)
	}
	return func(s *state, _ []*buffer, out *buffer) {
		to, m := out.bytes(s), out.img
		for y := range m.H {
			for x := range m.W {
				px := to[m.Offset(y, x):][:m.C]
				for c := range px {
					px[c] = uint8(q[c*plane+y*m.W+x]) ^ out.form.xor
				}
			}
		}
	}
}

func softmaxBytes(t *quant.Softmax) func(*state, []*buffer, *buffer) {
	return func(s *state, ins []*buffer, out *buffer) {
		from, to, n := ins[0].bytes(s), signedBytes(out.bytes(s)), out.img.C
		ix, ox := ins[0].form.xor, int8(out.form.xor)
		eachPixel(ins[0], out, func(p, q int) {
			row := to[q:][:n]
			for i, v := range from[p:][:n] {
				row[i] = int8(v ^ ix)
			}
			t.Row(row, row)
			if ox != 0 {
				for i := range row {
					row[i] ^= ox
				}
			}
		})
	}
}

// moveBytes works out once, when it first runs, where each of the output's bytes comes from.
func moveBytes(n *graph.Node, op graph.Mover, in, out *buffer) func(*state, []*buffer, *buffer) {
	fill := uint8(out.zero)
	if p, ok := op.(*graph.Pad); ok {
		fill = uint8(out.format().Round(p.Value))
	}
	m := out.img
	places := sync.OnceValue(func() []int { return movedFrom[int](op.Source(n.In[0].Shape), in.img, m, 1) })
	return func(s *state, ins []*buffer, out *buffer) {
		x, to, xor, from, i := ins[0].bytes(s), out.bytes(s), ins[0].form.xor^out.form.xor, places(), 0
		for y := range m.H {
			for col := range m.W {
				px := to[m.Offset(y, col):][:m.C]
				for c, j := range from[i : i+len(px)] {
					if j < 0 {
						px[c] = fill ^ out.form.xor
					} else {
						px[c] = x[j] ^ xor
					}
				}
				i += len(px)
			}
		}
	}
}
