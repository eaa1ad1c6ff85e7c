package simhw

import (
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/workload"
)

// A layer of 64 to 32 channels, 3×3 on 8×8, on nvdla_large, by hand. Winograd:
// 16 tiles, 64/4 steps of channels: 16·16 = 256 cycles of entry; 16 to load,
// 7 in the pipeline. First: 3·8·64 = 1,536 B of inputs and 18,432 of weights
// at 10 B a cycle: 1,997 cycles. The rest, 4,096 − 1,536 of inputs and 2,048
// of outputs: 461 cycles, of which 279 are hidden.
func TestMACTreeByHand(t *testing.T) {
	d := load(t, "nvdla_large")
	l := workload.Layer{Name: "l", Kind: workload.Conv, DType: dtype.Int8, H: 8, W: 8, C: 64, OutC: 32, KH: 3, KW: 3, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1}
	w := workload.Workload{Name: "w", Layers: []workload.Layer{l}}
	e, err := Evaluate(&d, &w)
	if err != nil {
		t.Fatal(err)
	}
	got := e.Layers[0]
	if got.ComputeCycles != 256 || got.FillDrainCycles != 23 || got.PrefetchCycles != 1997 || got.StallCycles != 461-279 || got.Cycles != 1997+461 {
		t.Errorf("%+v", got)
	}
	if got.Bytes != 4096+18432+2048 || got.UniqueBytes != int64(got.Bytes) {
		t.Errorf("%d bytes, %d unique", got.Bytes, got.UniqueBytes)
	}
	// Without Winograd: 64·9 cycles of entry.
	s := d.Spec()
	s.Tree.Winograd = false
	if d, err = design.New(s); err != nil {
		t.Fatal(err)
	}
	if e, err = Evaluate(&d, &w); err != nil || e.Layers[0].ComputeCycles != 576 {
		t.Errorf("%d cycles, %v", e.Layers[0].ComputeCycles, err)
	}
}

func TestMACTreeRefuses(t *testing.T) {
	d := load(t, "nvdla_small")
	wide := workload.Workload{Name: "wide", Layers: []workload.Layer{{Name: "l", Kind: workload.Gemm, DType: dtype.Int8, M: 1, N: 8, K: 1 << 17}}}
	if _, err := Evaluate(&d, &wide); err == nil || !strings.Contains(err.Error(), `layer "l": conv_buffer.kib 128 does not hold`) {
		t.Error(err)
	}
	s := d.Spec()
	s.Tree.Winograd = true
	if _, err := design.New(s); err == nil || !strings.Contains(err.Error(), "tree.channels.int8 8: want a multiple of 16") {
		t.Error(err)
	}
	s = d.Spec()
	s.Tree.Channels = design.ByFormat{}
	if _, err := design.New(s); err == nil || !strings.Contains(err.Error(), "tree.channels has no format") {
		t.Error(err)
	}
}

func TestMACTreeAllocatesNothing(t *testing.T) {
	d := load(t, "nvdla_large")
	m, err := New(&d)
	if err != nil {
		t.Fatal(err)
	}
	w := cifar(t, dtype.Int8)
	var e Estimate
	s := m.Spec()
	if n := testing.AllocsPerRun(20, func() {
		s.Tree.Kernels = 33 - s.Tree.Kernels%2 // 32 or 33
		if err := m.Set(&s); err != nil {
			t.Fatal(err)
		}
		if err := m.EvaluateInto(&e, &w); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
