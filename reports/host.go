package reports

import (
	"fmt"

	"macroscope/bench"
	"macroscope/dtype"
	"macroscope/simhw"
	"macroscope/simhw/design"
)

// Host is the CPU that measured as a design of family vector: what its
// instructions, ports and kernels' loops let expect of each layer, beside what
// was measured.
type Host struct {
	Design string `json:"design"`
	// ClockMHz is what the measured float32 peak takes at the design's
	// multiplications a cycle: of the median and of the best run. No other
	// measurement enters a prediction.
	ClockMHz     float64     `json:"clock_mhz"`
	BestClockMHz float64     `json:"best_clock_mhz"`
	Peaks        []HostLayer `json:"peaks"`
	Layers       []HostLayer `json:"layers"`
	// Refused has the formats whose layers the design cannot predict, and why.
	Refused []string `json:"refused,omitempty"`
}

// HostLayer is one kernel's rate on a layer, or its peak, in multiply-accumulates
// a cycle. Padding counts, as everywhere, so that a layer can exceed the peak.
type HostLayer struct {
	Layer     string      `json:"layer"` // "" for a peak
	DType     dtype.DType `json:"dtype"`
	Kernel    string      `json:"kernel"`
	Predicted float64     `json:"predicted_mac_per_cycle"`
	Median    Float       `json:"median_mac_per_cycle"` // at the clock of the median peak
	Best      Float       `json:"best_mac_per_cycle"`   // at the clock of the best peak
}

// Errors are the relative errors of the prediction against the median and the
// best run.
func (l *HostLayer) Errors() (median, best Float) {
	return Float(l.Predicted)/l.Median - 1, Float(l.Predicted)/l.Best - 1
}

// hostDesign finds the shipped design of this CPU, nil if there is none.
func (r *Report) hostDesign() (*design.Design, error) {
	family := r.setting("cpu-family")
	for _, name := range design.Shipped() {
		d, err := design.Load(name)
		if err != nil {
			return nil, err
		}
		s := d.Spec()
		if s.Vector.IsCPU(family) {
			return &d, nil
		}
	}
	return nil, nil
}

// predictHost works the measured convolutions out on this CPU's design.
func (r *Report) predictHost(networks []*bench.Network) (*Host, error) {
	d, err := r.hostDesign()
	if d == nil || err != nil {
		return nil, err
	}
	s := d.Spec()
	peak := func(l *design.VectorLoop) *Value {
		for _, k := range r.Kernels {
			if k.DType == l.DType && k.Impl == l.Kernel && k.Peak != nil && k.Peak.Median > 0 {
				return k.Peak
			}
		}
		return nil
	}
	float := s.Vector.Loop(dtype.Float32)
	if float == nil || peak(float) == nil {
		return nil, nil
	}
	perCycle := func(l *design.VectorLoop) float64 {
		return float64(l.Lanes*l.Step) * s.Vector.Multiplies / (l.Multiplies * l.MultiplyCycles)
	}
	h := &Host{Design: s.Name}
	h.ClockMHz = float64(peak(float).Median) / perCycle(float) * 1e3
	h.BestClockMHz = float64(peak(float).Best) / perCycle(float) * 1e3
	rate := func(l HostLayer, gmacs *Value) HostLayer {
		l.Median, l.Best = gmacs.Median*1e3/Float(h.ClockMHz), gmacs.Best*1e3/Float(h.BestClockMHz)
		return l
	}
	model, err := simhw.New(d)
	if err != nil {
		return nil, err
	}
	for i := range s.Vector.LoopCount {
		loop := &s.Vector.Loops[i]
		if p := peak(loop); p != nil {
			h.Peaks = append(h.Peaks, rate(HostLayer{DType: loop.DType, Kernel: loop.Kernel, Predicted: perCycle(loop)}, p))
		}
		n := networkOf(networks, loop.DType)
		if n == nil {
			continue
		}
		w, err := n.Graph.Workload(loop.DType)
		if err != nil {
			h.Refused = append(h.Refused, fmt.Sprintf("%v: %v", loop.DType, err))
			continue
		}
		preferred := s
		preferred.Vector.Prefer(i)
		if err := model.Set(&preferred); err != nil {
			return nil, err
		}
		e, err := model.Evaluate(&w)
		if err != nil {
			h.Refused = append(h.Refused, fmt.Sprintf("%v: %v", loop.DType, err))
			continue
		}
		for _, l := range e.Layers {
			gmacs := r.layerRate(l.Name, loop.DType, loop.Kernel)
			if l.DType != loop.DType || gmacs == nil || l.Cycles == 0 {
				continue
			}
			h.Layers = append(h.Layers, rate(HostLayer{Layer: l.Name, DType: loop.DType, Kernel: loop.Kernel,
				Predicted: float64(l.MACs) / float64(l.Cycles)}, gmacs))
		}
	}
	return h, nil
}

// layerRate is how fast a layer was measured to be, alone or, of a user's network, among
// the others; nil if it was not.
func (r *Report) layerRate(layer string, d dtype.DType, impl string) *Value {
	for i := range r.Convs {
		if m := &r.Convs[i]; m.Case == layer && m.DType == d && m.Impl == impl {
			return m.GMACs
		}
	}
	n := r.Network(d, "")
	if len(r.Convs) > 0 || n == nil || n.Impl != impl {
		return nil
	}
	for i := range n.Steps {
		if st := &n.Steps[i]; st.Layer && st.DType == d && st.Name == bench.LayerName(layer) {
			return st.GMACs
		}
	}
	return nil
}
