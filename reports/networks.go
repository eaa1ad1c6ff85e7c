package reports

import (
	"macroscope/bench"
	"macroscope/dtype"
)

// The kinds of int8 weights.
const (
	perChannel = "per channel"
	perTensor  = "per tensor"
)

// variants are the networks of a report. The first of a format is the one that
// is timed.
var variants = []struct {
	d       dtype.DType
	weights string
}{
	{dtype.Float32, ""},
	{dtype.Int8, perChannel},
	{dtype.Int8, perTensor},
	{dtype.Binary, ""},
}

// buildNetworks plans the variants, in their order.
func buildNetworks(model string) (list []*bench.Network, err error) {
	for _, v := range variants {
		n, err := bench.BuildNetwork(model, v.d, v.weights == perTensor)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, nil
}

// title names a variant in tables: "int8 per channel".
func (n *Network) title() string {
	if n.Weights == "" {
		return n.DType.String()
	}
	return n.DType.String() + " " + n.Weights
}

// describeNetworks fills r.Networks from the plans and what was measured. It
// needs r.Kernels and r.Runs.
func (r *Report) describeNetworks(plans []*bench.Network, m measured) {
	for i, p := range plans {
		v := variants[i]
		n := Network{
			DType: v.d, Weights: v.weights, Params: p.Graph.Params(), MACs: p.Plan.MACs(), WeightBytes: p.Plan.WeightBytes(),
			Impl: r.chosen(v.d),
		}
		for _, l := range p.Plan.Layers() {
			n.Layers = append(n.Layers, Layer{
				Name: l.Name, Kind: l.Kind, DType: l.DType, Impl: l.Impl, Fused: l.Fused, MACs: l.MACs, WeightBytes: l.WeightBytes,
				Seconds: m.seconds("Conv", l.DType, r.chosen(l.DType), "/layer="+l.Name+"/batch=1"),
			})
		}
		if v.weights != perTensor {
			n.time(r.Runs)
		}
		r.Networks = append(r.Networks, n)
	}
}

// chosen is the name of the implementation chosen for a format.
func (r *Report) chosen(d dtype.DType) string {
	for _, k := range r.Kernels {
		if k.DType == d && k.Chosen {
			return k.Impl
		}
	}
	return ""
}

// time takes over the network's own run, and what of it the layers explain.
func (n *Network) time(runs []Run) {
	for _, run := range runs {
		if run.DType == n.DType && run.Chosen {
			n.Latency, n.PerImage64, n.PerSecond = run.Latency, run.PerImage64, run.PerSecond
			n.VsFloat, n.VsBaseline = run.VsFloat, run.VsBaseline
		}
	}
	if n.Latency == nil {
		return
	}
	sum := Value{}
	for _, l := range n.Layers {
		switch v := l.Seconds; {
		case v != nil:
			sum.Median, sum.Lo, sum.Hi, sum.Best = sum.Median+v.Median, sum.Lo+v.Lo, sum.Hi+v.Hi, sum.Best+v.Best
			sum.N, sum.Noisy = v.N, sum.Noisy || v.Noisy
		case l.Kind == "conv2d":
			return // a part of the sum is missing
		}
	}
	if sum.N == 0 {
		return
	}
	whole := n.Latency
	n.Convs = &sum
	n.Rest = &Value{Median: whole.Median - sum.Median, Lo: whole.Lo - sum.Hi, Hi: whole.Hi - sum.Lo, Best: whole.Best - sum.Best, N: whole.N, Noisy: whole.Noisy || sum.Noisy}
}
