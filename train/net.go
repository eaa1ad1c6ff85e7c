package train

import (
	"fmt"
	"math"
	"slices"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
)

// Options steer New.
type Options struct {
	Batch   int // most images of a Step, at least 1
	Threads int // at least 1
	// Kernels is the choice of implementations; nil is kernels.Default().
	Kernels   *kernels.Choice
	Estimator Estimator // of Sign's gradient
	Seed      uint64    // of the magnitudes behind binary weights
	Loss      Loss
}

// Net is a network in training: weights, running statistics, and the memory of a
// batch. Its methods must not be called at the same time.
type Net struct {
	g       *graph.Graph
	options Options
	pool    *pool
	input   *inputOp
	loss    *lossOp
	ops     []op
	prepare []preparer
	values  []*value
	params  []*Param
	convs   map[*graph.Node]*convOp
	norms   map[*graph.Node]*normOp
}

// New prepares to train g, whose weights are where training starts; g is not
// changed. The output must be a vector of logits, or their Softmax, which training
// leaves out. Errors name the node and what cannot be trained.
func New(g *graph.Graph, o Options) (*Net, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	if o.Batch < 1 || o.Threads < 1 {
		return nil, fmt.Errorf("train: batch %d, %d threads: want at least 1 of each", o.Batch, o.Threads)
	}
	if o.Kernels == nil {
		var err error
		if o.Kernels, err = kernels.Default(); err != nil {
			return nil, err
		}
	}
	if err := o.Loss.check(g.Output.Shape.Size()); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	n := &Net{g: g, options: o, convs: map[*graph.Node]*convOp{}, norms: map[*graph.Node]*normOp{}}
	if err := n.build(); err != nil {
		return nil, fmt.Errorf("train: network %s: %w", g.Name, err)
	}
	for _, o := range n.ops {
		if p, ok := o.(preparer); ok {
			n.prepare = append(n.prepare, p)
		}
	}
	n.pool = newPool(o.Threads, o.Kernels.For(dtype.Float32))
	return n, nil
}

// Close ends the threads.
func (n *Net) Close() { n.pool.close() }

// Params lists the weights, layer by layer.
func (n *Net) Params() []*Param { return n.params }

// Image writes image i of a batch, as the network's own input values in [C H W],
// to dst, and gives its class. Goroutines call it for different images.
type Image func(i int, dst []float32) (class int)

// Step runs n images, 1 to Options.Batch, forward and backward: each Param's Grad
// becomes the gradient of their mean loss, and running statistics move. It returns
// that loss, and how many images were classified rightly on the way. An error
// names the first layer whose output is not finite; weights are then as before, the
// running statistics are not.
func (n *Net) Step(images int, load Image) (loss float64, correct int, err error) {
	if images < 1 || images > n.options.Batch {
		return 0, 0, fmt.Errorf("train: a batch of %d images: want 1 to %d", images, n.options.Batch)
	}
	n.pool.deal(images)
	n.input.load = load
	n.loss.images = images
	for _, o := range n.norms {
		o.count = float64(images * o.in.data.H * o.in.data.W)
	}
	n.pool.run(func(t *thread) {
		for i := t.id; i < len(n.prepare); i += len(n.pool.threads) {
			n.prepare[i].prepare()
		}
	})
	n.each(n.ops, func(o op, t *thread, img int) { o.forward(t, img) }, func(o op) func() {
		if r, ok := o.(forwardReducer); ok {
			return r.reduceForward
		}
		return nil
	})
	if loss, correct, err = n.loss.total(); err != nil {
		return 0, 0, fmt.Errorf("train: %w", err)
	}
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return loss, correct, fmt.Errorf("train: the loss is %v: %s", loss, n.firstBad(images))
	}
	back := slices.Clone(n.ops)
	slices.Reverse(back)
	n.each(back, func(o op, t *thread, img int) { o.backward(t, img) }, func(o op) func() {
		if r, ok := o.(backwardReducer); ok {
			return r.reduceBackward
		}
		return nil
	})
	return loss, correct, nil
}

// each runs ops one after another on each image, as far as an op that needs the
// whole batch.
func (n *Net) each(ops []op, run func(o op, t *thread, img int), reduce func(o op) func()) {
	for len(ops) > 0 {
		end := 0
		for end < len(ops) && reduce(ops[end]) == nil {
			end++
		}
		stage := ops[:min(end+1, len(ops))]
		n.pool.run(func(t *thread) {
			for img := t.first; img < t.last; img++ {
				for _, o := range stage {
					run(o, t, img)
				}
			}
		})
		for _, o := range stage {
			if f := reduce(o); f != nil {
				f()
			}
		}
		ops = ops[len(stage):]
	}
}

// firstBad names the first value that is not finite.
func (n *Net) firstBad(images int) string {
	for _, v := range n.values {
		for i := range images {
			for y := range v.data.H {
				for _, x := range v.data.row(i, y) {
					if x-x != 0 {
						return fmt.Sprintf("value %q of image %d is %v", v.name, i, x)
					}
				}
			}
		}
	}
	return "all values are finite"
}

// Graph returns the network with the weights and running statistics that it has
// now.
func (n *Net) Graph() *graph.Graph { return n.graphOf(n.Snapshot()) }

// graphOf is the network with a state.
func (n *Net) graphOf(s State) *graph.Graph {
	g := *n.g
	g.Nodes = nil
	for _, node := range n.g.Nodes {
		c := *node
		g.Nodes = append(g.Nodes, &c)
		switch op := node.Op.(type) {
		case *graph.Conv2D:
			t := *op
			t.Weights = n.weightsOf(node, s, &t)
			c.Op = &t
		case *graph.Dense:
			t := *op
			t.Weights = n.weightsOf(node, s, n.convs[node].shape)
			c.Op = &t
		case *graph.BatchNorm:
			t := *op
			t.Gamma, t.Beta = s[node.Name+".gamma"], s[node.Name+".beta"]
			t.Mean, t.Var = s[node.Name+".mean"], s[node.Name+".var"]
			c.Op = &t
		}
	}
	return &g
}

func (n *Net) weightsOf(node *graph.Node, s State, shape *graph.Conv2D) graph.Weights {
	w := s[node.Name+".weight"]
	o := n.convs[node]
	if o.weight.Latent {
		used := make([]float32, len(w))
		signs(used, w)
		w = used
	}
	return graph.Weights{Float: channelsFirst(w, shape), Bias: s[node.Name+".bias"], Binary: o.weight.Latent}
}
