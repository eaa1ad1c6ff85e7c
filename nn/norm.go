package nn

import (
	"math"

	"macroscope/dtype"
	"macroscope/graph"
)

// foldNorm makes a batch norm or an affine op behind a group of integer sums part of what
// a step of each sum stands for and of the bias, as graph.FoldBatchNorm does it to float
// weights: sums are then rounded to bytes at once. A channel that the op turns round
// has its weights turned round, so that a later max-pool may still be taken on the sums.
// False where the op stays: nothing is changed then.
func (c *compiler) foldNorm(g *group, next *graph.Node) bool {
	if c.g.Integer != graph.NotInteger || g.clamped() || c.layerType(g.node) != dtype.Int8 {
		return false
	}
	at := affineOf(next.Op)
	if at == nil || !c.afford(g.node.Bytes()) {
		return false
	}
	switch op := g.node.Op.(type) {
	case *graph.Conv2D:
		if w, ok := normed(&op.Weights, op.OutC, g.pool, at); ok {
			conv := *op
			conv.Weights, g.node.Op = w, &conv
			return true
		}
	case *graph.Dense:
		if w, ok := normed(&op.Weights, op.Out, g.pool, at); ok {
			dense := *op
			dense.Weights, g.node.Op = w, &dense
			return true
		}
	}
	return false
}

// affineOf is a batch norm or an affine op as scale·x + shift of a channel; nil of any
// other op.
func affineOf(op graph.Op) func(o int) (scale, shift float64) {
	switch op := op.(type) {
	case *graph.BatchNorm:
		return func(o int) (scale, shift float64) {
			scale = float64(op.Gamma[o]) / math.Sqrt(float64(op.Var[o])+float64(op.Epsilon))
			return scale, float64(op.Beta[o]) - float64(float64(op.Mean[o])*scale)
		}
	case *graph.Affine:
		return func(o int) (scale, shift float64) {
			return float64(op.Scale[min(o, len(op.Scale)-1)]), float64(op.Shift[min(o, len(op.Shift)-1)])
		}
	}
	return nil
}

// normed is w with its n outputs scaled and shifted; false where one cannot be: scaled
// far beyond float32, or turned round behind a pool.
func normed(w *graph.Weights, n int, pooled bool, at func(o int) (scale, shift float64)) (graph.Weights, bool) {
	out := graph.Weights{Int8: append([]int8(nil), w.Int8...), Scale: make([]float32, n), Bias: make([]float32, n)}
	k := len(w.Int8) / n
	for o := range n {
		scale, shift := at(o)
		unit := float32(realScale(w, 1, o) * math.Abs(scale))
		row := out.Int8[o*k : (o+1)*k]
		if scale == 0 { // the channel is its shift
			unit = 1
			clear(row)
		}
		out.Scale[o], out.Bias[o] = unit, float32(float64(bias(w, o)*scale)+shift)
		if !(unit >= 0x1p-100 && unit <= 0x1p100) || math.IsInf(float64(out.Bias[o]), 0) || math.IsNaN(float64(out.Bias[o])) || scale < 0 && pooled {
			return graph.Weights{}, false
		}
		for i, q := range row {
			if scale < 0 {
				if q == math.MinInt8 {
					return graph.Weights{}, false
				}
				row[i] = -q
			}
		}
	}
	return out, true
}
