package kernels

import (
	"fmt"
	"unsafe"

	"macroscope/dtype"
	"macroscope/kernels/generic"
	"macroscope/kernels/tile"
)

// FilterGrad is the gradient of a float32 convolution's weights:
//
//	for o := range OutC { for ky := range KH { for kx := range KW { for c := range In.C {
//		dw[ky][kx][c][o] += Σ in[n][y*StrideH+ky*DilationH-PadTop][x*StrideW+kx*DilationW-PadLeft][c] * dout[n][y][x][o]
//	}}}}
//
// over images n and output pixels y, x: a matrix product whose K runs over
// pixels. The input is turned into planes of channels, so that the pixels of a
// row lie together; a tap is then an offset in its plane, and an im2col matrix is
// needed no more than in Conv. With BFloat16Products a word is the same pixel of two
// images, so that taps may shift it by any number of pixels. It is immutable; Add may
// be called by many goroutines, each with its Context.
type FilterGrad struct {
	im      *Impl
	pairs   *tile.BFloat16 // nil: Float32Products
	spec    ConvSpec
	planes  int // of a channel: one, or one for each kx where taps skip columns
	hp, wp  int // extent of a plane
	group   int // images a tile call
	rows    []int
	coff    []int
	segs    []int
	zero    []float32 // [NR]
	nothing []float32 // a row of the image that an odd last one is paired with
	columns int       // OutC padded to NR
}

// filterGradWords is how many pixels a tile should run over, so that adding the sums
// to what stands in memory costs little; more would leave the second-level cache. (A
// training step with twice as many pixels in pairs took 1.03 times as long.)
const filterGradWords = 1024

// NewFilterGrad prepares the gradient for the convolution that spec describes;
// of spec it takes In, Out, the kernel, strides, dilations and paddings. Out is
// the place of an image of dout, without a pool. The error says also why the row
// cannot multiply as products asks.
func NewFilterGrad(im *Impl, spec ConvSpec, products Products) (*FilterGrad, error) {
	g := &FilterGrad{im: im, spec: ConvSpec{
		In: spec.In, Out: spec.Out, KH: spec.KH, KW: spec.KW, StrideH: spec.StrideH, StrideW: spec.StrideW,
		DilationH: spec.DilationH, DilationW: spec.DilationW, PadTop: spec.PadTop, PadLeft: spec.PadLeft,
	}}
	s := &g.spec
	check := Conv{im: im, k: &im.k, spec: *s, pool: 1}
	err := check.check(s.Out.C * s.KH * s.KW * s.In.C)
	if err == nil && im.DType() != dtype.Float32 {
		err = fmt.Errorf("asked for a %v gradient: want float32", im.DType())
	}
	if err == nil {
		g.pairs, err = im.bfloat16(products)
	}
	if err != nil {
		return nil, fmt.Errorf("filter gradient of %s: %w", im.FullName("conv2d"), err)
	}

	g.planes, g.wp = 1, s.Out.W+(s.KW-1)*s.DilationW
	if s.StrideW > 1 {
		g.planes, g.wp = s.KW, s.Out.W
	}
	g.hp = (s.Out.H-1)*s.StrideH + (s.KH-1)*s.DilationH + 1
	g.group = FilterGradGroup(s.Out.H, s.Out.W, products)
	if g.pairs != nil {
		g.nothing = make([]float32, max(s.In.RowBytes(), s.Out.RowBytes())/4)
	}
	nr := im.k.NR
	g.columns = (s.Out.C + nr - 1) / nr * nr
	g.zero = alignedSlice[float32](nr)
	for ky := range s.KH {
		for kx := range s.KW {
			for c := range s.In.C {
				plane, shift := c*g.planes, kx*s.DilationW
				if g.planes > 1 {
					plane, shift = plane+kx, 0
				}
				g.coff = append(g.coff, 4*len(g.rows)*g.columns)
				g.rows = append(g.rows, 4*((plane*g.hp+ky*s.DilationH)*g.wp+shift))
			}
		}
	}
	for len(g.rows)%im.k.MR != 0 { // a ragged end adds to a row of its own
		g.coff = append(g.coff, 4*s.KH*s.KW*s.In.C*g.columns)
		g.rows = append(g.rows, g.rows[0])
	}
	for n := range g.wordsOf(g.group) {
		for y := range s.Out.H {
			g.segs = append(g.segs, 4*(n*g.imageWords()+y*s.StrideH*g.wp))
		}
	}
	return g, nil
}

// imageWords is the size of an image's planes.
func (g *FilterGrad) imageWords() int { return g.spec.In.C * g.planes * g.hp * g.wp }

// Len is the number of elements of dw: KH·KW·In.C rows of OutC rounded up to the tile, and one that
// holds nothing of use.
func (g *FilterGrad) Len() int { return (g.spec.KH*g.spec.KW*g.spec.In.C + 1) * g.columns }

// FilterGradGroup is the number of images that FilterGrad.Add and WinogradGrad.Add handle best at a time,
// where those of dout have h×w pixels.
func FilterGradGroup(h, w int, products Products) int {
	word := 1
	if products == BFloat16Products {
		word = 2
	}
	return word * max(1, filterGradWords/word/(h*w))
}

// wordsOf is the number of words that a pixel of n images makes.
func (g *FilterGrad) wordsOf(n int) int {
	if g.pairs != nil {
		return (n + 1) / 2
	}
	return n
}

// Add adds the gradient of n images to dw, [KH][KW][In.C][OutC rounded up to the tile]. Images
// follow one another, in ones every In.Bytes(), dout ones every Out.Bytes(). It
// panics if a slice is too short, and allocates nothing once ctx has served it.
func (g *FilterGrad) Add(ctx *Context, dw []float32, in, dout []byte, n int) {
	s := &g.spec
	if len(dw) < g.Len() || len(in) < n*s.In.Bytes() || len(dout) < n*s.Out.Bytes() {
		panic(fmt.Sprintf("kernels: filter gradient of %s: %d elements of dw, %d and %d bytes for %d images: want %d, %d and %d",
			g.im.FullName("conv2d"), len(dw), len(in), len(dout), n, g.Len(), n*s.In.Bytes(), n*s.Out.Bytes()))
	}
	for ; n > 0; n -= g.group {
		count := min(n, g.group)
		g.add(ctx, dw, in, dout, count)
		in, dout = in[count*s.In.Bytes():], dout[count*s.Out.Bytes():]
	}
}

func (g *FilterGrad) add(ctx *Context, dw []float32, in, dout []byte, n int) {
	s, mr, nr := &g.spec, g.im.k.MR, g.im.k.NR
	words, pixels, kernel := g.wordsOf(n), s.Out.H*s.Out.W, g.im.k.Tile
	k := words * pixels
	memory := view[float32](ctx.bytes(4 * (k*g.columns + words*g.imageWords())))
	panels, planes := memory[:k*g.columns], memory[k*g.columns:]
	for i := range words {
		if g.pairs == nil {
			g.planesOf(ctx, planes[i*g.imageWords():], in[i*s.In.Bytes():], nil)
			for first := 0; first < s.Out.C; first += nr {
				g.panelOf(panels[first*k+i*pixels*nr:], dout[i*s.Out.Bytes():], first)
			}
			continue
		}
		lo, hi := 2*i, 2*i+1
		var otherIn, otherOut []byte
		if hi < n {
			otherIn, otherOut = in[hi*s.In.Bytes():], dout[hi*s.Out.Bytes():]
		}
		g.planesOf(ctx, planes[i*g.imageWords():], in[lo*s.In.Bytes():], otherIn)
		for first := 0; first < s.Out.C; first += nr {
			g.pairPanelOf(ctx, panels[first*k+i*pixels*nr:], dout[lo*s.Out.Bytes():], otherOut, first)
		}
	}
	if g.pairs != nil {
		kernel = g.pairs.Tile
	}
	t := &ctx.args
	*t = tile.Args{
		A: unsafe.Pointer(&planes[0]), Segs: &g.segs[0], NSeg: words * s.Out.H, SegLen: s.Out.W,
		Init: unsafe.Pointer(&g.zero[0]), Mode: tile.Accumulate, Pool: 1, Lo: unclampedLo, Hi: unclampedHi,
	}
	perCall := max(1, maxWordsPerCall/(mr*nr*k))
	for first := 0; first < s.Out.C; first += nr {
		t.B, t.C = unsafe.Pointer(&panels[first*k]), unsafe.Pointer(&dw[first])
		for i, tiles := 0, len(g.rows)/mr; i < tiles; i += perCall {
			t.Rows, t.COff, t.Tiles = &g.rows[i*mr], &g.coff[i*mr], min(perCall, tiles-i)
			kernel(t)
		}
	}
	ctx.args, ctx.pixels = tile.Args{}, tile.Pixels{} // keep no memory alive
}

// Finish brings what Add has added to the weights' order, [OutC][KH][KW][In.C].
func (g *FilterGrad) Finish(dw, sum []float32) {
	rows := g.spec.KH * g.spec.KW * g.spec.In.C
	if len(dw) != rows*g.spec.Out.C || len(sum) < g.Len() {
		panic(fmt.Sprintf("kernels: filter gradient of %s: %d weights, %d sums: want %d and %d",
			g.im.FullName("conv2d"), len(dw), len(sum), rows*g.spec.Out.C, g.Len()))
	}
	for out := range g.spec.Out.C {
		to := dw[out*rows:][:rows]
		for r := range to {
			to[r] = sum[r*g.columns+out]
		}
	}
}

// planesOf writes an image's channels as planes, [In.C][planes][hp][wp], of words of
// it and other where products are of bfloat16; other may be nil.
func (g *FilterGrad) planesOf(ctx *Context, dst []float32, in, other []byte) {
	s, plane := &g.spec, g.hp*g.wp
	for p := range g.planes {
		for y := range g.hp {
			from := s.In.Offset(y-s.PadTop, p*s.DilationW-s.PadLeft)
			w := &ctx.pixels
			*w = tile.Pixels{
				X: unsafe.Pointer(&in[from]), Out: unsafe.Pointer(&dst[p*plane+y*g.wp]), Count: g.wp,
				Step: s.In.PixelBytes() * s.StrideW, OutRow: 4 * g.planes * plane,
			}
			if g.pairs == nil {
				var fast func(*tile.Pixels)
				vl := 1
				if f := g.im.k.Pixels; f != nil {
					fast, vl = f.Planes, f.VL
				}
				vectors(w, s.In.C, vl, w.OutRow, fast, generic.Pixels.Planes)
				continue
			}
			w.Y = g.partner(other, from)
			vectors(w, s.In.C, g.pairs.VL, w.OutRow, g.pairs.PairPlanes, generic.BFloat16.PairPlanes)
		}
	}
}

// partner is the place of a row in the second image of a pair.
func (g *FilterGrad) partner(image []byte, at int) unsafe.Pointer {
	if image == nil {
		return unsafe.Pointer(&g.nothing[0])
	}
	return unsafe.Pointer(&image[at])
}

// pairPanelOf is panelOf with words of dout and other, which may be nil.
func (g *FilterGrad) pairPanelOf(ctx *Context, dst []float32, dout, other []byte, first int) {
	s, nr := &g.spec, g.im.k.NR
	cols := min(nr, s.Out.C-first)
	if cols < nr {
		clear(dst[:s.Out.H*s.Out.W*nr])
	}
	for y := range s.Out.H {
		from := s.Out.Offset(y, 0) + 4*first
		w := &ctx.pixels
		*w = tile.Pixels{
			X: unsafe.Pointer(&dout[from]), Y: g.partner(other, from), Out: unsafe.Pointer(&dst[y*s.Out.W*nr]),
			Count: s.Out.W, Step: s.Out.PixelBytes(), OutRow: 4 * nr,
		}
		vectors(w, cols, g.pairs.VL, 4, g.pairs.Pair, generic.BFloat16.Pair)
	}
}

// panelOf copies NR columns of an image of dout to dst, [OutH][OutW][NR]; columns
// that do not exist are 0.
func (g *FilterGrad) panelOf(dst []float32, dout []byte, first int) {
	s, nr, src := &g.spec, g.im.k.NR, view[float32](dout)
	cols := min(nr, s.Out.C-first)
	for y := range s.Out.H {
		from, to := src[s.Out.Offset(y, 0)/4:], dst[y*s.Out.W*nr:][:s.Out.W*nr]
		if cols == s.Out.C && cols == nr {
			copy(to, from)
			continue
		}
		for x := range s.Out.W {
			copy(to[x*nr:][:cols], from[x*s.Out.C+first:])
			clear(to[x*nr+cols : (x+1)*nr])
		}
	}
}
