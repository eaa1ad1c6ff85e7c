package mutate

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
)

// Table describes a flatbuffer's table: what its fields are, by number.
type Table struct{ Fields map[int]Field }

// Field is a table's field: a number, or what an offset names.
type Field struct {
	Size   int    // bytes of the number, or of each of the vector's
	Vector bool   // of numbers, or of tables; a string is one of single bytes
	Table  *Table // of a table, or of each of the vector's
}

// Flat mutates flatbuffers of one type.
type Flat struct {
	seeds []*buffer
	b     []byte
}

// buffer is a seed: where things are in it.
type buffer struct {
	data    []byte
	numbers []number
	links   []link          // offsets, those of vectors' elements too
	lists   []number        // lengths of vectors, with their elements' size
	vtables []int           // places of two bytes in vtables
	objects map[Field][]int // places that links of this kind lead to
	seen    map[int]bool
}

type number struct{ at, size, count int }

type link struct {
	at  int
	to  Field // Vector and Size, or Table
	one bool  // of a vector's elements
}

// NewFlat takes seeds apart, whose root is top.
func NewFlat(top *Table, seeds [][]byte) (*Flat, error) {
	f := &Flat{}
	for _, s := range seeds {
		b := &buffer{data: s, objects: map[Field][]int{}, seen: map[int]bool{}}
		if !b.link(0, Field{Table: top}, false) || len(b.numbers) == 0 {
			return nil, errors.New("a seed is damaged")
		}
		f.seeds = append(f.seeds, b)
	}
	return f, nil
}

// link notes the offset at the place at and what it leads to; false where it leads out.
func (b *buffer) link(at int, to Field, one bool) bool {
	if at+4 > len(b.data) {
		return false
	}
	target := at + int(binary.LittleEndian.Uint32(b.data[at:]))
	if target+4 > len(b.data) {
		return false
	}
	b.links = append(b.links, link{at, to, one})
	if b.seen[target] {
		return true
	}
	b.seen[target] = true
	b.objects[to] = append(b.objects[to], target)
	if to.Vector {
		return b.vector(target, to)
	}
	return b.table(target, to.Table)
}

func (b *buffer) vector(at int, f Field) bool {
	n, size := int(binary.LittleEndian.Uint32(b.data[at:])), f.Size
	if f.Table != nil {
		size = 4
	}
	if n > (len(b.data)-at-4)/size {
		return false
	}
	b.lists = append(b.lists, number{at, size, n})
	if f.Table == nil {
		if n > 0 {
			b.numbers = append(b.numbers, number{at + 4, f.Size, n})
		}
		return true
	}
	for i := range n {
		if !b.link(at+4+4*i, Field{Table: f.Table}, true) {
			return false
		}
	}
	return true
}

func (b *buffer) table(at int, t *Table) bool {
	vt := at - int(int32(binary.LittleEndian.Uint32(b.data[at:])))
	if vt < 0 || vt+4 > len(b.data) {
		return false
	}
	n := int(binary.LittleEndian.Uint16(b.data[vt:]))
	if vt+n > len(b.data) {
		return false
	}
	b.numbers = append(b.numbers, number{at, 4, 1}) // where its vtable is
	for i := range n / 2 {
		b.vtables = append(b.vtables, vt+2*i)
		if i < 2 {
			continue
		}
		f, ok := t.Fields[i-2]
		off := int(binary.LittleEndian.Uint16(b.data[vt+2*i:]))
		switch {
		case off == 0:
		case !ok: // whatever it is
			b.numbers = append(b.numbers, number{at + off, 4, 1})
		case f.Vector || f.Table != nil:
			if !b.link(at+off, f, false) {
				return false
			}
		default:
			b.numbers = append(b.numbers, number{at + off, f.Size, 1})
		}
	}
	return true
}

// Mutate gives a seed with some of its parts changed, by the random numbers of r. It is
// valid till the next call.
func (f *Flat) Mutate(r *rand.Rand) []byte {
	a := f.seeds[r.IntN(len(f.seeds))]
	for range 2 {
		if other := f.seeds[r.IntN(len(f.seeds))]; len(other.data) < len(a.data) {
			a = other // small ones more often: they are soon read
		}
	}
	f.b = append(f.b[:0], a.data...)
	if r.IntN(6) == 0 {
		f.graft(r, a, f.seeds[r.IntN(len(f.seeds))])
	}
	for range few(r) {
		f.edit(r, a)
	}
	for r.IntN(10) == 0 {
		f.b = scramble(r, f.b)
	}
	return f.b
}

// graft appends another seed, or this one a second time, and leads an offset of a's there:
// to what is of its kind, or to a new vector of many such.
func (f *Flat) graft(r *rand.Rand, a, other *buffer) {
	l := a.links[r.IntN(len(a.links))]
	places := other.objects[l.to]
	n := 0
	if l.to.Vector && l.to.Table != nil && r.IntN(2) == 0 {
		places = other.objects[Field{Table: l.to.Table}]
		if n = 1 + r.IntN(8); r.IntN(10) == 0 {
			n = r.IntN(3000)
		}
	}
	if len(places) == 0 {
		return
	}
	for len(f.b)%8 != 0 {
		f.b = append(f.b, 0)
	}
	at := len(f.b)
	f.b = append(f.b, make([]byte, (4+4*n+7)/8*8)...)
	base := len(f.b)
	f.b = append(f.b, other.data...)
	if n == 0 {
		f.lead(l.at, base+places[r.IntN(len(places))])
		return
	}
	binary.LittleEndian.PutUint32(f.b[at:], uint32(n))
	for i := range n {
		f.lead(at+4+4*i, base+places[r.IntN(len(places))])
	}
	f.lead(l.at, at)
}

// lead makes the offset at a place one to another.
func (f *Flat) lead(at, to int) { binary.LittleEndian.PutUint32(f.b[at:], uint32(to-at)) }

// edit changes one thing of a, whose bytes f.b begins with.
func (f *Flat) edit(r *rand.Rand, a *buffer) {
	switch n := r.IntN(100); {
	case n < 55:
		m := a.numbers[r.IntN(len(a.numbers))]
		f.number(r, m.at+m.size*r.IntN(m.count), m.size)
	case n < 70: // another of its kind, possibly at or before the offset
		l := a.links[r.IntN(len(a.links))]
		to := a.objects[l.to]
		f.lead(l.at, to[r.IntN(len(to))])
	case n < 78: // two change places
		l, m := a.links[r.IntN(len(a.links))], a.links[r.IntN(len(a.links))]
		x, y := l.at+int(binary.LittleEndian.Uint32(f.b[l.at:])), m.at+int(binary.LittleEndian.Uint32(f.b[m.at:]))
		f.lead(l.at, y)
		f.lead(m.at, x)
	case n < 83: // anything at all
		l := a.links[r.IntN(len(a.links))]
		to := r.IntN(len(f.b) + 8)
		if r.IntN(2) == 0 {
			to = l.at + int(integer(r, int64(binary.LittleEndian.Uint32(f.b[l.at:]))))
		}
		f.lead(l.at, to)
	case n < 92:
		m := a.lists[r.IntN(len(a.lists))]
		size := integer(r, int64(m.count))
		if r.IntN(3) == 0 { // as many as fit, or nearly
			size = int64((len(f.b)-m.at-4)/m.size) + int64(r.IntN(3)) - 1
		}
		binary.LittleEndian.PutUint32(f.b[m.at:], uint32(size))
	default:
		at := a.vtables[r.IntN(len(a.vtables))]
		v := uint16(integer(r, int64(binary.LittleEndian.Uint16(f.b[at:]))))
		switch r.IntN(3) {
		case 0: // what another field has
			v = binary.LittleEndian.Uint16(f.b[a.vtables[r.IntN(len(a.vtables))]:])
		case 1:
			v = 0
		}
		binary.LittleEndian.PutUint16(f.b[at:], v)
	}
}

// number changes the number of size bytes at a place, an integer or not.
func (f *Flat) number(r *rand.Rand, at, size int) {
	if at+size > len(f.b) {
		return
	}
	b := f.b[at:]
	switch size {
	case 1:
		b[0] = byte(integer(r, int64(int8(b[0]))))
	case 4:
		if r.IntN(4) == 0 {
			binary.LittleEndian.PutUint32(b, bits32(r))
		} else {
			binary.LittleEndian.PutUint32(b, uint32(integer(r, int64(int32(binary.LittleEndian.Uint32(b))))))
		}
	default:
		binary.LittleEndian.PutUint64(b, uint64(integer(r, int64(binary.LittleEndian.Uint64(b)))))
	}
}
