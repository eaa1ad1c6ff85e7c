package tflite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"macroscope/graph"
)

// Kinds of tensors, schema.fbs's enum TensorType.
const (
	kindFloat32 = 0
	kindFloat16 = 1
	kindInt32   = 2
	kindInt64   = 4
	kindInt8    = 9
)

var kindNames = [...]string{"FLOAT32", "FLOAT16", "INT32", "UINT8", "INT64", "STRING", "BOOL", "INT16", "COMPLEX64", "INT8"}

func kindName(k int) string {
	if k >= 0 && k < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("type %d", k)
}

// model is a file's main subgraph, decoded; weights stay where they lie.
type model struct {
	f         *flat
	budget    budget
	version   int
	name      string
	about     string // the file's description
	buffers   []int  // places of tables
	tensors   []tensor
	operators []operator
	in, out   []int // tensors
}

// tensor is a value or a constant of the file.
type tensor struct {
	at     int // in the file
	name   string
	dims   []int // the batch first
	kind   int
	buffer int
	scale  []float32 // none, one, or one for each index of axis
	zero   []int64   // as many as scales
	axis   int
}

// operator is a node of the file.
type operator struct {
	at          int // in the file
	index, code int
	custom      string
	in, out     []int // tensors, −1 for an input that is left out
	options     table
	optionsType int
	spaced      *spaced // of a convolution that is read with what is around it
}

func (o *operator) String() string { return opName(o.code, o.custom) }

// A budget is the memory that reading may still take.
type budget int64

// newBudget allows 4 times the file's size, of which the file itself is one, and 64 MiB,
// of which 8 are left for everything that is not counted.
func newBudget(size int) budget { return budget(3*int64(size) + spare) }

var spare int64 = 56 << 20 // tests have less of it

// take counts n bytes, or says that they are too many.
func (b *budget) take(n int64) error {
	if *b -= budget(n); *b < 0 {
		return errors.New("needs more memory than 4 times the file's size and 64 MiB")
	}
	return nil
}

// What the reader itself keeps for each tensor and operator, the graph's nodes and values
// included. Rounded up.
const (
	tensorCost   = 768
	operatorCost = 2048
)

// parse decodes a file.
func parse(data []byte) (*model, error) {
	if len(data) < 8 || string(data[4:8]) != "TFL3" {
		return nil, errors.New(`not a TFLite model: bytes 4 to 7 are not "TFL3"`)
	}
	m := &model{f: newFlat(data), budget: newBudget(len(data))}
	root := m.f.table(m.f.target(0, "model"), "model")
	m.version = root.int32(0, 0, "model.version")
	if m.f.err == nil && m.version != 3 {
		return nil, fmt.Errorf("schema version %d: want 3", m.version)
	}
	m.about = root.string(3, "model.description")
	codes := root.tables(1, "model.operator_codes")
	subgraphs := root.tables(2, "model.subgraphs")
	m.buffers = root.tables(4, "model.buffers")
	if m.f.err != nil {
		return nil, m.f.err
	}
	if len(subgraphs) == 0 {
		return nil, errors.New("no subgraph: want one")
	}
	if err := m.budget.take(int64(len(codes)+len(m.buffers)) * 64); err != nil {
		return nil, err
	}
	return m, m.subgraph(m.f.table(subgraphs[0], "subgraph"), codes)
}

func (m *model) subgraph(t table, codes []int) error {
	m.name = t.string(4, "subgraph.name")
	m.in, m.out = t.ints(1, "subgraph.inputs"), t.ints(2, "subgraph.outputs")
	tensors, operators := t.tables(0, "subgraph.tensors"), t.tables(3, "subgraph.operators")
	if m.f.err != nil {
		return m.f.err
	}
	if err := m.budget.take(tensorCost*int64(len(tensors)) + operatorCost*int64(len(operators))); err != nil {
		return err
	}
	m.tensors = make([]tensor, len(tensors))
	for i, at := range tensors {
		if err := m.tensor(&m.tensors[i], m.f.table(at, "tensor")); err != nil {
			return fmt.Errorf("tensor %d %s: %w", i, quote(m.tensors[i].name), err)
		}
	}
	m.operators = make([]operator, len(operators))
	for i, at := range operators {
		if err := m.operator(&m.operators[i], i, m.f.table(at, "operator"), codes); err != nil {
			return fmt.Errorf("operator %d: %w", i, err)
		}
	}
	for _, list := range [][]int{m.in, m.out} {
		for _, i := range list {
			if i < 0 || i >= len(m.tensors) {
				return fmt.Errorf("subgraph: input or output is tensor %d: there are %d", i, len(m.tensors))
			}
		}
	}
	return nil
}

func (m *model) tensor(x *tensor, t table) error {
	x.at = t.at
	x.name = strings.ToValidUTF8(t.string(3, "tensor.name"), "?")
	x.dims = t.ints(0, "tensor.shape")
	x.kind = t.int8(1, "tensor.type")
	x.buffer = t.int32(2, 0, "tensor.buffer")
	if q := t.child(4, "tensor.quantization"); q.at != 0 {
		b, _ := q.vector(2, 4, "quantization.scale")
		for ; len(b) > 0; b = b[4:] {
			x.scale = append(x.scale, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
		b, _ = q.vector(3, 8, "quantization.zero_point")
		for ; len(b) > 0; b = b[8:] {
			x.zero = append(x.zero, int64(binary.LittleEndian.Uint64(b)))
		}
		x.axis = q.int32(6, 0, "quantization.quantized_dimension")
		if q.int8(4, "quantization.details") != 0 {
			m.f.fail(q.at, "custom quantization: want scales and zero points")
		}
	}
	if t.child(6, "tensor.sparsity").at != 0 {
		m.f.fail(t.at, "a sparse tensor: want a dense one")
	}
	if m.f.err != nil {
		return m.f.err
	}
	if err := m.budget.take(int64(16*len(x.dims) + 8*len(x.scale) + 16*len(x.zero))); err != nil {
		return err
	}
	if x.buffer < 0 || x.buffer >= max(1, len(m.buffers)) {
		return fmt.Errorf("offset %d: buffer %d: there are %d", x.at, x.buffer, len(m.buffers))
	}
	if len(x.zero) == 0 {
		x.zero = make([]int64, len(x.scale))
	}
	if len(x.zero) != len(x.scale) {
		return fmt.Errorf("offset %d: %d scales and %d zero points: want as many", x.at, len(x.scale), len(x.zero))
	}
	if len(x.dims) > maxRank {
		return fmt.Errorf("offset %d: %d dimensions: want at most %d", x.at, len(x.dims), maxRank)
	}
	for _, s := range x.scale {
		if !(s > 0) || math.IsInf(float64(s), 0) {
			return fmt.Errorf("offset %d: scale %g: want a positive number", x.at, s)
		}
	}
	return nil
}

// maxRank is the most dimensions of a tensor.
const maxRank = 8

func (m *model) operator(o *operator, index int, t table, codes []int) error {
	o.at, o.index = t.at, index
	code := t.int32(0, 0, "operator.opcode_index")
	o.in, o.out = t.ints(1, "operator.inputs"), t.ints(2, "operator.outputs")
	o.optionsType = t.int8(3, "operator.builtin_options_type")
	if o.optionsType != 0 {
		o.options = t.child(4, "operator.builtin_options")
	} else {
		o.options = table{f: m.f}
	}
	if m.f.err != nil {
		return m.f.err
	}
	if err := m.budget.take(int64(16 * (len(o.in) + len(o.out)))); err != nil {
		return err
	}
	if code < 0 || code >= len(codes) {
		return fmt.Errorf("offset %d: operator code %d: there are %d", o.at, code, len(codes))
	}
	c := m.f.table(codes[code], "operator code")
	// Codes past 127 are in the second field; the first is the older one.
	o.code = max(c.int8(0, "deprecated_builtin_code"), c.int32(3, 0, "builtin_code"))
	o.custom = c.string(1, "custom_code")
	if m.f.err != nil {
		return m.f.err
	}
	for _, list := range [][]int{o.in, o.out} {
		for _, i := range list {
			if i < -1 || i >= len(m.tensors) {
				return fmt.Errorf("%s: offset %d: tensor %d: there are %d", o, o.at, i, len(m.tensors))
			}
		}
	}
	return nil
}

// data is a constant's bytes; nil for a tensor that has none.
func (m *model) data(x *tensor) ([]byte, error) {
	if x.buffer == 0 || x.buffer >= len(m.buffers) { // buffer 0 is always empty
		return nil, nil
	}
	// Operators may share a constant. What they make of it is counted, not the looking.
	defer func(left int) { m.f.left = left }(m.f.left)
	t := m.f.table(m.buffers[x.buffer], "buffer")
	b, _ := t.vector(0, 1, "buffer.data")
	if m.f.err == nil && len(b) == 0 {
		// Of files past 2 GiB the data stand behind the flatbuffer; 0 and 1 mean that they do not.
		if off := t.uint64(1, "buffer.offset"); off > 1 {
			size := t.uint64(2, "buffer.size")
			if off > uint64(len(m.f.data)) || size > uint64(len(m.f.data))-off {
				return nil, fmt.Errorf("offset %d: buffer %d: %d bytes at %d: the file ends at %d", t.at, x.buffer, size, off, len(m.f.data))
			}
			b = m.f.bytes(int(off), int(size), "buffer")
		}
	}
	return b, m.f.err
}

// size is the number of elements that dims claim.
func (x *tensor) size() (int, error) {
	n := 1
	for _, d := range x.dims {
		if d < 1 || d > graph.MaxElements/n {
			return 0, fmt.Errorf("dimensions %v: want extents from 1, at most %d elements", x.dims, graph.MaxElements)
		}
		n *= d
	}
	return n, nil
}

// quote is s in quotes, cut where a hostile file made it long.
func quote(s string) string {
	if len(s) > 80 {
		return fmt.Sprintf("%q...", s[:80])
	}
	return fmt.Sprintf("%q", s)
}
