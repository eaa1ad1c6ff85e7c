package onnx

import (
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
		".Add":             foldArith(func(x, y int64) (int64, bool) { return x + y, true }, func(x, y float32) float32 { return x + y }, 0),
		".Cast":            foldCast,
		".Ceil":            foldFloat(math.Ceil),
		".Concat":          foldConcat,
		".ConstantOfShape": foldConstantOfShape,
		".Div":             foldArith(divided, func(x, y float32) float32 { return x / y }, 1),
		".Exp":             foldFloat(math.Exp),
		".Floor":           foldFloat(math.Floor),
		".Gather":          foldGather,
		".Mul":             foldArith(func(x, y int64) (int64, bool) { return x * y, true }, func(x, y float32) float32 { return x * y }, 1),
		".Neg":             foldFloat(func(x float64) float64 { return -x }),
		".Range":           foldRange,
		".Reciprocal":      foldFloat(func(x float64) float64 { return 1 / x }),
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
	out := &constant{dims: dims, bipolar: k.bipolar}
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

// again is k with other dimensions.
func (k *constant) again(dims []int) *constant {
	c := *k
	c.dims = dims
	if q := k.quantized; q != nil && len(q.scale) > 1 {
		c.quantized = nil // the axis is another one now
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
	out := &constant{i: []int64{}}
	for _, d := range k.dims[start:max(start, end)] {
		out.i = append(out.i, int64(d))
	}
	out.dims = []int{len(out.i)}
	return out, nil
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

func foldConcat(c *call) (*constant, error) {
	a := c.attr("axis", onnxpb.AttributeProto_INT)
	first := c.must(0)
	if err := c.done(len(c.in)); err != nil {
		return nil, err
	}
	axis := int(a.GetI())
	if axis < 0 {
		axis += len(first.dims)
	}
	if a == nil || axis < 0 || axis >= len(first.dims) {
		return nil, fmt.Errorf("attribute axis: want one of %d dimensions", len(first.dims))
	}
	out := &constant{dims: slices.Clone(first.dims)}
	out.dims[axis] = 0
	for i := range c.in {
		k := c.must(i)
		if c.err != nil {
			return nil, c.err
		}
		rest := slices.Clone(k.dims)
		if len(rest) != len(out.dims) {
			return nil, fmt.Errorf("input %d has dimensions %v: want as many as %v", i, graph.Shape(rest), graph.Shape(first.dims))
		}
		out.dims[axis] += rest[axis]
		rest[axis] = first.dims[axis]
		if !slices.Equal(rest, first.dims) || k.integers() != first.integers() {
			return nil, fmt.Errorf("input %d has dimensions %v: want those of %v but for axis %d, and numbers of one kind", i, graph.Shape(k.dims), graph.Shape(first.dims), axis)
		}
	}
	if err := bounded(out.dims); err != nil || !c.take(8*graph.Shape(out.dims).Size()) {
		return nil, err
	}
	outer := graph.Shape(out.dims[:axis]).Size()
	for o := range outer {
		for i := range c.in {
			k := c.in[i].constant
			n := k.size() / outer
			if first.integers() {
				if v := c.ints(i, k); c.err == nil {
					out.i = append(out.i, v[o*n:(o+1)*n]...)
				}
			} else if v := c.floats(i, k); c.err == nil {
				out.f = append(out.f, v[o*n:(o+1)*n]...)
			}
		}
	}
	return out, nil
}

func foldConstantOfShape(c *call) (*constant, error) {
	to := c.ints(0, c.must(0))
	a := c.attr("value", onnxpb.AttributeProto_TENSOR)
	if err := c.done(1); err != nil {
		return nil, err
	}
	dims := make([]int, len(to))
	for i, d := range to {
		if d < 1 || d > graph.MaxElements {
			return nil, fmt.Errorf("a constant of dimensions %s: want numbers", shapeString(to))
		}
		dims[i] = int(d)
	}
	if len(dims) > maxRank {
		return nil, fmt.Errorf("%d dimensions: want at most %d", len(dims), maxRank)
	}
	if err := bounded(dims); err != nil {
		return nil, err
	}
	k := &constant{dims: []int{1}, f: []float32{0}}
	if a != nil {
		var err error
		if k, err = c.newConstant(a.GetT()); err != nil {
			return nil, err
		}
		if k.size() != 1 {
			return nil, fmt.Errorf("attribute value: %d elements: want 1", k.size())
		}
	}
	from := c.places(graph.Shape(dims).Size())
	clear(from)
	return c.picked(0, k, dims, from), nil
}

func foldRange(c *call) (*constant, error) {
	var v [3]int64
	for i := range v {
		x := c.ints(i, c.must(i))
		if c.err == nil && len(x) != 1 {
			c.fail("input %d has %d values: want 1", i, len(x))
		}
		if c.err == nil {
			v[i] = x[0]
		}
	}
	if err := c.done(3); err != nil {
		return nil, err
	}
	out := &constant{i: []int64{}}
	if v[2] == 0 || max(v[0], -v[0], v[1], -v[1], v[2], -v[2]) > math.MaxInt32 {
		return nil, fmt.Errorf("from %d to %d by %d: want int32 numbers, a step that is not 0", v[0], v[1], v[2])
	}
	if n := (v[1] - v[0]) / v[2]; n > 1<<16 {
		return nil, fmt.Errorf("from %d to %d by %d: want at most %d numbers", v[0], v[1], v[2], 1<<16)
	}
	for x := v[0]; (v[2] > 0) == (x < v[1]) && x != v[1]; x += v[2] {
		out.i = append(out.i, x)
	}
	if out.dims = []int{len(out.i)}; len(out.i) == 0 || !c.take(16*len(out.i)) {
		return nil, errors.New("an empty range")
	}
	return out, nil
}

func foldReshape(c *call) (*constant, error) {
	k := c.must(0)
	to := c.ints(1, c.must(1))
	zero := c.attrInt("allowzero", 0) != 0
	if err := c.done(2); err != nil {
		return nil, err
	}
	if len(to) > maxRank {
		return nil, fmt.Errorf("%d dimensions: want at most %d", len(to), maxRank)
	}
	dims, open, size := make([]int, len(to)), -1, 1
	for i, d := range to {
		switch {
		case d == -1 && open < 0:
			open, d = i, 1
		case d == 0 && !zero && i < len(k.dims):
			d = int64(k.dims[i])
		}
		if d < 1 || d > int64(graph.MaxElements/size) {
			return nil, fmt.Errorf("shape %s for %v: want as many elements", shapeString(to), graph.Shape(k.dims))
		}
		dims[i] = int(d)
		size *= dims[i]
	}
	if open >= 0 {
		dims[open] = k.size() / size
		size *= dims[open]
	}
	if size != k.size() {
		return nil, fmt.Errorf("shape %s for %v: want as many elements", shapeString(to), graph.Shape(k.dims))
	}
	return k.again(dims), nil
}

func foldSqueeze(c *call) (*constant, error) {
	k := c.must(0)
	axes, given := c.axes(13)
	if err := c.done(2); err != nil {
		return nil, err
	}
	var dims []int
	for i, d := range k.dims {
		drop := !given && d == 1
		for _, a := range axes {
			drop = drop || a == int64(i) || a == int64(i-len(k.dims))
		}
		if drop && d != 1 {
			return nil, fmt.Errorf("axis %d of %v: want a dimension of 1", i, graph.Shape(k.dims))
		}
		if !drop {
			dims = append(dims, d)
		}
	}
	return k.again(dims), nil
}

func foldUnsqueeze(c *call) (*constant, error) {
	k := c.must(0)
	axes, _ := c.axes(13)
	if err := c.done(2); err != nil {
		return nil, err
	}
	rank := len(k.dims) + len(axes)
	if rank > maxRank {
		return nil, fmt.Errorf("%d dimensions: want at most %d", rank, maxRank)
	}
	dims, left := make([]int, rank), k.dims
	for _, a := range axes {
		if a < 0 {
			a += int64(rank)
		}
		if a < 0 || a >= int64(rank) || dims[a] != 0 {
			return nil, fmt.Errorf("axes %v: want each of 0 to %d at most once", axes, rank-1)
		}
		dims[a] = 1
	}
	for i := range dims {
		if dims[i] == 0 {
			dims[i], left = left[0], left[1:]
		}
	}
	return k.again(dims), nil
}

func foldTranspose(c *call) (*constant, error) {
	k := c.must(0)
	a := c.attr("perm", onnxpb.AttributeProto_INTS)
	if err := c.done(1); err != nil {
		return nil, err
	}
	perm := make([]int, len(k.dims))
	for i := range perm {
		if perm[i] = len(perm) - 1 - i; a != nil && i < len(a.Ints) {
			perm[i] = int(min(max(a.Ints[i], -1), maxRank))
		}
	}
	dims := make([]int, len(perm))
	for _, p := range perm {
		if p < 0 || p >= len(perm) || dims[p] != 0 {
			return nil, fmt.Errorf("attribute perm: want each of 0 to %d once", len(perm)-1)
		}
		dims[p] = 1
	}
	if a != nil && len(a.Ints) != len(perm) {
		return nil, fmt.Errorf("attribute perm: %d numbers: want %d", len(a.Ints), len(perm))
	}
	for i, p := range perm {
		dims[i] = k.dims[p]
	}
	if len(perm) != 2 || perm[0] == 0 || k.integers() {
		t := graph.Transpose{View: k.dims, Perm: perm}
		if !c.take(16 * k.size()) {
			return nil, c.err
		}
		return c.picked(0, k, dims, t.Source(graph.Shape(k.dims))), nil
	}
	// A matrix of weights, which may be large.
	f := c.floats(0, k)
	if c.err != nil || !c.take(5*len(f)) {
		return nil, c.err
	}
	out := &constant{dims: dims, bipolar: k.bipolar, f: turned(f, dims[1], dims[0])}
	if q := k.quantized; q != nil {
		out.quantized = &quantization{turned(q.int8, dims[1], dims[0]), q.scale, 1 - q.axis}
	}
	return out, nil
}

// A cutting is a part of one dimension.
type cutting struct{ axis, start, step, size int }

// cutsOf is what Slice takes of dimensions, of which −1 is the batch: the whole of that
// is size −1.
func cutsOf(starts, ends, axes, steps []int64, dims []int) ([]cutting, error) {
	n := len(starts)
	if n > len(dims) || len(ends) != n || axes != nil && len(axes) != n || steps != nil && len(steps) != n {
		return nil, fmt.Errorf("%d starts, %d ends, %d axes, %d steps: want as many of each, at most %d", n, len(ends), len(axes), len(steps), len(dims))
	}
	var cuts []cutting
	seen := make([]bool, len(dims))
	for i := range starts {
		a, step := int64(i), int64(1)
		if axes != nil {
			a = axes[i]
		}
		if steps != nil {
			step = steps[i]
		}
		if a < 0 {
			a += int64(len(dims))
		}
		if a < 0 || a >= int64(len(dims)) || seen[a] || step == 0 || step == math.MinInt64 {
			return nil, fmt.Errorf("axes %v, steps %v: want each of 0 to %d at most once, steps that are not 0", axes, steps, len(dims)-1)
		}
		seen[a] = true
		d := int64(dims[a])
		start, end := starts[i], ends[i]
		if d < 0 {
			if start == 0 && step == 1 && (end >= math.MaxInt32 || end == batchDim) {
				cuts = append(cuts, cutting{int(a), 0, 1, -1})
				continue
			}
			cuts = append(cuts, cutting{int(a), 0, 1, 0})
			continue
		}
		for _, at := range []*int64{&start, &end} {
			if *at < 0 {
				*at = max(*at+d, math.MinInt32)
			}
		}
		var size int64
		if step > 0 {
			start, end = min(max(start, 0), d), min(max(end, 0), d)
			size = (end - start + step - 1) / step
		} else {
			start, end = min(max(start, 0), d-1), min(max(end, -1), d-1)
			size = (start - end - step - 1) / -step
		}
		if size < 1 {
			return nil, fmt.Errorf("from %d to %d by %d of dimension %d: nothing is left", starts[i], ends[i], step, d)
		}
		if size == 1 {
			step = 1
		}
		cuts = append(cuts, cutting{int(a), int(start), int(step), int(size)})
	}
	return cuts, nil
}

func foldSlice(c *call) (*constant, error) {
	k := c.must(0)
	starts, ends, axes, steps := c.sliceArguments()
	if err := c.done(5); err != nil {
		return nil, err
	}
	cuts, err := cutsOf(starts, ends, axes, steps, k.dims)
	if err != nil {
		return nil, err
	}
	dims, places := slices.Clone(k.dims), c.places(k.size())
	for _, cut := range cuts {
		index := make([]int, cut.size)
		for i := range index {
			index[i] = cut.start + i*cut.step
		}
		places, dims = taken(places, dims, cut.axis, index)
	}
	return c.picked(0, k, dims, places), nil
}

// taken is the elements of the given indices along an axis.
func taken(places, dims []int, axis int, index []int) (to, shape []int) {
	outer, n, inner := graph.Shape(dims[:axis]).Size(), dims[axis], graph.Shape(dims[axis+1:]).Size()
	for o := range outer {
		for _, i := range index {
			to = append(to, places[(o*n+i)*inner:][:inner]...)
		}
	}
	shape = slices.Clone(dims)
	shape[axis] = len(index)
	return to, shape
}

func foldGather(c *call) (*constant, error) {
	k, at := c.must(0), c.must(1)
	index := c.ints(1, at)
	axis := int(min(max(c.attrInt("axis", 0), -maxRank-1), maxRank))
	if err := c.done(2); err != nil {
		return nil, err
	}
	if axis < 0 {
		axis += len(k.dims)
	}
	if axis < 0 || axis >= len(k.dims) || len(at.dims) > 1 {
		return nil, fmt.Errorf("axis %d of %v, indices of dimensions %v: want one index or a list", axis, graph.Shape(k.dims), graph.Shape(at.dims))
	}
	from := make([]int, len(index))
	for i, x := range index {
		if x < 0 {
			x += int64(k.dims[axis])
		}
		if x < 0 || x >= int64(k.dims[axis]) {
			return nil, fmt.Errorf("index %d of %d: want 0 to %d", index[i], k.dims[axis], k.dims[axis]-1)
		}
		from[i] = int(x)
	}
	if len(index) > graph.MaxElements/k.size() || !c.take(16*(k.size()/k.dims[axis]*len(index)+k.size())) {
		return nil, fmt.Errorf("%d indices: too many", len(index))
	}
	places, dims := taken(c.places(k.size()), k.dims, axis, from)
	if len(at.dims) == 0 {
		dims = slices.Delete(dims, axis, axis+1)
	}
	return c.picked(0, k, dims, places), nil
}
