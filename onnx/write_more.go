package onnx

import (
	"fmt"
	"math"
	"strings"

	"google.golang.org/protobuf/proto"

	"macroscope/graph"
	"macroscope/onnx/internal/onnxpb"
)

// onnxFuncs has the ONNX operator of each graph.Func, the operator set that brought it,
// where that is newer than writeOpset, and its parameters' names.
var onnxFuncs = map[string]struct {
	op     string
	opset  int64
	params []string
}{
	"abs": {op: "Abs"}, "ceil": {op: "Ceil"}, "celu": {op: "Celu", params: []string{"alpha"}}, "elu": {op: "Elu", params: []string{"alpha"}},
	"erf": {op: "Erf"}, "exp": {op: "Exp"}, "floor": {op: "Floor"}, "gelu": {op: "Gelu", opset: 20}, "gelutanh": {op: "Gelu", opset: 20},
	"hardsigmoid": {op: "HardSigmoid", params: []string{"alpha", "beta"}}, "hardswish": {op: "HardSwish", opset: 14}, "log": {op: "Log"},
	"mish": {op: "Mish", opset: 18}, "neg": {op: "Neg"}, "reciprocal": {op: "Reciprocal"}, "round": {op: "Round"},
	"selu": {op: "Selu", params: []string{"alpha", "gamma"}}, "sigmoid": {op: "Sigmoid"}, "softplus": {op: "Softplus"}, "softsign": {op: "Softsign"},
	"sqrt": {op: "Sqrt"}, "swish": {op: "Swish", opset: 24, params: []string{"alpha"}}, "tanh": {op: "Tanh"},
}

func (w *writer) function(n *graph.Node, f *graph.Func, in []string) {
	k := onnxFuncs[f.Name]
	w.opset = max(w.opset, k.opset)
	var attrs []*onnxpb.AttributeProto
	for i, name := range k.params {
		attrs = append(attrs, attrFloat(name, []float32{f.Alpha, f.Beta}[i]))
	}
	if f.Name == "gelutanh" {
		attrs = append(attrs, attrString("approximate", "tanh"))
	}
	w.op(k.op, n.Name, n.Out.Name, in, attrs...)
}

// list is a constant list of integers, named after them.
func (w *writer) list(v ...int) string {
	name := strings.NewReplacer(" ", "_", "[", "", "]", "", "-", "m").Replace(fmt.Sprint(v))
	if len(name) > 40 {
		name = fmt.Sprintf("%s_and_more_%d", name[:40], len(w.shared))
	}
	return w.number("ints_"+name, rawInts(v...))
}

// behind is a list of dimensions with the batch, copied, before them.
func (w *writer) behind(dims []int) string { return w.list(append([]int{0}, dims...)...) }

// transpose looks at the input as the op does, and gives the output its shape.
func (w *writer) transpose(n *graph.Node, t *graph.Transpose, in string) {
	if !n.In[0].Shape.Equal(t.View) {
		in = w.extra("Reshape", n.Name, "/view", []string{in, w.behind(t.View)})
	}
	perm, result := []int{0}, graph.Shape{}
	for _, p := range t.Perm {
		perm, result = append(perm, p+1), append(result, t.View[p])
	}
	if result.Equal(t.To) {
		w.op("Transpose", n.Name, n.Out.Name, []string{in}, attrInts("perm", perm...))
		return
	}
	in = w.extra("Transpose", n.Name, "/transposed", []string{in}, attrInts("perm", perm...))
	w.op("Reshape", n.Name, n.Out.Name, []string{in, w.behind(t.To)})
}

func (w *writer) slice(n *graph.Node, s *graph.Slice, in string) {
	var starts, ends, axes, steps []int
	for i := range n.In[0].Shape {
		end := s.Start[i] + (s.Size[i]-1)*s.Step[i] + 1
		if s.Step[i] < 0 {
			if end -= 2; end < 0 {
				end = math.MinInt32 // before the first, where −1 would be the last
			}
		}
		starts, ends, axes, steps = append(starts, s.Start[i]), append(ends, end), append(axes, i+1), append(steps, s.Step[i])
	}
	w.op("Slice", n.Name, n.Out.Name, []string{in, w.list(starts...), w.list(ends...), w.list(axes...), w.list(steps...)})
}

func (w *writer) pad(n *graph.Node, p *graph.Pad, in string) {
	before, after := []int{0}, []int{0}
	for i := range n.In[0].Shape {
		before, after = append(before, p.Before[i]), append(after, p.After[i])
	}
	inputs := []string{in, w.list(append(before, after...)...)}
	if p.Mode == graph.PadConstant {
		inputs = append(inputs, w.number(fmt.Sprintf("pad_value_%g", p.Value), rawFloats(nil, []float32{p.Value})))
	}
	w.op("Pad", n.Name, n.Out.Name, inputs, attrString("mode", p.Mode.String()))
}

func (w *writer) averagePool(n *graph.Node, p *graph.AveragePool, in []string) {
	attrs := []*onnxpb.AttributeProto{
		attrInts("kernel_shape", p.KH, p.KW), attrInts("pads", p.PadTop, p.PadLeft, p.PadBottom, p.PadRight), attrInts("strides", p.StrideH, p.StrideW),
	}
	if dh, dw := p.Dilations(); dh > 1 || dw > 1 {
		w.opset = max(w.opset, 19) // AveragePool's first with dilations
		attrs = append(attrs, attrInts("dilations", dh, dw))
	}
	if p.CountPad {
		attrs = append(attrs, attrInt("count_include_pad", 1))
	}
	w.op("AveragePool", n.Name, n.Out.Name, in, attrs...)
}

func (w *writer) maxPool(n *graph.Node, p *graph.MaxPool, in []string) {
	attrs := []*onnxpb.AttributeProto{
		attrInts("kernel_shape", p.KH, p.KW), attrInts("pads", p.PadTop, p.PadLeft, p.PadBottom, p.PadRight), attrInts("strides", p.StrideH, p.StrideW),
	}
	if dh, dw := p.Dilations(); dh > 1 || dw > 1 {
		attrs = append(attrs, attrInts("dilations", dh, dw))
	}
	w.op("MaxPool", n.Name, n.Out.Name, in, attrs...)
}

// constant writes values for all images; nobody asks for them by way of a node.
func (w *writer) constant(n *graph.Node, k *graph.Constant) {
	dims := []int64{1}
	for _, d := range k.To {
		dims = append(dims, int64(d))
	}
	t := rawFloats(dims, k.Values)
	w.op("Constant", n.Name, n.Out.Name, nil, &onnxpb.AttributeProto{Name: proto.String("value"), Type: onnxpb.AttributeProto_TENSOR.Enum(), T: t})
}

// argMax gives integers, which are cast back: a graph's values are float32.
func (w *writer) argMax(n *graph.Node, a *graph.ArgMax, in string) {
	last := int64(0)
	if a.Last {
		last = 1
	}
	index := w.extra("ArgMax", n.Name, "/index", []string{in}, attrInt("axis", 1), attrInt("keepdims", 1), attrInt("select_last_index", last))
	w.op("Cast", n.Name, n.Out.Name, []string{index}, attrInt("to", int64(onnxpb.TensorProto_FLOAT)))
}
