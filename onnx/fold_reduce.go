package onnx

import (
	"fmt"
	"math"

	"macroscope/graph"
)

// Weights that are made of other weights when the network runs (standardized ones, scales
// of quantization) leave reductions of constants behind.

// folded functions of one number: those of the operators that are graph.Funcs without
// parameters.
func foldFunc(name string) func(*call) (*constant, error) {
	return foldFloat((&graph.Func{Name: name}).Prepared())
}

// foldReduce reduces constants of floats: sum adds up what of makes of each, and last
// gets that and the number of elements. axes are an attribute before the given opset.
func foldReduce(axesInput int64, of func(sum, x float64) float64, start float64, last func(sum, n float64) float64) func(*call) (*constant, error) {
	return func(c *call) (*constant, error) {
		k := c.must(0)
		axes, _ := c.axes(axesInput)
		keep := c.attrInt("keepdims", 1) != 0
		noop := c.attrInt("noop_with_empty_axes", 0) != 0
		f := c.floats(0, k)
		if err := c.done(2); err != nil {
			return nil, err
		}
		if len(axes) == 0 && noop {
			return k, nil
		}
		reduced := make([]bool, len(k.dims))
		for i := range reduced {
			reduced[i] = len(axes) == 0
		}
		for _, a := range axes {
			if a < 0 {
				a += int64(len(k.dims))
			}
			if a < 0 || a >= int64(len(k.dims)) {
				return nil, fmt.Errorf("axes %v: want dimensions of %v", axes, graph.Shape(k.dims))
			}
			reduced[a] = true
		}
		out := &constant{dims: []int{}}
		kept, n := []int{}, 1 // extents with 1 for those reduced; how many elements go into one
		for i, d := range k.dims {
			if reduced[i] {
				kept, n = append(kept, 1), n*d
			} else {
				kept = append(kept, d)
			}
			if !reduced[i] || keep {
				out.dims = append(out.dims, kept[i])
			}
		}
		_, _, to, err := c.broadcast(k.dims, kept)
		if err != nil {
			return nil, err
		}
		if !c.take(12 * (len(f) / n)) {
			return nil, c.err
		}
		sums := make([]float64, len(f)/n)
		for i := range sums {
			sums[i] = start
		}
		for i, x := range f {
			sums[to[i]] = of(sums[to[i]], float64(x))
		}
		out.f = make([]float32, len(sums))
		for i, s := range sums {
			out.f[i] = float32(last(s, float64(n)))
		}
		return out, nil
	}
}

func foldPow(c *call) (*constant, error) {
	return foldArith(
		func(x, y int64) (int64, bool) {
			z := math.Pow(float64(x), float64(y))
			return int64(z), math.Abs(z) <= 1<<53 && z == math.Trunc(z)
		},
		func(x, y float32) float32 { return float32(math.Pow(float64(x), float64(y))) }, 1)(c)
}

func plus(sum, x float64) float64        { return sum + x }
func plusSquare(sum, x float64) float64  { return sum + float64(x*x) }
func plusSize(sum, x float64) float64    { return sum + math.Abs(x) }
func asItIs(sum, _ float64) float64      { return sum }
func perElement(sum, n float64) float64  { return sum / n }
func rootOf(sum, _ float64) float64      { return math.Sqrt(sum) }
func timesFactor(sum, x float64) float64 { return sum * x }
