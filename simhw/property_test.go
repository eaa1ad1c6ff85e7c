package simhw

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/workload"
)

func drawSpec(t *rapid.T) design.Spec {
	side := rapid.IntRange(1, 40)
	kib := rapid.IntRange(4, 256)
	s := design.Spec{Name: "r",
		TechnologyNM: rapid.Float64Range(7, 65).Draw(t, "nm"), VoltageV: rapid.Float64Range(0.7, 1.1).Draw(t, "v"),
		ClockMHz: rapid.Float64Range(1, 3000).Draw(t, "mhz"), Systolic: design.Systolic{Dataflow: design.Dataflow(rapid.IntRange(0, 2).Draw(t, "flow")),
			Array: design.Array{Rows: side.Draw(t, "rows"), Cols: side.Draw(t, "cols"),
				MACsPerPEPerCycle: drawUnits(t, rapid.IntRange(1, 4))},
			Buffers: design.Buffers{IfmapKiB: kib.Draw(t, "ifmap"), FilterKiB: kib.Draw(t, "filter"), OfmapKiB: kib.Draw(t, "ofmap"),
				KeepActivations: rapid.Bool().Draw(t, "keep")}},
		DRAM: design.DRAM{BandwidthGBs: rapid.Float64Range(0.01, 100).Draw(t, "gbs"), EnergyPJPerBit: rapid.Float64Range(1, 80).Draw(t, "pj")}}
	for d, lanes := range s.Array.MACsPerPEPerCycle {
		if lanes > 0 {
			s.Array.AccumulatorBits[d] = 32
		}
	}
	if s.Dataflow == design.OS {
		s.Array.Drain = design.Drain(rapid.IntRange(0, 2).Draw(t, "drain"))
	} else {
		s.Array.WeightLoad = design.WeightLoad(rapid.IntRange(0, 2).Draw(t, "load"))
		s.Buffers.OfmapPorts = rapid.IntRange(0, 2).Draw(t, "ports")
	}
	width := rapid.OneOf(rapid.Just(0), rapid.IntRange(1, 200))
	b := &s.Buffers
	b.IfmapBytesPerCycle, b.FilterBytesPerCycle, b.OfmapBytesPerCycle = width.Draw(t, "ifmap width"), width.Draw(t, "filter width"), width.Draw(t, "ofmap width")
	return s
}

// drawUnits has units of float32, ±1, int16 and some of the narrower integers.
func drawUnits(t *rapid.T, some *rapid.Generator[int]) design.ByFormat {
	units := design.ByFormat{dtype.Float32: some.Draw(t, "float32"), dtype.Binary: some.Draw(t, "binary")}
	units[dtype.Int(16)] = some.Draw(t, "int16")
	for range rapid.IntRange(0, 3).Draw(t, "narrow units") {
		units[dtype.Int(rapid.IntRange(1, 15).Draw(t, "narrow"))] = some.Draw(t, "lanes")
	}
	return units
}

// drawFormat is any format, of integers with weights of any width.
func drawFormat(t *rapid.T) (d dtype.DType, weightBits int) {
	switch rapid.IntRange(0, 4).Draw(t, "dtype") {
	case 0:
		return dtype.Float32, 0
	case 1:
		return dtype.Binary, 0
	case 2:
		return dtype.Int(rapid.IntRange(1, dtype.MaxIntBits).Draw(t, "bits")), rapid.IntRange(0, dtype.MaxIntBits).Draw(t, "weight bits")
	}
	return dtype.Int8, 0
}

func drawWorkload(t *rapid.T) workload.Workload {
	small, channels := rapid.IntRange(1, 30), rapid.IntRange(1, 40)
	layer := rapid.Custom(func(t *rapid.T) workload.Layer {
		d, weights := drawFormat(t)
		if rapid.Bool().Draw(t, "gemm") {
			return workload.Layer{Name: "g", Kind: workload.Gemm, DType: d, WeightWidth: weights, M: int64(small.Draw(t, "m")), N: int64(channels.Draw(t, "n")), K: int64(rapid.IntRange(1, 3000).Draw(t, "k"))}
		}
		g := rapid.IntRange(1, 4).Draw(t, "groups")
		k := rapid.IntRange(1, 5).Draw(t, "kernel")
		return workload.Layer{Name: "c", DType: d, WeightWidth: weights, H: k + small.Draw(t, "h"), W: k + small.Draw(t, "w"), C: g * channels.Draw(t, "c"), OutC: g * channels.Draw(t, "out"),
			KH: k, KW: k, Groups: g, StrideH: rapid.IntRange(0, 3).Draw(t, "stride"), PadTop: rapid.IntRange(0, 2).Draw(t, "pad")}
	})
	return workload.Workload{Name: "r", Layers: rapid.SliceOfN(layer, 1, 4).Draw(t, "layers")}
}

func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, w := drawSpec(t), drawWorkload(t)
		d, err := design.New(s)
		if err != nil {
			t.Skip(err.Error())
		}
		m, err := New(&d)
		if err != nil {
			t.Fatal(err)
		}
		e, err := m.Evaluate(&w)
		if err != nil {
			t.Fatal(err)
		}
		if e.Total.MACs != w.MACs() {
			t.Fatalf("%d MACs, the workload has %d", e.Total.MACs, w.MACs())
		}
		sum := int64(0)
		for i, l := range e.Layers {
			if l.ComputeCycles+l.FillDrainCycles+l.StallCycles+l.PrefetchCycles != l.Cycles {
				t.Fatalf("parts do not add up: %+v", l)
			}
			for _, v := range []int64{l.ComputeCycles, l.FillDrainCycles, l.StallCycles, l.PrefetchCycles, l.SRAM.IfmapReads, l.SRAM.FilterReads, l.SRAM.OfmapWrites, int64(l.DRAM.Bytes)} {
				if v < 0 {
					t.Fatalf("negative count: %+v", l)
				}
			}
			unit, _ := s.Unit(l.DType, l.WeightBits)
			if l.Cycles*s.PEs()*int64(s.Lanes(unit)) < l.MACs || l.Utilization > 1 || l.Utilization > l.ComputeUtilization+1e-12 ||
				l.ComputeUtilization > l.MappingEfficiency+1e-12 || l.MappingEfficiency > 1 {
				t.Fatalf("too good to be true: %+v", l)
			}
			if r := &l.Roofline; !r.Known() || r.Cycles() > l.Cycles {
				t.Fatalf("%d cycles are less than the roofline's %d: %+v", l.Cycles, r.Cycles(), l)
			}
			if !s.Buffers.KeepActivations && int64(l.DRAM.Bytes) < l.UniqueBytes-1 {
				t.Fatalf("%d bytes of traffic, %d words are there: %+v", l.DRAM.Bytes, l.UniqueBytes, w.Layers[i])
			}
			if !(l.EnergyPJ.Value > 0) || math.IsInf(l.EnergyPJ.Value, 0) || math.Abs(l.EnergyPJ.Value-l.Energy.TotalPJ()) > 1e-9*l.EnergyPJ.Value {
				t.Fatalf("energy %+v of %+v", l.EnergyPJ, l.Energy)
			}
			if b := &l.Energy; !(b.LowPJ <= b.TotalPJ() && b.TotalPJ() <= b.HighPJ && b.LeakagePJ > 0) {
				t.Fatalf("energy outside its range: %+v", b)
			}
			sum += l.Cycles
		}
		if sum != e.Total.Cycles || e.Total.Utilization > 1 {
			t.Fatalf("layers take %d cycles, the total is %d", sum, e.Total.Cycles)
		}
		// More bandwidth, larger and wider buffers: never more cycles.
		better := s
		better.DRAM.BandwidthGBs += rapid.Float64Range(0, 20).Draw(t, "more bandwidth")
		better.Buffers.IfmapKiB += rapid.IntRange(0, 100).Draw(t, "more ifmap")
		better.Buffers.FilterKiB += rapid.IntRange(0, 100).Draw(t, "more filter")
		better.Buffers.OfmapKiB += rapid.IntRange(0, 100).Draw(t, "more ofmap")
		for _, width := range []*int{&better.Buffers.IfmapBytesPerCycle, &better.Buffers.FilterBytesPerCycle, &better.Buffers.OfmapBytesPerCycle} {
			if *width > 0 {
				*width += rapid.IntRange(0, 100).Draw(t, "wider")
			}
			if rapid.IntRange(0, 4).Draw(t, "widest") == 0 {
				*width = 0
			}
		}
		if better.Buffers.OfmapPorts == 1 {
			better.Buffers.OfmapPorts = rapid.IntRange(1, 2).Draw(t, "more ports")
		}
		if err := m.Set(&better); err != nil {
			t.Fatal(err)
		}
		b, err := m.Evaluate(&w)
		if err != nil {
			t.Fatal(err)
		}
		if b.Total.Cycles > e.Total.Cycles {
			t.Fatalf("more memory takes %d cycles, less %d", b.Total.Cycles, e.Total.Cycles)
		}
		faster := better
		faster.ClockMHz *= 1 + rapid.Float64Range(0, 3).Draw(t, "faster")
		if err := m.Set(&faster); err != nil {
			t.Skip(err.Error())
		}
		f, err := m.Evaluate(&w)
		if err != nil {
			t.Fatal(err)
		}
		for i := range f.Layers {
			ends := 1 // that are rounded up: of the last fold, and of what it writes
			if b.Layers[i].DRAM.OfmapWrites > 0 {
				ends = 2
			}
			notLater(t, &b, &f, i, ends)
		}
	})
}

// notLater checks that a layer takes no more time with a faster clock but for so many of
// that clock's cycles, or less: the ends that are rounded up to one.
func notLater(t *rapid.T, slow, fast *Estimate, i, ends int) {
	a, b := &slow.Layers[i], &fast.Layers[i]
	scaled := float64(a.Cycles) * fast.ClockMHz.Value / slow.ClockMHz.Value
	if over := float64(b.Cycles) - scaled; !(over <= 1e-11*scaled || over < float64(ends)) {
		t.Fatalf("%d cycles of %g MHz, %d of %g MHz: %g of the latter too many, want fewer than %d\n%+v", a.Cycles, slow.ClockMHz.Value, b.Cycles, fast.ClockMHz.Value, over, ends, b)
	}
	for _, e := range []*Estimate{slow, fast} {
		if l := &e.Layers[i]; math.Abs(l.TimeUS.Value*e.ClockMHz.Value-float64(l.Cycles)) > 1e-9*float64(l.Cycles) {
			t.Fatalf("%d cycles of %g MHz take %g µs", l.Cycles, e.ClockMHz.Value, l.TimeUS.Value)
		}
	}
}
