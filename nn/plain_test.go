package nn_test

import (
	"math"
	"testing"

	"macroscope/graph"
	"macroscope/quant"
)

// plain evaluates a graph with int8 and binary layers by the numeric rules
// alone, in direct loops over integers and single float32 operations: a second
// definition of what package nn computes, bit for bit. It knows one thing of
// the plan: where integer sums are rounded, that is, after the ReLU or clip and the 2×2
// pool that follow them and that nothing else sees.
type plain struct {
	t       testing.TB
	g       *graph.Graph
	readers map[*graph.Value][]*graph.Node
	values  map[*graph.Value]*plainValue
	done    map[*graph.Node]bool
}

// plainValue is [C H W] or [F]: integers with their scale (1 for ±1), or nil;
// and what float32 ops read.
type plainValue struct {
	ints  []int
	scale float32
	zero  int  // what stands for 0
	signs bool // ±1
	real  []float32
}

func evaluatePlainly(t testing.TB, g *graph.Graph, image []float32) []float32 {
	t.Helper()
	g = graph.FoldBatchNorm(g)
	p := &plain{t: t, g: g, readers: map[*graph.Value][]*graph.Node{}, values: map[*graph.Value]*plainValue{}, done: map[*graph.Node]bool{}}
	for _, n := range g.Nodes {
		for _, v := range n.In {
			p.readers[v] = append(p.readers[v], n)
		}
	}
	p.put(g.Input, image)
	for _, n := range g.Nodes {
		if p.done[n] {
			continue
		}
		if w := integerWeights(n.Op); w != nil && p.values[n.In[0]].ints != nil {
			p.layer(n, w)
		} else {
			p.floatOp(n)
		}
	}
	return p.values[g.Output].real
}

func integerWeights(op graph.Op) *graph.Weights {
	switch op := op.(type) {
	case *graph.Conv2D:
		if op.Int8 != nil || op.Binary {
			return &op.Weights
		}
	case *graph.Dense:
		if op.Int8 != nil {
			return &op.Weights
		}
	}
	return nil
}

// scaleOf is a value's scale, its own or that of its flattening.
func (p *plain) scaleOf(v *graph.Value) float32 {
	if v.Scale != 0 {
		return v.Scale
	}
	for _, n := range p.readers[v] {
		if _, ok := n.Op.(*graph.Flatten); ok && p.alias(n) && n.Out.Scale != 0 {
			return n.Out.Scale
		}
	}
	return 0
}

// rounded is v, or its flattening where only that has a scale.
func (p *plain) rounded(v *graph.Value) *graph.Value {
	if v.Scale == 0 {
		for _, n := range p.readers[v] {
			if _, ok := n.Op.(*graph.Flatten); ok && p.alias(n) && n.Out.Scale != 0 {
				return n.Out
			}
		}
	}
	return v
}

// zeroOf is what stands for 0 in a value with a scale.
func (p *plain) zeroOf(v *graph.Value) int8 { return p.rounded(v).Zero }

// leastOf is the least byte of a value with a scale.
func (p *plain) leastOf(v *graph.Value) int8 { return p.rounded(v).Lowest() }

// alias says that a flattening is the same numbers for those who read it, not
// rounded to another scale, or else nobody sees them before: only
// dense layers do.
func (p *plain) alias(flatten *graph.Node) bool {
	for _, n := range p.readers[flatten.Out] {
		if n.Op.Kind() != "dense" {
			return false
		}
	}
	in, s := flatten.In[0], flatten.Out.Scale
	same := s == in.Scale && flatten.Out.Zero == in.Zero && flatten.Out.Lowest() == in.Lowest()
	shared := in == p.g.Output || len(p.readers[in]) > 1
	return flatten.Out != p.g.Output && (s == 0 || same || in.Scale == 0 && !shared)
}

// put sets a value from float32 results, rounded where it is carried as int8.
func (p *plain) put(v *graph.Value, real []float32) {
	s := p.scaleOf(v)
	if s == 0 {
		p.values[v] = &plainValue{real: real}
		return
	}
	ints := make([]int, len(real))
	for i, x := range real {
		ints[i] = int(quant.QuantizeZero(x, s, p.zeroOf(v), p.leastOf(v)))
	}
	p.putInts(v, ints, s, int(p.zeroOf(v)))
}

func (p *plain) putInts(v *graph.Value, ints []int, s float32, zero int) {
	real := make([]float32, len(ints))
	for i, q := range ints {
		real[i] = float32(float32(q-zero) * s)
	}
	p.values[v] = &plainValue{ints: ints, scale: s, zero: zero, real: real}
}

// sums are a layer's integer sums on their way to a value.
type sums struct {
	v      []int
	w      *graph.Weights
	in     float32 // the input's scale
	out    *graph.Value
	lo, hi float32 // the bounds that ReLUs and clips set
	pooled bool
}

// channel says which channel sum i belongs to.
func (s *sums) channel(i int) int { return i / s.out.Shape.Plane() }

// unit is what one step of channel o's sum stands for.
func (s *sums) unit(o int) float64 {
	u := float64(s.in)
	switch len(s.w.Scale) {
	case 0:
		return u
	case 1:
		return u * float64(s.w.Scale[0])
	}
	return u * float64(s.w.Scale[o])
}

func (s *sums) bias(o int) float64 {
	if s.w.Bias == nil {
		return 0
	}
	return float64(s.w.Bias[o])
}

func (p *plain) layer(n *graph.Node, w *graph.Weights) {
	s := p.sums(n, w)
	for p.follow(s) {
	}
	if norms, sign := p.upToSign(s.out); sign != nil && n.Op.Kind() == "conv2d" {
		p.signs(s, norms, sign)
		return
	}
	scale := p.scaleOf(s.out)
	if scale != 0 && w.Int8 != nil {
		p.requantize(s, scale)
		return
	}
	real := make([]float32, len(s.v))
	for i, sum := range s.v {
		o := s.channel(i)
		real[i] = float32(float32(sum)*float32(s.unit(o))) + float32(s.bias(o))
		real[i] = min(s.hi, max(s.lo, real[i]))
	}
	p.put(s.out, real)
}

func (p *plain) requantize(s *sums, scale float32) {
	zero := p.zeroOf(s.out)
	lo, hi := float32(quant.QuantizeZero(s.lo, scale, zero, p.leastOf(s.out))), float32(quant.QuantizeZero(s.hi, scale, zero, p.leastOf(s.out)))
	ints := make([]int, len(s.v))
	for i, sum := range s.v {
		o := s.channel(i)
		ints[i] = int(quant.Requantize(int32(sum), float32(s.unit(o)/float64(scale)), float32(s.bias(o)/float64(scale))+float32(zero), lo, hi))
	}
	p.putInts(s.out, ints, scale, int(zero))
}

// signs is batch norms and a sign in float64, without a threshold.
func (p *plain) signs(s *sums, norms []*graph.Node, sign *graph.Node) {
	ints := make([]int, len(s.v))
	for i, sum := range s.v {
		o := s.channel(i)
		x := float64(float64(sum)*s.unit(o)) + s.bias(o)
		x = min(float64(s.hi), max(float64(s.lo), x))
		for _, n := range norms {
			x = n.Op.(interface {
				At(c int, x float64) float64
			}).At(o, x)
		}
		ints[i] = -1
		if x >= 0 {
			ints[i] = 1
		}
	}
	for _, n := range norms {
		p.done[n] = true
	}
	p.done[sign] = true
	p.putInts(sign.Out, ints, 1, 0)
	p.values[sign.Out].signs = true
}

// next is the one reader of a value that nothing else sees; nil otherwise.
func (p *plain) next(v *graph.Value) *graph.Node {
	if v == p.g.Output || len(p.readers[v]) != 1 || p.scaleOf(v) != 0 {
		return nil
	}
	return p.readers[v][0]
}

// follow takes one ReLU or 2×2 pool.
func (p *plain) follow(s *sums) bool {
	n := p.next(s.out)
	if n == nil {
		return false
	}
	switch op := n.Op.(type) {
	case *graph.ReLU:
		s.lo, s.hi = max(0, s.lo), max(0, s.hi)
	case *graph.Clip:
		s.lo, s.hi = min(op.Hi, max(op.Lo, s.lo)), min(op.Hi, max(op.Lo, s.hi))
	case *graph.MaxPool:
		if s.pooled || *op != *pool2 {
			return false
		}
		s.pooled = true
		s.v = poolSums(s.v, s.out.Shape, n.Out.Shape)
	default:
		return false
	}
	s.out, p.done[n] = n.Out, true
	return true
}

// upToSign is the batch norms and affines from v to a sign, if there is one.
func (p *plain) upToSign(v *graph.Value) (norms []*graph.Node, sign *graph.Node) {
	for n := p.next(v); n != nil; n = p.next(n.Out) {
		switch n.Op.(type) {
		case *graph.BatchNorm, *graph.Affine:
			norms = append(norms, n)
		case *graph.Sign:
			return norms, n
		default:
			return nil, nil
		}
	}
	return nil, nil
}

func poolSums(v []int, in, out graph.Shape) []int {
	pooled := make([]int, 0, out.Size())
	for c := range out[0] {
		for y := range out[1] {
			for x := range out[2] {
				at := (c*in[1]+2*y)*in[2] + 2*x
				pooled = append(pooled, max(v[at], v[at+1], v[at+in[2]], v[at+in[2]+1]))
			}
		}
	}
	return pooled
}

// sums are a layer's products summed in int; padding is the layer's value.
func (p *plain) sums(n *graph.Node, w *graph.Weights) *sums {
	in := p.values[n.In[0]]
	weight := func(i int) int {
		if w.Int8 != nil {
			return int(w.Int8[i])
		}
		return int(w.Float[i])
	}
	s := &sums{w: w, in: in.scale, out: n.Out, lo: float32(math.Inf(-1)), hi: float32(math.Inf(1))}
	switch op := n.Op.(type) {
	case *graph.Dense:
		for o := range op.Out {
			sum := 0
			for i, x := range in.ints {
				sum += (x - in.zero) * weight(o*op.In+i)
			}
			s.v = append(s.v, sum)
		}
	case *graph.Conv2D:
		h, wd := n.In[0].Shape[1], n.In[0].Shape[2]
		for o := range op.OutC {
			for y := range n.Out.Shape[1] {
				for x := range n.Out.Shape[2] {
					sum := 0
					per := op.InC / op.Groups
					for c := range per {
						for ky := range op.KH {
							for kx := range op.KW {
								iy, ix := y*op.StrideH+ky*op.DilationH-op.PadTop, x*op.StrideW+kx*op.DilationW-op.PadLeft
								v := int(op.PadValue)
								if iy >= 0 && ix >= 0 && iy < h && ix < wd {
									v = in.ints[((o/(op.OutC/op.Groups)*per+c)*h+iy)*wd+ix] - in.zero
								}
								sum += v * weight(((o*per+c)*op.KH+ky)*op.KW+kx)
							}
						}
					}
					s.v = append(s.v, sum)
				}
			}
		}
	}
	return s
}

// floatOp is an op on float32 values, rounded once. The layers among them must
// be exact in float32 to be compared bit for bit.
func (p *plain) floatOp(n *graph.Node) {
	x := p.values[n.In[0]]
	real := make([]float32, n.Out.Shape.Size())
	switch n.Op.(type) {
	case *graph.Flatten:
		if x.ints != nil && p.alias(n) {
			p.putInts(n.Out, x.ints, x.scale, x.zero)
			return
		}
		copy(real, x.real)
	case *graph.Add:
		for i, v := range p.values[n.In[1]].real {
			real[i] = x.real[i] + v
		}
	default:
		in := make([]float64, len(x.real))
		for i, v := range x.real {
			in[i] = float64(v)
		}
		for i, v := range apply(p.t, n.Op, n.In[0].Shape, in) {
			real[i] = float32(v)
		}
	}
	p.put(n.Out, real)
	// A maximum of ±1 is ±1.
	if v := p.values[n.Out]; v.ints == nil && (n.Op.Kind() == "sign" || n.Op.Kind() == "maxpool" && x.signs) {
		v.scale, v.signs = 1, true
		for _, x := range real {
			v.ints = append(v.ints, int(x))
		}
	}
}
