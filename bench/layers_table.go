package bench

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"macroscope/internal/table"
)

// LayerProfile is where the time of one network goes: what LayerCases measured of
// one format by one implementation.
type LayerProfile struct {
	DType, Impl string
	Algo        string // "winograd"; "" are the direct kernels
	Steps       []Row  // in the network's order
	Whole       Row
}

// LayerProfiles gathers the results of LayerCases; other results are left out.
func LayerProfiles(rows []Row) (list []LayerProfile) {
	for _, row := range rows {
		if !strings.HasPrefix(row.Name, layersOp) {
			continue
		}
		d, impl, algo := NameKey(row.Name, "dtype"), NameKey(row.Name, "impl"), NameKey(row.Name, "algo")
		if n := len(list); n == 0 || list[n-1].DType != d || list[n-1].Impl != impl || list[n-1].Algo != algo {
			list = append(list, LayerProfile{DType: d, Impl: impl, Algo: algo})
		}
		p := &list[len(list)-1]
		if NameKey(row.Name, "layer") == AllLayers {
			p.Whole = row
		} else {
			p.Steps = append(p.Steps, row)
		}
	}
	return list
}

// WriteLayers writes where the time goes as tables for people, one a network.
func WriteLayers(w io.Writer, results []Result) error {
	for i, p := range LayerProfiles(Summarize(results)) {
		if i > 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		if err := p.write(w); err != nil {
			return err
		}
	}
	return nil
}

func (p *LayerProfile) write(w io.Writer) error {
	whole, _ := p.Whole.Get("sec/op")
	by := p.Impl
	if p.Algo != "" {
		by += " and " + p.Algo
	}
	if _, err := fmt.Fprintf(w, "%s by %s, µs of one inference, medians of %d rounds\n\n", p.DType, by, whole.N); err != nil {
		return err
	}
	t := table.Table{Head: []string{"layer", "time", "share", "kernel", "epilogue", "pool", "packing", "GMAC/s", "%peak", "B moved", "GB/s"}}
	for i := range t.Head {
		t.Right = append(t.Right, i > 0)
	}
	var sum [5]float64
	for _, row := range p.Steps {
		sum[0] += median(row, "ns/op")
	}
	line := func(name string, row Row, times [5]float64) {
		cells := []string{name}
		for i, v := range times {
			cells = append(cells, micros(v))
			if i == 0 {
				cells = append(cells, fmt.Sprintf("%.1f%%", 100*v/sum[0]))
			}
		}
		for _, unit := range []string{GMACPerSecond, PercentOfPeak} {
			cell := ""
			if s, ok := row.Get(unit); ok {
				cell = s.Format(s.Median)
			}
			cells = append(cells, cell)
		}
		t.Add(append(cells, strconv.FormatFloat(median(row, BytesMoved), 'f', 0, 64), strconv.FormatFloat(median(row, "MB/s")/1e9, 'f', 2, 64))...)
	}
	for _, row := range p.Steps {
		times := [5]float64{median(row, "ns/op")}
		for i, unit := range []string{KernelTime, EpilogueTime, PoolTime, PackingTime} {
			times[i+1] = median(row, unit)
			sum[i+1] += times[i+1]
		}
		line(NameKey(row.Name, "layer"), row, times)
	}
	line("all steps", p.Whole, sum)
	if err := t.Text(w); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "\nwithout clocks between the steps: %s µs", micros(whole.Median)); err != nil {
		return err
	}
	if s, ok := p.Whole.Get(TimesPeakTime); ok {
		if _, err := fmt.Fprintf(w, ", %.2f times what its MACs take at their kernels' peaks", s.Median); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\n%s\n", p.Amdahl())
	return err
}

// Amdahl says what faster products could still bring.
func (p *LayerProfile) Amdahl() string {
	share, most := median(p.Whole, KernelPercent), median(p.Whole, MaxSpeedup)
	if !(most > 0) {
		return "kernels take no measurable time"
	}
	return fmt.Sprintf("kernel is %.1f%% of the time: an infinitely fast kernel would make the network %.2f times as fast at most", share, most)
}

// median is a row's median in a unit, 0 if it has none.
func median(row Row, unit string) float64 {
	s, _ := row.Get(unit)
	return s.Median
}

// micros shows seconds as µs, nothing where there are none.
func micros(seconds float64) string {
	if seconds == 0 {
		return ""
	}
	us := seconds * 1e6
	return strconv.FormatFloat(us, 'f', max(0, 2-max(0, int(math.Log10(us)))), 64)
}
