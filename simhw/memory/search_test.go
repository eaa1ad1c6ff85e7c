package memory

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"macroscope/simhw/design"
	"macroscope/simhw/systolic"
)

func TestSizes(t *testing.T) {
	var sizes, chunks []int64
	for size := int64(11); size > 0; size = smaller(size) {
		sizes = append(sizes, size)
	}
	p := Problem{Map: systolic.Array{Rows: 2, Cols: 2, Dataflow: design.WS}.Map(4*7*23, 2, 2, 1, 1)}
	for n := int64(1); n > 0; n = finer(&p, n) {
		chunks = append(chunks, n)
	}
	if !slices.Equal(sizes, []int64{11, 6, 3, 2, 1}) || !slices.Equal(chunks, []int64{1, 2, 4, 28}) {
		t.Errorf("groups of %v folds out of 11, %v chunks of 644", sizes, chunks)
	}
}

// held is a buffer that keeps what was used last, by its number: at most n parts.
type held struct {
	n     int64
	parts []int64
}

// take tells whether a part has to be fetched, and makes it the last used.
func (h *held) take(part int64) bool {
	i := slices.Index(h.parts, part)
	if i >= 0 {
		h.parts = slices.Delete(h.parts, i, i+1)
	}
	if h.parts = append(h.parts, part); int64(len(h.parts)) > h.n {
		h.parts = h.parts[1:]
	}
	return i < 0 || h.n == 0
}

// brute works out an order fold by fold, with buffers that hold whole parts and drop
// the one that was used longest ago. It shares the sizes of folds with the plan, but
// nothing about what is kept.
func brute(whole *Problem, o Order) (time, bytes float64, all words) {
	var pl plan
	pl.init(whole, o.Chunks)
	pl.arrange(o)
	p := &pl.p
	m := &p.Map
	type fold struct{ row, col int64 }
	var folds []fold
	n, other := m.ColFolds, m.RowFolds
	if o.By == Rows {
		n, other = other, n
	}
	for g := int64(0); g < n; g += o.Group {
		for i := range other {
			for j := g; j < min(g+o.Group, n); j++ {
				f := fold{i, j}
				if o.By == Rows {
					f = fold{j, i}
				}
				folds = append(folds, f)
			}
		}
	}
	buffer := func(whole bool, words float64, bits, capacity int64) held {
		if whole {
			return held{n: math.MaxInt64}
		}
		return held{n: int64(float64(capacity/2) / (words * float64(bits)))}
	}
	ifmap := buffer(pl.ifmapWhole, pl.ifmapPart, p.OperandBits, p.IfmapBits)
	filter := buffer(pl.filterWhole, pl.filterPart, p.WeightBits, p.FilterBits)
	// Columns of partial sums that stay: a group of them, or what is worked on.
	sums := int64(math.MaxInt64)
	if !pl.sumsWhole {
		sums = int64(float64(p.OfmapBits/2) / (pl.sumsPart * float64(p.AccumulatorBits)))
	}
	type moved struct{ reads, writes, work float64 }
	type part struct {
		words
		compute float64
	}
	var tiles []part
	for i, f := range folds {
		key := 0
		if f.row == m.RowFolds-1 {
			key |= lastRow
		}
		if f.col == m.ColFolds-1 {
			key |= lastCol
		}
		size := &pl.fold[key]
		t := part{compute: size.compute}
		unique := f.row*m.ColFolds + f.col
		a, b := f.row, f.col // the parts of inputs and of weights
		switch m.Dataflow {
		case design.WS:
			b = unique
		case design.IS:
			a, b = unique, f.row
		}
		if ifmap.take(a) {
			t.ifmap = size.ifmap
		}
		if filter.take(b) {
			t.filter = size.filter
		}
		if m.Dataflow == design.OS || f.row == m.RowFolds-1 {
			t.out = size.sums
		}
		if p.OutputOnChip {
			t.out = 0
		}
		if m.Dataflow != design.OS {
			// Distinct columns until this one comes again.
			between := func(step int) int64 {
				seen := map[int64]bool{}
				for k := i + step; k >= 0 && k < len(folds); k += step {
					if folds[k].col == f.col {
						return int64(len(seen)) + 1
					}
					seen[folds[k].col] = true
				}
				return 0 // it does not
			}
			if n := between(-1); n > sums {
				t.psumIn = size.sums
			}
			if n := between(1); n > sums {
				t.psumOut = size.sums
			}
		}
		tiles = append(tiles, t)
	}
	// The convolution's groups, one after another, keep nothing; chunks what they
	// hold in the array, if it is whole.
	var seq []moved
	for g := range m.Groups {
		for _, t := range tiles {
			switch later := g%o.Chunks > 0; {
			case later && m.Dataflow == design.WS && filter.n == math.MaxInt64:
				t.filter = 0
			case later && m.Dataflow == design.IS && ifmap.n == math.MaxInt64:
				t.ifmap = 0
			}
			reads, writes := pl.bytes(&t.words)
			seq = append(seq, moved{reads, writes, t.compute})
			all = words{all.ifmap + t.ifmap, all.filter + t.filter, all.psumIn + t.psumIn, all.psumOut + t.psumOut, all.out + t.out}
		}
	}
	time = float64(m.LeadCycles())
	waited := seq[0].reads
	for i, f := range seq {
		work, b := f.work, 0.0
		if i+1 < len(seq) {
			b += seq[i+1].reads
		} else {
			work = float64(m.LastFoldCycles(m.LastR, m.LastC))
		}
		if i > 0 {
			b += seq[i-1].writes
		}
		time += work
		waited += max(0, b-work*p.BytesPerCycle)
		bytes += f.reads + f.writes
	}
	return time + pl.cycles(waited) + pl.cycles(seq[len(seq)-1].writes), bytes, all
}

// The order that is found costs as little as the best of all, each worked out fold by fold
// with buffers that remember what they hold; where cycles count, it moves no more than any
// as fast.
func TestBestOrder(t *testing.T) {
	walked, orders, between, cut := 0, 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var m systolic.Mapping
		p := drawProblem(t, &m)
		if m.RowFolds*m.ColFolds > 400 {
			t.Skip("too many folds to try all")
		}
		p.Objective = design.Objective(rapid.IntRange(0, 2).Draw(t, "objective"))
		p.Prices = randomPrices(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "prices"), 0)))
		var s search
		r, _ := s.run(&p)
		walked += s.walked
		best, least := math.Inf(1), 0.0
		for _, chunks := range parts(&p) {
			for by, folds := range []int64{Columns: m.ColFolds, Rows: m.RowFolds} {
				for size := folds; size > 0; size = smaller(size) {
					orders++
					time, bytes, w := brute(&p, Order{Axis(by), size, chunks})
					if c := costs(&p, time, chunks, &w); c < best || c == best && bytes < least {
						best, least = c, bytes
					}
				}
			}
		}
		if r.Order.Chunks > 1 {
			cut++
		}
		time := float64(r.Map.Cycles() + r.PrefetchCycles + r.StallCycles)
		w := words{float64(r.IfmapReads), float64(r.FilterReads), float64(r.PsumReads), float64(r.PsumWrites), float64(r.OfmapWrites)}
		if got := costs(&p, time, r.Order.Chunks, &w); math.Abs(got-best) > 1e-6*best {
			t.Fatalf("%+v costs %g, the best order %g\\n%+v", r.Order, got, best, p)
		}
		if bytes := bytesOf(&r, &p); p.Objective == design.LeastCycles && bytes > least*(1+1e-6)+float64(8*m.Groups) {
			t.Fatalf("%+v moves %g bytes, an order as fast %g\\n%+v", r.Order, bytes, least, p)
		}
		n := m.ColFolds
		if r.Order.By == Rows {
			n = m.RowFolds
		}
		if r.Order.Group > 1 && r.Order.Group < n {
			between++
		}
	})
	t.Logf("%d of %d orders worked out; the best has several groups of several folds %d times, chunks %d times", walked, orders, between, cut)
	if walked >= orders {
		t.Error("no order is passed over")
	}
}

// randomProblem has sizes of all magnitudes, from buffers that hold nothing to such that
// hold all, from arrays that wait for DRAM all the time to such that never do.
func randomProblem(rnd *rand.Rand) Problem {
	dim := func() int64 { return rnd.Int64N(2 << rnd.IntN(9)) }
	a := systolic.Array{Rows: 1 + rnd.Int64N(1<<rnd.IntN(6)), Cols: 1 + rnd.Int64N(1<<rnd.IntN(6)), Dataflow: design.Dataflow(rnd.IntN(3))}
	if a.Dataflow == design.OS {
		a.Drain = design.Drain(rnd.IntN(3))
	} else {
		a.WeightLoad = design.WeightLoad(rnd.IntN(3))
	}
	a.Gated = a.Drain != design.DrainOverlapped && a.WeightLoad == design.LoadSerial && rnd.IntN(2) == 0
	m := a.Map(1+dim(), 1+dim(), 1+dim(), 1+rnd.Int64N(4), 1+rnd.Int64N(3))
	if rnd.IntN(3) == 0 {
		m.Feed(systolic.Ports{Ifmap: dim(), Filter: dim(), Ofmap: dim(), OfmapShared: rnd.IntN(2) == 0}, systolic.Bits{Input: 8, Weight: 8, Sum: 32})
	}
	bits := func() int64 { return []int64{1, 8, 32}[rnd.IntN(3)] }
	buffer := func() int64 { return 1<<(8+rnd.IntN(12)) + rnd.Int64N(500) }
	return Problem{Map: m, InputWords: 1 + rnd.Int64N(m.M*m.K), LineWords: 1 + dim(),
		OperandBits: bits(), WeightBits: rnd.Int64N(33), AccumulatorBits: 32, OutputBits: bits(), IfmapBits: buffer(), FilterBits: buffer(), OfmapBits: buffer(),
		BytesPerCycle: 0.05 + rnd.ExpFloat64()*math.Exp2(float64(rnd.IntN(8)-1)), InputOnChip: rnd.IntN(4) == 0, OutputOnChip: rnd.IntN(4) == 0}
}

// The search against working out every order: the same time and traffic, and no order
// takes less than its bounds.
func TestSearchAgainstEveryOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(16, 2))
	walked, orders, exact := [3]int{}, 0, 0
	for i := range 6000 {
		p := randomProblem(rnd)
		p.Objective, p.Prices = design.Objective(i%3), randomPrices(rnd)
		var s, all search
		r, ok := s.run(&p)
		if !ok {
			t.Fatalf("%+v takes too long", p)
		}
		walked[p.Objective] += s.walked
		best, takes := cost{first: math.Inf(1)}, 0.0
		for _, chunks := range parts(&p) {
			pl := &all.plan
			pl.init(&p, chunks)
			for by, folds := range []int64{Columns: pl.p.Map.ColFolds, Rows: pl.p.Map.RowFolds} {
				kind, least := math.Inf(-1), 0.0 // the last bounds for smaller groups too
				for size := folds; size > 0; size = smaller(size) {
					o := Order{By: Axis(by), Group: size}
					b, bound := pl.bound(o)
					_, time, bytes, energy, _ := pl.run(math.Inf(1))
					orders++
					if b.close == time {
						exact++
					}
					if b.rough > time || b.close > time || size > 1 && kind > time {
						t.Fatalf("%+v in %d chunks takes %g cycles, its bounds are %+v, that of its kind %g\n%+v", o, chunks, time, b, kind, p)
					}
					if size > 1 && least > bound || bound != energy {
						t.Fatalf("%+v in %d chunks spends %g pJ, larger groups %g\n%+v", o, chunks, energy, least, p)
					}
					if kind, least = b.kind, energy; pl.fit(o.By) >= smaller(size) && pl.fit(o.By) < size {
						kind, least = math.Inf(-1), 0 // other things fit now
					}
					if c := pl.cost(time, bytes, energy); c.less(best) {
						best, takes = c, time
					}
				}
			}
		}
		if s.cost.first != best.first || math.Abs(s.cost.tie-best.tie) > rounding*best.tie {
			t.Fatalf("%+v costs %+v, the best order, of %g cycles, %+v\n%+v", r.Order, s.cost, takes, best, p)
		}
		if total := float64(r.Map.Cycles() + r.PrefetchCycles + r.StallCycles); total != s.time {
			t.Fatalf("the parts of %+v add up to %g cycles, it takes %g", r, total, s.time)
		}
	}
	t.Logf("%d of %d orders worked out, by objectives; the bounds of %d are their times", walked, orders, exact)
	if max(walked[0], walked[1], walked[2]) > orders/15 || exact < orders/2 {
		t.Errorf("%d of %d orders are worked out, by objectives, the bounds of %d are their times: want at most a fifth and at least half", walked, orders, exact)
	}
}

// Wider operands never take fewer cycles. They may move fewer bytes, as an order that
// saves a single cycle may cost any traffic; but then the order that moves so few takes
// more cycles than the chosen one with the narrower operands too. So no traffic is left
// where the time is equal.
func TestWiderOperands(t *testing.T) {
	rnd := rand.New(rand.NewPCG(17, 1))
	fewer := 0
	for range 30000 {
		narrow := randomProblem(rnd)
		narrow.Map.Waits = systolic.Waits{}
		wide := narrow
		bits := 1 + rnd.Int64N(15)
		ports := systolic.Ports{Ifmap: rnd.Int64N(64), Filter: rnd.Int64N(64), Ofmap: rnd.Int64N(64)}
		for p, bits := range map[*Problem]int64{&narrow: bits, &wide: bits + 1 + rnd.Int64N(16-bits)} {
			p.OperandBits, p.WeightBits, p.OutputBits = bits, bits, bits
			p.Map.Feed(ports, systolic.Bits{Input: bits, Weight: bits, Sum: 32})
		}
		var n, w search
		n.run(&narrow)
		w.run(&wide)
		if w.time < n.time {
			t.Fatalf("%g cycles with %d bits, %g with %d\n%+v", w.time, wide.OperandBits, n.time, narrow.OperandBits, narrow)
		}
		if w.cost.tie >= n.cost.tie {
			continue
		}
		fewer++
		n.plan.init(&narrow, w.best.Order.Chunks)
		n.plan.arrange(w.best.Order)
		if _, time, bytes, _, _ := n.plan.run(math.Inf(1)); time <= n.time {
			t.Fatalf("%+v takes %g cycles and moves %g bytes; chosen was %+v with %g and %g\n%+v", w.best.Order, time, bytes, n.best.Order, n.time, n.cost.tie, narrow)
		}
	}
	t.Logf("wider operands move fewer bytes in %d cases", fewer)
	if fewer < 10 {
		t.Errorf("wider operands move fewer bytes in %d cases, want 10 to look at", fewer)
	}
}

// A weight-stationary layer of 6 column folds and 4 row folds, 2×2 elements, M = 8,
// K = 8, N = 12, int8 with sums of 32 bits. Half of the ofmap buffer holds the sums
// of two column folds (2·8·2·32 bits), half of the ifmap buffer one slice of K (8·2
// bytes). Column folds one by one read the 64 inputs six times; all at once spill
// the sums of three of four row folds, 3·96·4 bytes out and back. In groups of two,
// the inputs come three times and no sum leaves: 192 inputs, 96 weights, 96 outputs.
func TestGroupsByHand(t *testing.T) {
	m := systolic.Array{Rows: 2, Cols: 2, Dataflow: design.WS}.Map(8, 12, 8, 1, 1)
	p := Problem{Map: m, InputWords: 64, LineWords: 64, OperandBits: 8, AccumulatorBits: 32, OutputBits: 8,
		IfmapBits: 2 * 16 * 8, FilterBits: 2 * 4 * 8, OfmapBits: 2 * 2 * 16 * 32, BytesPerCycle: 0.5}
	// In one chunk; in two, all sums fit, and weights come twice.
	var s search
	s.plan.init(&p, 1)
	c := chunked{chunks: 1}
	s.promising(&c)
	s.cut(&p, &c)
	r := s.best
	if r.Order != (Order{Columns, 2, 1}) || r.IfmapReads != 192 || r.FilterReads != 96 || r.PsumReads != 0 || r.OfmapWrites != 96 {
		t.Errorf("%+v, want groups of two column folds, 192 inputs, 96 weights and outputs, no partial sums", r)
	}
}

// Parts of a stream may wait less for narrow buffers than the whole: they enter at
// intervals, so that the first one's sums leave beside the last one's operands and not
// after them. More parts may do so where fewer do not, and the search has to go on to them.
func TestPartsSaveWaits(t *testing.T) {
	m := systolic.Array{Rows: 11, Cols: 32, Dataflow: design.WS, WeightLoad: design.LoadChain}.Map(20, 1, 1, 1, 1)
	m.Waits = systolic.Waits{In: 14, Out: 31, Load: 1}
	p := Problem{Map: m, InputWords: 20, LineWords: 1, OperandBits: 8, AccumulatorBits: 32, OutputBits: 8,
		IfmapBits: 1 << 20, FilterBits: 1 << 20, OfmapBits: 1 << 20, BytesPerCycle: 0.5, InputOnChip: true, OutputOnChip: true}
	times := map[int64]float64{}
	for _, n := range []int64{1, 2, 4} {
		var pl plan
		pl.init(&p, n)
		pl.arrange(Order{Columns, 1, n})
		_, times[n], _, _, _ = pl.run(math.Inf(1))
	}
	if !(times[4] < times[1] && times[1] < times[2]) {
		t.Errorf("%v cycles by parts, want fewest in four, most in two", times)
	}
	if r, _ := Run(&p); r.Order.Chunks != 4 {
		t.Errorf("%d parts chosen, want 4", r.Order.Chunks)
	}
}

// wholeLayer is a layer of ResNet-50 on 8×8 elements.
func wholeLayer(load design.WeightLoad, ports systolic.Ports, bytes float64) Problem {
	m := systolic.Array{Rows: 8, Cols: 8, Dataflow: design.WS, WeightLoad: load}.Map(196, 512, 2304, 1, 1)
	m.Feed(ports, systolic.Bits{Input: 8, Weight: 8, Sum: 32})
	return Problem{Map: m, InputWords: 50176, LineWords: 5000,
		OperandBits: 8, AccumulatorBits: 32, OutputBits: 8, IfmapBits: 1 << 17, FilterBits: 1 << 17, OfmapBits: 1 << 17, BytesPerCycle: bytes}
}

func TestRunAllocatesNothing(t *testing.T) {
	for _, ports := range []systolic.Ports{{}, {Ifmap: 4, Filter: 2, Ofmap: 16}} {
		p := wholeLayer(design.LoadBus, ports, 3)
		if n := testing.AllocsPerRun(20, func() { Run(&p) }); n != 0 {
			t.Errorf("%+v: %g allocations", ports, n)
		}
	}
}

func BenchmarkRun(b *testing.B) {
	narrow := systolic.Ports{Ifmap: 4, Filter: 2, Ofmap: 16}
	for _, c := range []struct {
		name  string
		load  design.WeightLoad
		ports systolic.Ports
		bytes float64
	}{
		{"dram=fast", design.LoadSerial, systolic.Ports{}, 100},
		{"dram=slow", design.LoadSerial, systolic.Ports{}, 0.5},
		{"dram=fast/load=bus/buffers=narrow", design.LoadBus, narrow, 100},
		{"dram=slow/load=bus/buffers=narrow", design.LoadBus, narrow, 0.5},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := wholeLayer(c.load, c.ports, c.bytes)
			b.ReportAllocs()
			for b.Loop() {
				Run(&p)
			}
		})
	}
}
