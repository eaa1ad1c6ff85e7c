package systolic

import "macroscope/simhw/design"

// stationary loads one operand down the columns and streams the other from
// the left, T words a row, each row a cycle later than the one above; sums
// move down and leave at the bottom, where the buffer adds those of all row
// folds.
func (mc *Machine) stationary(stream, held [][]int8, length, sc, steps int64, out func(t, col int64) *int32) {
	idle := make([]int8, mc.Lanes)
	for c0 := int64(0); c0 < sc; c0 += mc.Cols {
		for r0 := int64(0); r0 < steps; r0 += mc.Rows {
			rows, cols, waitR, waitC := mc.fold(r0, c0, steps, sc)
			clear(mc.cells)
			for t := range waitR {
				for r := waitR - 1; r > 0; r-- {
					for c := range waitC {
						mc.at(r, c).b = mc.at(r-1, c).b
					}
				}
				for c := range waitC { // the last row is loaded first
					word := idle
					if r := waitR - 1 - t; r < rows && c < cols {
						word = held[(c0+c)*steps+r0+r]
					}
					mc.at(0, c).b = word
				}
				mc.step(edgeTop)
			}
			bottom := mc.at(waitR-1, waitC-1)
			for t := int64(0); bottom.done < length; t++ {
				var crossed edge
				sums := bottom.done
				for r := waitR - 1; r >= 0; r-- {
					for c := waitC - 1; c >= 0; c-- {
						e := mc.at(r, c)
						if c > 0 {
							e.a, e.live = mc.at(r, c-1).a, mc.at(r, c-1).live
						} else if i := t - r; i >= 0 && i < length {
							e.live = true
							if r == 0 {
								crossed |= edgeLeft // registers delay the rows below
							}
							if e.a = idle; r < rows {
								e.a = stream[i*steps+r0+r]
							}
						} else {
							e.live = false
						}
						if !e.live {
							continue
						}
						mc.addDown(e, r, c)
						if r == waitR-1 && c < cols {
							sum := out(e.done, c0+c)
							*sum = mc.Accumulator.add(*sum, e.sum)
						}
						e.done++
					}
				}
				if bottom.done > sums { // registers have kept the columns before
					crossed |= edgeOut
					if mc.lines.sumsReturn {
						crossed |= edgeBack
					}
				}
				mc.step(crossed)
			}
		}
	}
}

// addDown forms element (r, c)'s partial sum out of the one above.
func (mc *Machine) addDown(e *cell, r, c int64) {
	above := int32(0)
	if r > 0 {
		above = mc.at(r-1, c).sum
	}
	e.sum = mc.Accumulator.add(above, dot(e.a, e.b))
}

// loading is what the shadow words of one column do in a cycle.
type loading struct {
	on     bool
	word   int64 // by chain: how many words were shifted in before; by bus: the row that takes one
	r0, c0 int64 // the fold that is loaded
}

// overlappedLoad is stationary with a second, shadow word in each element, to
// which the next fold's words come while the present fold streams. A fold's
// first operand makes the shadow word the held one as it passes.
func (mc *Machine) overlappedLoad(stream, held [][]int8, length, sc, steps int64, out func(t, col int64) *int32) {
	idle := make([]int8, mc.Lanes)
	chain := mc.WeightLoad == design.LoadChain
	entered := newPast[tag](max(mc.Rows, mc.Cols)) // what entered row 0; row r has it r cycles later
	loads := newPast[loading](mc.Cols)             // what column 0 loads; column c does c cycles later
	fold, ahead := folds{sr: steps, sc: sc}, folds{sr: steps, sc: sc}
	item := int64(0)
	column0 := loading{}
	waiting := false // column 0 has been loaded (bus: is being loaded in time) for a fold that has not begun
	unused := false  // chain: the last row has not taken its word yet
	for {
		in := tag{}
		if !fold.over && (item > 0 || waiting) {
			in = tag{live: true, first: item == 0, last: item == length-1, final: fold.final(mc), item: item, r0: fold.r0, c0: fold.c0}
			if item++; in.last {
				item = 0
				fold.next(mc)
			}
		}
		entered.push(in)

		// A chain moves all shadow words of a column, so that it must wait until
		// the last row has taken its own. A bus writes row r as many cycles after
		// row 0 as the first operand comes to row r after row 0, so that row 0
		// speaks for all.
		last := entered.ago(mc.Rows - 1)
		free := !unused || last.live && last.first
		if !chain {
			free = !waiting || in.first
		}
		begins := !column0.on && free && !ahead.over
		if begins {
			column0 = loading{on: true, r0: ahead.r0, c0: ahead.c0}
			ahead.next(mc)
		}
		loads.push(column0)
		complete := column0.on && column0.word == mc.Rows-1
		if !chain {
			waiting = begins || waiting && !in.first
		} else {
			waiting = complete || waiting && !in.first
			if begins {
				unused = true
			} else if last.live && last.first {
				unused = false
			}
		}

		for r := mc.Rows - 1; r >= 0; r-- {
			for c := mc.Cols - 1; c >= 0; c-- {
				e := mc.at(r, c)
				if c > 0 {
					e.a, e.tag = mc.at(r, c-1).a, mc.at(r, c-1).tag
				} else if e.tag = *entered.ago(r); e.tag.live {
					if e.a = idle; e.tag.r0+r < steps {
						e.a = stream[e.tag.item*steps+e.tag.r0+r]
					}
				}
				if e.tag.live {
					if e.tag.first {
						e.b = e.shadow
					}
					mc.addDown(e, r, c)
					if r == mc.Rows-1 && e.tag.c0+c < sc {
						sum := out(e.tag.item, e.tag.c0+c)
						*sum = mc.Accumulator.add(*sum, e.sum)
					}
				}
				if l := loads.ago(c); l.on {
					switch {
					case chain && r > 0:
						e.shadow = mc.at(r-1, c).shadow
					case chain: // the last row is loaded first
						e.shadow = mc.heldWord(held, idle, l.r0+mc.Rows-1-l.word, l.c0+c, steps, sc)
					case l.word == r:
						e.shadow = mc.heldWord(held, idle, l.r0+r, l.c0+c, steps, sc)
					}
				}
			}
		}
		crossed, corner := edge(0), mc.at(mc.Rows-1, mc.Cols-1).tag
		if in.live { // registers delay the rows below
			crossed |= edgeLeft
		}
		if column0.on { // and other columns
			crossed |= edgeTop
		}
		if corner.live { // and have kept the columns before
			crossed |= edgeOut
			if mc.lines.sumsReturn {
				crossed |= edgeBack
			}
		}
		mc.step(crossed)
		if corner.live && corner.last && corner.final {
			return
		}
		if column0.word++; complete {
			column0 = loading{}
		}
	}
}

// heldWord is the word of a row and a column of the product, zeros past its
// ends.
func (mc *Machine) heldWord(held [][]int8, idle []int8, row, col, steps, sc int64) []int8 {
	if row >= steps || col >= sc {
		return idle
	}
	return held[col*steps+row]
}
