package rtl

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/big"

	"macroscope/simhw/xnor"
)

// MultiplySigns runs products of ±1 on an XNOR-popcount engine that reads its
// weights as it needs them, one after the other: M vectors of K values, N outputs.
// Every value must be −1 or 1.
func (ic *Icarus) MultiplySigns(ctx context.Context, x xnor.Engine, products []Product) ([]Result, error) {
	if x.LoadBits != 0 {
		return nil, fmt.Errorf("an engine that holds its weights is not built in Verilog")
	}
	if x.PEs < 1 || x.SIMD < 1 || x.Pipe < 0 || x.PEs > maxSide || x.SIMD > maxSIMD || x.Pipe > maxPipe {
		return nil, fmt.Errorf("%d rows of %d bits, %d registers: want 1 to %d, 1 to %d, 0 to %d", x.PEs, x.SIMD, x.Pipe, maxSide, maxSIMD, maxPipe)
	}
	var v, n, words int64 = 1, 1, 1 // the largest
	for _, p := range products {
		if err := p.check(); err != nil {
			return nil, err
		}
		for _, values := range [][]int8{p.X, p.W} {
			for _, s := range values {
				if s != 1 && s != -1 {
					return nil, fmt.Errorf("value %d: want -1 or 1", s)
				}
			}
		}
		v, n, words = max(v, p.M), max(n, p.N), max(words, x.Words(p.K))
	}
	params := []parameter{{"PES", x.PEs}, {"SIMD", x.SIMD}, {"PIPE", x.Pipe}, {"V", v}, {"N", n}, {"K", words}}
	results := make([]Result, len(products))
	err := ic.simulate(ctx, "xnor_bench", params,
		func(w io.Writer) error { return writeSigns(w, x.SIMD, products) },
		func(r io.Reader) error { return readResults(r, products, results) })
	return results, err
}

const (
	maxSIMD = 1 << 12
	maxPipe = 16
)

// writeSigns writes the test bench's input: words of simd bits, bit 0 first.
// The bits past the last of a line are ones in the vectors and zeros in the
// weights, so that an engine that counts them is wrong.
func writeSigns(out io.Writer, simd int64, products []Product) error {
	w := bufio.NewWriter(out)
	for _, p := range products {
		fmt.Fprintln(w, p.M, p.N, p.K)
		line := func(past uint, at func(k int64) int8) {
			for k0 := int64(0); k0 < p.K; k0 += simd {
				word := new(big.Int)
				for b := range simd {
					bit := past
					if k := k0 + b; k < p.K {
						bit = uint(at(k)+1) / 2
					}
					word.SetBit(word, int(b), bit)
				}
				fmt.Fprintf(w, "%x\n", word)
			}
		}
		for i := range p.M {
			line(1, func(k int64) int8 { return p.X[i*p.K+k] })
		}
		for j := range p.N {
			line(0, func(k int64) int8 { return p.W[k*p.N+j] })
		}
	}
	return w.Flush()
}
