package vector

import (
	"math"
	"math/rand/v2"
	"testing"

	"macroscope/dtype"
	"macroscope/workload"
)

// smlad is CMSIS-NN's innermost loop for the DSP extension: 2×2 sums, per four
// products of each four loads, eight widenings, eight SMLAD.
var smlad = Loop{Rows: 2, Cols: 2, Lanes: 1, Step: 4, RowLoads: 1, RowWidens: 2, ColLoads: 1, ColWidens: 2, Multiplies: 2, MultiplyCycles: 1, LoadCycles: 1,
	Unroll: 4, LoopInstructions: 2, TileInstructions: 14, OutputInstructions: 14, GatherInstructions: 0.75}

// By hand, one instruction a cycle: 4 loads + 8 widenings + 8 multiplications +
// 2/4 of the loop, 1 for the run of loads, 2/4 for the branch: 22 cycles. With two
// a cycle of which one may multiply or widen: 16.
func TestStepByHand(t *testing.T) {
	single := Core{Issue: 1, Multiplies: 1, Loads: 1, LoadRunCycles: 1, BranchCycles: 2}
	dual := Core{Issue: 2, Multiplies: 1, Loads: 2}
	for _, c := range []struct {
		core Core
		want float64
	}{{single, 22}, {dual, 16}} {
		if got, mul, _ := c.core.StepCycles(&smlad); got != c.want || mul != 8 {
			t.Errorf("%+v: %g cycles, of them %g multiplying; want %g and 8", c.core, got, mul, c.want)
		}
		if got := c.core.MACsPerCycle(&smlad); got != 2 {
			t.Errorf("%g MACs a cycle at most, want 2", got)
		}
	}
	if got := smlad.Instructions(); got != 20.5 {
		t.Errorf("%g instructions a step, want 4 + 8 + 8 + 2/4", got)
	}
	// Loads bind: a core with one load every two cycles and a loop of 4 + 1
	// loads for 4 multiplications of two cycles.
	loads := Core{Issue: 2, Multiplies: 1, Loads: 1}
	mve := Loop{Rows: 4, Cols: 1, Lanes: 1, Step: 16, RowLoads: 1, ColLoads: 1, Multiplies: 1, MultiplyCycles: 2, LoadCycles: 2, Unroll: 1}
	if got, _, _ := loads.StepCycles(&mve); got != 10 {
		t.Errorf("%g cycles, want 10", got)
	}
	// What binds.
	issue := dual
	issue.Multiplies = 4
	for _, b := range []struct {
		core  Core
		loop  Loop
		limit string
	}{{loads, mve, "load pipes"}, {dual, smlad, "multiplying pipes"}, {issue, smlad, "instructions a cycle"}} {
		if _, _, limit := b.core.StepCycles(&b.loop); limit != b.limit {
			t.Errorf("%+v: by %s, want %s", b.core, limit, b.limit)
		}
	}
	// Loads alone. Four VMUL, four VADD and four loads of two cycles on the single
	// core: 16 cycles, 2/4 of the loop, 2/4 for the branch, and no run of loads. Four
	// multiply-accumulates and four loads on the dual one: 8, the loop beside them.
	mul := Loop{Rows: 2, Cols: 2, Lanes: 1, Step: 1, RowLoads: 1, ColLoads: 1, Multiplies: 2, MultiplyCycles: 1, LoadCycles: 2, LoadsAlone: true, Unroll: 4, LoopInstructions: 2}
	fma := mul
	fma.Multiplies, fma.LoadCycles = 1, 1
	for _, c := range []struct {
		core       Core
		loop       Loop
		want, muls float64
	}{{single, mul, 17, 8}, {dual, fma, 8, 4}} {
		if got, muls, _ := c.core.StepCycles(&c.loop); got != c.want || muls != c.muls {
			t.Errorf("loads alone: %g cycles, of them %g multiplying; want %g and %g", got, muls, c.want, c.muls)
		}
	}
}

// By hand: 3 outputs of 3 channels with 5 products each make 2·2 tiles of 2
// steps: 4·(2·22 + 14) + 9·14 = 358 instructions; a 1×1 layer gathers nothing.
func TestLayerByHand(t *testing.T) {
	c := Core{Issue: 1, Multiplies: 1, Loads: 1, LoadRunCycles: 1, BranchCycles: 2}
	l := workload.Layer{Kind: workload.Gemm, DType: dtype.Int8, M: 3, N: 3, K: 5}
	p := smlad
	p.CallCycles = 42
	got := c.Layer(&l, &p, &Memory{CacheBytes: 15, LineBytes: 5, MissCycles: 7}, 0.5)
	if got.Multiplier != 22.5 || got.Core != 800 || got.Passes != 1 || got.Waits != 3*7 {
		t.Errorf("%+v", got)
	}
	// One byte less of cache: the weights come once for each two rows.
	if got = c.Layer(&l, &p, &Memory{CacheBytes: 14, LineBytes: 5, MissCycles: 7}, 1); got.Passes != 2 || got.Waits != 2*3*7 || got.Core != 400 {
		t.Errorf("%+v", got)
	}
	// 3×3 on 4×4: 4 outputs of 9 inputs to gather.
	conv := workload.Layer{Kind: workload.Conv, DType: dtype.Int8, H: 4, W: 4, C: 1, OutC: 2, KH: 3, KW: 3}
	gathered := c.Layer(&conv, &smlad, &Memory{}, 1)
	p = smlad
	p.GatherInstructions = 0
	if plain := c.Layer(&conv, &p, &Memory{}, 1); gathered.Cycles()-plain.Cycles() != 4*9*0.75 {
		t.Errorf("gathering takes %g cycles, want 27", gathered.Cycles()-plain.Cycles())
	}
}

// A core that can do more in a cycle, memory that is faster or a larger cache,
// never take longer; nothing beats the multiplier.
func TestMonotone(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		c := Core{Issue: 1 + 3*rnd.Float64(), Multiplies: 0.5 + 2*rnd.Float64(), Loads: 0.5 + 2*rnd.Float64(), LoadRunCycles: rnd.Float64(), BranchCycles: 3 * rnd.Float64()}
		p := Loop{Rows: 1 + rnd.Int64N(8), Cols: 1 + rnd.Int64N(4), Lanes: 1 + rnd.Int64N(16), Step: 1 + rnd.Int64N(4), RowLoads: rnd.Float64(), ColLoads: 1, RowWidens: rnd.Float64(),
			Multiplies: 1 + float64(rnd.IntN(2)), MultiplyCycles: 1 + rnd.Float64(), LoadCycles: 1 + rnd.Float64(), Unroll: 1 + rnd.Int64N(4), LoopInstructions: 2,
			TileInstructions: 10 * rnd.Float64(), OutputInstructions: 10 * rnd.Float64(), GatherInstructions: rnd.Float64(), CallCycles: 100, LoadsAlone: rnd.IntN(2) == 0}
		l := workload.Layer{Kind: workload.Conv, DType: dtype.All[rnd.IntN(3)], H: 3 + rnd.IntN(30), W: 3 + rnd.IntN(30), C: 1 + rnd.IntN(64), OutC: 1 + rnd.IntN(64), KH: 1 + rnd.IntN(3), KW: 1 + rnd.IntN(3)}
		m := Memory{CacheBytes: float64(rnd.IntN(20000)), LineBytes: 8, MissCycles: 10 * rnd.Float64()}
		base := c.Layer(&l, &p, &m, 1)
		if bound := float64(l.MACs()) / c.MACsPerCycle(&p); base.Core < bound*(1-1e-9) || math.IsNaN(base.Cycles()) {
			t.Fatalf("%+v on %+v: %g cycles, the multiplier needs %g", l, c, base.Cycles(), bound)
		}
		better := c
		better.Issue, better.Multiplies, better.Loads = c.Issue*1.5, c.Multiplies*1.2, c.Loads*1.3
		big := m
		big.CacheBytes, big.MissCycles = 2*m.CacheBytes, m.MissCycles*0.9
		for _, faster := range []Time{better.Layer(&l, &p, &m, 1), c.Layer(&l, &p, &big, 1), c.Layer(&l, &p, &m, 1.1)} {
			if faster.Cycles() > base.Cycles() {
				t.Fatalf("%+v on %+v, %+v: %g cycles with more, %g with less", l, c, p, faster.Cycles(), base.Cycles())
			}
		}
	}
}

// A layer whose products are all with padding, of a loop that leaves those out and counts
// nothing around it, takes a cycle: no layer is free.
func TestNothingInside(t *testing.T) {
	c, m := Core{Issue: 1, Multiplies: 1, Loads: 1}, Memory{}
	p := Loop{Rows: 1, Cols: 1, Lanes: 1, Step: 1, Multiplies: 1, MultiplyCycles: 1, Unroll: 1, SkipsPadding: true}
	l := workload.Layer{Kind: workload.Conv, DType: dtype.Int8, H: 1, W: 1, C: 3, OutC: 2, KH: 1, KW: 1, StrideH: 4, PadTop: 3, PadBottom: 1}
	if err := l.Validate(); err != nil {
		t.Fatal(err)
	}
	if got := c.Layer(&l, &p, &m, 1); got.Cycles() != 1 || got.Multiplier != 0 {
		t.Errorf("%+v, want a cycle", got)
	}
}

// The share of products that are no padding, against counting them.
func TestInside(t *testing.T) {
	rnd := rand.New(rand.NewPCG(8, 9))
	for range 500 {
		l := workload.Layer{Kind: workload.Conv, H: 4 + rnd.IntN(9), W: 4 + rnd.IntN(9), C: 1, OutC: 1, KH: 1 + rnd.IntN(4), KW: 1 + rnd.IntN(4),
			StrideH: rnd.IntN(3), StrideW: rnd.IntN(4), DilationH: rnd.IntN(2), DilationW: 1, PadTop: rnd.IntN(4), PadLeft: rnd.IntN(4), PadBottom: rnd.IntN(4), PadRight: rnd.IntN(4)}
		h, w := l.OutSize()
		all, in := 0, 0
		for y := range int(h) {
			for x := range int(w) {
				for i := range l.KH {
					for j := range l.KW {
						iy, ix := y*max(l.StrideH, 1)+i*max(l.DilationH, 1)-l.PadTop, x*max(l.StrideW, 1)+j-l.PadLeft
						if all++; iy >= 0 && ix >= 0 && iy < l.H && ix < l.W {
							in++
						}
					}
				}
			}
		}
		if got, want := inside(&l, 0), float64(in)/float64(all); math.Abs(got-want) > 1e-12 {
			t.Fatalf("%+v: %g, want %g", l, got, want)
		}
	}
}

// With groups of one every output leaves out the kernel's rows beside the image, or if there
// are none its columns: against counting them. With larger ones by counting too, outputs by
// the taps that they have.
func TestInsideTogether(t *testing.T) {
	rnd := rand.New(rand.NewPCG(10, 11))
	for range 500 {
		l := workload.Layer{Kind: workload.Conv, H: 4 + rnd.IntN(9), W: 4 + rnd.IntN(9), C: 1, OutC: 1, KH: 1 + rnd.IntN(4), KW: 1 + rnd.IntN(4),
			StrideH: rnd.IntN(3), StrideW: rnd.IntN(4), DilationH: rnd.IntN(3), DilationW: rnd.IntN(3)}
		l.PadTop, l.PadLeft, l.PadBottom, l.PadRight = rnd.IntN(l.KH), rnd.IntN(l.KW), rnd.IntN(l.KH), rnd.IntN(l.KW) // no output has no tap inside
		if l.Validate() != nil {                                                                                      // a dilated kernel may be larger than the image
			continue
		}
		group := 2 + rnd.Int64N(7)
		h, w := l.OutSize()
		missing := func(o, n, k, stride, dilation, pad int) (set, count int64) {
			for i := range k {
				if at := o*max(stride, 1) + i*max(dilation, 1) - pad; at < 0 || at >= n {
					set, count = set|1<<i, count+1
				}
			}
			return set, count
		}
		type taps struct{ rows, cols int64 }
		outputs, saves := map[taps]int64{}, map[taps]int64{}
		for y := range int(h) {
			for x := range int(w) {
				rows, n := missing(y, l.H, l.KH, l.StrideH, l.DilationH, l.PadTop)
				key, save := taps{rows: rows}, n*int64(l.KW)
				if rows == 0 {
					key.cols, n = missing(x, l.W, l.KW, l.StrideW, l.DilationW, l.PadLeft)
					save = n * int64(l.KH)
				}
				outputs[key]++
				saves[key] = save
			}
		}
		saved := int64(0)
		for key, n := range outputs {
			saved += n / group * group * saves[key]
		}
		all := float64(h * w * int64(l.KH*l.KW))
		if got, want := inside(&l, group), 1-float64(saved)/all; math.Abs(got-want) > 1e-12 {
			t.Fatalf("%+v, %d together: %g, want %g", l, group, got, want)
		}
	}
	// 3×3 on 8×8, four together, by hand: two rows of 8 outputs and two columns of 6, of
	// which 4, leave out three taps of nine.
	l := workload.Layer{Kind: workload.Conv, H: 8, W: 8, C: 1, OutC: 1, KH: 3, KW: 3, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1}
	if got, want := inside(&l, 4), 1-24*3/576.; math.Abs(got-want) > 1e-12 {
		t.Errorf("%g, want %g", got, want)
	}
}

// By hand: a loop that reads images where they stand does a 3×3 layer of 3
// channels in three runs of 9 products, each of 3 steps of 4, 22 cycles, begun by 5
// instructions; of the 9·16 products of 4×4 outputs with padding 100 are inside.
func TestSegmentsByHand(t *testing.T) {
	c := Core{Issue: 1, Multiplies: 1, Loads: 1, LoadRunCycles: 1, BranchCycles: 2}
	l := workload.Layer{Kind: workload.Conv, DType: dtype.Int8, H: 4, W: 4, C: 3, OutC: 2, KH: 3, KW: 3, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1}
	p := smlad
	p.GatherInstructions, p.OutputInstructions = 0, 0
	p.RowSegments, p.SegmentInstructions = true, 5
	if got, want := c.Layer(&l, &p, &Memory{}, 1), 8*(9*22+14+3*5.0); got.Cycles() != want {
		t.Errorf("%g cycles, want %g", got.Cycles(), want)
	}
	p.SkipsPadding = true
	share := 100.0 / 144
	if got, want := c.Layer(&l, &p, &Memory{}, 1), 8*(9*22*share+14+3*5); math.Abs(got.Cycles()-want) > 1e-9 || math.Abs(got.Multiplier-864*share/2) > 1e-9 {
		t.Errorf("%+v, want %g cycles", got, want)
	}
	// Four together: the upper and lower row's 4 outputs, of the columns' 2 none.
	p.PaddingOutputs, share = 4, 120.0/144
	if got, want := c.Layer(&l, &p, &Memory{}, 1), 8*(9*22*share+14+3*5); math.Abs(got.Cycles()-want) > 1e-9 || math.Abs(got.Multiplier-864*share/2) > 1e-9 {
		t.Errorf("%+v, want %g cycles", got, want)
	}
}
