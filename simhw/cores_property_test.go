package simhw

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/workload"
)

func drawTree(t *rapid.T) design.Spec {
	s := design.Spec{Name: "r", Family: design.FamilyMACTree, TechnologyNM: rapid.Float64Range(7, 65).Draw(t, "nm"), VoltageV: rapid.Float64Range(0.7, 1.1).Draw(t, "v"),
		ClockMHz: rapid.Float64Range(1, 3000).Draw(t, "mhz"),
		DRAM:     design.DRAM{BandwidthGBs: rapid.Float64Range(0.01, 100).Draw(t, "gbs"), EnergyPJPerBit: rapid.Float64Range(1, 80).Draw(t, "pj")}}
	channels := rapid.IntRange(1, 40)
	s.Tree = design.Tree{Kernels: rapid.IntRange(1, 40).Draw(t, "kernels"), Channels: drawUnits(t, channels),
		StripeOutputs: rapid.IntRange(1, 64).Draw(t, "stripe"), WeightLoadCycles: rapid.IntRange(1, 40).Draw(t, "load"), PipelineCycles: rapid.IntRange(1, 20).Draw(t, "pipe"), AccumulatorBits: 32}
	if s.Tree.Winograd = rapid.Bool().Draw(t, "winograd"); s.Tree.Winograd {
		for i := range s.Tree.Channels {
			s.Tree.Channels[i] *= 16
		}
	}
	s.ConvBuffer.KiB = rapid.IntRange(16, 512).Draw(t, "kib")
	s.Behind = design.Behind{PoolOutputs: rapid.IntRange(1, 16).Draw(t, "pools"), PoolSide: 8, AddOutputs: rapid.IntRange(1, 16).Draw(t, "additions"), FinishOutputs: rapid.IntRange(0, 16).Draw(t, "finished")}
	return s
}

func drawCore(t *rapid.T) design.Spec {
	s := design.Spec{Name: "r", Family: design.FamilyVector, ClockMHz: rapid.Float64Range(1, 5000).Draw(t, "mhz")}
	rate, some := rapid.Float64Range(0.5, 8), rapid.Float64Range(0.001, 20)
	v := &s.Vector
	v.Issue, v.Multiplies, v.Loads = rate.Draw(t, "issue"), rate.Draw(t, "multiplies"), rate.Draw(t, "loads")
	v.LoadRunCycles, v.BranchCycles = some.Draw(t, "run"), some.Draw(t, "branch")
	v.Efficiency, v.Energy.Value = rapid.Float64Range(0.1, 1).Draw(t, "efficiency"), some.Draw(t, "pj")
	if rapid.Bool().Draw(t, "slow memory") {
		v.Memory = design.SlowMemory{CacheBytes: rapid.IntRange(1, 1<<16).Draw(t, "cache"), LineBytes: rapid.IntRange(1, 64).Draw(t, "line"), MissCycles: some.Draw(t, "miss"),
			Activations: rapid.Bool().Draw(t, "activations")}
	}
	side := rapid.IntRange(1, 8)
	for i, d := range []dtype.DType{dtype.Float32, dtype.Int8, dtype.Binary, dtype.Int(3), dtype.Int(16)} {
		v.LoopCount++
		v.Loops[i] = design.VectorLoop{DType: d, Rows: side.Draw(t, "rows"), Cols: side.Draw(t, "cols"), Lanes: side.Draw(t, "lanes"), Step: side.Draw(t, "step"),
			RowLoads: some.Draw(t, "row loads"), ColLoads: some.Draw(t, "col loads"), RowWidens: some.Draw(t, "widens"), Multiplies: some.Draw(t, "multiplies"),
			MultiplyCycles: some.Draw(t, "cycles"), LoadCycles: some.Draw(t, "load cycles"), LoadsAlone: rapid.Bool().Draw(t, "alone"), Unroll: side.Draw(t, "unroll"), LoopInstructions: some.Draw(t, "loop"),
			TileInstructions: some.Draw(t, "tile"), OutputInstructions: some.Draw(t, "output"), GatherInstructions: some.Draw(t, "gather"), CallCycles: some.Draw(t, "call"),
			RowSegments: rapid.Bool().Draw(t, "segments"), SkipsPadding: rapid.Bool().Draw(t, "skips"), GatherAlways: rapid.Bool().Draw(t, "always"),
			PoolValues: side.Draw(t, "pool values"), PoolInstructions: 20 + some.Draw(t, "pool"), PoolLoads: some.Draw(t, "pool loads")}
	}
	packed := v.Loops[rapid.SampledFrom([]int{1, 3, 4}).Draw(t, "packed")]
	packed.WeightBits = rapid.IntRange(1, packed.DType.Bits()-1).Draw(t, "weight bits")
	v.Loops[v.LoopCount], v.LoopCount = packed, v.LoopCount+1
	return s
}

// withOthers adds a pool, and where the machine adds tensors an addition.
func withOthers(t *rapid.T, w workload.Workload, adds bool) workload.Workload {
	side, channels := rapid.IntRange(1, 8), rapid.IntRange(1, 40).Draw(t, "pooled")
	k := side.Draw(t, "window")
	d, _ := drawFormat(t)
	pool := workload.Layer{Name: "p", Kind: workload.Other, Op: "maxpool", DType: d, H: k + side.Draw(t, "ph"), W: k + side.Draw(t, "pw"),
		C: channels, OutC: channels, Groups: channels, KH: k, KW: k, StrideH: side.Draw(t, "stride"), StrideW: side.Draw(t, "stride")}
	oh, ow := pool.OutSize()
	pool.Elements = oh * ow * int64(channels)
	w.Layers = append(w.Layers, pool)
	if adds {
		w.Layers = append(w.Layers, workload.Layer{Name: "a", Kind: workload.Other, Op: "add", DType: pool.DType, Elements: int64(rapid.IntRange(1, 5000).Draw(t, "added"))})
	}
	return w
}

// evaluateDrawn checks what holds for any machine: layers sum to the total, parts
// to layers, and nothing is better than possible.
func evaluateDrawn(t *rapid.T, s design.Spec, w *workload.Workload) Estimate {
	d, err := design.New(s)
	if err != nil {
		t.Fatal(err)
	}
	e, err := Evaluate(&d, w)
	if err != nil {
		t.Skip(err.Error()) // a buffer that holds no tile
	}
	if e.Total.MACs != w.MACs() || len(e.Layers) != len(w.Layers) {
		t.Fatalf("%d MACs in %d layers, the workload has %d in %d", e.Total.MACs, len(e.Layers), w.MACs(), len(w.Layers))
	}
	cycles, pj := int64(0), 0.0
	for i, l := range e.Layers {
		if l.ComputeCycles+l.FillDrainCycles+l.StallCycles+l.PrefetchCycles != l.Cycles || l.ComputeCycles < 0 || l.FillDrainCycles < 0 || l.StallCycles < 0 || l.PrefetchCycles < 0 {
			t.Fatalf("parts do not add up: %+v", l)
		}
		stalls := int64(0)
		for _, n := range l.Stalls {
			stalls += n
		}
		if stalls != l.StallCycles {
			t.Fatalf("stalls by cause sum to %d: %+v", stalls, l)
		}
		if idle := w.Layers[i].Kind == workload.Other; idle && (l.Utilization != 0 || l.Kind != w.Layers[i].Op || l.Cycles < 1) {
			t.Fatalf("multipliers at work in %+v", l)
		} else if !idle && !(l.Utilization >= 0 && l.Utilization <= l.ComputeUtilization*(1+1e-9) && l.ComputeUtilization <= 1+1e-9 && l.MappingEfficiency > 0 && l.MappingEfficiency <= 1) {
			t.Fatalf("too good to be true: %+v of %+v", l, w.Layers[i])
		}
		if !l.EnergyPJ.Known || !(l.EnergyPJ.Value > 0) || math.IsInf(l.EnergyPJ.Value, 0) || l.DRAM.Bytes < 0 {
			t.Fatalf("energy or traffic of %+v", l)
		}
		if s.Family == design.FamilyMACTree && int64(l.DRAM.Bytes) < l.UniqueBytes-1 {
			t.Fatalf("%d bytes of traffic, %d are distinct", l.DRAM.Bytes, l.UniqueBytes)
		}
		cycles, pj = cycles+l.Cycles, pj+l.EnergyPJ.Value
	}
	if cycles != e.Total.Cycles || math.Abs(pj-e.Total.EnergyPJ.Value) > 1e-9*pj {
		t.Fatalf("layers take %d cycles and %g pJ, the total is %+v", cycles, pj, e.Total)
	}
	return e
}

func TestTreeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, w := drawTree(t), withOthers(t, drawWorkload(t), true)
		e := evaluateDrawn(t, s, &w)
		more := s
		more.DRAM.BandwidthGBs += rapid.Float64Range(0, 20).Draw(t, "more bandwidth")
		more.ConvBuffer.KiB += rapid.IntRange(0, 100).Draw(t, "more buffer")
		if b := evaluateDrawn(t, more, &w); b.Total.Cycles > e.Total.Cycles {
			t.Fatalf("more memory takes %d cycles, less %d", b.Total.Cycles, e.Total.Cycles)
		}
		fast := s
		fast.ClockMHz *= 1 + rapid.Float64Range(0, 3).Draw(t, "faster")
		f := evaluateDrawn(t, fast, &w)
		for i := range f.Layers {
			notLater(t, &e, &f, i, 1)
		}
	})
}

func TestCoreProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, w := drawCore(t), withOthers(t, drawWorkload(t), false)
		e := evaluateDrawn(t, s, &w)
		more := s
		more.Vector.Issue *= 1 + rapid.Float64Range(0, 0.9).Draw(t, "more issue")
		more.Vector.Loads *= 1 + rapid.Float64Range(0, 0.9).Draw(t, "more loads")
		more.Vector.Multiplies *= 1 + rapid.Float64Range(0, 0.9).Draw(t, "more multiplies")
		more.Vector.Efficiency *= 1 + rapid.Float64Range(0, 0.9).Draw(t, "better software")
		more.Vector.Memory.CacheBytes *= 2
		b := evaluateDrawn(t, more, &w)
		fast := s
		fast.ClockMHz *= 1 + rapid.Float64Range(0, 3).Draw(t, "faster")
		f := evaluateDrawn(t, fast, &w)
		for i := range f.Layers {
			notLater(t, &e, &f, i, 0) // all that it waits for is given in its own cycles
		}
		if b.Total.Cycles > e.Total.Cycles || b.Total.DRAM.Bytes > e.Total.DRAM.Bytes {
			t.Fatalf("more of everything takes %d cycles and %d bytes, less %d and %d", b.Total.Cycles, b.Total.DRAM.Bytes, e.Total.Cycles, e.Total.DRAM.Bytes)
		}
		// What passes through slow memory is all of a layer, or its weights alone.
		for i, l := range e.Layers {
			d := &l.DRAM
			if through := d.OfmapWrites > 0; !through && d.IfmapReads > 0 || through && (!s.Vector.Memory.Activations || int64(d.Bytes) < l.UniqueBytes-1) {
				t.Fatalf("%+v of %+v", l, w.Layers[i])
			}
		}
	})
}
