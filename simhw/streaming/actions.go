package streaming

import "math"

// Actions is what a layer's units do for one image, to be priced. Bits are those that
// change places, whole numbers.
type Actions struct {
	Products    int64   // of an input and a weight
	Selects     float64 // bits of products with weights of one bit: the input, or its negation
	MultiplyMAC float64 // other products, in units of one of 8×8 bits
	AddBits     float64 // slices of adders and comparators

	RegisterBits float64 // written in engines, each step
	WeightBits   float64 // read from block RAM
	WindowBits   float64 // written to and read from line buffers in block RAM
	FIFOBits     float64 // written to and read from the FIFO behind the layer
}

// Actions counts. A product is of InBits by WeightBits; an engine's step takes SIMD
// inputs and PE·SIMD weights, adds up SIMD products for each of PE outputs by a tree as
// wide as a product, and adds to an accumulator. An output is found by comparing its sum
// with a threshold for each of its bits, one half of the rest at a time. A pool compares
// what it reads.
func (l *Layer) Actions(f Fold) Actions {
	h, w, c := l.Out()
	inputs, outputs := float64(l.H*l.W*l.C), float64(h*w*c)
	in, weight := float64(l.InBits), float64(l.WeightBits)
	a := Actions{FIFOBits: 2 * outputs * float64(l.OutBits)}
	if l.Pool {
		a.AddBits = inputs * in
		return a
	}
	mh, mw, vectors := l.Matrix()
	a.Products = l.MACs()
	if products := float64(a.Products); l.WeightBits == 1 {
		a.Selects = products * in
	} else {
		a.MultiplyMAC = products * in * weight / 64
	}
	steps := float64(vectors) * float64(mh/f.PE) * float64(mw/f.SIMD)
	pe, simd, sum := float64(f.PE), float64(f.SIMD), l.sumBits()
	a.AddBits = steps*pe*((simd-1)*(in+weight)+sum) + outputs*float64(l.OutBits)*sum
	a.RegisterBits = steps * (simd*in + pe*simd*weight + pe*sum)
	a.WeightBits = steps * pe * simd * weight
	if l.windowed() {
		a.WindowBits = inputs*in + float64(vectors)*float64(mw)*in
	}
	return a
}

// sumBits is the width of an accumulator of signed inputs, FINN's formula (which stops at
// 32 bits, as its operands do at 8).
func (l *Layer) sumBits() float64 {
	_, mw, _ := l.Matrix()
	alpha := math.Log2(float64(mw)) + float64(l.WeightBits+l.InBits) - 2
	return math.Min(64, math.Ceil(alpha+math.Log2(1+math.Exp2(-alpha))+1))
}
