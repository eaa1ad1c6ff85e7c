package simhw

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/simhw/streaming"
	"macroscope/workload"
)

// finnCNV is the network that design finn_cnv_pynq is made for.
func finnCNV() workload.Workload {
	conv := func(name string, d dtype.DType, side, in, out int) workload.Layer {
		return workload.Layer{Name: name, DType: d, H: side, W: side, C: in, OutC: out, KH: 3, KW: 3}
	}
	pool := func(name string, elements int64) workload.Layer {
		return workload.Layer{Name: name, Kind: workload.Other, Op: "maxpool", DType: dtype.Binary, Elements: elements}
	}
	dense := func(name string, in, out int64, bits int) workload.Layer {
		return workload.Layer{Name: name, Kind: workload.Gemm, DType: dtype.Binary, M: 1, N: out, K: in, OutBits: bits}
	}
	return workload.Workload{Name: "cnv", Layers: []workload.Layer{
		conv("conv1", dtype.Int8, 32, 3, 64), conv("conv2", dtype.Binary, 30, 64, 64), pool("pool1", 14*14*64),
		conv("conv3", dtype.Binary, 14, 64, 128), conv("conv4", dtype.Binary, 12, 128, 128), pool("pool2", 5*5*128),
		conv("conv5", dtype.Binary, 5, 128, 256), conv("conv6", dtype.Binary, 3, 256, 256),
		dense("dense1", 256, 512, 0), dense("dense2", 512, 512, 0), dense("dense3", 512, 10, 16)}}
}

// The design on its own network: the folding's cycles, the schedule's latency, pools in
// their place, and nothing allocated for a second estimate.
func TestStreamingOwnNetwork(t *testing.T) {
	d := load(t, "finn_cnv_pynq")
	w := finnCNV()
	m, err := New(&d)
	if err != nil {
		t.Fatal(err)
	}
	e, err := m.Evaluate(&w)
	if err != nil {
		t.Fatal(err)
	}
	want := []int64{32400, 28224, 980, 20736, 28800, 125, 20736, 18432, 32768, 32768, 1024}
	for i, l := range e.Layers {
		if l.Cycles != want[i] || l.Name != w.Layers[i].Name || l.ComputeCycles+l.FillDrainCycles != l.Cycles {
			t.Errorf("layer %d: %+v, want %d cycles", i, l, want[i])
		}
	}
	tot := &e.Total
	if tot.IntervalCycles != 32768 || tot.LatencyCycles != 148977 || tot.Cycles != tot.LatencyCycles || tot.ComputeCycles+tot.FillDrainCycles != tot.Cycles ||
		tot.TimeUS.Value != 1489.77 || tot.MACs != w.MACs() || len(e.UnmodelledLayers) != 0 || len(e.Warnings) != 0 {
		t.Errorf("total %+v, unmodelled %v, warnings %v", tot, e.UnmodelledLayers, e.Warnings)
	}
	// Energy: what the layers do, and the device's 113 mW while an image passes.
	parts, low, high := 0.0, 0.0, 0.0
	for _, l := range e.Layers {
		if !l.EnergyPJ.Known || !(l.Energy.LowPJ < l.EnergyPJ.Value && l.EnergyPJ.Value < l.Energy.HighPJ) {
			t.Errorf("%s: energy %+v", l.Name, l.Energy)
		}
		parts, low, high = parts+l.EnergyPJ.Value, low+l.Energy.LowPJ, high+l.Energy.HighPJ
	}
	const us = 1489.77
	for _, c := range []struct{ got, want float64 }{{tot.EnergyPJ.Value, parts + 113e3*us}, {tot.Energy.LowPJ, low + 103e3*us}, {tot.Energy.HighPJ, high + 226e3*us}, {tot.Energy.LeakagePJ, 113e3 * us}} {
		if math.Abs(c.got-c.want) > 1e-9*c.want {
			t.Errorf("energy of the total %v, want %v", c.got, c.want)
		}
	}
	s := d.Spec()
	s.Streaming.Fabric = design.Fabric{}
	bare, err := design.New(s)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := Evaluate(&bare, &w); err != nil || e.Total.EnergyPJ.Known || e.Layers[0].EnergyPJ.Known || e.Total.NotModelled[0] != "energy" {
		t.Errorf("energy without prices: %+v, %v", e.Total.EnergyPJ, err)
	}
	// 64·27·900 products of the first layer and 57906176 of ±1, on 48 + 1024 + 512 + 512 +
	// 128 + 32 + 4 + 8 + 5 lanes.
	if want := (64*27*900 + 57906176.0) / 32768 / 2273; math.Abs(tot.Utilization-want) > 1e-12 {
		t.Errorf("utilization %v, want %v", tot.Utilization, want)
	}
	if tot.DRAM.Bytes != 32*32*3+20 {
		t.Errorf("%d bytes, want an image's and ten sums'", tot.DRAM.Bytes)
	}
	if n := testing.AllocsPerRun(5, func() {
		if err := m.EvaluateInto(&e, &w); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// With FIFOs as deep as a design's are said to be the stepped machine has the estimate's
// times; the largest one holds what waits for the slowest engines. Other families have none.
func TestStreamingFIFOs(t *testing.T) {
	d := load(t, "finn_cnv_pynq")
	w := finnCNV()
	m, err := New(&d)
	if err != nil {
		t.Fatal(err)
	}
	fifos, err := m.FIFOs(&w)
	if err != nil {
		t.Fatal(err)
	}
	p := &m.machine.(*streamingMachine).pipe
	if len(fifos) != len(p.Units)-1 || fifos[0] != (FIFO{"conv1", "source", 2, 24}) {
		t.Fatalf("%d FIFOs, %+v first", len(fifos), fifos[0])
	}
	depths := make([]int64, len(p.Units))
	for i, f := range fifos {
		if depths[i] = f.Words; f.WordBits < 1 || f.Unit != p.Units[i].Kind.String() {
			t.Errorf("%+v", f)
		}
	}
	machine, err := streaming.NewMachine(p, nil, depths)
	if err != nil {
		t.Fatal(err)
	}
	images := [][]int32{make([]int32, 32*32*3), make([]int32, 32*32*3)}
	r, err := machine.Run(images, 0)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := m.Evaluate(&w); err != nil || r.Done[0] != e.Total.LatencyCycles || r.Done[1]-r.Done[0] != e.Total.IntervalCycles {
		t.Errorf("the machine is done in cycles %d, the estimate says %d and %d later, %v", r.Done, e.Total.LatencyCycles, e.Total.IntervalCycles, err)
	}
	if note := fifoNote(fifos); !strings.HasPrefix(note, fmt.Sprintf("FIFOs: %d of ", len(fifos))) {
		t.Error(note)
	}
	large := workload.Workload{Name: "large", Layers: []workload.Layer{{Name: "conv", DType: dtype.Int8, H: 1500, W: 1500, C: 1, OutC: 1, KH: 1, KW: 1}}}
	if _, err := m.FIFOs(&large); err == nil || !strings.Contains(err.Error(), "2097152 at most") {
		t.Errorf("a large image: %v", err)
	}
	other := load(t, "array32")
	if m, err = New(&other); err != nil {
		t.Fatal(err)
	}
	if fifos, err := m.FIFOs(&w); fifos != nil || err != nil {
		t.Errorf("an array's FIFOs: %v, %v", fifos, err)
	}
}

// Any other network gets the best folding of as many lanes, which the estimate says;
// more lanes never make it slower.
func TestStreamingOtherNetwork(t *testing.T) {
	d := load(t, "finn_cnv_pynq")
	w := cifar(t, dtype.Int8)
	e, err := Evaluate(&d, &w)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Warnings) != 1 || !strings.Contains(e.Warnings[0], "another network") || e.Total.LatencyCycles <= e.Total.IntervalCycles {
		t.Errorf("%+v, warnings %v", e.Total, e.Warnings)
	}
	lanes := int64(0)
	for _, l := range e.Layers {
		lanes += l.PE * l.SIMD
		if l.Cycles > e.Total.IntervalCycles || l.Utilization > 1 || l.Cycles*l.PE*l.SIMD < l.MACs {
			t.Errorf("%+v", l)
		}
	}
	if want := "the design's 9 engines are for another network than this (7 layers with weights)"; !strings.HasPrefix(e.Warnings[0], want) {
		t.Errorf("warning %q, want %q", e.Warnings[0], want)
	}
	own := finnCNV()
	own.Layers[1].OutC = 65
	own.Layers[2].Elements, own.Layers[3].C = 14*14*65, 65
	if e, err := Evaluate(&d, &own); err != nil || len(e.Warnings) != 1 || !strings.Contains(e.Warnings[0], `(layer "conv2": PE 32: want a divisor of its 65 output channels)`) {
		t.Errorf("error %v, warnings %v", err, e.Warnings)
	}
	if s := d.Spec(); lanes > s.Streaming.AllLanes() {
		t.Errorf("%d lanes of %d", lanes, s.Streaming.AllLanes())
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	before := int64(math.MaxInt64)
	for n := 8; n < 100000; n += 1 + rnd.IntN(n) {
		s := design.Spec{Name: "s", Family: design.FamilyStreaming, ClockMHz: 100, Streaming: design.Streaming{Lanes: n}}
		d, err := design.New(s)
		if err != nil {
			t.Fatal(err)
		}
		e, err := Evaluate(&d, &w)
		if err != nil {
			t.Fatal(err)
		}
		if e.Total.IntervalCycles > before {
			t.Errorf("%d lanes: interval %d, fewer have %d", n, e.Total.IntervalCycles, before)
		}
		before = e.Total.IntervalCycles
	}
}

func TestStreamingRefuses(t *testing.T) {
	d := load(t, "finn_cnv_pynq")
	w := workload.Workload{Name: "w", Layers: []workload.Layer{{Name: "dw", DType: dtype.Int8, H: 8, W: 8, C: 8, OutC: 8, KH: 3, KW: 3, Groups: 8}}}
	if _, err := Evaluate(&d, &w); err == nil || !strings.Contains(err.Error(), `design finn_cnv_pynq: layer "dw": a streaming pipeline has no groups`) {
		t.Error(err)
	}
	big := workload.Workload{Name: "w", Layers: []workload.Layer{{Name: "big", DType: dtype.Int8, H: 5000, W: 5000, C: 1, OutC: 1, KH: 3, KW: 3}}}
	if _, err := Evaluate(&d, &big); err == nil || !strings.Contains(err.Error(), `layer "big" passes on 25000000 words for an image`) {
		t.Error(err)
	}
	if _, err := design.New(design.Spec{Name: "s", Family: design.FamilyStreaming, ClockMHz: 1}); err == nil || !strings.Contains(err.Error(), "lanes is missing: want it, or engines") {
		t.Error(err)
	}
}

// On random chains and budgets: products conserved, parts that sum, nothing better than
// its lanes, a latency that holds every layer's products (but where a pool leaves out an
// image's last row).
func TestStreamingProperties(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 2))
	for range 300 {
		h, w, c := 4+rnd.IntN(20), 4+rnd.IntN(20), 1+rnd.IntN(12)
		net, cut := workload.Workload{Name: "r"}, false
		for range 1 + rnd.IntN(4) {
			d := []dtype.DType{dtype.Int8, dtype.Binary}[rnd.IntN(2)]
			k := 1 + rnd.IntN(min(3, h, w))
			l := workload.Layer{Name: "c", DType: d, H: h, W: w, C: c, OutC: 1 + rnd.IntN(24), KH: k, KW: k, PadTop: rnd.IntN(k), PadLeft: rnd.IntN(k)}
			net.Layers = append(net.Layers, l)
			oh, ow := l.OutSize()
			h, w, c = int(oh), int(ow), l.OutC
			if h >= 2 && w >= 2 && rnd.IntN(3) == 0 {
				cut = cut || h%2 > 0
				h, w = h/2, w/2
				net.Layers = append(net.Layers, workload.Layer{Name: "p", Kind: workload.Other, Op: "maxpool", DType: d, Elements: int64(h * w * c)})
			}
		}
		s := design.Spec{Name: "s", Family: design.FamilyStreaming, ClockMHz: 50 + 200*rnd.Float64(), Streaming: design.Streaming{Lanes: 8 + rnd.IntN(4000), EnginePipelineCycles: rnd.IntN(9)}}
		d, err := design.New(s)
		if err != nil {
			t.Fatal(err)
		}
		e, err := Evaluate(&d, &net)
		if err != nil {
			t.Fatalf("%+v: %v", net.Layers, err)
		}
		lanes, slowest := int64(0), int64(0)
		for _, l := range e.Layers {
			lanes += l.PE * l.SIMD
			slowest = max(slowest, l.Cycles)
			if l.ComputeCycles+l.FillDrainCycles != l.Cycles || l.Cycles*l.PE*l.SIMD < l.MACs || l.Utilization > 1 || l.Cycles < 1 {
				t.Fatalf("%+v of %+v", l, net.Layers)
			}
			if !cut && e.Total.LatencyCycles < l.ComputeCycles {
				t.Fatalf("latency %d, layer %+v", e.Total.LatencyCycles, l)
			}
		}
		tot := &e.Total
		if tot.MACs != net.MACs() || lanes > int64(s.Streaming.Lanes) || tot.IntervalCycles != slowest || tot.ComputeCycles+tot.FillDrainCycles != tot.Cycles ||
			!(tot.Utilization > 0 && tot.Utilization <= 1) || math.Abs(tot.TimeUS.Value*s.ClockMHz-float64(tot.LatencyCycles)) > 1e-6*float64(tot.LatencyCycles) {
			t.Fatalf("%+v of %+v on %d lanes", tot, net.Layers, s.Streaming.Lanes)
		}
		// A pipeline waits for nothing that has a clock of its own.
		s.ClockMHz *= 1 + rnd.Float64()
		if d, err = design.New(s); err != nil {
			t.Fatal(err)
		}
		f, err := Evaluate(&d, &net)
		if err != nil || f.Total.LatencyCycles != tot.LatencyCycles || f.Total.IntervalCycles != tot.IntervalCycles || f.Total.TimeUS.Value >= tot.TimeUS.Value {
			t.Fatalf("with a faster clock %+v, %v, without %+v", f.Total, err, tot)
		}
	}
}

// Variants of a design without engines of its own, each with another folding, are
// evaluated without allocation.
func TestFoldingsAllocateNothing(t *testing.T) {
	w := cifar(t, dtype.Int8)
	s := design.Spec{Name: "s", Family: design.FamilyStreaming, ClockMHz: 100, Streaming: design.Streaming{Lanes: 1000}}
	d, err := design.New(s)
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(&d)
	if err != nil {
		t.Fatal(err)
	}
	var e Estimate
	run := func() {
		s.Streaming.Lanes = 1000 + (s.Streaming.Lanes+700)%3000
		if err := m.Set(&s); err != nil {
			t.Fatal(err)
		}
		if err := m.EvaluateInto(&e, &w); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		run()
	}
	if n := testing.AllocsPerRun(8, run); n != 0 {
		t.Errorf("%v allocations a variant", n)
	}
	// One whose engines are for another network says so each time, in the same words.
	f := load(t, "finn_cnv_pynq")
	if m, err = New(&f); err != nil {
		t.Fatal(err)
	}
	other := func() {
		if err := m.EvaluateInto(&e, &w); err != nil || len(e.Warnings) != 1 || !strings.Contains(e.Warnings[0], "another network") {
			t.Fatalf("%v, warnings %q", err, e.Warnings)
		}
	}
	other()
	if n := testing.AllocsPerRun(8, other); n != 0 {
		t.Errorf("%v allocations for a network that the engines do not fit", n)
	}
}
