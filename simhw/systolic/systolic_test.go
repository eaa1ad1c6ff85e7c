package systolic

import (
	"testing"

	"pgregory.net/rapid"

	"macroscope/simhw/design"
	"macroscope/workload"
)

// A 4×4 array, one fold of 4×4 outputs with K = 3, by hand. Output
// stationary: the corner element starts 3 + 3 cycles after the first and
// forms 3 products: 9 cycles = T+R+C−2. Shifting four rows out: 13. Weight
// stationary with M = 3: 4 cycles of loading, then the last row's sum leaves
// the last column after 3 + 3 + 3 cycles: 13 = 2R+C+T−2.
func TestFourByFourByHand(t *testing.T) {
	for _, c := range []struct {
		a       Array
		m, n, k int64
		want    int64
	}{
		{Array{Rows: 4, Cols: 4, Dataflow: design.OS}, 4, 4, 3, 9},
		{Array{Rows: 4, Cols: 4, Dataflow: design.OS, Drain: design.DrainShift}, 4, 4, 3, 13},
		{Array{Rows: 4, Cols: 4, Dataflow: design.WS}, 3, 4, 4, 13},
		{Array{Rows: 4, Cols: 4, Dataflow: design.IS}, 4, 3, 4, 13},
	} {
		p := c.a.Map(c.m, c.n, c.k, 1, 1)
		if got := p.Cycles(); got != c.want {
			t.Errorf("%+v: %d cycles, want %d", c.a, got, c.want)
		}
	}
}

// The same arrays with narrow buffers, int8 with 32-bit sums, by hand. An input line of
// 4 bytes comes in 2 cycles at 2 bytes each, a weight line in 4 at 1, a line of sums, 16
// bytes, leaves in 2 at 8. Weight stationary: 4 lines of weights, 16 cycles; 3 steps with
// an input line, 3 with none, and 3 with sums, as the first leave 6 steps after the first
// input: 6 + 3 + 6. Twice the K makes two such folds, whose sums are read and written in
// 4 cycles by one port: 2·(16 + 6 + 3 + 12). Output stationary: 3 steps with operands of 2
// cycles, 6 without, and 4 lines of sums of 4 cycles at 4 bytes: beside the next fold in
// place, which all of them outlast, and after the fold by shifting.
func TestNarrowBuffersByHand(t *testing.T) {
	ws, os := Ports{Ifmap: 2, Filter: 1, Ofmap: 8}, Ports{Ifmap: 2, Filter: 4, Ofmap: 4}
	shared := ws
	shared.OfmapShared = true
	for _, c := range []struct {
		a       Array
		b       Ports
		m, n, k int64
		want    int64
	}{
		{Array{Rows: 4, Cols: 4, Dataflow: design.WS}, ws, 3, 4, 4, 31},
		{Array{Rows: 4, Cols: 4, Dataflow: design.WS}, shared, 3, 4, 8, 74},
		{Array{Rows: 4, Cols: 4, Dataflow: design.IS}, Ports{Ifmap: 1, Filter: 2, Ofmap: 8}, 4, 3, 4, 31},
		{Array{Rows: 4, Cols: 4, Dataflow: design.OS}, os, 4, 4, 3, 16},
		{Array{Rows: 4, Cols: 4, Dataflow: design.OS, Drain: design.DrainShift}, os, 4, 4, 3, 6 + 6 + 16},
	} {
		p := c.a.Map(c.m, c.n, c.k, 1, 1)
		p.Feed(c.b, Bits{8, 8, 32})
		if got := p.Cycles(); got != c.want {
			t.Errorf("%+v, %+v: %d cycles, want %d", c.a, c.b, got, c.want)
		}
	}
}

// Overlapping folds with narrow buffers, step by step: 2×2 elements, two folds, input and
// weight lines of 2 bytes in 2 cycles at 1 byte each, a line of sums, 8 bytes, in 4 at 2.
// L = 2 steps after an operand's line its sums' line leaves; in brackets the cycles.
//
// By chain, T = 2: weights in steps 0 1, 3 4; operands in 2 3, 5 6; sums in 4 5, 7 8:
// 2 2 2 2 4 4 2 4 4. By bus: weights in 0 1 2 3, operands in 1 2 3 4, sums in 3 4 5 6:
// 2 2 2 4 4 4 4. Output stationary, T = 3: operands in 0 to 5, sums of the first fold,
// whose last operands enter in step 2, in 5 6, of the second in 8 9: 2 2 2 2 2 4 4 1 4 4.
func TestOverlapByHand(t *testing.T) {
	for _, c := range []struct {
		a       Array
		m, n, k int64
		want    int64
	}{
		{Array{Rows: 2, Cols: 2, Dataflow: design.WS, WeightLoad: design.LoadChain}, 2, 2, 4, 26},
		{Array{Rows: 2, Cols: 2, Dataflow: design.WS, WeightLoad: design.LoadBus}, 2, 2, 4, 22},
		{Array{Rows: 2, Cols: 2, Dataflow: design.IS, WeightLoad: design.LoadChain}, 2, 2, 4, 26},
		{Array{Rows: 2, Cols: 2, Dataflow: design.OS, Drain: design.DrainOverlapped}, 4, 2, 3, 27},
	} {
		p := c.a.Map(c.m, c.n, c.k, 1, 1)
		p.Feed(Ports{Ifmap: 1, Filter: 1, Ofmap: 2}, Bits{8, 8, 32})
		if got := p.Cycles(); got != c.want {
			t.Errorf("%+v: %d cycles, want %d", c.a, got, c.want)
		}
	}
}

// Wider buffers shorten every part of a layer's time or leave it, so that no layer that
// waits for DRAM meanwhile takes longer; and as wide as the edges they make no difference.
func TestNarrowParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawArray(t, 40)
		dim := rapid.OneOf(rapid.Int64Range(1, 10), rapid.Int64Range(1, 100), rapid.Int64Range(1, 3000))
		m, n, k := dim.Draw(t, "m"), dim.Draw(t, "n"), dim.Draw(t, "k")
		p := a.Map(m, n, k, rapid.Int64Range(1, 4).Draw(t, "lanes"), rapid.Int64Range(1, 5).Draw(t, "groups"))
		wide, bits := p, Bits{8, 8, 32}
		ports := func() Ports {
			width := rapid.Int64Range(1, 200)
			return Ports{width.Draw(t, "ifmap"), width.Draw(t, "filter"), width.Draw(t, "ofmap"), rapid.Bool().Draw(t, "shared")}
		}
		b, more := ports(), ports()
		p.Feed(b, bits)
		wider := p
		wider.Feed(Ports{b.Ifmap + more.Ifmap, b.Filter + more.Filter, b.Ofmap + more.Ofmap, b.OfmapShared && more.OfmapShared}, bits)
		for _, c := range []struct {
			what  string
			of    func(p *Mapping) int64
			least int64
		}{
			{"before the first fold", (*Mapping).LeadCycles, 0},
			{"in a fold", func(p *Mapping) int64 { return p.FoldCycles(a.Rows, p.LastC) }, 1},
			{"in the last fold", func(p *Mapping) int64 { return p.LastFoldCycles(p.LastR, p.LastC) }, 1},
			{"in all", (*Mapping).Cycles, p.LeastCycles()},
		} {
			if narrow, less, none := c.of(&p), c.of(&wider), c.of(&wide); narrow < less || less < none || narrow < c.least {
				t.Fatalf("%+v, %+v %s: %d cycles with narrow buffers, %d with wider ones, %d with such as wide as the edges; want at least %d", p, wider.Waits, c.what, narrow, less, none, c.least)
			}
		}
		wide.Feed(Ports{4 * 40, 4 * 40, 4 * 40, false}, bits)
		if wide.Waits != (Waits{}) {
			t.Fatalf("%+v: buffers as wide as the edges", wide.Waits)
		}
		if a.overlaps() {
			if cycles, fold := wide.cyclesInBeat(), wide.foldInBeat(); cycles != wide.Cycles() || fold != wide.FoldCycles(a.Rows, a.Cols) {
				t.Fatalf("%+v: %d cycles step by step, a fold %d, by the formulas %d and %d", wide, cycles, fold, wide.Cycles(), wide.FoldCycles(a.Rows, a.Cols))
			}
		}
		// Parts of the stream.
		parts := rapid.SampledFrom([]int64{2, 3, 5, 16}).Draw(t, "parts")
		if a.Dataflow == design.WS && m%parts == 0 {
			cut := a.Map(m/parts, n, k, p.Lanes, parts*p.Groups)
			if cut.Waits = p.Waits; cut.LeastCycles() < p.LeastCycles() {
				t.Fatalf("%+v: at least %d cycles in %d parts, %d in one", p, cut.LeastCycles(), parts, p.LeastCycles())
			}
		}
	})
}

// 3×2 working elements of a 2×2 array (row folds of 2 and 1), K = 3 steps of
// 2 lanes, int8 in 32-bit sums, by hand. Output stationary: 3·2·3 = 18 element
// cycles, each two operand words of 16 bits and a sum of 32 bits: 18·64 bits;
// draining by shifting moves the sums of a column 1+2 places in the first fold
// and 1 in the second: 2·4·32 bits more. Weight stationary with the same
// folds: 3·2·5 element cycles of one word and one sum, 30·48 bits, and the
// weights' words on their way down: 2·4·16 bits, or by bus one write each, 6·16.
func TestRegisterBitsByHand(t *testing.T) {
	for _, c := range []struct {
		a       Array
		m, n, k int64
		want    float64
	}{
		{Array{Rows: 2, Cols: 2, Dataflow: design.OS}, 3, 2, 6, 18 * 64},
		{Array{Rows: 2, Cols: 2, Dataflow: design.OS, Drain: design.DrainShift}, 3, 2, 6, 18*64 + 2*4*32},
		{Array{Rows: 2, Cols: 2, Dataflow: design.WS}, 5, 2, 6, 30*48 + 2*4*16},
		{Array{Rows: 2, Cols: 2, Dataflow: design.WS, WeightLoad: design.LoadBus}, 5, 2, 6, 30*48 + 6*16},
	} {
		p := c.a.Map(c.m, c.n, c.k, 2, 1)
		if got := p.RegisterBits(8, 32); got != c.want {
			t.Errorf("%+v: %g register bits, want %g", c.a, got, c.want)
		}
	}
}

// Cycles of the CIFAR-10 network by variant of the array.
func TestCIFAR10Totals(t *testing.T) {
	w, err := workload.LoadSCALESim("../golden/topologies/cifar10_cnn.csv")
	if err != nil {
		t.Fatal(err)
	}
	variants := []Array{
		{Dataflow: design.WS}, {Dataflow: design.WS, WeightLoad: design.LoadChain}, {Dataflow: design.WS, WeightLoad: design.LoadBus},
		{Dataflow: design.OS}, {Dataflow: design.OS, Drain: design.DrainShift}, {Dataflow: design.OS, Drain: design.DrainOverlapped},
		{Dataflow: design.IS}, {Dataflow: design.IS, WeightLoad: design.LoadBus},
	}
	for side, want := range map[int64][]int64{
		8:   {716544, 614028, 610402, 632860, 647212, 607898, 841088, 608873},
		16:  {209088, 155812, 153802, 166430, 173614, 153663, 277216, 153811},
		32:  {70288, 42516, 40346, 46782, 50398, 41519, 105080, 40355},
		128: {23100, 15832, 11514, 13866, 16810, 12287, 33796, 11331},
	} {
		for i, a := range variants {
			a.Rows, a.Cols = side, side
			total := int64(0)
			for _, l := range w.Layers {
				m, n, k := l.GEMM()
				p := a.Map(m, n, k, 1, 1)
				total += p.Cycles()
			}
			if total != want[i] {
				t.Errorf("%d×%d %v %v %v: %d cycles, want %d", side, side, a.Dataflow, a.Drain, a.WeightLoad, total, want[i])
			}
		}
	}
}

// One product on one element, where SCALE-Sim divides by its own cycles, 0, is a result
// without utilization here.
func TestScaleSimOfOneProduct(t *testing.T) {
	s := ScaleSim{Rows: 1, Cols: 1, Dataflow: design.OS, IfmapBytes: 1 << 16, FilterBytes: 1 << 16, OfmapBytes: 1 << 16}
	r, err := s.Layer(&workload.Layer{Kind: workload.Gemm, M: 1, N: 1, K: 1})
	if err != nil || r.TotalCycles != 0 || r.OverallUtil != 0 || r.MACs != 1 || r.MappingEff != 100 || r.IfmapDRAMReads != 1 || r.FilterDRAMReads != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func drawArray(t *rapid.T, side int64) Array {
	a := Array{Rows: rapid.Int64Range(1, side).Draw(t, "rows"), Cols: rapid.Int64Range(1, side).Draw(t, "cols"),
		Dataflow: design.Dataflow(rapid.IntRange(0, 2).Draw(t, "dataflow"))}
	if a.Dataflow == design.OS {
		a.Drain = design.Drain(rapid.IntRange(0, 2).Draw(t, "drain"))
	} else {
		a.WeightLoad = design.WeightLoad(rapid.IntRange(0, 2).Draw(t, "load"))
	}
	if a.Drain != design.DrainOverlapped && a.WeightLoad == design.LoadSerial {
		a.Gated = rapid.Bool().Draw(t, "gated")
	}
	return a
}

func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawArray(t, 40)
		dim := rapid.OneOf(rapid.Int64Range(1, 100), rapid.Int64Range(1, 3000))
		m, n, k := dim.Draw(t, "m"), dim.Draw(t, "n"), dim.Draw(t, "k")
		lanes, groups := rapid.Int64Range(1, 9).Draw(t, "lanes"), rapid.Int64Range(1, 5).Draw(t, "groups")
		p := a.Map(m, n, k, lanes, groups)
		cycles := p.Cycles()
		if cycles*a.Rows*a.Cols*lanes < p.MACs() {
			t.Fatalf("%d cycles do not suffice for %d products", cycles, p.MACs())
		}
		if p.ComputeCycles() > cycles {
			t.Fatalf("%d of %d cycles compute", p.ComputeCycles(), cycles)
		}
		if e := p.MappingEfficiency(); e <= 0 || e > 1 {
			t.Fatalf("mapping efficiency %g", e)
		}
		if p.PECycles()*lanes < p.MACs() || p.PECycles() > p.MACs() {
			t.Fatalf("%d element cycles for %d products in %d lanes", p.PECycles(), p.MACs(), lanes)
		}
		acc := p.BufferAccesses()
		if acc.IfmapReads < groups*m*k || acc.FilterReads < groups*k*n || acc.OfmapWrites-acc.PsumReads != groups*m*n {
			t.Fatalf("buffer accesses %+v do not cover the product", acc)
		}
		if p.RegisterBits(8, 32) < float64(p.PECycles()) {
			t.Fatal("too few register bits")
		}
		// Sum of the folds, one by one.
		sum := p.LeadCycles()
		for g := range groups {
			for fc := range p.ColFolds {
				for fr := range p.RowFolds {
					r, c := a.Rows, a.Cols
					if fr == p.RowFolds-1 {
						r = p.LastR
					}
					if fc == p.ColFolds-1 {
						c = p.LastC
					}
					if g == groups-1 && fc == p.ColFolds-1 && fr == p.RowFolds-1 {
						sum += p.LastFoldCycles(r, c)
					} else {
						sum += p.FoldCycles(r, c)
					}
				}
			}
		}
		if sum != cycles {
			t.Fatalf("the folds take %d cycles, the layer %d", sum, cycles)
		}
		if a.Gated {
			full := a
			full.Gated = false
			q := full.Map(m, n, k, lanes, groups)
			if q.Cycles() < cycles {
				t.Fatalf("gating costs cycles: %d, without %d", cycles, q.Cycles())
			}
		}
	})
}
