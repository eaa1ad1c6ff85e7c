package train

import (
	"math"

	"macroscope/graph"
)

// maxPoolOp takes the maximum over windows; the gradient goes to the first of
// equals.
type maxPoolOp struct {
	in, out *value
	p       graph.MaxPool
	from    []int32 // for each output of the batch, the offset in its image's data of its maximum; nil if twos
}

// twos says whether the windows are 2×2 side by side, for which there are kernels.
func (o *maxPoolOp) twos() bool {
	return o.p == graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}
}

func (o *maxPoolOp) touches() []*value { return []*value{o.in, o.out} }

func (o *maxPoolOp) forward(t *thread, img int) {
	in, c := &o.in.data, o.in.data.C
	if o.twos() {
		n := 2 * o.out.data.W * c // an odd column at the end is left out
		for y := range o.out.data.H {
			t.pixels.MaxPool2(o.out.data.row(img, y), in.row(img, 2*y)[:n], in.row(img, 2*y+1)[:n], c)
		}
		return
	}
	src := floats(in.image(img))
	from := o.from[img*o.out.data.H*o.out.data.W*c:]
	for y := range o.out.data.H {
		to := o.out.data.row(img, y)
		for x := range o.out.data.W {
			for ch := range c {
				best, at := float32(math.Inf(-1)), int32(-1)
				for ky := range o.p.KH {
					for kx := range o.p.KW {
						py, px := y*o.p.StrideH+ky-o.p.PadTop, x*o.p.StrideW+kx-o.p.PadLeft
						if py < 0 || py >= in.H || px < 0 || px >= in.W {
							continue
						}
						i := in.Offset(py, px)/4 + ch
						if v := src[i]; at < 0 || v > best || v != v {
							best, at = v, int32(i)
						}
					}
				}
				i := x*c + ch
				to[i], from[y*o.out.data.W*c+i] = best, at
			}
		}
	}
}

func (o *maxPoolOp) backward(t *thread, img int) {
	in, c := &o.in.grad, o.in.data.C
	if o.twos() {
		o.backward2(t, img)
		return
	}
	for y := range in.H {
		clear(in.row(img, y))
	}
	to, from := floats(in.image(img)), o.from[img*o.out.data.H*o.out.data.W*c:]
	for y := range o.out.grad.H {
		g := o.out.grad.row(img, y)
		at := from[y*len(g):][:len(g)]
		for i, v := range g {
			to[o.gradOffset(at[i])] += v
		}
	}
}

func (o *maxPoolOp) backward2(t *thread, img int) {
	x, dx, c := &o.in.data, &o.in.grad, o.in.data.C
	n := 2 * o.out.data.W * c
	for y := range o.out.data.H {
		above, below := dx.row(img, 2*y), dx.row(img, 2*y+1)
		t.pixels.MaxPool2Grad(above[:n], below[:n], x.row(img, 2*y)[:n], x.row(img, 2*y+1)[:n], o.out.data.row(img, y), o.out.grad.row(img, y), c)
		clear(above[n:])
		clear(below[n:])
	}
	for y := 2 * o.out.data.H; y < dx.H; y++ {
		clear(dx.row(img, y))
	}
}

// gradOffset turns an offset in an image's data into that in its gradient, whose
// halo may be another.
func (o *maxPoolOp) gradOffset(at int32) int {
	d := &o.in.data
	pixel, ch := int(at)/d.C, int(at)%d.C
	wide := d.Left + d.W + d.Right
	return o.in.grad.Offset(pixel/wide-d.Top, pixel%wide-d.Left)/4 + ch
}

// averageOp is the mean over each channel's plane.
type averageOp struct{ in, out *value }

func (o *averageOp) touches() []*value { return []*value{o.in, o.out} }

func (o *averageOp) forward(t *thread, img int) {
	to, c := o.out.data.row(img, 0), o.in.data.C
	clear(to)
	for y := range o.in.data.H {
		row := o.in.data.row(img, y)
		for i, v := range row {
			to[i%c] += v
		}
	}
	scale := 1 / float32(o.in.data.H*o.in.data.W)
	for i := range to {
		to[i] *= scale
	}
}

func (o *averageOp) backward(t *thread, img int) {
	g, c := o.out.grad.row(img, 0), o.in.data.C
	scale := 1 / float32(o.in.data.H*o.in.data.W)
	for y := range o.in.grad.H {
		to := o.in.grad.row(img, y)
		for i := range to {
			to[i] = g[i%c] * scale
		}
	}
}
