package mutate

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// seed is a file's descriptor, which has messages in messages, strings and
// packed numbers.
func seed(t *testing.T) []byte {
	t.Helper()
	b, err := proto.Marshal(&descriptorpb.FileDescriptorProto{
		Name: proto.String("file"), PublicDependency: []int32{1, 2, 300},
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("a"), NestedType: []*descriptorpb.DescriptorProto{{Name: proto.String("b")}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// flatSeed is a flatbuffer of a table of a number and a vector of two tables of one each.
func flatSeed() ([]byte, *Table) {
	u32, u16 := binary.LittleEndian.AppendUint32, binary.LittleEndian.AppendUint16
	b := u32(nil, 16)                          // to the root
	b = u16(u16(u16(u16(b, 8), 12), 4), 8)     // 4: its vtable
	b = u32(b, 0)                              // 12
	b = u32(u32(u32(b, 12), 7), 4)             // 16: the root: vtable at 4, 7, the vector at 28
	b = u32(u32(u32(b, 2), 16), 20)            // 28: two tables at 48 and 56
	b = u32(u16(u16(u16(b, 6), 8), 4), 0)[:48] // 40: their vtable
	b = u32(u32(u32(u32(b, 8), 1), 16), 2)     // 48, 56
	inner := &Table{map[int]Field{0: {Size: 4}}}
	return b, &Table{map[int]Field{0: {Size: 4}, 1: {Vector: true, Table: inner}}}
}

func TestSeedsAreUnderstood(t *testing.T) {
	b := seed(t)
	p, err := NewProto((*descriptorpb.FileDescriptorProto)(nil).ProtoReflect().Descriptor(), [][]byte{b})
	if err != nil {
		t.Fatal(err)
	}
	p.at = len(p.b)
	p.write(p.seeds[0].top)
	if got := p.b[p.at:]; !bytes.Equal(got, b) {
		t.Errorf("without an edit %x becomes %x", b, got)
	}
	// An edit deep within: the lengths around it follow.
	for _, q := range p.seeds[0].parts {
		if string(q.body) == "b" && q.up.up.of != nil {
			p.edits[q] = edit{how: replaced, with: protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), bytes.Repeat([]byte("x"), 1000))}
		}
	}
	p.at = len(p.b)
	p.write(p.seeds[0].top)
	var d descriptorpb.FileDescriptorProto
	if err := proto.Unmarshal(p.b[p.at:], &d); err != nil || len(d.MessageType[0].NestedType[0].GetName()) != 1000 {
		t.Errorf("%v, %v", &d, err)
	}

	file, top := flatSeed()
	f, err := NewFlat(top, [][]byte{file})
	if err != nil {
		t.Fatal(err)
	}
	s := f.seeds[0]
	if len(s.links) != 4 || len(s.objects[Field{Table: top.Fields[1].Table}]) != 2 || len(s.lists) != 1 || s.lists[0].count != 2 {
		t.Errorf("links %v, objects %v, lists %v", s.links, s.objects, s.lists)
	}
	if _, err := NewFlat(top, [][]byte{file[:50]}); err == nil {
		t.Error("a seed cut short")
	}
}

// The same number gives the same file, also after others; most differ from their seed and
// from one another.
func TestMutateRepeats(t *testing.T) {
	p, err := NewProto((*descriptorpb.FileDescriptorProto)(nil).ProtoReflect().Descriptor(), [][]byte{seed(t)})
	if err != nil {
		t.Fatal(err)
	}
	file, top := flatSeed()
	f, err := NewFlat(top, [][]byte{file})
	if err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func(*rand.Rand) []byte{"protobuf": p.Mutate, "flatbuffer": f.Mutate} {
		h := &harness{make: make}
		h.random = rand.New(&h.source)
		var first [500][]byte
		distinct := map[string]bool{}
		for n := range first {
			first[n] = bytes.Clone(h.file(uint64(n)))
			distinct[string(first[n])] = true
		}
		for n := len(first) - 1; n >= 0; n-- {
			if got := h.file(uint64(n)); !bytes.Equal(got, first[n]) {
				t.Fatalf("%s: file %d is %x, then %x", name, n, first[n], got)
			}
		}
		if len(distinct) < len(first)/4 {
			t.Errorf("%s: %d of %d files are distinct", name, len(distinct), len(first))
		}
	}
}

// A reader that panics, errs or takes too much memory for one file in a batch is found out,
// and the file is the one named.
func TestHarnessFails(t *testing.T) {
	make8 := func(r *rand.Rand) []byte { return binary.LittleEndian.AppendUint64(nil, r.Uint64()) }
	h := &harness{make: make8}
	h.random = rand.New(&h.source)
	bad := binary.LittleEndian.Uint64(h.file(70))
	var sink []byte
	for want, step := range map[string]func(){
		"panic: oh":             func() { panic("oh") },
		"step 1 allocated 1342": func() { sink = make([]byte, 128<<20) },
		"":                      func() { sink = make([]byte, 32<<20) },
	} {
		var got []string
		h.report = func(s string) { got = append(got, s) }
		h.steps = []func([]byte) error{func([]byte) error { return nil }, func(b []byte) error {
			if binary.LittleEndian.Uint64(b) == bad {
				step()
			}
			return nil
		}}
		for n := uint64(0); n < 2*batch; {
			n = h.batch(n)
		}
		if want == "" && len(got) > 0 || want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], "case 70 of 8 bytes") || !strings.Contains(got[0], want)) {
			t.Errorf("%q: want %q", got, want)
		}
	}
	_ = sink
}
