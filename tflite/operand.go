package tflite

import (
	"encoding/binary"
	"fmt"
	"math"

	"macroscope/graph"
)

// has says whether input i is there.
func (o *operator) has(i int) bool { return i < len(o.in) && o.in[i] >= 0 }

// value is input i, which must be computed before.
func (r *reader) value(o *operator, i int) (*graph.Value, *tensor, error) {
	if !o.has(i) {
		return nil, nil, fmt.Errorf("input %d is missing", i)
	}
	t := &r.tensors[o.in[i]]
	v := r.values[o.in[i]]
	if v == nil {
		return nil, t, fmt.Errorf("input %d, tensor %s: neither the network's input nor an earlier operator's output", i, quote(t.name))
	}
	if r.shapes[o.in[i]] != nil && o.code != opFullyConnected {
		return nil, t, fmt.Errorf("input %d, tensor %s: its order is FULLY_CONNECTED's alone", i, quote(t.name))
	}
	return v, t, nil
}

// isConstant says whether input i is known when the file is read.
func (r *reader) isConstant(o *operator, i int) bool {
	return o.has(i) && r.values[o.in[i]] == nil
}

// constant is the bytes of input i and its tensor, with as many elements as its
// dimensions say, of one of the kinds wanted.
func (r *reader) constant(o *operator, i int, kinds ...int) ([]byte, *tensor, error) {
	if !o.has(i) {
		return nil, nil, fmt.Errorf("input %d is missing", i)
	}
	t := &r.tensors[o.in[i]]
	n, err := t.size()
	if err != nil {
		return nil, t, r.about(t, "%w", err)
	}
	size := 0
	for _, k := range kinds {
		if k == t.kind {
			size = map[int]int{kindFloat32: 4, kindFloat16: 2, kindInt32: 4, kindInt64: 8, kindInt8: 1}[k]
		}
	}
	if size == 0 {
		return nil, t, r.about(t, "is %s: want %s", kindName(t.kind), kindList(kinds))
	}
	b, err := r.data(t)
	if err != nil {
		return nil, t, r.about(t, "%w", err)
	}
	if len(b) != n*size {
		return nil, t, r.about(t, "%d bytes of data: want a constant of %d for %v", len(b), n*size, t.dims)
	}
	return b, t, nil
}

// about is an error of a tensor.
func (r *reader) about(t *tensor, format string, args ...any) error {
	return fmt.Errorf("tensor %s at offset %d: %w", quote(t.name), t.at, fmt.Errorf(format, args...))
}

func kindList(kinds []int) (s string) {
	for i, k := range kinds {
		if i > 0 {
			s += " or "
		}
		s += kindName(k)
	}
	return s
}

// ints are a constant of integers of at most limit elements.
func (r *reader) ints(o *operator, i, limit int) ([]int, error) {
	if o.has(i) {
		if v := r.integers[o.in[i]]; v != nil && len(v) <= limit {
			return append([]int(nil), v...), nil
		}
	}
	b, t, err := r.constant(o, i, kindInt32, kindInt64)
	if err != nil {
		return nil, err
	}
	size := 4
	if t.kind == kindInt64 {
		size = 8
	}
	if len(b)/size > limit {
		return nil, r.about(t, "%d elements: want at most %d", len(b)/size, limit)
	}
	v := make([]int, len(b)/size)
	for j := range v {
		if size == 4 {
			v[j] = int(int32(binary.LittleEndian.Uint32(b[4*j:])))
		} else {
			v[j] = int(int64(binary.LittleEndian.Uint64(b[8*j:])))
		}
	}
	return v, nil
}

// floats are a constant's numbers in the file's order: float32, float16, or int8 times its
// scale. Their memory has been counted.
func (r *reader) floats(o *operator, i int) ([]float32, *tensor, error) {
	if o.has(i) {
		if f := r.folded[o.in[i]]; f != nil {
			return f, &r.tensors[o.in[i]], nil
		}
	}
	b, t, err := r.constant(o, i, kindFloat32, kindFloat16, kindInt8)
	if err != nil {
		return nil, t, err
	}
	n, _ := t.size()
	if err := r.take(t, n, 4); err != nil {
		return nil, t, err
	}
	f := make([]float32, n)
	switch t.kind {
	case kindFloat32:
		for j := range f {
			f[j] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*j:]))
		}
	case kindFloat16:
		for j := range f {
			f[j] = half(binary.LittleEndian.Uint16(b[2*j:]))
		}
	default:
		if len(t.scale) != 1 {
			return nil, t, r.about(t, "%d scales: want one", len(t.scale))
		}
		for j := range f {
			f[j] = float32(int64(int8(b[j]))-t.zero[0]) * t.scale[0]
		}
	}
	return f, t, nil
}

// take counts the memory of n elements of size bytes made from a tensor.
func (r *reader) take(t *tensor, n, size int) error {
	if err := r.budget.take(int64(n) * int64(size)); err != nil {
		return r.about(t, "%w", err)
	}
	return nil
}

// half is the number that IEEE 754's binary16 stands for.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, int(h>>10&31), uint32(h&1023)
	switch exp {
	case 0:
		f := float32(frac) * 0x1p-24
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 31:
		return math.Float32frombits(sign | 255<<23 | frac<<13)
	}
	return math.Float32frombits(sign | uint32(exp+127-15)<<23 | frac<<13)
}

// placing says of place j of a layer's row o, in the graph's order, where it is in the file.
type placing func(o, j int) int

// weights are a layer's rows·k constants and biases, for an input of the given scale (0:
// float32). axis is the dimension that may have a scale for each index.
func (r *reader) weights(o *operator, rows, k, axis int, in float32, at placing) (graph.Weights, error) {
	var w graph.Weights
	if f := r.folded[o.in[1]]; f != nil {
		if err := r.take(&r.tensors[o.in[1]], rows*k, 4); err != nil {
			return w, err
		}
		w.Float = make([]float32, rows*k)
		for row := range rows {
			for j := range k {
				w.Float[row*k+j] = f[at(row, j)]
			}
		}
		return w, r.biases(o, &w, rows, in)
	}
	b, t, err := r.constant(o, 1, kindFloat32, kindInt8)
	if err != nil {
		return w, err
	}
	if err := r.take(t, rows*k, map[int]int{kindFloat32: 4, kindInt8: 1}[t.kind]); err != nil {
		return w, err
	}
	if t.kind == kindFloat32 {
		w.Float = make([]float32, rows*k)
		if in != 0 {
			return w, r.about(t, "float32 weights of an int8 input: want INT8")
		}
		for row := range rows {
			for j := range k {
				w.Float[row*k+j] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*at(row, j):]))
			}
		}
		return w, r.biases(o, &w, rows, in)
	}
	if len(t.scale) != 1 && (len(t.scale) != rows || t.axis != axis) {
		return w, r.about(t, "%d scales along dimension %d: want one, or %d along %d", len(t.scale), t.axis, rows, axis)
	}
	for _, z := range t.zero {
		if z != 0 {
			return w, r.about(t, "zero point %d: want 0 for weights", z)
		}
	}
	w.Scale = append(w.Scale, t.scale...)
	w.Int8 = make([]int8, rows*k)
	for row := range rows {
		for j := range k {
			w.Int8[row*k+j] = int8(b[at(row, j)])
		}
	}
	return w, r.biases(o, &w, rows, in)
}

// biases adds input 2, if it is there, to w: float32, or int32 in steps of the input's
// scale times the weights'.
func (r *reader) biases(o *operator, w *graph.Weights, rows int, in float32) error {
	if !o.has(2) {
		return nil
	}
	if in == 0 {
		f, t, err := r.floats(o, 2)
		if err != nil {
			return err
		}
		if len(f) != rows {
			return r.about(t, "%d biases: want %d", len(f), rows)
		}
		w.Bias = f
		return nil
	}
	b, t, err := r.constant(o, 2, kindInt32)
	if err != nil {
		return err
	}
	if len(b) != 4*rows {
		return r.about(t, "%d biases: want %d", len(b)/4, rows)
	}
	if err := r.take(t, rows, 8); err != nil {
		return err
	}
	w.Bias, w.IntBias = make([]float32, rows), make([]int32, rows)
	for row := range rows {
		q := int32(binary.LittleEndian.Uint32(b[4*row:]))
		w.IntBias[row] = q
		w.Bias[row] = float32(float64(q) * float64(in) * float64(w.Scale[row%len(w.Scale)]))
	}
	return nil
}

// sameKind checks that a value that an operator reads and the one that it gives are both
// float32 or both int8, and returns the input's scale.
func (r *reader) sameKind(o *operator, in *tensor) error {
	out := &r.tensors[o.out[0]]
	if in.kind != out.kind {
		return fmt.Errorf("input %s is %s, output %s is %s: want one type", quote(in.name), kindName(in.kind), quote(out.name), kindName(out.kind))
	}
	if in.kind == kindInt8 {
		r.integer = true
	}
	return nil
}

// sameScale is sameKind for operators that do not rescale.
func (r *reader) sameScale(o *operator, in *tensor) error {
	if err := r.sameKind(o, in); err != nil {
		return err
	}
	out := &r.tensors[o.out[0]]
	if in.kind == kindInt8 && (len(in.scale) != 1 || len(out.scale) != 1 || in.scale[0] != out.scale[0] || in.zero[0] != out.zero[0]) {
		return fmt.Errorf("input %s and output %s have different scales or zero points: want the same", quote(in.name), quote(out.name))
	}
	return nil
}
