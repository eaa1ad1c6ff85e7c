package validate

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/simhw"
	"macroscope/simhw/design"
	"macroscope/workload"
)

const (
	binarEye     = "Moons et al., BinarEye, CICC 2018, arXiv 1804.05554, abstract"
	binarEyeArea = "a comparison of accelerators that cites arXiv 1804.05554"
	binarEyeRate = binarEyeArea + "; its clock is 1.5 to 48 MHz"
	mixedSignal  = "briantliao.com/research-notes on Bankman et al., JSSC 2018, a chip for the same network"
)

// binarEyeNet is the network of BertMoons/BinarEye, CIFAR10/cifar10.py with 256
// filters: eight convolutions of 2×2 without padding, pools behind the fourth and the
// sixth, a dense layer. Images enter as 256 channels of ±1.
func binarEyeNet() workload.Workload {
	w := workload.Workload{Name: "binareye"}
	for i, side := range []int{32, 31, 30, 29, 14, 13, 6, 5} {
		w.Layers = append(w.Layers, workload.Layer{Name: fmt.Sprintf("conv%d", i+1), DType: dtype.Binary, H: side, W: side, C: 256, OutC: 256, KH: 2, KW: 2})
	}
	w.Layers = append(w.Layers, dense("dense", 4*4*256, 10, 16))
	return w
}

// xnorChips compares an engine like BinarEye with the chip.
func xnorChips() ([]Row, error) {
	d, err := design.Load("binareye")
	if err != nil {
		return nil, err
	}
	net := binarEyeNet()
	s := d.Spec()
	at := func(volts float64) (simhw.Estimate, error) {
		v := s
		v.VoltageV = volts
		d, err := design.New(v)
		if err != nil {
			return simhw.Estimate{}, err
		}
		return simhw.Evaluate(&d, &net)
	}
	high, err := at(s.VoltageV)
	if err != nil {
		return nil, err
	}
	low, err := at(0.6)
	if err != nil {
		return nil, err
	}
	weights := int64(0)
	for i := range net.Layers {
		weights += net.Layers[i].WeightWords()
	}
	microjoule := func(e *simhw.Estimate) float64 { return e.Total.EnergyPJ.Value / 1e6 }
	perOp := func(e *simhw.Estimate) float64 { return 1e3 * e.Total.Energy.MACPJ / 2 / float64(e.Total.MACs) }
	uncertain := "their voltage is not published: ours at 0.9 V and at 0.6 V, that of the sister chip; left out are the clock's tree and flip-flops, control"
	between := func(e *simhw.Estimate) string {
		b := &e.Total.Energy
		return fmt.Sprintf("; by the ranges of the prices ours is %.3g to %.3g µJ, and %.2g µJ of it leakage at 48 MHz", b.LowPJ/1e6, b.HighPJ/1e6, b.LeakagePJ/1e6)
	}
	cycles := float64(high.Total.Cycles)
	// All of the chip, were its energy and its rate of one operating point.
	const chipMW, pjPerMWUS = 14.4 * 150 / 1000, 1e3
	leakMW := low.Total.Energy.LeakagePJ / pjPerMWUS / low.Total.TimeUS.Value
	uncertain += fmt.Sprintf("; most of ours is leakage by a fast library (%.0f mW at 0.6 V), where 14.4 µJ at the 150 images/s that others report are %.1f mW for all of the chip: it leaks less than its node does here", leakMW, chipMW)
	return []Row{
		{Design: "binareye", What: "weights of the CIFAR-10 network", Unit: "KiB", Theirs: 261.5, Ours: float64(weights) / 8 / 1024, Bound: 0.01, Source: mixedSignal,
			Note: "the network as such, from the authors' training script"},
		{Design: "binareye", What: "energy of a CIFAR-10 image, 0.9 V", Unit: "µJ", Theirs: 14.4, Ours: microjoule(&high), Bound: Open, Source: binarEye, Note: uncertain + between(&high)},
		{Design: "binareye", What: "energy of a CIFAR-10 image, 0.6 V", Unit: "µJ", Theirs: 14.4, Ours: microjoule(&low), Bound: Open, Source: binarEye, Note: uncertain + between(&low)},
		{Design: "binareye", What: "energy of an operation, 0.9 V", Unit: "fJ", Theirs: 1000.0 / 230, Ours: perOp(&high), Bound: Open, Source: binarEye + ": 230 1b-TOPS/W peak",
			Note: "ours is XNORs and adders alone"},
		{Design: "binareye", What: "CIFAR-10 images, theirs at an unpublished clock, ours at 48 MHz", Unit: "images/s", Theirs: 150, Ours: 48e6 / cycles, Bound: Open, Source: binarEyeRate,
			Note: fmt.Sprintf("no comparison of like with like: the model needs %.1f MHz for 150 images a second; the load of weights, %.0f %% of the cycles, is assumed", 150*cycles/1e6,
				100*float64(high.Total.FillDrainCycles)/cycles)},
		{Design: "binareye", What: "area of the active part", Unit: "mm²", Theirs: 1.4, Ours: high.Area.TotalUM2 / 1e6, Bound: Open, Source: binarEyeArea,
			Note: "ours: SRAM by a rule of thumb of 600 λ² a bit, with room that its foundry's cells do not take"},
	}, nil
}
