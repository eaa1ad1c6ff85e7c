package validate

import (
	"fmt"
	"testing"

	"macroscope/dtype"
	"macroscope/simhw"
	"macroscope/simhw/design"
	"macroscope/simhw/golden"
	"macroscope/workload"
)

// Variants of an array on all layers of ResNet-50, once the memory for the result has
// grown: nothing is allocated.
func TestResNet50AllocatesNothing(t *testing.T) {
	w, _ := resNet50()
	for _, name := range []string{"array32", "gemmini16", "tpuv1", "edge8x8"} {
		d, err := design.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := simhw.New(&d)
		if err != nil {
			t.Fatal(err)
		}
		s := m.Spec()
		var e simhw.Estimate
		n := testing.AllocsPerRun(3, func() {
			s.Array.Cols = 8 + (s.Array.Cols+1)%24
			s.Objective = (s.Objective + 1) % 3
			if err := m.Set(&s); err != nil {
				t.Fatal(err)
			}
			if err := m.EvaluateInto(&e, &w); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 || len(e.Layers) != 54 {
			t.Errorf("%s: %g allocations a variant, %d layers", name, n, len(e.Layers))
		}
	}
}

// Where only cycles count, more bandwidth buys a few per cent of them with any traffic.
// Where energy does too it costs none, and the cycles are within those few per cent.
func TestBandwidthWithoutTraffic(t *testing.T) {
	w, _ := resNet50()
	for name, factors := range map[string][]float64{"array32": {1, 4, 16}, "gemmini16": {1, 2, 16}} {
		d, err := design.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := simhw.New(&d)
		if err != nil {
			t.Fatal(err)
		}
		var first, last [3]simhw.Total // by objective
		for i, factor := range factors {
			for o := range last {
				s := d.Spec()
				s.DRAM.BandwidthGBs *= factor
				s.Objective = design.Objective(o)
				if err := m.Set(&s); err != nil {
					t.Fatal(err)
				}
				e, err := m.Evaluate(&w)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%s: bandwidth ×%g, search_for %v: %d cycles, %d bytes, %.2f mJ", name, factor, s.Objective, e.Total.Cycles, e.Total.DRAM.Bytes, e.Total.Energy.TotalPJ()/1e9)
				if o != int(design.LeastCycles) && i > 0 && e.Total.Energy.TotalPJ() > last[o].Energy.TotalPJ()*1.01 {
					t.Errorf("%s by %v: %g pJ with %g times the bandwidth, %g with less", name, s.Objective, e.Total.Energy.TotalPJ(), factor, last[o].Energy.TotalPJ())
				}
				if last[o] = e.Total; i == 0 {
					first[o] = e.Total
				}
			}
			fast := &last[design.LeastCycles]
			for o := design.EnergyDelay; o <= design.LeastEnergy; o++ {
				if t2 := &last[o]; t2.Cycles < fast.Cycles || float64(t2.Cycles) > 1.04*float64(fast.Cycles) || t2.DRAM.Bytes > fast.DRAM.Bytes {
					t.Errorf("%s, %g times the bandwidth, by %v: %d cycles and %d bytes, by cycles alone %d and %d", name, factor, o, t2.Cycles, t2.DRAM.Bytes, fast.Cycles, fast.DRAM.Bytes)
				}
			}
		}
		for o, grows := range [3]bool{design.LeastCycles: true} {
			if more := float64(last[o].DRAM.Bytes) > 1.5*float64(first[o].DRAM.Bytes); more != grows {
				t.Errorf("%s by %v: %d bytes, %d with the most bandwidth", name, design.Objective(o), first[o].DRAM.Bytes, last[o].DRAM.Bytes)
			}
		}
	}
}

// BenchmarkResNet50 works out its 54 layers.
func BenchmarkResNet50(b *testing.B) {
	w, _ := resNet50()
	for _, name := range []string{"array32", "gemmini16", "tpuv1", "edge8x8"} {
		b.Run("design="+name, func(b *testing.B) {
			d, err := design.Load(name)
			if err != nil {
				b.Fatal(err)
			}
			m, err := simhw.New(&d)
			if err != nil {
				b.Fatal(err)
			}
			var e simhw.Estimate
			b.ReportAllocs()
			for b.Loop() {
				if err := m.EvaluateInto(&e, &w); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVariants works out the CIFAR-10 network and ResNet-50 on 32×32 arrays of
// every kind, with the memories of array32.
func BenchmarkVariants(b *testing.B) {
	cifar, err := golden.Topology("cifar10_cnn")
	if err != nil {
		b.Fatal(err)
	}
	resnet, _ := resNet50()
	for _, w := range []workload.Workload{cifar.WithDType(dtype.Int8), resnet} {
		for _, v := range variants() {
			b.Run(fmt.Sprintf("workload=%s/dataflow=%s", w.Name, v.name), func(b *testing.B) {
				d, err := design.Load("array32")
				if err != nil {
					b.Fatal(err)
				}
				m, err := simhw.New(&d)
				if err != nil {
					b.Fatal(err)
				}
				s := m.Spec()
				s.Dataflow, s.Array.Drain, s.Array.WeightLoad, s.Array.Gated = v.flow, v.drain, v.load, v.gated
				if err := m.Set(&s); err != nil {
					b.Fatal(err)
				}
				var e simhw.Estimate
				b.ReportAllocs()
				for b.Loop() {
					if err := m.EvaluateInto(&e, &w); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

type variant struct {
	name  string
	flow  design.Dataflow
	drain design.Drain
	load  design.WeightLoad
	gated bool
}

// variants lists the kinds of systolic arrays.
func variants() (list []variant) {
	for _, drain := range []design.Drain{design.DrainInPlace, design.DrainShift, design.DrainOverlapped} {
		list = append(list, variant{name: "os/drain=" + drain.String(), drain: drain})
	}
	list = append(list, variant{name: "os/drain=shift_gated", drain: design.DrainShift, gated: true})
	for _, flow := range []design.Dataflow{design.WS, design.IS} {
		for _, load := range []design.WeightLoad{design.LoadSerial, design.LoadChain, design.LoadBus} {
			list = append(list, variant{name: flow.String() + "/weight_load=" + load.String(), flow: flow, load: load})
		}
		list = append(list, variant{name: flow.String() + "/weight_load=serial_gated", flow: flow, gated: true})
	}
	return list
}
