package mutate

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Proto mutates serialized messages of one type.
type Proto struct {
	seeds []*message
	like  map[*field][]*part // all parts of the seeds that are this field
	b     []byte             // what is being written, from its end to its start: b[at:]
	at    int
	edits map[*part]edit
}

// schema is a message type, field one of its fields.
type schema struct{ fields map[protowire.Number]*field }

type field struct {
	num    protowire.Number
	kind   protoreflect.Kind
	packed bool    // numbers, where they lie together
	of     *schema // of messages
}

// message is a seed.
type message struct {
	top   *part
	parts []*part // all but top
}

// part is one field of a message as it stands in a seed.
type part struct {
	*field
	wire  protowire.Type
	value uint64  // of a number
	body  []byte  // of what has a length
	raw   []byte  // the field with its tag
	parts []*part // of a message
	up    *part
}

// NewProto takes seeds apart, which are messages of type md.
func NewProto(md protoreflect.MessageDescriptor, seeds [][]byte) (*Proto, error) {
	p := &Proto{like: map[*field][]*part{}, edits: map[*part]edit{}, b: make([]byte, 1<<12)}
	known := map[protoreflect.FullName]*schema{}
	top := &field{kind: protoreflect.MessageKind, of: schemaOf(md, known)}
	for i, s := range seeds {
		m := &message{top: &part{field: top, wire: protowire.BytesType, body: s}}
		if err := p.take(m, m.top); err != nil {
			return nil, fmt.Errorf("seed %d: %w", i, err)
		}
		if len(m.parts) > 0 {
			p.seeds = append(p.seeds, m)
		}
	}
	return p, nil
}

func schemaOf(md protoreflect.MessageDescriptor, known map[protoreflect.FullName]*schema) *schema {
	if s := known[md.FullName()]; s != nil {
		return s
	}
	s := &schema{map[protowire.Number]*field{}}
	known[md.FullName()] = s
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		f := &field{num: fd.Number(), kind: fd.Kind()}
		switch fd.Kind() {
		case protoreflect.MessageKind:
			f.of = schemaOf(fd.Message(), known)
		case protoreflect.StringKind, protoreflect.BytesKind:
		default:
			f.packed = fd.IsList()
		}
		s.fields[f.num] = f
	}
	return s
}

// take adds the parts of up, a message.
func (p *Proto) take(m *message, up *part) error {
	for b := up.body; len(b) > 0; {
		num, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		size := protowire.ConsumeFieldValue(num, wire, b[n:])
		if size < 0 {
			return protowire.ParseError(size)
		}
		q := &part{field: up.of.fields[num], wire: wire, raw: b[: n+size : n+size], up: up}
		if q.field == nil {
			q.field = &field{num: num, kind: protoreflect.BytesKind}
		}
		switch value := b[n : n+size]; wire {
		case protowire.VarintType:
			q.value, _ = protowire.ConsumeVarint(value)
		case protowire.Fixed32Type:
			v, _ := protowire.ConsumeFixed32(value)
			q.value = uint64(v)
		case protowire.Fixed64Type:
			q.value, _ = protowire.ConsumeFixed64(value)
		case protowire.BytesType:
			q.body, _ = protowire.ConsumeBytes(value)
		}
		up.parts, m.parts = append(up.parts, q), append(m.parts, q)
		p.like[q.field] = append(p.like[q.field], q)
		if q.of != nil && wire == protowire.BytesType {
			if err := p.take(m, q); err != nil {
				return err
			}
		}
		b = b[n+size:]
	}
	return nil
}

// edit is what becomes of a part.
type edit struct {
	how  int
	with []byte // see how
	n    int
}

const (
	replaced = iota // by with, tag and all
	followed        // by with, tag and all
	repeated        // n times in all
	lengthen        // its length is said to be n more
	nested          // in n messages, with being their tags, innermost first
)

// Mutate gives a seed with some of its parts changed, by the random numbers of r. It is
// valid till the next call.
func (p *Proto) Mutate(r *rand.Rand) []byte {
	m := p.seeds[r.IntN(len(p.seeds))]
	for range 2 {
		if other := p.seeds[r.IntN(len(p.seeds))]; len(other.top.body) < len(m.top.body) {
			m = other // small ones more often: they are soon read
		}
	}
	clear(p.edits)
	for range few(r) {
		p.edit(r, m.parts[r.IntN(len(m.parts))])
	}
	p.at = len(p.b)
	p.write(m.top)
	b := p.b[p.at:]
	for r.IntN(10) == 0 {
		b = scramble(r, b[:len(b):len(b)])
	}
	return b
}

// edit decides what becomes of q.
func (p *Proto) edit(r *rand.Rand, q *part) {
	like := p.like[q.field]
	other := like[r.IntN(len(like))]
	switch n := r.IntN(100); {
	case n < 45:
		p.edits[q] = edit{how: replaced, with: p.changed(r, q)}
	case n < 60:
		p.edits[q] = edit{how: replaced, with: other.raw}
	case n < 70:
		p.edits[q] = edit{how: followed, with: other.raw}
	case n < 78:
		p.edits[q] = edit{how: replaced}
	case n < 85:
		times := 2
		if r.IntN(20) == 0 {
			times = min(r.IntN(3000), 1<<16/len(q.raw))
		} else if r.IntN(2000) == 0 {
			times = 1 << 21 / len(q.raw)
		}
		p.edits[q] = edit{how: repeated, n: times}
	case n < 91: // change places
		sibling := q.up.parts[r.IntN(len(q.up.parts))]
		p.edits[q], p.edits[sibling] = edit{how: replaced, with: sibling.raw}, edit{how: replaced, with: q.raw}
	case n < 94:
		p.edits[q] = edit{how: lengthen, n: int(integer(r, 0))}
	case n < 98: // another field with the same contents, or another type with the same number
		num, wire := q.num, q.wire
		if r.IntN(2) == 0 {
			num = protowire.Number(1 + r.IntN(30))
		} else {
			wire = protowire.Type(r.IntN(8))
		}
		b := protowire.AppendTag(nil, num, wire)
		_, _, tag := protowire.ConsumeTag(q.raw)
		p.edits[q] = edit{how: replaced, with: append(b, q.raw[tag:]...)}
	default:
		// As deep as wanted: the way from somewhere above to q, over and over.
		var tags []byte
		for up, steps := q, r.IntN(6); up != nil && up.up != nil && steps >= 0; up, steps = up.up, steps-1 {
			tags = append(tags, byte(up.num))
		}
		n := 1 + r.IntN(20)
		if r.IntN(8) == 0 {
			n = r.IntN(2000)
		}
		p.edits[q] = edit{how: nested, with: tags, n: n}
	}
}

// changed is q with another value.
func (p *Proto) changed(r *rand.Rand, q *part) []byte {
	b := protowire.AppendTag(nil, q.num, q.wire)
	switch {
	case q.wire == protowire.VarintType:
		return protowire.AppendVarint(b, uint64(integer(r, int64(q.value))))
	case q.wire == protowire.Fixed32Type:
		return protowire.AppendFixed32(b, bits32(r))
	case q.wire == protowire.Fixed64Type:
		return protowire.AppendFixed64(b, bits64(r))
	case q.wire != protowire.BytesType:
		return q.raw
	case q.packed && q.kind != protoreflect.FloatKind && q.kind != protoreflect.DoubleKind:
		return protowire.AppendBytes(b, numbers(r, q.body))
	case q.of != nil: // a message of what is in another
		like := p.like[q.field]
		other := like[r.IntN(len(like))]
		body := append([]byte(nil), q.body...)
		if r.IntN(2) == 0 {
			body = append(append([]byte(nil), other.body...), q.body...)
		} else {
			body = append(body, other.body...)
		}
		return protowire.AppendBytes(b, body)
	case q.kind == protoreflect.StringKind && r.IntN(4) > 0: // some other name, of the same field or another
		from := q.up.parts
		name := from[r.IntN(len(from))].body
		if r.IntN(2) == 0 {
			like := p.like[q.field]
			name = like[r.IntN(len(like))].body
		}
		return protowire.AppendBytes(b, name)
	}
	return protowire.AppendBytes(b, scramble(r, append([]byte(nil), q.body...)))
}

// numbers are packed varints with some changed, left out or added.
func numbers(r *rand.Rand, body []byte) []byte {
	var list []int64
	for len(body) > 0 && len(list) < 1<<12 {
		v, n := protowire.ConsumeVarint(body)
		if n < 0 {
			break
		}
		list, body = append(list, int64(v)), body[n:]
	}
	for range few(r) {
		if len(list) == 0 || r.IntN(6) == 0 {
			list = append(list, integer(r, 1))
			continue
		}
		i := r.IntN(len(list))
		switch r.IntN(6) {
		case 0:
			list = append(list[:i], list[i+1:]...)
		case 1:
			j := r.IntN(len(list))
			list[i], list[j] = list[j], list[i]
		default:
			list[i] = integer(r, list[i])
		}
	}
	var b []byte
	for _, v := range list {
		b = protowire.AppendVarint(b, uint64(v))
	}
	return b
}

// write puts the parts of m, a message, before what is written.
func (p *Proto) write(m *part) {
	for i := len(m.parts) - 1; i >= 0; i-- {
		q := m.parts[i]
		e, ok := p.edits[q]
		switch {
		case !ok && p.touched(q):
			end := len(p.b) - p.at
			p.write(q)
			p.head(q.num, len(p.b)-p.at-end)
		case !ok:
			p.put(q.raw)
		case e.how == replaced:
			p.put(e.with)
		case e.how == followed:
			p.put(e.with)
			p.put(q.raw)
		case e.how == repeated:
			for range e.n {
				p.put(q.raw)
			}
		case e.how == lengthen && q.wire == protowire.BytesType:
			p.put(q.body)
			p.head(q.num, len(q.body)+e.n)
		case e.how == nested:
			end := len(p.b) - p.at
			p.put(q.raw)
			for i := range e.n {
				p.head(protowire.Number(e.with[i%len(e.with)]), len(p.b)-p.at-end)
			}
		default:
			p.put(q.raw)
		}
	}
}

// touched says whether some part within q is edited.
func (p *Proto) touched(q *part) bool {
	for e := range p.edits {
		for up := e.up; up != nil; up = up.up {
			if up == q {
				return true
			}
		}
	}
	return false
}

// head puts the tag and length of what has one before what is written.
func (p *Proto) head(num protowire.Number, size int) {
	var buf [2 * binary.MaxVarintLen64]byte
	p.put(protowire.AppendVarint(protowire.AppendTag(buf[:0], num, protowire.BytesType), uint64(size)))
}

// put puts b before what is written.
func (p *Proto) put(b []byte) {
	if p.at < len(b) {
		more := make([]byte, 2*len(p.b)+len(b))
		copy(more[len(more)-len(p.b):], p.b)
		p.at, p.b = p.at+len(more)-len(p.b), more
	}
	p.at -= len(b)
	copy(p.b[p.at:], b)
}
