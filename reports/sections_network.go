package reports

import (
	"fmt"
	"slices"
	"strings"

	"macroscope/dtype"
)

func (r *Report) networkSection() section {
	s := section{id: "network", title: "The network by format"}
	if r.Images.Count == 0 {
		if r.Images.Note != "" {
			s.text("%s.", capital(r.Images.Note))
		}
	} else {
		s.text("Accuracy is counted with the very kernels that are timed, on %s images: %s. In brackets: where the share lies with 95 %% confidence for more images of the same kind (Wilson's interval). Two formats that see the same images differ less by chance than these intervals suggest.", count(r.Images.Count), r.Images.Source)
		if r.Images.Note != "" {
			s.text("Note: %s.", r.Images.Note)
		}
	}
	if n := r.Network(dtype.Float32, ""); n == nil && len(r.Networks) > 0 {
		s.text("Size counts every byte of constants: weights, biases, scales, thresholds. One inference is %s multiply-accumulates.", count(r.Networks[0].MACs))
	} else if n != nil {
		parameters := fmt.Sprintf("the float32 network has %s parameters", count(n.Params))
		if r.FloatBytesWithBN > 0 {
			parameters = fmt.Sprintf("batch norms are folded first. With batch norms the float32 network has %s parameters, %s: compression against both is shown", count(n.Params), size(r.FloatBytesWithBN))
		}
		s.text("Size counts every byte of constants: weights, biases, scales, thresholds; %s. One inference is %s multiply-accumulates.", parameters, count(n.MACs))
	}
	s.grid(r.sizeTable())
	s.charts(r.accuracyCharts()...)
	s.grid(r.speedTable())
	s.list(r.Notices...)
	s.grid(r.sharedTable())
	s.charts(r.latencyChart())
	var about []string
	if n := r.Network(dtype.Int8, perTensor); n != nil && !r.main(n) {
		about = append(about, "int8 per tensor runs the same kernels on as many bytes, so it is counted but not timed.")
	}
	if r.Network(dtype.Binary, "") != nil && r.Network(dtype.Float32, "") != nil {
		about = append(about, "The binary network is trained binarized and is another network than the others; its first and last layer are int8.")
	}
	if slices.ContainsFunc(r.Runs, func(x Run) bool { return x.Algo != "" }) {
		about = append(about, "Rows “winograd” compute 3×3 convolutions whose shape suits by minimal filtering, with a quarter or less than half of the products: float32 with larger rounding errors, int8 to the same bits. Their GMAC/s count the products of the direct convolution, so that they can exceed 100 % of the peak.")
	}
	s.list(append(about,
		"The row “tuned”, where there is one, has for each layer the implementation that is fastest here. The other numbers of this report are by the chosen ones.",
		"Latency is one image at a time, from bytes of pixels to logits, with everything in cache but what the network itself displaces; reading the image is not included.",
		"The energy of this CPU is not measured.",
	)...)
	return s
}

// sizeTable is size and accuracy of every variant.
func (r *Report) sizeTable() *grid {
	float, counted := r.Network(dtype.Float32, ""), r.Images.Count > 0
	title, head := "Size", []string{"format", "bytes", "size"}
	if float != nil {
		head = append(head, "smaller than float32")
		if r.FloatBytesWithBN > 0 {
			head = append(head, "smaller than float32 with batch norm")
		}
	}
	if counted {
		title += fmt.Sprintf(" and accuracy (%s images)", count(r.Images.Count))
		head = append(head, "right answers", "accuracy (95 % interval)")
		if float != nil {
			head = append(head, "against float32, points")
		}
	}
	g := newGrid(title, 1, head...)
	for i := range r.Networks {
		n := &r.Networks[i]
		correct, differ := absent, absent
		if a := n.Accuracy; a != nil {
			correct = count(a.Correct)
			if n != float && float != nil && float.Accuracy != nil {
				differ = points(a.Top1 - float.Accuracy.Top1)
			}
		}
		cells := []string{n.title(), count(n.WeightBytes), size(n.WeightBytes)}
		if float != nil {
			cells = append(cells, times(float64(float.WeightBytes)/float64(n.WeightBytes)))
			if r.FloatBytesWithBN > 0 {
				cells = append(cells, times(float64(r.FloatBytesWithBN)/float64(n.WeightBytes)))
			}
		}
		if counted {
			if cells = append(cells, correct, n.Accuracy.text()); float != nil {
				cells = append(cells, differ)
			}
		}
		g.Add(cells...)
	}
	return g
}

// speedTable is the whole network by every implementation.
func (r *Report) speedTable() *grid {
	g := newGrid("The whole network by implementation, and its speed-up ("+r.measuredAs()+")", 2,
		"format", "implementation", "latency, µs", "best, µs", "GMAC/s", "of peak", "images/s", "batch of 64, µs/image", "over float32", "over "+r.Baseline)
	for _, x := range r.Runs {
		g.add(x.Chosen, x.DType.String(), x.title(), x.Latency.withCI(micro), x.Latency.best(micro), x.GMACs.median(1), x.Peak.percent(),
			x.PerSecond.median(1), x.PerImage64.withCI(micro), x.VsFloat.or(x.DType == dtype.Float32 && x.Chosen), x.VsBaseline.or(x.Impl == r.Baseline && x.Algo == ""))
	}
	r.leaveOut(&g.Table)
	return g
}

// sharedTable is what a second thread brings.
func (r *Report) sharedTable() *grid {
	g := newGrid(fmt.Sprintf("Two threads against one, timed in turn (medians ± 95 %% CI of %d interleaved rounds; peak: what this machine gives a second thread at most)", r.Rounds), 3,
		"format", "implementation", "case", "time, µs", "times as fast as one thread")
	for _, x := range r.Shared {
		g.add(x.Case == "batch of 64", x.DType.String(), x.Impl, x.Case, x.Seconds.withCI(micro), x.Times.withCI(1))
	}
	return g
}

func (r *Report) layerSection() section {
	s := section{id: "layers", title: "The network layer by layer"}
	s.text("Each step of one inference on one thread, timed among the others, so that it finds in the caches what they leave there. Kernel is products and their sums; epilogue what becomes of them (bias, ReLU, requantization, thresholds, storing); pool the maxima in it, at most; packing brings values into the form that their reader takes. The parts of a layer are told apart by twins of its kernel that leave one out; what a core does of an epilogue beside the next products counts as kernel. Weights are packed once, before. Bytes moved counts each byte of input, weights and output once; padding counts in GMAC/s even where it is left out.")
	s.charts(r.layerChart())
	for i := range r.Networks {
		s.grid(r.stepsTable(&r.Networks[i]))
	}
	s.list(r.amdahl()...)
	s.grid(r.bytesTable())
	s.text("Which kernel ran each layer, and what its kernel does besides:")
	for i := range r.Networks {
		if n := &r.Networks[i]; r.main(n) {
			s.grid(n.implTable())
		}
	}
	return s
}

// stepsTable is where the time of one inference goes.
func (r *Report) stepsTable(n *Network) *grid {
	g := newGrid(fmt.Sprintf("Where the time goes: %s by %s, µs (chosen implementations; %s)", n.title(), n.Impl, r.measuredAs()), 1,
		"layer", "time", "share", "kernel", "epilogue", "pool", "packing", "GMAC/s", "of peak", "bytes moved", "GB/s")
	whole, all := n.stepsSeconds(), [4]float64{}
	for _, st := range n.Steps {
		cells := []string{st.Name, st.Seconds.withCI(micro), absent}
		if st.Seconds != nil {
			cells[2] = share(float64(st.Seconds.Median), whole)
		}
		for i, v := range []*Value{st.Kernel, st.Epilogue, st.Pool, st.Packing} {
			cells = append(cells, v.median(micro))
			if v != nil {
				all[i] += float64(v.Median)
			}
		}
		moved := absent
		if st.Moved != nil {
			moved = count(int64(st.Moved.Median))
		}
		g.Add(append(cells, st.GMACs.median(1), st.Peak.percent(), moved, st.PerSec.median(1e-9))...)
	}
	if len(n.Steps) > 0 {
		cells := []string{"all steps", digits(whole * micro), share(whole, whole)}
		for _, v := range all {
			cells = append(cells, digits(v*micro))
		}
		g.addStrong(append(cells, absent, absent, absent, absent)...)
	}
	return g
}

// amdahl says how much faster kernels could still make the network.
func (r *Report) amdahl() (list []string) {
	for i := range r.Networks {
		n := &r.Networks[i]
		if n.KernelPart == nil || n.MaxSpeedup == nil {
			continue
		}
		text := fmt.Sprintf("%s: kernel is %s of the time; an infinitely fast kernel would make the network %s as fast at most", n.title(), n.KernelPart.percent(), times(float64(n.MaxSpeedup.Median)))
		if n.TimesPeak != nil {
			text += fmt.Sprintf(". An inference takes %s as long as its MACs would at their kernels' peaks", times(float64(n.TimesPeak.Median)))
		}
		list = append(list, text+".")
	}
	return list
}

// bytesTable is what each layer has of constants.
func (r *Report) bytesTable() *grid {
	g := newGrid("Bytes of constants, by layer", 1, "layer")
	for i := range r.Networks {
		g.Head = append(g.Head, r.Networks[i].title())
		g.Right = append(g.Right, true)
	}
	var names []string
	for _, n := range r.Networks {
		for _, l := range n.Layers {
			if !slices.Contains(names, l.Name) {
				names = append(names, l.Name)
			}
		}
	}
	for _, name := range names {
		cells := []string{name}
		for _, n := range r.Networks {
			cell := absent
			if i := slices.IndexFunc(n.Layers, func(l Layer) bool { return l.Name == name }); i >= 0 {
				cell = count(n.Layers[i].WeightBytes)
			}
			cells = append(cells, cell)
		}
		g.Add(cells...)
	}
	if len(r.Networks) == 0 {
		return g
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
	g := newGrid(n.title(), 3, "layer", "kernel", "fused into it", "MACs", "bytes")
	for _, l := range n.Layers {
		g.Add(l.Name, l.Impl, strings.Join(l.Fused, ", "), count(l.MACs), count(l.WeightBytes))
	}
	return g
}
