package onnx

import (
	"errors"
	"fmt"
	"slices"

	"macroscope/graph"
	"macroscope/onnx/internal/onnxpb"
)

// input begins the graph with the one input that is not an initializer.
func (r *reader) input() error {
	var in *onnxpb.ValueInfoProto
	n := 0
	for _, v := range r.g.Input {
		if o, ok := r.named[v.GetName()]; !ok || o.constant == nil {
			in, n = v, n+1
		}
	}
	if n != 1 {
		return fmt.Errorf("%d inputs that are not initializers: want 1", n)
	}
	t := in.GetType().GetTensorType()
	given, ok := r.options.Inputs[in.GetName()]
	for name := range r.options.Inputs {
		if name != in.GetName() {
			return fmt.Errorf("input %s: want %s, the only one", quote(name), quote(in.GetName()))
		}
	}
	if ok {
		if t != nil && t.Shape != nil && len(t.Shape.Dim) != len(given) {
			return fmt.Errorf("input %s: a shape of %d dimensions was given, %v: want %d as in the file, the batch first", quote(in.GetName()), len(given), given, len(t.Shape.Dim))
		}
		t = givenShape(t, given)
	}
	if t == nil || t.Shape == nil {
		return fmt.Errorf("input %s: want a tensor with a shape", quote(in.GetName()))
	}
	switch kind := onnxpb.TensorProto_DataType(t.GetElemType()); {
	case computed(kind):
	case kind == onnxpb.TensorProto_UINT8 && r.onlyCast(in.GetName()):
	default:
		return fmt.Errorf("input %s: data type %s: want FLOAT, DOUBLE, FLOAT16 or BFLOAT16, or UINT8 that Cast alone reads", quote(in.GetName()), kind)
	}
	dims := t.Shape.Dim
	if len(dims) < 2 || len(dims) > maxRank {
		return fmt.Errorf("input %s: %d dimensions: want [batch, C, H, W], [batch, C, L] or [batch, F], at most %d", quote(in.GetName()), len(dims), maxRank)
	}
	if r.batch = max(dims[0].GetDimValue(), 0); r.batch == 0 {
		r.batch = int64(max(r.options.Batch, 0))
	}
	view := graph.Shape{}
	for i, d := range dims[1:] {
		v := d.GetDimValue()
		if v < 1 || v > graph.MaxElements {
			was := fmt.Sprint(v)
			if p := d.GetDimParam(); p != "" {
				was = quote(p)
			}
			return fmt.Errorf("input %s: dimension %d is %s: want a number from 1 to %d (only the first, the batch, may be open; --input NAME:1x3x32x32 gives a shape)",
				quote(in.GetName()), i+1, was, graph.MaxElements)
		}
		view = append(view, int(v))
	}
	name := r.g.GetName()
	if len(name) > 80 {
		name = name[:80]
	}
	if err := bounded(view); err != nil {
		return fmt.Errorf("input %s: %w", quote(in.GetName()), err)
	}
	r.b = graph.New(name, in.GetName(), lying(view))
	o := operand{value: r.b.Input()}
	if len(view) != len(o.value.Shape) {
		o.view = view
	}
	r.named[in.GetName()] = o
	r.nodes, r.plain, r.signs, r.aliases = map[string]int{}, map[*graph.Value]bool{}, map[*graph.Value]bool{}, map[*graph.Value]bool{}
	if err := r.b.Err(); err != nil {
		return fmt.Errorf("input %s: %w", quote(in.GetName()), errors.Unwrap(err))
	}
	return nil
}

// computed says whether values of a type are computed, all in float32.
func computed(kind onnxpb.TensorProto_DataType) bool {
	switch kind {
	case onnxpb.TensorProto_FLOAT, onnxpb.TensorProto_DOUBLE, onnxpb.TensorProto_FLOAT16, onnxpb.TensorProto_BFLOAT16:
		return true
	}
	return false
}

// onlyCast says whether nothing reads a value but Cast.
func (r *reader) onlyCast(name string) bool {
	for _, n := range r.g.Node {
		if slices.Contains(n.Input, name) && (n.GetOpType() != "Cast" || domain(n.GetDomain()) != "") {
			return false
		}
	}
	return true
}

// givenShape is t with another shape.
func givenShape(t *onnxpb.TypeProto_Tensor, dims []int) *onnxpb.TypeProto_Tensor {
	s := &onnxpb.TensorShapeProto{}
	for _, d := range dims {
		s.Dim = append(s.Dim, &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)}})
	}
	kind := t.GetElemType()
	return &onnxpb.TypeProto_Tensor{ElemType: &kind, Shape: s}
}
