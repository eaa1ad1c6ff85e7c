package bench

import (
	"fmt"
	"math/rand/v2"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/nn"
)

// Format is the format of a plan that came from a file: binary if it has a layer of
// bits, else int8 if it has one of bytes, else float32.
func Format(p *nn.Plan) dtype.DType {
	d := dtype.Float32
	for _, l := range p.Layers() {
		d = max(d, l.DType)
	}
	return d
}

// GraphCases measure a network that is no built-in one, as it is: whole inferences with
// every implementation of its format, or with layers where the time of one goes, by impl
// (ForceImpl) where that is not empty. Images are random bytes: time does not depend on
// what they show.
func GraphCases(g *graph.Graph, layers bool, impl string) ([]Case, error) {
	usual, err := nn.Compile(g, nn.Options{})
	if err != nil {
		return nil, err
	}
	if len(usual.Layers()) == 0 {
		return nil, fmt.Errorf("network %s: no convolution or dense layer to measure", g.Name)
	}
	d := Format(usual)
	pixels := make([]uint8, usual.InputSize())
	r := rand.New(rand.NewPCG(1, 4))
	for i := range pixels {
		pixels[i] = uint8(r.Uint32())
	}
	names := []string{impl}
	if !layers && impl == "" {
		names = nil
		for _, im := range Available() {
			if im.DType() == d {
				names = append(names, im.Name())
			}
		}
	}
	var cases []Case
	for _, name := range names {
		choice, err := ForceImpl(d, name)
		if err != nil {
			return nil, err
		}
		for _, algo := range algorithms(d) {
			plan, err := nn.Compile(g, nn.Options{Kernels: choice, Winograd: algo != ""})
			if err != nil {
				return nil, err
			}
			var c Case
			if layers {
				if c, err = layersCase(plan, choice.For(d), algo, pixels); err != nil {
					return nil, err
				}
			} else {
				c = networkCase(plan, choice.For(d), 1, pixels)
				c.Name += algo
			}
			cases = append(cases, c)
		}
	}
	if len(cases) == 0 {
		_, err := kernels.Choose(impl) // which names the known ones
		return nil, err
	}
	return append(PeakCases(), cases...), nil
}
