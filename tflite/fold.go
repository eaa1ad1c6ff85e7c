package tflite

import (
	"errors"
	"fmt"
)

// Keras leaves arithmetic on shapes behind where the batch is open: SHAPE, STRIDED_SLICE,
// PACK, RESHAPE. It is done when the file is read, for the batch that the file states.

// shapeOf reads SHAPE: the dimensions of a value.
func (r *reader) shapeOf(o *operator) error {
	_, t, err := r.value(o, 0)
	if err != nil {
		return err
	}
	dims := make([]int, len(t.dims))
	for i, d := range t.dims {
		if dims[i] = d; d == -1 {
			dims[i] = r.batch
		}
	}
	return r.known(o, dims)
}

// known notes the integers that an operator gives.
func (r *reader) known(o *operator, v []int) error {
	t := &r.tensors[o.out[0]]
	if t.kind != kindInt32 && t.kind != kindInt64 {
		return fmt.Errorf("output %s is %s: want INT32 or INT64", quote(t.name), kindName(t.kind))
	}
	if r.integers[o.out[0]] != nil || r.values[o.out[0]] != nil {
		return fmt.Errorf("tensor %s: given twice", quote(t.name))
	}
	r.integers[o.out[0]] = v
	return nil
}

// stridedSlice reads STRIDED_SLICE of a list of integers.
func (r *reader) stridedSlice(o *operator) error {
	v, err := r.ints(o, 0, maxRank)
	if err != nil {
		return err
	}
	var at [3]int // begin, end, stride
	for i := range at {
		k, err := r.ints(o, i+1, 1)
		if err != nil {
			return err
		}
		if len(k) != 1 {
			return fmt.Errorf("input %d has %d elements: want 1", i+1, len(k))
		}
		at[i] = k[0]
	}
	n := len(v)
	for i := range 2 {
		if at[i] < 0 {
			at[i] += n
		}
		at[i] = min(max(at[i], 0), n)
	}
	begin, end, stride := at[0], at[1], at[2]
	for i, name := range []string{"begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"} {
		if o.options.int32(i, 0, name)&1 == 0 {
			continue
		}
		switch i {
		case 0:
			begin = 0
		case 1:
			end = n
		case 4:
			end = begin + 1
		default:
			return fmt.Errorf("%s: not supported", name)
		}
	}
	if stride < 1 || begin >= end || end > n {
		return fmt.Errorf("from %d to %d by %d of %d integers: want some of them", begin, end, stride, n)
	}
	var out []int
	for i := begin; i < end; i += min(stride, n) {
		out = append(out, v[i])
	}
	return r.known(o, out)
}

// pack reads PACK of single integers.
func (r *reader) pack(o *operator) error {
	if len(o.in) > maxRank {
		return fmt.Errorf("%d inputs: want at most %d", len(o.in), maxRank)
	}
	var out []int
	for i := range o.in {
		v, err := r.ints(o, i, 1)
		if err != nil {
			return err
		}
		if len(v) != 1 {
			return fmt.Errorf("input %d has %d elements: want 1", i, len(v))
		}
		out = append(out, v[0])
	}
	return r.known(o, out)
}

// checkShape compares a reshaping's wanted dimensions, where they were computed, with those
// that the file states for what it gives.
func (r *reader) checkShape(o *operator) error {
	if !o.has(1) || r.integers[o.in[1]] == nil {
		return nil
	}
	want, out := r.integers[o.in[1]], &r.tensors[o.out[0]]
	if len(want) != len(out.dims) {
		return fmt.Errorf("shape %v: output %s has dimensions %v", want, quote(out.name), out.dims)
	}
	for i, d := range want {
		if d != -1 && d != out.dims[i] && (i != 0 || d != r.batch) {
			return fmt.Errorf("shape %v: output %s has dimensions %v", want, quote(out.name), out.dims)
		}
	}
	return nil
}

// squeezed reads SQUEEZE and EXPAND_DIMS: dimensions of 1 come and go, as the output's own
// say.
func (r *reader) squeezed(o *operator) error {
	var in, out []int
	for _, l := range []struct {
		t  int
		to *[]int
	}{{o.in[0], &in}, {o.out[0], &out}} {
		if l.t < 0 {
			return errors.New("input 0 is missing")
		}
		for _, d := range r.tensors[l.t].dims {
			if d != 1 {
				*l.to = append(*l.to, d)
			}
		}
	}
	if fmt.Sprint(in) != fmt.Sprint(out) {
		return fmt.Errorf("dimensions %v to %v: want the same but for those of 1", r.tensors[o.in[0]].dims, r.tensors[o.out[0]].dims)
	}
	return r.reshape(o)
}
