package graph

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/workload"
)

// Workload gives the network's layers for one image as an accelerator computes
// them in format d, batch norm folded:
//
//   - convolutions and dense layers; in Binary those with ±1 weights on ±1 inputs
//     are binary and all others int8, and there must be one of the former;
//     int8 layers of a network that was quantized to 4 bits or less have inputs and
//     weights of its widths;
//   - pooling, addition and its kin, softmax, functions such as sigmoid, what moves
//     elements about, and batch norm and affine layers that neither fold nor become a
//     threshold, by their number of outputs.
//
// ReLU and its kin, sign, flattening and reshaping, and batch norm and affine on the way to a sign
// happen where a layer's output is written back and are not layers; nor is an affine on the
// input, which belongs to the preparation of the image.
//
// In Binary an addition of a stream joins a layer with its shortcut: what it
// reads is written 16 bits wide, also by way of pools, concatenations and the kin of
// ReLU, and a batch norm before it happens where the sums are written back. It is a
// layer of its own (Other, by its number of outputs), and so are the pools and
// concatenations of its shortcut; as there is no format of 16 bits, DType says Int8
// of them. The network's own output
// is 32 bits wide, in Binary one that goes through a sign 1 bit, any other as wide
// as its reader's operands.
func (g *Graph) Workload(d dtype.DType) (workload.Workload, error) {
	g = FoldBatchNorm(g)
	p := &pricer{g: g, giver: map[*Value]*Node{}, readers: map[*Value][]*Node{}, d: d, widths: map[*Value]int{}, inputs: map[*Value]int{}, toSign: map[*Value]bool{}, streams: FindStreams(g)}
	for _, n := range g.Nodes {
		p.giver[n.Out] = n
		for _, v := range n.In {
			p.readers[v] = append(p.readers[v], n)
		}
	}
	w := workload.Workload{Name: g.Name}
	binary := false
	for _, n := range g.Nodes {
		l, ok := p.layer(n)
		if !ok {
			continue
		}
		if err := l.Validate(); err != nil {
			return workload.Workload{}, fmt.Errorf("graph %q: node %q (%s): %w", g.Name, n.Name, n.Op.Kind(), err)
		}
		binary = binary || l.Kind != workload.Other && l.DType == dtype.Binary
		w.Layers = append(w.Layers, l)
	}
	if d == dtype.Binary && !binary {
		return workload.Workload{}, fmt.Errorf("graph %q: no layer has ±1 weights and ±1 inputs: want a network trained as binary", g.Name)
	}
	return w, nil
}

type pricer struct {
	g       *Graph
	giver   map[*Value]*Node
	readers map[*Value][]*Node
	d       dtype.DType
	widths  map[*Value]int // those known, so that networks of many paths stay cheap
	inputs  map[*Value]int // inputBits by what is read
	toSign  map[*Value]bool
	streams *Streams
}

// layer is n's part of the workload; false where it has none.
func (p *pricer) layer(n *Node) (workload.Layer, bool) {
	l := workload.Layer{Name: n.Name, Kind: workload.Other, DType: p.dtype(n)}
	switch op := n.Op.(type) {
	case *Conv2D:
		in := n.In[0].Shape
		l.Kind, l.Batch = workload.Conv, 1
		l.C, l.H, l.W, l.OutC = in[0], in[1], in[2], op.OutC
		l.KH, l.KW, l.StrideH, l.StrideW = op.KH, op.KW, op.StrideH, op.StrideW
		l.DilationH, l.DilationW, l.Groups = op.DilationH, op.DilationW, op.Groups
		l.PadTop, l.PadLeft, l.PadBottom, l.PadRight = op.PadTop, op.PadLeft, op.PadBottom, op.PadRight
	case *Dense:
		l.Kind, l.M, l.N, l.K = workload.Gemm, 1, int64(op.Out), int64(op.In)
	case *ReLU, *PReLU, *Clip, *Dropout, *Sign, *Flatten, *Reshape, *Constant:
		return l, false
	case *BatchNorm:
		if p.onlyToSign(n.Out) || p.onlyToJoin(n.Out) {
			return l, false
		}
	case *Affine:
		if n.In[0] == p.g.Input || p.onlyToSign(n.Out) || p.onlyToJoin(n.Out) {
			return l, false
		}
	}
	if l.Kind == workload.Other {
		l.Op, l.Elements = n.Op.Kind(), int64(n.Out.Shape.Size())
		if pool := pooled(n, l); pool.Validate() == nil {
			l = pool
		}
	}
	if l.Kind != workload.Other && l.DType.Integer() {
		if bits := weights(n).bitsOf(); bits != l.DType.Bits() {
			l.WeightWidth = bits
		}
	}
	if bits := p.width(n.Out); bits != l.DType.Bits() {
		l.OutBits = bits
	}
	return l, true
}

// weights are those of a convolution or dense layer.
func weights(n *Node) *Weights {
	if op, ok := n.Op.(*Conv2D); ok {
		return &op.Weights
	}
	return &n.Op.(*Dense).Weights
}

// pooled adds a pool's shape to l; other operations stay as they are.
func pooled(n *Node, l workload.Layer) workload.Layer {
	shape := func(kh, kw, sh, sw, dh, dw, top, left, bottom, right int) workload.Layer {
		in := n.In[0].Shape
		l.Batch, l.C, l.H, l.W, l.OutC, l.Groups = 1, in[0], in[1], in[2], in[0], in[0]
		l.KH, l.KW, l.StrideH, l.StrideW, l.DilationH, l.DilationW = kh, kw, sh, sw, dh, dw
		l.PadTop, l.PadLeft, l.PadBottom, l.PadRight = top, left, bottom, right
		return l
	}
	switch op := n.Op.(type) {
	case *MaxPool:
		return shape(op.KH, op.KW, op.StrideH, op.StrideW, op.DilationH, op.DilationW, op.PadTop, op.PadLeft, op.PadBottom, op.PadRight)
	case *AveragePool:
		return shape(op.KH, op.KW, op.StrideH, op.StrideW, op.DilationH, op.DilationW, op.PadTop, op.PadLeft, op.PadBottom, op.PadRight)
	case *GlobalAveragePool:
		in := n.In[0].Shape
		return shape(in[1], in[2], 1, 1, 1, 1, 0, 0, 0, 0)
	}
	return l
}

// dtype is the format of n's operands.
func (p *pricer) dtype(n *Node) dtype.DType {
	if p.d == dtype.Int8 {
		return dtype.Int(p.inputBits(n))
	}
	if p.d != dtype.Binary {
		return p.d
	}
	switch op := n.Op.(type) {
	case *Conv2D:
		if op.Binary && p.bipolar(n.In[0]) {
			return dtype.Binary
		}
	case *Dense:
		if op.Binary && p.bipolar(n.In[0]) {
			return dtype.Binary
		}
	case *Add:
		if !p.joins(n) && p.bipolar(n.In[0]) {
			return dtype.Binary
		}
	case *AveragePool, *Sub, *Mul, *Div, *Func, *ArgMax, *LRN, *Softmax: // of ±1 these are not ±1
	default:
		// Pooling before a sign is as well done after it, on bits.
		if p.bipolar(n.In[0]) || p.width(n.Out) == 1 {
			return dtype.Binary
		}
	}
	return dtype.Int(p.inputBits(n))
}

// bipolar reports whether v is ±1: a Sign's output, also pooled or flattened.
func (p *pricer) bipolar(v *Value) bool {
	for n := p.giver[v]; n != nil; n = p.giver[n.In[0]] {
		switch n.Op.(type) {
		case *Sign:
			return true
		case *MaxPool, *Flatten, *Reshape, *Transpose, *Slice:
		default:
			return false
		}
	}
	return false
}

// onlyToSign reports whether v is read by Sign nodes, or batch norms and affines on
// the way to one, and nothing else.
func (p *pricer) onlyToSign(v *Value) bool {
	only, known := p.toSign[v]
	if !known {
		only = p.readBySigns(v)
		p.toSign[v] = only
	}
	return only
}

func (p *pricer) readBySigns(v *Value) bool {
	for _, n := range p.readers[v] {
		switch n.Op.(type) {
		case *Sign:
		case *BatchNorm, *Affine:
			if !p.onlyToSign(n.Out) {
				return false
			}
		default:
			return false
		}
	}
	return v != p.g.Output && len(p.readers[v]) > 0
}

// streamBits is the width of what goes round binary layers (Value.Stream).
const streamBits = 16

// joins reports whether n adds a binary layer's result to its shortcut.
func (p *pricer) joins(n *Node) bool {
	_, ok := n.Op.(*Add)
	return ok && p.d == dtype.Binary && p.streams.Has(n.Out)
}

// onlyToJoin reports whether v is read by additions with a shortcut and nothing else.
func (p *pricer) onlyToJoin(v *Value) bool {
	for _, n := range p.readers[v] {
		if !p.joins(n) {
			return false
		}
	}
	return v != p.g.Output && len(p.readers[v]) > 0
}

// width is the bits that an element of v has when it is written: 32 for the
// network's output in whatever form it leaves, else what its widest reader needs.
func (p *pricer) width(v *Value) int {
	if v == p.g.Output {
		return 32
	}
	if bits := p.widths[v]; bits > 0 {
		return bits
	}
	bits := 1
	for _, n := range p.readers[v] {
		switch n.Op.(type) {
		case *Add:
			if p.joins(n) {
				bits = max(bits, streamBits)
			} else {
				bits = max(bits, p.dtype(n).Bits())
			}
		case *Conv2D, *Dense, *GlobalAveragePool, *AveragePool, *Sub, *Mul, *Div, *Func, *ArgMax, *LRN:
			bits = max(bits, p.dtype(n).Bits())
		case *Sign:
			if p.d != dtype.Binary {
				bits = max(bits, p.width(n.Out))
			}
		default:
			bits = max(bits, p.width(n.Out))
		}
	}
	p.widths[v] = bits
	return bits
}
