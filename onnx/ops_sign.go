package onnx

import (
	"errors"
	"fmt"
	"math"

	"macroscope/graph"
)

// readBipolarQuant: X, scale: scale·sign(X) with sign(0) = 1. A constant becomes
// weights of ±1, a value goes through Sign; a scale other than 1 waits for a layer, which
// has it behind its sums.
func readBipolarQuant(c *call) error {
	scale := c.oneScale(1)
	if k := c.input(0).constant; k != nil {
		f := c.floats(0, k)
		if err := c.done(2); err != nil {
			return err
		}
		if !c.take(4 * len(f)) {
			return c.err
		}
		out := &constant{dims: k.dims, f: make([]float32, len(f)), signs: scale}
		for i, v := range f {
			switch {
			case math.IsNaN(float64(v)):
				c.fail("element %d of input 0 is not a number", i)
				return c.err
			case v >= 0:
				out.f[i] = scale
			default:
				out.f[i] = -scale
			}
		}
		return c.bind(operand{constant: out})
	}
	v := c.value(0)
	if err := c.done(2); err != nil {
		return err
	}
	if scale == 1 {
		return c.keeping(&graph.Sign{}, v)
	}
	view := c.in[0].view
	v, err := c.step(&graph.Sign{}, v)
	if err != nil {
		return err
	}
	c.last = nil
	return c.bind(operand{value: v, view: view, begun: &scaledSigns{c, scale}})
}

// scaledSigns are values of ±1 that stand for ±by. They have not been multiplied yet,
// since a layer may multiply its sums instead.
type scaledSigns struct {
	c  *call
	by float32
}

func (s *scaledSigns) missing() string { return "BipolarQuant " + quote(s.c.nodeName()) }

// multiplied is o, whose value has the signs, with the numbers.
func (s *scaledSigns) multiplied(o operand) (operand, error) {
	v, err := s.c.step(&graph.Affine{Scale: []float32{s.by}, Shift: []float32{0}}, o.value)
	if err != nil {
		return o, fmt.Errorf("%s: %w", s.c.what, err)
	}
	return operand{value: v, view: o.view}, nil
}

// moversOfSigns are operators that give signs for signs, whatever positive number they
// stand for.
var moversOfSigns = map[string]bool{
	".Flatten": true, ".Identity": true, ".MaxPool": true, ".Reshape": true, ".Squeeze": true, ".Transpose": true, ".Unsqueeze": true,
}

// onSigns reads a node of moversOfSigns whose first input is scaledSigns: it does to the
// signs what it does to the numbers.
func (c *call) onSigns(s *scaledSigns) error {
	c.in[0] = operand{value: c.in[0].value, view: c.in[0].view}
	if err := operators[operatorKey(c.node)](c); err != nil {
		return err
	}
	o, err := c.named[c.node.Output[0]].carriedOut()
	if err != nil {
		return err
	}
	o.begun, o.by = &scaledSigns{c, s.by}, nil
	return c.bind(o)
}

// takeSigns makes input 0 of a layer the signs alone where it is scaledSigns: the layer
// multiplies its sums.
func (c *call) takeSigns() {
	if s, ok := c.input(0).begun.(*scaledSigns); ok {
		c.in[0] = operand{value: c.in[0].value, view: c.in[0].view}
		c.behind *= s.by
	}
}

// comparison is what GreaterOrEqual(X, 0) begins of a Sign that
// Where(·, 1, −1) finishes: ONNX's own Sign gives 0 at 0.
type comparison struct{ node string }

func (p *comparison) missing() string {
	return fmt.Sprintf("GreaterOrEqual %s: only Where with 1 and -1 can read it", quote(p.node))
}

// readGreaterOrEqual: X, 0.
func readGreaterOrEqual(c *call) error {
	v := c.value(0)
	c.wantNumber(1, 0)
	if err := c.done(2); err != nil {
		return err
	}
	return c.bind(operand{value: v, view: c.in[0].view, int8: true, begun: &comparison{c.node.GetName()}})
}

// readGreater: X, a number that readWhere judges.
func readGreater(c *call) error {
	v := c.value(0)
	f := c.floats(1, c.must(1))
	if err := c.done(2); err != nil {
		return err
	}
	if len(f) != 1 {
		return fmt.Errorf("input 1 has %d values: want 1", len(f))
	}
	return c.bind(operand{value: v, view: c.in[0].view, int8: c.in[0].int8, begun: &beyond{c.node.GetName(), f[0]}})
}

// beyond is what Greater begins: x > than.
type beyond struct {
	node string
	than float32
}

func (b *beyond) missing() string {
	return fmt.Sprintf("Greater %s: a Where must read it", quote(b.node))
}

// softplusOf says whether input i is Softplus of v.
func (c *call) softplusOf(i int, v *graph.Value) bool {
	if i >= len(c.node.Input) {
		return false
	}
	j, ok := c.givers[c.node.Input[i]]
	if !ok {
		return false
	}
	n := c.g.Node[j]
	return operatorKey(n) == ".Softplus" && len(n.Input) == 1 && c.named[n.Input[0]].value == v
}

// readWhere: what GreaterOrEqual gives, 1, −1; or PyTorch's softplus, which is x itself
// where x > 20: there log(1+exp(x)) is that in float32.
func readWhere(c *call) error {
	x := c.input(0)
	if b, ok := x.begun.(*beyond); ok {
		if !(b.than >= 20) || c.input(1).value != x.value || c.input(1).begun != nil || !c.softplusOf(2, x.value) {
			return errors.New("want a number from 20 on beyond which X is Softplus of X: of a choice only a sign and that are supported")
		}
		if err := c.done(3); err != nil {
			return err
		}
		return c.bind(c.in[2])
	}
	if _, ok := x.begun.(*comparison); !ok {
		return errors.New("input 0: want the output of GreaterOrEqual: only a sign is supported")
	}
	c.wantNumber(1, 1)
	c.wantNumber(2, -1)
	if err := c.done(3); err != nil {
		return err
	}
	return c.keeping(&graph.Sign{}, x.value)
}

// wantNumber checks that input i is the constant x.
func (c *call) wantNumber(i int, x float32) {
	if f := c.floats(i, c.must(i)); c.err == nil && (len(f) != 1 || f[0] != x) {
		c.fail("input %d: want the number %g: only a sign is supported", i, x)
	}
}
