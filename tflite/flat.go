package tflite

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A flatbuffer (https://flatbuffers.dev/internals/) is read where it lies: a table's
// fields are found through its vtable, strings, vectors and tables through offsets from
// where they are named. Every access is checked against the file's end, and what is read
// is counted, so that parts that lie upon one another cost no more than parts that do not.

// flat is a file's bytes. The first error stays: later accesses give nothing.
type flat struct {
	data []byte
	left int // bytes that may still be read
	err  error
}

// newFlat allows each byte to be looked at a few times over: tables share vtables, and
// nothing else.
func newFlat(data []byte) *flat { return &flat{data: data, left: 4*len(data) + 1<<16} }

// fail notes an error at a file offset, unless there is one.
func (f *flat) fail(at int, format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf("offset %d: %s", at, fmt.Sprintf(format, args...))
	}
}

// bytes are the n bytes at offset at, nil after an error.
func (f *flat) bytes(at, n int, what string) []byte {
	if f.err != nil {
		return nil
	}
	if at < 0 || n < 0 || at > len(f.data) || n > len(f.data)-at {
		f.fail(at, "%s of %d bytes: the file ends at %d", what, n, len(f.data))
		return nil
	}
	if f.left -= n; f.left < 0 {
		f.fail(at, "%s: parts of the file lie upon one another", what)
		return nil
	}
	return f.data[at : at+n : at+n]
}

func (f *flat) u32(at int, what string) int {
	b := f.bytes(at, 4, what)
	if b == nil {
		return 0
	}
	return int(binary.LittleEndian.Uint32(b))
}

// target follows the offset at the place at.
func (f *flat) target(at int, what string) int {
	off := f.u32(at, what)
	if f.err == nil && (off == 0 || off > len(f.data)-at) {
		f.fail(at, "%s: offset %d leaves the file of %d bytes", what, off, len(f.data))
	}
	return at + off
}

// table is a table's place. One whose at is 0 is absent: all its fields have their
// defaults.
type table struct {
	f      *flat
	at     int
	vtable []byte // the fields' offsets within the table, two bytes each; 0 is absent
	size   int    // of the table, the offset of its vtable included
}

// table reads the table at a place.
func (f *flat) table(at int, what string) table {
	soffset := int(int32(f.u32(at, what)))
	vt := at - soffset
	head := f.bytes(vt, 4, what)
	if head == nil {
		return table{f: f}
	}
	vtSize, size := int(binary.LittleEndian.Uint16(head)), int(binary.LittleEndian.Uint16(head[2:]))
	if vtSize < 4 || vtSize%2 != 0 || size < 4 || size > len(f.data)-at {
		f.fail(vt, "%s: a vtable of %d bytes for a table of %d: want an even number from 4, and 4 to %d", what, vtSize, size, len(f.data)-at)
		return table{f: f}
	}
	return table{f, at, f.bytes(vt+4, vtSize-4, what), size}
}

// field is the place of field i, of n bytes; 0 if it is absent.
func (t table) field(i, n int, what string) int {
	if t.f.err != nil || 2*i+2 > len(t.vtable) {
		return 0
	}
	off := int(binary.LittleEndian.Uint16(t.vtable[2*i:]))
	if off == 0 {
		return 0
	}
	if off < 4 || off > t.size-n {
		t.f.fail(t.at, "%s: field at %d of a table of %d bytes", what, off, t.size)
		return 0
	}
	return t.at + off
}

func (t table) int8(i int, what string) int {
	if at := t.field(i, 1, what); at != 0 {
		if b := t.f.bytes(at, 1, what); b != nil {
			return int(int8(b[0]))
		}
	}
	return 0
}

// bool is false if the field is absent.
func (t table) bool(i int, what string) bool { return t.int8(i, what) != 0 }

func (t table) int32(i, absent int, what string) int {
	if at := t.field(i, 4, what); at != 0 {
		return int(int32(t.f.u32(at, what)))
	}
	return absent
}

func (t table) float32(i int, what string) float32 {
	if at := t.field(i, 4, what); at != 0 {
		return math.Float32frombits(uint32(t.f.u32(at, what)))
	}
	return 0
}

// uint64 is 0 if the field is absent.
func (t table) uint64(i int, what string) uint64 {
	if at := t.field(i, 8, what); at != 0 {
		if b := t.f.bytes(at, 8, what); b != nil {
			return binary.LittleEndian.Uint64(b)
		}
	}
	return 0
}

// child is the table that field i names, an absent one if the field is.
func (t table) child(i int, what string) table {
	at := t.field(i, 4, what)
	if at == 0 {
		return table{f: t.f}
	}
	if at = t.f.target(at, what); t.f.err != nil {
		return table{f: t.f}
	}
	return t.f.table(at, what)
}

// vector is the bytes of a vector of elements of size bytes each, and their place.
func (t table) vector(i, size int, what string) (b []byte, at int) {
	if at = t.field(i, 4, what); at == 0 {
		return nil, 0
	}
	if at = t.f.target(at, what); t.f.err != nil {
		return nil, 0
	}
	n := t.f.u32(at, what)
	if t.f.err == nil && n > (len(t.f.data)-at-4)/size {
		t.f.fail(at, "%s: %d elements of %d bytes: the file ends at %d", what, n, size, len(t.f.data))
	}
	if t.f.err != nil {
		return nil, 0
	}
	return t.f.bytes(at+4, n*size, what), at + 4
}

// string is a name, cut where a hostile file made it long.
func (t table) string(i int, what string) string {
	b, _ := t.vector(i, 1, what)
	return string(b[:min(len(b), maxName)])
}

// ints are a vector of int32. It allocates at most twice what it reads.
func (t table) ints(i int, what string) []int {
	b, _ := t.vector(i, 4, what)
	v := make([]int, len(b)/4)
	for j := range v {
		v[j] = int(int32(binary.LittleEndian.Uint32(b[4*j:])))
	}
	return v
}

// tables are the places of a vector of tables.
func (t table) tables(i int, what string) []int {
	b, at := t.vector(i, 4, what)
	v := make([]int, 0, len(b)/4)
	for j := 0; j < len(b); j += 4 {
		off := int(binary.LittleEndian.Uint32(b[j:]))
		if off == 0 || off > len(t.f.data)-at-j {
			t.f.fail(at+j, "%s: offset %d leaves the file of %d bytes", what, off, len(t.f.data))
			return nil
		}
		v = append(v, at+j+off)
	}
	return v
}

// maxName is the longest name that is kept.
const maxName = 256
