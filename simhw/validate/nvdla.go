package validate

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/simhw"
	"macroscope/simhw/design"
	"macroscope/simhw/mactree"
	"macroscope/workload"
)

const (
	nvdlaSource = "NVDLA_OpenSource_Performance.xlsx, github.com/nvdla/hw (perf/): 2,048 int8 MACs, 512 KiB, 1 GHz, 10 GB/s"
	nvdlaRTL    = "github.com/nvdla/hw issue 202: one user's VCS simulation of the RTL in the sheet's configuration"
	nvdlaBoard  = "Tengine lite-v1.5 release notes and README of github.com/LeiWang1999/ZYNQ-NVDLA"
)

func conv(name string, size, c, outC, k, stride, pad, groups int) workload.Layer {
	return workload.Layer{Name: name, Kind: workload.Conv, DType: dtype.Int8, H: size, W: size, C: c, OutC: outC, KH: k, KW: k, StrideH: stride, StrideW: stride,
		PadTop: pad, PadLeft: pad, PadBottom: pad, PadRight: pad, Groups: groups}
}

func denseInt8(name string, k, n int64) workload.Layer {
	return workload.Layer{Name: name, Kind: workload.Gemm, DType: dtype.Int8, M: 1, K: k, N: n}
}

// alexNet is AlexNet with its two groups (Krizhevsky et al., 2012), and the KiB of
// each output after pooling.
func alexNet() (workload.Workload, []float64) {
	return workload.Workload{Name: "alexnet", Layers: []workload.Layer{
			conv("conv1", 227, 3, 96, 11, 4, 0, 1), conv("conv2", 27, 96, 256, 5, 1, 2, 2), conv("conv3", 13, 256, 384, 3, 1, 1, 1),
			conv("conv4", 13, 384, 384, 3, 1, 1, 2), conv("conv5", 13, 384, 256, 3, 1, 1, 2),
			denseInt8("fc6", 9216, 4096), denseInt8("fc7", 4096, 4096), denseInt8("fc8", 4096, 1000)}},
		[]float64{27 * 27 * 96 / 1024., 13 * 13 * 256 / 1024., 13 * 13 * 384 / 1024., 13 * 13 * 384 / 1024., 6 * 6 * 256 / 1024., 4, 4, 1000 / 1024.}
}

// resNet50 is ResNet-50 (He et al., 2015) on images of 224×224, striding in the
// first 1×1 layer of a stage as the sheet does, and which outputs a shortcut is added to.
func resNet50() (w workload.Workload, addition []bool) {
	w.Name = "resnet50"
	add := func(l workload.Layer, sum bool) {
		w.Layers = append(w.Layers, l)
		addition = append(addition, sum)
	}
	c, s := 64, 56
	add(conv("conv1", 224, 3, 64, 7, 2, 3, 1), false)
	for stage, n := range []int{3, 4, 6, 3} {
		wide := 64 << stage
		for b := range n {
			name := fmt.Sprintf("res%d%c", stage+2, 'a'+b)
			stride, out := 1, s
			if b == 0 && stage > 0 {
				stride, out = 2, s/2
			}
			if b == 0 {
				add(conv(name+"_1", s, c, 4*wide, 1, stride, 0, 1), false)
			}
			add(conv(name+"_2a", s, c, wide, 1, stride, 0, 1), false)
			add(conv(name+"_2b", out, wide, wide, 3, 1, 1, 1), false)
			add(conv(name+"_2c", out, wide, 4*wide, 1, 1, 0, 1), true)
			s, c = out, 4*wide
		}
	}
	w.Layers = append(w.Layers, denseInt8("fc", int64(c), 1000))
	return w, append(addition, false)
}

// resNetCIFAR is the network that the board's author calls resnet18-cifar10
// (github.com/LeiWang1999/nvdla_loadables, resnet18-cifar10-caffe/deploy.prototxt):
// 16, 32 and 64 channels, blocks of two 3×3 layers, 36 million MACs.
func resNetCIFAR() workload.Workload {
	w := workload.Workload{Name: "resnet18-cifar10", Layers: []workload.Layer{conv("first_conv", 32, 3, 16, 3, 1, 1, 1)}}
	c, s := 16, 32
	for group, blocks := range []int{3, 3, 2} {
		wide := 16 << group
		for b := range blocks {
			name := fmt.Sprintf("group%d_block%d", group, b)
			stride, out := 1, s
			if b == 0 && group > 0 {
				stride, out = 2, s/2
				w.Layers = append(w.Layers, conv(name+"_proj", s, c, wide, 1, 2, 0, 1))
			}
			w.Layers = append(w.Layers, conv(name+"_conv0", s, c, wide, 3, stride, 1, 1), conv(name+"_conv1", out, wide, wide, 3, 1, 1, 1),
				workload.Layer{Name: name + "_add", Kind: workload.Other, Op: "add", DType: dtype.Int8, Elements: int64(out * out * wide)})
			s, c = out, wide
		}
	}
	w.Layers = append(w.Layers, workload.Layer{Name: "pool", Kind: workload.Other, Op: "globalaveragepool", DType: dtype.Int8, H: s, W: s, C: c, OutC: c, Groups: c, KH: s, KW: s, Elements: int64(c)},
		denseInt8("fc", 64, 10))
	return w
}

// yoloTiny is YOLOv3-tiny on 416×416 (pjreddie/darknet, cfg/yolov3-tiny.cfg): 2.8 billion
// MACs. Upsampling and concatenation copy and are left out.
func yoloTiny() workload.Workload {
	w := workload.Workload{Name: "yolov3-tiny"}
	side, c := 416, 3
	layer := func(outC, k int) {
		w.Layers = append(w.Layers, conv(fmt.Sprintf("conv%d", len(w.Layers)), side, c, outC, k, 1, k/2, 1))
		c = outC
	}
	pool := func(stride int) {
		out := side / stride
		w.Layers = append(w.Layers, workload.Layer{Name: fmt.Sprintf("pool%d", len(w.Layers)), Kind: workload.Other, Op: "maxpool", DType: dtype.Int8,
			H: side, W: side, C: c, OutC: c, Groups: c, KH: 2, KW: 2, StrideH: stride, StrideW: stride, PadBottom: 2 - stride, PadRight: 2 - stride, Elements: int64(out * out * c)})
		side = out
	}
	for _, wide := range []int{16, 32, 64, 128, 256} {
		layer(wide, 3)
		pool(2)
	}
	layer(512, 3)
	pool(1)
	layer(1024, 3)
	layer(256, 1)
	layer(512, 3)
	layer(255, 1)
	c = 256 // back to the layer of 256
	layer(128, 1)
	side, c = 26, 128+256
	layer(256, 3)
	layer(255, 1)
	return w
}

// nvdla compares with the vendor's estimator, with RTL and with a board.
func nvdla() ([]Row, error) {
	res, _ := resNet50()
	alex, output := alexNet()
	sheet := mactree.Sheet{MACs: 2048, BufferKiB: 512, DRAMGBs: 10, KernelPad: 16, Winograd: true, FCBatch: 16}
	byFormula := 0.0
	for i := range alex.Layers {
		byFormula += float64(sheet.Layer(&alex.Layers[i], mactree.SheetLayer{OutputKiB: output[i]}).Max)
	}
	rows := []Row{
		{Design: "nvdla_large (the sheet's formulas)", What: "AlexNet, cycles an image of 16 in the dense layers", Metric: "the sheet's formulas, AlexNet, cycles an image of 16 in the dense layers", Unit: "cycles", Theirs: 895443.56, Ours: byFormula, Bound: 0.05,
			Source: nvdlaSource, Note: "by the formulas of the sheet's ResNet-50 page; its AlexNet page has other ones (nvdla/hw issue 96)"},
		{Design: "nvdla_large (the sheet's formulas)", What: "AlexNet, cycles of the RTL", Metric: "the sheet's formulas, AlexNet, cycles of the RTL", Unit: "cycles", Theirs: 2093882, Ours: byFormula, Bound: Open,
			Source: nvdlaRTL, Note: "the RTL took 2.34 times what the vendor's sheet says; batch and memory of that run are not stated"}}

	run := func(name string, w *workload.Workload, change func(*design.Spec)) (simhw.Estimate, error) {
		d, err := design.Load(name)
		if err != nil {
			return simhw.Estimate{}, err
		}
		s := d.Spec()
		if change != nil {
			change(&s)
		}
		if d, err = design.New(s); err != nil {
			return simhw.Estimate{}, err
		}
		return simhw.Evaluate(&d, w)
	}
	e, err := run("nvdla_large", &res, nil)
	if err != nil {
		return nil, err
	}
	rows = append(rows, Row{Design: "nvdla_large", What: "ResNet-50, cycles an image, against the vendor's estimate", Unit: "cycles", Theirs: 7113691, Ours: float64(e.Total.Cycles), Bound: Open,
		Source: nvdlaSource, Note: "this model pads no channels to 128, fetches no operand of additions, and waits for each layer's first operands"})
	batch := workload.Workload{Name: "alexnet16"}
	for _, l := range alex.Layers {
		if l.Kind == workload.Conv {
			l.Batch = 16
		}
		l.M *= 16
		batch.Layers = append(batch.Layers, l)
	}
	if e, err = run("nvdla_large", &batch, nil); err != nil {
		return nil, err
	}
	rows = append(rows, Row{Design: "nvdla_large", What: "AlexNet, cycles an image of 16, against the RTL", Unit: "cycles", Theirs: 2093882, Ours: float64(e.Total.Cycles) / 16, Bound: Open,
		Source: nvdlaRTL, Note: "1.1 million of ours are conv1, whose 3 channels use 3 of a cell's 64 multipliers; the sheet counts 4 of 4. Batch and memory of that run are not stated"})

	tiny := yoloTiny()
	if e, err = run("nvdla_small", &tiny, nil); err != nil {
		return nil, err
	}
	rows = append(rows, Row{Design: "nvdla_small", What: "YOLOv3-tiny, 416×416, an image", Unit: "ms", Theirs: 630.5, Ours: e.Total.TimeUS.Value / 1000, Bound: Open,
		Source: nvdlaBoard, Note: fmt.Sprintf("the runtime weighs less than in the small network; %.0f ms if every multiplier always worked. Whether theirs upsamples in NVDLA or on the host is not stated: ours leaves it out", float64(tiny.MACs())/64/100e6*1e3)})
	small := resNetCIFAR()
	if e, err = run("nvdla_small", &small, nil); err != nil {
		return nil, err
	}
	return append(rows, Row{Design: "nvdla_small", What: "ResNet-18 for CIFAR-10, an image", Unit: "ms", Theirs: 12.6, Ours: e.Total.TimeUS.Value / 1000, Bound: Open,
		Source: nvdlaBoard, Note: fmt.Sprintf("theirs is a call of Tengine's runtime; the clock is that of the author's first board, the fastest that met its timing (paper/Tex/Chap_Result.tex there); ours has no driver and no interrupt between its %d operations. How much these are, the same repository tells: with NVIDIA's runtime a network of this name takes 36.5 ms and LeNet 11.2 (reports/execute_time), and its thesis finds that size hardly matters", len(small.Layers))}), nil
}
