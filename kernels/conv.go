package kernels

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"macroscope/dtype"
	"macroscope/kernels/tile"
	"macroscope/quant"
)

// ConvSpec describes a convolution and what becomes of its sums. The sums are
//
//	for o := range OutC {
//		sum := bias[o]
//		for ky := range KH { for kx := range KW { for c := range In.C {
//			sum += in[y*StrideH+ky*DilationH-PadTop][x*StrideW+kx*DilationW-PadLeft][c] * w[o][ky][kx][c]
//		}}}
//	}
//
// Taps outside the image read In's halo, so In must have one that is wide
// enough, holding whatever stands for the padding. Where Halo says what that is,
// Run leaves out such taps as far as whole tiles can do without them.
type ConvSpec struct {
	In, Out              Image // Out.C is OutC; Out.H×Out.W are after the pool
	KH, KW               int
	StrideH, StrideW     int
	DilationH, DilationW int
	PadTop, PadLeft      int
	Halo                 Halo // what the halo holds, where Run may count on it
	NonNegative          bool // In's int8 values are 0…127, as after a ReLU
	Pool                 bool // maximum of 2×2 windows with stride 2, taken on the sums

	Mode   tile.Mode // Store, Requant or Bits; Out's dtype must be the matching one
	BiasF  []float32 // [OutC], float32 convolutions; nil is 0
	BiasI  []int32   // [OutC], int8 and binary; nil is 0
	Lo, Hi float32   // Store of float32 and Requant: the clamp (0, +Inf is a ReLU); float32 with both 0 is not clamped
	Scale  []float32 // [OutC], Requant
	Offset []float32 // [OutC], Requant
	// Multipliers, [OutC], take the place of Scale and Offset in networks of integers: the
	// byte is clamp(Multipliers[o].Apply(sum) + Zero, Lo, Hi) xor OutXor.
	Multipliers []quant.Multiplier
	Zero        int8
	OutXor      uint8   // Requant: the AXor of who reads Out
	Threshold   []int32 // [OutC], Bits
	Flip        []bool  // [OutC], Bits; nil is false
}

// Conv is a convolution prepared for one implementation: weights packed, the
// tables of rows built. A 1×1 convolution of a 1×1 image is a dense layer. It
// is immutable; Run may be called by many goroutines, each with its Context.
type Conv struct {
	im       *Impl
	k        *tile.Kernel // of im, for so many columns
	tile     tile.Func
	spec     ConvSpec
	panels   []panel
	segLen   int
	segs     []int
	take     []int     // the words of a row of weights in the order of the segments; -1: 0
	rows     []int     // byte offset in In of every sum's first tap, in the order of tiles
	coff     []int     // byte offset in Out of every row of tiles
	dense    []int     // coff of a scratch tile
	mode     tile.Mode // of the tiles
	rescale  *rescaler // what makes bytes of sums that they stored; nil: nothing
	edges    []edge
	serial   *serial // products of bit planes; nil: none
	outRows  int     // real rows of Out: len(coff) without the ragged end's copies
	pool     int
	perCall  int // tiles a call, so that a call stays below ~100 µs and Go may preempt between
	colBits  int // bits of a column that a tile writes
	weightsB int

	inBytes, outBytes int
}

// panel is NR columns: packed weights and the constants of the epilogue.
type panel struct {
	b                 []uint32
	init              unsafe.Pointer
	scale, offset     []float32
	threshold         []int32
	flip              uint64
	cols, firstColumn int
}

// maxWordsPerCall bounds one call into assembly: at 10⁹…10¹¹ words a second it
// ends within about 100 µs, and the garbage collector's stop does not wait.
const maxWordsPerCall = 1 << 20

var unclampedLo, unclampedHi = float32(math.Inf(-1)), float32(math.Inf(1))

// maxInt8K is the longest exact int8 sum: 131071·128·128 < 2³¹.
const maxInt8K = 131071

// NewConv prepares a convolution; weights are [OutC][KH][KW] rows of In.C
// values as PackFloat32, PackInt8 or PackBinary give them.
func NewConv(im *Impl, spec ConvSpec, weights []uint32) (*Conv, error) {
	c, err := newConv(im, spec, len(weights))
	if err != nil {
		return nil, err
	}
	c.prepare(weights)
	return c, nil
}

// newConv is NewConv up to where it takes memory.
func newConv(im *Impl, spec ConvSpec, weights int) (*Conv, error) {
	c := &Conv{im: im, k: im.of(spec.Out.C), spec: spec, pool: 1}
	c.tile = c.k.Tile
	if spec.NonNegative && c.k.NonNegativeTile != nil {
		c.tile = c.k.NonNegativeTile
	}
	if spec.Pool {
		c.pool = 4
	}
	if im.k.DType == dtype.Float32 && spec.Lo == 0 && spec.Hi == 0 {
		c.spec.Lo, c.spec.Hi = unclampedLo, unclampedHi
	}
	if err := c.check(weights); err != nil {
		return nil, fmt.Errorf("%s: %w", im.FullName("conv2d"), err)
	}
	return c, nil
}

// prepare lays out what Run needs, after the checks.
func (c *Conv) prepare(weights []uint32) {
	if c.mode = c.spec.Mode; c.spec.Multipliers != nil {
		c.mode, c.rescale = tile.Store, newRescaler(c.im, &c.spec)
	}
	c.addresses()
	c.pack(weights)
}

// prepareLike is prepare of one whose spec differs in constants alone from that of another
// which is prepared: they share their tables, which do not depend on them.
func (c *Conv) prepareLike(like *Conv, weights []uint32) {
	spec, im := c.spec, c.im
	*c = *like
	c.spec, c.im, c.panels = spec, im, nil
	c.edges = slices.Clone(like.edges)
	for i := range c.edges {
		c.edges[i].init = nil
	}
	if spec.Multipliers != nil {
		c.rescale = newRescaler(im, &c.spec)
	}
	c.pack(weights)
}

func (c *Conv) check(weights int) error {
	s := &c.spec
	if err := s.In.check("input"); err != nil {
		return err
	}
	if err := s.Out.check("output"); err != nil {
		return err
	}
	if !c.im.Available() {
		return fmt.Errorf("not available here: %s", c.im.reason)
	}
	if s.In.DType != c.k.DType {
		return fmt.Errorf("input is %v", s.In.DType)
	}
	const small = 1 << 20
	for _, v := range []int{s.KH, s.KW, s.StrideH, s.StrideW, s.DilationH, s.DilationW} {
		if v < 1 || v > small {
			return fmt.Errorf("kernel %dx%d, stride %d,%d, dilation %d,%d: want each in 1…%d", s.KH, s.KW, s.StrideH, s.StrideW, s.DilationH, s.DilationW, small)
		}
	}
	if s.PadTop < 0 || s.PadLeft < 0 || s.PadTop > s.In.Top || s.PadLeft > s.In.Left {
		return fmt.Errorf("padding %d,%d: want ≥ 0 and within the input's halo %d,%d", s.PadTop, s.PadLeft, s.In.Top, s.In.Left)
	}
	if binary := s.In.DType == dtype.Binary && c.serial == nil; s.Halo == HaloZero && binary || s.Halo > HaloZero && !binary || s.Halo < HaloAny || s.Halo > HaloPlusOne {
		return fmt.Errorf("halo %d: want HaloZero of float32 or int8, HaloMinusOne or HaloPlusOne of binary", s.Halo)
	}
	h, w := c.sumsHW()
	if last := (h-1)*s.StrideH + (s.KH-1)*s.DilationH - s.PadTop; last >= s.In.H+s.In.Bottom {
		return fmt.Errorf("the last row of taps is %d: the input with its halo ends at %d", last, s.In.H+s.In.Bottom-1)
	}
	if last := (w-1)*s.StrideW + (s.KW-1)*s.DilationW - s.PadLeft; last >= s.In.W+s.In.Right {
		return fmt.Errorf("the last column of taps is %d: the input with its halo ends at %d", last, s.In.W+s.In.Right-1)
	}
	if k := s.KH * s.KW * Words(s.In.DType, s.In.C) * c.serial.weightPlanes(); weights != s.Out.C*k || s.Out.C > 1<<30/k {
		return fmt.Errorf("%d words of weights: want %d rows of %d", weights, s.Out.C, k)
	}
	if k := s.KH * s.KW * s.In.C; s.In.DType == dtype.Int8 && k > maxInt8K {
		return fmt.Errorf("%d products a sum: int32 is exact up to %d", k, maxInt8K)
	}
	return c.checkEpilogue()
}

func (c *Conv) checkEpilogue() error {
	s := &c.spec
	want := map[tile.Mode]dtype.DType{tile.Store: dtype.Float32, tile.Requant: dtype.Int8, tile.Bits: dtype.Binary}
	d, ok := want[s.Mode]
	if !ok || c.k.DType == dtype.Float32 && s.Mode != tile.Store {
		return fmt.Errorf("mode %d: want Store, or Requant or Bits of integer sums", s.Mode)
	}
	if s.Out.DType != d {
		return fmt.Errorf("mode %d writes %v elements, the output is %v", s.Mode, d, s.Out.DType)
	}
	lens := []struct {
		what string
		n    int
		used bool
		need bool
	}{
		{"BiasF", len(s.BiasF), c.k.DType == dtype.Float32, false},
		{"BiasI", len(s.BiasI), c.k.DType != dtype.Float32, false},
		{"Scale", len(s.Scale), s.Mode == tile.Requant && s.Multipliers == nil, true},
		{"Offset", len(s.Offset), s.Mode == tile.Requant && s.Multipliers == nil, true},
		{"Multipliers", len(s.Multipliers), s.Mode == tile.Requant, false},
		{"Threshold", len(s.Threshold), s.Mode == tile.Bits, true},
		{"Flip", len(s.Flip), s.Mode == tile.Bits, false},
	}
	for _, l := range lens {
		if l.n != 0 && (!l.used || l.n != s.Out.C) || l.n == 0 && l.need && l.used {
			return fmt.Errorf("%s has %d values: want %d, and only where the mode uses it", l.what, l.n, s.Out.C)
		}
	}
	if s.Mode == tile.Requant && !(s.Lo >= -128 && s.Lo <= s.Hi && s.Hi <= 127) {
		return fmt.Errorf("clamp %v…%v: want integers within −128…127", s.Lo, s.Hi)
	}
	return checkMultipliers(s.Multipliers)
}

// sumsHW is the extent before the pool.
func (c *Conv) sumsHW() (h, w int) { return c.spec.sumsHW() }

func (s *ConvSpec) sumsHW() (h, w int) {
	if s.Pool {
		return 2 * s.Out.H, 2 * s.Out.W
	}
	return s.Out.H, s.Out.W
}

// inputBytes counts the bytes of In that taps read, each once, those of the halo
// too.
func (s *ConvSpec) inputBytes() int {
	touched := func(n, stride, k, dilation int) int {
		seen := map[int]bool{}
		for i := range n {
			for j := range k {
				seen[i*stride+j*dilation] = true
			}
		}
		return len(seen)
	}
	h, w := s.sumsHW()
	return touched(h, s.StrideH, s.KH, s.DilationH) * touched(w, s.StrideW, s.KW, s.DilationW) * s.In.PixelBytes()
}

// addresses builds the tables. Pooled windows lie as the tile takes their
// maximum in registers.
func (c *Conv) addresses() {
	s, mr := &c.spec, c.k.MR
	units := make([]unit, 0, s.Out.H*s.Out.W)
	for y := range s.Out.H {
		for x := range s.Out.W {
			units = append(units, unit{y, x})
		}
	}
	units = c.splitEdges(units)
	c.outRows = len(units)
	c.inBytes, c.outBytes = s.In.Bytes(), s.Out.Bytes()
	if c.serial != nil {
		c.inBytes *= c.serial.bits
	}
	per := mr / c.pool
	for len(units)%per != 0 { // a ragged end repeats the last one
		units = append(units, units[len(units)-1])
	}
	c.rows, c.coff = make([]int, 0, len(units)*c.pool), make([]int, 0, len(units))
	for ; len(units) > 0; units = units[per:] {
		c.addTile(units[:per])
	}

	c.segments()
	if c.serial != nil {
		c.serialSegments()
	}
	if c.colBits = s.Out.DType.Bits(); c.rescale != nil {
		c.colBits = 32
	}
	limit := c.k.WordsPerCall
	if limit == 0 {
		limit = maxWordsPerCall
	}
	c.perCall = max(1, limit/(mr*c.k.NR*c.segLen*len(c.segs)*c.serial.rounds()))
	if c.rescale != nil {
		c.perCall = min(c.perCall, max(1, rescaleBytes/(4*per*c.k.NR)))
	}
	c.denseRows()
}

// denseRows builds the table of a scratch tile's outputs.
func (c *Conv) denseRows() {
	mr := c.k.MR
	c.dense = nil
	tiles := len(c.rows) / mr
	for i := range c.edges {
		tiles = max(tiles, len(c.edges[i].rows)/mr)
	}
	for i := range min(c.perCall, tiles) * mr / c.pool {
		c.dense = append(c.dense, i*c.k.NR*c.colBits/8)
	}
}

// addTile adds a tile's rows, and where its outputs go.
func (c *Conv) addTile(units []unit) {
	for _, u := range units {
		c.coff = append(c.coff, c.spec.Out.Offset(u.y, u.x))
	}
	switch {
	case !c.spec.Pool:
		for _, u := range units {
			c.rows = append(c.rows, c.tapOffset(u.y, u.x))
		}
	case c.k.PoolHalves || c.serial.doubles():
		for i := range 2 {
			for _, u := range units {
				c.rows = append(c.rows, c.tapOffset(2*u.y+i, 2*u.x), c.tapOffset(2*u.y+i, 2*u.x+1))
			}
		}
	default:
		for _, u := range units {
			for i := range 4 {
				c.rows = append(c.rows, c.tapOffset(2*u.y+i/2, 2*u.x+i%2))
			}
		}
	}
}

// segments lists the parts of a row's taps that lie together, cut to the
// kernel's chunks, and which weights belong to them.
func (c *Conv) segments() {
	s := &c.spec
	pixel := Words(s.In.DType, s.In.C)
	words, taps := s.KW*pixel, 1
	if s.DilationW > 1 { // else a kernel row lies together
		words, taps = pixel, s.KW
	}
	starts, length := split(words, c.k.Chunk)
	c.segLen = length
	for ky := range s.KH {
		for kx := range taps {
			done := 0
			for _, start := range starts {
				c.segs = append(c.segs, ky*s.DilationH*s.In.RowBytes()+kx*s.DilationW*s.In.PixelBytes()+4*start)
				for i := range length {
					if start+i < done {
						c.take = append(c.take, -1) // an earlier piece has it
					} else {
						c.take = append(c.take, (ky*taps+kx)*words+start+i)
					}
				}
				done = start + length
			}
		}
	}
}

func (c *Conv) tapOffset(y, x int) int {
	return c.spec.In.Offset(y*c.spec.StrideH-c.spec.PadTop, x*c.spec.StrideW-c.spec.PadLeft)
}

func (c *Conv) pack(weights []uint32) {
	s, nr := &c.spec, c.k.NR
	k := len(c.take)
	b := packPanels(c.k, weights, s.Out.C, nr, c.take, c.segLen)
	c.weightsB = 4 * len(weights)
	var sums []int32
	if c.k.AXor != 0 {
		sums = rowSums(weights, len(weights)/s.Out.C)
	}
	for first := 0; first < s.Out.C; first += nr {
		cols := min(nr, s.Out.C-first)
		p := panel{b: b[first*k : (first+nr)*k], cols: cols, firstColumn: first}
		if c.k.DType == dtype.Float32 {
			init := alignedSlice[float32](nr)
			if s.BiasF != nil {
				copy(init, s.BiasF[first:first+cols])
			}
			p.init = unsafe.Pointer(&init[0])
		} else {
			init := alignedSlice[int32](nr)
			for i := range cols {
				if s.BiasI != nil {
					init[i] = s.BiasI[first+i]
				}
				if sums != nil {
					init[i] -= int32(c.k.AXor) * sums[first+i]
				}
				if c.serial != nil {
					init[i] = c.serial.init[first+i]
				} else if c.k.DType == dtype.Binary {
					init[i] += int32(s.KH * s.KW * s.In.C)
				}
			}
			if c.serial.doubles() { // of both halves
				init = append(alignedSlice[int32](2 * nr)[:0], append(init, init...)...)
			}
			p.init = unsafe.Pointer(&init[0])
		}
		switch c.mode {
		case tile.Requant:
			p.scale, p.offset = alignedSlice[float32](nr), alignedSlice[float32](nr)
			copy(p.scale, s.Scale[first:first+cols])
			copy(p.offset, s.Offset[first:first+cols])
		case tile.Bits:
			p.threshold = alignedSlice[int32](nr)
			for i := range p.threshold {
				p.threshold[i] = 1<<31 - 1 // a column that does not exist stays 0
			}
			copy(p.threshold, s.Threshold[first:first+cols])
			for i := range cols {
				if s.Flip != nil && s.Flip[first+i] {
					p.flip |= 1 << i
				}
			}
		}
		c.initEdges(&p)
		c.panels = append(c.panels, p)
	}
}

// Impl is the implementation that the convolution was prepared for.
func (c *Conv) Impl() *Impl { return c.im }

// MACs is the number of multiply-accumulates of one Run; padding counts, even
// where it is left out.
func (c *Conv) MACs() int {
	h, w := c.sumsHW()
	return h * w * c.spec.Out.C * c.spec.KH * c.spec.KW * c.spec.In.C
}

// WeightBytes is what Run must read of weights, without the padding to tiles.
func (c *Conv) WeightBytes() int { return c.weightsB }

// InputBytes is what Run reads of its input, each byte once, with the halo.
func (c *Conv) InputBytes() int { return c.spec.inputBytes() }

// Tiles is the number of tiles that Run computes: the parts in which RunTiles
// can split it.
func (c *Conv) Tiles() int { return len(c.panels) * c.perPanel() }

// perPanel is the number of tiles of a panel: the plain ones, then the edges'.
func (c *Conv) perPanel() int {
	n := len(c.rows)
	for i := range c.edges {
		n += len(c.edges[i].rows)
	}
	return n / c.k.MR
}
