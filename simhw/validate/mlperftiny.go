package validate

import (
	"fmt"
	"math"
	"strings"

	"macroscope/dtype"
	"macroscope/simhw"
	"macroscope/simhw/design"
	"macroscope/workload"
)

const (
	tinyResults = "MLPerf Tiny, image classification, closed division: result logs in github.com/mlcommons/tiny_results_v0.7 to _v1.2, by round"
	cmsisCIFAR  = "greenwaves-technologies.com, gap8-versus-arm-m7-embedded-cnns, quoting Arm's post on CMSIS-NN: 99.1 ms at 216 MHz"
)

// resNet8 is MLPerf Tiny's image-classification network on 32×32×3 images
// (mlcommons/tiny, benchmark/training/image_classification): three stages of
// two 3×3 layers with a shortcut, 12,501,632 MACs.
func resNet8(d dtype.DType) workload.Workload {
	w := workload.Workload{Name: "resnet8", Layers: []workload.Layer{
		conv("conv1", 32, 3, 16, 3, 1, 1, 1),
		conv("stack1a", 32, 16, 16, 3, 1, 1, 1), conv("stack1b", 32, 16, 16, 3, 1, 1, 1),
		conv("stack2a", 32, 16, 32, 3, 2, 1, 1), conv("stack2b", 16, 32, 32, 3, 1, 1, 1), conv("shortcut2", 32, 16, 32, 1, 2, 0, 1),
		conv("stack3a", 16, 32, 64, 3, 2, 1, 1), conv("stack3b", 8, 64, 64, 3, 1, 1, 1), conv("shortcut3", 16, 32, 64, 1, 2, 0, 1),
		denseInt8("dense", 64, 10)}}
	return w.WithDType(d)
}

// cmsisNet is the CIFAR-10 network of Lai, Suda and Chandra, CMSIS-NN
// (arXiv 1801.06601): three 5×5 layers, each before a pool, and a dense layer;
// 12.3 million MACs.
func cmsisNet() workload.Workload {
	return workload.Workload{Name: "cmsis-nn cifar10", Layers: []workload.Layer{
		conv("conv1", 32, 3, 32, 5, 1, 2, 1), conv("conv2", 16, 32, 32, 5, 1, 2, 1), conv("conv3", 8, 32, 64, 5, 1, 2, 1), denseInt8("ip1", 1024, 10)}}
}

// board is a measured run: a shipped design, changed where the board differs.
type board struct {
	design, name, round string
	ips                 float64 // inferences a second
	energyUJ            float64 // 0: not compared
	float32             bool
	change              func(*design.Spec)
	cifar               bool   // CMSIS-NN's own network
	open                string // what is particular about a row that promises nothing, and that no figure is fitted to
}

// slow sets a clock and the memory of another chip.
func slow(mhz float64, m design.SlowMemory) func(*design.Spec) {
	return func(s *design.Spec) { s.ClockMHz, s.Vector.Memory = mhz, m }
}

// Chips whose memories have no design of their own: all assumed. The PSoC 62's submissions
// give 150 MHz, what it can do, and run on Mbed OS, which sets 100 (ARMmbed/mbed-os,
// TARGET_CY8CPROTO_062_4343W, cycfg_system.c: CY_CFG_SYSCLK_CLKHF0_FREQ_MHZ).
var (
	psoc6   = slow(100, design.SlowMemory{CacheBytes: 8192, LineBytes: 16, MissCycles: 4})
	f746    = slow(216, design.SlowMemory{CacheBytes: 4096, LineBytes: 32, MissCycles: 8})
	m467    = slow(200, design.SlowMemory{CacheBytes: 16384, LineBytes: 16, MissCycles: 4})
	nrf5340 = slow(128, design.SlowMemory{CacheBytes: 8192, LineBytes: 16, MissCycles: 3})
)

// dualBank reads the STM32L4R5's flash 64 bits at a time: the mode of two banks, which
// ST's own runs of v0.7 and v1.0 and Krai's name. ST's of v1.1 and v1.2 name that of one bank,
// which the design has; the other submitters name none, and the chip comes with two.
func dualBank(s *design.Spec) { s.Vector.Memory.LineBytes = 8 }

// q7Functions is the loop of arm_convolve_HWC_q7_fast, which widens in an order that takes
// no instruction, and scales by a shift: arm_nn_mat_mult_kernel_q7_q15_reordered, as GCC
// 12.2 -O2 compiles it, 23 instructions for 16 products.
func q7Functions(s *design.Spec) {
	l := &s.Vector.Loops[0]
	l.RowLoads, l.RowWidens, l.ColWidens, l.Unroll, l.LoopInstructions = 2, 0, 2, 1, 5
	l.TileInstructions, l.OutputInstructions, l.GatherInstructions = 41, 4, 2.25
}

// kept takes weights from flash 64 bits at a time.
func kept(s *design.Spec) {
	s.Vector.Memory.CacheBytes, s.Vector.Memory.LineBytes = 8, 8
}

// rolled has a branch after each product.
func rolled(s *design.Spec) {
	l := &s.Vector.Loops[0]
	l.LoopInstructions = 1 + (l.LoopInstructions - float64(l.Unroll)) // an addition, and what is done once
	l.Unroll = 1
}

const floatNote = "the library's float32 loop is not known: the design's is taken, and the figure fitted to int8 alone"

// libraries are programs, each with its runs of ResNet-8 in rounds v0.7 to v1.2, closed division,
// on the cores that there are designs of, but for those in which Krai and cTuning repeated others'
// software on others' boards, to within 1 %, and those of code that microTVM tuned for its board by
// itself; where a framework calls a library of kernels that its submission names, that is it, and
// where the library's functions are public, each run has the loop of its own. A library's
// efficiency is one figure, that which makes the geometric mean of ours over theirs 1 over its int8
// rows; what remains is each core's error. One that became another program is two: ST's projects of
// v1.2 ask X-CUBE-AI 9.0 for its fastest code (-O time), at the price of more memory for
// activations, where those of v0.7 ask 7.1 for nothing; what it then does is not published. One
// that is given is not fitted: the design has the library's own loop.
var libraries = []library{
	{name: "X-CUBE-AI 7.1 to 8.1", runs: []board{
		{design: "cortex_m4", name: "STM32L4R5, Cortex-M4 120 MHz, X-CUBE-AI 7.1", round: "v0.7", ips: 3.956, energyUJ: 12298, change: dualBank},
		{design: "cortex_m33", name: "STM32U575, Cortex-M33 160 MHz, X-CUBE-AI 7.1", round: "v0.7", ips: 6.324, energyUJ: 4151},
		{design: "cortex_m7", name: "STM32H7A3, Cortex-M7 280 MHz, X-CUBE-AI 7.1", round: "v0.7", ips: 14.212, energyUJ: 11200},
		{design: "cortex_m4", name: "STM32L4R5, Cortex-M4 120 MHz, X-CUBE-AI 7.3", round: "v1.0", ips: 4.407, energyUJ: 10682, change: dualBank},
		{design: "cortex_m33", name: "STM32U575, Cortex-M33 160 MHz, X-CUBE-AI 7.3", round: "v1.0", ips: 7.158, energyUJ: 3642},
		{design: "cortex_m7", name: "STM32H7A3, Cortex-M7 280 MHz, X-CUBE-AI 7.3", round: "v1.0", ips: 18.401, energyUJ: 8707},
		{design: "cortex_m4", name: "STM32L4R5, Cortex-M4 120 MHz, X-CUBE-AI 8.0", round: "v1.1", ips: 4.505, change: dualBank},
		{design: "cortex_m7", name: "STM32H7A3, Cortex-M7 280 MHz, X-CUBE-AI 8.0", round: "v1.1", ips: 18.215},
		{design: "cortex_m4", name: "STM32L4R5, Cortex-M4 120 MHz, X-CUBE-AI 8.1", round: "v1.1", ips: 4.673, energyUJ: 7019},
		{design: "cortex_m33", name: "STM32U575, Cortex-M33 160 MHz, X-CUBE-AI 8.1", round: "v1.1", ips: 7.800, energyUJ: 3384},
		{design: "cortex_m7", name: "STM32H7A3, Cortex-M7 280 MHz, X-CUBE-AI 8.1", round: "v1.1", ips: 19.250, energyUJ: 6311}}},
	{name: "X-CUBE-AI 9.0", runs: []board{
		{design: "cortex_m4", name: "STM32L4R5, Cortex-M4 120 MHz", round: "v1.2", ips: 6.056, energyUJ: 6919},
		{design: "cortex_m33", name: "STM32U575, Cortex-M33 160 MHz", round: "v1.2", ips: 9.003, energyUJ: 2579},
		{design: "cortex_m7", name: "STM32H7A3, Cortex-M7 280 MHz", round: "v1.2", ips: 24.483, energyUJ: 5090}}},
	{name: "Plumerai", runs: []board{
		{design: "cortex_m4", name: "STM32L4R5, Cortex-M4 120 MHz", round: "v0.7", ips: 5.416, change: dualBank},
		{design: "cortex_m4", name: "STM32L4R5, Cortex-M4 120 MHz", round: "v1.0", ips: 5.775, change: dualBank},
		{design: "cortex_m4", name: "STM32L4R5, Cortex-M4 120 MHz", round: "v1.1", ips: 5.961, change: dualBank},
		{design: "cortex_m4", name: "CY8C6, Cortex-M4 100 MHz", round: "v0.7", ips: 4.930, change: psoc6},
		{design: "cortex_m4", name: "CY8C6, Cortex-M4 100 MHz", round: "v1.0", ips: 5.178, change: psoc6},
		{design: "cortex_m4", name: "CY8C6, Cortex-M4 100 MHz", round: "v1.1", ips: 5.292, change: psoc6},
		{design: "cortex_m33", name: "STM32U585, Cortex-M33 160 MHz", round: "v1.0", ips: 9.341},
		{design: "cortex_m33", name: "STM32U575, Cortex-M33 160 MHz", round: "v1.1", ips: 9.589},
		{design: "cortex_m7", name: "STM32F746, Cortex-M7 216 MHz", round: "v0.7", ips: 15.349, change: f746},
		{design: "cortex_m7", name: "STM32F746, Cortex-M7 216 MHz", round: "v1.0", ips: 15.440, change: f746},
		{design: "cortex_m7", name: "STM32F746, Cortex-M7 216 MHz", round: "v1.1", ips: 15.904, change: f746},
		{design: "cortex_m7", name: "STM32H7A3, Cortex-M7 280 MHz", round: "v1.1", ips: 19.636}}},
	{name: "Bosch HALE", runs: []board{
		{design: "cortex_m0plus", name: "STM32G0B1, Cortex-M0+ 64 MHz", round: "v1.1", ips: 0.599},
		{design: "cortex_m4", name: "STM32L4R5, Cortex-M4 120 MHz", round: "v1.1", ips: 5.586, change: dualBank},
		{design: "cortex_m33", name: "STM32U575, Cortex-M33 160 MHz", round: "v1.1", ips: 8.493},
		{design: "cortex_m7", name: "STM32F746, Cortex-M7 216 MHz", round: "v1.1", ips: 16.242, change: f746},
		{design: "cortex_m7", name: "STM32H7A3, Cortex-M7 280 MHz", round: "v1.1", ips: 21.353},
		{design: "cortex_m0plus", name: "STM32G0B1, Cortex-M0+ 64 MHz", round: "v1.2", ips: 0.657},
		{design: "cortex_m0plus", name: "STM32G0B1, Cortex-M0+ 64 MHz", round: "v1.2", ips: 0.657, change: kept, open: "were the 64 bits that flash gives kept for the bytes that follow"},
		{design: "cortex_m4", name: "STM32L4R5, Cortex-M4 120 MHz", round: "v1.2", ips: 5.539, change: dualBank},
		{design: "cortex_m4", name: "CY8C6, Cortex-M4 100 MHz", round: "v1.2", ips: 6.165, change: psoc6},
		{design: "cortex_m33", name: "STM32U575, Cortex-M33 160 MHz", round: "v1.2", ips: 8.296},
		{design: "cortex_m7", name: "STM32F746, Cortex-M7 216 MHz", round: "v1.2", ips: 15.986, change: f746},
		{design: "cortex_m7", name: "STM32H7A3, Cortex-M7 280 MHz", round: "v1.2", ips: 21.811},
		{design: "cortex_m4", name: "CY8C6, Cortex-M4 100 MHz, float32", round: "v1.2", ips: 2.084, float32: true, change: psoc6},
		{design: "cortex_m7", name: "STM32H7A3, Cortex-M7 280 MHz, float32", round: "v1.2", ips: 8.050, float32: true}}},
	// ONNC's programs for the Cortex-M4 call the functions of CMSIS-NN's own network, those of
	// int8 without zero points; TFLM and microTVM those of their designs, for Helium on the
	// Cortex-M85.
	{name: "CMSIS-NN", runs: []board{
		{design: "cortex_m4_cmsisnn", name: "STM32L4R5, Cortex-M4 120 MHz, q7 functions by ONNC, Mbed OS", round: "v1.1", ips: 3.348, change: q7Functions},
		{design: "cortex_m4_cmsisnn", name: "STM32L4R5, Cortex-M4 120 MHz, q7 functions by ONNC, Zephyr", round: "v1.1", ips: 3.372, change: q7Functions},
		{design: "cortex_m4_cmsisnn", name: "M467, Cortex-M4 200 MHz, q7 functions by ONNC, Zephyr", round: "v1.1", ips: 5.833, change: func(s *design.Spec) { m467(s); q7Functions(s) }},
		{design: "cortex_m7", name: "STM32F746, Cortex-M7 216 MHz, q7 functions, CMSIS-NN's own network", ips: 1000 / 99.1, change: func(s *design.Spec) { f746(s); q7Functions(s) }, cifar: true},
		{design: "cortex_m33_cmsisnn", name: "RA6M4, Cortex-M33 200 MHz, by TFLM", round: "v0.7", ips: 4.062},
		{design: "cortex_m33_cmsisnn", name: "nRF5340, Cortex-M33 128 MHz, by microTVM", round: "v1.0", ips: 3.163, change: nrf5340},
		{design: "cortex_m4_cmsisnn", name: "STM32L4R5, Cortex-M4 120 MHz, by microTVM", round: "v1.0", ips: 2.567, energyUJ: 20236},
		{design: "cortex_m85", name: "RA8D1, Cortex-M85 480 MHz, Helium's functions by TFLM", round: "v1.2", ips: 117.948}}},
	{name: "Andes NN of v0.7", runs: []board{
		{design: "riscv_d25f", name: "RISC-V D25F 60 MHz, by TFLM", round: "v0.7", ips: 3.282},
		{design: "riscv_d45", name: "RISC-V D45 60 MHz, by TFLM", round: "v0.7", ips: 4.392}}},
	{name: "Andes NN's q7 functions", given: 1, runs: []board{
		{design: "riscv_ax45mp", name: "RZ/Five, RISC-V AX45MP 1 GHz, by ONNC", round: "v1.2", ips: 29.967, open: "by which the loop was chosen"},
		{design: "riscv_ax45mp", name: "RZ/Five, RISC-V AX45MP 1 GHz, by ONNC", round: "v1.2", ips: 29.967, change: rolled, open: "with its loop as GCC 12.2 -O3 leaves it, not unrolled"}}},
}

type library struct {
	name  string
	given float64 // the efficiency; 0: fitted
	runs  []board
}

// run is a board's network on its design, made ready.
type run struct {
	board
	model *simhw.Model
	spec  design.Spec
	work  workload.Workload
}

func (b *board) ready() (*run, error) {
	d, err := design.Load(b.design)
	if err != nil {
		return nil, err
	}
	r := &run{board: *b, spec: d.Spec(), work: resNet8(dtype.Int8)}
	switch {
	case b.float32:
		r.work = resNet8(dtype.Float32)
	case b.cifar:
		r.work = cmsisNet()
	}
	if b.change != nil {
		b.change(&r.spec)
	}
	r.model, err = simhw.New(&d)
	return r, err
}

// evaluate gives the estimate with a library's efficiency.
func (r *run) evaluate(efficiency float64) (simhw.Estimate, error) {
	r.spec.Vector.Efficiency = efficiency
	if err := r.model.Set(&r.spec); err != nil {
		return simhw.Estimate{}, err
	}
	return r.model.Evaluate(&r.work)
}

// fit finds a library's efficiency, and the number of int8 runs that it rests
// on. Waits for memory do not depend on it, so that it is found by halving.
func fit(runs []*run) (efficiency float64, n int, err error) {
	low, high := 0.02, 8.0
	for range 30 {
		efficiency = math.Sqrt(low * high)
		logs := 0.0
		n = 0
		for _, r := range runs {
			if r.float32 || r.open != "" {
				continue
			}
			e, err := r.evaluate(efficiency)
			if err != nil {
				return 0, 0, err
			}
			logs += math.Log(e.Total.TimeUS.Value * r.ips / 1e6)
			n++
		}
		if logs > 0 {
			low = efficiency // we are slower than they
		} else {
			high = efficiency
		}
	}
	return efficiency, n, nil
}

// row compares a run's time by a library.
func (r *run) row(library string, efficiency float64) (Row, float64, error) {
	e, err := r.evaluate(efficiency)
	if err != nil {
		return Row{}, 0, err
	}
	row := Row{Design: r.design + ": " + r.name, What: "ResNet-8, an image by " + library, Metric: "ResNet-8, time of an image", Unit: "ms", Theirs: 1000 / r.ips, Ours: e.Total.TimeUS.Value / 1000,
		Bound: 0.25, Source: tinyResults}
	switch {
	case r.cifar:
		row.What, row.Metric, row.Source = "CIFAR-10, an image by "+library, "CMSIS-NN's CIFAR-10 network, time of an image", cmsisCIFAR
	case r.float32:
		row.Metric = "ResNet-8 in float32, time of an image"
	}
	if r.round != "" && !strings.HasSuffix(library, r.round) {
		row.What += ", round " + r.round
	}
	return row, e.Total.EnergyPJ.Value / 1e6, nil
}

// tiny compares processors running ResNet-8.
func tiny() ([]Row, error) {
	var rows []Row
	all := map[string][]*run{}
	for i := range libraries {
		lib := &libraries[i]
		var runs []*run
		for j := range lib.runs {
			r, err := lib.runs[j].ready()
			if err != nil {
				return nil, err
			}
			runs = append(runs, r)
		}
		for _, w := range wholes {
			if strings.HasPrefix(lib.name, w.prefix) {
				all[w.name] = append(all[w.name], runs...)
			}
		}
		efficiency, n, note := lib.given, 0, fmt.Sprintf("%s: efficiency %g, not fitted", lib.name, lib.given)
		if lib.given == 0 {
			var err error
			if efficiency, n, err = fit(runs); err != nil {
				return nil, err
			}
			note = fmt.Sprintf("%s: efficiency %.3g of the design's loop, one figure from %d int8 runs", lib.name, efficiency, n)
		}
		for _, r := range runs {
			row, uj, err := r.row(lib.name, efficiency)
			if err != nil {
				return nil, err
			}
			row.Note = note
			if r.open != "" {
				row.Bound, row.What, row.Metric = Open, row.What+", "+r.open, row.Metric+", "+r.open
			}
			if r.float32 {
				row.Note += "; " + floatNote
			}
			rows = append(rows, row)
			if r.energyUJ > 0 {
				row.Metric, row.Unit, row.Theirs, row.Ours, row.Bound = "ResNet-8, energy of an image", "µJ", r.energyUJ, uj, Open
				row.Note = "energy by the cycle from the v0.7 round's power; later rounds measured at other voltages and clocks"
				rows = append(rows, row)
			}
		}
	}
	for _, w := range wholes {
		efficiency, n, err := fit(all[w.name])
		if err != nil {
			return nil, err
		}
		var worst Row
		for _, r := range all[w.name] {
			row, _, err := r.row(w.name, efficiency)
			if err != nil {
				return nil, err
			}
			if math.Abs(row.Error()) > math.Abs(worst.Error()) || worst.Design == "" {
				worst = row
			}
		}
		worst.Metric = "ResNet-8, time of an image, the worst by one figure for " + w.name
		worst.Bound, worst.Note = Open, fmt.Sprintf("%s: efficiency %.3g, one figure for all %d of these runs; of them the worst", w.name, efficiency, n)
		rows = append(rows, worst)
	}
	return rows, nil
}

// wholes are libraries taken as one through all their releases: what a single figure
// would be worth.
var wholes = []struct{ name, prefix string }{{"X-CUBE-AI, all releases", "X-CUBE-AI"}}
