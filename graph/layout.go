package graph

import (
	"errors"
	"fmt"
	"slices"
)

// What moves elements without computing: each op here says for every element of its
// output which element of its input it is (Source), in the values' own order.

// A Mover is an op whose output's elements are elements of its only input, or one
// constant.
type Mover interface {
	Op
	// Source gives, for each element of the output in order, the index of the input's
	// element that it is, or −1 for the op's constant, for an input of shape in, which
	// OutShape accepts.
	Source(in Shape) []int
}

// Reshape gives the input's elements, in their order, another shape.
type Reshape struct {
	To Shape
}

// Transpose looks at the input's elements as an array of extents View, in order, and
// puts its dimensions into another order: dimension i of the result is dimension
// Perm[i] of View. To is the shape that the result's elements have in that order. A
// transposed image has View = its shape; shuffled channels have View [groups, C/groups,
// H·W], Perm [1 0 2] and To = the image's shape.
type Transpose struct {
	View, Perm []int
	To         Shape
}

// Slice takes along each dimension the Size[i] elements from Start[i] on, Step[i]
// apart; a negative Step goes backwards. Of a vector the first of each counts.
type Slice struct {
	Start, Step, Size [3]int
}

// PadMode says what Pad puts around a value.
type PadMode uint8

const (
	PadConstant PadMode = iota // Pad.Value
	PadReflect                 // the elements mirrored at the outermost one: 3 2 1 2 3
	PadEdge                    // the outermost element again
)

// String is the mode's name in files and messages.
func (m PadMode) String() string {
	return [...]string{"constant", "reflect", "edge"}[min(m, PadEdge)]
}

// Pad puts Before[i] and After[i] elements around the value along each dimension. Of a
// vector the first of each counts.
type Pad struct {
	Before, After [3]int
	Mode          PadMode
	Value         float32 // in PadConstant
}

// ArgMax is the index of the largest channel, of the first such one, or with Last of the
// last: [C H W] → [1 H W], [F] → [1].
type ArgMax struct {
	Last bool
}

// Kind returns "reshape".
func (*Reshape) Kind() string { return "reshape" }

// Kind returns "transpose".
func (*Transpose) Kind() string { return "transpose" }

// Kind returns "slice".
func (*Slice) Kind() string { return "slice" }

// Kind returns "pad".
func (*Pad) Kind() string { return "pad" }

// Kind returns "argmax".
func (*ArgMax) Kind() string { return "argmax" }

// OutShape gives To, which must have as many elements as the input.
func (r *Reshape) OutShape(in []Shape) (Shape, error) { return sameSize(in, r.To) }

func sameSize(in []Shape, to Shape) (Shape, error) {
	s, err := one(in)
	if err != nil {
		return nil, err
	}
	if err := to.Check(); err != nil {
		return nil, err
	}
	if s.Size() != to.Size() {
		return nil, fmt.Errorf("input %v to %v: want as many elements", s, to)
	}
	return to.Clone(), nil
}

// OutShape gives To.
func (t *Transpose) OutShape(in []Shape) (Shape, error) {
	s, err := sameSize(in, t.To)
	if err != nil {
		return nil, err
	}
	n := 1
	for _, d := range t.View {
		if d < 1 || d > MaxElements/n {
			return nil, fmt.Errorf("view %v: want extents from 1, at most %d elements", Shape(t.View), MaxElements)
		}
		n *= d
	}
	if n != s.Size() {
		return nil, fmt.Errorf("view %v of %v: want as many elements", Shape(t.View), in[0])
	}
	seen := slices.Sorted(slices.Values(t.Perm))
	if len(seen) != len(t.View) {
		return nil, fmt.Errorf("%d dimensions put into another order: the view has %d", len(seen), len(t.View))
	}
	for i, p := range seen {
		if p != i {
			return nil, fmt.Errorf("order %v: want each of 0 to %d once", Shape(t.Perm), len(seen)-1)
		}
	}
	return s, nil
}

// OutShape gives the sizes.
func (c *Slice) OutShape(in []Shape) (Shape, error) {
	s, err := one(in)
	if err != nil {
		return nil, err
	}
	out := s.Clone()
	for i, d := range s {
		start, step, n := c.Start[i], c.Step[i], c.Size[i]
		if n < 1 || n > d || step == 0 || step < -MaxElements || step > MaxElements {
			return nil, fmt.Errorf("%d elements with step %d of dimension %d of %v: want 1 to %d elements, a step that is not 0", n, step, i, s, d)
		}
		if last := int64(start) + int64(n-1)*int64(step); start < 0 || start >= d || last < 0 || last >= int64(d) {
			return nil, fmt.Errorf("elements %d to %d of dimension %d of %v: want 0 to %d", start, last, i, s, d-1)
		}
		out[i] = n
	}
	return out, out.Check()
}

// OutShape gives the input's shape and the padding.
func (p *Pad) OutShape(in []Shape) (Shape, error) {
	s, err := one(in)
	if err != nil {
		return nil, err
	}
	out := s.Clone()
	for i, d := range s {
		for _, n := range []int{p.Before[i], p.After[i]} {
			if n < 0 || n > MaxElements {
				return nil, fmt.Errorf("padding %d of dimension %d: want 0 to %d", n, i, MaxElements)
			}
			if p.Mode == PadReflect && n >= d {
				return nil, fmt.Errorf("padding %d of dimension %d of %v by reflection: want less than %d", n, i, s, d)
			}
		}
		out[i] += p.Before[i] + p.After[i]
	}
	return out, out.Check()
}

func (p *Pad) checkConstants(l looked) error {
	if p.Mode > PadEdge {
		return fmt.Errorf("mode %d: want constant, reflect or edge", p.Mode)
	}
	if p.Mode != PadConstant && p.Value != 0 {
		return errors.New("a value with a mode that has none")
	}
	return finite("value", []float32{p.Value})
}

// OutShape gives [1 H W] for [C H W], [1] for [F].
func (*ArgMax) OutShape(in []Shape) (Shape, error) {
	s, err := one(in)
	if err != nil {
		return nil, err
	}
	out := s.Clone()
	out[0] = 1
	return out, nil
}

// Source is each element itself.
func (r *Reshape) Source(in Shape) []int { return identity(in.Size()) }

// Source is each element itself.
func (*Flatten) Source(in Shape) []int { return identity(in.Size()) }

func identity(n int) []int {
	at := make([]int, n)
	for i := range at {
		at[i] = i
	}
	return at
}

// Source is the place of each element before the dimensions changed their order.
func (t *Transpose) Source(in Shape) []int {
	strides := make([]int, len(t.View))
	for i, n := len(t.View)-1, 1; i >= 0; i-- {
		strides[i] = n
		n *= t.View[i]
	}
	at := make([]int, 1, in.Size())
	// Dimension by dimension, each element so far becomes as many as that one has.
	for _, p := range t.Perm {
		next := make([]int, 0, len(at)*t.View[p])
		for _, base := range at {
			for i := range t.View[p] {
				next = append(next, base+i*strides[p])
			}
		}
		at = next
	}
	return at
}

// Source is the element that the steps reach.
func (c *Slice) Source(in Shape) []int {
	return eachOf(in, func(dim int) []int {
		at := make([]int, c.Size[dim])
		for i := range at {
			at[i] = c.Start[dim] + i*c.Step[dim]
		}
		return at
	})
}

// Source is −1 for the padding of PadConstant.
func (p *Pad) Source(in Shape) []int {
	return eachOf(in, func(dim int) []int {
		n := in[dim]
		at := make([]int, p.Before[dim]+n+p.After[dim])
		for i := range at {
			j := i - p.Before[dim]
			if j < 0 || j >= n {
				switch p.Mode {
				case PadReflect:
					if j = max(j, -j); j >= n {
						j = 2*(n-1) - j
					}
				case PadEdge:
					j = min(max(j, 0), n-1)
				default:
					j = -1
				}
			}
			at[i] = j
		}
		return at
	})
}

// eachOf combines the indices along every dimension, −1 for none, to places in in.
func eachOf(in Shape, along func(dim int) []int) []int {
	places := []int{0}
	for dim, d := range in {
		indices := along(dim)
		next := make([]int, 0, len(places)*len(indices))
		for _, base := range places {
			for _, i := range indices {
				if base < 0 || i < 0 {
					next = append(next, -1)
					continue
				}
				next = append(next, base*d+i)
			}
		}
		places = next
	}
	return places
}
