package reports

import (
	"math"

	"macroscope/bench"
	"macroscope/dtype"
	"macroscope/kernels/arm64/bound"
	"macroscope/simhw"
	"macroscope/simhw/energy"
)

// around is a measurement whose interval reaches pct percent to both sides.
func around(median, pct float64) *Value {
	return &Value{Median: Float(median), Lo: Float(median * (1 - pct/100)), Hi: Float(median * (1 + pct/100)), Best: Float(median * (1 - pct/50)), N: 10}
}

// bare is a measurement without an interval.
func bare(median float64) *Value {
	return &Value{Median: Float(median), Lo: Float(math.NaN()), Hi: Float(math.NaN()), Best: Float(median), N: 2}
}

// fixture is a report made by hand: round numbers, one of each special case.
// Its machine, network and designs do not exist.
func fixture() *Report {
	r := &Report{
		Model: "toynet", Time: "2026-01-02T03:04:05Z", Seconds: 61.4, Command: "macroscope report -o 'my <folder>'",
		Rounds: 10, BenchTime: 20, Baseline: "generic", Threads: 1,
		Warnings:         []string{"load average is 3.00 on 2 CPUs: close other programs & run again"},
		Machine:          []Setting{{"commit", "0123abc+dirty"}, {"cpu", "Toy CPU <2> | \"quoted\""}, {"threads", "1"}},
		FloatBytesWithBN: 4 * 309290,
		Images:           Images{Count: 1000, Of: 10000, Source: "the CIFAR-10 test set in data", Note: "only the first 1000 of 10000 images were asked for"},
		Notices:          []string{"int8 tuned: conv1 by conv2d/int8/wide (1.21 times as fast as conv2d/int8/simd)"},
		results:          []bench.Result{{Name: "BenchmarkDot/dtype=int8/impl=generic/n=4096", Iters: 7, Metrics: []bench.Metric{{Value: 2000, Unit: "ns/op"}}}},
	}
	r.Kernels = []Kernel{
		{DType: dtype.Float32, Impl: "generic", TileRows: 4, TileCols: 8, Available: true},
		{DType: dtype.Float32, Impl: "simd", TileRows: 8, TileCols: 32, Needs: []string{"SIMD"}, Available: true, Chosen: true, Reason: "first in measured order", Peak: around(60, 0.5)},
		{DType: dtype.Int8, Impl: "generic", TileRows: 4, TileCols: 8, Available: true},
		{DType: dtype.Int8, Impl: "simd", TileRows: 8, TileCols: 32, Needs: []string{"SIMD", "VNNI"}, Available: true, Chosen: true, Reason: "asked for", Peak: around(240, 0.5)},
		{DType: dtype.Int8, Impl: "wide", TileRows: 16, TileCols: 16, Needs: []string{"WIDE"}, Reason: "CPU lacks WIDE"},
		{DType: dtype.Binary, Impl: "generic", TileRows: 4, TileCols: 8, Available: true, Chosen: true, Reason: "the only one"},
	}
	op := func(d dtype.DType, impl, title string, seconds, gmacs, peak *Value, speedup *Ratio) Measurement {
		return Measurement{DType: d, Impl: impl, Case: title, Seconds: seconds, GMACs: gmacs, Peak: peak, Speedup: speedup}
	}
	noisy := around(1.1e-6, 20)
	noisy.Noisy = true
	r.Ops = []Measurement{
		op(dtype.Float32, "generic", dotTitle, noisy, around(3.7, 20), nil, nil),
		op(dtype.Float32, "simd", dotTitle, around(1.6e-7, 1), around(25, 1), around(41.7, 1), newRatio(noisy, around(1.6e-7, 1))),
		op(dtype.Int8, "generic", dotTitle, bare(2e-6), bare(2.048), nil, nil),
		op(dtype.Int8, "simd", dotTitle, bare(4e-8), bare(102.4), bare(42.7), newRatio(bare(2e-6), bare(4e-8))),
		op(dtype.Float32, "generic", gemmTitle, around(5.5e-3, 1), around(3.05, 1), nil, nil),
		op(dtype.Float32, "simd", gemmTitle, around(3e-4, 1), around(56, 1), around(93, 0.3), newRatio(around(5.5e-3, 1), around(3e-4, 1))),
	}
	r.Convs = []Measurement{
		op(dtype.Float32, "generic", "conv1", around(1.2e-2, 1), around(3, 1), nil, nil),
		op(dtype.Float32, "simd", "conv1", around(6e-4, 1), around(55, 1), around(92, 0.3), newRatio(around(1.2e-2, 1), around(6e-4, 1))),
		op(dtype.Int8, "simd", "conv1", around(1.6e-4, 1), around(210, 1), around(88, 0.3), nil),
	}
	run := func(d dtype.DType, impl string, chosen bool, latency *Value) Run {
		return Run{DType: d, Impl: impl, Chosen: chosen, Latency: latency, GMACs: around(0.0386/float64(latency.Median), 1),
			PerSecond: around(1/float64(latency.Median), 1), VsFloat: newRatio(around(6.4e-4, 1), latency)}
	}
	r.Runs = []Run{
		run(dtype.Float32, "generic", false, around(1.28e-2, 1)),
		run(dtype.Float32, "simd", true, around(6.4e-4, 1)),
		run(dtype.Int8, "generic", false, around(2e-2, 1)),
		run(dtype.Int8, "simd", true, around(1.7e-4, 1)),
		run(dtype.Int8, "simd", false, around(1.2e-4, 1)),
		run(dtype.Binary, "generic", true, around(6.5e-4, 3)), // no faster than float32 within the noise
	}
	r.Shared = []Shared{
		{DType: dtype.Int8, Impl: "simd", Case: "peak", Seconds: around(5e-6, 1), Times: around(1.99, 0.5)},
		{DType: dtype.Int8, Impl: "simd", Case: "batch of 64", Seconds: around(5.6e-3, 1), Times: around(1.95, 1)},
	}
	r.Runs[1].VsFloat = nil
	r.Runs[1].VsBaseline = newRatio(r.Runs[0].Latency, r.Runs[1].Latency)
	r.Runs[1].PerImage64 = around(6.3e-4, 1)
	r.Runs[3].VsBaseline = newRatio(r.Runs[2].Latency, r.Runs[3].Latency)
	r.Runs[4].Usual, r.Runs[4].Algo, r.Runs[4].VsDirect = true, bench.WinogradAlgo, newRatio(r.Runs[3].Latency, r.Runs[4].Latency)
	network := func(d dtype.DType, weights, impl string, bytes, correct int, conv *Value) Network {
		n := Network{DType: d, Weights: weights, Impl: impl, Params: 309290, MACs: 38653952, WeightBytes: bytes, Accuracy: newAccuracy(1000, correct)}
		n.Layers = []Layer{
			{Name: "conv1", Kind: "conv2d", DType: d, Impl: "conv2d/" + d.String() + "/" + impl, Fused: []string{"relu1", "pool1"}, MACs: 38633472, WeightBytes: bytes - 100},
			{Name: "dense", Kind: "dense", DType: d, Impl: "dot/" + d.String() + "/" + impl, MACs: 20480, WeightBytes: 100},
		}
		if weights != perTensor {
			n.time(r.Runs)
		}
		if conv != nil && weights != perTensor {
			t := float64(conv.Median)
			n.Steps = []Step{
				{Name: "input", DType: d, Seconds: around(t/100, 1), Packing: around(t/100, 1), Moved: exact(12288), PerSec: around(12288/(t/100), 1)},
				{Name: "conv1", DType: d, Layer: true, Seconds: conv, Kernel: around(t*0.9, 1), Epilogue: around(t*0.06, 1), Pool: around(t*0.04, 5),
					GMACs: around(0.0386/t, 1), Peak: around(90, 1), Moved: exact(1e6), PerSec: around(1e6/t, 1)},
				{Name: "dense", DType: d, Layer: true, Seconds: bare(t / 50), Moved: exact(22648)}, // parts not measured
			}
			n.KernelPart, n.MaxSpeedup, n.TimesPeak = around(87.4, 0.2), around(7.94, 2), around(1.14, 0.5)
		}
		return n
	}
	r.Networks = []Network{
		network(dtype.Float32, "", "simd", 1229992, 905, around(6e-4, 1)),
		network(dtype.Int8, bench.PerChannel, "simd", 310992, 903, around(1.6e-4, 1)),
		network(dtype.Int8, perTensor, "simd", 310512, 880, nil),
		network(dtype.Binary, "", "generic", 59272, 800, nil),
	}
	r.Designs = []Design{
		{Name: "grid4", Description: "4x4 toy array", Family: "systolic", Structure: "4×4 os", ClockMHz: 100, NodeNM: 45, Sourced: 2, Assumed: []string{"clock_mhz"},
			Values: []DesignValue{{"clock_mhz", "100", "assumed: round"}, {"array.rows", "4", "a toy"}},
			Estimates: []Estimate{
				{DType: dtype.Float32, Refused: "no float32 unit"},
				{DType: dtype.Int8, Detail: &simhw.Estimate{Design: "grid4", DType: dtype.Int8, ClockMHz: simhw.Quantity{Value: 100, Known: true},
					Total: simhw.Total{Cycles: 10000, ComputeCycles: 8000, FillDrainCycles: 1000, StallCycles: 750, PrefetchCycles: 250, LatencyCycles: 10000, IntervalCycles: 10000,
						Utilization: 0.8, TimeUS: simhw.Quantity{Value: 100, Known: true}, EnergyPJ: simhw.Quantity{Value: 42e6, Known: true},
						Energy:  energy.Breakdown{MACPJ: 20e6, RegisterPJ: 2e6, IfmapSRAMPJ: 5e6, FilterSRAMPJ: 4e6, OfmapSRAMPJ: 1e6, DRAMPJ: 10e6, LowPJ: 20e6, HighPJ: 90e6, Priced: true, DRAMPriced: true},
						Partial: true},
					UnmodelledLayers: []simhw.Unmodelled{{Name: "pool1", Op: "maxpool", Elements: 10}},
					Area:             energy.Area{PEsUM2: 1e6, SRAMUM2: 5e5, TotalUM2: 1.5e6, PEsKnown: true, SRAMKnown: true},
					Limits:           []string{"leakage", "control"}},
					Notes: []string{"Method: made up.", "Validated: nothing."}},
				{DType: dtype.Binary, Detail: &simhw.Estimate{Design: "grid4", DType: dtype.Binary, // no clock, no energy
					Total: simhw.Total{Cycles: 5000, ComputeCycles: 5000, LatencyCycles: 5000, IntervalCycles: 5000, Utilization: 0.2}},
					Notes: []string{"Method: made up."}},
			}},
	}
	r.Host = &Host{Design: "toycore", ClockMHz: 3000, BestClockMHz: 3100,
		Peaks: []HostLayer{{DType: dtype.Float32, Kernel: "simd", Predicted: 32, Median: 32, Best: 32}},
		Layers: []HostLayer{
			{Layer: "conv1", DType: dtype.Float32, Kernel: "simd", Predicted: 30, Median: 20, Best: 25},
			{Layer: "conv1", DType: dtype.Int8, Kernel: "simd", Predicted: 90, Median: Float(math.NaN()), Best: Float(math.NaN())},
		}}
	r.Predictions = []bound.Prediction{
		{Core: "Toy-1", DType: dtype.Float32, Impl: "neon", TileRows: 8, TileCols: 8, InstructionsPerMAC: 0.3125, MACPerCycle: 3, PeakPerCycle: 4, Limit: "load pipes"},
		{Core: "Toy-1", DType: dtype.Int8, Impl: "dotprod", TileRows: 8, TileCols: 8, InstructionsPerMAC: 0.08, Missing: "SDOT"},
		{Core: "Toy-2", DType: dtype.Float32, Impl: "neon", TileRows: 8, TileCols: 8, InstructionsPerMAC: 0.3125, MACPerCycle: 8, PeakPerCycle: 8, Limit: "vector pipes"},
		{Core: "Toy-2", DType: dtype.Int8, Impl: "dotprod", TileRows: 8, TileCols: 8, InstructionsPerMAC: 0.08, MACPerCycle: 32, PeakPerCycle: 32, Limit: "vector pipes"},
	}
	r.compareDesigns()
	return r
}
