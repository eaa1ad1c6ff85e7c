package simhw

import (
	"math"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/workload"
)

// The layer of TestByHand on an element whose 8-bit multiplier splits into four of 4
// bits: K in one step, so that the fold takes 1+2+2−2 = 3 cycles; of the 16 products 12
// are added inside the elements, in 8 bits, and 4 accumulated in 16. 8 inputs of 4 bits,
// 8 weights of 2 and 4 outputs of 4 cross DRAM: 32 + 16 + 16 bits.
func TestIntegersByHand(t *testing.T) {
	s := design.Spec{Name: "hand", TechnologyNM: 45, VoltageV: 0.9, ClockMHz: 1000, Systolic: design.Systolic{Dataflow: design.OS,
		Array:   design.Array{Rows: 2, Cols: 2},
		Buffers: design.Buffers{IfmapKiB: 8, FilterKiB: 8, OfmapKiB: 8}}, DRAM: design.DRAM{BandwidthGBs: 1, EnergyPJPerBit: 8}}
	s.Array.MACsPerPEPerCycle[dtype.Int8], s.Array.MACsPerPEPerCycle[dtype.Int(4)] = 1, 4
	s.Array.AccumulatorBits[dtype.Int8], s.Array.AccumulatorBits[dtype.Int(4)] = 32, 16
	d, err := design.New(s)
	if err != nil {
		t.Fatal(err)
	}
	layer := workload.Layer{Name: "fc", Kind: workload.Gemm, M: 2, N: 2, K: 4, DType: dtype.Int(4), WeightWidth: 2}
	evaluate := func(change func(*workload.Layer)) Layer {
		l := layer
		change(&l)
		e, err := Evaluate(&d, &workload.Workload{Name: "w", Layers: []workload.Layer{l}})
		if err != nil {
			t.Fatal(err)
		}
		return e.Layers[0]
	}
	l := evaluate(func(*workload.Layer) {})
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"cycles", float64(l.ComputeCycles + l.FillDrainCycles), 3}, {"compute", float64(l.ComputeCycles), 1},
		{"dram bytes", float64(l.DRAM.Bytes), 8}, {"unique bytes", float64(l.UniqueBytes), 8},
		{"mac pJ", l.Energy.MACPJ, 16*0.2/4 + 12*0.03 + 4*0.05},
		{"ifmap pJ", l.Energy.IfmapSRAMPJ, 10}, {"filter pJ", l.Energy.FilterSRAMPJ, 5}, {"dram pJ", l.Energy.DRAMPJ, 512},
	} {
		if math.Abs(c.got-c.want) > 1e-9*max(1, c.want) {
			t.Errorf("%s: %g, want %g", c.name, c.got, c.want)
		}
	}
	if l.Operands() != "int4×int2" {
		t.Errorf("operands %q", l.Operands())
	}
	// The wider operand decides on the unit: 8-bit weights take the 8-bit one.
	if w8 := evaluate(func(l *workload.Layer) { l.WeightWidth = 8 }); w8.ComputeCycles != 4 || w8.DRAM.Bytes != 4+8+2 {
		t.Errorf("8-bit weights: %+v", w8)
	}
	layer.DType, layer.WeightWidth = dtype.Int(9), 0
	_, err = Evaluate(&d, &workload.Workload{Name: "w", Layers: []workload.Layer{layer}})
	if err == nil || !strings.Contains(err.Error(), `cannot compute int9 (layer "fc"): it has int8, int4`) {
		t.Errorf("9 bits: error %v", err)
	}
}

// On every shipped design that takes integers, an integer of more bits never takes fewer
// cycles, less traffic or less energy; and where the units differ, more of them. That is
// so of cycles on any array with one unit for both; traffic may shrink where the narrower
// integer's order of folds buys a few cycles with more of it (TestWiderOperands in
// simhw/memory), which happens on none of these. But a core that has packed weights
// takes cycles to unpack them: less traffic, but more time. Where a narrower integer costs
// what a wider one does, the estimate says that it is held as that.
func TestIntegersOfEveryWidth(t *testing.T) {
	net := workload.Workload{Name: "net", Layers: []workload.Layer{
		{Name: "conv1", DType: dtype.Int8, H: 16, W: 16, C: 3, OutC: 32, KH: 3, KW: 3, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1},
		{Name: "conv2", DType: dtype.Int8, H: 16, W: 16, C: 32, OutC: 64, KH: 3, KW: 3, StrideH: 4, StrideW: 4, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1},
		{Name: "fc", Kind: workload.Gemm, DType: dtype.Int8, M: 1, N: 10, K: 1024},
	}}
	computed := map[string]int{}
	for _, name := range design.Shipped() {
		d, err := design.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		s := d.Spec()
		m, err := New(&d)
		if err != nil {
			t.Fatal(err)
		}
		var last *Estimate
		for bits := 1; bits <= dtype.MaxIntBits; bits++ {
			w := net.WithIntegers(bits, bits)
			e, err := m.Evaluate(&w)
			if err != nil {
				if _, ok := s.Unit(dtype.Int(bits), bits); ok && !strings.Contains(err.Error(), "KiB") {
					t.Errorf("%s, int%d: %v", name, bits, err)
				}
				continue
			}
			computed[s.Family.String()]++
			if e.DType != dtype.Int(bits) {
				t.Errorf("%s: int%d is shown as %s", name, bits, e.DType)
			}
			if last != nil {
				a, b := &last.Total, &e.Total
				unpacks := s.Family == design.FamilyVector && s.Vector.LoopOf(dtype.Int(bits-1), bits-1) != s.Vector.LoopOf(dtype.Int(bits), bits)
				if unpacks {
					if b.Cycles >= a.Cycles || b.EnergyPJ.Value >= a.EnergyPJ.Value || b.DRAM.Bytes <= a.DRAM.Bytes {
						t.Errorf("%s: packed weights of %s take %+v, int%d %+v", name, last.DType, a, bits, b)
					}
				} else if b.Cycles < a.Cycles || b.DRAM.Bytes < a.DRAM.Bytes || b.UniqueBytes < a.UniqueBytes || b.EnergyPJ.Known && b.EnergyPJ.Value < a.EnergyPJ.Value {
					t.Errorf("%s: %s is dearer than int%d: %d cycles, %d bytes, %g pJ and %d, %d, %g", name, last.DType, bits,
						a.Cycles, a.DRAM.Bytes, a.EnergyPJ.Value, b.Cycles, b.DRAM.Bytes, b.EnergyPJ.Value)
				}
				if same := a.UniqueBytes == b.UniqueBytes; same && len(last.Held) == 0 || len(last.Held) > 1 ||
					len(last.Held) == 1 && (last.Held[0].InputBits != bits-1 || last.Held[0].WeightBits != bits-1) {
					t.Errorf("%s: %s moves %d bytes, int%d %d; held wider: %v", name, last.DType, a.UniqueBytes, bits, b.UniqueBytes, last.Held)
				}
			}
			last = &e
		}
	}
	for f := range 6 {
		if family := design.Family(f).String(); computed[family] < 8 {
			t.Errorf("%s: %d widths computed", family, computed[family])
		}
	}
}

// Where a spatial design packs, narrower operands take less of buffers and DRAM: the best
// mapping by an objective never has more of it, and the least traffic shrinks with them.
func TestPackedIntegers(t *testing.T) {
	net := workload.Workload{Name: "net", Layers: []workload.Layer{{Name: "conv", DType: dtype.Int8, H: 10, W: 10, C: 16, OutC: 32, KH: 3, KW: 3}}}
	s := smallSpatial()
	s.Spatial.OperandBits, s.Spatial.SumBits, s.Spatial.Levels[1].WeightBytes = 16, 48, 64
	for _, objective := range []design.Objective{design.LeastCycles, design.LeastEnergy} {
		s.Spatial.Objective, s.Spatial.Packed = objective, true
		cost := func(e *Estimate) float64 {
			if objective == design.LeastCycles {
				return float64(e.Total.Cycles)
			}
			return e.Total.Energy.TotalPJ() - e.Total.Energy.LeakagePJ
		}
		var wider Estimate
		for _, bits := range []int{16, 11, 8, 5, 2, 1} {
			w := net.WithIntegers(bits, (bits+1)/2)
			e := evaluateSpec(t, s, &w)
			if unique := e.Total.UniqueBytes; unique != (1600*int64(bits)+4608*int64((bits+1)/2)+2048*int64(bits)+7)/8 {
				t.Errorf("%d bits: %d unique bytes", bits, unique)
			}
			if bits < 16 && (cost(&e) > cost(&wider)*(1+1e-9) || e.Total.UniqueBytes >= wider.Total.UniqueBytes) {
				t.Errorf("objective %d: %d bits cost %g, more bits %g", objective, bits, cost(&e), cost(&wider))
			}
			wider = e
		}
		whole := s
		whole.Spatial.Packed = false
		w16, w4 := net.WithIntegers(16, 16), net.WithIntegers(4, 4)
		if a, b := evaluateSpec(t, whole, &w16), evaluateSpec(t, whole, &w4); a.Total.Cycles != b.Total.Cycles || a.Total.DRAM != b.Total.DRAM || a.Total.EnergyPJ != b.Total.EnergyPJ {
			t.Errorf("4 bits in words of 16: %+v, 16 bits %+v", b.Total, a.Total)
		}
	}
}

// The price of a product is that of what a spatial design multiplies.
func TestSpatialNumbers(t *testing.T) {
	w := workload.Workload{Name: "w", Layers: []workload.Layer{{Name: "g", Kind: workload.Gemm, M: 4, N: 8, K: 4}}}
	for _, c := range []struct {
		numbers  design.Numbers
		bits     int
		computes dtype.DType
		refused  dtype.DType
		macPJ    float64 // a product at 45 nm and 0.9 V, and its sum in 24 bits
	}{
		{design.Integers, 8, dtype.Int(3), dtype.Int(9), 0.2 + 0.075},
		{design.Integers, 4, dtype.Int(4), dtype.Int8, 0.05 + 0.075},
		{design.Floats, 32, dtype.Float32, dtype.Int8, 3.7 + 0.9},
		{design.Signs, 1, dtype.Binary, dtype.Int(1), 0.00125 + 0.075},
	} {
		s := smallSpatial()
		s.Spatial.Numbers, s.Spatial.OperandBits = c.numbers, c.bits
		w.Layers[0].DType = c.computes
		if e := evaluateSpec(t, s, &w); math.Abs(e.Total.Energy.MACPJ-128*c.macPJ) > 1e-9 {
			t.Errorf("%v: %g pJ a MAC, want %g", c.computes, e.Total.Energy.MACPJ/128, c.macPJ)
		}
		d, err := design.New(s)
		if err != nil {
			t.Fatal(err)
		}
		w.Layers[0].DType = c.refused
		if _, err := Evaluate(&d, &w); err == nil || !strings.Contains(err.Error(), "cannot compute "+c.refused.String()) {
			t.Errorf("%v on %v: %v", c.refused, c.computes, err)
		}
	}
}
