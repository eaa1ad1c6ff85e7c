package kernels

import (
	"math/bits"
	"unsafe"

	"macroscope/dtype"
	"macroscope/kernels/tile"
)

// Halo says what an Image's halo holds, as far as a convolution may rely on it
// to leave out the taps that lie there.
type Halo int

const (
	HaloAny      Halo = iota // whatever: every tap is computed
	HaloZero                 // 0 (float32, int8)
	HaloMinusOne             // −1: bits of 0 (binary)
	HaloPlusOne              // +1: bits of 1 up to the last channel (binary)
)

// edge is some tiles whose rows have the same taps in the halo, which are left
// out: a third of the products of the image's first and last row and column. A
// tile has two halves of rows, each with its own taps.
type edge struct {
	rows, coff []int
	pieces     []tile.Piece
	skip       [2]taps
	init       []unsafe.Pointer // of each panel, [2][NR]
}

// taps is a set of kernel taps, bit ky·KW+kx.
type taps uint64

func (t taps) has(i int) bool { return t>>i&1 != 0 }
func (t taps) count() int     { return bits.OnesCount64(uint64(t)) }

// unit is what becomes one output pixel: its place, and the sums' pixels that
// make it (four with a pool).
type unit struct{ y, x int }

// half is half a tile's rows: the taps that all of them can do without.
type half struct {
	skip taps
	px   []unit // of the sums
}

// splitEdges takes from units those that fill whole tiles with taps to leave
// out, and returns the rest. Tiles with the same taps end up in one edge.
func (c *Conv) splitEdges(units []unit) []unit {
	s := &c.spec
	if c.k.PieceTile == nil || c.serial != nil && !c.serial.doubles() || s.Halo == HaloAny || s.DilationW > 1 || s.KH*s.KW > 64 || s.Out.C%c.k.NR != 0 {
		return units
	}
	if c.k.PairWords && Words(s.In.DType, s.In.C)%2 != 0 { // a pair would belong to two taps
		return units
	}
	if s.Pool {
		return c.splitWindows(units)
	}
	return c.splitPixels(units)
}

// skippable gives the taps of a sum that lie above or below the image, and
// those to the left or right of it.
func (c *Conv) skippable(p unit) (vertical, horizontal taps) {
	s := &c.spec
	for ky := range s.KH {
		for kx := range s.KW {
			y, x := p.y*s.StrideH+ky*s.DilationH-s.PadTop, p.x*s.StrideW+kx-s.PadLeft
			if y < 0 || y >= s.In.H {
				vertical |= 1 << (ky*s.KW + kx)
			}
			if x < 0 || x >= s.In.W {
				horizontal |= 1 << (ky*s.KW + kx)
			}
		}
	}
	return vertical, horizontal
}

// splitPixels puts pixels that can do without the same taps into halves of
// tiles, corners with the rows that they end, and joins any two halves.
func (c *Conv) splitPixels(units []unit) (rest []unit) {
	n := c.k.MR / 2
	var order []taps // of first appearance
	group := map[taps][]unit{}
	for _, u := range units {
		v, h := c.skippable(u)
		if v == 0 {
			v = h
		}
		if v == 0 {
			rest = append(rest, u)
			continue
		}
		if group[v] == nil {
			order = append(order, v)
		}
		group[v] = append(group[v], u)
	}
	var halves []half
	for _, key := range order {
		g := group[key]
		for ; len(g) >= n; g = g[n:] {
			halves = append(halves, half{key, g[:n]})
		}
		rest = append(rest, g...)
	}
	for ; len(halves) >= 2; halves = halves[2:] {
		if !c.addEdge(halves[0], halves[1], append(append([]unit{}, halves[0].px...), halves[1].px...)) {
			rest = append(append(rest, halves[0].px...), halves[1].px...)
		}
	}
	for _, h := range halves {
		rest = append(rest, h.px...)
	}
	return rest
}

// splitWindows joins two windows of a pool, with the upper rows of both (or the
// left columns) as the first half of a tile.
func (c *Conv) splitWindows(units []unit) (rest []unit) {
	type key struct {
		skip    [2]taps
		columns bool
	}
	waiting := map[key]unit{}
	has := map[key]bool{}
	for _, u := range units {
		at := func(i, j int) taps {
			v, h := c.skippable(unit{2*u.y + i, 2*u.x + j})
			return v | h
		}
		rows := key{skip: [2]taps{at(0, 0) & at(0, 1), at(1, 0) & at(1, 1)}}
		k := key{skip: [2]taps{at(0, 0) & at(1, 0), at(0, 1) & at(1, 1)}, columns: true}
		gain := func(k key) int { return k.skip[0].count() + k.skip[1].count() }
		if gain(rows) >= gain(k) {
			k = rows
		}
		if gain(k) == 0 {
			rest = append(rest, u)
			continue
		}
		if !has[k] {
			waiting[k], has[k] = u, true
			continue
		}
		has[k] = false
		pair := []unit{waiting[k], u}
		var halves [2]half
		for h := range halves {
			halves[h].skip = k.skip[h]
			for _, w := range pair {
				for i := range 2 {
					p := unit{2*w.y + h, 2*w.x + i}
					if k.columns {
						p = unit{2*w.y + i, 2*w.x + h}
					}
					halves[h].px = append(halves[h].px, p)
				}
			}
		}
		if !c.addEdge(halves[0], halves[1], pair) {
			rest = append(rest, pair...)
		}
	}
	for _, u := range units { // in the image's order, not the map's
		for k, w := range waiting {
			if w == u && has[k] {
				rest = append(rest, u)
			}
		}
	}
	return rest
}

// addEdge adds a tile of two halves that writes the given output pixels, unless
// that does not pay: an additional piece costs about as much as two steps of
// half a tile.
func (c *Conv) addEdge(first, second half, out []unit) bool {
	s, pixel := &c.spec, Words(c.spec.In.DType, c.spec.In.C)
	pieces := c.pieces(first.skip, second.skip)
	saved := (first.skip.count() + second.skip.count()) * pixel
	if len(pieces) == 0 || saved <= 2*(len(pieces)-s.KH) {
		return false
	}
	var e *edge
	for i := range c.edges {
		if c.edges[i].skip == [2]taps{first.skip, second.skip} {
			e = &c.edges[i]
		}
	}
	if e == nil {
		if c.serial != nil {
			pieces = c.serial.inPlanes(pieces)
		}
		c.edges = append(c.edges, edge{pieces: pieces, skip: [2]taps{first.skip, second.skip}})
		e = &c.edges[len(c.edges)-1]
	}
	for _, p := range append(append([]unit{}, first.px...), second.px...) {
		e.rows = append(e.rows, c.tapOffset(p.y, p.x))
	}
	for _, u := range out {
		e.coff = append(e.coff, s.Out.Offset(u.y, u.x))
	}
	return true
}

// pieces lists the runs of taps that the same rows have.
func (c *Conv) pieces(first, second taps) (list []tile.Piece) {
	s, pixel := &c.spec, Words(c.spec.In.DType, c.spec.In.C)
	for ky := range s.KH {
		last := -1 // the rows of the tap before, in this kernel row
		for kx := range s.KW {
			t := ky*s.KW + kx
			rows := 0
			switch {
			case first.has(t) && second.has(t):
				last = -1
				continue
			case first.has(t):
				rows = 2
			case second.has(t):
				rows = 1
			}
			if rows == last {
				list[len(list)-1].Words += pixel
				continue
			}
			last = rows
			list = append(list, tile.Piece{
				Off:   ky*s.DilationH*s.In.RowBytes() + kx*s.In.PixelBytes(),
				Words: pixel, BOff: 4 * c.k.NR * pixel * c.serial.width() * t, Rows: rows,
			})
		}
	}
	return list
}

// initEdges gives the edges the panel's Init with what the taps that they leave
// out would have added to it.
func (c *Conv) initEdges(p *panel) {
	s, nr, pixel := &c.spec, c.k.NR, Words(c.spec.In.DType, c.spec.In.C)
	for i := range c.edges {
		e := &c.edges[i]
		init := alignedSlice[int32](2 * nr) // float32 are copied as they are
		for h := range 2 {
			copy(init[h*nr:], unsafe.Slice((*int32)(p.init), nr))
			if c.k.DType == dtype.Float32 {
				continue
			}
			for t := range s.KH * s.KW {
				if !e.skip[h].has(t) {
					continue
				}
				if c.serial != nil {
					for col := range nr {
						init[h*nr+col] += c.serial.haloSums(p.b[t*pixel*c.serial.width()*nr+col:], nr, pixel, s.In.C)
					}
					continue
				}
				for k := t * pixel; k < (t+1)*pixel; k++ {
					for col := range nr {
						init[h*nr+col] += c.haloSum(p.b[k*nr+col], k%pixel)
					}
				}
			}
		}
		e.init = append(e.init, unsafe.Pointer(&init[0]))
	}
}

// haloSum is what a word of the halo, the one of that number in its pixel, adds
// to a sum when it meets a word of weights.
func (c *Conv) haloSum(w uint32, word int) int32 {
	switch {
	case c.k.DType == dtype.Int8: // a byte of the halo is 0 xor AXor
		var sum int32
		for i := range 4 {
			sum += int32(int8(w >> (8 * i)))
		}
		return int32(c.k.AXor) * sum
	case c.spec.Halo == HaloPlusOne:
		ones := ^uint32(0)
		if rest := c.spec.In.C - 32*word; rest < 32 {
			ones = 1<<rest - 1
		}
		return -2 * int32(bits.OnesCount32(w^ones))
	default:
		return -2 * int32(bits.OnesCount32(w))
	}
}

// runEdges computes the tiles from…to−1 of all edges, with a panel that ctx.args
// describes.
func (c *Conv) runEdges(ctx *Context, panel int, out []byte, from, to int) {
	a, mr := &ctx.args, c.k.MR
	for i := range c.edges {
		e := &c.edges[i]
		n := len(e.rows) / mr
		a.Pieces, a.NSeg, a.Init = &e.pieces[0], len(e.pieces), e.init[panel]
		for t, end := max(0, from), min(n, to); t < end; t += c.perCall {
			a.Rows, a.Tiles = &e.rows[t*mr], min(c.perCall, end-t)
			coff := e.coff[t*mr/c.pool:]
			c.call(ctx, c.pieceTile(), &c.panels[panel], out, coff, len(coff))
		}
		from, to = from-n, to-n
	}
}
