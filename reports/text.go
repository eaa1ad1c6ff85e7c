package reports

import (
	"fmt"
	"io"
	"strings"

	"macroscope/dtype"
	"macroscope/internal/table"
)

// WriteSummary writes one screen: the formats on this CPU, the designs.
func (r *Report) WriteSummary(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s on this CPU, %s\n\n", r.name(), r.measuredAs()); err != nil {
		return err
	}
	t := table.Table{
		Head:  []string{"format", "kernels", "size", "accuracy", "latency, µs", "images/s", "over float32", "over " + r.Baseline},
		Right: []bool{2: true, 3: true, 4: true, 5: true, 6: true, 7: true},
	}
	for i := range r.Networks {
		n := &r.Networks[i]
		t.Add(n.title(), n.Impl, size(n.WeightBytes), n.Accuracy.short(), n.Latency.withCI(micro), n.PerSecond.median(1), n.VsFloat.or(n.DType == dtype.Float32), n.VsBaseline.or(n.Timed() && n.Impl == r.Baseline))
	}
	r.leaveOut(&t)
	if err := t.Text(w); err != nil {
		return err
	}
	about := []string{fmt.Sprintf("accuracy on %s images", count(r.Images.Count))}
	if r.Images.Count == 0 {
		about = nil
	}
	about = append(append(about, r.filtered()...), r.gaps()...)
	if _, err := fmt.Fprintf(w, "\n%s\n\nThe same on accelerators (analytical model, batch 1; gain over this CPU's latency)\n\n", strings.Join(about, "\n")); err != nil {
		return err
	}
	t = table.Table{
		Head:  []string{"design", "format", "cycles", "latency, µs", "images/s", "µJ/image", "utilization", "gain"},
		Right: []bool{2: true, 3: true, 4: true, 5: true, 6: true, 7: true},
	}
	for _, d := range r.Designs {
		for i := range d.Estimates {
			e := &d.Estimates[i]
			if e.Detail == nil {
				continue
			}
			t.Add(append([]string{d.Name}, e.summary()...)...)
		}
	}
	if err := t.Text(w); err != nil {
		return err
	}
	if note := r.partialNote(); note != "" {
		if _, err := fmt.Fprintf(w, "\n%s\n", note); err != nil {
			return err
		}
	}
	return nil
}
