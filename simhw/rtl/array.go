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
	maxWidth     = 1 << 20 // bytes a cycle
)

// Multiply runs products, one after the other, on an int8 array whose elements
// form lanes products along K in a cycle and add them up in acc. It waits for its buffers
// where ports are narrow; one that is read in place has no edge for its sums, and no narrow
// ofmap port.
func (ic *Icarus) Multiply(ctx context.Context, a systolic.Array, lanes int64, acc systolic.Accumulator, ports systolic.Ports, products []Product) ([]Result, error) {
	if err := checkArray(a, lanes); err != nil {
		return nil, err
	}
	if err := checkPorts(a, ports); err != nil {
		return nil, err
	}
	if err := acc.Check(); err != nil {
		return nil, err
	}
	width := parameter{"ACC", acc.Bits}
	if acc.Bits == 0 {
		width.value = 32
	}
	flag := func(name string, on bool) parameter {
		if on {
			return parameter{name, 1}
		}
		return parameter{name, 0}
	}
	var m, n, steps int64 = 1, 1, 1 // the largest
	for _, p := range products {
		if err := p.check(); err != nil {
			return nil, err
		}
		m, n, steps = max(m, p.M), max(n, p.N), max(steps, (p.K+lanes-1)/lanes)
	}
	results := make([]Result, len(products))
	err := ic.simulate(ctx, "array_bench", append(arrayParameters(a, lanes, m, n, steps), width, flag("SAT", acc.Saturate),
		parameter{"IFMAP", ports.Ifmap}, parameter{"FILTER", ports.Filter}, parameter{"OFMAP", ports.Ofmap}, flag("SHARED", ports.OfmapShared)),
		func(w io.Writer) error { return writeProducts(w, lanes, products) },
		func(r io.Reader) error { return readResults(r, products, results) })
	return results, err
}

func checkArray(a systolic.Array, lanes int64) error {
	if a.Rows < 1 || a.Cols < 1 || lanes < 1 || a.Rows > maxSide || a.Cols > maxSide || lanes > maxLanes {
		return fmt.Errorf("%d×%d elements of %d lanes: want 1 to %d, 1 to %d, 1 to %d", a.Rows, a.Cols, lanes, maxSide, maxSide, maxLanes)
	}
	overlaps := a.Dataflow == design.OS && a.Drain == design.DrainOverlapped || a.Dataflow != design.OS && a.WeightLoad != design.LoadSerial
	if a.Gated && overlaps {
		return fmt.Errorf("an array whose folds overlap has no gated partial folds")
	}
	return nil
}

func checkPorts(a systolic.Array, p systolic.Ports) error {
	if least, most := min(p.Ifmap, p.Filter, p.Ofmap), max(p.Ifmap, p.Filter, p.Ofmap); least < 0 || most > maxWidth {
		return fmt.Errorf("buffers of %d to %d bytes a cycle: want 0 to %d", least, most, maxWidth)
	}
	if p.Ofmap > 0 && a.Dataflow == design.OS && a.Drain == design.DrainInPlace {
		return fmt.Errorf("an array that is read in place has no edge for %d bytes a cycle: want another drain", p.Ofmap)
	}
	return nil
}

// arrayParameters gives a test bench's parameters for an array and the largest
// product.
func arrayParameters(a systolic.Array, lanes, m, n, steps int64) []parameter {
	gated := int64(0)
	if a.Gated {
		gated = 1
	}
	return append(flow(a), parameter{"GATED", gated}, parameter{"ROWS", a.Rows}, parameter{"COLS", a.Cols}, parameter{"LANES", lanes},
		parameter{"M", m}, parameter{"N", n}, parameter{"K", steps})
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

// writeProducts writes the test bench's input.
func writeProducts(out io.Writer, lanes int64, products []Product) error {
	w := bufio.NewWriter(out)
	for i := range products {
		p := &products[i]
		fmt.Fprintln(w, p.M, p.N, (p.K+lanes-1)/lanes)
		writeInputs(w, lanes, p)
		writeWeights(w, lanes, p)
	}
	return w.Flush()
}

// writeInputs writes M lines of words of lanes values along K, the last of a line
// filled up with zeros.
func writeInputs(w *bufio.Writer, lanes int64, p *Product) {
	for i := range p.M {
		writeLine(w, lanes, p.K, func(k int64) int8 { return p.X[i*p.K+k] })
	}
}

// writeWeights writes N lines likewise.
func writeWeights(w *bufio.Writer, lanes int64, p *Product) {
	for j := range p.N {
		writeLine(w, lanes, p.K, func(k int64) int8 { return p.W[k*p.N+j] })
	}
}

func writeLine(w *bufio.Writer, lanes, length int64, at func(k int64) int8) {
	for s := int64(0); s < length; s += lanes {
		for k := s + lanes - 1; k >= s; k-- { // lane 0 is the lowest byte
			v := int8(0)
			if k < length {
				v = at(k)
			}
			fmt.Fprintf(w, "%02x", uint8(v))
		}
		w.WriteByte('\n')
	}
}

func readResults(in io.Reader, products []Product, results []Result) error {
	r := bufio.NewReader(in)
	for i := range products {
		if _, err := fmt.Fscan(r, &results[i].Cycles); err != nil {
			return fmt.Errorf("cycles of product %d: %w", i, err)
		}
		var err error
		if results[i].Sums, err = readSums(r, &products[i]); err != nil {
			return fmt.Errorf("product %d: %w", i, err)
		}
	}
	return nil
}

func readSums(r io.Reader, p *Product) ([]int32, error) {
	sums := make([]int32, p.M*p.N)
	for j := range sums {
		// A sum that was never written is an x, which is no number.
		if _, err := fmt.Fscan(r, &sums[j]); err != nil {
			return nil, fmt.Errorf("sum %d: %w", j, err)
		}
	}
	return sums, nil
}
