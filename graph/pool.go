package graph

import "fmt"

// pooling is the window that MaxPool and AveragePool share.
type pooling struct {
	kh, kw, strideH, strideW, dilationH, dilationW int
	top, left, bottom, right                       int
}

// MaxPool takes the maximum over KH×KW windows; padding never wins.
type MaxPool struct {
	KH, KW                               int
	StrideH, StrideW                     int
	DilationH, DilationW                 int // 0 is 1
	PadTop, PadLeft, PadBottom, PadRight int
}

// AveragePool takes the mean over KH×KW windows: of the elements that lie in the
// image, or with CountPad of all, padding being 0.
type AveragePool struct {
	KH, KW                               int
	StrideH, StrideW                     int
	DilationH, DilationW                 int // 0 is 1
	PadTop, PadLeft, PadBottom, PadRight int
	CountPad                             bool
}

// Kind returns "maxpool".
func (*MaxPool) Kind() string { return "maxpool" }

// Kind returns "averagepool".
func (*AveragePool) Kind() string { return "averagepool" }

// Dilations are the distances of a window's rows and columns, at least 1.
func (p *MaxPool) Dilations() (h, w int) { return max(p.DilationH, 1), max(p.DilationW, 1) }

// Dilations are the distances of a window's rows and columns, at least 1.
func (p *AveragePool) Dilations() (h, w int) { return max(p.DilationH, 1), max(p.DilationW, 1) }

// OutShape gives [C H' W'] for [C H W]. Each window must hold at least one
// element.
func (p *MaxPool) OutShape(in []Shape) (Shape, error) {
	dh, dw := p.Dilations()
	return pooling{p.KH, p.KW, p.StrideH, p.StrideW, dh, dw, p.PadTop, p.PadLeft, p.PadBottom, p.PadRight}.outShape(in)
}

// OutShape gives [C H' W'] for [C H W]. Each window must hold at least one
// element.
func (p *AveragePool) OutShape(in []Shape) (Shape, error) {
	dh, dw := p.Dilations()
	return pooling{p.KH, p.KW, p.StrideH, p.StrideW, dh, dw, p.PadTop, p.PadLeft, p.PadBottom, p.PadRight}.outShape(in)
}

func (p pooling) outShape(in []Shape) (Shape, error) {
	s, err := oneImage(in)
	if err != nil {
		return nil, err
	}
	h, err := window("height", s[1], p.kh, p.strideH, p.dilationH, p.top, p.bottom)
	if err != nil {
		return nil, err
	}
	w, err := window("width", s[2], p.kw, p.strideW, p.dilationW, p.left, p.right)
	if err != nil {
		return nil, err
	}
	if emptyWindow(s[1], h, p.kh, p.strideH, p.dilationH, p.top) || emptyWindow(s[2], w, p.kw, p.strideW, p.dilationW, p.left) {
		return nil, fmt.Errorf("padding %d %d %d %d (top, left, bottom, right) for a window of %d×%d: want less than the window, so that each holds an element",
			p.top, p.left, p.bottom, p.right, p.kh, p.kw)
	}
	out := Shape{s[0], h, w}
	return out, out.Check()
}

// emptyWindow says whether one of count windows along n elements may hold none of them.
func emptyWindow(n, count, size, stride, dilation, before int) bool {
	last := int64(count-1)*int64(stride) - int64(before)
	return int64(before) > int64(size-1)*int64(dilation) || last >= int64(n) || before > 0 && dilation > n
}
