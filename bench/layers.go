package bench

import (
	"fmt"
	"strings"

	"macroscope/kernels"
	"macroscope/nn"
)

// layersOp begins the names of LayerCases.
const layersOp = "BenchmarkLayers/"

// AllLayers is the value of /layer= that stands for the whole inference.
const AllLayers = "all"

// partTimes are the units of a step's parts; Other has none.
var partTimes = [nn.Parts]string{nn.Kernel: KernelTime, nn.Packing: PackingTime, nn.Epilogue: EpilogueTime, nn.Pool: PoolTime}

// LayerCases measure where the time of one inference on one thread goes, a case a format
// of the networks (and algorithm, where the name ends in /algo=), by its steps: each layer
// with what is fused into it, the conversion of the pixels, the output. nn.Profiler says
// how a layer's parts are told apart.
// The case itself, /layer=all, is the whole inference without a clock between its
// steps. impl forces an implementation (ForceImpl) and drops formats that have
// none of that name; empty takes the chosen ones.
//
// A batch goes through the network image by image, so there is nothing that a
// larger one would show.
func LayerCases(networks []*Network, impl string) ([]Case, error) {
	var cases []Case
	for _, n := range timed(networks) {
		if impl != "" {
			if _, err := kernels.Lookup(n.DType, impl); err != nil {
				continue
			}
		}
		choice, err := ForceImpl(n.DType, impl)
		if err != nil {
			return nil, err
		}
		pixels, err := pixelsOf(n)
		if err != nil {
			return nil, err
		}
		list, err := variants(n, choice)
		if err != nil {
			return nil, err
		}
		for _, v := range list {
			c, err := layersCase(v.plan, choice.For(n.DType), v.algo, pixels)
			if err != nil {
				return nil, err
			}
			cases = append(cases, c)
		}
	}
	if len(cases) == 0 { // the formats that are there have no such implementation, or none has
		if _, err := kernels.Choose(impl); err != nil {
			return nil, err // which names the known ones
		}
		var formats []string
		for _, n := range timed(networks) {
			formats = append(formats, n.DType.String())
		}
		return nil, fmt.Errorf("implementation %q: there is none of %s", impl, strings.Join(formats, ", "))
	}
	return cases, nil
}

// LayerName is a node's name as a benchmark's may hold it: exporters write paths.
func LayerName(node string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r == '/':
			return '.'
		case r <= ' ' || r == 0x7f || r == '=':
			return '_'
		}
		return r
	}, node)
	if at := strings.LastIndexByte(name, '-'); at >= 0 && strings.Trim(name[at+1:], "0123456789") == "" { // else a number of threads
		name = name[:at] + "_" + name[at+1:]
	}
	return name
}

// layersCase measures the steps of one inference of the first image of pixels.
func layersCase(plan *nn.Plan, im *kernels.Impl, algo string, pixels []uint8) (Case, error) {
	profiler, err := plan.NewProfiler()
	if err != nil {
		return Case{}, err
	}
	name := func(layer string) string {
		return fmt.Sprintf("%sdtype=%v/impl=%s/layer=%s%s", layersOp, im.DType(), im.Name(), layer, algo)
	}
	c := Case{Name: name(AllLayers), MACs: float64(plan.MACs()), Images: 1}
	steps, layers := profiler.Steps(), plan.Layers()
	taken := map[string]bool{}
	for _, st := range steps {
		bytes := st.BytesRead + st.BytesWritten
		layer := LayerName(st.Name)
		if st.Kind == "convert" || st.Kind == "dequantize" || st.Kind == "requantize" { // named by a value, perhaps as a node is
			layer += "." + st.Kind
		}
		for base, i := layer, 2; taken[layer]; i++ { // a value that is converted to several forms
			layer = fmt.Sprintf("%s.%d", base, i)
		}
		taken[layer] = true
		part := Case{Name: name(layer)}
		if st.Layer >= 0 {
			l := layers[st.Layer]
			bytes += l.ReadBytes
			part.MACs, part.Peak = float64(l.MACs), peakOf(l.Kernel)
		}
		part.Bytes = int64(bytes)
		part.Extra = []Metric{{float64(bytes), BytesMoved}}
		c.Parts = append(c.Parts, part)
		c.Bytes += int64(bytes)
	}
	c.Extra = []Metric{{float64(c.Bytes), BytesMoved}}

	pixels = pixels[:plan.InputSize()]
	whole, times := inferences(plan.NewRunner(1), make([]float32, plan.OutputSize()), pixels), make([]nn.StepTime, len(steps))
	c.Measure = func(time func(func(int)) float64) Measured {
		m := Measured{NS: time(whole)}
		time(func(n int) { profiler.Profile(times, pixels, n) })
		var all, kernel float64
		for _, t := range times {
			part := Measured{NS: t.Total}
			for p, unit := range partTimes {
				if unit != "" && t.Parts[p] > 0 {
					part.Extra = append(part.Extra, Metric{measured(t.Parts[p]), unit})
				}
			}
			m.Parts = append(m.Parts, part)
			all, kernel = all+t.Total, kernel+t.Parts[nn.Kernel]
		}
		if all > kernel && kernel > 0 {
			m.Extra = []Metric{{measured(100 * kernel / all), KernelPercent}, {measured(all / (all - kernel)), MaxSpeedup}}
		}
		return m
	}
	return c, nil
}
