package systolic

import (
	"fmt"

	"macroscope/simhw/design"
)

// Adder computes the sums that an array of narrow accumulators makes of one
// product after another, without stepping it: the same values as Machine's,
// some hundred times faster. Weights are prepared once.
type Adder struct {
	acc   Accumulator
	lanes int
	fold  int    // products along K whose sum is formed in the array; the buffer adds those sums
	n, k  int    // columns, products a sum
	w     []int8 // [n][k]
	exact []bool // by column: no sum of it can leave the range
}

// NewAdder prepares w, n lines of k weights, for an array whose elements form
// lanes products along K in a cycle. An Adder keeps w.
func NewAdder(a Array, acc Accumulator, lanes int64, w []int8, n, k int) (*Adder, error) {
	if err := acc.Check(); err != nil {
		return nil, err
	}
	if n < 1 || k < 1 || lanes < 1 || a.Rows < 1 || len(w) != n*k {
		return nil, fmt.Errorf("%d weights for %d sums of %d products, %d lanes, %d rows: want all positive and as many weights", len(w), n, k, lanes, a.Rows)
	}
	ad := &Adder{acc: acc, lanes: int(lanes), fold: k, n: n, k: k, w: w, exact: make([]bool, n)}
	if a.Dataflow != design.OS {
		ad.fold = int(min(int64(k), a.Rows*lanes))
	}
	_, hi := acc.limits()
	for j := range ad.exact {
		magnitude := int64(0) // of a sum, at most, and so of any part of it
		for _, v := range w[j*k : (j+1)*k] {
			magnitude += 128 * max(int64(v), -int64(v))
		}
		ad.exact[j] = magnitude <= hi
	}
	return ad, nil
}

// Add writes the n sums of one line of k inputs.
func (ad *Adder) Add(sums []int32, x []int8) {
	x, sums = x[:ad.k], sums[:ad.n]
	if !ad.acc.Saturate {
		// Dropping upper bits commutes with addition: once at the end will do.
		for j := range sums {
			sums[j] = ad.acc.Fit(int64(dot(x, ad.line(j))))
		}
		return
	}
	j := 0
	for ; j+4 <= ad.n && ad.lanes == 1; j += 4 {
		if ad.exact[j] && ad.exact[j+1] && ad.exact[j+2] && ad.exact[j+3] {
			for i := j; i < j+4; i++ {
				sums[i] = dot(x, ad.line(i))
			}
			continue
		}
		ad.saturatingFour(sums[j:j+4], x, ad.w[j*ad.k:])
	}
	for ; j < ad.n; j++ {
		sums[j] = ad.saturating(x, ad.line(j))
	}
}

// line is the weights of column j.
func (ad *Adder) line(j int) []int8 { return ad.w[j*ad.k : (j+1)*ad.k] }

// saturating adds up step by step, fold by fold.
func (ad *Adder) saturating(x, w []int8) int32 {
	total := int32(0)
	for k0 := 0; k0 < len(x); k0 += ad.fold {
		end, sum := min(k0+ad.fold, len(x)), int32(0)
		for s := k0; s < end; s += ad.lanes {
			e := min(s+ad.lanes, end)
			sum = ad.acc.add(sum, dot(x[s:e], w[s:e]))
		}
		total = ad.acc.add(total, sum)
	}
	return total
}

// saturatingFour is saturating for four columns of one lane at once, so that
// their chains of additions overlap in the CPU.
func (ad *Adder) saturatingFour(sums []int32, x, w []int8) {
	lo, hi := ad.acc.limits()
	clamp := func(v int64) int64 { return min(max(v, lo), hi) }
	var total [4]int64
	for k0 := 0; k0 < len(x); k0 += ad.fold {
		end := min(k0+ad.fold, len(x))
		part := x[k0:end]
		w0, w1 := w[k0:][:len(part)], w[ad.k+k0:][:len(part)]
		w2, w3 := w[2*ad.k+k0:][:len(part)], w[3*ad.k+k0:][:len(part)]
		var s0, s1, s2, s3 int64
		for i, v := range part {
			v := int64(v)
			s0 = clamp(s0 + v*int64(w0[i]))
			s1 = clamp(s1 + v*int64(w1[i]))
			s2 = clamp(s2 + v*int64(w2[i]))
			s3 = clamp(s3 + v*int64(w3[i]))
		}
		for i, s := range [4]int64{s0, s1, s2, s3} {
			total[i] = clamp(total[i] + s)
		}
	}
	for i, t := range total {
		sums[i] = int32(t)
	}
}
