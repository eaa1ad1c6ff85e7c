package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"macroscope/graph"
	"macroscope/onnx/internal/onnxpb"
)

// Exporters leave arithmetic on shapes behind: Shape, Gather, Unsqueeze, Concat, Reshape.
// All of it is done when the file is read. The batch, which a file may leave open, is a
// number of its own, batchDim, that goes through what only moves numbers about.

// batchDim stands for the batch among dimensions; no real dimension is negative.
const batchDim = math.MinInt64 + 28

// shapeString is a list of dimensions for messages, the batch as "batch".
func shapeString(dims []int64) string {
	words := make([]string, len(dims))
	for i, d := range dims[:min(len(dims), maxRank)] {
		if words[i] = fmt.Sprint(d); d == batchDim {
			words[i] = "batch"
		}
	}
	return "[" + strings.Join(words, " ") + "]"
}

// folders compute operators on constants alone.
var folders map[string]func(*call) (*constant, error)

func init() { // not where it is declared: its functions lead back to it
	folders = map[string]func(*call) (*constant, error){
		".Abs":             foldFunc("abs"),
		".Add":             foldArith(func(x, y int64) (int64, bool) { return x + y, true }, func(x, y float32) float32 { return x + y }, 0),
		".Cast":            foldCast,
		".Ceil":            foldFloat(math.Ceil),
		".Clip":            foldClip,
		".Concat":          foldConcat,
		".ConstantOfShape": foldConstantOfShape,
		".Div":             foldArith(divided, func(x, y float32) float32 { return x / y }, 1),
		".Exp":             foldFloat(math.Exp),
		".Expand":          foldExpand,
		".Floor":           foldFloat(math.Floor),
		".Gather":          foldGather,
		".Mul":             foldArith(func(x, y int64) (int64, bool) { return x * y, true }, func(x, y float32) float32 { return x * y }, 1),
		".Neg":             foldFloat(func(x float64) float64 { return -x }),
		".Pow":             foldPow,
		".Range":           foldRange,
		".Reciprocal":      foldFloat(func(x float64) float64 { return 1 / x }),
		".ReduceL1":        foldReduce(18, plusSize, 0, asItIs),
		".ReduceL2":        foldReduce(18, plusSquare, 0, rootOf),
		".ReduceMax":       foldReduce(18, math.Max, math.Inf(-1), asItIs),
		".ReduceMean":      foldReduce(18, plus, 0, perElement),
		".ReduceMin":       foldReduce(18, math.Min, math.Inf(1), asItIs),
		".ReduceProd":      foldReduce(18, timesFactor, 1, asItIs),
		".ReduceSum":       foldReduce(13, plus, 0, asItIs),
		".Reshape":         foldReshape,
		".Shape":           foldShape,
		".Slice":           foldSlice,
		".Sqrt":            foldFloat(math.Sqrt),
		".Squeeze":         foldSqueeze,
		".Sub":             foldArith(func(x, y int64) (int64, bool) { return x - y, true }, func(x, y float32) float32 { return x - y }, 0),
		".Transpose":       foldTranspose,
		".Unsqueeze":       foldUnsqueeze,
	}
}

// fold computes a node whose inputs are all constants; false where they are not, or
// where the operator is none that is computed here.
func (c *call) fold() (bool, error) {
	f, ok := folders[operatorKey(c.node)]
	if !ok || len(c.in) == 0 {
		return false, nil
	}
	for _, o := range c.in {
		if o.value != nil || o.begun != nil {
			return false, nil
		}
	}
	k, err := f(c)
	if c.err != nil {
		err = c.err
	}
	if err != nil {
		return true, err
	}
	return true, c.bind(operand{constant: k})
}

// foldOnly refuses an operator on a computed value.
func foldOnly(*call) error {
	return errors.New("computed from the graph's input: want constants alone")
}

// integers says whether k holds integers.
func (k *constant) integers() bool {
	switch k.kind() {
	case onnxpb.TensorProto_FLOAT, onnxpb.TensorProto_DOUBLE, onnxpb.TensorProto_FLOAT16, onnxpb.TensorProto_BFLOAT16:
		return false
	}
	return true
}

// picked is k's elements from the given places, as dims.
func (c *call) picked(i int, k *constant, dims, from []int) *constant {
	out := &constant{dims: dims, signs: k.signs}
	if !c.take(8 * len(from)) {
		return out
	}
	if k.integers() {
		out.i = pickedFrom(c.ints(i, k), from)
		return out
	}
	out.f = pickedFrom(c.floats(i, k), from)
	return out
}

func pickedFrom[T any](v []T, from []int) []T {
	if v == nil {
		return nil
	}
	out := make([]T, len(from))
	for i, j := range from {
		out[i] = v[j]
	}
	return out
}

// absent says whether k has no data, so that all its elements are the same zeros, in
// whatever order.
func (k *constant) absent() bool { return k.zero || k.of != nil && k.of.absent() }

// again is k with other dimensions.
func (k *constant) again(dims []int) *constant {
	c := *k
	c.dims = dims
	if q := k.quantized; q != nil && len(q.scale) > 1 {
		c.quantized = nil // the axis is another one now
		if c.f == nil {
			c.of = k
		}
	}
	return &c
}

// places is 0…n−1, counted into the budget.
func (c *call) places(n int) []int {
	if !c.take(8 * n) {
		return nil
	}
	at := make([]int, n)
	for i := range at {
		at[i] = i
	}
	return at
}

func foldShape(c *call) (*constant, error) {
	k := c.must(0)
	rank := int64(len(k.dims))
	start, end := c.attrInt("start", 0), c.attrInt("end", rank)
	if err := c.done(1); err != nil {
		return nil, err
	}
	for _, at := range []*int64{&start, &end} {
		if *at < 0 {
			*at += rank
		}
		*at = min(max(*at, 0), rank)
	}
	if start >= end {
		return nil, errors.New("an empty list of dimensions: not supported")
	}
	out := &constant{i: []int64{}}
	for _, d := range k.dims[start:end] {
		out.i = append(out.i, int64(d))
	}
	out.dims = []int{len(out.i)}
	return out, nil
}

// foldClip clips weights, of which Brevitas's QCDQ says so that they have few bits.
func foldClip(c *call) (*constant, error) {
	k := c.must(0)
	if c.opset < 11 { // bounds are attributes
		lo, hi := c.attrFloat("min", -math.MaxFloat32), c.attrFloat("max", math.MaxFloat32)
		return c.clipped(k, []float32{lo}, []float32{hi}, nil, nil, 1)
	}
	var f [2][]float32
	var n [2][]int64
	for i := range 2 {
		if b := c.constant(i + 1); b != nil {
			if b.integers() != k.integers() || b.size() != 1 {
				c.fail("input %d: want one number of the type of input 0", i+1)
			} else if k.integers() {
				n[i] = c.ints(i+1, b)
			} else {
				f[i] = c.floats(i+1, b)
			}
		}
	}
	return c.clipped(k, f[0], f[1], n[0], n[1], 3)
}

// clipped is k between bounds of its type; an empty one is none.
func (c *call) clipped(k *constant, lo, hi []float32, least, most []int64, inputs int) (*constant, error) {
	out := &constant{dims: k.dims}
	if k.integers() {
		v := c.ints(0, k)
		if err := c.done(inputs); err != nil || !c.take(8*len(v)) {
			return nil, cmp.Or(err, c.err)
		}
		out.as, out.i = k.kind(), bounds(v, least, most)
		return out, nil
	}
	v := c.floats(0, k)
	if err := c.done(inputs); err != nil || !c.take(4*len(v)) {
		return nil, cmp.Or(err, c.err)
	}
	out.f = bounds(v, lo, hi)
	return out, nil
}

func bounds[T float32 | int64](v, lo, hi []T) []T {
	out := slices.Clone(v)
	for i, x := range out {
		for _, b := range lo {
			x = max(x, b)
		}
		for _, b := range hi {
			x = min(x, b)
		}
		out[i] = x
	}
	return out
}

func foldCast(c *call) (*constant, error) {
	k := c.must(0)
	to := onnxpb.TensorProto_DataType(c.attrInt("to", 0))
	c.attrInt("saturate", 1)
	c.attrString("round_mode", "up")
	if err := c.done(1); err != nil {
		return nil, err
	}
	n := k.size()
	if !c.take(8 * n) {
		return nil, c.err
	}
	out := &constant{dims: k.dims}
	switch to {
	case onnxpb.TensorProto_FLOAT, onnxpb.TensorProto_DOUBLE, onnxpb.TensorProto_FLOAT16:
		if !k.integers() {
			return k, nil
		}
		out.f = make([]float32, n)
		for i, v := range c.ints(0, k) {
			if v == batchDim {
				if c.batch == 0 {
					return nil, errors.New("the batch, which is open, as a float number")
				}
				v = c.batch
			}
			out.f[i] = float32(v)
		}
	case onnxpb.TensorProto_INT64, onnxpb.TensorProto_INT32:
		if k.integers() {
			return k, nil
		}
		out.i = make([]int64, n)
		for i, v := range c.floats(0, k) {
			if !(v >= math.MinInt32 && v <= math.MaxInt32) {
				return nil, fmt.Errorf("element %d is %g: want an int32", i, v)
			}
			out.i[i] = int64(v)
		}
	default:
		return nil, fmt.Errorf("constants cast to %s: want FLOAT, INT32 or INT64", to)
	}
	return out, nil
}

func foldFloat(f func(float64) float64) func(*call) (*constant, error) {
	return func(c *call) (*constant, error) {
		k := c.must(0)
		v := c.floats(0, k)
		if err := c.done(1); err != nil || !c.take(4*len(v)) {
			return nil, err
		}
		out := &constant{dims: k.dims, f: make([]float32, len(v))}
		for i, x := range v {
			out.f[i] = float32(f(float64(x)))
		}
		return out, nil
	}
}

func divided(x, y int64) (int64, bool) {
	if y == 0 {
		return 0, false
	}
	return x / y, true
}

// foldArith computes an operator whose right neutral element is given: with that the
// batch stays the batch.
func foldArith(ints func(x, y int64) (int64, bool), floats func(x, y float32) float32, neutral int64) func(*call) (*constant, error) {
	return func(c *call) (*constant, error) {
		a, b := c.must(0), c.must(1)
		if err := c.done(2); err != nil {
			return nil, err
		}
		dims, at, bt, err := c.broadcast(a.dims, b.dims)
		if err != nil {
			return nil, err
		}
		out := &constant{dims: dims}
		if !a.integers() || !b.integers() {
			x, y := c.floats(0, a), c.floats(1, b)
			if c.err != nil || !c.take(4*len(at)) {
				return nil, c.err
			}
			out.f = make([]float32, len(at))
			for i := range at {
				out.f[i] = floats(x[at[i]], y[bt[i]])
			}
			return out, nil
		}
		x, y := c.ints(0, a), c.ints(1, b)
		if c.err != nil || !c.take(8*len(at)) {
			return nil, c.err
		}
		out.i = make([]int64, len(at))
		for i := range at {
			u, v := x[at[i]], y[bt[i]]
			if u == batchDim && v == neutral {
				out.i[i] = u
				continue
			}
			for _, p := range []*int64{&u, &v} {
				if *p == batchDim {
					if c.batch == 0 {
						return nil, errors.New("arithmetic on the batch, which is open: fix it")
					}
					*p = c.batch
				}
			}
			ok := false
			if out.i[i], ok = ints(u, v); !ok || max(u, -u, v, -v) > math.MaxInt32 {
				return nil, fmt.Errorf("%d and %d: want integers whose result is one of 64 bits", u, v)
			}
		}
		return out, nil
	}
}

// broadcast gives the common dimensions of two constants, and for each of their elements
// the place in a and in b.
func (c *call) broadcast(a, b []int) (dims, at, bt []int, err error) {
	rank := max(len(a), len(b))
	a = append(slices.Repeat([]int{1}, rank-len(a)), a...)
	b = append(slices.Repeat([]int{1}, rank-len(b)), b...)
	for i := range a {
		d := max(a[i], b[i])
		if a[i] != d && a[i] != 1 || b[i] != d && b[i] != 1 {
			return nil, nil, nil, fmt.Errorf("dimensions %v and %v: want equal ones, or 1", graph.Shape(a), graph.Shape(b))
		}
		dims = append(dims, d)
	}
	if err := bounded(dims); err != nil {
		return nil, nil, nil, err
	}
	n := graph.Shape(dims).Size()
	if !c.take(32 * n) {
		return nil, nil, nil, c.err
	}
	along := func(from []int) []int {
		places := []int{0}
		for i, d := range dims {
			next := make([]int, 0, len(places)*d)
			for _, base := range places {
				for j := range d {
					next = append(next, base*from[i]+min(j, from[i]-1))
				}
			}
			places = next
		}
		return places
	}
	return dims, along(a), along(b), nil
}
