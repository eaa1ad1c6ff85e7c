package graph

import "fmt"

// Constant is a value that is the same for every image. It has one input, which it does
// not look at (an op without inputs would be none of a network's), usually the graph's.
type Constant struct {
	To     Shape
	Values []float32 // in To's order
}

// Kind returns "constant".
func (*Constant) Kind() string { return "constant" }

// OutShape gives To.
func (c *Constant) OutShape(in []Shape) (Shape, error) {
	if _, err := one(in); err != nil {
		return nil, err
	}
	if err := c.To.Check(); err != nil {
		return nil, err
	}
	if len(c.Values) != c.To.Size() {
		return nil, fmt.Errorf("%d values for %v", len(c.Values), c.To)
	}
	return c.To.Clone(), nil
}

// Bytes is four for each value.
func (c *Constant) Bytes() int { return 4 * len(c.Values) }

func (c *Constant) checkConstants(l looked) error { return l.finite("value", c.Values) }
