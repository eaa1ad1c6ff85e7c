package graph

import (
	"math"
	"math/bits"
)

// narrowBits is the most bits that count as few: networks are quantized to so many on
// purpose, while bytes happen to use half of their range.
const narrowBits = 4

// inputBits is the width of what n reads, which is carried as int8: that of its levels
// where a clip leaves narrowBits or less, also pooled or flattened since, else 8.
func (p *pricer) inputBits(n *Node) int {
	if len(n.In) == 0 {
		return 8
	}
	width := 8
	for v := n.In[0]; ; {
		if known := p.inputs[v]; known > 0 {
			width = known
			break
		}
		from := p.giver[v]
		if from == nil {
			break
		}
		if op, ok := from.Op.(*Clip); ok {
			width = clippedBits(op, v)
			break
		}
		if !passes(from.Op) {
			break
		}
		v = from.In[0]
	}
	p.inputs[n.In[0]] = width
	return width
}

// passes tells whether what an op gives is among what it takes.
func passes(op Op) bool {
	switch op.(type) {
	case *MaxPool, *Flatten, *Reshape, *Transpose, *Slice, *Dropout:
		return true
	}
	return false
}

// clippedBits is the width of the levels of v that a clip leaves, 8 if they are more than
// narrowBits tell apart or v is not carried as int8.
func clippedBits(op *Clip, v *Value) int {
	if !(v.Scale > 0) {
		return 8
	}
	level := func(x float32) float64 {
		q := math.RoundToEven(float64(x)/float64(v.Scale)) + float64(v.Zero)
		return min(max(q, float64(v.Lowest())), 127)
	}
	levels := level(op.Hi) - level(op.Lo)
	if !(levels >= 0 && levels < 1<<narrowBits) { // NaN
		return 8
	}
	return max(1, bits.Len(uint(levels)))
}

// bitsOf is the width of integer weights: 1 of ±1, as many as they need in two's
// complement if those are few, else 8.
func (w *Weights) bitsOf() int {
	if w.Binary {
		return 1
	}
	if len(w.Int8) == 0 {
		return 8
	}
	need, zero := 1, false
	for _, q := range w.Int8 {
		if zero = zero || q == 0; q < 0 {
			q = ^q
		}
		if need = max(need, bits.Len8(uint8(q))+1); need > narrowBits {
			return 8
		}
	}
	if need == 2 && !zero && w.signs() {
		return 1
	}
	return need
}

// signs tells whether integer weights are ±1.
func (w *Weights) signs() bool {
	for _, q := range w.Int8 {
		if q != 1 && q != -1 {
			return false
		}
	}
	return true
}
