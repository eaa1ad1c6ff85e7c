package kernels

import (
	"fmt"
	"math"
	"unsafe"

	"macroscope/dtype"
	"macroscope/kernels/tile"
)

// Winograd is a 3×3 convolution with stride 1 by the minimal filtering
// algorithm F(m×m, 3×3): each m×m outputs cost (m+2)² products a channel
// instead of 9·m², in exchange for transforms of the image and the sums. Float32 pays with
// rounding errors that are larger than the direct kernel's (a few units in
// the last place for m = 2, some tens for m = 4; the test states the bound); int8, in
// integers of 16 bits, is exact: the same bytes as Conv's.
// Run may be called by many goroutines, each with its Context.
type Winograd struct {
	im   *Impl
	t    *tile.Winograd
	spec ConvSpec
	n    int      // m+2: points of a tile, a side
	u    []uint32 // transformed weights: [n·n] matrices of packed panels
	k    int      // words of a row of a matrix: channels, or pairs of them
	per  int      // words of u a matrix
	tilesY,
	tilesX int
	block   int // tiles at a time
	width   int // columns of a group of them, whole panels
	groups  int
	mr, nr  int // the micro-kernel's tile
	gemm    tile.Func
	apart   bool // tile.PairMicro's
	cols    int  // OutC padded to whole panels
	outVL   int  // channels of a vector of sums
	rows    []int
	coff    []int
	bias    []float32 // [cols]; of int8 the offsets
	init    []int32   // [cols], int8
	scale   []float32 // [cols], int8; nil: the output's transform gives sums
	rescale *rescaler // what makes bytes of them; nil: nothing
	places  []int     // of a tile's pixels, in bytes from its first in Out
	zero    []float32 // [NR]
	in,
	out []int // byte offset of every tile's first tap in In, first pixel in Out
	inBytes, outBytes int
	stages            int // that are done: all but in a twin
}

// zeroSegment is the one segment of a matrix product's rows.
var zeroSegment int

// winogradBlock bounds the tiles whose transforms are in flight, so that they
// stay in the second-level cache.
const winogradBlock = 16

// winogradColumns are the fewest output channels that make up for transforming a tile's
// input once more.
const winogradColumns = 32

// NewWinograd prepares a float32 convolution as NewConv does; m is 2 or 4 and weights
// are [OutC][3][3][In.C]. It says why where the shape does not suit: channels
// must be whole vectors, the sums whole tiles.
func NewWinograd(im *Impl, spec ConvSpec, weights []float32, m int) (*Winograd, error) {
	w, err := newWinograd(im, spec, len(weights), m)
	if err == nil && im.k.DType != dtype.Float32 {
		err = fmt.Errorf("%s: float32 weights", im.FullName("winograd"))
	}
	if err != nil {
		return nil, err
	}
	w.prepare()
	copy(w.bias, spec.BiasF)
	w.transformWeights(weights)
	return w, nil
}

// Winograds lists the m of F(m×m, 3×3) that the row has transforms for.
func (im *Impl) Winograds() (m []int) {
	for i := range im.k.Winograd {
		m = append(m, im.k.Winograd[i].M)
	}
	return m
}

// newWinograd is NewWinograd up to where it takes memory.
func newWinograd(im *Impl, spec ConvSpec, weights, m int) (*Winograd, error) {
	words := weights
	if im.k.DType == dtype.Int8 {
		words = spec.Out.C * spec.KH * spec.KW * Words(dtype.Int8, spec.In.C)
	}
	direct, err := newConv(im, spec, words) // checks all that is common
	if err != nil {
		return nil, err
	}
	w := &Winograd{im: im, spec: direct.spec, n: m + 2, stages: allStages, k: spec.In.C}
	for i := range im.k.Winograd {
		if im.k.Winograd[i].M == m {
			w.t = &im.k.Winograd[i]
		}
	}
	if w.t == nil {
		return nil, fmt.Errorf("%s: no transform F(%d, 3)", im.FullName("winograd"), m)
	}
	if w.outVL = w.t.OutVL; w.outVL == 0 {
		w.outVL = w.t.VL
	}
	h, wd := direct.sumsHW()
	switch {
	case spec.KH != 3 || spec.KW != 3 || spec.StrideH != 1 || spec.StrideW != 1 || spec.DilationH != 1 || spec.DilationW != 1:
		return nil, fmt.Errorf("%s: want a 3x3 kernel with stride and dilation 1", im.FullName("winograd"))
	case weights != 9*spec.In.C*spec.Out.C:
		return nil, fmt.Errorf("%s: %d weights: want %d", im.FullName("winograd"), weights, 9*spec.In.C*spec.Out.C)
	case spec.In.C%w.t.VL != 0 || spec.Out.C%w.outVL != 0:
		return nil, fmt.Errorf("%s: %d channels in, %d out: want multiples of %d and %d", im.FullName("winograd"), spec.In.C, spec.Out.C, w.t.VL, w.outVL)
	case h%m != 0 || wd%m != 0:
		return nil, fmt.Errorf("%s: %dx%d sums: want multiples of %d", im.FullName("winograd"), h, wd, m)
	}
	w.tilesY, w.tilesX = h/m, wd/m
	return w, nil
}

// prepare lays out what Run needs, after the checks, but for weights and constants.
func (w *Winograd) prepare() {
	im, spec, m := w.im, &w.spec, w.t.M
	k := im.of(spec.Out.C)
	w.mr, w.nr, w.gemm = k.MR, k.NR, k.Tile
	if im.k.DType == dtype.Int8 || k == &im.k { // of float32 the narrow tile goes before
		for _, t := range w.t.Tiles {
			if w.mr, w.nr, w.gemm, w.apart = t.MR, t.NR, t.Run, t.Apart; w.tilesY*w.tilesX <= t.MR && spec.Out.C%t.NR == 0 {
				break
			}
		}
	}
	mr, nr := w.mr, w.nr
	w.block = (min(winogradBlock, w.tilesY*w.tilesX) + mr - 1) / mr * mr
	w.cols = (spec.Out.C + nr - 1) / nr * nr
	if w.width = (winogradColumns + nr - 1) / nr * nr; w.width%w.outVL != 0 {
		w.width = w.cols
	}
	w.groups = (w.cols + w.width - 1) / w.width
	for i := range w.block {
		w.rows, w.coff = append(w.rows, 4*i*w.k), append(w.coff, 4*i*w.cols)
	}
	w.bias, w.zero = alignedSlice[float32](w.cols), alignedSlice[float32](nr)
	w.per = w.cols * w.k
	w.u = alignedSlice[uint32](w.n * w.n * w.per)
	size := w.size()
	for y := range w.tilesY {
		for x := range w.tilesX {
			w.in = append(w.in, spec.In.Offset(m*y-spec.PadTop, m*x-spec.PadLeft))
			w.out = append(w.out, spec.Out.Offset(size*y, size*x))
		}
	}
	w.inBytes, w.outBytes = spec.In.Bytes(), spec.Out.Bytes()
}

// size is the pixels of a tile of the output, a side.
func (w *Winograd) size() int {
	if w.spec.Pool {
		return w.t.M / 2
	}
	return w.t.M
}

// winogradG is G of F(m, 3) by m, for the points 0, ±1, ±2 and infinity.
var winogradG = map[int][][3]float64{
	2: {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}},
	4: {
		{1. / 4, 0, 0}, {-1. / 6, -1. / 6, -1. / 6}, {-1. / 6, 1. / 6, -1. / 6},
		{1. / 24, 1. / 12, 1. / 6}, {1. / 24, -1. / 12, 1. / 6}, {0, 0, 1},
	},
}

// SetFloat32 is as Conv's; float32 only.
func (w *Winograd) SetFloat32(weights, bias []float32) {
	if len(weights) != 9*w.spec.In.C*w.spec.Out.C || bias != nil && len(bias) != w.spec.Out.C {
		panic(fmt.Sprintf("kernels: %s: %d weights and %d biases: want %d and %d",
			w.im.FullName("winograd"), len(weights), len(bias), 9*w.spec.In.C*w.spec.Out.C, w.spec.Out.C))
	}
	clear(w.bias)
	copy(w.bias, bias)
	w.transformWeights(weights)
}

// transformWeights sets u to G·g·Gᵀ of every filter g, in float64, rounded once:
// w.n·w.n matrices of packed panels. It goes along the columns of a panel, which lie
// together in each matrix.
func (w *Winograd) transformWeights(weights []float32) {
	const most = 16 // columns at a time: what stays in registers and the first-level cache
	g, inC := winogradG[w.t.M], w.spec.In.C
	var gg [6][3][most]float64 // G·g
	for o, columns := 0, 0; o < w.spec.Out.C; o += columns {
		columns = min(most, w.spec.Out.C-o, w.nr-o%w.nr)
		panel := w.u[o/w.nr*w.nr*inC+o%w.nr:]
		for c := range inC {
			for k := range columns {
				taps := weights[(o+k)*9*inC+c:]
				for x := range 3 {
					t0, t1, t2 := float64(taps[x*inC]), float64(taps[(3+x)*inC]), float64(taps[(6+x)*inC])
					for i, row := range g {
						gg[i][x][k] = row[0]*t0 + row[1]*t1 + row[2]*t2
					}
				}
			}
			at := c * w.nr
			for i := range g {
				g0, g1, g2 := &gg[i][0], &gg[i][1], &gg[i][2]
				for _, row := range g {
					r0, r1, r2 := row[0], row[1], row[2]
					to := panel[at:][:columns]
					for k := range to {
						to[k] = math.Float32bits(float32(g0[k&15]*r0 + g1[k&15]*r1 + g2[k&15]*r2))
					}
					at += w.per
				}
			}
		}
	}
}

// Impl is the implementation that the convolution was prepared for.
func (w *Winograd) Impl() *Impl { return w.im }

// MACs is the number of multiply-accumulates of the convolution that Run
// stands for, as if computed directly.
func (w *Winograd) MACs() int {
	return w.tilesY * w.tilesX * w.t.M * w.t.M * 9 * w.spec.In.C * w.spec.Out.C
}

// WeightBytes is what Run reads of weights: (m+2)²/9 times the filters, of int8, which
// become int16, twice that.
func (w *Winograd) WeightBytes() int { return 4 * w.n * w.n * w.k * w.spec.Out.C }

// InputBytes is as Conv's.
func (w *Winograd) InputBytes() int { return w.spec.inputBytes() }

// The stages of a convolution by minimal filtering, as bits.
const (
	stageIn = 1 << iota
	stageProducts
	stageOut
	allStages = stageIn | stageProducts | stageOut
)

// Tiles is the number of parts in which RunTiles can split Run: groups of as many tiles as
// the micro-kernel takes, each with w.groups groups of columns.
func (w *Winograd) Tiles() int { return (len(w.in) + w.mr - 1) / w.mr * w.groups }

// Run is as Conv's.
func (w *Winograd) Run(ctx *Context, out, in []byte) { w.RunTiles(ctx, out, in, 0, w.Tiles()) }

// RunTiles is as Conv's. Parts that split a group of tiles transform its input each.
func (w *Winograd) RunTiles(ctx *Context, out, in []byte, from, to int) {
	if len(in) < w.inBytes || len(out) < w.outBytes {
		panic(fmt.Sprintf("kernels: %s: %d bytes in, %d out: want %d and %d", w.im.FullName("winograd"), len(in), len(out), w.inBytes, w.outBytes))
	}
	for from < to {
		first, group := from/w.groups*w.mr, from%w.groups
		tiles, groups := w.mr, min(w.groups-group, to-from)
		if groups == w.groups {
			tiles = min(w.block, (to-from)/w.groups*w.mr)
		}
		w.columns(ctx, out, in, first, min(tiles, len(w.in)-first), group*w.width, min((group+groups)*w.width, w.cols))
		from += tiles / w.mr * groups
	}
	ctx.transform, ctx.args = tile.Transform{}, tile.Args{} // keep no memory alive
}

// columns computes the output channels from…to−1, whole panels, of count tiles, at most a
// block.
func (w *Winograd) columns(ctx *Context, out, in []byte, first, count, from, to int) {
	s := &w.spec
	points := w.n * w.n
	const vector = 64
	// The transforms go from matrix to matrix for each vector: at a distance of a
	// power of two all n·n would fall into two sets of the first-level cache.
	stepV, stepM := 4*w.block*w.k+vector, 4*w.block*w.cols+vector
	memory := ctx.bytes(points*(stepV+stepM+vector) + 4*len(w.places)*s.Out.C)
	v, m, tmp := memory[:points*stepV], memory[points*stepV:points*(stepV+stepM)], memory[points*(stepV+stepM):]
	sums := tmp[points*vector:] // of a tile, with a rescaler

	t, a := &ctx.transform, &ctx.args
	*t = tile.Transform{Row: s.In.RowBytes(), Col: s.In.PixelBytes(), Step: stepV, Vectors: s.In.C / w.t.VL, Tmp: unsafe.Pointer(&tmp[0])}
	for i := range count * (w.stages & stageIn / stageIn) {
		t.Src, t.Dst = unsafe.Pointer(&in[w.in[first+i]]), unsafe.Pointer(&v[4*i*w.k])
		w.t.In(t)
	}
	*a = tile.Args{
		Rows: &w.rows[0], Segs: &zeroSegment, COff: &w.coff[0], NSeg: 1, SegLen: w.k, Pool: 1,
		Tiles: (count + w.mr - 1) / w.mr, Init: unsafe.Pointer(&w.zero[0]), Lo: unclampedLo, Hi: unclampedHi,
	}
	for p := range points * (w.stages & stageProducts / stageProducts) {
		a.A = unsafe.Pointer(&v[p*stepV])
		for col := from; col < to; col += w.nr {
			next := p*w.per + (col+w.nr)*w.k // panel
			switch {
			case col+w.nr < to:
			case p+1 < points:
				next = (p+1)*w.per + from*w.k
			default: // of the next block of tiles
				next = from * w.k
			}
			a.B, a.C, a.Next = unsafe.Pointer(&w.u[p*w.per+col*w.k]), unsafe.Pointer(&m[p*stepM+4*col]), unsafe.Pointer(&w.u[next])
			w.gemm(a)
		}
	}
	if w.stages&stageOut == 0 {
		return
	}
	to = min(to, s.Out.C) // more than from: no panel lies beyond Out.C
	*t = tile.Transform{
		Row: s.Out.RowBytes(), Col: s.Out.PixelBytes(), Step: stepM, Vectors: (to - from) / w.outVL, Tmp: unsafe.Pointer(&tmp[0]),
		Bias: unsafe.Pointer(&w.bias[from]), Lo: s.Lo, Hi: s.Hi, OutXor: uint64(s.OutXor),
	}
	if s.Pool {
		t.Pool = 1
	}
	if w.init != nil {
		t.Init = unsafe.Pointer(&w.init[from])
	}
	if w.scale != nil {
		t.Scale = unsafe.Pointer(&w.scale[from])
	}
	offset := from * s.Out.DType.Bits() / 8
	for i := range count {
		at := out[w.out[first+i]+offset:]
		t.Src = unsafe.Pointer(&m[4*(i*w.cols+from)])
		if w.rescale == nil {
			t.Dst = unsafe.Pointer(&at[0])
			w.t.Out(t)
			continue
		}
		t.Dst, t.Row, t.Col = unsafe.Pointer(&sums[0]), 4*w.size()*(to-from), 4*(to-from)
		w.t.Out(t)
		w.rescale.run(ctx, at, sums, w.places, from, to-from, t.Col)
	}
}
