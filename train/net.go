package train

import (
	"fmt"
	"math"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
)

// Options steer New.
type Options struct {
	Batch   int // most images of a Step, at least 1
	Threads int // at least 1
	// Kernels is the choice of implementations; nil is kernels.Default().
	Kernels *kernels.Choice
	// Products is how the gradients of convolutions' weights multiply that are not by
	// minimal filtering, which is in float32; New says where the implementation cannot.
	Products  kernels.Products
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
	ops     []op // in the order of forward

	forward, backward [][]op // by stage
	preparers         []preparer
	finishers         []finisher
	dealt             int           // images that threads have been given
	slots             map[int][]int // of short-lived gradients, by how many images a thread keeps
	values            []*value
	params            []*Param
	convs             map[*graph.Node]*convOp
	norms             map[*graph.Node]*normOp
	round             uint64 // see SetRound
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
	if err := o.Kernels.For(dtype.Float32).CheckProducts(o.Products); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	if err := o.Loss.check(g.Output.Shape.Size()); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	n := &Net{g: g, options: o, convs: map[*graph.Node]*convOp{}, norms: map[*graph.Node]*normOp{}}
	if err := n.build(); err != nil {
		return nil, fmt.Errorf("train: network %s: %w", g.Name, err)
	}
	n.pool = newPool(o.Threads, o.Kernels.For(dtype.Float32))
	return n, nil
}

// Close ends the threads.
func (n *Net) Close() { n.pool.close() }

// Params lists the weights, layer by layer.
func (n *Net) Params() []*Param { return n.params }

// SetRound gives the number of the step to come: what dropout leaves out depends on it
// and the seed.
func (n *Net) SetRound(round uint64) { n.round = round }

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
	n.deal(images)
	n.input.load = load
	n.loss.images = images
	for _, o := range n.norms {
		o.count = float64(images * o.in.data.H * o.in.data.W)
	}
	n.shared(len(n.preparers), func(i int) { n.preparers[i].prepare() })
	n.pass(n.forward, op.forward, func(last op) {
		if r, ok := last.(forwardReducer); ok {
			r.reduceForward()
		}
	})
	if loss, correct, err = n.loss.total(); err != nil {
		return 0, 0, fmt.Errorf("train: %w", err)
	}
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return loss, correct, fmt.Errorf("train: the loss is %v: %s", loss, n.firstBad(images))
	}
	n.pass(n.backward, op.backward, func(last op) {
		if r, ok := last.(backwardReducer); ok {
			r.reduceBackward()
		}
	})
	n.shared(len(n.finishers), func(i int) { n.finishers[i].finish() })
	return loss, correct, nil
}

// pass runs all ops of a stage on each image, then reduces what the last one has
// gathered.
func (n *Net) pass(stages [][]op, run func(o op, t *thread, img int), reduce func(last op)) {
	for _, stage := range stages {
		n.pool.run(func(t *thread) {
			for img := t.first; img < t.last; img++ {
				for _, o := range stage {
					run(o, t, img)
				}
			}
		})
		reduce(stage[len(stage)-1])
	}
}

// shared calls f with 0…count−1, on all threads.
func (n *Net) shared(count int, f func(i int)) {
	n.pool.run(func(t *thread) {
		for i := t.id; i < count; i += len(n.pool.threads) {
			f(i)
		}
	})
}

// deal gives each thread its images, the same for batches of the same size, and the
// images of short-lived gradients their places.
func (n *Net) deal(images int) {
	if images == n.dealt {
		return
	}
	n.dealt = images
	threads := len(n.pool.threads)
	for i, t := range n.pool.threads {
		t.first, t.last = i*images/threads, (i+1)*images/threads
	}
	for group, slots := range n.slots {
		for _, t := range n.pool.threads {
			for img := t.first; img < t.last; img++ {
				slots[img] = t.id*group + (img-t.first)%group
			}
		}
	}
}

// stages cuts ops after each that ends a stage: on an image, the ops of a stage
// follow one another while it is in the cache.
func stages(ops []op, ends func(o op) bool) (list [][]op) {
	from := 0
	for i, o := range ops {
		if ends(o) || i == len(ops)-1 {
			list = append(list, ops[from:i+1])
			from = i + 1
		}
	}
	return list
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
		case *graph.PReLU:
			c.Op = &graph.PReLU{Slope: s[node.Name+".slope"]}
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
	if o.scales > 0 {
		if q, err := int8Weights(w, shape.OutC, o.scales, shape); err == nil {
			q.Bias = s[node.Name+".bias"]
			return q
		}
	}
	if o.weight.Latent {
		used := make([]float32, len(w))
		signs(used, w)
		w = used
	}
	return graph.Weights{Float: channelsFirst(w, shape), Bias: s[node.Name+".bias"], Binary: o.weight.Latent}
}
