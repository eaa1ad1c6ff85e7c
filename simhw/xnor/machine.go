package xnor

import (
	"errors"
	"fmt"
	"math"
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

// passing is a word's trace in the pipe: what the rows counted, what a bit counts for,
// and where it belongs.
type passing struct {
	counts       []int32
	scale        int32
	vector, line int64
	first, last  bool
}

// planes has an operand's rows as bits, one set of rows a plane.
type planes [][]uint32

// plane is what bit i of an integer of so many bits counts for, in two's complement.
func plane(i, bits int) int64 {
	if i == bits-1 {
		return -1 << i
	}
	return 1 << i
}

// Run multiplies v vectors of k bits by the weights of n outputs. x has v rows and w
// n rows of quant.Words(k) words, value i of a row in bit i%32 of word i/32, set for
// +1. Bits past a row's last do not count, whatever they hold.
func (mc *Machine) Run(x, w []uint32, v, n, k int64) (*Result, error) {
	if mc.integers() {
		return nil, fmt.Errorf("±1 in %d by %d bit planes: want none", mc.InputPlanes, mc.WeightPlanes)
	}
	return mc.run(planes{x}, planes{w}, v, n, k)
}

// RunIntegers multiplies v vectors of k values by the weights of n outputs, k each, row
// after row, bit plane by bit plane: of values their lowest InputPlanes bits, of weights
// their lowest WeightPlanes. Widths whose sums may not fit an int32 are an error.
func (mc *Machine) RunIntegers(x, w []int16, v, n, k int64) (*Result, error) {
	if err := mc.Check(); err != nil {
		return nil, err
	}
	if !mc.integers() {
		return nil, errors.New("integers without bit planes")
	}
	if v < 1 || n < 1 || k < 1 || int64(len(x)) != v*k || int64(len(w)) != n*k {
		return nil, fmt.Errorf("%d inputs and %d weights for a product of %d×%d×%d", len(x), len(w), v, n, k)
	}
	if most := float64(k) * float64(int64(1)<<(mc.InputPlanes+mc.WeightPlanes-2)); most > math.MaxInt32 {
		return nil, fmt.Errorf("sums of %d products of %d by %d bits: up to %g, want at most %d", k, mc.InputPlanes, mc.WeightPlanes, most, math.MaxInt32)
	}
	return mc.run(cut(x, k, mc.InputPlanes), cut(w, k, mc.WeightPlanes), v, n, k)
}

// cut makes so many bit planes of rows of k values.
func cut(values []int16, k, bits int64) planes {
	row := int64(quant.Words(int(k)))
	p := make(planes, bits)
	for i := range p {
		p[i] = make([]uint32, int64(len(values))/k*row)
		for at, v := range values {
			r, c := int64(at)/k, int64(at)%k
			p[i][r*row+c/quant.WordBits] |= uint32(uint16(v)>>i&1) << (c % quant.WordBits)
		}
	}
	return p
}

// run multiplies planes of ±1 by comparing, those of integers by anding.
func (mc *Machine) run(x, w planes, v, n, k int64) (*Result, error) {
	if err := mc.Check(); err != nil {
		return nil, err
	}
	const most = 1 << 24
	if v < 1 || n < 1 || k < 1 || v > most || n > most || k > most {
		return nil, fmt.Errorf("a product of %d×%d×%d: want 1 to %d", v, n, k, most)
	}
	row := int64(quant.Words(int(k)))
	for i := range x {
		if int64(len(x[i])) != v*row {
			return nil, fmt.Errorf("%d words of inputs for a product of %d×%d×%d: want %d", len(x[i]), v, n, k, v*row)
		}
	}
	for i := range w {
		if int64(len(w[i])) != n*row {
			return nil, fmt.Errorf("%d words of weights for a product of %d×%d×%d: want %d", len(w[i]), v, n, k, n*row)
		}
	}
	if mc.Thresholds != nil && int64(len(mc.Thresholds)) != n {
		return nil, fmt.Errorf("%d thresholds for %d outputs", len(mc.Thresholds), n)
	}
	res := &Result{Sums: make([]int32, v*n)}
	outRow := int64(quant.Words(int(n)))
	if mc.Thresholds != nil {
		res.Bits = make([]uint32, v*outRow)
	}
	sums := make([]int32, mc.PEs)
	finish := func(p passing) {
		for i := range min(mc.PEs, n-p.line) {
			if p.first {
				sums[i] = 0
				if !mc.integers() {
					sums[i] = int32(k) // less two for each bit that differs
				}
			}
			if sums[i] += p.scale * p.counts[i]; !p.last {
				continue
			}
			at := p.line + i
			res.Sums[p.vector*n+at] = sums[i]
			res.Outputs++
			if mc.Thresholds != nil && mc.Thresholds[at].Bit(sums[i]) {
				res.Bits[p.vector*outRow+at/quant.WordBits] |= 1 << (at % quant.WordBits)
			}
		}
	}
	pipe := make([]*passing, mc.Pipe)
	// tick is a clock cycle in which a word enters, or none. What leaves the pipe
	// joins the sums at the cycle's end.
	tick := func(p *passing) {
		res.Cycles++
		if len(pipe) > 0 {
			p, pipe = pipe[0], append(pipe[1:], p)
		}
		if p != nil {
			finish(*p)
		}
	}
	// pass lets a vector's words pass the rows of a group, for each pair of planes.
	pass := func(vector, line int64) {
		rows := min(mc.PEs, n-line)
		for i := range x {
			for j := range w {
				count, scale := differ, int32(-2)
				if mc.integers() {
					count, scale = both, int32(plane(i, len(x))*plane(j, len(w)))
				}
				for from := int64(0); from < k; from += mc.SIMD {
					to := min(from+mc.SIMD, k)
					p := &passing{make([]int32, rows), scale, vector, line, i+j == 0 && from == 0, i == len(x)-1 && j == len(w)-1 && to == k}
					for r := range rows {
						p.counts[r] = count(x[i][vector*row:(vector+1)*row], w[j][(line+r)*row:(line+r+1)*row], from, to)
						if mc.LoadBits == 0 {
							res.WeightBits += to - from
						}
					}
					res.InputBits += to - from
					tick(p)
				}
			}
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
				res.WeightBits += min(left, mc.LoadBits)
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
	return res, nil
}

// differ counts the bits from…to−1 in which two rows differ.
func differ(a, b []uint32, from, to int64) int32 {
	return count(from, to, func(i int64) uint32 { return a[i] ^ b[i] })
}

// both counts the bits from…to−1 that both rows have.
func both(a, b []uint32, from, to int64) int32 {
	return count(from, to, func(i int64) uint32 { return a[i] & b[i] })
}

func count(from, to int64, word func(i int64) uint32) int32 {
	n := 0
	for i := from / quant.WordBits; i*quant.WordBits < to; i++ {
		d := word(i)
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
