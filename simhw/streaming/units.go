package streaming

import (
	"fmt"

	"macroscope/quant"
)

// source cuts images into words, one a cycle.
type source struct {
	lanes    int64
	images   [][]int32
	interval int64
	image    int64
	at       int64
}

func (s *source) step(_, out *fifo, cycle int64) state {
	if s.image == int64(len(s.images)) || s.at == 0 && cycle < s.image*s.interval {
		return idle
	}
	if !out.room() {
		return full
	}
	img := s.images[s.image]
	out.write(img[s.at:s.at+s.lanes], cycle)
	if s.at += s.lanes; s.at >= int64(len(img)) {
		s.image, s.at = s.image+1, 0
	}
	return stepped
}

// converter makes words of in values into words of out.
type converter struct {
	in, out int64
	word    []int32
}

func (c *converter) step(in, out *fifo, cycle int64) state {
	held := int64(len(c.word))
	if c.in > c.out { // a word goes out in every step, one comes in when none is left
		if held == 0 && !in.has(cycle) {
			return empty
		}
		if !out.room() {
			return full
		}
		if held == 0 {
			c.word = in.read()
		}
		out.write(c.word[:c.out], cycle)
		c.word = c.word[c.out:]
		return stepped
	}
	if !in.has(cycle) {
		return empty
	}
	if held+c.in == c.out && !out.room() {
		return full
	}
	c.word = append(c.word, in.read()...)
	if int64(len(c.word)) == c.out {
		out.write(c.word, cycle)
		c.word = nil
	}
	return stepped
}

// padder puts a border around an image.
type padder struct {
	*Layer
	pixel   int64   // words of one
	border  []int32 // a word of padding
	y, x, c int64   // of the word to write, in the padded image
}

func newPadder(l *Layer, simd int64, value int32) *padder {
	p := &padder{Layer: l, pixel: l.C / simd, border: make([]int32, simd)}
	for i := range p.border {
		p.border[i] = value
	}
	return p
}

func (p *padder) step(in, out *fifo, cycle int64) state {
	height, width := p.padded()
	inside := p.y >= p.PadTop && p.y < p.PadTop+p.H && p.x >= p.PadLeft && p.x < p.PadLeft+p.W
	if inside && !in.has(cycle) {
		return empty
	}
	if !out.room() {
		return full
	}
	w := p.border
	if inside {
		w = in.read()
	}
	out.write(w, cycle)
	if p.c++; p.c == p.pixel {
		p.c = 0
		if p.x++; p.x == width {
			p.x = 0
			if p.y++; p.y == height {
				p.y = 0
			}
		}
	}
	return stepped
}

// window keeps the lines under the kernel and those that come for the next row.
type window struct {
	*Layer
	lines         [][][]int32 // by line of the image modulo their number, then by word
	pixel, line   int64       // words of a pixel and of a line
	height        int64
	oh, ow        int64
	got           int64 // words of the image read so far
	oy, ox        int64 // the output pixel to write for
	ky, kx, c     int64 // and the word of its window
	taken, before int64 // words read since the row began; got when it began
	wrote         int64 // words written since then
}

func newWindow(l *Layer, simd int64) *window {
	h, w := l.padded()
	oh, ow, _ := l.Out()
	n := &window{Layer: l, pixel: l.C / simd, line: w * l.C / simd, height: h, oh: oh, ow: ow}
	n.lines = make([][][]int32, l.KH+l.StrideH)
	for i := range n.lines {
		n.lines[i] = make([][]int32, n.line)
	}
	return n
}

func (n *window) step(in, out *fifo, cycle int64) state {
	kernel := n.KH * n.line
	filling := n.got < kernel
	// What is still to be read while this row of outputs is written: the lines that
	// the next one needs, or the rest of the image.
	next := n.StrideH * n.line
	if n.oy == n.oh-1 {
		next = n.height*n.line - n.before
	}
	reads := filling || n.taken < next
	writes := !filling && n.wrote < n.ow*n.KH*n.KW*n.pixel
	if reads && !in.has(cycle) {
		return empty
	}
	if writes && !out.room() {
		return full
	}
	if writes {
		y, x := n.oy*n.StrideH+n.ky, n.ox*n.StrideW+n.kx
		out.write(n.lines[y%int64(len(n.lines))][x*n.pixel+n.c], cycle)
		n.wrote++
		if n.c++; n.c == n.pixel {
			n.c = 0
			if n.kx++; n.kx == n.KW {
				n.kx = 0
				if n.ky++; n.ky == n.KH {
					n.ky = 0
					n.ox++
				}
			}
		}
	}
	if reads {
		n.lines[n.got/n.line%int64(len(n.lines))][n.got%n.line] = in.read()
		n.got++
		if !filling {
			n.taken++
		} else {
			n.before = n.got
		}
	}
	if n.got >= kernel && n.taken >= next && n.wrote == n.ow*n.KH*n.KW*n.pixel {
		n.oy, n.ox, n.taken, n.wrote, n.before = n.oy+1, 0, 0, 0, n.got
		if n.oy == n.oh {
			n.oy, n.got, n.before = 0, 0, 0
		}
	}
	return stepped
}

// engine multiplies a matrix by vectors.
type engine struct {
	*Layer
	Fold
	*Parameters
	words, groups int64     // of a vector; of the outputs
	vector        [][]int32 // the words of the vector at hand
	group, word   int64
	sums          []int32
	blank         []int32 // what is written where only time counts
}

// newEngine checks a layer's parameters; without any it does not compute.
func newEngine(l *Layer, f Fold, par *Parameters) (*engine, error) {
	mh, mw, _ := l.Matrix()
	e := &engine{Layer: l, Fold: f, Parameters: par, words: mw / f.SIMD, groups: mh / f.PE,
		vector: make([][]int32, mw/f.SIMD), sums: make([]int32, f.PE)}
	if par == nil {
		e.blank = make([]int32, f.PE)
		return e, nil
	}
	if int64(len(par.Weights)) != mh*mw {
		return nil, fmt.Errorf("layer %q: %d weights: want %d·%d", l.Name, len(par.Weights), mh, mw)
	}
	for _, n := range [...]int{len(par.Thresholds), len(par.Factor), len(par.Shift)} {
		if n != 0 && int64(n) != mh {
			return nil, fmt.Errorf("layer %q: %d thresholds, %d factors and %d summands for %d outputs", l.Name, len(par.Thresholds), len(par.Factor), len(par.Shift), mh)
		}
	}
	if len(par.Factor) != len(par.Shift) || par.Thresholds != nil && par.Factor != nil {
		return nil, fmt.Errorf("layer %q: %d thresholds, %d factors and %d summands: want thresholds, or a factor and a summand each, or none", l.Name, len(par.Thresholds), len(par.Factor), len(par.Shift))
	}
	return e, nil
}

func (e *engine) step(in, out *fifo, cycle int64) state {
	if e.group == 0 && !in.has(cycle) {
		return empty
	}
	if e.word == e.words-1 && !out.room() {
		return full
	}
	if e.group == 0 {
		e.vector[e.word] = in.read()
	}
	if e.blank == nil {
		e.multiply()
	}
	if e.word++; e.word < e.words {
		return stepped
	}
	e.word = 0
	w := e.blank
	if w == nil {
		w = make([]int32, e.PE)
		for i, sum := range e.sums {
			w[i] = e.activate(e.group*e.PE+int64(i), sum)
		}
	}
	out.write(w, cycle)
	if e.group++; e.group == e.groups {
		e.group = 0
	}
	return stepped
}

// multiply takes the word at hand into the sums.
func (e *engine) multiply() {
	x := e.vector[e.word]
	width := e.words * e.SIMD
	for i := range e.sums {
		w := e.Weights[(e.group*e.PE+int64(i))*width+e.word*e.SIMD:][:e.SIMD]
		sum := int32(0)
		for j, v := range w {
			sum += int32(v) * x[j]
		}
		if e.word == 0 {
			e.sums[i] = 0
		}
		e.sums[i] += sum
	}
}

func (p *Parameters) activate(channel int64, sum int32) int32 {
	switch {
	case p.Thresholds != nil:
		if p.Thresholds[channel].Bit(sum) {
			return 1
		}
		return -1
	case p.Factor != nil:
		return int32(quant.Requantize(sum, p.Factor[channel], p.Shift[channel], p.Lo, p.Hi))
	}
	return sum
}

// pooler takes the maximum of windows, a row of them at a time.
type pooler struct {
	*Layer
	minimum []bool
	oh, ow  int64
	row     [][]int32 // maxima so far
	y, x    int64     // the pixel to read
	out     int64     // pixels of the row to write; 0 while it is read
}

func newPooler(l *Layer, minimum []bool) *pooler {
	oh, ow, _ := l.Out()
	return &pooler{Layer: l, minimum: minimum, oh: oh, ow: ow, row: make([][]int32, ow)}
}

func (p *pooler) step(in, out *fifo, cycle int64) state {
	if p.out > 0 {
		if !out.room() {
			return full
		}
		at := p.ow - p.out
		out.write(p.row[at], cycle)
		p.row[at] = nil
		if p.out--; p.out == 0 && p.y == p.H {
			p.y = 0
		}
		return stepped
	}
	if !in.has(cycle) {
		return empty
	}
	w := in.read()
	if at := p.x / p.KW; at < p.ow && p.y/p.KH < p.oh {
		if p.row[at] == nil {
			p.row[at] = append([]int32(nil), w...)
		}
		for c, v := range w {
			if p.minimum != nil && p.minimum[c] {
				p.row[at][c] = min(p.row[at][c], v)
			} else {
				p.row[at][c] = max(p.row[at][c], v)
			}
		}
	}
	if p.x++; p.x == p.W {
		p.x = 0
		if p.y++; p.y%p.KH == 0 && p.y/p.KH <= p.oh {
			p.out = p.ow
		} else if p.y == p.H {
			p.y = 0
		}
	}
	return stepped
}
