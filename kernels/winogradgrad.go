package kernels

import (
	"fmt"
	"unsafe"

	"macroscope/dtype"
	"macroscope/kernels/tile"
)

// WinogradGrad is the gradient of the weights of a float32 3×3 convolution with stride 1 by
// minimal filtering. What F(m×m, 3×3) makes of a tile of the image, V = Bᵀ·d·B, serves here
// too, since A and G exchange their places: with g the m×m pixels of dout,
//
//	dw[o][·][·][c] = Gᵀ·(Σ V[c] ⊙ A·g[o]·Aᵀ)·G
//
// over the tiles of all images. So each of the (m+2)² points is a matrix product whose K
// runs over tiles, with 4 (m = 4) or 2¼ times fewer products than FilterGrad, and Gᵀ·…·G is
// done once for all that was added. Rounding errors are some 3 times those of direct
// sums for m = 4, smaller than those for m = 2: the test states bounds. It is immutable;
// Add may be called by many goroutines, each with its Context.
type WinogradGrad struct {
	im           *Impl
	t            *tile.Winograd
	gemm         tile.Func // the row's ColumnTile or Tile
	in, out      Image
	n            int // m+2: points of a tile, a side
	panels       int // of NR columns
	tilesIn      []int
	tilesOut     []int // byte offset of every tile of an image in In and in Out
	rows, coff   []int
	segs         []int // of a block's tiles in V
	stepV, stepW int   // bytes between points
	block        int   // tiles at a time
	point        int   // elements of a point's sums
	zero         []float32
	inBytes      int
	outBytes     int
}

// winogradGradBlock is K of the products: with fewer tiles what they are added to is
// loaded and stored too often, more leave the second-level cache. (With 32 a gradient took
// the same time within 6 %, with 16 or 128 up to 1.28 times as long.)
const winogradGradBlock = 64

// winogradGradPad is the bytes between tiles and points in memory: at a distance of a
// power of two they would fall into few sets of the caches. It has room for a vector.
const winogradGradPad = 64

// NewWinogradGrad prepares the gradient as NewFilterGrad does, by F(m×m, 3×3); m is 2 or
// 4. It says why where the shape does not suit: input channels must be whole vectors and
// rows of tiles, output channels whole columns of them.
func NewWinogradGrad(im *Impl, spec ConvSpec, m int) (*WinogradGrad, error) {
	g := &WinogradGrad{im: im, in: spec.In, out: spec.Out, n: m + 2}
	fail := func(format string, args ...any) (*WinogradGrad, error) {
		return nil, fmt.Errorf("weights' gradient of "+im.FullName("winograd")+": "+format, args...)
	}
	if im.DType() != dtype.Float32 {
		return fail("%v: want float32", im.DType())
	}
	check := Conv{im: im, k: &im.k, pool: 1, spec: ConvSpec{
		In: spec.In, Out: spec.Out, KH: spec.KH, KW: spec.KW, StrideH: spec.StrideH, StrideW: spec.StrideW,
		DilationH: spec.DilationH, DilationW: spec.DilationW, PadTop: spec.PadTop, PadLeft: spec.PadLeft,
	}}
	if err := check.check(spec.Out.C * spec.KH * spec.KW * spec.In.C); err != nil {
		return fail("%w", err)
	}
	for i := range im.k.Winograd {
		if w := &im.k.Winograd[i]; w.M == m && w.Grad != nil {
			g.t = w
		}
	}
	if g.gemm = im.k.ColumnTile; g.gemm == nil {
		g.gemm = im.k.Tile
	}
	mr, nr := im.k.MR, im.k.NR
	switch {
	case g.t == nil:
		return fail("no transform F(%d, 3)", m)
	case spec.KH != 3 || spec.KW != 3 || spec.StrideH != 1 || spec.StrideW != 1 || spec.DilationH != 1 || spec.DilationW != 1:
		return fail("want a 3x3 kernel with stride and dilation 1")
	case spec.In.C%g.t.VL != 0 || spec.In.C%mr != 0 || spec.Out.C%g.t.VL != 0 || spec.Out.C%nr != 0:
		return fail("%d channels in, %d out: want multiples of %d and %d", spec.In.C, spec.Out.C, max(mr, g.t.VL), max(nr, g.t.VL))
	case spec.Out.H%m != 0 || spec.Out.W%m != 0:
		return fail("%dx%d pixels: want multiples of %d", spec.Out.H, spec.Out.W, m)
	}
	for y := 0; y < spec.Out.H; y += m {
		for x := 0; x < spec.Out.W; x += m {
			g.tilesIn = append(g.tilesIn, spec.In.Offset(y-spec.PadTop, x-spec.PadLeft))
			g.tilesOut = append(g.tilesOut, spec.Out.Offset(y, x))
		}
	}
	g.panels = spec.Out.C / nr
	for c := range spec.In.C {
		g.rows, g.coff = append(g.rows, 4*c), append(g.coff, 4*c*nr)
	}
	g.block = winogradGradBlock
	for i := range g.block {
		g.segs = append(g.segs, i*(4*spec.In.C+winogradGradPad))
	}
	g.stepV, g.stepW = g.block*(4*spec.In.C+winogradGradPad)+winogradGradPad, 4*g.block*spec.Out.C+winogradGradPad
	g.point = spec.In.C*spec.Out.C + winogradGradPad/4
	g.zero = alignedSlice[float32](nr)
	g.inBytes, g.outBytes = spec.In.Bytes(), spec.Out.Bytes()
	return g, nil
}

// Len is the number of elements that Add adds to.
func (g *WinogradGrad) Len() int { return g.n * g.n * g.point }

// Add adds what n images give to sum, of which Finish makes the gradient. Images follow
// one another, in ones every In.Bytes(), dout ones every Out.Bytes(). It panics if a slice
// is too short, and allocates nothing once ctx has served it.
func (g *WinogradGrad) Add(ctx *Context, sum []float32, in, dout []byte, n int) {
	if len(sum) < g.Len() || len(in) < n*g.inBytes || len(dout) < n*g.outBytes {
		panic(fmt.Sprintf("kernels: weights' gradient of %s: %d elements of sums, %d and %d bytes for %d images: want %d, %d and %d",
			g.im.FullName("winograd"), len(sum), len(in), len(dout), n, g.Len(), n*g.inBytes, n*g.outBytes))
	}
	points := g.n * g.n
	memory := ctx.bytes(points * (g.stepV + g.stepW + winogradGradPad))
	v, w, tmp := memory[:points*g.stepV], memory[points*g.stepV:points*(g.stepV+g.stepW)], memory[points*(g.stepV+g.stepW):]
	tiles := n * len(g.tilesIn)
	for first := 0; first < tiles; first += g.block {
		count := min(g.block, tiles-first)
		g.transform(ctx, v, w, tmp, in, dout, first, count)
		g.products(ctx, sum, v, w, count)
	}
	ctx.args, ctx.transform = tile.Args{}, tile.Transform{} // keep no memory alive
}

// transform makes V, [points][tiles][In.C], and W, [points][panels][tiles][NR], of count
// tiles of the images.
func (g *WinogradGrad) transform(ctx *Context, v, w, tmp, in, dout []byte, first, count int) {
	t, per, nr := &ctx.transform, len(g.tilesIn), g.im.k.NR
	*t = tile.Transform{Row: g.in.RowBytes(), Col: g.in.PixelBytes(), Step: g.stepV, Vectors: g.in.C / g.t.VL, Tmp: unsafe.Pointer(&tmp[0])}
	for i := range count {
		img, at := (first+i)/per, (first+i)%per
		t.Src, t.Dst = unsafe.Pointer(&in[img*g.inBytes+g.tilesIn[at]]), unsafe.Pointer(&v[g.segs[i]])
		g.t.In(t)
	}
	*t = tile.Transform{Row: g.out.RowBytes(), Col: g.out.PixelBytes(), Step: g.stepW, Vectors: nr / g.t.VL, Tmp: unsafe.Pointer(&tmp[0])}
	for i := range count {
		img, at := (first+i)/per, (first+i)%per
		src := dout[img*g.outBytes+g.tilesOut[at]:]
		for panel := range g.panels {
			t.Src, t.Dst = unsafe.Pointer(&src[4*panel*nr]), unsafe.Pointer(&w[4*nr*(panel*g.block+i)])
			g.t.Grad(t)
		}
	}
}

// products adds V·W over count tiles to sum, [points][panels][In.C][NR].
func (g *WinogradGrad) products(ctx *Context, sum []float32, v, w []byte, count int) {
	mr, nr := g.im.k.MR, g.im.k.NR
	a := &ctx.args
	*a = tile.Args{
		Segs: &g.segs[0], NSeg: count, SegLen: 1,
		Init: unsafe.Pointer(&g.zero[0]), Mode: tile.Accumulate, Pool: 1, Lo: unclampedLo, Hi: unclampedHi,
	}
	tiles, perCall := g.in.C/mr, max(1, maxWordsPerCall/(mr*nr*count))
	for p := range g.n * g.n {
		a.A = unsafe.Pointer(&v[p*g.stepV])
		for panel := range g.panels {
			a.B = unsafe.Pointer(&w[p*g.stepW+4*nr*panel*g.block])
			a.C = unsafe.Pointer(&sum[p*g.point+panel*g.in.C*nr])
			for i := 0; i < tiles; i += perCall {
				a.Rows, a.COff, a.Tiles = &g.rows[i*mr], &g.coff[i*mr], min(perCall, tiles-i)
				g.gemm(a)
			}
		}
	}
}

// Finish makes the gradient, [OutC][3][3][In.C], of what Add has added, in float64, rounded
// once.
func (g *WinogradGrad) Finish(dw, sum []float32) {
	inC, nr := g.in.C, g.im.k.NR
	if len(dw) != 9*inC*g.out.C || len(sum) < g.Len() {
		panic(fmt.Sprintf("kernels: weights' gradient of %s: %d weights, %d sums: want %d and %d",
			g.im.FullName("winograd"), len(dw), len(sum), 9*inC*g.out.C, g.Len()))
	}
	taps := taps4
	if g.t.M == 2 {
		taps = taps2
	}
	// Here, since to clear them for each filter would take most of the time.
	var p [6]float64
	var gp [3][6]float64            // Gᵀ·P
	for at := range inC * g.out.C { // in sums' order: [panels][In.C][NR]
		c, o := at/nr%inC, at/(nr*inC)*nr+at%nr
		for j := range g.n {
			for i := range g.n {
				p[i] = float64(sum[(i*g.n+j)*g.point+at])
			}
			gp[0][j], gp[1][j], gp[2][j] = taps(&p)
		}
		for y := range gp {
			x0, x1, x2 := taps(&gp[y])
			to := dw[(9*o+3*y)*inC+c:]
			to[0], to[inC], to[2*inC] = float32(x0), float32(x1), float32(x2)
		}
	}
}

// taps2 is Gᵀ of F(2, 3).
func taps2(p *[6]float64) (y0, y1, y2 float64) {
	u, v := (p[1]+p[2])/2, (p[1]-p[2])/2
	return p[0] + u, v, p[3] + u
}

// taps4 is Gᵀ of F(4, 3).
func taps4(p *[6]float64) (y0, y1, y2 float64) {
	u, v := (p[1]+p[2])*(1./6), (p[2]-p[1])*(1./6)
	w, x := (p[3]+p[4])*(1./24), (p[3]-p[4])*(1./12)
	return p[0]*(1./4) - u + w, v + x, 4*w - u + p[5]
}
