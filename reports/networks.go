package reports

import (
	"slices"

	"macroscope/bench"
	"macroscope/dtype"
	"macroscope/graph"
)

// perTensor are int8 weights with one scale a layer.
const perTensor = bench.PerTensor

// Missing is a format in which there is no network.
type Missing struct {
	DType  dtype.DType `json:"dtype"`
	Reason string      `json:"reason"`
}

// hasBatchNorm says whether a network still has its batch norms.
func hasBatchNorm(g *graph.Graph) bool {
	return slices.ContainsFunc(g.Nodes, func(n *graph.Node) bool { _, ok := n.Op.(*graph.BatchNorm); return ok })
}

// main says whether n is the first network of its format, which is the one that is timed.
func (r *Report) main(n *Network) bool { return n == r.Network(n.DType, "") }

// formats are those in which there is a network or an estimate of one.
func (r *Report) formats() (list []dtype.DType) {
	for _, d := range dtype.All {
		estimated := func(a Design) bool {
			return slices.ContainsFunc(a.Estimates, func(e Estimate) bool { return e.DType == d })
		}
		if r.Network(d, "") != nil || slices.ContainsFunc(r.Designs, estimated) {
			list = append(list, d)
		}
	}
	return list
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
	for _, p := range plans {
		n := Network{
			DType: p.DType, Weights: p.Weights, Params: p.Graph.Params(), MACs: p.Plan.MACs(), WeightBytes: p.Plan.WeightBytes(),
			Impl: r.chosen(p.DType), Uncalibrated: p.Uncalibrated,
		}
		for _, l := range p.Plan.Layers() {
			n.Layers = append(n.Layers, Layer{
				Name: l.Name, Kind: l.Kind, DType: l.DType, Impl: l.Impl, Fused: l.Fused, MACs: l.MACs, WeightBytes: l.WeightBytes,
			})
		}
		if r.Network(n.DType, "") == nil {
			n.time(r.Runs)
			n.profile(m)
		}
		r.Networks = append(r.Networks, n)
	}
}

// markUsual notes which runs by minimal filtering are what package nn does by itself. It
// needs r.Kernels and r.Runs.
func (r *Report) markUsual(plans []*bench.Network) error {
	for i := range r.Runs {
		run := &r.Runs[i]
		at := slices.IndexFunc(plans, func(p *bench.Network) bool { return p.DType == run.DType })
		if run.Algo == "" || run.Impl != r.chosen(run.DType) || at < 0 {
			continue
		}
		var err error
		if run.Usual, err = plans[at].FiltersByDefault(); err != nil {
			return err
		}
	}
	return nil
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
				if bench.LayerName(l.Name) == st.Name {
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
