package simhw

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"macroscope/simhw/design"
	"macroscope/simhw/systolic"
)

// By each objective a layer has as little of it as by the others, by the energy and the
// cycles that its estimate says; and no more of it with more bandwidth, which changes no
// price.
func TestSystolicSearchesFor(t *testing.T) {
	better, orders := [3]int{}, 0
	rapid.Check(t, func(t *rapid.T) {
		s, w := drawSpec(t), drawWorkload(t)
		more := s
		more.DRAM.BandwidthGBs += rapid.Float64Range(0, 20).Draw(t, "more bandwidth")
		evaluate := func(s design.Spec, o design.Objective) Estimate {
			s.Objective = o
			d, err := design.New(s)
			if err != nil {
				t.Skip(err.Error()) // a buffer that holds no tile
			}
			e, err := Evaluate(&d, &w)
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		costs := func(l *Layer) [3]float64 {
			cycles, pj := float64(l.Cycles), l.EnergyPJ.Value
			return [3]float64{design.LeastCycles: cycles, design.EnergyDelay: cycles * pj, design.LeastEnergy: pj}
		}
		var by [3]Estimate
		for o := range by {
			by[o] = evaluate(s, design.Objective(o))
		}
		for o := range by {
			wide := evaluate(more, design.Objective(o))
			for i := range by[o].Layers {
				least := costs(&by[o].Layers[i])[o]
				if c := costs(&wide.Layers[i])[o]; c > least*(1+1e-9) {
					t.Fatalf("layer %d costs %g by objective %d, %g with more bandwidth", i, least, o, c)
				}
				for other := range by {
					c := costs(&by[other].Layers[i])[o]
					if least > c*(1+1e-9) {
						t.Fatalf("layer %d costs %g by objective %d, %g by %d", i, least, o, c, other)
					}
					if orders++; least < c*(1-1e-9) {
						better[o]++
					}
				}
			}
		}
	})
	t.Logf("less than by another objective %d times of %d", better, orders)
	if min(better[0], better[1], better[2]) == 0 {
		t.Errorf("less than by another objective %d times of %d: want some for each", better, orders)
	}
}

// What the search for an order is told of energy is what the estimate says of the order
// that is chosen.
func TestOrderPrices(t *testing.T) {
	cut := 0
	rapid.Check(t, func(t *rapid.T) {
		s, w := drawSpec(t), drawWorkload(t)
		s.Objective = design.Objective(rapid.IntRange(0, 2).Draw(t, "objective"))
		d, err := design.New(s)
		if err != nil {
			t.Skip(err.Error()) // a buffer that holds no tile
		}
		e, err := Evaluate(&d, &w)
		if err != nil {
			t.Fatal(err)
		}
		var m systolicMachine
		if err := m.set(&s); err != nil {
			t.Fatal(err)
		}
		for i := range e.Layers {
			l, got := &w.Layers[i], &e.Layers[i]
			unit, _ := s.Unit(l.DType, l.WeightBits())
			rows, cols, depth := l.GEMM()
			p := m.array.Map(rows, cols, depth, int64(s.Lanes(unit)), l.GroupCount())
			bits := systolic.Bits{Input: int64(l.DType.Bits()), Weight: int64(l.WeightBits()), Sum: int64(s.Array.AccumulatorBits[unit])}
			prices := m.orderPrices(l, &p, unit, bits, got.onChip[1])
			chunks := int64(1) // as often what stays in the array enters it
			switch sram := p.BufferAccesses(); s.Dataflow {
			case design.WS:
				chunks = got.SRAM.FilterReads / sram.FilterReads
			case design.IS:
				chunks = got.SRAM.IfmapReads / sram.IfmapReads
			}
			if chunks > 1 {
				cut++
			}
			n := &got.DRAM
			want := prices.Fixed + float64(chunks-1)*prices.Chunk + float64(got.Cycles)*prices.Cycle + float64(n.IfmapReads)*prices.Ifmap +
				float64(n.FilterReads)*prices.Filter + float64(n.PsumReads+n.PsumWrites)*prices.Psum + float64(n.OfmapWrites)*prices.Ofmap
			if math.Abs(want-got.EnergyPJ.Value) > 1e-9*want {
				t.Fatalf("%g pJ in %d chunks, by the prices of an order %g: %+v", got.EnergyPJ.Value, chunks, want, got)
			}
		}
	})
	if cut == 0 {
		t.Error("no layer is done in chunks")
	}
}
