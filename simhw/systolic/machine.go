package systolic

import (
	"fmt"

	"macroscope/simhw/design"
)

// Machine is the array itself, stepped cycle by cycle: int8 operands move from
// element to element, int32 sums stay or move, and time is counted, not
// computed. It is the check on the closed forms, and on small shapes fast
// enough. Overlapped drains and weight loads are not built.
//
// An operand word holds Lanes values along K.
type Machine struct {
	Array
	Lanes int64

	cells  []cell
	cycles int64
}

// cell is one processing element: its registers.
type cell struct {
	a, b []int8 // operand words passing through; b stays in WS and IS
	sum  int32  // the accumulator, or the partial sum on its way down
	live bool   // a (and for OS b) hold operands, not a bubble
	done int64  // products formed in this fold
}

// Run multiplies x, m rows of k values, by w, k rows of n values, and returns
// the m×n sums in row order and the number of cycles taken. All slices are
// row-major. The arguments must have the lengths that m, n and k say.
func (mc *Machine) Run(x, w []int8, m, n, k int64) (sums []int32, cycles int64, err error) {
	if int64(len(x)) != m*k || int64(len(w)) != k*n || m < 1 || n < 1 || k < 1 || mc.Lanes < 1 || mc.Rows < 1 || mc.Cols < 1 {
		return nil, 0, fmt.Errorf("%d inputs and %d weights on a %d×%d array: want %d×%d×%d of them, all positive", len(x), len(w), mc.Rows, mc.Cols, m, n, k)
	}
	if mc.Dataflow == design.OS && mc.Drain == design.DrainOverlapped || mc.Dataflow != design.OS && mc.WeightLoad != design.LoadSerial {
		return nil, 0, fmt.Errorf("the stepped machine has no overlap between folds: want drain in_place or shift, weight_load serial")
	}
	mc.cells = make([]cell, mc.Rows*mc.Cols)
	mc.cycles = 0
	steps := ceil(k, mc.Lanes)
	// words cuts every row of k values into steps words, the last one filled
	// up with zeros.
	words := func(rows int64, at func(row, k int64) int8) [][]int8 {
		out := make([][]int8, rows*steps)
		for r := range rows {
			for s := range steps {
				word := make([]int8, mc.Lanes)
				for l := range mc.Lanes {
					if i := s*mc.Lanes + l; i < k {
						word[l] = at(r, i)
					}
				}
				out[r*steps+s] = word
			}
		}
		return out
	}
	inputs := words(m, func(r, i int64) int8 { return x[r*k+i] })
	weights := words(n, func(r, i int64) int8 { return w[i*n+r] })
	sums = make([]int32, m*n)
	switch mc.Dataflow {
	case design.OS:
		mc.outputStationary(inputs, weights, m, n, steps, sums)
	case design.WS:
		mc.stationary(inputs, weights, m, n, steps, func(t, col int64) *int32 { return &sums[t*n+col] })
	default:
		mc.stationary(weights, inputs, n, m, steps, func(t, col int64) *int32 { return &sums[col*n+t] })
	}
	return sums, mc.cycles, nil
}

func (mc *Machine) at(r, c int64) *cell { return &mc.cells[r*mc.Cols+c] }

func dot(a, b []int8) int32 {
	s := int32(0)
	for i := range a {
		s += int32(a[i]) * int32(b[i])
	}
	return s
}

// fold gives the size of the part of the array that works on a fold and the
// size that it waits for.
func (mc *Machine) fold(r0, c0, sr, sc int64) (r, c, waitR, waitC int64) {
	r, c = min(mc.Rows, sr-r0), min(mc.Cols, sc-c0)
	if mc.Gated {
		return r, c, r, c
	}
	return r, c, mc.Rows, mc.Cols
}

// outputStationary streams input rows from the left and weight columns from
// the top, each a cycle later than the one before; element (r, c) sums output
// (r, c).
func (mc *Machine) outputStationary(inputs, weights [][]int8, m, n, steps int64, sums []int32) {
	idle := make([]int8, mc.Lanes)
	edge := func(words [][]int8, line, limit, t int64) ([]int8, bool) {
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
			for t := int64(0); mc.at(waitR-1, waitC-1).done < steps; t++ {
				for r := waitR - 1; r >= 0; r-- {
					for c := waitC - 1; c >= 0; c-- {
						e := mc.at(r, c)
						var live bool
						if c > 0 {
							e.a, live = mc.at(r, c-1).a, mc.at(r, c-1).live
						} else {
							e.a, live = edge(inputs, r0+r, r0+rows, t-r)
						}
						if r > 0 {
							e.b = mc.at(r-1, c).b
						} else {
							e.b, _ = edge(weights, c0+c, c0+cols, t-c)
						}
						if e.live = live; live {
							e.sum += dot(e.a, e.b)
							e.done++
						}
					}
				}
				mc.cycles++
			}
			mc.drainFold(r0, c0, rows, cols, waitR, n, sums)
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
		mc.cycles++
	}
}

// stationary loads one operand down the columns and streams the other from
// the left, T words a row, each row a cycle later than the one above; sums
// move down and leave at the bottom.
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
				mc.cycles++
			}
			bottom := mc.at(waitR-1, waitC-1)
			for t := int64(0); bottom.done < length; t++ {
				for r := waitR - 1; r >= 0; r-- {
					for c := waitC - 1; c >= 0; c-- {
						e := mc.at(r, c)
						if c > 0 {
							e.a, e.live = mc.at(r, c-1).a, mc.at(r, c-1).live
						} else if i := t - r; i >= 0 && i < length {
							e.live = true
							if e.a = idle; r < rows {
								e.a = stream[i*steps+r0+r]
							}
						} else {
							e.live = false
						}
						if !e.live {
							continue
						}
						e.sum = dot(e.a, e.b)
						if r > 0 {
							e.sum += mc.at(r-1, c).sum
						}
						if r == waitR-1 && c < cols {
							*out(e.done, c0+c) += e.sum
						}
						e.done++
					}
				}
				mc.cycles++
			}
		}
	}
}
