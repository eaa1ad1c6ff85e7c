package nn

import (
	"fmt"
	"math"
	"sync"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
)

// What no convolution does runs as a step on float32. Sums, products, clamps and
// HardSwish, of which MobileNets are full, go by an implementation's vectors; the rest
// one value at a time, by float64 where it sums: not fast, but the network runs.

type opStep struct {
	node *graph.Node
	ins  []*buffer
	out  *buffer
	f    func(s *state, ins []*buffer, out *buffer)
}

func (st *opStep) run(s *state) { st.f(s, st.ins, st.out) }

// emitOp adds a single op, reading and writing float32; only a max-pool of ±1
// stays in bits.
func (c *compiler) emitOp(g *group) (*buffer, error) {
	if c.poolsBits(g.node) {
		out := c.native(g.out, dtype.Binary)
		c.plan.steps = append(c.plan.steps, &opStep{g.node, g.inputs, out, maxPoolBits(g.node.Op.(*graph.MaxPool))})
		return out, nil
	}
	if op, ok := g.node.Op.(graph.Mover); ok && c.carried(g.out) != dtype.Binary {
		if _, flat := op.(*graph.Flatten); !flat {
			return c.emitMove(g, op)
		}
	}
	f, err := opFunc(c.choice.For(dtype.Float32).NewFloats(), g)
	if err != nil {
		return nil, err
	}
	if c.carried(g.out) == dtype.Binary {
		out := c.native(g.out, dtype.Binary)
		c.plan.steps = append(c.plan.steps, convertStep(g.inputs[0], out)) // a sign is what conversion to bits does
		return out, nil
	}
	to := c.landFloat(g.out)
	if to.written == nil {
		to.written = to.out
	}
	c.plan.steps = append(append(c.plan.steps, &opStep{g.node, g.inputs, to.written, f}), to.after...)
	return to.out, nil
}

// opFunc carries out a group's node, with the clamps that follow sums and products.
func opFunc(by *kernels.Floats, g *group) (func(s *state, ins []*buffer, out *buffer), error) {
	switch op := g.node.Op.(type) {
	case *graph.ReLU:
		return clamp(by, 0, float32(math.Inf(1))), nil
	case *graph.BatchNorm:
		norm := sync.OnceValue(func() func(*state, []*buffer, *buffer) { // the first runner takes the roots
			at := op.Prepared()
			return perElement(func(ch int, x float32) float32 { return float32(at(ch, float64(x))) })
		})
		return func(s *state, ins []*buffer, out *buffer) { norm()(s, ins, out) }, nil
	case *graph.Affine:
		return perElement(func(ch int, x float32) float32 { return float32(op.At(ch, float64(x))) }), nil
	case *graph.PReLU:
		return perElement(func(ch int, x float32) float32 { return float32(op.At(ch, float64(x))) }), nil
	case *graph.Clip:
		return clamp(by, op.Lo, op.Hi), nil
	case *graph.Constant:
		return constant(op), nil
	case *graph.Dropout: // of a rounded value
		return perElement(func(_ int, x float32) float32 { return x }), nil
	case *graph.Sign:
		return perElement(func(_ int, x float32) float32 {
			if x >= 0 {
				return 1
			}
			return -1
		}), nil
	case *graph.Func:
		return function(by, op), nil
	case *graph.MaxPool:
		return maxPool(op), nil
	case *graph.AveragePool:
		return averagePool(op), nil
	case *graph.GlobalAveragePool:
		return averageAll, nil
	case *graph.Add, *graph.Sub, *graph.Mul, *graph.Div:
		return arith(by, op, g.lo, g.hi), nil
	case *graph.Concat:
		return concat, nil
	case *graph.Flatten:
		return flatten, nil
	case *graph.Softmax:
		return func(s *state, ins []*buffer, out *buffer) { softmax(s, ins, out, op.Log) }, nil
	case *graph.LRN:
		return lrn(op), nil
	case *graph.ArgMax:
		return argMax(op), nil
	}
	return nil, fmt.Errorf("op %s is not supported by the runtime", g.node.Op.Kind())
}

func perElement(f func(ch int, x float32) float32) func(*state, []*buffer, *buffer) {
	return func(s *state, ins []*buffer, out *buffer) {
		from, to := ins[0].bytes(s), out.bytes(s)
		n := 4 * out.img.C
		eachPixel(ins[0], out, func(p, q int) {
			y := floats(to[q:][:n])
			for ch, x := range floats(from[p:][:n]) {
				y[ch] = f(ch, x)
			}
		})
	}
}

func clamp(by *kernels.Floats, lo, hi float32) func(*state, []*buffer, *buffer) {
	return perRow(func(s *state, to, from []float32) { by.Clamp(&s.ctx, to, from, lo, hi) })
}

// function is a graph.Func, in float64; those that MobileNets have between all layers are
// written out, or an implementation has them.
func function(by *kernels.Floats, op *graph.Func) func(*state, []*buffer, *buffer) {
	switch a, b := float64(op.Alpha), float64(op.Beta); op.Name {
	case "hardswish":
		return perRow(func(s *state, to, from []float32) { by.HardSwish(&s.ctx, to, from) })
	case "hardsigmoid":
		return perRow(func(_ *state, to, from []float32) {
			for i, v := range from {
				to[i] = float32(min(1, max(0, float64(a*float64(v))+b)))
			}
		})
	}
	at := op.Prepared()
	return perRow(func(_ *state, to, from []float32) {
		for i, v := range from {
			to[i] = float32(at(float64(v)))
		}
	})
}

// perRow calls f with the values of a row of pixels.
func perRow(f func(s *state, to, from []float32)) func(*state, []*buffer, *buffer) {
	return func(s *state, ins []*buffer, out *buffer) {
		in, from, to := ins[0].img, ins[0].bytes(s), out.bytes(s)
		n := 4 * out.img.W * out.img.C
		for y := range out.img.H {
			f(s, floats(to[out.img.Offset(y, 0):][:n]), floats(from[in.Offset(y, 0):][:n]))
		}
	}
}

func concat(s *state, ins []*buffer, out *buffer) {
	to, at := out.bytes(s), 0
	for _, in := range ins {
		from, n := in.bytes(s), 4*in.img.C
		eachPixel(in, out, func(p, q int) { copy(to[q+at:][:n], from[p:]) })
		at += n
	}
}

// flatten gives the image's values in [C H W] order.
func flatten(s *state, ins []*buffer, out *buffer) {
	ordered(floats(out.bytes(s)[out.img.Offset(0, 0):]), ins[0], s)
}

// ordered copies a value into dst in the graph's own order, [C H W] or [F].
func ordered(dst []float32, b *buffer, s *state) {
	mem, plane, step, i := b.bytes(s), b.img.H*b.img.W, b.img.PixelBytes(), 0
	for y := range b.img.H {
		row := mem[b.img.Offset(y, 0):]
		for x := range b.img.W {
			px := row[x*step:][:step]
			if b.form.dtype == dtype.Float32 {
				for ch, v := range floats(px)[:b.img.C] {
					dst[ch*plane+i] = v
				}
			} else {
				for ch := range b.img.C {
					dst[ch*plane+i] = b.element(px, ch)
				}
			}
			i++
		}
	}
}
