package graph

import (
	"errors"
	"fmt"
)

// Builder makes a Graph node by node, computing and checking each shape. The
// first error stays and later calls do nothing, so that a network can be
// written down plainly and the error asked for once, at the end:
//
//	b := graph.New("tiny", "image", graph.Shape{3, 32, 32})
//	x := b.Add("flatten", &graph.Flatten{}, b.Input())
//	g, err := b.Graph(b.Add("dense", dense, x))
type Builder struct {
	g      *Graph
	values map[string]*Value
	nodes  map[string]bool
	looked looked
	err    error
}

// New begins a graph whose input has the given name and shape.
func New(name, inputName string, input Shape) *Builder {
	v := &Value{Name: inputName, Shape: input.Clone()}
	b := &Builder{
		g:      &Graph{Name: name, Input: v},
		values: map[string]*Value{inputName: v},
		nodes:  map[string]bool{},
		looked: looked{},
	}
	if inputName == "" {
		b.err = fmt.Errorf("graph %q: %w", name, errors.New("the input has no name"))
	} else if err := input.Check(); err != nil {
		b.err = fmt.Errorf("graph %q: input %q: %w", name, inputName, err)
	}
	return b
}

// Input is the graph's input.
func (b *Builder) Input() *Value { return b.g.Input }

// Err is the first error so far.
func (b *Builder) Err() error { return b.err }

// Add appends a node and returns its output, a value with the node's name; nil
// after an error. op is kept, not copied.
func (b *Builder) Add(name string, op Op, in ...*Value) *Value {
	return b.AddNamed(name, name, op, in...)
}

// AddNamed is Add with another name for the output value.
func (b *Builder) AddNamed(name, out string, op Op, in ...*Value) *Value {
	if b.err != nil {
		return nil
	}
	n := &Node{Name: name, Op: op, In: in, Out: &Value{Name: out}}
	if err := b.add(n); err != nil {
		b.err = fmt.Errorf("graph %q: %w", b.g.Name, err)
		return nil
	}
	return n.Out
}

func (b *Builder) add(n *Node) error {
	shape, err := n.outShape(b.values, b.looked)
	if err != nil {
		return err
	}
	n.Out.Shape = shape
	if err := n.checkNames(b.values, b.nodes); err != nil {
		return err
	}
	b.g.Nodes = append(b.g.Nodes, n)
	b.nodes[n.Name] = true
	b.values[n.Out.Name] = n.Out
	return nil
}

// Rename gives the last node and its output other names: for whoever knows only after a
// node that it was the last of several.
func (b *Builder) Rename(name, out string) {
	if b.err != nil || len(b.g.Nodes) == 0 {
		return
	}
	n := b.g.Nodes[len(b.g.Nodes)-1]
	delete(b.nodes, n.Name)
	delete(b.values, n.Out.Name)
	n.Name, n.Out.Name = name, out
	if err := n.checkNames(b.values, b.nodes); err != nil {
		b.err = fmt.Errorf("graph %q: %w", b.g.Name, err)
		return
	}
	b.nodes[name], b.values[out] = true, n.Out
}

// Graph ends the building: the graph with out as its output, which Check
// accepts, or the first error.
func (b *Builder) Graph(out *Value) (*Graph, error) {
	if b.err != nil {
		return nil, b.err
	}
	g := *b.g
	g.Output = out
	return &g, g.Check()
}

// Check reports the first thing that makes g no network to run: a name that is
// missing or used twice, an input that no earlier node gives, a shape that the
// op does not give, constants of the wrong number or not finite, an output that
// nothing computes. Graphs from a Builder and from the file readers pass.
func (g *Graph) Check() error {
	if err := g.checkAll(); err != nil {
		return fmt.Errorf("graph %q: %w", g.Name, err)
	}
	return nil
}

func (g *Graph) checkAll() error {
	if g.Input == nil || g.Output == nil {
		return errors.New("no input or no output")
	}
	if g.Input.Name == "" {
		return errors.New("the input has no name")
	}
	if err := g.Input.check(); err != nil {
		return err
	}
	values := map[string]*Value{g.Input.Name: g.Input}
	nodes, seen := map[string]bool{}, looked{}
	for i, n := range g.Nodes {
		if n == nil || n.Out == nil {
			return fmt.Errorf("node %d is missing or has no output", i)
		}
		shape, err := n.outShape(values, seen)
		if err != nil {
			return err
		}
		if !shape.Equal(n.Out.Shape) {
			return fmt.Errorf("node %q (%s): output shape %v: want %v", n.Name, n.Op.Kind(), n.Out.Shape, shape)
		}
		if err := n.checkNames(values, nodes); err != nil {
			return err
		}
		if err := n.Out.check(); err != nil {
			return err
		}
		nodes[n.Name] = true
		values[n.Out.Name] = n.Out
	}
	if values[g.Output.Name] != g.Output {
		return fmt.Errorf("output %q: no node gives it", g.Output.Name)
	}
	return nil
}

func (v *Value) check() error {
	if err := v.Shape.Check(); err != nil {
		return fmt.Errorf("value %q: %w", v.Name, err)
	}
	if !(v.Scale >= 0) || finite("scale", []float32{v.Scale}) != nil {
		return fmt.Errorf("value %q: scale %g: want 0 or a positive number", v.Name, v.Scale)
	}
	if !(v.Stream >= 0) || finite("stream", []float32{v.Stream}) != nil {
		return fmt.Errorf("value %q: scale %g of a stream: want 0 or a positive number", v.Name, v.Stream)
	}
	if v.Zero != 0 && v.Scale == 0 {
		return fmt.Errorf("value %q: zero point %d without a scale", v.Name, v.Zero)
	}
	if v.Full && v.Scale == 0 {
		return fmt.Errorf("value %q: all of int8 without a scale", v.Name)
	}
	if v.Scale != 0 && v.Stream != 0 {
		return fmt.Errorf("value %q: scale %g as int8 and %g as int16: want one of them", v.Name, v.Scale, v.Stream)
	}
	return nil
}

// outShape checks n's inputs against the values known so far and gives the
// output's shape.
func (n *Node) outShape(values map[string]*Value, l looked) (Shape, error) {
	if n.Op == nil {
		return nil, fmt.Errorf("node %q has no op", n.Name)
	}
	in := make([]Shape, len(n.In))
	for i, v := range n.In {
		if v == nil || values[v.Name] != v {
			return nil, fmt.Errorf("node %q (%s): input %d is neither the graph's input nor an earlier node's output", n.Name, n.Op.Kind(), i)
		}
		in[i] = v.Shape
	}
	shape, err := n.Op.OutShape(in)
	if err == nil {
		if c, ok := n.Op.(checker); ok {
			err = c.checkConstants(l)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("node %q (%s): %w", n.Name, n.Op.Kind(), err)
	}
	return shape, nil
}

func (n *Node) checkNames(values map[string]*Value, nodes map[string]bool) error {
	switch {
	case n.Name == "":
		return fmt.Errorf("node without a name (%s)", n.Op.Kind())
	case nodes[n.Name]:
		return fmt.Errorf("node %q (%s): a second node of that name", n.Name, n.Op.Kind())
	case n.Out.Name == "":
		return fmt.Errorf("node %q (%s): its output has no name", n.Name, n.Op.Kind())
	case values[n.Out.Name] != nil:
		return fmt.Errorf("node %q (%s): output %q: a second value of that name", n.Name, n.Op.Kind(), n.Out.Name)
	}
	return nil
}
