package onnx

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"macroscope/graph"
	"macroscope/onnx/internal/onnxpb"
)

// A Dialect is a way to write what ONNX has no operator for: the sign that is
// never 0, and weights of ±1.
type Dialect int

const (
	// QONNX marks both with BipolarQuant (domain qonnx.custom_op.general, version
	// 1; https://github.com/fastmachinelearning/qonnx), as tools for binary networks
	// read it. ONNX Runtime does not know it.
	QONNX Dialect = iota
	// Plain has ONNX's own operators alone: a sign is Where(GreaterOrEqual(x, 0), 1,
	// −1), since ONNX's Sign gives 0 at 0; weights are the numbers ±1. Every
	// step is exact, so that a runtime's ±1 differ from ours only where x itself does.
	Plain
)

// WriteOptions say how to write; the zero value is QONNX without metadata.
type WriteOptions struct {
	Binary   Dialect
	Version  string            // of the program, as the file's producer version
	Metadata map[string]string // the file's metadata properties, any keys
}

const (
	// Of ONNX 1.10 (2021) and 1.8 (2020), https://github.com/onnx/onnx/blob/main/docs/Versioning.md;
	// opset 13 is the first with a scale for each channel.
	writeIR, writeOpset = 8, 13

	producer    = "macroscope"
	qonnxDomain = "qonnx.custom_op.general"
)

// Write writes g as an ONNX file: opset 13, or the first that has all its operators (24
// for the newest, Swish), IR version 8, the batch open ("N"),
// weights inside, the same bytes for the same graph and options. Nodes and values
// keep their names; what ONNX needs in addition is named after them, behind a
// slash or a point.
//
// An int8 value is followed by QuantizeLinear and DequantizeLinear, which its
// readers read; int8 weights go through DequantizeLinear with a scale for each
// channel or one. Biases stay float32, which QDQ allows: package nn adds them
// unrounded as well, while an int32 bias would be off by up to half of
// s_x·s_w (ONNX Runtime rounds it so by itself, unless its optimizer
// WeightBiasQuantization is disabled). QuantizeLinear saturates at −128, we at
// −127: they differ for what lies below −127.5·s only.
//
// A stream stays float32; its scale is in the file's quantization annotations, which
// Read understands and other runtimes need not.
//
// Read gives the same graph again, except that
//
//   - a layer's float weights are not in an int8 file: Float comes back nil;
//   - nodes that the output does not need, and the flattening of a vector, are gone;
//   - a PadValue without padding is gone, a Pad that a convolution reads is part of it;
//   - reshaping twice is reshaping once; a Transpose gives what it sees, and a Reshape
//     follows where it gave another shape;
//   - an index of the largest channel is cast to a number by a node of its own name;
//   - in Plain, ±1 weights come back as Binary only on values of ±1.
//
// It is an error if g is none that graph.Check accepts, if it has no node, or if
// the file would be larger than MaxFileSize; nothing is written then.
func Write(w io.Writer, g *graph.Graph, o WriteOptions) error {
	data, err := encode(g, o)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

func encode(g *graph.Graph, o WriteOptions) ([]byte, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	m, err := build(g, o)
	if err != nil {
		return nil, fmt.Errorf("graph %q: %w", g.Name, err)
	}
	if n := proto.Size(m); n > MaxFileSize {
		return nil, fmt.Errorf("graph %q: %d bytes as ONNX: want at most %d", g.Name, n, MaxFileSize)
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

func build(g *graph.Graph, o WriteOptions) (*onnxpb.ModelProto, error) {
	if g.Output == g.Input {
		return nil, errors.New("the output is the input unchanged: want a node")
	}
	w := newWriter(g, o.Binary)
	w.g.Input = []*onnxpb.ValueInfoProto{valueInfo(g.Input.Name, g.Input.Shape)}
	w.round(g.Input)
	w.annotate(g.Input)
	for _, n := range g.Nodes {
		if err := w.node(n); err != nil {
			return nil, fmt.Errorf("node %q (%s): %w", n.Name, n.Op.Kind(), err)
		}
		w.round(n.Out)
		w.annotate(n.Out)
	}
	w.g.Output = []*onnxpb.ValueInfoProto{valueInfo(w.read(g.Output), g.Output.Shape)}
	m := &onnxpb.ModelProto{
		IrVersion:    proto.Int64(writeIR),
		ProducerName: proto.String(producer),
		Graph:        w.g,
		OpsetImport:  []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(w.opset)}},
	}
	if w.qonnx {
		m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String(qonnxDomain), Version: proto.Int64(1)})
	}
	if o.Version != "" {
		m.ProducerVersion = proto.String(o.Version)
	}
	if symmetric(g) {
		m.MetadataProps = append(m.MetadataProps, &onnxpb.StringStringEntryProto{Key: proto.String(lowestKey), Value: proto.String(lowestSymmetric)})
	}
	for _, k := range slices.Sorted(maps.Keys(o.Metadata)) {
		m.MetadataProps = append(m.MetadataProps, &onnxpb.StringStringEntryProto{Key: proto.String(k), Value: proto.String(o.Metadata[k])})
	}
	return m, nil
}

// QuantizeLinear of zero point 0 gives −128 for what lies below the range, where a
// symmetric one stops at −127, and has no attribute to say so. So a file whose ranges are
// symmetric says it among its metadata. Other programs, which do not know the property,
// round such values one step lower.
const (
	lowestKey       = "macroscope.lowest_int8"
	lowestSymmetric = "-127"
)

// symmetric says that −128 stands for nothing in values of zero point 0, of which there
// are some.
func symmetric(g *graph.Graph) bool {
	some := false
	values := []*graph.Value{g.Input}
	for _, n := range g.Nodes {
		values = append(values, n.Out)
	}
	for _, v := range values {
		if v.Full {
			return false
		}
		some = some || v.Scale != 0 && v.Zero == 0
	}
	return some
}

// valueInfo is a float tensor's name and shape behind an open batch.
func valueInfo(name string, s graph.Shape) *onnxpb.ValueInfoProto {
	dims := []*onnxpb.TensorShapeProto_Dimension{{Value: &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "N"}}}
	for _, d := range s {
		dims = append(dims, &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)}})
	}
	return &onnxpb.ValueInfoProto{Name: proto.String(name), Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
		TensorType: &onnxpb.TypeProto_Tensor{
			ElemType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)),
			Shape:    &onnxpb.TensorShapeProto{Dim: dims},
		},
	}}}
}

// writer collects the ONNX graph.
type writer struct {
	g       *onnxpb.GraphProto
	dialect Dialect
	qonnx   bool  // its domain is used
	opset   int64 // what the operators need

	values, nodes map[string]bool // names taken
	rounded       map[*graph.Value]string
	shared        map[string]string // constants that several nodes read: what they are → name
}

func newWriter(g *graph.Graph, d Dialect) *writer {
	w := &writer{
		g: &onnxpb.GraphProto{Name: proto.String(g.Name)}, dialect: d, opset: writeOpset,
		values: map[string]bool{g.Input.Name: true}, nodes: map[string]bool{},
		rounded: map[*graph.Value]string{}, shared: map[string]string{},
	}
	for _, n := range g.Nodes {
		w.nodes[n.Name], w.values[n.Out.Name] = true, true
	}
	return w
}

// free takes a name that nobody has: the one given, or one that begins with it.
func free(taken map[string]bool, name string) string {
	base := name
	for i := 2; taken[name]; i++ {
		name = fmt.Sprint(base, i)
	}
	taken[name] = true
	return name
}

// read is the name under which others read v: that of its rounding, if it is int8.
func (w *writer) read(v *graph.Value) string {
	if name, ok := w.rounded[v]; ok {
		return name
	}
	return v.Name
}

// op appends a node of ONNX's own domain and returns it.
func (w *writer) op(kind, name, out string, in []string, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	n := &onnxpb.NodeProto{OpType: proto.String(kind), Name: proto.String(name), Input: in, Output: []string{out}, Attribute: attrs}
	w.g.Node = append(w.g.Node, n)
	return n
}

// extra appends a node that has none in the graph and returns its output's name:
// owner's name, what it is to it.
func (w *writer) extra(kind, owner, what string, in []string, attrs ...*onnxpb.AttributeProto) string {
	out := free(w.values, owner+what)
	w.op(kind, free(w.nodes, owner+what), out, in, attrs...)
	return out
}

// round puts QuantizeLinear and DequantizeLinear behind an int8 value.
func (w *writer) round(v *graph.Value) {
	if v.Scale == 0 {
		return
	}
	scale := w.floats(v.Name+".scale", nil, v.Scale)
	zero := w.number("zero_point", int8Tensor(nil, 0))
	if v.Zero != 0 {
		zero = w.number(fmt.Sprintf("zero_point_%d", v.Zero), int8Tensor(nil, v.Zero))
	}
	q := w.extra("QuantizeLinear", v.Name, "/quantized", []string{v.Name, scale, zero})
	w.rounded[v] = w.extra("DequantizeLinear", v.Name, "/dequantized", []string{q, scale, zero})
}

// tensor adds a constant and returns its name.
func (w *writer) tensor(name string, t *onnxpb.TensorProto) string {
	name = free(w.values, name)
	t.Name = proto.String(name)
	w.g.Initializer = append(w.g.Initializer, t)
	return name
}

func (w *writer) floats(name string, dims []int64, f ...float32) string {
	return w.tensor(name, rawFloats(dims, f))
}

// number is a constant that is the same wherever key is asked for.
func (w *writer) number(key string, t *onnxpb.TensorProto) string {
	if _, ok := w.shared[key]; !ok {
		w.shared[key] = w.tensor(key, t)
	}
	return w.shared[key]
}
