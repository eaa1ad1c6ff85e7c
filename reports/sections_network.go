package reports

import (
	"fmt"
	"strings"

	"macroscope/dtype"
)

func (r *Report) networkSection() section {
	s := section{id: "network", title: "The network by format"}
	s.text("Accuracy is counted with the very kernels that are timed, on %s images: %s. In brackets: where the share lies with 95 %% confidence for more images of the same kind (Wilson's interval). Two formats that see the same images differ less by chance than these intervals suggest.", count(r.Images.Count), r.Images.Source)
	if r.Images.Note != "" {
		s.text("Note: %s.", r.Images.Note)
	}
	if n := r.Network(dtype.Float32, ""); n != nil {
		s.text("Size counts every byte of constants that one inference reads: weights, biases, scales, thresholds; batch norms are folded first. With batch norms the float32 network has %s parameters, %s: compression against both is shown. One inference is %s multiply-accumulates.", count(n.Params), size(r.FloatBytesWithBN), count(n.MACs))
	}
	s.grid(r.sizeTable())
	s.charts(r.accuracyCharts()...)
	s.grid(r.speedTable())
	s.charts(r.latencyChart())
	s.list(
		"int8 per tensor runs the same kernels on as many bytes, so it is counted but not timed.",
		"The binary network is trained binarized and is another network than the others; its first and last layer are int8.",
		"Latency is one image at a time, from bytes of pixels to logits, with everything in cache but what the network itself displaces; reading the image is not included.",
		"The energy of this CPU is not measured.",
	)
	return s
}

// sizeTable is size and accuracy of every variant.
func (r *Report) sizeTable() *grid {
	g := newGrid(fmt.Sprintf("Size and accuracy (%s images)", count(r.Images.Count)), 1,
		"format", "bytes read", "size", "smaller than float32", "smaller than float32 with batch norm", "right answers", "accuracy (95 % interval)", "against float32, points")
	float := r.Network(dtype.Float32, "")
	for i := range r.Networks {
		n := &r.Networks[i]
		correct, differ := absent, absent
		if a := n.Accuracy; a != nil {
			correct = count(a.Correct)
			if n != float && float != nil && float.Accuracy != nil {
				differ = points(a.Top1 - float.Accuracy.Top1)
			}
		}
		smaller := absent
		if float != nil {
			smaller = times(float64(float.WeightBytes) / float64(n.WeightBytes))
		}
		g.Add(n.title(), count(n.WeightBytes), size(n.WeightBytes), smaller, times(float64(r.FloatBytesWithBN)/float64(n.WeightBytes)), correct, n.Accuracy.text(), differ)
	}
	return g
}

// speedTable is the whole network by every implementation.
func (r *Report) speedTable() *grid {
	g := newGrid("The whole network by implementation, and its speed-up ("+r.measuredAs()+")", 2,
		"format", "implementation", "latency, µs", "best, µs", "GMAC/s", "of peak", "images/s", "batch of 64, µs/image", "over float32", "over "+r.Baseline)
	for _, x := range r.Runs {
		g.add(x.Chosen, x.DType.String(), x.Impl, x.Latency.withCI(micro), x.Latency.best(micro), x.GMACs.median(1), x.Peak.percent(),
			x.PerSecond.median(1), x.PerImage64.withCI(micro), x.VsFloat.or(x.DType == dtype.Float32 && x.Chosen), x.VsBaseline.or(x.Impl == r.Baseline))
	}
	return g
}

func (r *Report) layerSection() section {
	s := section{id: "layers", title: "The network layer by layer"}
	s.text("Each convolution measured alone, with what is fused into it, against the whole inference. The rest is the conversion of the pixels, the dense layer, and the steps between layers; it can come out below zero where layers run faster one after another than alone. The binary network's first layer is int8; it is shown with the time of the int8 network's first layer, whose output is wider.")
	s.charts(r.layerChart())
	s.grid(r.layerTable())
	s.list(r.amdahl()...)
	s.grid(r.bytesTable())
	s.text("Which kernel ran each layer, and what its kernel does besides:")
	for i := range r.Networks {
		if n := &r.Networks[i]; n.Weights != perTensor {
			s.grid(n.implTable())
		}
	}
	return s
}

// layerTable is the time of every layer by format, and what is left.
func (r *Report) layerTable() *grid {
	g := newGrid("Time by layer, µs, and its share of the inference (chosen implementations; "+r.measuredAs()+")", 1, "layer")
	var nets []*Network
	for i := range r.Networks {
		if n := &r.Networks[i]; n.Timed() {
			nets = append(nets, n)
			g.Head = append(g.Head, n.title(), "share")
			g.Right = append(g.Right, true, true)
		}
	}
	if len(nets) == 0 {
		return g
	}
	for l, layer := range nets[0].Layers {
		cells := []string{layer.Name}
		for _, n := range nets {
			time, part := absent, absent
			if l < len(n.Layers) && n.Layers[l].Seconds != nil {
				v := n.Layers[l].Seconds
				time, part = v.withCI(micro), share(float64(v.Median), float64(n.Latency.Median))
				if n.Layers[l].DType != n.DType {
					time = "(" + n.Layers[l].DType.String() + ") " + time
				}
			}
			cells = append(cells, time, part)
		}
		g.Add(cells...)
	}
	row := func(name string, strong bool, cell func(*Network) (*Value, string)) {
		cells := []string{name}
		for _, n := range nets {
			v, time := cell(n)
			part := absent
			if v != nil {
				part = share(float64(v.Median), float64(n.Latency.Median))
			}
			cells = append(cells, time, part)
		}
		g.add(strong, cells...)
	}
	row("all convolutions", false, func(n *Network) (*Value, string) { return n.Convs, n.Convs.withCI(micro) })
	row("rest", false, func(n *Network) (*Value, string) { return n.Rest, n.Rest.between(micro) })
	row("whole network", true, func(n *Network) (*Value, string) { return n.Latency, n.Latency.withCI(micro) })
	return g
}

// amdahl says how much faster convolutions could still make the network.
func (r *Report) amdahl() (list []string) {
	for i := range r.Networks {
		n := &r.Networks[i]
		if n.Rest == nil || !(n.Latency.Median > 0) {
			continue
		}
		whole := float64(n.Latency.Median)
		text := fmt.Sprintf("%s: convolutions take %s of the inference. Were they to cost nothing, ", n.title(), share(min(whole, float64(n.Convs.Median)), whole))
		switch rest := n.Rest; {
		case rest.Lo > 0:
			text += fmt.Sprintf("the rest would still bound the network at %s (%s–%s).", times(whole/float64(rest.Median)), times(whole/float64(rest.Hi)), times(whole/float64(rest.Lo)))
		case rest.Hi > 0:
			text += fmt.Sprintf("the network could be %s as fast or more: the rest is within the noise.", times(whole/float64(rest.Hi)))
		case rest.Median > 0:
			text += fmt.Sprintf("the rest would still bound the network at about %s.", times(whole/float64(rest.Median)))
		default:
			text += "nothing measurable would be left."
		}
		list = append(list, text)
	}
	return list
}

// bytesTable is what each layer reads of constants.
func (r *Report) bytesTable() *grid {
	g := newGrid("Bytes of constants that one inference reads, by layer", 1, "layer")
	for i := range r.Networks {
		g.Head = append(g.Head, r.Networks[i].title())
		g.Right = append(g.Right, true)
	}
	if len(r.Networks) == 0 {
		return g
	}
	for l, layer := range r.Networks[0].Layers {
		cells := []string{layer.Name}
		for _, n := range r.Networks {
			cell := absent
			if l < len(n.Layers) {
				cell = count(n.Layers[l].WeightBytes)
			}
			cells = append(cells, cell)
		}
		g.Add(cells...)
	}
	total := []string{"total"}
	for _, n := range r.Networks {
		total = append(total, count(n.WeightBytes))
	}
	g.addStrong(total...)
	return g
}

// implTable tells which kernel runs each layer.
func (n *Network) implTable() *grid {
	g := newGrid(n.title(), 3, "layer", "kernel", "fused into it", "MACs", "bytes read")
	for _, l := range n.Layers {
		g.Add(l.Name, l.Impl, strings.Join(l.Fused, ", "), count(l.MACs), count(l.WeightBytes))
	}
	return g
}
