package graph

import "fmt"

// Sub, Mul and Div are, like Add, element-wise on two values. Where an extent of one
// value is 1, its only element there meets every element of the other: [C 1 1] scales
// the channels of [C H W], [1 H W] its pixels.

// Add is the sum of two values, element by element.
type Add struct{}

// Sub is the first value less the second.
type Sub struct{}

// Mul is the product of two values.
type Mul struct{}

// Div is the first value divided by the second, which should be nowhere 0.
type Div struct{}

// Kind returns "add".
func (*Add) Kind() string { return "add" }

// Kind returns "sub".
func (*Sub) Kind() string { return "sub" }

// Kind returns "mul".
func (*Mul) Kind() string { return "mul" }

// Kind returns "div".
func (*Div) Kind() string { return "div" }

// OutShape gives the shape of the inputs, extents of 1 stretched.
func (*Add) OutShape(in []Shape) (Shape, error) { return stretched(in) }

// OutShape gives the shape of the inputs, extents of 1 stretched.
func (*Sub) OutShape(in []Shape) (Shape, error) { return stretched(in) }

// OutShape gives the shape of the inputs, extents of 1 stretched.
func (*Mul) OutShape(in []Shape) (Shape, error) { return stretched(in) }

// OutShape gives the shape of the inputs, extents of 1 stretched.
func (*Div) OutShape(in []Shape) (Shape, error) { return stretched(in) }

// At is x + y in float64; so are the others' their own operation.
func (*Add) At(x, y float64) float64 { return x + y }

// At is x − y.
func (*Sub) At(x, y float64) float64 { return x - y }

// At is x·y.
func (*Mul) At(x, y float64) float64 { return x * y }

// At is x/y.
func (*Div) At(x, y float64) float64 { return x / y }

// stretched is the one shape of two inputs.
func stretched(in []Shape) (Shape, error) {
	if len(in) != 2 {
		return nil, fmt.Errorf("%d inputs: want 2", len(in))
	}
	a, b := in[0], in[1]
	for _, s := range in {
		if err := s.Check(); err != nil {
			return nil, err
		}
	}
	if len(a) != len(b) {
		return nil, fmt.Errorf("inputs %v and %v: want one shape, or extents of 1 where they differ", a, b)
	}
	out := a.Clone()
	for i, d := range b {
		switch {
		case out[i] == 1:
			out[i] = d
		case d != 1 && d != out[i]:
			return nil, fmt.Errorf("inputs %v and %v: want one shape, or extents of 1 where they differ", a, b)
		}
	}
	return out, out.Check()
}
