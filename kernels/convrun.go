package kernels

import (
	"fmt"
	"unsafe"

	"macroscope/kernels/tile"
)

// Run computes one image: in holds In.Bytes() bytes, out Out.Bytes(); they
// must not overlap. Only Out's pixels are written, not its halo. It panics if
// a slice is too short, and allocates nothing once ctx has served it.
func (c *Conv) Run(ctx *Context, out, in []byte) { c.RunTiles(ctx, out, in, 0, c.Tiles()) }

// RunTiles is Run for the tiles from…to−1 alone. Different tiles write different
// bytes of out: goroutines, each with its Context, may share the tiles of one
// image.
func (c *Conv) RunTiles(ctx *Context, out, in []byte, from, to int) {
	if len(in) < c.inBytes || len(out) < c.outBytes {
		panic(fmt.Sprintf("kernels: %s: %d bytes in, %d out: want %d and %d", c.im.FullName("conv2d"), len(in), len(out), c.inBytes, c.outBytes))
	}
	a := &ctx.args
	*a = tile.Args{
		A:    unsafe.Pointer(unsafe.SliceData(in)),
		Mode: c.mode, Pool: c.pool, Lo: c.spec.Lo, Hi: c.spec.Hi, OutXor: uint64(c.spec.OutXor),
	}
	plain, per := len(c.rows)/c.k.MR, c.perPanel()
	for i := from / per; i*per < to; i++ {
		p := &c.panels[i]
		a.B, a.Flip = unsafe.Pointer(&p.b[0]), p.flip
		a.Scale, a.Bias = unsafe.Pointer(unsafe.SliceData(p.scale)), unsafe.Pointer(unsafe.SliceData(p.offset))
		a.Threshold = unsafe.Pointer(unsafe.SliceData(p.threshold))
		first, last := max(0, from-i*per), min(per, to-i*per)
		c.runPlain(ctx, p, out, first, min(last, plain))
		if last > plain { // then columns fill whole panels
			c.runEdges(ctx, i, out, first-plain, last-plain)
		}
	}
	ctx.args = tile.Args{} // keep no memory alive
}

// pieceTile is the tile that takes pieces.
func (c *Conv) pieceTile() tile.Func {
	if c.serial != nil && c.serial.ternary {
		return c.k.TernaryTile
	}
	return c.k.PieceTile
}

// runPlain computes the tiles t…last−1 that have all taps.
func (c *Conv) runPlain(ctx *Context, p *panel, out []byte, t, last int) {
	a, mr := &ctx.args, c.k.MR
	run := c.tile
	if c.serial.doubles() {
		run = c.pieceTile()
		a.Pieces, a.NSeg, a.Init = &c.serial.pieces[0], len(c.serial.pieces), p.init
	} else {
		a.Segs, a.NSeg, a.SegLen, a.Init = &c.segs[0], len(c.segs), c.segLen, p.init
	}
	for ; t < last; t += c.perCall {
		a.Tiles = min(c.perCall, last-t)
		a.Rows = &c.rows[t*mr]
		first := t * mr / c.pool
		c.call(ctx, run, p, out, c.coff[first:], c.outRows-first)
	}
}

// call runs the tiles that ctx.args describes, whose rows go to coff, of which the first
// rows are real. Where columns are missing or bytes are yet to be made of sums, they write
// scratch memory, and what exists goes from there to its place.
func (c *Conv) call(ctx *Context, f tile.Func, p *panel, out []byte, coff []int, rows int) {
	a := &ctx.args
	if p.cols == c.k.NR && c.rescale == nil {
		a.C, a.COff = unsafe.Pointer(&out[p.firstColumn*c.colBits/8]), &coff[0]
		f(a)
		return
	}
	pitch := c.k.NR * c.colBits / 8
	written := a.Tiles * c.k.MR / c.pool
	scratch := ctx.bytes(written * pitch)
	a.C, a.COff = unsafe.Pointer(&scratch[0]), &c.dense[0]
	f(a)
	coff = coff[:min(rows, written)]
	if c.rescale != nil {
		c.rescale.run(ctx, out[p.firstColumn:], scratch, coff, p.firstColumn, p.cols, pitch)
		return
	}
	n, at := (p.cols*c.colBits+7)/8, p.firstColumn*c.colBits/8
	for r, off := range coff {
		copy(out[off+at:][:n], scratch[r*pitch:])
	}
}
