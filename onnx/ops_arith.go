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
	for i := range c.in {
		if s, ok := c.in[i].begun.(*scaling); ok {
			c.in[i].begun = nil
			v, f, _ := c.channelConstant()
			if f == nil {
				return cmp.Or(c.err, errors.New(s.missing()))
			}
			return c.keepingValue(&graph.Affine{Scale: s.scale, Shift: f}, v)
		}
	}
	return c.arith(&graph.Add{}, func(k float32, _ bool) (scale, shift float32, ok bool) { return 1, k, true })
}

// readSum adds two values, and then each further one.
func readSum(c *call) error {
	if len(c.in) < 2 {
		if err := c.done(1); err != nil {
			return err
		}
		return readIdentity(c)
	}
	v, view := c.valueOrConstant(0)
	for i := 1; i < len(c.in); i++ {
		next, other := c.valueOrConstant(i)
		if c.err == nil && !slices.Equal(view, other) {
			c.fail("inputs %v and %v: want one shape", graph.Shape(view), graph.Shape(other))
		}
		if c.err != nil {
			return c.err
		}
		var err error
		if v, err = c.step(&graph.Add{}, v, next); err != nil {
			return err
		}
	}
	if err := c.done(len(c.in)); err != nil {
		return err
	}
	return c.give(0, v, view)
}

func readSub(c *call) error {
	return c.arith(&graph.Sub{}, func(k float32, first bool) (scale, shift float32, ok bool) {
		if first {
			return -1, k, true
		}
		return 1, -k, true
	})
}

func readMul(c *call) error {
	if c.begins() {
		if v, f, _ := c.channelConstant(); f != nil {
			i := c.computed()
			return c.bind(operand{value: v, view: c.in[i].view, int8: true, begun: &scaling{c.nodeName(), f}})
		}
	}
	return c.arith(&graph.Mul{}, func(k float32, _ bool) (scale, shift float32, ok bool) { return k, 0, true })
}

func readDiv(c *call) error {
	return c.arith(&graph.Div{}, func(k float32, first bool) (scale, shift float32, ok bool) { return 1 / k, 0, !first })
}

// computed is the input that is a value, where the other is a constant; −1 where both
// are values.
func (c *call) computed() int {
	switch {
	case c.input(0).constant != nil:
		return 1
	case c.input(1).constant != nil:
		return 0
	}
	return -1
}

// arith reads an operator on two values, or on a value and a constant in either order.
// affine gives what the constant k makes of the value, where that is an Affine; first
// says that k is the first operand.
func (c *call) arith(op graph.Op, affine func(k float32, first bool) (scale, shift float32, ok bool)) error {
	if c.computed() >= 0 {
		if _, _, ok := affine(1, c.computed() == 1); ok {
			v, f, first := c.channelConstant()
			if c.err != nil || !c.take(8*len(f)) {
				return c.err
			}
			if f != nil {
				a := &graph.Affine{Scale: make([]float32, len(f)), Shift: make([]float32, len(f))}
				for i, x := range f {
					a.Scale[i], a.Shift[i], _ = affine(x, first)
				}
				return c.keepingValue(a, v)
			}
		}
	}
	return c.elementwise(op)
}

// keepingValue emits an op on v, the input that is computed, made channelsFirst; the
// output is seen as that input is.
func (c *call) keepingValue(op graph.Op, v *graph.Value) error {
	return c.emitAs(c.dims(max(c.computed(), 0)), op, v)
}

// channelConstant is the value, channels first, and the constant, where that broadcasts
// over everything but the channels: one number for all, or one each; else f is nil.
func (c *call) channelConstant() (v *graph.Value, f []float32, first bool) {
	i := c.computed()
	if i < 0 {
		c.fail("want a value and a constant")
		return nil, nil, false
	}
	if len(c.dims(i)) == 0 {
		v = c.value(i)
	} else {
		v = c.channelsFirst(i)
	}
	k := c.must(1 - i)
	if err := c.done(2); err != nil {
		return v, nil, false
	}
	view := c.dims(i)
	rank := len(view) + 1
	dims := k.dims
	if k.size() == 1 && len(dims) <= rank {
		return v, c.floats(1-i, k), i == 1
	}
	if len(dims) > rank {
		return v, nil, false
	}
	// Broadcasting aligns dimensions at the end; those missing in front are 1.
	dims = append(slices.Repeat([]int{1}, rank-len(dims)), dims...)
	for j, d := range dims {
		if d != 1 && (j != 1 || d != view[0]) {
			return v, nil, false
		}
	}
	return v, c.floats(1-i, k), i == 1
}

// elementwise reads an operator on two values or constants that broadcast.
func (c *call) elementwise(op graph.Op) error {
	if len(c.in) == 2 && c.in[0].constant != nil && c.in[1].constant != nil {
		return errors.New("both inputs are constants")
	}
	a, va := c.valueOrConstant(0)
	b, vb := c.valueOrConstant(1)
	if err := c.done(2); err != nil {
		return err
	}
	// A constant may have fewer dimensions: 1 in front of them. A value has the batch first.
	for len(va) < len(vb) && c.in[0].constant != nil {
		va = append([]int{1}, va...)
	}
	for len(vb) < len(va) && c.in[1].constant != nil {
		vb = append([]int{1}, vb...)
	}
	if len(va) != len(vb) {
		return fmt.Errorf("inputs %v and %v behind the batch: want as many dimensions", graph.Shape(va), graph.Shape(vb))
	}
	view := slices.Clone(va)
	for i, d := range vb {
		switch {
		case view[i] == 1:
			view[i] = d
		case d != 1 && d != view[i]:
			return fmt.Errorf("inputs %v and %v: want one shape, or extents of 1 where they differ", graph.Shape(va), graph.Shape(vb))
		}
	}
	if err := bounded(view); err != nil {
		return err
	}
	shape := lying(view)
	if len(view) > 3 { // in one piece, or as [outer, inner] where one of the two has no outer or no inner part
		var ok bool
		if a, b, shape, ok = c.folded(a, b, va, vb, view); !ok {
			return cmp.Or(c.err, fmt.Errorf("inputs %v and %v: stretched in a way that is not supported beyond 3 dimensions", graph.Shape(va), graph.Shape(vb)))
		}
	} else {
		for _, p := range []struct {
			v    **graph.Value
			view []int
		}{{&a, va}, {&b, vb}} {
			var err error
			if *p.v, err = c.reshaped(*p.v, lying(p.view)); err != nil {
				return err
			}
		}
	}
	got, err := op.OutShape([]graph.Shape{a.Shape, b.Shape})
	if err != nil {
		return err
	}
	if !got.Equal(shape) {
		return fmt.Errorf("inputs %v and %v give %v: want %v", a.Shape, b.Shape, got, shape)
	}
	return c.emitAs(view, op, a, b)
}

// folded brings two views of many dimensions to images [C H W] by joining neighbouring
// dimensions that both have or that the same one lacks.
func (c *call) folded(a, b *graph.Value, va, vb, view []int) (x, y *graph.Value, shape graph.Shape, ok bool) {
	var fa, fb, fo graph.Shape
	kind := -1
	for i, d := range view {
		k := 0 // both have it
		switch {
		case va[i] != d:
			k = 1
		case vb[i] != d:
			k = 2
		case d == 1 && kind >= 0:
			k = kind
		}
		if k != kind {
			fa, fb, fo, kind = append(fa, 1), append(fb, 1), append(fo, 1), k
		}
		last := len(fo) - 1
		fa[last], fb[last], fo[last] = fa[last]*va[i], fb[last]*vb[i], fo[last]*d
	}
	if len(fo) > 3 {
		return nil, nil, nil, false
	}
	for len(fo) < 3 {
		fa, fb, fo = append(graph.Shape{1}, fa...), append(graph.Shape{1}, fb...), append(graph.Shape{1}, fo...)
	}
	x, err := c.reshaped(a, fa)
	if err == nil {
		y, err = c.reshaped(b, fb)
	}
	if err != nil {
		c.err = err
		return nil, nil, nil, false
	}
	return x, y, fo, true
}

// valueOrConstant is input i and its dimensions behind the batch; a constant becomes a
// value that is the same for each image, once for all that read it.
func (c *call) valueOrConstant(i int) (*graph.Value, []int) {
	k := c.input(i).constant
	if k == nil {
		return c.value(i), c.dims(i)
	}
	dims, rank := k.dims, 0
	for j := range c.in {
		if c.in[j].value != nil {
			rank = max(rank, len(c.dims(j))+1)
		}
	}
	if rank > 0 && len(dims) == rank { // the batch among them
		if dims[0] != 1 {
			c.fail("input %d is a constant of dimensions %v: want 1 first, for every image", i, graph.Shape(dims))
			return &graph.Value{Shape: graph.Shape{1}}, []int{1}
		}
		dims = dims[1:]
	}
	f := c.floats(i, k)
	if c.err != nil {
		return &graph.Value{Shape: graph.Shape{1}}, []int{1}
	}
	v, err := c.step(&graph.Constant{To: lying(dims), Values: f}, c.b.Input())
	if err != nil {
		c.err = err
		return &graph.Value{Shape: graph.Shape{1}}, []int{1}
	}
	return v, slices.Clone(dims)
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
	if !ok || i < 0 || c.computed() < 0 {
		return false
	}
	n := c.g.Node[i]
	if operatorKey(n) != ".Add" || len(n.Input) != 2 || !strings.HasPrefix(out, n.Output[0]+scaledName) {
		return false
	}
	for _, in := range n.Input {
		if k := c.named[in].constant; in != out && k != nil {
			return c.perChannel(k)
		}
	}
	return false
}

// perChannel says whether k broadcasts over everything but the channels of the input
// that is computed.
func (c *call) perChannel(k *constant) bool {
	view := c.dims(c.computed())
	from := len(view) + 1 - len(k.dims) // what stands before k's first dimension
	if from < 0 {
		return false
	}
	for j, d := range k.dims {
		if d != 1 && (j+from != 1 || d != view[0]) {
			return false
		}
	}
	return true
}

// readPRelu: X, slope: one for all or one a channel.
func readPRelu(c *call) error {
	v, slope, first := c.channelConstant()
	if c.err != nil {
		return c.err
	}
	if first || slope == nil {
		return errors.New("want a constant slope, one for all or one a channel")
	}
	return c.keepingValue(&graph.PReLU{Slope: slope}, v)
}

func readLeakyRelu(c *call) error {
	alpha := c.attrFloat("alpha", 0.01)
	return c.unary(func() graph.Op { return &graph.PReLU{Slope: []float32{alpha}} })
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
	if op.Lo > op.Hi { // as ONNX has it: everything becomes the upper bound
		op.Lo = op.Hi
	}
	return c.keeping(op, v)
}

// readBound reads Min or Max of a value and a constant number.
func readBound(upper bool) func(*call) error {
	return func(c *call) error {
		v, f, _ := c.channelConstant()
		if c.err != nil {
			return c.err
		}
		if len(f) != 1 {
			return errors.New("want a value and one constant number")
		}
		op := &graph.Clip{Lo: f[0], Hi: math.MaxFloat32}
		if upper {
			op.Lo, op.Hi = -math.MaxFloat32, f[0]
		}
		return c.keepingValue(op, v)
	}
}

// readPow: X to a constant power: 1, 2, 3, or 0.5.
func readPow(c *call) error {
	v := c.value(0)
	f := c.floats(1, c.must(1))
	if err := c.done(2); err != nil {
		return err
	}
	switch {
	case len(f) == 1 && f[0] == 1:
		return c.bind(c.in[0])
	case len(f) == 1 && f[0] == 2:
		return c.keeping(&graph.Mul{}, v, v)
	case len(f) == 1 && f[0] == 3:
		square, err := c.step(&graph.Mul{}, v, v)
		if err != nil {
			return err
		}
		return c.keeping(&graph.Mul{}, square, v)
	case len(f) == 1 && f[0] == 0.5:
		return c.keeping(&graph.Func{Name: "sqrt"}, v)
	}
	return errors.New("want a power of 1, 2, 3 or 0.5")
}

// unary reads an operator of one value; op is asked for after the attributes were.
func (c *call) unary(op func() graph.Op) error {
	v := c.value(0)
	if err := c.done(1); err != nil {
		return err
	}
	return c.keeping(op(), v)
}

func readRelu(c *call) error { return c.unary(func() graph.Op { return &graph.ReLU{} }) }

// readFunc reads an operator that is a graph.Func; alpha and beta are the absent
// attributes' values, of those that the function has.
func readFunc(name string, absent ...float32) func(*call) error {
	return func(c *call) error {
		f := &graph.Func{Name: name}
		for i, v := range absent {
			switch {
			case i == 0:
				f.Alpha = c.attrFloat("alpha", v)
			case name == "selu":
				f.Beta = c.attrFloat("gamma", v)
			default:
				f.Beta = c.attrFloat("beta", v)
			}
		}
		return c.unary(func() graph.Op { return f })
	}
}

// readGelu: exact, or by tanh.
func readGelu(c *call) error {
	f := &graph.Func{Name: "gelu"}
	switch a := c.attrString("approximate", "none"); a {
	case "none":
	case "tanh":
		f.Name = "gelutanh"
	default:
		c.fail("attribute approximate: %s: want none or tanh", quote(a))
	}
	return c.unary(func() graph.Op { return f })
}
