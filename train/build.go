package train

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
)

// builder turns a graph's nodes into ops.
type builder struct {
	*Net
	rand    *rand.Rand
	readers map[*graph.Value][]*graph.Node
	ready   map[*graph.Value][]*value // one for each reader to come
	skip    map[*graph.Node]bool      // done by an earlier node's op

	dropouts int
}

func (n *Net) build() error {
	b := &builder{
		Net: n, rand: rand.New(rand.NewPCG(n.options.Seed, 1)),
		readers: map[*graph.Value][]*graph.Node{}, ready: map[*graph.Value][]*value{}, skip: map[*graph.Node]bool{},
	}
	for _, node := range n.g.Nodes {
		for _, v := range node.In {
			b.readers[v] = append(b.readers[v], node)
		}
	}
	logits := n.g.Output
	if last := n.g.Nodes; len(last) > 0 {
		if node := last[len(last)-1]; node.Out == logits && node.Op.Kind() == "softmax" {
			logits, b.skip[node] = node.In[0], true
		}
	}
	if len(logits.Shape) != 1 {
		return fmt.Errorf("output %v: want a vector [F] of logits", logits.Shape)
	}
	if err := b.buildInput(); err != nil {
		return err
	}
	for _, node := range n.g.Nodes {
		if b.skip[node] {
			continue
		}
		if err := b.node(node); err != nil {
			return fmt.Errorf("node %q (%s): %w", node.Name, node.Op.Kind(), err)
		}
	}
	n.loss = newLossOp(n.options.Loss, b.take(logits), n.input, n.options.Threads)
	n.ops = append(n.ops, n.loss)
	if len(n.params) == 0 {
		return errors.New("it has no weights")
	}
	return b.allocate()
}

// allocate makes room for a batch and prepares the kernels, once all halos are
// known.
func (b *builder) allocate() error {
	size := 0.0
	for _, v := range b.values {
		size += float64(b.options.Batch) * float64(v.data.Bytes()+v.grad.Bytes())
	}
	if size > maxBatchBytes {
		return fmt.Errorf("a batch of %d images needs %.3g GiB: want at most %d", b.options.Batch, size/(1<<30), maxBatchBytes>>30)
	}
	b.stage()
	for _, v := range b.values {
		v.allocate(b.options.Batch, b.gradImages(v))
	}
	for _, o := range b.ops {
		if f, ok := o.(*forkOp); ok {
			f.share()
		}
		if p, ok := o.(*maxPoolOp); ok && !p.twos() {
			p.from = make([]int32, b.options.Batch*p.out.data.H*p.out.data.W*p.out.data.C)
		}
	}
	for _, node := range b.g.Nodes {
		if o := b.convs[node]; o != nil {
			if err := o.plan(); err != nil {
				return fmt.Errorf("node %q: %w", node.Name, err)
			}
		}
	}
	return nil
}

// stage orders the ops, and finds the gradients that one stage alone touches.
func (b *builder) stage() {
	b.forward = stages(b.ops, func(o op) bool { _, ok := o.(forwardReducer); return ok })
	// What depends on no weight needs no gradient.
	back := slices.DeleteFunc(slices.Clone(b.ops), func(o op) bool {
		return !slices.ContainsFunc(o.touches(), func(v *value) bool { return !v.constant })
	})
	slices.Reverse(back)
	b.backward = stages(back, func(o op) bool { _, ok := o.(backwardReducer); return ok })
	b.slots = map[int][]int{}
	touched := map[*value]int{} // by which stage; −1: by several
	for i, stage := range b.backward {
		for _, o := range stage {
			for _, v := range o.touches() {
				if at, ok := touched[v]; ok && at != i {
					touched[v] = -1
				} else if !ok {
					touched[v] = i
				}
			}
		}
	}
	touched[b.loss.in] = -1 // the loss writes it on the way forward
	for _, o := range b.ops {
		if p, ok := o.(preparer); ok {
			b.preparers = append(b.preparers, p)
		}
		if f, ok := o.(finisher); ok {
			b.finishers = append(b.finishers, f)
		}
		for _, v := range o.touches() {
			if touched[v] < 0 || v.constant {
				continue
			}
			group := 1
			if c, ok := o.(*convOp); ok && c.out == v { // it wants some together
				group = c.group
			} else if v.grad.slots != nil {
				continue // by a convolution
			}
			if b.slots[group] == nil {
				b.slots[group] = make([]int, b.options.Batch)
			}
			v.grad.slots = b.slots[group]
		}
	}
}

// gradImages is for how many images a value's gradient needs room.
func (b *builder) gradImages(v *value) int {
	for group, slots := range b.slots {
		if v.grad.slots != nil && &slots[0] == &v.grad.slots[0] {
			return group * b.options.Threads
		}
	}
	return b.options.Batch
}

// maxBatchBytes is how much memory a batch may claim.
const maxBatchBytes = 8 << 30

// buildInput makes the op that takes images in, together with the affine ops that
// follow.
func (b *builder) buildInput() error {
	v := b.g.Input
	if len(v.Shape) != 3 {
		return fmt.Errorf("input %v: want an image [C H W]", v.Shape)
	}
	in := newInputOp(v.Shape[0])
	for len(b.readers[v]) == 1 && v != b.g.Output {
		node := b.readers[v][0]
		a, ok := node.Op.(*graph.Affine)
		if !ok {
			break
		}
		in.then(a)
		b.skip[node], v = true, node.Out
	}
	in.out = b.newValue(v)
	in.out.constant = true
	in.keep = b.options.Loss.Teacher != nil
	in.plan(b.options.Threads, b.options.Batch)
	b.input, b.ops = in, append(b.ops, in)
	b.give(v, in.out)
	return nil
}

func (b *builder) newValue(v *graph.Value) *value {
	x := newValue(v)
	b.values = append(b.values, x)
	return x
}

// like is a new value of x's shape: a flattened image stays one.
func (b *builder) like(x *value) *value {
	bare := kernels.Image{DType: dtype.Float32, H: x.data.H, W: x.data.W, C: x.data.C}
	c := &value{name: x.name, constant: x.constant, data: batch{Image: bare}, grad: batch{Image: bare}}
	b.values = append(b.values, c)
	return c
}

// give makes x what readers of v read, rounded where v is int8; each of several gets
// a copy, so that it has a gradient of its own.
func (b *builder) give(v *graph.Value, x *value) {
	if v.Scale != 0 {
		q := b.like(x)
		b.ops = append(b.ops, &roundOp{in: x, out: q, s: v.Scale})
		x = q
	}
	n := len(b.readers[v])
	if v == b.g.Output {
		n++ // the loss
	}
	b.ready[v] = []*value{x}
	if n < 2 {
		return
	}
	fork := &forkOp{in: x}
	for range n {
		c := b.like(x)
		fork.out = append(fork.out, c)
	}
	b.ready[v], b.ops = slices.Clone(fork.out), append(b.ops, fork)
}

// take is what the next reader of v reads. Graph.Check has seen to it that there
// is one.
func (b *builder) take(v *graph.Value) *value {
	x := b.ready[v][0]
	b.ready[v] = b.ready[v][1:]
	return x
}

// node adds the ops of a node, whose inputs are ready.
func (b *builder) node(n *graph.Node) error {
	in := b.take(n.In[0])
	out, result := (*value)(nil), n.Out
	if _, ok := n.Op.(*graph.Flatten); ok { // a dense layer takes the image as it lies
		return b.flatten(n, in)
	}
	if norm, ok := n.Op.(*graph.BatchNorm); ok {
		o := newNormOp(n.Name, norm, in, nil, b.options.Threads)
		if next := b.onlyReader(n.Out); next != nil && next.Op.Kind() == "relu" {
			o.relu, b.skip[next], result = true, true, next.Out
		}
		out = b.newValue(result)
		o.out = out
		b.norms[n] = o
		b.params = append(b.params, o.gamma, o.beta)
		b.ops = append(b.ops, normStats{o}, normApply{o})
		b.give(result, out)
		return nil
	}
	out = b.newValue(n.Out)
	out.constant = in.constant // unless weights or other inputs come in below
	switch op := n.Op.(type) {
	case *graph.Conv2D:
		if err := b.conv(n, op, in, out); err != nil {
			return err
		}
	case *graph.Dense:
		shape := &graph.Conv2D{
			Weights: op.Weights, InC: in.data.C, OutC: op.Out, KH: in.data.H, KW: in.data.W,
			StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1,
		}
		if err := b.conv(n, shape, in, out); err != nil {
			return err
		}
	case *graph.ReLU:
		b.ops = append(b.ops, &reluOp{in, out})
	case *graph.Sign:
		b.ops = append(b.ops, newSignOp(in, out, b.options.Estimator))
	case *graph.MaxPool:
		b.ops = append(b.ops, &maxPoolOp{in: in, out: out, p: *op})
	case *graph.GlobalAveragePool:
		b.ops = append(b.ops, &averageOp{in, out})
	case *graph.PReLU:
		out.constant = false
		o := newPReLUOp(n.Name, op, in, out, b.options.Threads)
		b.params, b.ops = append(b.params, o.slope), append(b.ops, o)
	case *graph.Clip:
		b.ops = append(b.ops, &clipOp{in, out, op.Lo, op.Hi})
	case *graph.Dropout:
		b.dropouts++
		b.ops = append(b.ops, &dropoutOp{in, out, op.Rate, b.options.Seed ^ uint64(b.dropouts)<<32, &b.Net.round})
	case *graph.Concat:
		o := &concatOp{in: []*value{in}, out: out}
		for _, v := range n.In[1:] {
			more := b.take(v)
			o.in, out.constant = append(o.in, more), out.constant && more.constant
		}
		b.ops = append(b.ops, o)
	case *graph.Add:
		other := b.take(n.In[1])
		out.constant = in.constant && other.constant
		b.ops = append(b.ops, &addOp{in, other, out})
	default:
		return errors.New("cannot be trained")
	}
	b.give(n.Out, out)
	return nil
}

// flatten hands the image on where only dense layers read it.
func (b *builder) flatten(n *graph.Node, in *value) error {
	for _, r := range b.readers[n.Out] {
		if r.Op.Kind() != "dense" {
			return fmt.Errorf("%q reads it: want dense layers alone", r.Name)
		}
	}
	if n.Out == b.g.Output {
		return errors.New("it is the network's output: want a dense layer's")
	}
	b.give(n.Out, in)
	return nil
}

// onlyReader is the one node that reads v; nil if there are others.
func (b *builder) onlyReader(v *graph.Value) *graph.Node {
	if r := b.readers[v]; len(r) == 1 && v != b.g.Output {
		return r[0]
	}
	return nil
}

func (b *builder) conv(n *graph.Node, c *graph.Conv2D, in, out *value) error {
	o, err := newConvOp(n.Name, c, in, out, b.options.Kernels.For(dtype.Float32), b.options.Products, b.options.Threads)
	if err != nil {
		return err
	}
	if c.Binary {
		// Weights of ±1 say nothing of how far they are from turning: begin near 0,
		// uniformly within Glorot's bound for layers of this size.
		bound := math.Sqrt(6 / float64(c.KH*c.KW*(c.InC+c.OutC)))
		for i := range o.weight.W {
			o.weight.W[i] *= float32(b.rand.Float64() * bound)
		}
	}
	if next := b.onlyReader(n.Out); next != nil && next.Op.Kind() == "batchnorm" {
		o.partDB = nil // the norm takes away what a bias adds
	}
	out.constant = false
	b.convs[n] = o
	b.params = append(b.params, o.weight)
	if o.bias != nil {
		b.params = append(b.params, o.bias)
	}
	b.ops = append(b.ops, o)
	return nil
}
