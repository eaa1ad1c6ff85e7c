package xnor

import (
	"fmt"
	"math/bits"

	"macroscope/quant"
)

// Machine is the engine itself, stepped cycle by cycle: real bits are compared,
// counted, summed and put against thresholds, and time, reads and writes are
// counted as they happen, not computed. It is the check on the closed forms.
type Machine struct {
	Engine

	// Thresholds, one an output, make a bit of each sum; nil: sums alone leave.
	Thresholds []quant.Threshold
}

// Result is what a machine made of a product.
type Result struct {
	Sums   []int32  // V rows of N
	Bits   []uint32 // V rows of quant.Words(N) words, behind thresholds; nil without
	Cycles int64
	Traffic
}

// passing is a word's trace in the pipe: what the rows counted, and where it
// belongs.
type passing struct {
	counts       []int32
	vector, line int64
	first, last  bool
}

// Run multiplies v vectors of k bits by the weights of n outputs. x has v rows and w
// n rows of quant.Words(k) words, value i of a row in bit i%32 of word i/32, set for
// +1. Bits past a row's last do not count, whatever they hold.
func (mc *Machine) Run(x, w []uint32, v, n, k int64) (*Result, error) {
	if err := mc.Check(); err != nil {
		return nil, err
	}
	const most = 1 << 24
	if v < 1 || n < 1 || k < 1 || v > most || n > most || k > most {
		return nil, fmt.Errorf("a product of %d×%d×%d: want 1 to %d", v, n, k, most)
	}
	row := int64(quant.Words(int(k)))
	if int64(len(x)) != v*row || int64(len(w)) != n*row {
		return nil, fmt.Errorf("%d words of inputs and %d of weights for a product of %d×%d×%d: want %d and %d", len(x), len(w), v, n, k, v*row, n*row)
	}
	if mc.Thresholds != nil && int64(len(mc.Thresholds)) != n {
		return nil, fmt.Errorf("%d thresholds for %d outputs", len(mc.Thresholds), n)
	}
	r := &Result{Sums: make([]int32, v*n)}
	outRow := int64(quant.Words(int(n)))
	if mc.Thresholds != nil {
		r.Bits = make([]uint32, v*outRow)
	}
	sums := make([]int32, mc.PEs)
	finish := func(p passing) {
		for i := range min(mc.PEs, n-p.line) {
			if p.first {
				sums[i] = int32(k)
			}
			if sums[i] -= 2 * p.counts[i]; !p.last {
				continue
			}
			at := p.line + i
			r.Sums[p.vector*n+at] = sums[i]
			r.Outputs++
			if mc.Thresholds != nil && mc.Thresholds[at].Bit(sums[i]) {
				r.Bits[p.vector*outRow+at/quant.WordBits] |= 1 << (at % quant.WordBits)
			}
		}
	}
	pipe := make([]*passing, mc.Pipe)
	// tick is a clock cycle in which a word enters, or none. What leaves the pipe
	// joins the sums at the cycle's end.
	tick := func(p *passing) {
		r.Cycles++
		if len(pipe) > 0 {
			p, pipe = pipe[0], append(pipe[1:], p)
		}
		if p != nil {
			finish(*p)
		}
	}
	// pass lets a vector's words pass the rows of a group.
	pass := func(vector, line int64) {
		rows := min(mc.PEs, n-line)
		for from := int64(0); from < k; from += mc.SIMD {
			to := min(from+mc.SIMD, k)
			p := &passing{make([]int32, rows), vector, line, from == 0, to == k}
			for i := range rows {
				p.counts[i] = differ(x[vector*row:(vector+1)*row], w[(line+i)*row:(line+i+1)*row], from, to)
				if mc.LoadBits == 0 {
					r.WeightBits += to - from
				}
			}
			r.InputBits += to - from
			tick(p)
		}
	}
	if mc.LoadBits == 0 {
		for vector := range v {
			for line := int64(0); line < n; line += mc.PEs {
				pass(vector, line)
			}
		}
	} else {
		for line := int64(0); line < n; line += mc.PEs {
			for left := min(mc.PEs, n-line) * k; left > 0; left -= mc.LoadBits {
				r.WeightBits += min(left, mc.LoadBits)
				tick(nil)
			}
			for vector := range v {
				pass(vector, line)
			}
		}
	}
	for range mc.Pipe {
		tick(nil)
	}
	return r, nil
}

// differ counts the bits from…to−1 in which two rows differ.
func differ(a, b []uint32, from, to int64) int32 {
	n := 0
	for i := from / quant.WordBits; i*quant.WordBits < to; i++ {
		d := a[i] ^ b[i]
		if low := from - i*quant.WordBits; low > 0 {
			d &= ^uint32(0) << low
		}
		if high := to - i*quant.WordBits; high < quant.WordBits {
			d &= 1<<high - 1
		}
		n += bits.OnesCount32(d)
	}
	return int32(n)
}
