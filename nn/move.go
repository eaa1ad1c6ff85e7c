package nn

import (
	"fmt"
	"math"
	"sync"

	"macroscope/graph"
	"macroscope/kernels"
)

// moveStep is a graph.Mover: which of the input's words each of the output's pixels
// holds is worked out once, by the plan's first runner: a plan alone takes no memory for
// values.
type moveStep struct {
	node    *graph.Node
	in, out *buffer
	from    func() []int32 // word of the input, for the output's pixels in the order of memory; −1: fill
	fill    float32
}

func (c *compiler) emitMove(g *group, op graph.Mover) (*buffer, error) {
	to := c.landFloat(g.out)
	if to.written == nil {
		to.written = to.out
	}
	st := &moveStep{node: g.node, in: g.inputs[0], out: to.written}
	if p, ok := op.(*graph.Pad); ok {
		st.fill = p.Value
	}
	in, out := st.in.img, st.out.img
	if in.Bytes()/4 > math.MaxInt32 {
		return nil, fmt.Errorf("an input of %d bytes: want at most %d", in.Bytes(), 4*math.MaxInt32)
	}
	c.tables += (4 + 8) * float64(g.out.Shape.Size()) // from, and the op's own while it is made
	st.from = sync.OnceValue(func() []int32 { return movedFrom[int32](op.Source(g.node.In[0].Shape), in, out, 4) })
	c.plan.steps = append(append(c.plan.steps, st), to.after...)
	return to.out, nil
}

// movedFrom turns a Mover's source, of elements channel after channel, into places
// in memory: for the output's pixels in the order of memory the element of the
// input, counted in elements of size bytes from its first; −1 stays.
func movedFrom[T int | int32](source []int, in, out kernels.Image, size int) []T {
	from := make([]T, 0, len(source))
	plane := in.H * in.W
	for y := range out.H {
		for x := range out.W {
			for ch := range out.C {
				i := source[(ch*out.H+y)*out.W+x]
				if i >= 0 {
					ch, p := i/plane, i%plane
					i = in.Offset(p/in.W, p%in.W)/size + ch
				}
				from = append(from, T(i))
			}
		}
	}
	return from
}

func (st *moveStep) run(s *state) {
	in, out := floats(st.in.bytes(s)), st.out.bytes(s)
	row, i, from := st.out.img.W*st.out.img.C, 0, st.from()
	for y := range st.out.img.H {
		to := floats(out[st.out.img.Offset(y, 0):][:4*row])
		for x, j := range from[i : i+row] {
			if j < 0 {
				to[x] = st.fill
			} else {
				to[x] = in[j]
			}
		}
		i += row
	}
}

func (st *moveStep) about() Step {
	return plain(st.node.Name, st.node.Op.Kind(), Packing, st.out, st.in)
}

// constant writes its values with every image: they stand in the arena as any others.
func constant(op *graph.Constant) func(*state, []*buffer, *buffer) {
	plane := op.To.Plane()
	return func(s *state, _ []*buffer, out *buffer) {
		to, m := out.bytes(s), out.img
		for y := range m.H {
			for x := range m.W {
				px := floats(to[m.Offset(y, x):][:4*m.C])
				for c := range px {
					px[c] = op.Values[c*plane+y*m.W+x]
				}
			}
		}
	}
}
