package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// npyHeader is what a .npy file says of its array
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
type npyHeader struct {
	descr   string // "<f4"
	fortran bool
	shape   []int
	length  int64 // of the header, where the elements begin
}

const (
	npyMagic = "\x93NUMPY"
	// maxHeader is the longest header read: that of a plain array takes 128 bytes.
	maxHeader = 1 << 16
	// maxRank is the most dimensions that an array is read with.
	maxRank = 8
)

// readNPYHeader reads up to the first element.
func readNPYHeader(r io.Reader) (*npyHeader, error) {
	start := make([]byte, 10)
	if _, err := io.ReadFull(r, start); err != nil || string(start[:6]) != npyMagic {
		return nil, errors.New(`byte 0: want a .npy file, which begins with \x93NUMPY`)
	}
	n := int64(binary.LittleEndian.Uint16(start[8:]))
	switch major := start[6]; {
	case major == 2 || major == 3: // 4 bytes of length
		more := make([]byte, 2)
		if _, err := io.ReadFull(r, more); err != nil {
			return nil, errors.New("byte 8: ends within its header's length")
		}
		n = int64(binary.LittleEndian.Uint32(append(start[8:10:10], more...)))
		start = append(start, more...)
	case major != 1:
		return nil, fmt.Errorf("byte 6: version %d.%d of the format: want 1.0 to 3.0", start[6], start[7])
	}
	if n > maxHeader {
		return nil, fmt.Errorf("byte 8: a header of %d bytes: want at most %d", n, maxHeader)
	}
	text, err := io.ReadAll(io.LimitReader(r, n))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) < n {
		return nil, fmt.Errorf("byte %d: ends within its header of %d bytes", len(start)+len(text), n)
	}
	h, err := parseNPYHeader(string(text))
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	h.length = int64(len(start)) + n
	return h, nil
}

// parseNPYHeader reads a Python dictionary of the three keys, in any order.
func parseNPYHeader(text string) (*npyHeader, error) {
	p := &literal{text: text}
	h := &npyHeader{}
	seen := map[string]bool{}
	p.want("{")
	for p.err == nil && !p.have("}") {
		key := p.quoted()
		p.want(":")
		if seen[key] {
			p.fail("key %.20q comes twice", key)
		}
		seen[key] = true
		switch key {
		case "descr":
			h.descr = p.quoted()
		case "fortran_order":
			if h.fortran = p.have("True"); !h.fortran {
				p.want("False")
			}
		case "shape":
			h.shape = p.tuple()
		default:
			p.fail("key %.20q: want descr, fortran_order and shape", key)
		}
		if !p.have(",") {
			p.want("}")
			break
		}
	}
	switch p.skip(); {
	case p.err != nil:
		return nil, p.err
	case p.at < len(p.text):
		return nil, fmt.Errorf("character %d: want nothing after }", p.at)
	case len(seen) != 3:
		return nil, errors.New("want the keys descr, fortran_order and shape")
	}
	return h, nil
}

// literal reads the little of Python that a header is written in, and keeps the first error.
type literal struct {
	text string
	at   int
	err  error
}

func (p *literal) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("character %d: %s", p.at, fmt.Sprintf(format, args...))
	}
}

func (p *literal) skip() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

func (p *literal) have(token string) bool {
	p.skip()
	if p.err != nil || !strings.HasPrefix(p.text[p.at:], token) {
		return false
	}
	p.at += len(token)
	return true
}

func (p *literal) want(token string) {
	if !p.have(token) {
		p.fail("want %s", token)
	}
}

func (p *literal) quoted() string {
	quote := "'"
	if p.have(`"`) {
		quote = `"`
	} else {
		p.want("'")
	}
	if p.err != nil {
		return ""
	}
	n := strings.Index(p.text[p.at:], quote)
	if n < 0 {
		p.fail("want a closing %s", quote)
		return ""
	}
	s := p.text[p.at : p.at+n]
	p.at += n + 1
	return s
}

// tuple reads (1, 2, 3), () or (1,).
func (p *literal) tuple() (list []int) {
	p.want("(")
	for p.err == nil && !p.have(")") {
		p.skip()
		n := 0
		for p.at+n < len(p.text) && p.text[p.at+n] >= '0' && p.text[p.at+n] <= '9' {
			n++
		}
		d, err := strconv.ParseInt(p.text[p.at:p.at+n], 10, 64)
		if err != nil || d > math.MaxInt32 {
			p.fail("want an extent from 0 to %d", math.MaxInt32)
			break
		}
		p.at += n
		if list = append(list, int(d)); len(list) > maxRank {
			p.fail("more than %d dimensions", maxRank)
		}
		if !p.have(",") {
			p.want(")")
			break
		}
	}
	return list
}

// items is the number of elements below the first dimension; -1 if nobody has such.
func (h *npyHeader) items() int64 {
	n := int64(1)
	for _, d := range h.shape[1:] {
		if n *= int64(d); n > math.MaxInt32 {
			return -1
		}
	}
	return n
}

// number splits a type into its byte order, kind and size: "<f4" is little-endian 'f' 4.
func (h *npyHeader) number() (order binary.ByteOrder, kind byte, size int) {
	if len(h.descr) != 3 {
		return nil, 0, 0
	}
	switch h.descr[0] {
	case '<', '|':
		order = binary.LittleEndian
	case '>':
		order = binary.BigEndian
	default:
		return nil, 0, 0
	}
	size = int(h.descr[2] - '0')
	if size != 1 && size != 2 && size != 4 && size != 8 || h.descr[0] == '|' && size != 1 {
		return nil, 0, 0
	}
	return order, h.descr[1], size
}

// array is an array in a file, read front to back.
type array struct {
	name   string // "a.npz: x_test"
	header npyHeader
	open   func() (io.ReadCloser, error) // at the file's beginning
	size   int64                         // of the file in bytes

	r  io.ReadCloser // nil: not open
	at int64         // the element's byte that r gives next
}

// newArray reads a file's header and holds its size against it.
func newArray(name string, size int64, open func() (io.ReadCloser, error)) (*array, error) {
	r, err := open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer r.Close()
	h, err := readNPYHeader(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	a := &array{name: name, header: *h, open: open, size: size}
	order, _, each := h.number()
	switch {
	case order == nil:
		return nil, fmt.Errorf("%s: elements of type %.40q: want uint8 or float32 images, integer labels", name, h.descr)
	case h.fortran && len(h.shape) > 1:
		return nil, fmt.Errorf("%s: fortran_order: want C order, as numpy.ascontiguousarray gives", name)
	case len(h.shape) == 0:
		return nil, fmt.Errorf("%s: shape (): want an array whose first dimension counts the images", name)
	case h.shape[0] > maxImages:
		return nil, fmt.Errorf("%s: %d: %w", name, h.shape[0], errTooMany)
	case h.items() < 0:
		return nil, fmt.Errorf("%s: shape %s: want at most %d elements an image", name, tupleText(h.shape), math.MaxInt32)
	}
	if want := h.length + int64(h.shape[0])*h.items()*int64(each); want != size {
		return nil, fmt.Errorf("%s: %d bytes: an array %s of %s takes %d", name, size, tupleText(h.shape), h.descr, want)
	}
	return a, nil
}

// tupleText is a shape as Python writes it.
func tupleText(shape []int) string {
	var b bytes.Buffer
	for i, d := range shape {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, d)
	}
	if len(shape) == 1 {
		b.WriteByte(',')
	}
	return "(" + b.String() + ")"
}

// readAt fills dst with the elements' bytes from byte at on.
func (a *array) readAt(dst []byte, at int64) error {
	if a.r == nil || at < a.at {
		a.close()
		r, err := a.open()
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		a.r, a.at = r, -a.header.length
	}
	fail := func(err error) error {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = errors.New("ends early")
		}
		err = fmt.Errorf("%s: byte %d: %w", a.name, a.header.length+a.at, err)
		a.close()
		return err
	}
	if skip := at - a.at; skip > 0 {
		n, err := io.CopyN(io.Discard, a.r, skip)
		if a.at += n; err != nil {
			return fail(err)
		}
	}
	n, err := io.ReadFull(a.r, dst)
	if a.at += int64(n); err != nil {
		return fail(err)
	}
	if a.header.length+a.at == a.size { // where a compressed file's checksum is looked at
		if n, err := a.r.Read(make([]byte, 1)); n != 0 || err != nil && err != io.EOF {
			return fail(cmpErr(err))
		}
	}
	return nil
}

// cmpErr is err, or the error of more bytes than there should be.
func cmpErr(err error) error {
	if err == nil || err == io.EOF {
		return errors.New("bytes after the last element")
	}
	return err
}

func (a *array) close() {
	if a.r != nil {
		a.r.Close() // it was only read
		a.r = nil
	}
}

// integers reads a whole array of labels.
func (a *array) integers() ([]int32, error) {
	order, kind, size := a.header.number()
	if kind != 'u' && kind != 'i' {
		return nil, fmt.Errorf("%s: labels of type %s: want integers", a.name, a.header.descr)
	}
	if a.header.items() != 1 {
		return nil, fmt.Errorf("%s: labels of shape %s: want (N,)", a.name, tupleText(a.header.shape))
	}
	var labels []int32 // grows with what the file really has
	const step = 1 << 12
	buf := make([]byte, step*size)
	for at := 0; at < a.header.shape[0]; at += step {
		n := min(step, a.header.shape[0]-at)
		if err := a.readAt(buf[:n*size], int64(at)*int64(size)); err != nil {
			return nil, err
		}
		for i := range n {
			v, ok := integer(order, kind, buf[i*size:(i+1)*size])
			if !ok {
				return nil, fmt.Errorf("%s: label of image %d: want 0 to %d", a.name, at+i, math.MaxInt32)
			}
			labels = append(labels, v)
		}
	}
	a.close()
	return labels, nil
}

// integer is a number of 1 to 8 bytes; not ok below 0 or above int32's range.
func integer(order binary.ByteOrder, kind byte, b []byte) (int32, bool) {
	var v uint64
	switch len(b) {
	case 1:
		v = uint64(b[0])
	case 2:
		v = uint64(order.Uint16(b))
	case 4:
		v = uint64(order.Uint32(b))
	default:
		v = order.Uint64(b)
	}
	if kind == 'i' && v>>(8*len(b)-1) != 0 { // negative
		return 0, false
	}
	return int32(v), v <= math.MaxInt32
}
