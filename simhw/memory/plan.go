package memory

import (
	"math"

	"macroscope/simhw/design"
	"macroscope/simhw/systolic"
)

// words is what is moved, of each operand.
type words struct{ ifmap, filter, psumIn, psumOut, out float64 }

// sizes is what a fold has, whether or not it is moved: that of a fold inside, of
// one in the last row, column, or both.
type sizes struct{ ifmap, filter, sums, compute float64 }

// tile is what one fold moves, and its time.
type tile struct {
	size uint8 // in plan.fold
	moves
	compute       float64
	reads, writes float64 // bytes
}

// moves is the operands that a fold moves.
type moves uint8

const (
	readsIfmap moves = 1 << iota
	readsFilter
	readsPsum
	writesPsum
	writesOut
)

// fetch says by which of the folds that use a part of an operand it is fetched.
type fetch uint8

const (
	everyFold  fetch = iota
	groupStart       // the first of each group
	axisStart        // the first of all
)

// plan is a problem with its streams cut into chunks, prepared for counting in any
// order. Each chunk is a product of its own, as a group of a convolution is, but for
// what stays: an operand held in the array that fits its buffer whole.
type plan struct {
	p      Problem // of a chunk
	groups int64   // of the convolution, each of so many
	chunks int64
	again  bool     // later chunks find the held operand in its buffer
	fold   [4]sizes // by lastRow and lastCol, 1 and 2

	inputBytes, weightBytes, accBytes, outBytes float64
	ifmapWords, filterWords                     float64 // of all folds that share nothing: one pass
	sumWords                                    float64

	ifmapWhole, filterWhole bool    // fits its buffer
	ifmapPart, filterPart   float64 // words that folds in turn come back to
	sumsWhole               bool    // all partial sums fit
	sumsPart                float64 // of one column fold
	work, folds, last       float64 // cycles: of all folds; of a product's as long as others follow; of the last of all
	lastMore                float64 // what that takes more than if another followed
	firstRead, lastWrite    float64 // bytes
	begin, end              float64 // what those two take, in cycles
	perByte                 float64 // cycles

	// WS and IS, in bytes: what folds of the first column fold read of the operand held
	// in the array, and what a row fold's share, each in a full row fold and in the
	// last; the least that others read of the former, if they are not in the last column
	// fold, and if they are; the outputs of a full column fold.
	held0, shared        [2]float64
	heldInner, heldLeast float64
	written              float64

	// Of the order at hand.
	order             Order
	ifmapBy, filterBy fetch
	spill             bool // partial sums go to DRAM and back,
	spillGroups       bool // but only between groups
	outer, mid, inner int64
	lastInner         int64 // of the last group
}

const (
	lastRow = 1 << iota
	lastCol
)

func (pl *plan) init(whole *Problem, chunks int64) {
	p := &pl.p
	*p = *whole
	pl.groups, pl.chunks = whole.Map.Groups, chunks
	if p.WeightBits == 0 {
		p.WeightBits = p.OperandBits
	}
	pl.inputBytes, pl.weightBytes = float64(p.OperandBits)/8, float64(p.WeightBits)/8
	pl.accBytes, pl.outBytes = float64(p.AccumulatorBits)/8, float64(p.OutputBits)/8
	if chunks > 1 {
		pl.cut(whole)
	}
	m := &p.Map
	pl.ifmapWhole = p.InputOnChip || p.InputWords*p.OperandBits <= p.IfmapBits
	pl.filterWhole = m.K*m.N*p.WeightBits <= p.FilterBits
	pl.again = chunks > 1 && (m.Dataflow == design.WS && pl.filterWhole || m.Dataflow == design.IS && pl.ifmapWhole)

	fk, fm, fn, input := float64(m.K), float64(m.M), float64(m.N), float64(p.InputWords)
	slice := float64(min(m.Rows*m.Lanes, m.K)) // products along K in one row fold of WS or IS
	part := func(share, lowered float64) float64 {
		if pl.ifmapWhole {
			return input * share
		}
		return min(input, lowered)
	}
	for i := range pl.fold {
		rows, cols := m.Rows, m.Cols
		depth := float64(rows * m.Lanes)
		if i&lastRow != 0 {
			rows = m.LastR
			depth = float64(m.K - (m.RowFolds-1)*m.Rows*m.Lanes)
		}
		if i&lastCol != 0 {
			cols = m.LastC
		}
		r, c, f := float64(rows), float64(cols), &pl.fold[i]
		if f.compute = pl.fold[0].compute; i == 0 || m.Gated { // others take the same for all
			f.compute = float64(m.FoldCycles(rows, cols))
		}
		switch m.Dataflow {
		case design.OS:
			// A row fold's inputs serve all column folds, a column fold's weights
			// all row folds. Consecutive row folds share input lines.
			if f.ifmap = part(r/fm, r*fk); p.LineWords*p.OperandBits <= p.IfmapBits/2 {
				f.ifmap = input * r / fm
			}
			f.filter, f.sums = fk*c, r*c
		case design.WS:
			// A row fold's slice of inputs serves all column folds; every fold has
			// its own weights.
			f.ifmap, f.filter, f.sums = part(depth/fk, fm*depth), depth*c, fm*c
		default:
			f.ifmap, f.filter, f.sums = part(depth*c/(fk*fm), depth*c), depth*fn, fn*c
		}
		if p.InputOnChip {
			f.ifmap = 0
		}
	}
	full, row, col := &pl.fold[0], &pl.fold[lastRow], &pl.fold[lastCol]
	corner := &pl.fold[lastRow|lastCol]
	rowFolds, colFolds := float64(m.RowFolds-1), float64(m.ColFolds-1)
	pl.ifmapWords, pl.filterWords = rowFolds*full.ifmap+row.ifmap, rowFolds*full.filter+row.filter
	switch m.Dataflow {
	case design.OS:
		pl.ifmapPart, pl.filterPart = min(input, float64(m.Rows)*fk), float64(m.Cols)*fk
		pl.filterWords = fk * fn
	case design.WS:
		pl.ifmapPart = min(input, fm*slice)
		pl.filterWords = fk * fn
		pl.sumsPart = fm * float64(min(m.Cols, m.N))
	default:
		pl.filterPart = fn * slice
		pl.ifmapWords = rowFolds*(colFolds*full.ifmap+col.ifmap) + colFolds*row.ifmap + corner.ifmap
		pl.sumsPart = fn * float64(min(m.Cols, m.M))
	}
	pl.sumWords = fm * fn
	pl.sumsWhole = m.Dataflow == design.OS || m.RowFolds == 1 || pl.sumWords*float64(p.AccumulatorBits) <= float64(p.OfmapBits)
	pl.work = float64(m.Cycles())

	// The first fold is the last row's, or column's, where there is one only.
	key := 0
	if m.RowFolds == 1 {
		key |= lastRow
	}
	if m.ColFolds == 1 {
		key |= lastCol
	}
	pl.perByte = 1 / p.BytesPerCycle
	pl.firstRead = pl.fold[key].ifmap*pl.inputBytes + pl.fold[key].filter*pl.weightBytes
	if !p.OutputOnChip {
		pl.lastWrite, pl.written = corner.sums*pl.outBytes, row.sums*pl.outBytes
	}
	pl.begin, pl.end = pl.firstRead*pl.perByte, pl.cycles(pl.lastWrite)
	pl.folds = rowFolds*(colFolds*full.compute+col.compute) + colFolds*row.compute + corner.compute
	if m.Dataflow != design.OS {
		pl.stationary()
	}
	pl.last = float64(m.LastFoldCycles(m.LastR, m.LastC))
	pl.lastMore = max(0, pl.last-corner.compute)
}

// stationary sets what the bounds of WS and IS arrays need.
func (pl *plan) stationary() {
	rows := [2]*sizes{&pl.fold[0], &pl.fold[lastRow]}
	ends := [2]*sizes{&pl.fold[lastCol], &pl.fold[lastRow|lastCol]}
	if pl.p.Map.ColFolds == 1 {
		rows = ends
	}
	var inner, end [2]float64
	for i, r := range rows {
		inner[i], pl.shared[i], end[i] = r.filter*pl.weightBytes, r.ifmap*pl.inputBytes, ends[i].filter*pl.weightBytes
		if pl.p.Map.Dataflow == design.IS {
			inner[i], pl.shared[i], end[i] = pl.shared[i], inner[i], ends[i].ifmap*pl.inputBytes
		}
	}
	pl.held0, pl.heldInner = inner, min(inner[0], inner[1])
	pl.heldLeast = min(pl.heldInner, end[0], end[1])
}

// chunk is the array's work where a product is done in chunks.
func chunk(whole *systolic.Mapping, chunks int64) (m systolic.Mapping) {
	if whole.Dataflow == design.IS {
		// The weights of some output channels.
		m = whole.Array.Map(whole.M, whole.N/chunks, whole.K, whole.Lanes, whole.Groups*chunks)
	} else {
		m = whole.Array.Map(whole.M/chunks, whole.N, whole.K, whole.Lanes, whole.Groups*chunks)
	}
	m.Waits = whole.Waits // it has the same rows and columns
	return m
}

// cut makes the problem that of a chunk.
func (pl *plan) cut(whole *Problem) {
	p := &pl.p
	if p.Map = chunk(&whole.Map, pl.chunks); p.Map.Dataflow == design.IS {
		return
	}
	// Inputs of some outputs: their share, and the lines that a kernel reads past it,
	// unless those are in the buffer.
	p.InputWords = (p.InputWords + pl.chunks - 1) / pl.chunks
	if !p.InputOnChip && whole.InputWords*p.OperandBits > p.IfmapBits {
		p.InputWords = min(whole.InputWords, p.InputWords+p.LineWords, p.Map.M*p.Map.K)
	}
}

// half tells whether n parts fit half of a buffer.
func half(n int64, words float64, bits, capacity int64) bool {
	return float64(n)*words*float64(bits) <= float64(capacity/2)
}

// fit is the largest group for which what its folds come back to fits half of its
// buffer; 0 if none. Larger and smaller groups do not differ among themselves in
// what is kept.
func (pl *plan) fit(by Axis) int64 {
	p := &pl.p
	words, bits, capacity := 0.0, p.OperandBits, p.IfmapBits
	switch flow := p.Map.Dataflow; {
	case by == Columns && flow == design.OS, by == Rows && flow == design.IS:
		words, bits, capacity = pl.filterPart, p.WeightBits, p.FilterBits
	case by == Columns:
		words, bits, capacity = pl.sumsPart, p.AccumulatorBits, p.OfmapBits
	default:
		words = pl.ifmapPart
	}
	return int64(min(float64(capacity/2)/(words*float64(bits)), 1<<60))
}

// arrange sets the order.
func (pl *plan) arrange(o Order) {
	p, m := &pl.p, &pl.p.Map
	pl.order = o
	pl.outer, pl.mid = m.ColFolds, m.RowFolds
	if o.By == Rows {
		pl.outer, pl.mid = m.RowFolds, m.ColFolds
	}
	n := pl.outer
	pl.outer = (n + o.Group - 1) / o.Group
	pl.inner, pl.lastInner = o.Group, n-(pl.outer-1)*o.Group

	// A part of the operand that serves all column folds: by columns, those of a
	// group follow one another; by rows, the group's row folds come again.
	across := func(whole bool, part float64, bits, capacity int64) fetch {
		switch {
		case whole || o.By == Rows && half(o.Group, part, bits, capacity):
			return axisStart
		case o.By == Columns && half(1, part, bits, capacity):
			return groupStart
		}
		return everyFold
	}
	pl.ifmapBy, pl.filterBy = everyFold, everyFold
	pl.spill, pl.spillGroups = !pl.sumsWhole, false
	switch m.Dataflow {
	case design.OS:
		pl.ifmapBy = across(pl.ifmapWhole, pl.ifmapPart, p.OperandBits, p.IfmapBits)
		switch {
		case pl.filterWhole || o.By == Columns && half(o.Group, pl.filterPart, p.WeightBits, p.FilterBits):
			pl.filterBy = axisStart
		case o.By == Rows && half(1, pl.filterPart, p.WeightBits, p.FilterBits):
			pl.filterBy = groupStart
		}
		return
	case design.WS:
		pl.ifmapBy = across(pl.ifmapWhole, pl.ifmapPart, p.OperandBits, p.IfmapBits)
	default:
		pl.filterBy = across(pl.filterWhole, pl.filterPart, p.WeightBits, p.FilterBits)
	}
	if o.By == Columns {
		pl.spill = pl.spill && !half(o.Group, pl.sumsPart, p.AccumulatorBits, p.OfmapBits)
	} else {
		pl.spillGroups = pl.spill && half(1, pl.sumsPart, p.AccumulatorBits, p.OfmapBits)
	}
}

// put makes t the fold at place (o, i, j) of the three loops; later says that a chunk
// went before, which left its held operand where again is set.
func (pl *plan) put(t *tile, o, i, j int64, later bool) {
	row, col := i, o*pl.order.Group+j
	if pl.order.By == Rows {
		row, col = col, row
	}
	m, key := &pl.p.Map, uint8(0)
	if row == m.RowFolds-1 {
		key |= lastRow
	}
	if col == m.ColFolds-1 {
		key |= lastCol
	}
	f := &pl.fold[key]
	found := later && pl.again
	what, reads, writes := moves(0), 0.0, 0.0
	if (pl.ifmapBy == everyFold || pl.ifmapBy == groupStart && j == 0 || col == 0) && !(found && m.Dataflow == design.IS) {
		what, reads = readsIfmap, f.ifmap*pl.inputBytes
	}
	// Weights serve all row folds in OS, a slice of them all column folds in IS.
	first := row == 0
	if m.Dataflow == design.IS {
		first = col == 0
	}
	if (pl.filterBy == everyFold || pl.filterBy == groupStart && j == 0 || first) && !(found && m.Dataflow == design.WS) {
		what |= readsFilter
		reads += f.filter * pl.weightBytes
	}
	if pl.spill {
		end := pl.inner - 1
		if o == pl.outer-1 {
			end = pl.lastInner - 1
		}
		if row > 0 && (!pl.spillGroups || j == 0) {
			what |= readsPsum
			reads += f.sums * pl.accBytes
		}
		if row < m.RowFolds-1 && (!pl.spillGroups || j == end) {
			what |= writesPsum
			writes = f.sums * pl.accBytes
		}
	}
	if !pl.p.OutputOnChip && (m.Dataflow == design.OS || key&lastRow != 0) {
		what |= writesOut
		writes += f.sums * pl.outBytes
	}
	t.size, t.moves, t.compute, t.reads, t.writes = key, what, f.compute, reads, writes
}

// bytes is what words take that are read, and written.
func (pl *plan) bytes(w *words) (reads, writes float64) {
	return w.ifmap*pl.inputBytes + w.filter*pl.weightBytes + w.psumIn*pl.accBytes, w.psumOut*pl.accBytes + w.out*pl.outBytes
}

// cycles is the whole cycles that bytes take, but for what rounding may have added.
func (pl *plan) cycles(bytes float64) float64 { return math.Ceil(bytes * pl.perByte * (1 - 1e-12)) }

// traffic is the words that the layer moves in the order at hand.
func (pl *plan) traffic() words {
	m := &pl.p.Map
	passes := func(by fetch, grouped, folds int64) float64 {
		switch by {
		case axisStart:
			return 1
		case groupStart:
			return float64(grouped)
		}
		return float64(folds)
	}
	t := words{ifmap: pl.ifmapWords, filter: pl.filterWords}
	switch m.Dataflow {
	case design.OS:
		t.ifmap *= passes(pl.ifmapBy, pl.outer, m.ColFolds)
		t.filter *= passes(pl.filterBy, pl.outer, m.RowFolds)
	case design.WS:
		t.ifmap *= passes(pl.ifmapBy, pl.outer, m.ColFolds)
	default:
		t.filter *= passes(pl.filterBy, pl.outer, m.ColFolds)
	}
	if !pl.p.OutputOnChip {
		t.out = pl.sumWords
	}
	switch {
	case pl.spillGroups:
		t.psumIn = pl.sumWords * float64(pl.outer-1)
	case pl.spill:
		t.psumIn = pl.sumWords * float64(m.RowFolds-1)
	}
	t.psumOut = t.psumIn
	parts := float64(m.Groups)
	held := parts
	if pl.again {
		held = float64(pl.groups)
	}
	if m.Dataflow == design.IS {
		t.ifmap, t.filter = t.ifmap*held, t.filter*parts
	} else {
		t.ifmap, t.filter = t.ifmap*parts, t.filter*held
	}
	t.psumIn, t.psumOut, t.out = t.psumIn*parts, t.psumOut*parts, t.out*parts
	return t
}
