package simhw

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/simhw/golden"
	"macroscope/simhw/memory"
	"macroscope/workload"
)

func cifar(t testing.TB, d dtype.DType) workload.Workload {
	t.Helper()
	w, err := workload.LoadSCALESim("golden/topologies/cifar10_cnn.csv")
	if err != nil {
		t.Fatal(err)
	}
	return w.WithDType(d)
}

func load(t testing.TB, name string) design.Design {
	t.Helper()
	d, err := design.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A dense layer of 2 rows, 2 outputs and K = 4 on a 2×2 output-stationary
// array at 1 GHz with 1 GB/s (one byte a cycle), int8, by hand.
//
//	cycles   one fold, T+R+C−2 = 4+2+2−2 = 6: 4 compute, 2 fill and drain;
//	         before it 8 inputs + 8 weights = 16 cycles of prefetch, after it
//	         4 outputs = 4 cycles of write-back
//	MACs     16; utilization 16/(26·4)
//	buffers  8 inputs and 8 weights read, 4 sums written
//	energy at 45 nm, 0.9 V:
//	  MAC       16·(0.2 + 0.1) = 4.8 pJ
//	  SRAM of 8 KiB: 10/64 pJ a bit; inputs (8 out + 8 in)·8 = 128 bits,
//	            20 pJ, weights likewise, sums (4 in + 4 out)·32 = 256 bits, 40 pJ
//	  DRAM      20 words of 8 bits at 8 pJ a bit: 1280 pJ
func TestByHand(t *testing.T) {
	s := design.Spec{Name: "hand", TechnologyNM: 45, VoltageV: 0.9, ClockMHz: 1000, Systolic: design.Systolic{Dataflow: design.OS,
		Array:   design.Array{Rows: 2, Cols: 2, MACsPerPEPerCycle: design.ByFormat{0, 1, 0}, AccumulatorBits: design.ByFormat{0, 32, 0}},
		Buffers: design.Buffers{IfmapKiB: 8, FilterKiB: 8, OfmapKiB: 8}}, DRAM: design.DRAM{BandwidthGBs: 1, EnergyPJPerBit: 8}}
	d, err := design.New(s)
	if err != nil {
		t.Fatal(err)
	}
	w := workload.Workload{Name: "w", Layers: []workload.Layer{{Name: "fc", Kind: workload.Gemm, M: 2, N: 2, K: 4, DType: dtype.Int8}}}
	e, err := Evaluate(&d, &w)
	if err != nil {
		t.Fatal(err)
	}
	l := e.Layers[0]
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"macs", float64(l.MACs), 16}, {"cycles", float64(l.Cycles), 26}, {"compute", float64(l.ComputeCycles), 4},
		{"fill and drain", float64(l.FillDrainCycles), 2}, {"stall", float64(l.StallCycles), 4}, {"prefetch", float64(l.PrefetchCycles), 16},
		{"write-back", float64(l.Stalls[memory.WriteBack]), 4}, {"utilization", l.Utilization, 16.0 / 104}, {"mapping", l.MappingEfficiency, 1},
		{"ifmap reads", float64(l.SRAM.IfmapReads), 8}, {"filter reads", float64(l.SRAM.FilterReads), 8}, {"ofmap writes", float64(l.SRAM.OfmapWrites), 4},
		{"dram bytes", float64(l.DRAM.Bytes), 20}, {"unique bytes", float64(l.UniqueBytes), 20}, {"µs", l.TimeUS.Value, 0.026},
		{"roofline", float64(l.Roofline.Cycles()), 20}, {"of compute", float64(l.Roofline.ComputeCycles), 4},
		{"share", l.Roofline.Share(l.Cycles), 20. / 26}, {"mac pJ", l.Energy.MACPJ, 4.8}, {"ifmap pJ", l.Energy.IfmapSRAMPJ, 20}, {"filter pJ", l.Energy.FilterSRAMPJ, 20},
		{"ofmap pJ", l.Energy.OfmapSRAMPJ, 40}, {"dram pJ", l.Energy.DRAMPJ, 1280},
	} {
		if math.Abs(c.got-c.want) > 1e-9*max(1, c.want) {
			t.Errorf("%s: %g, want %g", c.name, c.got, c.want)
		}
	}
	// 26 ns of 12.3 mW/mm² on the area; a wide range around the sum.
	if want := 12.3 * e.Area.TotalUM2 / 1e6 * 0.026 * 1e3; math.Abs(l.Energy.LeakagePJ-want) > 1e-9*want || !l.Energy.LeakagePriced {
		t.Errorf("leakage %g pJ, want %g", l.Energy.LeakagePJ, want)
	}
	if total := l.EnergyPJ.Value; !(l.Energy.LowPJ < total && total < l.Energy.HighPJ) {
		t.Errorf("%g pJ, range %g to %g", total, l.Energy.LowPJ, l.Energy.HighPJ)
	}
	if e.Total.Partial || e.DType != dtype.Int8 || e.Total.Cycles != 26 || e.Total.EnergyPJ != l.EnergyPJ {
		t.Errorf("total %+v", e.Total)
	}
}

// The same layer in 1 bit with two lanes: K in two steps, so that the fold
// takes 2+2+2−2 = 4 cycles; of the 16 products, 8 are added inside the elements
// and 8 element cycles accumulate in 16 bits: 16·1.25 + 8·3.75 + 8·50 fJ.
func TestLanesByHand(t *testing.T) {
	s := design.Spec{Name: "hand", TechnologyNM: 45, VoltageV: 0.9, ClockMHz: 1000, Systolic: design.Systolic{Dataflow: design.OS,
		Array:   design.Array{Rows: 2, Cols: 2, MACsPerPEPerCycle: design.ByFormat{0, 0, 2}, AccumulatorBits: design.ByFormat{0, 0, 16}},
		Buffers: design.Buffers{IfmapKiB: 8, FilterKiB: 8, OfmapKiB: 8}}, DRAM: design.DRAM{BandwidthGBs: 1}}
	d, err := design.New(s)
	if err != nil {
		t.Fatal(err)
	}
	w := workload.Workload{Name: "w", Layers: []workload.Layer{{Name: "fc", Kind: workload.Gemm, M: 2, N: 2, K: 4, DType: dtype.Binary}}}
	e, err := Evaluate(&d, &w)
	if err != nil {
		t.Fatal(err)
	}
	// One byte each of inputs and weights, half a byte of outputs.
	l := e.Layers[0]
	if l.ComputeCycles != 2 || l.FillDrainCycles != 2 || l.PrefetchCycles != 2 || l.StallCycles != 1 || l.DRAM.Bytes != 3 {
		t.Errorf("%+v", l)
	}
	if want := 0.45; math.Abs(l.Energy.MACPJ-want) > 1e-12 || l.Energy.DRAMPriced || !e.Total.Partial {
		t.Errorf("%+v, want %g pJ of MACs and no DRAM energy", l.Energy, want)
	}
}

// SCALE-Sim's own total for the CIFAR-10 network comes out of a .cfg file, a
// topology file and its report.
func TestScaleSimEndToEnd(t *testing.T) {
	d, w := load(t, "testdata/32x32_ws_CALC.cfg"), cifar(t, dtype.Int8)
	e, err := Evaluate(&d, &w)
	if err != nil {
		t.Fatal(err)
	}
	runs, err := golden.ScaleSim()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := WriteComputeReport(&b, &e); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if want := "LayerID, Total Cycles (incl. prefetch), Total Cycles, Stall Cycles, Overall Util %, Mapping Efficiency %, Compute Util %,"; lines[0] != want {
		t.Errorf("heading %q, want %q", lines[0], want)
	}
	rows := 0
	for _, g := range runs {
		if !g.Replayed || g.Topology != "cifar10_cnn" || g.Rows != 32 || g.Cols != 32 || g.Dataflow != "ws" {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(lines[1+rows], ","), ", ")
		for i, want := range []float64{float64(rows), float64(g.TotalCyclesInclPrefetch), float64(g.TotalCycles), 0, g.OverallUtil, g.MappingEff, g.ComputeUtil} {
			if x, err := strconv.ParseFloat(cells[i], 64); err != nil || math.Abs(x-want) > 1e-9*math.Abs(want) {
				t.Errorf("%s: %q, SCALE-Sim gives %g", g.Layer, cells[i], want)
			}
		}
		rows++
	}
	if rows != 7 || len(lines) != 8 {
		t.Errorf("%d golden rows, %d lines of report, want 7 and 8", rows, len(lines))
	}
	if e.Total.TimeUS.Known || e.Total.EnergyPJ.Known || !e.Total.Partial {
		t.Errorf("time and energy of a .cfg are not known, yet %+v", e.Total)
	}
	b.Reset()
	if err := WriteBandwidthReport(&b, &e); err != nil || strings.Count(b.String(), "\n") != 8 {
		t.Errorf("bandwidth report: %v\n%s", err, b.String())
	}
	b.Reset()
	if err := WriteAccessReport(&b, &e); err != nil {
		t.Fatal(err)
	}
	// Conv1 on 32×32: the first weights in cycle 5 (five idle rows of 32 since
	// K is 27), inputs from cycle 32, sums from cycle 63.
	if want := "0, 33, 1082, 27648, 6, 32, 864, 63, 1117, 32768, "; !strings.Contains(b.String(), "\n"+want) {
		t.Errorf("access report: want a row %q in\n%s", want, b.String())
	}
	own := load(t, "array32")
	o, err := Evaluate(&own, &w)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteAccessReport(&b, &o); err == nil {
		t.Error("an access report for a design that is not SCALE-Sim's")
	}
	b.Reset()
	if err := WriteComputeReport(&b, &o); err != nil || strings.Count(b.String(), "\n") != 8 {
		t.Errorf("compute report of our own: %v\n%s", err, b.String())
	}
}

// A depthwise layer is one layer here and one a channel in SCALE-Sim's report.
func TestScaleSimGroups(t *testing.T) {
	d := load(t, "testdata/32x32_ws_CALC.cfg")
	w := workload.Workload{Name: "dw", Layers: []workload.Layer{{Name: "dw", H: 18, W: 18, C: 4, OutC: 4, Groups: 4, KH: 3, KW: 3}}}
	e, err := Evaluate(&d, &w)
	if err != nil {
		t.Fatal(err)
	}
	// Each channel: one fold of 2·32 + 32 + 256 − 2 cycles, less one.
	if e.Total.Cycles != 4*349 || e.Total.MACs != 4*256*9 {
		t.Errorf("%d cycles for %d MACs, want %d for %d", e.Total.Cycles, e.Total.MACs, 4*349, 4*256*9)
	}
	var b bytes.Buffer
	if err := WriteComputeReport(&b, &e); err != nil || strings.Count(b.String(), "\n") != 5 {
		t.Errorf("%v\n%s", err, b.String())
	}
	w.Layers[0].DilationH = 2
	if _, err := Evaluate(&d, &w); err == nil || !strings.Contains(err.Error(), "dilation") {
		t.Errorf("dilation: %v", err)
	}
	one := workload.Workload{Name: "one", Layers: []workload.Layer{{Name: "one", Kind: workload.Gemm, M: 1, N: 1, K: 1}}}
	s := d.Spec()
	s.Array.Rows, s.Array.Cols = 1, 1
	small, err := design.New(s)
	if err != nil {
		t.Fatal(err)
	}
	// One element, one product: SCALE-Sim fails to divide by its cycle 0 (with
	// output stationary; here it loads a weight first).
	for _, flow := range []design.Dataflow{design.OS, design.WS, design.IS} {
		s.Dataflow = flow
		if small, err = design.New(s); err != nil {
			t.Fatal(err)
		}
		e, err := Evaluate(&small, &one)
		if err != nil {
			t.Fatal(err)
		}
		b.Reset()
		for _, f := range []error{WriteComputeReport(&b, &e), WriteBandwidthReport(&b, &e), WriteAccessReport(&b, &e), WriteJSON(&b, &e)} {
			if f != nil {
				t.Error(f)
			}
		}
		if strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
			t.Errorf("%v: not a number in\n%s", flow, b.String())
		}
	}
}

func TestShippedDesignsOnCIFAR10(t *testing.T) {
	for _, name := range design.Shipped() {
		d := load(t, name)
		s := d.Spec()
		if s.Family != design.FamilySystolic {
			continue
		}
		for _, dt := range dtype.All {
			w := cifar(t, dt)
			e, err := Evaluate(&d, &w)
			if !s.Has(dt) {
				if err == nil || !strings.Contains(err.Error(), "cannot compute "+dt.String()) {
					t.Errorf("%s: %v: got %v, want a refusal", name, dt, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if e.Total.Partial || !e.Total.EnergyPJ.Known || !(e.Total.EnergyPJ.Value > 0) || len(e.Validated) == 0 {
				t.Errorf("%s %v: %+v", name, dt, e.Total)
			}
		}
	}
	// Narrower formats cost less, on every design that has them.
	for _, name := range []string{"edge8x8", "array32"} {
		d := load(t, name)
		var pj, us []float64
		for _, dt := range dtype.All {
			w := cifar(t, dt)
			e, err := Evaluate(&d, &w)
			if err != nil {
				t.Fatal(err)
			}
			pj, us = append(pj, e.Total.EnergyPJ.Value), append(us, e.Total.TimeUS.Value)
		}
		if !(pj[0] > pj[1] && pj[1] > pj[2]) || !(us[0] >= us[1] && us[1] > us[2]) {
			t.Errorf("%s: pJ %v, µs %v do not fall with the width", name, pj, us)
		}
	}
}

func TestUnmodelledIsListed(t *testing.T) {
	d := load(t, "array32")
	s := d.Spec()
	s.DRAM.EnergyPJPerBit, s.DRAM.EnergyHighPJPerBit = 0, 0
	noDRAM, err := design.New(s)
	if err != nil {
		t.Fatal(err)
	}
	w := cifar(t, dtype.Int8)
	w.Layers = append(w.Layers, workload.Layer{Name: "soft", Kind: workload.Other, Op: "softmax", Elements: 10})
	e, err := Evaluate(&noDRAM, &w)
	if err != nil {
		t.Fatal(err)
	}
	if !e.Total.Partial || len(e.UnmodelledLayers) != 1 || e.UnmodelledLayers[0] != (Unmodelled{"soft", "softmax", 10}) || len(e.Layers) != 7 {
		t.Errorf("%+v, unmodelled %+v", e.Total, e.UnmodelledLayers)
	}
	for _, format := range Formats {
		var b bytes.Buffer
		if err := Write(&b, format, &e); err != nil {
			t.Error(err)
		}
		if format != "scalesim" && (!strings.Contains(b.String(), "softmax") || !strings.Contains(b.String(), "dram energy")) {
			t.Errorf("%s does not say what is missing:\n%s", format, b.String())
		}
	}
	if err := Write(&bytes.Buffer{}, "xml", &e); err == nil || err.Error() != `format "xml": want json, csv, md, scalesim` {
		t.Errorf("got %v", err)
	}
}

// A dense layer of 64 rows, 32 outputs and K = 32 on array32, whose one fold has 32 steps
// of loading, 64 of inputs and 62 more until the last sum. With 8 of an input line's 32
// bytes a cycle, the first 62 steps take 4 cycles each, the next 2 too, the last 62 one:
// 64·3 = 192 cycles more. With 4 bytes of the weights' 32, the 32 steps of loading take 8
// cycles each, 224 more. A design with both waits for both, and the larger one is named.
func TestNarrowBuffers(t *testing.T) {
	d := load(t, "array32")
	m, err := New(&d)
	if err != nil {
		t.Fatal(err)
	}
	w := workload.Workload{Name: "w", Layers: []workload.Layer{{Name: "fc", Kind: workload.Gemm, M: 64, N: 32, K: 32, DType: dtype.Int8}}}
	wide, err := m.Evaluate(&w)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ifmap, filter int
		more          int64
		cause         memory.Cause
		bound         int64
	}{{8, 0, 192, memory.IfmapPort, 256}, {0, 4, 224, memory.FilterPort, 256}, {8, 4, 416, memory.FilterPort, 256}, {32, 32, 0, 0, 64}} {
		s := m.Spec()
		s.Buffers.IfmapBytesPerCycle, s.Buffers.FilterBytesPerCycle = c.ifmap, c.filter
		if err := m.Set(&s); err != nil {
			t.Fatal(err)
		}
		e, err := m.Evaluate(&w)
		if err != nil {
			t.Fatal(err)
		}
		l, free := &e.Layers[0], &wide.Layers[0]
		waits := l.Stalls[memory.IfmapPort] + l.Stalls[memory.FilterPort]
		if l.ComputeCycles+l.FillDrainCycles != free.ComputeCycles+free.FillDrainCycles || waits != c.more || c.more > 0 && l.Stalls[c.cause] != c.more {
			t.Errorf("%d and %d bytes a cycle: %d cycles of work, %v: want %d, %d for %v", c.ifmap, c.filter, l.ComputeCycles+l.FillDrainCycles, l.Stalls, free.ComputeCycles+free.FillDrainCycles, c.more, c.cause)
		}
		if l.Cycles-l.Stalls[memory.IfmapPort]-l.Stalls[memory.FilterPort] > free.Cycles || l.Cycles < free.Cycles || l.Roofline.BufferCycles != c.bound {
			t.Errorf("%d and %d bytes a cycle: %d cycles, at least %d for buffers: want no more than %d and the wait, and %d", c.ifmap, c.filter, l.Cycles, l.Roofline.BufferCycles, free.Cycles, c.bound)
		}
	}
}

// The JSON has the promised keys and reads back as the same estimate.
func TestJSON(t *testing.T) {
	d, w := load(t, "array32"), cifar(t, dtype.Int8)
	e, err := Evaluate(&d, &w)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := WriteJSON(&b, &e); err != nil {
		t.Fatal(err)
	}
	var loose struct {
		Design, DType string
		Layers        []map[string]any
		Total         map[string]any
	}
	if err := json.Unmarshal(b.Bytes(), &loose); err != nil {
		t.Fatal(err)
	}
	if loose.Design != "array32" || loose.DType != "int8" || len(loose.Layers) != 7 {
		t.Errorf("%+v", loose)
	}
	for _, key := range []string{"name", "macs", "cycles", "compute_cycles", "fill_drain_cycles", "stall_cycles", "prefetch_cycles", "utilization",
		"energy_pj", "time_us", "dram_bytes", "sram_ifmap_reads", "dram_ofmap_writes", "not_modelled"} {
		if _, ok := loose.Layers[0][key]; !ok {
			t.Errorf("no %q in a layer", key)
		}
		if _, ok := loose.Total[key]; !ok && key != "name" {
			t.Errorf("no %q in the total", key)
		}
	}
	var back Estimate
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	back.Total.busy = e.Total.busy
	if !reflect.DeepEqual(back.Layers, e.Layers) || !reflect.DeepEqual(back.Total, e.Total) {
		t.Error("the estimate does not read back")
	}
}

func TestKeepActivations(t *testing.T) {
	d, w := load(t, "tpuv1"), cifar(t, dtype.Int8)
	for i := range w.Layers { // sizes in the file are padded ones
		if l := &w.Layers[i]; l.KH == 3 {
			l.H, l.W, l.PadTop, l.PadLeft, l.PadBottom, l.PadRight = l.H-2, l.W-2, 1, 1, 1, 1
		}
	}
	e, err := Evaluate(&d, &w)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range e.Layers {
		if first := i == 0; first != (l.DRAM.IfmapReads > 0) {
			t.Errorf("%s reads %d inputs from DRAM", l.Name, l.DRAM.IfmapReads)
		}
		if last := i == len(e.Layers)-1; last != (l.DRAM.OfmapWrites > 0) {
			t.Errorf("%s writes %d outputs to DRAM", l.Name, l.DRAM.OfmapWrites)
		}
	}
	s := d.Spec()
	s.Buffers.KeepActivations = false
	off, err := design.New(s)
	if err != nil {
		t.Fatal(err)
	}
	o, err := Evaluate(&off, &w)
	if err != nil {
		t.Fatal(err)
	}
	if int64(o.Total.DRAM.Bytes) < o.Total.UniqueBytes || e.Total.DRAM.Bytes >= o.Total.DRAM.Bytes {
		t.Errorf("%d bytes without, %d with activations kept; each once is %d", o.Total.DRAM.Bytes, e.Total.DRAM.Bytes, o.Total.UniqueBytes)
	}
}

func TestHostileWorkloads(t *testing.T) {
	d := load(t, "edge8x8")
	s := d.Spec()
	s.Array.Cols = 8000
	s.Buffers.FilterKiB, s.Buffers.OfmapKiB = 1<<20, 1<<20
	wide, err := design.New(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []workload.Layer{
		{Name: "tall", H: workload.MaxDim, W: workload.MaxDim, C: 1, OutC: 1, KH: 1, KW: 1},
		{Name: "long", Kind: workload.Gemm, M: 1, N: 1, K: workload.MaxGemm},
		{Name: "rows", Kind: workload.Gemm, M: workload.MaxGemm, N: 1, K: 1},
		{Name: "deep", H: 1, W: 1, C: workload.MaxDim, OutC: workload.MaxDim, KH: 1, KW: 1, Groups: workload.MaxDim},
	} {
		for _, d := range []*design.Design{&d, &wide} {
			w := workload.Workload{Name: "h", Layers: []workload.Layer{l, l, l}}
			e, err := Evaluate(d, &w)
			if err != nil {
				if !strings.Contains(err.Error(), "2^60 cycles") {
					t.Errorf("%s: %v", l.Name, err)
				}
				continue
			}
			if e.Total.Cycles <= 0 || e.Total.MACs != w.MACs() || e.Total.Cycles < w.MACs()/(8*8000) {
				t.Errorf("%s: %+v", l.Name, e.Total)
			}
		}
	}
	empty := workload.Workload{Name: "empty"}
	if _, err := Evaluate(&d, &empty); err == nil {
		t.Error("an empty workload was evaluated")
	}
}

// What a network repeats costs the same each time, as if it stood alone; where its
// operands are makes a difference.
func TestRepeatedLayers(t *testing.T) {
	conv := workload.Layer{Kind: workload.Conv, DType: dtype.Int8, H: 16, W: 16, C: 32, OutC: 32, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1}
	wide := conv
	wide.OutC = 48
	w := workload.Workload{Name: "repeated"}
	for i, l := range []workload.Layer{conv, wide, conv, conv, wide, conv} {
		l.Name = fmt.Sprint(i)
		w.Layers = append(w.Layers, l)
	}
	for _, keep := range []bool{false, true} {
		d := load(t, "array32")
		m, err := New(&d)
		if err != nil {
			t.Fatal(err)
		}
		s := m.Spec()
		s.Buffers.KeepActivations = keep
		if err := m.Set(&s); err != nil {
			t.Fatal(err)
		}
		e, err := m.Evaluate(&w)
		if err != nil {
			t.Fatal(err)
		}
		for i := range w.Layers {
			got, want := e.Layers[i], Layer{Name: w.Layers[i].Name, Kind: "conv", DType: dtype.Int8, MACs: w.Layers[i].MACs()}
			want.onChip = [2]bool{keep && i > 0, keep && i < len(w.Layers)-1}
			if err := m.machine.(*systolicMachine).layer(&want, &w.Layers[i], want.onChip[0], want.onChip[1]); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("keep %v: layer %d is %+v, alone %+v", keep, i, got, want)
			}
		}
	}
}
