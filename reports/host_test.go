package reports

import (
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"macroscope/bench"
	"macroscope/dtype"
	"macroscope/kernels"
	"macroscope/ptq"
	"macroscope/simhw/design"
)

// A prediction takes the clock from the float32 peak, and each layer from the
// design: half the peak is half the clock, and the same MACs a cycle.
func TestPredictHost(t *testing.T) {
	g, err := bench.LoadNetwork(defaultModel, dtype.Float32, ptq.Options{})
	if err != nil {
		t.Fatal(err)
	}
	networks := []*bench.Network{{DType: dtype.Float32, Graph: g}}
	r := &Report{Machine: []Setting{{"cpu-family", "AMD family 26 model 2"}},
		Kernels: []Kernel{{DType: dtype.Float32, Impl: "avx512", Peak: around(128, 1)}, {DType: dtype.Int8, Impl: "avx512vnni", Peak: around(512, 1)}},
		Convs:   []Measurement{{DType: dtype.Float32, Impl: "avx512", Case: "conv2", GMACs: around(64, 1)}, {DType: dtype.Float32, Impl: "avx2", Case: "conv3", GMACs: around(60, 1)}}}
	h, err := r.predictHost(networks)
	if err != nil || h == nil {
		t.Fatal(h, err)
	}
	if h.Design != "zen5" || h.ClockMHz != 4000 || len(h.Peaks) != 2 || len(h.Layers) != 1 {
		t.Fatalf("%+v", h)
	}
	p := h.Peaks[1]
	if median, best := p.Errors(); p.Predicted != 128 || math.Abs(float64(p.Median)-128) > 1e-9 || math.Abs(float64(median)) > 1e-9 || math.Abs(float64(best)) > 1e-9 {
		t.Errorf("peak of int8 %+v, errors %g and %g", p, median, best)
	}
	// conv2: 32×32 outputs of 288 products, of which 94²/96² are inside the image;
	// 32 MACs a cycle at most.
	l := h.Layers[0]
	if most := 32 * (96. * 96) / (94 * 94); l.Layer != "conv2" || !(l.Predicted > 0.9*most && l.Predicted < most) || math.Abs(float64(l.Median)-16) > 1e-9 {
		t.Errorf("%+v, want below %g", l, most)
	}
	// No peak, or another CPU: no prediction.
	r.Kernels = r.Kernels[1:]
	if h, err := r.predictHost(networks); h != nil || err != nil {
		t.Error(h, err)
	}
	for _, cpu := range []string{"AMD family 25 model 33", "AMD family 261 model 2", ""} {
		r.Machine[0].Value = cpu
		if d, err := r.hostDesign(); d != nil || err != nil {
			t.Errorf("%q: design %v, %v", cpu, d, err)
		}
	}
	r.Host = nil
	s := r.hostSection()
	if len(s.blocks) != 1 || !strings.Contains(s.blocks[0].text, "nothing is predicted") {
		t.Errorf("%+v", s)
	}
}

// Of a format with several kernels each is predicted by its own loop, where it was measured:
// conv4 is 64·576·64 products for each of 16×16 outputs, by AMX whole TDPBSSD.
func TestPredictHostSeveralKernels(t *testing.T) {
	g, err := bench.LoadNetwork(defaultModel, dtype.Int8, ptq.Options{})
	if err != nil {
		t.Fatal(err)
	}
	networks := []*bench.Network{{DType: dtype.Int8, Graph: g}}
	r := &Report{Machine: []Setting{{"cpu-family", "Intel family 6 model 143"}},
		Kernels: []Kernel{{DType: dtype.Float32, Impl: "avx512", Peak: around(96, 1)}, {DType: dtype.Int8, Impl: "avx512vnni", Peak: around(384, 1)}, {DType: dtype.Int8, Impl: "amxint8", Peak: around(3072, 1)}},
		Convs:   []Measurement{{DType: dtype.Int8, Impl: "avx512vnni", Case: "conv4", GMACs: around(300, 1)}, {DType: dtype.Int8, Impl: "amxint8", Case: "conv4", GMACs: around(2400, 1)}}}
	h, err := r.predictHost(networks)
	if err != nil || h == nil {
		t.Fatal(h, err)
	}
	if h.Design != "sapphire_rapids" || h.ClockMHz != 3000 || len(h.Peaks) != 3 || len(h.Layers) != 2 {
		t.Fatalf("%+v", h)
	}
	for i, c := range []struct {
		kernel      string
		peak, layer float64
		least, most float64
	}{{"avx512vnni", 128, 100, 1, 1.08}, {"amxint8", 1024, 800, 0.9, 1}} {
		peak, layer := h.Peaks[1+i], h.Layers[i]
		if peak.Kernel != c.kernel || peak.Predicted != c.peak || math.Abs(float64(peak.Best)-c.peak) > 1e-9 {
			t.Errorf("peak %+v, want %g by %s", peak, c.peak, c.kernel)
		}
		if of := layer.Predicted / c.peak; layer.Kernel != c.kernel || of < c.least || of > c.most || math.Abs(float64(layer.Median)-c.layer) > 1e-9 {
			t.Errorf("layer %+v, want %g to %g of %g by %s", layer, c.least, c.most, c.peak, c.kernel)
		}
	}
}

// Designs know the kernels by a list of names, since they are read on every
// architecture: it has all that this one has, and no more of this one's.
func TestDesignsKnowKernels(t *testing.T) {
	seen := map[dtype.DType][]string{}
	for _, k := range kernels.Table() {
		seen[k.DType()] = append(seen[k.DType()], k.Name())
	}
	for d, names := range seen {
		known := design.KernelNames(d)
		for _, name := range names {
			if !slices.Contains(known, name) {
				t.Errorf("%v: designs do not know %s", d, name)
			}
		}
	}
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" || len(seen[dtype.Int8]) == 1 {
		return // generic kernels alone
	}
	of := map[string]bool{"neon": true, "sve": true, "dotprod": true, "i8mm": true} // arm64's
	for _, d := range dtype.All {
		for _, name := range design.KernelNames(d) {
			if here := of[name] == (runtime.GOARCH == "arm64") || name == "generic"; here && !slices.Contains(seen[d], name) {
				t.Errorf("%v: designs know %s, which there is no more", d, name)
			}
		}
	}
}
