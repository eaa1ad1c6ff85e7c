package reports

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"macroscope/bench"
	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/simhw"
	"macroscope/simhw/design"
)

// simulate evaluates every format that there is on every shipped design: also int8 where
// there is a float32 network alone, since shapes are all that it takes. A design that
// cannot compute a format or a layer says so in that estimate.
func simulate(ctx context.Context, networks []*bench.Network, progress Progress) ([]Design, error) {
	var list []Design
	for _, name := range design.Shipped() {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		progress(0, progressSteps, "simulating "+name)
		d, err := design.Load(name)
		if err != nil {
			return nil, err
		}
		s := d.Spec()
		entry := Design{
			Name: s.Name, Description: s.Description, Family: s.Family.String(), Structure: s.Structure(),
			ClockMHz: s.ClockMHz, NodeNM: s.TechnologyNM, Sourced: d.Sourced(), Assumed: d.Assumed(),
		}
		for _, v := range d.Values() {
			source := v.Source
			switch {
			case v.Key == "name" || v.Key == "description":
				continue
			case !slices.Contains(entry.Assumed, v.Key): // it has a source, or needs none
			case source == "" && v.Line == 0:
				source = "assumed: default"
			case source == "":
				source = "assumed: no source given"
			}
			entry.Values = append(entry.Values, DesignValue{v.Key, v.Text, source})
		}
		for _, format := range dtype.All {
			n := networkOf(networks, format)
			if n == nil && format == dtype.Int8 {
				n = networkOf(networks, dtype.Float32)
			}
			if n == nil {
				continue
			}
			e := Estimate{DType: format}
			if e.Refused = cannot(&s, format, n); e.Refused == "" {
				if err := e.evaluate(&d, n.Graph); err != nil {
					e.Refused = strings.TrimPrefix(err.Error(), "design "+s.Name+": ")
				}
			}
			entry.Estimates = append(entry.Estimates, e)
		}
		list = append(list, entry)
	}
	return list, nil
}

// networkOf is the first network of a format.
func networkOf(networks []*bench.Network, d dtype.DType) *bench.Network {
	for _, n := range networks {
		if n.DType == d {
			return n
		}
	}
	return nil
}

// cannot says which format of the network's layers, in the format d, a design has no unit
// for, "" if it has all.
func cannot(s *design.Spec, d dtype.DType, n *bench.Network) string {
	for _, l := range n.Plan.Layers() {
		need := l.DType
		if n.DType != d { // to be computed in d
			need = d
		}
		if _, ok := s.Unit(need, 0); !ok {
			return "no " + need.String() + " unit"
		}
	}
	return ""
}

func (e *Estimate) evaluate(d *design.Design, g *graph.Graph) error {
	w, err := g.Workload(e.DType)
	if err != nil {
		return err
	}
	est, err := simhw.Evaluate(d, &w)
	if err != nil {
		return err
	}
	e.Detail, e.Notes = &est, est.Notes()
	return nil
}

// compareDesigns holds the estimates against the measured CPU.
func (r *Report) compareDesigns() {
	for i := range r.Designs {
		for j := range r.Designs[i].Estimates {
			e := &r.Designs[i].Estimates[j]
			cpu := r.timed(e.DType)
			if e.Detail == nil || !e.Detail.Total.TimeUS.Known || cpu == nil {
				continue
			}
			e.Gain, e.CPUImpl = newRatio(cpu, exact(e.Detail.Total.TimeUS.Value/1e6)), r.chosen(e.DType)
		}
	}
}

// partial lists what the total leaves out.
func (e *Estimate) partial() []string {
	if e.Detail == nil || !e.Detail.Total.Partial {
		return nil
	}
	left := append([]string(nil), e.Detail.Total.NotModelled...)
	kinds := map[string]int{}
	var order []string
	for _, l := range e.Detail.UnmodelledLayers {
		if kinds[l.Op]++; kinds[l.Op] == 1 {
			order = append(order, l.Op)
		}
	}
	for _, op := range order {
		left = append(left, fmt.Sprintf("%d × %s", kinds[op], op))
	}
	return left
}
