package nn

import (
	"fmt"
	"math"
	"slices"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/quant"
)

// A layer whose input goes round it is two steps: the convolution, which stores its
// sums, pooled where a max-pool follows, and a join, which in one pass over the pixels
// normalizes them, adds the stream, applies PReLU or a clip, and writes the stream
// anew together with its signs in the form that the next convolution reads:
//
//	sums → [batch norm, affine] → [+ stream] → [PReLU | Clip | ReLU] → stream, [batch norm, affine] → Sign
//
// in quant.Merge's arithmetic. A sign behind norms of the stream is a threshold of each
// channel (quant.FoldStreamSign). What has another shape runs in float32, op by op.

// join is what follows the sums.
type join struct {
	sums     *graph.Value // the convolution's output, or the max-pool's
	norms    []graph.Op
	stream   *graph.Value // nil: none
	shortcut kernels.Shortcut
	slope    []float32 // one a channel; nil: none
	lo, hi   float32   // the clip's bounds
	scale    float32   // of the stream
	sign     *graph.Value
	bits     *buffer            // of sign, or of nobody
	signs    []quant.StreamSign // of the norms before sign; nil: none
}

// String says what the time of a join depends on, for Layer.Problem.
func (j *join) String() string {
	s := [...]string{"to a stream", "joined with a stream", "joined with a pooled stream"}[j.shortcut]
	if j.slope != nil {
		s += ", prelu"
	}
	return s
}

// fuseStreams finds the convolutions of integer sums that end in a stream, each with
// the nodes that become its join, and those nodes. A stream that joins must be there
// when the convolution runs.
func (c *compiler) fuseStreams() (groups map[*graph.Node]*group, taken map[*graph.Node]bool) {
	groups, taken = map[*graph.Node]*group{}, map[*graph.Node]bool{}
	at := map[*graph.Value]int{c.g.Input: -1} // the place of the node that gives a value, or of its group's
	for i, n := range c.g.Nodes {
		if _, ok := at[n.Out]; !ok {
			at[n.Out] = i
		}
		op, ok := n.Op.(*graph.Conv2D)
		if !ok || op.Groups > 1 || c.layerType(n) == dtype.Float32 {
			continue
		}
		g := c.fuseStream(n, func(v *graph.Value) bool {
			given, known := at[v]
			return known && given < i
		})
		if g == nil {
			continue
		}
		groups[n] = g
		for _, f := range g.fused {
			taken[f], at[f.Out] = true, i
		}
	}
	return groups, taken
}

// fuseStream is the group of convolution n if it ends in a stream, else nil.
func (c *compiler) fuseStream(n *graph.Node, there func(*graph.Value) bool) *group {
	g := newGroup(n)
	g.join = &join{sums: n.Out, lo: float32(math.Inf(-1)), hi: float32(math.Inf(1))}
	j := g.join
sums:
	for next := c.only(g.out); next != nil; next = c.only(g.out) {
		switch op := next.Op.(type) {
		case *graph.MaxPool:
			if g.pool || len(j.norms) > 0 || !plainPool(op) {
				break sums
			}
			g.pool, j.sums = true, next.Out
		case *graph.BatchNorm, *graph.Affine:
			j.norms = append(j.norms, op)
		default:
			break sums
		}
		g.take(next)
	}
	if next := c.only(g.out); next != nil {
		if _, ok := next.Op.(*graph.Add); ok {
			other := next.In[0]
			if other == g.out {
				other = next.In[1]
			}
			same := g.out.Shape.Equal(other.Shape) // else one of them is stretched
			if round := c.shortcut(j, other, next.Out.Shape); round != nil && same && j.stream.Stream == next.Out.Stream && there(j.stream) {
				g.fused = append(g.fused, *round...)
				g.take(next)
			} else {
				j.stream, j.shortcut = nil, kernels.NoShortcut
			}
		}
	}
	c.activation(g)
	if j.scale = g.out.Stream; j.scale == 0 || j.stream != nil && j.stream.Stream != j.scale {
		return nil
	}
	for _, r := range c.readers[g.out] {
		if nodes, signs := c.streamSign(r, j.scale); nodes != nil {
			g.fused, j.sign, j.signs = append(g.fused, nodes...), nodes[len(nodes)-1].Out, signs
			break
		}
	}
	return g
}

// streamSign is the chain of norms from n, a reader of a stream of that scale, to a
// sign, and what its norms make of the sign, nil of none; nil if n begins none.
func (c *compiler) streamSign(n *graph.Node, scale float32) (nodes []*graph.Node, signs []quant.StreamSign) {
	var norms []func(ch int, x float64) float64
	channels := n.In[0].Shape.Channels()
	for ; n != nil && n.Out.Scale == 0 && n.Out.Stream == 0; n = c.only(n.Out) {
		nodes = append(nodes, n)
		switch op := n.Op.(type) {
		case *graph.BatchNorm:
			norms = append(norms, op.Prepared())
			continue
		case *graph.Affine:
			norms = append(norms, op.At)
			continue
		case *graph.Sign:
			if norms == nil {
				return nodes, nil
			}
			signs = make([]quant.StreamSign, channels)
			for ch := range signs {
				var ok bool
				if signs[ch], ok = quant.FoldStreamSign(scale, func(x float32) float32 {
					for _, at := range norms {
						x = float32(at(ch, float64(x))) // as opFunc has it
					}
					return x
				}); !ok {
					return nil, nil
				}
			}
			return nodes, signs
		}
		break
	}
	return nil, nil
}

// shortcut follows v, of the given shape, back to the stream that it is made of by a
// max-pool and repeated channels, which nobody else sees, and gives those nodes; nil
// if there is no stream.
func (c *compiler) shortcut(j *join, v *graph.Value, shape graph.Shape) *[]*graph.Node {
	round := []*graph.Node{}
	pooled, repeated := false, false
	for {
		n := c.giver[v]
		if n == nil || c.only(v) == nil {
			break
		}
		switch op := n.Op.(type) {
		case *graph.MaxPool:
			if pooled || !plainPool(op) {
				n = nil
			}
			pooled = true
		case *graph.Concat:
			if repeated || slices.ContainsFunc(n.In, func(in *graph.Value) bool { return in != n.In[0] }) {
				n = nil
			}
			repeated = true
		default:
			n = nil
		}
		if n == nil {
			break
		}
		round, v = append(round, n), n.In[0]
	}
	if v.Stream == 0 || len(v.Shape) != 3 {
		return nil
	}
	j.stream, j.shortcut = v, kernels.Identity
	if v.Shape[1] != shape[1] || v.Shape[2] != shape[2] {
		j.shortcut = kernels.PooledShortcut
	}
	return &round
}

// activation takes a PReLU, a clip or a ReLU.
func (c *compiler) activation(g *group) {
	next := c.only(g.out)
	if next == nil || next.Out.Stream == 0 {
		return
	}
	switch op := next.Op.(type) {
	case *graph.PReLU:
		g.join.slope = make([]float32, g.out.Shape.Channels())
		for i := range g.join.slope {
			g.join.slope[i] = op.Slope[i%len(op.Slope)]
		}
	case *graph.Clip:
		g.join.lo, g.join.hi = op.Lo, op.Hi
	case *graph.ReLU:
		g.join.lo = 0
	default:
		return
	}
	g.take(next)
}

// landJoin is the landing of sums that join a stream.
func (c *compiler) landJoin(g *group, w *graph.Weights, in *buffer, n int) (landing, error) {
	j := g.join
	spec := kernels.MergeSpec{
		M: make([]float32, n), B: make([]float32, n), Slope: j.slope, Shortcut: j.shortcut, Signs: j.signs,
		Lo: quant.Quantize16(j.lo, j.scale), Hi: quant.Quantize16(j.hi, j.scale),
	}
	for o := range n {
		m, b := j.linear(o, realScale(w, in.scale, o), bias(w, o))
		spec.M[o], spec.B[o] = float32(m/float64(j.scale)), float32(b/float64(j.scale))
		for _, v := range []float32{spec.M[o], spec.B[o]} {
			if v-v != 0 {
				return landing{}, fmt.Errorf("channel %d: %g·sum + %g in steps of %g: want finite numbers", o, m, b, j.scale)
			}
		}
	}
	sums, out := c.newBuffer(j.sums, form{dtype: dtype.Float32}), c.want(g.out, form{dtype: dtype.Int8, wide: true})
	st := &joinStep{node: g.node.Name, sums: sums, out: out}
	if j.sign != nil {
		j.bits = c.native(j.sign, dtype.Binary)
	} else {
		j.bits = c.newBuffer(g.out, form{dtype: dtype.Binary})
	}
	st.bits = j.bits
	spec.Sums, spec.Out, spec.Bits = sums.img, out.img, st.bits.img
	if j.stream != nil {
		st.stream = g.inputs[1]
		spec.Stream = st.stream.img
	}
	var err error
	st.merge, err = c.pick(g.node).Impl.NewMerge(spec)
	return landing{sums, out, []step{st}}, err
}

// linear gives scale·x + shift of a channel, through the norms, as m·x + b.
func (j *join) linear(ch int, scale, shift float64) (m, b float64) {
	for _, op := range j.norms {
		var k, to float64
		switch op := op.(type) {
		case *graph.BatchNorm:
			k = float64(op.Gamma[ch]) / math.Sqrt(float64(op.Var[ch])+float64(op.Epsilon))
			to = float64(op.Beta[ch]) - float64(float64(op.Mean[ch])*k)
		case *graph.Affine:
			k, to = float64(op.Scale[ch%len(op.Scale)]), float64(op.Shift[ch%len(op.Shift)])
		}
		scale, shift = scale*k, float64(shift*k)+to
	}
	return scale, shift
}

// joinStep joins sums with a stream; threads share its rows.
type joinStep struct {
	node            string
	merge           *kernels.Merge
	sums, out, bits *buffer
	stream          *buffer // nil: none
}

func (st *joinStep) run(s *state) { st.runUnits(s, &s.ctx, 0, st.units()) }

func (st *joinStep) units() int { return st.merge.Rows() }

func (st *joinStep) runUnits(s *state, ctx *kernels.Context, from, to int) {
	var stream []byte
	if st.stream != nil {
		stream = st.stream.bytes(s)
	}
	st.merge.RunRows(ctx, st.out.bytes(s), st.bits.bytes(s), st.sums.bytes(s), stream, from, to)
}

func (st *joinStep) about() Step {
	ins := []*buffer{st.sums}
	if st.stream != nil {
		ins = append(ins, st.stream)
	}
	a := plain(st.node, "join", Epilogue, st.out, ins...)
	a.BytesWritten += st.bits.valueBytes()
	return a
}
