package validate

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/simhw"
	"macroscope/simhw/design"
	"macroscope/simhw/streaming"
	"macroscope/workload"
)

const (
	finnConfig = "folding in Xilinx/BNN-PYNQ bnn/src/network/%s/hw/config.h, cycles by (MH/PE)·(MW/SIMD)·vectors"
	mlperfFINN = "mlcommons/tiny_results_v0.7 open/hls4ml-finn, image classification, median throughput of one image at a time"
	finn2017   = "Umuroglu et al., FINN, FPGA 2017, abstract; ZC706 at 200 MHz"
	finnWall   = "Umuroglu et al., FINN, FPGA 2017, as cited in a survey of binary networks: 583 k and 1.87 k images/s/W"
	bnnPYNQ    = "Xilinx/BNN-PYNQ bnn/src/network/cnvW1A1/README.md, Vivado 2018.2, XC7Z020, whole overlay"
)

// cnv is FINN's network for CIFAR-10: convolutions without padding, 64-64-pool-128-128-
// pool-256-256, dense 512-512 and the outputs. The image has eight bits, all else one.
func cnv(outputs int64) workload.Workload {
	conv := func(name string, d dtype.DType, side, in, out int) workload.Layer {
		return workload.Layer{Name: name, DType: d, H: side, W: side, C: in, OutC: out, KH: 3, KW: 3, OutBits: 1}
	}
	pool := func(name string, elements int64) workload.Layer {
		return workload.Layer{Name: name, Kind: workload.Other, Op: "maxpool", DType: dtype.Binary, Elements: elements}
	}
	return workload.Workload{Name: "cnv", Layers: []workload.Layer{
		conv("conv1", dtype.Int8, 32, 3, 64), conv("conv2", dtype.Binary, 30, 64, 64), pool("pool1", 14*14*64),
		conv("conv3", dtype.Binary, 14, 64, 128), conv("conv4", dtype.Binary, 12, 128, 128), pool("pool2", 5*5*128),
		conv("conv5", dtype.Binary, 5, 128, 256), conv("conv6", dtype.Binary, 3, 256, 256),
		dense("dense1", 256, 512, 1), dense("dense2", 512, 512, 1), dense("dense3", 512, outputs, 16)}}
}

func dense(name string, in, out int64, bits int) workload.Layer {
	return workload.Layer{Name: name, Kind: workload.Gemm, DType: dtype.Binary, M: 1, N: out, K: in, OutBits: bits}
}

// mlp is a network of dense layers of one bit.
func mlp(name string, sizes ...int64) workload.Workload {
	w := workload.Workload{Name: name}
	for i := range sizes[1:] {
		w.Layers = append(w.Layers, dense(fmt.Sprintf("dense%d", i+1), sizes[i], sizes[i+1], 1))
	}
	return w
}

// engines makes a streaming design of foldings.
func engines(name string, mhz float64, pipeline int, folds [][2]int) (design.Design, error) {
	s := design.Spec{Name: name, Family: design.FamilyStreaming, ClockMHz: mhz, Streaming: design.Streaming{EnginePipelineCycles: pipeline, Count: len(folds)}}
	for i, f := range folds {
		s.Streaming.Engines[i] = design.StreamEngine{Layer: fmt.Sprintf("engine%d", i+1), PE: f[0], SIMD: f[1]}
	}
	return design.New(s)
}

// finnFoldings are two builds of BNN-PYNQ: PE and SIMD of each engine, and its cycles.
var finnFoldings = []struct {
	name   string
	net    workload.Workload
	folds  [][2]int
	cycles []float64
}{
	{"cnvW1A1", cnv(64), [][2]int{{16, 3}, {32, 32}, {16, 32}, {16, 32}, {4, 32}, {1, 32}, {1, 4}, {1, 8}, {4, 1}},
		[]float64{32400, 28224, 20736, 28800, 20736, 18432, 32768, 32768, 8192}},
	{"lfcW1A1", mlp("lfc", 832, 1024, 1024, 1024, 64), [][2]int{{32, 64}, {64, 32}, {32, 64}, {16, 8}},
		[]float64{416, 512, 512, 512}},
}

// finn compares FINN's pipelines: what its authors compute layer by layer, what boards
// measured, and the figures of the first paper, whose foldings are not published.
func finn() ([]Row, error) {
	var rows []Row
	for _, f := range finnFoldings {
		d, err := engines(f.name, 100, 0, f.folds)
		if err != nil {
			return nil, err
		}
		e, err := simhw.Evaluate(&d, &f.net)
		if err != nil {
			return nil, err
		}
		source := fmt.Sprintf(finnConfig, f.name)
		at := 0
		for _, l := range e.Layers {
			if l.PE == 0 {
				continue
			}
			rows = append(rows, Row{Design: f.name, What: l.Name + ", cycles for an image", Metric: "cycles of a layer for an image", Unit: "cycles", Theirs: f.cycles[at], Ours: float64(l.Cycles), Source: source})
			at++
		}
		most := 0.0
		for _, c := range f.cycles {
			most = max(most, c)
		}
		rows = append(rows, Row{Design: f.name, What: "pipelined rate at 100 MHz", Unit: "images/s", Theirs: 100e6 / most, Ours: rate(&e), Source: source, Note: "the slowest layer's"})
	}
	more, err := finnBoards()
	if err != nil {
		return nil, err
	}
	rows = append(rows, more...)
	if more, err = finnPaper(); err != nil {
		return nil, err
	}
	rows = append(rows, more...)
	if more, err = finnResources(); err != nil {
		return nil, err
	}
	return append(rows, more...), nil
}

// rate is the images a second of a pipeline that is kept full.
func rate(e *simhw.Estimate) float64 {
	return e.ClockMHz.Value * 1e6 / float64(e.Total.IntervalCycles)
}

// finnBoards compares one image at a time on two boards, whose builds have one folding.
func finnBoards() ([]Row, error) {
	d, err := design.Load("finn_cnv_pynq")
	if err != nil {
		return nil, err
	}
	net := cnv(10)
	e, err := simhw.Evaluate(&d, &net)
	if err != nil {
		return nil, err
	}
	inTurn := 0.0 // ms, if engines waited for each other
	for _, l := range e.Layers {
		if l.PE > 0 {
			inTurn += l.TimeUS.Value / 1000
		}
	}
	var rows []Row
	for _, b := range []struct {
		board string
		rate  float64
	}{{"PYNQ-Z2", 661.473}, {"Arty A7-100T", 659.069}} {
		rows = append(rows, Row{Design: d.Name(), What: b.board + ", time for one image", Metric: "time for one image on two boards", Unit: "ms", Theirs: 1000 / b.rate, Ours: e.Total.TimeUS.Value / 1000, Bound: 0.10, Source: mlperfFINN,
			Note: fmt.Sprintf("theirs with the benchmark's harness; engines one after another would take %.2f ms", inTurn)})
	}
	for _, b := range []struct {
		board         string
		energy, watts float64
	}{{"PYNQ-Z2", 2530, 1.667}, {"Arty A7-100T", 3419, 2.243}} {
		rows = append(rows, Row{Design: d.Name(), What: b.board + ", energy for one image", Metric: "energy for one image on two boards", Unit: "µJ", Theirs: b.energy, Ours: e.Total.EnergyPJ.Value / 1e6, Bound: Open, Source: mlperfFINN,
			Note: fmt.Sprintf("theirs is the whole board, at %g W; ours an XC7Z020's fabric alone, %.0f to %.0f µJ by the ranges of its prices: no processor, DRAM, clocks or regulators", b.watts, e.Total.Energy.LowPJ/1e6, e.Total.Energy.HighPJ/1e6)})
	}
	return rows, nil
}

// pipelined is the energy of an image where the pipeline is kept full, in µJ, at the
// prices' values and at the ends of their ranges.
func pipelined(e *simhw.Estimate, f *design.Fabric) (value, low, high float64) {
	for i := range e.Layers {
		l := &e.Layers[i].Energy
		value, low, high = value+l.TotalPJ(), low+l.LowPJ, high+l.HighPJ
	}
	const pjPerMWUS = 1e3 // 1 mW for 1 µs is 1 nJ
	interval := float64(e.Total.IntervalCycles) / e.ClockMHz.Value * pjPerMWUS
	return (value + f.StaticMW*interval) / 1e6, (low + f.StaticLowMW*interval) / 1e6, (high + f.StaticHighMW*interval) / 1e6
}

// zc706 prices a design on the chip of the first paper's board, as finn_cnv_pynq is, but
// for the larger chip's static power: 219 mW in a Vivado report of a design on an
// XC7Z045, its range assumed as wide.
func zc706(d *design.Design) (design.Design, error) {
	small, err := design.Load("finn_cnv_pynq")
	if err != nil {
		return design.Design{}, err
	}
	from, s := small.Spec(), d.Spec()
	s.TechnologyNM, s.VoltageV, s.Streaming.Fabric = from.TechnologyNM, from.VoltageV, from.Streaming.Fabric
	f := &s.Streaming.Fabric
	scale := 219 / f.StaticMW
	f.StaticMW, f.StaticLowMW, f.StaticHighMW = 219, f.StaticLowMW*scale, f.StaticHighMW*scale
	return design.New(s)
}

// finnPaper compares the first paper's largest builds, with the cheapest folding for
// their rate.
func finnPaper() ([]Row, error) {
	var rows []Row
	for _, c := range []struct {
		name         string
		net          workload.Workload
		fps, latency float64 // µs
		perJoule     float64 // images, at the wall
	}{
		{"SFC-max", mlp("sfc", 784, 256, 256, 256, 10), 12.3e6, 0.31, 583e3},
		{"CNV-max", cnv(10), 21906, 283, 1870},
	} {
		var n streaming.Network
		if err := n.Read(&c.net); err != nil {
			return nil, err
		}
		folds, err := streaming.FoldFor(n.Layers, int64(200e6/c.fps))
		if err != nil {
			return nil, err
		}
		var list [][2]int
		for _, f := range folds {
			if f.PE > 0 {
				list = append(list, [2]int{int(f.PE), int(f.SIMD)})
			}
		}
		const note = "their folding is not published: ours is the one of the fewest lanes that reaches their rate"
		for _, pipeline := range []int{0, 5} {
			d, err := engines(c.name, 200, pipeline, list)
			if err != nil {
				return nil, err
			}
			if d, err = zc706(&d); err != nil {
				return nil, err
			}
			e, err := simhw.Evaluate(&d, &c.net)
			if err != nil {
				return nil, err
			}
			if pipeline == 0 {
				rows = append(rows, Row{Design: c.name, What: "pipelined rate", Unit: "images/s", Theirs: c.fps, Ours: rate(&e), Bound: Open, Source: finn2017, Note: note})
				s := d.Spec()
				value, low, high := pipelined(&e, &s.Streaming.Fabric)
				rows = append(rows, Row{Design: c.name, What: "energy for an image, pipelined", Unit: "µJ", Theirs: 1e6 / c.perJoule, Ours: value, Bound: Open, Source: finnWall,
					Note: fmt.Sprintf("theirs at the wall of the whole board, from images/s/W; ours its fabric alone, %.3g to %.3g µJ by the ranges of its prices; %s", low, high, note)})
			}
			rows = append(rows, Row{Design: c.name, What: fmt.Sprintf("latency, engines' pipelines of %d cycles", pipeline), Unit: "µs", Theirs: c.latency, Ours: e.Total.TimeUS.Value, Bound: Open, Source: finn2017,
				Note: note + fmt.Sprintf("; in times between images theirs is %.1f, ours %.1f, of %d engines in turn: how fast those besides the slowest are decides, which no rate tells", c.latency*c.fps/1e6, e.Total.TimeUS.Value*rate(&e)/1e6, len(list))})
		}
	}
	return rows, nil
}

// finnResources compares FINN's own estimate of engines and windows with what a whole
// build took.
func finnResources() ([]Row, error) {
	f := finnFoldings[0]
	var n streaming.Network
	if err := n.Read(&f.net); err != nil {
		return nil, err
	}
	var folds []streaming.Fold
	at := 0
	for i := range n.Layers {
		l := &n.Layers[i]
		if l.Pool {
			folds = append(folds, streaming.Fold{})
			continue
		}
		l.WeightBits = 1
		folds = append(folds, streaming.Fold{PE: int64(f.folds[at][0]), SIMD: int64(f.folds[at][1])})
		at++
	}
	var p streaming.Pipeline
	if err := p.Build(n.Layers, folds, 0); err != nil {
		return nil, err
	}
	r := p.Estimate()
	const note = "theirs is everything on the chip, DMA included; ours engines and windows by FINN's formulas"
	return []Row{
		{Design: f.name, What: "LUTs", Unit: "LUT", Theirs: 26072, Ours: float64(r.LUT), Bound: Open, Source: bnnPYNQ, Note: note},
		{Design: f.name, What: "block RAMs of 36 Kib", Unit: "BRAM36", Theirs: 124, Ours: float64(r.BRAM18) / 2, Bound: Open, Source: bnnPYNQ, Note: note},
	}, nil
}
