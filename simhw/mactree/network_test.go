package mactree

import (
	"bytes"
	"testing"

	"macroscope/bench"
	"macroscope/cifar10"
	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/graph/reference"
	"macroscope/models"
	"macroscope/ptq"
	"macroscope/quant"
	"macroscope/workload"
)

// The int8 CIFAR-10 network's convolutions, each with its own weights and a
// test image's activations, on cores like NVDLA's large (with and without
// Winograd) and small: the CPU kernels' sums in the closed form's cycles.
func TestNetworkLayers(t *testing.T) {
	q, err := bench.LoadNetwork("cifar10cnn", dtype.Int8, ptq.Options{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := cifar10.Read(bytes.NewReader(models.Sample()), "sample")
	if err != nil {
		t.Fatal(err)
	}
	image := make([]float32, cifar10.PixelBytes)
	set.Floats(image, 0)
	values, err := reference.Values(q, image)
	if err != nil {
		t.Fatal(err)
	}
	convolutions := 0
	for _, n := range q.Nodes {
		op, ok := n.Op.(*graph.Conv2D)
		if !ok {
			continue
		}
		convolutions++
		l, x, w := lower(t, n, op, values[n.In[0]])
		for i, a := range []Array{
			{Channels: 64, Kernels: 32, StripeOutputs: 32, WeightLoadCycles: 16, PipelineCycles: 7},
			{Channels: 64, Kernels: 32, StripeOutputs: 32, WeightLoadCycles: 16, PipelineCycles: 7, Winograd: true},
			{Channels: 8, Kernels: 8, StripeOutputs: 16, WeightLoadCycles: 8, PipelineCycles: 7},
		} {
			mc := Machine{Array: a}
			sums, cycles, err := mc.Run(&l, x, w)
			if err != nil {
				t.Fatal(err)
			}
			wk := a.Map(&l)
			if wk.Cycles() != cycles {
				t.Errorf("%s: %d cycles stepped, %d by the closed form", l.Name, cycles, wk.Cycles())
			}
			compareKernels(t, &l, x, w, sums)
			t.Logf("%s on core %d: %d cycles, %.1f %% of its multipliers", l.Name, i, cycles, 100*float64(l.MACs())/float64(cycles*a.Channels*a.Kernels))
		}
	}
	if convolutions != 6 {
		t.Errorf("%d convolutions, want 6", convolutions)
	}
}

// lower gives a convolution's shape, its inputs [H][W][C] and its weights
// [OutC][KH][KW][C], both int8, from the graph's channels-first ones.
func lower(t *testing.T, n *graph.Node, op *graph.Conv2D, values []float64) (l workload.Layer, x, w []int8) {
	t.Helper()
	scale := n.In[0].Scale
	if op.Int8 == nil || scale == 0 {
		t.Fatalf("layer %q is not int8", n.Name)
	}
	c, h, wd := n.In[0].Shape[0], n.In[0].Shape[1], n.In[0].Shape[2]
	l = workload.Layer{Name: n.Name, Kind: workload.Conv, DType: dtype.Int8, H: h, W: wd, C: c, OutC: op.OutC, KH: op.KH, KW: op.KW,
		StrideH: op.StrideH, StrideW: op.StrideW, PadTop: op.PadTop, PadLeft: op.PadLeft, PadBottom: op.PadBottom, PadRight: op.PadRight}
	for p := range h * wd {
		for i := range c {
			x = append(x, quant.Quantize(float32(values[i*h*wd+p]), scale))
		}
	}
	taps := op.KH * op.KW
	for o := range op.OutC {
		for p := range taps {
			for i := range c {
				w = append(w, op.Int8[(o*c+i)*taps+p])
			}
		}
	}
	return l, x, w
}
