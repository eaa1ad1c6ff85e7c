package nn

import (
	"math"

	"macroscope/graph"
	"macroscope/kernels"
)

// arith is Add, Sub, Mul or Div of two float32 values, of which either may be
// stretched along any extent of 1, clamped to lo…hi.
func arith(by *kernels.Floats, op graph.Op, lo, hi float32) func(*state, []*buffer, *buffer) {
	row := by.Add
	at := func(x, y float32) float32 { return x + y }
	switch op.(type) {
	case *graph.Sub:
		row, at = by.Sub, func(x, y float32) float32 { return x - y }
	case *graph.Mul:
		row, at = by.Mul, func(x, y float32) float32 { return x * y }
	case *graph.Div:
		at = func(x, y float32) float32 { return x / y }
		row = func(_ *kernels.Context, to, a, b []float32, lo, hi float32) {
			for i := range to {
				to[i] = min(hi, max(lo, a[i]/b[i]))
			}
		}
	}
	return func(s *state, ins []*buffer, out *buffer) {
		a, b := ins[0], ins[1]
		u, v, to, m := a.bytes(s), b.bytes(s), out.bytes(s), out.img
		run := func(y, x, n int) { // n values that lie together, in every one of the three
			row(&s.ctx, floats(to[m.Offset(y, x):][:4*n]), floats(u[a.place(y, x):][:4*n]), floats(v[b.place(y, x):][:4*n]), lo, hi)
		}
		switch {
		case a.img.C != b.img.C:
			for y := range m.H {
				for x := range m.W {
					px := floats(to[m.Offset(y, x):][:4*m.C])
					p, q := floats(u[a.place(y, x):][:4*a.img.C]), floats(v[b.place(y, x):][:4*b.img.C])
					for c := range px {
						px[c] = min(hi, max(lo, at(p[min(c, len(p)-1)], q[min(c, len(q)-1)])))
					}
				}
			}
		case a.img.W == m.W && b.img.W == m.W:
			for y := range m.H {
				run(y, 0, m.W*m.C)
			}
		default:
			for y := range m.H {
				for x := range m.W {
					run(y, x, m.C)
				}
			}
		}
	}
}

// place is the byte offset of the pixel that stands at (y, x) once the value is
// stretched.
func (b *buffer) place(y, x int) int {
	return b.img.Offset(min(y, b.img.H-1), min(x, b.img.W-1))
}

// softmax is over the channels of each pixel; logs says that the logarithms are wanted.
func softmax(s *state, ins []*buffer, out *buffer, logs bool) {
	from, to, n := ins[0].bytes(s), out.bytes(s), 4*out.img.C
	eachPixel(ins[0], out, func(p, q int) {
		x, y := floats(from[p:][:n]), floats(to[q:][:n])
		top := x[0]
		for _, v := range x {
			top = max(top, v)
		}
		var sum float64
		for _, v := range x {
			sum += math.Exp(float64(v - top))
		}
		for i, v := range x {
			if logs {
				y[i] = float32(float64(v-top) - math.Log(sum))
			} else {
				y[i] = float32(math.Exp(float64(v-top)) / sum)
			}
		}
	})
}

// argMax is the index of the largest channel of each pixel.
func argMax(op *graph.ArgMax) func(*state, []*buffer, *buffer) {
	return func(s *state, ins []*buffer, out *buffer) {
		from, to, n := ins[0].bytes(s), out.bytes(s), 4*ins[0].img.C
		eachPixel(ins[0], out, func(p, q int) {
			x, best := floats(from[p:][:n]), 0
			for i, v := range x {
				if v > x[best] || op.Last && v == x[best] {
					best = i
				}
			}
			floats(to[q:][:4])[0] = float32(best)
		})
	}
}

// lrn normalizes the channels of each pixel, in float64.
func lrn(op *graph.LRN) func(*state, []*buffer, *buffer) {
	alpha, beta, bias := float64(op.Alpha)/float64(op.Size), float64(op.Beta), float64(op.Bias)
	power := func(v float64) float64 { return math.Pow(v, beta) }
	if op.Beta == 0.75 { // AlexNet's; two roots are three times as fast
		power = func(v float64) float64 { r := math.Sqrt(v); return r * math.Sqrt(r) }
	}
	return func(s *state, ins []*buffer, out *buffer) {
		from, to, n := ins[0].bytes(s), out.bytes(s), out.img.C
		eachPixel(ins[0], out, func(p, q int) {
			x, y := floats(from[p:][:4*n]), floats(to[q:][:4*n])
			for c, v := range x {
				first, last := op.Window(c, n)
				sum := 0.0
				for _, u := range x[first:last] {
					sum += float64(u) * float64(u)
				}
				y[c] = float32(float64(v) / power(bias+alpha*sum))
			}
		})
	}
}
