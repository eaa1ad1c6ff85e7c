package memory

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"macroscope/simhw/design"
	"macroscope/simhw/systolic"
)

// A 2×2 output-stationary array, 4×4 outputs, K = 3, int8, everything fits:
// 4 folds of T+R+C−2 = 5 cycles. Column folds outside, row folds inside:
//
//	fold        reads                  writes
//	(0,0)       6 inputs, 6 weights    4 sums of 1 byte
//	(1,0)       6 inputs               4
//	(0,1)       6 weights              4
//	(1,1)       nothing                4
//
// At 1 byte a cycle: 12 cycles of prefetch; fold 0 reads 6 bytes for the next
// one and writes none: 6 > 5, 1 stall; fold 1 reads 6 and writes 4: 10, 5
// stalls; fold 2 writes 4: 5; fold 3 writes 4: 5; 4 cycles of write-back:
// 12 + 6 + 10 + 5 + 5 + 4 = 42.
func TestByHand(t *testing.T) {
	m := systolic.Array{Rows: 2, Cols: 2, Dataflow: design.OS}.Map(4, 4, 3, 1, 1)
	p := Problem{Map: m, InputWords: 12, LineWords: 3, OperandBits: 8, AccumulatorBits: 32, OutputBits: 8,
		IfmapBits: 8192, FilterBits: 8192, OfmapBits: 8192, BytesPerCycle: 1}
	var pl plan
	pl.init(&p, 1)
	pl.arrange(Order{By: Columns, Group: 1})
	r, time, _, _, _ := pl.run(math.Inf(1))
	if best, _ := Run(&p); time != 42 || best.PrefetchCycles+best.StallCycles != 22 {
		t.Errorf("%g cycles, the best order waits for %d: want 42, of which 22 waiting, in any order", time, best.PrefetchCycles+best.StallCycles)
	}
	want := Result{IfmapReads: 12, FilterReads: 12, OfmapWrites: 16, PrefetchCycles: 12, StallCycles: 10, Order: Order{Columns, 1, 1}, Map: m}
	want.Stalls[IfmapRead], want.Stalls[FilterRead], want.Stalls[WriteBack] = 1, 5, 4
	if r != want {
		t.Errorf("got  %+v\nwant %+v", r, want)
	}
	// Six columns make three column folds. Half of the weight buffer holds one
	// fold's six words, so that the row folds inside share them: 18 weights.
	// Nothing holds inputs: 6 words in each of six folds.
	p.Map = systolic.Array{Rows: 2, Cols: 2, Dataflow: design.OS}.Map(4, 6, 3, 1, 1)
	p.IfmapBits, p.FilterBits, p.LineWords = 90, 96, 100
	if r, _ = Run(&p); r.IfmapReads != 36 || r.FilterReads != 18 || r.Order != (Order{Rows, 2, 1}) {
		t.Errorf("small buffers: %+v, want 36 inputs and 18 weights", r)
	}
}

// Weight stationary, K in three folds: partial sums of 4 outputs × 2 columns
// in 32 bits are 256 bits; there being no other columns, they may fill the buffer.
func TestPartialSumsSpill(t *testing.T) {
	m := systolic.Array{Rows: 2, Cols: 2, Dataflow: design.WS}.Map(4, 2, 6, 1, 1)
	p := Problem{Map: m, InputWords: 24, LineWords: 6, OperandBits: 8, AccumulatorBits: 32, OutputBits: 8,
		IfmapBits: 8192, FilterBits: 8192, OfmapBits: 255, BytesPerCycle: 100}
	r, _ := Run(&p)
	if r.PsumReads != 16 || r.PsumWrites != 16 || r.OfmapWrites != 8 {
		t.Errorf("got %+v, want 2 × 8 partial sums out and back", r)
	}
	p.OfmapBits = 256
	if r, _ := Run(&p); r.PsumReads != 0 || r.PsumWrites != 0 || r.OfmapWrites != 8 {
		t.Errorf("got %+v, want no partial sums to move", r)
	}
}

func drawProblem(t *rapid.T, m *systolic.Mapping) Problem {
	a := systolic.Array{Rows: rapid.Int64Range(1, 12).Draw(t, "rows"), Cols: rapid.Int64Range(1, 12).Draw(t, "cols"),
		Dataflow: design.Dataflow(rapid.IntRange(0, 2).Draw(t, "flow"))}
	if a.Dataflow == design.OS {
		a.Drain = design.Drain(rapid.IntRange(0, 2).Draw(t, "drain"))
	} else {
		a.WeightLoad = design.WeightLoad(rapid.IntRange(0, 2).Draw(t, "load"))
	}
	a.Gated = a.Drain != design.DrainOverlapped && a.WeightLoad == design.LoadSerial && rapid.Bool().Draw(t, "gated")
	dim := rapid.Int64Range(1, 120)
	*m = a.Map(dim.Draw(t, "m"), dim.Draw(t, "n"), dim.Draw(t, "k"), rapid.Int64Range(1, 4).Draw(t, "lanes"), rapid.Int64Range(1, 4).Draw(t, "groups"))
	bits := rapid.SampledFrom([]int64{1, 8, 32})
	buffer := rapid.Int64Range(1<<8, 1<<20)
	if rapid.Bool().Draw(t, "narrow") {
		m.Feed(drawPorts(t), systolic.Bits{Input: 8, Weight: 8, Sum: 32})
	}
	return Problem{Map: *m, InputWords: rapid.Int64Range(1, m.M*m.K).Draw(t, "input"), LineWords: dim.Draw(t, "line"),
		OperandBits: bits.Draw(t, "bits"), WeightBits: rapid.Int64Range(1, 32).Draw(t, "weight bits"), AccumulatorBits: 32, OutputBits: bits.Draw(t, "out"),
		IfmapBits: buffer.Draw(t, "ifmap"), FilterBits: buffer.Draw(t, "filter"), OfmapBits: buffer.Draw(t, "ofmap"),
		BytesPerCycle: rapid.Float64Range(0.05, 200).Draw(t, "bytes"),
		InputOnChip:   rapid.Bool().Draw(t, "in"), OutputOnChip: rapid.Bool().Draw(t, "outOnChip")}
}

func drawPorts(t *rapid.T) systolic.Ports {
	width := rapid.Int64Range(0, 60)
	return systolic.Ports{Ifmap: width.Draw(t, "ifmap width"), Filter: width.Draw(t, "filter width"), Ofmap: width.Draw(t, "ofmap width"), OfmapShared: rapid.Bool().Draw(t, "shared")}
}

// parts lists the numbers of chunks.
func parts(p *Problem) (list []int64) {
	for n := int64(1); n > 0; n = finer(p, n) {
		list = append(list, n)
	}
	return list
}

func drawOrder(t *rapid.T, m *systolic.Mapping) Order {
	o, n := Order{By: Axis(rapid.IntRange(0, 1).Draw(t, "by"))}, m.ColFolds
	if o.By == Rows {
		n = m.RowFolds
	}
	o.Group = rapid.Int64Range(1, n).Draw(t, "group")
	return o
}

// The counting by runs of equal folds against fold after fold, and the closed form
// of the traffic.
func TestRunsAgreeWithEveryFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m systolic.Mapping
		p := drawProblem(t, &m)
		var s search
		chunks := rapid.SampledFrom(parts(&p)).Draw(t, "chunks")
		s.plan.init(&p, chunks)
		pl := &s.plan
		m = pl.p.Map
		o := drawOrder(t, &m)
		bound, _ := pl.bound(o)
		r, total, bytesRun, _, _ := pl.run(math.Inf(1))

		var seq []tile
		for g := range m.Groups {
			for o := range pl.outer {
				for i := range pl.mid {
					for j := range pl.size(o) {
						var f tile
						pl.put(&f, o, i, j, g%chunks > 0)
						seq = append(seq, f)
					}
				}
			}
		}
		var all words
		moved := 0.0
		waited := seq[0].reads
		work := float64(m.LeadCycles())
		for i, f := range seq {
			w := pl.words(&f)
			all.ifmap += w.ifmap
			all.filter += w.filter
			all.psumIn += w.psumIn
			all.psumOut += w.psumOut
			all.out += w.out
			reads, writes := pl.bytes(&w)
			if math.Abs(reads-f.reads) > rounding*reads || math.Abs(writes-f.writes) > rounding*writes {
				t.Fatalf("%+v reads %g bytes and writes %g, its words take %g and %g", w, f.reads, f.writes, reads, writes)
			}
			moved += reads + writes
			bytes, compute := 0.0, f.compute
			if i+1 < len(seq) {
				bytes += seq[i+1].reads
			} else {
				compute = float64(m.LastFoldCycles(m.LastR, m.LastC))
			}
			if i > 0 {
				bytes += seq[i-1].writes
			}
			work += compute
			waited += max(0, bytes-compute*p.BytesPerCycle)
		}
		time := work + pl.cycles(waited) + pl.cycles(seq[len(seq)-1].writes)
		if work != float64(m.Cycles()) {
			t.Fatalf("the folds compute for %g cycles, the array for %d", work, m.Cycles())
		}
		if math.Abs(total-time) > 1e-6*time {
			t.Fatalf("runs give %g cycles, fold after fold %g", total, time)
		}
		if sum := float64(m.Cycles() + r.PrefetchCycles + r.StallCycles); math.Abs(sum-time) > 1e-6*time {
			t.Fatalf("the parts add up to %g cycles, the layer takes %g", sum, time)
		}
		for _, c := range []struct {
			name      string
			got, want float64
		}{{"inputs", float64(r.IfmapReads), all.ifmap}, {"weights", float64(r.FilterReads), all.filter},
			{"partial sums", float64(r.PsumReads), all.psumIn}, {"partial sums out", float64(r.PsumWrites), all.psumOut}, {"outputs", float64(r.OfmapWrites), all.out}} {
			if math.Abs(c.got-c.want) > 0.51 {
				t.Fatalf("%s: %g words, fold after fold %g", c.name, c.got, c.want)
			}
		}
		if bound.close > time || bound.rough > time || bound.kind > bound.close {
			t.Fatalf("%+v takes %g cycles, less than its bounds %+v", o, time, bound)
		}
		if math.Abs(bound.bytes-moved) > 1e-6*moved || bytesRun != bound.bytes {
			t.Fatalf("%+v: %g bytes by the closed form, %g fold after fold", o, bound.bytes, moved)
		}
	})
}

// words is what a fold moves.
func (pl *plan) words(t *tile) (w words) {
	f := &pl.fold[t.size]
	if t.moves&readsIfmap != 0 {
		w.ifmap = f.ifmap
	}
	if t.moves&readsFilter != 0 {
		w.filter = f.filter
	}
	if t.moves&readsPsum != 0 {
		w.psumIn = f.sums
	}
	if t.moves&writesPsum != 0 {
		w.psumOut = f.sums
	}
	if t.moves&writesOut != 0 {
		w.out = f.sums
	}
	return w
}

// bytesOf is a result's DRAM traffic.
func bytesOf(r *Result, p *Problem) float64 {
	return (float64(r.IfmapReads)*float64(p.OperandBits) + float64(r.FilterReads)*float64(p.WeightBits) +
		float64(r.PsumReads+r.PsumWrites)*float64(p.AccumulatorBits) + float64(r.OfmapWrites)*float64(p.OutputBits)) / 8
}

func TestTrafficCoversTheLayer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m systolic.Mapping
		p := drawProblem(t, &m)
		r, ok := Run(&p)
		if !ok {
			t.Fatal("too long")
		}
		sum := int64(0)
		for _, s := range r.Stalls {
			if s < 0 {
				t.Fatalf("negative stall in %+v", r)
			}
			sum += s
		}
		if sum != r.StallCycles {
			t.Fatalf("stalls of %d by cause, %d in all", sum, r.StallCycles)
		}
		if want := m.Groups * p.InputWords; !p.InputOnChip && r.IfmapReads < want || p.InputOnChip && r.IfmapReads != 0 {
			t.Fatalf("%d input words read, the layer has %d", r.IfmapReads, want)
		}
		if want := m.Groups * m.K * m.N; r.FilterReads < want {
			t.Fatalf("%d weights read, the layer has %d", r.FilterReads, want)
		}
		if want := m.Groups * m.M * m.N; !p.OutputOnChip && r.OfmapWrites != want {
			t.Fatalf("%d outputs written, the layer has %d", r.OfmapWrites, want)
		}
		if r.PsumReads != r.PsumWrites {
			t.Fatalf("%d partial sums come back of %d", r.PsumReads, r.PsumWrites)
		}
		// Everything crosses DRAM's bandwidth.
		bytes := bytesOf(&r, &p)
		if cycles := float64(r.Map.Cycles() + r.PrefetchCycles + r.StallCycles); cycles*p.BytesPerCycle < bytes*(1-1e-9) {
			t.Fatalf("%g bytes in %g cycles at %g a cycle", bytes, cycles, p.BytesPerCycle)
		}
	})
}

func TestMoreNeverCosts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m systolic.Mapping
		p := drawProblem(t, &m)
		ports := drawPorts(t)
		p.Map.Feed(ports, systolic.Bits{Input: 8, Weight: 8, Sum: 32})
		before, _ := Run(&p)
		q := p
		wider := func(width *int64) {
			if *width += rapid.Int64Range(0, 20).Draw(t, "wider"); rapid.IntRange(0, 4).Draw(t, "widest") == 0 {
				*width = 0
			}
		}
		if ports.Ifmap > 0 {
			wider(&ports.Ifmap)
		}
		if ports.Filter > 0 {
			wider(&ports.Filter)
		}
		if ports.Ofmap > 0 {
			wider(&ports.Ofmap)
		}
		ports.OfmapShared = ports.OfmapShared && rapid.Bool().Draw(t, "still shared")
		q.Map.Feed(ports, systolic.Bits{Input: 8, Weight: 8, Sum: 32})
		grow := func(label string) int64 { return rapid.Int64Range(0, 1<<20).Draw(t, label) }
		q.BytesPerCycle += rapid.Float64Range(0, 50).Draw(t, "more bytes")
		q.IfmapBits += grow("more ifmap")
		q.FilterBits += grow("more filter")
		q.OfmapBits += grow("more ofmap")
		after, _ := Run(&q)
		if a, b := after.Map.Cycles()+after.StallCycles+after.PrefetchCycles, before.Map.Cycles()+before.StallCycles+before.PrefetchCycles; a > b {
			t.Fatalf("more memory costs time: %d cycles, before %d\n%+v\n%+v", a, b, p, q)
		}
	})
}

func TestTooLong(t *testing.T) {
	m := systolic.Array{Rows: 1, Cols: 1, Dataflow: design.OS}.Map(1<<30, 1<<10, 1<<10, 1, 1)
	p := Problem{Map: m, InputWords: 1 << 40, LineWords: 1 << 20, OperandBits: 32, AccumulatorBits: 32, OutputBits: 32,
		IfmapBits: 1 << 13, FilterBits: 1 << 13, OfmapBits: 1 << 13, BytesPerCycle: 1e-6}
	if _, ok := Run(&p); ok {
		t.Error("2⁶⁰ cycles are not too long")
	}
}
