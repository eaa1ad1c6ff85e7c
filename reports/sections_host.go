package reports

import "fmt"

// hostSection is the measured CPU by the simulator's model of it.
func (r *Report) hostSection() section {
	s := section{id: "host", title: "This CPU, predicted and measured"}
	h := r.Host
	if h == nil {
		s.text("No shipped design describes this CPU (%s), or its float32 peak was not measured: nothing is predicted. A design of family vector with a key “cpu” and the kernels' loops would be.", orNone(r.setting("cpu-family")))
		return s
	}
	s.text("The design %s says what a cycle of this core can do and which instructions the kernels' innermost loops have; “macroscope designs %s” shows its numbers and their sources. From the measurements a prediction takes the clock alone, %s MHz (%s MHz in the best run): that at which the design does the float32 peak measured here. Rates are MACs a cycle; MACs count padding, which the kernels leave out in part and the model entirely, so that layers can exceed the peak. On a machine that does other things the clock is what is left of it; medians then compare better than best runs, each of which met another rest.",
		h.Design, h.Design, digits(h.ClockMHz), digits(h.BestClockMHz))
	g := newGrid("Peaks and layers on this CPU: predicted, and measured ("+r.measuredAs()+")", 3, "", "format", "kernel", "predicted, MAC/cycle", "median, MAC/cycle", "best, MAC/cycle", "prediction over median", "over best")
	for _, list := range [][]HostLayer{h.Peaks, h.Layers} {
		for _, l := range list {
			name := l.Layer
			if name == "" {
				name = "peak"
			}
			median, best := l.Errors()
			g.add(l.Layer == "", name, l.DType.String(), l.Kernel, digits(l.Predicted), known(l.Median), known(l.Best), percentError(median), percentError(best))
		}
	}
	s.grid(g)
	for _, reason := range h.Refused {
		s.text("No layers of %s.", reason)
	}
	return s
}

func orNone(s string) string {
	if s == "" {
		return "of no known family"
	}
	return s
}

// known shows a number that may be unknown.
func known(f Float) string {
	if !f.known() {
		return absent
	}
	return digits(float64(f))
}

func percentError(f Float) string {
	if !f.known() {
		return absent
	}
	return fmt.Sprintf("%+.1f %%", 100*float64(f))
}
