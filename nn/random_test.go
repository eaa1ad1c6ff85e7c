package nn_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"macroscope/graph"
)

// maker writes random layers into a graph.
type maker struct {
	r *rand.Rand
	b *graph.Builder
	n int
}

func newMaker(r *rand.Rand, in graph.Shape) *maker {
	return &maker{r: r, b: graph.New("random", "image", in)}
}

func (m *maker) add(op graph.Op, in ...*graph.Value) *graph.Value {
	m.n++
	return m.b.Add(fmt.Sprintf("%s%d", op.Kind(), m.n), op, in...)
}

func (m *maker) graph(t testing.TB, out *graph.Value) *graph.Graph {
	t.Helper()
	g, err := m.b.Graph(out)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (m *maker) one(n int) bool { return m.r.IntN(n) == 0 }

func (m *maker) normal(n int, scale float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(m.r.NormFloat64() * scale)
	}
	return v
}

func (m *maker) signs(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(2*m.r.IntN(2) - 1)
	}
	return v
}

// geometry is a random convolution without weights that fits its input:
// strides, dilation, padding on each side its own.
func (m *maker) geometry(in graph.Shape, outC int) *graph.Conv2D {
	r := m.r
	c := &graph.Conv2D{InC: in[0], OutC: outC, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}
	for {
		c.KH, c.KW = 1+r.IntN(3), 1+r.IntN(3)
		c.PadTop, c.PadLeft, c.PadBottom, c.PadRight = r.IntN(c.KH+1), r.IntN(c.KW+1), r.IntN(c.KH+1), r.IntN(c.KW+1)
		if m.one(3) {
			c.StrideH, c.StrideW = 1+r.IntN(3), 1+r.IntN(3)
		}
		if m.one(4) {
			c.DilationH, c.DilationW = 1+r.IntN(3), 1+r.IntN(3)
		}
		if _, err := c.OutShape([]graph.Shape{in}); err == nil {
			return c
		}
	}
}

// same is a 3×3 convolution that keeps the image's extent.
func same(in graph.Shape, outC int) *graph.Conv2D {
	return &graph.Conv2D{InC: in[0], OutC: outC, KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1,
		PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1}
}

// fill gives a convolution float weights and perhaps a bias.
func (m *maker) fill(c *graph.Conv2D) *graph.Conv2D {
	c.Float = m.normal(c.OutC*c.K(), 1/math.Sqrt(float64(c.K())))
	if !m.one(3) {
		c.Bias = m.normal(c.OutC, 0.5)
	}
	return c
}

func (m *maker) conv(in graph.Shape, outC int) *graph.Conv2D { return m.fill(m.geometry(in, outC)) }

func (m *maker) dense(in, out int) *graph.Dense {
	d := &graph.Dense{In: in, Out: out}
	d.Float = m.normal(in*out, 1/math.Sqrt(float64(in)))
	if !m.one(3) {
		d.Bias = m.normal(out, 0.5)
	}
	return d
}

// norm is a batch norm with negative and zero gammas among the others.
func (m *maker) norm(c int) *graph.BatchNorm {
	bn := &graph.BatchNorm{Gamma: m.normal(c, 1), Beta: m.normal(c, 1), Mean: m.normal(c, 1), Var: m.normal(c, 1), Epsilon: 1e-5}
	for i := range c {
		bn.Var[i] *= bn.Var[i]
		if m.one(8) {
			bn.Gamma[i] = 0
		}
	}
	return bn
}

func (m *maker) affine(c int) *graph.Affine {
	n, k := 1, c
	switch m.r.IntN(3) {
	case 0:
		n = c
	case 1:
		n, k = c, 1
	}
	return &graph.Affine{Scale: m.normal(n, 1), Shift: m.normal(k, 1)}
}

var pool2 = &graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}

// pool is a random max-pool that fits: padded or not, windows that overlap or
// leave gaps.
func (m *maker) pool(in graph.Shape) *graph.MaxPool {
	r := m.r
	for {
		p := &graph.MaxPool{KH: 1 + r.IntN(3), KW: 1 + r.IntN(3), StrideH: 1 + r.IntN(3), StrideW: 1 + r.IntN(3)}
		p.PadTop, p.PadLeft, p.PadBottom, p.PadRight = r.IntN(p.KH), r.IntN(p.KW), r.IntN(p.KH), r.IntN(p.KW)
		if m.one(3) {
			p = &graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}
		}
		if _, err := p.OutShape([]graph.Shape{in}); err == nil {
			return p
		}
	}
}

// randomImage is a small extent; the channels are up to most.
func randomImage(r *rand.Rand, most int) graph.Shape {
	return graph.Shape{1 + r.IntN(most), 1 + r.IntN(9), 1 + r.IntN(9)}
}

// describe lists a graph's nodes for a failure's message.
func describe(g *graph.Graph) string {
	var b strings.Builder
	fmt.Fprintf(&b, "input %s %v scale %v, output %s\n", g.Input.Name, g.Input.Shape, g.Input.Scale, g.Output.Name)
	for _, n := range g.Nodes {
		if n == nil || n.Op == nil || n.Out == nil {
			fmt.Fprintf(&b, "  %+v\n", n)
			continue
		}
		fmt.Fprintf(&b, "  %s(", n.Name)
		for _, v := range n.In {
			if v != nil {
				fmt.Fprintf(&b, " %s", v.Name)
			}
		}
		fmt.Fprintf(&b, " ) → %v scale %v", n.Out.Shape, n.Out.Scale)
		switch op := n.Op.(type) {
		case *graph.Conv2D:
			fmt.Fprintf(&b, " %d→%d %d×%d stride %d,%d dilation %d,%d pad %d,%d,%d,%d of %v, int8 %v, binary %v", op.InC, op.OutC, op.KH, op.KW, op.StrideH, op.StrideW,
				op.DilationH, op.DilationW, op.PadTop, op.PadLeft, op.PadBottom, op.PadRight, op.PadValue, op.Int8 != nil, op.Binary)
		case *graph.Dense:
			fmt.Fprintf(&b, " %d→%d, int8 %v, binary %v", op.In, op.Out, op.Int8 != nil, op.Binary)
		case *graph.MaxPool:
			fmt.Fprintf(&b, " %+v", *op)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
