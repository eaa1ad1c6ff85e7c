// Package tflite reads TFLite files into graphs: float32 networks, and int8 networks that
// compute in integers from input to output.
//
// It understands networks of one input and one output with the operators that [Operators]
// lists, on values whose first dimension is the batch. A TFLite image is [N H W C], pixel
// after pixel; the graph's is [C H W] without the batch, as everywhere in this program, so
// that weights are put into that order and images come in as planes. Vectors stay.
//
// An int8 network's graph is one of integers (graph.TFLite): its values have scale and zero
// point, biases are integers, and whoever runs it can compute what TFLite's reference kernels
// compute, bit for bit; with Integer set to graph.LiteRT, what those of ai-edge-litert 2 do.
//
// Everything else is refused by operator, tensor and file offset. A file is not trusted:
// whatever it holds, reading ends with a graph that graph.Check accepts or with one error
// that says where, having taken at most 4 times the file's size and 64 MiB of memory.
package tflite

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"macroscope/graph"
	"macroscope/internal/regular"
)

// MaxFileSize is the largest file that is read, a flatbuffer's own limit.
const MaxFileSize = 1<<31 - 1

// IsFile says whether a path is named as TFLite files are.
func IsFile(path string) bool { return strings.EqualFold(filepath.Ext(path), ".tflite") }

// ReadFile reads the TFLite file at path, which must be a regular file.
func ReadFile(path string) (*graph.Graph, error) {
	data, err := regular.ReadFile(path, MaxFileSize)
	if err != nil {
		return nil, err
	}
	return Read(data, path)
}

// Read reads a TFLite file's bytes; name stands for the file in errors. The graph shares
// no memory with data.
func Read(data []byte, name string) (*graph.Graph, error) {
	m, err := parse(data)
	if err == nil {
		var g *graph.Graph
		if g, err = newReader(m).read(); err == nil {
			return g, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", name, err)
}

// reader makes a graph of a model.
type reader struct {
	*model
	b        *graph.Builder
	batch    int
	values   map[int]*graph.Value
	shapes   map[int]graph.Shape // of images that became vectors in the graph's order, by tensor
	folded   map[int][]float32   // constants that an operator made of constants
	integers map[int][]int       // integers that operators made, by tensor
	readers  map[int][]*operator
	spaced   map[int]*spaced // what SPACE_TO_BATCH_ND gave, and a convolution of that, by tensor
	names    map[string]int  // how many others wanted each
	integer  bool            // some operator computes in integers
}

func newReader(m *model) *reader {
	r := &reader{
		model: m, values: map[int]*graph.Value{}, shapes: map[int]graph.Shape{}, folded: map[int][]float32{}, integers: map[int][]int{}, readers: map[int][]*operator{},
		spaced: map[int]*spaced{}, names: map[string]int{},
	}
	for i := range m.operators {
		o := &m.operators[i]
		for _, t := range o.in {
			r.readers[t] = append(r.readers[t], o)
		}
	}
	return r
}

func (r *reader) read() (*graph.Graph, error) {
	if len(r.in) != 1 || len(r.out) != 1 {
		return nil, fmt.Errorf("%d inputs and %d outputs: want one of each", len(r.in), len(r.out))
	}
	if err := r.input(r.in[0]); err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	for i := range r.operators {
		o := &r.operators[i]
		if err := r.operator(o); err != nil {
			return nil, fmt.Errorf("%s: %w", r.place(o), err)
		}
	}
	out := r.values[r.out[0]]
	if out == nil {
		return nil, fmt.Errorf("output %s: no operator gives it", quote(r.tensors[r.out[0]].name))
	}
	g, err := r.b.Graph(out)
	if err != nil {
		return nil, err
	}
	if r.integer {
		g.Integer = graph.TFLite
	}
	return g, g.Check()
}

func (r *reader) input(i int) error {
	t := &r.tensors[i]
	if len(t.dims) < 2 {
		return fmt.Errorf("tensor %s: dimensions %v: want a batch and more", quote(t.name), t.dims)
	}
	// The batch that the file leaves open is written −1, or 1.
	if r.batch = t.dims[0]; r.batch == -1 {
		r.batch = 1
	}
	s, err := r.shape(t)
	if err != nil {
		return err
	}
	name := r.name(t)
	g := r.model.name
	if g == "" {
		g = "main"
	}
	r.b = graph.New(strings.ToValidUTF8(g, "?"), name, s)
	if r.b.Err() != nil {
		return r.b.Err()
	}
	return r.give(i, r.b.Input())
}

// shape is a value's in the graph: [C H W] of [N H W C], [C 1 W] of [N W C], [F] of [N F].
func (r *reader) shape(t *tensor) (graph.Shape, error) {
	d := t.dims
	if len(d) < 2 || len(d) > 4 || d[0] != r.batch && d[0] != -1 {
		return nil, fmt.Errorf("tensor %s: dimensions %v: want 2 to 4 of them, the first the batch of %d", quote(t.name), d, r.batch)
	}
	var s graph.Shape
	switch len(d) {
	case 2:
		s = graph.Shape{d[1]}
	case 3:
		s = graph.Shape{d[2], 1, d[1]}
	default:
		s = graph.Shape{d[3], d[1], d[2]}
	}
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("tensor %s: %w", quote(t.name), err)
	}
	return s, nil
}

// name is a short name for a tensor's value that no other has: converters join the names
// of all that an operator absorbed by semicolons.
func (r *reader) name(t *tensor) string {
	base, _, _ := strings.Cut(t.name, ";")
	if base == "" {
		base = "value"
	}
	return r.unique(base)
}

// unique is a name that nobody has, s if possible.
func (r *reader) unique(s string) string {
	for name := s; ; name = fmt.Sprintf("%s#%d", s, r.names[s]) {
		if _, taken := r.names[name]; !taken {
			r.names[name] = 0
			return name
		}
		r.names[s]++
	}
}

// give binds a value, the last node's output or the graph's input, to the tensor that it
// is, and checks that it is what the file says.
func (r *reader) give(i int, v *graph.Value) error {
	if err := r.b.Err(); err != nil {
		return err
	}
	t := &r.tensors[i]
	if r.values[i] != nil {
		return fmt.Errorf("tensor %s: given twice", quote(t.name))
	}
	want, err := r.shape(t)
	if err != nil {
		return err
	}
	if !want.Equal(v.Shape) {
		return fmt.Errorf("tensor %s: dimensions %v, in this order %v: want %v", quote(t.name), t.dims, want, v.Shape)
	}
	switch t.kind {
	case kindFloat32:
	case kindInt8:
		if len(t.scale) != 1 || t.zero[0] < -128 || t.zero[0] > 127 {
			return fmt.Errorf("tensor %s: %d scales, zero points %v: want one scale and a zero point of -128 to 127", quote(t.name), len(t.scale), t.zero[:min(3, len(t.zero))])
		}
		v.Scale, v.Zero = t.scale[0], int8(t.zero[0])
	default:
		return fmt.Errorf("tensor %s is %s: want FLOAT32 or INT8", quote(t.name), kindName(t.kind))
	}
	r.values[i] = v
	return nil
}

// An operatorReader reads one operator: it adds nodes to the builder and gives its output.
type operatorReader struct {
	code    int
	options int // schema.fbs's enum BuiltinOptions; 0: it has none that matter
	in      [2]int
	read    func(r *reader, o *operator) error
}

var operatorReaders = []operatorReader{
	{opAdd, 11, [2]int{2, 2}, func(r *reader, o *operator) error { return r.arith(o, &graph.Add{}) }},
	{opAveragePool, 5, [2]int{1, 1}, (*reader).pool},
	{opBatchToSpace, 24, [2]int{3, 3}, (*reader).batchToSpace},
	{opConcatenation, 10, [2]int{1, math.MaxInt}, (*reader).concat},
	{opConv, 1, [2]int{2, 3}, (*reader).conv},
	{opDepthwiseConv, 2, [2]int{2, 3}, (*reader).depthwise},
	{opDequantize, 0, [2]int{1, 1}, (*reader).dequantize},
	{opDiv, 29, [2]int{2, 2}, func(r *reader, o *operator) error { return r.arith(o, &graph.Div{}) }},
	{opExpandDims, 0, [2]int{2, 2}, (*reader).squeezed},
	{opFullyConnected, 8, [2]int{2, 3}, (*reader).fullyConnected},
	{opHardSwish, 91, [2]int{1, 1}, func(r *reader, o *operator) error { return r.function(o, "hardswish") }},
	{opLeakyReLU, 75, [2]int{1, 1}, (*reader).leakyReLU},
	{opLogistic, 0, [2]int{1, 1}, func(r *reader, o *operator) error { return r.function(o, "sigmoid") }},
	{opMaxPool, 5, [2]int{1, 1}, (*reader).pool},
	{opMean, 27, [2]int{2, 2}, (*reader).mean},
	{opMul, 21, [2]int{2, 2}, func(r *reader, o *operator) error { return r.arith(o, &graph.Mul{}) }},
	{opPad, 0, [2]int{2, 2}, (*reader).pad},
	{opPack, 59, [2]int{1, maxRank}, (*reader).pack},
	{opPadV2, 0, [2]int{3, 3}, (*reader).pad},
	{opPReLU, 0, [2]int{2, 2}, (*reader).prelu},
	{opQuantize, 0, [2]int{1, 1}, (*reader).quantize},
	{opReLU, 0, [2]int{1, 1}, func(r *reader, o *operator) error { return r.clamp(o, &graph.ReLU{}) }},
	{opReLU6, 0, [2]int{1, 1}, func(r *reader, o *operator) error { return r.clamp(o, &graph.Clip{Lo: 0, Hi: 6}) }},
	{opReLUN1To1, 0, [2]int{1, 1}, func(r *reader, o *operator) error { return r.clamp(o, &graph.Clip{Lo: -1, Hi: 1}) }},
	{opReshape, 0, [2]int{1, 2}, (*reader).reshape},
	{opShape, 0, [2]int{1, 1}, (*reader).shapeOf},
	{opSoftmax, 9, [2]int{1, 1}, (*reader).softmax},
	{opSpaceToBatch, 25, [2]int{3, 3}, (*reader).spaceToBatch},
	{opSqueeze, 0, [2]int{1, 1}, (*reader).squeezed},
	{opStridedSlice, 32, [2]int{4, 4}, (*reader).stridedSlice},
	{opSub, 28, [2]int{2, 2}, func(r *reader, o *operator) error { return r.arith(o, &graph.Sub{}) }},
	{opTanh, 0, [2]int{1, 1}, func(r *reader, o *operator) error { return r.function(o, "tanh") }},
	{opTranspose, 26, [2]int{2, 2}, (*reader).transpose},
}

// Operators lists the operators that are read, in alphabetical order.
func Operators() []string {
	var names []string
	for _, o := range operatorReaders {
		names = append(names, builtins[o.code])
	}
	slices.Sort(names)
	return names
}

func known(code int) *operatorReader {
	for i := range operatorReaders {
		if operatorReaders[i].code == code {
			return &operatorReaders[i]
		}
	}
	return nil
}

func (r *reader) operator(o *operator) error {
	k := known(o.code)
	if k == nil {
		return errors.New("not supported; macroscope inspect --operators lists what is")
	}
	if len(o.in) < k.in[0] || len(o.in) > k.in[1] {
		return fmt.Errorf("%d inputs: want %d to %d", len(o.in), k.in[0], k.in[1])
	}
	if len(o.out) != 1 || o.out[0] < 0 {
		return fmt.Errorf("%d outputs: want 1", len(o.out))
	}
	if k.options != 0 && o.optionsType != k.options && o.optionsType != 0 {
		return fmt.Errorf("options of type %d: want %d", o.optionsType, k.options)
	}
	if err := k.read(r, o); err != nil {
		return err
	}
	return r.f.err
}
