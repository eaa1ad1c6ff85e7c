package xnor

import (
	"bytes"
	"testing"

	"macroscope/cifar10"
	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/graph/reference"
	"macroscope/kernels"
	"macroscope/models"
	"macroscope/quant"
)

// Every ±1 convolution of the embedded network, with its own weights and a test
// image: the engine's sums are those of every binary kernel that this CPU has, its
// bits behind batch norm and sign those of the reference, its cycles the closed
// form's.
func TestNetwork(t *testing.T) {
	g, err := models.Load("cifar10cnn", dtype.Binary)
	if err != nil {
		t.Fatal(err)
	}
	set, err := cifar10.Read(bytes.NewReader(models.Sample()), "sample")
	if err != nil {
		t.Fatal(err)
	}
	image := make([]float32, cifar10.PixelBytes)
	set.Floats(image, 0)
	values, err := reference.Values(g, image)
	if err != nil {
		t.Fatal(err)
	}
	layers := 0
	for i, n := range g.Nodes {
		op, ok := n.Op.(*graph.Conv2D)
		if !ok || !op.Binary {
			continue
		}
		layers++
		t.Run(n.Name, func(t *testing.T) {
			rest := g.Nodes[i+1:]
			pool, pooled := rest[0].Op.(*graph.MaxPool)
			if pooled {
				rest = rest[1:]
			}
			testLayer(t, op, n, values[n.In[0]], rest[0].Op.(*graph.BatchNorm), pool, values[rest[1].Out])
		})
	}
	if layers != 5 {
		t.Errorf("%d layers of ±1, want 5", layers)
	}
}

func testLayer(t *testing.T, op *graph.Conv2D, n *graph.Node, in []float64, bn *graph.BatchNorm, pool *graph.MaxPool, signs []float64) {
	shape, out := n.In[0].Shape, n.Out.Shape
	height, width := shape[1], shape[2]
	v, k := out[1]*out[2], op.KH*op.KW*op.InC
	// Lines of bits in the order (row, column, channel), as the kernels have them.
	row := quant.Words(k)
	x, w := make([]uint32, v*row), make([]uint32, op.OutC*row)
	plain := make([]float32, len(in))
	weights := make([]float32, op.OutC*k)
	for c := range op.InC {
		for p := range height * width {
			plain[p*op.InC+c] = float32(in[c*height*width+p])
		}
	}
	for o := range op.OutC {
		for c := range op.InC {
			for tap := range op.KH * op.KW {
				at := tap*op.InC + c
				weights[o*k+at] = op.Float[(o*op.InC+c)*op.KH*op.KW+tap]
				if weights[o*k+at] > 0 {
					w[o*row+at/32] |= 1 << (at % 32)
				}
			}
		}
	}
	for p := range v {
		for tap := range op.KH * op.KW {
			y, xx := p/out[2]+tap/op.KW-op.PadTop, p%out[2]+tap%op.KW-op.PadLeft
			for c := range op.InC {
				inside := y >= 0 && y < height && xx >= 0 && xx < width
				if at := tap*op.InC + c; inside && plain[(y*width+xx)*op.InC+c] > 0 {
					x[p*row+at/32] |= 1 << (at % 32)
				}
			}
		}
	}
	mc := Machine{Engine: Engine{PEs: 16, SIMD: 96, Pipe: 2}}
	for c := range op.OutC {
		th, err := quant.FoldSign(func(sum int32) float64 { return bn.At(c, float64(sum)) })
		if err != nil {
			t.Fatal(err)
		}
		mc.Thresholds = append(mc.Thresholds, th)
	}
	r, err := mc.Run(x, w, int64(v), int64(op.OutC), int64(k))
	if err != nil {
		t.Fatal(err)
	}
	if want := mc.Cycles(int64(v), int64(op.OutC), int64(k)); r.Cycles != want {
		t.Errorf("%d cycles stepped, %d by the closed form", r.Cycles, want)
	}
	for _, im := range kernels.Table() {
		if im.DType() != dtype.Binary || !im.Available() {
			continue
		}
		conv, err := im.NewConv2DBinary(kernels.Conv2DShape{H: height, W: width, C: op.InC, OutC: op.OutC, KH: op.KH, KW: op.KW,
			PadTop: op.PadTop, PadLeft: op.PadLeft, PadBottom: op.PadBottom, PadRight: op.PadRight}, weights)
		if err != nil {
			t.Fatal(err)
		}
		sums := make([]int32, v*op.OutC)
		conv.Binary(new(kernels.Context), sums, plain)
		for i := range sums {
			if sums[i] != r.Sums[i] {
				t.Fatalf("%v: sum %d is %d, the engine's %d", im, i, sums[i], r.Sums[i])
			}
		}
	}
	// The network takes the maximum of a window's sums before the threshold. Behind
	// it that is the bits' maximum, or their minimum where the threshold falls.
	side := 1
	if pool != nil {
		side = pool.KH
	}
	oh, ow := out[1]/side, out[2]/side
	outRow := quant.Words(op.OutC)
	for c := range op.OutC {
		for p := range oh * ow {
			sign := float64(-1)
			if mc.Thresholds[c].Flip {
				sign = 1
			}
			for tap := range side * side {
				at := (p/ow*side+tap/side)*out[2] + p%ow*side + tap%side
				b := r.Bits[at*outRow+c/32]>>(c%32)&1 == 1
				if b == !mc.Thresholds[c].Flip {
					sign = 2*float64(r.Bits[at*outRow+c/32]>>(c%32)&1) - 1
				}
			}
			if want := signs[c*oh*ow+p]; sign != want {
				t.Fatalf("channel %d, pixel %d: sign %v, the reference's %v", c, p, sign, want)
			}
		}
	}
}
