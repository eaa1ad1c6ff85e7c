package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/kernels/tile"
	"macroscope/models"
)

// lowBits are the formats of few bits that are measured: weights of these values,
// inputs of 0…2^inputs−1 as after a ReLU.
var lowBits = []struct {
	weights string // as in the case's name
	values  []int8
	inputs  int
}{
	{"bipolar", []int8{-1, 1}, 1}, {"bipolar", []int8{-1, 1}, 2}, {"bipolar", []int8{-1, 1}, 3}, {"bipolar", []int8{-1, 1}, 4},
	{"ternary", []int8{-1, 0, 1}, 2}, {"ternary", []int8{-1, 0, 1}, 3},
	{"2bit", []int8{-2, -1, 0, 1}, 2},
	{"4bit", []int8{-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7}, 4},
}

// BitSerialImpl stands for an implementation's name where the chosen one of binary
// computes a layer of integers, so that it is compared with int8's.
const BitSerialImpl = "bitserial"

// BitSerialCases measure the convolutions behind a network's first one, of few bits,
// as the chosen implementation of int8 computes them and as that of binary does, from
// bytes to bytes: the latter's time has in it that its input is taken apart into bits.
// Whole networks come with them (BitSerialNetworkCases).
func BitSerialCases(model string) ([]Case, error) {
	g, err := models.Load(model, dtype.Float32)
	if err != nil {
		return nil, err
	}
	choice, err := kernels.Default()
	if err != nil {
		return nil, err
	}
	var cases []Case
	for i, n := range g.Nodes {
		op, ok := n.Op.(*graph.Conv2D)
		if !ok || i < firstHidden(g) {
			continue
		}
		for _, f := range lowBits {
			rnd := rand.New(rand.NewPCG(1, 5))
			w := make([]int8, op.OutC*op.KH*op.KW*op.InC)
			for i := range w {
				w[i] = f.values[rnd.IntN(len(f.values))]
			}
			for _, d := range []dtype.DType{dtype.Int8, dtype.Binary} {
				im, name := choice.For(d), choice.For(d).Name()
				if d == dtype.Binary {
					name = BitSerialImpl
				}
				spec := lowBitSpec(op, n.In[0].Shape, poolFollows(g, i))
				run, macs, err := lowBitRun(im, choice.For(dtype.Int8), spec, f.inputs, w)
				if err != nil {
					return nil, err
				}
				cases = append(cases, Case{
					Name: fmt.Sprintf("BenchmarkBitSerial/dtype=int8/impl=%s/weights=%s/inputs=%dbit/layer=%s/batch=1", name, f.weights, f.inputs, n.Name),
					MACs: float64(macs), Run: run,
				})
			}
		}
	}
	whole, err := BitSerialNetworkCases(model)
	return append(cases, whole...), err
}

// lowBitSpec is a layer from bytes to bytes, with a halo of 0.
func lowBitSpec(op *graph.Conv2D, in graph.Shape, pool bool) kernels.ConvSpec {
	s := kernels.ConvSpec{
		In: kernels.Image{DType: dtype.Int8, H: in[1], W: in[2], C: op.InC, Top: op.PadTop, Left: op.PadLeft, Bottom: op.PadBottom, Right: op.PadRight},
		KH: op.KH, KW: op.KW, StrideH: op.StrideH, StrideW: op.StrideW, DilationH: op.DilationH, DilationW: op.DilationW,
		PadTop: op.PadTop, PadLeft: op.PadLeft, Halo: kernels.HaloZero, NonNegative: true, Pool: pool,
		Mode: tile.Requant, Lo: 0, Hi: 3, Scale: slices.Repeat([]float32{0x1p-5}, op.OutC), Offset: make([]float32, op.OutC),
		Out: kernels.Image{DType: dtype.Int8, H: in[1] / op.StrideH, W: in[2] / op.StrideW, C: op.OutC},
	}
	if pool {
		s.Out.H, s.Out.W = s.Out.H/2, s.Out.W/2
	}
	return s
}

// lowBitRun prepares a layer with im, whose dtype says how. int8's implementation reads
// the result.
func lowBitRun(im, reader *kernels.Impl, s kernels.ConvSpec, bits int, w []int8) (run func(int), macs int, err error) {
	s.OutXor = reader.AXor()
	from, to, ctx := kernels.Aligned(s.In.Bytes()), kernels.Aligned(s.Out.Bytes()), &kernels.Context{}
	if im.DType() == dtype.Int8 {
		conv, err := kernels.NewConv(im, s, kernels.PackInt8(w, s.In.C))
		if err != nil {
			return nil, 0, err
		}
		return func(rounds int) {
			for range rounds {
				conv.Run(ctx, to, from)
			}
		}, conv.MACs(), nil
	}
	image := s.In
	image.Top, image.Left, image.Bottom, image.Right = 0, 0, 0, 0 // nobody reads a halo of it
	s.In.DType, s.NonNegative = dtype.Binary, false
	conv, err := kernels.NewBitSerial(im, s, kernels.Levels{Bits: bits, Step: 1}, w)
	if err != nil {
		return nil, 0, err
	}
	planes := kernels.Aligned(bits * s.In.Bytes())
	return func(rounds int) {
		for range rounds {
			im.PackPlanes(ctx, planes, s.In, from, image, bits, 0, reader.AXor())
			conv.Run(ctx, to, planes)
		}
	}, conv.MACs(), nil
}
