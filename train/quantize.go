package train

import (
	"fmt"

	"macroscope/graph"
	"macroscope/quant"
)

// Training a network that is int8 already (package ptq's) keeps its scales of
// activations, and lets float weights move behind rounded ones: in the forward pass
// each weight and each activation is what int8 makes of it, and the gradient passes
// through the rounding.

// scalesOf gives each row of weights its int8 scale, or all of them one.
func scalesOf(w []float32, rows, scales int) ([]float32, error) {
	s := make([]float32, scales)
	per := len(w) / scales
	for i := range s {
		top := float32(0)
		for _, x := range w[i*per : (i+1)*per] {
			top = max(top, x, -x)
		}
		var err error
		if s[i], err = quant.Scale(top); err != nil {
			return nil, fmt.Errorf("weights of channel %d of %d: %w", i*rows/scales, rows, err)
		}
	}
	return s, nil
}

// rounded writes s·x̃ of each weight to dst.
func rounded(dst, w, scales []float32) {
	per := len(w) / len(scales)
	for i, s := range scales {
		for j, x := range w[i*per : (i+1)*per] {
			dst[i*per+j] = s * float32(quant.Quantize(x, s))
		}
	}
}

// int8Weights is what a file or the runtime takes of quantized weights, [OutC][KH][KW][InC].
func int8Weights(w []float32, rows, scales int, shape *graph.Conv2D) (graph.Weights, error) {
	s, err := scalesOf(w, rows, scales)
	if err != nil {
		return graph.Weights{}, err
	}
	first := channelsFirst(w, shape)
	q := graph.Weights{Float: first, Int8: make([]int8, len(w)), Scale: s}
	per := len(w) / scales
	for i, x := range first {
		q.Int8[i] = quant.Quantize(x, s[i/per])
	}
	return q, nil
}

// roundOp carries a value as int8 does, s·clamp(round(x/s)); the gradient passes where
// nothing is clamped.
type roundOp struct {
	in, out *value
	s       float32
}

func (o *roundOp) touches() []*value { return []*value{o.in, o.out} }

func (o *roundOp) forward(t *thread, img int) {
	for y := range o.in.data.H {
		to := o.out.data.row(img, y)
		for i, x := range o.in.data.row(img, y) {
			to[i] = o.s * float32(quant.Quantize(x, o.s))
		}
	}
}

func (o *roundOp) backward(t *thread, img int) {
	if o.in.constant {
		return
	}
	limit := (quant.Max + 0.5) * o.s
	for y := range o.in.data.H {
		x, to := o.in.data.row(img, y), o.in.grad.row(img, y)
		for i, g := range o.out.grad.row(img, y) {
			if !(x[i] >= -limit && x[i] <= limit) {
				g = 0
			}
			to[i] = g
		}
	}
}
