package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"

	"macroscope/cifar10"
	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/nn"
	"macroscope/ptq"
)

// The kinds of int8 weights.
const (
	PerChannel = "per channel" // a scale for each channel
	PerTensor  = "per tensor"  // one for each layer
)

// Network is a network in one format with the chosen kernels: the very plan that
// NetworkCases times for these.
type Network struct {
	DType   dtype.DType
	Weights string       // of int8: PerChannel or PerTensor
	Graph   *graph.Graph // before batch norms are folded
	Plan    *nn.Plan
	// Uncalibrated: its int8 scales were chosen without images, so that it takes the time
	// of any, but what it answers is of no use.
	Uncalibrated bool
}

// NewNetwork plans a network as it is. Its format is binary if it has a layer of bits,
// else int8 if it has one of bytes, else float32.
func NewNetwork(g *graph.Graph) (*Network, error) {
	p, err := nn.Compile(g, nn.Options{Winograd: nn.WinogradNone})
	if err != nil {
		return nil, err
	}
	n := &Network{Graph: g, Plan: p}
	layers := p.Layers()
	if len(layers) == 0 {
		return nil, fmt.Errorf("network %s: no convolution or dense layer to measure", g.Name)
	}
	for _, l := range layers {
		n.DType = max(n.DType, l.DType)
	}
	if n.DType == dtype.Int8 {
		n.Weights = WeightScales(g)
	}
	return n, nil
}

// WeightScales says whether the int8 weights of a graph have a scale a channel or one a
// layer.
func WeightScales(g *graph.Graph) string {
	for _, n := range g.Nodes {
		var scales int
		switch op := n.Op.(type) {
		case *graph.Conv2D:
			scales = len(op.Scale)
		case *graph.Dense:
			scales = len(op.Scale)
		}
		if scales > 1 {
			return PerChannel
		}
	}
	return PerTensor
}

// BuiltinNetworks are a built-in model's networks: float32, int8 with a scale a channel
// and with one a layer, and binary.
func BuiltinNetworks(model string) (list []*Network, err error) {
	for _, v := range []struct {
		d       dtype.DType
		weights string
	}{{dtype.Float32, ""}, {dtype.Int8, PerChannel}, {dtype.Int8, PerTensor}, {dtype.Binary, ""}} {
		g, err := LoadNetwork(model, v.d, ptq.Options{PerTensor: v.weights == PerTensor})
		if err != nil {
			return nil, err
		}
		n, err := NewNetwork(g)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, nil
}

// timed are the networks that are measured: the first of each format.
func timed(networks []*Network) (list []*Network) {
	for _, n := range networks {
		if !slices.ContainsFunc(list, func(o *Network) bool { return o.DType == n.DType }) {
			list = append(list, n)
		}
	}
	return list
}

// Above these a run of a case takes a tenth of a second or more, and it is run some forty times.
const (
	maxGenericMACs = 1 << 30 // of an image, in plain Go
	maxBatchMACs   = 1 << 33 // of a batch
)

// NetworkCases measure whole inferences of the first network of each format, from bytes of
// pixels to logits, with every implementation of the format, and with each layer's fastest
// (layers of other formats use the chosen implementations, or generic with generic). Of
// large networks plain Go and large batches are left out, which a notice says.
func NetworkCases(networks []*Network) ([]Case, error) {
	usual, err := kernels.Default()
	if err != nil {
		return nil, err
	}
	var cases []Case
	for _, n := range timed(networks) {
		pixels, err := pixelsOf(n)
		if err != nil {
			return nil, err
		}
		macs, fastest := n.Plan.MACs(), tuning{n: n}
		for _, im := range Available() {
			if im.DType() != n.DType || im.Name() == "generic" && macs > maxGenericMACs {
				continue
			}
			choice, err := ForceImpl(n.DType, im.Name())
			if err != nil {
				return nil, err
			}
			list, err := variants(n, choice)
			if err != nil {
				return nil, err
			}
			for _, v := range list {
				for _, batch := range batches {
					if batch > 1 && (im.Name() == "generic" || int64(batch)*macs > maxBatchMACs) {
						continue
					}
					c := networkCase(v.plan, im, batch, pixels)
					c.Name += v.algo
					if im == usual.For(n.DType) && v.algo == "" {
						c.Prepare = leftOut(macs)
					}
					cases = append(cases, c)
					if im != usual.For(n.DType) {
						continue
					}
					if runtime.NumCPU() > 1 {
						cases = append(cases, threadsCase(v.plan, c, batch, pixels))
					}
					if v.algo == "" && os.Getenv(kernels.EnvVar) == "" { // which forces
						cases = append(cases, tunedCase(&fastest, c, batch, pixels))
					}
				}
			}
		}
	}
	return cases, nil
}

// leftOut is a Case's Prepare that says which cases of a large network there are not.
func leftOut(macs int64) func(context.Context) ([]string, error) {
	var notices []string
	if most := int64(slices.Max(batches)); most*macs > maxBatchMACs {
		notices = append(notices, fmt.Sprintf("batches of %d are not measured: an image is %d million MACs", most, macs/1e6))
	}
	if macs > maxGenericMACs {
		notices = append(notices, fmt.Sprintf("plain Go is not measured: an image is %d million MACs", macs/1e6))
	}
	if notices == nil {
		return nil
	}
	return func(context.Context) ([]string, error) { return notices, nil }
}

// pixelsOf are as many images as the largest batch has: the sample's where the network
// takes images of that size, else random ones. What they show is of no effect on time.
func pixelsOf(n *Network) ([]uint8, error) {
	size := n.Plan.InputSize()
	if size == cifar10.PixelBytes {
		set, err := Sample()
		if err != nil {
			return nil, err
		}
		return set.Pixels, nil
	}
	count := 1
	for _, batch := range batches {
		if int64(batch)*n.Plan.MACs() <= maxBatchMACs {
			count = max(count, batch)
		}
	}
	return RandomPixels(count * size), nil
}

// RandomPixels are n bytes, the same each time, for who needs images of any size and does
// not care what they show.
func RandomPixels(n int) []uint8 {
	pixels, r := make([]uint8, n), rand.New(rand.NewPCG(1, 4))
	for i := range pixels {
		pixels[i] = uint8(r.Uint32())
	}
	return pixels
}

// WinogradAlgo is the key algo of cases whose 3×3 convolutions are by minimal filtering, as
// far as it suits them.
const WinogradAlgo = "winograd"

// variant is a plan of a network, and the end of its cases' names that says by which
// algorithm its convolutions are.
type variant struct {
	plan *nn.Plan
	algo string
}

// FiltersByDefault says whether package nn, not told otherwise, computes any layer by minimal
// filtering on this CPU.
func (n *Network) FiltersByDefault() (bool, error) {
	p, err := nn.Compile(n.Graph, nn.Options{})
	return err == nil && filters(p), err
}

// filters says whether any layer is by minimal filtering.
func filters(p *nn.Plan) bool {
	return slices.ContainsFunc(p.Layers(), func(l nn.Layer) bool { return strings.HasPrefix(l.Impl, "winograd") })
}

// variants are a network by the direct kernels and, where a shape suits, by minimal filtering:
// of float32 as nn.WinogradAll chooses, of integers whether it was found to gain or not, since
// this is what finds out.
func variants(n *Network, choice *kernels.Choice) ([]variant, error) {
	direct, err := nn.Compile(n.Graph, nn.Options{Kernels: choice, Winograd: nn.WinogradNone})
	if err != nil {
		return nil, err
	}
	o := nn.Options{Kernels: choice, Winograd: nn.WinogradNone, Picks: map[string]nn.Pick{}}
	if n.DType == dtype.Float32 {
		o.Winograd = nn.WinogradAll
	}
	for _, l := range direct.Layers() {
		if im := choice.For(l.DType); l.DType == dtype.Int8 && l.Impl == im.FullName("conv2d") {
			o.Picks[l.Name] = nn.Pick{Impl: im, Winograd: 4}
		}
	}
	filtered, err := nn.Compile(n.Graph, o)
	if err != nil {
		return nil, err
	}
	list := []variant{{direct, ""}}
	if filters(filtered) {
		list = append(list, variant{filtered, "/algo=" + WinogradAlgo})
	}
	return list, nil
}

// networkCase measures whole inferences of batches of the images that pixels begins with.
func networkCase(plan *nn.Plan, im *kernels.Impl, batch int, pixels []uint8) Case {
	pixels, logits := pixels[:batch*plan.InputSize()], make([]float32, batch*plan.OutputSize())
	return Case{
		Name: fmt.Sprintf("BenchmarkNetwork/dtype=%v/impl=%s/batch=%d", im.DType(), im.Name(), batch),
		MACs: float64(batch) * float64(plan.MACs()), Bytes: int64(len(pixels) + plan.ReadBytes()),
		Images: float64(batch), Peak: peakOf(im),
		Extra: []Metric{{float64(plan.WeightBytes()), WeightBytes}},
		Run:   inferences(plan.NewRunner(1), logits, pixels),
	}
}

func inferences(r *nn.Runner, logits []float32, pixels []uint8) func(int) {
	return func(rounds int) {
		for range rounds {
			if err := r.RunPixels(logits, pixels); err != nil {
				panic(err) // the caller's sizes are wrong
			}
		}
	}
}

// threadsCase is one, a case of one thread, on two threads. Each measurement
// times both, so that they meet the same disturbances. The second thread may be
// busy elsewhere: what is measured is what this machine gives.
func threadsCase(plan *nn.Plan, one Case, batch int, pixels []uint8) Case {
	const threads = 2
	c := one
	c.Name += fmt.Sprintf("/threads=%d", threads)
	c.Peak = "" // it is one thread's
	run := inferences(plan.NewRunner(threads), make([]float32, batch*plan.OutputSize()), pixels[:batch*plan.InputSize()])
	c.Measure = func(time func(func(int)) float64) Measured {
		alone, ns := time(one.Run), time(run)
		return Measured{NS: ns, Extra: []Metric{{measured(alone / ns), TimesOneThread}}}
	}
	return c
}
