package systolic

import "macroscope/simhw/design"

// outputStationary streams input rows from the left and weight columns from
// the top, each a cycle later than the one before; element (r, c) sums output
// (r, c).
func (mc *Machine) outputStationary(inputs, weights [][]int8, m, n, steps int64, sums []int32) {
	idle := make([]int8, mc.Lanes)
	enter := func(words [][]int8, line, limit, t int64) ([]int8, bool) {
		if t < 0 || t >= steps {
			return nil, false
		}
		if line >= limit {
			return idle, true // a row or column without work gets zeros
		}
		return words[line*steps+t], true
	}
	for c0 := int64(0); c0 < n; c0 += mc.Cols {
		for r0 := int64(0); r0 < m; r0 += mc.Rows {
			rows, cols, waitR, waitC := mc.fold(r0, c0, m, n)
			clear(mc.cells)
			start := mc.cycles
			for t := int64(0); mc.at(waitR-1, waitC-1).done < steps; t++ {
				var crossed edge
				for r := waitR - 1; r >= 0; r-- {
					for c := waitC - 1; c >= 0; c-- {
						e := mc.at(r, c)
						var live bool
						if c > 0 {
							e.a, live = mc.at(r, c-1).a, mc.at(r, c-1).live
						} else {
							if e.a, live = enter(inputs, r0+r, r0+rows, t-r); live && r == 0 {
								crossed |= edgeLeft | edgeTop // registers delay other rows and columns
							}
						}
						if r > 0 {
							e.b = mc.at(r-1, c).b
						} else {
							e.b, _ = enter(weights, c0+c, c0+cols, t-c)
						}
						if e.live = live; live {
							e.sum = mc.Accumulator.add(e.sum, dot(e.a, e.b))
							e.done++
						}
					}
				}
				mc.step(crossed)
			}
			mc.drainFold(r0, c0, rows, cols, waitR, n, sums)
			if mc.Drain == design.DrainInPlace {
				// The sums leave beside the next fold, which cannot end before.
				busy := mc.cycles
				mc.cycles = start
				for range waitR {
					mc.step(edgeOut)
				}
				mc.cycles = max(mc.cycles, busy)
			}
		}
	}
}

// drainFold takes the sums out of the array.
func (mc *Machine) drainFold(r0, c0, rows, cols, waitR, n int64, sums []int32) {
	if mc.Drain == design.DrainInPlace {
		for r := range rows {
			for c := range cols {
				sums[(r0+r)*n+c0+c] = mc.at(r, c).sum
			}
		}
		return
	}
	for shift := int64(0); shift < waitR; shift++ {
		// The bottom row leaves; every other row moves down by one.
		if out := waitR - 1 - shift; out < rows {
			for c := range cols {
				sums[(r0+out)*n+c0+c] = mc.at(waitR-1, c).sum
			}
		}
		for r := waitR - 1; r > 0; r-- {
			for c := range mc.Cols {
				mc.at(r, c).sum = mc.at(r-1, c).sum
			}
		}
		mc.step(edgeOut)
	}
}

// leaving is what the drain registers of one column do in a cycle.
type leaving struct {
	on    bool // the sum in the bottom row leaves
	move  bool // all others move down by one row
	moved int64
	tag   // of the fold that leaves
}

// overlappedDrain is outputStationary with a drain register in each element: a
// finished sum goes there, and all of a column move down and out while the
// next fold computes. Its last step, which overwrites them, waits until they
// have moved on.
func (mc *Machine) overlappedDrain(inputs, weights [][]int8, m, n, steps int64, sums []int32) {
	idle := make([]int8, mc.Lanes)
	// What entered row 0 and column 0; row r and column r have it r cycles
	// later, and so does element (r, c) what its row has c cycles later.
	entered := newPast[tag](max(mc.Rows, mc.Cols))
	drain := newPast[leaving](mc.Cols) // what column 0 does, column c does c cycles later
	fold := folds{sr: m, sc: n}
	step := int64(0)
	toMove := int64(0) // moves until the drain registers of column 0 are free for the next fold
	column0 := leaving{}
	word := func(words [][]int8, line, limit, step int64) []int8 {
		if line >= limit {
			return idle
		}
		return words[line*steps+step]
	}
	for {
		drain.push(column0)
		free := toMove == 0 || toMove == 1 && column0.move
		if column0.move {
			toMove--
		}
		in := tag{}
		if !fold.over && (step < steps-1 || free) {
			in = tag{live: true, first: step == 0, last: step == steps-1, final: fold.final(mc), item: step, r0: fold.r0, c0: fold.c0}
			if step++; in.last {
				step, toMove = 0, mc.Rows-1
				fold.next(mc)
			}
		}
		entered.push(in)

		for c := range mc.Cols {
			if d := drain.ago(c); d.on {
				row, col := d.r0+mc.Rows-1-d.moved, d.c0+c
				if row < m && col < n {
					sums[row*n+col] = mc.at(mc.Rows-1, c).kept
				}
			}
		}
		for r := mc.Rows - 1; r >= 0; r-- {
			for c := mc.Cols - 1; c >= 0; c-- {
				e := mc.at(r, c)
				if c > 0 {
					e.a, e.tag = mc.at(r, c-1).a, mc.at(r, c-1).tag
				} else if e.tag = *entered.ago(r); e.tag.live {
					e.a = word(inputs, e.tag.r0+r, m, e.tag.item)
				}
				if r > 0 {
					e.b = mc.at(r-1, c).b
				} else if t := entered.ago(c); t.live {
					e.b = word(weights, t.c0+c, n, t.item)
				}
				if e.tag.live {
					sum := e.sum
					if e.tag.first {
						sum = 0
					}
					e.sum = mc.Accumulator.add(sum, dot(e.a, e.b))
				}
				switch {
				case e.tag.live && e.tag.last:
					e.kept = e.sum
				case drain.ago(c).move && r > 0:
					e.kept = mc.at(r-1, c).kept
				}
			}
		}
		crossed := edge(0)
		if in.live { // registers delay other rows and columns
			crossed |= edgeLeft | edgeTop
		}
		left := drain.ago(mc.Cols - 1)
		if left.on { // registers have kept the columns before
			crossed |= edgeOut
		}
		mc.step(crossed)
		if left.on && left.final && left.moved == mc.Rows-1 {
			return // the last sum of all has left
		}
		switch corner := mc.at(mc.Rows-1, 0).tag; {
		case corner.live && corner.last: // column 0 is complete
			column0 = leaving{on: true, tag: corner}
		case column0.on && column0.moved < mc.Rows-1:
			column0.moved++
		default:
			column0 = leaving{}
		}
		column0.move = column0.on && column0.moved < mc.Rows-1
	}
}
