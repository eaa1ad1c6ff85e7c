package onnx

import (
	"errors"
	"fmt"
	"slices"
)

// Operators on bytes: each stands for DequantizeLinear, the operator on float numbers,
// and QuantizeLinear.

// float makes input i, bytes or a constant of integers, the float number that it stands
// for by inputs scale and zero.
func (c *call) float(i, scale, zero int, axis int64) {
	if c.err != nil || i >= len(c.in) {
		c.fail("input %d is missing", i)
		return
	}
	if k := c.in[i].constant; k != nil {
		c.in[i] = operand{constant: c.dequantized(i, k, scale, zero, axis)}
		return
	}
	c.in[i] = c.bytes(i, scale, zero)
}

// rounded has the output rounded by inputs scale and zero, after read has read the
// operator on float numbers from the inputs given.
func (c *call) rounded(scale, zero int, read func(*call) error, inputs ...operand) error {
	r := c.rounding(scale, zero)
	if c.err != nil {
		return c.err
	}
	c.in = inputs
	if err := read(c); err != nil {
		return err
	}
	o, err := c.named[c.node.Output[0]].carriedOut()
	if err != nil {
		return err
	}
	if o.value == nil || o.begun != nil {
		return errors.New("it gives no value")
	}
	if err := r.mark(o.value); err != nil {
		return err
	}
	o.begun, o.by, o.int8 = r, nil, true
	return c.bind(o)
}

// readQLinearConv: x, its scale and zero point, w, its scales and zero points, y's scale
// and zero point, optional B: int32 in steps of x's scale times w's.
func readQLinearConv(c *call) error {
	if len(c.in) < 8 || len(c.in) > 9 {
		return fmt.Errorf("%d inputs: want 8 or 9", len(c.in))
	}
	c.float(0, 1, 2, 1)
	c.float(3, 4, 5, 0)
	inputs := []operand{c.in[0], c.in[3]}
	if b := c.input(8); !b.none() {
		bias, err := c.bias(8, c.oneScale(1), c.scales(4))
		if err != nil {
			return err
		}
		inputs = append(inputs, operand{constant: bias})
	}
	return c.rounded(6, 7, readConv, inputs...)
}

// bias is input i, an int32 in steps of x times w's scales, as float numbers.
func (c *call) bias(i int, x float32, w []float32) (*constant, error) {
	k := c.must(i)
	v := c.ints(i, k)
	if c.err != nil || !c.take(4*len(v)) {
		return nil, c.err
	}
	if len(w) != 1 && len(w) != len(v) {
		return nil, fmt.Errorf("%d biases for %d scales: want as many", len(v), len(w))
	}
	out := &constant{dims: k.dims, f: make([]float32, len(v))}
	for j, b := range v {
		out.f[j] = float32(float64(b) * (float64(x) * float64(w[j%len(w)])))
	}
	return out, nil
}

// readQLinearMatMul: a, its scale and zero point, b, its, y's.
func readQLinearMatMul(c *call) error {
	if len(c.in) != 8 {
		return fmt.Errorf("%d inputs: want 8", len(c.in))
	}
	c.float(0, 1, 2, 0)
	c.float(3, 4, 5, 1)
	return c.rounded(6, 7, readMatMul, c.in[0], c.in[3])
}

// readQGemm: A, its scale and zero point, B, its, optional C (int32), y's.
func readQGemm(c *call) error {
	if len(c.in) != 9 {
		return fmt.Errorf("%d inputs: want 9, a float output is not supported", len(c.in))
	}
	c.float(0, 1, 2, 0)
	axis := int64(1)
	if a := c.attrs["transB"]; a.GetI() != 0 {
		axis = 0
	}
	c.float(3, 4, 5, axis)
	inputs := []operand{c.in[0], c.in[3]}
	if !c.input(6).none() {
		bias, err := c.bias(6, c.oneScale(1), c.scales(4))
		if err != nil {
			return err
		}
		inputs = append(inputs, operand{constant: bias})
	}
	return c.rounded(7, 8, readGemm, inputs...)
}

// readQLinear2 reads an operator on two values with a scale and zero point each: A, its,
// B, its, the output's.
func readQLinear2(read func(*call) error) func(*call) error {
	return func(c *call) error {
		if len(c.in) < 7 || len(c.in) > 8 {
			return fmt.Errorf("%d inputs: want 8", len(c.in))
		}
		c.float(0, 1, 2, 0)
		c.float(3, 4, 5, 0)
		return c.rounded(6, 7, read, c.in[0], c.in[3])
	}
}

// readQLinear1 reads an operator on one value: X, its scale and zero point, the output's.
func readQLinear1(read func(*call) error) func(*call) error {
	return func(c *call) error {
		if len(c.in) < 4 || len(c.in) > 5 {
			return fmt.Errorf("%d inputs: want 5", len(c.in))
		}
		if a := c.attrs["channels_last"]; a.GetI() != 0 {
			return errors.New("attribute channels_last: want 0")
		}
		delete(c.attrs, "channels_last")
		c.float(0, 1, 2, 1)
		return c.rounded(3, 4, read, c.in[0])
	}
}

// readQLinearConcat: the output's scale and zero point, then each input with its.
func readQLinearConcat(c *call) error {
	if len(c.in) < 5 || len(c.in)%3 != 2 {
		return fmt.Errorf("%d inputs: want 2 and 3 for each value", len(c.in))
	}
	var inputs []operand
	for i := 2; i < len(c.in); i += 3 {
		c.float(i, i+1, i+2, 0)
		if c.err != nil {
			return c.err
		}
		inputs = append(inputs, c.in[i])
	}
	return c.rounded(0, 1, readConcat, slices.Clip(inputs)...)
}
