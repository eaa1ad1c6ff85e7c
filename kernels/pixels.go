package kernels

import (
	"fmt"
	"unsafe"

	"macroscope/dtype"
	"macroscope/kernels/generic"
	"macroscope/kernels/tile"
)

// Pixels are the loops of float32 training between convolutions: over slices of
// [pixels][C], with a constant or a sum for each channel. They panic if a length
// does not fit. Impl.NewPixels gives one; each goroutine needs its own.
type Pixels struct {
	fast *tile.PixelFuncs // nil: none
	work tile.Pixels
}

// NewPixels gives the loops of a float32 row; it panics for another dtype.
func (im *Impl) NewPixels() *Pixels {
	if im.k.DType != dtype.Float32 {
		panic(fmt.Sprintf("kernels: %s asked for loops over float32 pixels", im))
	}
	return &Pixels{fast: im.k.Pixels}
}

// AddMoments is
//
//	for i, v := range x { sum[i%C] += v; squares[i%C] += v*v }
func (p *Pixels) AddMoments(sum, squares, x []float32) {
	n := count("moments", len(x), len(sum), len(squares) == len(sum))
	p.work = tile.Pixels{X: at(x), A: at(sum), B: at(squares), Count: n}
	p.run(len(sum), func(f *tile.PixelFuncs) func(*tile.Pixels) { return f.Moments })
}

// AddProducts is
//
//	for i, v := range g { sum[i%C] += v; products[i%C] += v*x[i] }
func (p *Pixels) AddProducts(sum, products, g, x []float32) {
	n := count("products", len(g), len(sum), len(products) == len(sum) && len(x) == len(g))
	p.work = tile.Pixels{G: at(g), X: at(x), A: at(sum), B: at(products), Count: n}
	p.run(len(sum), func(f *tile.PixelFuncs) func(*tile.Pixels) { return f.Products })
}

// AddMaskedProducts is AddProducts after
//
//	for i, v := range y { if v == 0 { g[i] = 0 } }
func (p *Pixels) AddMaskedProducts(sum, products, g, x, y []float32) {
	n := count("masked products", len(g), len(sum), len(products) == len(sum) && len(x) == len(g) && len(y) == len(g))
	p.work = tile.Pixels{G: at(g), X: at(x), Y: at(y), A: at(sum), B: at(products), Count: n}
	p.run(len(sum), func(f *tile.PixelFuncs) func(*tile.Pixels) { return f.MaskedProducts })
}

// Linear is
//
//	for i, v := range x { y[i] = max(lo, v*scale[i%C]+shift[i%C]) }
func (p *Pixels) Linear(y, x, scale, shift []float32, lo float32) {
	n := count("linear", len(x), len(scale), len(shift) == len(scale) && len(y) == len(x))
	p.work = tile.Pixels{X: at(x), Out: at(y), A: at(scale), B: at(shift), Lo: lo, Count: n}
	p.run(len(scale), func(f *tile.PixelFuncs) func(*tile.Pixels) { return f.Linear })
}

// Linear2 is
//
//	for i, v := range g { dx[i] = v*fromG[i%C] + x[i]*fromX[i%C] + offset[i%C] }
//
// dx may be g or x.
func (p *Pixels) Linear2(dx, g, x, fromG, fromX, offset []float32) {
	n := count("linear", len(g), len(fromG), len(fromX) == len(fromG) && len(offset) == len(fromG) && len(x) == len(g) && len(dx) == len(g))
	p.work = tile.Pixels{G: at(g), X: at(x), Out: at(dx), A: at(fromG), B: at(fromX), K: at(offset), Count: n}
	p.run(len(fromG), func(f *tile.PixelFuncs) func(*tile.Pixels) { return f.Linear2 })
}

// Sign is
//
//	for i, v := range x { y[i] = −1; if v >= 0 { y[i] = 1 } }
//
// for pixels of c channels.
func (p *Pixels) Sign(y, x []float32, c int) {
	n := count("sign", len(x), c, len(y) == len(x))
	p.work = tile.Pixels{X: at(x), Out: at(y), Count: n}
	p.run(c, func(f *tile.PixelFuncs) func(*tile.Pixels) { return f.Sign })
}

// SignGrad gives a gradient g of Sign's result to x with the estimated slope
// constant[i%C] + linear[i%C]·|x| where |x| ≤ 1, else 0:
//
//	for i, v := range x { dx[i] = 0; if |v| <= 1 { dx[i] = g[i] * (constant[i%C] + linear[i%C]*|v|) } }
func (p *Pixels) SignGrad(dx, g, x, constant, linear []float32) {
	n := count("sign's gradient", len(x), len(constant), len(linear) == len(constant) && len(g) == len(x) && len(dx) == len(x))
	p.work = tile.Pixels{X: at(x), G: at(g), Out: at(dx), A: at(constant), B: at(linear), Count: n}
	p.run(len(constant), func(f *tile.PixelFuncs) func(*tile.Pixels) { return f.SignGrad })
}

// PReLU is
//
//	for i, v := range x { y[i] = v; if signbit(v) { y[i] *= slope[i%C] } }
//
// y may be x.
func (p *Pixels) PReLU(y, x, slope []float32) {
	n := count("PReLU", len(x), len(slope), len(y) == len(x))
	p.work = tile.Pixels{X: at(x), Out: at(y), K: at(slope), Count: n}
	p.run(len(slope), func(f *tile.PixelFuncs) func(*tile.Pixels) { return f.PReLU })
}

// PReLUGrad gives a gradient g of PReLU's result to x, and adds to dslope what it is
// with respect to slope:
//
//	for i, v := range x { dx[i] = g[i]; if signbit(v) { dx[i] *= slope[i%C]; dslope[i%C] += v * g[i] } }
//
// dx may be g.
func (p *Pixels) PReLUGrad(dx, dslope, g, x, slope []float32) {
	n := count("PReLU's gradient", len(x), len(slope), len(dslope) == len(slope) && len(g) == len(x) && len(dx) == len(x))
	p.work = tile.Pixels{X: at(x), G: at(g), Out: at(dx), A: at(dslope), K: at(slope), Count: n}
	p.run(len(slope), func(f *tile.PixelFuncs) func(*tile.Pixels) { return f.PReLUGrad })
}

// MaxPool2 takes the maxima of 2×2 pixels of c channels from two rows, above and
// below, of twice as many pixels as y; below must stand behind above in the same
// memory.
func (p *Pixels) MaxPool2(y, above, below []float32, c int) {
	n := count("max-pool", len(y), c, len(above) == 2*len(y) && len(below) == 2*len(y))
	p.work = tile.Pixels{X: at(above), Row: distance(above, below), Out: at(y), Count: n}
	p.run(c, func(f *tile.PixelFuncs) func(*tile.Pixels) { return f.MaxPool })
}

// MaxPool2Grad gives the gradient g of MaxPool2's result y to the first of the four
// that is y, 0 to the others: to dAbove and dBelow, which like above and below must
// stand behind one another.
func (p *Pixels) MaxPool2Grad(dAbove, dBelow, above, below, y, g []float32, c int) {
	n := count("max-pool", len(y), c, len(g) == len(y) && len(above) == 2*len(y) && len(below) == 2*len(y) && len(dAbove) == 2*len(y) && len(dBelow) == 2*len(y))
	p.work = tile.Pixels{
		X: at(above), Row: distance(above, below), Y: at(y), G: at(g), Out: at(dAbove), OutRow: distance(dAbove, dBelow), Count: n,
	}
	p.run(c, func(f *tile.PixelFuncs) func(*tile.Pixels) { return f.MaxPoolGrad })
}

// run does the work on pixels of c channels.
func (p *Pixels) run(c int, loop func(*tile.PixelFuncs) func(*tile.Pixels)) {
	w := &p.work
	if w.Count > 0 {
		w.Step = 4 * c
		var fast func(*tile.Pixels)
		vl := 1
		if p.fast != nil {
			fast, vl = loop(p.fast), p.fast.VL
		}
		vectors(w, c, vl, 4, fast, loop(&generic.Pixels))
	}
	*w = tile.Pixels{} // keep no memory alive
}

// vectors does as many of c channels as whole vectors of vl have with fast, which may
// be nil, the others with plain; outStep is the number of bytes of Out from a channel to
// the next, 4 of all else.
func vectors(w *tile.Pixels, c, vl, outStep int, fast, plain func(*tile.Pixels)) {
	if w.Vectors = c / vl; fast != nil && w.Vectors > 0 {
		fast(w)
		done := w.Vectors * vl
		if c -= done; c == 0 { // the pointers would leave their slices
			return
		}
		for _, at := range []*unsafe.Pointer{&w.X, &w.Y, &w.G, &w.A, &w.B, &w.K} {
			if *at != nil {
				*at = unsafe.Add(*at, 4*done)
			}
		}
		if w.Out != nil {
			w.Out = unsafe.Add(w.Out, outStep*done)
		}
	}
	w.Vectors = c
	plain(w)
}

// count is the number of pixels of n values, after a check of the other lengths.
func count(what string, n, channels int, fits bool) int {
	if !fits || channels < 1 || n%channels != 0 {
		panic(fmt.Sprintf("kernels: %s of %d values of %d channels: lengths do not fit", what, n, channels))
	}
	return n / channels
}

func at(v []float32) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(v)) }

// distance is the number of bytes from one row to another of the same memory.
func distance(a, b []float32) int { return int(uintptr(at(b)) - uintptr(at(a))) }
