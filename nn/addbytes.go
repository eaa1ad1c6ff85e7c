package nn

import (
	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/quant"
)

// addBytesStep adds two int8 values to an int8 one, with the bounds that follow: what the
// three conversions to and from float32 and the sum between them give, in one pass.
type addBytesStep struct {
	node   string
	a, b   *buffer
	ta, tb *[256]float32
	out    *buffer
	lo, hi float32
}

// fuseAdd is the group of an Add of two int8 values of one shape whose sum, after any
// bounds, is int8; else the Add alone.
func (c *compiler) fuseAdd(n *graph.Node) *group {
	plain, g := newGroup(n), newGroup(n)
	for _, v := range n.In {
		if c.scaleOf(v) == 0 || !v.Shape.Equal(n.Out.Shape) {
			return plain
		}
	}
	c.fuseClamps(g)
	if c.scaleOf(g.out) == 0 {
		return plain
	}
	g.bytes = true
	return g
}

func (c *compiler) emitAddBytes(g *group) *buffer {
	st := &addBytesStep{node: g.node.Name, a: g.inputs[0], b: g.inputs[1], out: c.native(g.out, dtype.Int8), lo: g.lo, hi: g.hi}
	st.ta, st.tb = st.a.table(), st.b.table()
	c.plan.steps = append(c.plan.steps, st)
	return st.out
}

func (st *addBytesStep) run(s *state) {
	x, y, to := st.a.bytes(s), st.b.bytes(s), st.out.bytes(s)
	m, xor, scale, zero, least := st.out.img, st.out.form.xor, st.out.scale, st.out.zero, st.out.lo
	for row := range m.H {
		p, q, r := st.a.img.Offset(row, 0), st.b.img.Offset(row, 0), m.Offset(row, 0)
		for range m.W {
			u, v, px := x[p:][:m.C], y[q:][:m.C], to[r:][:m.C]
			for i := range px {
				sum := min(st.hi, max(st.lo, st.ta[u[i]]+st.tb[v[i]]))
				px[i] = uint8(quant.QuantizeZero(sum, scale, zero, least)) ^ xor
			}
			p, q, r = p+st.a.img.PixelBytes(), q+st.b.img.PixelBytes(), r+m.PixelBytes()
		}
	}
}

func (st *addBytesStep) about() Step { return plain(st.node, "add", Epilogue, st.out, st.a, st.b) }
