package nn

import (
	"fmt"
	"math"
	"sync"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/kernels/tile"
	"macroscope/quant"
)

// emit adds a group's steps.
func (c *compiler) emit(g *group, observe func(*graph.Value, []float32)) error {
	var out *buffer
	var err error
	switch op := g.node.Op.(type) {
	case *graph.Conv2D:
		out, err = c.emitConv(g, op)
	case *graph.Dense:
		out, err = c.emitDense(g, op)
	default:
		switch {
		case g.exact:
			out, err = c.emitExact(g)
		case g.bytes:
			out = c.emitAddBytes(g)
		default:
			out, err = c.emitOp(g)
		}
	}
	if err == nil {
		c.converts(out, observe)
		if g.join != nil && g.join.sign != nil {
			c.converts(g.join.bits, observe)
		}
	}
	return err
}

// layer adds a layer to the plan's list and gives its place there.
func (c *compiler) layer(g *group, d dtype.DType, im *kernels.Impl, op, problem string, bytes int) int {
	l := Layer{Name: g.node.Name, Kind: g.node.Op.Kind(), DType: d, Impl: im.FullName(op), Kernel: im, Problem: problem, MACs: g.node.MACs(), WeightBytes: bytes, ReadBytes: bytes}
	for _, n := range g.fused {
		l.Fused = append(l.Fused, n.Name)
	}
	c.plan.layers = append(c.plan.layers, l)
	return len(c.plan.layers) - 1
}

// convolver is a prepared convolution: kernels.Conv, Winograd, Grouped, Depthwise or BitSerial.
type convolver interface {
	Run(ctx *kernels.Context, out, in []byte)
	Tiles() int
	RunTiles(ctx *kernels.Context, out, in []byte, from, to int)
	WeightBytes() int
	InputBytes() int
}

// convStep is a convolution, which the plan's first runner lays out: a plan alone takes no
// memory for packed weights and for tables of pixels.
type convStep struct {
	node    string
	layer   int // in Plan.layers
	conv    func() convolver
	in, out *buffer
}

func (st *convStep) run(s *state) { st.conv().Run(&s.ctx, st.out.bytes(s), st.in.bytes(s)) }

func (st *convStep) units() int { return st.conv().Tiles() }

func (st *convStep) runUnits(s *state, ctx *kernels.Context, from, to int) {
	st.conv().RunTiles(ctx, st.out.bytes(s), st.in.bytes(s), from, to)
}

func (c *compiler) emitConv(g *group, op *graph.Conv2D) (*buffer, error) {
	d := c.layerType(g.node)
	pick, in := c.pick(g.node), g.inputs[0]
	spec := kernels.ConvSpec{
		KH: op.KH, KW: op.KW, StrideH: op.StrideH, StrideW: op.StrideW, DilationH: op.DilationH, DilationW: op.DilationW,
		PadTop: op.PadTop, PadLeft: op.PadLeft, Halo: in.halo(), NonNegative: in.zero == 0 && c.nonNegative(in.value), Pool: g.pool,
	}
	if d != dtype.Float32 {
		if err := c.channels(op.OutC); err != nil {
			return nil, err
		}
	}
	constants := 0 // bytes of the epilogue's
	switch d {
	case dtype.Float32:
		spec.BiasF, constants = op.Bias, 4*len(op.Bias)
		if g.clamped() {
			spec.Lo, spec.Hi = g.lo, g.hi
		}
	case dtype.Int8:
		var err error
		if spec.BiasI, err = zeroBias(op.Int8, op.OutC, in.zero); err != nil {
			return nil, err
		}
		if g.exact {
			spec.BiasI = plus(spec.BiasI, op.IntBias)
		}
	}

	var to landing
	var err error
	problem := ""
	switch {
	case g.join != nil:
		constants = 8*op.OutC + 4*len(g.join.slope) + 4*len(g.join.signs) + (len(g.join.signs)+7)/8
		problem = ", " + g.join.String()
		if to, err = c.landJoin(g, &op.Weights, in, op.OutC); err != nil {
			return nil, err
		}
	case g.sign:
		to = landing{out: c.native(g.out, dtype.Binary)}
		spec.Mode = tile.Bits
		constants = (op.OutC+7)/8 + 4*op.OutC
		if spec.Threshold, spec.Flip, err = c.thresholds(g, &op.Weights, in, op.OutC); err != nil {
			return nil, err
		}
	case g.exact:
		to, problem = landing{out: c.native(g.out, dtype.Int8)}, ", in integers"
		b := g.bounds(to.out)
		spec.Mode, spec.Lo, spec.Hi, spec.Zero, spec.OutXor = tile.Requant, float32(b.Lo), float32(b.Hi), to.out.zero, to.out.form.xor
		constants = 9 * op.OutC
		if spec.Multipliers, err = multipliers(&op.Weights, in, to.out, op.OutC, quant.ConvMultiplier); err != nil {
			return nil, err
		}
	case d == dtype.Int8 && c.scaleOf(g.out) != 0:
		to = landing{out: c.native(g.out, dtype.Int8)}
		spec.Mode, spec.OutXor = tile.Requant, to.out.form.xor
		spec.Lo, spec.Hi = int8Bounds(g.lo, g.hi, to.out)
		constants = 8 * op.OutC
		if spec.Scale, spec.Offset, err = constantsFor(&op.Weights, in.scale, to.out.scale, op.OutC); err != nil {
			return nil, err
		}
		addZero(spec.Offset, to.out.zero)
	case d == dtype.Float32:
		to = c.landFloat(g.out)
	default:
		constants = 8 * op.OutC
		if to, err = c.landSums(g, &op.Weights, in, op.OutC); err != nil {
			return nil, err
		}
	}
	if to.written == nil {
		to.written = to.out
	}
	spec.In, spec.Out = in.img, to.written.img
	by, l := c.serial(g.node)
	few, ok := c.fewBits(g.node)
	if ok {
		problem += fmt.Sprintf(", %d bits from %d, %d products", few.Bits, few.Base, c.choice.For(dtype.Binary).SerialProducts(few.Bits, op.Int8))
	}
	r, err := recipeOf(pick, spec, op, by, l)
	if err != nil {
		return nil, err
	}
	if r.name != "depthwise" {
		c.tables += kernels.TableBytes * float64(g.node.Out.Shape.Plane())
	}
	if spec.Mode == tile.Store && r.factor != 0 {
		to.after[0].(*dequantStep).divide(float32(r.factor))
	}
	at := c.layer(g, d, r.im, r.name, convProblem(&spec, op.Groups)+problem, r.bytes+constants)
	c.plan.layers[at].FewBits = ok
	if r.read > 0 {
		c.plan.layers[at].ReadBytes = r.read + constants
	}
	c.readPlanes(in, at)
	st := &convStep{g.node.Name, at, sync.OnceValue(r.make), in, to.written}
	c.plan.steps = append(append(c.plan.steps, st), to.after...)
	return to.out, nil
}

// recipe is a convolution that was checked but takes no memory yet.
type recipe struct {
	make   func() convolver
	im     *kernels.Impl
	name   string // of the algorithm
	bytes  int    // of weights
	read   int    // of them in an inference; 0: bytes
	factor int32  // what sums are multiplied by; 0: nothing
}

// recipeOf chooses the algorithm of a convolution and names it and who computes it.
func recipeOf(pick Pick, spec kernels.ConvSpec, op *graph.Conv2D, serial *kernels.Impl, l kernels.Levels) (r recipe, err error) {
	r.im = pick.Impl
	switch {
	case serial != nil:
		spec.NonNegative = false
		if l == plusMinusOne {
			spec.Halo = kernels.HaloAny
		}
		r.im, r.name = serial, "bitserial"
		r.bytes, r.factor, err = kernels.CheckBitSerial(serial, spec, l, op.Int8)
		r.make = made(func() (convolver, error) { return kernels.NewBitSerial(serial, spec, l, channelsLast(op.Int8, op)) })
		return r, err
	case op.Groups > 1 && op.Groups == op.InC && op.InC == op.OutC:
		r.name = "depthwise"
		r.im, r.bytes, err = kernels.CheckDepthwise(pick.Impl, spec, op.OutC*op.KH*op.KW)
		r.make = made(func() (convolver, error) {
			if spec.In.DType == dtype.Int8 {
				return kernels.NewDepthwiseInt8(pick.Impl, spec, op.Int8)
			}
			return kernels.NewDepthwiseFloat32(pick.Impl, spec, op.Floats())
		})
		return r, err
	case op.Groups > 1:
		r.name = "grouped"
		r.bytes, err = kernels.CheckGrouped(pick.Impl, spec, op.Groups, weightWords(spec.In.DType, op))
		r.make = made(func() (convolver, error) {
			return kernels.NewGrouped(pick.Impl, spec, op.Groups, packed(spec.In.DType, op))
		})
		return r, err
	}
	for m := pick.Winograd; m >= 2; m -= 2 {
		if spec.In.DType == dtype.Int8 {
			r.read, err = kernels.CheckWinogradInt8(pick.Impl, spec, op.Int8, m)
		} else {
			r.read, err = kernels.CheckWinograd(pick.Impl, spec, op.OutC*op.K(), m)
		}
		if err == nil {
			r.bytes = 4 * weightWords(spec.In.DType, op)
			r.name = fmt.Sprintf("winograd%d", m)
			r.make = made(func() (convolver, error) {
				if spec.In.DType == dtype.Int8 {
					return kernels.NewWinogradInt8(pick.Impl, spec, channelsLast(op.Int8, op), m)
				}
				return kernels.NewWinograd(pick.Impl, spec, channelsLast(op.Floats(), op), m)
			})
			return r, nil
		} // the shape does not suit: the next one
	}
	r.name, r.read = "conv2d", 0
	r.bytes, err = kernels.CheckConv(pick.Impl, spec, weightWords(spec.In.DType, op))
	r.make = made(func() (convolver, error) { return kernels.NewConv(pick.Impl, spec, packed(spec.In.DType, op)) })
	return r, err
}

// made is f, which fails only where the check before it did.
func made(f func() (convolver, error)) func() convolver {
	return func() convolver {
		c, err := f()
		if err != nil {
			panic(fmt.Sprintf("nn: checked, but then refused: %v", err))
		}
		return c
	}
}

// packed are a convolution's weights as words, [OutC][KH][KW] rows of InC/Groups values.
func packed(d dtype.DType, op *graph.Conv2D) []uint32 {
	switch d {
	case dtype.Float32:
		return kernels.PackFloat32(channelsLast(op.Floats(), op))
	case dtype.Int8:
		return kernels.PackInt8(channelsLast(op.Int8, op), op.InC/op.Groups)
	default:
		return kernels.PackBinary(channelsLast(op.Float, op), op.InC)
	}
}

// weightWords is how many words packed gives.
func weightWords(d dtype.DType, op *graph.Conv2D) int {
	return op.OutC * op.KH * op.KW * kernels.Words(d, op.InC/op.Groups)
}

// landing is where a layer's result goes: the buffer that its kernel writes
// (nil if that is out) and the steps from there to the value's native form.
type landing struct {
	written, out *buffer
	after        []step
}

// landFloat is the landing of float32 results.
func (c *compiler) landFloat(v *graph.Value) landing {
	if c.scaleOf(v) == 0 {
		return landing{out: c.native(v, dtype.Float32)}
	}
	raw, out := c.newBuffer(v, form{dtype: dtype.Float32}), c.native(v, dtype.Int8)
	return landing{raw, out, []step{convertStep(raw, out)}}
}

// landSums is the landing of integer sums that are neither requantized nor
// compared: they become sum·m + b, clamped, in float32.
func (c *compiler) landSums(g *group, w *graph.Weights, in *buffer, n int) (landing, error) {
	st := &dequantStep{in: c.newBuffer(g.out, form{dtype: dtype.Float32}), lo: g.lo, hi: g.hi}
	var err error
	if st.m, st.b, err = constantsFor(w, in.scale, 1, n); err != nil {
		return landing{}, err
	}
	to := c.landFloat(g.out)
	st.out = to.out
	if to.written != nil {
		st.out = to.written
	}
	return landing{st.in, to.out, append([]step{st}, to.after...)}, nil
}

// channelsLast turns [OutC][InC/Groups][KH][KW] into [OutC][KH][KW][InC/Groups].
func channelsLast[T any](w []T, op *graph.Conv2D) []T {
	t := make([]T, 0, len(w))
	plane, perGroup := op.KH*op.KW, op.InC/op.Groups
	for o := range op.OutC {
		for p := range plane {
			for ch := range perGroup {
				t = append(t, w[(o*perGroup+ch)*plane+p])
			}
		}
	}
	return t
}

// realScale is what one unit of channel o's integer sum stands for.
func realScale(w *graph.Weights, in float32, o int) float64 {
	s := float64(in)
	switch {
	case len(w.Scale) == 1:
		s *= float64(w.Scale[0])
	case len(w.Scale) > 1:
		s *= float64(w.Scale[o])
	}
	return s
}

func bias(w *graph.Weights, o int) float64 {
	if w.Bias == nil {
		return 0
	}
	return float64(w.Bias[o])
}

// constantsFor gives m and b of each channel for requantization to the scale
// out: m = s_x·s_w/s_y, b = bias/s_y. An m beyond float32 is an error, since it
// would make a sum of 0 NaN.
func constantsFor(w *graph.Weights, in, out float32, n int) (m, b []float32, err error) {
	m, b = make([]float32, n), make([]float32, n)
	for o := range n {
		m[o] = float32(realScale(w, in, o) / float64(out))
		b[o] = float32(bias(w, o) / float64(out))
		if math.IsInf(float64(m[o]), 0) {
			return nil, nil, fmt.Errorf("channel %d: one step of its sum is %.3g steps of its output: want at most %.3g",
				o, realScale(w, in, o)/float64(out), math.MaxFloat32)
		}
	}
	return m, b, nil
}

// thresholds folds scale, bias, ReLU, norms and sign of each channel into a
// comparison of its integer sum.
func (c *compiler) thresholds(g *group, w *graph.Weights, in *buffer, n int) (t []int32, flip []bool, err error) {
	t, flip = make([]int32, n), make([]bool, n)
	for o := range n {
		scale, shift := realScale(w, in.scale, o), bias(w, o)
		th, err := quant.FoldSign(func(sum int32) float64 {
			x := float64(float64(sum)*scale) + shift
			x = min(float64(g.hi), max(float64(g.lo), x))
			for _, op := range g.norms {
				switch op := op.(type) {
				case *graph.BatchNorm:
					x = op.At(o, x)
				case *graph.Affine:
					x = op.At(o, x)
				}
			}
			return x
		})
		if err != nil {
			return nil, nil, fmt.Errorf("channel %d: %w", o, err)
		}
		t[o], flip[o] = th.T, th.Flip
	}
	return t, flip, nil
}

// int8Bounds are bounds of what out stands for as integers; rounding keeps the order of
// numbers, so that clamping may as well come after it.
func int8Bounds(lo, hi float32, out *buffer) (float32, float32) {
	return float32(quant.QuantizeZero(lo, out.scale, out.zero, out.lo)), float32(quant.QuantizeZero(hi, out.scale, out.zero, out.lo))
}

// zeroBias makes sums of w·q of Σw·(q − zero), for n rows of weights: −zero·Σw each, nil
// for zero 0.
func zeroBias(w []int8, n int, zero int8) ([]int32, error) {
	if zero == 0 {
		return nil, nil
	}
	k := len(w) / n
	if k > maxInt8Row/2 { // a product is of up to 255 and 128
		return nil, fmt.Errorf("%d products a sum, with zero point %d: int32 is exact up to %d", k, zero, maxInt8Row/2)
	}
	b := make([]int32, n)
	for o := range b {
		for _, v := range w[o*k : (o+1)*k] {
			b[o] -= int32(zero) * int32(v)
		}
	}
	return b, nil
}

// addZero puts what stands for 0 among offsets, before they round: a value half-way
// between two steps goes to the even integer, which an odd zero point makes the other one.
func addZero(offset []float32, zero int8) {
	for o := range offset {
		offset[o] += float32(zero)
	}
}

// dequantStep turns integer sums into float32: sum·m + b within lo…hi.
type dequantStep struct {
	in, out *buffer
	m, b    []float32
	lo, hi  float32
}

// divide takes a power of two off the sums.
func (st *dequantStep) divide(by float32) {
	for o := range st.m {
		st.m[o] /= by
	}
}

func (st *dequantStep) run(s *state) {
	in, out := st.in.bytes(s), st.out.bytes(s)
	eachPixel(st.in, st.out, func(p, q int) {
		sums, to := ints(in[p:][:4*len(st.m)]), floats(out[q:][:4*len(st.m)])
		for o, sum := range sums {
			to[o] = min(st.hi, max(st.lo, float32(float32(sum)*st.m[o])+st.b[o]))
		}
	})
}
