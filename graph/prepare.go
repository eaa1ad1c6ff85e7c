package graph

import (
	"errors"
	"fmt"
	"slices"
)

// Preparation says what a network wants in place of raw pixels, 0…255 as planes of C
// channels.
type Preparation struct {
	// Lo and Hi are what pixels 0 and 255 become before Mean is taken off; both 0: 0 and 255.
	Lo, Hi float32
	// Mean and Std normalize, (x − Mean)/Std, with one number for all channels or one each, in
	// the network's order; nil is 0 and 1.
	Mean, Std []float32
	// Reversed says that the network's channels are the pixels' in the opposite order: blue,
	// green, red.
	Reversed bool
	// HWC says that the network's input is [H W C], pixel after pixel.
	HWC bool
}

// Prepare returns g with p in front, so that it takes raw pixels [C H W]: an Affine, for
// Reversed a Slice that runs backwards, and for HWC a Transpose, unless g begins with the
// one that takes it back. g is not changed,
// and its nodes are shared. With nothing to prepare it is g itself.
func Prepare(g *Graph, p Preparation) (*Graph, error) {
	in := g.Input.Shape
	if p.HWC {
		if len(in) != 3 {
			return nil, fmt.Errorf("input %v: want an image [H W C]", in)
		}
		in = Shape{in[2], in[0], in[1]}
	}
	a, err := p.affine(in.Channels())
	if err != nil {
		return nil, err
	}
	out := &Graph{Name: g.Name, Input: g.Input, Output: g.Output, Nodes: slices.Clone(g.Nodes), Integer: g.Integer, Weightless: g.Weightless}
	if p.HWC {
		out.before("layout", &Transpose{View: slices.Clone(in), Perm: []int{1, 2, 0}, To: g.Input.Shape.Clone()}, in)
		out.dropTurning()
	}
	if p.Reversed {
		if len(in) != 3 {
			return nil, fmt.Errorf("input %v: want an image, whose channels have an order", in)
		}
		out.before("reversed", &Slice{Start: [3]int{in[0] - 1, 0, 0}, Step: [3]int{-1, 1, 1}, Size: [3]int{in[0], in[1], in[2]}}, in)
		if a != nil { // it comes before
			slices.Reverse(a.Scale)
			slices.Reverse(a.Shift)
		}
	}
	if a != nil {
		out.before("normalized", a, in)
	}
	if len(out.Nodes) == len(g.Nodes) && out.Input == g.Input {
		return g, nil
	}
	return out, out.Check()
}

// affine is what becomes of a pixel; nil for nothing.
func (p *Preparation) affine(channels int) (*Affine, error) {
	lo, hi := float64(p.Lo), float64(p.Hi)
	if lo == 0 && hi == 0 {
		hi = 255
	}
	if !(lo < hi) {
		return nil, fmt.Errorf("pixels from %g to %g: want a lower and an upper bound", p.Lo, p.Hi)
	}
	n := 1
	for _, c := range []struct {
		what string
		v    []float32
	}{{"means", p.Mean}, {"deviations", p.Std}} {
		if len(c.v) > 1 {
			n = channels
		}
		if len(c.v) > 1 && len(c.v) != channels {
			return nil, fmt.Errorf("%d %s for %d channels: want 1 or one each", len(c.v), c.what, channels)
		}
	}
	at := func(v []float32, c int, absent float64) float64 {
		if len(v) == 0 {
			return absent
		}
		return float64(perChannel(v, c))
	}
	a := &Affine{Scale: make([]float32, n), Shift: make([]float32, n)}
	same := true
	for c := range n {
		std := at(p.Std, c, 1)
		if !(std > 0) {
			return nil, fmt.Errorf("deviation %g: want a positive number", std)
		}
		a.Scale[c], a.Shift[c] = float32((hi-lo)/255/std), float32((lo-at(p.Mean, c, 0))/std)
		same = same && a.Scale[c] == 1 && a.Shift[c] == 0
	}
	if same {
		return nil, nil
	}
	if a.checkConstants(nil) != nil {
		return nil, errors.New("means or deviations that are not finite")
	}
	return a, nil
}

// before puts op, which takes the given shape, before g's input.
func (g *Graph) before(what string, op Op, in Shape) {
	v := &Value{Name: g.Input.Name + "/" + what, Shape: in.Clone()}
	g.Nodes = slices.Insert(g.Nodes, 0, &Node{Name: v.Name, Op: op, In: []*Value{v}, Out: g.Input})
	g.Input = v
}

// dropTurning leaves out the first two nodes if the second takes back what the first, a
// Transpose, does, and nobody else sees what is between them.
func (g *Graph) dropTurning() {
	if len(g.Nodes) < 2 {
		return
	}
	first, second := g.Nodes[0], g.Nodes[1]
	turn, ok := first.Op.(*Transpose)
	back, also := second.Op.(*Transpose)
	between := first.Out
	if !ok || !also || second.In[0] != between || between == g.Output || between.Scale != 0 || !second.Out.Shape.Equal(g.Input.Shape) ||
		second.Out.Scale != 0 || second.Out == g.Output {
		return
	}
	for _, n := range g.Nodes[2:] {
		if slices.Contains(n.In, between) {
			return
		}
	}
	there, home := turn.Source(g.Input.Shape), back.Source(between.Shape)
	for i, j := range home {
		if there[j] != i {
			return
		}
	}
	g.Input, g.Nodes = second.Out, g.Nodes[2:]
}
