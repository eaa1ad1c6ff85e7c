package simhw

import (
	"math"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/simhw/memory"
	"macroscope/workload"
)

// pool2x2 halves an image of 8×8 of 64 channels.
func pool2x2() workload.Layer {
	return workload.Layer{Name: "pool", Kind: workload.Other, Op: "maxpool", DType: dtype.Int8, Batch: 1, H: 8, W: 8, C: 64, OutC: 64, Groups: 64,
		KH: 2, KW: 2, StrideH: 2, StrideW: 2, Elements: 4 * 4 * 64}
}

func dense() workload.Layer {
	return workload.Layer{Name: "fc", Kind: workload.Gemm, DType: dtype.Int8, M: 1, N: 10, K: 64}
}

// TestNVDLAPoolsAndAdds by hand. nvdla_large: 1,024 outputs, 8 a cycle, take 128
// cycles; 4,096 bytes in and 1,024 out at 10 a cycle take 512. The addition reads twice
// 1,024: 308 cycles at DRAM against 256 of the unit. nvdla_small has 8 bytes a cycle:
// 640 of DRAM against 1,024 of the unit.
func TestNVDLAPoolsAndAdds(t *testing.T) {
	add := workload.Layer{Name: "add", Kind: workload.Other, Op: "add", DType: dtype.Int8, Elements: 1024}
	soft := workload.Layer{Name: "soft", Kind: workload.Other, Op: "softmax", DType: dtype.Int8, Elements: 10}
	w := workload.Workload{Name: "w", Layers: []workload.Layer{pool2x2(), add, dense(), soft}}
	for _, c := range []struct {
		design              string
		poolUnit, poolStall int64
		addUnit, addStall   int64
	}{{"nvdla_large", 128, 512 - 128, 256, 308 - 256}, {"nvdla_small", 1024, 0, 1024, 0}} {
		d := load(t, c.design)
		e, err := Evaluate(&d, &w)
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Layers) != 3 || len(e.UnmodelledLayers) != 1 || e.UnmodelledLayers[0].Op != "softmax" || !e.Total.Partial {
			t.Fatalf("%s: %d layers, not modelled %+v", c.design, len(e.Layers), e.UnmodelledLayers)
		}
		p, a := &e.Layers[0], &e.Layers[1]
		if p.Kind != "maxpool" || p.MACs != 0 || p.ComputeCycles != c.poolUnit || p.StallCycles != c.poolStall || p.Cycles != c.poolUnit+c.poolStall || p.Bytes != 5120 {
			t.Errorf("%s: pool %+v", c.design, p)
		}
		if a.Kind != "add" || a.ComputeCycles != c.addUnit || a.StallCycles != c.addStall || a.Bytes != 3072 || a.DRAM.IfmapReads != 2048 {
			t.Errorf("%s: addition %+v", c.design, a)
		}
		s := d.Spec()
		if want := 5120 * 8 * s.DRAM.EnergyPJPerBit; p.Energy.DRAMPJ != want || p.Energy.MACPJ <= 0 || p.Energy.MACPJ > 0.1*want {
			t.Errorf("%s: energy %+v, want %g pJ at DRAM", c.design, p.Energy, want)
		}
		if got, want := e.Total.Cycles, p.Cycles+a.Cycles+e.Layers[2].Cycles; got != want {
			t.Errorf("%s: %d cycles in all, want %d", c.design, got, want)
		}
		// Without the units, and where the window is too large.
		s.Behind.PoolSide = 1
		s.Behind.AddOutputs = 0
		if d, err = design.New(s); err != nil {
			t.Fatal(err)
		}
		if e, err = Evaluate(&d, &w); err != nil || len(e.Layers) != 1 || len(e.UnmodelledLayers) != 3 {
			t.Errorf("%s without units: %d layers, %v", c.design, len(e.Layers), err)
		}
	}
}

// TestNVDLAFinishes by hand: 1×1 of 8 to 8 channels on 16×16 takes nvdla_small's core 256
// cycles and the unit that finishes 2,048 outputs one by one 2,048.
func TestNVDLAFinishes(t *testing.T) {
	d := load(t, "nvdla_small")
	l := workload.Layer{Name: "l", Kind: workload.Conv, DType: dtype.Int8, H: 16, W: 16, C: 8, OutC: 8, KH: 1, KW: 1}
	w := workload.Workload{Name: "w", Layers: []workload.Layer{l}}
	e, err := Evaluate(&d, &w)
	if err != nil {
		t.Fatal(err)
	}
	got := &e.Layers[0]
	if got.ComputeCycles != 256 || got.Cycles-got.PrefetchCycles != 2048 || got.Stalls.Main() != memory.OnChip.String() {
		t.Errorf("%+v", got)
	}
	s := d.Spec()
	s.Behind.FinishOutputs = 0
	if d, err = design.New(s); err != nil {
		t.Fatal(err)
	}
	if e, err = Evaluate(&d, &w); err != nil || e.Layers[0].Cycles-e.Layers[0].PrefetchCycles >= 1024 || e.Layers[0].Stalls[memory.OnChip] != 0 {
		t.Errorf("%+v, %v", e.Layers[0], err)
	}
}

// TestVectorPools by hand: on cortex_m4 16 windows of four places, 64/4 words of
// channels, 22 instructions each, one cycle for a first load and two for the branch.
func TestVectorPools(t *testing.T) {
	d := load(t, "cortex_m4")
	w := workload.Workload{Name: "w", Layers: []workload.Layer{pool2x2(), dense()}}
	e, err := Evaluate(&d, &w)
	if err != nil {
		t.Fatal(err)
	}
	s := d.Spec()
	p := &e.Layers[0]
	want := int64(math.Ceil(16 * 4 * 16 * 25 / s.Vector.Efficiency))
	if p.Kind != "maxpool" || p.Cycles != want || e.Total.Partial || p.Energy.CorePJ != float64(want)*s.Vector.Energy.Value || p.TimeUS.Value != float64(want)/120 {
		t.Errorf("%+v, want %d cycles", p, want)
	}
	for _, change := range []func(*workload.Layer){
		func(l *workload.Layer) { l.Op = "averagepool" },
		func(l *workload.Layer) { l.DType = dtype.Float32 }, // has no loop for it
		func(l *workload.Layer) { // no window known
			*l = workload.Layer{Name: l.Name, Kind: l.Kind, Op: l.Op, DType: l.DType, Elements: l.Elements}
		},
	} {
		other := workload.Workload{Name: "w", Layers: []workload.Layer{pool2x2(), dense()}}
		change(&other.Layers[0])
		if e, err := Evaluate(&d, &other); err != nil || len(e.Layers) != 1 || len(e.UnmodelledLayers) != 1 {
			t.Errorf("%+v: %d layers, %v", other.Layers[0], len(e.Layers), err)
		}
	}
	s.Vector.Loops[0].PoolInstructions = 0
	if _, err := design.New(s); err == nil || !strings.Contains(err.Error(), "want both or neither") {
		t.Error(err)
	}
}
