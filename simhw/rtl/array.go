package rtl

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"macroscope/simhw/design"
	"macroscope/simhw/systolic"
)

// Product is one matrix product: M rows of K inputs times K rows of N weights,
// both row by row.
type Product struct {
	M, N, K int64
	X, W    []int8
}

func (p *Product) check() error {
	if p.M < 1 || p.N < 1 || p.K < 1 || max(p.M, p.N, p.K) > maxDimension {
		return fmt.Errorf("a product of %d×%d×%d: want 1 to %d", p.M, p.N, p.K, maxDimension)
	}
	if int64(len(p.X)) != p.M*p.K || int64(len(p.W)) != p.K*p.N {
		return fmt.Errorf("%d inputs and %d weights for a product of %d×%d×%d", len(p.X), len(p.W), p.M, p.N, p.K)
	}
	return nil
}

// Result is what a machine made of a product: M rows of N sums, and the clock
// cycles from the first operand's until the last sum stands or has left.
type Result struct {
	Sums   []int32
	Cycles int64
}

// Limits of the Verilog: dimensions have 16 bits, and an array beyond maxSide
// would take Icarus hours.
const (
	maxDimension = 1<<15 - 1
	maxSide      = 256
	maxLanes     = 64
)

// Multiply runs products, one after the other, on an int8 array whose elements
// form lanes products along K in a cycle.
func (ic *Icarus) Multiply(ctx context.Context, a systolic.Array, lanes int64, products []Product) ([]Result, error) {
	if a.Rows < 1 || a.Cols < 1 || lanes < 1 || a.Rows > maxSide || a.Cols > maxSide || lanes > maxLanes {
		return nil, fmt.Errorf("%d×%d elements of %d lanes: want 1 to %d, 1 to %d, 1 to %d", a.Rows, a.Cols, lanes, maxSide, maxSide, maxLanes)
	}
	overlaps := a.Dataflow == design.OS && a.Drain == design.DrainOverlapped || a.Dataflow != design.OS && a.WeightLoad != design.LoadSerial
	if a.Gated && overlaps {
		return nil, fmt.Errorf("an array whose folds overlap has no gated partial folds")
	}
	var m, n, steps int64 = 1, 1, 1 // the largest
	for _, p := range products {
		if err := p.check(); err != nil {
			return nil, err
		}
		m, n, steps = max(m, p.M), max(n, p.N), max(steps, (p.K+lanes-1)/lanes)
	}
	params := []parameter{
		{"ROWS", a.Rows}, {"COLS", a.Cols}, {"LANES", lanes}, {"M", m}, {"N", n}, {"K", steps}, {"GATED", 0},
	}
	if a.Gated {
		params[len(params)-1].value = 1
	}
	params = append(params, flow(a)...)
	results := make([]Result, len(products))
	err := ic.simulate(ctx, "array_bench", params,
		func(w io.Writer) error { return writeProducts(w, lanes, products) },
		func(r io.Reader) error { return readResults(r, products, results) })
	return results, err
}

// flow gives the test bench's parameters for a dataflow and its variant.
func flow(a systolic.Array) []parameter {
	number := map[design.Dataflow]int64{design.OS: 0, design.WS: 1, design.IS: 2}[a.Dataflow]
	variant := map[design.WeightLoad]int64{design.LoadSerial: 0, design.LoadChain: 1, design.LoadBus: 2}[a.WeightLoad]
	if a.Dataflow == design.OS {
		variant = map[design.Drain]int64{design.DrainInPlace: 0, design.DrainShift: 1, design.DrainOverlapped: 2}[a.Drain]
	}
	return []parameter{{"FLOW", number}, {"VARIANT", variant}}
}

// writeProducts writes the test bench's input: words of lanes values along K,
// the last of a line filled up with zeros.
func writeProducts(out io.Writer, lanes int64, products []Product) error {
	w := bufio.NewWriter(out)
	for _, p := range products {
		steps := (p.K + lanes - 1) / lanes
		fmt.Fprintln(w, p.M, p.N, steps)
		line := func(at func(k int64) int8) {
			for s := range steps {
				for l := lanes - 1; l >= 0; l-- { // lane 0 is the lowest byte
					v := int8(0)
					if k := s*lanes + l; k < p.K {
						v = at(k)
					}
					fmt.Fprintf(w, "%02x", uint8(v))
				}
				w.WriteByte('\n')
			}
		}
		for i := range p.M {
			line(func(k int64) int8 { return p.X[i*p.K+k] })
		}
		for j := range p.N {
			line(func(k int64) int8 { return p.W[k*p.N+j] })
		}
	}
	return w.Flush()
}

func readResults(in io.Reader, products []Product, results []Result) error {
	r := bufio.NewReader(in)
	for i, p := range products {
		results[i].Sums = make([]int32, p.M*p.N)
		if _, err := fmt.Fscan(r, &results[i].Cycles); err != nil {
			return fmt.Errorf("cycles of product %d: %w", i, err)
		}
		for j := range results[i].Sums {
			// A sum that was never written is an x, which is no number.
			if _, err := fmt.Fscan(r, &results[i].Sums[j]); err != nil {
				return fmt.Errorf("sum %d of product %d: %w", j, i, err)
			}
		}
	}
	return nil
}
