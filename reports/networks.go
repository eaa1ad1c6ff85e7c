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
			})
		}
		if v.weights != perTensor {
			n.time(r.Runs)
			n.profile(m)
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

// time takes over the network's own run.
func (n *Network) time(runs []Run) {
	for _, run := range runs {
		if run.DType == n.DType && run.Chosen {
			n.Latency, n.PerImage64, n.PerSecond = run.Latency, run.PerImage64, run.PerSecond
			n.VsFloat, n.VsBaseline = run.VsFloat, run.VsBaseline
		}
	}
}

// profile takes over where the network's time goes.
func (n *Network) profile(m measured) {
	for _, p := range bench.LayerProfiles(m.rows) {
		if p.DType != n.DType.String() || p.Impl != n.Impl || p.Algo != "" {
			continue
		}
		n.KernelPart, n.MaxSpeedup = newValue(p.Whole, bench.KernelPercent, 1), newValue(p.Whole, bench.MaxSpeedup, 1)
		n.TimesPeak = newValue(p.Whole, bench.TimesPeakTime, 1)
		for _, row := range p.Steps {
			st := Step{
				Name: bench.NameKey(row.Name, "layer"), DType: n.DType,
				Seconds: newValue(row, "ns/op", 1), Kernel: newValue(row, bench.KernelTime, 1), Epilogue: newValue(row, bench.EpilogueTime, 1),
				Pool: newValue(row, bench.PoolTime, 1), Packing: newValue(row, bench.PackingTime, 1),
				GMACs: newValue(row, bench.GMACPerSecond, 1), Peak: newValue(row, bench.PercentOfPeak, 1),
				Moved: newValue(row, bench.BytesMoved, 1), PerSec: newValue(row, "MB/s", 1),
			}
			for _, l := range n.Layers {
				if l.Name == st.Name {
					st.DType, st.Layer = l.DType, true
				}
			}
			n.Steps = append(n.Steps, st)
		}
	}
}

// stepsSeconds is the sum of the steps' medians.
func (n *Network) stepsSeconds() (sum float64) {
	for _, st := range n.Steps {
		if st.Seconds != nil {
			sum += float64(st.Seconds.Median)
		}
	}
	return sum
}
