package onnx

import (
	"fmt"
	"reflect"

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
	nodeCost        = 1024
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
func newBudget(size int) *budget { return &budget{left: 3*int64(size) + 56<<20} }

// allowInt8 lets n int8 numbers in the file count as the float32 numbers that they
// become: without, a network's weights would need more than their file allows.
func (b *budget) allowInt8(n int) { b.left += 3 * (4 - 1) * int64(n) }

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
	s := scanner{bud: bud, sizes: map[protoreflect.FullName]int64{}}
	err := s.message((*onnxpb.ModelProto)(nil).ProtoReflect().Descriptor(), data, 0, 1)
	return s.places, err
}

type scanner struct {
	places
	bud   *budget
	sizes map[protoreflect.FullName]int64
}

// message scans one message of type md, whose bytes b begin at offset at.
func (s *scanner) message(md protoreflect.MessageDescriptor, b []byte, at, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("byte %d: messages nested deeper than %d", at, maxDepth)
	}
	fields := md.Fields()
	name := "" // of the node, tensor or attribute, once seen, for errors
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("byte %d: %w", at, protowire.ParseError(n))
		}
		b, at = b[n:], at+n
		fd := fields.ByNumber(num)
		if fd == nil || typ != protowire.BytesType {
			n = protowire.ConsumeFieldValue(num, typ, b)
			if n < 0 {
				return place(fd, name, fmt.Errorf("byte %d: %w", at, protowire.ParseError(n)))
			}
			if fd != nil {
				if err := s.bud.take(scalarCost(fd)); err != nil {
					return place(fd, name, fmt.Errorf("byte %d: %w", at, err))
				}
			}
			b, at = b[n:], at+n
			continue
		}
		size, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return place(fd, name, fmt.Errorf("byte %d: %w", at, protowire.ParseError(n)))
		}
		b, at = b[n:], at+n
		whole := size <= uint64(len(b))
		body := b
		if whole {
			body = b[:size]
		}
		// What is cut short is entered all the same: the error from the innermost
		// message says best where the file ends.
		if err := s.field(md, fd, body, at, depth); err != nil {
			return place(fd, name, err)
		}
		if !whole {
			return place(fd, name, fmt.Errorf("byte %d: %d bytes claimed, %d left", at, size, len(b)))
		}
		if fd.Name() == "name" {
			name = string(body[:min(len(body), 100)])
		}
		b, at = b[size:], at+int(size)
	}
	return nil
}

// field scans one length-delimited field and counts its cost.
func (s *scanner) field(parent protoreflect.MessageDescriptor, fd protoreflect.FieldDescriptor, body []byte, at, depth int) error {
	cost := int64(len(body))
	switch fd.Kind() {
	case protoreflect.MessageKind:
		cost = s.size(fd.Message()) + 32 // and its place in a growing slice
		if parent.Name() == "GraphProto" && depth == 2 {
			switch fd.Name() {
			case "node":
				cost += nodeCost
				s.nodes = append(s.nodes, at)
			case "initializer":
				cost += initializerCost
				s.initializers = append(s.initializers, at)
			}
		}
		if err := s.bud.take(cost); err != nil {
			return fmt.Errorf("byte %d: %w", at, err)
		}
		return s.message(fd.Message(), body, at, depth+1)
	case protoreflect.StringKind, protoreflect.BytesKind:
		cost += 48
		if parent.Name() == "NodeProto" && fd.Name() == "input" {
			cost += inputCost
		}
	case protoreflect.FloatKind, protoreflect.DoubleKind,
		protoreflect.Fixed32Kind, protoreflect.Fixed64Kind:
	default: // packed varints: 1 byte or more in the file, 8 in memory
		for _, c := range body {
			if c < 0x80 {
				cost += 8
			}
		}
	}
	if err := s.bud.take(cost); err != nil {
		return fmt.Errorf("byte %d: %w", at, err)
	}
	return nil
}

// scalarCost is the memory of a number that stands alone: its place in a growing
// slice, or a pointer's target.
func scalarCost(fd protoreflect.FieldDescriptor) int64 {
	if fd.IsList() {
		return 24
	}
	return 8
}

// size is the size of md's Go struct.
func (s *scanner) size(md protoreflect.MessageDescriptor) int64 {
	n, ok := s.sizes[md.FullName()]
	if !ok {
		n = 512
		if t, err := protoregistry.GlobalTypes.FindMessageByName(md.FullName()); err == nil {
			n = int64(reflect.TypeOf(t.Zero().Interface()).Elem().Size())
		}
		s.sizes[md.FullName()] = n
	}
	return n
}

// place puts the field and, where known, the name of the message it stands in
// before err.
func place(fd protoreflect.FieldDescriptor, name string, err error) error {
	if fd == nil {
		return err
	}
	if name != "" {
		return fmt.Errorf("%s: %s: %w", quote(name), fd.Name(), err)
	}
	return fmt.Errorf("%s: %w", fd.Name(), err)
}
