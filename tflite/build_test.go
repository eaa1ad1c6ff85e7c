package tflite

import (
	"encoding/binary"
	"math"
)

// A small writer of flatbuffers for tests: tables are written from the end to the start of
// what they name, each object at an offset of its own.

// obj is a table, a vector or a string to be written.
type obj interface{}

// tab is a table: its fields by number. Values are int8, int32, uint64, float32, or an obj
// that an offset names.
type tab map[int]obj

// build writes a file whose root is t.
func build(t tab) []byte {
	w := &writer{}
	w.b = append(w.b, 0, 0, 0, 0, 'T', 'F', 'L', '3')
	root := w.put(t)
	binary.LittleEndian.PutUint32(w.b, uint32(root))
	return w.b
}

type writer struct{ b []byte }

func (w *writer) align() {
	for len(w.b)%8 != 0 {
		w.b = append(w.b, 0)
	}
}

func (w *writer) u32(v uint32) { w.b = binary.LittleEndian.AppendUint32(w.b, v) }

// put writes o and gives its place. What it names is written after it, as offsets are
// unsigned.
func (w *writer) put(o obj) int {
	w.align()
	at := len(w.b)
	switch o := o.(type) {
	case string:
		w.u32(uint32(len(o)))
		w.b = append(w.b, o...)
		w.b = append(w.b, 0)
	case []byte:
		w.u32(uint32(len(o)))
		w.b = append(w.b, o...)
	case []int32:
		w.u32(uint32(len(o)))
		for _, v := range o {
			w.u32(uint32(v))
		}
	case []float32:
		w.u32(uint32(len(o)))
		for _, v := range o {
			w.u32(math.Float32bits(v))
		}
	case []int64:
		w.u32(uint32(len(o)))
		for _, v := range o {
			w.b = binary.LittleEndian.AppendUint64(w.b, uint64(v))
		}
	case []tab:
		w.u32(uint32(len(o)))
		places := len(w.b)
		for range o {
			w.u32(0)
		}
		for i, t := range o {
			w.link(places+4*i, t)
		}
	case tab:
		return w.table(o)
	}
	return at
}

// link writes o and at the place p the offset to it.
func (w *writer) link(p int, o obj) {
	at := w.put(o)
	binary.LittleEndian.PutUint32(w.b[p:], uint32(at-p))
}

func (w *writer) table(t tab) int {
	fields := 0
	for i := range t {
		fields = max(fields, i+1)
	}
	vt := len(w.b)
	w.b = append(w.b, make([]byte, 4+2*fields)...)
	w.align()
	at := len(w.b)
	w.u32(uint32(at - vt))
	type link struct {
		place int
		o     obj
	}
	var links []link
	for i := range fields {
		o, ok := t[i]
		if !ok {
			continue
		}
		binary.LittleEndian.PutUint16(w.b[vt+4+2*i:], uint16(len(w.b)-at))
		switch v := o.(type) {
		case int8:
			w.b = append(w.b, byte(v), 0, 0, 0)
		case int32:
			w.u32(uint32(v))
		case float32:
			w.u32(math.Float32bits(v))
		case uint64:
			w.b = binary.LittleEndian.AppendUint64(w.b, v)
		default:
			links = append(links, link{len(w.b), o})
			w.u32(0)
		}
	}
	binary.LittleEndian.PutUint16(w.b[vt:], uint16(4+2*fields))
	binary.LittleEndian.PutUint16(w.b[vt+2:], uint16(len(w.b)-at))
	for _, l := range links {
		w.link(l.place, l.o)
	}
	return at
}

// net is a network under construction: tensors, their data and operators.
type net struct {
	tensors, buffers, operators, codes []tab
	in, out                            int32
}

func newNet() *net { return &net{buffers: []tab{{}}} }

// tensor adds a tensor; data may be nil, quantization too.
func (n *net) tensor(name string, kind int8, dims []int32, data []byte, q tab) int32 {
	t := tab{0: dims, 1: kind, 2: int32(0), 3: name}
	if data != nil {
		t[2] = int32(len(n.buffers))
		n.buffers = append(n.buffers, tab{0: data})
	}
	if q != nil {
		t[4] = q
	}
	n.tensors = append(n.tensors, t)
	return int32(len(n.tensors) - 1)
}

// scaled is a format of bytes.
func scaled(scale float32, zero int64) tab { return tab{2: []float32{scale}, 3: []int64{zero}} }

// op adds an operator. A last input of −1 is one that it does not have.
func (n *net) op(code int32, optionsType int8, options tab, out int32, in ...int32) {
	if in[len(in)-1] < 0 {
		in = in[:len(in)-1]
	}
	o := tab{0: int32(len(n.codes)), 1: in, 2: []int32{out}}
	if options != nil {
		o[3], o[4] = optionsType, options
	}
	n.operators = append(n.operators, o)
	n.codes = append(n.codes, tab{0: int8(min(code, 127)), 3: code})
	n.out = out
}

func (n *net) file() []byte {
	return build(tab{0: int32(3), 1: n.codes, 2: []tab{{0: n.tensors, 1: []int32{n.in}, 2: []int32{n.out}, 3: n.operators, 4: "main"}}, 3: "test", 4: n.buffers})
}

func float32s(v ...float32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func int32s(v ...int32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, uint32(x))
	}
	return b
}
