package reports

import (
	"strings"

	"macroscope/bench"
	"macroscope/dtype"
)

// measured finds cases by their names.
type measured struct{ rows []bench.Row }

func (m measured) find(name string) bench.Row {
	for _, row := range m.rows {
		if row.Name == name {
			return row
		}
	}
	return bench.Row{}
}

// caseName is a benchmark's name.
func caseName(op string, d dtype.DType, impl, rest string) string {
	return "Benchmark" + op + "/dtype=" + d.String() + "/impl=" + impl + rest
}

// seconds is a case's time, nil if it was not measured.
func (m measured) seconds(op string, d dtype.DType, impl, rest string) *Value {
	return newValue(m.find(caseName(op, d, impl, rest)), "ns/op", 1)
}

func describeKernels(infos []bench.KernelInfo, m measured) (kernels []Kernel) {
	for _, k := range infos {
		kernels = append(kernels, Kernel{
			DType: k.DType, Impl: k.Impl, TileRows: k.TileRows, TileCols: k.TileCols, Needs: k.Needs,
			Available: k.Available, Chosen: k.Chosen, Reason: k.Reason,
			Peak: newValue(m.find(caseName("Peak", k.DType, k.Impl, "")), bench.GMACPerSecond, 1),
		})
	}
	return kernels
}

// measurement is a case of one implementation held against the baseline's.
func (m measured) measurement(k bench.KernelInfo, op, rest, title string) (Measurement, bool) {
	row := m.find(caseName(op, k.DType, k.Impl, rest))
	if row.Name == "" {
		return Measurement{}, false
	}
	x := Measurement{
		DType: k.DType, Impl: k.Impl, Case: title,
		Seconds: newValue(row, "ns/op", 1),
		GMACs:   newValue(row, bench.GMACPerSecond, 1),
		Peak:    newValue(row, bench.PercentOfPeak, 1),
	}
	if k.Impl != baseline {
		x.Speedup = newRatio(m.seconds(op, k.DType, baseline, rest), x.Seconds)
	}
	return x, true
}

// The titles of the cases of ops.
const (
	dotTitle  = "dot n=4096"
	gemmTitle = "gemm 256×256×256"
)

func (m measured) ops(kernels []bench.KernelInfo) (list []Measurement) {
	for _, c := range []struct{ op, rest, title string }{{"Dot", dotCase, dotTitle}, {"Gemm", gemmCase, gemmTitle}} {
		for _, k := range kernels {
			if x, ok := m.measurement(k, c.op, c.rest, c.title); ok {
				list = append(list, x)
			}
		}
	}
	return list
}

// convs lists the layers in the network's order, formats within a layer.
func (m measured) convs(kernels []bench.KernelInfo) (list []Measurement) {
	var layers []string
	seen := map[string]bool{}
	for _, row := range m.rows {
		if layer := bench.NameKey(row.Name, "layer"); layer != "" && !seen[layer] && strings.HasPrefix(row.Name, "BenchmarkConv/") {
			seen[layer] = true
			layers = append(layers, layer)
		}
	}
	for _, layer := range layers {
		for _, k := range kernels {
			if x, ok := m.measurement(k, "Conv", "/layer="+layer+"/batch=1", layer); ok {
				list = append(list, x)
			}
		}
	}
	return list
}

// runs are the whole networks that were timed.
func (m measured) runs(kernels []bench.KernelInfo) (runs []Run) {
	var float *Value // by the chosen kernels
	for _, k := range kernels {
		if k.DType == dtype.Float32 && k.Chosen {
			float = m.seconds("Network", k.DType, k.Impl, "/batch=1")
		}
	}
	for _, k := range withTuned(kernels) {
		for _, algo := range []string{"", bench.WinogradAlgo} {
			if r := m.run(k, algo, float); r != nil {
				runs = append(runs, *r)
			}
		}
	}
	return runs
}

// run is a whole network by an implementation, nil if it was not timed.
func (m measured) run(k bench.KernelInfo, algo string, float *Value) *Run {
	rest := ""
	if algo != "" {
		rest = "/algo=" + algo
	}
	one := m.find(caseName("Network", k.DType, k.Impl, "/batch=1"+rest))
	if one.Name == "" {
		return nil
	}
	r := &Run{
		DType: k.DType, Impl: k.Impl, Algo: algo, Chosen: k.Chosen && algo == "",
		Latency:    newValue(one, "ns/op", 1),
		GMACs:      newValue(one, bench.GMACPerSecond, 1),
		Peak:       newValue(one, bench.PercentOfPeak, 1),
		PerSecond:  newValue(one, bench.ImagesPerSecond, 1),
		PerImage64: newValue(m.find(caseName("Network", k.DType, k.Impl, "/batch=64"+rest)), "ns/op", 1.0/64),
	}
	if k.Impl != baseline || algo != "" {
		r.VsBaseline = newRatio(m.seconds("Network", k.DType, baseline, "/batch=1"), r.Latency)
	}
	if k.DType != dtype.Float32 || !r.Chosen {
		r.VsFloat = newRatio(float, r.Latency)
	}
	if algo != "" {
		r.VsDirect = newRatio(m.seconds("Network", k.DType, k.Impl, "/batch=1"), r.Latency)
	}
	return r
}

// withTuned adds to each format what is no implementation but picks one for each
// layer.
func withTuned(kernels []bench.KernelInfo) (list []bench.KernelInfo) {
	for i, k := range kernels {
		list = append(list, k)
		if i+1 == len(kernels) || kernels[i+1].DType != k.DType {
			list = append(list, bench.KernelInfo{DType: k.DType, Impl: bench.TunedImpl})
		}
	}
	return list
}

// The cases that are measured on two threads, as they are told of.
var sharedCases = []struct{ title, op, rest string }{
	{"peak", "Peak", ""},
	{"batch of 1", "Network", "/batch=1"},
	{"batch of 64", "Network", "/batch=64"},
}

// shared are the cases on two threads; each was timed in turn with one thread.
func (m measured) shared(kernels []bench.KernelInfo) (list []Shared) {
	for _, k := range kernels {
		for _, c := range sharedCases {
			row := m.find(caseName(c.op, k.DType, k.Impl, c.rest+"/threads=2"))
			if x := newValue(row, bench.TimesOneThread, 1); x != nil {
				list = append(list, Shared{DType: k.DType, Impl: k.Impl, Case: c.title, Seconds: newValue(row, "ns/op", 1), Times: x})
			}
		}
	}
	return list
}
