package kernels

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/kernels/tile"
)

// Grouped is a convolution whose channels fall into groups, each of which is a
// convolution of its own. A group's channels are copied out, convolved by the
// implementation's tiles, and copied back: the copies are 1 in KH·KW·OutC/Groups of the
// products. It is immutable; its methods may be called by many goroutines, each with its
// Context.
type Grouped struct {
	im      *Impl
	spec    ConvSpec
	convs   []*Conv
	in, out Image // of one group; out has no halo
}

// NewGrouped prepares weights [OutC][KH][KW] rows of In.C/groups values, as PackFloat32
// or PackInt8 give them. The spec is that of all channels, float32 or int8, without Pool
// and not in mode Bits.
func NewGrouped(im *Impl, spec ConvSpec, groups int, weights []uint32) (*Grouped, error) {
	g, err := newGrouped(im, spec, groups, len(weights))
	if err != nil {
		return nil, err
	}
	for i := range groups {
		c, err := g.group(i, groups, len(weights))
		if err != nil {
			return nil, err
		}
		if i == 0 {
			c.prepare(part(weights, i, groups))
		} else {
			c.prepareLike(g.convs[0], part(weights, i, groups))
		}
		g.convs = append(g.convs, c)
	}
	return g, nil
}

// newGrouped is NewGrouped up to where it takes memory.
func newGrouped(im *Impl, spec ConvSpec, groups, weights int) (*Grouped, error) {
	g := &Grouped{im: im, spec: spec, in: spec.In, out: Image{DType: spec.Out.DType, H: spec.Out.H, W: spec.Out.W}}
	err := func() error {
		switch {
		case groups < 1 || spec.In.C%groups != 0 || spec.Out.C%groups != 0 || weights%groups != 0:
			return fmt.Errorf("%d groups of %d channels in, %d out, %d words of weights: want a divisor", groups, spec.In.C, spec.Out.C, weights)
		case spec.In.DType == dtype.Binary || spec.Mode == tile.Bits || spec.Pool:
			return fmt.Errorf("%v, mode %d, pool %t: want float32 or int8 sums without a pool", spec.In.DType, spec.Mode, spec.Pool)
		}
		for _, m := range []Image{spec.In, spec.Out} {
			if err := m.check("image"); err != nil {
				return err
			}
		}
		g.in.C, g.out.C = spec.In.C/groups, spec.Out.C/groups
		if err := checkMultipliers(spec.Multipliers); err != nil {
			return err
		}
		_, err := g.group(0, groups, weights)
		return err // of all: they differ in constants alone
	}()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", im.FullName("grouped"), err)
	}
	return g, nil
}

// group is the convolution of one group, checked and not yet laid out.
func (g *Grouped) group(i, groups, weights int) (*Conv, error) {
	s := g.spec
	s.In, s.Out = g.in, g.out
	s.BiasF, s.BiasI = part(s.BiasF, i, groups), part(s.BiasI, i, groups)
	s.Scale, s.Offset, s.Multipliers = part(s.Scale, i, groups), part(s.Offset, i, groups), part(s.Multipliers, i, groups)
	return newConv(g.im, s, weights/groups)
}

// part is the i-th of n equal parts.
func part[T any](v []T, i, n int) []T { return v[len(v)*i/n : len(v)*(i+1)/n] }

// Impl is the implementation that the convolution was prepared for.
func (g *Grouped) Impl() *Impl { return g.im }

// WeightBytes is what Run must read of weights, without the padding to tiles.
func (g *Grouped) WeightBytes() int { return len(g.convs) * g.convs[0].WeightBytes() }

// InputBytes is what Run reads of its input, each byte once, with the halo.
func (g *Grouped) InputBytes() int { return g.spec.inputBytes() }

// Tiles is the number of groups.
func (g *Grouped) Tiles() int { return len(g.convs) }

// Run computes one image, as Conv.Run does.
func (g *Grouped) Run(ctx *Context, out, in []byte) { g.RunTiles(ctx, out, in, 0, g.Tiles()) }

// RunTiles is Run for the groups from…to−1 alone.
func (g *Grouped) RunTiles(ctx *Context, out, in []byte, from, to int) {
	if len(in) < g.spec.In.Bytes() || len(out) < g.spec.Out.Bytes() {
		panic(fmt.Sprintf("kernels: %s: %d bytes in, %d out: want %d and %d", g.im.FullName("grouped"), len(in), len(out), g.spec.In.Bytes(), g.spec.Out.Bytes()))
	}
	grow(&ctx.groupIn, g.in.Bytes())
	grow(&ctx.groupOut, g.out.Bytes())
	m, size := g.spec.In, g.in.C*g.in.DType.Bits()/8
	for i := from; i < to; i++ {
		// The halo is copied too: it holds the padding.
		from, to := in[i*size:], ctx.groupIn
		for range (m.Top + m.H + m.Bottom) * (m.Left + m.W + m.Right) {
			copy(to[:size], from)
			from, to = from[min(len(from), m.PixelBytes()):], to[g.in.PixelBytes():]
		}
		g.convs[i].Run(ctx, ctx.groupOut, ctx.groupIn)
		g.store(out, ctx.groupOut, i)
	}
}

// store copies group i's outputs to their place.
func (g *Grouped) store(out, from []byte, i int) {
	size := g.out.C * g.out.DType.Bits() / 8
	for y := range g.out.H {
		to := g.spec.Out.Offset(y, 0) + i*size
		for range g.out.W {
			copy(out[to:][:size], from)
			from, to = from[g.out.PixelBytes():], to+g.spec.Out.PixelBytes()
		}
	}
}

// grow makes b at least n bytes long, of any content.
func grow(b *[]byte, n int) {
	if len(*b) < n {
		*b = Aligned(n)
	}
}
