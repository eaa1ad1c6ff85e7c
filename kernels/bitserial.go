package kernels

import (
	"fmt"
	"math"
	"math/bits"

	"macroscope/dtype"
	"macroscope/kernels/tile"
	"macroscope/quant"
)

// BitSerial is a convolution of integers of few bits as a sum of binary ones. With
// an input of a bits and weights that are sums of weighted ±1,
//
//	x = base + Σᵢ 2ⁱ·bᵢ = base + (2ᵃ−1)/2 + Σᵢ 2ⁱ⁻¹·αᵢ    αᵢ = 2·bᵢ − 1 = ±1 (twice each sum for a step of 2)
//	w = Σⱼ hⱼ/2·βⱼ                                         βⱼ = ±1
//
// each pair of a plane of x and one of w is a binary product, and what is left of
// Σ x·w is a constant of the output channel:
//
//	Σ x·w = (base + (2ᵃ−1)/2)·Σ w + Σᵢⱼ 2ⁱ⁻¹·hⱼ/2·Σ αᵢ·βⱼ
//
// No term depends on x alone, as one would with weights in two's complement: that is
// what hⱼ are for. Weights of ±1 are one plane, h = 2; odd ones to ±(2ⁿ−1) are n, h =
// 2, 4, 8, ...; all others within ±2ⁿ are n+2, h = 1, 1, 2, 4, ...: a ternary
// weight is (±1 ± 1)/2.
//
// Where there is a tile for them (tile.Kernel.TernaryTile), all weights that are not odd
// are planes of −1, 0 and 1 instead (ternary.go): w = Σⱼ 2ʲ·τⱼ, n of them within ±(2ⁿ−1).
//
// A tile that doubles (tile.Kernel.Doubles) takes the products of each significance,
// highest first, and doubles its sums between them. Any other adds up a product of
// significance 2ⁿ 2ⁿ times.
//
// It is immutable; its methods may be called by many goroutines, each with its Context.
type BitSerial struct{ conv *Conv }

// Levels are the integers that an input may be: Base + Step·b for b = 0…2^Bits−1. Step is
// 1, or 2 for what is ±1: one bit, from −1 on.
type Levels struct{ Bits, Base, Step int }

// Has says whether q is among the levels.
func (l Levels) Has(q int) bool { return l.Base <= q && q <= l.last() && (q-l.Base)%l.Step == 0 }

func (l Levels) last() int { return l.Base + l.Step*(1<<l.Bits-1) }

// MaxSerialBits is the most bits of an input and of a weight: with more the int8 kernels
// have fewer products to compute.
const MaxSerialBits = 4

// serial is what a Conv of bit planes knows beside its spec.
type serial struct {
	bits     int       // planes of the input
	planes   int       // of the weights
	ternary  bool      // those are of −1, 0 and 1, two words for one of the input
	distance int       // bytes from a plane of the input to the next
	products []product // by falling significance
	factor   int32     // what the sums are multiplied by
	init     []int32   // [OutC]
	halo     uint      // the bits that the halo holds, bit i of plane i
	doubling bool      // the tile doubles its sums
	panel    int       // words of a plane of the weights in a panel
	pieces   []tile.Piece
}

// product is that of plane x of the input and plane w of the weights.
type product struct{ x, w, level int }

// NewBitSerial prepares weights [OutC][KH][KW][In.C] within ±8 for an input of 1 to 4
// bits. The spec is that of one plane: a binary In, of which Run gets bits, one In.Bytes()
// behind the other, plane i with bit i of b, halo included (see PackPlanes). Its
// Halo is HaloAny or, where the halo's x is 0, HaloZero. BiasI, Scale, Offset and Threshold
// are of sums Σ x·w, as for an int8 convolution of x, whose bytes and bits the result
// has. With Store the sums come Factor() times too large.
func NewBitSerial(im *Impl, spec ConvSpec, l Levels, w []int8) (*BitSerial, error) {
	b, h, err := newBitSerial(im, spec, l, w)
	if err != nil {
		return nil, err
	}
	c := b.conv
	words := c.packPlanes(w, h)
	c.serial.panel = len(words) / (spec.Out.C * len(h)) * im.k.NR
	c.prepare(words)
	return b, nil
}

// newBitSerial is NewBitSerial up to where it takes memory but for the channels' constants,
// and the steps of the weights.
func newBitSerial(im *Impl, spec ConvSpec, l Levels, w []int8) (b *BitSerial, h []int, err error) {
	c := &Conv{im: im, k: &im.k, tile: im.k.Tile, spec: spec, pool: 1}
	if spec.Pool {
		c.pool = 4
	}
	err = func() error {
		if im.k.DType != dtype.Binary {
			return fmt.Errorf("want a binary implementation")
		}
		if spec.Multipliers != nil {
			return fmt.Errorf("multipliers of integers: want Scale and Offset")
		}
		if l.Bits < 1 || l.Bits > MaxSerialBits || l.Step < 1 || l.Step > 2 || l.Base < -128 || l.last() > 255 {
			return fmt.Errorf("%d bits from %d on in steps of %d: want 1 to %d bits within −128…255 in steps of 1 or 2", l.Bits, l.Base, l.Step, MaxSerialBits)
		}
		if spec.Halo == HaloZero && !l.Has(0) {
			return fmt.Errorf("a halo of 0: %d bits from %d on in steps of %d have none", l.Bits, l.Base, l.Step)
		}
		k := float64(spec.KH) * float64(spec.KW) * float64(spec.In.C)
		if !(k >= 1) || float64(len(w)) != float64(spec.Out.C)*k {
			return fmt.Errorf("%d weights: want OutC %d · KH %d · KW %d · C %d", len(w), spec.Out.C, spec.KH, spec.KW, spec.In.C)
		}
		steps, ternary, err := im.weightSteps(w)
		if err != nil {
			return err
		}
		h = steps
		c.serial = &serial{bits: l.Bits, planes: len(h), ternary: ternary}
		if err := spec.In.check("input"); err != nil {
			return err
		}
		c.weightsB = 4 * spec.Out.C * spec.KH * spec.KW * Words(dtype.Binary, spec.In.C) * c.serial.weightPlanes()
		if err := c.check(c.weightsB / 4); err != nil {
			return err
		}
		if err := c.serial.prepare(&c.spec, l, w, h); err != nil {
			return err
		}
		c.serial.distance, c.serial.doubling = spec.In.Bytes(), im.k.Doubles
		return nil
	}()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", im.FullName("bitserial"), err)
	}
	return &BitSerial{c}, h, nil
}

// weightSteps gives h for weights, and whether their planes are ternary.
func (im *Impl) weightSteps(w []int8) (h []int, ternary bool, err error) {
	h, err = weightSteps(w)
	if err == nil && h[0] == 1 && im.k.TernaryTile != nil {
		return ternarySteps(w), true, nil
	}
	return h, false, err
}

// weightSteps gives h for weights in planes of ±1.
func weightSteps(w []int8) (h []int, err error) {
	largest, odd := 0, true
	for _, v := range w {
		largest, odd = max(largest, int(v), -int(v)), odd && v&1 != 0
	}
	if largest > 1<<(MaxSerialBits-1) {
		return nil, fmt.Errorf("weights up to %d: want at most %d", largest, 1<<(MaxSerialBits-1))
	}
	reach := 0
	if !odd {
		h, reach = []int{1}, 1
	}
	for step := 2 - len(h); reach < 2*largest; step *= 2 {
		h, reach = append(h, step), reach+step
	}
	if len(h) < 2 && !odd { // all weights are 0
		h = []int{1, 1}
	}
	return h, nil
}

// SerialProducts is how many binary products stand for one of integers of a number of
// bits with the given weights when the binary row computes it: planes of the weights times
// bits, or more where its tile does not double. 0: the weights or the bits do not suit.
func (im *Impl) SerialProducts(bits int, w []int8) int {
	h, _, err := im.weightSteps(w)
	if err != nil || bits < 1 || bits > MaxSerialBits || im.k.DType != dtype.Binary {
		return 0
	}
	if im.k.Doubles {
		return bits * len(h)
	}
	n := 0
	for _, step := range h {
		n += (1<<bits - 1) * step / min(2, h[0])
	}
	return n
}

// SerialPays is up to how many SerialProducts the binary row was measured to be faster
// than a row of int8 with inputs of that many channels on such a CPU as this; 0: never, or
// not measured, as with channels that do not fill whole words of bits.
func (im *Impl) SerialPays(int8 *Impl, channels int) int {
	return im.serialPays(int8, channels, thisCPU)
}

func (im *Impl) serialPays(int8 *Impl, channels int, on tile.CPU) int {
	if channels%32 != 0 {
		return 0
	}
	return im.k.SerialPays[int8.k.Name].On(on)
}

// packPlanes gives words [OutC][plane][KH][KW][C bits] of the β.
func (c *Conv) packPlanes(w []int8, h []int) []uint32 {
	if c.serial.ternary {
		return c.packTernary(w, len(h))
	}
	s := &c.spec
	half := 0
	for _, step := range h {
		half += step
	}
	k := s.KH * s.KW * s.In.C
	per := s.KH * s.KW * Words(dtype.Binary, s.In.C)
	words := make([]uint32, s.Out.C*len(h)*per)
	signs := make([]float32, k)
	for o := range s.Out.C {
		for j := range h {
			for i, v := range w[o*k : (o+1)*k] {
				signs[i] = -1
				if plusOne(int(v)+half/2, half, h, j) {
					signs[i] = 1
				}
			}
			to := words[(o*len(h)+j)*per:][:per]
			for t := range s.KH * s.KW {
				n := per / (s.KH * s.KW)
				quant.PackSigns(to[t*n:(t+1)*n], signs[t*s.In.C:(t+1)*s.In.C])
			}
		}
	}
	return words
}

// plusOne says whether βⱼ is +1 in v = Σ over the +1 of hⱼ, a number of 0 to their
// sum.
func plusOne(v, sum int, h []int, j int) bool {
	if h[0] == 2 { // 2, 4, 8, ...
		return v/2>>j&1 != 0
	}
	if v == sum { // 1 and 1, 2, 4, ...: the first is needed only here
		return true
	}
	return j > 0 && v>>(j-1)&1 != 0
}

// prepare finds the products and the constants of the columns. In units of the lowest
// significance g/2 the sum of popcounts is P = Σ 2ⁱ·hⱼ/g·popcount, so that
//
//	Σ x·w = (base + (2ᵃ−1)/2)·Σ w + K·(2ᵃ−1)·Σh/4 − g/2·P
//
// and the tile's Init − 2·P is 4/g times that; of steps of 2, whose Σ and P count twice, 2/g.
func (s *serial) prepare(spec *ConvSpec, l Levels, w []int8, h []int) error {
	g, all := min(2, h[0]), 0
	if s.ternary { // its planes are of twice the significance
		g = 2
		h = doubled(h)
	}
	for j, step := range h {
		all += step
		for i := range s.bits {
			s.products = append(s.products, product{i, j, i + bits.Len(uint(step/g)) - 1})
		}
	}
	byLevel := make([]product, 0, len(s.products))
	for level := s.bits + bits.Len(uint(h[len(h)-1]/g)) - 2; level >= 0; level-- {
		for _, p := range s.products {
			if p.level == level {
				byLevel = append(byLevel, p)
			}
		}
	}
	s.products, s.factor = byLevel, int32(4/(g*l.Step))
	s.halo = uint(max(0, -l.Base) / l.Step)
	levels := 1<<s.bits - 1
	k := len(w) / spec.Out.C
	farthest := max(-l.Base, l.last(), 0)
	s.init = make([]int32, spec.Out.C)
	for o := range s.init {
		sum, magnitude := 0, 0
		for _, v := range w[o*k : (o+1)*k] {
			sum, magnitude = sum+int(v), magnitude+max(int(v), -int(v))
		}
		bias := 0
		if spec.BiasI != nil {
			bias = int(spec.BiasI[o])
		}
		if float64(s.factor)*(float64(k)*float64(farthest)*float64(all)/2+math.Abs(float64(bias))) >= math.MaxInt32 {
			return fmt.Errorf("channel %d: %d products a sum, bias %d: %d times the sum may leave int32", o, k, bias, s.factor)
		}
		s.init[o] = s.factor*int32(bias) + int32(int(s.factor)*(l.Base+l.last())*sum/2)
		if s.ternary {
			s.init[o] += int32(levels * magnitude)
		} else {
			s.init[o] += int32(k * levels * all / g)
		}
	}
	s.scale(spec)
	return nil
}

// scale makes the epilogue's constants those of sums that are factor times too large.
// A power of two changes no rounding.
func (s *serial) scale(spec *ConvSpec) {
	scale, threshold := spec.Scale, spec.Threshold
	spec.Scale, spec.Threshold, spec.BiasI = nil, nil, nil
	for _, m := range scale {
		spec.Scale = append(spec.Scale, m/float32(s.factor))
	}
	for _, t := range threshold {
		spec.Threshold = append(spec.Threshold, int32(max(math.MinInt32, min(math.MaxInt32, int64(t)*int64(s.factor)))))
	}
}

// doubles says whether the tiles take pieces and double; false of a nil serial.
func (s *serial) doubles() bool { return s != nil && s.doubling }

// weightPlanes is the number of planes of the weights: 1 of a nil serial.
func (s *serial) weightPlanes() int {
	if s == nil {
		return 1
	}
	return s.planes * s.width()
}

// serialSegments makes the products of all planes of the segments of one.
func (c *Conv) serialSegments() {
	s, segs, take := c.serial, c.segs, c.take
	if s.ternary {
		take = pairsOf(take)
	}
	plane := len(take)
	c.segs, c.take = nil, nil
	add := func(p product) {
		for _, t := range take {
			c.take = append(c.take, p.w*plane+t)
		}
		for _, seg := range segs {
			c.segs = append(c.segs, p.x*s.distance+seg)
		}
	}
	if !s.doubling {
		for _, p := range s.products {
			for range 1 << p.level {
				add(p)
			}
		}
		return
	}
	var one []tile.Piece
	for i, seg := range segs {
		one = append(one, tile.Piece{Off: seg, Words: c.segLen, BOff: 4 * c.k.NR * s.width() * c.segLen * i})
	}
	s.pieces = s.inPlanes(one)
	for _, p := range s.products { // for perCall, and the weights, each plane once
		if p.x == 0 {
			add(product{w: len(c.take) / plane})
		}
	}
}

// inPlanes makes pieces of all products of those of one, with doublings between them.
func (s *serial) inPlanes(one []tile.Piece) (all []tile.Piece) {
	level := s.products[0].level
	for _, p := range s.products {
		for ; level > p.level; level-- {
			all = append(all, tile.Piece{Rows: 3})
		}
		for _, piece := range one {
			piece.Off += p.x * s.distance
			piece.BOff += 4 * p.w * s.panel
			all = append(all, piece)
		}
	}
	return all
}

// haloSums is what a tap in the halo adds to a column's sum: b starts at the tap's first
// word of the column, words are nr apart, pixel of them for c channels.
func (s *serial) haloSums(b []uint32, nr, pixel, c int) (sum int32) {
	if s.ternary {
		return s.ternaryHalo(b, nr, pixel)
	}
	for _, p := range s.products {
		for k := range pixel {
			x := uint32(0)
			if s.halo>>p.x&1 != 0 {
				x = ^uint32(0)
				if rest := c - 32*k; rest < 32 {
					x = 1<<rest - 1
				}
			}
			sum -= 2 * int32(bits.OnesCount32(b[p.w*s.panel+k*nr]^x)) << p.level
		}
	}
	return sum
}

// Factor is what the sums are multiplied by in the mode Store.
func (b *BitSerial) Factor() int32 { return b.conv.serial.factor }

// Products is what Impl.SerialProducts said.
func (b *BitSerial) Products() int {
	n := 0
	for _, p := range b.conv.serial.products {
		if b.conv.serial.doubling {
			n++
		} else {
			n += 1 << p.level
		}
	}
	return n
}

// Impl is the implementation that the convolution was prepared for.
func (b *BitSerial) Impl() *Impl { return b.conv.im }

// MACs is the number of multiply-accumulates of integers in one Run.
func (b *BitSerial) MACs() int { return b.conv.MACs() }

// WeightBytes is what Run must read of weights, without the padding to tiles.
func (b *BitSerial) WeightBytes() int { return b.conv.WeightBytes() }

// InputBytes is what Run reads of its input, each byte once, with the halo.
func (b *BitSerial) InputBytes() int { return b.conv.serial.bits * b.conv.InputBytes() }

// Tiles is the number of tiles that Run computes, as Conv's.
func (b *BitSerial) Tiles() int { return b.conv.Tiles() }

// Run computes one image, as Conv.Run does, of the planes of its input.
func (b *BitSerial) Run(ctx *Context, out, in []byte) { b.conv.Run(ctx, out, in) }

// RunTiles is Run for the tiles from…to−1 alone.
func (b *BitSerial) RunTiles(ctx *Context, out, in []byte, from, to int) {
	b.conv.RunTiles(ctx, out, in, from, to)
}

// rounds is how often the segments are gone over, once for each plane of the input: 1
// of tiles that do not double, which have segments for them all.
func (s *serial) rounds() int {
	if s.doubles() {
		return s.bits
	}
	return 1
}
