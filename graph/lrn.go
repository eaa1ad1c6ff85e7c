package graph

import "fmt"

// LRN is local response normalization over channels, as ONNX defines it
// (https://onnx.ai/onnx/operators/onnx__LRN.html): with s[c] the sum of x² over the
// channels c−⌊(Size−1)/2⌋ to c+⌈(Size−1)/2⌉ that exist, of one pixel,
//
//	out[c] = x[c] / (Bias + Alpha/Size·s[c])^Beta
type LRN struct {
	Alpha, Beta, Bias float32 // Alpha ≥ 0, Bias > 0: so that the power exists
	Size              int     // 1 to MaxElements
}

// Kind returns "lrn".
func (*LRN) Kind() string { return "lrn" }

// OutShape gives the input's shape.
func (l *LRN) OutShape(in []Shape) (Shape, error) {
	if finite("parameter", []float32{l.Alpha, l.Beta, l.Bias}) != nil || l.Alpha < 0 || l.Bias <= 0 {
		return nil, fmt.Errorf("alpha %g, beta %g, bias %g: want finite numbers, alpha ≥ 0 and bias > 0", l.Alpha, l.Beta, l.Bias)
	}
	if l.Size < 1 || l.Size > MaxElements {
		return nil, fmt.Errorf("size %d: want 1 to %d", l.Size, MaxElements)
	}
	return same(in)
}

// Window gives the channels from…to−1, of n, whose squares channel c's sum takes in.
func (l *LRN) Window(c, n int) (from, to int) {
	before := (l.Size - 1) / 2
	return max(0, c-before), min(n, c+l.Size-before)
}
