package nn

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
)

// Options steer Compile.
type Options struct {
	// Kernels is the choice of implementations; nil is kernels.Default().
	Kernels *kernels.Choice
	// Winograd says which convolutions of 3×3 with stride 1 are computed by minimal
	// filtering where their shape suits (kernels.Winograd).
	Winograd Winograd
	// Picks says of some layers, by their nodes' names, how they are computed; the
	// others follow Kernels and Winograd. Package tune finds picks by measuring.
	Picks map[string]Pick
	// Observe, if not nil, is called for every image with each float32 value
	// that a step has written, in the value's own order ([C H W] or [F]); the
	// slice is reused. It is for calibration: a Runner with it uses one thread.
	Observe func(v *graph.Value, data []float32)
}

// Winograd is where minimal filtering may take the direct convolution's place.
type Winograd int

const (
	WinogradExact Winograd = iota // in int8, where it gives the same bytes, if it was found faster on such a CPU (kernels.Impl.WinogradPays)
	WinogradAll                   // in float32 too, where it is taken to be faster on such a CPU (kernels.Impl.WinogradFor), with larger rounding errors
	WinogradNone                  // nowhere
)

// Plan is a network ready to run. It is immutable and safe for concurrent use;
// Runners hold what changes.
type Plan struct {
	name    string
	in      graph.Shape
	outSize int
	classes int
	first   *inputStep
	steps   []step
	bufs    []*buffer
	arena   int // bytes
	layers  []Layer
	nodes   []How
	observe bool
	scratch int // float32 elements that some step needs besides the arena
}

// Layer describes one convolution or dense layer of a plan.
type Layer struct {
	Name        string // the node's
	Kind        string // "conv2d" or "dense"
	DType       dtype.DType
	Impl        string // "conv2d/int8/avx512vnni"
	Kernel      *kernels.Impl
	Problem     string   // all that its time depends on but the implementation: dtype, shapes, epilogue
	FewBits     bool     // Pick.BitSerial can compute it
	Fused       []string // nodes whose work the layer's kernel does as well
	MACs        int64    // one image
	WeightBytes int      // of weights, biases, scales and thresholds, in the layer's format
	ReadBytes   int      // what an inference reads of them: more where they are transformed (Winograd)
}

// step is one piece of work on one image.
type step interface {
	run(s *state)
	about() Step
}

// Layers lists the plan's layers in order.
func (p *Plan) Layers() []Layer { return append([]Layer(nil), p.layers...) }

// WeightBytes is the sum over the layers: the network's size.
func (p *Plan) WeightBytes() (n int) {
	for _, l := range p.layers {
		n += l.WeightBytes
	}
	return n
}

// ReadBytes is the sum over the layers: what an inference reads of the network.
func (p *Plan) ReadBytes() (n int) {
	for _, l := range p.layers {
		n += l.ReadBytes
	}
	return n
}

// MACs is the sum over the layers, for one image.
func (p *Plan) MACs() (n int64) {
	for _, l := range p.layers {
		n += l.MACs
	}
	return n
}

// InputSize is the number of values of one image, OutputSize of one result.
func (p *Plan) InputSize() int { return p.in.Size() }

// OutputSize is the number of values that an image gives.
func (p *Plan) OutputSize() int { return p.outSize }

// Classes is how many classes the network tells apart: OutputSize, unless its output is the
// index of one (graph.Graph.Classes).
func (p *Plan) Classes() int { return p.classes }

// ArenaBytes is the memory of activations that one thread needs.
func (p *Plan) ArenaBytes() int { return p.arena }

// maxArena is how many bytes of activations Compile is willing to lay out for
// one image, so that a file of a few bytes cannot claim all memory.
const maxArena = 1 << 30

// Compile plans a network. It folds batch norms, so g may be as a file gave it
// or as package ptq quantized it; g is not changed. Errors name the node and
// what it cannot do.
func Compile(g *graph.Graph, o Options) (*Plan, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	choice := o.Kernels
	if choice == nil {
		var err error
		if choice, err = kernels.Default(); err != nil {
			return nil, err
		}
	}
	c := newCompiler(graph.FoldBatchNorm(g), choice)
	c.winograd, c.picks = o.Winograd, o.Picks
	if c.observed = o.Observe != nil; !c.observed {
		c.foldPads()
	}
	c.roundedPools()
	c.signsAsIntegers()
	if err := c.checkPicks(); err != nil {
		return nil, fmt.Errorf("network %s: %w", g.Name, err)
	}
	if err := c.compile(g, o.Observe); err != nil {
		return nil, fmt.Errorf("network %s: %w", g.Name, err)
	}
	return c.plan, nil
}
