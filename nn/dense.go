package nn

import (
	"sync"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/quant"
)

// A dense layer reads its input where it lies, so its weights are put in that
// order: row o is [H][W][words of C], padding values 0. With one image at a
// time it is a dot product a row; a matrix tile would compute rows for nobody.

// denseAbout is which layer of a plan a dense step is.
type denseAbout struct {
	node  string
	layer int
}

type denseFloat struct {
	denseAbout
	im      *kernels.Impl
	rows    func() [][]float32 // in the order of the input's memory
	bias    []float32          // nil is 0
	lo, hi  float32
	in, out *buffer
}

func (st *denseFloat) run(s *state) {
	rows := st.rows()
	x, to := floats(st.in.bytes(s))[:len(rows[0])], floats(st.out.bytes(s))
	for o, w := range rows {
		y := st.im.DotFloat32(x, w)
		if st.bias != nil {
			y += st.bias[o]
		}
		to[o] = min(st.hi, max(st.lo, y))
	}
}

type denseInt8 struct {
	denseAbout
	im      *kernels.Impl
	rows    func() [][]int8 // in the order of the input's memory
	m, b    []float32
	zero    []int32 // −Σw·(the input's zero point); nil is 0
	lo, hi  float32
	in, out *buffer // out is float32, or int8 with the scale within m and b
}

func (st *denseInt8) run(s *state) {
	rows := st.rows()
	x, to := signedBytes(st.in.bytes(s))[:len(rows[0])], st.out.bytes(s)
	lo, hi := int8Bounds(st.lo, st.hi, st.out)
	for o, w := range rows {
		sum := int32(st.im.DotInt8(x, w)) // within int32: Compile refuses longer rows
		if st.zero != nil {
			sum += st.zero[o]
		}
		if st.out.form.dtype == dtype.Int8 {
			to[o] = uint8(quant.Requantize(sum, st.m[o], st.b[o], lo, hi)) ^ st.out.form.xor
		} else {
			floats(to[4*o:][:4])[0] = min(st.hi, max(st.lo, float32(float32(sum)*st.m[o])+st.b[o]))
		}
	}
}

func (c *compiler) emitDense(g *group, op *graph.Dense) (*buffer, error) {
	d := c.layerType(g.node)
	im, in := c.pick(g.node).Impl, g.inputs[0]
	if d == dtype.Float32 {
		to := c.landFloat(g.out)
		if to.written == nil {
			to.written = to.out
		}
		st := &denseFloat{im: im, rows: memoryOrder(op.Floats, in), bias: op.Bias, lo: g.lo, hi: g.hi, in: in, out: to.written}
		st.denseAbout = denseAbout{g.node.Name, c.layer(g, d, im, "dot", denseProblem(op, d, to.written), 4*(op.In*op.Out+len(op.Bias)))}
		c.plan.steps = append(append(c.plan.steps, st), to.after...)
		return to.out, nil
	}
	if err := c.channels(2 * op.Out); err != nil {
		return nil, err
	}
	if op.In > maxInt8Row {
		return nil, errInt8Row(op.In)
	}
	st := &denseInt8{im: im, rows: memoryOrder(func() []int8 { return op.Int8 }, in), lo: g.lo, hi: g.hi, in: in}
	st.out = c.native(g.out, c.carried(g.out))
	scale := float32(1)
	if st.out.form.dtype == dtype.Int8 {
		scale = st.out.scale
	}
	if g.exact {
		return c.emitDenseExact(g, op, st.out)
	}
	var err error
	if st.m, st.b, err = constantsFor(&op.Weights, in.scale, scale, op.Out); err != nil {
		return nil, err
	}
	if st.zero, err = zeroBias(op.Int8, op.Out, in.zero); err != nil {
		return nil, err
	}
	if st.out.form.dtype == dtype.Int8 {
		addZero(st.b, st.out.zero)
	}
	st.denseAbout = denseAbout{g.node.Name, c.layer(g, d, im, "dot", denseProblem(op, d, st.out), op.In*op.Out+8*op.Out)}
	c.plan.steps = append(c.plan.steps, st)
	return st.out, nil
}

// memoryOrder splits weights, rows over [C][H][W], into rows over the buffer's own order,
// when the plan's first runner asks for them.
func memoryOrder[T any](weights func() []T, in *buffer) func() [][]T {
	return sync.OnceValue(func() [][]T {
		w, m := weights(), in.img
		n := m.C * m.H * m.W
		perPixel := m.PixelBytes() * 8 / m.DType.Bits()
		rows := make([][]T, len(w)/n)
		for o := range rows {
			rows[o] = make([]T, m.H*m.W*perPixel)
			for ch := range m.C {
				for p := range m.H * m.W {
					rows[o][p*perPixel+ch] = w[o*n+ch*m.H*m.W+p]
				}
			}
		}
		return rows
	})
}
