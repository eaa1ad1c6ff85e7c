package onnx

import (
	"fmt"
	"reflect"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"macroscope/onnx/internal/onnxpb"
)

// maxDepth bounds messages in messages. A plain network needs 6 (model, graph,
// node, attribute, tensor, segment).
const maxDepth = 64

// What the reader itself keeps for each node, its inputs, and each initializer, beside
// the decoded message: table entries, the graph's node and value. Rounded up.
const (
	nodeCost        = 2048
	inputCost       = 160  // each of a node's
	stepCost        = 1536 // each op that a node becomes beside its own
	initializerCost = 512
)

// places says where in the file the graph's nodes and initializers begin, in
// file order.
type places struct {
	nodes, initializers []int
}

// A budget is the memory that reading may still take.
type budget struct {
	left int64
	none []float32 // as many zeros as were asked for so far
}

// newBudget allows 4 times the file's size, of which the file itself is one, and
// 64 MiB, of which 8 are left for everything that is not counted.
func newBudget(size int) *budget { return &budget{left: 3*int64(size) + spare} }

var spare int64 = 56 << 20 // tests have less of it

// allowFile lets another file count as the model's own does.
func (b *budget) allowFile(size int64) { b.left += 4 * min(size, 1<<40) }

// zeros are n zeros, shared by all that ask for some: the weights of who has none. They
// do not count.
func (b *budget) zeros(n int) []float32 {
	if n > len(b.none) {
		b.none = make([]float32, n)
	}
	return b.none[:n:n]
}

// take counts n bytes, or says that they are too many.
func (b *budget) take(n int64) error {
	if b.left -= n; b.left < 0 {
		return fmt.Errorf("needs more memory than 4 times the file's size and 64 MiB")
	}
	return nil
}

// scan walks over a serialized model without decoding it. It finds damage with
// its place, which the protobuf library does not tell, counts into bud what
// decoding will allocate, and notes where nodes and initializers stand.
func scan(data []byte, bud *budget) (places, error) {
	s := scanner{bud: bud}
	err := s.message(modelKind(), data, 0, 1)
	return s.places, err
}

type scanner struct {
	places
	bud *budget
}

// A messageKind is what scanning needs to know of a type of message.
type messageKind struct {
	fields [64]*fieldKind // by number
	size   int64          // of the Go struct
}

type fieldKind struct {
	name   string
	kind   protoreflect.Kind
	list   bool
	of     *messageKind // of a message
	place  int          // placeNode or placeInitializer for those of a graph
	inputs bool         // a node's inputs
}

const (
	placeNode = iota + 1
	placeInitializer
)

var modelKind = sync.OnceValue(func() *messageKind {
	return kindOf((*onnxpb.ModelProto)(nil).ProtoReflect().Descriptor(), map[protoreflect.FullName]*messageKind{})
})

func kindOf(md protoreflect.MessageDescriptor, known map[protoreflect.FullName]*messageKind) *messageKind {
	if m := known[md.FullName()]; m != nil {
		return m
	}
	m := &messageKind{size: 512}
	known[md.FullName()] = m
	if t, err := protoregistry.GlobalTypes.FindMessageByName(md.FullName()); err == nil {
		m.size = int64(reflect.TypeOf(t.Zero().Interface()).Elem().Size())
	}
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		f := &fieldKind{name: string(fd.Name()), kind: fd.Kind(), list: fd.IsList(), inputs: md.Name() == "NodeProto" && fd.Name() == "input"}
		if fd.Kind() == protoreflect.MessageKind {
			f.of = kindOf(fd.Message(), known)
		}
		if md.Name() == "GraphProto" {
			f.place = map[protoreflect.Name]int{"node": placeNode, "initializer": placeInitializer}[fd.Name()]
		}
		m.fields[fd.Number()] = f
	}
	return m
}

// field is the field of that number, or nil.
func (m *messageKind) field(n protowire.Number) *fieldKind {
	if int(n) >= len(m.fields) {
		return nil
	}
	return m.fields[n]
}

// message scans one message of type m, whose bytes b begin at offset at.
func (s *scanner) message(m *messageKind, b []byte, at, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("byte %d: messages nested deeper than %d", at, maxDepth)
	}
	name := ""                      // of the node, tensor or attribute, once seen, for errors
	var packed map[*fieldKind]int64 // bytes of memory of each field's packed numbers so far
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("byte %d: %w", at, protowire.ParseError(n))
		}
		b, at = b[n:], at+n
		f := m.field(num)
		if f == nil || typ != protowire.BytesType {
			n = protowire.ConsumeFieldValue(num, typ, b)
			if n < 0 {
				return f.in(name, fmt.Errorf("byte %d: %w", at, protowire.ParseError(n)))
			}
			if f != nil {
				if err := s.bud.take(f.scalarCost()); err != nil {
					return f.in(name, fmt.Errorf("byte %d: %w", at, err))
				}
			}
			b, at = b[n:], at+n
			continue
		}
		size, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return f.in(name, fmt.Errorf("byte %d: %w", at, protowire.ParseError(n)))
		}
		b, at = b[n:], at+n
		whole := size <= uint64(len(b))
		body := b
		if whole {
			body = b[:size]
		}
		// What is cut short is entered all the same: the error from the innermost
		// message says best where the file ends.
		var err error
		switch f.kind {
		case protoreflect.MessageKind:
			err = s.submessage(f, body, at, depth)
		case protoreflect.StringKind, protoreflect.BytesKind:
			cost := int64(len(body)) + 48
			if f.inputs {
				cost += inputCost
			}
			err = s.take(cost, at)
		default:
			// The library makes room for each run of numbers by moving all that it has.
			if packed == nil {
				packed = map[*fieldKind]int64{}
			}
			packed[f] += f.packedCost(body)
			err = s.take(packed[f], at)
		}
		if err != nil {
			return f.in(name, err)
		}
		if !whole {
			return f.in(name, fmt.Errorf("byte %d: %d bytes claimed, %d left", at, size, len(b)))
		}
		if f.name == "name" {
			name = string(body[:min(len(body), 100)])
		}
		b, at = b[size:], at+int(size)
	}
	return nil
}

// submessage scans a message in a message.
func (s *scanner) submessage(f *fieldKind, body []byte, at, depth int) error {
	cost := f.of.size + 32 // and its place in a growing slice
	if depth == 2 {        // of the graph, not of one in a node's attribute
		switch f.place {
		case placeNode:
			cost += nodeCost
			s.nodes = append(s.nodes, at)
		case placeInitializer:
			cost += initializerCost
			s.initializers = append(s.initializers, at)
		}
	}
	if err := s.take(cost, at); err != nil {
		return err
	}
	return s.message(f.of, body, at, depth+1)
}

// take counts n bytes for what stands at an offset.
func (s *scanner) take(n int64, at int) error {
	if err := s.bud.take(n); err != nil {
		return fmt.Errorf("byte %d: %w", at, err)
	}
	return nil
}

// packedCost is the memory of numbers that lie together.
func (f *fieldKind) packedCost(body []byte) int64 {
	switch f.kind {
	case protoreflect.FloatKind, protoreflect.DoubleKind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind:
		return int64(len(body))
	}
	cost := int64(len(body)) // varints: 1 byte or more in the file, 8 in memory
	for _, c := range body {
		if c < 0x80 {
			cost += 8
		}
	}
	return cost
}

// scalarCost is the memory of a number that stands alone: its place in a growing
// slice, or a pointer's target.
func (f *fieldKind) scalarCost() int64 {
	if f.list {
		return 24
	}
	return 8
}

// in puts the field and, where known, the name of the message it stands in before err.
func (f *fieldKind) in(name string, err error) error {
	if f == nil {
		return err
	}
	if name != "" {
		return fmt.Errorf("%s: %s: %w", quote(name), f.name, err)
	}
	return fmt.Errorf("%s: %w", f.name, err)
}
