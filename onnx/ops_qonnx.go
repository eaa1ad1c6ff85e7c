package onnx

import (
	"fmt"
	"math"
	"slices"

	"macroscope/graph"
)

// levels is what QONNX's Quant knows: the least and the largest integer of up to most bits.
func levels(bits float32, most int, signed, narrow bool) (lo, hi float64, err error) {
	if bits != float32(int(bits)) || bits < 1 || int(bits) > most || signed && bits < 2 {
		return 0, 0, fmt.Errorf("bit width %g: want 2 to %d, or 1 unsigned", bits, most)
	}
	n := math.Exp2(float64(bits))
	lo, hi = 0, n-1
	if signed {
		lo, hi = -n/2, n/2-1
		if narrow {
			lo++
		}
	} else if narrow {
		hi--
	}
	return lo, hi, nil
}

// readQuant: X, scale, zero point, bit width (QONNX,
// https://github.com/fastmachinelearning/qonnx/blob/main/docs/qonnx-custom-ops/quant_op.md): integers of
// 2 to 8 bits, which stand for X. A value is clipped to what they can stand for and
// carried as int8 from there on; constants become int8 weights, or of up to 32 bits the
// numbers that the integers stand for.
func readQuant(c *call) error {
	signed, narrow := c.attrInt("signed", 1) != 0, c.attrInt("narrow", 0) != 0
	if mode := c.attrString("rounding_mode", "ROUND"); mode != "ROUND" && mode != "HALF_EVEN" {
		c.fail("attribute rounding_mode: %s: want ROUND, half to even", quote(mode))
	}
	zero, bits := c.floats(2, c.must(2)), c.floats(3, c.must(3))
	if c.err == nil && (len(bits) != 1 || slices.ContainsFunc(zero, func(z float32) bool { return z != zero[0] || z != float32(int(z)) })) {
		c.fail("%d bit widths, %d zero points: want one, and one whole zero point", len(bits), len(zero))
	}
	if c.err != nil {
		return c.err
	}
	k, most := c.input(0).constant, 8
	if k != nil { // a bias may have as many bits as its sums
		most = 32
	}
	lo, hi, err := levels(bits[0], most, signed, narrow)
	if err != nil {
		return err
	}
	if k != nil {
		return c.quantWeights(k, lo, hi, float64(zero[0]))
	}
	v := c.value(0)
	r := &rounding{node: c.nodeName(), scale: c.oneScale(1)}
	z := float64(zero[0])
	if shift := min(0, 127-hi) + max(0, -128-lo); shift != 0 { // unsigned 8 bits
		lo, hi, z = lo+shift, hi+shift, z+shift
	}
	if c.err == nil && (z < -128 || z > 127 || lo < -128 || hi > 127) {
		c.fail("integers from %g to %g with zero point %g: want those of a byte", lo, hi, z)
	}
	if err := c.done(4); err != nil {
		return err
	}
	r.zero, r.full = int8(z), lo < -127
	clip := &graph.Clip{Lo: float32((lo - z) * float64(r.scale)), Hi: float32((hi - z) * float64(r.scale))}
	if err := c.keeping(clip, v); err != nil {
		return err
	}
	o := c.named[c.node.Output[0]]
	if err := r.mark(o.value); err != nil {
		return err
	}
	o.int8 = true
	return c.bind(o)
}

// quantWeights rounds the constant k to integers lo…hi.
func (c *call) quantWeights(k *constant, lo, hi, zero float64) error {
	f := c.floats(0, k)
	scale := c.scales(1)
	ks := c.must(1)
	if err := c.done(4); err != nil {
		return err
	}
	// One scale, or one for each index of one axis.
	axis := 0
	if len(scale) > 1 {
		for i, d := range ks.dims {
			if d > 1 {
				axis = i + len(k.dims) - len(ks.dims)
			}
		}
		if axis < 0 || axis >= len(k.dims) || k.dims[axis] != len(scale) {
			return fmt.Errorf("scales of dimensions %v for weights of %v: want one, or one for each index of an axis", graph.Shape(ks.dims), graph.Shape(k.dims))
		}
	}
	if !c.take(5 * len(f)) {
		return c.err
	}
	size := 1
	if len(scale) > 1 {
		size = graph.Shape(k.dims[axis+1:]).Size()
	}
	out := &constant{dims: k.dims, f: make([]float32, len(f))}
	q := make([]int8, len(f))
	for i, x := range f {
		s := scale[i/size%len(scale)]
		if x-x != 0 {
			return fmt.Errorf("element %d of input 0 is %g: want a finite number", i, x)
		}
		n := min(hi, max(lo, math.RoundToEven(float64(x/s)+zero))) - zero
		if n < -127 || n > 127 {
			q = nil // then they are no int8 weights, but numbers all the same
		}
		if out.f[i] = float32(n) * s; q != nil {
			q[i] = int8(n)
		}
	}
	if q != nil {
		out.quantized = &quantization{q, scale, axis}
	}
	return c.bind(operand{constant: out})
}

// readTrunc: X, scale, zero point, bits, in version 2 the output's scale, the output's
// bits (https://github.com/fastmachinelearning/qonnx/blob/main/docs/qonnx-custom-ops/trunc_op.md):
// integers without their lowest bits. It is carried out in float32, step by step: round,
// divide by a power of two, round as the mode says.
func readTrunc(c *call) error {
	v := c.value(0)
	number := func(i int) float64 {
		f := c.floats(i, c.must(i))
		if c.err == nil && len(f) != 1 {
			c.fail("input %d has %d values: want 1", i, len(f))
		}
		if c.err != nil {
			return 1
		}
		return float64(f[0])
	}
	mode, ok := map[string]string{"FLOOR": "floor", "CEIL": "ceil", "ROUND": "round", "HALF_EVEN": "round"}[c.attrString("rounding_mode", "FLOOR")]
	if !ok {
		c.fail("attribute rounding_mode: want FLOOR, CEIL or ROUND")
	}
	scale, zero, bits := float64(c.oneScale(1)), number(2), number(3)
	outBits, outScale, lo, hi := 0.0, scale, math.Inf(-1), math.Inf(1)
	var shrunk, outZero float64 // what is divided by, and the zero point afterwards
	inputs := 5
	if c.opset < 2 {
		outBits = number(4)
		shrunk, outZero = math.Exp2(bits-outBits), zero
	} else {
		inputs = 6
		outScale, outBits = float64(c.oneScale(4)), number(5)
		shrunk = math.Exp2(math.RoundToEven(math.Log2(outScale / scale)))
		outZero = zero / shrunk
		var err error
		if lo, hi, err = levels(float32(outBits), 8, c.attrInt("signed", 1) != 0, c.attrInt("narrow", 0) != 0); err != nil && c.err == nil {
			c.err = err
		}
	}
	if err := c.done(inputs); err != nil {
		return err
	}
	if !(bits >= 1 && bits <= 32 && outBits >= 1 && outBits <= bits) {
		return fmt.Errorf("from %g to %g bits: want fewer, of 1 to 32", bits, outBits)
	}
	affine := func(scale, shift float64) graph.Op {
		return &graph.Affine{Scale: []float32{float32(scale)}, Shift: []float32{float32(shift)}}
	}
	steps := []graph.Op{affine(1/scale, zero), &graph.Func{Name: "round"}, affine(1/shrunk, 0)}
	if c.opset >= 2 {
		steps = append(steps, &graph.Clip{Lo: float32(lo), Hi: float32(hi)})
	}
	for _, op := range append(steps, &graph.Func{Name: mode}) {
		var err error
		if v, err = c.step(op, v); err != nil {
			return err
		}
	}
	return c.keeping(affine(outScale, -outZero*outScale), v)
}
