package memory

import (
	"math"

	"macroscope/simhw/design"
)

// rounding is what the bounds give way, so that sums in another order of
// additions are not passed over for it.
const rounding = 1e-9

// bounds is an order's traffic in bytes, and times that it takes no less than. With a fifth
// field it would no longer be kept in registers.
type bounds struct {
	bytes float64
	rough float64 // says where to begin the search
	kind  float64 // holds for smaller groups too, as long as the same things fit
	close float64 // of the order alone; mostly its time
}

// bound arranges the plan in an order and gives its bounds, and its energy but for what it
// spends by the cycle.
//
// Whatever set of folds one takes, they wait no less than their bytes take longer than
// they compute; and all but the first read and the last write is moved beside folds.
func (pl *plan) bound(o Order) (b bounds, energy float64) {
	pl.arrange(o)
	t := pl.traffic()
	reads, writes := pl.bytes(&t)
	bytes := reads + writes
	m := &pl.p.Map
	waits := pl.excess(bytes-pl.firstRead-pl.lastWrite, pl.work)
	// Products that find nothing, and those that a chunk went before.
	n, groups := float64(m.Groups), float64(m.Groups)
	var together [2]float64
	if pl.again {
		groups = float64(pl.groups)
		held := t.filter * pl.weightBytes
		if m.Dataflow == design.IS {
			held = t.ifmap * pl.inputBytes
		}
		each := (bytes-held)/n - pl.firstRead - pl.lastWrite
		together = [2]float64{pl.excess(each*groups+held, pl.folds*groups), pl.excess(each*(n-groups), pl.folds*(n-groups)+pl.lastMore)}
		waits = max(waits, together[0]+together[1])
	}
	all := pl.atLeast(waits)
	energy = pl.energy(pl.chunks, &t)
	b = bounds{bytes: bytes, rough: max(pl.atLeast(0), bytes*pl.perByte*(1-rounding)), kind: all, close: all}
	if m.Dataflow == design.OS {
		return b, energy
	}
	apart, beside := pl.busiest(n, groups)
	one := m.RowFolds == 1 && m.ColFolds == 1
	sum := func(alone [2]float64) float64 {
		if one { // they are not told apart
			return max(waits, alone[0]+alone[1])
		}
		return max(waits, max(together[0], alone[0])+max(together[1], alone[1]))
	}
	waitsApart, waitsBeside := sum(apart), sum(beside)
	b.kind = pl.atLeast(min(waitsApart, waitsBeside))
	if b.close = pl.atLeast(waitsApart); pl.outsBeside() {
		b.close = pl.atLeast(waitsBeside)
	}
	return b, energy
}

// most is a time that no order takes longer than that moves so many bytes.
func (pl *plan) most(bytes float64) float64 {
	return pl.work + bytes*pl.perByte*(1+rounding) + 2
}

// atLeast is the whole cycles of a layer whose folds wait at least so many.
func (pl *plan) atLeast(waits float64) float64 {
	return pl.work + math.Ceil((pl.begin+waits)*(1-rounding)) + pl.end
}

// excess is how much longer bytes take at least than folds of so many cycles.
func (pl *plan) excess(bytes, work float64) float64 {
	return max(0, bytes*pl.perByte*(1-rounding)-work)
}

// outsBeside tells whether the outputs of the last column fold but one are written
// beside a product's last fold.
func (pl *plan) outsBeside() bool {
	m := &pl.p.Map
	return m.ColFolds > 1 && (m.RowFolds == 1 || (pl.lastInner > 1) == (pl.order.By == Columns))
}

// busiest is what some folds of a WS or IS array wait at least, each by itself: those
// beside which a finished column fold's outputs are written, those before a row fold's
// first, which reads what all of its folds share, and those where a product begins and
// ends; first those of products that find nothing, then those of later ones. Beside is
// for orders of which outsBeside is true, apart for others.
func (pl *plan) busiest(n, groups float64) (apart, beside [2]float64) {
	m := &pl.p.Map
	first, later := pl.product(1), waiting{}
	if pl.again {
		later = pl.product(0)
	}
	if m.RowFolds == 1 && m.ColFolds == 1 {
		if n == 1 {
			return apart, apart
		}
		second := &first
		if pl.again {
			second = &later
		}
		apart[0] = (groups-1)*first.begins + (n-groups)*later.begins + pl.excess(pl.lastWrite, pl.last)
		apart[0] -= second.begins - second.begin // nothing is written beside the very first fold
		return apart, apart
	}
	alone := [2]float64{groups*first.inside + first.begin + (groups-1)*first.begins, (n - groups) * (later.inside + later.begins)}
	apart = [2]float64{alone[0] + groups*first.out, alone[1] + (n-groups)*later.out}
	beside = alone
	beside[1] += pl.excess(pl.written, pl.last)
	// A product's last fold reads for the next one.
	if pl.again {
		apart[0] += groups * later.ends[0]
		beside[0] += groups * later.ends[1]
		apart[1] += (n-2*groups)*later.ends[0] + (groups-1)*first.ends[0]
		beside[1] += (n-2*groups)*later.ends[1] + (groups-1)*first.ends[1]
	} else {
		apart[0] += (n - 1) * first.ends[0]
		beside[0] += (n - 1) * first.ends[1]
	}
	return apart, beside
}

// waiting is what folds of a product wait at least.
type waiting struct {
	inside        float64    // those inside
	out           float64    // one more, unless outputs are written beside the last fold
	begin, begins float64    // the first: of the layer, and where a product went before
	ends          [2]float64 // the last of the product before, without and with outputs written beside it
}

// product gives the waits in a product whose folds read the operand that is held in the
// array (finds = 1), or find it in its buffer (0).
func (pl *plan) product(finds float64) (w waiting) {
	m := &pl.p.Map
	c := pl.fold[0].compute
	first := finds*pl.held0[0] + pl.shared[0]
	if m.RowFolds == 1 {
		first = finds*pl.held0[1] + pl.shared[1]
	}
	if m.RowFolds == 1 && m.ColFolds == 1 {
		w.begin, w.begins = pl.excess(first, c), pl.excess(pl.lastWrite+first, c)
		return w
	}
	by, every := pl.sharedBy(), 0.0 // what any fold reads of the shared operand
	if by == everyFold {
		every = min(pl.shared[0], pl.shared[1])
	}
	least, inner := finds*pl.heldLeast+every, finds*pl.heldInner+every
	if m.ColFolds > 1 {
		w.out = pl.excess(pl.written+least, c)
		if m.ColFolds > 2 {
			w.inside = w.out + float64(m.ColFolds-3)*pl.excess(pl.written+inner, c)
		}
	}
	// Row folds begin beside another one's last, the second perhaps with the second fold
	// of all.
	rows, lasts, second := float64(max(m.RowFolds-2, 0)), float64(min(m.RowFolds-1, 1)), inner
	row, last := finds*pl.held0[0]+pl.shared[0], finds*pl.held0[1]+pl.shared[1]
	switch down := m.ColFolds == 1 || m.RowFolds > 1 && (pl.order.By == Rows) == (pl.inner > 1); {
	case down && rows > 0:
		rows, second = rows-1, row
	case down:
		lasts, second = 0, last
	case m.ColFolds == 2:
		second = least
	}
	// So do they in later groups of column folds, if they read what they share again.
	if by == groupStart && pl.outer > 1 && pl.inner > 1 && m.RowFolds > 2 {
		n := float64(pl.outer - 2)
		rows, lasts = rows+n*float64(m.RowFolds-2), lasts+n
		if m.RowFolds > 3 {
			w.inside += float64(m.RowFolds-3) * pl.excess(finds*pl.heldLeast+pl.shared[0], c)
		}
		w.inside += pl.excess(finds*pl.heldLeast+pl.shared[1], c)
	}
	w.inside += rows*pl.excess(row, c) + lasts*pl.excess(last, c)
	w.begin, w.begins = pl.excess(second, c), pl.excess(pl.lastWrite+second, c)
	w.ends = [2]float64{pl.excess(first, c), pl.excess(pl.written+first, c)}
	return w
}

// sharedBy is when folds of a WS or IS array fetch the operand that a row fold's share.
func (pl *plan) sharedBy() fetch {
	if pl.p.Map.Dataflow == design.IS {
		return pl.filterBy
	}
	return pl.ifmapBy
}
