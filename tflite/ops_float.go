package tflite

import (
	"fmt"

	"macroscope/graph"
)

// Operators that are read of float32 values alone.

// inFloats refuses what is not float32.
func inFloats(t *tensor) error {
	if t.kind != kindFloat32 {
		return fmt.Errorf("input %s is %s: want FLOAT32", quote(t.name), kindName(t.kind))
	}
	return nil
}

// floatValue is input 0, of float32 as the output must be.
func (r *reader) floatValue(o *operator) (*graph.Value, error) {
	v, t, err := r.value(o, 0)
	if err != nil {
		return nil, err
	}
	if err := inFloats(t); err != nil {
		return nil, err
	}
	return v, r.sameKind(o, t)
}

// function is one of graph.FuncNames on every element.
func (r *reader) function(o *operator, name string) error {
	v, err := r.floatValue(o)
	if err != nil {
		return err
	}
	return r.chain(o, []*graph.Value{v}, &graph.Func{Name: name})
}

func (r *reader) leakyReLU(o *operator) error {
	v, err := r.floatValue(o)
	if err != nil {
		return err
	}
	return r.chain(o, []*graph.Value{v}, &graph.PReLU{Slope: []float32{o.options.float32(0, "alpha")}})
}

// prelu has a slope for each channel, or one.
func (r *reader) prelu(o *operator) error {
	v, err := r.floatValue(o)
	if err != nil {
		return err
	}
	slope, t, err := r.floats(o, 1)
	if err != nil {
		return err
	}
	if n := len(slope); n != 1 && (n != v.Shape.Channels() || len(t.dims) == 0 || t.dims[len(t.dims)-1] != n) {
		return r.about(t, "slopes of dimensions %v: want one, or one for each of %d channels", t.dims, v.Shape.Channels())
	}
	return r.chain(o, []*graph.Value{v}, &graph.PReLU{Slope: slope})
}

// transpose puts the dimensions behind the batch into another order.
func (r *reader) transpose(o *operator) error {
	in, t, err := r.value(o, 0)
	if err != nil {
		return err
	}
	if err := r.sameScale(o, t); err != nil {
		return err
	}
	perm, err := r.ints(o, 1, maxRank)
	if err != nil {
		return err
	}
	rank, seen := len(t.dims), [maxRank]bool{}
	for i, p := range perm {
		if len(perm) != rank || p < 0 || p >= rank || seen[p] || i == 0 && p != 0 {
			return fmt.Errorf("dimensions %v in the order %v: want each once, the batch first", t.dims, perm)
		}
		seen[p] = true
	}
	to, err := r.shape(&r.tensors[o.out[0]])
	if err != nil {
		return err
	}
	// Where the graph has the file's dimensions, [N H W C], [N W C] or [N F], and back.
	here := [][]int{{-1, 0}, {-1, 2, 0}, {-1, 1, 2, 0}}[rank-2]
	view, order := make([]int, len(in.Shape)), make([]int, len(in.Shape))
	for i, d := range in.Shape {
		view[i], order[i] = d, i
	}
	for i, p := range perm[1:] {
		order[here[i+1]] = here[p]
	}
	return r.chain(o, []*graph.Value{in}, &graph.Transpose{View: view, Perm: order, To: to})
}
