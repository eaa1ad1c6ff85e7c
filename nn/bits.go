package nn

import (
	"fmt"
	"math/bits"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/quant"
)

// Convolutions of integers of few bits can be computed as sums of binary ones
// (kernels.BitSerial). They read their input as bit planes, a form of their own into
// which a step takes the bytes apart that the layer before has written.

// roundedPools carries the maxima of integers as the integers that they are, where a file
// does not say so: QONNX rounds before a pool, and layers behind it would run in float32.
func (c *compiler) roundedPools() {
	if c.g.Integer != graph.NotInteger {
		return
	}
	for _, n := range c.g.Nodes {
		op, ok := n.Op.(*graph.MaxPool)
		if !ok || n.Out == c.g.Output || c.scaleOf(n.Out) != 0 || n.Out.Stream != 0 {
			continue
		}
		if inside := max(op.PadTop, op.PadBottom) < op.KH && max(op.PadLeft, op.PadRight) < op.KW; inside && n.In[0].Scale != 0 {
			n.Out.Scale, n.Out.Zero, n.Out.Full = n.In[0].Scale, n.In[0].Zero, n.In[0].Full // both are c.g's own
		}
	}
}

// signsAsIntegers makes int8 weights of weights ±1 whose inputs are integers, so that
// their layers compute with integers: exactly, where float32 would round. Signs count as
// such between zeros of padding, for which bits have no room, and where a dense layer reads
// them, of which there is none on bits.
func (c *compiler) signsAsIntegers() {
	for _, n := range c.g.Nodes {
		switch op := n.Op.(type) {
		case *graph.Conv2D:
			padded := op.PadTop+op.PadLeft+op.PadBottom+op.PadRight > 0
			if (!padded || op.PadValue == 0) && c.signsOnIntegers(&op.Weights, n.In[0], op.OutC, padded) {
				conv := *op
				conv.Weights = c.integerSigns(op.Weights)
				n.Op = &conv
			}
		case *graph.Dense:
			if c.signsOnIntegers(&op.Weights, n.In[0], op.Out, true) {
				dense := *op
				dense.Weights = c.integerSigns(op.Weights)
				n.Op = &dense
			}
		}
	}
}

func (c *compiler) signsOnIntegers(w *graph.Weights, in *graph.Value, outs int, signs bool) bool {
	in = c.root(in)
	return w.Binary && w.Int8 == nil && len(w.Float)/outs <= maxInt8Row/2 && c.g.Integer == graph.NotInteger && (c.scaleOf(in) != 0 || signs && c.signed(in))
}

// integerSigns are w as bytes, which layers that share w share too.
func (c *compiler) integerSigns(w graph.Weights) graph.Weights {
	of := signsOf{&w.Float[0], len(w.Float)}
	if c.signs[of] == nil {
		c.signs[of] = make([]int8, len(w.Float))
		for i, v := range w.Float {
			c.signs[of][i] = int8(v)
		}
	}
	w.Binary, w.Scale, w.Int8 = false, []float32{1}, c.signs[of]
	return w
}

// signsOf are weights of ±1 in memory.
type signsOf struct {
	first *float32
	n     int
}

// plusMinusOne are the levels of what is carried as binary.
var plusMinusOne = kernels.Levels{Bits: 1, Base: -1, Step: 2}

// levelsOf gives the integers that a value may be, if it is carried as int8 and has so
// few that four bits tell them apart, or is ±1; false else.
func (c *compiler) levelsOf(v *graph.Value) (kernels.Levels, bool) {
	if c.scaleOf(v) == 0 && c.signed(v) {
		return plusMinusOne, true
	}
	n := c.giver[v]
	if n == nil || v.Scale == 0 {
		return kernels.Levels{}, false
	}
	switch op := n.Op.(type) {
	case *graph.Clip: // rounding keeps the order of numbers
		lo, hi := int(quant.QuantizeZero(op.Lo, v.Scale, v.Zero, v.Lowest())), int(quant.QuantizeZero(op.Hi, v.Scale, v.Zero, v.Lowest()))
		l := kernels.Levels{Bits: max(1, bits.Len(uint(hi-lo))), Base: lo, Step: 1}
		return l, l.Bits <= kernels.MaxSerialBits
	case *graph.MaxPool:
		if from := n.In[0]; from.Scale == v.Scale && from.Zero == v.Zero && from.Lowest() == v.Lowest() {
			return c.levelsOf(from)
		}
	}
	return kernels.Levels{}, false
}

// fewBits gives the levels of a layer's input, if both they and its weights are of so
// few bits that the layer can be computed bit-serially; false else.
func (c *compiler) fewBits(n *graph.Node) (kernels.Levels, bool) {
	op, ok := n.Op.(*graph.Conv2D)
	if !ok || op.Groups != 1 || c.g.Integer != graph.NotInteger || c.joins[n] || c.layerType(n) != dtype.Int8 {
		return kernels.Levels{}, false
	}
	in := c.root(n.In[0])
	l, ok := c.levelsOf(in)
	padded := op.PadTop+op.PadLeft+op.PadBottom+op.PadRight > 0
	if !ok || padded && (op.PadValue != 0 || !l.Has(int(in.Zero))) {
		return kernels.Levels{}, false
	}
	generic, err := kernels.Lookup(dtype.Binary, "generic") // any row tells whether weights suit
	return l, err == nil && generic.SerialProducts(l.Bits, op.Int8) > 0
}

// pays is the binary implementation that by what was measured computes a layer faster
// than the chosen one of int8; nil: none.
func (c *compiler) pays(n *graph.Node) *kernels.Impl {
	usual, im := c.choice.For(dtype.Int8), c.choice.For(dtype.Binary)
	op, ok := n.Op.(*graph.Conv2D)
	if !ok || im.SerialPays(usual, op.InC) == 0 || c.choice.Forced(dtype.Int8) {
		return nil
	}
	if l, ok := c.fewBits(n); ok && im.SerialProducts(l.Bits, op.Int8) <= im.SerialPays(usual, op.InC) {
		return im
	}
	return nil
}

// serial gives the binary implementation that computes a layer bit-serially, and the
// levels of its input; nil where none does.
func (c *compiler) serial(n *graph.Node) (*kernels.Impl, kernels.Levels) {
	im := c.pick(n).BitSerial
	if im == nil {
		return nil, kernels.Levels{}
	}
	if l, ok := c.fewBits(n); ok {
		return im, l
	}
	return nil, kernels.Levels{} // the layer does not suit
}

// whyBits says in words why a layer of few bits is computed as it is; empty of any
// other layer.
func (c *compiler) whyBits(n *graph.Node) string {
	l, ok := c.fewBits(n)
	if !ok {
		return ""
	}
	usual, im := c.choice.For(dtype.Int8), c.choice.For(dtype.Binary)
	op := n.Op.(*graph.Conv2D)
	products := func(im *kernels.Impl) int { return im.SerialProducts(l.Bits, op.Int8) }
	if _, picked := c.picks[n.Name]; picked {
		by, _ := c.serial(n)
		if by == nil {
			return ""
		}
		return fmt.Sprintf("picked: bit-serial, %d binary products for one of %d bits", products(by), l.Bits)
	}
	text := fmt.Sprintf("bit-serial: %d binary products for one of %d bits", products(im), l.Bits)
	switch most := im.SerialPays(usual, op.InC); {
	case c.choice.Forced(dtype.Int8):
		return "int8 was asked for; " + text
	case most == 0:
		return fmt.Sprintf("int8: %v was not measured to be faster with %d channels on this CPU; %s", im, op.InC, text)
	case products(im) <= most:
		return fmt.Sprintf("%s, faster than %v up to %d on this CPU", text, usual, most)
	default:
		return fmt.Sprintf("int8: faster than %s, which pays up to %d on this CPU", text, most)
	}
}

// planesStep takes bytes apart into bit planes.
type planesStep struct {
	im       *kernels.Impl
	from, to *buffer
	reader   int // the first layer that reads them
}

func (st *planesStep) run(s *state) {
	l := st.to.form.levels
	st.im.PackPlanes(&s.ctx, st.to.bytes(s), st.to.img, st.from.bytes(s), st.from.img, l.Bits, l.Base, st.from.form.xor)
}

func (st *planesStep) about() Step {
	a := plain(st.to.value.Name, "planes", Packing, st.to, st.from)
	a.Reader = st.reader
	return a
}

// readPlanes notes which layer reads bit planes.
func (c *compiler) readPlanes(b *buffer, layer int) {
	for _, st := range c.plan.steps {
		if p, ok := st.(*planesStep); ok && p.to == b && p.reader < 0 {
			p.reader = layer
		}
	}
}

// fillPlanes sets every pixel of bit planes to what stands for 0, where that is a level.
func (b *buffer) fillPlanes(mem []byte) {
	clear(mem)
	zero := int(b.zero) - b.form.levels.Base
	if !b.form.levels.Has(int(b.zero)) { // then there is no halo
		return
	}
	for p := range b.form.levels.Bits {
		if zero>>p&1 != 0 {
			b.setBits(mem[p*b.img.Bytes():][:b.img.Bytes()])
		}
	}
}

// setBits sets the bits of all channels of all pixels; those past the last channel stay 0.
func (b *buffer) setBits(mem []byte) {
	px := b.img.PixelBytes()
	for i := range mem {
		for bit := range 8 {
			if i%px*8+bit < b.img.C {
				mem[i] |= 1 << bit
			}
		}
	}
}
