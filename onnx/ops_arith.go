package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"macroscope/graph"
)

func readAdd(c *call) error {
	if c.input(0).constant == nil && c.input(1).constant == nil {
		a, b := c.value(0), c.value(1)
		if err := c.done(2); err != nil {
			return err
		}
		return c.emit(&graph.Add{}, a, b)
	}
	for i := range c.in {
		if s, ok := c.in[i].begun.(*scaling); ok {
			c.in[i].begun = nil
			v, f, _, err := c.channelConstant()
			if err != nil {
				return err
			}
			return c.emit(&graph.Affine{Scale: s.scale, Shift: f}, v)
		}
	}
	return c.affine(func(k float32, _ bool) (scale, shift float32) { return 1, k })
}

func readSub(c *call) error {
	return c.affine(func(k float32, first bool) (scale, shift float32) {
		if first {
			return -1, k
		}
		return 1, -k
	})
}

func readMul(c *call) error {
	if c.begins() {
		v, f, _, err := c.channelConstant()
		if err != nil {
			return err
		}
		return c.bind(operand{value: v, int8: true, begun: &scaling{c.node.GetName(), f}})
	}
	return c.affine(func(k float32, _ bool) (scale, shift float32) { return k, 0 })
}

func readDiv(c *call) error {
	if c.input(0).constant != nil {
		return fmt.Errorf("a constant divided by a value: not supported")
	}
	return c.affine(func(k float32, _ bool) (scale, shift float32) { return 1 / k, 0 })
}

// affine reads an operator on a value and a constant that broadcasts over
// everything but the channels, in either order. op gives what the constant k
// makes of the value; first says that k is the first operand.
func (c *call) affine(op func(k float32, first bool) (scale, shift float32)) error {
	v, f, first, err := c.channelConstant()
	if err != nil || !c.take(8*len(f)) {
		return cmp.Or(err, c.err)
	}
	a := &graph.Affine{Scale: make([]float32, len(f)), Shift: make([]float32, len(f))}
	for i, x := range f {
		a.Scale[i], a.Shift[i] = op(x, first)
	}
	return c.emit(a, v)
}

// channelConstant is a value and a constant that broadcasts over everything but
// the channels, in either order: one number for all, or one each.
func (c *call) channelConstant() (v *graph.Value, f []float32, first bool, err error) {
	at := 1
	if c.input(0).constant != nil {
		at, first = 0, true
	}
	v = c.value(1 - at)
	k := c.must(at)
	if err := c.done(2); err != nil {
		return nil, nil, false, err
	}
	wrong := fmt.Errorf("a constant of dimensions %v for images of %v: want one for all or one a channel", k.dims, v.Shape)
	rank := len(v.Shape) + 1
	if len(k.dims) > rank {
		return nil, nil, false, wrong
	}
	// Broadcasting aligns dimensions at the end; those missing in front are 1.
	dims := append(slices.Repeat([]int{1}, rank-len(k.dims)), k.dims...)
	for i, d := range dims {
		if d != 1 && (i != 1 || d != v.Shape.Channels()) {
			return nil, nil, false, wrong
		}
	}
	f = c.floats(at, k)
	return v, f, first, c.err
}

// scaledName follows the name of a Mul's output that the Add of that name
// completes to one Affine: that is how an Affine which both scales and shifts is
// written and known again. Two operators under other names stay two.
const scaledName = "/scaled"

// scaling is what a Mul begins of an Affine that an Add finishes.
type scaling struct {
	node  string
	scale []float32
}

func (s *scaling) missing() string {
	return fmt.Sprintf("Mul %s: the Add of its name must read it", quote(s.node))
}

// findFinishers notes which Add alone reads which Mul's output of its own name.
func (r *reader) findFinishers(order []int) {
	r.finishers = map[string]int{}
	output := r.g.Output[0].GetName()
	for _, i := range order {
		for _, in := range r.g.Node[i].Input {
			if !strings.Contains(in, scaledName) {
				continue
			}
			_, ok := r.finishers[in]
			if r.finishers[in] = i; ok || in == output {
				r.finishers[in] = -1
			}
		}
	}
}

// begins says whether this Mul is the first half of an Affine.
func (c *call) begins() bool {
	out := c.node.Output[0]
	i, ok := c.finishers[out]
	if !ok || i < 0 {
		return false
	}
	n := c.g.Node[i]
	if operatorKey(n) != ".Add" || len(n.Input) != 2 || !strings.HasPrefix(out, n.Output[0]+scaledName) {
		return false
	}
	for _, in := range n.Input {
		if in != out && c.named[in].constant != nil {
			return true
		}
	}
	return false
}

// readPRelu: X, slope: one for all or one a channel.
func readPRelu(c *call) error {
	v, slope, first, err := c.channelConstant()
	if err == nil && first {
		err = errors.New("a constant's values with a computed slope: not supported")
	}
	if err != nil {
		return err
	}
	return c.emit(&graph.PReLU{Slope: slope}, v)
}

// readClip: X, optional min, optional max; before opset 11 they are attributes.
func readClip(c *call) error {
	v := c.value(0)
	op := &graph.Clip{Lo: -math.MaxFloat32, Hi: math.MaxFloat32}
	if c.opset < 11 {
		op.Lo, op.Hi = c.attrFloat("min", op.Lo), c.attrFloat("max", op.Hi)
	} else {
		for i, bound := range []*float32{&op.Lo, &op.Hi} {
			k := c.constant(i + 1)
			if k == nil {
				continue
			}
			if f := c.floats(i+1, k); len(f) == 1 {
				*bound = f[0]
			} else {
				c.fail("input %d has %d values: want 1", i+1, k.size())
			}
		}
	}
	if err := c.done(3); err != nil {
		return err
	}
	return c.emit(op, v)
}
